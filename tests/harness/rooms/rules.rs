//! What the layout of one crate asks for, and where the code does otherwise: one line each.

use std::collections::BTreeSet;

use super::arrows::{Arrow, Crate};
use super::circles::circles;
use super::table::Table;

/// The folders of `http/` in which every file is an endpoint, with the folder of its own name.
const ENDPOINTS: [&str; 6] = ["accounts", "tokens", "sessions", "services", "admin", "pages"];

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

/// Arrows between rooms that the table does not have. Those of files without a room are left out:
/// to have none is against a rule of its own.
pub(super) fn forbidden(table: &Table, arrows: &[Arrow]) -> Vec<String> {
    let rooms: BTreeSet<&str> = table.rooms().collect();
    let told = arrows.iter().filter_map(|arrow| {
        let (from, to) = (room(&arrow.from), room(&arrow.to));
        let are_rooms = rooms.contains(from) && rooms.contains(to);
        let told = || format!("{}: {}", in_words(arrow), table.rule(from));
        (are_rooms && !table.allows(from, to)).then(told)
    });
    told.collect()
}

/// Circles of files that use each other.
pub(super) fn circling(arrows: &[Arrow]) -> Vec<String> {
    let circles = circles(arrows);
    let told = circles.iter().map(|circle| {
        let files: Vec<&str> = circle.files.iter().copied().collect();
        let way: Vec<String> = circle.shortest.iter().map(|arrow| in_words(arrow)).collect();
        let (count, files) = (files.len(), files.join(", "));
        format!(
            "{count} files in a circle: {files}; a short way round:\n    {}",
            way.join("\n    ")
        )
    });
    told.collect()
}

/// Arrows from one endpoint to another.
pub(super) fn between_endpoints(all: &Crate, arrows: &[Arrow]) -> Vec<String> {
    let told = arrows.iter().filter_map(|arrow| {
        let (from, to) = (endpoint(all, &arrow.from)?, endpoint(all, &arrow.to)?);
        let rule = || format!("{}: {from} and {to} are two endpoints", in_words(arrow));
        (from != to).then(rule)
    });
    told.collect()
}

/// `http/tokens/login` of its file and its folder. A folder's face that does more than to list what
/// is there is an endpoint itself.
fn endpoint(all: &Crate, file: &str) -> Option<String> {
    let path: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    match path[..] {
        ["http", folder] if ENDPOINTS.contains(&folder) && !all.only_lists(file) => {
            Some(path.join("/"))
        }
        ["http", folder, _, ..] if ENDPOINTS.contains(&folder) => Some(path[..3].join("/")),
        _ => None,
    }
}

/// `error.rs:12 uses Metrics of metrics.rs`
fn in_words(arrow: &Arrow) -> String {
    let Arrow { from, to, names } = arrow;
    let line = names.values().min().unwrap_or(&0);
    let names: Vec<&str> = names.keys().map(String::as_str).collect();
    format!("{from}:{line} uses {} of {to}", names.join(", "))
}
