//! `benches/RESULTS.md` and its charts: written by this program, never by hand.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use anyhow::Result;
use portcullis_tests::workspace;

use crate::chart::{Bar as ChartBar, svg};
use crate::footprint::{Memory, Snapshot, Stall};
use crate::speed::{NAMES, PIPELINES, Rates};

/// What was promised, what was measured, and whether that keeps the promise.
pub(crate) struct Bar {
    what: &'static str,
    promised: String,
    measured: String,
    met: bool,
}

/// A bar that is met from `least` on. What is compared is what is printed, so that no line of the page
/// contradicts itself.
pub(crate) fn at_least(what: &'static str, least: f64, measured: f64) -> Bar {
    let [least, measured] = [least, measured].map(|value| format!("{value:.2}"));
    let met = as_printed(&measured) >= as_printed(&least);
    Bar { what, promised: format!("≥ {least}"), measured, met }
}

/// A bar that is met up to `most` of `unit`.
pub(crate) fn at_most(what: &'static str, most: f64, measured: f64, unit: &str) -> Bar {
    let digits = if most < 5.0 { 2 } else { 1 };
    let [most, measured] = [most, measured].map(|value| format!("{value:.digits$}"));
    let met = as_printed(&measured) <= as_printed(&most);
    let text = |number: &str| format!("{number} {unit}").trim_end().to_owned();
    Bar { what, promised: format!("≤ {}", text(&most)), measured: text(&measured), met }
}

fn as_printed(number: &str) -> f64 {
    number.parse().unwrap_or(f64::NAN)
}

/// The table of bars.
pub(crate) fn bars_table(bars: &[Bar]) -> String {
    let mut table = "| what | bar | measured | met |\n|---|---|---|---|\n".to_owned();
    for Bar { what, promised, measured, met } in bars {
        let met = if *met { "yes" } else { "**no**" };
        line(&mut table, &format!("| {what} | {promised} | {measured} | {met} |"));
    }
    table
}

/// Requests a second of every contender, and the server's time for one.
pub(crate) fn rates_table(rates: &Rates) -> String {
    let mut table = "| command | `-P 1` | `-P 16` | `-P 100` | CPU at `-P 100` |\n".to_owned();
    line(&mut table, "|---|---|---|---|---|");
    for name in NAMES {
        let [one, some, many] = PIPELINES.map(|pipeline| shown(rates.median(name, pipeline)));
        let cpu_ns = rates.cpu_ns(name, 100);
        line(&mut table, &format!("| {name} | {one} | {some} | {many} | {cpu_ns:.0} ns |"));
    }
    table
}

/// The bars and the server's time for one command, on servers other than the usual one.
pub(crate) fn elsewhere(measured: &[(String, Vec<Bar>, Rates)]) -> String {
    let names: Vec<&str> = measured.iter().map(|(name, ..)| name.as_str()).collect();
    let Some((_, first, _)) = measured.first() else {
        return "Only one server was present; `tests/install bench` fetches others.".to_owned();
    };
    let mut table = format!("| what | bar | {} |\n", names.join(" | "));
    line(&mut table, &format!("|---|---|{}", "---|".repeat(names.len())));
    for (at, Bar { what, promised, .. }) in first.iter().enumerate() {
        let cells: Vec<&str> = measured.iter().map(|(_, bars, _)| &*bars[at].measured).collect();
        line(&mut table, &format!("| {what} | {promised} | {} |", cells.join(" | ")));
    }
    let heads: Vec<String> =
        names.iter().map(|name| format!("{name}, `-P 16` | `-P 100`")).collect();
    line(&mut table, &format!("\n| CPU for one command | {} |", heads.join(" | ")));
    line(&mut table, &format!("|---|{}", "---|".repeat(2 * names.len())));
    for name in NAMES {
        let cell = |(_, _, rates): &(String, Vec<Bar>, Rates)| {
            [16, 100].map(|pipeline| format!("{:.0} ns", rates.cpu_ns(name, pipeline))).join(" | ")
        };
        let cells: Vec<String> = measured.iter().map(cell).collect();
        line(&mut table, &format!("| {name} | {} |", cells.join(" | ")));
    }
    table
}

/// What is stored, beside the usual layout.
pub(crate) fn footprint_table(
    memory: &Memory,
    [ledgers, hashes]: &[Snapshot; 2],
    stall: &Stall,
) -> String {
    let mut table = "| what | ours | usual layout |\n|---|---|---|\n".to_owned();
    let rows = [
        ("revoked token, bytes of memory (a string)", memory.revoked, memory.revoked_as_string),
        (
            "user with one session, bytes of memory (hash, TTL, set)",
            memory.user,
            memory.user_as_hash_and_set,
        ),
        ("snapshot, MB (plain hash)", ledgers.bytes / 1e6, hashes.bytes / 1e6),
        ("snapshot, seconds to save (plain hash)", ledgers.save_s, hashes.save_s),
        ("snapshot, seconds to load (plain hash)", ledgers.load_s, hashes.load_s),
        ("longest command while filling, ms (`SET`)", stall.ours_ms, stall.set_ms),
    ];
    for (what, ours, usual) in rows {
        line(&mut table, &format!("| {what} | {ours:.2} | {usual:.2} |"));
    }
    table
}

