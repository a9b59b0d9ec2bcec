//! The command `portcullis` where it does not serve.

use std::process::{Command, Stdio};

use portcullis_tests::{Database, Directory, binary_path};
use sqlx::MySqlPool;

/// What it says with nothing but a database in its environment.
fn portcullis(arguments: &[&str], database: &str) -> String {
    let mut command = Command::new(binary_path());
    let output = command.args(arguments).env_clear().env("DATABASE_URL", database).output();
    let output = output.expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_says_its_own_name_and_version() {
    let version = format!("portcullis {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(portcullis(&["--version"], ""), version);
}

#[tokio::test]
async fn a_cleanup_by_hand_needs_the_database_and_no_secret_and_ends_by_itself() {
    let database = Database::shared().migrated_database("command");
    let db = MySqlPool::connect(&database).await.unwrap();
    let old = "insert into audit_events (at, event, detail) values ('2020-01-01', 'x', '{}')";
    sqlx::query(old).execute(&db).await.unwrap();
    for rows in [1, 0] {
        let told = portcullis(&["cleanup"], &database);
        assert_eq!(told.lines().count(), 7, "a line for each table: {told}");
        assert!(told.ends_with(&format!("{rows}  audit_events\n")), "{told}");
    }
}

#[test]
fn f_29_a_mail_directory_that_cannot_be_used_stops_the_start_with_the_reason() {
    let home = Directory::new();
    let file = home.path().join("mail");
    std::fs::write(&file, "").unwrap();
    for command in ["serve", "check-config"] {
        let output = Command::new(binary_path())
            .arg(command)
            .env_clear()
            .env("DATABASE_URL", "mysql://nobody@127.0.0.1:1/none")
            .env("REDIS_URL", "redis://127.0.0.1:1")
            .env("JWT_SECRET", "a secret for tests and of no use elsewhere")
            .env("MAIL_DIR", &file)
            .env("PORT", "0")
            .env("OPS_ADDR", "127.0.0.1:0")
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(told).unwrap();
        assert!(!output.status.success(), "{command}");
        assert!(told.contains("MAIL_DIR") && told.contains("is not a directory"), "{told}");
    }
}

/// As `| head` does.
#[test]
fn whoever_reads_only_the_beginning_of_what_is_printed_sees_no_fault() {
    for arguments in [&["openapi"][..], &["openapi", "--html"], &["completions", "bash"]] {
        let mut command = Command::new(binary_path());
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{arguments:?}: {complaint}");
    }
}
