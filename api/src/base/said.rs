//! What has been said lately: whoever tries something again and again says once why it fails, and
//! then once a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the same is not said again.
const QUIET: Duration = Duration::from_mins(1);
/// How many different sentences are remembered; with more, all are said anew.
const MOST: usize = 1000;

/// What was said about each thing, and when; a clone knows the same.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<HashMap<&'static str, HashMap<String, Instant>>>>);

impl Said {
    /// Whether this is worth a line now; then it counts as said.
    pub(crate) fn is_news(&self, about: &'static str, what: &str) -> bool {
        self.is_news_at(about, what, Instant::now())
    }

    /// It works again; whether anything else had been said.
    pub(crate) fn is_over(&self, about: &'static str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(about).is_some()
    }

    fn is_news_at(&self, about: &'static str, what: &str, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = all.entry(about).or_default();
        let is_news = said.get(what).is_none_or(|at| now.duration_since(*at) >= QUIET);
        if is_news {
            if said.len() >= MOST {
                said.clear();
            }
            said.insert(what.to_owned(), now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_and_something_else_at_once() {
        let (said, now) = (Said::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(said.is_news_at("redis", "refused", now));
        assert!(!said.is_news_at("redis", "refused", later(59)));
        assert!(said.is_news_at("redis", "no module", later(59)));
        assert!(said.is_news_at("mysql", "refused", later(59)), "about something else");
        assert!(!said.is_news_at("redis", "refused", later(59)), "after something else");
        assert!(said.is_news_at("redis", "refused", later(60)));
    }

    #[test]
    fn what_comes_back_after_it_was_over_is_news() {
        let said = Said::default();
        assert!(!said.is_over("redis"), "nothing was said");
        assert!(said.is_news("redis", "refused"));
        assert!(said.is_over("redis") && said.is_news("redis", "refused"));
    }
}
