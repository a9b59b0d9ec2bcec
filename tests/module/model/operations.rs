//! The operations: which there are, and how random ones are made.

use proptest::prelude::*;

pub(super) const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];
pub(super) const TOKENS: [&str; 4] = ["t1", "t2", "t3", "t4"];

/// Steps of the grid, the present lying between -1 and 0.
pub(super) type Step = i64;

/// What a client may ask of a ledger, or somebody do to it.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create {
        id: usize,
        expires: Step,
        idle: Option<Step>,
        max: Option<usize>,
        device: Option<u8>,
        created: Step,
        seen: Step,
    },
    Touch {
        id: usize,
        at: Step,
    },
    Revoke {
        ids: Vec<usize>,
    },
    RevokeAll {
        except: Option<usize>,
        at: Step,
    },
    Blacklist {
        token: usize,
        expires: Step,
    },
    Check {
        token: usize,
        session: Option<usize>,
        issued: Option<Step>,
    },
    Get {
        id: usize,
    },
    List,
    Disturb {
        how: usize,
    },
}

/// What is done to the whole server; no ledger may notice.
pub(super) const DISTURBANCES: [&str; 4] =
    ["DEBUG RELOAD", "COPY KEY other REPLACE", "RENAME KEY KEY", "PERSIST KEY"];

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let (past, future) = (-20..0_i64, 0..20_i64);
    let id = 0..IDS.len();
    prop_oneof![
        6 => (
            (id.clone(), future.clone(), prop::option::of(0..20_i64), prop::option::of(1..4_usize)),
            (prop::option::of(any::<u8>()), past.clone(), past.clone()),
        )
            .prop_map(|((id, expires, idle, max), (device, created, seen))| Operation::Create {
                id, expires, idle, max, device, created, seen
            }),
        2 => (id.clone(), past.clone()).prop_map(|(id, at)| Operation::Touch { id, at }),
        2 => prop::collection::vec(id.clone(), 1..4).prop_map(|ids| Operation::Revoke { ids }),
        1 => (prop::option::of(id.clone()), past.clone())
            .prop_map(|(except, at)| Operation::RevokeAll { except, at }),
        2 => (0..TOKENS.len(), -5..20_i64)
            .prop_map(|(token, expires)| Operation::Blacklist { token, expires }),
        6 => (0..TOKENS.len(), prop::option::of(id.clone()), prop::option::of(-22..5_i64))
            .prop_map(|(token, session, issued)| Operation::Check { token, session, issued }),
        2 => id.prop_map(|id| Operation::Get { id }),
        2 => Just(Operation::List),
        1 => (0..DISTURBANCES.len()).prop_map(|how| Operation::Disturb { how }),
    ]
}
