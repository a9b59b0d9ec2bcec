//! The account, which heads what is exported.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::clock::Timestamp;
use crate::base::role::Role;
use crate::store::database::Store;

#[derive(Serialize, ToSchema)]
#[schema(as = ExportedAccount)]
pub(super) struct Account {
    id: u64,
    email: String,
    first_name: String,
    last_name: String,
    role: Role,
    /// The language of mails.
    locale: Option<String>,
    /// The address that is to take the place of `email`, once both have confirmed it.
    new_email: Option<String>,
    is_active: bool,
    email_verified_at: Option<Timestamp>,
    /// What was issued up to here is dead.
    tokens_valid_after: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Account {
    pub(super) async fn of(store: &Store, user_id: u64) -> sqlx::Result<Option<Self>> {
        sqlx::query_as!(
            Self,
            r#"select id, email, first_name, last_name, role as "role: Role", locale,
                      (select new_email from email_changes where user_id = users.id) as new_email,
                      is_active as "is_active: bool",
                      email_verified_at as "email_verified_at: Timestamp",
                      tokens_valid_after as "tokens_valid_after: Timestamp",
                      created_at as "created_at: Timestamp", updated_at as "updated_at: Timestamp"
                 from users where id = ?"#,
            user_id,
        )
        .fetch_optional(&store.pool)
        .await
    }
}
