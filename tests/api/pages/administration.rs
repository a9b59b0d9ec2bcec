//! The pages of administrators.

use portcullis_tests::Service;

use super::{Browser, service};

async fn admin(auth: &Service) -> Browser<'_> {
    let id = auth.user("root").await;
    sqlx::query("update users set role = 'admin' where id = ?")
        .bind(id)
        .execute(auth.db())
        .await
        .unwrap();
    Browser::of(auth, "root").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_found_disabled_enabled_promoted_and_deleted() {
    let auth = service().await;
    let mut root = admin(&auth).await;
    let mut alice = Browser::of(&auth, "alice").await;
    auth.user("bob").await;
    let id = auth.user("alice").await;

    let list = root.open("/account/admin/users?search=LIC").await.must_be(200);
    assert!(list.text().contains(&format!("data-user=\"{id}\"")) && !list.text().contains("bob@"));
    root.open("/account/admin/users?search=%25").await.must_be(200).must_say("id=\"nobody\"");
    let path = format!("/account/admin/users/{id}");
    let page = root.open(&path).await.must_be(200).must_say("Logging out ends this session");

    let done = root.send(&page, "log-out", &[("do", "log_out")]).await;
    let page = root.follow(&done).await.must_be(200).must_say("data-code=\"admin_done\"");
    assert_eq!(alice.open("/account/sessions").await.answer.status, 303);
    alice.log_in("alice").await.must_be(303);

    let done = root.send(&page, "disable", &[("do", "disable")]).await;
    let page = root.follow(&done).await.must_be(200).must_say("<dd class=\"state\">disabled</dd>");
    assert_eq!(alice.open("/account/sessions").await.answer.status, 303, "at the next request");
    alice.log_in("alice").await.must_be(422);
    let done = root.send(&page, "enable", &[("do", "enable")]).await;
    let page = root.follow(&done).await.must_be(200).must_say("<dd class=\"state\">active</dd>");
    alice.log_in("alice").await.must_be(303);
    alice.open("/account/admin").await.must_be(403);

    let done = root.send(&page, "role", &[("role", "admin"), ("do", "role")]).await;
    let page =
        root.follow(&done).await.must_be(200).must_say("<dd class=\"role\">Administrator</dd>");
    alice.open("/account/admin").await.must_be(200);
    let refused = root.send(&page, "remove", &[("do", "remove")]).await.must_be(422);
    assert!(refused.text().contains("id=\"confirm-fault\""));
    let done = root.send(&refused, "remove", &[("do", "remove"), ("confirm", "yes")]).await;
    root.follow(&done).await.must_be(200).must_say("data-code=\"user_removed\"");
    root.open(&path).await.must_be(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays_one() {
    let auth = service().await;
    let mut root = admin(&auth).await;
    let path = format!("/account/admin/users/{}", auth.user("root").await);
    let page = root.open(&path).await.must_be(200).must_say("This is your own account.");
    for (form, fields) in
        [("disable", vec![("do", "disable")]), ("role", vec![("do", "role"), ("role", "user")])]
    {
        let refused = root.send(&page, form, &fields).await.must_be(409);
        assert!(refused.text().contains("data-code=\"last_admin\""), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_how_the_service_is_and_what_logging_everybody_out_costs() {
    let auth = service().await;
    let mut root = admin(&auth).await;
    let mut alice = Browser::of(&auth, "alice").await;
    Browser::new(&auth).log_in("nobody").await.must_be(422);
    let page = root.open("/account/admin").await.must_be(200);
    assert!(page.element("<tr data-service=\"redis\">", "</tr>").contains("connected"), "{page:?}");
    let cost = "Sessions that end: 2. Users who have to log in again: 2.";
    assert!(page.text().contains(cost), "{page:?}");
    assert_eq!(page.text().matches("class=\"failed\"").count(), 24, "one bar an hour");
    let last = page.text().rsplit("<g><title>").find(|it| it.contains("succeeded")).unwrap();
    assert!(last.contains("2 succeeded, 1 failed"), "{last}");
    let refused = root.send(&page, "logout-everyone", &[]).await.must_be(422);
    assert_eq!(alice.open("/account/sessions").await.answer.status, 200);
    let done = root.send(&refused, "logout-everyone", &[("confirm", "yes")]).await;
    root.follow(&done).await.must_be(200).must_say("data-code=\"everyone\"");
    assert_eq!(alice.open("/account/sessions").await.answer.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_filtered_and_paged() {
    let auth = service().await;
    let mut root = admin(&auth).await;
    let id = auth.user("alice").await;
    for _ in 0..35 {
        sqlx::query("insert into audit_events (at, event, user_id, detail) values (now(3), 'user_created', ?, '{}')")
            .bind(id)
            .execute(auth.db())
            .await
            .unwrap();
    }
    let all = root.open("/account/admin/audit").await.must_be(200);
    assert_eq!(all.text().matches("data-event=").count(), 25);
    let path = format!("/account/admin/audit?user_id={id}&event=user_created");
    let page = root.open(&path).await.must_be(200).must_not_say("<td>authn_login_success</td>");
    let next = super::plain(page.element("<a rel=\"next\" href=\"", "\""));
    let rest = root.open(&next).await.must_be(200);
    assert_eq!(rest.text().matches("data-event=").count(), 10);
    root.open("/account/admin/audit?user_id=x").await.must_be(400).must_say("id=\"problem\"");
    root.open("/account/admin/audit?event=no_such").await.must_be(200).must_say("id=\"nothing\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_the_pages_of_administrators() {
    let auth = service().await;
    let mut alice = Browser::of(&auth, "alice").await;
    alice.open("/account/sessions").await.must_be(200).must_not_say("data-nav=\"admin\"");
    for path in ["", "/users", "/users/1", "/audit"] {
        let page = alice.open(&format!("/account/admin{path}")).await.must_be(403);
        assert!(page.text().contains("data-code=\"forbidden\""), "{page:?}");
    }
    let mut stranger = Browser::new(&auth);
    let page = stranger.open("/account/admin/users?search=a").await;
    page.must_lead_to("/account/login?return_to=/account/admin/users%3Fsearch%3Da");
}
