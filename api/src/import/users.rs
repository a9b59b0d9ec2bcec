//! Users of the old system: new ones, and those whose row there is younger than the one here.
//!
//! Until the switch the old system is where accounts are changed, so the younger row wins. A user is
//! the same person only if id and either e-mail address or birth of the account agree; everything
//! else would give somebody another person's account.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use sqlx::MySqlConnection;

use super::ids::Ids;
use super::roles;
use super::rows::{OldUser, instant};
use super::tally::{
    ADDRESS_TAKEN, IMPORTED, THERE, TOO_DEAR, UNVERIFIED, UPDATED, UPDATED_WITHOUT_PASSWORD,
};
use super::work::Import;
use crate::accounts::password::Unusable;
use crate::accounts::user::checked_email;
use crate::base::clock::Timestamp;
use crate::base::email_address::Spellings;
use crate::base::role::Role;
use crate::sessions::ending::{self, Ending, Reason};
use crate::store::transaction::Transaction;

const KIND: &str = "users";
const ROLES: &str = "roles";
/// What fits into the columns of names.
const LONGEST_NAME: usize = 100;

/// The person is here now, or why not.
type Fate = Result<&'static str, &'static str>;

/// A user as they would stand here.
struct Person {
    id: u64,
    email: String,
    /// Or why the stored one cannot be used here.
    hash: Result<String, Unusable>,
    first_name: String,
    last_name: String,
    role: Role,
    is_active: bool,
    verified_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Option<Timestamp>,
}

/// What is here already.
struct Here {
    id: u64,
    email: String,
    password_hash: String,
    role: Role,
    is_active: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Import<'_> {
    /// All users, in batches, each with its sessions.
    pub(super) async fn users(
        &mut self,
        report: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> anyhow::Result<()> {
        let total = self.old.count_users().await?;
        for (why, rows) in self.old.unread_roles().await? {
            self.tally.add(ROLES, why, rows);
        }
        let no_password = self.no_password().await?;
        let (mut after, mut done) = (0, 0);
        loop {
            let batch = self.old.users(after).await?;
            let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
            let ids = Ids { first: first.id, last: last.id };
            (after, done) = (ids.last, done + batch.len() as u64);
            let roles = self.old.roles(ids).await?;
            let mut tx = self.app.store.begin().await?;
            let here = here(&mut tx, ids).await?;
            let deleted = deleted(&mut tx, ids).await?;
            let mut people = HashSet::new();
            for old in batch {
                let id = old.id;
                let roles = roles.get(&id).map_or(&[] as &[_], Vec::as_slice);
                let is_gone = deleted.contains(&id) && !here.contains_key(&id);
                let fate = match self.person(old, roles) {
                    Ok(_) if is_gone => Err("left out: deleted here"),
                    Ok(person) => self.user(&mut tx, here.get(&id), &person, &no_password).await?,
                    Err(why) => Err(why),
                };
                people.extend(fate.is_ok().then_some(id));
                self.tally.count(KIND, fate.unwrap_or_else(|why| why));
            }
            if !self.options.without_sessions {
                self.sessions(&mut tx, ids, &people).await?;
            }
            self.settle(tx).await?;
            report(done, total);
        }
    }

    /// A hash that no password has, for those who never had one or whose hash is of another kind.
    async fn no_password(&self) -> anyhow::Result<String> {
        let random = self.app.random.base64::<32>();
        self.app.passwords.hash(random.into()).await.context("a password could not be hashed")
    }

    fn person(&mut self, old: OldUser, roles: &[String]) -> Result<Person, &'static str> {
        if old.deleted_at.is_some() {
            return Err("left out: deleted");
        }
        let email = checked_email(&old.email.unwrap_or_default())
            .map_err(|_| "left out: no e-mail address that mail could reach")?;
        let created_at = old.created_at.map_or(self.now, instant);
        let was_verified = self.options.verified || old.is_verified.is_some_and(|flag| flag != 0);
        let own = old.role.as_deref().filter(|_| !self.old.has_numbers_for_roles());
        let (role, unknown) = roles::read(own.into_iter().chain(roles.iter().map(String::as_str)));
        for name in unknown {
            self.tally.count(ROLES, format!("not known here, treated as user: {name}"));
        }
        let is_admin = role == Role::Admin || old.is_admin.is_some_and(|flag| flag != 0);
        Ok(Person {
            id: old.id,
            email,
            hash: self.usable(old.hash),
            first_name: name(old.first_name),
            last_name: name(old.last_name),
            role: if is_admin { Role::Admin } else { Role::User },
            is_active: old.is_active != Some(0),
            verified_at: old.verified_at.map(instant).or(was_verified.then_some(created_at)),
            created_at,
            updated_at: old.updated_at.map(instant),
        })
    }

    /// A hash that a login here can check, as it fits into its column.
    fn usable(&self, hash: Option<String>) -> Result<String, Unusable> {
        let hash = hash.filter(|hash| hash.len() <= 255).ok_or(Unusable::Unknown)?;
        self.app.passwords.usable(&hash).map(|()| hash)
    }

