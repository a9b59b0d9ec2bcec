//! Mail: a server that lets us in, or a folder that can be written to.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use lettre::{AsyncSmtpTransport, Tokio1Executor};
use portcullis_api::settings::Accounts;

use super::report::Report;

/// How long a mail server may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn look(accounts: &Accounts, report: &mut Report) {
    match accounts.smtp_url() {
        Some(url) => look_at_server(url, report).await,
        None => look_at_folder(&accounts.mail_dir, report),
    }
}

async fn look_at_server(url: &str, report: &mut Report) {
    // What is wrong with the address itself is said of the settings.
    let Ok(builder) = AsyncSmtpTransport::<Tokio1Executor>::from_url(url) else { return };
    let server: AsyncSmtpTransport<Tokio1Executor> = builder.timeout(Some(PATIENCE)).build();
    match server.test_connection().await {
        Ok(true) => report.good("mail", "the server of SMTP_URL answers and lets us in"),
        Ok(false) => report.bad("mail", "the server does not answer as one: correct SMTP_URL"),
        Err(cause) => {
            report.bad("mail", &format!("correct SMTP_URL, or start the server ({cause})"));
        }
    }
}

/// A folder that is not there yet is made by the service, so then the one above is what counts.
fn look_at_folder(dir: &Path, report: &mut Report) {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let there = absolute.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let probe = there.join(format!(".portcullis-check-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&probe);
    drop(fs::remove_file(&probe));
    match written {
        Ok(_) => report.good("mail", &format!("files in {} (MAIL_DIR)", absolute.display())),
        Err(cause) => report.bad(
            "mail",
            &format!(
                "{} cannot be written to: run `install -d -m 700 {}` as the service's user, or set \
                 MAIL_DIR to another folder ({cause})",
                there.display(),
                absolute.display(),
            ),
        ),
    }
}
