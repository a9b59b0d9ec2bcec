//! The way in and out: login, registration, logout.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::form::Form;
use super::links::see_other;
use super::problem::{Problem, status_of};
use super::visit::{Shown, Visit};

/// `GET /login`. Whoever is logged in goes on, unless they are to log in again.
pub(super) async fn login_form(mut visit: Visit) -> Response {
    let shown = shown_login(&mut visit).await;
    visit.comes_to(shown)
}

async fn shown_login(visit: &mut Visit) -> Shown {
    let is_again = visit.asked("again") == "1";
    if !is_again {
        match visit.person().await {
            Ok(_) => {
                let wanted = visit.asked("return_to").to_owned();
                let page = visit.way_back(&wanted).await;
                return Ok(see_other(&page));
            }
            Err(refusal) if refusal.is_signed_out() => {}
            // Whether somebody is logged in cannot be told now.
            Err(refusal) => return Err(refusal),
        }
    }
    let own = json!({
        "email": visit.asked("email"), "return_to": visit.asked("return_to"), "again": is_again,
    });
    Ok(visit.page("login", StatusCode::OK, &own))
}

/// `POST /login`.
pub(super) async fn log_in(mut visit: Visit, form: Form) -> Response {
    if let Err(refusal) = visit.must_be_meant(&form) {
        return refusal.into_response();
    }
    let mut body = form.body(&["email", "password"]);
    body["mode"] = "cookie".into();
    let answer = visit.call(Method::POST, "/login-enhanced", Some(&body)).await;
    let shown = if answer.status.is_success() {
        let page = visit.way_back(form.field("return_to")).await;
        see_other(&page)
    } else {
        let own = form.again(&["email", "return_to", "again"]);
        visit.page_with("login", status_of(&answer), &own, Some(&Problem::from(&answer)))
    };
    visit.comes_to(Ok(shown))
}

const NAMES: [&str; 3] = ["first_name", "last_name", "email"];

/// `GET /register`.
pub(super) async fn register_form(mut visit: Visit) -> Response {
    let empty = json!({ "first_name": "", "last_name": "", "email": "" });
    let page = visit.page("register", StatusCode::OK, &empty);
    visit.comes_to(Ok(page))
}

/// `POST /register`: what comes next is the same, whether the address is new or not.
pub(super) async fn register(mut visit: Visit, form: Form) -> Response {
    if let Err(refusal) = visit.must_be_meant(&form) {
        return refusal.into_response();
    }
    let body = form.body(&["first_name", "last_name", "email", "password"]);
    let answer = visit.call(Method::POST, "/register", Some(&body)).await;
    let shown = if answer.status.is_success() {
        visit.leads_to("/verify-email?done=registered")
    } else {
        let own = form.again(&NAMES);
        visit.page_with("register", status_of(&answer), &own, Some(&Problem::from(&answer)))
    };
    visit.comes_to(Ok(shown))
}

/// `POST /logout`: whoever is logged out already is told the same.
pub(super) async fn log_out(mut visit: Visit, form: Form) -> Response {
    visit.shows(&form);
    let answer = visit.call(Method::POST, "/logout", Some(&json!({}))).await;
    let shown = match answer.served() {
        Ok(_) => Ok(visit.leads_to("/login?done=logged_out")),
        Err(refusal) if refusal.is_signed_out() => Ok(visit.leads_to("/login?done=logged_out")),
        Err(refusal) => Err(refusal),
    };
    visit.comes_to(shown)
}
