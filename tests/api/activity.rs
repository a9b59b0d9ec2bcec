//! What MySQL hears of uses: in batches, and of a session once an interval, whoever serves it.

use std::time::Duration;

use portcullis_api::App;
use portcullis_tests::{Client, Database, Login, Redis, Service};

const INTERVAL: Duration = Duration::from_mins(1);

/// Counts how often a session's last use is moved.
const COUNTED: &str = "
    create table moved (session varchar(128)) engine = MyISAM;
    create trigger counted after update on user_sessions for each row
      insert into moved select new.id from dual where new.last_activity <> old.last_activity;
    set global log_output = 'TABLE', global general_log = 1";

/// The statements by which they were moved.
const STATEMENTS: &str = "select count(*) from mysql.general_log
    where command_type = 'Execute' and argument like 'update users%cast(case s.id%'";

async fn use_all((client, app): (&Client, &App), logins: &[Login]) {
    for login in logins {
        assert!(client.is_good(&login.access).await);
    }
    app.activity.flush().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_use_of_a_session_is_written_once_an_interval_and_in_a_batch_whoever_sees_it() {
    let mysql = Database::start();
    let database = mysql.fresh_database("activity");
    let auth = Service::on(Redis::start(), &database, |settings| {
        settings.sessions.session_touch_interval = INTERVAL;
        settings.tokens.jwt_expires_in = Duration::from_hours(1);
    })
    .await;
    let (second, third) = (auth.another(2, |_| {}).await, auth.another(3, |_| {}).await);
    let instances: [(&Client, &App); 3] =
        [(&auth, &auth.app), (&second, &second.app), (&third, &third.app)];
    let mut logins = Vec::new();
    for name in ["alice", "alice", "bob", "carol"] {
        logins.push(auth.logged_in(name).await);
    }
    sqlx::raw_sql(COUNTED).execute(auth.db()).await.unwrap();
    for round in 0..4 {
        auth.clock.advance(INTERVAL / 2);
        use_all(instances[round % 3], &logins).await;
        let now = i64::try_from(auth.clock.now().0).unwrap();
        auth.clock.advance(INTERVAL / 2);
        for other in 1..3 {
            use_all(instances[(round + other) % 3], &logins).await;
        }
        let moved: i64 =
            sqlx::query_scalar("select count(*) from moved").fetch_one(auth.db()).await.unwrap();
        assert_eq!(moved, 4 * (i64::try_from(round).unwrap() + 1), "round {round}");
        let known = "select cast(max(round(unix_timestamp(last_activity) * 1000)) as signed)
                       from user_sessions where user_id = ?";
        for login in &logins {
            assert_eq!(auth.count(known, login.user_id).await, now, "round {round}");
        }
    }
    assert_eq!(mysql.execute(STATEMENTS).trim(), "4", "one a round");
}
