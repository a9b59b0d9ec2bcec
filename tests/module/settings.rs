//! Settings, load arguments, what is logged at load, and what refuses to load or unload.

use portcullis_tests::{Redis, module_path};

use crate::talk;
use crate::{everywhere, everywhere_with, on_each_server};

/// Each setting with its default and its bounds.
const SETTINGS: [(&str, i64, i64, i64); 6] = [
    ("leeway", 60, 0, 86_400),
    ("max-ttl", 34_560_000, 1, 315_360_000),
    ("watermark-ttl", 34_560_000, 1, 315_360_000),
    ("max-sessions", 1000, 1, 10_000),
    ("max-device-bytes", 4096, 0, 65_536),
    ("max-id-bytes", 128, 1, 1024),
];

#[test]
fn every_setting_has_its_default_and_keeps_its_bounds() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for (name, default, min, max) in SETTINGS {
            let name = format!("portcullis.{name}");
            let get = format!("CONFIG GET {name}");
            assert_eq!(talk.say(&get), format!("[{name} {default}]"));
            for bound in [min, max] {
                assert_eq!(talk.say(&format!("CONFIG SET {name} {bound}")), "OK");
                assert_eq!(talk.say(&get), format!("[{name} {bound}]"));
            }
            for value in [(min - 1).to_string(), (max + 1).to_string(), "many".into(), "1.5".into()]
            {
                let told = talk.say(&format!("CONFIG SET {name} {value}"));
                assert!(told.starts_with("ERR"), "{name} {value}: {told}");
            }
            assert_eq!(talk.say(&get), format!("[{name} {max}]"));
        }
    });
}

#[test]
fn settings_are_given_at_load_in_any_case() {
    everywhere_with(
        |options| options.module_arguments(&["leeway", "5", "MAX-SESSIONS", "7"]),
        |redis| {
            let mut talk = talk::to(redis);
            assert_eq!(talk.say("CONFIG GET portcullis.leeway"), "[portcullis.leeway 5]");
            assert_eq!(
                talk.say("CONFIG GET portcullis.max-sessions"),
                "[portcullis.max-sessions 7]"
            );
        },
    );
}

#[test]
fn a_bad_load_argument_stops_the_start_with_its_name() {
    on_each_server(|server| {
        for (arguments, told) in [
            (["leewya", "5"].as_slice(), "unknown argument 'leewya'"),
            (&["leeway", "soon"], "argument 'leeway' takes an integer, from 0 to 86400"),
            (&["leeway", "-1"], "argument 'leeway' takes an integer, from 0 to 86400"),
            (&["max-sessions", "0"], "argument 'max-sessions' takes an integer, from 1 to 10000"),
            (&["require-confirm", "maybe"], "argument 'require-confirm' takes yes or no\n"),
            (&["leeway"], "arguments come in pairs"),
        ] {
            let started = Redis::options().server(server).module_arguments(arguments).try_start();
            let log = started.err().unwrap_or_else(|| panic!("{arguments:?} was taken"));
            assert!(log.contains(told), "{log}");
        }
    });
}

#[test]
fn lines_of_the_configuration_file_are_read_and_outrank_load_arguments() {
    everywhere_with(
        |options| {
            options.arguments(&["--portcullis.leeway", "9"]).module_arguments(&["leeway", "5"])
        },
        |redis| {
            let told = talk::to(redis).say("CONFIG GET portcullis.leeway");
            assert_eq!(told, "[portcullis.leeway 9]");
        },
    );
    on_each_server(|server| {
        let bad = Redis::options().server(server).arguments(&["--portcullis.leeway", "-1"]);
        let log = bad.try_start().err().expect("a line out of bounds stops the start");
        assert!(log.contains("a portcullis.* setting; the line above says which"), "{log}");
    });
}

#[test]
fn a_shorter_watermark_ttl_shortens_what_is_remembered() {
    everywhere_with(
        |options| options.module_arguments(&["watermark-ttl", "100"]),
        |redis| {
            let mut talk = talk::to(redis);
            let at = talk.now_ms() - 10_000;
            talk.say(&format!("AUTH.SESSION REVOKEALL user:1 AT {at}"));
            assert_eq!(talk.say("PEXPIRETIME user:1"), (at + 100_000).to_string());
        },
    );
}

#[test]
fn bug_32_the_log_warns_of_eviction_and_of_forgetting() {
    let (evict, forget) = ("maxmemory-policy can evict", "neither AOF nor RDB is on");
    on_each_server(|server| {
        for (arguments, warnings) in [
            (["--maxmemory-policy", "noeviction"], (false, true)),
            (["--maxmemory-policy", "allkeys-lru"], (true, true)),
            (["--maxmemory-policy", "volatile-ttl"], (true, true)),
            (["--appendonly", "yes"], (false, false)),
            (["--save", "3600 1"], (false, false)),
        ] {
            let log = Redis::options().server(server).arguments(&arguments).start().log();
            assert_eq!(
                (log.contains(evict), log.contains(forget)),
                warnings,
                "{arguments:?}: {log}"
            );
        }
    });
}

#[test]
fn a_second_load_is_refused_and_the_server_lives() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.BLACKLIST user:1 t EX 900");
        let told = talk.say(&format!("MODULE LOAD {}", module_path().display()));
        assert!(told.starts_with("ERR"), "{told}");
        assert_eq!(talk.say("AUTH.CHECK user:1 t"), "REVOKED");
        assert_eq!(talk.say("CONFIG GET portcullis.leeway"), "[portcullis.leeway 60]");
    });
}

#[test]
fn the_module_can_be_loaded_into_a_running_server() {
    on_each_server(|server| {
        let redis = Redis::options().server(server).without_module().start();
        let mut talk = talk::to(&redis);
        let path = module_path().display();
        assert!(talk.say(&format!("MODULE LOAD {path} leeway x")).starts_with("ERR"));
        assert_eq!(talk.say(&format!("MODULE LOAD {path} leeway 7")), "OK");
        assert_eq!(talk.say("AUTH.CHECK user:1 t"), "OK");
        assert_eq!(talk.say("CONFIG GET portcullis.leeway"), "[portcullis.leeway 7]");
        assert!(talk.say("MODULE LIST").contains("name portcullis ver 100"));
    });
}

#[test]
fn unloading_is_refused_as_for_every_module_with_a_data_type() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.BLACKLIST user:1 t EX 900");
        let told = talk.say("MODULE UNLOAD portcullis");
        assert!(told.starts_with("ERR"), "{told}");
        assert_eq!(talk.say("AUTH.CHECK user:1 t"), "REVOKED");
    });
}

#[test]
fn ledgers_can_be_found_by_their_type() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        talk.say("AUTH.BLACKLIST user:1 t EX 900");
        talk.say("SET other 1");
        assert_eq!(talk.say("SCAN 0 COUNT 100 TYPE authledgr"), "[0 [user:1]]");
    });
}
