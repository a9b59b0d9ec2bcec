//! Forward authentication with a real nginx, set up as `api/docs/forward-auth.md` says.

use std::fs;
use std::path::Path;

use portcullis_tests::{
    Answer, Directory, Login, PASSWORD, Process, Service, find_program, send, wait_until, workspace,
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;

/// A running nginx, which tells what the application behind it was sent.
struct Nginx {
    _process: Process,
    _home: Directory,
    client: Client,
}

impl Nginx {
    fn before(auth: &Service) -> Self {
        let home = Directory::new();
        let settings = settings(home.path(), auth.url.trim_start_matches("http://"));
        let file = home.path().join("nginx.conf");
        fs::write(&file, settings).unwrap();
        let program = find_program("nginx").expect("nginx not found: run `make install`");
        let [file, prefix] = [&file, home.path()].map(|path| path.display().to_string());
        let log = home.path().join("log");
        let process = Process::start(&program, &["-c", &file, "-p", &prefix], &[], &log);
        let socket = home.path().join("nginx.sock");
        wait_until(&format!("nginx listens: {}", process.log()), || socket.exists());
        let client = Client::builder().unix_socket(socket).build().unwrap();
        Self { _process: process, _home: home, client }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://app.example.com{path}"))
    }

    async fn get_as(&self, login: &Login) -> Answer {
        send(self.request(Method::GET, "/orders?page=2").bearer_auth(&login.access)).await
    }
}

/// The documented text with addresses of this test, and an application that repeats what it hears.
fn settings(home: &Path, service: &str) -> String {
    let page = fs::read_to_string(workspace().join("api/docs/forward-auth.md")).unwrap();
    let text = page.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
    let replaced = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "{from} is gone from the page");
        text.replace(from, to)
    };
    let home = home.display();
    let text = replaced(text.to_owned(), "listen 8080", &format!("listen unix:{home}/nginx.sock"));
    let text = replaced(text, "127.0.0.1:3000", service);
    let text = replaced(text, "http://127.0.0.1:8000", &format!("http://unix:{home}/app.sock"));
    let heard = "$http_x_auth_user $http_x_auth_session $http_x_auth_role $request_uri";
    format!(
        "daemon off; master_process off; worker_processes 1; pid {home}/pid; error_log stderr;
         events {{ }}
         http {{
             access_log off; client_body_temp_path {home}; proxy_temp_path {home};
             fastcgi_temp_path {home}; uwsgi_temp_path {home}; scgi_temp_path {home};
             server {{ listen unix:{home}/app.sock; location / {{ return 200 \"{heard}\"; }} }}
             {text}
         }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_an_application_hears_who_asks_until_the_token_is_revoked() {
    let auth = Service::start().await;
    let nginx = Nginx::before(&auth);
    let alice = auth.logged_in("alice").await;
    let expected = format!("{} {} user /orders?page=2", alice.user_id, alice.session);
    assert_eq!(nginx.get_as(&alice).await.must_be(200).text, expected);
    let lying = nginx.request(Method::GET, "/orders?page=2").bearer_auth(&alice.access);
    let lying = lying.header("x-auth-user", "1000000").header("x-auth-role", "admin");
    assert_eq!(send(lying).await.must_be(200).text, expected, "only the service says who it is");
    let body = nginx.request(Method::POST, "/orders?page=2").bearer_auth(&alice.access);
    assert_eq!(send(body.body("x".repeat(50_000))).await.must_be(200).text, expected);

    auth.post_as(&alice.access, "/logout", json!({})).await.must_be(200);

    let answer = nginx.get_as(&alice).await.must_be(401);
    let challenge = r#"Bearer realm="portcullis", error="invalid_token""#;
    assert_eq!(answer.header("www-authenticate"), challenge);
    let answer = send(nginx.request(Method::GET, "/")).await.must_be(401);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="portcullis""#);
    send(nginx.request(Method::GET, "/_portcullis")).await.must_be(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_a_cookie_changes_something_only_if_that_was_meant() {
    let auth = Service::start().await;
    let nginx = Nginx::before(&auth);
    auth.user("alice").await;
    let login = json!({ "email": "alice@example.com", "password": PASSWORD, "mode": "cookie" });
    let login = auth.post("/login-enhanced", login).await.must_be(200);
    let cookies = login.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let mut pairs = cookies.filter_map(|line| line.split(';').next());
    let access = pairs.find(|pair| pair.starts_with("__Host-access=")).unwrap();
    let ask = |method: Method| nginx.request(method, "/orders").header("cookie", access);

    send(ask(Method::GET)).await.must_be(200);
    send(ask(Method::POST)).await.must_be(403);
    let meant = ask(Method::POST).header("origin", "https://app.example.com");
    let meant = meant.header("x-csrf-token", login.text_at("/data/tokens/csrf_token"));
    send(meant).await.must_be(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_an_outage_is_no_refusal_of_the_token() {
    let auth = Service::start().await;
    let nginx = Nginx::before(&auth);
    let alice = auth.logged_in("alice").await;
    nginx.get_as(&alice).await.must_be(200);
    auth.app.shut_down().await;
    let answer = nginx.get_as(&alice).await.must_be(503);
    assert_eq!(answer.header("retry-after"), "2");
}
