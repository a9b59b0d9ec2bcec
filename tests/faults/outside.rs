//! The service as a process of its own, to be killed and weighed.

use std::path::PathBuf;
use std::process::Command;

use portcullis_tests::{
    Answer, Client, Directory, PASSWORD, Place, Process, binary_path, free_port, send,
};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::proxy::Proxy;
use crate::talk::eventually;

/// What its access tokens are signed with.
pub(crate) const SECRET: &str = "a secret for tests and of no use elsewhere";

/// A process that fills a Redis in, over this way to it; its files are in the directory.
pub(crate) fn hydration(
    directory: &Directory,
    database: &str,
    way: &Proxy,
    further: &[(&str, &str)],
) -> Process {
    let (redis, mail) =
        (format!("redis://127.0.0.1:{}", way.port), directory.path().display().to_string());
    let settings = [
        ("DATABASE_URL", database),
        ("REDIS_URL", &redis),
        ("REDIS_DEADLINE", "5s"),
        ("JWT_SECRET", SECRET),
        ("MAIL_DIR", &mail),
    ];
    let settings = settings.iter().chain(further);
    let settings: Vec<_> =
        settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Process::start(binary_path(), &["hydrate"], &settings, &directory.path().join("log"))
}

/// The service on stores that the test holds. Its limits are off.
pub(crate) struct Outside {
    pub(crate) client: Client,
    settings: Vec<(String, String)>,
    directory: Directory,
    place: Option<Place>,
}

impl Outside {
    /// Brings the database into shape and adds people, known by their numbers.
    pub(crate) fn new(database: &str, redis: &str, people: usize) -> Self {
        let (port, ops) = (free_port(), format!("127.0.0.1:{}", free_port()));
        let directory = Directory::new();
        let mail = directory.path().join("mail").display().to_string();
        let settings = [
            ("HOST", "127.0.0.1"),
            ("PORT", &port.to_string()),
            ("OPS_ADDR", &ops),
            ("DATABASE_URL", database),
            ("REDIS_URL", redis),
            ("JWT_SECRET", SECRET),
            ("MAIL_DIR", &mail),
            ("RATE_LIMIT_LOGIN", "off"),
            ("RATE_LIMIT_REFRESH", "off"),
            ("RATE_LIMIT_LOGOUT", "off"),
            ("RATE_LIMIT_MAIL", "off"),
            ("ACCOUNT_MAILS_PER_HOUR", "100"),
            ("SECRET", PASSWORD),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let client = Client::of(format!("http://127.0.0.1:{port}"));
        let service = Self { client, settings, directory, place: None };
        service.command(&["migrate", "up"]);
        for number in 0..people {
            service.command(&[
                "user",
                "create",
                "--verified",
                "--first-name",
                "A",
                "--last-name",
                "B",
                "--password-env",
                "SECRET",
                "--email",
                &email(number),
            ]);
        }
        service
    }

    /// A setting for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Where the next start is to be.
    pub(crate) fn within(&mut self, place: &Place) {
        self.place = Some(place.clone());
    }

    /// Starts it and waits until it lacks nothing. Ended by `kill -9` when dropped.
    pub(crate) fn serve(&self) -> Process {
        let (program, settings, log) = (binary_path(), &self.settings, self.log_file());
        let service = match &self.place {
            Some(place) => place.start(program, &["serve"], settings, &log),
            None => Process::start(program, &["serve"], settings, &log),
        };
        self.becomes_ready();
        service
    }

    /// Waits until it says that it lacks nothing.
    pub(crate) fn becomes_ready(&self) {
        eventually("the service is ready", async || {
            let asked = self.client.raw(Method::GET, "/readyz").send().await;
            asked.is_ok_and(|answer| answer.status() == 200)
        });
    }

    /// The mails it has sent, oldest first.
    pub(crate) fn mails(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.directory.path().join("mail")) else {
            return Vec::new();
        };
        let mut files: Vec<_> = files.flatten().map(|file| file.path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }

    pub(crate) async fn log_in(&self, number: usize) -> Answer {
        send(self.login_request(number)).await
    }

    pub(crate) fn login_request(&self, number: usize) -> RequestBuilder {
        let body = json!({ "email": email(number), "password": PASSWORD });
        self.client.request(Method::POST, "/login-enhanced").json(&body)
    }

    /// What it has complained about in all its lives.
    pub(crate) fn warnings(&self) -> String {
        let log = std::fs::read_to_string(self.log_file()).unwrap();
        log.lines()
            .filter(|line| !line.contains(r#""level":"INFO""#))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Runs a command of the program to its end.
    pub(crate) fn command(&self, arguments: &[&str]) {
        let settings = self.settings.iter().cloned();
        let output = Command::new(binary_path()).args(arguments).envs(settings).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What a red test leaves to think about.
impl Drop for Outside {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("the last words of an instance in this test:\n{last}");
        }
    }
}

/// The address of the user of this number.
pub(crate) fn email(number: usize) -> String {
    format!("person{number}@example.com")
}
