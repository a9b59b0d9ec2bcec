//! The name of a session: not a secret, but not to be guessed either.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlTypeInfo, MySqlValueRef};
use sqlx::{Decode, Encode, MySql, Type};

use crate::secret::{Random, is_base64_of_32_bytes};

/// `session_` and 256 random bits (C-10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let body = text.strip_prefix(Self::PREFIX)?;
        is_base64_of_32_bytes(body).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
    fn what_a_client_invents_is_no_id() {
        let good = SessionId::random(&Random::seeded(1)).to_string();
        let cut = good[..50].to_owned();
        for wrong in ["", "session_", "1", "session_abc123", &cut, &format!("{good}A"), &good[8..]]
        {
            assert_eq!(SessionId::parse(wrong), None, "{wrong:?}");
        }
    }
}
