//! A host as the service's pages have in mind, on which their commands are typed: the two stores, the
//! programs on the `PATH`, the settings in the environment. `systemctl` is played by the harness.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use nix::sys::signal::Signal;
use portcullis_tests::{
    Database, Directory, PASSWORD, Process, Redis, binary_path, find_program, free_port, wait_until,
};
use serde_json::Value;

use crate::pages::Fence;

pub(crate) struct Host {
    // Fields drop in this order: the service before what it uses.
    service: Option<Process>,
    pub(crate) redis: Redis,
    pub(crate) mariadb: Database,
    directory: Directory,
    environment: Vec<(String, String)>,
    url: String,
}

impl Host {
    /// Everything is installed, nothing but the stores is running. The old database is `legacy`.
    pub(crate) fn new() -> Self {
        let redis = Redis::options().tcp().module_arguments(&["require-confirm", "yes"]).start();
        let (mariadb, directory) = (Database::start_on_tcp(), Directory::new());
        let client = format!("[client]\nuser=root\nsocket={}\n", mariadb.socket().display());
        fs::write(directory.path().join(".my.cnf"), client).expect("the directory is ours");
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut host =
            Self { service: None, redis, mariadb, directory, environment: Vec::new(), url };
        host.environment = host.settings(port);
        host
    }

    /// The service runs, and its administrator is there.
    pub(crate) fn serving() -> Self {
        let mut host = Self::new();
        host.shell(
            "mariadb -e 'create database portcullis'
             portcullis migrate up
             portcullis user create --email \"$ADMIN_EMAIL\" --first-name Root --last-name Tester \\
                 --verified --admin --password-env ADMIN_PASSWORD",
            "setting up",
        );
        host.run(&Fence::command(
            "systemctl start portcullis\n\
             curl -fsS --retry 60 --retry-all-errors --retry-delay 1 \"$PORTCULLIS/readyz\"\n",
        ));
        host
    }

    fn settings(&self, port: u16) -> Vec<(String, String)> {
        let programs = binary_path().parent().expect("it lies in a folder").display();
        let home = self.directory.path();
        let settings = [
            ("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin")),
            ("HOME", home.display().to_string()),
            ("ENV_FILE", home.join("env").display().to_string()),
            ("DATABASE_URL", self.mariadb.url("portcullis")),
            ("OLD_DATABASE_URL", self.mariadb.url("legacy")),
            ("REDIS_URL", self.redis.url()),
            ("REDIS_DIR", self.redis.data().display().to_string()),
            ("JWT_SECRET", "a secret for tests and of no use elsewhere".to_owned()),
            // This machine may be busy, and what is tested is not how long anything takes.
            ("REDIS_DEADLINE", "10s".to_owned()),
            ("DB_DEADLINE", "30s".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", port.to_string()),
            ("OPS_ADDR", "127.0.0.1:0".to_owned()),
            ("MAIL_DIR", home.join("mail").display().to_string()),
            ("RATE_LIMIT_LOGIN", "off".to_owned()),
            ("PORTCULLIS", self.url.clone()),
            ("ADMIN_EMAIL", "root@example.com".to_owned()),
            ("ADMIN_PASSWORD", PASSWORD.to_owned()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Sets a variable in the environment of what is typed from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Types the block, which must succeed, and tells what was printed.
    pub(crate) fn run(&mut self, block: &Fence) -> String {
        let mut told = String::new();
        let mut script = String::new();
        for line in block.text.lines() {
            let Some(order) = line.strip_prefix("systemctl ") else {
                script.extend([line, "\n"]);
                continue;
            };
            told += &self.shell(&std::mem::take(&mut script), &block.place);
            self.systemctl(order);
        }
        told + &self.shell(&script, &block.place)
    }

    /// What a shell prints that runs the script.
    pub(crate) fn shell(&self, script: &str, place: &str) -> String {
        let output = Command::new("sh")
            .args(["-eu", "-c", script])
            .current_dir(self.directory.path())
            .env_clear()
            .envs(self.environment.iter().cloned())
            .output()
            .expect("sh runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}\n{script}\n{told}{complaint}\n{}", self.log());
        told
    }

    /// The answer to a request with a JSON body and a token, if there are any.
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let mut curl = Command::new(find_program("curl").expect("curl: run `make install`"));
        curl.args(["--silent", "--show-error", "--write-out", "\n%{http_code}", "-X", method]);
        curl.arg(format!("{}/api/v1/auth{path}", self.url));
        if !token.is_empty() {
            curl.arg("-H").arg(format!("Authorization: Bearer {token}"));
        }
        if !body.is_null() {
            curl.args(["-H", "Content-Type: application/json", "-d"]).arg(body.to_string());
        }
        let told = curl.output().expect("curl runs").stdout;
        let told = String::from_utf8_lossy(&told);
        let (body, status) = told.rsplit_once('\n').expect("curl tells the status");
        (status.parse().expect("it is a number"), serde_json::from_str(body).unwrap_or_default())
    }

    /// The path of a file of this host.
    pub(crate) fn place(&self, file: &str) -> String {
        self.directory.path().join(file).display().to_string()
    }

    /// The request as given to curl, with the status in the last line.
    pub(crate) fn curl(&self, arguments: &[&str], path: &str) -> String {
        let mut curl = Command::new(find_program("curl").expect("curl: run `make install`"));
        curl.args(["--silent", "--show-error", "--write-out", "\n%{http_code}"]).args(arguments);
        let output = curl.arg(format!("{}/api/v1/auth{path}", self.url)).output();
        String::from_utf8_lossy(&output.expect("curl runs").stdout).into_owned()
    }

    fn systemctl(&mut self, order: &str) {
        match order {
            "start portcullis" => self.start(),
            "restart portcullis" => {
                self.systemctl("stop portcullis");
                self.start();
            }
            "stop portcullis" => {
                let mut service = self.service.take().expect("it runs");
                service.signal(Signal::SIGTERM);
                assert!(service.wait(), "the service did not end well:\n{}", service.log());
            }
            "start redis-server" => self.redis.start_again(),
            "stop redis-server" => self.redis.stop(),
            other => panic!("systemctl {other} is not played here"),
        }
    }

    fn start(&mut self) {
        assert!(self.service.is_none(), "it runs already");
        let log = self.directory.path().join("portcullis.log");
        let environment = [self.environment.clone(), self.environment_file()].concat();
        let service = Process::start(binary_path(), &["serve"], &environment, &log);
        let address = self.url.trim_start_matches("http://").to_owned();
        let service = self.service.insert(service);
        wait_until("the service listens", || {
            assert!(!service.has_ended(), "it ended at its start:\n{}", service.log());
            TcpStream::connect(&address).is_ok()
        });
    }

    /// What systemd reads before it starts the service; the last of a name counts.
    fn environment_file(&self) -> Vec<(String, String)> {
        let lines = fs::read_to_string(self.directory.path().join("env")).unwrap_or_default();
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn log(&self) -> String {
        self.service.as_ref().map(Process::log).unwrap_or_default()
    }
}
