//! `AUTH.BLACKLIST`: until when a token is revoked, and what is refused.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

use crate::everywhere;
use crate::everywhere_with;
use crate::talk::{self, Talk, digest, jwt};

const SYNTAX: &str = "ERR syntax error";
const INTEGER: &str = "ERR value is not an integer or out of range";
const EXPIRE: &str = "ERR invalid expire time in 'auth.blacklist' command";
const NO_EXP: &str = "ERR token carries no exp claim; give EX, PX, EXAT or PXAT";

fn expires_ms(talk: &mut Talk, key: &str) -> u64 {
    talk.say(&format!("PEXPIRETIME {key}")).parse().expect("an instant")
}

#[test]
fn a_token_is_revoked_once_and_its_time_only_grows() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now = talk.now_ms();
        for (at, answer, expires) in [
            (now + 500_000, "1", now + 500_000),
            (now + 500_000, "0", now + 500_000),
            (now + 900_000, "0", now + 900_000),
            (now + 100_000, "0", now + 900_000),
        ] {
            assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 token PXAT {at}")), answer);
            assert_eq!(expires_ms(&mut talk, "user:1"), expires);
        }
        assert_eq!(talk.say("AUTH.CHECK user:1 token"), "REVOKED");
        assert_eq!(talk.say("TYPE user:1"), "authledgr");
    });
}

#[test]
fn the_four_forms_of_time_say_what_they_say_elsewhere_in_redis() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let before = talk.now_ms();
        let at_s = before / 1000 + 500;
        for (option, from, to) in [
            ("EX 500".into(), 500_000, 560_000),
            ("px 500000".into(), 500_000, 560_000),
            (format!("ExAt {at_s}"), at_s * 1000 - before, at_s * 1000 - before),
            (format!("PXAT {}", before + 700_000), 700_000, 700_000),
        ] {
            let key = format!("user:{option}").replace(' ', "-");
            assert_eq!(talk.say(&format!("AUTH.BLACKLIST {key} token {option}")), "1", "{option}");
            let expires = expires_ms(&mut talk, &key);
            assert!((before + from..=before + to).contains(&expires), "{option} is {expires}");
        }
    });
}

#[test]
fn f_44_an_indented_token_is_revoked_until_its_own_expiry_in_every_spelling() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let headers =
            ["{ \"alg\": \"ES256\" }", "{\n  \"alg\": \"ES256\"\n}", "{\"alg\":\"ES256\"}"];
        let payloads = ["{ \"exp\": 4000000000 }", "{\r\n\t\"exp\": 4000000000\r\n}"];
        talk.say("CONFIG SET portcullis.leeway 0");
        let exp = 1 + talk.now_ms() / 1000 + 900;
        for (n, header) in headers.iter().enumerate() {
            for (m, payload) in payloads.iter().enumerate() {
                let payload = payload.replace("4000000000", &exp.to_string());
                let token = |signature| format!("{}.{}.{signature}", part(header), part(&payload));
                let key = format!("user:{n}:{m}");
                assert_eq!(talk.say(&format!("AUTH.BLACKLIST {key} {}", token("c2ln"))), "1");
                assert_eq!(expires_ms(&mut talk, &key), exp * 1000);
                let respelled = token("c2lo");
                assert_eq!(talk.say(&format!("AUTH.CHECK {key} {respelled}")), "REVOKED");
            }
        }
    });
}

#[test]
fn a_time_already_past_revokes_nothing_and_makes_no_key() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for option in ["PXAT 1", "EXAT 1"] {
            assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 token {option}")), "0");
        }
        assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 {}", jwt(r#"{"exp":1}"#))), "0");
        assert_eq!(talk.say("EXISTS user:1"), "0");
    });
}

#[test]
fn times_that_cannot_be_meant_are_refused() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for (option, refusal) in [
            ("EX 0", EXPIRE),
            ("PX 0", EXPIRE),
            ("EX -1", EXPIRE),
            ("PXAT 0", EXPIRE),
            ("EXAT 0", EXPIRE),
            ("EXAT -1", EXPIRE),
            ("PXAT -9223372036854775808", EXPIRE),
            ("EX 9223372036854775807", EXPIRE),
            ("PX 9223372036854775807", EXPIRE),
            ("EXAT 9223372036854775807", EXPIRE),
            ("PXAT 9223372036854775807", EXPIRE),
            ("EX 18446744073709552", EXPIRE),
            ("EX 34560060", EXPIRE),
            ("EX 9223372036854775808", INTEGER),
            ("EX 1.5", INTEGER),
            ("EX one", INTEGER),
            ("EX", SYNTAX),
            ("EX 1 PX 1", SYNTAX),
            ("EX 1 EX 1", SYNTAX),
            ("KEEPTTL", SYNTAX),
            ("NX 1", SYNTAX),
        ] {
            assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 t {option}")), refusal, "{option}");
        }
        assert_eq!(talk.say("EXISTS user:1"), "0");
        assert_eq!(talk.say("AUTH.BLACKLIST user:1 t EX 34559000"), "1");
    });
}

