//! Addresses of servers and pages. What is wrong with one never repeats it: it may hold a password.

use std::net::Ipv6Addr;
use std::str::FromStr as _;

use redis::IntoConnectionInfo as _;
use sqlx::mysql::MySqlConnectOptions;
use url::{ParseError, Url};

use super::invalid::Invalid;

pub(super) const RAW: &str = "a / ? # or @ in the user or the password must be percent-encoded: write %2F, %3F, \
                   %23, %40";

/// Refuses what is no address of a MySQL database.
pub(crate) fn mysql(setting: &'static str, text: &str) -> Result<(), Invalid> {
    let like = "must be like mysql://user:password@host:3306/name";
    let url = parsed(setting, text, &["mysql", "mariadb"], like)?;
    if url.fragment().is_some() {
        return Err(Invalid::new(setting, RAW));
    }
    let name = url.path().trim_start_matches('/');
    if name.is_empty() {
        return Err(Invalid::new(
            setting,
            "names no database: it must end with one, such as mysql://user:password@host/portcullis",
        ));
    }
    if name.contains('/') {
        return Err(Invalid::new(setting, format!("{like}, with one name at its end")));
    }
    MySqlConnectOptions::from_str(text)
        .map(drop)
        .map_err(|error| Invalid::new(setting, format!("{like} ({error})")))
}

/// Refuses what is no address of a Redis.
pub(super) fn redis(setting: &'static str, text: &str) -> Result<(), Invalid> {
    let like = "must be like redis://:password@host:6379/0, unix:///path, \
                redis+sentinel://host,host/name or redis+cluster://host,host";
    let url = parsed(setting, text, &["redis", "rediss", "unix", "redis+unix"], like)?;
    if url.fragment().is_some_and(|fragment| fragment != "insecure") {
        return Err(Invalid::new(setting, RAW));
    }
    url.into_connection_info()
        .map(drop)
        .map_err(|error| Invalid::new(setting, format!("{like} ({error})")))
}

/// Refuses what is no address of a mail server.
pub(super) fn smtp(setting: &'static str, text: &str) -> Result<(), Invalid> {
    let like = "must be like smtps://user:password@mail.example.com";
    let url = parsed(setting, text, &["smtp", "smtps"], like)?;
    if url.fragment().is_some() {
        return Err(Invalid::new(setting, RAW));
    }
    url.host_str().map(drop).ok_or_else(|| Invalid::new(setting, like))
}

/// Refuses what links in mails cannot begin with.
pub(super) fn page(setting: &'static str, text: &str) -> Result<(), Invalid> {
    let like = "must be like https://app.example.com";
    let url = parsed(setting, text, &["https", "http"], like)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Invalid::new(
            setting,
            "must have no ? and no #: mails append /verify-email?token=… and /reset-password?token=…",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Invalid::new(setting, "must have no user and no password: it is mailed"));
    }
    if text.contains(char::is_whitespace) {
        return Err(Invalid::new(setting, format!("{like}, without white space")));
    }
    Ok(())
}

/// Refuses a host with anything around it.
pub(super) fn host(setting: &'static str, text: &str) -> Result<(), Invalid> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let is_address = bare.parse::<Ipv6Addr>().is_ok();
    let is_name = |letter: char| !letter.is_whitespace() && !"/?#@:[]\\".contains(letter);
    if is_address || text.chars().all(is_name) {
        return Ok(());
    }
    Err(Invalid::new(
        setting,
        "must be a host name or an address and nothing else; the port has a \
                              setting of its own",
    ))
}

fn parsed(setting: &'static str, text: &str, schemes: &[&str], like: &str) -> Result<Url, Invalid> {
    let rest = text.split_once("://").filter(|(scheme, _)| schemes.contains(scheme));
    let Some((_, rest)) = rest else { return Err(Invalid::new(setting, like)) };
    if portcullis_core::is_cut_short(rest) {
        return Err(Invalid::new(setting, RAW));
    }
    Url::parse(text).map_err(|error| {
        let why = match error {
            ParseError::InvalidPort => {
                format!("its port is no number, or {RAW}")
            }
            other => other.to_string(),
        };
        Invalid::new(setting, format!("{like} ({why})"))
    })
}
