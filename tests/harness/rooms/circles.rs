//! Which files use each other in a circle, and the shortest way round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::arrows::Arrow;

/// Files each of which leads to each other.
pub(super) struct Circle<'a> {
    pub(super) files: BTreeSet<&'a str>,
    /// One of the shortest ways from a file of it back to the same.
    pub(super) shortest: Vec<&'a Arrow>,
}

pub(super) fn circles(arrows: &[Arrow]) -> Vec<Circle<'_>> {
    let mut found: Vec<Circle<'_>> = Vec::new();
    let ways: BTreeMap<&str, _> =
        arrows.iter().map(|arrow| (&*arrow.from, ways(arrows, &arrow.from))).collect();
    for (&file, way) in &ways {
        let is_new = !found.iter().any(|circle| circle.files.contains(file));
        if is_new && way.contains_key(file) {
            let leads_back = |other: &&str| ways.get(other).is_some_and(|w| w.contains_key(file));
            let files: BTreeSet<&str> = way.keys().copied().filter(leads_back).collect();
            let loops = files.iter().map(|&file| ways[file][file].clone());
            let shortest = loops.min_by_key(Vec::len).unwrap_or_default();
            found.push(Circle { files, shortest });
        }
    }
    found
}

/// A shortest way from a file to each that it leads to, itself included.
fn ways<'a>(arrows: &'a [Arrow], from: &str) -> BTreeMap<&'a str, Vec<&'a Arrow>> {
    let mut found: BTreeMap<&str, Vec<&Arrow>> = BTreeMap::new();
    let mut ahead = VecDeque::from([(from, Vec::new())]);
    while let Some((file, way)) = ahead.pop_front() {
        for arrow in arrows.iter().filter(|arrow| arrow.from == file) {
            if !found.contains_key(&*arrow.to) {
                let longer = [way.as_slice(), &[arrow]].concat();
                found.insert(&arrow.to, longer.clone());
                ahead.push_back((&arrow.to, longer));
            }
        }
    }
    found
}
