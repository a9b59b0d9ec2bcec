//! How the service is: its stores, its users and sessions, what was revoked; and logging everybody out.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::chart;
use crate::pages::form::Form;
use crate::pages::problem::Problem;
use crate::pages::visit::{Shown, Visit};

/// `GET /admin`.
pub(in crate::pages) async fn shown(mut visit: Visit) -> Response {
    let shown = page(&mut visit, StatusCode::OK, None).await;
    visit.comes_to(shown)
}

async fn page(visit: &mut Visit, status: StatusCode, problem: Option<Problem>) -> Shown {
    visit.person().await?;
    let overview = visit.call(Method::GET, "/admin/overview", None).await.served()?;
    let overview = overview.data().clone();
    let revoked = visit.call(Method::GET, "/admin/blacklist-stats", None).await.served()?;
    let revoked = revoked.data();
    // Whether all is well or not, the answer names each part.
    let health = visit.call(Method::GET, "/health", None).await.json;
    let logins = chart::bars(&overview["logins"], "at", "succeeded", "failed");
    let own = json!({
        "overview": overview,
        "busiest": chart::highest(&logins),
        "logins": logins,
        "services": health["services"],
        "revoked": revoked,
        "reasons": chart::bars(&listed(&revoked["by_reason"]), "name", "count", "none"),
    });
    Ok(visit.page_with("admin", status, &own, problem.as_ref()))
}

/// An object as rows of names and counts.
fn listed(counts: &Value) -> Value {
    let counts = counts.as_object().into_iter().flatten();
    counts.map(|(name, count)| json!({ "name": name, "count": count })).collect()
}

/// `POST /admin/logout-everyone`, with a box that is ticked on purpose.
pub(in crate::pages) async fn log_out_everyone(mut visit: Visit, form: Form) -> Response {
    visit.shows(&form);
    let shown = everyone(&mut visit, &form).await;
    visit.comes_to(shown)
}

async fn everyone(visit: &mut Visit, form: &Form) -> Shown {
    if !form.has("confirm") {
        let problem = Problem::at("confirm", "not_confirmed");
        return page(visit, StatusCode::UNPROCESSABLE_ENTITY, Some(problem)).await;
    }
    let answer = visit.call(Method::POST, "/admin/logout-everyone", None).await.served()?;
    let pending = if answer.is_pending() { "&pending=1" } else { "" };
    Ok(visit.leads_to(&format!("/login?done=everyone{pending}")))
}
