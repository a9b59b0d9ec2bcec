//! All that knows HTTP: routes, what requests and answers have in common, and the endpoints.
//!
//! May use the app and everything below it, but neither `jobs` nor `import`. An endpoint is a story in
//! a file of its own, with its types and its SQL, and never imports another endpoint.

pub mod routes;
