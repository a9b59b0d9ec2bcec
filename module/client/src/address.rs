//! Where the server is and who we are there, from one URL.

mod parts;
mod several;

use std::path::PathBuf;

use url::{Host, Url};

pub(crate) use parts::{Files, Login};
pub(crate) use several::Several;

use crate::options::BadOptions;
use parts::{bad, database, decoded, path, protocol};

/// What an address leads to. Has no `Debug`, since there may be a password in it.
pub(crate) enum Address {
    One(Place, Login),
    Several(Several),
}

pub(crate) enum Place {
    Tcp { host: String, port: u16, tls: Option<Files> },
    Unix(PathBuf),
}

const USUAL_PORT: u16 = 6379;

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, BadOptions> {
        // Before it is read: there is a list of servers in it, which is no URL.
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        let several = match scheme {
            "redis+cluster" | "valkey+cluster" => Some((false, true)),
            "rediss+cluster" | "valkeys+cluster" => Some((true, true)),
            "redis+sentinel" | "valkey+sentinel" => Some((false, false)),
            "rediss+sentinel" | "valkeys+sentinel" => Some((true, false)),
            _ => None,
        };
        if let Some((is_secret, is_cluster)) = several {
            return Several::parse(text, is_secret, is_cluster).map(Self::Several);
        }
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
        files.belong_together()?;
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
        let port = url.port().unwrap_or(USUAL_PORT);
        let place = Place::Tcp { host, port, tls: is_secret.then_some(files) };
        let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        let password = url.password().map(decoded).transpose()?;
        Ok(Self::One(place, Login { user, password, database }.complete()?))
    }

    fn unix(url: &Url) -> Result<Self, BadOptions> {
        if url.host_str().is_some_and(|host| !host.is_empty()) {
            return Err(bad("write three slashes before the path of a socket"));
        }
        let place = Place::Unix(path(&decoded(url.path())?)?);
        let mut login = Login::default();
        for (name, value) in url.query_pairs() {
            match &*name {
                "db" => login.database = database(&value)?,
                "user" => login.user = Some(value.into_owned()),
                "pass" => login.password = Some(value.into_owned()),
                "protocol" => protocol(&value)?,
                _ => {
                    return Err(bad(&format!(
                        "{name}= is not known; there are db=, user= and pass="
                    )));
                }
            }
        }
        Ok(Self::One(place, login.complete()?))
    }
}
