//! What the layout of one crate asks for, and where the code does otherwise: one line each.

use std::collections::BTreeSet;

use super::table::Table;

/// `ledger` of `ledger.rs` and of everything in `ledger/`.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Files that are in no room, and rooms that have no file.
pub(super) fn without_room(table: &Table, files: &[&str]) -> Vec<String> {
    let rooms: BTreeSet<&str> = table.rooms().collect();
    let used: BTreeSet<&str> = files.iter().map(|file| room(file)).collect();
    let homeless = files.iter().filter(|file| !rooms.contains(room(file)));
    let homeless = homeless.map(|file| format!("{file}: {}", table.rule(room(file))));
    let empty = rooms.difference(&used).map(|room| format!("`{room}` has no file"));
    homeless.chain(empty).collect()
}
