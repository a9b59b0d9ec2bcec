//! What operators see of the commands: `COMMAND`, ACL rules, `INFO portcullis`.

use portcullis_tests::{Redis, Server};

use crate::talk::{self, Talk, jwt};
use crate::{everywhere, everywhere_with};

/// Each command with its arity, flags that count, and where its key is.
const COMMANDS: [(&str, i64, &str, i64); 10] = [
    ("auth.check", -3, "readonly", 1),
    ("auth.blacklist", -3, "write", 1),
    ("auth.fence", 1, "readonly", 0),
    ("auth.session|create", -6, "write", 2),
    ("auth.session|get", 4, "readonly", 2),
    ("auth.session|list", 3, "readonly", 2),
    ("auth.session|touch", -4, "write", 2),
    ("auth.session|revoke", -4, "write", 2),
    ("auth.session|revokeall", -3, "write", 2),
    ("auth.session|help", 2, "loading", 0),
];

fn has_categories(server: &Server) -> bool {
    server.is_valkey() || server.version() >= (7, 2)
}

fn has_own_category(server: &Server) -> bool {
    server.is_valkey() || server.version() >= (7, 4)
}

#[test]
fn command_info_tells_arity_flags_and_keys() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for (name, arity, flag, key) in COMMANDS {
            let told = talk.say(&format!("COMMAND INFO {name}"));
            assert!(told.starts_with(&format!("[[{name} {arity} [")), "{told}");
            assert!(told.contains(flag), "{told}");
            assert!(told.contains("] ") && told.contains(&format!(" {key} {key} ")), "{told}");
            let is_silent = told.contains("skip_monitor")
                // What Redis calls slowlog is Valkey's commandlog.
                && (told.contains("skip_slowlog") || told.contains("skip_commandlog"));
            assert!(is_silent || key == 0, "{told}");
        }
        let denied =
            |talk: &mut Talk, name| talk.say(&format!("COMMAND INFO {name}")).contains("denyoom");
        assert!(denied(&mut talk, "auth.session|create"));
        for name in ["auth.blacklist", "auth.session|revoke", "auth.session|revokeall"] {
            assert!(!denied(&mut talk, name), "{name} must work on a full server");
        }
        for name in ["auth.check", "auth.blacklist", "auth.session|list"] {
            let told = talk.say(&format!("COMMAND INFO {name}"));
            assert!(told.contains("[nondeterministic_output]"), "{told}");
        }
        assert!(talk.say("COMMAND INFO auth.check").contains("[RO access]"));
        assert!(talk.say("COMMAND INFO auth.session|revoke").contains("[RW delete]"));
    });
}

#[test]
fn command_docs_tell_summary_complexity_version_and_arguments() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for name in ["auth.check", "auth.blacklist", "auth.session"] {
            let docs = talk.say(&format!("COMMAND DOCS {name}"));
            for part in ["summary", "complexity", "since 0.1.0", "module portcullis"] {
                assert!(docs.contains(part), "{part} not in {docs}");
            }
        }
        let docs = talk.say("COMMAND DOCS auth.check");
        for part in
            ["token DIGEST", "token SESSION", "token IAT", "token IATMS", "oneof", "optional"]
        {
            assert!(docs.contains(part), "{part} not in {docs}");
        }
        let docs = talk.say("COMMAND DOCS auth.session");
        for (name, ..) in COMMANDS.iter().skip(3) {
            assert!(docs.contains(name), "{name} not in {docs}");
        }
        for part in ["EXAT", "IDLE", "MAX", "DEVICE", "CREATED", "SEEN", "EXCEPT", "multiple"] {
            assert!(docs.contains(part), "{part} not in {docs}");
        }
    });
}

#[test]
fn the_servers_find_keys_and_the_modules_commands() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        assert_eq!(talk.say("COMMAND GETKEYS AUTH.CHECK user:1 t SESSION s"), "[user:1]");
        assert_eq!(talk.say("COMMAND GETKEYS AUTH.SESSION CREATE user:1 s EX 1"), "[user:1]");
        assert_eq!(talk.say("COMMAND GETKEYS AUTH.SESSION REVOKE user:1 a b"), "[user:1]");
        let told = talk.say("COMMAND GETKEYSANDFLAGS AUTH.BLACKLIST user:1 t EX 1");
        assert!(told.starts_with("[[user:1 [RW "), "{told}");
        let listed = talk.say("COMMAND LIST FILTERBY MODULE portcullis");
        for name in ["auth.check", "auth.blacklist", "auth.session"] {
            assert!(listed.contains(name), "{listed}");
        }
    });
}

