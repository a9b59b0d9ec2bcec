//! MySQL and Redis: where they are, how long they may take.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::address;
use super::invalid::Invalid;
use super::redis_servers::{Login, RedisServers};
use super::values::{duration, given, secret};

/// Beyond the deadlines of both stores, what an answer may take.
const OWN_TIME: Duration = Duration::from_millis(500);

/// With a shorter one, Redis would be asked for signs of life more often than for anything else.
const SHORTEST_LEASE: Duration = Duration::from_millis(20);

/// A shorter one would end while an instance waits for a MySQL that does not answer.
const SHORTEST_CONFIRMATION: Duration = Duration::from_secs(5);

/// MySQL and Redis.
#[derive(Args, Clone)]
#[command(next_help_heading = Stores::HEADING)]
pub struct Stores {
    /// MySQL, as `mysql://user:password@host:port/name`. Overrides the DB_ settings.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub database_url: Option<SecretString>,
    /// MySQL host.
    #[arg(long, env, default_value = "localhost")]
    pub db_host: String,
    /// MySQL port (1 to 65535).
    #[arg(long, env, default_value_t = 3306, value_parser = clap::value_parser!(u16).range(1..))]
    pub db_port: u16,
    /// MySQL user.
    #[arg(long, env, default_value = "root")]
    pub db_username: String,
    /// MySQL password.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub db_password: Option<SecretString>,
    /// MySQL database; make it first: `create database portcullis character set utf8mb4`.
    #[arg(long, env, default_value = "portcullis")]
    pub db_name: String,
    /// Maximum number of MySQL connections (3 to 1000); background work may use two of them, and
    /// four more look after a MySQL that has gone back.
    #[arg(long, env, default_value_t = 20, value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub db_pool_size: u32,
    /// How long to wait for MySQL before answering 503 (50ms to 30s).
    #[arg(long, env, default_value = "2s", value_parser = duration("50ms", "30s"))]
    pub db_deadline: Duration,
    /// How long a statement may take before it is logged as slow (1ms to 30s; 0 = none is).
    #[arg(long, env, default_value = "500ms", value_parser = duration("0s", "30s"))]
    pub db_slow_query: Duration,
    /// Redis, as `redis://:password@host:port/db`, `rediss://…` for TLS, or `unix:///path`; also
    /// `redis+sentinel://:password@host,host,host/name`, where sentinels know the primary, and
    /// `redis+cluster://:password@host,host,host`, some nodes of a cluster. Overrides the
    /// settings of its host, port, user, password and database.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub redis_url: Option<SecretString>,
    /// Redis host.
    #[arg(long, env, default_value = "localhost")]
    pub redis_host: String,
    /// Redis port (1 to 65535).
    #[arg(long, env, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    pub redis_port: u16,
    /// Redis user, if Redis uses ACLs.
    #[arg(long, env, default_value = "")]
    pub redis_username: String,
    /// Redis password.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub redis_password: Option<SecretString>,
    /// Number of the Redis database (0 to 65535).
    #[arg(long, env, default_value_t = 0)]
    pub redis_db: u16,
    /// PEM file with the certificates of the authorities to trust for Redis and its sentinels instead
    /// of the system's; only with `rediss`.
    #[arg(long, env)]
    pub redis_ca_file: Option<PathBuf>,
    /// User at the sentinels, if they use ACLs; only with `redis+sentinel`.
    #[arg(long, env, default_value = "")]
    pub sentinel_username: String,
    /// Password at the sentinels, if they ask for one; only with `redis+sentinel`.
    #[arg(long, env, hide_env_values = true, value_parser = secret)]
    pub sentinel_password: Option<SecretString>,
    /// How long to wait for Redis before asking MySQL instead (10ms to 10s).
    #[arg(long, env, default_value = "250ms", value_parser = duration("10ms", "10s"))]
    pub redis_deadline: Duration,
    /// How long a check may be answered from memory after Redis was last heard from (20ms to 10s; 0 =
    /// each check asks Redis).
    #[arg(long, env, default_value = "250ms", value_parser = duration("0s", "10s"))]
    pub verdict_lease: Duration,
    /// Number of replicas that must confirm a revocation before it counts as delivered (0 to 10).
    #[arg(long, env, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=10))]
    pub redis_wait_replicas: u8,
    /// How long Redis may answer AUTH.CHECK after the service last vouched for it (5s to 1h; 0 = no
    /// limit). The service renews this all the time; without any instance every check is refused.
    #[arg(long, env, default_value = "0s", value_parser = duration("0s", "1h"))]
    pub confirm_lease: Duration,
    /// Prefix of ledger keys, followed by the user's id.
    #[arg(long, env, default_value = "user:")]
    pub ledger_key_prefix: String,
    /// How long delivered changes are kept, so that they can be reapplied to a Redis with old data
    /// (1h to 30d).
    #[arg(long, env, default_value = "24h", value_parser = duration("1h", "30d"))]
    pub outbox_retention: Duration,
    /// Number of undelivered changes at which the service reports not ready (1 to 1000000).
    #[arg(long, env, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub outbox_limit: u32,
    /// How long Redis may refuse a logout or revocation before the service reports not ready (1s to
    /// 1h).
    #[arg(long, env, default_value = "30s", value_parser = duration("1s", "1h"))]
    pub outbox_max_age: Duration,
}

impl Stores {
    /// What these settings stand under in the help.
    pub const HEADING: &str = "Stores";

