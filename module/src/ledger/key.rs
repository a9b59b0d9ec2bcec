//! A ledger opened by a command, to be asked or to be changed.
//!
//! Every SAFETY note here rests on one fact: a key of the type `authledgr` holds a pointer that
//! `data_type` got from `Box::into_raw`, and nobody else has it while the key is open.

use core::ffi::CStr;

use portcullis_core::{Ledger, UnixMs};

use crate::ledger::data_type;
use crate::ledger::effect::Effect;
use crate::server::arg::Arg;
use crate::server::call::Call;
use crate::server::clock::present_at;
use crate::server::ffi;
use crate::server::open_key::OpenKey;
use crate::{config, counters};

/// The key holds something else.
pub(crate) struct WrongType;

/// A ledger opened to be asked.
pub(crate) struct ReadLedger {
    ledger: *const Ledger,
    /// Closed with this value, after the last use of `ledger`.
    key: OpenKey,
}

impl ReadLedger {
    /// Opens the ledger of a key; `None` if there is no such key.
    #[inline]
    pub(crate) fn open(call: &Call<'_>, name: Arg<'_>) -> Result<Option<Self>, WrongType> {
        let Some(key) = call.open_to_read(name) else { return Ok(None) };
        if !data_type::is_in(&key) {
            return Err(WrongType);
        }
        // SAFETY: the key is open.
        let ledger = unsafe { ffi::value(key.0) }.cast::<Ledger>();
        Ok(Some(Self { ledger, key }))
    }

    /// The instant from which there is no such key any more, whoever has set that.
    pub(crate) fn gone(&self) -> UnixMs {
        self.key.expires()
    }
}

impl core::ops::Deref for ReadLedger {
    type Target = Ledger;

    #[inline]
    fn deref(&self) -> &Ledger {
        // SAFETY: of our type, as `open` checked, so it came from `Box::into_raw`; nobody writes
        // while the key is open for reading.
        unsafe { &*self.ledger }
    }
}

/// A ledger opened to be changed; a missing one is an empty one until it is settled.
pub(crate) struct WriteLedger<'a> {
    call: &'a Call<'a>,
    name: Arg<'a>,
    key: OpenKey,
    /// Not yet stored: the key did not exist.
    fresh: Option<Box<Ledger>>,
}

/// What has become of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// It is there and ends when it did before.
    AsLong,
    /// It is there and has another end, or is new.
    OtherEnd,
    /// It was deleted.
    Gone,
    /// It was not there and is not.
    Nothing,
}

impl<'a> WriteLedger<'a> {
    /// Opens the ledger of a key, whether or not it exists.
    pub(crate) fn open(call: &'a Call<'a>, name: Arg<'a>) -> Result<Self, WrongType> {
        let key = call.open_to_write(name);
        let fresh = if key.is_empty() { Some(Box::default()) } else { None };
        if fresh.is_none() && !data_type::is_in(&key) {
            return Err(WrongType);
        }
        Ok(Self { call, name, key, fresh })
    }

    /// Ends a change: sweeps, stores or deletes, and announces `event`. To be called after a
    /// change, and only then.
    pub(crate) fn settle(mut self, event: &CStr, now: UnixMs) {
        let stored = self.store(now);
        self.announce(event, stored);
    }

    /// The same for a change that makes no verdict another one, and none that is kept wrong: only
    /// subscribers hear of it. If the end of the key has moved with it, everybody does.
    pub(crate) fn settle_unseen(mut self, event: &CStr, now: UnixMs) {
        let stored = self.store(now);
        if stored != Stored::AsLong {
            return self.announce(event, stored);
        }
        let Self { call, name, key, .. } = self;
        // Closed first: whoever hears of the event may open the key.
        drop(key);
        call.announce_to_subscribers(event, name);
    }

    fn announce(self, event: &CStr, stored: Stored) {
        let Self { call, name, key, .. } = self;
        // As above.
        drop(key);
        call.announce(event, name);
        if stored == Stored::Gone {
            call.announce_deletion(name);
        }
    }

    /// Stores a new ledger, deletes an empty one, and makes the key live as long as the last thing
    /// in it.
    fn store(&mut self, now: UnixMs) -> Stored {
        let swept = self.sweep_in_step(now);
        let Some(expires) = self.expires(config::watermark_ttl()) else {
            let was_stored = self.fresh.is_none();
            if was_stored {
                self.key.delete();
            }
            if !self.call.is_replay() {
                // A replica may still have expired digests that are swept here.
                Effect::unlink().replicate(self.call, self.name);
            }
            return if was_stored { Stored::Gone } else { Stored::Nothing };
        };
        if let Some(ending) = Effect::revoke(swept.iter().map(AsRef::as_ref)) {
            ending.replicate(self.call, self.name);
        }
        if let Some(fresh) = self.fresh.take() {
            data_type::store(&self.key, fresh);
        }
        if self.key.expire_at(expires) { Stored::OtherEnd } else { Stored::AsLong }
    }

    /// Drops a few entries that are over. Whoever replays goes by what it is told, not by its own
    /// clock, as Redis itself expires nothing while it replays: an entry that had not expired when
    /// this happened has kept the key alive, and what came next may rename or copy it.
    fn sweep_in_step(&mut self, now: UnixMs) -> Vec<Box<[u8]>> {
        if self.call.is_replay() {
            self.sweep_replayed(now);
            return Vec::new();
        }
        let swept = self.sweep(present_at(now));
        counters::SESSIONS_EXPIRED_SEEN.add(swept.len());
        swept
    }
}

impl core::ops::Deref for WriteLedger<'_> {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        if let Some(fresh) = &self.fresh {
            return fresh;
        }
        // SAFETY: the key is open.
        let value = unsafe { ffi::value(self.key.0) };
        // SAFETY: of our type, as `open` checked, so it came from `Box::into_raw`.
        unsafe { &*value.cast::<Ledger>() }
    }
}

impl core::ops::DerefMut for WriteLedger<'_> {
    fn deref_mut(&mut self) -> &mut Ledger {
        if let Some(fresh) = &mut self.fresh {
            return fresh;
        }
        // SAFETY: the key is open.
        let value = unsafe { ffi::value(self.key.0) };
        // SAFETY: of our type, as `open` checked; open for writing, so nobody else has it.
        unsafe { &mut *value.cast::<Ledger>() }
    }
}