/// A connection as a user with these rules.
fn user(redis: &Redis, rules: &str) -> Talk {
    let mut talk = talk::to(redis);
    assert_eq!(talk.say(&format!("ACL SETUSER ann on nopass {rules}")), "OK");
    assert_eq!(talk.say("AUTH ann any"), "OK");
    talk
}

#[test]
fn a_user_with_read_keys_can_check_and_cannot_write() {
    everywhere(|redis| {
        let mut root = talk::to(redis);
        root.say("AUTH.SESSION CREATE user:1 s EX 900");
        let mut ann = user(redis, "%R~user:* +auth.check +auth.blacklist +auth.session");
        assert_eq!(ann.say("AUTH.CHECK user:1 t SESSION s"), "OK");
        assert!(ann.say("AUTH.SESSION LIST user:1").contains("created_ms"));
        for line in [
            "AUTH.CHECK admin:1 t",
            "AUTH.BLACKLIST user:1 t EX 9",
            "AUTH.SESSION CREATE user:1 x EX 9",
            "AUTH.SESSION TOUCH user:1 s",
            "AUTH.SESSION REVOKE user:1 s",
            "AUTH.SESSION REVOKEALL user:1",
            "AUTH.SESSION LIST admin:1",
        ] {
            let told = ann.say(line);
            assert!(told.starts_with("NOPERM"), "{line}: {told}");
        }
        assert_eq!(root.say("AUTH.CHECK user:1 t SESSION s"), "OK");
    });
}

#[test]
fn f_59_who_may_only_write_a_key_learns_nothing_of_what_is_in_it() {
    everywhere(|redis| {
        let mut root = talk::to(redis);
        root.say("AUTH.SESSION CREATE user:1 secret EX 900");
        let mut ann = user(redis, "%W~user:* +auth.check +auth.blacklist +auth.session");
        for line in [
            "AUTH.CHECK user:1 t SESSION secret",
            "AUTH.SESSION GET user:1 secret",
            "AUTH.SESSION LIST user:1",
            "AUTH.SESSION CREATE user:1 other EX 9 MAX 1",
            "AUTH.SESSION CREATE user:1 other EX 9",
        ] {
            let told = ann.say(line);
            assert!(told.starts_with("NOPERM"), "{line}: {told}");
        }
        assert_eq!(root.say("AUTH.CHECK user:1 t SESSION secret"), "OK");
        // What is left answers with a number, as SET's and DEL's kin do.
        for (line, told) in [
            ("AUTH.SESSION TOUCH user:1 secret AT 1", "1"),
            ("AUTH.BLACKLIST user:1 t EX 9", "1"),
            ("AUTH.SESSION REVOKE user:1 secret", "1"),
            ("AUTH.SESSION REVOKEALL user:1", "0"),
        ] {
            assert_eq!(ann.say(line), told, "{line}");
        }
        let mut both = user(redis, "resetkeys %RW~user:* %W~other:*");
        assert_eq!(both.say("AUTH.SESSION CREATE user:1 a EX 9"), "[]");
        assert_eq!(both.say("AUTH.SESSION CREATE user:1 b EX 9 MAX 1"), "[a]");
        assert!(both.say("AUTH.SESSION CREATE other:1 b EX 9 MAX 1").starts_with("NOPERM"));
    });
}

#[test]
fn each_subcommand_can_be_allowed_alone() {
    everywhere(|redis| {
        let mut ann = user(redis, "~user:* +auth.session|list");
        assert_eq!(ann.say("AUTH.SESSION LIST user:1"), "[]");
        for line in
            ["AUTH.SESSION GET user:1 s", "AUTH.SESSION REVOKE user:1 s", "AUTH.CHECK user:1 t"]
        {
            let told = ann.say(line);
            assert!(told.starts_with("NOPERM"), "{line}: {told}");
        }
    });
}

