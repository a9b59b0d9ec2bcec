//! The description for people: one page without script, made once from the document.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::document::document;

const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) static PAGE: LazyLock<String> = LazyLock::new(|| render(document()));

/// The same, for a site of one's own; `openapi.json` is to lie beside it.
pub fn page() -> &'static str {
    &PAGE
}

/// Nothing is loaded, nothing runs; only this one style counts.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

fn render(document: &Value) -> String {
    let info = &document["info"];
    let title = format!("{} {}", text(&info["title"]), text(&info["version"]));
    let tags = || document["tags"].as_array().into_iter().flatten();
    let contents: String = tags().map(|tag| contents(document, tag)).collect();
    let sections: String = tags().map(|tag| section(document, tag)).collect();
    let types: String = entries(&document["components"]["schemas"]).map(named_type).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>{introduction}\
         <p>For programs: <a href=\"openapi.json\">openapi.json</a></p>\
         <nav>{contents}</nav>{sections}<h2 id=\"types\">Types</h2>{types}</body></html>\n",
        title = escape(&title),
        introduction = paragraphs(&info["description"]),
    )
}

fn named_type((name, schema): (&str, &Value)) -> String {
    let (name, about) = (escape(name), paragraphs(&schema["description"]));
    format!("<article id=\"{name}\"><h3>{name}</h3>{about}{}</article>", shape(schema))
}

/// Every operation with this tag: path, method, operation.
fn tagged<'a>(
    document: &'a Value,
    tag: &'a Value,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    entries(&document["paths"])
        .flat_map(|(path, item)| entries(item).map(move |(method, what)| (path, method, what)))
        .filter(|(_, _, operation)| operation["tags"][0] == tag["name"])
}

fn contents(document: &Value, tag: &Value) -> String {
    let lines = tagged(document, tag).map(|(path, method, operation)| {
        format!(
            "<tr><td>{}</td><td>{}</td></tr>",
            link(text(&operation["operationId"]), &format!("{} {path}", method.to_uppercase())),
            inline(text(&operation["summary"])),
        )
    });
    format!("<h4>{}</h4><table>{}</table>", escape(text(&tag["name"])), lines.collect::<String>())
}

fn section(document: &Value, tag: &Value) -> String {
    let operations =
        tagged(document, tag).map(|(path, method, what)| operation(document, path, method, what));
    format!(
        "<h2>{}</h2>{}{}",
        escape(text(&tag["name"])),
        paragraphs(&tag["description"]),
        operations.collect::<String>(),
    )
}

fn operation(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let mut out = format!(
        "<article id=\"{}\"><h3><span class=\"method\">{}</span><code>{}</code></h3><p>{}.</p>{}",
        escape(text(&operation["operationId"])),
        method.to_uppercase(),
        escape(path),
        inline(text(&operation["summary"])),
        paragraphs(&operation["description"]),
    );
    if let Some(ways) = operation["security"].as_array() {
        out += &["<p>Needs ", &ways.iter().map(way).collect::<Vec<_>>().join(", or "), ".</p>"]
            .concat();
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| {
        let place = format!("{} ({})", text(&parameter["name"]), text(&parameter["in"]));
        row(&place, parameter, &parameter["schema"], parameter["required"] == true)
    });
    out += &table("Parameters", parameters);
    let body = &operation["requestBody"];
    for (kind, content) in entries(&body["content"]) {
        let may = if body["required"] == true { "" } else { ", optional" };
        let of = kind_of(&content["schema"]);
        out += &["<h4>Body</h4><p>", &of, " as ", kind, may, "</p>"].concat();
    }
    let answers =
        entries(&operation["responses"]).map(|(status, it)| answer(status, referred(document, it)));
    out + &table("Answers", answers) + "</article>"
}

/// What is meant, where it may stand among the components.
fn referred<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let place = value["$ref"].as_str().and_then(|at| at.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(value)
}

fn answer(status: &str, answer: &Value) -> String {
    let content = entries(&answer["content"]).next();
    let of = content.map(|(_, content)| kind_of(&content["schema"])).unwrap_or_default();
    let headers: BTreeSet<&str> = entries(&answer["headers"]).map(|(name, _)| name).collect();
    let headers: Vec<&str> = headers.into_iter().filter(|name| *name != "X-Request-Id").collect();
    let headers = if headers.is_empty() {
        String::new()
    } else {
        format!("<br>With {}", escape(&headers.join(", ")))
    };
    format!(
        "<tr><td>{status} {of}</td><td>{}{headers}</td></tr>",
        inline(text(&answer["description"]))
    )
}

