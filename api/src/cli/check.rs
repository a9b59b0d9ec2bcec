//! `portcullis check`: what is wrong, and the one command that mends each of it. Changes nothing.

mod mail;
mod mysql;
mod redis;
mod report;

use anyhow::Context as _;
use clap::Args;
use portcullis_api::App;
use portcullis_api::base::clock::Clock;
use portcullis_api::base::random::Random;
use portcullis_api::settings::{Server, Settings};
use tracing_subscriber::EnvFilter;

use self::report::Report;
use super::words::in_words;

/// The settings, and whether they are all that is looked at.
#[derive(Args)]
pub(crate) struct Check {
    /// Connect to nothing.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Check {
    /// Fails if anything has to be mended before the service can work.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        if self.offline {
            return offline(self.settings);
        }
        log_filter(&self.settings.server)?;
        let settings = self.settings.check()?;
        let mut report = Report::default();
        match App::new(settings.clone(), Clock::system(), Random::system()) {
            Ok(app) => {
                report.good("settings", "valid");
                report.good("keys", &signer(&app));
            }
            Err(error) => report.bad("settings", &in_words(&error)),
        }
        mysql::look(&settings.stores, &mut report).await;
        redis::look(&settings.stores, &mut report).await;
        mail::look(&settings.accounts, &mut report).await;
        for remark in settings.remarks() {
            let (about, told) = remark.split_once(' ').unwrap_or((remark, ""));
            report.note(about.trim_end_matches(':'), told);
        }
        report.print()
    }
}

fn signer(app: &App) -> String {
    match (app.settings.tokens.keys_dir(), app.keys.jwks().first()) {
        (Some(dir), _) => format!("{} in {}", app.keys.jwks().len(), dir.display()),
        (None, _) => "JWT_SECRET signs".to_owned(),
    }
}

/// Does what a start does, short of connecting to anything.
pub(crate) fn offline(settings: Settings) -> anyhow::Result<()> {
    log_filter(&settings.server)?;
    let app = App::new(settings.check()?, Clock::system(), Random::system())?;
    app.mail.check()?;
    for remark in app.settings.remarks() {
        println!("note: {remark}");
    }
    println!("The settings are valid.");
    Ok(())
}

/// What is logged.
pub(crate) fn log_filter(server: &Server) -> anyhow::Result<EnvFilter> {
    server.log_level.parse().context("LOG_LEVEL: must be like info, or info,portcullis_api=debug")
}
