//! The commands of the service's `operations.md` by which a secret is replaced.

use portcullis_tests::PASSWORD;
use serde_json::{Value, json};

use crate::host::Host;
use crate::pages::{Fence, service_page};

const SECRET: &str = "a secret for tests and of no use elsewhere";

/// A browser in cookie mode, which is not told of any change of secrets.
struct Browser {
    jar: String,
    csrf: String,
}

impl Browser {
    fn log_in(host: &Host, name: &str) -> Self {
        let jar = format!("{name}.cookies");
        let body = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
        let (status, told) = call(host, &jar, &["-d", &body.to_string()], "/login-enhanced");
        assert_eq!(status, 200, "{told}");
        Self { jar, csrf: text(&told, "/data/tokens/csrf_token") }
    }

    fn post(&self, host: &Host, path: &str) -> u16 {
        let shown = format!("X-CSRF-Token: {}", self.csrf);
        let page = ["-d", "{}", "-H", &shown, "-H", "Sec-Fetch-Site: same-origin"];
        call(host, &self.jar, &page, path).0
    }
}

/// A call with the cookies of a jar.
fn call(host: &Host, jar: &str, more: &[&str], path: &str) -> (u16, Value) {
    let jar = host.place(jar);
    // Over http curl keeps secure cookies for no host but this one.
    let common = ["-X", "POST", "-b", &jar, "-c", &jar, "-H", "Content-Type: application/json"];
    let told = host.curl(&[&common, more].concat(), path);
    let (body, status) = told.rsplit_once('\n').expect("curl tells the status");
    (status.parse().expect("it is a number"), serde_json::from_str(body).unwrap_or_default())
}

fn text(told: &Value, pointer: &str) -> String {
    told.pointer(pointer).and_then(Value::as_str).expect("it is told").to_owned()
}

/// A session of a client without cookies, and what a refresh of it said whose answer is then lost.
struct Lost {
    access: String,
    refresh: String,
    next: Value,
}

fn refresh_once(host: &Host) -> Lost {
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let (status, told) = host.ask("POST", "/login-enhanced", "", &body);
    assert_eq!(status, 200, "{told}");
    let refresh = text(&told, "/data/tokens/refresh/token");
    let next = refreshed(host, &refresh);
    Lost { access: text(&told, "/data/tokens/access/token"), refresh, next }
}

/// The refresh token that follows.
fn refreshed(host: &Host, refresh: &str) -> Value {
    let (status, told) = host.ask("POST", "/refresh", "", &json!({ "refresh_token": refresh }));
    assert_eq!(status, 200, "{told}");
    told["data"]["refresh"]["token"].clone()
}

#[test]
fn f_42_the_commands_that_replace_a_secret_log_nobody_out_and_leave_a_stolen_one_useless() {
    let mut host = Host::new();
    host.shell(
        &format!(
            "mariadb -e 'create database portcullis'
             printf 'JWT_SECRET={SECRET}\\nREFRESH_GRACE=5m\\n' > \"$ENV_FILE\"
             portcullis migrate up
             portcullis user create --email alice@example.com --first-name Alice \\
                 --last-name Tester --verified --password-env ADMIN_PASSWORD"
        ),
        "setting up",
    );
    host.run(&Fence::command("systemctl start portcullis\n"));
    let blocks = service_page("operations.md").commands_under("Replacing a secret");
    let [due, stolen, key] = &blocks[..] else { panic!("{} blocks of commands", blocks.len()) };

    for (commands, access_stays) in [(due, true), (stolen, false), (key, true)] {
        let lost = refresh_once(&host);
        let browsers = ["stays", "leaves"].map(|name| Browser::log_in(&host, name));
        if std::ptr::eq(commands, key) {
            host.shell(
                "echo REFRESH_TOKEN_KEY=the key of refresh tokens for tests >> \"$ENV_FILE\"",
                "a key of its own, which takes the place of the secret",
            );
            host.run(&Fence::command("systemctl restart portcullis\n"));
            assert_eq!(
                refreshed(&host, &lost.refresh),
                lost.next,
                "by a key set for the first time"
            );
        }

        host.run(commands);

        assert_eq!(refreshed(&host, &lost.refresh), lost.next, "{}", commands.place);
        let (status, _) = host.ask("GET", "/verify", &lost.access, &Value::Null);
        assert_eq!(status, if access_stays { 200 } else { 401 }, "{}", commands.place);
        assert_eq!(browsers[0].post(&host, "/refresh"), 200, "{}", commands.place);
        if access_stays {
            assert_eq!(browsers[1].post(&host, "/logout"), 200, "{}", commands.place);
        } else {
            assert_eq!(browsers[1].post(&host, "/refresh"), 200, "{}", commands.place);
            assert_eq!(browsers[1].post(&host, "/logout"), 200, "{}", commands.place);
        }
        let next = lost.next.as_str().expect("it is a token");
        assert!(refreshed(&host, next).is_string(), "the family lives on");
    }
}