/// One way to be let in: `bearer`, or `cookie and csrf`.
fn way(way: &Value) -> String {
    let names: Vec<&str> = entries(way).map(|(name, _)| name).collect();
    if names.is_empty() { "nothing".to_owned() } else { escape(&names.join(" and ")) }
}

fn table(title: &str, rows: impl Iterator<Item = String>) -> String {
    let rows: String = rows.collect();
    if rows.is_empty() { rows } else { format!("<h4>{title}</h4><table>{rows}</table>") }
}

fn row(name: &str, described: &Value, schema: &Value, required: bool) -> String {
    let may = if required { "" } else { ", optional" };
    let example = match schema.get("example").or(described.get("example")) {
        Some(example) => format!(" <code>{}</code>", escape(&example.to_string())),
        None => String::new(),
    };
    let about = inline(text(&described["description"]));
    let (name, kind) = (escape(name), kind_of(schema));
    format!("<tr><td><code>{name}</code></td><td>{kind}{may}. {about}{example}</td></tr>")
}

/// The fields of an object, the parts of a combination, the words of an enumeration.
fn shape(schema: &Value) -> String {
    if let Some(parts) = schema["allOf"].as_array() {
        return parts
            .iter()
            .map(|part| {
                if part.get("$ref").is_some() {
                    format!("<p>All of {}, and:</p>", kind_of(part))
                } else {
                    shape(part)
                }
            })
            .collect();
    }
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    let rows: String = entries(&schema["properties"])
        .map(|(name, field)| row(name, field, field, required(name)))
        .collect();
    if rows.is_empty() {
        format!("<p>{}</p>", kind_of(schema))
    } else {
        format!("<table>{rows}</table>")
    }
}

/// What a value is, in words, with its bounds; a named type as a link.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
        return link(name, name);
    }
    for combination in ["oneOf", "allOf"] {
        if let Some(parts) = schema[combination].as_array() {
            let parts = parts.iter().map(kind_of).filter(|part| !part.is_empty());
            let between = if combination == "oneOf" { " or " } else { " with " };
            return parts.collect::<Vec<_>>().join(between);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| format!("<code>{}</code>", escape(text(word))));
        return words.collect::<Vec<_>>().join(" or ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind).to_owned(),
    };
    let items = if schema["items"].is_object() {
        format!(" of {}", kind_of(&schema["items"]))
    } else {
        String::new()
    };
    let bounds = ["format", "minLength", "maxLength", "minimum", "maximum", "pattern", "default"];
    let bounds = bounds.iter().filter_map(|bound| {
        let value = schema.get(*bound)?;
        Some(format!(
            ", {bound} <code>{}</code>",
            escape(value.as_str().unwrap_or(&value.to_string()))
        ))
    });
    escape(&kind) + &items + &bounds.collect::<String>()
}

fn link(to: &str, words: &str) -> String {
    format!("<a href=\"#{}\">{}</a>", escape(to), escape(words))
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn paragraphs(value: &Value) -> String {
    let filled = text(value).split("\n\n").filter(|part| !part.trim().is_empty());
    filled.flat_map(|part| ["<p>".to_owned(), inline(part), "</p>".to_owned()]).collect()
}

/// Text with `code` between backticks.
fn inline(words: &str) -> String {
    let parts = escape(words);
    let parts = parts.split('`').enumerate();
    parts
        .map(|(n, part)| if n % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_runs_nothing_and_loads_nothing() {
        for foreign in ["<script", "http://", "src=", "@import", "url("] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
        assert!(POLICY.starts_with("default-src 'none'") && !POLICY.contains("unsafe"));
    }

    #[test]
    fn every_link_leads_somewhere() {
        for to in
            PAGE.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap_or_default())
        {
            assert!(PAGE.contains(&format!("id=\"{to}\"")), "{to}");
        }
    }

    #[test]
    fn what_could_be_markup_is_shown_as_text() {
        assert_eq!(inline("a <b> & `c\"`"), "a &lt;b&gt; &amp; <code>c&quot;</code>");
    }
}
