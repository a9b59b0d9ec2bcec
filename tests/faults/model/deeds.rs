//! What people and administrators do, to the service and to the reference alike.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use portcullis_tests::{Login, PASSWORD};
use serde_json::json;

use super::reference::Refreshed;
use super::steps::Step;
use super::world::{World, aged, let_in, name};

impl World {
    /// What somebody does with an access token.
    pub(super) async fn take_as(&mut self, token: usize, step: &Step) {
        let Self { auth, reference, access, .. } = self;
        let bearer = access[token].as_str();
        match *step {
            Step::LogOut(_) => {
                let answer = auth.post_as(bearer, "/logout", json!({})).await;
                if let_in(reference, token, &answer) {
                    reference.log_out(token);
                }
            }
            Step::LogOutAnother(_, age) => {
                let Some(another) = aged(access, age) else { return };
                let path = format!("/sessions/{}", reference.session_id(another));
                let answer = auth.delete_as(bearer, &path).await;
                let is_known = reference.access(token).is_none()
                    || reference.may_log_out_another(token, another);
                if !is_known {
                    answer.must_be(404);
                } else if let_in(reference, token, &answer) {
                    reference.log_out_another(another);
                }
            }
            Step::LogOutOthers(_) => {
                let answer = auth.delete_as(bearer, "/sessions").await;
                if let_in(reference, token, &answer) {
                    reference.log_out_others(token);
                }
            }
            Step::LogOutAll(_) => {
                let answer = auth.post_as(bearer, "/logout", json!({ "logout_all": true })).await;
                if let_in(reference, token, &answer) {
                    reference.log_out_all(token);
                }
            }
            _ => self.change_password(token).await,
        }
    }

    pub(super) async fn log_in(&mut self, person: usize) {
        let email = format!("{}@example.com", name(person));
        let body = json!({ "email": email, "password": self.password(person) });
        let answer = self.auth.post("/login-enhanced", body).await;
        if !self.reference.may_log_in(person) {
            answer.must_be(401);
            return;
        }
        let Login { session, access, refresh, .. } = answer.must_be(200).into();
        self.reference.log_in(person, &session);
        self.access.push(access);
        self.refresh.push(refresh);
    }

    pub(super) async fn refresh(&mut self, age: usize, times: usize) {
        let Some(token) = aged(&self.refresh, age) else { return };
        let sent = self.refresh[token].clone();
        let answers = join_all((0..times).map(|_| self.auth.refresh(&sent))).await;
        for answer in answers {
            let Refreshed::To(successor) = self.reference.refresh(token) else {
                answer.must_be(401);
                continue;
            };
            let answer = answer.must_be(200);
            self.access.push(answer.text_at("/data/access/token"));
            let text = answer.text_at("/data/refresh/token");
            if successor == self.refresh.len() {
                self.refresh.push(text);
            } else {
                assert_eq!(text, self.refresh[successor]);
            }
        }
    }

    async fn change_password(&mut self, token: usize) {
        let person = self.reference.owner(token);
        let current = self.password(person);
        self.changes_of_password[person] += 1;
        let body = json!({ "current_password": current, "new_password": self.password(person) });
        let answer = self.auth.post_as(&self.access[token], "/change-password", body).await;
        let may = self.reference.access(token).is_none() || self.reference.logged_in_lately(token);
        if !may || !let_in(&self.reference, token, &answer) {
            answer.must_be(401);
            self.changes_of_password[person] -= 1;
            return;
        }
        let access = answer.text_at("/data/access/token");
        self.reference.change_password(token, &session_in(&access));
        self.access.push(access);
        self.refresh.push(answer.text_at("/data/refresh/token"));
    }

    pub(super) async fn as_admin(&self, path: &str, role: &str) {
        // A new one each time, whom no watermark holds up when the clock is put back.
        let warden = self.auth.admin(&format!("warden{}", self.figures.requests)).await;
        let path = format!("/admin/{path}");
        self.auth.post_as(&warden.access, &path, json!({ "role": role })).await.must_be(200);
    }

    /// The path of what is done to a person.
    pub(super) fn about(&self, person: usize, deed: &str) -> String {
        format!("users/{}/{deed}", self.people[person])
    }

    fn password(&self, person: usize) -> String {
        format!("{PASSWORD}{}", ".".repeat(self.changes_of_password[person]))
    }
}

/// The session that an access token names.
fn session_in(access: &str) -> String {
    let payload = access.split('.').nth(1).unwrap();
    let claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}
