//! What every handler shares, and the work that goes on beside the requests.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::MySqlPool;
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::password::Passwords;
use crate::base::clock::Clock;
use crate::base::log;
use crate::base::random::Random;
use crate::http::cookies::Csrf;
use crate::ledger::ledgers::Ledger;
use crate::ledger::outbox;
use crate::ledger::repair::Repairs;
use crate::limits::Limits;
use crate::mail::{Mail, Message};
use crate::sessions::activity::Activity;
use crate::sessions::fallback::Fallback;
use crate::sessions::gate::Gate;
use crate::settings::Settings;
use crate::store::database;
use crate::tokens::access::Keys;
use crate::tokens::secret::RefreshKey;

/// The service's state; a clone is the same service.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of the service.
pub struct Parts {
    /// What the operator decided.
    pub settings: Settings,
    /// The truth.
    pub db: MySqlPool,
    /// The fast copy.
    pub ledger: Ledger,
    /// Signs and verifies access tokens.
    pub keys: Keys,
    /// Derives refresh tokens from their predecessors.
    pub refresh_key: RefreshKey,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// Counts requests and failures.
    pub limits: Limits,
    /// Tells calls that a user meant from those that another site made.
    pub csrf: Csrf,
    /// From where sessions may be used.
    pub gate: Gate,
    /// Sends mail.
    pub mail: Mail,
    /// Which sessions were seen lately.
    pub activity: Activity,
    /// What time it is.
    pub clock: Clock,
    /// Where tokens and ids come from.
    pub random: Random,
    /// Lets some Bearer checks at a time ask MySQL while Redis is of no help.
    pub fallback: Fallback,
    /// Delivers what could not be delivered at once.
    pub(crate) worker: outbox::Worker,
    /// Up to which row of the outbox nothing is missing.
    pub(crate) positions: outbox::Positions,
    /// Which ledgers were put back lately, because Redis had lost them.
    pub repairs: Repairs,
    /// Says when Redis has been looked at for the first time.
    pub looked: SetOnce<()>,
    /// Work that an answer does not wait for, such as mail to an address that may not exist.
    pub background: TaskTracker,
    /// Tells all background work to end.
    pub stop: CancellationToken,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Beyond the deadlines of both stores, what an answer may take.
const OWN_TIME: Duration = Duration::from_millis(500);

impl App {
    /// Builds the service. Neither MySQL nor Redis needs to be there yet.
    pub fn new(settings: Settings, clock: Clock, random: Random) -> anyhow::Result<Self> {
        crate::metrics::start();
        let db = database::pool(&settings.stores)?;
        let ledger = Ledger::new(&settings.stores).context("REDIS_URL is not a Redis address")?;
        let sessions = &settings.sessions;
        let activity =
            Activity::new(sessions.session_touch_interval, sessions.session_idle_timeout);
        Ok(Self(Arc::new(Parts {
            keys: Keys::new(&settings.tokens)?,
            refresh_key: RefreshKey::from_secret(&settings.tokens.refresh_secret()),
            passwords: Passwords::new(&settings, random.clone())?,
            limits: Limits::new(&settings, clock.clone())?,
            mail: Mail::new(&settings, clock.clone())?,
            csrf: Csrf::new(&settings),
            gate: Gate::new(&settings.sessions),
            activity,
            fallback: Fallback::new(settings.stores.db_pool_size),
            worker: outbox::Worker::default(),
            positions: outbox::Positions::default(),
            repairs: Repairs::default(),
            looked: SetOnce::new(),
            background: TaskTracker::new(),
            stop: CancellationToken::new(),
            settings,
            db,
            ledger,
            clock,
            random,
        })))
    }

    /// Starts the work that goes on beside the requests, and waits a moment for a first look at
    /// Redis, so that a service whose Redis is well never starts with answers from MySQL.
    pub async fn start_background(&self) {
        self.background.spawn(crate::ledger::watch::run(self.clone()));
        self.background.spawn(crate::ledger::outbox::run(self.clone()));
        self.background.spawn(crate::sessions::activity::run(self.clone()));
        self.background.spawn(crate::store::cleanup::run(self.clone()));
        self.background.spawn(crate::keys::run(self.clone()));
        self.background.spawn(crate::accounts::password::run(self.clone()));
        self.background.spawn(crate::metrics::run(self.clone()));
        drop(tokio::time::timeout(self.deadline(), self.looked.wait()).await);
    }

    /// Sends a mail that the answer does not wait for, so that its time tells nothing.
    pub(crate) fn send_later(&self, email: String, message: Message) {
        let app = self.clone();
        self.background.spawn(async move {
            if let Err(cause) = app.mail.send(&email, message).await {
                tracing::error!(target: log::STATE, %cause, "a mail could not be sent");
            }
        });
    }

    /// Does what an answer does not wait for, and gives it up when an answer would be late.
    pub(crate) fn do_later(&self, work: impl Future<Output = ()> + Send + 'static) {
        let limit = self.deadline();
        self.background.spawn(async move {
            if tokio::time::timeout(limit, work).await.is_err() {
                tracing::error!(
                    target: log::STATE,
                    "work behind an answer was given up: it took too long"
                );
            }
        });
    }

    /// Ends the background work and waits for it.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.background.close();
        self.background.wait().await;
        self.db.close().await;
    }

    /// How long an answer may take: what both stores may take, and a little.
    pub(crate) fn deadline(&self) -> Duration {
        self.stores_deadline() + OWN_TIME
    }

    /// How long both stores may take, one after the other.
    pub(crate) fn stores_deadline(&self) -> Duration {
        self.settings.stores.redis_deadline + self.settings.stores.db_deadline
    }
}
