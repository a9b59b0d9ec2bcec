//! The cookies of one visit: what the browser has brought, what the API has set since, and what is to go
//! out with the page.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method};

use crate::http::cookies::{self, ACCESS, DEVICE, OLD, REFRESH};

/// The cookies that the API is sent. That of its older login would open what only looks; with changes it
/// opens nothing, but a login and a logout end its session with the others.
const COOKIES: [&str; 4] = [ACCESS, REFRESH, DEVICE, OLD];

/// The cookies of one visit.
pub(super) struct Jar {
    inside: Vec<(&'static str, String)>,
    to_be_set: Vec<HeaderValue>,
}

impl Jar {
    /// What a browser has brought.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let brought = |name| cookies::value(headers, name).map(|value| (name, value.to_owned()));
        Self { inside: COOKIES.into_iter().filter_map(brought).collect(), to_be_set: Vec::new() }
    }

    /// Whether there is an access token in it.
    pub(super) fn has_access(&self) -> bool {
        self.inside.iter().any(|(name, _)| *name == ACCESS)
    }

    /// Whether there is a refresh token in it.
    pub(super) fn has_refresh(&self) -> bool {
        self.inside.iter().any(|(name, _)| *name == REFRESH)
    }

    /// As the API is sent it.
    pub(super) fn send(&self, method: &Method, headers: &mut HeaderMap) {
        let sent = self.inside.iter().filter(|(name, _)| *name != OLD || !method.is_safe());
        let pairs: Vec<_> = sent.map(|(name, value)| format!("{name}={value}")).collect();
        headers.extend(HeaderValue::try_from(pairs.join("; ")).ok().map(|pairs| (COOKIE, pairs)));
    }

    /// Keeps what an answer sets for the calls that follow, and for the browser; tells whether there is an
    /// access token among it.
    pub(super) fn keep_all(&mut self, answer: &HeaderMap) -> bool {
        let mut has_access = false;
        for cookie in answer.get_all(SET_COOKIE) {
            let text = cookie.to_str().unwrap_or_default();
            let (name, value) = text.split_once('=').unwrap_or_default();
            let value = value.split(';').next().unwrap_or_default();
            has_access |= name == ACCESS && !value.is_empty();
            self.keep(name, value);
            self.set(name, cookie.clone());
        }
        has_access
    }

    /// Has the browser keep a cookie of the pages' own.
    pub(super) fn remember(&mut self, name: &str, value: &str, more: &str) {
        let cookie = format!("{name}={value}; Path=/; Secure{more}; HttpOnly; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            self.set(name, cookie);
        }
    }

    /// What goes out with the page.
    pub(super) fn hand_out(&mut self, headers: &mut HeaderMap) {
        for cookie in self.to_be_set.drain(..) {
            headers.append(SET_COOKIE, cookie);
        }
    }

    fn keep(&mut self, name: &str, value: &str) {
        let Some(known) = COOKIES.into_iter().find(|known| *known == name) else { return };
        self.inside.retain(|(other, _)| *other != known);
        if !value.is_empty() {
            self.inside.push((known, value.to_owned()));
        }
    }

    /// What is set twice on the way is set once, to its last value.
    fn set(&mut self, name: &str, cookie: HeaderValue) {
        let is_other = |it: &HeaderValue| {
            let rest = it.as_bytes().strip_prefix(name.as_bytes());
            !rest.is_some_and(|rest| rest.starts_with(b"="))
        };
        self.to_be_set.retain(is_other);
        self.to_be_set.push(cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_on_the_way_counts_at_once_and_goes_out_once() {
        let brought = "jwt=old; __Host-access=first; __Host-refresh=one; other=1";
        let mut jar = Jar::of(&HeaderMap::from_iter([(COOKIE, brought.parse().unwrap())]));
        let mut answer = HeaderMap::new();
        for cookie in [
            "__Host-access=second; Path=/",
            "__Host-access=third; Path=/",
            "__Host-refresh=; Max-Age=0",
        ] {
            answer.append(SET_COOKIE, cookie.parse().unwrap());
        }
        assert!(jar.keep_all(&answer) && jar.has_access() && !jar.has_refresh());
        let mut sent = HeaderMap::new();
        jar.send(&Method::GET, &mut sent);
        assert_eq!(sent[COOKIE], "__Host-access=third", "nothing of the older login");
        let mut sent = HeaderMap::new();
        jar.send(&Method::POST, &mut sent);
        assert_eq!(sent[COOKIE], "jwt=old; __Host-access=third", "which a logout ends as well");
        let mut out = HeaderMap::new();
        jar.hand_out(&mut out);
        let out: Vec<_> = out.get_all(SET_COOKIE).iter().collect();
        assert_eq!(out, ["__Host-access=third; Path=/", "__Host-refresh=; Max-Age=0"]);
    }
}
