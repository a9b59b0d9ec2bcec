//! Mails wait in MySQL until the mail server has them, whatever it does meanwhile.

use std::time::Duration;

use portcullis_tests::{Fate, MailServer, PASSWORD, Running, Service, running, wait_until};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

const LATER: Fate = Fate::Say("451 4.3.0 come back later");
const NEVER: Fate = Fate::Say("550 5.1.1 no such user");
/// The first rest after a try that failed.
const REST: Duration = Duration::from_secs(10);

async fn service(server: &MailServer) -> Service {
    let url = server.url();
    Service::with(|settings| settings.accounts.smtp_url = Some(url.into())).await
}

async fn forgot(auth: &Service, name: &str) {
    let address = json!({ "email": format!("{name}@example.com") });
    auth.post("/forgot-password", address).await.must_be(200);
}

/// The longest word of a mail.
fn token_in(mail: &str) -> &str {
    let words = mail.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    words.max_by_key(|word| word.len()).unwrap_or_default()
}

fn header<'m>(mail: &'m str, name: &str) -> &'m str {
    let line = mail.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {mail}"))
}

/// Waits until the mail server has seen so many tries and what became of the last is written down.
fn tried(auth: &Service, server: &MailServer, tries: usize) {
    wait_until("the mail is tried", || server.tries() == tries);
    // No rest is as long as the lease of whoever tries.
    let leased = "select count(*) from mails where settled_at is null
                      and next_try_at = ? + interval 60 second";
    let taken = || async {
        let asked = sqlx::query_scalar::<_, i64>(leased).bind(auth.clock.now());
        asked.fetch_one(auth.db()).await.unwrap()
    };
    eventually("what became of it is written down", async || taken().await == 0);
}

/// Waits, without keeping the runtime from its work.
fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let runtime = Handle::current();
    block_in_place(|| wait_until(what, || runtime.block_on(holds())));
}

