//! Whether a session stands: it was not ended, has not expired, its user is not disabled and it began
//! after everything of theirs, and everybody's, was last ended. That is MySQL's to say, so it is SQL, in
//! one place.
//!
//! A session is live while it stands and is in use (`sessions/live.rs`). Who needs only *stands* says
//! why at the spot.

/// A query whose text has `STANDING` where a row `s` of `user_sessions` must stand; the parameter
/// at that place is the present instant:
///
/// ```text
/// standing!(query!("select … from user_sessions s where s.user_id = ? and " + STANDING, id, now))
/// ```
///
/// Or it has `NOT_ENDED`, where it is enough that nobody has ended the session, by itself or with
/// everybody's; there is no parameter then. Without a query either is the bare text.
///
/// The user is looked up and not joined: a statement that locks sessions must not lock their users, for
/// the order of locks is the other one, and none may begin with all users.
macro_rules! standing {
    ($($query:tt)*) => {
        $crate::store::standing::with_standing! {
            (
                "s.is_active
              and coalesce((select e.tokens_valid_after < s.created_at from everybody e
                             where e.id = 1), true)"
            )
            (
                " and s.expires_at > ?
              and (select u.is_active
                          and (u.tokens_valid_after is null or u.tokens_valid_after < s.created_at)
                     from users u where u.id = s.user_id)"
            )
            $($query)*
        }
    };
}

/// Puts the rule into a query.
macro_rules! with_standing {
    (($not_ended:literal) ($more:literal) STANDING) => { concat!($not_ended, $more) };
    (($not_ended:literal) ($more:literal) NOT_ENDED) => { $not_ended };
    (($not_ended:literal) ($more:literal) $query:ident!(
        $($row:ident,)? $before:literal + STANDING $(+ $after:literal)* $(, $argument:expr)* $(,)?
    )) => {
        sqlx::$query!($($row,)? $before + $not_ended + $more $(+ $after)* $(, $argument)*)
    };
    (($not_ended:literal) ($more:literal) $query:ident!(
        $($row:ident,)? $before:literal + NOT_ENDED $(+ $after:literal)* $(, $argument:expr)* $(,)?
    )) => {
        sqlx::$query!($($row,)? $before + $not_ended $(+ $after)* $(, $argument)*)
    };
}

pub(crate) use {standing, with_standing};
