//! Revoked tokens of the old system: which of them are revoked here too.
//!
//! The old system keeps the SHA-256 of a whole token, with or without its secret at the end (C-03).
//! For a refresh token without the secret that is our digest too. For a JWT it is not, and it cannot
//! be turned into ours; but no access token of the old system is accepted here.

use portcullis_core::Digest;
use sqlx::MySqlConnection;

use super::rows::{OldRevocation, address, instant};
use super::tally::{IMPORTED, THERE};
use super::work::Import;
use crate::base::session_id::SessionId;
use crate::sessions::ending::Reason;

const KIND: &str = "revocations";

impl Import<'_> {
    /// Both versions of the old system's table are read; a database may have both.
    pub(super) async fn revocations(&mut self) -> anyhow::Result<()> {
        for table in ["token_blacklist", "token_blacklist_enhanced"] {
            if self.old.has(table) {
                self.revocations_in(table).await?;
            }
        }
        Ok(())
    }

    async fn revocations_in(&mut self, table: &str) -> anyhow::Result<()> {
        let mut after = 0;
        loop {
            let rows = self.old.revocations(table, after).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.id;
            let mut tx = self.app.store.begin().await?;
            for row in &rows {
                self.revoked.note(row);
                let fate = self.revocation(&mut tx, row).await?;
                self.tally.count(KIND, fate);
            }
            self.settle(tx).await?;
        }
    }

    async fn revocation(
        &self,
        tx: &mut MySqlConnection,
        row: &OldRevocation,
    ) -> sqlx::Result<&'static str> {
        if !row.is_refresh() {
            return Ok("left out: access tokens of the old system are not accepted here");
        }
        let Some(digest) = Digest::from_hex(row.hash.as_bytes()) else {
            return Ok("left out: not a SHA-256");
        };
        let expires_at = row.expires_at.map(instant).unwrap_or_default();
        if expires_at <= self.now {
            return Ok("left out: expired");
        }
        let session = row.session_id.as_deref().and_then(SessionId::parse);
        let inserted = sqlx::query!(
            "insert ignore into token_blacklist_enhanced
                (token_hash, token_type, token_expiry, blacklisted_at, reason, user_id, session_id,
                 ip_address)
             values (?, 'refresh', ?, ?, ?, ?, ?, ?)",
            digest.as_bytes().as_slice(),
            expires_at,
            row.at.map_or(self.now, instant),
            reason(row.reason.as_deref().unwrap_or_default()).as_str(),
            row.user_id,
            session,
            address(row.ip.as_deref()),
        )
        .execute(tx)
        .await?
        .rows_affected();
        Ok(if inserted == 1 { IMPORTED } else { THERE })
    }
}

/// The old reasons are free text (C-08).
fn reason(text: &str) -> Reason {
    let text = text.to_lowercase();
    let is_all = text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "all");
    match text.as_str() {
        "" | "logout" => Reason::Logout,
        text if text.contains("reset") => Reason::PasswordReset,
        text if text.contains("password") => Reason::PasswordChange,
        _ if is_all => Reason::LogoutAll,
        _ => Reason::Revoked,
    }
}
