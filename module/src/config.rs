//! The settings, `portcullis.*`: integers with a default, a unit and bounds.
//!
//! They can be given as arguments at load (`leeway 5`), in the configuration file or with
//! `CONFIG SET` (`portcullis.leeway 5`). Limits hold for commands from clients only, never for
//! replicated commands or what is loaded.
//!
//! May use `server`, and knows nobody who asks.

use core::ffi::{CStr, c_char, c_int, c_longlong, c_void};
use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;

use crate::server::load::LoadArg;
use crate::server::{abilities, ffi, life};

const YEARS_10_S: i64 = 315_360_000;
const DAYS_400_S: i64 = 34_560_000;

/// One setting.
pub(crate) struct Setting {
    name: &'static CStr,
    min: i64,
    max: i64,
    /// At first the default, or what was given at load.
    value: AtomicI64,
}

/// Seconds that a revocation outlives the `exp` it was taken from, for clocks that disagree.
static LEEWAY: Setting = Setting::new(c"leeway", 60, 0, 86_400);
/// Seconds: nothing a client asks for may live longer.
static MAX_TTL: Setting = Setting::new(c"max-ttl", DAYS_400_S, 1, YEARS_10_S);
/// Seconds that a logout-all is remembered. Longer than any token lives, or it is forgotten early.
static WATERMARK_TTL: Setting = Setting::new(c"watermark-ttl", DAYS_400_S, 1, YEARS_10_S);
/// Live sessions of one subject.
static MAX_SESSIONS: Setting = Setting::new(c"max-sessions", 1000, 1, 10_000);
/// Bytes of `DEVICE`.
static MAX_DEVICE_BYTES: Setting = Setting::new(c"max-device-bytes", 4096, 0, 65_536);
/// Bytes of a session id.
static MAX_ID_BYTES: Setting = Setting::new(c"max-id-bytes", 128, 1, 1024);

/// Whether `AUTH.CHECK` refuses to answer until `AUTH.CONFIRM` (0 or 1; `yes` or `no`).
static REQUIRE_CONFIRM: Setting = Setting::new(c"require-confirm", 0, 0, 1);

/// Whether a client's `AUTH.SESSION CREATE` must carry `FENCE` (0 or 1; `yes` or `no`).
static REQUIRE_FENCE: Setting = Setting::new(c"require-fence", 0, 0, 1);
/// Endings that are remembered at most; 40 bytes or less each.
static FENCE_ENDINGS: Setting = Setting::new(c"fence-endings", 1_000_000, 1_000, 100_000_000);

static ALL: [&Setting; 9] = [
    &REQUIRE_CONFIRM,
    &REQUIRE_FENCE,
    &FENCE_ENDINGS,
    &LEEWAY,
    &MAX_TTL,
    &WATERMARK_TTL,
    &MAX_SESSIONS,
    &MAX_DEVICE_BYTES,
    &MAX_ID_BYTES,
];

#[inline]
pub(crate) fn requires_confirm() -> bool {
    REQUIRE_CONFIRM.value.load(Ordering::Relaxed) != 0
}

pub(crate) fn requires_fence() -> bool {
    REQUIRE_FENCE.value.load(Ordering::Relaxed) != 0
}

pub(crate) fn fence_endings() -> usize {
    usize::try_from(FENCE_ENDINGS.count()).unwrap_or(usize::MAX)
}

pub(crate) fn leeway() -> Duration {
    Duration::from_secs(LEEWAY.count())
}

pub(crate) fn max_ttl() -> Duration {
    Duration::from_secs(MAX_TTL.count())
}

pub(crate) fn watermark_ttl() -> Duration {
    Duration::from_secs(WATERMARK_TTL.count())
}

pub(crate) fn max_sessions() -> usize {
    usize::try_from(MAX_SESSIONS.count()).unwrap_or(usize::MAX)
}

pub(crate) fn max_device_bytes() -> usize {
    usize::try_from(MAX_DEVICE_BYTES.count()).unwrap_or(usize::MAX)
}

pub(crate) fn max_id_bytes() -> usize {
    usize::try_from(MAX_ID_BYTES.count()).unwrap_or(usize::MAX)
}

