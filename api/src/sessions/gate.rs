//! Whether a session is used from where it began: `SESSION_IP_VALIDATION` and `DEVICE_BINDING`.
//!
//! Both are off unless an operator wants them (C-16, C-17). Where a session began never changes, so
//! each instance reads it from MySQL once and keeps it. Who is refused is refused and nothing else:
//! an owner on the move looks like a thief, and may come home.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use sqlx::types::Json;

use crate::base::client::{Client, network};
use crate::base::clock::{Clock, Timestamp};
use crate::base::device::Device;
use crate::base::error::Result;
use crate::base::session_id::SessionId;
use crate::settings::{AddressGate, DeviceGate, Sessions};
use crate::store::audit::{self, Event, What};
use crate::store::database::Store;

/// How many sessions' beginnings are kept at most.
const MOST: usize = 100_000;

/// The operator's gates, and where sessions began.
pub struct Gate {
    address: AddressGate,
    device: DeviceGate,
    birthplaces: Mutex<HashMap<String, Birthplace>>,
    store: Store,
    clock: Clock,
}

/// Where a session began.
#[derive(Clone)]
struct Birthplace {
    ip: IpAddr,
    fingerprint: String,
    user_agent: Arc<str>,
    /// When the audit trail was last told that it was refused to somebody, and that its device had
    /// changed.
    audited: [Option<Timestamp>; 2],
}

impl Gate {
    /// The gates that the settings ask for.
    pub fn new(settings: &Sessions, store: Store, clock: Clock) -> Self {
        Self {
            address: settings.session_ip_validation,
            device: settings.device_binding,
            birthplaces: Mutex::default(),
            store,
            clock,
        }
    }

    /// Whether there is anything to check.
    pub const fn is_open(&self) -> bool {
        matches!((self.address, self.device), (AddressGate::Off, DeviceGate::Off))
    }

    /// Whether the client may use the session. A session that MySQL does not know may not be used.
    pub(crate) async fn admits(
        &self,
        client: &Client,
        user_id: u64,
        session: &SessionId,
    ) -> Result<bool> {
        if self.is_open() {
            return Ok(true);
        }
        let Some(birthplace) = self.birthplace(session).await? else { return Ok(false) };
        let same_place = self.holds_address(birthplace.ip, client.ip);
        let same_device = self.device == DeviceGate::Off
            || client.is_on_device(&birthplace.fingerprint, &birthplace.user_agent);
        if same_place && same_device {
            return Ok(true);
        }
        let refused = !same_place || self.device == DeviceGate::Enforce;
        let what = if refused { What::Refused } else { What::DeviceChanged };
        let changed = json!({ "address_changed": !same_place, "device_changed": !same_device });
        let event = Event::of(what, user_id).in_session(session.as_str()).with(changed);
        let now = self.clock.now();
        if self.is_news(session, refused, now) {
            let mut db = self.store.pool.acquire().await?;
            audit::record_news(&mut db, client, now, event).await?;
        } else {
            event.log(client);
        }
        Ok(!refused)
    }

    async fn birthplace(&self, session: &SessionId) -> Result<Option<Birthplace>> {
        if let Some(birthplace) = self.birthplaces().get(session.as_str()) {
            return Ok(Some(birthplace.clone()));
        }
        let row = sqlx::query!(
            r#"select ip_address, user_agent, device_info as "device: Json<Device>"
                 from user_sessions where id = ?"#,
            session,
        )
        .fetch_optional(&self.store.pool)
        .await?;
        let birthplace = row.and_then(|row| {
            let ip = row.ip_address.parse().ok()?;
            let (fingerprint, user_agent) = (row.device.0.fingerprint, row.user_agent.into());
            Some(Birthplace { ip, fingerprint, user_agent, audited: [None; 2] })
        });
        if let Some(birthplace) = &birthplace {
            let mut birthplaces = self.birthplaces();
            if birthplaces.len() >= MOST {
                birthplaces.clear();
            }
            birthplaces.insert(session.as_str().to_owned(), birthplace.clone());
        }
        Ok(birthplace)
    }

    fn holds_address(&self, began: IpAddr, now: IpAddr) -> bool {
        match self.address {
            AddressGate::Off => true,
            AddressGate::Exact => began == now,
            AddressGate::Subnet => network(began).contains(&now),
        }
    }

    fn birthplaces(&self) -> MutexGuard<'_, HashMap<String, Birthplace>> {
        self.birthplaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this may be news for the audit trail. It is once an hour, whatever else has changed:
    /// what a client says of itself it can say anew with each request (F-21). Another instance may have
    /// told it, which the trail itself knows.
    fn is_news(&self, session: &SessionId, refused: bool, now: Timestamp) -> bool {
        let mut birthplaces = self.birthplaces();
        let Some(birthplace) = birthplaces.get_mut(session.as_str()) else { return true };
        let [refusal, change] = &mut birthplace.audited;
        let last = if refused { refusal } else { change };
        let news = last.is_none_or(|last| now.since(last) >= audit::NEWS_EVERY);
        if news {
            *last = Some(now);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[tokio::test]
    async fn a_household_is_24_bits_of_ipv4_and_64_of_ipv6() {
        let settings = Settings::for_tests("mysql://unused", "redis://unused");
        let store = Store::new(&settings.stores).unwrap();
        let gate = |address| {
            let sessions = Sessions { session_ip_validation: address, ..settings.sessions.clone() };
            Gate::new(&sessions, store.clone(), Clock::system())
        };
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
