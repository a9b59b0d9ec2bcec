//! What the links in mails lead to. A link by itself does nothing, for programs that look through mails
//! follow links: its page shows a button, and the button acts.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::api::Answer;
use super::form::Form;
use super::problem::{Problem, status_of};
use super::visit::Visit;

/// A form that brings a token, or asks for one to be mailed.
struct Asked {
    template: &'static str,
    endpoint: &'static str,
    fields: &'static [&'static str],
    /// Shown again if it is refused.
    again: &'static [&'static str],
    next: &'static str,
}

const VERIFY: Asked = Asked {
    template: "verify-email",
    endpoint: "/verify-email",
    fields: &["token", "password"],
    again: &["token", "email"],
    next: "/login?done=verified",
};
const RESEND: Asked = Asked {
    template: "verify-email",
    endpoint: "/resend-verification",
    fields: &["email"],
    again: &["email"],
    next: "/verify-email?done=mailed",
};
const CONFIRM: Asked = Asked {
    template: "confirm-email",
    endpoint: "/confirm-email",
    fields: &["token"],
    again: &["token"],
    next: "/confirm-email?done=confirmed",
};
const FORGOT: Asked = Asked {
    template: "forgot-password",
    endpoint: "/forgot-password",
    fields: &["email"],
    again: &["email"],
    next: "/forgot-password?done=mailed",
};
const RESET: Asked = Asked {
    template: "reset-password",
    endpoint: "/reset-password",
    fields: &["token", "new_password"],
    again: &["token"],
    next: "/login?done=reset",
};

/// `GET /verify-email`.
pub(super) async fn verify_form(visit: Visit) -> Response {
    VERIFY.shown(visit)
}

/// `POST /verify-email`, with the password, because somebody else may have chosen it; and so whoever knows
/// it need not enter it again to log in.
pub(super) async fn verify(mut visit: Visit, form: Form) -> Response {
    if let Err(refusal) = visit.must_be_meant(&form) {
        return refusal.into_response();
    }
    let mut proof = form.body(VERIFY.fields);
    proof["password"] = form.field("password").into();
    let answer = visit.call(Method::POST, VERIFY.endpoint, Some(&proof)).await;
    if !answer.status.is_success() {
        let shown = VERIFY.again(&mut visit, &form, &answer);
        return visit.comes_to(Ok(shown));
    }
    let mut body = form.body(&["email", "password"]);
    body["mode"] = "cookie".into();
    let login = visit.call(Method::POST, "/login-enhanced", Some(&body)).await;
    let page = if login.status.is_success() { "/sessions?done=welcome" } else { VERIFY.next };
    let shown = visit.leads_to(page);
    visit.comes_to(Ok(shown))
}

/// `POST /resend-verification`.
pub(super) async fn resend(visit: Visit, form: Form) -> Response {
    RESEND.sent(visit, &form).await
}

/// `GET /confirm-email`.
pub(super) async fn confirm_form(visit: Visit) -> Response {
    CONFIRM.shown(visit)
}

/// `POST /confirm-email`: of two confirmations the second makes the change.
pub(super) async fn confirm(mut visit: Visit, form: Form) -> Response {
    if let Err(refusal) = visit.must_be_meant(&form) {
        return refusal.into_response();
    }
    let body = form.body(CONFIRM.fields);
    let answer = visit.call(Method::POST, CONFIRM.endpoint, Some(&body)).await;
    let shown = if answer.data()["changed"] == true {
        visit.leads_to("/confirm-email?done=email_changed")
    } else if answer.status.is_success() {
        visit.leads_to(CONFIRM.next)
    } else {
        CONFIRM.again(&mut visit, &form, &answer)
    };
    visit.comes_to(Ok(shown))
}

/// `GET /forgot-password`.
pub(super) async fn forgot_form(visit: Visit) -> Response {
    FORGOT.shown(visit)
}

/// `POST /forgot-password`.
pub(super) async fn forgot(visit: Visit, form: Form) -> Response {
    FORGOT.sent(visit, &form).await
}

/// `GET /reset-password`.
pub(super) async fn reset_form(visit: Visit) -> Response {
    RESET.shown(visit)
}

/// `POST /reset-password`.
pub(super) async fn reset(visit: Visit, form: Form) -> Response {
    RESET.sent(visit, &form).await
}

impl Asked {
    fn shown(&self, mut visit: Visit) -> Response {
        let own = json!({ "token": visit.asked("token"), "email": visit.asked("email") });
        let page = visit.page(self.template, StatusCode::OK, &own);
        visit.comes_to(Ok(page))
    }

    async fn sent(&self, mut visit: Visit, form: &Form) -> Response {
        if let Err(refusal) = visit.must_be_meant(form) {
            return refusal.into_response();
        }
        let body = form.body(self.fields);
        let answer = visit.call(Method::POST, self.endpoint, Some(&body)).await;
        let shown = if answer.status.is_success() {
            visit.leads_to(self.next)
        } else {
            self.again(&mut visit, form, &answer)
        };
        visit.comes_to(Ok(shown))
    }

    fn again(&self, visit: &mut Visit, form: &Form, answer: &Answer) -> Response {
        let mut own = json!({ "token": "", "email": "" });
        if let (Value::Object(own), Value::Object(again)) = (&mut own, form.again(self.again)) {
            own.extend(again);
        }
        visit.page_with(self.template, status_of(answer), &own, Some(&Problem::from(answer)))
    }
}
