//! Mails as people read them: as text and as HTML, in their language, in the operator's words.

use std::fs;

use portcullis_api::mail::Mail;
use portcullis_api::settings::Settings;
use serde_json::json;

use super::{Browser, service, with};

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_in_the_language_of_whoever_registered() {
    let auth = service().await;
    let mut browser = Browser::new(&auth);
    browser.language = "de-CH, fr;q=0.5";
    let register = browser.open("/account/register").await;
    let fields = [
        ("first_name", "Heidi"),
        ("last_name", "Test"),
        ("email", "heidi@example.com"),
        ("password", portcullis_tests::PASSWORD),
    ];
    browser.send(&register, "register", &fields).await.must_be(303);
    auth.mails_are_out();
    let mail = auth.mails().remove(0);
    assert!(mail.contains("multipart/alternative") && mail.contains("text/html"), "{mail}");
    assert!(mail.contains("Jemand, vermutlich Sie, hat sich"), "{mail}");
    let locale: String =
        sqlx::query_scalar("select locale from users where email = 'heidi@example.com'")
            .fetch_one(auth.db())
            .await
            .unwrap();
    assert_eq!(locale, "de");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_its_link_once_as_text_and_as_a_button() {
    let auth = service().await;
    let alice = auth.logged_in("alice").await;
    auth.post("/forgot-password", json!({ "email": "alice@example.com" })).await.must_be(200);
    let token = auth.mailed_token(0);
    let mail = auth.mails().remove(0);
    let link = format!("https://auth.example.com/account/reset-password?token={token}");
    assert!(mail.contains(&format!("\r\n{link}\r\n")), "{mail}");
    assert!(mail.contains(&format!("<a href=\"{}\"", link.replace('/', "&#x2f;"))), "{mail}");
    drop(alice);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_templates_take_the_place_of_ours_and_escape_by_themselves() {
    let templates = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(templates.path().join(name), text).unwrap();
    write("new_device.en.txt", "Subject: Hello from {{ app }}\n\nNew: {{ device }} at {{ ip }}\n");
    write("new_device.en.html", "<p class=\"ours\">{{ app }}: {{ subject }}</p>\n");
    write("README.md", "for whoever looks after this\n");
    let auth = with(|settings| {
        settings.accounts.mail_templates = Some(templates.path().to_owned());
        "Shop <b>".clone_into(&mut settings.server.app_name);
    })
    .await;
    let id = auth.user("alice").await;
    sqlx::query("update users set created_at = created_at - interval 30 day where id = ?")
        .bind(id)
        .execute(auth.db())
        .await
        .unwrap();
    auth.log_in("alice").await.must_be(200);
    auth.mails_are_out();
    let mail = auth.mails().remove(0);
    assert!(mail.contains("Subject: Hello from Shop <b>\r\n"), "{mail}");
    assert!(mail.contains("at 127.0.0.1\r\n"), "{mail}");
    assert!(
        mail.contains("<p class=\"ours\">Shop &lt;b&gt;: Hello from Shop &lt;b&gt;</p>"),
        "{mail}"
    );
}

#[test]
fn a_template_that_is_wrong_is_refused_at_the_start_with_its_place() {
    let refused = |name: &str, text: &str| {
        let templates = tempfile::tempdir().unwrap();
        fs::write(templates.path().join(name), text).unwrap();
        let mut settings = Settings::for_tests("mysql://unused", "redis://unused");
        settings.accounts.mail_templates = Some(templates.path().to_owned());
        Mail::new(&settings).err().unwrap().to_string()
    };
    for (name, text, why) in [
        ("verify_mail.en.txt", "Subject: x\n\nx", "verify_mail.en.txt is no template"),
        (
            "verify_email.en.txt",
            "Subject: x\n\n{{ tokn }}",
            "verify_email.en.txt, line 3: undefined value",
        ),
        (
            "verify_email.en.txt",
            "Subject: x\n\n{% if %}",
            "verify_email.en.txt, line 3: syntax error",
        ),
        (
            "verify_email.de.txt",
            "Hello\n\nx",
            "verify_email.de.txt: its first line must be Subject: ",
        ),
        ("layout.html", "{{ nothing }}", "layout.html, line 1: undefined value"),
    ] {
        let told = refused(name, text);
        assert!(told.starts_with("MAIL_TEMPLATES: ") && told.contains(why), "{told}");
    }
    let mut settings = Settings::for_tests("mysql://unused", "redis://unused");
    settings.accounts.mail_templates = Some("/nowhere".into());
    let told = Mail::new(&settings).err().unwrap().to_string();
    assert!(told.contains("/nowhere cannot be read"), "{told}");
}
