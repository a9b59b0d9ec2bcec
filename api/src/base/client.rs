//! Who asks, as limits, device lists and the audit trail want to know.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::base::allowance::Allowance;
use crate::base::device::{self, Device};

/// Who sent the request and with what.
#[derive(Clone)]
pub struct Client {
    /// The client's own address, proxies looked through.
    pub ip: IpAddr,
    /// `User-Agent`, cut to what its column holds.
    pub user_agent: String,
    /// What the User-Agent says about the device.
    pub device: Device,
    /// What the client calls its device, if it does.
    pub device_id: Option<String>,
    /// The id that the answer and the log line carry.
    pub request_id: RequestId,
    /// What the limits have left for the client.
    pub allowance: Allowance,
}

impl Client {
    /// Somebody at a command line of ours.
    pub fn operator() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            user_agent: String::new(),
            device: Device::unrecorded(),
            device_id: None,
            request_id: RequestId::default(),
            allowance: Allowance::default(),
        }
    }

    /// The fingerprint that this device had before F-27: sessions begun then are known by it.
    pub(crate) fn earlier_fingerprint(&self) -> String {
        device::earlier_fingerprint(&self.user_agent, self.device_id.as_deref())
    }

    /// Whether a session with this fingerprint, begun with this User-Agent, is on this device. Different
    /// clients had one fingerprint before F-27, so by the earlier one alone none is recognised.
    pub(crate) fn is_on_device(&self, fingerprint: &str, user_agent: &str) -> bool {
        let read = |ua| Device::from_user_agent(Some(ua), None).fingerprint;
        fingerprint == self.device.fingerprint
            || (fingerprint == self.earlier_fingerprint()
                && read(user_agent) == read(&self.user_agent))
    }
}

/// The part of an address that a household or an office shares.
pub(crate) fn network(ip: IpAddr) -> IpNet {
    let length = if ip.is_ipv4() { 24 } else { 64 };
    IpNet::new(ip, length).unwrap_or_else(|_| ip.into()).trunc()
}

/// Names one request in its answer, in the log and in the audit trail.
#[derive(Clone)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// An id that is fit for a header.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RequestId {
    /// Where there is no request.
    fn default() -> Self {
        Self::new("-")
    }
}
