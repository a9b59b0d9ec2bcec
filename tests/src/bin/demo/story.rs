//! What Portcullis is for, in five scenes. Each answer is checked where it is given.

use std::fs;

use anyhow::{Context, Result, ensure};
use portcullis_tests::wait_until;
use serde_json::{Value, json};

use crate::shell::{Answer, Request, redis_cli};
use crate::stage::Stage;

const PASSWORD: &str = "correct horse battery staple";

/// Somebody who is logged in, on one device.
struct Device {
    key: String,
    session: String,
    access: String,
    refresh: String,
}

pub(crate) fn tell(stage: &Stage) -> Result<()> {
    let email = email(stage);
    register(stage, &email)?;
    let mut laptop = log_in(stage, &email)?;
    refresh(stage, &mut laptop)?;
    log_out(stage, &laptop)?;
    log_out_everywhere(stage, &email)
}

fn register(stage: &Stage, email: &str) -> Result<()> {
    stage.screen.heading("1. Ada registers and shows that the address is hers");
    let ada =
        json!({"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"});
    post(stage, "/register", None, ada)?.must_be(201)?;
    let token = mailed_token(stage)?;
    stage.screen.note("the token came by mail");
    post(stage, "/verify-email", None, json!({"token": token}))?.must_be(200)?;
    Ok(())
}

fn log_in(stage: &Stage, email: &str) -> Result<Device> {
    stage
        .screen
        .heading("2. She logs in, and one command tells any service that her token is good");
    let device = log_in_once(stage, email)?;
    check(stage, &device, "OK")?;
    get(stage, "/me", &device)?.must_be(200)?;
    Ok(device)
}

fn refresh(stage: &Stage, device: &mut Device) -> Result<()> {
    stage.screen.heading(
        "3. She refreshes; the same request again gets the same successor, not a second one",
    );
    let spent = json!({"refresh_token": device.refresh, "session_id": device.session});
    let first = post(stage, "/refresh", None, spent.clone())?.must_be(200)?;
    let again = post(stage, "/refresh", None, spent)?.must_be(200)?;
    let successor = first.text("/data/refresh/token")?;
    ensure!(successor != device.refresh, "the refresh token did not change");
    ensure!(successor == again.text("/data/refresh/token")?, "one token has two successors");
    device.access = again.text("/data/access/token")?;
    device.refresh = successor;
    check(stage, device, "OK")?;

    let sessions = get(stage, "/sessions", device)?.must_be(200)?;
    sessions.field("/data/current_session")?;
    let others = sessions.field("/data/other_sessions")?.as_array().map(Vec::len);
    ensure!(others == Some(0), "she has logged in once and has other sessions: {others:?}");
    Ok(())
}

fn log_out(stage: &Stage, device: &Device) -> Result<()> {
    stage
        .screen
        .heading("4. She logs out, and the token is dead everywhere, long before it expires");
    post(stage, "/logout", Some(&device.access), json!({}))?.must_be(200)?;
    check(stage, device, "NO_SESSION")?;
    get(stage, "/me", device)?.must_be(401)?;
    let spent = json!({"refresh_token": device.refresh});
    post(stage, "/refresh", None, spent)?.must_be(401)?;
    Ok(())
}

fn log_out_everywhere(stage: &Stage, email: &str) -> Result<()> {
    stage.screen.heading("5. She logs in on two devices and logs out everywhere from one of them");
    let (phone, tablet) = (log_in_once(stage, email)?, log_in_once(stage, email)?);
    check(stage, &phone, "OK")?;
    let ended =
        post(stage, "/logout-all-devices", Some(&tablet.access), json!({}))?.must_be(200)?;
    let count = ended.field("/data/sessions_revoked")?;
    ensure!(count == &json!(2), "two sessions were to end, not {count}");
    check(stage, &phone, "NO_SESSION")?;
    check(stage, &tablet, "NO_SESSION")?;
    get(stage, "/me", &phone)?.must_be(401)?;
    get(stage, "/me", &tablet)?.must_be(401)?;
    Ok(())
}

fn log_in_once(stage: &Stage, email: &str) -> Result<Device> {
    let credentials = json!({"email": email, "password": PASSWORD});
    let answer = post(stage, "/login-enhanced", None, credentials)?.must_be(200)?;
    Ok(Device {
        key: format!("user:{}", answer.field("/data/user/id")?),
        session: answer.text("/data/session/id")?,
        access: answer.text("/data/tokens/access/token")?,
        refresh: answer.text("/data/tokens/refresh/token")?,
    })
}

/// Asks the module what it thinks of the device's token.
fn check(stage: &Stage, device: &Device, verdict: &str) -> Result<()> {
    let mut arguments = stage.redis_cli.clone();
    let question = ["AUTH.CHECK", &device.key, &device.access, "SESSION", &device.session];
    arguments.extend(question.map(String::from));
    let told = redis_cli(stage.screen, &arguments)?;
    ensure!(told == verdict, "{verdict} was due here, not {told}");
    Ok(())
}

fn post(stage: &Stage, path: &str, bearer: Option<&str>, body: Value) -> Result<Answer> {
    let url = format!("{}/api/v1/auth{path}", stage.url);
    Request { method: "POST", url, bearer, body: Some(body) }.send(stage.screen)
}

fn get(stage: &Stage, path: &str, device: &Device) -> Result<Answer> {
    let url = format!("{}/api/v1/auth{path}", stage.url);
    Request { method: "GET", url, bearer: Some(&device.access), body: None }.send(stage.screen)
}

/// A database that is not ours may know her from an earlier run.
fn email(stage: &Stage) -> String {
    if stage.is_private {
        return "ada@example.org".to_owned();
    }
    format!("ada+{}@example.org", std::process::id())
}

/// The longest word of the last mail that looks like a token.
fn mailed_token(stage: &Stage) -> Result<String> {
    // It is sent behind the answer, whose time must not tell who has an account.
    wait_until("the mail is there", || stage.mails().is_ok_and(|mails| !mails.is_empty()));
    let mails = stage.mails()?;
    let mail = fs::read_to_string(mails.last().context("no mail was sent")?)?;
    let body = mail.split_once("\r\n\r\n").map_or(mail.as_str(), |(_, body)| body);
    let words = body.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    let token = words.max_by_key(|word| word.len()).filter(|word| word.len() >= 40);
    Ok(token.context("the mail holds no token")?.to_owned())
}
