//! Where the keys of a verifier come from.

use std::sync::Arc;

use super::fetch::{self, Fetching};
use super::keys::{BadKey, Key, Ring};
use crate::verifier::Remedy;

/// The keys that there are now.
pub(super) struct Keys {
    ring: Arc<Ring>,
    fetching: Option<Fetching>,
}

impl Keys {
    pub(super) fn fixed(key: Key) -> Self {
        let ring = Ring::default();
        ring.replace(vec![key]);
        Self { ring: Arc::new(ring), fetching: None }
    }

    pub(super) fn fetched(url: &str) -> Result<Self, BadKey> {
        let ring = Arc::new(Ring::default());
        let fetching = fetch::start(url, Arc::clone(&ring))?;
        Ok(Self { ring, fetching: Some(fetching) })
    }

    pub(super) fn present(&self) -> Arc<Vec<Key>> {
        self.ring.keys()
    }

    pub(super) fn version(&self) -> u64 {
        self.ring.version()
    }

    pub(super) fn fetch_anew(&self) -> Option<Remedy<'_>> {
        self.fetching.as_ref().map(|fetching| Box::pin(fetching.anew()) as Remedy<'_>)
    }
}
