//! Whose ledgers were put back lately, or could not be: they are left alone for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::clock::Timestamp;

/// How long one user's ledger is left alone after an attempt. It may be a session that Redis does
/// not take, or has not heard of yet.
const REST: Duration = Duration::from_mins(1);
/// How many attempts are remembered at most.
const MOST: usize = 100_000;

/// Whose ledgers were put back lately.
#[derive(Default)]
pub(super) struct Resting(Mutex<HashMap<u64, Timestamp>>);

impl Resting {
    pub(super) fn is_due(&self, user_id: u64, now: Timestamp) -> bool {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= MOST {
            tried.retain(|_, at| now.since(*at) < REST);
        }
        let rests = tried.get(&user_id).is_some_and(|at| now.since(*at) < REST);
        if rests || tried.len() >= MOST {
            return false;
        }
        tried.insert(user_id, now);
        true
    }

    /// The next attempt need not wait.
    pub(super) fn forget(&self, user_id: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&user_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_looked_into_once_in_a_while() {
        let resting = Resting::default();
        assert!(resting.is_due(1, Timestamp(0)));
        assert!(!resting.is_due(1, Timestamp(59_999)));
        assert!(resting.is_due(2, Timestamp(59_999)));
        assert!(resting.is_due(1, Timestamp(60_000)));
        resting.forget(2);
        assert!(resting.is_due(2, Timestamp(60_000)) && !resting.is_due(1, Timestamp(60_000)));
    }
}
