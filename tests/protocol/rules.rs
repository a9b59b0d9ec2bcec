//! The guards of the protocol. Each can be taken out, to show what it is there for.

use std::fmt;

/// One thing that keeps the dead dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// A beginning carries a token and is judged by it.
    Fence,
    /// Tokens name the life they were asked for in.
    Life,
    /// Endings of the last while are remembered.
    Memory,
    /// The token is asked for before MySQL is read.
    AskedBefore,
    /// A session begun at or before the watermark is dead.
    Watermark,
    /// A logout of everything names the sessions it ends.
    Names,
    /// The mark is only replaced by whoever knows what stood there.
    MarkCompared,
    /// `AUTH.CONFIRM` names the life it confirms.
    ConfirmNamesLife,
    /// The mark is only moved forward in the life in which it was seen.
    MarkNamesLife,
    /// What MySQL says has ended is not begun.
    EndedNotBegun,
    /// Hydration reads the endings in the outbox after it has filled in the sessions.
    EndingsReadLast,
    /// Hydration ends what Redis has and MySQL has not.
    Sweep,
    /// Where the age of the data is known, hydration compares whoever has a row since.
    ComparesChanged,
    /// The mark stays before the oldest transaction that is open.
    OpenTransactions,
    /// Hydration looks at everything that waits before it confirms, whatever its number.
    LooksAtAll,
    /// What MySQL accepts and Redis does not know is put back.
    Repair,
    /// Nobody believes Redis about a user between a commit and a delivery.
    Behind,
    /// A server is only believed, or brought up to date, where MySQL says that nobody has its place.
    Vouching,
    /// What a server was told is only marked as told if it is the one that is vouched for.
    CountsTold,
    /// Others are vouched for no more before a hydration looks at what waits, not after it.
    VouchedBeforeLooks,
    /// Hydration tells endings with low numbers that were marked as told while it was at work.
    LateRows,
    /// Whoever finds told what waited asks whether their own server is the one that heard it.
    ToldElsewhere,
    /// The mark is only moved forward if its server is vouched for when the position has been read.
    MarkVouched,
    /// A ledger says whether its saver was confirmed; one of a server that was not makes its new one doubtful.
    PayloadConfirmed,
    /// A slot that came is believed when its ledgers were compared.
    BeliefBySlot,
    /// In a cluster a mark counts only if its life was vouched for in the slot then, and is there still.
    MarkCovers,
    /// Whoever lacks a note in MySQL decides nothing by it.
    NotesLooked,
    /// The notes in Redis are looked at as well as one's own.
    NotesOfOthers,
    /// A note tells a row from another one of the same number.
    NotesSigned,
    /// A return ends everybody's sessions.
    ReturnEnds,
    /// It does so in the transaction that says so to the others.
    ReturnsAtOnce,
    /// Whoever adopts a return learns up to when everybody's sessions have ended before all else.
    AdoptsEverybody,
    /// Nobody asks a server that has not heard up to when everybody's sessions have ended.
    EverybodyHeard,
    /// A server is told of it before any beginning.
    EverybodyFirst,
    /// Whoever confirms a server tells it that.
    ConfirmsEverybody,
    /// Between the last use of MySQL and a return tokens become void.
    WaitsForTokens,
    /// A repair reads and writes its row while it holds user and sessions.
    RepairHolds,
}

/// What the beginnings are fenced with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Design {
    /// The one that was built: the server's token, endings in the server's memory.
    Token,
    /// The one that was rejected: a last instant by Redis' clock, endings in the ledgers.
    Deadline,
}

/// The rules that one run is under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) design: Design,
    pub(crate) without: &'static [Guard],
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.design, self.without) {
            (Design::Deadline, _) => f.write_str("the rejected design"),
            (Design::Token, []) => f.write_str("as built"),
            (Design::Token, without) => write!(f, "without {without:?}"),
        }
    }
}

impl Rules {
    /// What was rejected.
    pub(crate) const REJECTED: Self = Self { design: Design::Deadline, without: &[] };
    /// Everything as it was built.
    pub(crate) const BUILT: Self = Self { design: Design::Token, without: &[] };

    pub(crate) const fn without(without: &'static [Guard]) -> Self {
        Self { design: Design::Token, without }
    }

    pub(crate) fn has(self, guard: Guard) -> bool {
        !self.without.contains(&guard)
    }
}
