//! Three hours that an operator fears: a primary fails, everybody is logged out, everybody comes.
//!
//! What goes on besides takes its share of the cores; what the event brings is replayed.

use std::collections::BTreeMap;

use crate::costs;
use crate::needs::Needs;
use crate::population::Population;
use crate::queue::{Bound, Errand, Nanos, Outcome, Replay, SECOND, STATIONS, Station, nanos};
use crate::random::Random;

/// Groups in a replay: enough for smooth figures, few enough for a second.
const GROUPS: f64 = 200_000.0;
/// Of everything that is left to chance.
const SEED: u64 = 20_261_127;
/// Places in the order of the costs.
const SERVICE: usize = 0;
const MYSQL: usize = 1;
/// The place of a refresh among the errands.
pub const REFRESH: usize = 0;
/// The place of a login.
pub const LOGIN: usize = 1;
/// What is left of a station at least, however busy it is.
const LEAST_LEFT: f64 = 0.05;

/// What the replays are about.
pub struct Scene<'a> {
    /// What there is.
    pub needs: &'a Needs,
    /// Who is there.
    pub people: &'a Population,
}

/// A failover, told in instants.
#[derive(Clone, Debug)]
pub struct Failover {
    /// When the ledgers are believed again, if all of them are filled in.
    pub believed_after: Nanos,
    /// When, if Redis remembers until when it was up to date, and only what came since is told again.
    pub with_recent_mark: Nanos,
    /// Cores of MySQL that the checks take meanwhile.
    pub cores: f64,
    /// What came of the checks of its users.
    pub checks: Outcome,
}

/// What comes after everybody has been logged out.
#[derive(Clone, Debug)]
pub struct Storm {
    /// How long it takes until MySQL's rows say so of every session, in seconds. Nobody waits for it.
    pub marked_s: f64,
    /// Refreshes in the second in which most come; all are refused.
    pub refreshes: u64,
    /// Logins in the second in which most come for the first time.
    pub logins: u64,
    /// Bytes of redo that all of it writes.
    pub redo: f64,
    /// What came of these.
    pub outcome: Outcome,
}

