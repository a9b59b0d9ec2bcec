//! Whether a session is used from where it began: `SESSION_IP_VALIDATION` and `DEVICE_BINDING`.
//!
//! Both are off unless an operator wants them (C-16, C-17). Where a session began never changes, so
//! each instance reads it from MySQL once and keeps it. Who is refused is refused and nothing else:
//! an owner on the move looks like a thief, and may come home.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use serde_json::json;
use sqlx::types::Json;

use crate::App;
use crate::base::client::Client;
use crate::base::device::Device;
use crate::base::error::Result;
use crate::base::session_id::SessionId;
use crate::settings::{AddressGate, DeviceGate, Sessions};
use crate::store::audit::{self, Event};

/// How many sessions' beginnings are kept at most.
const MOST: usize = 100_000;

/// The operator's gates, and where sessions began.
pub struct Gate {
    address: AddressGate,
    device: DeviceGate,
    origins: Mutex<HashMap<String, Origin>>,
}

/// Where a session began.
#[derive(Clone)]
struct Origin {
    ip: IpAddr,
    fingerprint: String,
    /// From where it was last used wrongly, so that the audit trail hears of it once.
    audited: Option<(IpAddr, String)>,
}

impl Gate {
    /// The gates that the settings ask for.
    pub fn new(settings: &Sessions) -> Self {
        Self {
            address: settings.session_ip_validation,
            device: settings.device_binding,
            origins: Mutex::default(),
        }
    }

    /// Whether there is anything to check.
    pub const fn is_open(&self) -> bool {
        matches!((self.address, self.device), (AddressGate::Off, DeviceGate::Off))
    }

    fn holds_address(&self, began: IpAddr, now: IpAddr) -> bool {
        match self.address {
            AddressGate::Off => true,
            AddressGate::Exact => began == now,
            AddressGate::Subnet => network(began).contains(&now),
        }
    }

    fn origins(&self) -> MutexGuard<'_, HashMap<String, Origin>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is news for the audit trail; it is not news again until something else is.
    fn is_news(&self, session: &SessionId, client: &Client) -> bool {
        let mut origins = self.origins();
        let Some(origin) = origins.get_mut(session.as_str()) else { return true };
        let from = (client.ip, client.device.fingerprint.clone());
        let news = origin.audited.as_ref() != Some(&from);
        origin.audited = Some(from);
        news
    }
}

/// The part of an address that a household or an office shares.
fn network(ip: IpAddr) -> IpNet {
    let length = if ip.is_ipv4() { 24 } else { 64 };
    IpNet::new(ip, length).unwrap_or_else(|_| ip.into()).trunc()
}

/// Whether the client may use the session. A session that MySQL does not know may not be used.
pub(crate) async fn admits(
    app: &App,
    client: &Client,
    user_id: u64,
    session: &SessionId,
) -> Result<bool> {
    let gate = &app.gate;
    if gate.is_open() {
        return Ok(true);
    }
    let Some(origin) = origin(app, session).await? else { return Ok(false) };
    let same_place = gate.holds_address(origin.ip, client.ip);
    let same_device =
        gate.device == DeviceGate::Off || origin.fingerprint == client.device.fingerprint;
    if same_place && same_device {
        return Ok(true);
    }
    let refused = !same_place || gate.device == DeviceGate::Enforce;
    let name = if refused { "authz_fail" } else { "session_device_changed" };
    let changed = json!({ "address_changed": !same_place, "device_changed": !same_device });
    let event = Event::of(name, user_id).in_session(session.as_str()).with(changed);
    if gate.is_news(session, client) {
        audit::record_alone(&app.store.pool, client, app.clock.now(), event).await?;
    } else {
        event.log(client);
    }
    Ok(!refused)
}

async fn origin(app: &App, session: &SessionId) -> Result<Option<Origin>> {
    if let Some(origin) = app.gate.origins().get(session.as_str()) {
        return Ok(Some(origin.clone()));
    }
    let row = sqlx::query!(
        r#"select ip_address, device_info as "device: Json<Device>"
             from user_sessions where id = ?"#,
        session,
    )
    .fetch_optional(&app.store.pool)
    .await?;
    let origin = row.and_then(|row| {
        let ip = row.ip_address.parse().ok()?;
        Some(Origin { ip, fingerprint: row.device.0.fingerprint, audited: None })
    });
    if let Some(origin) = &origin {
        let mut origins = app.gate.origins();
        if origins.len() >= MOST {
            origins.clear();
        }
        origins.insert(session.as_str().to_owned(), origin.clone());
    }
    Ok(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_24_bits_of_ipv4_and_64_of_ipv6() {
        let gate = |address| Gate { address, device: DeviceGate::Off, origins: Mutex::default() };
        let holds = |address, began: &str, now: &str| {
            gate(address).holds_address(began.parse().unwrap(), now.parse().unwrap())
        };
        for (began, near, far) in [
            ("203.0.113.7", "203.0.113.250", "203.0.114.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        ] {
            assert!(holds(AddressGate::Subnet, began, near));
            assert!(!holds(AddressGate::Subnet, began, far));
            assert!(holds(AddressGate::Exact, began, began));
            assert!(!holds(AddressGate::Exact, began, near));
            assert!(holds(AddressGate::Off, began, far));
        }
        assert!(!holds(AddressGate::Subnet, "203.0.113.7", "2001:db8::1"));
    }
}
