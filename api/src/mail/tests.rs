//! Mails as files, and mails to a mail server that this file plays.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::tokens::secret::{EmailKey, EmailToken};

const NOON: Timestamp = Timestamp(1_800_000_000_000);

fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::for_tests("mysql://unused", "redis://unused");
    settings.accounts.mail_dir = dir.join("mail");
    settings
}

fn mail(settings: &Settings) -> Mail {
    Mail::new(settings).unwrap()
}

fn envelope(to: &str, number: u64) -> Envelope<'_> {
    Envelope { to, at: NOON, number, language: Language::En, reference: &[7; 16] }
}

fn token() -> EmailToken {
    EmailToken::derived(&EmailKey::from_secret(&"a key".into()), &[7; 16])
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir.join("mail")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert!(names.iter().all(|name| name.extension().is_some_and(|end| end == "eml")));
    names.iter().map(|name| std::fs::read_to_string(name).unwrap()).collect()
}

#[tokio::test]
async fn without_a_server_mails_are_files_in_the_order_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mail = mail(&settings(dir.path()));
    for (number, name) in (9..).zip(["one@example.com", "two@example.com", "three@example.com"]) {
        mail.send(&envelope(name, number), &Message::AlreadyRegistered).await.unwrap();
    }
    let files = files(dir.path());
    assert_eq!(files.len(), 3);
    assert!(files[0].contains("To: one@example.com") && files[2].contains("To: three@example.com"));
    assert!(files[0].contains("Date: Fri, 15 Jan 2027 08:00:00 +0000"), "{}", files[0]);
}

#[tokio::test]
async fn f_28_the_domain_of_the_sender_is_as_dns_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    for (number, (given, sent)) in (1..).zip([
        ("Ada <Ada@b\u{fc}cher.example>", "From: Ada <Ada@xn--bcher-kva.example>\r\n"),
        ("no-reply@localhost", "From: no-reply@localhost\r\n"),
    ]) {
        settings.accounts.mail_from = given.to_owned();
        let to = envelope("a@example.com", number);
        mail(&settings).send(&to, &Message::AlreadyRegistered).await.unwrap();
        let files = files(dir.path());
        assert!(files.iter().any(|it| it.contains(sent)), "{files:?}");
    }
}

#[tokio::test]
async fn the_token_stands_alone_or_in_a_link_to_the_site() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    let to = "a@example.com";
    mail(&settings).send(&envelope(to, 1), &Message::Verify { token: token() }).await.unwrap();
    settings.accounts.frontend_url = "https://app.example.com/".to_owned();
    let reset = Message::ResetPassword { token: token() };
    mail(&settings).send(&envelope(to, 2), &reset).await.unwrap();
    let files = files(dir.path());
    assert!(files[0].contains(&format!("\r\n\r\n{}\r\n", token().expose())), "{}", files[0]);
    let link = format!("\r\nhttps://app.example.com/reset-password?token={}\r\n", token().expose());
    assert!(files[1].contains(&link), "{}", files[1]);
}

