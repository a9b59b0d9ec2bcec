//! What is printed: a line for each scenario, and what was found in the end.

use crate::fault::Outcome;
use crate::scenarios::Scenario;

/// What came of a scenario.
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    pub(crate) outcome: Outcome,
    pub(crate) failure: Option<String>,
    pub(crate) rounds: u32,
}

impl Row {
    pub(crate) fn holds(&self) -> bool {
        self.failure.is_none()
    }
}

pub(crate) fn list(scenarios: &[Scenario]) {
    for scenario in scenarios {
        println!("{:<18} {}", scenario.name, scenario.what);
    }
}

pub(crate) fn head(lease: u64, rounds: u32) {
    println!(
        "lease {lease} ms, {rounds} rounds; the last OK is counted from the end that it outlived\n"
    );
    println!(
        "{:<18} {:<7} {:>6} {:>8} {:>9}  what must hold",
        "", "", "rounds", "judged", "last OK"
    );
}

pub(crate) fn row(Row { scenario, outcome, failure, rounds }: &Row) {
    let last = outcome.last_ok.map_or_else(
        || "none".to_owned(),
        |late| format!("{}.{} ms", late.as_millis(), late.subsec_micros() / 100 % 10),
    );
    let verdict = if failure.is_some() { "FAILED" } else { "holds" };
    let (name, what, judged) = (scenario.name, scenario.what, outcome.judged);
    println!("{name:<18} {verdict:<7} {rounds:>6} {judged:>8} {last:>9}  {what}");
    if let Some(why) = failure {
        println!("{:<18} {why}", "");
    }
}

pub(crate) fn sum(rows: &[Row]) {
    let failed: Vec<&str> =
        rows.iter().filter(|row| !row.holds()).map(|row| row.scenario.name).collect();
    let judged: u64 = rows.iter().map(|row| row.outcome.judged).sum();
    if failed.is_empty() {
        println!("\nall {} scenarios hold; {judged} answers were judged", rows.len());
    } else {
        println!("\n{} of {} scenarios failed: {}", failed.len(), rows.len(), failed.join(", "));
    }
}
