//! What the pages for people in trouble or in doubt name: each code, setting, column, target, endpoint
//! and command has to exist, and each link has to lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_tests::{binary_path, workspace};
use serde_json::Value;

use crate::pages::{Page, pages, service_page};

/// Names of others: what Redis, HTTP and MySQL call things, and the older system.
const OF_OTHERS: [&str; 9] = [
    "NOAUTH",
    "LOADING",
    "GET",
    "HEAD",
    "HGET",
    "caching_sha2_password",
    "retry_strategy",
    "DEBUG=auth:*",
    "/var/lib/portcullis",
];

fn held() -> [Page; 2] {
    ["troubleshooting.md", "why-not.md"].map(service_page)
}

#[test]
fn f_54_every_name_on_the_pages_is_one_that_the_product_knows() {
    let known = Known::look_up();
    for page in held() {
        let names = inline_code(&page.text);
        assert!(names.len() > 15, "only {} names in {}", names.len(), page.path.display());
        let unknown: BTreeSet<&String> = names.iter().filter(|name| !known.has(name)).collect();
        assert!(unknown.is_empty(), "{}: nobody knows {unknown:?}", page.path.display());
    }
}

#[test]
fn f_54_the_page_explains_every_refusal_that_the_service_gives_and_no_other() {
    let given = refusals(&openapi());
    let rows = service_page("troubleshooting.md").rows("");
    let explained: BTreeSet<(u64, String)> =
        rows.iter().filter_map(|row| Some((row[0].parse().ok()?, row.get(1)?.clone()))).collect();
    assert!(explained.len() > 20, "only {} refusals are explained", explained.len());
    let wrong: Vec<_> = explained.difference(&given).collect();
    assert!(wrong.is_empty(), "the service never answers {wrong:?}");
    let unexplained: Vec<_> = given.difference(&explained).collect();
    assert!(unexplained.is_empty(), "the page explains no {unexplained:?}");
}

#[test]
fn f_54_every_command_on_the_pages_exists() {
    for page in held() {
        let commands: BTreeSet<String> =
            inline_code(&page.text).iter().filter_map(|code| command(code)).collect();
        for words in commands {
            let mut help = Command::new(binary_path());
            let output = help.args(words.split(' ')).arg("--help").output().expect("it runs");
            assert!(output.status.success(), "{}: portcullis {words}", page.path.display());
        }
    }
}

#[test]
fn f_54_every_link_leads_to_a_page_and_a_heading() {
    let mut links = 0;
    for page in pages() {
        for link in relative_links(&page.text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = beside(&page.path, file);
            let place = page.path.display();
            assert!(workspace().join(&target).exists(), "{place}: {link} leads nowhere");
            if anchor.is_empty() || target.extension().is_none_or(|it| it != "md") {
                continue;
            }
            let text = fs::read_to_string(workspace().join(&target)).expect("a page is text");
            assert!(headings(&text).contains(anchor), "{place}: no heading for {link}");
            links += 1;
        }
    }
    assert!(links > 30, "only {links} links to headings found");
}

/// What stands between backticks outside of fenced blocks.
fn inline_code(text: &str) -> BTreeSet<String> {
    let mut prose = String::new();
    let mut is_fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            prose.extend([line, "\n"]);
        }
    }
    prose.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " ")).collect()
}

/// `migrate up` of `portcullis migrate up --yes`.
fn command(code: &str) -> Option<String> {
    let words =
        code.strip_prefix("portcullis ")?.split(' ').take_while(|word| !word.starts_with('-'));
    Some(words.collect::<Vec<_>>().join(" "))
}

/// Where names come from.
struct Known {
    settings: BTreeSet<String>,
    /// The pages of the module, which other tests hold.
    module: String,
    /// The description of the API, the tables, the source, the tests of faults.
    sources: String,
    paths: BTreeSet<String>,
}

impl Known {
    fn look_up() -> Self {
        let sample = read(".env.sample");
        let setting =
            |line: &str| Some(line.trim_start_matches("# ").split_once('=')?.0.to_owned());
        let api = openapi();
        let paths = api["paths"].as_object().expect("there are paths").keys();
        let mut module = String::new();
        // The dashboard and the alerts name every metric, and other tests hold them to `/metrics`.
        let metrics = [read("api/docs/grafana.json"), read("api/docs/alerts.yml")].concat();
        let mut sources = api.to_string() + &metrics;
        gather(Path::new("module/docs"), &mut module);
        for folder in ["api/src", "migrations", "tests/faults"] {
            gather(Path::new(folder), &mut sources);
        }
        Self {
            settings: sample.lines().filter_map(setting).collect(),
            module,
            sources,
            paths: paths.map(|path| path.replace("/api/v1/auth", "")).collect(),
        }
    }

    /// Whether the name exists; what has the shape of none is no name.
    fn has(&self, code: &str) -> bool {
        let shaped_like =
            |allowed: fn(char) -> bool| code.chars().all(allowed) && code.contains('_');
        let path = code.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == ' ');
        if OF_OTHERS.contains(&code) {
            true
        } else if code.contains("portcullis_api") {
            let of_target = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
            let targets =
                code.split(|c| !of_target(c)).filter(|it| it.starts_with("portcullis_api"));
            targets.into_iter().all(|it| !it.contains("::") || self.quotes(it))
        } else if let Some(setting) = setting(code) {
            self.settings.contains(setting) || self.module.contains(setting)
        } else if shaped_like(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            self.sources.contains(code) || self.module.contains(code)
        } else if code.strip_prefix("__Host-").is_some_and(|name| !name.is_empty()) {
            self.quotes(code)
        } else if path.starts_with('/') && !path.contains(['<', '.']) && path.len() > 1 {
            self.paths.contains(&path.replace("/api/v1/auth", ""))
        } else {
            true
        }
    }

    fn quotes(&self, name: &str) -> bool {
        self.sources.contains(&format!("\"{name}\""))
    }
}

/// `DEVICE_BINDING` of `DEVICE_BINDING=warn`.
fn setting(code: &str) -> Option<&str> {
    let name = code.split('=').next()?;
    let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (name.len() > 2 && name.chars().all(is_upper)).then_some(name)
}

fn openapi() -> Value {
    let output = Command::new(binary_path()).arg("openapi").output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// Every status and code among the examples.
fn refusals(value: &Value) -> BTreeSet<(u64, String)> {
    let within = |values: &mut dyn Iterator<Item = &Value>| values.flat_map(refusals).collect();
    match value {
        Value::Array(values) => within(&mut values.iter()),
        Value::Object(fields) => {
            let mut found: BTreeSet<_> = within(&mut fields.values());
            if let (Some(status), Some(code)) = (value["status"].as_u64(), value["code"].as_str()) {
                found.insert((status, code.to_owned()));
            }
            found
        }
        _ => BTreeSet::new(),
    }
}

fn gather(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(workspace().join(folder)).expect("the folder is there").flatten() {
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            gather(&path, text);
        } else {
            text.push_str(&fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).expect("the file is there")
}

/// What stands in `](…)` and is no address.
fn relative_links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|link| !link.contains("://")).map(str::to_owned).collect()
}

fn beside(page: &Path, file: &str) -> PathBuf {
    if file.is_empty() {
        return page.to_owned();
    }
    let mut path = page.parent().map(Path::to_owned).unwrap_or_default();
    for part in file.split('/') {
        match part {
            ".." => drop(path.pop()),
            "." => {}
            part => path.push(part),
        }
    }
    path
}

/// The anchors that a heading is given where Markdown is shown.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let titles = lines.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || ['-', '_', ' '].contains(c);
    titles.map(|title| title.chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}
