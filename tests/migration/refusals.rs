//! Databases that cannot be imported from or into, and what is said about them.

use portcullis_tests::{Database, Service};

use crate::old::{Old, Version, database};

async fn refusal(auth: &Service, old: &Old) -> String {
    format!("{:#}", old.try_import(auth, |_| {}).await.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_our_own_is_not_an_old_one() {
    let (auth, mut old) = (Service::start().await, Old::new(Version::A));
    let other = Service::start().await;
    let name: String = sqlx::query_scalar("select database()").fetch_one(other.db()).await.unwrap();
    old.url = Database::shared().url(&name);
    let told = refusal(&auth, &old).await;
    assert!(told.contains("names a database of Portcullis"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_the_way_out() {
    let auth = Service::start().await;
    for (sql, missing) in [
        ("rename table users to people", "no table or view"),
        ("alter table users drop column password", "no column password"),
        ("alter table users modify id char(36)", "only whole numbers"),
    ] {
        let old = Old::new(Version::A);
        old.run("drop table refresh_tokens, user_sessions, token_blacklist_enhanced");
        old.run(sql);
        let told = refusal(&auth, &old).await;
        assert!(told.contains(missing), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_gives_columns_the_names_that_are_looked_for() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    old.user(17, "alice");
    old.run(
        "alter table users rename column email to mail;
         create view people as select id, mail as email, password, email_verified_at from users",
    );
    let options = |options: &mut portcullis_api::import::Options| {
        options.users_table = "people".to_owned();
    };
    let tally = old.try_import(&auth, options).await.unwrap();
    assert_eq!(tally.of("users", "imported"), 1, "{tally}");
    auth.log_in("alice").await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_never_repeated_with_its_password() {
    let (auth, mut old) = (Service::start().await, Old::new(Version::A));
    let name = database(&old.url).to_owned();
    let sockets = ["/nowhere", Database::shared().socket().to_str().unwrap()].map(str::to_owned);
    for socket in sockets {
        old.url = format!("mysql://stranger:very-secret@localhost/{name}?socket={socket}");
        let told = refusal(&auth, &old).await;
        assert!(told.contains("OLD_DATABASE_URL") && !told.contains("very-secret"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_our_tables_is_told_to_be_migrated() {
    let (auth, old) = (Service::start().await, Old::new(Version::A));
    portcullis_api::store::migrate::down(&auth.app.store.pool, 1).await.unwrap();
    let told = refusal(&auth, &old).await;
    assert!(told.contains("portcullis migrate up"), "{told}");
}
