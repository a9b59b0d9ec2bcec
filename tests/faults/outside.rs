//! The service as a process of its own, to be killed and weighed.

use std::path::PathBuf;
use std::process::Command;

use portcullis_tests::{Answer, Client, Directory, PASSWORD, Process, binary_path, free_port};
use reqwest::Method;
use serde_json::json;

use crate::talk::eventually;

/// The service on stores that the test holds. Its limits are off.
pub(crate) struct Outside {
    pub(crate) client: Client,
    settings: Vec<(String, String)>,
    directory: Directory,
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
            ("JWT_SECRET", "a secret for tests and of no use elsewhere"),
            ("MAIL_DIR", &mail),
            ("RATE_LIMIT_LOGIN", "off"),
            ("RATE_LIMIT_REFRESH", "off"),
            ("RATE_LIMIT_LOGOUT", "off"),
            ("SECRET", PASSWORD),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let client = Client::of(format!("http://127.0.0.1:{port}"));
        let service = Self { client, settings, directory };
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

    /// Starts it and waits until it lacks nothing. Ended by `kill -9` when dropped.
    pub(crate) fn serve(&self) -> Process {
        let service = Process::start(binary_path(), &["serve"], &self.settings, &self.log_file());
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

    pub(crate) async fn log_in(&self, number: usize) -> Answer {
        let body = json!({ "email": email(number), "password": PASSWORD });
        self.client.post("/login-enhanced", body).await
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

    fn command(&self, arguments: &[&str]) {
        let settings = self.settings.iter().cloned();
        let output = Command::new(binary_path()).args(arguments).envs(settings).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The address of the user of this number.
fn email(number: usize) -> String {
    format!("person{number}@example.com")
}
