//! Small worlds, each with the few events that one danger needs. Between them they have every event.

use crate::checking::Scenario;
use crate::events::{Left, NOTHING};
use crate::world::Kind;

pub(crate) const ONE: &[u64] = &[0];
pub(crate) const TWO: &[u64] = &[0, 0];
/// The first host's clock is ahead.
pub(crate) const AHEAD: &[u64] = &[50_000, 0];

/// A login that arrives when its session has long been ended.
pub(crate) const LATE_LOGIN: Scenario = Scenario {
    name: "a login, its end, a lost connection",
    left: Left { logins: 1, ends: 1, rounds: 1, cuts: 1, short_ticks: 1, long_ticks: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// The same without faults but time.
pub(crate) const SLOW_LOGIN: Scenario = Scenario {
    name: "a login, its end, time",
    left: Left { logins: 1, ends: 1, short_ticks: 1, long_ticks: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// What was told is not marked as told, and told again.
pub(crate) const RETOLD: Scenario = Scenario {
    name: "told again from unmarked rows",
    left: Left { logins: 1, ends: 1, rounds: 1, unmarked: 2, cuts: 1, long_ticks: 1, ..NOTHING },
    ..Scenario::new(ONE)
};

/// A host dies between its commit and its telling.
pub(crate) const PENDING: Scenario = Scenario {
    name: "an end that waits, a death",
    left: Left { ends: 1, rounds: 1, cuts: 1, deaths: 1, watches: 2, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// The ledger's key is deleted or evicted.
pub(crate) const DELETED: Scenario = Scenario {
    name: "a deleted ledger, a repair",
    left: Left {
        logins: 1,
        ends: 1,
        rounds: 1,
        deletions: 1,
        repairs: 1,
        long_ticks: 1,
        ..NOTHING
    },
    ..Scenario::new(TWO)
};

/// The same where nobody repairs it by chance.
pub(crate) const DELETED_FOR_GOOD: Scenario = Scenario {
    name: "a deleted ledger",
    left: Left { logins: 1, deletions: 1, ..NOTHING },
    ..Scenario::new(ONE)
};

/// Hydration against an end by another instance, begun anew when its instance dies.
pub(crate) const FLUSHED: Scenario = Scenario {
    name: "a flush, two hydrations, a death",
    left: Left { ends: 1, hydrations: 2, flushes: 1, deaths: 1, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// One hydration against an end by another instance.
pub(crate) const FLUSHED_ONCE: Scenario = Scenario {
    name: "a flush, a hydration",
    left: Left { ends: 1, hydrations: 1, flushes: 1, watches: 1, ..NOTHING },
    ..Scenario::logged_in(TWO)
};

/// The lock of the hydration is lost, so that two work at the same time.
pub(crate) const TWO_AT_ONCE: Scenario = Scenario {
    name: "a flush, two hydrations at once",
    left: Left { ends: 1, hydrations: 2, flushes: 1, lost_lock: true, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// A restart from data that the outbox reaches back to.
pub(crate) const RESTARTED: Scenario = Scenario {
    name: "a restart from a snapshot",
    left: Left { logins: 1, ends: 1, hydrations: 1, saves: 1, restarts: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// The same while the mark is moved forward.
pub(crate) const RESTARTED_MARK: Scenario = Scenario {
    name: "a restart from a snapshot, a moving mark",
    left: Left { mark_moves: 1, ..RESTARTED.left },
    ..Scenario::new(ONE)
};

/// A restart from data that lacks a login and nothing else.
pub(crate) const LACKING: Scenario = Scenario {
    name: "a login, a restart from a snapshot",
    left: Left { logins: 1, hydrations: 1, saves: 1, restarts: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// A restart from data that is older.
pub(crate) const RESTARTED_OLD: Scenario = Scenario {
    name: "a restart from an old snapshot",
    left: Left { ends: 1, hydrations: 1, saves: 1, restarts: 1, old_saves: true, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// Commits out of the order of the rows, and a restart.
pub(crate) const OVERTAKEN: Scenario = Scenario {
    name: "overtaken rows, a restart",
    left: Left {
        logins: 1,
        ends: 1,
        hydrations: 1,
        mark_moves: 1,
        saves: 1,
        restarts: 1,
        slow_commits: true,
        ..NOTHING
    },
    ..Scenario::logged_in(ONE)
};

/// Commits out of the order of the rows while a hydration looks at them.
pub(crate) const OVERTAKEN_LOOK: Scenario = Scenario {
    name: "overtaken rows, a flush, a death",
    left: Left {
        logins: 1,
        ends: 1,
        hydrations: 1,
        flushes: 1,
        deaths: 1,
        slow_commits: true,
        ..NOTHING
    },
    ..Scenario::logged_in(ONE)
};

/// Demoted and promoted again, with the data it had, while a hydration goes on.
pub(crate) const SWITCHED: Scenario = Scenario {
    name: "three changes of role",
    kind: Kind::WithReplica,
    left: Left { ends: 1, hydrations: 1, switches: 3, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// The same while the mark is moved forward.
pub(crate) const SWITCHED_MARK: Scenario = Scenario {
    name: "two changes of role, a moving mark",
    kind: Kind::WithReplica,
    left: Left { ends: 1, hydrations: 2, switches: 2, mark_moves: 1, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// The same, and a replica may have got the other's data.
pub(crate) const SWITCHED_SYNCED: Scenario = Scenario {
    name: "two changes of role, a sync",
    kind: Kind::WithReplica,
    left: Left { ends: 1, hydrations: 2, switches: 2, syncs: 1, mark_moves: 1, ..NOTHING },
    ..Scenario::logged_in(ONE)
};

/// A logout of everything.
pub(crate) const ALL_ENDED: Scenario = Scenario {
    name: "a logout of everything",
    left: Left { logins: 1, end_alls: 1, rounds: 1, unmarked: 2, long_ticks: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// A logout of everything; the clock of the host that began the session is ahead.
pub(crate) const ALL_ENDED_AHEAD: Scenario = Scenario {
    name: "a logout of everything, a clock ahead",
    left: Left { logins: 1, end_alls: 1, short_ticks: 1, long_ticks: 1, ..NOTHING },
    ..Scenario::new(AHEAD)
};

/// Redis' wall clock steps back.
pub(crate) const CLOCK: Scenario = Scenario {
    name: "Redis' clock steps back",
    left: Left { logins: 1, ends: 1, clock_steps: 1, long_ticks: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// A ledger that is deleted when a beginning is on its way.
pub(crate) const DELETED_MEANWHILE: Scenario = Scenario {
    name: "a login, its end, a deleted ledger",
    left: Left { logins: 1, ends: 1, deletions: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// A flush when a beginning is on its way.
pub(crate) const FLUSHED_MEANWHILE: Scenario = Scenario {
    name: "a login, its end, a flush",
    left: Left { logins: 1, ends: 1, flushes: 1, hydrations: 1, ..NOTHING },
    ..Scenario::new(TWO)
};

/// Those of every `make test`.
pub(crate) const SMALL: &[Scenario] = &[
    SLOW_LOGIN,
    LATE_LOGIN,
    RETOLD,
    PENDING,
    DELETED,
    DELETED_FOR_GOOD,
    FLUSHED,
    FLUSHED_ONCE,
    TWO_AT_ONCE,
    RESTARTED,
    RESTARTED_OLD,
    OVERTAKEN_LOOK,
    SWITCHED,
    SWITCHED_MARK,
    ALL_ENDED,
    ALL_ENDED_AHEAD,
    CLOCK,
    DELETED_MEANWHILE,
    FLUSHED_MEANWHILE,
];

/// Those that take minutes.
pub(crate) const LARGE: &[Scenario] = &[
    OVERTAKEN,
    Scenario { left: RESTARTED_MARK.left, ..RESTARTED },
    SWITCHED_SYNCED,
    Scenario {
        name: "a snapshot, everything that waits, a mark",
        left: Left {
            ends: 1,
            rounds: 1,
            hydrations: 1,
            mark_moves: 1,
            watches: 1,
            saves: 1,
            restarts: 1,
            ..NOTHING
        },
        ..Scenario::logged_in(TWO)
    },
    Scenario {
        name: "two logins, a logout of everything, rows told again, a clock ahead",
        left: Left { logins: 2, end_alls: 1, rounds: 1, unmarked: 1, cuts: 1, ..NOTHING },
        ..Scenario::new(AHEAD)
    },
    Scenario {
        name: "a flush, a deletion, a repair, a lost connection",
        left: Left {
            ends: 1,
            hydrations: 1,
            flushes: 1,
            deletions: 1,
            cuts: 1,
            repairs: 1,
            long_ticks: 1,
            ..NOTHING
        },
        ..Scenario::logged_in(ONE)
    },
    Scenario {
        name: "two hydrations at once, a restart, a death, a mark",
        left: Left {
            ends: 1,
            hydrations: 2,
            lost_lock: true,
            saves: 1,
            restarts: 1,
            deaths: 1,
            mark_moves: 1,
            ..NOTHING
        },
        ..Scenario::logged_in(ONE)
    },
];
