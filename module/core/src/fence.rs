//! The fence: what was read before an ending cannot bring back what has ended.
//!
//! A command may reach the server long after its sender has closed the connection or died, because
//! the network delivers what it has taken. An ending that comes late does no harm. A beginning that
//! comes late would bring a session back that was ended meanwhile, for good. So whoever begins one
//! asks for a token *before* reading that the session lives, and gives it back with the beginning:
//!
//! ```text
//! a token is asked for -> the truth is read -> the session is ended -> the beginning arrives
//! ```
//!
//! A beginning is refused if its token is older than [`TOKEN_LIFE_MS`], or if that session was ended
//! here within [`REMEMBERED_MS`], which is much longer. Whatever was read before an ending therefore
//! comes too late one way or the other.
//!
//! Endings are remembered in this memory and not in ledgers, so that they outlive a ledger that is
//! deleted. Time is the server's monotonic clock, so that no step of a clock matters. Where this
//! memory is lost, or ledgers are replaced as a whole, a new *life* begins, and no token of another
//! life is good.

mod memory;
mod token;

use self::memory::Memory;
pub use self::token::FenceToken;
use crate::{Refusal, UnixMs};

/// How old a token may be when it comes back.
pub const TOKEN_LIFE_MS: u64 = 2_000;
/// For how long an ending is remembered at least; twice as long at most.
pub const REMEMBERED_MS: u64 = 20_000;

/// An instant of a clock that only runs forward while the server lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonotonicMs(pub u64);

/// What a server remembers of endings, and which of its lives it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    life: u64,
    overflows: u64,
    memory: Memory,
}

/// A session that is to begin.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// The subject.
    pub key: &'a [u8],
    /// The session.
    pub id: &'a [u8],
    /// When it began; `None` for now.
    pub created: Option<UnixMs>,
}

/// The end of all sessions of a subject that began at or before an instant, except one if so said.
pub struct LogOut<'a> {
    /// The subject's key.
    pub key: &'a [u8],
    /// The session that stays.
    pub except: Option<&'a [u8]>,
    /// The instant.
    pub until: UnixMs,
}

impl Fence {
    /// A server's first life. Both numbers are random, so that no other server has this life and
    /// nobody can choose names that are taken for each other.
    #[must_use]
    pub const fn new(life: u64, secret: u64) -> Self {
        Self { life, overflows: 0, memory: Memory::new(secret) }
    }

    /// Which life this is.
    #[must_use]
    pub const fn life(&self) -> u64 {
        self.life
    }

    /// How many endings are remembered.
    #[must_use]
    pub fn endings(&self) -> usize {
        self.memory.len()
    }

    /// How often there were more endings than may be remembered.
    #[must_use]
    pub const fn overflows(&self) -> u64 {
        self.overflows
    }

    /// A token for whoever is about to read the truth.
    #[must_use]
    pub const fn token(&self, now: MonotonicMs) -> FenceToken {
        FenceToken { life: self.life, asked: now }
    }

    /// Makes every token void. What was remembered is needed no more.
    pub fn begin_life(&mut self) {
        // Steps through all numbers before it comes back to one (Hull and Dobell).
        self.life = self.life.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.memory.forget_all();
    }

    /// Remembers that sessions were ended, known ones or not. Where that makes more than `limit`
    /// endings a new life begins instead: no token of before them is good then either.
    pub fn remember<'a>(
        &mut self,
        key: &[u8],
        ids: impl IntoIterator<Item = &'a [u8]>,
        now: MonotonicMs,
        limit: usize,
    ) {
        self.memory.turn(now);
        for id in ids {
            self.memory.remember(key, id);
        }
        self.stay_within(limit);
    }

    /// Remembers that all of a subject's sessions were ended.
    pub fn remember_all(
        &mut self,
        LogOut { key, except, until }: &LogOut<'_>,
        now: MonotonicMs,
        limit: usize,
    ) {
        self.memory.turn(now);
        self.memory.raise_floor(key, *except, *until);
        self.stay_within(limit);
    }

    /// Whether a session may begin with this token.
    pub fn judge(
        &mut self,
        token: FenceToken,
        beginning: &Beginning<'_>,
        now: MonotonicMs,
    ) -> Result<(), Refusal> {
        let is_young = token.asked <= now && now.0.saturating_sub(token.asked.0) <= TOKEN_LIFE_MS;
        if token.life != self.life || !is_young {
            return Err(Refusal::Stale);
        }
        self.memory.turn(now);
        if self.memory.remembers(beginning.key, beginning.id) {
            return Err(Refusal::Stale);
        }
        match beginning.created {
            Some(created) if self.memory.floor_covers(beginning, created) => Err(Refusal::Ended),
            _ => Ok(()),
        }
    }

    fn stay_within(&mut self, limit: usize) {
        if self.memory.len() > limit {
            self.overflows = self.overflows.saturating_add(1);
            self.begin_life();
        }
    }
}

#[cfg(test)]
mod tests;
