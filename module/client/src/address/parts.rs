//! What addresses of one server and of several have in common.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::options::BadOptions;

/// Who we are to a server, and which of its databases we mean.
#[derive(Clone, Default)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
}

/// What TLS needs beside the system's own roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// Whose certificates are believed, instead of the system's list.
    pub(crate) ca: Option<PathBuf>,
    /// Who we are, if the server asks.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Files {
    pub(super) fn belong_together(&self) -> Result<(), BadOptions> {
        if self.certificate.is_some() == self.key.is_some() {
            return Ok(());
        }
        Err(bad("cert= and key= belong together"))
    }
}

impl Login {
    pub(super) fn complete(self) -> Result<Self, BadOptions> {
        if self.user.is_some() && self.password.is_none() {
            return Err(bad("there is a user and no password"));
        }
        Ok(self)
    }
}

pub(super) fn bad(what: &str) -> BadOptions {
    BadOptions::Address(what.to_owned())
}

pub(super) fn decoded(text: &str) -> Result<String, BadOptions> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(String::from).map_err(|_| bad("what is written with % is not UTF-8"))
}

pub(super) fn path(text: &str) -> Result<PathBuf, BadOptions> {
    if text.starts_with('/') { Ok(text.into()) } else { Err(bad("a path begins with /")) }
}

pub(super) fn database(text: &str) -> Result<u32, BadOptions> {
    text.parse().map_err(|_| bad("a database is a number"))
}

/// Others who read such addresses need to be told; here it is never anything else.
pub(super) fn protocol(text: &str) -> Result<(), BadOptions> {
    if text == "resp3" || text == "3" { Ok(()) } else { Err(bad("the protocol is always resp3")) }
}
