//! What was measured: every figure is read from the row of the page that says how it came about.
//!
//! Nothing is written down twice: who measures anew (`make sizing`) calculates with what was measured.
//! Processor times are those of one machine; on another they differ by a factor that is about the same
//! for all of them, which an operator may give.

use crate::population::Population;

/// Written by the bench.
const RESULTS: &str = include_str!("../../RESULTS.md");
/// What operators of the module read.
const MODULE: &str = include_str!("../../../module/docs/operations.md");

/// The part of the results that was measured for this.
const BILL: &str = "What each thing costs";

/// Days that sessions are kept, from the login on: `SESSION_EXPIRES_IN` and `INACTIVE_TOKEN_DAYS`.
pub const SESSION_DAYS: f64 = 60.0;
/// Days that audit events are kept: `AUDIT_RETENTION`.
pub const AUDIT_DAYS: f64 = 365.0;
/// Seconds between two uses of a session that are written down: `SESSION_TOUCH_INTERVAL`.
pub const TOUCH_S: f64 = 60.0;
/// Seconds after which one who was refused is told to come back: `Retry-After` of a 503.
pub const RETRY_AFTER_S: f64 = 2.0;
/// Seconds that MySQL is waited for: `DB_DEADLINE`.
pub const DB_DEADLINE_S: f64 = 2.0;
/// Cores of an instance.
pub const CORES_AN_INSTANCE: f64 = 4.0;
/// Places in the queue for passwords of an instance: `PASSWORD_QUEUE`.
pub const QUEUE: f64 = 64.0;
/// Days that the outbox is kept: `OUTBOX_RETENTION`.
pub const OUTBOX_DAYS: f64 = 1.0;

/// What a request takes.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Seconds of a core: of the service, of MySQL, of Redis.
    pub core_s: [f64; 3],
    /// Bytes that MySQL writes to its redo log.
    pub redo: f64,
}

/// All that was measured: seconds of a core, bytes, rows.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// A login with the right password, argon2id included.
    pub login: Request,
    /// A refresh.
    pub refresh: Request,
    /// A logout of one session.
    pub logout: Request,
    /// A refresh whose session has ended.
    pub refused_refresh: Request,
    /// A login that is refused before a password is looked at.
    pub refused_login: Request,
    /// A check whose verdict is asked for, and whose use of the session is written down.
    pub first_verify: Request,
    /// A check whose verdict is kept.
    pub verify: Request,
    /// A check that MySQL answers, because Redis is away.
    pub verify_by_mysql: Request,
    /// A user in a logout of everybody.
    pub everybody: Request,
    /// A session that is filled into an empty Redis.
    pub filling: Request,
    /// A user of the outbox whose ledger is told late.
    pub telling: Request,
    /// A check at Redis alone, as beats are.
    pub check_s: f64,
    /// What is kept.
    pub bytes: Bytes,
    /// Rows of the trail that a login and its logout write.
    pub audit_rows: f64,
}

/// Bytes of what is kept, keys included.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// A row of MySQL.
    pub user: f64,
    /// One login.
    pub session: f64,
    /// One for each session.
    pub refresh: f64,
    /// Kept for a year.
    pub audit: f64,
    /// Kept for a day.
    pub outbox: f64,
    /// A key that Redis remembers for one client that keeps answers.
    pub tracked: f64,
    /// The same for each further client.
    pub tracked_again: f64,
    /// A ledger with one session.
    pub one_session: f64,
    /// A ledger with five.
    pub five_sessions: f64,
}

impl Costs {
    /// As measured, and as these operators say that their machines and their passwords are.
    pub fn of(people: &Population) -> Self {
        let mut costs = Self::measured();
        for request in costs.requests_mut() {
            request.core_s = request.core_s.map(|core_s| core_s * people.slower);
        }
        costs.check_s *= people.slower;
        if let Some(login_ms) = people.login_ms {
            costs.login.core_s[0] = login_ms / 1e3;
        }
        costs
    }

