//! The page on the alternatives: its figures are those that were measured, its statements have sources.

use std::fs;

use portcullis_tests::workspace;

use crate::pages::service_page;

/// How far another machine may be from the page.
const TOLERANCE: f64 = 0.2;

#[test]
fn f_54_the_ratios_on_the_page_are_those_that_were_measured() {
    let measured = Results::read();
    let cpu = |command: &str| measured.number(command, 4);
    let three = cpu("EXISTS") + cpu("GET") + cpu("HGET");
    let check = cpu("AUTH.CHECK, nothing revoked");
    let verify = measured.number("Portcullis, `/verify`", 2);
    let idle = measured.number("axum handler that does nothing, `/verify`", 2);
    let ratio = |row: &str| measured.number(row, 1) / measured.number(row, 2);
    let bar = |row: &str| measured.number(row, 2);
    let expected = [
        ("memory of one revoked token", ratio("revoked token, bytes of memory (a string)")),
        ("memory of a user", ratio("user with one session, bytes of memory (hash, TTL, set)")),
        ("processor time of Redis, -P 100: AUTH.CHECK", check / cpu("EXISTS")),
        ("processor time of Redis, -P 100: EXISTS", three / check),
        ("processor time of Redis, -P 16: EXISTS", bar("against three commands, `-P 16`")),
        (
            "processor time of Redis, -P 16: the same",
            bar("against `EVALSHA` doing the same, `-P 16`"),
        ),
        ("processor time: /introspect", measured.number("Portcullis, `/introspect`", 2) / verify),
        ("processor time: /verify", verify / idle),
    ];
    let page = service_page("why-not.md");
    for (row, expected) in expected {
        let rows = page.rows(row);
        let [row] = &rows[..] else { panic!("{} rows begin with {row}", rows.len()) };
        let told: f64 = row[1].parse().unwrap_or_else(|_| panic!("no ratio: {row:?}"));
        let is_near = (told / expected - 1.0).abs() < TOLERANCE;
        assert!(is_near, "{}: the page says {told}, measured was {expected:.2}", row[0]);
    }
}

#[test]
fn f_54_every_statement_about_another_product_has_its_source() {
    let page = service_page("why-not.md");
    let (_, rest) = page.text.split_once("\n## Auth servers\n").expect("there is a heading");
    let table = rest.split("\n## ").next().unwrap_or_default();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 9, "only {} products", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert!(cells[2].contains("](https://"), "no source for what happens: {row}");
    }
    assert!(page.text.contains("read on 26 November 2026"), "the page says when it was read");
}

/// The tables that `make bench` has written.
struct Results(String);

impl Results {
    fn read() -> Self {
        Self(fs::read_to_string(workspace().join("benches/RESULTS.md")).expect("it is there"))
    }

    /// The number in this cell of the row that begins like this.
    fn number(&self, row: &str, cell: usize) -> f64 {
        let beginning = format!("| {row} |");
        let line = self.0.lines().find(|line| line.starts_with(&beginning));
        let line = line.unwrap_or_else(|| panic!("RESULTS.md has no row {row}"));
        let text = line.trim_matches('|').split('|').nth(cell).unwrap_or_default().trim();
        let number = text.split(' ').next().unwrap_or_default();
        number.parse().unwrap_or_else(|_| panic!("no number in {row}: {text}"))
    }
}
