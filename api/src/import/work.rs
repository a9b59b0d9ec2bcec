//! What every step of an import needs, and how it keeps what it did.

use super::old::Old;
use super::options::Options;
use super::revoked::Revoked;
use super::tally::Tally;
use crate::app::App;
use crate::base::client::Client;
use crate::base::clock::Timestamp;
use crate::store::transaction::Transaction;

/// An import that is going on.
pub(super) struct Import<'a> {
    pub(super) app: &'a App,
    pub(super) options: &'a Options,
    pub(super) old: Old,
    pub(super) now: Timestamp,
    /// On whose request sessions end.
    pub(super) operator: Client,
    pub(super) revoked: Revoked,
    pub(super) tally: Tally,
    pub(super) has_changed_sessions: bool,
}

impl Import<'_> {
    /// Keeps what was done, unless it was only tried.
    pub(super) async fn settle(&self, tx: Transaction) -> sqlx::Result<()> {
        if self.options.dry_run {
            return Ok(()); // rolled back where it is dropped
        }
        tx.commit().await
    }
}