/// Registers every setting; `args` are the name-value pairs given at load.
pub(crate) fn register(ctx: ffi::Ctx, args: &[LoadArg]) -> Result<(), String> {
    for (name, value) in args {
        let shown = String::from_utf8_lossy(name);
        let known = ALL.iter().find(|setting| setting.name.to_bytes().eq_ignore_ascii_case(name));
        let setting = known
            .ok_or_else(|| format!("unknown argument '{shown}'; the settings are {}", names()))?;
        let value = setting
            .parse(value)
            .ok_or_else(|| format!("argument '{shown}' takes {}", setting.domain()))?;
        setting.value.store(value, Ordering::Relaxed);
    }
    for setting in ALL {
        setting.register(ctx)?;
    }
    // SAFETY: `ctx` is that of the load.
    let status = unsafe { ffi::load_configs(ctx) };
    abilities::need_confirmation(requires_confirm());
    (status == ffi::OK).then_some(()).ok_or_else(|| {
        "the server refused a portcullis.* setting; the line above says which".to_owned()
    })
}

fn names() -> String {
    ALL.map(|setting| setting.name.to_string_lossy()).join(", ")
}

impl Setting {
    const fn new(name: &'static CStr, default: i64, min: i64, max: i64) -> Self {
        Self { name, min, max, value: AtomicI64::new(default) }
    }

    fn count(&self) -> u64 {
        u64::try_from(self.value.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Reads a value as given at load.
    fn parse(&self, value: &[u8]) -> Option<i64> {
        let value = core::str::from_utf8(value).ok()?;
        match value {
            "yes" if self.is_switch() => Some(1),
            "no" if self.is_switch() => Some(0),
            _ => value.parse().ok().filter(|value| (self.min..=self.max).contains(value)),
        }
    }

    /// What it takes, in words.
    fn domain(&self) -> String {
        if self.is_switch() {
            "yes or no".to_owned()
        } else {
            format!("an integer, from {} to {}", self.min, self.max)
        }
    }

    fn is_switch(&self) -> bool {
        core::ptr::eq(self, &raw const REQUIRE_CONFIRM)
            || core::ptr::eq(self, &raw const REQUIRE_FENCE)
    }

    fn register(&'static self, ctx: ffi::Ctx) -> Result<(), String> {
        let given = self.value.load(Ordering::Relaxed);
        let data = core::ptr::from_ref(self).cast_mut().cast::<c_void>();
        let name = self.name.as_ptr();
        let status = if self.is_switch() {
            let (get, set) = (Some(get_switch as _), Some(set_switch as _));
            // SAFETY: `self` is static, so `data` stays good; the callbacks only share it.
            unsafe {
                ffi::register_switch(ctx, name, c_int::from(given != 0), 0, get, set, None, data)
            }
        } else {
            let (min, max, get, set) = (self.min, self.max, Some(get as _), Some(set as _));
            // SAFETY: as above.
            unsafe { ffi::register_number(ctx, name, given, 0, min, max, get, set, None, data) }
        };
        (status == ffi::OK)
            .then_some(())
            .ok_or_else(|| format!("the server refused the setting {:?}", self.name))
    }
}

unsafe extern "C" fn get(_name: *const c_char, data: *mut c_void) -> c_longlong {
    // SAFETY: what `register` gave: a static.
    unsafe { &*data.cast::<Setting>() }.value.load(Ordering::Relaxed)
}

unsafe extern "C" fn set(
    _name: *const c_char,
    value: c_longlong,
    data: *mut c_void,
    _error: *mut ffi::Str,
) -> c_int {
    // SAFETY: what `register` gave: a static. Redis has checked the bounds.
    unsafe { &*data.cast::<Setting>() }.value.store(value, Ordering::Relaxed);
    ffi::OK
}

unsafe extern "C" fn get_switch(_name: *const c_char, data: *mut c_void) -> c_int {
    // SAFETY: what `register` gave: a static.
    c_int::from(unsafe { &*data.cast::<Setting>() }.value.load(Ordering::Relaxed) != 0)
}

unsafe extern "C" fn set_switch(
    _name: *const c_char,
    value: c_int,
    data: *mut c_void,
    _error: *mut ffi::Str,
) -> c_int {
    // SAFETY: what `register` gave: a static.
    let setting = unsafe { &*data.cast::<Setting>() };
    let before = setting.value.swap(value.into(), Ordering::Relaxed);
    if before != i64::from(value) && core::ptr::eq(setting, &raw const REQUIRE_CONFIRM) {
        // What was answered by the other rule is not to be kept.
        life::rise();
        abilities::need_confirmation(value != 0);
    }
    ffi::OK
}
