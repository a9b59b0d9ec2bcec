//! Endpoints for services: whether a token is good, the public keys, and where all this is.

pub mod introspect;
pub mod jwks;
pub mod metadata;
pub mod verify;
