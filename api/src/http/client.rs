//! Who sent a request: the client's own address, its device, and what the answer must carry.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::HeaderValue;
use axum::http::request::Parts;

use crate::App;
use crate::base::client::Client;
use crate::base::device::Device;
use crate::settings::{List, Network};

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let text = |name: &str| parts.headers.get(name).map(HeaderValue::as_bytes);
        let user_agent = text("user-agent").map(String::from_utf8_lossy).unwrap_or_default();
        let device_id = text("x-device-id").map(String::from_utf8_lossy);
        Ok(Self {
            ip: address_of(app, parts),
            device: if app.settings.sessions.device_fingerprinting {
                Device::from_user_agent(Some(&user_agent), device_id.as_deref())
            } else {
                Device::unrecorded()
            },
            device_id: device_id.map(Cow::into_owned),
            user_agent: user_agent.chars().filter(|c| !c.is_control()).take(512).collect(),
            request_id: parts.extensions.get().cloned().unwrap_or_default(),
            allowance: parts.extensions.get().cloned().unwrap_or_default(),
        })
    }
}

/// The client's own address.
pub(crate) fn address_of(app: &App, parts: &Parts) -> IpAddr {
    of_client(&app.settings.server.trusted_proxies, peer_of(parts), &parts.headers)
}

fn peer_of(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(Ipv4Addr::LOCALHOST.into(), |ConnectInfo(peer)| peer.ip())
}

/// Whether a proxy of the operator's asks, whose word about the request that it has counts.
pub(crate) fn is_proxied(app: &App, parts: &Parts) -> bool {
    app.settings.server.trusted_proxies.cover(peer_of(parts).to_canonical())
}

/// The rightmost address in `X-Forwarded-For` that is not a trusted proxy's.
///
/// Each proxy appends whom it heard, so what stands left of the first stranger is that stranger's
/// own word and counts for nothing: it is not even looked at, whatever bytes it has. An
/// element that is no address ends the walk where it is; an empty one is none (RFC 9110 §5.6.1).
fn of_client(proxies: &List<Network>, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()) {
        if !proxies.cover(client) {
            break;
        }
        let Some(before) = address(hop) else { break };
        client = before;
    }
    client
}

/// An address, with or without quotes, brackets, port and zone.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    let hop = hop.strip_prefix('"').and_then(|hop| hop.strip_suffix('"')).unwrap_or(hop);
    let (bare, port) = if let Some(hop) = hop.strip_prefix('[') {
        hop.split_once(']')?
    } else if hop.matches(':').count() == 1 {
        hop.split_at(hop.find(':')?)
    } else {
        (hop, "")
    };
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return None;
    }
    let ip = match bare.split_once('%') {
        // A zone says which link of the proxy's that was (RFC 4007), and nothing to anybody else.
        Some((ip, _)) => ip.parse::<Ipv6Addr>().ok()?.into(),
        None => bare.parse::<IpAddr>().ok()?,
    };
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nobody_in_front("203.0.113.7", &["198.51.100.1"], "203.0.113.7")]
    #[case::one_proxy("10.0.0.1", &["203.0.113.7"], "203.0.113.7")]
    #[case::two_proxies("10.0.0.1", &["203.0.113.7, 10.0.0.2"], "203.0.113.7")]
    #[case::what_the_client_wrote_is_left_of_it("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7")]
    #[case::several_lines_are_one_list("10.0.0.1", &["1.1.1.1, 203.0.113.7", "10.0.0.2"], "203.0.113.7")]
    #[case::only_proxies("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3")]
    #[case::nonsense_ends_the_walk("10.0.0.1", &["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2")]
    #[case::no_header("10.0.0.1", &[], "10.0.0.1")]
    #[case::ports_and_brackets("10.0.0.1", &["[2001:db8::1]:443, 10.0.0.2:80"], "2001:db8::1")]
    #[case::an_ipv4_address_in_ipv6_clothes("::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7")]
    fn a_client_is_the_first_stranger_from_the_right(
        #[case] peer: &str,
        #[case] lines: &[&str],
        #[case] expected: &str,
    ) {
        let proxies: List<Network> = "10.0.0.0/8".parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        assert_eq!(of_client(&proxies, peer.parse().unwrap(), &headers).to_string(), expected);
    }

    #[rstest]
    #[case::left_of_the_client(b"\xff\x80, 203.0.113.7", "203.0.113.7")]
    #[case::in_its_element(b"203.0.113.7, \xe9", "10.0.0.1")]
    #[case::between_proxies(b"203.0.113.7, \xe9, 10.0.0.2", "10.0.0.2")]
    #[case::in_a_line_before(b"caf\xc3\xa9\n203.0.113.7", "203.0.113.7")]
    #[case::nothing_at_the_end(b"203.0.113.7,", "203.0.113.7")]
    #[case::nothing_at_the_start(b", 203.0.113.7", "203.0.113.7")]
    #[case::nothing_between(b"203.0.113.7,,10.0.0.2", "203.0.113.7")]
    #[case::space_between(b"203.0.113.7 ,\t , 10.0.0.2\t", "203.0.113.7")]
    #[case::an_empty_line(b"203.0.113.7\n\n10.0.0.2", "203.0.113.7")]
    #[case::nothing_at_all(b",,", "10.0.0.1")]
    fn f_10_what_cannot_be_read_spoils_nothing_right_of_it(
        #[case] lines: &[u8],
        #[case] expected: &str,
    ) {
        let proxies: List<Network> = "10.0.0.0/8".parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines.split(|byte| *byte == b'\n') {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
        }
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(of_client(&proxies, peer, &headers).to_string(), expected);
    }

    #[rstest]
    #[case("203.0.113.7", "203.0.113.7")]
    #[case("203.0.113.7:49152", "203.0.113.7")]
    #[case("203.0.113.7:", "203.0.113.7")]
    #[case("[203.0.113.7]:49152", "203.0.113.7")]
    #[case("2001:DB8::1", "2001:db8::1")]
    #[case("[2001:db8::1]", "2001:db8::1")]
    #[case("[2001:db8::1]:49152", "2001:db8::1")]
    #[case("\"[2001:db8::1]:49152\"", "2001:db8::1")]
    #[case("fe80::1%eth0", "fe80::1")]
    #[case("[fe80::1%eth0]", "fe80::1")]
    #[case("[fe80::1%25eth0]:49152", "fe80::1")]
    #[case("::ffff:203.0.113.7", "203.0.113.7")]
    #[case("[::ffff:203.0.113.7]:49152", "203.0.113.7")]
    fn f_10_an_address_is_read_as_proxies_write_it(#[case] hop: &str, #[case] expected: &str) {
        assert_eq!(address(hop.as_bytes()).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case("unknown")]
    #[case("_hidden")]
    #[case("unix:")]
    #[case("203.0.113.7:http")]
    #[case("203.0.113.7:123456")]
    #[case("203.0.113.7%eth0")]
    #[case("203.0.113.300")]
    #[case("203.0.113.7 10.0.0.2")]
    #[case("[2001:db8::1")]
    #[case("[2001:db8::1]x")]
    #[case("2001:db8::1]")]
    #[case("\"203.0.113.7")]
    fn f_10_what_is_no_address_is_taken_for_none(#[case] hop: &str) {
        assert_eq!(address(hop.as_bytes()), None);
    }
}
