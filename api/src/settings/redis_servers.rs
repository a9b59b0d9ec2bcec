//! Where Redis is: at one address, wherever sentinels say, or spread over a cluster. What is wrong with
//! an address never repeats it: it may hold a password.

use percent_encoding::percent_decode_str;
pub use portcullis_core::Host;
use portcullis_core::{HostList, NoHostList};
use secrecy::SecretString;

use super::address;
use super::invalid::Invalid;

const LIKE_SENTINEL: &str =
    "must be like redis+sentinel://user:password@one:26379,two:26379,three:26379/name";
const LIKE_CLUSTER: &str =
    "must be like redis+cluster://user:password@one:6379,two:6379,three:6379";

/// Where Redis is.
#[derive(Clone, Debug)]
pub enum RedisServers {
    /// At one address, which follows the primary if there are several.
    One(SecretString),
    /// Sentinels know where the primary is.
    Sentinels {
        /// Where the sentinels are.
        sentinels: Vec<Host>,
        /// What they call the primary.
        name: String,
        /// The database on it.
        db: u16,
        /// How one becomes a client of the primary.
        login: Login,
        /// How one becomes a client of the sentinels.
        sentinel_login: Login,
        /// Whether both are spoken to in TLS.
        tls: bool,
    },
    /// Some nodes of a cluster, each of which knows the others.
    Cluster {
        /// Where they are.
        nodes: Vec<Host>,
        /// How one becomes a client of any node.
        login: Login,
        /// Whether they are spoken to in TLS.
        tls: bool,
    },
}

/// Who one is to a server. Without a password nobody in particular.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The user; the default one if there is none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
}

impl RedisServers {
    /// What an address says.
    pub(super) fn parse(
        setting: &'static str,
        text: &str,
        sentinel_login: Login,
    ) -> Result<Self, Invalid> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        let tls = scheme.starts_with("rediss");
        match scheme {
            "redis+sentinel" | "rediss+sentinel" => {
                let several = Several::parse(setting, text, 26379, LIKE_SENTINEL)?;
                let (name, db) = several.name_and_db(setting)?;
                let Several { hosts: sentinels, login, .. } = several;
                Ok(Self::Sentinels { sentinels, name, db, login, sentinel_login, tls })
            }
            "redis+cluster" | "rediss+cluster" => {
                let several = Several::parse(setting, text, 6379, LIKE_CLUSTER)?;
                if !["", "0"].contains(&several.path) {
                    return Err(Invalid::new(
                        setting,
                        "a cluster has database 0 only: end the address after the last port",
                    ));
                }
                let Several { hosts: nodes, login, .. } = several;
                Ok(Self::Cluster { nodes, login, tls })
            }
            _ => {
                address::redis(setting, text)?;
                Ok(Self::One(text.into()))
            }
        }
    }

    /// Whether servers are spoken to in TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        match self {
            Self::One(url) => {
                use secrecy::ExposeSecret as _;
                url.expose_secret().starts_with("rediss://")
            }
            Self::Sentinels { tls, .. } | Self::Cluster { tls, .. } => *tls,
        }
    }
}

/// An address with several hosts.
struct Several<'t> {
    login: Login,
    hosts: Vec<Host>,
    path: &'t str,
}

impl<'t> Several<'t> {
    fn parse(
        setting: &'static str,
        text: &'t str,
        port: u16,
        like: &'static str,
    ) -> Result<Self, Invalid> {
        let (_, rest) = text.split_once("://").unwrap_or_default();
        let parsed = HostList::parse(rest, port).map_err(|fault| {
            let why = match fault {
                NoHostList::Raw => address::RAW.to_owned(),
                NoHostList::Extra => format!("{like}, without ? and #"),
                NoHostList::Host => like.to_owned(),
            };
            Invalid::new(setting, why)
        })?;
        let HostList { who, hosts, path } = parsed;
        let login = who.map_or(Ok(Login::default()), |who| Login::parse(setting, who))?;
        Ok(Self { login, hosts, path })
    }

