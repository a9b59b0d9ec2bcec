//! Further instances of the service in this process, on the stores that one has already.

use std::ops::Deref;

use portcullis_api::App;
use portcullis_api::base::clock::Clock;
use portcullis_api::base::random::Random;
use portcullis_api::settings::Settings;

use crate::client::Client;
use crate::service::{Service, served};

/// An instance beside another.
pub struct Instance {
    /// The instance's own state.
    pub app: App,
    client: Client,
}

impl Deref for Instance {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Service {
    /// Starts instance `number` (2 for the second): the same stores, settings and clock.
    pub async fn another(&self, number: u64, adjust: impl FnOnce(&mut Settings)) -> Instance {
        self.another_with(number, self.clock.clone(), adjust).await
    }

    /// The same on a host with another clock.
    pub async fn another_with(
        &self,
        number: u64,
        clock: Clock,
        adjust: impl FnOnce(&mut Settings),
    ) -> Instance {
        let mut settings = self.app.settings.clone();
        adjust(&mut settings);
        // What is random must not be made a second time, here or by a restart.
        let random = Random::seeded(1_000_000 * number);
        let app = App::new(settings, clock, random).expect("the service starts");
        let client = served(&app).await;
        Instance { app, client }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.app.background.stop.cancel();
    }
}