    async fn user(
        &mut self,
        tx: &mut Transaction,
        here: Option<&Here>,
        person: &Person,
        no_password: &str,
    ) -> anyhow::Result<Fate> {
        let Some(here) = here else {
            let updated_at = person.updated_at.unwrap_or(self.now);
            let fate = insert(tx, person, no_password, updated_at).await?;
            let needs_proof = self.app.settings.accounts.email_verification_required;
            let lacks_proof = needs_proof && person.verified_at.is_none();
            return Ok(if fate == Ok(IMPORTED) && lacks_proof { Ok(UNVERIFIED) } else { fate });
        };
        let is_same = Spellings::of(&here.email).canonical == person.email;
        if !is_same && here.created_at != person.created_at {
            return Ok(Err("left out: another account here has the id"));
        }
        let Some(updated_at) = person.updated_at.filter(|at| *at > here.updated_at) else {
            // A role in a table of its own may change without its user.
            let is_untouched = person.updated_at == Some(here.updated_at);
            if is_untouched && person.role != here.role {
                set_role(tx, person).await?;
                return Ok(Ok(UPDATED));
            }
            return Ok(Ok(THERE));
        };
        let hash = person.hash.as_ref().unwrap_or(&here.password_hash);
        if !update(tx, person, hash, updated_at).await? {
            return Ok(Err(ADDRESS_TAKEN));
        }
        if !person.is_active && here.is_active {
            self.end_sessions(tx, here.id, Reason::Disabled).await?;
        } else if *hash != here.password_hash {
            self.end_sessions(tx, here.id, Reason::PasswordChange).await?;
        }
        let is_too_dear = person.hash == Err(Unusable::TooDear);
        Ok(Ok(if is_too_dear { UPDATED_WITHOUT_PASSWORD } else { UPDATED }))
    }

    async fn end_sessions(
        &mut self,
        tx: &mut Transaction,
        user_id: u64,
        reason: Reason,
    ) -> sqlx::Result<()> {
        let sessions = ending::not_ended(tx, user_id).await?;
        let ending = Ending { reason, at: self.now, client: &self.operator };
        let ended = ending::end_alone(tx, user_id, &sessions, ending).await?;
        self.has_changed_sessions |= ended.sessions > 0;
        Ok(())
    }
}

async fn here(tx: &mut MySqlConnection, ids: Ids) -> sqlx::Result<HashMap<u64, Here>> {
    let rows = sqlx::query_as!(
        Here,
        r#"select id, email, password_hash, role as "role: Role", is_active as "is_active: bool",
                  created_at as "created_at: Timestamp", updated_at as "updated_at: Timestamp"
             from users where id between ? and ? for update"#,
        ids.first,
        ids.last,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Who was deleted here, by their own wish perhaps, and so does not come back.
async fn deleted(tx: &mut MySqlConnection, ids: Ids) -> sqlx::Result<HashSet<u64>> {
    let deleted = sqlx::query_scalar!(
        r#"select distinct user_id as "user_id!" from audit_events
            where user_id between ? and ? and event = 'user_deleted'"#,
        ids.first,
        ids.last,
    );
    Ok(deleted.fetch_all(tx).await?.into_iter().collect())
}

async fn set_role(tx: &mut MySqlConnection, person: &Person) -> sqlx::Result<()> {
    sqlx::query!("update users set role = ? where id = ?", person.role.as_str(), person.id)
        .execute(tx)
        .await
        .map(drop)
}

async fn insert(
    tx: &mut MySqlConnection,
    person: &Person,
    no_password: &str,
    updated_at: Timestamp,
) -> sqlx::Result<Fate> {
    let inserted = sqlx::query!(
        "insert into users
            (id, email, password_hash, first_name, last_name, role, is_active, email_verified_at,
             created_at, updated_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        person.id,
        person.email,
        person.hash.as_deref().unwrap_or(no_password),
        person.first_name,
        person.last_name,
        person.role.as_str(),
        person.is_active,
        person.verified_at,
        person.created_at,
        updated_at,
    )
    .execute(tx)
    .await;
    match inserted {
        Ok(_) => Ok(Ok(match person.hash {
            Ok(_) => IMPORTED,
            Err(Unusable::Unknown) => "imported, to choose a new password by mail",
            Err(Unusable::TooDear) => TOO_DEAR,
        })),
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => Ok(Err(ADDRESS_TAKEN)),
        Err(cause) => Err(cause),
    }
}

/// False if another account has the e-mail address.
async fn update(
    tx: &mut MySqlConnection,
    person: &Person,
    hash: &str,
    updated_at: Timestamp,
) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        "update users
            set email = ?, password_hash = ?, first_name = ?, last_name = ?, role = ?,
                is_active = ?, email_verified_at = coalesce(?, email_verified_at), updated_at = ?
          where id = ?",
        person.email,
        hash,
        person.first_name,
        person.last_name,
        person.role.as_str(),
        person.is_active,
        person.verified_at,
        updated_at,
        person.id,
    )
    .execute(tx)
    .await;
    match updated {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => Ok(false),
        Err(cause) => Err(cause),
    }
}

fn name(old: Option<String>) -> String {
    let old = old.unwrap_or_default();
    old.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}
