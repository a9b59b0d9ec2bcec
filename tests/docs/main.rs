//! The documentation, held against real servers: what a page says is what they do.

mod backup;
mod calling;
mod clients;
mod examples;
mod guide;
mod host;
mod names;
mod operations;
mod pages;
mod personal_data;
#[expect(unreachable_pub, reason = "shown in the documentation as a service would have it")]
mod redis_rs;
mod reference;
mod removal;
mod rotation;
mod sizing;
mod troubleshooting;
mod why_not;
