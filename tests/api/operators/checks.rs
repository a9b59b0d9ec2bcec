//! `portcullis check`: what is wrong, and what mends it.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::thread;

use portcullis_tests::{Cluster, Database, DatabaseKind, Directory, Redis, Sentinels, free_port};

use super::{SECRET, Told, portcullis};

/// Everything that is needed, and all well.
struct Well {
    database: String,
    redis: Redis,
    directory: Directory,
}

impl Well {
    fn new(name: &str) -> Self {
        let database = Database::shared().fresh_database(name);
        portcullis(&["migrate", "up"], &[("DATABASE_URL", &database)], b"").must_work();
        Self { database, redis: Redis::start(), directory: Directory::new() }
    }

    /// What the check says with these settings instead.
    fn check(&self, further: &[(&str, &str)]) -> Told {
        let (redis, mail) = (self.redis.url(), self.directory.path().join("mail"));
        let mail = mail.display().to_string();
        let own = [
            ("DATABASE_URL", &*self.database),
            ("REDIS_URL", &redis),
            ("JWT_SECRET", SECRET),
            ("MAIL_DIR", &mail),
        ];
        portcullis(&["check"], &[&own[..], further].concat(), b"")
    }
}

/// The one line about something, which names what mends it.
#[track_caller]
fn fails(told: &Told, about: &str, mend: &str) {
    assert!(!told.is_good, "{}", told.out);
    let beginning = format!("FAIL  {about}: ");
    let line = told.out.lines().find(|line| line.starts_with(&beginning));
    assert!(line.is_some_and(|line| line.contains(mend)), "{about}, {mend}: {}", told.out);
}

#[test]
fn f_36_check_connects_and_says_what_it_found() {
    let well = Well::new("well");
    let told = well.check(&[]).must_work();
    for about in [
        "settings",
        "keys",
        "MySQL",
        "tables",
        "MySQL rights",
        "Redis",
        "Redis eviction",
        "Redis module",
        "Redis rights",
        "mail",
    ] {
        assert!(told.out.contains(&format!("ok    {about}: ")), "{about}: {}", told.out);
    }
    assert!(!told.out.contains("FAIL") && !told.out.contains(SECRET), "{}", told.out);
    assert!(!well.directory.path().join("mail").exists(), "it changes nothing");
}

#[test]
fn f_36_check_names_a_redis_without_the_module_and_one_that_forgets() {
    let well = Well::new("lacking");
    let bare =
        Redis::options().without_module().arguments(&["--maxmemory-policy", "allkeys-lru"]).start();
    let mut lock = redis::cmd("CONFIG");
    lock.arg(&["SET", "requirepass", "a good password"]).exec(&mut bare.connection()).unwrap();
    let told = well.check(&[("REDIS_URL", &bare.url())]);
    fails(&told, "Redis", "correct the password in REDIS_URL");
    let url = bare.url().replace("unix://", "redis+unix://") + "?pass=a%20good%20password";
    let told = well.check(&[("REDIS_URL", &url)]);
    fails(&told, "Redis module", "add `loadmodule");
    fails(&told, "Redis eviction", "maxmemory-policy noeviction");
    assert!(!told.out.contains("good password"), "{}", told.out);
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    fails(&well.check(&[("REDIS_URL", &nowhere)]), "Redis", "check that it runs where REDIS_URL");
}

#[test]
fn f_36_check_says_in_plain_words_why_redis_cannot_be_used() {
    let well = Well::new("plainly");
    let redis = Redis::options().tcp().start();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in other.incoming() {
            drop(stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>\r\n"));
        }
    });
    for (url, mend, said) in [
        (
            format!("redis://127.0.0.1:{}/99", redis.port()),
            "as in /0",
            "ERR DB index is out of range",
        ),
        (
            format!("redis://:y@127.0.0.1:{}", redis.port()),
            "correct the password",
            "authentication failed",
        ),
        (format!("redis://127.0.0.1:{port}"), "something other than Redis", "parse error"),
    ] {
        let told = well.check(&[("REDIS_URL", &url)]);
        fails(&told, "Redis", mend);
        assert!(told.out.contains(&format!("({said})\n")), "{}", told.out);
    }
}

#[test]
fn f_36_check_names_the_rights_that_a_redis_user_lacks() {
    let well = Well::new("rights_redis");
    let mut allow = redis::cmd("ACL");
    allow.arg(&["SETUSER", "service", "on", ">pass", "~user:*", "~portcullis:*", "+@all"]);
    let mut connection = well.redis.connection();
    allow.arg(&["-@admin", "-@scripting", "+info", "-auth.confirm"]).exec(&mut connection).unwrap();
    let url = well.redis.url().replace("unix://", "redis+unix://") + "?user=service&pass=pass";
    let told = well.check(&[("REDIS_URL", &url)]);
    fails(&told, "Redis rights", "lacks AUTH.CONFIRM: run `redis-cli acl setuser");
}

#[test]
fn check_tells_of_a_redis_that_takes_no_changes_and_of_what_waits_for_it() {
    let well = Well::new("waiting");
    assert!(well.check(&[]).must_work().out.contains("ok    changes: "));
    let mut set = redis::cmd("CONFIG");
    set.arg(&["SET", "min-replicas-to-write", "1"]).exec(&mut well.redis.connection()).unwrap();
    let wait = |seconds: u32| {
        let (path, _) = well.database.split_once('?').unwrap_or((&well.database, ""));
        let (_, name) = path.rsplit_once('/').unwrap();
        Database::shared().execute(&format!(
            "insert into `{name}`.revocation_outbox (user_id, change_set, created_at)
             values (7, '[]', utc_timestamp(3) - interval {seconds} second)"
        ));
        well.check(&[])
    };
    let told = wait(0);
    fails(&told, "Redis writes", "min-replicas-to-write");
    assert!(told.out.contains("note  changes: 1 wait for Redis, the oldest for "), "{}", told.out);
    fails(&wait(7200), "changes", "2 wait for Redis, the oldest for 72");
}

