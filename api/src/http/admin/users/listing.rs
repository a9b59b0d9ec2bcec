//! `GET /admin/users`: all of them, the one with an address, or those with a part of one.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::base::clock::Timestamp;
use crate::base::email_address::Spellings;
use crate::base::error::{Error, Result};
use crate::base::role::Role;
use crate::http::answer::Success;
use crate::http::caller::Admin;
use crate::http::paging;

/// Which users to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only the user with this address, however it is spelled.
    email: Option<String>,
    /// Only users with this in their address.
    search: Option<String>,
    /// Users per page (1 to 200, default 50).
    limit: Option<u32>,
    /// `next` from the previous page.
    after: Option<u64>,
}

/// One page of users, by id.
#[derive(Serialize, ToSchema)]
#[schema(as = UserPage)]
pub struct Users {
    users: Vec<User>,
    /// Pass this as `after` to get the next page; null on the last page.
    next: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct User {
    id: u64,
    email: String,
    first_name: String,
    last_name: String,
    role: Role,
    is_active: bool,
    email_verified_at: Option<Timestamp>,
    created_at: Timestamp,
}

/// `GET /admin/users`, all or the one with an address.
#[utoipa::path(
    get, path = "/users", tag = "Administration",
    summary = "Lists users by id",
    params(Filter),
    security(("bearer" = [])),
    responses((status = 200, description = "One page of users", body = Success<Users>)),
    extensions(("x-problems" = json!("forbidden malformed_request")))
)]
pub async fn list(
    State(app): State<App>,
    _admin: Admin,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Success<Users>> {
    let Query(filter) = filter.map_err(|_| Error::Malformed("limit and after must be numbers."))?;
    let limit = paging::size(filter.limit);
    let email = filter.email.as_deref().map(Spellings::of);
    let search = filter.search.map(|part| part.trim().to_lowercase()).filter(|it| !it.is_empty());
    let (canonical, typed) = email.map(|it| (it.canonical, it.typed)).unzip();
    let users = sqlx::query_as!(
        User,
        r#"select id, email, first_name, last_name, role as "role: Role",
                  is_active as "is_active: bool",
                  email_verified_at as "email_verified_at: Timestamp",
                  created_at as "created_at: Timestamp"
             from users
            where id > ? and (? is null or email in (?, ?)) and (? is null or instr(email, ?) > 0)
            order by id limit ?"#,
        filter.after.unwrap_or(0),
        canonical,
        canonical,
        typed,
        search,
        search,
        limit,
    )
    .fetch_all(&app.store.pool);
    // A part of an address is looked for in all of them.
    let users = app.store.in_time(users).await?;
    let next = paging::next(&users, limit, |user| user.id);
    Ok(Success::data(Users { users, next }))
}
