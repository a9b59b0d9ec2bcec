//! What is printed: two tables, a column for each population.

use std::fmt::Write as _;

use crate::needs::Needs;
use crate::population::Population;
use crate::queue::{Nanos, Outcome, STATIONS, Took, seconds};
use crate::replay::{Failover, LOGIN, REFRESH, Scene, Storm};

/// Everything that is printed.
pub fn all(people: &Population) -> String {
    format!("{}\n{}\n{}", needs(people), replays(people), assumptions(people))
}

/// What each population needs.
pub fn needs(people: &Population) -> String {
    let all = people.users.iter().map(|users| needs_column(&Needs::of(*users, people)));
    table(people, &all.collect::<Vec<_>>())
}

/// What each population goes through.
pub fn replays(people: &Population) -> String {
    let all = people.users.iter().map(|users| {
        let needs = Needs::of(*users, people);
        let scene = Scene { needs: &needs, people };
        let mut column = failover_column(&scene.failover());
        column.extend(logout_column(&scene));
        column.extend(outcome_rows("morning's rush", &scene.morning()));
        column
    });
    table(people, &all.collect::<Vec<_>>())
}

/// A row: what, and how much.
type Column = Vec<(String, String)>;

fn needs_column(needs: &Needs) -> Column {
    let Needs { redis, mysql, keepers, .. } = needs;
    let rows = [
        ("active users at the busiest time", count(needs.active)),
        ("their checked requests a second", count(needs.checks)),
        ("their refreshes a second", count(needs.refreshes)),
        ("logins a second in the middle of the rush", count(needs.logins)),
        ("**service**: cores", count(needs.cores)),
        ("**Redis**: memory of the ledgers", gib(redis.gib)),
        ("the same, with room for a snapshot", gib(redis.gib * 2.0)),
        ("primaries for the memory", count(redis.for_memory as f64)),
        ("primaries for the speed", count(redis.for_speed as f64)),
        ("primaries so that MySQL bears one that fails", count(redis.for_failover as f64)),
        ("primaries taken here", count(redis.primaries as f64)),
        ("cores in use, all primaries together", cores(redis.cores)),
        ("time to fill one empty primary", time_s(redis.fill_s)),
        ("time to fill all of them at once", time_s(redis.fill_all_s)),
        ("**MySQL**: rows", count(mysql.rows)),
        ("size with keys", gib(mysql.gib)),
        ("cores in use at the busiest time", cores(mysql.cores)),
        ("redo a second then", megabytes(mysql.redo_a_second)),
        ("redo a day", megabytes(mysql.redo_a_day)),
        ("servers that would be needed, each with users of its own", count(mysql.servers as f64)),
        ("**services with the client crate**: connections", count(keepers.connections)),
        ("beats a second", count(keepers.beats)),
        ("cores of Redis that the beats take", cores(keepers.core)),
        ("keys that Redis tracks (`tracking-table-max-keys`)", count(keepers.keys)),
        ("memory of the tracking table", megabytes(keepers.table)),
    ];
    rows.map(|(what, much)| (what.to_owned(), much)).to_vec()
}

fn failover_column(failover: &Failover) -> Column {
    let Failover { believed_after, with_recent_mark, cores: busy, checks } = failover;
    let share = 100.0 * checks.turned_away as f64 / checks.came.max(1) as f64;
    let [_, queue, _] = checks.longest_queue;
    let rows = [
        ("**a primary fails**: its users' checks that MySQL answers", count(checks.served as f64)),
        ("cores of MySQL in use meanwhile", cores(*busy)),
        ("longest queue at MySQL", count(queue as f64)),
        ("longest wait", time(checks.took[0].longest)),
        ("checks answered 503", format!("{} %", digits(share))),
        ("all is normal after", time(checks.normal_after.max(*believed_after))),
        ("the same, if only what is missing is told again", time(*with_recent_mark)),
    ];
    rows.map(|(what, much)| (what.to_owned(), much)).to_vec()
}

fn logout_column(scene: &Scene<'_>) -> Column {
    let Storm { marked_s, refreshes, logins, redo, outcome } = scene.logout_of_everybody();
    let mut rows = outcome_rows("everybody is logged out", &outcome);
    let storm = [
        ("refreshes in the worst second, all refused", count(refreshes as f64)),
        ("first logins in the worst second", count(logins as f64)),
        ("redo that all of it writes", megabytes(redo)),
        ("all rows of sessions say so after", time_s(marked_s)),
    ];
    let storm = storm.map(|(what, much)| (what.to_owned(), much));
    rows.splice(1..1, storm);
    rows
}

