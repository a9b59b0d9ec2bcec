//! Users: found by a part of their address, and what can be done about one.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::base::error::Error;
use crate::http::segment::Segment;
use crate::pages::api::Answer;
use crate::pages::form::Form;
use crate::pages::links::in_query;
use crate::pages::problem::{Problem, status_of};
use crate::pages::visit::{Shown, Visit};

/// `GET /admin/users`.
pub(in crate::pages) async fn list(mut visit: Visit) -> Response {
    let shown = found(&mut visit).await;
    visit.comes_to(shown)
}

async fn found(visit: &mut Visit) -> Shown {
    visit.person().await?;
    let search = visit.asked("search").to_owned();
    let after = visit.asked("after").parse::<u64>().unwrap_or_default();
    let query = format!("/admin/users?limit=25&after={after}&search={}", in_query(&search));
    let users = visit.call(Method::GET, &query, None).await.served()?;
    let data = users.data();
    let own = json!({ "search": search, "users": data["users"], "next": data["next"] });
    Ok(visit.page("admin-users", StatusCode::OK, &own))
}

/// `GET /admin/users/{id}`.
pub(in crate::pages) async fn shown(mut visit: Visit, Segment(id): Segment) -> Response {
    let Ok(id) = id.parse() else { return Error::NotFound.into_response() };
    let shown = page(&mut visit, id, StatusCode::OK, None).await;
    visit.comes_to(shown)
}

/// One user with their sessions, so that it can be seen what an ending would cost.
async fn page(visit: &mut Visit, id: u64, status: StatusCode, problem: Option<Problem>) -> Shown {
    let me = visit.person().await?.user["id"].clone();
    let sessions = visit.call(Method::GET, &format!("/admin/users/{id}/sessions"), None).await;
    let sessions = sessions.served()?.data()["sessions"].clone();
    let before = id.saturating_sub(1);
    let user = visit.call(Method::GET, &format!("/admin/users?limit=1&after={before}"), None).await;
    let user = user.served()?.data()["users"][0].clone();
    let count = sessions.as_array().map_or(0, Vec::len);
    let own = json!({
        "user": user, "sessions": sessions, "count": count, "is_me": me == json!(id),
    });
    Ok(visit.page_with("admin-user", status, &own, problem.as_ref()))
}

/// `POST /admin/users/{id}`: what the button says.
pub(in crate::pages) async fn act(mut visit: Visit, Segment(id): Segment, form: Form) -> Response {
    let Ok(id) = id.parse() else { return Error::NotFound.into_response() };
    visit.shows(&form);
    let shown = acted(&mut visit, id, &form).await;
    visit.comes_to(shown)
}

async fn acted(visit: &mut Visit, id: u64, form: &Form) -> Shown {
    if form.field("do") == "remove" && !form.has("confirm") {
        let problem = Problem::at("confirm", "not_confirmed");
        return page(visit, id, StatusCode::UNPROCESSABLE_ENTITY, Some(problem)).await;
    }
    let path = |what: &str| format!("/admin/users/{id}{what}");
    let (method, path, body) = match form.field("do") {
        "log_out" => (Method::DELETE, path("/sessions"), None),
        "disable" => (Method::POST, path("/disable"), None),
        "enable" => (Method::POST, path("/enable"), None),
        "role" => (Method::POST, path("/role"), Some(form.body(&["role"]))),
        "remove" => (Method::DELETE, path(""), None),
        _ => {
            let problem = Problem::at("do", "wrong_type");
            return page(visit, id, StatusCode::BAD_REQUEST, Some(problem)).await;
        }
    };
    let answer = visit.call(method, &path, body.as_ref()).await;
    after(visit, id, form, answer).await
}

async fn after(visit: &mut Visit, id: u64, form: &Form, answer: Answer) -> Shown {
    if answer.status.is_success() {
        let pending = if answer.is_pending() { "&pending=1" } else { "" };
        let next = match form.field("do") {
            "remove" => "/admin/users?done=user_removed".to_owned(),
            _ => format!("/admin/users/{id}?done=admin_done"),
        };
        return Ok(visit.leads_to(&format!("{next}{pending}")));
    }
    if answer.is_of_the_form() {
        let problem = Some(Problem::from(&answer));
        return page(visit, id, status_of(&answer), problem).await.or(Err(Box::new(answer)));
    }
    Err(Box::new(answer))
}
