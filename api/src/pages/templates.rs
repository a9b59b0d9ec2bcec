//! The pages' templates: part of the program, filled in with what is escaped by itself.

use minijinja::value::{Kwargs, Rest, Serde};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

use super::links::in_query;
use super::texts;
use crate::base::language::Language;

const FILES: &[(&str, &str)] = &[
    ("layout.html", include_str!("templates/layout.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("problem.html", include_str!("templates/problem.html")),
    ("login.html", include_str!("templates/login.html")),
    ("register.html", include_str!("templates/register.html")),
    ("verify-email.html", include_str!("templates/verify-email.html")),
    ("forgot-password.html", include_str!("templates/forgot-password.html")),
    ("reset-password.html", include_str!("templates/reset-password.html")),
    ("confirm-email.html", include_str!("templates/confirm-email.html")),
    ("sessions.html", include_str!("templates/sessions.html")),
    ("password.html", include_str!("templates/password.html")),
    ("profile.html", include_str!("templates/profile.html")),
    ("admin.html", include_str!("templates/admin.html")),
    ("admin-users.html", include_str!("templates/admin-users.html")),
    ("admin-user.html", include_str!("templates/admin-user.html")),
    ("admin-audit.html", include_str!("templates/admin-audit.html")),
];

/// The templates in every language.
pub(super) struct Templates {
    english: Environment<'static>,
    german: Environment<'static>,
}

impl Templates {
    /// Reads them; `globals` is what every page may show.
    pub(super) fn new<T: Serialize>(globals: &[(&'static str, T)]) -> Result<Self, Error> {
        let read = |language| environment(language, globals);
        Ok(Self { english: read(Language::En)?, german: read(Language::De)? })
    }

    /// A page in a language.
    pub(super) fn render(
        &self,
        language: Language,
        name: &str,
        context: &impl Serialize,
    ) -> Result<String, Error> {
        let environment = match language {
            Language::En => &self.english,
            Language::De => &self.german,
        };
        environment.get_template(name)?.render(Value::from(Serde(context)))
    }
}

fn environment<T: Serialize>(
    language: Language,
    globals: &[(&'static str, T)],
) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    for (name, source) in FILES {
        environment.add_template(name, source)?;
    }
    for (name, value) in globals {
        environment.add_global(*name, Value::from(Serde(value)));
    }
    environment
        .add_function("t", move |key: &str, values: Kwargs| translated(language, key, &values));
    environment.add_function(
        "told",
        move |kind: &str, code: &str, otherwise: &str, _: Rest<Value>| {
            texts::text(language, &format!("{kind}.{code}")).unwrap_or(otherwise).to_owned()
        },
    );
    environment.add_function("device", move |info: Value| device(language, &info));
    environment.add_filter("instant", instant);
    environment.add_filter("urlencoded", in_query);
    Ok(environment)
}

fn translated(language: Language, key: &str, values: &Kwargs) -> Result<String, Error> {
    let mut given = Vec::new();
    for name in values.args() {
        let value: Value = values.get(name)?;
        given.push((name.to_owned(), value.to_string()));
    }
    texts::filled(language, key, &given).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("no text {key} for these values"))
    })
}

/// What a session is called by the device that it began on.
fn device(language: Language, info: &Value) -> Result<String, Error> {
    let part = |name: &str| Ok::<_, Error>((name.to_owned(), info.get_attr(name)?.to_string()));
    let known = [part("browser")?, part("os")?];
    let is_unknown = known.iter().all(|(_, value)| value == "Unknown");
    let key = if is_unknown { "sessions.unknown" } else { "sessions.device" };
    texts::filled(language, key, &known).ok_or_else(|| ErrorKind::InvalidOperation.into())
}

/// `2026-01-31 12:00 UTC`, of what the API writes; script shows it in the reader's own time.
fn instant(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => rfc3339.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_that_a_template_shows_is_there() {
        let key = |rest: &'static str| rest.split('"').next().unwrap();
        let shown = |(_, source): &(&str, &'static str)| source.split("t(\"").skip(1).map(key);
        let keys: Vec<&str> =
            FILES.iter().flat_map(shown).filter(|it| *it != "language.").collect();
        assert!(keys.len() > 50, "{keys:?}");
        let missing = keys.iter().filter(|key| texts::text(Language::En, key).is_none());
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn no_template_has_script_style_or_a_foreign_address_in_it() {
        for (file, source) in FILES {
            let scripts = source.matches("<script").count();
            assert_eq!(
                scripts,
                source.matches("<script src=\"{{ base }}/assets/").count(),
                "{file}"
            );
            let never = ["style=", "<style", "javascript:", "|safe", "http://", "https://"];
            let handlers =
                ["onclick=", "onload=", "onsubmit=", "onerror=", "onchange=", "oninput="];
            for never in never.iter().chain(&handlers) {
                assert!(!source.contains(never), "{file} has {never} in it");
            }
        }
    }
}
