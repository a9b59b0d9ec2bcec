//! The crates that others may depend on can be published, and in one command:
//! `cargo package -p portcullis-core -p portcullis-client`.

use std::process::Command;

use portcullis_tests::workspace;
use serde_json::Value;

const PUBLISHED: [&str; 2] = ["portcullis-core", "portcullis-client"];

fn packages() -> Vec<Value> {
    let metadata = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo tells in JSON");
    metadata["packages"].as_array().expect("a list").clone()
}

#[test]
fn only_what_is_for_others_can_be_published() {
    let can_be = |package: &&Value| package["publish"].is_null();
    let all = packages();
    let mut names: Vec<&str> =
        all.iter().filter(can_be).filter_map(|package| package["name"].as_str()).collect();
    names.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(names, PUBLISHED);
}

#[test]
fn what_is_published_says_what_a_registry_wants_to_know() {
    for package in packages().iter().filter(|it| it["publish"].is_null()) {
        let name = &package["name"];
        for field in ["description", "license", "readme", "repository", "rust_version"] {
            assert!(package[field].is_string(), "{name} has no {field}");
        }
        // What is only for tests is left out of a package if it has no version.
        let wanted = package["dependencies"].as_array().expect("a list");
        for dependency in wanted.iter().filter(|it| it["kind"] != "dev" && !it["path"].is_null()) {
            let whose = &dependency["name"];
            assert_ne!(dependency["req"], "*", "{name} wants {whose} of any version");
            assert!(PUBLISHED.iter().any(|it| whose == it), "{name} wants {whose}");
        }
    }
}
