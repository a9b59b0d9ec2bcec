//! The sessions page: each device, this one marked; one, the others or all of them end.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::form::Form;
use super::links::in_query;
use super::visit::{Shown, Visit};

/// `GET /sessions`.
pub(super) async fn list(mut visit: Visit) -> Response {
    let shown = shown(&mut visit).await;
    visit.comes_to(shown)
}

async fn shown(visit: &mut Visit) -> Shown {
    visit.person().await?;
    let sessions = visit.call(Method::GET, "/sessions", None).await.served()?;
    let data = sessions.data();
    let current = data["current_session"].as_object();
    let others = data["other_sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = json!({ "current": current, "others": others });
    Ok(visit.page("sessions", StatusCode::OK, &own))
}

/// `POST /sessions`: what the button says.
pub(super) async fn end(mut visit: Visit, form: Form) -> Response {
    let shown = ended(&mut visit, &form).await;
    visit.comes_to(shown)
}

async fn ended(visit: &mut Visit, form: &Form) -> Shown {
    visit.shows(form);
    let (path, done) = if form.has("all") {
        ("/sessions?include_current=true".to_owned(), "ended_all")
    } else if form.has("others") {
        ("/sessions".to_owned(), "ended_others")
    } else {
        (format!("/sessions/{}", in_query(form.field("id"))), "ended_one")
    };
    let answer = visit.call(Method::DELETE, &path, None).await;
    // Somebody else may have ended it first.
    if answer.code() != "session_not_found" {
        let served = answer.served()?;
        let pending = if served.is_pending() { "&pending=1" } else { "" };
        let is_out = done == "ended_all" || !visit.is_logged_in();
        let page = if is_out { "/login" } else { "/sessions" };
        return Ok(visit.leads_to(&format!("{page}?done={done}{pending}")));
    }
    Ok(visit.leads_to("/sessions?done=ended_one"))
}
