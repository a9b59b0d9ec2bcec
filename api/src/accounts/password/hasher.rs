//! How a password is hashed and compared, and how many at a time.

use std::sync::Arc;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::task::spawn_blocking;
use unicode_normalization::UnicodeNormalization as _;

use super::memory::Memory;
use super::old::Old;
use super::outcome::{Fault, Kind, Outcome, failed};
use super::policy::{self, Weakness};
use super::queue::{Known, Place, Queue};
use super::stored::{Stored, Unusable};
use crate::base::random::Random;
use crate::settings::Settings;
use crate::tokens::secret::Password;

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    decoy: Arc<str>,
    shortest: usize,
    app_name: Arc<str>,
    pub(super) random: Random,
    pub(super) old: Arc<Old>,
    memory: Arc<Memory>,
    queue: Queue,
    /// For whom passwords are hashed, and in whose place.
    known: Known,
    place: Option<Place>,
}

impl Passwords {
    /// Hashes a first one, the decoy, at the cost that all will have.
    pub fn new(settings: &Settings, random: Random) -> Result<Self, Fault> {
        let Settings { accounts, server, .. } = settings;
        let params =
            Params::new(accounts.password_memory_kib, accounts.password_iterations, 1, None);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(failed)?);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let workers = Some(usize::from(accounts.password_workers)).filter(|given| *given > 0);
        let workers = workers.unwrap_or(cores);
        Ok(Self {
            decoy: hash(&argon2, "nobody's password", random.bytes())?.into(),
            queue: Queue::new(workers, accounts.password_queue.into()),
            known: Known::No,
            place: None,
            shortest: accounts.password_min_length.into(),
            app_name: server.app_name.as_str().into(),
            old: Arc::default(),
            memory: Arc::new(Memory::for_hashes(argon2.params())),
            argon2,
            random,
        })
    }

    /// The same with a place in the queue for all that is hashed for somebody; without one they are
    /// refused before anything is done for them.
    pub fn with_place(&self, known: Known) -> Result<Self, Fault> {
        Ok(Self { known, place: Some(self.queue.place(known)?), ..self.clone() })
    }

    /// Whether a new password may be taken; `about` is what the account says of its owner.
    pub fn acceptable(&self, password: &Password, about: &[&str]) -> Result<(), Weakness> {
        policy::judge(password, self.shortest, &[about, &[&self.app_name]].concat())
    }

    /// The same for one that takes the place of another, which has been checked: who changes a password
    /// because somebody knows it must not believe to have done so and still have it.
    pub fn acceptable_after(
        &self,
        current: &Password,
        new: &Password,
        about: &[&str],
    ) -> Result<(), Weakness> {
        if bytes(current.expose()) == bytes(new.expose()) {
            return Err(Weakness::Unchanged);
        }
        self.acceptable(new, about)
    }

    /// Hashes a new password, as a PHC string.
    pub async fn hash(&self, password: Password) -> Result<String, Fault> {
        let (argon2, old, salt) = (self.argon2.clone(), self.old.clone(), self.random.bytes());
        self.run(move || {
            old.count(Kind::Argon2id);
            hash(&argon2, password.expose(), salt)
        })
        .await?
    }

    /// Says whether passwords can be compared with a hash.
    pub fn usable(&self, stored: &str) -> Result<(), Unusable> {
        Stored::read(stored, self.argon2.params()).map(drop)
    }

    /// Compares a password with what is stored; without an account it costs the same, and with a hash
    /// that no password is compared with.
    pub async fn check(&self, stored: Option<&str>, given: Password) -> Result<Outcome, Fault> {
        let stored = stored.filter(|stored| self.usable(stored).is_ok());
        let is_known = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let (params, old) = (self.argon2.params().clone(), self.old.clone());
        let memory = self.memory.clone();
        let outcome = self.run(move || compare(&stored, &given, &params, &old, &memory)).await?;
        let is_known = |said: bool| said && is_known;
        let Outcome { matches, is_outdated, kind } = outcome;
        Ok(Outcome { matches: is_known(matches), is_outdated: is_known(is_outdated), kind })
    }

    /// Waits for a turn and works on a thread of its own. A request that goes away gives its turn
    /// back only when its hash is done, so that leaving early does not make room for more work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let place = self.place.clone().map_or_else(|| self.queue.place(self.known), Ok)?;
        let turn = self.queue.turn(self.known, place).await?;
        let task = spawn_blocking(move || {
            let _held = turn;
            work()
        });
        task.await.map_err(failed)
    }
}

/// The same password typed on another keyboard has the same bytes only once normalised (RFC 8265).
fn bytes(password: &str) -> Vec<u8> {
    password.nfc().collect::<String>().into_bytes()
}

fn hash(argon2: &Argon2<'_>, password: &str, salt: [u8; 16]) -> Result<String, Fault> {
    argon2
        .hash_password_with_salt(&bytes(password), &salt)
        .map(|hash| hash.to_string())
        .map_err(failed)
}

fn compare(stored: &str, given: &Password, live: &Params, old: &Old, memory: &Memory) -> Outcome {
    match Stored::read(stored, live) {
        Ok(Stored::Bcrypt { hash, cost }) => {
            let kind = Kind::Bcrypt { cost };
            old.count(kind);
            // Old hashes were made of the bytes as sent, and of no more than the first 72 of them.
            let matches = bcrypt::verify(given.expose(), hash).unwrap_or(false);
            Outcome { matches, is_outdated: matches, kind }
        }
        Ok(Stored::Argon2(parsed)) => {
            let kind = Kind::Argon2id;
            old.count(kind);
            let matches = memory.verify(&bytes(given.expose()), &parsed);
            let is_current = Params::try_from(&*parsed).is_ok_and(|params| {
                parsed.algorithm == Algorithm::Argon2id.ident()
                    && params.m_cost() >= live.m_cost()
                    && params.t_cost() >= live.t_cost()
            });
            Outcome { matches, is_outdated: matches && !is_current, kind }
        }
        Err(_) => Outcome { matches: false, is_outdated: false, kind: Kind::Argon2id },
    }
}

#[cfg(test)]
mod tests;
