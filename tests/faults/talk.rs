//! What the tests ask the service and wait for.

use portcullis_tests::{Login, Redis, RedisOptions, Service, wait_until};
use reqwest::Method;

/// A Redis that vouches for nothing until it is told that it may.
pub(crate) fn confirming() -> RedisOptions {
    Redis::options().module_arguments(&["require-confirm", "yes"])
}

/// Waits, without keeping the runtime from its work.
pub(crate) fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| wait_until(what, || runtime.block_on(holds())));
}

/// The service says that it lacks nothing.
pub(crate) fn ready(auth: &Service) {
    eventually("the service is ready", async || {
        let answer = auth.raw(Method::GET, "/readyz").send().await.unwrap();
        answer.status() == 200
    });
}

/// The status that a proxy gets for this token: anything but 200 opens nothing.
pub(crate) async fn status(auth: &Service, login: &Login) -> u16 {
    auth.get_as(&login.access, "/verify").await.status.as_u16()
}

/// How many of these are accepted.
pub(crate) async fn accepted(auth: &Service, logins: &[Login]) -> usize {
    let mut accepted = 0;
    for login in logins {
        accepted += usize::from(status(auth, login).await == 200);
    }
    accepted
}
