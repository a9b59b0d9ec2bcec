//! How a command names a token: as it is, or as `DIGEST` and 64 hex digits.

use portcullis_core::{Digest, TokenRef};

use crate::server::arg::Arg;
use crate::server::call::Call;

/// Reads the token at argument 2, and the options behind it; `None` if there is no token.
///
/// Only exactly 64 hex digits after it make `DIGEST` a keyword, so that a token that is literally
/// `DIGEST` is still a token.
#[inline]
pub(crate) fn parse<'a>(
    call: &Call<'a>,
) -> Option<(TokenRef<'a>, impl Iterator<Item = Arg<'a>> + use<'a>)> {
    let token = call.arg(2)?.bytes();
    if token.eq_ignore_ascii_case(b"DIGEST")
        && let Some(digest) = call.arg(3).and_then(|hex| Digest::from_hex(hex.bytes()))
    {
        return Some((TokenRef::Digest(digest), call.args_from(4)));
    }
    Some((TokenRef::Token(token), call.args_from(3)))
}
