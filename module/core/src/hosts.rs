//! Where servers are: a host and a port, and addresses that name several of them.

use std::net::Ipv6Addr;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host {
    /// A name or an address, without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// What follows `://` in an address with several hosts: `user:password@one:26379,two,three/path`.
///
/// Has no `Debug`, since there may be a password in it.
#[derive(Clone)]
pub struct HostList<'t> {
    /// What stands before the `@`, still percent-encoded.
    pub who: Option<&'t str>,
    /// In the order in which they are written; at least one.
    pub hosts: Vec<Host>,
    /// What follows the first `/`, without one at its end.
    pub path: &'t str,
}

/// Why an address names no hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHostList {
    /// A user or a password is not percent-encoded.
    Raw,
    /// There is a `?` or a `#`.
    Extra,
    /// A host is none, or there is none.
    Host,
}

impl<'t> HostList<'t> {
    /// Reads what follows `://`; hosts without a port have this one.
    ///
    /// # Errors
    ///
    /// Says what is wrong without repeating any of it.
    pub fn parse(rest: &'t str, port: u16) -> Result<Self, NoHostList> {
        if is_cut_short(rest) {
            return Err(NoHostList::Raw);
        }
        if rest.contains(['?', '#']) {
            return Err(NoHostList::Extra);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (who, hosts) = match authority.split_once('@') {
            Some((_, hosts)) if hosts.contains('@') => return Err(NoHostList::Raw),
            Some((who, hosts)) => (Some(who), hosts),
            None => (None, authority),
        };
        let hosts = hosts.split(',').map(|host| Host::parse(host, port).ok_or(NoHostList::Host));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Ok(Self { who, hosts, path: path.strip_suffix('/').unwrap_or(path) })
    }
}

impl Host {
    /// `host`, `host:port` or `[::1]:port`.
    #[must_use]
    pub fn parse(text: &str, port: u16) -> Option<Self> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(text) => {
                let (name, rest) = text.split_once(']')?;
                name.parse::<Ipv6Addr>().ok()?;
                (name, rest)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
            None if rest.is_empty() => port,
            None => return None,
        };
        let is_odd = |letter: char| letter.is_whitespace() || "\\%[]@".contains(letter);
        let name = Some(name).filter(|name| !name.is_empty() && !name.contains(is_odd))?;
        Some(Self { name: name.to_owned(), port })
    }
}

/// Whether a `/`, `?` or `#` in a password would be taken for the end of the host, in what follows `://`.
#[must_use]
pub fn is_cut_short(rest: &str) -> bool {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, after) = rest.split_at(end);
    // What follows a `=` is the value of a parameter, and a socket may have any path.
    let after = after.split('=').next().unwrap_or_default();
    !host.is_empty() && after.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_hosts_is_taken_apart() {
        let text = "u:p%40@a,b:1,[::1]:2/name/3/";
        let Ok(list) = HostList::parse(text, 7) else { return assert_eq!(text, "a list") };
        let hosts: Vec<_> = list.hosts.iter().map(|it| (&*it.name, it.port)).collect();
        assert_eq!(hosts, [("a", 7), ("b", 1), ("::1", 2)]);
        assert_eq!((list.who, list.path), (Some("u:p%40"), "name/3"));
    }

    #[test]
    fn what_names_no_hosts_is_refused() {
        let refused = [
            ("", NoHostList::Host),
            ("a,,b", NoHostList::Host),
            ("a:0", NoHostList::Host),
            ("u:p@x@a", NoHostList::Raw),
            ("u:p/x@a", NoHostList::Raw),
            ("a?x=1", NoHostList::Extra),
        ];
        for (text, why) in refused {
            assert_eq!(HostList::parse(text, 7).err(), Some(why), "{text}");
        }
    }
}
