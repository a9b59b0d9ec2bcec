//! The password page, which says what a change ends.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::form::Form;
use super::problem::{Problem, status_of};
use super::visit::{Shown, Visit};

/// `GET /password`.
pub(super) async fn shown(mut visit: Visit) -> Response {
    let shown = form(&mut visit, StatusCode::OK, None).await;
    visit.comes_to(shown)
}

/// The form, with how many sessions would end.
async fn form(visit: &mut Visit, status: StatusCode, problem: Option<Problem>) -> Shown {
    visit.person().await?;
    let sessions = visit.call(Method::GET, "/sessions", None).await.served()?;
    let others = sessions.data()["other_sessions"].as_array().map_or(0, Vec::len);
    Ok(visit.page_with("password", status, &json!({ "others": others }), problem.as_ref()))
}

/// `POST /password`.
pub(super) async fn change(mut visit: Visit, form: Form) -> Response {
    let shown = changed(&mut visit, &form).await;
    visit.comes_to(shown)
}

async fn changed(visit: &mut Visit, sent: &Form) -> Shown {
    visit.shows(sent);
    let body = sent.body(&["current_password", "new_password"]);
    let answer = visit.call(Method::POST, "/change-password", Some(&body)).await;
    if answer.status.is_success() {
        return Ok(visit.leads_to("/password?done=password_changed"));
    }
    if answer.is_of_the_form() {
        let problem = Problem::from(&answer);
        return form(visit, status_of(&answer), Some(problem)).await.or(Err(Box::new(answer)));
    }
    Err(Box::new(answer))
}
