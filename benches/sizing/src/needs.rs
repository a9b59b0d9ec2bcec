//! What is needed at any time: arithmetic from costs and a population, nothing that queues.

use crate::costs::{self, Costs};
use crate::population::Population;

const DAY_S: f64 = 86_400.0;
const GIB: f64 = 1_073_741_824.0;

/// What one population needs.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// What it was computed from.
    pub costs: Costs,
    /// Users.
    pub users: f64,
    /// Users who are active at the busiest time.
    pub active: f64,
    /// Their checked requests a second.
    pub checks: f64,
    /// Their refreshes a second.
    pub refreshes: f64,
    /// Sessions a second whose use is written down.
    pub touches: f64,
    /// Logins a second in the middle of the morning's rush.
    pub logins: f64,
    /// Refreshes a second of those who come back in it.
    pub returns: f64,
    /// Redis.
    pub redis: Redis,
    /// Cores of the service.
    pub cores: f64,
    /// MySQL.
    pub mysql: MySql,
    /// Services that keep answers.
    pub keepers: Keepers,
}

/// What Redis has to hold and to do.
#[derive(Clone, Copy, Debug)]
pub struct Redis {
    /// GiB of ledgers.
    pub gib: f64,
    /// Primaries that hold them.
    pub for_memory: u64,
    /// Primaries that are no busier than allowed.
    pub for_speed: u64,
    /// Primaries of which one can fail without its checks being more than MySQL has cores left for.
    pub for_failover: u64,
    /// Primaries that there are.
    pub primaries: u64,
    /// Cores of Redis in use, all together.
    pub cores: f64,
    /// Seconds to fill one primary that comes back empty.
    pub fill_s: f64,
    /// Seconds to fill all of them, one instance a primary, as fast as MySQL reads.
    pub fill_all_s: f64,
}

/// What MySQL has to hold and to do.
#[derive(Clone, Copy, Debug)]
pub struct MySql {
    /// Rows.
    pub rows: f64,
    /// GiB with keys.
    pub gib: f64,
    /// Cores in use at the busiest time.
    pub cores: f64,
    /// Bytes of redo a second then.
    pub redo_a_second: f64,
    /// Bytes of redo a day.
    pub redo_a_day: f64,
    /// Servers that would be no busier than allowed, each with users of its own.
    pub servers: u64,
}

/// What services that use the client crate take of Redis.
#[derive(Clone, Copy, Debug)]
pub struct Keepers {
    /// Connections, and with each a thread of theirs.
    pub connections: f64,
    /// Beats a second.
    pub beats: f64,
    /// Share of a core of Redis that the beats take.
    pub core: f64,
    /// Keys that Redis remembers.
    pub keys: f64,
    /// Bytes of the table of these.
    pub table: f64,
}

impl Needs {
    /// Of so many users with these habits.
    pub fn of(users: u64, people: &Population) -> Self {
        let users = users as f64;
        let active = users * people.online * people.peak;
        let (checks, refreshes) = (active / people.request_every, active / people.access);
        let touches = active / costs::TOUCH_S.max(people.request_every);
        // A triangle is twice as high as a block of the same area.
        let at_the_top = 2.0 / people.rush;
        let logins = users * people.logins * at_the_top;
        let returns = users * people.returning * at_the_top;
        let costs = Costs::of(people);
        let rates = Rates { checks, refreshes: refreshes + returns, touches, logins };
        let [service, mysql_cores, redis_cores] = rates.cores(&costs);
        let mut mysql = MySql {
            cores: mysql_cores,
            servers: at_least_one(mysql_cores / people.utilisation / people.mysql_cores),
            redo_a_second: rates.redo(&costs),
            redo_a_day: redo_a_day(users, people, &costs),
            rows: 0.0,
            gib: 0.0,
        };
        mysql.hold(users, people, &costs);
        Self {
            users,
            active,
            checks,
            refreshes,
            touches,
            logins,
            returns,
            redis: redis(users, people, &mysql, (&costs, checks, redis_cores)),
            cores: people.cores.unwrap_or_else(|| (service / people.utilisation).ceil().max(2.0)),
            mysql,
            keepers: keepers(active, people, &costs),
            costs,
        }
    }
}

/// What is asked a second.
struct Rates {
    checks: f64,
    refreshes: f64,
    touches: f64,
    logins: f64,
}

impl Rates {
    /// Cores of the service, of MySQL and of Redis in use. Checks that find a kept verdict ask nobody;
    /// one in a touch interval asks, and has the use of its session written down.
    fn cores(&self, costs: &Costs) -> [f64; 3] {
        let costs = [
            (self.checks - self.touches, costs.verify),
            (self.touches, costs.first_verify),
            (self.refreshes, costs.refresh),
            (self.logins, costs.login),
        ];
        let of = |station: usize| costs.iter().map(|(rate, it)| rate * it.core_s[station]).sum();
        [of(0), of(1), of(2)]
    }

    fn redo(&self, costs: &Costs) -> f64 {
        self.touches * costs.first_verify.redo
            + self.refreshes * costs.refresh.redo
            + self.logins * costs.login.redo
    }
}

