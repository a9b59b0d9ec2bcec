//! Mails as files, and mails to a mail server that this file plays.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::base::device::Device;
use crate::base::random::Random;
use crate::tokens::secret::EmailToken;

fn background() -> Background {
    Background::new(PATIENCE)
}

fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::for_tests("mysql://unused", "redis://unused");
    settings.accounts.mail_dir = dir.join("mail");
    settings
}

fn mail(settings: &Settings) -> Mail {
    Mail::new(settings, Clock::manual(Timestamp(1_800_000_000_000)), background()).unwrap()
}

fn token() -> EmailToken {
    EmailToken::random(&Random::seeded(1))
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
    for name in ["one@example.com", "two@example.com", "three@example.com"] {
        mail.send(name, Message::AlreadyRegistered).await.unwrap();
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
    for (given, sent) in [
        ("Ada <Ada@b\u{fc}cher.example>", "From: Ada <Ada@xn--bcher-kva.example>\r\n"),
        ("no-reply@localhost", "From: no-reply@localhost\r\n"),
    ] {
        settings.accounts.mail_from = given.to_owned();
        mail(&settings).send("a@example.com", Message::AlreadyRegistered).await.unwrap();
        let files = files(dir.path());
        assert!(files.iter().any(|it| it.contains(sent)), "{files:?}");
    }
}

#[tokio::test]
async fn the_token_stands_alone_or_in_a_link_to_the_site() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    mail(&settings).send("a@example.com", Message::Verify { token: token() }).await.unwrap();
    settings.accounts.frontend_url = "https://app.example.com/".to_owned();
    let linked =
        Mail::new(&settings, Clock::manual(Timestamp(1_800_000_000_001)), background()).unwrap();
    linked.send("a@example.com", Message::ResetPassword { token: token() }).await.unwrap();
    let files = files(dir.path());
    assert!(files[0].contains(&format!("\r\n\r\n{}\r\n", token().expose())), "{}", files[0]);
    let link = format!("\r\nhttps://app.example.com/reset-password?token={}\r\n", token().expose());
    assert!(files[1].contains(&link), "{}", files[1]);
}

#[tokio::test]
async fn a_warning_says_when_and_from_where() {
    let dir = tempfile::tempdir().unwrap();
    let device =
        Device::from_user_agent(Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0"), None);
    let scene = Scene { device, ip: "2001:db8::1".parse().unwrap() };
    mail(&settings(dir.path())).send("a@example.com", Message::NewDevice(scene)).await.unwrap();
    let text = files(dir.path()).remove(0);
    for part in ["2027-01-15T08:00:00.000Z", "Firefox on Linux", "2001:db8::1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn an_address_cannot_bring_headers_along() {
    let dir = tempfile::tempdir().unwrap();
    let mail = mail(&settings(dir.path()));
    let sent = mail.send("a@example.com\r\nBcc: b@example.com", Message::AlreadyRegistered);
    assert!(matches!(sent.await, Err(Fault::Address(_))));
}

#[tokio::test]
async fn a_mail_server_gets_the_mail() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(Path::new("unused"));
    settings.accounts.smtp_url = Some(format!("smtp://{}", server.local_addr().unwrap()).into());
    let received = tokio::spawn(play_server(server));
    mail(&settings).send("a@example.com", Message::Verify { token: token() }).await.unwrap();
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
    let fault = Mail::new(&settings, Clock::system(), background()).err().unwrap().to_string();
    assert!(fault.starts_with("SMTP_URL") && !fault.contains("hidden"), "{fault}");
    settings.accounts.smtp_url = None;
    settings.accounts.mail_from = "nobody".to_owned();
    assert!(
        Mail::new(&settings, Clock::system(), background())
            .err()
            .unwrap()
            .to_string()
            .starts_with("MAIL_FROM")
    );
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
