//! Request bodies: JSON of a known shape, or for the OAuth endpoints a form, and an answer that says what is wrong.

use std::fmt::Formatter;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::base::error::{Error, Result, Violation};

/// A required JSON body.
pub struct Body<T>(pub T);

/// A JSON body that may be left out, which is the same as `{}`.
pub struct OptionalBody<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (headers, bytes) = split(request).await?;
        if essence(&headers) != "application/json" {
            return Err(Error::NotJson);
        }
        parse(&bytes).map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for OptionalBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (headers, bytes) = split(request).await?;
        if !bytes.is_empty() && essence(&headers) != "application/json" {
            return Err(Error::NotJson);
        }
        let is_left_out = matches!(bytes.trim_ascii(), b"" | b"null");
        parse(if is_left_out { b"{}" } else { &bytes }).map(Self)
    }
}

/// The fields of a form (RFC 7009 and 7662 ask for one), in their order.
pub(crate) async fn form(request: Request) -> Result<Vec<(String, String)>> {
    let (headers, bytes) = split(request).await?;
    if essence(&headers) != "application/x-www-form-urlencoded" {
        return Err(Error::NotAForm);
    }
    serde_urlencoded::from_bytes(&bytes).map_err(|_| Error::Malformed("The body is not a form."))
}

/// A token as somebody pasted it: the white space around it is none of it.
pub(crate) fn pasted<'de, D: Deserializer<'de>>(field: D) -> Result<String, D::Error> {
    let text = String::deserialize(field)?;
    Ok(text.trim().to_owned())
}

/// The same where it may be left out.
pub(crate) fn pasted_if_any<'de, D: Deserializer<'de>>(
    field: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(field)?;
    Ok(text.map(|text| text.trim().to_owned()))
}

async fn split(request: Request) -> Result<(HeaderMap, Bytes)> {
    let (parts, body) = request.into_parts();
    // request.rs has read the body already and bounded it.
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|_| Error::Malformed("The body could not be read."))?;
    Ok((parts.headers, bytes))
}

/// The declared media type in lower case, without its parameters.
fn essence(headers: &HeaderMap) -> String {
    let declared = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    // A parameter may be anything; nobody asked for one.
    let essence = declared.split(|byte| *byte == b';').next().unwrap_or_default();
    String::from_utf8_lossy(essence.trim_ascii()).to_ascii_lowercase()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // serde does not look into fields that nobody asked for.
    let text =
        std::str::from_utf8(bytes).map_err(|_| Error::Malformed("The body is not UTF-8."))?;
    // serde would take an array for an object, its fields by position.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Error::Malformed("The body is not a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let Given(fields) =
        Given::deserialize(&mut json).map_err(|_| Error::Malformed("The body is not JSON."))?;
    json.end().map_err(|_| Error::Malformed("The body has more than one JSON value."))?;
    let fields = MapDeserializer::new(fields.into_iter());
    serde_path_to_error::deserialize(fields).map_err(|error| refusal(&error))
}

/// The fields of an object as they stand there, but for those that are null: null is the same as not
/// there. A field that is there twice stays so, for that is refused.
struct Given<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Given<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> std::result::Result<Self, D::Error> {
        json.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Given<'de>;

    fn expecting(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if value.get() != "null" {
                fields.push((name, value));
            }
        }
        Ok(Given(fields))
    }
}

fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    // serde tells a missing field by its text only.
    let text = error.inner().to_string();
    if let Some(field) = text.strip_prefix("missing field `").and_then(|t| t.split('`').next()) {
        return Error::Incomplete(vec![Violation::new(field, "required", "This is required.")]);
    }
    let place = error.path().to_string();
    if place == "." {
        return Error::Malformed("The body does not have the expected structure.");
    }
    Error::Unacceptable(vec![Violation::new(&place, "wrong_type", "This has the wrong type.")])
}
