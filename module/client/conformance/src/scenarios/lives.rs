//! Servers that hang, die, follow others, or are others.

use std::time::Instant;

use redis::Value;

use crate::fault::{Played, failed};
use crate::proxy::Proxy;
use crate::server::{Server, wait_until};
use crate::stage::Stage;

/// The ledgers of another server, one without the session, come in the place of the old ones.
pub(crate) fn demoted(stage: &mut Stage) -> Played {
    let primary = Server::start(&stage.programs)?;
    let front = Proxy::raw_before(&primary.socket())?;
    let person = stage.someone()?;
    let key = person.key();
    stage.redis(&["REPLICAOF", "127.0.0.1", &front.port().to_string()])?;
    wait_until("the server has what the other one has", || {
        matches!(stage.redis(&["EXISTS", &key]), Ok(Value::Int(0)))
    })?;
    let end = Instant::now();
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.redis(&["REPLICAOF", "NO", "ONE"])?;
    let outcome = outcome.and(stage.must_end_within_lease(&person, end)?);
    stage.someone()?;
    Ok(outcome)
}

/// An error is a refusal, and no sign of life.
pub(crate) fn forbidden(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.redis(&["ACL", "SETUSER", "default", "-auth.check"])?;
    let end = Instant::now();
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.redis(&["ACL", "SETUSER", "default", "+@all"])?;
    stage.must_know(&person)?;
    Ok(outcome)
}

/// Whatever has become of the session in the meantime, nobody could say.
pub(crate) fn hang(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.server.freeze()?;
    let end = Instant::now();
    let played = stage.must_end_within_lease(&person, end);
    stage.server.thaw()?;
    let outcome = played?;
    stage.must_know(&person)?;
    Ok(outcome)
}

pub(crate) fn gone(stage: &mut Stage) -> Played {
    let person = stage.someone()?;
    stage.forget_writer();
    stage.server.kill();
    let end = Instant::now();
    let outcome = stage.must_end_within_lease(&person, end)?;
    stage.server.start_again()?;
    // Whoever asks the new life hears that it knows nobody.
    stage.someone()?;
    Ok(outcome.and(stage.must_end_within_lease(&person, end)?))
}

/// As after a failover behind an address that stays the same.
pub(crate) fn elsewhere(stage: &mut Stage) -> Played {
    let other = Server::start(&stage.programs)?;
    let person = stage.someone()?;
    stage.proxy.lead_to(&other.socket());
    let end = Instant::now();
    let outcome = stage.must_end_within_lease(&person, end)?;
    let mut there = other.connection()?;
    let asked = redis::cmd("INFO").arg("commandstats").query::<String>(&mut there)?;
    if !asked.contains("auth.check") {
        return Err(failed("it did not connect again to the same address"));
    }
    stage.proxy.lead_to(&stage.server.socket());
    stage.must_know(&person)?;
    Ok(outcome)
}