#[test]
fn check_says_whether_the_ledgers_have_to_be_confirmed() {
    let well = Well::new("confirmation");
    let told = well.check(&[]).must_work();
    assert!(told.out.contains("note  ledgers: AUTH.CHECK answers whether or not"), "{}", told.out);
    let lease = [("CONFIRM_LEASE", "15s")];
    fails(&well.check(&lease), "ledgers", "config set portcullis.require-confirm yes");
    let mut set = redis::cmd("CONFIG");
    set.arg(&["SET", "portcullis.require-confirm", "yes"])
        .exec(&mut well.redis.connection())
        .unwrap();
    let told = well.check(&lease).must_work();
    assert!(told.out.contains("note  ledgers: not confirmed yet"), "{}", told.out);
}

#[test]
fn check_tells_of_a_cluster_that_one_lost_slot_would_silence() {
    let well = Well::new("coverage");
    let cluster = Cluster::start(&Redis::options());
    let told = well.check(&[("REDIS_URL", &cluster.url())]).must_work();
    assert!(told.out.contains("set cluster-require-full-coverage no on each"), "{}", told.out);
    for node in &cluster.nodes {
        let mut set = redis::cmd("CONFIG");
        set.arg(&["SET", "cluster-require-full-coverage", "no"])
            .exec(&mut node.connection())
            .unwrap();
    }
    let told = well.check(&[("REDIS_URL", &cluster.url())]).must_work();
    assert!(!told.out.contains("full-coverage"), "{}", told.out);
}

#[test]
fn check_asks_sentinels_for_the_primary_and_says_what_is_wrong_with_them() {
    let well = Well { redis: Redis::options().tcp().start(), ..Well::new("sentinels") };
    let sentinels = Sentinels::watch(&well.redis, 1, 0);
    let told = well.check(&[("REDIS_URL", &sentinels.url())]).must_work();
    let named =
        format!("ok    Redis sentinels: name the primary at 127.0.0.1, port {}", well.redis.port());
    assert!(told.out.contains(&named), "{}", told.out);
    let wrong = sentinels.url().replace("/ledgers", "/legders");
    let told = well.check(&[("REDIS_URL", &wrong)]);
    fails(&told, "Redis", "end REDIS_URL with the name that `sentinel monitor` gave it");
    let none = well.redis.url().replace("redis://", "redis+sentinel://:pass@") + "/ledgers";
    let told = well.check(&[("REDIS_URL", &none)]);
    fails(&told, "Redis", "what REDIS_URL names is no sentinel");
    let nowhere = format!("redis+sentinel://127.0.0.1:{}/ledgers", free_port());
    let told = well.check(&[("REDIS_URL", &nowhere)]);
    fails(&told, "Redis", "check that they run where REDIS_URL says");
}

#[test]
fn f_35_check_names_what_is_wrong_with_the_database() {
    let well = Well::new("wrong");
    let server = Database::shared();
    let bare = server.fresh_database("unmigrated");
    fails(&well.check(&[("DATABASE_URL", &bare)]), "tables", "run `portcullis migrate up`");
    let none = server.url("is_not_there");
    fails(&well.check(&[("DATABASE_URL", &none)]), "MySQL", "run `create database");
    let nowhere = format!("mysql://root@127.0.0.1:{}/x", free_port());
    fails(&well.check(&[("DATABASE_URL", &nowhere)]), "MySQL", "check that it runs where");
}

#[test]
fn f_35_check_names_the_rights_that_a_mysql_user_lacks() {
    let server = match DatabaseKind::chosen() {
        DatabaseKind::MySql => Database::start_with(&["--auto-generate-certs=ON"]),
        DatabaseKind::MariaDb => Database::start_on_tcp(),
    };
    let well = Well::new("rights");
    let database = server.fresh_database("reading");
    portcullis(&["migrate", "up"], &[("DATABASE_URL", &database)], b"").must_work();
    let (_, name) = database.rsplit_once('/').unwrap();
    server.execute(&format!(
        "create user reader@'127.0.0.1' identified by 'a password';
         grant select on `{name}`.* to reader@'127.0.0.1'"
    ));
    let url = database.replace("root@", "reader:a%20password@");
    let told = well.check(&[("DATABASE_URL", &url)]);
    fails(&told, "MySQL rights", "lacks INSERT, UPDATE, DELETE: run `grant all on");
    let url = database.replace("root@", "reader:wrong@");
    let told = well.check(&[("DATABASE_URL", &url)]);
    fails(&told, "MySQL", "refuses the user or the password");
}

#[test]
fn f_36_check_names_a_mail_folder_that_is_a_file_and_a_mail_server_that_is_away() {
    let well = Well::new("mail");
    let file = well.directory.path().join("file");
    fs::write(&file, "").unwrap();
    fails(&well.check(&[("MAIL_DIR", &file.display().to_string())]), "mail", "install -d -m 700");
    let nowhere = format!("smtp://127.0.0.1:{}", free_port());
    fails(&well.check(&[("SMTP_URL", &nowhere)]), "mail", "correct SMTP_URL, or start the server");
    let none = well.directory.path().join("none").display().to_string();
    fails(&well.check(&[("JWT_KEYS_DIR", &none)]), "settings", "JWT_KEYS_DIR");
}
