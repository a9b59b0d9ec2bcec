//! What every handler shares, built from the ground up: each part is given clones of what it needs, and
//! nothing that the app holds knows the app.
//!
//! May use all rooms below it. Knows neither HTTP nor jobs.

use std::ops::Deref;
use std::sync::Arc;

use crate::accounts::outgoing::Outgoing;
use crate::accounts::password::Passwords;
use crate::base::background::Background;
use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::ledger::ledgers::{Ledgers, Surroundings};
use crate::limits::Limiter;
use crate::mail::Mail;
use crate::mail::queue::Queue;
use crate::sessions::activity::{self, Activity};
use crate::sessions::bearer::Bearer;
use crate::sessions::fallback::Fallback;
use crate::sessions::gate::Gate;
use crate::sessions::opening::Opening;
use crate::sessions::signed::Signed;
use crate::settings::Settings;
use crate::store::database::Store;
use crate::tokens::access::Keys;
use crate::tokens::csrf::Csrf;
use crate::tokens::derived::RefreshKeys;
use crate::tokens::issue::Issuer;

/// The service's state; a clone is the same service.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of the service.
pub struct Parts {
    /// What the operator decided.
    pub settings: Settings,
    /// The truth.
    pub store: Store,
    /// The fast copy.
    pub ledgers: Ledgers,
    /// Signs and verifies access tokens.
    pub keys: Arc<Keys>,
    /// Begins sessions.
    pub opening: Opening,
    /// Hands out token pairs.
    pub issuer: Issuer,
    /// Checks access tokens.
    pub bearer: Bearer,
    /// Makes refresh tokens.
    pub refresh_keys: Arc<RefreshKeys>,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// Counts requests and failures.
    pub limits: Limiter,
    /// Tells calls that a user meant from those that another site made.
    pub csrf: Csrf,
    /// From where sessions may be used.
    pub gate: Gate,
    /// How mails leave.
    pub mail: Mail,
    /// Mails that wait to be sent.
    pub mails: Queue,
    /// Sends them.
    pub outgoing: Outgoing,
    /// Which sessions were seen lately.
    pub activity: Activity,
    /// What time it is.
    pub clock: Clock,
    /// Where tokens and ids come from.
    pub random: Random,
    /// Work beside the requests.
    pub background: Background,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Builds the service. Neither MySQL nor Redis needs to be there yet.
    pub fn new(settings: Settings, clock: Clock, random: Random) -> anyhow::Result<Self> {
        crate::metrics::start();
        let store = Store::new(&settings.stores)?;
        let background = Background::new(settings.stores.answer_deadline());
        let around = Surroundings {
            store: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            background: background.clone(),
        };
        let uses = activity::uses(&settings.sessions);
        let ledgers = Ledgers::new(&settings.stores, uses, around)?;
        let activity = Activity::new(&ledgers, &settings.sessions);
        let keys = Arc::new(Keys::new(&settings.tokens)?);
        let bearer = Bearer {
            signed: Signed::new(keys.clone(), clock.clone(), ledgers.keeps()),
            ledgers: ledgers.clone(),
            store: store.clone(),
            fallback: Fallback::new(
                settings.stores.db_pool_size,
                store.clone(),
                ledgers.uses.clone(),
            ),
            activity: activity.clone(),
            clock: clock.clone(),
        };
        let passwords = Passwords::new(&settings, random.clone())?;
        let limits = Limiter::new(&settings, ledgers.clone(), clock.clone());
        let (mail, mails) = (Mail::new(&settings)?, Queue::new(&store, &random));
        let secrets = settings.tokens.refresh_secrets();
        let refresh_keys = Arc::new(RefreshKeys::from_secrets(&secrets));
        let uses = ledgers.uses.clone();
        Ok(Self(Arc::new(Parts {
            issuer: Issuer::new(keys.clone(), &settings.tokens, random.clone()),
            keys,
            bearer,
            passwords,
            limits,
            opening: Opening::new(&settings, random.clone(), uses, refresh_keys.clone()),
            refresh_keys,
            outgoing: Outgoing::new(&settings, &store, mail.clone(), mails.clone(), clock.clone()),
            mail,
            mails,
            csrf: Csrf::from_secrets(&secrets),
            gate: Gate::new(&settings.sessions, store.clone(), clock.clone()),
            activity,
            background,
            settings,
            store,
            ledgers,
            clock,
            random,
        })))
    }

    /// Ends the background work and waits for it.
    pub async fn shut_down(&self) {
        self.background.shut_down().await;
        self.store.close().await;
    }
}
