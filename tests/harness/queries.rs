//! `.sqlx/`, which builds without a database believe, must be true.

use portcullis_tests::{Directory, committed_queries, described_queries};

#[test]
fn the_committed_descriptions_are_those_of_the_queries_in_the_source() {
    let fresh = Directory::new();
    let (committed, described) = (committed_queries(), described_queries(fresh.path()));
    for (file, description) in &described {
        let known = committed.get(file);
        assert_eq!(known, Some(description), ".sqlx/{file} is missing or stale: run `make db`");
    }
    for file in committed.keys() {
        assert!(described.contains_key(file), ".sqlx/{file} has no query any more: run `make db`");
    }
}
