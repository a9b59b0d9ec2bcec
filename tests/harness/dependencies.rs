//! What the manifests name is used: a crate that nobody uses costs every build and every audit.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use portcullis_tests::workspace;

const MEMBERS: [&str; 11] = [
    "api",
    "benches",
    "benches/bare",
    "benches/noop",
    "benches/sizing",
    "module",
    "module/client",
    "module/client/conformance",
    "module/core",
    "tests",
    "tests/protocol",
];

/// The names in the tables of a manifest whose headings end like this.
fn named(manifest: &Path, heading: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let mut is_inside = false;
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with('[') {
            is_inside = line.trim_matches(['[', ']']).ends_with(heading);
        } else if is_inside && line.contains('=') && !line.starts_with('#') {
            names.extend(line.split([' ', '.', '=']).next().map(str::to_owned));
        }
    }
    names
}

/// All Rust sources below a folder, without its targets.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("target") {
            all += &sources(&path);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all += &fs::read_to_string(path).unwrap();
        }
    }
    all
}

#[test]
fn every_version_in_the_table_is_somebodys() {
    let members = MEMBERS.map(|member| workspace().join(member).join("Cargo.toml"));
    let wanted: BTreeSet<String> =
        members.iter().flat_map(|manifest| named(manifest, "dependencies")).collect();
    let unwanted: Vec<String> = named(&workspace().join("Cargo.toml"), "workspace.dependencies")
        .difference(&wanted)
        .cloned()
        .collect();
    assert!(unwanted.is_empty(), "no member depends on {unwanted:?}");
}

#[test]
fn every_dependency_of_a_member_stands_in_its_code() {
    for member in MEMBERS {
        let folder = workspace().join(member);
        let code = sources(&folder);
        let names = named(&folder.join("Cargo.toml"), "dependencies");
        let unused: Vec<String> = names
            .into_iter()
            .filter(|name| !code.contains(&format!("{}::", name.replace('-', "_"))))
            .collect();
        assert!(unused.is_empty(), "{member} does not use {unused:?}");
    }
}
