//! The data type behind a ledger key, `authledgr`.
//!
//! Redis hands back exactly the pointers it got from `Box::into_raw` here and calls `free` once
//! for each. Every SAFETY note below rests on that, and on the fact that all callbacks but `free`
//! run on the main thread (or in a forked child), so that no two of them see one ledger at once.

use core::ffi::{CStr, c_int, c_ulong, c_void};
use core::mem::ManuallyDrop;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::panic::catch_unwind;

use portcullis_core::encoding::Written;
use portcullis_core::{Ledger, Relocate, encoding};
use redis_module::raw;

use crate::ledger::{aof, digest, endings};
use crate::server::allocator::{learn_sizes, usable};
use crate::server::clock::present;
use crate::server::ffi;
use crate::server::open_key::OpenKey;
use crate::server::streams::{Elements, Rdb, Rewrite};
use crate::server::{all_ledgers, confirmed};
use crate::{config, counters};

/// Nine characters, as Redis wants; they are part of every RDB file and never change.
const NAME: &CStr = c"authledgr";
/// The newest callback used here is one of version 5; older servers read of it what they know.
const METHODS_VERSION: u64 = 5;

/// When to say what is known of all ledgers at once.
#[expect(clippy::cast_possible_truncation, reason = "it is 1")]
const BEFORE_LEDGERS: c_int = raw::REDISMODULE_AUX_BEFORE_RDB as c_int;

/// The registered type.
static TYPE: AtomicPtr<raw::RedisModuleType> = AtomicPtr::new(ptr::null_mut());

/// Registers the type. `false` if the server refuses.
pub(crate) fn register(ctx: ffi::Ctx) -> bool {
    let mut methods = raw::RedisModuleTypeMethods {
        version: METHODS_VERSION,
        rdb_load: Some(rdb_load),
        rdb_save: Some(rdb_save),
        aof_rewrite: Some(aof_rewrite),
        mem_usage: None,
        digest: Some(digest_value),
        free: Some(free),
        aux_load: Some(aux_load),
        aux_save: Some(aux_save),
        aux_save_triggers: BEFORE_LEDGERS,
        free_effort: Some(free_effort),
        unlink: None,
        copy: Some(copy),
        defrag: Some(defrag),
        mem_usage2: Some(mem_usage),
        free_effort2: None,
        unlink2: None,
        copy2: None,
        aux_save2: Some(aux_save_if_any),
    };
    // SAFETY: called while the module loads; Redis copies name and methods.
    let kind =
        unsafe { ffi::create_data_type(ctx, NAME.as_ptr(), encoding::VERSION, &raw mut methods) };
    TYPE.store(kind, Ordering::Relaxed);
    learn_sizes();
    !kind.is_null()
}

/// Whether an open key holds a ledger.
#[inline]
pub(crate) fn is_in(key: &OpenKey) -> bool {
    // SAFETY: the key is open.
    unsafe { ffi::value_type(key.0) == TYPE.load(Ordering::Relaxed) }
}

/// Stores a ledger in a key that is open for writing.
pub(crate) fn store(key: &OpenKey, ledger: Box<Ledger>) {
    let value = Box::into_raw(ledger).cast::<c_void>();
    // SAFETY: the key is open for writing; it owns the value from here on.
    unsafe { ffi::set_value(key.0, TYPE.load(Ordering::Relaxed), value) };
}

/// Runs a callback so that no panic leaves it.
fn guarded<T>(fallback: T, run: impl FnOnce() -> T) -> T {
    catch_unwind(core::panic::AssertUnwindSafe(run)).unwrap_or(fallback)
}

/// # Safety
/// `value` is what `Box::into_raw` gave, and is not written to meanwhile.
unsafe fn borrowed<'a>(value: *const c_void) -> &'a Ledger {
    // SAFETY: the caller vouches for it.
    unsafe { &*value.cast::<Ledger>() }
}

