//! Accounts from before addresses had a canonical form get it: a step of `portcullis migrate up`.
//!
//! It may be repeated, and merges nothing: an account whose canonical form another account has, or whose
//! address has none, stays as it is, is reported, and can be used as before (`Spellings`).

use std::fmt;

use crate::base::email_address;
use crate::store::database::Store;

/// How many rows are read at a time.
const BATCH: u32 = 1000;

/// What became of addresses in another form.
#[derive(Debug, Default)]
pub struct Report {
    /// How many accounts have the canonical form now.
    pub changed: u64,
    /// Those that were left as they are.
    pub left: Vec<Left>,
}

/// An account whose address was left as it is.
#[derive(Debug)]
pub struct Left {
    /// Whose.
    pub user_id: u64,
    /// As it is stored.
    pub email: String,
    /// Who has its canonical form; nobody: it has none.
    pub taken_by: Option<u64>,
}

/// Brings every address into its canonical form that can be.
pub async fn bring_into_form(store: &Store) -> sqlx::Result<Report> {
    let mut report = Report::default();
    let mut after = 0;
    loop {
        let rows = sqlx::query!(
            "select id, email from users
              where id > ? and (length(email) <> char_length(email) or email <> lower(email))
              order by id limit ?",
            after,
            BATCH,
        )
        .fetch_all(&store.pool)
        .await?;
        let Some(last) = rows.last() else { return Ok(report) };
        after = last.id;
        for row in rows {
            match email_address::canonical(&row.email) {
                Some(form) if form == row.email => {}
                Some(form) => match rename(store, row.id, &row.email, &form).await? {
                    None => report.changed += 1,
                    taken_by => {
                        report.left.push(Left { user_id: row.id, email: row.email, taken_by });
                    }
                },
                None => {
                    report.left.push(Left { user_id: row.id, email: row.email, taken_by: None });
                }
            }
        }
    }
}

/// Whoever has the new address already, in which case nothing is done.
async fn rename(store: &Store, user_id: u64, from: &str, to: &str) -> sqlx::Result<Option<u64>> {
    let rename = || {
        sqlx::query!("update users set email = ? where id = ? and email = ?", to, user_id, from)
            .execute(&store.pool)
    };
    match store.repeat_beside(rename).await {
        Ok(_) => Ok(None),
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => {
            let owner = sqlx::query_scalar!("select id from users where email = ?", to);
            Ok(owner.fetch_optional(&store.pool).await?)
        }
        Err(cause) => Err(cause),
    }
}

impl fmt::Display for Report {
    /// Nothing, if there is nothing to tell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changed > 0 {
            writeln!(f, "{:>9}  e-mail addresses brought into their canonical form", self.changed)?;
        }
        if self.left.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "{:>9}  e-mail addresses left as they are; their owners log in as before:",
            self.left.len(),
        )?;
        for Left { user_id, email, taken_by } in &self.left {
            let email = email.escape_default();
            match taken_by {
                Some(other) => writeln!(
                    f,
                    "           user {user_id}, {email}: the same address as that of user {other}; \
                     keep one of the two accounts and delete the other"
                )?,
                None => writeln!(
                    f,
                    "           user {user_id}, {email}: cannot be mailed; ask its owner for \
                     another address"
                )?,
            }
        }
        Ok(())
    }
}
