//! The reader and the rules, on small crates that are made up.

use std::collections::BTreeMap;

use super::arrows::{Arrow, Crate};
use super::rules::{between_endpoints, circling, forbidden, without_room};
use super::table::Table;

const TABLE: &str = "
## Rooms

### `made/up`
| room | holds | may use | must not |
|---|---|---|---|
| `base`, `metrics` | | nothing | |
| `store` | | `base` | |
| `http`, `jobs` | | all above | |
| `main` | | everything | |

## Else
| `other` | | nothing | |
";

fn made_up(files: &[(&str, &str)]) -> (Crate, Vec<Arrow>) {
    let texts = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
    let all = Crate::read("made_up", &texts.collect::<BTreeMap<_, _>>());
    let arrows = all.arrows();
    (all, arrows)
}

/// `a.rs -> b.rs: Name, other` for each arrow; an empty `lib.rs` is there by itself.
fn arrows(files: &[(&str, &str)]) -> Vec<String> {
    let told = |Arrow { from, to, names }: &Arrow| {
        format!("{from} -> {to}: {}", names.keys().cloned().collect::<Vec<_>>().join(", "))
    };
    made_up(&[&[("lib.rs", "")], files].concat()).1.iter().map(told).collect()
}

#[test]
fn every_name_of_a_nested_use_is_read() {
    let text = "pub(crate) use crate::{\n b::{self, c::{One, two as three}},\n d::*,\n};";
    let found = arrows(&[("a.rs", text), ("b.rs", ""), ("b/c.rs", ""), ("d.rs", "")]);
    assert_eq!(found, ["a.rs -> b.rs: b", "a.rs -> b/c.rs: One, two", "a.rs -> d.rs: d"]);
}

#[test]
fn paths_in_code_and_in_attributes_are_read() {
    let text = "#[derive(crate::b::Derived)] struct A(Vec<crate::c::Type>); pub(in crate::e) fn f() { super::d::g() }";
    let found = arrows(&[("a.rs", text), ("b.rs", ""), ("c.rs", ""), ("d.rs", "")]);
    assert_eq!(found, ["a.rs -> b.rs: Derived", "a.rs -> c.rs: Type", "a.rs -> d.rs: g"]);
}

#[test]
fn paths_in_macros_are_read() {
    let text = r#"
        macro_rules! m { ($x:ident) => { $crate::b::one!(crate::c::{Two, d::Three}, $x::b::no) } }
        fn f() { query!("select a as \"a: crate::e::Four\"", x.crate_, 0..crate::e::FIVE) }"#;
    let others = [("b.rs", ""), ("c.rs", ""), ("c/d.rs", ""), ("e.rs", "")];
    let found = arrows(&[&[("a.rs", text)], &others[..]].concat());
    let wanted = ["b.rs: one", "c.rs: Two", "c/d.rs: Three", "e.rs: FIVE, Four"];
    assert_eq!(found, wanted.map(|to| format!("a.rs -> {to}")));
}

#[test]
fn a_field_a_lifetime_and_a_part_of_a_path_are_no_names_in_macros() {
    let text = "mod b; pub use b::c; fn f() { m!(x.c, &'c str, $c, $d::c, <T>::c, c::d, 0..N) }";
    assert_eq!(arrows(&[("a.rs", &text.replace("c::d, ", "")), ("a/b.rs", "")]), [""; 0]);
    assert_eq!(arrows(&[("a.rs", text), ("a/b.rs", "")]), ["a.rs -> a/b.rs: c"]);
}

#[test]
fn comments_and_strings_are_not_read() {
    let text = r#"//! use crate::b::C;
        /* use crate::b::C; */ /// [`crate::b::C`]
        fn f() { g("use crate::b::C;"); log!("use crate::b::C;"); }"#;
    assert!(arrows(&[("a.rs", text), ("b.rs", "")]).is_empty());
}

