//! How one becomes a client of a server whose address somebody else tells.

use std::net::Ipv6Addr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use redis::{Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo, RedisResult};
use secrecy::{ExposeSecret as _, SecretString};

use super::authority::Authority;
use super::place::Place;
use crate::settings::{Host, Login};

/// All that a client needs but the address.
pub(super) struct Door {
    pub(super) login: Login,
    pub(super) db: u16,
    pub(super) tls: bool,
    /// Whom to trust, if not those whom the system trusts.
    pub(super) ca: Option<Authority>,
}

impl Door {
    /// The server there.
    pub(super) fn place(&self, host: Host) -> RedisResult<Place> {
        Ok(Place { client: self.client(&host)?, url: self.url(&host), named: Some(host) })
    }

    /// A client of the server there.
    pub(super) fn client(&self, Host { name, port }: &Host) -> RedisResult<Client> {
        let (host, port) = (name.clone(), *port);
        let address = if self.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let mut settings = RedisConnectionInfo::default().set_db(self.db.into());
        if let Some(user) = &self.login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.login.password {
            settings = settings.set_password(password.expose_secret());
        }
        let info = address.into_connection_info()?.set_redis_settings(settings);
        match (&self.ca, self.tls) {
            (Some(ca), true) => Client::build_with_tls(info, ca.certificates()),
            _ => Client::open(info),
        }
    }

    /// The same as an address.
    fn url(&self, Host { name, port }: &Host) -> SecretString {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let user = self.login.user.as_deref().map(encoded).unwrap_or_default();
        let who = match &self.login.password {
            Some(password) => format!("{user}:{}@", encoded(password.expose_secret())),
            None => String::new(),
        };
        let is_ipv6 = name.parse::<Ipv6Addr>().is_ok();
        let host = if is_ipv6 { format!("[{name}]") } else { name.clone() };
        let url = format!("{scheme}://{who}{host}:{port}/{}", self.db);
        match &self.ca {
            Some(ca) if self.tls => ca.named_in(&url),
            _ => url,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_all_that_a_client_needs() {
        let mut door = Door { login: Login::default(), db: 3, tls: false, ca: None };
        let host = |name: &str| Host { name: name.into(), port: 7 };
        let url = |door: &Door, name: &str| door.url(&host(name)).expose_secret().to_owned();
        assert_eq!(url(&door, "::1"), "redis://[::1]:7/3");
        door.login = Login { user: Some("a@b".into()), password: Some("p/w: ü".into()) };
        assert_eq!(url(&door, "one"), "redis://a%40b:p%2Fw%3A%20%C3%BC@one:7/3");
        door.tls = true;
        door.login.user = None;
        door.ca = Some(Authority::of("/etc/our ca.pem"));
        assert_eq!(
            url(&door, "one"),
            "rediss://:p%2Fw%3A%20%C3%BC@one:7/3?ca=%2Fetc%2Four%20ca%2Epem"
        );
    }
}
