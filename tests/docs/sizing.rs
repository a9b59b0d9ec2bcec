//! The page on sizes: what is computed on it is what the tool computes from what was measured.

use std::fs;

use clap::Parser;
use portcullis_sizing::population::Population;
use portcullis_sizing::{costs, page};
use portcullis_tests::workspace;

use crate::pages::service_page;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    people: Population,
}

fn people(words: &[&str]) -> Population {
    Command::parse_from([&["sizing"], words].concat()).people
}

#[test]
fn the_page_says_what_the_tool_computes() {
    let page = service_page("sizing.md").text;
    let computed = page::computed(&page, &people(&[])).expect("the page has every mark");
    let differs = page.lines().zip(computed.lines()).find(|(says, is)| says != is);
    assert!(
        page == computed,
        "`make sizing-page` writes api/docs/sizing.md anew: it says and should say {differs:?}"
    );
    assert!(page.matches("\n| ").count() > 60, "the page has its tables");
}

#[test]
fn other_people_are_another_page_and_slower_machines_too() {
    let page = service_page("sizing.md").text;
    let of = |words: &[&str]| page::computed(&page, &people(words)).expect("it has every mark");
    assert_ne!(of(&["--users", "5000"]), page);
    assert_ne!(of(&["--slower", "2"]), page);
    assert_ne!(of(&["--login-ms", "80"]), page);
    let lacks = page::computed(&page.replacen("<!-- end -->", "", 5), &people(&[]));
    assert!(lacks.is_err_and(|why| why.contains("<!-- computed: machine -->")));
}

#[test]
fn the_examples_of_the_page_are_options_that_the_tool_takes() {
    let mut tried = 0;
    for fence in service_page("sizing.md").fences() {
        for line in fence.text.lines() {
            let Some((_, options)) = line.split_once("portcullis-sizing -- ") else { continue };
            if options == "--help" {
                continue;
            }
            let words: Vec<&str> = options.split_whitespace().collect();
            people(&words).check().unwrap_or_else(|mistake| panic!("{line}: {mistake}"));
            tried += 1;
        }
    }
    assert!(tried > 1, "the page shows how to compute one's own");
}

#[test]
fn what_means_nothing_is_refused_with_what_to_do() {
    for (words, part) in [
        (["--sessions", "0"], "--sessions is 0; choose"),
        (["--online", "1.5"], "--online is 1.5; choose a share"),
        (["--online", "0.9"], "lower one of them"),
        (["--rush", "NaN"], "--rush is NaN"),
        (["--primaries", "0"], "one is needed"),
        (["--slower", "0"], "--slower is 0; choose"),
        (["--login-ms", "0"], "--login-ms is 0; choose"),
    ] {
        let mistake = people(&words).check().expect_err(part);
        assert!(mistake.contains(part), "{mistake}");
    }
}

#[test]
fn the_tool_takes_defaults_for_what_nobody_has_set() {
    let sample = fs::read_to_string(workspace().join(".env.sample")).expect("it is there");
    for (setting, expected) in [
        ("AUDIT_RETENTION", format!("{}d", costs::AUDIT_DAYS)),
        ("SESSION_TOUCH_INTERVAL", format!("{}s", costs::TOUCH_S)),
        ("DB_DEADLINE", format!("{}s", costs::DB_DEADLINE_S)),
        ("PASSWORD_QUEUE", format!("{}", costs::QUEUE)),
        ("OUTBOX_RETENTION", format!("{}h", costs::OUTBOX_DAYS * 24.0)),
        ("SESSION_EXPIRES_IN", format!("{}d", costs::SESSION_DAYS / 2.0)),
        ("INACTIVE_TOKEN_DAYS", format!("{}", costs::SESSION_DAYS / 2.0)),
        ("JWT_EXPIRES_IN", format!("{}m", people(&[]).access / 60.0)),
    ] {
        let line = format!("# {setting}={expected}\n");
        assert!(sample.contains(&line), "the default is another: {line}");
    }
}