unsafe extern "C" fn free(value: *mut c_void) {
    // SAFETY: from `Box::into_raw`, freed once (see the file's head).
    let ledger = unsafe { Box::from_raw(value.cast::<Ledger>()) };
    guarded((), || drop(ledger));
}

unsafe extern "C" fn rdb_save(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    guarded((), || {
        // SAFETY: ours, and nobody writes during this callback (see the file's head).
        let ledger = unsafe { borrowed(value) };
        encoding::encode(ledger, confirmed::is_confirmed(), |block| Rdb(io).save(block));
    });
}

unsafe extern "C" fn rdb_load(io: *mut raw::RedisModuleIO, version: c_int) -> *mut c_void {
    guarded(ptr::null_mut(), || {
        let rdb = Rdb(io);
        match encoding::decode(version, || rdb.load()) {
            Ok(Written { ledger, confirmed }) => {
                if !confirmed {
                    doubt(rdb);
                }
                Box::into_raw(Box::new(ledger)).cast()
            }
            Err(damage) => refuse(rdb, &damage.to_string()),
        }
    })
}

/// A ledger has come from a server for which nobody vouched, so it may say less than the truth. Nor
/// does anybody vouch for this server any more, and whoever is bringing it up to date just now has to
/// begin anew.
fn doubt(rdb: Rdb) {
    if !confirmed::is_confirmed() && !config::requires_confirm() {
        return;
    }
    counters::LEDGERS_UNCONFIRMED.add(1);
    if confirmed::is_confirmed() {
        rdb.warn(
            "a ledger has come from a server that nobody had confirmed, so this server is not \
             confirmed any more: bring its ledgers up to date and call AUTH.CONFIRM",
        );
    }
    confirmed::void();
    all_ledgers::doubt_mark();
    endings::begin_life();
}

fn refuse(rdb: Rdb, why: &str) -> *mut c_void {
    rdb.warn(&format!("a ledger cannot be read: {why}"));
    ptr::null_mut()
}

/// Redis 7.0 writes that this module has something to say before it asks what, so it says something.
unsafe extern "C" fn aux_save(io: *mut raw::RedisModuleIO, _when: c_int) {
    guarded((), || Rdb(io).save(&encoding::encode_all(&all_ledgers::known())));
}

/// Later servers write nothing where nothing is said, so that a server without this module can read
/// the file.
unsafe extern "C" fn aux_save_if_any(io: *mut raw::RedisModuleIO, _when: c_int) {
    guarded((), || {
        let all = all_ledgers::known();
        if !all.is_empty() {
            Rdb(io).save(&encoding::encode_all(&all));
        }
    });
}

unsafe extern "C" fn aux_load(io: *mut raw::RedisModuleIO, _version: c_int, _when: c_int) -> c_int {
    guarded(ffi::ERR, || {
        let rdb = Rdb(io);
        let Some(block) = rdb.load() else { return ffi::ERR };
        match encoding::decode_all(block.as_ref()) {
            Ok(all) => {
                all_ledgers::load(all);
                ffi::OK
            }
            Err(damage) => {
                rdb.warn(&format!(
                    "the mark and the watermark of everybody cannot be read: {damage}"
                ));
                ffi::ERR
            }
        }
    })
}

unsafe extern "C" fn aof_rewrite(io: *mut raw::RedisModuleIO, key: ffi::Str, value: *mut c_void) {
    guarded((), || {
        // SAFETY: ours, and nobody writes during this callback (see the file's head).
        let ledger = unsafe { borrowed(value) };
        aof::rewrite(ledger, &Rewrite { io, key });
    });
}

/// What is alive now, so that primary and replica agree whenever each of them last swept.
unsafe extern "C" fn digest_value(elements: *mut raw::RedisModuleDigest, value: *mut c_void) {
    guarded((), || {
        // SAFETY: ours, and nobody writes during this callback (see the file's head).
        let ledger = unsafe { borrowed(value) };
        digest::of_live(ledger, present(), &Elements(elements));
    });
}

