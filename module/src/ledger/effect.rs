//! What has happened to a ledger, as the command that makes it happen again.
//!
//! Replicas, the AOF and its rewrite are told in the same words, and here is where these are
//! spelled. Only absolute times and digests, so that an effect means the same whenever it is
//! replayed. Nothing here decides what happens, or whether it is told.

use core::ffi::CStr;
use std::borrow::Cow;

use portcullis_core::{Digest, Facts, UnixMs};

use crate::server::arg::Arg;
use crate::server::call::Call;
use crate::server::streams::Rewrite;

/// A command about one key.
pub(crate) struct Effect<'a> {
    command: &'static CStr,
    subcommand: Option<&'static CStr>,
    /// What follows the key.
    args: Vec<Cow<'a, [u8]>>,
}

impl<'a> Effect<'a> {
    /// A session is exactly this.
    pub(crate) fn create(session: &Facts<'a>) -> Self {
        let args = vec![
            session.id.into(),
            b"PXAT".into(),
            decimal(session.expires.0),
            b"IDLE".into(),
            decimal(session.idle_s.into()),
            b"CREATED".into(),
            decimal(session.created.0),
            b"SEEN".into(),
            decimal(session.seen.0),
            b"DEVICE".into(),
            session.device.into(),
        ];
        Self::on_sessions(c"CREATE", args)
    }

    /// A session was seen at this instant.
    pub(crate) fn touch(id: &'a [u8], at: UnixMs) -> Self {
        Self::on_sessions(c"TOUCH", vec![id.into(), b"AT".into(), decimal(at.0)])
    }

    /// These sessions are gone; `None` if there are none.
    pub(crate) fn revoke(ids: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let args: Vec<_> = ids.map(Cow::Borrowed).collect();
        (!args.is_empty()).then(|| Self::on_sessions(c"REVOKE", args))
    }

    /// All sessions begun until this instant are gone; without an exception, every token issued
    /// until then is dead as well.
    pub(crate) fn revokeall(until: UnixMs, except: Option<&'a [u8]>) -> Self {
        let mut args = vec![b"AT".into(), decimal(until.0)];
        args.extend(except.into_iter().flat_map(|id| [b"EXCEPT".into(), id.into()]));
        Self::on_sessions(c"REVOKEALL", args)
    }

    /// A token is revoked until this instant.
    pub(crate) fn blacklist(digest: &Digest, expires: UnixMs) -> Self {
        let hex = digest.to_hex().to_vec().into();
        let args = vec![b"DIGEST".into(), hex, b"PXAT".into(), decimal(expires.0)];
        Self { command: c"AUTH.BLACKLIST", subcommand: None, args }
    }

    /// The ledger is gone.
    pub(crate) const fn unlink() -> Self {
        Self { command: c"UNLINK", subcommand: None, args: Vec::new() }
    }

    const fn on_sessions(subcommand: &'static CStr, args: Vec<Cow<'a, [u8]>>) -> Self {
        Self { command: c"AUTH.SESSION", subcommand: Some(subcommand), args }
    }

    /// Tells replicas and the AOF.
    pub(crate) fn replicate(&self, call: &Call<'_>, key: Arg<'_>) {
        let head = self.subcommand.map(CStr::to_bytes).into_iter().chain([key.bytes()]);
        call.replicate(self.command, head.chain(self.args()));
    }

    /// Writes it to an AOF that is rewritten.
    pub(crate) fn emit(&self, to: &Rewrite) {
        to.emit(self.command, self.subcommand, self.args());
    }

    fn args(&self) -> impl Iterator<Item = &[u8]> {
        self.args.iter().map(AsRef::as_ref)
    }
}

fn decimal<'a>(number: u64) -> Cow<'a, [u8]> {
    number.to_string().into_bytes().into()
}
