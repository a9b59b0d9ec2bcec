//! The settings: parsed once, at the start, from flags and the environment.
//!
//! Every setting is a flag and a variable of the same name; `portcullis serve --help` lists them
//! all. A value that cannot be meant stops the start with the setting's name and what is allowed.
//!
//! Uses no other room, and reads no store.

mod accounts;
mod address;
mod all;
mod browsers;
mod given;
mod invalid;
mod limits;
mod pages;
mod redis_servers;
mod remarks;
mod server;
mod sessions;
mod stores;
mod tokens;
mod values;

pub use accounts::Accounts;
pub(crate) use address::mysql as check_mysql_url;
pub use all::Settings;
pub use browsers::{Hsts, Origin, SiteData};
pub use given::given;
pub use invalid::Invalid;
pub use limits::{Limit, Limits};
pub use pages::{Color, Pages, PagesPath};
pub use redis_servers::{Host, Login, RedisServers};
pub use server::{LogFormat, Server};
pub use sessions::{AddressGate, DeviceGate, Sessions};
pub use stores::Stores;
pub(crate) use tokens::LONGEST_LEEWAY;
pub use tokens::{KnownService, RefreshSecrets, Tokens};
pub(crate) use values::secret;
pub use values::{List, Network};

#[cfg(test)]
mod tests;
