//! What each thing costs, for whoever plans an installation: processor time of the service, MySQL and
//! Redis for one request of each kind, and for work in bulk; bytes of a row.
//!
//! `portcullis-sizing` calculates with these figures. They are processor times, which hardly depend on
//! what else the machine does. At the end two things that an operator fears are done for real, so that
//! they can stand beside what it computes for them.

mod bulk;
mod cost;
mod line;
mod rehearsal;
mod requests;
mod rows;
mod tracking;

use std::fmt::Write as _;

use anyhow::Result;
use portcullis_tests::{Database, DatabaseKind, servers};

use crate::bill::cost::Cost;
use crate::bill::rehearsal::Seen;
use crate::http::costs::stored_password;
use crate::http::people::{populate, spread};
use crate::http::servers::{Programs, Site};
use crate::report;
use crate::stage::Stage;

/// Users with five sessions each, in the database that all of it is measured in.
const USERS: u64 = 40_000;
/// Tokens of these that are checked.
const CHECKED: u64 = 20_000;

/// Measures all of it and writes its part of the page; there are no bars.
pub(crate) fn measure() -> Result<()> {
    let programs = Programs::build()?;
    let stage = Stage::build()?;
    let machine = machine();
    let mariadb = Database::start_kind(DatabaseKind::MariaDb);
    mariadb.execute("set global innodb_buffer_pool_size = 1073741824");
    println!("bill: {USERS} users with five sessions each");
    populate(&mariadb, "bill", USERS, &stored_password()?);
    rows::complete(&mariadb);
    let people = spread(CHECKED, USERS)?;
    let mut site = Site::open(&programs, &mariadb, "bill", &people[0], None)?;

    let mut costs = requests::measure(&site, &mariadb, &people)?;
    let audit_rows = rows::audited(&mariadb) / requests::LOGINS as f64;
    bulk::without_redis(&mut site, &mariadb, (&people, &mut costs))?;
    let filling = bulk::filled(&mut site, &mariadb, USERS)?;
    costs.push(("a session filled into an empty Redis", filling));
    let mut seen = vec![rehearsal::filled(&mut site, &mariadb)?];
    costs.push(("a user of the outbox told", bulk::outbox(&site, &mariadb)?));
    costs.push(("a user in a logout of everybody", bulk::everybody(&site, &mariadb)?));
    seen.extend(rehearsal::everybody_comes_back(&site, &people)?);
    let sizes = rows::sizes(&mariadb);
    let tracked = tracking::bytes(&stage)?;
    report::write(
        report::BILL,
        &[
            ("Machine", machine),
            ("Costs", costs_table(&costs) + ABOUT),
            ("Bytes", bytes_table(&sizes, tracked, audit_rows)),
            ("Seen", seen_table(&seen) + ABOUT_SEEN),
        ],
    )
}

/// What this is measured on.
fn machine() -> String {
    report::machine(&[
        "service on core 0, everything else on core 1".to_owned(),
        format!(
            "stores: {}, {}",
            servers()[0].name,
            report::first_line("mariadbd", &["--version"])
        ),
    ])
}

const ABOUT: &str = "\nSix connections at a time; MariaDB, whose redo is in bytes. A login is by a \
     stranger's device, with a password hash of 19 MiB and two passes. A user in a logout of everybody \
     has five sessions.\n";

const ABOUT_SEEN: &str = "\nOn the two cores, whoever else used them. Who comes back after a logout of \
     everybody has the refresh refused and logs in, and tries again after a 503.\n";

fn costs_table(costs: &[(&str, Cost)]) -> String {
    let mut table = "| one | service, µs | MySQL, µs | Redis, µs | redo, bytes |\n".to_owned();
    table += "|---|---|---|---|---|\n";
    for (what, Cost { service_us, mysql_us, redis_us, redo_bytes }) in costs {
        let line = format!("{service_us:.1} | {mysql_us:.1} | {redis_us:.1} | {redo_bytes:.0}");
        writeln!(table, "| {what} | {line} |").expect("a string takes text");
    }
    table
}

fn bytes_table(sizes: &[(&str, f64)], [first, further]: [f64; 2], audit_rows: f64) -> String {
    let rows = sizes.iter().map(|(table, size)| format!("row of `{table}` | {size:.0}"));
    let tracked = [
        format!("key that Redis tracks for one client | {first:.0}"),
        format!("the same key, for each further client | {further:.0}"),
        format!("rows of `audit_events`, login and logout | {audit_rows:.2}"),
    ];
    let lines: Vec<String> = rows.chain(tracked).map(|row| format!("| {row} |\n")).collect();
    format!("| what is kept | bytes, or rows |\n|---|---|\n{}", lines.concat())
}

fn seen_table(all: &[Seen]) -> String {
    let line = |(row, figure): &Seen| format!("| {} | {} |\n", row.name(), row.shown(*figure));
    let lines: Vec<String> = all.iter().map(line).collect();
    format!("| what | seen |\n|---|---|\n{}", lines.concat())
}