#[test]
fn without_a_time_the_tokens_own_exp_and_the_leeway_count() {
    everywhere_with(
        |options| options.module_arguments(&["leeway", "5"]),
        |redis| {
            let mut talk = talk::to(redis);
            let exp_s = talk.now_ms() / 1000 + 300;
            for (n, payload) in [
                format!(r#"{{"exp":{exp_s}}}"#),
                format!(r#"{{"\u0065xp":{exp_s}.0}}"#),
                format!(r#"{{"exp":1,"sub":{{"exp":2}},"exp":{exp_s}}}"#),
                format!(r#"{{"exp":{}.{:09}e9}}"#, exp_s / 1_000_000_000, exp_s % 1_000_000_000),
            ]
            .iter()
            .enumerate()
            {
                let line = format!("AUTH.BLACKLIST user:{n} {}", jwt(payload));
                assert_eq!(talk.say(&line), "1", "{payload}");
                assert_eq!(expires_ms(&mut talk, &format!("user:{n}")), (exp_s + 5) * 1000);
            }
            let half = jwt(&format!(r#"{{"exp":{exp_s}.5}}"#));
            talk.say(&format!("AUTH.BLACKLIST half {half}"));
            assert_eq!(expires_ms(&mut talk, "half"), exp_s * 1000 + 5_500);
        },
    );
}

#[test]
fn a_token_expired_for_less_than_the_leeway_is_still_revoked() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let now_s = talk.now_ms() / 1000;
        let within = jwt(&format!(r#"{{"exp":{}}}"#, now_s - 10));
        let beyond = jwt(&format!(r#"{{"exp":{}}}"#, now_s - 70));
        assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 {within}")), "1");
        assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 {beyond}")), "0");
    });
}

#[test]
fn a_token_without_a_numeric_exp_needs_a_time() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for token in [
            "opaque".to_owned(),
            jwt("{}"),
            jwt(r#"{"exp":"1900000000"}"#),
            jwt(r#"{"exp":null}"#),
            jwt(r#"{"exp":1900000000,"exp":true}"#),
            jwt(r#"{"a":{"exp":1900000000}}"#),
            jwt(r#"{"exp":1900000000"#),
            jwt(r#"{"exp":1e999}"#),
            "eyJhbGciOiJIUzI1NiJ9.eyJ!!!.c2ln".to_owned(),
            format!("DIGEST {}", digest(1)),
        ] {
            assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 {token}")), NO_EXP, "{token}");
            assert_eq!(
                talk.say(&format!("AUTH.BLACKLIST of:{} {token} EX 100", token.replace(' ', "-"))),
                "1",
                "{token}"
            );
        }
        assert_eq!(talk.tell("AUTH.BLACKLIST user:1 %", &[b""]), NO_EXP);
    });
}

#[test]
fn a_negative_exp_is_past_and_one_beyond_reason_is_refused() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for (payload, answer) in [
            (r#"{"exp":-1}"#, "0"),
            (r#"{"exp":-1e300}"#, "0"),
            (r#"{"exp":0}"#, "0"),
            (r#"{"exp":9000000000}"#, EXPIRE),
            (r#"{"exp":9e12}"#, EXPIRE),
            (r#"{"exp":1e300}"#, EXPIRE),
        ] {
            let told = talk.say(&format!("AUTH.BLACKLIST user:1 {}", jwt(payload)));
            assert_eq!(told, answer, "{payload}");
        }
    });
}

#[test]
fn a_digest_of_either_case_revokes_its_token() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let hex = "BA7816BF8F01CFEA414140DE5DAE2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 dIgEsT {hex} EX 100")), "1");
        assert_eq!(talk.say("AUTH.BLACKLIST user:1 abc EX 100"), "0");
        assert_eq!(talk.say("AUTH.CHECK user:1 abc"), "REVOKED");
        assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 DIGEST {} EX 1", &hex[1..])), SYNTAX);
        assert_eq!(talk.say(&format!("AUTH.BLACKLIST user:1 DIGEST {hex} 100")), SYNTAX);
    });
}

#[test]
fn arity_and_type_are_refused_in_redis_own_words() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        for line in ["AUTH.BLACKLIST", "AUTH.BLACKLIST user:1"] {
            let refusal = "ERR wrong number of arguments for 'auth.blacklist' command";
            assert_eq!(talk.say(line), refusal, "{line}");
        }
        talk.say("SADD user:1 a");
        let refusal = "WRONGTYPE Operation against a key holding the wrong kind of value";
        assert_eq!(talk.say("AUTH.BLACKLIST user:1 token EX 1"), refusal);
        assert_eq!(talk.say("AUTH.BLACKLIST user:1 token PXAT 1"), refusal);
    });
}

#[test]
fn one_ledger_serves_as_a_blacklist_of_many() {
    everywhere(|redis| {
        let mut talk = talk::to(redis);
        let mut pipe = redis::pipe();
        for n in 0..20_000 {
            pipe.cmd("AUTH.BLACKLIST")
                .arg("revoked")
                .arg("DIGEST")
                .arg(digest(n))
                .arg("EX")
                .arg(900);
        }
        let answers: Vec<i64> = pipe.query(&mut talk.0).expect("every one is accepted");
        assert_eq!(answers.iter().sum::<i64>(), 20_000);
        for n in [0, 1, 9_999, 19_999] {
            assert_eq!(talk.say(&format!("AUTH.CHECK revoked DIGEST {}", digest(n))), "REVOKED");
        }
        assert_eq!(talk.say(&format!("AUTH.CHECK revoked DIGEST {}", digest(20_000))), "OK");
    });
}