#[test]
fn what_is_only_for_tests_is_not_read() {
    let text = "#[cfg(test)] use crate::b::A; #[cfg(test)] mod tests { use crate::b::B; }
        #[cfg(test)] mod trying; struct S; impl S { #[cfg(test)] fn f() { crate::b::c() } }";
    let found = arrows(&[("a.rs", text), ("a/trying.rs", "use crate::b::C;"), ("b.rs", "")]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_module_is_used_for_the_names_that_are_said_behind_it() {
    let text = "use crate::{b, metrics}; fn f() { b::c(b::D); metrics::e(); ::b::no(); }";
    let b = "pub use c::D; mod c; pub fn c() {}";
    let other = "fn f() { metrics::somebody_elses() }";
    let files = [("a.rs", text), ("b.rs", b), ("b/c.rs", ""), ("g.rs", other), ("metrics.rs", "")];
    let wanted = ["a.rs -> b.rs: c", "a.rs -> b/c.rs: D", "a.rs -> metrics.rs: e"];
    assert_eq!(arrows(&files), wanted);
}

#[test]
fn what_is_handed_on_is_used_where_it_is_defined() {
    let b = "mod c; pub use c::d::Name; pub(crate) use c::d::Other as Another;";
    let c = "pub(super) mod d; use self::d::private;";
    let a = "use crate::b::{Another, Name}; use crate::App;";
    let lib = "pub use crate::app::App;";
    let files = [("lib.rs", lib), ("app.rs", ""), ("a.rs", a), ("b.rs", b), ("b/c.rs", c)];
    let found = arrows(&[&files[..], &[("b/c/d.rs", "")]].concat());
    let wanted =
        ["a.rs -> app.rs: App", "a.rs -> b/c/d.rs: Name, Other", "b/c.rs -> b/c/d.rs: private"];
    assert_eq!(found, wanted);
}

#[test]
fn what_is_handed_on_is_a_use_where_it_is_spoken_of() {
    let b = "mod c; pub use c::Name; pub use crate::d::Far; fn f(_: Name) {}";
    let found = arrows(&[("b.rs", b), ("b/c.rs", ""), ("d.rs", "")]);
    assert_eq!(found, ["b.rs -> b/c.rs: Name", "b.rs -> d.rs: Far"]);
}

#[test]
fn what_a_child_fetches_through_its_parent_is_used_where_it_is_defined() {
    let b = "mod c; mod d; use crate::e::Fetched; struct Own; mod inner { pub use super::Fetched as F; }";
    let c = "use super::{Fetched, Own}; use super::d::Sibling; use super::super::e::far; use super::inner::F;";
    let found = arrows(&[("b.rs", b), ("b/c.rs", c), ("b/d.rs", ""), ("e.rs", "")]);
    let wanted = ["b.rs -> e.rs: Fetched", "b/c.rs -> b.rs: Own", "b/c.rs -> b/d.rs: Sibling"];
    assert_eq!(found, [&wanted[..], &["b/c.rs -> e.rs: Fetched, far"]].concat());
}

#[test]
fn the_binary_knows_the_library_by_its_name() {
    let main = "mod cli; use cli::Cli; use made_up::{App, a}; fn main() { a::run() }";
    let files = [("app.rs", ""), ("a.rs", ""), ("cli.rs", "use made_up::a::Option;")];
    let lib = "pub use app::App; mod app; pub mod a; use a::x;";
    let found = arrows(&[&[("main.rs", main), ("lib.rs", lib)], &files[..]].concat());
    let wanted = ["cli.rs -> a.rs: Option", "lib.rs -> a.rs: x", "main.rs -> a.rs: run"];
    assert_eq!(
        found,
        [&wanted[..], &["main.rs -> app.rs: App", "main.rs -> cli.rs: Cli"]].concat()
    );
}

#[test]
fn a_circle_through_a_parent_is_found_and_the_shortest_way_round_it() {
    let b = "mod c; mod d; use c::C; pub struct Own;";
    let c = "use super::d::D; use super::Own;";
    let files = [("lib.rs", ""), ("a.rs", "use crate::b::Own;"), ("b.rs", b), ("b/c.rs", c)];
    let (_, arrows) = made_up(&[&files[..], &[("b/d.rs", "\nuse crate::b::Own;")]].concat());
    let told = circling(&arrows);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("3 files in a circle: b.rs, b/c.rs, b/d.rs"), "{}", told[0]);
    assert!(
        told[0].ends_with("b.rs:1 uses C of b/c.rs\n    b/c.rs:1 uses Own of b.rs"),
        "{told:?}"
    );
}

#[test]
fn children_that_use_each_other_one_way_and_their_own_list_are_no_circle() {
    let b = "mod c; mod d; pub use c::C; pub use d::D;";
    let files = [("lib.rs", "mod b;"), ("b.rs", b), ("b/c.rs", "use super::D;"), ("b/d.rs", "")];
    assert!(circling(&made_up(&files).1).is_empty());
}

#[test]
fn an_arrow_that_the_table_does_not_have_is_forbidden() {
    let base = "\nuse crate::{store::{Pool, time}, metrics::count};";
    let http = "use crate::{base, store, metrics}; use crate::jobs::start;";
    let files = [("base.rs", base), ("store/x.rs", "use crate::base::A;"), ("http.rs", http)];
    let main = "use made_up::{http, jobs}; use made_up::base::A;";
    let others = [("store.rs", ""), ("metrics.rs", ""), ("jobs.rs", ""), ("main.rs", main)];
    let lib = ("lib.rs", "use base::A;");
    let (_, arrows) = made_up(&[&[lib], &files[..], &others[..]].concat());
    let wanted = [
        "base.rs:2 uses count of metrics.rs: `base` may use nothing",
        "base.rs:2 uses Pool, time of store.rs: `base` may use nothing",
        "http.rs:1 uses start of jobs.rs: `http` may use all above it in the table",
    ];
    assert_eq!(forbidden(&Table::of(TABLE, "made/up"), &arrows), wanted);
}

#[test]
fn a_file_without_a_room_and_a_room_without_a_file_are_told() {
    let files = ["base.rs", "metrics/x.rs", "http.rs", "main.rs", "jobs.rs", "cork.rs", "other.rs"];
    let found = without_room(&Table::of(TABLE, "made/up"), &files);
    let wanted =
        ["cork.rs: `cork` is no room of the table", "other.rs: `other` is no room of the table"];
    assert_eq!(found, [&wanted[..], &["`store` has no file"]].concat());
}

#[test]
fn a_table_that_names_a_room_twice_or_too_early_is_at_fault() {
    assert!(Table::of(TABLE, "made/up").faults().is_empty());
    let upside_down = TABLE.replace("all above", "`base`, `main`").replace("`store`", "`http`");
    let wanted = ["http, jobs may use `main`, in no row above", "`http` is in two rows"];
    assert_eq!(Table::of(&upside_down, "made/up").faults(), wanted);
}

#[test]
fn an_endpoint_that_uses_another_is_told() {
    let face = "mod login; mod refresh; pub use login::log_in;";
    let login = "mod account; use account::Account; use crate::http::request::Client;";
    let account = "use crate::http::tokens::refresh::Row; use crate::http::sessions::list;";
    let logout = "use crate::http::tokens::log_in; use super::list;";
    let (all, arrows) = made_up(&[
        ("lib.rs", ""),
        ("http.rs", "use tokens::log_in; use crate::http::sessions::list;"),
        ("http/request.rs", ""),
        ("http/admin.rs", "mod users; use users::list;"),
        ("http/admin/users.rs", ""),
        ("http/tokens.rs", face),
        ("http/tokens/login.rs", login),
        ("http/tokens/login/account.rs", account),
        ("http/tokens/refresh.rs", ""),
        ("http/sessions.rs", "mod logout; pub fn list() {}"),
        ("http/sessions/logout.rs", logout),
    ]);
    let uses: Vec<String> = between_endpoints(&all, &arrows)
        .iter()
        .map(|told| told.split_once(": ").unwrap().0.to_owned())
        .collect();
    let wanted = [
        "http/admin.rs:1 uses list of http/admin/users.rs",
        "http/sessions/logout.rs:1 uses list of http/sessions.rs",
        "http/sessions/logout.rs:1 uses log_in of http/tokens/login.rs",
        "http/tokens/login/account.rs:1 uses list of http/sessions.rs",
        "http/tokens/login/account.rs:1 uses Row of http/tokens/refresh.rs",
    ];
    assert_eq!(uses, wanted);
}