#[test]
fn commands_are_in_the_categories_that_the_server_knows() {
    everywhere(|redis| {
        if !has_categories(redis.server()) {
            return;
        }
        let mut talk = talk::to(redis);
        let reads = talk.say("ACL CAT read");
        for name in ["auth.check", "auth.session|get", "auth.session|list"] {
            assert!(reads.contains(name), "{name} not in {reads}");
        }
        let writes = talk.say("ACL CAT write");
        assert!(writes.contains("auth.blacklist") && writes.contains("auth.session|revokeall"));
        assert!(!writes.contains("auth.check"));
        assert!(talk.say("ACL CAT fast").contains("auth.check"));
        let mut ann = user(redis, "~* +@read -@write");
        assert_eq!(ann.say("AUTH.CHECK user:1 t"), "OK");
        assert!(ann.say("AUTH.BLACKLIST user:1 t EX 9").starts_with("NOPERM"));
    });
}

#[test]
fn the_modules_own_category_names_all_of_it() {
    everywhere(|redis| {
        if !has_own_category(redis.server()) {
            return;
        }
        let mut ann = user(redis, "~* +@auth-ledger");
        assert_eq!(ann.say("AUTH.CHECK user:1 t"), "OK");
        assert_eq!(ann.say("AUTH.BLACKLIST user:1 t EX 9"), "1");
        assert_eq!(ann.say("AUTH.SESSION REVOKEALL user:1"), "0");
        assert!(ann.say("GET user:1").starts_with("NOPERM"));
    });
}

#[test]
fn info_counts_what_was_asked_and_what_came_of_it() {
    everywhere_with(
        |options| options.module_arguments(&["max-sessions", "3"]),
        |redis| {
            let mut talk = talk::to(redis);
            let past = talk.now_ms() - 10_000;
            for line in [
                "AUTH.CHECK user:1 t",
                "AUTH.CHECK user:1 t SESSION s",
                "AUTH.SESSION CREATE user:1 a EX 900",
                "AUTH.SESSION CREATE user:1 a EX 900",
                "AUTH.SESSION CREATE user:1 b EX 900 MAX 1",
                "AUTH.SESSION CREATE user:2 a EX 900",
                "AUTH.SESSION CREATE user:2 b EX 900",
                "AUTH.SESSION REVOKE user:2 a",
                "AUTH.SESSION REVOKEALL user:2",
                "AUTH.BLACKLIST user:1 t EX 900",
                "AUTH.BLACKLIST user:1 t EX 900",
                "AUTH.CHECK user:1 t",
                "AUTH.CHECK user:1 other",
                "AUTH.CHECK user:2 t IAT 1",
                "AUTH.CHECK user:1 t NONSENSE",
                "AUTH.SESSION CREATE user:1 c EX 0",
            ] {
                talk.say(line);
            }
            talk.say(&format!("AUTH.SESSION CREATE user:1 idle EX 900 IDLE 1 SEEN {past}"));
            talk.say("AUTH.CHECK user:1 t SESSION idle");
            for (field, value) in [
                ("checks_ok", 2),
                ("checks_no_session", 1),
                ("checks_idle", 1),
                ("checks_logged_out", 1),
                ("checks_revoked", 1),
                ("checks_not_ready", 0),
                ("revocations", 1),
                ("sessions_created", 5),
                ("sessions_evicted", 1),
                ("sessions_revoked", 2),
                ("sessions_expired_seen", 0),
                ("digests_computed", 4),
                ("rejected_arguments", 2),
            ] {
                let told = talk.info("portcullis", &format!("portcullis_{field}"));
                assert_eq!(told, value.to_string(), "{field}");
            }
            assert!(!talk.info("portcullis", "portcullis_version").is_empty());
            assert!(!talk.info("portcullis", "portcullis_build").is_empty());
        },
    );
}

#[test]
fn a_check_hashes_only_where_something_is_revoked() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let token = jwt(r#"{"exp":1}"#);
        talk.say("AUTH.SESSION CREATE user:1 s EX 900");
        talk.say(&format!("AUTH.CHECK user:1 {token} SESSION s"));
        assert_eq!(talk.info("portcullis", "portcullis_digests_computed"), "0");
    });
}
