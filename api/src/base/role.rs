//! What a user may do, in tokens, rows and answers alike.

use serde::{Deserialize, Serialize};
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlTypeInfo, MySqlValueRef};
use sqlx::{Decode, MySql, Type};
use utoipa::ToSchema;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May use their own account.
    User,
    /// May administer all accounts.
    Admin,
}

impl Role {
    /// `user` or `admin`, as written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

// The column is an `enum`, which MariaDB describes as an enum, as text or as bytes, as it likes.
impl Type<MySql> for Role {
    fn type_info() -> MySqlTypeInfo {
        <str as Type<MySql>>::type_info()
    }

    fn compatible(info: &MySqlTypeInfo) -> bool {
        <str as Type<MySql>>::compatible(info) || <[u8] as Type<MySql>>::compatible(info)
    }
}

impl<'r> Decode<'r, MySql> for Role {
    fn decode(value: MySqlValueRef<'r>) -> Result<Self, BoxDynError> {
        match <&str as Decode<MySql>>::decode(value)? {
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            _ => Err("a stored role is neither user nor admin".into()),
        }
    }
}
