//! Mails on their way out: each is looked at once more, whether its account still wants it, is given
//! its token, and is tried until the mail server has it or the time for trying is over.
//!
//! A request for a link is put down without a look at the account (`http/accounts`), so that its time
//! tells nothing; what is known of the account counts here, behind the answer. What anybody can cause
//! is counted per account and hour, what the account itself has caused is not.

mod wanted;

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::accounts::user;
use crate::base::clock::{Clock, Timestamp};
use crate::base::language::Language;
use crate::base::log_targets as log;
use crate::mail::queue::{Outcome, Queue, Waiting};
use crate::mail::{Envelope, Fault, Kind, Mail, TRY};
use crate::metrics;
use crate::settings::Settings;
use crate::store::database::Store;
use crate::tokens::secret::EmailKey;

/// How many mails one instance tries at the same time, so that one that is slow delays no other.
const AT_ONCE: usize = 8;
/// How often somebody looks for mails that are due again or that another instance has left.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how long a mail is taken: longer than a try, whatever two hosts think the time is.
const LEASE: Duration = TRY.saturating_mul(2);
/// The first rest after a try that failed, how much longer each next one is, and the longest.
const FIRST_REST: Duration = Duration::from_secs(10);
const GROWTH: u32 = 3;
const LONGEST_REST: Duration = Duration::from_hours(1);

/// Sends what waits; a clone does the same.
#[derive(Clone)]
pub struct Outgoing {
    store: Store,
    mail: Mail,
    queue: Queue,
    clock: Clock,
    key: EmailKey,
    verification_lasts: Duration,
    reset_lasts: Duration,
    per_hour: u32,
    retry_for: Duration,
}

impl Outgoing {
    /// Tokens last as long as the settings say, from the moment they are sent.
    pub(crate) fn new(
        settings: &Settings,
        store: &Store,
        mail: Mail,
        queue: Queue,
        clock: Clock,
    ) -> Self {
        let accounts = &settings.accounts;
        Self {
            store: store.clone(),
            mail,
            queue,
            clock,
            key: EmailKey::from_secret(&settings.tokens.refresh_secrets().current),
            verification_lasts: accounts.email_token_expires_in,
            reset_lasts: accounts.password_reset_expires_in,
            per_hour: settings.limits.account_mails_per_hour,
            retry_for: accounts.mail_retry_for,
        }
    }

    /// Sends until it is told to stop, and then gives the tries that are going on a while to end.
    /// What is cut short is tried again by whoever is there.
    pub(crate) async fn run(&self, stop: &CancellationToken, grace: Duration) {
        let mut under_way = FuturesUnordered::new();
        while !stop.is_cancelled() {
            match self.take(AT_ONCE - under_way.len()).await {
                Ok(taken) => under_way.extend(taken.into_iter().map(|mail| self.deal_with(mail))),
                Err(cause) => {
                    tracing::warn!(target: log::MAIL, %cause, "waiting mails could not be read");
                }
            }
            tokio::select! {
                Some(()) = under_way.next() => {}
                () = self.queue.added() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
        let rest = async { while under_way.next().await.is_some() {} };
        drop(tokio::time::timeout(grace, rest).await);
    }

    /// Takes so many mails that are due, as far as no other instance is faster.
    async fn take(&self, limit: usize) -> sqlx::Result<Vec<Waiting>> {
        let mut taken = Vec::new();
        let now = self.clock.now();
        for mut mail in self.queue.due(now, u32::try_from(limit).unwrap_or(u32::MAX)).await? {
            if self.queue.lease(&mut mail, now.plus(LEASE)).await? {
                taken.push(mail);
            }
        }
        Ok(taken)
    }

    async fn deal_with(&self, mail: Waiting) {
        // One of a newer instance is left to that.
        let Some(kind) = Kind::of(&mail.kind) else { return };
        let written_down = match self.store.repeat(|| self.wanted(&mail, kind)).await {
            Ok(Some(message)) => {
                let language = self.language(&mail).await;
                let envelope = Envelope {
                    to: &mail.recipient,
                    at: mail.created_at,
                    number: mail.id,
                    language,
                    reference: &mail.reference,
                };
                let tried = self.mail.send(&envelope, &message).await;
                self.write_down(&mail, tried).await
            }
            Ok(None) => self.queue.take_back(&mail).await,
            Err(cause) => {
                tracing::warn!(
                    target: log::MAIL,
                    mail = mail.id,
                    ?cause,
                    "a mail could not be prepared; it will be tried again"
                );
                return;
            }
        };
        if let Err(cause) = written_down {
            tracing::warn!(
                target: log::MAIL,
                mail = mail.id,
                %cause,
                "what became of a mail could not be written down; it may be sent once more"
            );
        }
    }

    /// What the reader of a mail wants to read. A mail in another language is better than none.
    async fn language(&self, mail: &Waiting) -> Language {
        let known = user::language(&self.store, mail.user_id, &mail.recipient);
        self.store.in_time(known).await.ok().flatten().unwrap_or_default()
    }

    async fn write_down(&self, mail: &Waiting, tried: Result<(), Fault>) -> sqlx::Result<()> {
        let now = self.clock.now();
        let Err(cause) = tried else {
            metrics::mail_sent();
            return self.queue.settle(mail, Outcome::Sent, now).await;
        };
        metrics::mail_failed();
        let outcome = match put_off_until(mail, now, self.retry_for) {
            _ if cause.is_final() => Outcome::Refused,
            None => Outcome::TooOld,
            Some(until) => {
                tracing::warn!(
                    target: log::MAIL,
                    mail = mail.id,
                    kind = mail.kind,
                    tries = mail.tries,
                    %cause,
                    "a mail could not be sent; it will be tried again"
                );
                return self.queue.put_off(mail, until).await;
            }
        };
        metrics::mail_given_up(outcome.as_str());
        tracing::error!(
            target: log::MAIL,
            mail = mail.id,
            kind = mail.kind,
            tries = mail.tries,
            %cause,
            reason = outcome.as_str(),
            "a mail could not be sent and was given up; its row in the table mails names the recipient"
        );
        self.queue.settle(mail, outcome, now).await
    }
}

/// When a mail that could not be sent is tried again; none once it was tried until the end.
fn put_off_until(mail: &Waiting, now: Timestamp, retry_for: Duration) -> Option<Timestamp> {
    let end = mail.created_at.plus(retry_for);
    (now < end).then(|| now.plus(rest_after(mail.tries)).min(end))
}

/// How long a mail rests after so many tries.
fn rest_after(tries: u32) -> Duration {
    let grown = GROWTH.saturating_pow(tries.saturating_sub(1));
    FIRST_REST.saturating_mul(grown).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_29_rests_grow_from_seconds_to_an_hour() {
        let rests = [1, 2, 3, 7, 8, 1_000].map(rest_after);
        let expected = [10, 30, 90, 3_600, 3_600, 3_600].map(Duration::from_secs);
        assert_eq!(rests, expected);
    }
}