#[tokio::test]
async fn a_warning_says_when_and_from_where() {
    let dir = tempfile::tempdir().unwrap();
    let ip = "2001:db8::1".parse().unwrap();
    let news = Message::NewDevice(Scene { device: "Firefox on Linux".into(), ip });
    mail(&settings(dir.path())).send(&envelope("a@example.com", 1), &news).await.unwrap();
    let text = files(dir.path()).remove(0);
    for part in ["2027-01-15T08:00:00.000Z", "Firefox on Linux", "2001:db8::1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn f_29_a_mail_that_is_sent_twice_is_the_same_mail_and_asks_for_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mail = mail(&settings(dir.path()));
    let verify = Message::Verify { token: token() };
    mail.send(&envelope("a@example.com", 1), &verify).await.unwrap();
    let once = files(dir.path()).remove(0);
    mail.send(&envelope("a@example.com", 1), &verify).await.unwrap();
    assert_eq!(files(dir.path()), [once.as_str()]);
    assert!(once.contains("\r\nMessage-ID: <BwcHBwcHBwcHBwcHBwcHBw@localhost>\r\n"), "{once}");
    assert!(once.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{once}");
}

#[tokio::test]
async fn f_29_files_are_for_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let mail = mail(&settings(dir.path()));
    mail.prepare().unwrap();
    mail.send(&envelope("a@example.com", 1), &Message::AlreadyRegistered).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = dir.path().join("mail");
    assert_eq!(mode(&folder), 0o700);
    let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(names.map(|name| mode(&name)).collect::<Vec<_>>(), [0o600]);
}

#[test]
fn f_29_a_directory_that_is_a_file_or_cannot_be_made_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    mail(&settings).check().unwrap();
    assert!(!dir.path().join("mail").exists(), "a check changes nothing");
    std::fs::write(dir.path().join("mail"), "").unwrap();
    for refused in [mail(&settings).check(), mail(&settings).prepare()] {
        let fault = refused.unwrap_err().to_string();
        assert!(fault.starts_with("MAIL_DIR") && fault.contains("is not a directory"), "{fault}");
        assert!(fault.contains("set SMTP_URL"), "{fault}");
    }
    let mut below = settings;
    below.accounts.mail_dir = "/proc/nowhere/mail".into();
    let fault = mail(&below).prepare().unwrap_err().to_string();
    assert!(fault.contains("cannot be written to"), "{fault}");
}

#[tokio::test]
async fn an_address_cannot_bring_headers_along() {
    let dir = tempfile::tempdir().unwrap();
    let mail = mail(&settings(dir.path()));
    let envelope = envelope("a@example.com\r\nBcc: b@example.com", 1);
    let sent = mail.send(&envelope, &Message::AlreadyRegistered).await.unwrap_err();
    assert!(matches!(sent, Fault::Address(_)) && sent.is_final());
}

#[tokio::test]
async fn a_mail_server_gets_the_mail() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(Path::new("unused"));
    settings.accounts.smtp_url = Some(format!("smtp://{}", server.local_addr().unwrap()).into());
    let received = tokio::spawn(play_server(server));
    let verify = Message::Verify { token: token() };
    mail(&settings).send(&envelope("a@example.com", 1), &verify).await.unwrap();
    let received = received.await.unwrap();
    assert!(
        received.contains("RCPT TO:<a@example.com>") && received.contains(token().expose()),
        "{received}"
    );
}

#[test]
fn a_wrong_mail_server_is_refused_without_its_password() {
    let mut settings = settings(Path::new("unused"));
    settings.accounts.smtp_url = Some("smtps://user:hidden word@".into());
    let fault = Mail::new(&settings).err().unwrap().to_string();
    assert!(fault.starts_with("SMTP_URL") && !fault.contains("hidden"), "{fault}");
    settings.accounts.smtp_url = None;
    settings.accounts.mail_from = "nobody".to_owned();
    assert!(Mail::new(&settings).err().unwrap().to_string().starts_with("MAIL_FROM"));
}

/// The least of RFC 5321 that takes one mail; answers all that was said.
async fn play_server(server: TcpListener) -> String {
    let (stream, _) = server.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let (mut heard, mut in_data) = (String::new(), false);
    stream.write_all(b"220 test\r\n").await.unwrap();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() == 0 || line.starts_with("QUIT") {
            return heard;
        }
        heard.push_str(&line);
        let answer: &[u8] = match line.trim_end() {
            "DATA" => b"354 go on\r\n",
            "." => b"250 taken\r\n",
            _ if in_data => b"",
            _ => b"250 ok\r\n",
        };
        in_data = line.trim_end() == "DATA" || (in_data && line.trim_end() != ".");
        stream.write_all(answer).await.unwrap();
        if line.trim_end() == "." {
            return heard;
        }
    }
}
