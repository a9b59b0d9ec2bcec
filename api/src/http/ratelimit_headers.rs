//! `RateLimit-Policy`, `RateLimit` and `Retry-After`: how headers tell what a limit has left (R-49;
//! draft-ietf-httpapi-ratelimit-headers).

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::base::allowance::{Quota, Throttled, whole_seconds};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Adds to an answer what a limit has left, unless its handler knows better.
pub(super) fn add(answer: &mut HeaderMap, quota: Quota) {
    for (name, value) in lines(quota) {
        answer.entry(name).or_insert(value);
    }
}

/// The headers of a refusal: the same, and when to come back, with the same seconds in both.
pub(super) fn headers_of_refusal(refusal: Throttled) -> HeaderMap {
    let Throttled { policy, quota, window, retry_after } = refusal;
    let quota = Quota { policy, quota, window, left: 0, resets_in: retry_after };
    let mut headers: HeaderMap = lines(quota).collect();
    headers.insert(RETRY_AFTER, whole_seconds(retry_after).into());
    headers
}

fn lines(quota: Quota) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let Quota { policy, quota, window, left, resets_in } = quota;
    let (window, wait) = (whole_seconds(window), whole_seconds(resets_in));
    [
        (POLICY, format!("\"{policy}\";q={quota};w={window}")),
        (LEFT, format!("\"{policy}\";r={left};t={wait}")),
    ]
    .into_iter()
    .filter_map(|(name, line)| Some((name, HeaderValue::try_from(line).ok()?)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_refusal_says_the_same_wait_twice_and_rounds_it_up() {
        let retry_after = Duration::from_millis(1_001);
        let window = Duration::from_mins(15);
        let refusal = Throttled { policy: "login", quota: 100, window, retry_after };
        let headers = headers_of_refusal(refusal);
        assert_eq!(headers["ratelimit-policy"], "\"login\";q=100;w=900");
        assert_eq!(headers["ratelimit"], "\"login\";r=0;t=2");
        assert_eq!(headers["retry-after"], "2");
    }
}
