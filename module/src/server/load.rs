//! What the server hands over when it loads the module.

use core::ffi::c_int;

use crate::server::arg::Arg;
use crate::server::ffi::Str;

/// A setting's name and value as given at load.
pub(crate) type LoadArg = (Vec<u8>, Vec<u8>);

/// Reads the name-value pairs given at load.
///
/// # Safety
/// The arguments are what Redis gave to the load function.
pub(crate) unsafe fn load_args(first: *mut Str, count: c_int) -> Result<Vec<LoadArg>, String> {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: Redis gives `count` strings at `first`.
    let strings = unsafe { core::slice::from_raw_parts(first.cast_const(), count) };
    let (pairs, []) = strings.as_chunks::<2>() else {
        return Err("arguments come in pairs: the name of a setting and its value".to_owned());
    };
    let read = |[name, value]: &[Str; 2]| {
        (Arg::of(name).bytes().to_vec(), Arg::of(value).bytes().to_vec())
    };
    Ok(pairs.iter().map(read).collect())
}
