//! What is to be told to several servers, sorted by who has to hear it.

use std::sync::Arc;

use super::line::Lines;

/// For each server what is for it, in the order in which it came.
pub(super) struct ByServer<T>(Vec<(Arc<Lines>, Vec<T>)>);

impl<T> ByServer<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds something for this server.
    pub(super) fn add(&mut self, lines: Arc<Lines>, one: T) {
        match self.0.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &lines)) {
            Some((_, all)) => all.push(one),
            None => self.0.push((lines, vec![one])),
        }
    }

    pub(super) fn into_vec(self) -> Vec<(Arc<Lines>, Vec<T>)> {
        self.0
    }
}
