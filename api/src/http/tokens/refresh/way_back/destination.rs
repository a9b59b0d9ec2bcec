//! Where the way back may lead: to our own pages and to origins that the operator lists, never to a
//! stranger's, however that is spelled.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

use crate::App;
use crate::settings::Origin;

/// What no URL has.
const NOT_IN_URLS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\');
/// What would end a value of a query, or begin an escape.
const NOT_IN_VALUES: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What is ours.
pub(super) struct Home<'a> {
    /// The host that was asked: a page that a proxy guards is where its cookies are.
    host: Option<&'a str>,
    front_end: &'a str,
    /// Our own pages, if there are any.
    pages: Option<&'a str>,
    listed: &'a [Origin],
}

impl<'a> Home<'a> {
    pub(super) fn of(app: &'a App, headers: &'a HeaderMap, is_proxied: bool) -> Self {
        let pages = &app.settings.pages;
        Self {
            host: asked_host(headers, is_proxied),
            front_end: app.settings.accounts.frontend_url.trim_end_matches('/'),
            pages: pages.pages.then(|| pages.pages_path.as_str()),
            listed: &app.settings.server.return_to.0,
        }
    }

    /// The page that a query names, the front page if it names none; nothing if it is a stranger's.
    pub(super) fn page(&self, query: &str) -> Option<String> {
        let wanted = wanted(query);
        let is_ours =
            wanted.starts_with('/') || origin(&wanted).is_some_and(|origin| self.has(&origin));
        let is_ours = is_ours && is_plain(path_of(&wanted));
        is_ours.then(|| utf8_percent_encode(&wanted, NOT_IN_URLS).to_string())
    }

    fn has(&self, wanted: &Origin) -> bool {
        self.host.is_some_and(|host| wanted.is_of_host(host))
            || self.listed.contains(wanted)
            || origin(self.front_end).as_ref() == Some(wanted)
    }

    /// The login page, which is told where to go from there: that of the front end, or else our own on the
    /// host that was asked; none, if there is none.
    pub(super) fn login(&self, page: &str) -> Option<String> {
        let Some(front_end) = origin(self.front_end) else {
            let page = utf8_percent_encode(page, NOT_IN_VALUES);
            return self.pages.map(|pages| format!("{pages}/login?return_to={page}"));
        };
        // A page of another host could not tell where a path is. Our cookies are for https only.
        let elsewhere = self.host.filter(|host| !front_end.is_of_host(host));
        let page = match elsewhere {
            Some(host) if page.starts_with('/') => format!("https://{host}{page}"),
            _ => page.to_owned(),
        };
        let page = utf8_percent_encode(&page, NOT_IN_VALUES);
        Some(format!("{}/login?return_to={page}", self.front_end))
    }
}

/// Some proxies ask with a host of their own and say which one was asked. From anybody else, or if it is
/// not one host, that counts for nothing: a client may have said it.
fn asked_host(headers: &HeaderMap, is_proxied: bool) -> Option<&str> {
    let mut told = headers.get_all("x-forwarded-host").iter().filter(|_| is_proxied);
    let told = match (told.next(), told.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    let is_host = |host: &&str| format!("https://{host}").parse::<Origin>().is_ok();
    told.filter(is_host).or_else(|| headers.get(HOST)?.to_str().ok())
}

/// The value of `return_to` or `rd`. The latter is the proxies' name for it: most of them cannot encode,
/// and write it last and as it is, `&` and all.
fn wanted(query: &str) -> Cow<'_, str> {
    let mut rest = query;
    while !rest.is_empty() {
        let (pair, behind) = rest.split_once('&').unwrap_or((rest, ""));
        if let Some(value) = pair.strip_prefix("return_to=") {
            return percent_decode_str(value).decode_utf8_lossy();
        }
        if let Some(value) = pair.strip_prefix("rd=") {
            let is_encoded = !value.starts_with('/') && !value.contains("://");
            let whole = rest.split_once('=').map_or(value, |(_, whole)| whole);
            return if is_encoded {
                percent_decode_str(value).decode_utf8_lossy()
            } else {
                whole.into()
            };
        }
        rest = behind;
    }
    "/".into()
}

/// What stands behind the origin of a web address, without query and fragment.
fn path_of(wanted: &str) -> &str {
    let end = wanted.find(['?', '#']).unwrap_or(wanted.len());
    let (before, _) = wanted.split_at(end);
    let host = before.split_once("://").filter(|_| !before.starts_with('/'));
    host.map_or(before, |(_, rest)| rest.split_at(rest.find('/').unwrap_or(rest.len())).1)
}

/// Whether everybody who reads a path reads the same one. Two slashes begin another host, browsers take a
/// backslash for a slash and leave tabs and line feeds out, and dots that are followed leave a path that
/// begins as they like: `/..//host` becomes `//host`.
fn is_plain(path: &str) -> bool {
    let is_dots = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    };
    !path.starts_with("//")
        && !path.contains(|letter: char| letter == '\\' || letter.is_control())
        && !path.split('/').any(is_dots)
}

