//! Passwords: which are taken, how they are kept, and that a refusal tells nothing.

use portcullis_tests::{Answer, PASSWORD, Service, tell};
use serde_json::{Value, json};
use std::time::Instant;

use crate::site::{own, site};

fn newcomer(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password, "first_name": "Ada", "last_name": "Lovelace" })
}

fn codes(answer: &Answer) -> Vec<(String, String)> {
    let errors = answer.json["errors"].as_array().expect("there are errors");
    let text = |value: &'_ Value| value.as_str().unwrap().to_owned();
    errors.iter().map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
}

fn fault(code: &str) -> (String, String) {
    ("#/password".to_owned(), code.to_owned())
}

fn refusal(length: usize) -> &'static str {
    if length < 15 { "password_too_short" } else { "password_too_long" }
}

/// A service that lets people in before their address is verified.
async fn open_door() -> Option<Service> {
    own(|settings| settings.accounts.email_verification_required = false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn r_42_passwords_are_measured_in_characters_and_every_one_of_them_counts() {
    let Some(auth) = open_door().await else { return };
    let (crab, words) = ("🦀", "many plain words stand in a row here, ");
    let cases = [
        (7, crab.repeat(7), false),
        (14, "fourteen chars".to_owned(), false),
        (14, crab.repeat(13) + "x", false),
        (15, "fifteen of them".to_owned(), true),
        (15, "ö🦀 and ten more".to_owned(), true),
        (64, words.repeat(4)[..64].to_owned(), true),
        (128, words.repeat(4)[..128].to_owned(), true),
        (128, "ö🦀".repeat(60) + "and more", true),
        (129, words.repeat(4)[..129].to_owned(), false),
    ];
    for (number, (length, password, is_good)) in cases.into_iter().enumerate() {
        assert_eq!(password.chars().count(), length, "{password}");
        let email = format!("ada{number}@example.com");
        let answer = auth.post("/register", newcomer(&email, &password)).await;
        assert_eq!(
            answer.status.as_u16(),
            if is_good { 201 } else { 422 },
            "{password} {answer:?}"
        );
        if !is_good {
            assert_eq!(codes(&answer), [fault(refusal(length))]);
            continue;
        }
        let log_in = async |password: &str| {
            auth.post("/login-enhanced", json!({ "email": email, "password": password })).await
        };
        log_in(&password).await.must_be(200);
        let mut cut: Vec<char> = password.chars().collect();
        *cut.last_mut().unwrap() = '!';
        log_in(&cut.iter().collect::<String>()).await.must_be(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_43_no_mixture_of_characters_is_demanded() {
    let site = site().await;
    let letters = "qhzvkmwtbnslpxgrdcfj";
    let name = site.person("alice").await.email.replace('@', "-new@");
    for password in [letters, "83920175648302957164", "     spaces only     "] {
        site.post("/register", newcomer(&name, password)).await.must_be(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_44_passwords_that_are_guessed_first_are_refused_with_their_place() {
    let site = site().await;
    let cases = [
        ("password12345678", "password_too_common"),
        ("PASSWORD12345678", "password_too_common"),
        ("qwertyuiopqwertyuiop", "password_too_common"),
        ("ada.lovelace@example.com", "password_too_personal"),
        ("Lovelace Lovelace", "password_too_personal"),
        ("portcullisportcullis", "password_too_personal"),
    ];
    for (password, code) in cases {
        let answer = site.post("/register", newcomer("ada.lovelace@example.com", password)).await;
        assert_eq!(codes(&answer.must_be(422)), [fault(code)], "{password}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_45_c_25_passwords_are_kept_in_argon2id_and_old_hashes_are_replaced_at_login() {
    let Some(auth) = own(|settings| {
        settings.accounts.password_memory_kib = 19_456;
        settings.accounts.password_iterations = 2;
    })
    .await
    else {
        return;
    };
    let kept = async |user_id: u64| -> String {
        let hash = sqlx::query_scalar("select password_hash from users where id = ?");
        hash.bind(user_id).fetch_one(auth.db()).await.unwrap()
    };
    let strong = "$argon2id$v=19$m=19456,t=2,p=1$";
    let alice = auth.user("alice").await;
    assert!(kept(alice).await.starts_with(strong));
    for marker in ["$2a$", "$2b$", "$2y$"] {
        let old = bcrypt::hash(PASSWORD, 4).unwrap().replacen("$2b$", marker, 1);
        sqlx::query("update users set password_hash = ?")
            .bind(&old)
            .execute(auth.db())
            .await
            .unwrap();
        auth.post("/login-enhanced", json!({ "email": "alice@example.com", "password": "wrong" }))
            .await
            .must_be(401);
        assert_eq!(kept(alice).await, old);
        auth.log_in("alice").await.must_be(200);
        assert!(kept(alice).await.starts_with(strong), "{marker}");
        auth.log_in("alice").await.must_be(200);
    }
}

/// Somebody unknown, and known people whose login must look the same.
const REFUSED: [(&str, &str); 6] = [
    ("nobody", PASSWORD),
    ("alice", "not her password at all"),
    ("unverified", PASSWORD),
    ("disabled", PASSWORD),
    ("bcrypt", "not his password at all"),
    ("bcrypt-disabled", PASSWORD),
];

async fn with_people() -> Option<Service> {
    let auth = own(|settings| settings.server.trusted_ip = "127.0.0.1".parse().unwrap()).await?;
    for (name, _) in &REFUSED[1..] {
        auth.user(name).await;
    }
    let old = bcrypt::hash(PASSWORD, 4).unwrap();
    let changes = [
        "update users set email_verified_at = null where first_name = 'unverified' or ''  = ?",
        "update users set is_active = false where first_name like '%disabled' or '' = ?",
        "update users set password_hash = ? where first_name like 'bcrypt%'",
    ];
    for change in changes {
        sqlx::query(change).bind(&old).execute(auth.db()).await.unwrap();
    }
    auth.app.passwords.look_for_old_hashes(auth.db()).await.unwrap();
    Some(auth)
}

async fn refused(auth: &Service, name: &str, password: &str) -> Answer {
    let body = json!({ "email": format!("{name}@example.com"), "password": password });
    let mut answer = auth.post("/login-enhanced", body).await.must_be(401);
    for differing in ["date", "x-request-id"] {
        assert!(answer.headers.remove(differing).is_some());
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn r_46_bug_37_every_refused_login_looks_the_same_and_does_the_same_work() {
    let Some(auth) = with_people().await else { return };
    let mut answers = Vec::new();
    for case in REFUSED {
        let (name, password) = case;
        let before = auth.app.passwords.work();
        let answer = refused(&auth, name, password).await;
        let after = auth.app.passwords.work();
        let work = (after.argon2id - before.argon2id, after.bcrypt - before.bcrypt);
        assert_eq!(work, (1, 1), "{case:?}: hashes of either kind");
        answers.push((answer.text, format!("{:?}", answer.headers)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r_46_bug_37_an_unknown_address_and_a_wrong_password_are_refused_alike() {
    let site = site().await;
    let known = site.person("alice").await;
    let unknown = known.email.replace('@', "-unknown@");
    let ask = async |email: &str| {
        let body = json!({ "email": email, "password": "not her password at all" });
        let mut answer = site.post("/login-enhanced", body).await.must_be(401);
        for differing in ["date", "x-request-id", "ratelimit"] {
            answer.headers.remove(differing);
        }
        (answer.text, format!("{:?}", answer.headers))
    };
    assert_eq!(ask(&unknown).await, ask(&known.email).await);
}

/// No assertion on time: the machine that runs this is no quiet one.
#[tokio::test(flavor = "multi_thread")]
async fn r_46_the_times_of_refused_logins_are_measured_and_told() {
    const EACH: usize = 200;
    let Some(auth) = with_people().await else { return };
    let mut times = vec![Vec::with_capacity(EACH); REFUSED.len()];
    for _ in 0..EACH {
        for ((name, password), times) in REFUSED.into_iter().zip(&mut times) {
            let started = Instant::now();
            refused(&auth, name, password).await;
            times.push(started.elapsed());
        }
    }
    for (case, sample) in REFUSED.iter().zip(&times).skip(1) {
        let z = mann_whitney_z(&times[0], sample);
        tell(&format!(
            "R-46: nobody against {}: {EACH} logins each, Mann-Whitney z = {z:.2}",
            case.0
        ));
    }
}

/// How far two samples are from being drawn alike, in standard deviations.
fn mann_whitney_z<T: PartialOrd>(one: &[T], other: &[T]) -> f64 {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    let wins: f64 = pairs
        .map(|(a, b)| {
            if a > b {
                1.0
            } else if a < b {
                0.0
            } else {
                0.5
            }
        })
        .sum();
    let count = |sample: &[T]| f64::from(u32::try_from(sample.len()).expect("samples are small"));
    let (n, m) = (count(one), count(other));
    (wins - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[test]
fn samples_that_are_alike_are_told_from_those_that_are_not() {
    let low: Vec<u32> = (0..100).collect();
    let high: Vec<u32> = (50..150).collect();
    assert!(mann_whitney_z(&low, &low).abs() < 0.01);
    assert!(mann_whitney_z(&low, &high) < -5.0 && mann_whitney_z(&high, &low) > 5.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_37_nothing_tells_whether_an_address_has_an_account() {
    let site = site().await;
    let known = site.person("alice").await.email;
    let unknown = known.replace('@', "-unknown@");
    for path in ["/forgot-password", "/resend-verification"] {
        let ask =
            async |email: &str| site.post(path, json!({ "email": email })).await.must_be(200).text;
        assert_eq!(ask(&known).await, ask(&unknown).await, "{path}");
    }
    let register = async |email: &str| {
        site.post("/register", newcomer(email, "seven new words for an old gate"))
            .await
            .must_be(201)
            .text
    };
    assert_eq!(register(&known).await, register(&unknown).await);
}
