//! Sessions, password and profile: what people do about their own account.

use portcullis_tests::PASSWORD;

use super::{Browser, PHONE, service, with};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_seen_and_ended_one_the_others_or_all() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    let mut phone = Browser::new(&auth);
    phone.agent = PHONE;
    phone.log_in("alice").await.must_be(303);
    let mut third = Browser::of(&auth, "alice").await;

    let page = browser.open("/account/sessions").await.must_be(200);
    let current = page.element("data-current>", "</li>");
    assert!(current.contains("This device") && current.contains("Firefox on Linux"), "{current}");
    for part in ["127.0.0.1", "<time class=\"begun\" datetime=\"", "<time class=\"idle-end\""] {
        assert!(current.contains(part), "{part}: {current}");
    }
    assert!(page.text().contains("on iOS") && page.text().contains(">Phone<"), "{page:?}");
    let forms = page.forms("end");
    assert_eq!(forms.len(), 3);
    let sessions = page.text().split("data-session=\"").skip(1);
    let of_phone = sessions.into_iter().find(|it| it.contains("on iOS")).unwrap();
    let of_phone = of_phone.split('"').next().unwrap();
    let csrf = forms[0].hidden.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let form = [("csrf", &*csrf), ("id", of_phone), ("end", "")];
    let request = browser.request(reqwest::Method::POST, "/account/sessions").form(&form);
    let ended = browser.sent(request, "/account/sessions").await;
    let page = browser.follow(&ended).await.must_be(200).must_say("data-code=\"ended_one\"");
    assert_eq!(page.forms("end").len(), 2);
    assert_eq!(phone.open("/account/sessions").await.answer.status, 303);

    let ended = browser.send(&page, "end-others", &[("others", "1")]).await;
    let page = browser.follow(&ended).await.must_be(200).must_say("data-code=\"ended_others\"");
    assert_eq!(page.forms("end").len(), 1);
    assert_eq!(third.open("/account/sessions").await.answer.status, 303);

    let ended = browser.send(&page, "end-all", &[("all", "1")]).await;
    browser.follow(&ended).await.must_be(200).must_say("data-code=\"ended_all\"");
    assert!(
        browser.cookies.keys().all(|name| !["__Host-access", "__Host-refresh"].contains(&&**name))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_and_the_page_says_what_ends() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    browser.open("/account/password").await.must_be(200).must_say("logged in nowhere else");
    let mut other = Browser::of(&auth, "alice").await;
    let page =
        browser.open("/account/password").await.must_be(200).must_say("your other session ends");
    for complete in ["current-password", "new-password", "username"] {
        assert!(page.text().contains(&format!("autocomplete=\"{complete}\"")), "{complete}");
    }
    let new = "four unrelated new words";
    let wrong = [("current_password", "not this one"), ("new_password", new)];
    let page = browser.send(&page, "password-form", &wrong).await.must_be(422);
    assert!(page.text().contains("id=\"current_password-fault\""), "{page:?}");
    let weak = [("current_password", PASSWORD), ("new_password", "alice")];
    let page = browser.send(&page, "password-form", &weak).await.must_be(422);
    assert!(page.text().contains("id=\"new_password-fault\""), "{page:?}");
    let same = [("current_password", PASSWORD), ("new_password", PASSWORD)];
    let page = browser.send(&page, "password-form", &same).await.must_be(422);
    assert!(page.element("id=\"new_password-fault\">", "</p>").contains("is the current password"));
    let right = [("current_password", PASSWORD), ("new_password", new)];
    let changed = browser.send(&page, "password-form", &right).await;
    browser.follow(&changed).await.must_be(200).must_say("data-code=\"password_changed\"");
    assert_eq!(other.open("/account/sessions").await.answer.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_language_are_changed() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    let page = browser.open("/account/profile").await.must_be(200).must_say("<html lang=\"en\">");
    let empty = [("first_name", ""), ("last_name", "X"), ("locale", "de")];
    let page = browser.send(&page, "names", &empty).await.must_be(422);
    assert!(page.text().contains("id=\"first_name-fault\""), "{page:?}");
    let names = [("first_name", "Alice"), ("last_name", "Liddell"), ("locale", "de")];
    let saved = browser.send(&page, "names", &names).await;
    let page = browser.follow(&saved).await.must_be(200).must_say("<html lang=\"de\">");
    assert!(page.text().contains("value=\"Liddell\"") && page.text().contains("Gespeichert."));
    let id = auth.user("alice").await;
    assert!(auth.audit_trail(id).await.contains(&"user_updated".to_owned()));
    let unknown = [("first_name", "A"), ("last_name", "B"), ("locale", "tlh")];
    browser.send(&page, "names", &unknown).await.must_be(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_changed_once_both_ends_have_confirmed() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    let mut other = Browser::of(&auth, "alice").await;
    let page = browser.open("/account/profile").await.must_be(200);
    let same = browser.send(&page, "email-form", &[("email", "Alice@example.com")]).await;
    same.must_be(422).must_say("is your address already");
    let asked = browser.send(&page, "email-form", &[("email", "new@example.com")]).await;
    browser.follow(&asked).await.must_be(200).must_say("data-code=\"change_mailed\"");
    // Either may be sent before the other.
    auth.mails_are_out();
    let tokens = [auth.mailed_token(0), auth.mailed_token(1)];

    let mut anywhere = Browser::new(&auth);
    for (token, done) in tokens.iter().zip(["confirmed", "email_changed"]) {
        let page =
            anywhere.open(&format!("/account/confirm-email?token={token}")).await.must_be(200);
        let id = auth.user("alice").await;
        assert_eq!(auth.count("select count(*) from users where id = ?", id).await, 1);
        let confirmed = anywhere.send(&page, "confirm", &[]).await;
        anywhere.follow(&confirmed).await.must_be(200).must_say(&format!("data-code=\"{done}\""));
    }
    browser.open("/account/profile").await.must_be(200).must_say("new@example.com");
    assert_eq!(other.open("/account/profile").await.answer.status, 303, "other sessions end");
    other.log_in("alice").await.must_be(422);
    other.log_in("new").await.must_be(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_downloaded_and_the_account_deleted_on_purpose_only() {
    let auth = service().await;
    let mut browser = Browser::of(&auth, "alice").await;
    let page = browser.open("/account/profile").await.must_be(200);
    let export = browser.open("/account/profile/export").await;
    assert_eq!(export.answer.status, 200);
    assert_eq!(export.answer.json["data"]["account"]["email"], "alice@example.com");
    assert!(export.answer.header("content-disposition").starts_with("attachment"));
    let refused = browser.send(&page, "delete", &[]).await.must_be(422);
    assert!(refused.text().contains("id=\"confirm-fault\""), "{refused:?}");
    let deleted = browser.send(&refused, "delete", &[("confirm", "yes")]).await;
    browser.follow(&deleted).await.must_be(200).must_say("data-code=\"deleted\"");
    browser.log_in("alice").await.must_be(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_wants_a_recent_login_leads_to_one_and_back() {
    let auth = with(|settings| {
        settings.sessions.step_up_window = std::time::Duration::from_mins(1);
    })
    .await;
    let mut browser = Browser::of(&auth, "alice").await;
    let page = browser.open("/account/profile").await.must_be(200);
    auth.clock.advance(std::time::Duration::from_mins(2));
    let again = "/account/login?again=1&return_to=/account/profile";
    let asked = browser.send(&page, "email-form", &[("email", "new@example.com")]).await;
    let asked = asked.must_lead_to(again);
    browser.open("/account/profile/export").await.must_lead_to(again);
    let login = browser.follow(&asked).await.must_be(200).must_say("enter your password again");
    let given = [("email", "alice@example.com"), ("password", PASSWORD)];
    browser.send(&login, "login", &given).await.must_lead_to("/account/profile");
    let page = browser.open("/account/profile").await.must_be(200);
    let asked = browser.send(&page, "email-form", &[("email", "new@example.com")]).await;
    asked.must_lead_to("/account/profile?done=change_mailed");
}
