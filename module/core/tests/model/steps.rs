//! Random steps: which there are, and how often each of them comes.

use proptest::prelude::*;

pub(crate) const LIMIT: usize = 4;
pub(crate) const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What happens to a ledger.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create {
        id: usize,
        wanted: Wanted,
    },
    /// What a log or a primary says, of a session begun whenever.
    Replay {
        id: usize,
        created: u64,
    },
    Touch {
        id: usize,
        at: Option<u64>,
    },
    End {
        id: usize,
    },
    LogOut {
        at: Option<u64>,
        except: Option<usize>,
    },
    EndEverybody {
        at: u64,
    },
    Revoke {
        token: u8,
        ttl: u64,
    },
    Reload,
    Sweep,
}

/// What a client asks of a session that is to begin.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) ttl: u64,
    pub(crate) idle_s: Option<u32>,
    pub(crate) device: Option<Vec<u8>>,
    pub(crate) seen: Option<u64>,
    pub(crate) keep: Option<usize>,
}

/// Steps, each with how far the clock moves before it.
pub(crate) fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let id = 0..IDS.len();
    let step = prop_oneof![
        4 => (id.clone(), ticks(1..18), option(0_u32..4), option(prop::collection::vec(any::<u8>(), 0..4)), option(ticks(0..18)), option(1_usize..=LIMIT))
            .prop_map(|(id, ttl, idle_s, device, seen, keep)| Step::Create { id, wanted: Wanted { ttl, idle_s, device, seen, keep } }),
        1 => (id.clone(), ticks(0..18)).prop_map(|(id, created)| Step::Replay { id, created }),
        2 => (id.clone(), option(ticks(0..18))).prop_map(|(id, at)| Step::Touch { id, at }),
        1 => id.clone().prop_map(|id| Step::End { id }),
        1 => (option(ticks(0..18)), option(id)).prop_map(|(at, except)| Step::LogOut { at, except }),
        3 => (0_u8..8, ticks(0..18)).prop_map(|(token, ttl)| Step::Revoke { token, ttl }),
        1 => ticks(0..18).prop_map(|at| Step::EndEverybody { at }),
        1 => Just(Step::Reload),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(((-3_i64..5).prop_map(|ticks| ticks * 500), step), 1..60)
}

/// Half seconds, so that instants often coincide.
fn ticks(count: std::ops::Range<u64>) -> impl Strategy<Value = u64> + Clone {
    count.prop_map(|ticks| ticks * 500)
}

fn option<T: std::fmt::Debug + Clone>(
    inner: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(inner)
}
