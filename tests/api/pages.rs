//! The pages for people, as a browser without script meets them: forms, cookies and redirects.

mod administration;
mod attacks;
mod entrance;
mod everywhere;
mod mails;
mod outages;
mod own_account;

use std::collections::BTreeMap;

use portcullis_api::settings::Settings;
use portcullis_tests::{Answer, PASSWORD, Service, send};
use reqwest::{Method, RequestBuilder};

/// A service whose mails lead to its own pages.
async fn service() -> Service {
    with(|_| {}).await
}

async fn with(adjust: impl FnOnce(&mut Settings)) -> Service {
    Service::with(|settings| {
        "https://auth.example.com".clone_into(&mut settings.pages.public_url);
        adjust(settings);
    })
    .await
}

/// A browser: it keeps cookies and says where a request comes from.
struct Browser<'a> {
    auth: &'a Service,
    cookies: BTreeMap<String, String>,
    language: &'static str,
    agent: &'static str,
}

/// What a browser has before it.
#[derive(Debug)]
struct Page {
    answer: Answer,
    path: String,
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";

impl<'a> Browser<'a> {
    fn new(auth: &'a Service) -> Self {
        Self { auth, cookies: BTreeMap::new(), language: "en", agent: FIREFOX }
    }

    /// Somebody who has logged in by the form.
    async fn of(auth: &'a Service, name: &str) -> Self {
        auth.user(name).await;
        let mut browser = Self::new(auth);
        browser.log_in(name).await.must_lead_to("/account/sessions");
        browser
    }

    async fn log_in(&mut self, name: &str) -> Page {
        let page = self.open("/account/login").await;
        let email = format!("{name}@example.com");
        self.send(&page, "login", &[("email", &email), ("password", PASSWORD)]).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.auth
            .raw(method, path)
            .header("cookie", cookies.join("; "))
            .header("accept-language", self.language)
            .header("user-agent", self.agent)
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
    }

    async fn sent(&mut self, request: RequestBuilder, path: &str) -> Page {
        let answer = send(request).await;
        for line in answer.headers.get_all("set-cookie") {
            let (name, value) = line.to_str().unwrap().split_once('=').unwrap();
            let value = value.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { answer, path: path.to_owned() }
    }

    async fn open(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.sent(request, path).await
    }

    /// Goes where a page leads.
    async fn follow(&mut self, page: &Page) -> Page {
        assert_eq!(page.answer.status, 303, "{page:?}");
        let to = page.answer.header("location").to_owned();
        self.open(&to).await
    }

    /// Sends a form of a page with what it has hidden, and these fields.
    async fn send(&mut self, page: &Page, form: &str, fields: &[(&str, &str)]) -> Page {
        let form = page.form(form);
        let mut sent: Vec<(String, String)> = form.hidden;
        for (name, value) in fields {
            sent.retain(|(known, _)| known != name);
            sent.push(((*name).to_owned(), (*value).to_owned()));
        }
        let request = self.request(Method::POST, &form.action).form(&sent);
        self.sent(request, &form.action).await
    }
}

/// A form as it stands on a page.
struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Page {
    fn text(&self) -> &str {
        &self.answer.text
    }

    #[track_caller]
    fn must_be(self, status: u16) -> Self {
        assert_eq!(self.answer.status, status, "{self:?}");
        let is_html = self.answer.header("content-type").starts_with("text/html");
        assert!(is_html || status == 303, "{self:?}");
        self
    }

    #[track_caller]
    fn must_lead_to(self, path: &str) -> Self {
        assert_eq!(self.answer.status, 303, "{self:?}");
        assert_eq!(self.answer.header("location"), path);
        self
    }

    #[track_caller]
    fn must_say(self, text: &str) -> Self {
        assert!(self.text().contains(text), "no {text:?} in {}", self.text());
        self
    }

    #[track_caller]
    fn must_not_say(self, text: &str) -> Self {
        assert!(!self.text().contains(text), "{text:?} in {}", self.text());
        self
    }

    /// The first element that begins like this, with what is in it up to the end of such an element.
    #[track_caller]
    fn element(&self, begins: &str, ends: &str) -> &str {
        let rest =
            self.text().split_once(begins).unwrap_or_else(|| panic!("no {begins}: {self:?}"));
        rest.1.split_once(ends).unwrap().0
    }

    #[track_caller]
    fn form(&self, id: &str) -> Form {
        let form = self.element(&format!("<form id=\"{id}\""), "</form>");
        read(form)
    }

    /// All forms of a class.
    fn forms(&self, class: &str) -> Vec<Form> {
        let begins = format!("<form class=\"{class}\"");
        self.text()
            .split(&begins)
            .skip(1)
            .map(|it| read(it.split("</form>").next().unwrap()))
            .collect()
    }
}

fn read(form: &str) -> Form {
    let hidden = form
        .split("<input type=\"hidden\"")
        .skip(1)
        .map(|input| (attribute(input, "name"), attribute(input, "value")));
    Form { action: attribute(form, "action"), hidden: hidden.collect() }
}

/// The value of an attribute, its escapes undone.
fn attribute(element: &str, name: &str) -> String {
    let begins = format!("{name}=\"");
    let value = element.split_once(&begins).map(|(_, rest)| rest.split('"').next().unwrap());
    plain(value.unwrap_or_default())
}

fn plain(html: &str) -> String {
    let mut text = html.to_owned();
    for (escape, letter) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ] {
        text = text.replace(escape, letter);
    }
    text
}