/// The origin of a web address; what has a user's name in it, or anything else odd, has none.
fn origin(url: &str) -> Option<Origin> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}").parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn home(listed: &[Origin]) -> Home<'_> {
        Home {
            host: Some("app.example.com"),
            front_end: "https://www.example.com/shop",
            pages: None,
            listed,
        }
    }

    #[rstest]
    #[case("", "/")]
    #[case("other=1", "/")]
    #[case("rd=/orders?page=2&sort=name", "/orders?page=2&sort=name")]
    #[case("return_to=/orders?page=2&sort=name", "/orders?page=2")]
    #[case("return_to=/orders%3Fpage%3D2%26sort=name&x", "/orders?page=2&sort=name")]
    #[case("x=1&rd=/orders", "/orders")]
    #[case("rd=%2Forders%3Fpage%3D2%26sort%3Dname&x=1", "/orders?page=2&sort=name")]
    #[case("rd=/a%20b%2F", "/a%20b%2F")]
    #[case("rd=/gr\u{fc}n%0d%0a", "/gr%C3%BCn%0d%0a")]
    #[case("rd=%2Fa?b=%0D%0ASet-Cookie: x", "/a?b=%0D%0ASet-Cookie:%20x")]
    #[case("rd=/a//b", "/a//b")]
    #[case(
        "rd=/proxy/https://example.com/..x/.well-known/a...",
        "/proxy/https://example.com/..x/.well-known/a..."
    )]
    #[case("rd=/orders?from=/..//a&x=\\", "/orders?from=/..//a&x=%5C")]
    #[case("rd=/orders#/../b", "/orders#/../b")]
    #[case("rd=https://app.example.com/a//b?c=/../d", "https://app.example.com/a//b?c=/../d")]
    #[case("rd=https://app.example.com/orders", "https://app.example.com/orders")]
    #[case("rd=http://APP.example.com:80/orders", "http://APP.example.com:80/orders")]
    #[case("rd=https%3A%2F%2Fapp.example.com", "https://app.example.com")]
    #[case("rd=https://www.example.com:443/", "https://www.example.com:443/")]
    #[case("rd=https://admin.example.com?x", "https://admin.example.com?x")]
    fn f_26_the_way_back_leads_home(#[case] query: &str, #[case] page: &str) {
        let listed = [Origin("https://admin.example.com".to_owned())];
        assert_eq!(home(&listed).page(query).as_deref(), Some(page));
    }

    #[rstest]
    #[case("rd=//evil.example")]
    #[case("rd=/\\evil.example")]
    #[case("rd=%2F%2Fevil.example")]
    #[case("rd=%2F%5Cevil.example")]
    #[case("rd=/\t/evil.example")]
    #[case("rd=%2F%09%2Fevil.example")]
    #[case("rd=%2F%0A%2Fevil.example")]
    #[case("rd=%2Fa%0D%0ASet-Cookie: x")]
    #[case("rd=/..//evil.example")]
    #[case("rd=/.//evil.example")]
    #[case("rd=/a/..//evil.example")]
    #[case("rd=/a/../..//evil.example")]
    #[case("rd=/%2e%2E//evil.example")]
    #[case("rd=/.%2e//evil.example")]
    #[case("return_to=%2F%252e%252e%2F%2Fevil.example")]
    #[case("rd=/a/\\..//evil.example")]
    #[case("rd=/a/..")]
    #[case("rd=/..")]
    #[case("rd=/../?x")]
    #[case("rd=https://app.example.com//evil.example")]
    #[case("rd=https://app.example.com/..//evil.example")]
    #[case("rd=https://app.example.com\\@evil.example/")]
    #[case("rd=https://app.example.com/a\\..\\b")]
    #[case("rd=https://evil.example/")]
    #[case("rd=https:evil.example")]
    #[case("rd=https:/evil.example")]
    #[case("rd=https://app.example.com.evil.example/")]
    #[case("rd=https://app.example.com@evil.example/")]
    #[case("rd=https://evil.example\\@app.example.com/")]
    #[case("rd=https://app.example.com%40evil.example/")]
    #[case("rd=https://app.example.com:444/")]
    #[case("rd=https://admin.example.com/")]
    #[case("rd=javascript:alert(1)")]
    #[case("rd=javascript://app.example.com/%0aalert(1)")]
    #[case("rd=data:text/html,x")]
    #[case("rd= /orders")]
    #[case("rd=orders")]
    #[case("rd=")]
    #[case("return_to=https://evil.example/&rd=/orders")]
    fn f_26_the_way_back_leads_to_no_stranger(#[case] query: &str) {
        assert_eq!(home(&[]).page(query), None);
    }

    #[test]
    fn f_26_the_login_page_is_told_where_to_go_from_there() {
        let login = |front_end, host, page: &str| {
            Home { host, front_end, pages: None, listed: &[] }.login(page)
        };
        let (www, app) = ("https://www.example.com", "https://app.example.com");
        let host = Some("app.example.com");
        assert_eq!(
            login(app, host, "/orders?page=2&x").unwrap(),
            "https://app.example.com/login?return_to=/orders%3Fpage%3D2%26x"
        );
        assert_eq!(
            login(www, host, "/orders").unwrap(),
            "https://www.example.com/login?return_to=https%3A//app.example.com/orders"
        );
        assert_eq!(
            login(www, host, "https://app.example.com/orders").unwrap(),
            "https://www.example.com/login?return_to=https%3A//app.example.com/orders"
        );
        assert_eq!(login("", host, "/orders"), None);
        let own = Home { host, front_end: "", pages: Some("/account"), listed: &[] };
        assert_eq!(
            own.login("/orders?page=2&x").unwrap(),
            "/account/login?return_to=/orders%3Fpage%3D2%26x"
        );
    }
}