unsafe extern "C" fn free_effort(_key: ffi::Str, value: *const c_void) -> usize {
    // SAFETY: ours, and nobody writes during this callback (see the file's head).
    let ledger = unsafe { borrowed(value) };
    guarded(1, || ledger.allocations())
}

unsafe extern "C" fn mem_usage(
    _ctx: *mut raw::RedisModuleKeyOptCtx,
    value: *const c_void,
    _samples: usize,
) -> usize {
    guarded(0, || {
        let own = KEY_OVERHEAD.map(usable).into_iter().sum::<usize>();
        let own = own.saturating_add(usable(size_of::<Ledger>()));
        // SAFETY: ours, and nobody writes during this callback (see the file's head).
        let ledger = unsafe { borrowed(value) };
        own.saturating_add(ledger.allocated(usable))
    })
}

/// What Redis keeps for a ledger's key and does not count itself: an object, a module value, and an
/// entry in the table of expiries, which every ledger has.
const KEY_OVERHEAD: [usize; 3] = [16, 16, 24];

unsafe extern "C" fn copy(_from: ffi::Str, _to: ffi::Str, value: *const c_void) -> *mut c_void {
    // SAFETY: ours, and nobody writes during this callback (see the file's head).
    let ledger = unsafe { borrowed(value) };
    guarded(ptr::null_mut(), || Box::into_raw(Box::new(ledger.clone())).cast())
}

unsafe extern "C" fn defrag(
    ctx: *mut raw::RedisModuleDefragCtx,
    _key: ffi::Str,
    value: *mut *mut c_void,
) -> c_int {
    guarded(0, || {
        let mut from: c_ulong = 0;
        // SAFETY: `ctx` is good during this callback; without a cursor `from` stays 0.
        unsafe { ffi::defrag_cursor(ctx, &raw mut from) };
        // SAFETY: Redis gives the place where it keeps our pointer.
        let slot = unsafe { &mut *value };
        if from == 0 {
            // SAFETY: from `Box::into_raw`; Redis moves the allocation and tells where to.
            let moved = unsafe { ffi::defrag_alloc(ctx, *slot) };
            *slot = if moved.is_null() { *slot } else { moved };
        }
        // SAFETY: from `Box::into_raw`, moved or not; nobody else has it meanwhile.
        let ledger = unsafe { &mut *slot.cast::<Ledger>() };
        let from = usize::try_from(from).unwrap_or(0);
        match ledger.relocate(from, &mut Defragmentation(ctx)) {
            Some(next) => {
                // SAFETY: `ctx` is good during this callback.
                unsafe { ffi::set_defrag_cursor(ctx, next.try_into().unwrap_or(0)) };
                1
            }
            None => 0,
        }
    })
}

struct Defragmentation(*mut raw::RedisModuleDefragCtx);

impl Relocate for Defragmentation {
    fn buffer<T>(&mut self, buffer: &mut Vec<T>) {
        if buffer.capacity() == 0 || size_of::<T>() == 0 {
            return;
        }
        let mut taken = ManuallyDrop::new(core::mem::take(buffer));
        let (bytes, length, capacity) = (taken.as_mut_ptr(), taken.len(), taken.capacity());
        // SAFETY: allocated by `RedisAlloc`, that is by the server; Redis moves the contents.
        let moved = unsafe { ffi::defrag_alloc(self.0, bytes.cast()) }.cast::<T>();
        let bytes = if moved.is_null() { bytes } else { moved };
        // SAFETY: the same allocation or its copy, with the same length and capacity; the old
        // vector is never dropped.
        *buffer = unsafe { Vec::from_raw_parts(bytes, length, capacity) };
    }

    fn enough(&mut self) -> bool {
        // SAFETY: `ctx` is good during the callback that made this.
        unsafe { ffi::defrag_enough(self.0) != 0 }
    }
}
