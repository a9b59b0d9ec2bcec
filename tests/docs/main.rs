//! The documentation, held against real servers: what a page says is what they do.

mod examples;
mod pages;
mod reference;
