//! Time as an argument: instants, and the clock that gives them.
//!
//! Everything that depends on the time asks the [`Clock`] it was handed, so that a test can stand
//! at an exact instant. This is the one home of the system's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use portcullis_core::UnixMs;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlTypeInfo, MySqlValueRef};
use sqlx::{Decode, Encode, MySql, Type};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use utoipa::ToSchema;

/// An instant in UTC, with milliseconds.
// The core's milliseconds since the epoch, as tables and JSON spell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(as = Instant, value_type = String, format = DateTime, example = "2026-01-31T13:00:00.000Z")]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The last instant that RFC 3339 and `DATETIME` can write: the end of the year 9999.
    pub const MAX: Self = Self(UnixMs::MAX.0);

    /// This instant and a while; never beyond [`Self::MAX`].
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(UnixMs(self.0).plus(later).0)
    }

    /// This instant less a while; never before the epoch.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        let earlier = u64::try_from(earlier.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(earlier))
    }

    /// How long ago `earlier` was; zero if it has not come yet.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the epoch, rounded down, as JWT claims count them.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// The instant at which a whole second begins.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000)).min(Self::MAX)
    }

    /// `2025-12-31T13:00:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let pattern = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        self.datetime().format(pattern).unwrap_or_default()
    }

    fn datetime(self) -> PrimitiveDateTime {
        let nanos = i128::from(self.min(Self::MAX).0) * 1_000_000;
        let utc =
            OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        PrimitiveDateTime::new(utc.date(), utc.time())
    }
}

impl From<OffsetDateTime> for Timestamp {
    /// Instants before the epoch become the epoch.
    fn from(utc: OffsetDateTime) -> Self {
        Self(u64::try_from(utc.unix_timestamp_nanos() / 1_000_000).unwrap_or(0))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339).map(Self::from).map_err(de::Error::custom)
    }
}

// Columns are `DATETIME(3)` and hold UTC.
impl Type<MySql> for Timestamp {
    fn type_info() -> MySqlTypeInfo {
        <PrimitiveDateTime as Type<MySql>>::type_info()
    }

    fn compatible(info: &MySqlTypeInfo) -> bool {
        <PrimitiveDateTime as Type<MySql>>::compatible(info)
    }
}

impl Encode<'_, MySql> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        <PrimitiveDateTime as Encode<MySql>>::encode(self.datetime(), buffer)
    }
}

impl<'r> Decode<'r, MySql> for Timestamp {
    fn decode(value: MySqlValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self::from(<PrimitiveDateTime as Decode<MySql>>::decode(value)?.assume_utc()))
    }
}

/// Where the time comes from: the system, or a test.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is moved; clones move together.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start.0))))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Manual(ms) => Timestamp(ms.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward. The system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Puts a manual clock to an instant, backward too. The system's clock is left alone.
    pub fn set(&self, to: Timestamp) {
        if let Source::Manual(ms) = &self.0 {
            ms.store(to.0, Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one home of the system's clock")]
fn system_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_with_milliseconds_and_read_back() {
        let instant = Timestamp(1_767_186_000_007);
        assert_eq!(instant.rfc3339(), "2025-12-31T13:00:00.007Z");
        let json = serde_json::to_string(&instant).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), instant);
    }

    #[test]
    fn another_offset_is_the_same_instant() {
        let utc: Timestamp = serde_json::from_str("\"2025-12-31T13:00:00Z\"").unwrap();
        let paris: Timestamp = serde_json::from_str("\"2025-12-31T14:00:00+01:00\"").unwrap();
        assert_eq!(utc, paris);
    }

    #[test]
    fn no_sum_leaves_what_can_be_written() {
        assert_eq!(Timestamp(u64::MAX).rfc3339(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp(1).plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp(1).minus(Duration::MAX), Timestamp(0));
        assert_eq!(Timestamp::from_seconds(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp(1).since(Timestamp(2)), Duration::ZERO);
    }

    #[test]
    fn an_instant_before_the_epoch_is_the_epoch() {
        let early = serde_json::from_str::<Timestamp>("\"1969-12-31T23:59:59Z\"").unwrap();
        assert_eq!(early, Timestamp(0));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_with_its_clones() {
        let clock = Clock::manual(Timestamp(1_000));
        let clone = clock.clone();
        clock.advance(Duration::from_secs(2));
        assert_eq!(clone.now(), Timestamp(3_000));
        clone.set(Timestamp(500));
        assert_eq!(clock.now(), Timestamp(500));
    }

    #[test]
    fn nobody_can_move_the_system_clock() {
        let clock = Clock::system();
        let before = clock.now();
        clock.set(Timestamp(0));
        assert!(clock.now() >= before.minus(Duration::from_hours(1)));
    }
}
