//! Real servers for tests, the demo and the benches.
//!
//! Everything here blocks and panics with a message that says what to do, so that a test is
//! nothing but its story. Whatever is started dies with the process, however that ends.
#![forbid(unsafe_code)]
#![expect(
    clippy::missing_panics_doc,
    reason = "a harness panics whenever a server does not behave"
)]

mod ageing;
mod build;
mod certificate;
mod chosen;
#[cfg(feature = "service")]
mod client;
mod cluster;
mod database;
#[cfg(feature = "service")]
mod instance;
mod mail_server;
mod network;
mod node;
mod process;
mod queries;
mod redis_server;
#[cfg(feature = "service")]
mod running;
mod sentinels;
mod servers;
#[cfg(feature = "service")]
mod service;
mod tell;
mod wait;
mod workspace;

pub use build::{binary_path, module_path};
pub use certificate::{certificate, tls_arguments, tls_lines};
pub use chosen::chosen;
#[cfg(feature = "service")]
pub use client::{Answer, Client, Login, PASSWORD, send};
pub use cluster::Cluster;
pub use database::{Database, DatabaseKind, Galera};
#[cfg(feature = "service")]
pub use instance::Instance;
pub use mail_server::{Fate, MailServer};
pub use network::{Held, Network, Place};
pub use node::{NodePart, browser_package, skipped};
pub use process::{Process, find_program};
pub use queries::{DATABASE, Queries, committed_queries, described_queries};
pub use redis_server::{Redis, RedisOptions};
#[cfg(feature = "service")]
pub use running::{Running, running};
pub use sentinels::Sentinels;
pub use servers::{Server, servers};
#[cfg(feature = "service")]
pub use service::{Service, captured_log};
pub use tell::tell;
pub use wait::{free_port, wait_at_most, wait_until};
pub use workspace::{Directory, target, workspace};