    fn name_and_db(&self, setting: &'static str) -> Result<(String, u16), Invalid> {
        let (name, db) = self.path.split_once('/').unwrap_or((self.path, "0"));
        let name = decoded(setting, name)?;
        if name.is_empty() {
            return Err(Invalid::new(
                setting,
                format!(
                    "names no primary: {LIKE_SENTINEL}, with the name that `sentinel monitor` gave it"
                ),
            ));
        }
        let db = db.parse().map_err(|_| {
            Invalid::new(setting, format!("{LIKE_SENTINEL}/0, with a number at its end or nothing"))
        })?;
        Ok((name, db))
    }
}

impl Login {
    fn parse(setting: &'static str, who: &str) -> Result<Self, Invalid> {
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let user = given(decoded(setting, user)?);
        let password = given(decoded(setting, password)?).map(SecretString::from);
        if user.is_some() && password.is_none() {
            return Err(Invalid::new(
                setting,
                "has a user without a password: write user:password@, or :password@ without a user",
            ));
        }
        Ok(Self { user, password })
    }
}

fn decoded(setting: &'static str, text: &str) -> Result<String, Invalid> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Invalid::new(setting, address::RAW))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn parse(text: &str) -> Result<RedisServers, String> {
        let sentinel_login = Login::default();
        RedisServers::parse("REDIS_URL", text, sentinel_login).map_err(|error| error.to_string())
    }

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.to_owned(), port }
    }

    #[test]
    fn sentinels_are_named_with_what_they_watch() {
        let text = "rediss+sentinel://ledger:p%2Fw@one,two:26380,[::1]:5/my%20name/3";
        let RedisServers::Sentinels { sentinels, name, db, login, tls, .. } = parse(text).unwrap()
        else {
            panic!("these are sentinels");
        };
        assert_eq!(sentinels, [host("one", 26379), host("two", 26380), host("::1", 5)]);
        assert_eq!((&*name, db, tls), ("my name", 3, true));
        assert_eq!(login.user.as_deref(), Some("ledger"));
        assert_eq!(login.password.unwrap().expose_secret(), "p/w");
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        for text in ["redis+cluster://:pw@a,b:7000", "redis+cluster://:pw@a,b:7000/0"] {
            let RedisServers::Cluster { nodes, login, tls } = parse(text).unwrap() else {
                panic!("this is a cluster");
            };
            assert_eq!(nodes, [host("a", 6379), host("b", 7000)]);
            assert!(!tls && login.user.is_none() && login.password.is_some());
        }
    }

    #[test]
    fn an_address_of_several_servers_that_cannot_be_meant_is_refused_with_the_reason() {
        for (text, why) in [
            ("redis+sentinel://a,b", "names no primary"),
            ("redis+sentinel://a,b/", "names no primary"),
            ("redis+sentinel://a,b/name/x", "with a number at its end"),
            ("redis+sentinel://a,b/name/1/2", "with a number at its end"),
            ("redis+sentinel://a,,b/name", "must be like"),
            ("redis+sentinel:///name", "must be like"),
            ("redis+sentinel://a:0/name", "must be like"),
            ("redis+sentinel://a:99999/name", "must be like"),
            ("redis+sentinel://::1/name", "must be like"),
            ("redis+sentinel://[x]/name", "must be like"),
            ("redis+sentinel://a b/name", "must be like"),
            ("redis+sentinel://secret@a/name", "user without a password"),
            ("redis+sentinel://u:top@secret@a/name", "must be percent-encoded"),
            ("redis+sentinel://u:top/secret@a/name", "must be percent-encoded"),
            ("redis+sentinel://u:%ff@a/name", "must be percent-encoded"),
            ("redis+sentinel://a/name?x=secret", "without ? and #"),
            ("redis+cluster://a,b/1", "database 0 only"),
            ("redis+cluster://", "must be like"),
            ("redis+clusters://a", "must be like"),
        ] {
            let error = parse(text).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(error.starts_with("REDIS_URL: ") && error.contains(why), "{text}: {error}");
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }
}