    /// Refuses addresses that lead to no database and to no Redis.
    pub fn check(&self) -> Result<(), Invalid> {
        match given(self.database_url.as_ref()) {
            Some(url) => address::mysql("DATABASE_URL", url)?,
            None => address::host("DB_HOST", &self.db_host)?,
        }
        if given(self.redis_url.as_ref()).is_none() {
            address::host("REDIS_HOST", &self.redis_host)?;
        }
        self.check_redis()?;
        if !self.verdict_lease.is_zero() && self.verdict_lease < SHORTEST_LEASE {
            return Err(Invalid::new(
                "VERDICT_LEASE",
                "must be 20ms to 10s, or 0 if each check is to ask Redis; the default is 250ms",
            ));
        }
        if self.confirm_lease().is_some_and(|lease| lease < SHORTEST_CONFIRMATION) {
            return Err(Invalid::new(
                "CONFIRM_LEASE",
                "must be 5s to 1h, or 0 if Redis may answer without a limit, which is the default",
            ));
        }
        if self.ledger_key_prefix.is_empty() {
            return Err(Invalid::new(
                "LEDGER_KEY_PREFIX",
                "must not be empty; the default is user:",
            ));
        }
        Ok(())
    }

    /// How long both may take, one after the other.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.redis_deadline + self.db_deadline
    }

    /// For how long Redis is vouched for, if there is an end to it.
    #[must_use]
    pub fn confirm_lease(&self) -> Option<Duration> {
        (!self.confirm_lease.is_zero()).then_some(self.confirm_lease)
    }

    /// How long an answer may take: what both stores may take, and a little.
    #[must_use]
    pub fn answer_deadline(&self) -> Duration {
        self.deadline() + OWN_TIME
    }

    /// Where MySQL is.
    #[must_use]
    pub fn database_url(&self) -> SecretString {
        given(self.database_url.as_ref()).map_or_else(
            || {
                let who = login(&self.db_username, self.db_password.as_ref());
                let (host, port, name) =
                    (bracketed(&self.db_host), self.db_port, encoded(&self.db_name));
                format!("mysql://{who}{host}:{port}/{name}").into()
            },
            SecretString::from,
        )
    }

    /// What would be of no effect is refused: whoever sets it believes in it.
    fn check_redis(&self) -> Result<(), Invalid> {
        let servers = self.redis_servers()?;
        if self.redis_ca_file.is_some() && !servers.is_tls() {
            return Err(Invalid::new(
                "REDIS_CA_FILE",
                "is for Redis behind TLS: let REDIS_URL begin with rediss, or leave this out",
            ));
        }
        let sentinel = "is for sentinels: let REDIS_URL begin with redis+sentinel or \
                        rediss+sentinel, or leave this out";
        let RedisServers::Sentinels { .. } = servers else {
            return match (self.sentinel_username.is_empty(), given(self.sentinel_password.as_ref()))
            {
                (true, None) => Ok(()),
                (false, _) => Err(Invalid::new("SENTINEL_USERNAME", sentinel)),
                (true, Some(_)) => Err(Invalid::new("SENTINEL_PASSWORD", sentinel)),
            };
        };
        if !self.sentinel_username.is_empty() && given(self.sentinel_password.as_ref()).is_none() {
            return Err(Invalid::new("SENTINEL_USERNAME", "needs SENTINEL_PASSWORD as well"));
        }
        Ok(())
    }

    /// Where Redis is, taken apart.
    pub fn redis_servers(&self) -> Result<RedisServers, Invalid> {
        let sentinel_login = Login {
            user: Some(self.sentinel_username.clone()).filter(|user| !user.is_empty()),
            password: given(self.sentinel_password.as_ref()).map(SecretString::from),
        };
        RedisServers::parse("REDIS_URL", self.redis_url().expose_secret(), sentinel_login)
    }

    /// Where Redis is, in one line.
    #[must_use]
    pub fn redis_url(&self) -> SecretString {
        given(self.redis_url.as_ref()).map_or_else(
            || {
                let who = login(&self.redis_username, self.redis_password.as_ref());
                let (host, port, db) =
                    (bracketed(&self.redis_host), self.redis_port, self.redis_db);
                format!("redis://{who}{host}:{port}/{db}").into()
            },
            SecretString::from,
        )
    }
}

fn login(user: &str, password: Option<&SecretString>) -> String {
    match given(password) {
        Some(password) => format!("{}:{}@", encoded(user), encoded(password)),
        None if user.is_empty() => String::new(),
        None => format!("{}@", encoded(user)),
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_confirmation_has_no_end_or_lasts_long_enough_to_be_renewed() {
        let mut stores = Settings::for_tests("mysql://x/y", "redis://x").stores;
        for (lease_ms, is_taken) in [(0, true), (1, false), (4999, false), (5000, true)] {
            stores.confirm_lease = Duration::from_millis(lease_ms);
            assert_eq!(stores.check().is_ok(), is_taken, "{lease_ms}");
        }
    }

    #[test]
    fn a_lease_is_none_or_long_enough_for_signs_of_life() {
        let mut stores = Settings::for_tests("mysql://x/y", "redis://x").stores;
        for (lease_ms, is_taken) in [(0, true), (1, false), (19, false), (20, true)] {
            stores.verdict_lease = Duration::from_millis(lease_ms);
            assert_eq!(stores.check().is_ok(), is_taken, "{lease_ms} ms");
        }
    }
}
