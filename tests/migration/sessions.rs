//! The sessions of the old system, and the tokens that people hold.

use std::time::Duration;

use portcullis_tests::{Login, Service};
use serde_json::json;

use crate::old::{Holder, Old, Version, contents};

/// What a client of the old system sends.
async fn refresh(auth: &Service, holder: &Holder) -> portcullis_tests::Answer {
    let body = json!({ "refresh_token": holder.refresh, "session_id": holder.session });
    auth.post("/refresh", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_logged_in_stays_logged_in_with_the_token_of_old() {
    for version in [Version::A, Version::B] {
        let (auth, old) = (Service::start().await, Old::new(version));
        old.user(17, "alice");
        let phone = old.session(17, 1, 10);
        let laptop = old.session(17, 2, 1);
        old.import(&auth).await;
        for holder in [&phone, &laptop] {
            let answer = refresh(&auth, holder).await.must_be(200);
            let access = answer.text_at("/data/access/token");
            assert!(answer.text_at("/data/refresh/token").starts_with("prt_"));
            assert!(auth.is_good(&access).await);
            let login = Login {
                user_id: 17,
                session: holder.session.clone(),
                access,
                refresh: answer.text_at("/data/refresh/token"),
            };
            assert_eq!(auth.verdict(&login), "OK", "services that ask Redis know it too");
            auth.refresh(&login.refresh).await.must_be(200);
        }
        let listed = auth.ledger_sessions(17);
        assert_eq!(listed.len(), 2, "{listed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_old_is_spent_by_its_use_and_its_theft_is_seen() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(17, "alice");
    let phone = old.session(17, 1, 1);
    old.import(&auth).await;
    let next = refresh(&auth, &phone).await.must_be(200).text_at("/data/refresh/token");
    auth.clock.advance(Duration::from_secs(31));
    refresh(&auth, &phone).await.must_be(401);
    auth.refresh(&next).await.must_be(401);
    assert_eq!(auth.live_sessions(17).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_left_out() {
    let cases: [(&str, &str); 8] = [
        ("update user_sessions set is_active = false", "left out: ended or expired"),
        (
            "update user_sessions set expires_at = utc_timestamp() - interval 1 minute",
            "left out: ended or expired",
        ),
        (
            "update user_sessions set last_activity = utc_timestamp() - interval 8 day",
            "left out: idle for longer than SESSION_IDLE_TIMEOUT",
        ),
        ("update refresh_tokens set is_active = false", NO_TOKEN),
        ("update refresh_tokens set expires_at = utc_timestamp() - interval 1 minute", NO_TOKEN),
        ("delete from refresh_tokens", NO_TOKEN),
        (
            r#"update user_sessions set device_info = '{"fingerprint":"migration"}'"#,
            "left out: invented by an earlier migration",
        ),
        (
            "update users set is_active = false",
            "left out: of users who are disabled or were left out",
        ),
    ];
    for (sql, fate) in cases {
        let (auth, old) = (Service::start().await, Old::new(Version::A));
        old.user(17, "alice");
        let phone = old.session(17, 1, 1);
        old.run(sql);
        let tally = old.import(&auth).await;
        assert_eq!(tally.of("sessions", fate), 1, "{sql}\n{tally}");
        assert_eq!(auth.live_sessions(17).await, 0, "{sql}");
        refresh(&auth, &phone).await.must_be(401);
        assert_eq!(auth.ledger_sessions(17), Vec::<String>::new(), "{sql}");
    }
}

const NO_TOKEN: &str = "left out: no live refresh token of their own";
const REVOKED: &str = "left out: a revocation ended them, or may have";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_in_the_old_system_stays_dead() {
    let session = format!("'session_{:064x}'", 1);
    let hash = format!("sha2('{:0128x}', 256)", 1);
    // Hash, type, reason, session, minutes ago, and what becomes of a session used 5 minutes ago.
    let cases = [
        (hash.as_str(), "refresh", "revoked", "null", 60, NO_TOKEN),
        ("'unknown'", "access", "logout", session.as_str(), 60, REVOKED),
        ("'unknown'", "access", "logout", "null", 1, REVOKED),
        ("'unknown'", "access", "logout", "null", 60, "imported"),
        ("'unknown'", "refresh", "token rotation", session.as_str(), 1, "imported"),
    ];
    for (hash, kind, reason, session, ago, fate) in cases {
        let (auth, old) = (Service::start().await, Old::new(Version::A));
        old.user(17, "alice");
        let phone = old.session(17, 1, 5);
        old.run(&format!(
            "insert into token_blacklist_enhanced
                (token_hash, token_type, token_expiry, reason, user_id, session_id, blacklisted_at)
             values ({hash}, '{kind}', utc_timestamp() + interval 1 day, '{reason}', 17, {session},
                     utc_timestamp() - interval {ago} minute)",
        ));
        let tally = old.import(&auth).await;
        assert_eq!(tally.of("sessions", fate), 1, "{kind} {reason} {session} {ago}\n{tally}");
        let status = if fate == "imported" { 200 } else { 401 };
        refresh(&auth, &phone).await.must_be(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_refresh_tokens_are_listed_here_and_access_tokens_of_old_are_not() {
    let (auth, old) = (Service::start().await, Old::new(Version::B));
    old.user(17, "alice");
    old.run(
        "insert into token_blacklist (token_hash, token_type, token_expiry, reason, user_id) values
           (sha2('a', 256), 'refresh', (unix_timestamp() + 60) * 1000, 'Logout All Devices', 17),
           (sha2('b', 256), 'refresh', (unix_timestamp() - 60) * 1000, 'logout', 17),
           (sha2('c', 256), 'access', (unix_timestamp() + 60) * 1000, 'logout', 17)",
    );
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("revocations", "imported"), 1, "{tally}");
    assert_eq!(tally.of("revocations", "left out: expired"), 1);
    let alice = auth.logged_in("alice").await;
    let list = auth.get_as(&alice.access, "/blacklist").await.must_be(200);
    assert!(list.text.contains("\"logout_all\""), "{list:?}");
    assert!(!list.text.contains("\"access\""), "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_knows_no_session_goes_to_the_latest_used_one_of_its_device() {
    let (auth, old) = (Service::start().await, Old::new(Version::B));
    old.user(17, "alice");
    let early = old.session(17, 1, 10);
    let late = old.session(17, 2, 1);
    old.run(r#"update user_sessions set device_info = '{"fingerprint":"same"}'"#);
    old.run(r#"update refresh_tokens set device_info = '{"fingerprint":"same"}'"#);
    let tally = old.import(&auth).await;
    assert_eq!(
        (tally.of("sessions", "imported"), tally.of("sessions", NO_TOKEN)),
        (1, 1),
        "{tally}"
    );
    refresh(&auth, &late).await.must_be(200);
    refresh(&auth, &early).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_keeps_the_latest_used() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(17, "alice");
    let holders: Vec<Holder> = (1..=7).map(|number| old.session(17, number, number)).collect();
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("sessions", "left out: beyond MAX_SESSIONS_PER_USER"), 2, "{tally}");
    refresh(&auth, &holders[4]).await.must_be(200);
    refresh(&auth, &holders[5]).await.must_be(401);
    assert_eq!(auth.live_sessions(17).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_taken_in_batches_and_none_is_forgotten() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.run(
        r"insert into users (id, email, password, email_verified_at)
             with recursive n as (select 1 as i union all select i + 1 from n where i < 250)
           select i * 3, concat(i, '@example.com'), 'unknown', utc_timestamp() from n;
           insert into user_sessions (id, user_id, device_info, last_activity, created_at,
                                      expires_at)
           select concat('session_', lpad(id, 64, '0')), id, '{}', utc_timestamp(),
                  utc_timestamp(), utc_timestamp() + interval 1 day from users;
           insert into refresh_tokens (user_id, token_hash, session_id, device_info, expires_at,
                                       created_at, updated_at)
           select user_id, sha2(id, 256), id, '{}', expires_at, created_at, created_at
             from user_sessions;
           insert into token_blacklist_enhanced (token_hash, token_type, token_expiry)
             with recursive n as (select 1 as i union all select i + 1 from n where i < 50)
           select sha2(concat(a.i, '.', b.i), 256), 'refresh', utc_timestamp() + interval 1 day
             from n a join n b",
    );
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("users", "imported, to choose a new password by mail"), 250, "{tally}");
    assert_eq!(tally.of("sessions", "imported"), 250);
    assert_eq!(tally.of("revocations", "imported"), 2500);
    assert_eq!(auth.ledger_sessions(750).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_again_changes_nothing_and_revives_nobody() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(17, "alice");
    old.user(18, "bob");
    let (phone, laptop) = (old.session(17, 1, 1), old.session(17, 2, 2));
    old.session(18, 3, 1);
    old.import(&auth).await;
    let access = refresh(&auth, &phone).await.must_be(200).text_at("/data/access/token");
    auth.post_as(&access, "/logout", json!({})).await.must_be(200);
    let before = contents(&auth).await;
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("users", "there already"), 2, "{tally}");
    assert_eq!(tally.of("sessions", "there already"), 3, "{tally}");
    assert_eq!(contents(&auth).await, before);
    assert!(!auth.is_good(&access).await);
    refresh(&auth, &laptop).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_everywhere_here_is_not_undone_by_an_import() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(17, "alice");
    old.import(&auth).await;
    let alice = auth.logged_in("alice").await;
    let phone = old.session(17, 1, 1);
    auth.post_as(&alice.access, "/logout-all-devices", json!({})).await.must_be(200);
    let tally = old.import(&auth).await;
    let fate = "left out: their user has logged out everywhere here";
    assert_eq!(tally.of("sessions", fate), 1, "{tally}");
    refresh(&auth, &phone).await.must_be(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_the_same_and_changes_nothing() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(17, "alice");
    old.session(17, 1, 1);
    let before = contents(&auth).await;
    let tried = old.try_import(&auth, |options| options.dry_run = true).await.unwrap();
    assert_eq!(contents(&auth).await, before);
    assert_eq!(auth.ledger_sessions(17), Vec::<String>::new());
    assert_eq!(old.import(&auth).await, tried);
    assert_eq!(tried.of("sessions", "imported"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_can_be_left_where_they_are() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(17, "alice");
    let phone = old.session(17, 1, 1);
    old.try_import(&auth, |options| options.without_sessions = true).await.unwrap();
    refresh(&auth, &phone).await.must_be(401);
    auth.log_in("alice").await.must_be(200);
}
