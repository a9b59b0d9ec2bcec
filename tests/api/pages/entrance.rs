//! Registration, verification, login, forgotten passwords: whole ways through the forms.

use portcullis_api::settings::Limit;
use portcullis_tests::PASSWORD;
use reqwest::Method;

use super::{Browser, Page, plain, service, with};

const ADA: [(&str, &str); 4] = [
    ("first_name", "Ada"),
    ("last_name", "Lovelace"),
    ("email", "ada@example.com"),
    ("password", PASSWORD),
];

#[tokio::test(flavor = "multi_thread")]
async fn somebody_registers_proves_the_address_and_logs_in_by_forms_alone() {
    let auth = service().await;
    let mut browser = Browser::new(&auth);
    let register = browser.open("/account/register").await.must_be(200);
    let sent = browser.send(&register, "register", &ADA).await;
    let verify = browser.follow(&sent).await.must_be(200).must_say("data-code=\"registered\"");
    assert_eq!(verify.path, "/account/verify-email?done=registered");
    let login = browser.log_in("ada").await.must_be(422);
    assert!(login.text().contains("data-code=\"bad_credentials\""), "not proven yet");

    let token = auth.mailed_token(0);
    let link = format!("https://auth.example.com/account/verify-email?token={token}");
    assert!(auth.mails()[0].contains(&link), "{}", auth.mails()[0]);
    let page = browser.open(&format!("/account/verify-email?token={token}")).await.must_be(200);
    browser.log_in("ada").await.must_be(422);
    let given = [("email", "ada@example.com"), ("password", PASSWORD)];
    let verified = browser.send(&page, "verify", &given).await;
    let sessions = browser.follow(&verified).await.must_be(200).must_say("data-code=\"welcome\"");
    assert!(
        sessions.text().contains("Firefox on Linux") && sessions.text().contains("This device")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_stands_beside_its_field_and_at_the_head() {
    let auth = service().await;
    let mut browser = Browser::new(&auth);
    let register = browser.open("/account/register").await;
    let wrong =
        [("first_name", " "), ("last_name", "L\u{fc}\""), ("email", "ada"), ("password", "short")];
    let page = browser.send(&register, "register", &wrong).await.must_be(422);
    for (field, text) in [
        ("first_name", "must have 1 to 100 characters"),
        ("email", "is not an e-mail address"),
        ("password", "must have at least 15 characters"),
    ] {
        let fault = page.element(&format!("id=\"{field}-fault\">"), "</p>");
        assert_eq!(plain(fault).trim(), text);
        let input = page.element(&format!("<input id=\"{field}\""), ">");
        assert!(input.contains("aria-invalid=\"true\""), "{input}");
        assert!(input.contains(&format!("aria-describedby=\"{field}-fault")), "{input}");
        assert!(
            page.element("<div id=\"problem\"", "</div>").contains(&format!("href=\"#{field}\""))
        );
    }
    assert!(page.text().contains("value=\"L\u{fc}&quot;\""), "what was entered is there again");
    assert!(!page.text().contains("short\""), "but no password");
    assert!(page.text().contains("<title>Error: "), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_by_forms_alone() {
    let auth = service().await;
    let mut elsewhere = Browser::of(&auth, "alice").await;
    let mut browser = Browser::new(&auth);
    let forgot = browser.open("/account/forgot-password").await.must_be(200);
    let sent = browser.send(&forgot, "forgot", &[("email", "alice@example.com")]).await;
    browser.follow(&sent).await.must_be(200).must_say("data-code=\"mailed\"");
    let token = auth.mailed_token(0);
    let page = browser.open(&format!("/account/reset-password?token={token}")).await.must_be(200);
    let weak = browser.send(&page, "reset", &[("new_password", "alice")]).await.must_be(422);
    assert!(weak.text().contains("id=\"new_password-fault\""), "{weak:?}");
    let reset = browser.send(&weak, "reset", &[("new_password", "four unrelated new words")]).await;
    browser.follow(&reset).await.must_be(200).must_say("data-code=\"reset\"");
    let gone = elsewhere.open("/account/sessions").await;
    assert_eq!(gone.answer.status, 303, "every session has ended");
    browser.log_in("alice").await.must_be(422);
    let again = browser.send(&page, "reset", &[("new_password", "four unrelated new words")]).await;
    again.must_be(422).must_say("data-code=\"invalid_email_token\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_logged_out_comes_back_to_the_page_that_was_wanted() {
    let auth = service().await;
    auth.user("alice").await;
    let mut browser = Browser::new(&auth);
    let page = browser.open("/account/profile?x=1&y=%26").await;
    let login = browser.follow(&page).await.must_be(200);
    assert_eq!(login.path, "/account/login?return_to=/account/profile%3Fx%3D1%26y%3D%2526");
    let given = [("email", "alice@example.com"), ("password", PASSWORD)];
    let back = browser.send(&login, "login", &given).await;
    back.must_lead_to("/account/profile?x=1&y=%26");
    browser.open("/account/login?return_to=/orders").await.must_lead_to("/orders");
    browser.open("/account/login").await.must_lead_to("/account/sessions");
    browser.open("/account").await.must_lead_to("/account/sessions");
    browser.open("/account/").await.must_lead_to("/account/sessions");
    browser.open("/.well-known/change-password").await.must_lead_to("/account/password");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_outlives_the_access_token_and_not_the_session() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    browser.cookies.remove("__Host-access");
    let page = browser.open("/account/profile").await.must_be(200);
    assert!(browser.cookies.contains_key("__Host-access"), "it was renewed on the way");
    browser.cookies.remove("__Host-access");
    let names = [("first_name", "Alice"), ("last_name", "A"), ("locale", "en")];
    let saved = browser.send(&page, "names", &names).await;
    saved.must_lead_to("/account/profile?done=saved");
    let before = browser.cookies.clone();
    let logout = browser.open("/account/profile").await;
    browser.send(&logout, "logout", &[]).await.must_lead_to("/account/login?done=logged_out");
    assert!(!browser.cookies.contains_key("__Host-refresh"));
    browser.cookies = before;
    let page = browser.open("/account/profile").await;
    page.must_lead_to("/account/login?return_to=/account/profile");
    assert!(!browser.cookies.contains_key("__Host-refresh"), "a dead cookie is cleared");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_attempts_are_told_how_long_to_wait() {
    let auth =
        with(|settings| settings.limits.rate_limit_login = "2/15m".parse::<Limit>().unwrap()).await;
    auth.user("alice").await;
    let mut browser = Browser::new(&auth);
    let login = browser.open("/account/login").await;
    let wrong = [("email", "alice@example.com"), ("password", "not the one")];
    for _ in 0..2 {
        browser.send(&login, "login", &wrong).await.must_be(422);
    }
    let page = browser.send(&login, "login", &wrong).await.must_be(429);
    let seconds: u64 = page.answer.header("retry-after").parse().unwrap();
    assert!(page.text().contains(&format!("data-retry-after=\"{seconds}\"")), "{page:?}");
    assert!(page.text().contains(&format!("Try again in {seconds} seconds.")), "{page:?}");
    assert!(page.text().contains("value=\"alice@example.com\""), "nothing has to be typed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_click_on_a_link_and_a_pasted_code_work() {
    let auth = service().await;
    let mut browser = Browser::new(&auth);
    let register = browser.open("/account/register").await;
    browser.send(&register, "register", &ADA).await;
    let code = format!(" {} ", auth.mailed_token(0));
    let page = browser.open("/account/verify-email").await.must_be(200);
    let resent = resend(&mut browser, &page, "ada@example.com").await;
    resent.must_lead_to("/account/verify-email?done=mailed");
    resend(&mut browser, &page, "ada").await.must_be(422).must_say("id=\"email-fault\"");
    for _ in 0..2 {
        let mut elsewhere = Browser::new(&auth);
        let page = elsewhere.open("/account/verify-email").await;
        let sent = elsewhere.send(&page, "verify", &given(&code, "ada@example.com")).await;
        sent.must_lead_to("/account/sessions?done=welcome");
    }
    // The address is proven, only whose password that is cannot be told.
    let other = given(&code, "eda@example.com");
    let sent = browser.send(&page, "verify", &other).await;
    sent.must_lead_to("/account/login?done=verified");
    let nothing = given("nonsense", "ada@example.com");
    let nothing = browser.send(&page, "verify", &nothing).await.must_be(422);
    assert!(nothing.text().contains("id=\"token-fault\""), "{nothing:?}");
}

/// What the page for a code is filled in with.
fn given<'a>(code: &'a str, email: &'a str) -> [(&'static str, &'a str); 3] {
    [("token", code), ("email", email), ("password", PASSWORD)]
}

/// The other button of the page for a code.
async fn resend(browser: &mut Browser<'_>, page: &Page, email: &str) -> Page {
    let path = "/account/resend-verification";
    let button = page.element("<button name=\"resend\"", ">");
    assert_eq!(super::attribute(button, "formaction"), path);
    let mut sent = page.form("verify").hidden;
    sent.push(("email".to_owned(), email.to_owned()));
    let request = browser.request(Method::POST, path).form(&sent);
    browser.sent(request, path).await
}

/// Whoever registers with an address of somebody else has chosen the password, and waits for a click.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_opens_an_account_for_whoever_registered_with_their_address() {
    let auth = service().await;
    let mut mallory = Browser::new(&auth);
    let register = mallory.open("/account/register").await;
    mallory.send(&register, "register", &ADA).await.must_be(303);
    let token = auth.mailed_token(0);
    assert!(auth.mails()[0].contains("If it was not you, confirm nothing"), "{}", auth.mails()[0]);

    // Ada has just registered as well, and takes the mail for the answer to that.
    let mine = "four words of my own choice";
    let mut ada = Browser::new(&auth);
    let register = ada.open("/account/register").await;
    let fields = [ADA[0], ADA[1], ADA[2], ("password", mine)];
    ada.send(&register, "register", &fields).await.must_be(303);
    let page = ada.open(&format!("/account/verify-email?token={token}")).await.must_be(200);
    let given = [("email", "ada@example.com"), ("password", mine)];
    let refused = ada.send(&page, "verify", &given).await.must_be(422);
    assert!(refused.text().contains("id=\"password-fault\""), "{refused:?}");
    assert!(refused.text().contains("href=\"&#x2f;account/forgot-password\""), "{refused:?}");
    let empty = ada.send(&page, "verify", &[("email", "ada@example.com")]).await.must_be(422);
    assert!(empty.text().contains("id=\"password-fault\""), "{empty:?}");
    mallory.log_in("ada").await.must_be(422);

    let forgot = ada.open("/account/forgot-password").await;
    ada.send(&forgot, "forgot", &[("email", "ada@example.com")]).await.must_be(303);
    let link = format!("/account/reset-password?token={}", auth.mailed_token(1));
    let reset = ada.open(&link).await;
    ada.send(&reset, "reset", &[("new_password", mine)]).await.must_be(303);
    mallory.log_in("ada").await.must_be(422);
    let login = ada.open("/account/login").await;
    ada.send(&login, "login", &given).await.must_lead_to("/account/sessions");
}