impl Scene<'_> {
    /// Cores that are left beside what goes on at the busiest time, without the morning's logins.
    fn stations(&self, weight: u64) -> [Station; STATIONS] {
        let Needs { costs, checks, refreshes, touches, cores, mysql, redis, .. } = *self.needs;
        let there = [cores, self.people.mysql_cores * mysql.servers as f64, redis.primaries as f64];
        let mut at = 0;
        there.map(|there| {
            let busy = (checks - touches) * costs.verify.core_s[at]
                + touches * costs.first_verify.core_s[at]
                + refreshes * costs.refresh.core_s[at];
            at += 1;
            Station::new((there - busy).max(there * LEAST_LEFT), weight)
        })
    }

    fn replay(&self, errands: Vec<Errand>, weight: u64) -> Replay {
        Replay { stations: self.stations(weight), errands, weight, seed: SEED }
    }

    /// One primary is gone; a replica takes its place and is filled in.
    pub fn failover(&self) -> Failover {
        let Needs { costs, checks, redis, mysql, active, .. } = *self.needs;
        let a_second = checks / redis.primaries as f64;
        let sessions = self.needs.users * self.people.sessions / redis.primaries as f64;
        let filling_s = sessions * costs.filling.in_turn_s();
        let believed_s = self.people.detect + filling_s;
        // Logins, logouts and refreshes of the last seconds.
        let changed = active / self.people.access / redis.primaries as f64 * self.people.detect;
        let missing_s = self.people.detect + changed * costs.telling.in_turn_s();
        let weight = group(a_second * believed_s);
        let mut core_s = costs.verify_by_mysql.core_s;
        core_s[2] = 0.0;
        let bound = Bound {
            station: MYSQL,
            people: u64::MAX,
            delay: nanos(costs::DB_DEADLINE_S),
            refusal_core_s: 0.0,
            back_after_s: None,
        };
        let mut random = Random::new(SEED);
        let mut arrivals = Vec::new();
        let mut at = random.wait(weight as f64 / a_second);
        while at < believed_s {
            arrivals.push((nanos(at), 0));
            at += random.wait(weight as f64 / a_second);
        }
        let errand = Errand { core_s, bound: Some(bound), short_at: None };
        let mut outcome = self.replay(vec![errand], weight).run(&arrivals, None);
        outcome.normal_after = outcome.normal_after.max(nanos(believed_s));
        Failover {
            believed_after: nanos(believed_s),
            with_recent_mark: nanos(missing_s),
            cores: a_second * costs.verify_by_mysql.core_s[1] + mysql.cores,
            checks: outcome,
        }
    }

    /// Everybody is logged out, at one instant. Whoever is active finds out with the next request, fails
    /// to refresh, and logs in again.
    pub fn logout_of_everybody(&self) -> Storm {
        let Needs { costs, users, active, .. } = *self.needs;
        let weight = group(active * 2.0);
        let mut random = Random::new(SEED);
        let mut arrivals = Vec::new();
        for _ in 0..(active / weight as f64).round() as u64 {
            let noticed = random.wait(self.people.request_every);
            arrivals.push((nanos(noticed), REFRESH));
            // Two of three within the time given.
            arrivals.push((nanos(noticed + random.wait(self.people.return_within)), LOGIN));
        }
        let refused = short(costs.refused_refresh.core_s);
        Storm {
            marked_s: users * costs.everybody.in_turn_s(),
            refreshes: most_in_a_second(&arrivals, REFRESH) * weight,
            logins: most_in_a_second(&arrivals, LOGIN) * weight,
            redo: users * costs.everybody.redo
                + active * (costs.refused_refresh.redo + costs.login.redo),
            outcome: self.replay(vec![refused, self.login()], weight).run(&arrivals, None),
        }
    }

    /// The morning: more and more come until the middle of the rush, then fewer and fewer.
    pub fn morning(&self) -> Outcome {
        let people = self.needs.users * (self.people.logins + self.people.returning);
        let share = self.people.logins / (self.people.logins + self.people.returning);
        let weight = group(people);
        let mut random = Random::new(SEED);
        let arrivals: Vec<_> = (0..(people / weight as f64).round() as u64)
            .map(|_| {
                let at = f64::midpoint(random.share(), random.share()) * self.people.rush;
                (nanos(at), if random.share() < share { LOGIN } else { REFRESH })
            })
            .collect();
        let refresh = short(self.needs.costs.refresh.core_s);
        self.replay(vec![refresh, self.login()], weight).run(&arrivals, None)
    }

    /// A login, which is sent away where too many wait to have their password hashed.
    fn login(&self) -> Errand {
        let costs = &self.needs.costs;
        let bound = Bound {
            station: SERVICE,
            people: (self.needs.cores / costs::CORES_AN_INSTANCE * costs::QUEUE).ceil() as u64,
            delay: Nanos::MAX,
            refusal_core_s: costs.refused_login.core_s[SERVICE],
            back_after_s: Some(costs::RETRY_AFTER_S),
        };
        Errand { core_s: costs.login.core_s, bound: Some(bound), short_at: None }
    }
}

/// Whatever has no password to hash does not stand in the queue of those that have.
fn short(core_s: [f64; STATIONS]) -> Errand {
    Errand { core_s, bound: None, short_at: Some(SERVICE) }
}

/// How many people one of the replay stands for.
fn group(people: f64) -> u64 {
    (people / GROUPS).ceil().max(1.0) as u64
}

/// How many come for this in the second in which most do.
fn most_in_a_second(arrivals: &[(Nanos, usize)], errand: usize) -> u64 {
    let mut seconds = BTreeMap::<u64, u64>::new();
    for (at, _) in arrivals.iter().filter(|(_, wanted)| *wanted == errand) {
        *seconds.entry(at / SECOND).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or_default()
}
