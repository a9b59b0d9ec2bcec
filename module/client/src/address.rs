//! Where the server is and who we are there, from one URL.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::options::BadOptions;

/// An address that was understood. Has no `Debug`, since there may be a password in it.
pub(crate) struct Address {
    pub(crate) place: Place,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
}

pub(crate) enum Place {
    Tcp { host: String, port: u16, tls: Option<Files> },
    Unix(PathBuf),
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

const USUAL_PORT: u16 = 6379;

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, BadOptions> {
        // Before it is read: there may be a list of servers in it, which is no URL.
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        if scheme.contains("cluster") || scheme.contains("sentinel") {
            return Err(BadOptions::ManyServers(scheme.to_owned()));
        }
        let url = Url::parse(text).map_err(|cause| bad(&cause.to_string()))?;
        if url.fragment().is_some() {
            return Err(bad("nothing may follow a #, and certificates are always verified"));
        }
        match url.scheme() {
            "redis" | "valkey" => Self::tcp(&url, false),
            "rediss" | "valkeys" => Self::tcp(&url, true),
            "unix" | "redis+unix" | "valkey+unix" => Self::unix(&url),
            other => Err(bad(&format!("there is no {other}://"))),
        }
    }

    fn tcp(url: &Url, is_secret: bool) -> Result<Self, BadOptions> {
        let mut files = Files::default();
        for (name, value) in url.query_pairs() {
            match (&*name, is_secret) {
                ("ca", true) => files.ca = Some(path(&value)?),
                ("cert", true) => files.certificate = Some(path(&value)?),
                ("key", true) => files.key = Some(path(&value)?),
                ("ca" | "cert" | "key", false) => {
                    return Err(bad(&format!("{name}= needs rediss://")));
                }
                ("protocol", _) => protocol(&value)?,
                _ => {
                    return Err(bad(&format!(
                        "{name}= is not known; there are ca=, cert= and key="
                    )));
                }
            }
        }
        if files.certificate.is_some() != files.key.is_some() {
            return Err(bad("cert= and key= belong together"));
        }
        let host = match url.host() {
            // A name, in a URL of this kind, is as it was written.
            Some(Host::Domain(name)) if !name.is_empty() => decoded(name)?,
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(bad("there is no host")),
        };
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => database(number)?,
        };
        Self {
            place: Place::Tcp {
                host,
                port: url.port().unwrap_or(USUAL_PORT),
                tls: is_secret.then_some(files),
            },
            user: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
            password: url.password().map(decoded).transpose()?,
            database,
        }
        .complete()
    }

    fn unix(url: &Url) -> Result<Self, BadOptions> {
        if url.host_str().is_some_and(|host| !host.is_empty()) {
            return Err(bad("write three slashes before the path of a socket"));
        }
        let place = Place::Unix(path(&decoded(url.path())?)?);
        let mut address = Self { place, user: None, password: None, database: 0 };
        for (name, value) in url.query_pairs() {
            match &*name {
                "db" => address.database = database(&value)?,
                "user" => address.user = Some(value.into_owned()),
                "pass" => address.password = Some(value.into_owned()),
                "protocol" => protocol(&value)?,
                _ => {
                    return Err(bad(&format!(
                        "{name}= is not known; there are db=, user= and pass="
                    )));
                }
            }
        }
        address.complete()
    }

    fn complete(self) -> Result<Self, BadOptions> {
        if self.user.is_some() && self.password.is_none() {
            return Err(bad("there is a user and no password"));
        }
        Ok(self)
    }
}

fn bad(what: &str) -> BadOptions {
    BadOptions::Address(what.to_owned())
}

fn decoded(text: &str) -> Result<String, BadOptions> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(String::from).map_err(|_| bad("what is written with % is not UTF-8"))
}

fn path(text: &str) -> Result<PathBuf, BadOptions> {
    if text.starts_with('/') { Ok(text.into()) } else { Err(bad("a path begins with /")) }
}

fn database(text: &str) -> Result<u32, BadOptions> {
    text.parse().map_err(|_| bad("a database is a number"))
}

/// Others who read such addresses need to be told; here it is never anything else.
fn protocol(text: &str) -> Result<(), BadOptions> {
    if text == "resp3" || text == "3" { Ok(()) } else { Err(bad("the protocol is always resp3")) }
}