/// Draws the comparisons and answers the Markdown that shows them.
pub(crate) fn charts(rates: &Rates, memory: &Memory) -> Result<String> {
    let mut shown_in = String::new();
    for pipeline in PIPELINES {
        let bar = |name: &&str| {
            let rate = rates.median(name, pipeline);
            ((*name).to_owned(), rate, shown(rate))
        };
        let bars: Vec<ChartBar> = NAMES.iter().map(bar).collect();
        let title = format!("requests a second, -P {pipeline}");
        chart(&mut shown_in, &format!("speed-p{pipeline}"), &title, &bars)?;
    }
    let bytes = |name: &str, value: f64| (name.to_owned(), value, format!("{value:.0} B"));
    let bars = [
        bytes("revoked token: AUTH ledger", memory.revoked),
        bytes("revoked token: string", memory.revoked_as_string),
        bytes("user, one session: AUTH ledger", memory.user),
        bytes("user, one session: hash + set", memory.user_as_hash_and_set),
    ];
    chart(&mut shown_in, "memory", "bytes of memory for each", &bars)?;
    Ok(shown_in)
}

/// What this was measured on; `more` are facts about one half.
pub(crate) fn machine(more: &[String]) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let rows = [
        format!("date: {}", first_line("date", &["-u", "+%F %H:%M UTC"])),
        format!("machine: {cores} cores of {}", model.map_or("unknown", |(_, model)| model)),
        format!("load average before: {}", load_average()),
        format!("kernel: {}", first_line("uname", &["-sr"])),
        format!("compiler: {}", first_line("rustc", &["--version"])),
    ];
    format!("- {}\n", [&rows, more].concat().join("\n- "))
}

/// The first line that a program prints, as a rule its version.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> String {
    let told = Command::new(program).args(arguments).output();
    let told = told.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    told.unwrap_or_default().lines().next().unwrap_or("unknown").to_owned()
}

/// The halves of the page.
pub(crate) const MODULE: &str = "The module";
pub(crate) const LONG: &str = "Ten million";
pub(crate) const PROCESS: &str = "In the process";
pub(crate) const SERVICE: &str = "The service";
pub(crate) const BILL: &str = "What each thing costs";

/// Writes one half of the page and keeps the other.
pub(crate) fn write(half: &str, sections: &[(&str, String)]) -> Result<()> {
    let mut written = String::new();
    for (heading, text) in sections {
        line(&mut written, &format!("\n### {heading}\n\n{}", text.trim_end()));
    }
    let path = workspace().join("benches/RESULTS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let mut page = "# Results\n\nWritten by `make bench`; do not edit.\n".to_owned();
    for name in [MODULE, LONG, PROCESS, SERVICE, BILL] {
        let text = if name == half { &written } else { under(&old, name) };
        if !text.trim().is_empty() {
            line(&mut page, &format!("\n## {name}\n{}", text.trim_end()));
        }
    }
    fs::write(path, page)?;
    Ok(())
}

/// What stands under a heading of the page.
fn under<'p>(page: &'p str, name: &str) -> &'p str {
    let rest = page.split_once(&format!("\n## {name}\n")).map_or("", |(_, rest)| rest);
    rest.split("\n## ").next().unwrap_or_default()
}

/// Draws one comparison and adds the Markdown that shows it.
pub(crate) fn chart(
    shown_in: &mut String,
    file: &str,
    title: &str,
    bars: &[ChartBar],
) -> Result<()> {
    let folder = workspace().join("benches/charts");
    fs::create_dir_all(&folder)?;
    let ours = |name: &str| name.contains("AUTH") || name.contains("Portcullis");
    let picture = svg(title, bars, ours);
    fs::write(folder.join(format!("{file}.svg")), picture)?;
    line(shown_in, &format!("![{title}](charts/{file}.svg)\n"));
    Ok(())
}

fn load_average() -> String {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// A rate as people read it.
fn shown(rate: f64) -> String {
    if rate >= 1e6 { format!("{:.2} M/s", rate / 1e6) } else { format!("{:.0} k/s", rate / 1e3) }
}

fn line(to: &mut String, text: &str) {
    writeln!(to, "{text}").expect("a string takes text");
}