fn outcome_rows(what: &str, outcome: &Outcome) -> Column {
    let [service, mysql, _]: [u64; STATIONS] = outcome.longest_queue;
    let mut rows = vec![
        (format!("**{what}**: requests of those who come"), count(outcome.came as f64)),
        ("longest queue at the service".to_owned(), count(service as f64)),
        ("longest queue at MySQL".to_owned(), count(mysql as f64)),
        ("answers 503, each followed by another try".to_owned(), count(outcome.refusals as f64)),
    ];
    for (errand, of) in [(REFRESH, "refreshes"), (LOGIN, "logins")] {
        let Took { median, p99, longest } = outcome.took[errand];
        let times = [("half", median), ("99 of 100", p99), ("all", longest)];
        rows.extend(
            times.map(|(which, it)| (format!("{which} of the {of} take at most"), time(it))),
        );
    }
    let normal = match outcome.normal_after {
        0 => "it always is".to_owned(),
        after => time(after),
    };
    rows.push(("all is normal after".to_owned(), normal));
    rows
}

fn table(people: &Population, columns: &[Column]) -> String {
    let heads: Vec<String> =
        people.users.iter().map(|users| format!("{} users", count(*users as f64))).collect();
    let mut table = format!("| | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    let rows = columns.first().map_or(0, Vec::len);
    for row in 0..rows {
        let what = &columns[0][row].0;
        let cells: Vec<&str> = columns.iter().map(|column| column[row].1.as_str()).collect();
        writeln!(table, "| {what} | {} |", cells.join(" | ")).expect("a string takes text");
    }
    table
}

/// What the figures rest on, in a sentence each.
pub fn assumptions(people: &Population) -> String {
    let Population { sessions, online, peak, request_every, access, .. } = people;
    let Population { logins, returning, rush, return_within, detect, .. } = people;
    let Population { services, lease, utilisation, primary_gib, mysql_cores, .. } = people;
    format!(
        "Assumed: {sessions} sessions a user; {online} of all users active, {peak} times as many at the \
         busiest time; a checked request every {request_every} s; access tokens of {access} s; in the \
         morning {logins} of all users log in and {returning} come back within {rush} s; most log in \
         again within {return_within} s; a failover takes {detect} s; {services} services with the \
         client crate and leases of {lease} s; cores are used to {utilisation}; {primary_gib} GiB of \
         ledgers a primary; {mysql_cores} cores of MySQL.\n"
    )
}

/// Two digits that count.
fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let places = 1 - value.abs().log10().floor() as i32;
    let power = 10_f64.powi(places);
    let rounded = (value * power).round() / power;
    let text = format!("{rounded:.*}", places.max(0) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A count; whole below a thousand.
fn count(value: f64) -> String {
    match value {
        0.0..1_000.0 => format!("{:.0}", value.ceil()),
        1_000.0..1e6 => format!("{} thousand", digits(value / 1e3)),
        1e6..1e9 => format!("{} million", digits(value / 1e6)),
        _ => format!("{} billion", digits(value / 1e9)),
    }
}

fn cores(value: f64) -> String {
    digits(value)
}

fn gib(value: f64) -> String {
    if value < 1024.0 {
        format!("{} GiB", digits(value))
    } else {
        format!("{} TiB", digits(value / 1024.0))
    }
}

fn megabytes(bytes: f64) -> String {
    match bytes {
        0.0..1e9 => format!("{} MB", digits(bytes / 1e6)),
        1e9..1e12 => format!("{} GB", digits(bytes / 1e9)),
        _ => format!("{} TB", digits(bytes / 1e12)),
    }
}

fn time(nanos: Nanos) -> String {
    time_s(seconds(nanos))
}

fn time_s(value: f64) -> String {
    match value {
        0.0..1.0 => format!("{} ms", digits(value * 1e3)),
        1.0..120.0 => format!("{} s", digits(value)),
        120.0..7_200.0 => format!("{} min", digits(value / 60.0)),
        7_200.0..172_800.0 => format!("{} h", digits(value / 3_600.0)),
        _ => format!("{} days", digits(value / 86_400.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(count(999.2), "1000");
        assert_eq!(count(12_345.0), "12 thousand");
        assert_eq!(count(60_000_000.0), "60 million");
        assert_eq!(time_s(0.012_34), "12 ms");
        assert_eq!(time_s(59.4), "59 s");
        assert_eq!(time_s(3_600.0), "60 min");
        assert_eq!(megabytes(1.25e9), "1.3 GB");
        assert_eq!(gib(71.4), "71 GiB");
        assert_eq!(digits(0.0), "0");
        assert_eq!(digits(0.004_56), "0.0046");
    }
}
