//! The description of the API, `OpenAPI` 3.1, for the operations listener and `portcullis openapi`.
//!
//! Each handler describes itself where it stands: its types, its success, and by their codes the
//! refusals that are particular to it. What follows from a rule that holds everywhere is added
//! here and in `refusals.rs`. `page.rs` shows the same document to people.

mod document;
mod page;
mod refusals;
mod routes;

pub use document::document;
pub use page::page;
pub(crate) use routes::routes;