async fn outcomes(auth: &Service) -> Vec<String> {
    let outcomes = "select coalesce(outcome, 'waits') from mails order by id";
    sqlx::query_scalar(outcomes).fetch_all(auth.db()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_mail_refused_for_now_is_tried_again_and_its_link_is_good() {
    let server = MailServer::start(&[LATER, Fate::Say("421 4.3.2 going down"), Fate::HangUp]);
    let auth = service(&server).await;
    auth.user("alice").await;
    forgot(&auth, "alice").await;
    for tries in 1..=3 {
        tried(&auth, &server, tries);
        assert_eq!((server.taken().len(), outcomes(&auth).await), (0, vec!["waits".to_owned()]));
        // Longer than a link lasts in the end: it counts from when it is sent.
        auth.clock.advance(REST * 3_u32.pow(6));
    }
    auth.mails_are_out();
    assert_eq!(outcomes(&auth).await, ["sent"]);
    let mails = server.taken();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let reset =
        json!({ "token": token_in(&mails[0]), "new_password": "seven new words for a gate" });
    auth.post("/reset-password", reset).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_mail_rests_before_it_is_tried_again_and_longer_each_time() {
    let server = MailServer::start(&[LATER, LATER]);
    let auth = service(&server).await;
    auth.user("alice").await;
    forgot(&auth, "alice").await;
    let rest = async || {
        let next = "select cast(timestampdiff(second, ?, next_try_at) as signed) from mails";
        let asked = sqlx::query_scalar::<_, i64>(next).bind(auth.clock.now());
        asked.fetch_one(auth.db()).await.unwrap()
    };
    tried(&auth, &server, 1);
    assert_eq!(rest().await, 10);
    auth.clock.advance(REST);
    tried(&auth, &server, 2);
    assert_eq!(rest().await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_mail_that_came_twice_is_recognised_by_its_message_id() {
    let server = MailServer::start(&[Fate::TakeInSilence]);
    let auth = service(&server).await;
    auth.user("alice").await;
    forgot(&auth, "alice").await;
    tried(&auth, &server, 1);
    auth.clock.advance(REST);
    auth.mails_are_out();
    let mails = server.taken();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0], mails[1]);
    assert!(header(&mails[0], "Message-ID: <").ends_with("@localhost>"));
    assert_eq!(header(&mails[0], "Auto-Submitted:"), "Auto-Submitted: auto-generated");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_mail_refused_for_good_is_tried_once_and_shows_in_the_metrics() {
    let server = MailServer::start(&[NEVER]);
    let auth = service(&server).await;
    for name in ["alice", "bob"] {
        auth.user(name).await;
        forgot(&auth, name).await;
        auth.mails_are_out();
    }
    assert_eq!(outcomes(&auth).await, ["refused", "sent"]);
    let url = auth.operations().await + "/metrics";
    let text = auth.http.get(url).send().await.unwrap().text().await.unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    };
    assert_ne!(value("portcullis_mails_given_up_total{reason=\"refused\"}"), "0");
    assert_ne!(value("portcullis_mails_sent_total"), "0");
    assert_ne!(value("portcullis_mails_failed_total"), "0");
    assert_eq!(value("portcullis_mails_waiting"), "0");
    assert_eq!(value("portcullis_mails_oldest_seconds"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_what_a_mail_server_has_against_the_service_costs_no_mail() {
    let server = MailServer::start(&[Fate::Say("535 5.7.8 wrong password")]);
    let auth = service(&server).await;
    auth.user("alice").await;
    forgot(&auth, "alice").await;
    tried(&auth, &server, 1);
    assert_eq!(outcomes(&auth).await, ["waits"]);
    auth.clock.advance(Duration::from_mins(20));
    let url = auth.operations().await + "/metrics";
    let text = auth.http.get(url).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("portcullis_mails_"), "{text}");
    auth.mails_are_out();
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_mail_is_tried_for_as_long_as_the_operator_says_and_no_longer() {
    let server = MailServer::start(&vec![LATER; 10]);
    let auth = Service::with(|settings| {
        settings.accounts.smtp_url = Some(server.url().into());
        settings.accounts.mail_retry_for = Duration::from_hours(2);
    })
    .await;
    auth.user("alice").await;
    forgot(&auth, "alice").await;
    tried(&auth, &server, 1);
    auth.clock.advance(Duration::from_mins(119));
    tried(&auth, &server, 2);
    assert_eq!(outcomes(&auth).await, ["waits"]);
    auth.clock.advance(Duration::from_mins(1));
    auth.mails_are_out();
    assert_eq!((outcomes(&auth).await, server.tries()), (vec!["too_old".to_owned()], 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_no_mail_is_lost_with_the_instance_that_caused_it() {
    let server = MailServer::start(&vec![LATER; 5]);
    let mut auth = service(&server).await;
    // The first login of an account that has slept is from a new device.
    auth.user("bob").await;
    auth.clock.advance(Duration::from_hours(24));
    let alice = auth.logged_in("alice").await;
    auth.refresh(&alice.refresh).await.must_be(200);
    auth.clock.advance(Duration::from_mins(1));
    auth.refresh(&alice.refresh).await.must_be(401);
    let bob = auth.logged_in("bob").await;
    let change = json!({ "current_password": PASSWORD, "new_password": "seven new words for bob" });
    auth.post_as(&bob.access, "/change-password", change).await.must_be(200);
    forgot(&auth, "alice").await;
    let newcomer = json!({ "email": "carol@example.com", "password": PASSWORD,
        "first_name": "Carol", "last_name": "Comer" });
    auth.post("/register", newcomer).await.must_be(201);
    tried(&auth, &server, 5);
    assert_eq!(server.taken().len(), 0);

    auth.restart().await;
    auth.clock.advance(Duration::from_hours(1));
    auth.mails_are_out();

    let mails = server.taken();
    let subjects =
        ["session", "New login", "Your password", "Choose a new", "Confirm your address"];
    for subject in subjects {
        let found = mails.iter().filter(|mail| header(mail, "Subject:").contains(subject)).count();
        assert_eq!(found, 1, "{subject}: {mails:#?}");
    }
    assert_eq!(mails.len(), subjects.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_change_whose_mail_cannot_be_kept_is_not_made() {
    let auth = Service::start().await;
    let alice = auth.logged_in("alice").await;
    let in_the_way = "create trigger in_the_way before insert on mails for each row
                      signal sqlstate '45000' set message_text = 'no mail today'";
    sqlx::raw_sql(AssertSqlSafe(in_the_way)).execute(auth.db()).await.unwrap();
    let new = "seven new words for an old gate";
    let change = json!({ "current_password": PASSWORD, "new_password": new });
    let answer = auth.post_as(&alice.access, "/change-password", change).await;
    assert!(answer.status.is_server_error(), "{answer:?}");
    assert!(auth.is_good(&alice.access).await);
    forgot_fails(&auth).await;
    sqlx::raw_sql("drop trigger in_the_way").execute(auth.db()).await.unwrap();
    auth.log_in("alice").await.must_be(200);
}

/// Nobody is told that a mail is on its way that is not.
async fn forgot_fails(auth: &Service) {
    for name in ["alice", "nobody"] {
        let address = json!({ "email": format!("{name}@example.com") });
        let answer = auth.post("/forgot-password", address).await;
        assert!(answer.status.is_server_error(), "{answer:?}");
    }
}

/// All of them see that it is due and want it at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn f_29_several_instances_send_a_mail_once() {
    let server = MailServer::start(&[LATER]);
    let auth = Service::with(|settings| {
        settings.accounts.smtp_url = Some(server.url().into());
        settings.stores.db_deadline = Duration::from_secs(30);
    })
    .await;
    let _others = [auth.another(2, |_| {}).await, auth.another(3, |_| {}).await];
    auth.user("alice").await;
    forgot(&auth, "alice").await;
    tried(&auth, &server, 1);
    let mut tx = auth.db().acquire().await.unwrap();
    tx.execute("begin").await.unwrap();
    sqlx::query("select id from mails for update").fetch_all(&mut *tx).await.unwrap();
    auth.clock.advance(REST);
    eventually("all instances want it", async || {
        let wants = |it: &&Running| it.statement.starts_with("update mails set tries");
        running(auth.db()).await.iter().filter(wants).count() == 3
    });
    tx.execute("rollback").await.unwrap();
    drop(tx);
    auth.mails_are_out();
    assert_eq!((server.taken().len(), server.tries()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_a_mail_that_the_server_holds_delays_no_other() {
    let server = MailServer::start(&[Fate::Hold]);
    let auth = service(&server).await;
    auth.user("alice").await;
    forgot(&auth, "alice").await;
    wait_until("the first is held", || server.tries() == 1);
    for name in ["bob", "carol"] {
        auth.user(name).await;
        forgot(&auth, name).await;
    }
    wait_until("the others are there", || server.taken().len() >= 2);
    for (mail, name) in server.taken().iter().zip(["bob", "carol"]) {
        assert!(mail.contains("To: ") && !mail.contains("alice"), "{name} was not first: {mail}");
    }
}
