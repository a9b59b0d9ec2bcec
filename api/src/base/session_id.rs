//! The name of a session: not a secret, but not to be guessed either.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlTypeInfo, MySqlValueRef};
use sqlx::{Decode, Encode, MySql, Type};
use utoipa::ToSchema;

use crate::base::random::Random;
use crate::base::random::is_base64_of_32_bytes;

// The 256 bits are what C-10 asks for.
/// `session_` followed by 256 random bits, or the id of an imported session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(
    min_length = 32,
    max_length = 128,
    pattern = "^[A-Za-z0-9_-]+$",
    example = "session_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)]
pub struct SessionId(String);

impl SessionId {
    /// How many bytes every id has.
    pub const LENGTH: usize = 51;
    const PREFIX: &str = "session_";

    /// A new id.
    #[must_use]
    pub fn random(random: &Random) -> Self {
        Self([Self::PREFIX, &random.base64::<32>()].concat())
    }

    /// Reads an id; anything not exactly of its length and letters is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(Self::PREFIX);
        let is_own = body.is_some_and(is_base64_of_32_bytes);
        let is_id = is_own || is_imported(body.unwrap_or(text));
        is_id.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Earlier systems wrote at least 128 random bits as hex digits or a UUID, with our prefix or none.
fn is_imported(body: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    (32..=120).contains(&body.len()) && body.bytes().all(is_letter)
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a session id"))
    }
}

impl Type<MySql> for SessionId {
    fn type_info() -> MySqlTypeInfo {
        <str as Type<MySql>>::type_info()
    }

    fn compatible(info: &MySqlTypeInfo) -> bool {
        <str as Type<MySql>>::compatible(info)
    }
}

impl Encode<'_, MySql> for SessionId {
    fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        <&str as Encode<MySql>>::encode(&self.0, buffer)
    }
}

impl<'r> Decode<'r, MySql> for SessionId {
    fn decode(value: MySqlValueRef<'r>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<MySql>>::decode(value)?;
        Self::parse(text).ok_or_else(|| "a stored session id is damaged".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_being_written_and_read() {
        let id = SessionId::random(&Random::seeded(1));
        assert_eq!(id.as_str().len(), SessionId::LENGTH);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), id);
    }

    #[test]
    fn an_imported_id_keeps_its_spelling() {
        let hex = "0123456789abcdef".repeat(4);
        for id in [&hex, &format!("session_{hex}"), "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"] {
            assert_eq!(SessionId::parse(id).unwrap().as_str(), id);
        }
        for wrong in [&hex[..31], &hex.to_uppercase(), &hex.repeat(2), &format!("sess_{hex}")] {
            assert_eq!(SessionId::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_a_client_invents_is_no_id() {
        let good = SessionId::random(&Random::seeded(1)).to_string();
        let cut = good[..50].to_owned();
        for wrong in ["", "session_", "1", "session_abc123", &cut, &format!("{good}A"), &good[8..]]
        {
            assert_eq!(SessionId::parse(wrong), None, "{wrong:?}");
        }
    }
}
