//! Access tokens: what is in one, how it may be sent, and that it dies by meaning.

use portcullis_tests::send;
use reqwest::Method;
use serde_json::{Value, json};

use crate::forged::{decoded, parts};
use crate::site::site;

const NO_CREDENTIALS: &str = r#"Bearer realm="portcullis""#;
const INVALID: &str = r#"Bearer realm="portcullis", error="invalid_token""#;

#[tokio::test(flavor = "multi_thread")]
async fn bug_13_a_token_says_who_for_whom_in_which_session_and_until_when() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let [header, payload, _] = parts(&alice.access);
    let (header, claims) = (decoded(header), decoded(payload));
    assert_eq!(header["typ"], "at+jwt");
    assert!(header["kid"].is_string());
    assert!(["HS256", "EdDSA", "ES256"].contains(&header["alg"].as_str().unwrap()));
    assert_eq!(header.as_object().unwrap().len(), 3, "{header}");
    let mut names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["amr", "aud", "auth_time", "exp", "iat", "iss", "jti", "role", "sid", "sub"]
    );
    assert_eq!(claims["sub"], alice.user_id.to_string());
    assert_eq!(claims["sid"], alice.session);
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    let other = site.logged_in("alice").await;
    assert_ne!(decoded(parts(&other.access)[1])["jti"], claims["jti"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_29_the_challenge_says_what_is_wrong_in_the_words_of_the_standard() {
    let site = site().await;
    let (alice, bob) = (site.logged_in("alice").await, site.logged_in("bob").await);
    site.post_as(&bob.access, "/logout", json!({})).await.must_be(200);
    let ask = async |authorization: Option<&str>| {
        let request = site.request(Method::GET, "/me");
        let request = authorization
            .into_iter()
            .fold(request, |request, value| request.header("authorization", value));
        let answer = send(request).await;
        (answer.status.as_u16(), answer.header("www-authenticate").to_owned())
    };
    let is = |status, challenge: &str| (status, challenge.to_owned());
    assert_eq!(ask(None).await, is(401, NO_CREDENTIALS));
    assert_eq!(ask(Some("Basic YTpi")).await, is(401, NO_CREDENTIALS));
    assert_eq!(ask(Some("Bearer garbage")).await, is(401, INVALID));
    assert_eq!(ask(Some(&format!("Bearer {}", bob.access))).await, is(401, INVALID));
    assert_eq!(ask(Some(&format!("bearer {}", alice.access))).await.0, 200);
    let forbidden = site.get_as(&alice.access, "/admin/users").await.must_be(403);
    assert_eq!(
        forbidden.header("www-authenticate"),
        r#"Bearer realm="portcullis", error="insufficient_scope""#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r_30_a_token_comes_in_one_way_and_never_in_the_address() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let get = |path: &str| site.request(Method::GET, path);
    let both = get("/me").bearer_auth(&alice.access);
    let both = both.header("cookie", format!("__Host-access={}", alice.access));
    let answer = send(both).await.must_be(400);
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer realm="portcullis", error="invalid_request""#
    );
    let twice = get("/me").bearer_auth(&alice.access).bearer_auth(&alice.access);
    send(twice).await.must_be(400);
    for name in ["access_token", "token", "jwt"] {
        send(get(&format!("/me?{name}={}", alice.access))).await.must_be(401);
        let form = site.request(Method::POST, "/logout");
        send(form.form(&[(name, &alice.access)])).await.must_be(401);
    }
    assert!(site.is_good(&alice.access).await);
}

/// Every spelling that a lenient decoder would take for the same signature.
fn respelled(token: &str) -> Vec<String> {
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).expect("tokens are base64url");
    // Two bits for 32 bytes of signature, four for 64.
    let spare = if parts(token)[2].len() == 43 { 4 } else { 16 };
    let group = place / spare * spare;
    let mut spellings: Vec<String> = alphabet[group..group + spare]
        .chars()
        .map(|c| format!("{rest}{c}"))
        .filter(|spelling| spelling != token)
        .collect();
    let [header, payload, signature] = parts(token);
    spellings.extend([
        format!("{token}="),
        format!("{token}=="),
        format!("{token}."),
        format!(" {token}"),
        format!("{token}\t"),
        format!("{header}=.{payload}=.{signature}="),
        format!("{header}.{payload}.{signature} x"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}.{}", signature.replace('-', "+").replace('_', "/") + "%3D"),
        token.to_uppercase(),
    ]);
    spellings
}

#[tokio::test(flavor = "multi_thread")]
async fn r_27_bug_08_a_token_has_one_spelling_and_stays_dead_in_every_other() {
    let site = site().await;
    let alice = site.logged_in("alice").await;
    let good = async |spelling: &str| {
        let request = site.request(Method::GET, "/me");
        let request = request.header("authorization", format!("Bearer {spelling}"));
        send(request).await.status.as_u16()
    };
    for spelling in respelled(&alice.access) {
        // Spaces before a token separate it from `Bearer` (RFC 9110 §11.4), and those behind it are no
        // part of the field (§5.5).
        if spelling.trim_start_matches(' ').trim_end() != alice.access {
            assert_eq!(good(&spelling).await, 401, "{spelling:?}");
        }
    }
    assert_eq!(good(&alice.access).await, 200);
    site.post_as(&alice.access, "/logout", json!({})).await.must_be(200);
    for spelling in respelled(&alice.access) {
        assert_eq!(good(&spelling).await, 401, "{spelling:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bug_41_c_06_c_08_ones_own_revocations_are_shown_with_reason_and_end_and_no_digest() {
    let site = site().await;
    let (gone, bob) = (site.logged_in("alice").await, site.logged_in("bob").await);
    site.post_as(&gone.access, "/logout", json!({})).await.must_be(200);
    let alice = site.logged_in("alice").await;

    let list = site.get_as(&alice.access, "/blacklist").await.must_be(200);

    let entries: Vec<&Value> = list.json["data"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["session_id"] == gone.session)
        .collect();
    let kinds: Vec<&Value> = entries.iter().map(|entry| &entry["token_type"]).collect();
    assert_eq!(kinds, ["access", "refresh"]);
    for entry in &entries {
        assert_eq!(entry["reason"], "logout");
        assert_eq!(entry["digest_prefix"].as_str().unwrap().len(), 8);
    }
    let exp = decoded(parts(&gone.access)[1])["exp"].as_i64().unwrap();
    let ends = time::OffsetDateTime::parse(
        entries[0]["token_expiry"].as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    );
    // Whatever leeway a service grants to tokens, a minute at most, the revocation outlasts it.
    assert_eq!(ends.unwrap().unix_timestamp(), exp + 60);
    let digits = list
        .text
        .split('"')
        .any(|word| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(!digits, "{}", list.text);
    let others = site.get_as(&bob.access, "/blacklist").await.must_be(200);
    assert!(!others.text.contains(&gone.session));
}
