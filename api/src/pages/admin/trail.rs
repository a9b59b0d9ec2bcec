//! The audit trail, filtered by user and by event.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::pages::problem::{Problem, status_of};
use crate::pages::visit::{Shown, Visit};

/// What a trail can be filtered by.
const FILTERS: [&str; 3] = ["user_id", "event", "after"];

/// `GET /admin/audit`.
pub(in crate::pages) async fn shown(mut visit: Visit) -> Response {
    let shown = page(&mut visit).await;
    visit.comes_to(shown)
}

async fn page(visit: &mut Visit) -> Shown {
    visit.person().await?;
    let asked = FILTERS.map(|name| (name, visit.asked(name).trim().to_owned()));
    let mut query = vec![("limit", "25".to_owned())];
    query.extend(asked.iter().filter(|(_, value)| !value.is_empty()).cloned());
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    let answer = visit.call(Method::GET, &format!("/admin/audit?{query}"), None).await;
    let (status, problem) = match answer.status.as_u16() {
        // Something that is no number was asked for.
        400 => (status_of(&answer), Some(Problem::from(&answer))),
        _ => (StatusCode::OK, None),
    };
    let data = if problem.is_some() { Value::Null } else { answer.served()?.data().clone() };
    let [(_, user_id), (_, event), _] = asked;
    let own = json!({
        "user_id": user_id, "event": event,
        "events": data["events"], "next": data["next"], "names": EVENTS,
    });
    Ok(visit.page_with("admin-audit", status, &own, problem.as_ref()))
}

/// The names of what is recorded, to choose from.
const EVENTS: [&str; 25] = [
    "authn_login_success",
    "authn_login_fail",
    "authn_password_change",
    "authn_password_change_fail",
    "authn_password_reset",
    "authn_token_reuse",
    "authn_token_revoked",
    "authn_client_fail",
    "authz_change",
    "authz_fail",
    "session_ended",
    "session_ended_all",
    "session_ended_by_admin",
    "session_ended_everyone",
    "session_device_changed",
    "user_created",
    "user_create_fail",
    "user_email_verified",
    "user_email_change_asked",
    "user_email_changed",
    "user_updated",
    "user_disabled",
    "user_enabled",
    "user_deleted",
    "user_exported",
];
