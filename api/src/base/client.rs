//! Who asks, as limits, device lists and the audit trail want to know.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::base::allowance::Allowance;
use crate::base::device::Device;

/// Who sent the request and with what.
#[derive(Clone)]
pub struct Client {
    /// The client's own address, proxies looked through.
    pub ip: IpAddr,
    /// `User-Agent`, cut to what its column holds.
    pub user_agent: String,
    /// What the User-Agent says about the device.
    pub device: Device,
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
            request_id: RequestId::default(),
            allowance: Allowance::default(),
        }
    }
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
