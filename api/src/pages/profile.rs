//! The profile page: names and language, the e-mail address, everything that is kept, and the end of the
//! account.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::api::Answer;
use super::form::Form;
use super::problem::{Problem, status_of};
use super::visit::{Shown, Visit};

/// `GET /profile`.
pub(super) async fn shown(mut visit: Visit) -> Response {
    let shown = page(&mut visit, StatusCode::OK, &json!({}), None).await;
    visit.comes_to(shown)
}

/// The page, with what was entered in place of what is known.
async fn page(
    visit: &mut Visit,
    status: StatusCode,
    entered: &Value,
    problem: Option<Problem>,
) -> Shown {
    let user = visit.person().await?.user.clone();
    let mut own = json!({
        "first_name": user["first_name"], "last_name": user["last_name"],
        "locale": user["locale"].as_str().unwrap_or(visit.language.as_str()), "email": "",
    });
    for (name, value) in entered.as_object().into_iter().flatten() {
        own[name] = value.clone();
    }
    Ok(visit.page_with("profile", status, &own, problem.as_ref()))
}

/// `POST /profile`: names and language.
pub(super) async fn save(mut visit: Visit, form: Form) -> Response {
    visit.shows(&form);
    let body = form.body(&["first_name", "last_name", "locale"]);
    let answer = visit.call(Method::PATCH, "/me", Some(&body)).await;
    if answer.status.is_success() {
        visit.speaks(form.field("locale"));
    }
    let shown = after(&mut visit, answer, &body, "/profile?done=saved").await;
    visit.comes_to(shown)
}

/// `POST /profile/email`.
pub(super) async fn change_email(mut visit: Visit, form: Form) -> Response {
    visit.shows(&form);
    let body = form.body(&["email"]);
    let answer = visit.call(Method::POST, "/change-email", Some(&body)).await;
    let shown = after(&mut visit, answer, &body, "/profile?done=change_mailed").await;
    visit.comes_to(shown)
}

/// `POST /profile/delete`, with a box that is ticked on purpose.
pub(super) async fn delete(mut visit: Visit, form: Form) -> Response {
    visit.shows(&form);
    let shown = if form.has("confirm") {
        let answer = visit.call(Method::DELETE, "/me", None).await;
        after(&mut visit, answer, &json!({}), "/login?done=deleted").await
    } else {
        let problem = Problem::at("confirm", "not_confirmed");
        page(&mut visit, StatusCode::UNPROCESSABLE_ENTITY, &json!({}), Some(problem)).await
    };
    visit.comes_to(shown)
}

/// `GET /profile/export`: a document, as the API writes it.
pub(super) async fn export(mut visit: Visit) -> Response {
    // Looked at first: a document that is refused half way would be none.
    if let Err(refusal) = visit.person().await {
        return visit.comes_to(Err(refusal));
    }
    let shown = visit.document("/me/export").await;
    visit.comes_to(shown)
}

async fn after(visit: &mut Visit, answer: Answer, entered: &Value, next: &str) -> Shown {
    if answer.status.is_success() {
        let pending = if answer.is_pending() { "&pending=1" } else { "" };
        return Ok(visit.leads_to(&format!("{next}{pending}")));
    }
    if answer.is_of_the_form() {
        let problem = Some(Problem::from(&answer));
        return page(visit, status_of(&answer), entered, problem).await.or(Err(Box::new(answer)));
    }
    Err(Box::new(answer))
}
