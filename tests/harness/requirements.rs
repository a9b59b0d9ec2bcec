//! `tests/REQUIREMENTS.md` and the tests must name each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use portcullis_tests::workspace;

/// Every number there is, by its kind: how many.
const KINDS: [(&str, usize); 4] = [("C", 28), ("BUG", 42), ("R", 50), ("F", 60)];

/// Faults found in use that are not mended yet have no row.
fn may_be_missing(number: &str) -> bool {
    number.starts_with("F-")
}

/// A row of the document.
struct Row {
    /// A weak point of little weight may be settled without a test.
    is_light: bool,
    tests: BTreeSet<String>,
}

fn rows() -> BTreeMap<String, Row> {
    let text = fs::read_to_string(workspace().join("tests/REQUIREMENTS.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = cells[1];
        if !KINDS.iter().any(|(kind, _)| number.starts_with(&format!("{kind}-"))) {
            continue;
        }
        let told = cells[cells.len() - 2];
        assert!(cells[1..cells.len() - 1].iter().all(|cell| !cell.is_empty()), "{line}");
        let tests = told.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let row = Row { is_light: number.starts_with("BUG-") && cells[2] == "low", tests };
        assert!(rows.insert(number.to_owned(), row).is_none(), "{number} has two rows");
    }
    rows
}

/// The names of all tests in the checkout's sources.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["api/src", "module", "tests"] {
        collect(&workspace().join(folder), &mut names);
    }
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let functions = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
            names.extend(functions.filter(|name| name.contains('_')).map(str::to_owned));
        }
    }
}

/// `R-16` and `BUG-01` of `r_16_bug_01_a_spent_token_ends_its_family`.
fn numbers(test: &str) -> Vec<String> {
    let words: Vec<&str> = test.split('_').collect();
    let pairs = words.chunks_exact(2).map(|pair| (pair[0].to_uppercase(), pair[1]));
    pairs
        .take_while(|(kind, number)| {
            KINDS.iter().any(|known| known.0 == kind)
                && number.len() == 2
                && number.bytes().all(|digit| digit.is_ascii_digit())
        })
        .map(|(kind, number)| format!("{kind}-{number}"))
        .collect()
}

#[test]
fn every_number_has_its_row() {
    let rows = rows();
    let mut wanted = BTreeSet::new();
    for (kind, count) in KINDS {
        wanted.extend((1..=count).map(|number| format!("{kind}-{number:02}")));
    }
    let known: BTreeSet<String> = rows.keys().cloned().collect();
    let unknown: Vec<_> = known.difference(&wanted).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let missing: Vec<_> =
        wanted.difference(&known).filter(|number| !may_be_missing(number)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_row_names_tests_that_exist_and_one_of_its_number() {
    let known = tests();
    for (number, row) in rows() {
        for test in &row.tests {
            assert!(known.contains(test), "{number}: there is no test {test}");
        }
        let has_its_own = row.tests.iter().any(|test| numbers(test).contains(&number));
        assert!(has_its_own || row.is_light, "{number} has no test of its name");
    }
}

#[test]
fn every_numbered_test_stands_in_the_rows_of_its_numbers() {
    let rows = rows();
    for test in tests() {
        for number in numbers(&test) {
            let row = rows.get(&number).unwrap_or_else(|| panic!("{test}: no row for {number}"));
            assert!(row.tests.contains(&test), "{number} should name {test}");
        }
    }
}
