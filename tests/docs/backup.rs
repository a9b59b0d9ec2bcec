//! The commands of the service's `operations.md`: keys, backup and restore.

use portcullis_tests::PASSWORD;
use serde_json::{Value, json};

use crate::host::Host;
use crate::pages::{Fence, service_page};

/// A session of Alice's.
struct Device {
    access: String,
    refresh: String,
    session: String,
    user_id: u64,
}

#[test]
fn what_was_revoked_stays_revoked_whatever_is_restored() {
    let mut host = Host::new();
    host.shell(
        "mariadb -e 'create database portcullis'
         portcullis migrate up
         for name in root alice; do
             portcullis user create --email $name@example.com --first-name $name --last-name Tester \\
                 --verified --admin --password-env ADMIN_PASSWORD
         done",
        "setting up",
    );
    host.run(&Fence::command("systemctl start portcullis\n"));
    let blocks = service_page("operations.md").commands_under("Backup and restore");
    let [save, restore_redis, restore_mysql, end_everything] = &blocks[..] else {
        panic!("{} blocks of commands", blocks.len())
    };

    let [before, between, kept] = [(); 3].map(|()| log_in(&host));
    log_out(&host, &before);
    host.run(save);
    log_out(&host, &between);
    let late = log_in(&host);

    host.run(restore_redis);
    for dead in [&before, &between] {
        assert!(!is_good(&host, dead) && verdict(&host, dead) != "OK", "an old snapshot of Redis");
    }
    for alive in [&kept, &late] {
        assert!(is_good(&host, alive) && verdict(&host, alive) == "OK");
    }

    host.run(restore_mysql);
    for dead in [&before, &between, &late, &kept] {
        assert!(
            !is_good(&host, dead) && verdict(&host, dead) != "OK",
            "nobody knows what was lost"
        );
    }
    let body = json!({ "refresh_token": between.refresh });
    assert_ne!(host.ask("POST", "/refresh", "", &body).0, 200);
    let again = log_in(&host);
    assert!(is_good(&host, &again) && verdict(&host, &again) == "OK");

    host.run(end_everything);
    assert_ne!(host.ask("POST", "/refresh", "", &body).0, 200);
    for dead in [&before, &between, &kept, &again] {
        assert!(!is_good(&host, dead) && verdict(&host, dead) != "OK");
    }
    assert!(is_good(&host, &log_in(&host)), "and everybody may come in again");
}

#[test]
fn keys_are_made_listed_and_retired_as_the_page_says() {
    let mut host = Host::new();
    let blocks = service_page("operations.md").commands_under("Secrets and keys");
    let told: String = blocks.iter().map(|block| host.run(block)).collect();
    assert!(told.contains("signs and is read") && told.contains("no longer read"), "{told}");
}

fn log_in(host: &Host) -> Device {
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let (status, told) = host.ask("POST", "/login-enhanced", "", &body);
    assert_eq!(status, 200, "{told}");
    let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    Device {
        access: text("/data/tokens/access/token"),
        refresh: text("/data/tokens/refresh/token"),
        session: text("/data/session/id"),
        user_id: told["data"]["user"]["id"].as_u64().unwrap(),
    }
}

fn log_out(host: &Host, device: &Device) {
    assert_eq!(host.ask("POST", "/logout", &device.access, &json!({})).0, 200);
}

fn is_good(host: &Host, device: &Device) -> bool {
    let (status, told) = host.ask("GET", "/verify", &device.access, &Value::Null);
    assert!([200, 401].contains(&status), "{status} {told}");
    status == 200
}

/// What a service hears that asks Redis itself; an error is no OK.
fn verdict(host: &Host, device: &Device) -> String {
    let mut check = redis::cmd("AUTH.CHECK");
    check.arg(format!("user:{}", device.user_id)).arg(&device.access);
    check.arg("SESSION").arg(&device.session);
    check.query(&mut host.redis.connection()).unwrap_or_else(|error| error.to_string())
}
