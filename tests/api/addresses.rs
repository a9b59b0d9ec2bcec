//! One form of an address at every door: register, login, forgot, resend, search, limits, and the step
//! that brings old rows into it.

use std::time::Duration;

use std::process::Command;

use portcullis_tests::{Database, PASSWORD, Service, binary_path, wait_until};
use serde_json::{Value, json};
use sqlx::MySqlPool;

/// An address as it is stored, and ways in which people and their keyboards spell it.
const SPELLED: [(&str, [&str; 3]); 2] = [
    (
        "jos\u{e9}@example.com",
        ["jos\u{e9}@example.com", "Jose\u{301}@Example.com", " JOS\u{c9}@example.com "],
    ),
    (
        "ada@xn--bcher-kva.example",
        ["ada@b\u{fc}cher.example", "Ada@BU\u{308}CHER.example", "ada@XN--BCHER-kva.example"],
    ),
];

fn newcomer(email: &str) -> Value {
    json!({
        "email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace",
    })
}

fn credentials(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD })
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_however_an_address_is_spelled_it_is_one_account_at_every_door() {
    for (form, [first, second, third]) in SPELLED {
        let auth = Service::start().await;
        auth.post("/register", newcomer(first)).await.must_be(201);
        let mail = auth.mailed_token(0);
        // Sooner it would be the same registration, sent twice.
        auth.clock.advance(Duration::from_mins(11));
        auth.post("/register", newcomer(second)).await.must_be(201);
        wait_until("the second mail is there", || auth.mails().len() == 2);
        assert!(auth.mails()[1].contains("already have an"), "{:?}", auth.mails());
        auth.post("/resend-verification", json!({ "email": third })).await.must_be(200);
        wait_until("the third mail is there", || auth.mails().len() == 3);
        auth.post("/verify-email", json!({ "token": mail })).await;
        auth.post("/verify-email", json!({ "token": auth.mailed_token(2) })).await.must_be(200);
        let mut ids = Vec::new();
        for spelling in [first, second, third, form] {
            let login = auth.post("/login", credentials(spelling)).await.must_be(200);
            assert_eq!(login.text_at("/data/user/email"), form);
            ids.push(login.json["data"]["user"]["id"].as_u64().unwrap());
        }
        let mails = auth.mails().len();
        auth.post("/forgot-password", json!({ "email": second })).await.must_be(200);
        wait_until("the mail is there", || auth.mails().len() > mails);
        let root = auth.admin("root").await;
        for spelling in [first, second, third, form] {
            let query = url_encoded(spelling);
            let found = auth.get_as(&root.access, &format!("/admin/users?email={query}")).await;
            let found = found.must_be(200).json["data"]["users"][0]["id"].as_u64();
            ids.push(found.expect(spelling));
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().flat_map(|byte| format!("%{byte:02X}").into_bytes()).map(char::from).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_what_cannot_be_mailed_is_refused_at_once() {
    let auth = Service::start().await;
    auth.user("ada").await;
    for odd in [
        "a\u{200b}da@example.com",
        "\u{202e}ada@example.com",
        "ada\u{ff20}example.com",
        "\u{ff41}da@example.com",
        "a\u{3164}da@example.com",
        "ada@exam\u{ad}ple.com",
        "ada@xn--a.example",
        "ada\u{1f600}@example.com",
        "\u{301}ada@example.com",
    ] {
        for path in ["/register", "/forgot-password", "/resend-verification"] {
            let answer = auth.post(path, newcomer(odd)).await.must_be(422);
            let fault = &answer.json["errors"][0];
            assert_eq!(
                (&fault["pointer"], &fault["code"]),
                (&json!("#/email"), &json!("not_an_email"))
            );
        }
        let answer = auth.post("/login", credentials(odd)).await.must_be(401);
        assert_eq!(answer.json["code"], "bad_credentials");
    }
    assert_eq!(auth.count("select count(*) from users where id > ?", 0).await, 1);
    assert!(auth.all_mails().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_another_spelling_is_no_other_count_of_failures() {
    let auth = Service::with(|settings| {
        settings.limits.account_free_failures = 1;
        settings.accounts.notify_new_device = false;
    })
    .await;
    for (_, spellings) in SPELLED {
        let mut statuses = Vec::new();
        for spelling in spellings {
            let wrong = json!({ "email": spelling, "password": "not the password at all" });
            statuses.push(auth.post("/login", wrong).await.status.as_u16());
        }
        assert_eq!(statuses, [401, 401, 429], "{spellings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_a_device_is_known_again_in_every_spelling() {
    let auth = Service::start().await;
    for (form, spellings) in SPELLED {
        let known = auth.app.limits.device_cookie(spellings[1], [7; 16]);
        for spelling in spellings.iter().chain([&form]) {
            assert!(auth.app.limits.knows(spelling, Some(&known)), "{spelling}");
        }
    }
}

/// What `migrate up` says.
fn migrate_up(database: &str) -> String {
    let mut command = Command::new(binary_path());
    let output = command.args(["migrate", "up"]).env_clear().env("DATABASE_URL", database).output();
    let output = output.expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn addresses(db: &MySqlPool) -> Vec<String> {
    let all = "select email from users order by id";
    sqlx::query_scalar(all).fetch_all(db).await.unwrap()
}

async fn insert(db: &MySqlPool, hash: &str, emails: &[&str]) {
    for email in emails {
        sqlx::query(
            "insert into users (email, password_hash, first_name, last_name, email_verified_at,
                                created_at, updated_at)
             values (?, ?, 'A', 'B', now(3), now(3), now(3))",
        )
        .bind(email)
        .bind(hash)
        .execute(db)
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_old_accounts_get_the_canonical_form_and_none_is_merged_or_locked_out() {
    let url = Database::shared().fresh_database("addresses");
    let auth = Service::on(portcullis_tests::Redis::start(), &url, |_| {}).await;
    let hash = auth.app.passwords.hash(PASSWORD.to_owned().into()).await.unwrap();
    let old = [
        "plain@example.com",
        "ada@b\u{fc}cher.example",
        "jose\u{301}@example.com",
        "jos\u{e9}@example.com",
        "rene\u{301}@example.com",
        "un\u{200b}seen@example.com",
        "\u{142}ucja@example.com",
    ];
    insert(auth.db(), &hash, &old).await;
    for spelling in old {
        auth.post("/login", credentials(spelling)).await.must_be(200);
    }

    let told = migrate_up(&url);

    let kept = [
        old[0],
        "ada@xn--bcher-kva.example",
        old[2],
        old[3],
        "ren\u{e9}@example.com",
        old[5],
        old[6],
    ];
    assert_eq!(addresses(auth.db()).await, kept);
    assert!(told.contains("2  e-mail addresses brought into their canonical form"), "{told}");
    assert!(told.contains("2  e-mail addresses left as they are"), "{told}");
    assert!(
        told.contains("user 3, jose\\u{301}@example.com: the same address as that of user 4"),
        "{told}"
    );
    assert!(told.contains("user 6, un\\u{200b}seen@example.com: cannot be mailed"), "{told}");
    for (id, spelling) in (1_u64..).zip(old) {
        let login = auth.post("/login", credentials(spelling)).await.must_be(200);
        assert_eq!(login.json["data"]["user"]["id"], id, "{spelling:?}");
    }
    auth.post("/login", credentials("REN\u{c9}@example.com")).await.must_be(200);

    let again = migrate_up(&url);
    assert_eq!(addresses(auth.db()).await, kept);
    assert!(!again.contains("brought into"), "{again}");
    assert!(again.contains("2  e-mail addresses left as they are"), "told until it is settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_of_two_old_accounts_with_one_address_the_older_gets_its_form() {
    let url = Database::shared().fresh_database("addresses");
    migrate_up(&url);
    let db = MySqlPool::connect(&url).await.unwrap();
    insert(&db, "", &["ada@b\u{fc}cher.example", "ada@bu\u{308}cher.example"]).await;
    let told = migrate_up(&url);
    let kept = ["ada@xn--bcher-kva.example", "ada@bu\u{308}cher.example"];
    assert_eq!(addresses(&db).await, kept);
    assert!(told.contains("the same address as that of user 1"), "{told}");
}
