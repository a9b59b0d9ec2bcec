//! Who sent a request: the client's own address, its device, and what the answer must carry.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
            user_agent: user_agent.chars().filter(|c| !c.is_control()).take(512).collect(),
            request_id: parts.extensions.get().cloned().unwrap_or_default(),
            allowance: parts.extensions.get().cloned().unwrap_or_default(),
        })
    }
}

fn address_of(app: &App, parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(Ipv4Addr::LOCALHOST.into(), |ConnectInfo(peer)| peer.ip());
    of_client(&app.settings.server.trusted_proxies, peer, &parts.headers)
}

/// The rightmost address in `X-Forwarded-For` that is not a trusted proxy's.
///
/// Each proxy appends whom it heard, so what stands left of the first stranger is that stranger's
/// own word and counts for nothing. An entry that is no address ends the walk as well.
fn of_client(proxies: &List<Network>, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        if !proxies.cover(client) {
            break;
        }
        let Some(before) = address(hop.trim()) else { break };
        client = before;
    }
    client
}

/// An address, with or without port and brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok();
    address
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()))
        .map(|ip| ip.to_canonical())
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
}
