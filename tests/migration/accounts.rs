//! The users of the old system.

use portcullis_tests::Service;
use serde_json::json;

use crate::old::{Old, Version, contents};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_with_the_password_of_old() {
    for version in [Version::A, Version::B] {
        let (auth, old) = (Service::start().await, Old::new(version));
        old.user(17, "alice");
        let tally = old.import(&auth).await;
        assert_eq!(tally.of("users", "imported"), 1, "{tally}");
        let login = auth.log_in("alice").await.must_be(200);
        assert_eq!(login.json["data"]["user"]["id"], 17);
        assert_eq!(login.json["data"]["user"]["last_name"], "Tester");
        assert!(hash(&auth, 17).await.starts_with("$argon2id$"), "upgraded at the first login");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn role_and_standing_come_along() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(1, "root");
    old.user(2, "disabled");
    old.user(3, "unverified");
    old.user(4, "social");
    old.run(
        "update users set role = 'admin' where id = 1;
         update users set is_active = false where id = 2;
         update users set email_verified_at = null where id = 3;
         update users set password = null where id = 4",
    );
    let tally = old.import(&auth).await;
    let root = auth.logged_in("root").await;
    auth.get_as(&root.access, "/admin/users").await.must_be(200);
    for name in ["disabled", "unverified", "social"] {
        auth.log_in(name).await.must_be(401);
    }
    assert_eq!(tally.of("users", "imported, to verify their address before they log in"), 1);
    assert_eq!(tally.of("users", "imported, to choose a new password by mail"), 1);
    auth.post("/forgot-password", json!({ "email": "social@example.com" })).await.must_be(200);
    assert!(!auth.mailed_token(0).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_verified_no_addresses_can_have_them_taken_as_verified() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(1, "alice");
    old.run("alter table users drop column email_verified_at");
    old.try_import(&auth, |options| options.verified = true).await.unwrap();
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_another_persons_account() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    let bob = auth.user("bob").await;
    let carol = auth.user("carol").await;
    old.user(bob, "alice");
    old.run("update users set created_at = '2020-01-01'");
    old.user(carol + 1, "carol");
    old.user(carol + 2, "not an address ");
    old.session(bob, 1, 1);
    let before = contents(&auth).await;
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("users", "left out: another account here has the id"), 1, "{tally}");
    assert_eq!(tally.of("users", "left out: another account here has the e-mail address"), 1);
    assert_eq!(tally.of("users", "left out: no e-mail address that mail could reach"), 1);
    assert_eq!(contents(&auth).await, before, "not even a session\n{tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn until_the_switch_the_younger_row_wins_and_a_changed_password_ends_sessions() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(1, "alice");
    old.user(2, "bob");
    old.user(3, "carol");
    old.import(&auth).await;
    let (alice, bob) = (auth.logged_in("alice").await, auth.logged_in("bob").await);
    let carol = auth.logged_in("carol").await;
    let hash_of_bob = hash(&auth, 2).await;
    old.run(&format!(
        "update users set password = '{}', updated_at = utc_timestamp() + interval 1 hour
          where id = 1;
         update users set is_active = false, updated_at = utc_timestamp() + interval 1 hour
          where id = 3",
        bcrypt::hash("another horse battery staple", 4).unwrap(),
    ));
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("users", "brought up to date"), 2, "{tally}");
    assert!(!auth.is_good(&alice.access).await);
    assert!(!auth.is_good(&carol.access).await);
    assert_eq!(auth.verdict(&alice), "NO_SESSION");
    auth.log_in("alice").await.must_be(401);
    auth.log_in("carol").await.must_be(401);
    assert!(auth.is_good(&bob.access).await);
    assert_eq!(hash(&auth, 2).await, hash_of_bob, "the upgraded hash stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_19_hashes_that_are_too_dear_are_counted_and_replaced_by_mail() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    for (id, name) in [(1, "alice"), (2, "bob"), (3, "carol"), (4, "dave")] {
        old.user(id, name);
    }
    old.run(
        "update users set password = replace(password, '$04$', '$17$') where id = 1;
         update users set password = replace(password, '$04$', '$13$') where id = 2;
         update users set password = '$argon2id$v=19$m=4194304,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' where id = 3;
         update users set password = '$scrypt$ln=20,r=8,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' where id = 4",
    );
    let tally = old.import(&auth).await;
    let dear = "imported, to choose a new password by mail: checking the old hash costs too much";
    assert_eq!(tally.of("users", dear), 2, "{tally}");
    assert_eq!(tally.of("users", "imported, to choose a new password by mail"), 1, "{tally}");
    assert_eq!(tally.of("users", "imported"), 1, "{tally}");
    auth.log_in("alice").await.must_be(401);
    auth.post("/forgot-password", json!({ "email": "alice@example.com" })).await.must_be(200);
    let new = "another horse battery staple";
    let reset = json!({ "token": auth.mailed_token(0), "new_password": new });
    auth.post("/reset-password", reset).await.must_be(200);

    old.run("update users set updated_at = utc_timestamp() + interval 1 hour where id = 1");
    let tally = old.import(&auth).await;
    let kept = "brought up to date but for the password: checking its hash costs too much";
    assert_eq!(tally.of("users", kept), 1, "{tally}");
    let body = json!({ "email": "alice@example.com", "password": new });
    auth.post("/login-enhanced", body).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_two_spellings_of_one_address_are_one_account_here() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(1, "ren\u{e9}");
    old.user(2, "rene\u{301}");
    old.user(3, "un\u{200b}seen");
    old.user(4, "ada");
    old.run("update users set email = 'Ada@b\u{fc}cher.example' where id = 4");
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("users", "imported"), 2, "{tally}");
    let taken = "left out: another account here has the e-mail address";
    assert_eq!(tally.of("users", taken), 1, "{tally}");
    let unmailable = "left out: no e-mail address that mail could reach";
    assert_eq!(tally.of("users", unmailable), 1, "{tally}");
    auth.log_in("rene\u{301}").await.must_be(200);
    let known: String = sqlx::query_scalar("select email from users where id = 4")
        .fetch_one(auth.db())
        .await
        .unwrap();
    assert_eq!(known, "ada@xn--bcher-kva.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_47_who_was_deleted_here_does_not_come_back() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(1, "alice");
    old.user(2, "bob");
    old.import(&auth).await;
    let (alice, _) = (auth.logged_in("alice").await, old.session(1, 1, 1));
    auth.delete_as(&alice.access, "/me").await.must_be(200);
    let tally = old.import(&auth).await;
    assert_eq!(tally.of("users", "left out: deleted here"), 1, "{tally}");
    assert_eq!(tally.of("users", "there already"), 1, "{tally}");
    auth.log_in("alice").await.must_be(401);
    assert_eq!(auth.live_sessions(1).await, 0);
}

async fn hash(auth: &Service, user_id: u64) -> String {
    let hash = sqlx::query_scalar("select password_hash from users where id = ?").bind(user_id);
    hash.fetch_one(auth.db()).await.unwrap()
}
