//! Proxies as the page sets them up, with addresses of their own, before an application that repeats
//! what it hears.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use portcullis_tests::{
    Directory, Process, Service, find_program, free_port, target, tell, wait_until, workspace,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};

/// A running proxy.
pub(super) struct Proxy {
    pub(super) name: &'static str,
    port: u16,
    client: Client,
    _processes: [Process; 2],
    _home: Directory,
}

/// Every proxy that can be had.
pub(super) fn proxies(auth: &Service) -> Vec<Proxy> {
    let others = [Some(Proxy::nginx(auth)), Some(Proxy::haproxy(auth)), Proxy::caddy(auth)];
    others.into_iter().flatten().collect()
}

impl Proxy {
    pub(super) fn nginx(auth: &Service) -> Self {
        Self::start("nginx", auth, &|place| {
            let text = place.text("nginx", "http://127.0.0.1:8000", "http://unix:{app}");
            let text = text.replace("listen 8080", &format!("listen 127.0.0.1:{}", place.port));
            let file = place.write("nginx.conf", &nginx(place.home, "guard", &text));
            let arguments =
                ["-c", &file, "-p", &place.home.display().to_string()].map(str::to_owned);
            (program("nginx"), arguments.to_vec())
        })
    }

    pub(super) fn haproxy(auth: &Service) -> Self {
        Self::start("haproxy", auth, &|place| {
            let script = place.write("portcullis.lua", &fence("lua"));
            let text = place.text("haproxy", "server app 127.0.0.1:8000", "server app unix@{app}");
            let text = replaced(&text, "bind :8080", &format!("bind 127.0.0.1:{}", place.port));
            let text = replaced(&text, "/etc/haproxy/portcullis.lua", &script);
            let file = place.write("haproxy.cfg", &text);
            (program("haproxy"), vec!["-db".to_owned(), "-f".to_owned(), file])
        })
    }

    /// Debian's stable release has Caddy, others may not.
    pub(super) fn caddy(auth: &Service) -> Option<Self> {
        let unpacked = target().join("servers/caddy/usr/bin/caddy");
        let unpacked = Some(unpacked).filter(|program| program.is_file());
        let Some(program) = find_program("caddy").or(unpacked) else {
            tell("caddy not found: what the page says of it is not run; see `make install`");
            return None;
        };
        Some(Self::start("caddy", auth, &|place| {
            let text = place.text("caddy", "127.0.0.1:8000", "unix/{app}");
            let site = format!("http://app.example.com:{} {{\n\tbind 127.0.0.1\n", place.port);
            let text = replaced(&text, ":8080 {\n", &site);
            let text = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{text}");
            let file = place.write("Caddyfile", &text);
            let arguments = ["run", "--adapter", "caddyfile", "--config", &file];
            (program.clone(), arguments.map(str::to_owned).to_vec())
        }))
    }

    fn start(
        name: &'static str,
        auth: &Service,
        set_up: &dyn Fn(&Place<'_>) -> (PathBuf, Vec<String>),
    ) -> Self {
        let home = Directory::new();
        let application = application(home.path());
        let service = auth.url.trim_start_matches("http://");
        let place = Place { home: home.path(), service, port: free_port() };
        let (program, arguments) = set_up(&place);
        let log = home.path().join(format!("{name}.log"));
        let storage = home.path().display().to_string();
        let settings = ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"];
        let settings = settings.map(|it| (it.to_owned(), storage.clone()));
        let mut process = Process::start(&program, &arguments, &settings, &log);
        let port = place.port;
        wait_until(&format!("{name} listens"), || {
            assert!(!process.has_ended(), "{name}: {}", process.log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { name, port, client, _processes: [process, application], _home: home }
    }

    /// A request to the host of the pages.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        self.client.request(method, url).header("host", "app.example.com")
    }
}

/// Where a proxy runs.
struct Place<'a> {
    home: &'a Path,
    service: &'a str,
    port: u16,
}

impl Place<'_> {
    /// A text of the page, with the service and the application that there are here.
    fn text(&self, kind: &str, application: &str, here: &str) -> String {
        let here = here.replace("{app}", &self.home.join("app.sock").display().to_string());
        let text = replaced(&fence(kind), "127.0.0.1:3000", self.service);
        replaced(&text, application, &here)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.home.join(name);
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }
}

/// The block of this kind in the page.
fn fence(kind: &str) -> String {
    let page = fs::read_to_string(workspace().join("api/docs/forward-auth.md")).unwrap();
    let block = page.split(&format!("```{kind}\n")).nth(1).expect("the page has such a block");
    block.split("```").next().unwrap().to_owned()
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is gone from the page");
    text.replace(from, to)
}

fn program(name: &str) -> PathBuf {
    find_program(name).unwrap_or_else(|| panic!("{name} not found: run `make install`"))
}

/// An nginx that needs nothing outside of its home.
fn nginx(home: &Path, name: &str, servers: &str) -> String {
    let home = home.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {home}/{name}.pid; error_log stderr;
         events {{ }}
         http {{
             access_log off; client_body_temp_path {home}; proxy_temp_path {home};
             fastcgi_temp_path {home}; uwsgi_temp_path {home}; scgi_temp_path {home};
             {servers}
         }}"
    )
}

/// Repeats what it hears.
fn application(home: &Path) -> Process {
    let socket = home.join("app.sock");
    let heard = "$http_x_auth_user $http_x_auth_session $http_x_auth_role $request_uri";
    let server = format!(
        "server {{ listen unix:{}; location / {{ return 200 \"{heard}\"; }} }}",
        socket.display()
    );
    let file = home.join("app.conf");
    fs::write(&file, nginx(home, "app", &server)).unwrap();
    let arguments =
        ["-c".to_owned(), file.display().to_string(), "-p".to_owned(), home.display().to_string()];
    let process = Process::start(&program("nginx"), &arguments, &[], &home.join("app.log"));
    wait_until("the application listens", || socket.exists());
    process
}