/// Everybody who logs in also logs out, on the same day or another.
fn redo_a_day(users: f64, people: &Population, costs: &Costs) -> f64 {
    let average = users * people.online;
    let touches = DAY_S / costs::TOUCH_S.max(people.request_every);
    let refreshes = average * DAY_S / people.access + users * people.returning;
    average * touches * costs.first_verify.redo
        + refreshes * costs.refresh.redo
        + users * people.logins * (costs.login.redo + costs.logout.redo)
}

impl MySql {
    /// Live sessions and those that ended, with their refresh tokens; the trail; a day of the outbox.
    fn hold(&mut self, users: f64, people: &Population, costs: &Costs) {
        let logins_a_day = users * people.logins;
        let sessions = (users * people.sessions).max(logins_a_day * costs::SESSION_DAYS);
        let events = logins_a_day * costs.audit_rows * costs::AUDIT_DAYS;
        // A login may end an older session, and a logout does.
        let changes = logins_a_day * 2.0 * costs::OUTBOX_DAYS;
        let tables = [
            (users, costs.bytes.user),
            (sessions, costs.bytes.session),
            (sessions, costs.bytes.refresh),
            (events, costs.bytes.audit),
            (changes, costs.bytes.outbox),
        ];
        self.rows = tables.iter().map(|(rows, _)| rows).sum();
        self.gib = tables.iter().map(|(rows, bytes)| rows * bytes).sum::<f64>() / GIB;
    }
}

/// Bytes of a ledger with so many sessions.
fn ledger_bytes(sessions: f64, bytes: &costs::Bytes) -> f64 {
    let further = (bytes.five_sessions - bytes.one_session) / 4.0;
    bytes.one_session + (sessions - 1.0) * further
}

fn redis(
    users: f64,
    people: &Population,
    mysql: &MySql,
    (costs, checks, cores): (&Costs, f64, f64),
) -> Redis {
    let gib = users * ledger_bytes(people.sessions, &costs.bytes) / GIB;
    let for_memory = at_least_one(gib / people.primary_gib);
    let for_speed = at_least_one(cores / people.utilisation);
    // What is left of a MySQL server that has no more to do than it may.
    let left = people.mysql_cores * mysql.servers as f64 - mysql.cores;
    let for_failover = at_least_one(checks * costs.verify_by_mysql.core_s[1] / left);
    let most = for_memory.max(for_speed).max(for_failover);
    let primaries = people.primaries.unwrap_or(most);
    let sessions = users * people.sessions;
    let fill = |sessions: f64| sessions * costs.filling.in_turn_s();
    // Filling takes a core of MySQL for each primary that is filled.
    let at_once = (primaries as f64).min(people.mysql_cores * mysql.servers as f64);
    Redis {
        gib,
        for_memory,
        for_speed,
        for_failover,
        primaries,
        cores,
        fill_s: fill(sessions / primaries as f64),
        fill_all_s: fill(sessions / at_once),
    }
}

fn keepers(active: f64, people: &Population, costs: &Costs) -> Keepers {
    let services = f64::from(people.services);
    let beats = services / (people.lease / 4.0);
    let key = costs.bytes.tracked + (services - 1.0) * costs.bytes.tracked_again;
    Keepers {
        connections: services,
        beats,
        core: beats * costs.check_s,
        keys: active,
        table: active * key,
    }
}

fn at_least_one(count: f64) -> u64 {
    count.ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        people: Population,
    }

    fn people(words: &[&str]) -> Population {
        Command::parse_from([&["sizing"], words].concat()).people
    }

    #[test]
    fn a_million_with_two_sessions_are_what_the_page_of_the_module_says() {
        let needs = Needs::of(1_000_000, &people(&[]));
        // 1,000,000 × (170 + 2 × (48 + 224)) bytes, there.
        assert!((needs.redis.gib * GIB / 714e6 - 1.0).abs() < 0.01, "{} GiB", needs.redis.gib);
        assert_eq!((needs.redis.for_memory, needs.mysql.servers), (1, 1));
    }

    #[test]
    fn ten_times_the_users_are_ten_times_the_work() {
        let [few, many] = [1_000_000, 10_000_000].map(|users| Needs::of(users, &people(&[])));
        for (few, many) in [
            (few.checks, many.checks),
            (few.redis.gib, many.redis.gib),
            (few.mysql.rows, many.mysql.rows),
            (few.mysql.redo_a_day, many.mysql.redo_a_day),
            (few.mysql.cores, many.mysql.cores),
        ] {
            assert!((many / few / 10.0 - 1.0).abs() < 1e-9, "{few} and {many}");
        }
        assert!(few.cores < many.cores && few.redis.primaries <= many.redis.primaries);
    }

    #[test]
    fn primaries_are_as_many_as_the_strictest_of_the_three_wants() {
        let plenty = Needs::of(100_000_000, &people(&["--primary-gib", "1"]));
        assert_eq!(plenty.redis.primaries, plenty.redis.for_memory);
        assert!(plenty.redis.for_memory > 60);
        let small = Needs::of(100_000_000, &people(&["--primary-gib", "1", "--primaries", "3"]));
        assert_eq!(small.redis.primaries, 3);
        assert!(small.redis.fill_s > plenty.redis.fill_s);
    }
}
