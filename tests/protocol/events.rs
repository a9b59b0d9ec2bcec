//! What may happen, and how often at most. A scenario gives each kind of event a number, so that
//! there is an end to what can be explored.

/// How many of each are left.
#[expect(clippy::struct_excessive_bools, reason = "beside the numbers, what may happen at all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    // --- what people do ---
    pub(crate) logins: u8,
    pub(crate) ends: u8,
    pub(crate) end_alls: u8,
    /// Everybody's sessions end.
    pub(crate) end_everybodys: u8,
    // --- what the service does by itself ---
    pub(crate) rounds: u8,
    pub(crate) hydrations: u8,
    pub(crate) repairs: u8,
    pub(crate) mark_moves: u8,
    pub(crate) watches: u8,
    // --- what goes wrong ---
    /// An instance gives its line up.
    pub(crate) cuts: u8,
    /// An instance dies and starts anew.
    pub(crate) deaths: u8,
    /// What was told is not marked as told.
    pub(crate) unmarked: u8,
    /// Something between a token's life and the time that endings are remembered.
    pub(crate) short_ticks: u8,
    /// Longer than endings are remembered.
    pub(crate) long_ticks: u8,
    pub(crate) clock_steps: u8,
    pub(crate) deletions: u8,
    pub(crate) flushes: u8,
    /// The primary's data is saved.
    pub(crate) saves: u8,
    /// The primary starts from what was saved.
    pub(crate) restarts: u8,
    /// The replica gets the primary's data.
    pub(crate) syncs: u8,
    /// The replica becomes the primary and the primary a replica, each with what it has.
    pub(crate) switches: u8,
    /// The replica becomes a primary, and the old one stays what it is.
    pub(crate) splits: u8,
    /// The user's slot changes servers.
    pub(crate) slot_moves: u8,
    /// Slots move as fast as they like, not once in a token's life: whether.
    pub(crate) fast_moves: bool,
    /// MySQL as it is now can come back.
    pub(crate) keeps: u8,
    /// MySQL comes back as it was kept.
    pub(crate) go_backs: u8,
    /// Transactions stay open for a while: not a number but whether.
    pub(crate) slow_commits: bool,
    /// Saved data is older than the outbox reaches back: whether.
    pub(crate) old_saves: bool,
    /// Nothing keeps two instances from hydrating at the same time: whether.
    pub(crate) lost_lock: bool,
}

/// Nothing ever happens.
pub(crate) const NOTHING: Left = Left {
    logins: 0,
    ends: 0,
    end_alls: 0,
    end_everybodys: 0,
    rounds: 0,
    hydrations: 0,
    repairs: 0,
    mark_moves: 0,
    watches: 0,
    cuts: 0,
    deaths: 0,
    unmarked: 0,
    short_ticks: 0,
    long_ticks: 0,
    clock_steps: 0,
    deletions: 0,
    flushes: 0,
    saves: 0,
    restarts: 0,
    syncs: 0,
    switches: 0,
    splits: 0,
    keeps: 0,
    go_backs: 0,
    slot_moves: 0,
    fast_moves: false,
    slow_commits: false,
    old_saves: false,
    lost_lock: false,
};

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    Login(usize),
    EndOne(usize, u8),
    EndAll(usize),
    EndEverybody(usize),
    Round(usize),
    Hydrate(usize),
    Repair(usize),
    MoveMark(usize),
    Watch(usize),
    Connect(usize),
    /// An instance sees that its server is not the one to be believed.
    Leave(usize),
    /// A task goes on.
    Step(u8),
    /// A task's transaction is lost after it has told.
    Unmarked(u8),
    /// The server takes a connection's next command.
    Arrive(u8),
    Cut(usize),
    Die(usize),
    ShortTick,
    LongTick,
    ClockStep,
    Delete,
    Flush,
    Save,
    Restart,
    Sync,
    Switch,
    Split,
    MoveSlot,
    Keep,
    GoBack,
    /// An instance looks up to when everybody's sessions have ended, and tells the server.
    AskAboutEverybody(usize),
    /// An instance sees to what MySQL has lost.
    Return(usize),
    /// An instance sees that another one has.
    Adopt(usize),
}
