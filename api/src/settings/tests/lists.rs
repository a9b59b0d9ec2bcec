//! Help, sample file, README and guide: that each says what there is to set, and nothing else.

use clap::{Arg, Args as _, Command};

use crate::settings::Settings;

#[test]
fn help_never_shows_a_secret_from_the_environment() {
    let secrets: Vec<String> =
        settings().iter().filter(|arg| arg.is_hide_env_values_set()).map(name_of).collect();
    for name in settings().iter().map(name_of) {
        let is_secret = ["SECRET", "PASSWORD", "_KEY", "_URL", "CLIENTS"]
            .iter()
            .any(|word| name.ends_with(word))
            || ["JWT_SECRETS_OLD", "REFRESH_TOKEN_KEYS_OLD"].contains(&name.as_str());
        let is_secret = is_secret && !["FRONTEND_URL", "PUBLIC_URL"].contains(&name.as_str());
        assert_eq!(secrets.contains(&name), is_secret, "{name}");
    }
}

#[test]
fn every_setting_has_help_and_a_variable_of_its_name() {
    for arg in settings() {
        assert!(arg.get_help().is_some(), "{}", name_of(&arg));
        let flag = arg.get_long().unwrap().replace('-', "_").to_uppercase();
        assert_eq!(name_of(&arg), flag);
    }
}

#[test]
fn c_28_the_sample_file_lists_every_setting_with_its_default() {
    let sample = include_str!("../../../../.env.sample");
    assert!(sample == sample_file(), ".env.sample should be:\n{}", sample_file());
}

#[test]
fn the_readmes_table_names_real_settings_with_their_defaults() {
    let readme = include_str!("../../../../README.md");
    let (_, table) = readme.split_once("| setting | default | meaning |\n").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').collect())
        .collect();
    assert!(!rows.is_empty());
    for row in rows {
        let names = quoted(row[1]);
        let told = quoted(row[2]);
        for name in &names {
            assert!(
                settings().iter().any(|arg| name_of(arg) == *name),
                "there is no setting {name}"
            );
        }
        // A row that tells a default for each of its names tells the right ones.
        for (name, told) in names.iter().zip(&told).filter(|_| names.len() == told.len()) {
            let arg = settings().into_iter().find(|arg| name_of(arg) == *name).unwrap();
            assert_eq!(default_of(&arg), *told, "{name}");
        }
    }
}

#[test]
fn the_guide_says_of_every_setting_of_old_what_became_of_it() {
    let guide = include_str!("../../../docs/migration.md");
    let (_, table) = guide.split_once("| setting | here |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut told = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        for name in quoted(cells[1]) {
            let is_here = settings().iter().any(|arg| name_of(arg) == name);
            assert_ne!(is_here, cells[2].trim().starts_with("gone:"), "{name}");
            told.push(name);
        }
    }
    let old = "JWT_SECRET JWT_EXPIRES_IN REFRESH_TOKEN_EXPIRES_IN SESSION_EXPIRES_IN \
               MAX_SESSIONS_PER_USER CLEANUP_INTERVAL_HOURS INACTIVE_TOKEN_DAYS DB_HOST \
               DB_USERNAME DB_PASSWORD DB_NAME REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_DB \
               NODE_ENV PORT APP_NAME TRUSTED_IP DEBUG REFRESH_TOKEN_ROTATION \
               DEVICE_FINGERPRINTING SESSION_ACTIVITY_TRACKING SESSION_IP_VALIDATION";
    for name in old.split_whitespace() {
        assert!(told.contains(&name), "{name} is not in the guide");
    }
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// `.env.sample` as it should be.
fn sample_file() -> String {
    let head = "# Every setting with its default. Copy to .env and change what you need.\n\
                # Durations are written 90s, 15m, 12h, 30d; lists with commas.\n";
    settings().iter().fold(head.to_owned(), |file, arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let default = default_of(arg);
        let quote = if default.contains(' ') { "\"" } else { "" };
        file + &format!("\n# {help}\n# {}={quote}{default}{quote}\n", name_of(arg))
    })
}

fn settings() -> Vec<Arg> {
    Settings::augment_args(Command::new("test")).get_arguments().cloned().collect()
}

fn name_of(arg: &Arg) -> String {
    arg.get_env().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}

fn default_of(arg: &Arg) -> String {
    arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect()
}
