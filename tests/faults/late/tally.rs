//! What is counted in a story about late beginnings.

use std::fmt;

use portcullis_tests::tell;

/// Only the first two numbers may be other than 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rounds: usize,
    /// Beginnings that Redis was given after their sender was gone.
    pub(crate) late: usize,
    /// Dead sessions that `AUTH.CHECK` takes for live.
    pub(crate) dead_in_redis: usize,
    /// Dead sessions that `/verify` takes for live.
    pub(crate) dead_in_service: usize,
    pub(crate) live_lost: usize,
    pub(crate) crashes: usize,
}

impl Tally {
    /// Says what was seen.
    pub(crate) fn told(self, story: &str) -> Self {
        tell(&format!("{story}: {self}"));
        self
    }

    /// Something happened, and none of what may not be.
    #[track_caller]
    pub(crate) fn must_be_clean(self) {
        let clean = Self { rounds: self.rounds, late: self.late, ..Self::default() };
        assert_eq!(self, clean);
        assert!(self.rounds > 0, "nothing happened");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, late, dead_in_redis, dead_in_service, live_lost, crashes } = self;
        write!(
            f,
            "rounds {rounds}, late beginnings {late}, dead sessions accepted by Redis \
             {dead_in_redis} and by the service {dead_in_service}, live sessions lost {live_lost}, \
             crashes {crashes}"
        )
    }
}
