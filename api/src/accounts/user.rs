//! Accounts: the rules for a new one, and how one is inserted, by registration or by an operator.

use anyhow::Context as _;
use serde::Deserialize;
use sqlx::MySqlConnection;
use utoipa::ToSchema;

use crate::accounts::password::{Passwords, Weakness};
use crate::base::clock::Timestamp;
use crate::base::email_address::{self, Spellings};
use crate::base::error::{Error, Result, Violation};
use crate::base::language::Language;
use crate::base::random::Random;
use crate::settings::Settings;
use crate::store::database::Store;
use crate::store::transaction::repeat_within;
use crate::tokens::secret::Password;

/// Body of `/register`.
#[derive(Deserialize, ToSchema)]
#[schema(as = Registration)]
pub struct Newcomer {
    /// The address to log in with.
    #[schema(format = "idn-email", max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// 15 (`PASSWORD_MIN_LENGTH`) to 128 characters; common passwords are refused.
    pub password: Password,
    /// Shown only to the user.
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    pub first_name: String,
    /// Shown only to the user.
    #[schema(min_length = 1, max_length = 100, example = "Lovelace")]
    pub last_name: String,
}

/// What an operator may grant a new account.
#[derive(Clone, Copy)]
pub struct Privileges {
    /// An administrator.
    pub is_admin: bool,
    /// The address needs no proof.
    pub is_verified: bool,
}

impl Newcomer {
    /// The same, tidied up, or every fault at once so that a person can mend them all at once.
    pub fn checked(self, passwords: &Passwords) -> Result<Self> {
        let (first_name, last_name) = (self.first_name.trim(), self.last_name.trim());
        let mut violations = Vec::new();
        let email =
            checked_email(&self.email).map_err(|why| violations.push(why)).unwrap_or_default();
        violations.extend(fault_of_name("first_name", first_name));
        violations.extend(fault_of_name("last_name", last_name));
        let about = [email.as_str(), first_name, last_name];
        violations.extend(fault_of_password("password", &self.password, passwords, &about));
        if !violations.is_empty() {
            return Err(Error::Unacceptable(violations));
        }
        let (first_name, last_name) = (first_name.to_owned(), last_name.to_owned());
        Ok(Self { email, password: self.password, first_name, last_name })
    }
}

/// Creates an account at an operator's word and tells its id.
pub async fn create(
    settings: &Settings,
    store: &Store,
    newcomer: Newcomer,
    privileges: Privileges,
    now: Timestamp,
) -> anyhow::Result<u64> {
    let passwords = Passwords::new(settings, Random::system())?;
    let person = newcomer.checked(&passwords).map_err(|error| match error {
        Error::Unacceptable(faults) => {
            let fault =
                |f: &Violation| format!("{}: {}", f.pointer.trim_matches(['#', '/']), f.detail);
            anyhow::anyhow!(faults.iter().map(fault).collect::<Vec<_>>().join("; "))
        }
        other => told(other),
    })?;
    let hash = passwords.hash(person.password.clone()).await?;
    repeat_within(settings.stores.db_deadline, || {
        insert_with(store, &person, &hash, privileges, now)
    })
    .await
    .map_err(told)?
    .context("an account with this e-mail address already exists")
}

/// For an operator, who may see the cause.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Database(cause) => cause.into(),
        Error::Internal(what) => anyhow::anyhow!(what),
        _ => anyhow::anyhow!("the account could not be created; try again"),
    }
}

async fn insert_with(
    store: &Store,
    person: &Newcomer,
    hash: &str,
    privileges: Privileges,
    now: Timestamp,
) -> Result<Option<u64>> {
    let mut tx = store.begin().await?;
    let Some(id) = insert(&mut tx, person, hash, None, now).await? else { return Ok(None) };
    sqlx::query!(
        "update users set role = ?, email_verified_at = ? where id = ?",
        if privileges.is_admin { "admin" } else { "user" },
        privileges.is_verified.then_some(now),
        id,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// Inserts a row and tells its id; `None` if the address is taken.
pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    person: &Newcomer,
    password_hash: &str,
    language: Option<Language>,
    now: Timestamp,
) -> Result<Option<u64>> {
    let inserted = sqlx::query!(
        "insert into users (email, password_hash, first_name, last_name, locale, created_at, updated_at)
         values (?, ?, ?, ?, ?, ?, ?)",
        person.email,
        password_hash,
        person.first_name,
        person.last_name,
        language.map(Language::as_str),
        now,
        now,
    )
    .execute(tx)
    .await;
    match inserted {
        Ok(done) => Ok(Some(done.last_insert_id())),
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

pub(crate) fn fault_of_name(field: &str, name: &str) -> Option<Violation> {
    let is_plain = !name.chars().any(char::is_control);
    let is_name = is_plain && (1..=100).contains(&name.chars().count());
    (!is_name).then(|| Violation::new(field, "not_a_name", "must be 1 to 100 characters of text"))
}

/// What is wrong with a new password, if anything.
pub(crate) fn fault_of_password(
    field: &str,
    password: &Password,
    passwords: &Passwords,
    about: &[&str],
) -> Option<Violation> {
    passwords.acceptable(password, about).err().map(|weakness| fault_of(field, weakness))
}

/// What is wrong with a value because of this.
pub(crate) fn fault_of(field: &str, weakness: Weakness) -> Violation {
    Violation::new(field, weakness.code(), weakness.to_string())
}

/// The account that somebody means who asks for a link: that with the canonical form of the address,
/// unless one from before there was such a form is stored as it was typed. Only another spelling costs
/// a look, whoever has it, so that the time tells nothing.
pub async fn addressed(store: &Store, given: &str) -> Result<String> {
    let email = checked_email(given).map_err(|why| Error::Unacceptable(vec![why]))?;
    let Spellings { typed, .. } = Spellings::of(given);
    if typed == email {
        return Ok(email);
    }
    let older = sqlx::query_scalar!("select email from users where email = ?", typed);
    Ok(older.fetch_optional(&store.pool).await?.unwrap_or(email))
}

/// What a password of a user is compared with, and what it must not be made of.
pub(crate) struct Credentials {
    pub(crate) email: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) password_hash: String,
}

/// Those of an active user.
pub(crate) async fn credentials(store: &Store, user_id: u64) -> sqlx::Result<Option<Credentials>> {
    sqlx::query_as!(
        Credentials,
        "select email, first_name, last_name, password_hash from users
          where id = ? and is_active",
        user_id,
    )
    .fetch_optional(&store.pool)
    .await
}

/// The language that a user, known by number or else by address, wants mails in; none, if nobody said.
pub(crate) async fn language(
    store: &Store,
    user_id: Option<u64>,
    email: &str,
) -> sqlx::Result<Option<Language>> {
    let locale = match user_id {
        Some(id) => {
            sqlx::query_scalar!("select locale from users where id = ?", id)
                .fetch_optional(&store.pool)
                .await?
        }
        None => {
            sqlx::query_scalar!("select locale from users where email = ?", email)
                .fetch_optional(&store.pool)
                .await?
        }
    };
    Ok(locale.flatten().as_deref().and_then(Language::of))
}

/// The address in its canonical form, if it is one that mail could reach.
pub(crate) fn checked_email(given: &str) -> Result<String, Violation> {
    let canonical = email_address::canonical(given);
    canonical.ok_or_else(|| Violation::new("email", "not_an_email", email_address::FAULT))
}
