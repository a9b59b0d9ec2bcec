//! One site with two hosts, as somebody would run it: the service, an application that nginx guards as
//! `api/docs/forward-auth.md` says, pages that use the package, and TLS in front of all.

use std::fs;
use std::net::TcpStream;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use portcullis_api::settings::Settings;
use portcullis_tests::{
    Database, Directory, Process, Redis, Service, browser_package, find_program, free_port,
    wait_until, workspace,
};

use crate::certificate::CERTIFICATE;
use crate::chromium::Tab;

/// What every page of the tests begins with.
const CLIENT: &str = "
    const { createClient } = await import('/open/index.js');
    window.ends = []; window.warnings = [];
    window.client = createClient({ base: given.base, mode: given.mode,
        ...(given.stored && { storage: localStorage }),
        ...(given.idle && { onIdleWarning: (warning) => warnings.push(warning) }),
        onLoggedOut: (why) => ends.push(why) });";

/// The site; its service can be moved in time and its stores taken away.
pub(crate) struct Site {
    pub(crate) auth: Service,
    /// The host of the service and of the shop.
    pub(crate) www: String,
    /// Another host of the same site, with pages only.
    pub(crate) app: String,
    home: Directory,
    _nginx: [Process; 2],
}

impl Deref for Site {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.auth
    }
}

impl Site {
    /// With defaults; none where the package cannot be built, which is said.
    pub(crate) async fn open() -> Option<Self> {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Settings)) -> Option<Self> {
        Self::on(&Database::shared().fresh_database("browser"), adjust).await
    }

    /// On a database that the test holds.
    pub(crate) async fn on(database: &str, adjust: impl FnOnce(&mut Settings)) -> Option<Self> {
        let package = browser_package()?;
        let port = free_port();
        let host = |name: &str| format!("https://{name}.shop.test:{port}");
        let (www, app) = (host("www"), host("app"));
        let auth = Service::on(Redis::start(), database, |settings| {
            settings.server.cors_origins =
                format!("{www},{app}").parse().expect("they are origins");
            settings.server.trusted_proxies = "127.0.0.1".parse().expect("it is an address");
            settings.accounts.frontend_url.clone_from(&www);
            adjust(settings);
        })
        .await;
        let home = Directory::new();
        let open = home.path().join("pages/open");
        fs::create_dir_all(&open).expect("the directory is ours");
        for name in ["index.js", "axios.js", "react.js"] {
            fs::copy(package.path().join("dist").join(name), open.join(name))
                .expect("it was built");
        }
        page(&open, "page.html", "Shop", "<p>Three apples</p>");
        page(&home.path().join("pages"), "login.html", "Login", "<p>Who are you?</p>");
        page(&home.path().join("pages"), "orders.html", "Orders", "<p>Three apples, ordered</p>");
        let servers = [application(&home), front(&home, &auth, port)];
        wait_until("nginx listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Self { auth, www, app, home, _nginx: servers })
    }

    /// Puts another script where the pages are: `/open/name`.
    pub(crate) fn publish(&self, name: &str, text: &str) {
        fs::write(self.home.path().join("pages/open").join(name), text).expect("it is ours");
    }

    /// Where the test's own page is on this host.
    pub(crate) fn page(host: &str) -> String {
        format!("{host}/open/page.html")
    }

    /// Makes the page's client, in cookie mode, for this service.
    pub(crate) fn client(&self, tab: &Tab<'_>) {
        self.client_with(tab, serde_json::json!({ "mode": "cookie" }));
    }

    pub(crate) fn client_with(&self, tab: &Tab<'_>, mut given: serde_json::Value) {
        given["base"] = self.www.as_str().into();
        tab.run_with(CLIENT, &given);
    }
}

fn page(folder: &Path, name: &str, title: &str, body: &str) {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <main><h1>{title}</h1>{body}</main></html>"
    );
    fs::write(folder.join(name), text).expect("the directory is ours");
}

/// The block of the page on forward authentication.
fn guarded(app: &str, service: &str, port: u16) -> String {
    let page =
        fs::read_to_string(workspace().join("api/docs/forward-auth.md")).expect("it is there");
    let block = page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut text = block.expect("the page shows nginx").to_owned();
    let tls = format!(
        "listen 127.0.0.1:{port} ssl; server_name www.shop.test;
         location /open/ {{ proxy_pass {app}; }}
         location /account {{ proxy_pass http://{service}; proxy_set_header Host $http_host;
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}
         location /.well-known/ {{ proxy_pass http://{service}; proxy_set_header Host $http_host; }}
        "
    );
    for (from, to) in [
        ("listen 8080;", tls.as_str()),
        ("127.0.0.1:3000", service),
        ("http://127.0.0.1:8000", app),
    ] {
        assert!(text.contains(from), "{from} is gone from the page");
        text = text.replace(from, to);
    }
    text
}

fn front(home: &Directory, auth: &Service, port: u16) -> Process {
    let app = format!("http://unix:{}", home.path().join("app.sock").display());
    let guarded = guarded(&app, auth.url.trim_start_matches("http://"), port);
    let (certificate, key) = (CERTIFICATE.file(), CERTIFICATE.key());
    let servers = format!(
        "ssl_certificate {}; ssl_certificate_key {};
         {guarded}
         server {{ listen 127.0.0.1:{port} ssl; server_name app.shop.test;
             location /open/ {{ proxy_pass {app}; }} }}",
        certificate.display(),
        key.display(),
    );
    nginx(home, "front", &servers)
}

/// What is guarded: files, whatever they are called.
fn application(home: &Directory) -> Process {
    let socket = home.path().join("app.sock");
    let servers = format!(
        "types {{ text/html html; text/javascript js mjs; }} default_type text/html;
         add_header Cache-Control no-store;
         server {{ listen unix:{}; root {};
             location /orders {{ try_files /orders.html =404; }}
             location /login {{ try_files /login.html =404; }} }}",
        socket.display(),
        home.path().join("pages").display(),
    );
    let process = nginx(home, "app", &servers);
    wait_until("the application listens", || socket.exists());
    process
}

/// An nginx that needs nothing outside of its home.
fn nginx(home: &Directory, name: &str, servers: &str) -> Process {
    let path = home.path().display().to_string();
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {path}/{name}.pid; error_log stderr;
         events {{ }}
         http {{
             access_log off; client_body_temp_path {path}; proxy_temp_path {path};
             fastcgi_temp_path {path}; uwsgi_temp_path {path}; scgi_temp_path {path};
             {servers}
         }}"
    );
    let file: PathBuf = home.path().join(format!("{name}.conf"));
    fs::write(&file, text).expect("the directory is ours");
    let arguments = ["-c".to_owned(), file.display().to_string(), "-p".to_owned(), path];
    let program = find_program("nginx").expect("nginx not found: run `make install`");
    Process::start(&program, &arguments, &[], &home.path().join(format!("{name}.log")))
}
