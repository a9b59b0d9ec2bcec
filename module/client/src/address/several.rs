//! Addresses that name several servers: sentinels, or nodes of a cluster.

use portcullis_core::{Host, HostList, NoHostList};
use url::form_urlencoded;

use super::parts::{Files, Login, bad, database, decoded, path, protocol};
use crate::options::BadOptions;

/// Several servers that are spoken to in the same way.
pub(crate) struct Several {
    pub(crate) hosts: Vec<Host>,
    /// Of every server that has ledgers.
    pub(crate) login: Login,
    /// If they are spoken to in TLS.
    pub(crate) tls: Option<Files>,
    /// Of the sentinels, if these are some.
    pub(crate) sentinels: Option<(String, Login)>,
}

const SENTINEL_PORT: u16 = 26379;
const USUAL_PORT: u16 = 6379;

impl Several {
    pub(super) fn parse(text: &str, is_secret: bool, is_cluster: bool) -> Result<Self, BadOptions> {
        let (_, rest) = text.split_once("://").unwrap_or_default();
        if portcullis_core::is_cut_short(rest) {
            return Err(bad("write % and two digits for a / ? # or @ in a user or password"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let port = if is_cluster { USUAL_PORT } else { SENTINEL_PORT };
        let list = HostList::parse(rest, port).map_err(|fault| match fault {
            NoHostList::Raw => bad("write % and two digits for a / ? # or @ in a user or password"),
            NoHostList::Extra => {
                bad("nothing may follow a #, and certificates are always verified")
            }
            NoHostList::Host => {
                bad("there is no host, or one that is none; write one:port,two,three")
            }
        })?;
        let (tls, sentinel_login) = Self::said(query, is_secret, is_cluster)?;
        let mut login = who(list.who)?;
        let sentinels = if is_cluster {
            if !["", "0"].contains(&list.path) {
                return Err(bad("a cluster has database 0 only"));
            }
            None
        } else {
            let (name, number) = list.path.split_once('/').unwrap_or((list.path, "0"));
            login.database = database(number)?;
            let name = decoded(name)?;
            if name.is_empty() {
                return Err(bad("end it with /name, as `sentinel monitor` calls the primary"));
            }
            Some((name, sentinel_login))
        };
        Ok(Self { hosts: list.hosts, login, tls, sentinels })
    }

    /// What stands behind the question mark.
    fn said(
        query: &str,
        is_secret: bool,
        is_cluster: bool,
    ) -> Result<(Option<Files>, Login), BadOptions> {
        let (mut files, mut login) = (Files::default(), Login::default());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "ca" if is_secret => files.ca = Some(path(&value)?),
                "cert" if is_secret => files.certificate = Some(path(&value)?),
                "key" if is_secret => files.key = Some(path(&value)?),
                "ca" | "cert" | "key" => return Err(bad(&format!("{name}= needs rediss://"))),
                "sentinel_user" if !is_cluster => login.user = Some(value.into_owned()),
                "sentinel_pass" if !is_cluster => login.password = Some(value.into_owned()),
                "protocol" => protocol(&value)?,
                _ => {
                    return Err(bad(
                        "there are ca=, cert= and key=, and with sentinels sentinel_user= and sentinel_pass=",
                    ));
                }
            }
        }
        files.belong_together()?;
        Ok((is_secret.then_some(files), login.complete()?))
    }
}

/// Of `user:password`.
fn who(text: Option<&str>) -> Result<Login, BadOptions> {
    let Some(text) = text else { return Ok(Login::default()) };
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let given = |text: &str| -> Result<_, BadOptions> {
        Ok(Some(decoded(text)?).filter(|text| !text.is_empty()))
    };
    Login { user: given(user)?, password: given(password)?, database: 0 }.complete()
}
