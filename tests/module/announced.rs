//! Who is told when a ledger changes: keyspace subscribers, watchers, client-side caches. All of
//! them exactly when something changed, but for a touch, of which only subscribers hear.

use portcullis_tests::Redis;
use redis::Connection;

use crate::effects::{CHANGES, IDLE_COMMANDS, set_up};
use crate::everywhere;
use crate::talk::{self, Talk, digest};

/// A subscriber to the keyspace events of modules and to deletions.
struct Events<'a>(redis::PubSub<'a>, Talk);

impl<'a> Events<'a> {
    fn of(redis: &Redis, connection: &'a mut Connection) -> Self {
        let mut talk = talk::to(redis);
        assert_eq!(talk.say("CONFIG SET notify-keyspace-events Edg"), "OK");
        let mut events = connection.as_pubsub();
        events.psubscribe("__keyevent@0__:*").expect("subscribed");
        events.subscribe("marker").expect("subscribed");
        Self(events, talk)
    }

    /// The events, with their keys, that this command caused.
    #[track_caller]
    fn by(&mut self, line: &str) -> Vec<String> {
        self.1.say(line);
        self.1.say("PUBLISH marker end");
        let mut events = Vec::new();
        loop {
            let event = self.0.get_message().expect("a message");
            let channel = event.get_channel_name().to_owned();
            if channel == "marker" {
                return events;
            }
            let key: String = event.get_payload().expect("a key");
            let name = channel.split_once(':').expect("an event has a name").1;
            events.push(format!("{name} {key}"));
        }
    }
}

#[test]
fn every_change_is_announced_and_nothing_else_is() {
    everywhere(|redis| {
        set_up(&mut talk::to(redis));
        let mut connection = redis.connection();
        let mut events = Events::of(redis, &mut connection);
        for line in IDLE_COMMANDS {
            assert_eq!(events.by(line), [""; 0], "{line}");
        }
        for (line, names) in CHANGES {
            let expected: Vec<_> = names.iter().map(|name| format!("{name} user:1")).collect();
            assert_eq!(events.by(line), expected, "{line}");
        }
    });
}

#[test]
fn a_ledger_that_goes_with_the_last_thing_in_it_is_announced_as_deleted() {
    everywhere(|redis| {
        let mut connection = redis.connection();
        let mut events = Events::of(redis, &mut connection);
        for (ending, event) in
            [("REVOKE user:1 a", "revoke"), ("REVOKEALL user:1 EXCEPT b", "revokeall")]
        {
            events.by("AUTH.SESSION CREATE user:1 a EX 900");
            let told = events.by(&format!("AUTH.SESSION {ending}"));
            assert_eq!(told, [format!("auth.session.{event} user:1"), "del user:1".into()]);
            assert_eq!(events.1.say("EXISTS user:1"), "0");
        }
    });
}

/// No verdict is another one because of it.
fn is_touch(events: &[&str]) -> bool {
    events == ["auth.session.touch"]
}

#[test]
fn a_watched_ledger_fails_the_transaction_when_it_changed_unless_it_was_only_touched() {
    everywhere(|redis| {
        let (mut talk, mut other) = (talk::to(redis), talk::to(redis));
        set_up(&mut other);
        let is_executed = |talk: &mut Talk, other: &mut Talk, line: &str| {
            talk.say("WATCH user:1");
            other.say(line);
            talk.say("MULTI");
            talk.say("PING");
            talk.say("EXEC") == "[PONG]"
        };
        for line in IDLE_COMMANDS {
            assert!(is_executed(&mut talk, &mut other, line), "{line}");
        }
        for (line, events) in CHANGES {
            let told = !is_executed(&mut talk, &mut other, line);
            assert_eq!(told, !is_touch(events), "{line}");
        }
    });
}

/// A client-side cache: one connection that asks, one that hears of invalidations.
struct Cache<'a> {
    asks: Talk,
    hears: redis::PubSub<'a>,
}

impl<'a> Cache<'a> {
    fn of(redis: &Redis, connection: &'a mut Connection) -> Self {
        let id: i64 =
            redis::cmd("CLIENT").arg("ID").query(connection).expect("every client has an id");
        let mut hears = connection.as_pubsub();
        hears.subscribe("__redis__:invalidate").expect("subscribed");
        hears.subscribe("marker").expect("subscribed");
        let mut asks = talk::to(redis);
        assert_eq!(asks.say(&format!("CLIENT TRACKING on REDIRECT {id}")), "OK");
        Self { asks, hears }
    }

    /// Caches a verdict, lets `other` run a command; true if the cache hears of it.
    #[track_caller]
    fn is_invalidated(&mut self, other: &mut Talk, line: &str) -> bool {
        self.asks.say("AUTH.CHECK user:1 t SESSION a");
        other.say(line);
        other.say("PUBLISH marker end");
        let mut heard = false;
        while self.hears.get_message().expect("a message").get_channel_name() != "marker" {
            heard = true;
        }
        heard
    }
}

#[test]
fn client_side_caches_hear_of_every_change_but_a_touch_and_of_nothing_else() {
    everywhere(|redis| {
        let mut other = talk::to(redis);
        set_up(&mut other);
        let mut connection = redis.connection();
        let mut cache = Cache::of(redis, &mut connection);
        for line in IDLE_COMMANDS {
            assert!(!cache.is_invalidated(&mut other, line), "{line}");
        }
        for (line, events) in CHANGES {
            assert_eq!(cache.is_invalidated(&mut other, line), !is_touch(events), "{line}");
        }
    });
}

#[test]
fn client_side_caches_hear_of_a_ledger_that_comes_into_being() {
    everywhere(|redis| {
        let mut other = talk::to(redis);
        let mut connection = redis.connection();
        let mut cache = Cache::of(redis, &mut connection);
        assert!(!cache.is_invalidated(&mut other, "AUTH.CHECK user:1 t"));
        let revoke = format!("AUTH.BLACKLIST user:1 DIGEST {} EX 900", digest(1));
        assert!(cache.is_invalidated(&mut other, &revoke));
        assert!(cache.is_invalidated(&mut other, "DEL user:1"));
    });
}