    /// As measured.
    pub fn measured() -> Self {
        Self {
            login: request("login"),
            refresh: request("refresh"),
            logout: request("logout"),
            refused_refresh: request("refresh of an ended session"),
            refused_login: request("login refused at sight"),
            first_verify: request("`/verify`, first of a minute"),
            verify: request("`/verify`, verdict kept"),
            verify_by_mysql: request("`/verify`, Redis away"),
            everybody: request("a user in a logout of everybody"),
            filling: request("a session filled into an empty Redis"),
            telling: request("a user of the outbox told"),
            check_s: number(&cell(RESULTS, "The module", "AUTH.CHECK, nothing revoked", 4)) / 1e9,
            bytes: Bytes {
                user: kept("row of `users`"),
                session: kept("row of `user_sessions`"),
                refresh: kept("row of `refresh_tokens`"),
                audit: kept("row of `audit_events`"),
                outbox: kept("row of `revocation_outbox`"),
                tracked: kept("key that Redis tracks for one client"),
                tracked_again: kept("the same key, for each further client"),
                one_session: ledger("one session, 150-byte device"),
                five_sessions: ledger("five such sessions *"),
            },
            audit_rows: kept("rows of `audit_events`, login and logout"),
        }
    }

    fn requests_mut(&mut self) -> [&mut Request; 11] {
        [
            &mut self.login,
            &mut self.refresh,
            &mut self.logout,
            &mut self.refused_refresh,
            &mut self.refused_login,
            &mut self.first_verify,
            &mut self.verify,
            &mut self.verify_by_mysql,
            &mut self.everybody,
            &mut self.filling,
            &mut self.telling,
        ]
    }
}

impl Request {
    /// Seconds that one takes where each thing waits for the other.
    pub fn in_turn_s(&self) -> f64 {
        self.core_s.iter().sum()
    }
}

/// On what and when the costs were measured.
pub fn machine() -> String {
    let lines = section(RESULTS, BILL).lines().filter(|line| line.starts_with("- "));
    lines.collect::<Vec<_>>().join("\n")
}

/// What was seen, as the bench wrote it.
pub fn seen(row: &str) -> String {
    cell(RESULTS, BILL, row, 1)
}

fn request(row: &str) -> Request {
    let at = |column| number(&cell(RESULTS, BILL, row, column));
    Request { core_s: [1, 2, 3].map(|column| at(column) / 1e6), redo: at(4) }
}

fn kept(row: &str) -> f64 {
    number(&cell(RESULTS, BILL, row, 1))
}

fn ledger(row: &str) -> f64 {
    number(&cell(MODULE, "Sizing", row, 1))
}

/// What stands below a heading of the second order.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let rest = page.split_once(&format!("\n## {heading}\n")).map_or("", |(_, rest)| rest);
    rest.split("\n## ").next().unwrap_or_default()
}

/// A cell of the row that begins so; the first is 0.
fn cell(page: &str, heading: &str, row: &str, column: usize) -> String {
    let beginning = format!("| {row} |");
    let line = section(page, heading).lines().find(|line| line.starts_with(&beginning));
    let line = line.unwrap_or_else(|| panic!("{heading:?} has no row {row:?}; run make sizing"));
    line.trim_matches('|').split('|').nth(column).unwrap_or_default().trim().to_owned()
}

/// The number that a cell begins with.
fn number(cell: &str) -> f64 {
    let number = cell.split(' ').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{cell:?} is no number; run make sizing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cost_was_measured() {
        let mut costs = Costs::measured();
        for request in costs.requests_mut() {
            assert!(request.in_turn_s() > 0.0, "{request:?}");
            assert!(request.in_turn_s() < 1.0, "these are seconds, for one: {request:?}");
        }
        assert!(costs.check_s > 0.0 && costs.check_s < 1e-4);
        assert!(costs.bytes.five_sessions > costs.bytes.one_session);
        assert!(costs.audit_rows >= 2.0);
        assert!(machine().contains("date: "));
    }

    #[test]
    fn a_cell_is_that_of_its_row_in_its_section() {
        let page = "\n## A\n| x | 1 |\n| xy | 2 ns | 3 |\n\n## B\n| x | 4 |\n";
        assert_eq!(cell(page, "A", "x", 1), "1");
        assert_eq!(number(&cell(page, "A", "xy", 1)).to_string(), "2");
        assert_eq!(cell(page, "A", "xy", 2), "3");
        assert_eq!(cell(page, "B", "x", 1), "4");
    }
}
