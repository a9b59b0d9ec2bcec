//! The code is laid out as *Rooms* in `ARCHITECTURE.md` says.
//!
//! Here are the files; the rules stand in `rooms/rules.rs`.

mod arrows;
mod circles;
mod made_up;
mod reader;
mod rules;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrows::{Arrow, Crate};
use portcullis_tests::workspace;
use table::Table;

/// So many lines a file may have.
const LONGEST: usize = 300;

/// A `src` that is laid out by a table.
struct House {
    folder: &'static str,
    /// What its own binary calls the library.
    library: &'static str,
}

const HOUSES: [House; 3] = [
    House { folder: "api/src", library: "portcullis_api" },
    House { folder: "module/client/src", library: "portcullis_client" },
    House { folder: "module/src", library: "portcullis_module" },
];

impl House {
    fn table(&self) -> Table {
        let document = fs::read_to_string(workspace().join("ARCHITECTURE.md")).unwrap();
        Table::of(&document, self.folder)
    }

    fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let folder = workspace().join(self.folder);
        collect(&folder, &folder, &mut files);
        files
    }

    fn arrows(&self) -> (Crate, Vec<Arrow>) {
        let all = Crate::read(self.library, &self.files());
        let arrows = all.arrows();
        (all, arrows)
    }
}

/// All sources below a folder and their texts, by their path from `root`.
fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("target") {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

/// No house has anything against a rule.
fn hold(rule: &str, found: impl Fn(&House) -> Vec<String>) {
    let faults: Vec<String> = HOUSES
        .iter()
        .filter_map(|house| fault(&format!("{}: {rule}", house.folder), &found(house)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn fault(rule: &str, found: &[String]) -> Option<String> {
    (!found.is_empty()).then(|| format!("{rule}:\n  {}", found.join("\n  ")))
}

#[test]
fn no_room_stands_on_one_above_it_or_twice() {
    for house in &HOUSES {
        let faults = house.table().faults();
        assert!(faults.is_empty(), "rooms of {}: {faults:#?}", house.folder);
    }
}

#[test]
fn every_file_has_its_room_and_every_room_a_file() {
    let found = |house: &House| {
        let files = house.files();
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        rules::without_room(&house.table(), &names)
    };
    hold("files without a room, rooms without a file", found);
}

#[test]
fn a_room_uses_only_what_the_table_allows() {
    let found = |house: &House| rules::forbidden(&house.table(), &house.arrows().1);
    hold("uses that the table does not allow", found);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let found = |house: &House| rules::circling(&house.arrows().1);
    hold("files that use each other in circles", found);
}

#[test]
fn no_endpoint_uses_another() {
    let found = |house: &House| {
        let (all, arrows) = house.arrows();
        rules::between_endpoints(&all, &arrows)
    };
    hold("uses of one endpoint by another", found);
}

#[test]
fn every_folder_has_a_file_that_says_what_it_is_for() {
    for house in &HOUSES {
        let files = house.files();
        for file in files.keys() {
            let folder = file.rsplit_once('/').map(|(folder, _)| folder);
            let face = folder.map_or("lib.rs".to_owned(), |folder| format!("{folder}.rs"));
            let text = files.get(&face).map_or("", String::as_str);
            assert!(text.starts_with("//!"), "{}/{face} has to begin with `//!`", house.folder);
        }
    }
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    let mut found = Vec::new();
    for folder in ["api/src", "module", "tests", "benches"] {
        let mut files = BTreeMap::new();
        collect(workspace(), &workspace().join(folder), &mut files);
        let lengths = files.into_iter().map(|(file, text)| (file, text.lines().count()));
        let long = lengths.filter(|(_, lines)| *lines > LONGEST);
        found.extend(long.map(|(file, lines)| format!("{file} has {lines} lines")));
    }
    let fault = fault(&format!("files of more than {LONGEST} lines"), &found);
    assert!(fault.is_none(), "{}", fault.unwrap_or_default());
}
