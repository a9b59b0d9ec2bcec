//! Redis: reached, a primary, with the module, keeping what it is told.

use std::time::Duration;

use portcullis_api::base::clock::Clock;
use portcullis_api::ledger::module_lack::Lack;
use portcullis_api::ledger::way::{NODE_OF_A_CLUSTER, Place, Way, connected, is_node};
use portcullis_api::settings::{Host, Stores};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError};

use super::report::{Report, told_of_clock};

/// The oldest server that loads the module.
const OLDEST: u32 = 7;

pub(super) async fn look(stores: &Stores, report: &mut Report) {
    let way = match Way::new(stores) {
        Ok(way) => way,
        Err(error) => return report.bad("Redis", &error.to_string()),
    };
    let (places, without) = match way.places(stores.redis_deadline).await {
        Ok(found) => found,
        Err(cause) if way.is_cluster() => return report.bad("Redis cluster", &told(&cause)),
        Err(cause) => return report.bad("Redis", &cause.to_string()),
    };
    if way.is_cluster() {
        match &*without {
            "" => {
                report.good("Redis cluster", &format!("{} primaries have all slots", places.len()));
            }
            without => report.bad(
                "Redis cluster",
                &format!("nobody has the slots {without}: run `redis-cli --cluster fix`"),
            ),
        }
    }
    for place in &places {
        match &place.named {
            Some(Host { name, port }) if way.is_cluster() => {
                report.good("Redis node", &format!("{name}, port {port}"));
            }
            Some(Host { name, port }) => {
                report.good("Redis sentinels", &format!("name the primary at {name}, port {port}"));
            }
            None => {}
        }
        look_at(place, way.is_cluster(), stores, report).await;
    }
}

/// One server.
async fn look_at(place: &Place, is_cluster: bool, stores: &Stores, report: &mut Report) {
    let deadline = stores.redis_deadline;
    let mut redis = match connected(&place.client, deadline, deadline).await {
        Ok(redis) => redis,
        Err(cause) => return report.bad("Redis", &told(&cause)),
    };
    let mut ask = redis::cmd("INFO");
    ask.arg("server").arg("replication").arg("memory").arg("persistence").arg("portcullis");
    let info: String = match ask.query_async(&mut redis).await {
        Ok(info) => info,
        Err(cause) => return report.bad("Redis", &told(&cause)),
    };
    look_at_server(&info, report);
    if is_node(&info) && !is_cluster {
        report.bad("Redis cluster", NODE_OF_A_CLUSTER);
    }
    if let Some(lack) = Lack::seen_in(&info) {
        return report.bad("Redis module", lack.told());
    }
    look_at_module(&info, report);
    look_at_confirmation(&info, stores, report);
    look_at_rights(&mut redis, stores, report).await;
    look_at_writes(&mut redis, report).await;
    if is_cluster {
        look_at_coverage(&mut redis, report).await;
    }
    look_at_clock(&mut redis, report).await;
}

/// What counts for those who ask the module themselves.
fn look_at_confirmation(info: &str, stores: &Stores, report: &mut Report) {
    let is_required = field(info, "portcullis_require_confirm") == Some("1");
    if !is_required && stores.confirm_lease().is_some() {
        return report.bad(
            "ledgers",
            "CONFIRM_LEASE needs portcullis.require-confirm yes: set it where Redis loads the module, and run \
             `redis-cli config set portcullis.require-confirm yes`",
        );
    }
    match field(info, "portcullis_confirmed") {
        Some("1") if is_required => report.good("ledgers", "confirmed"),
        _ if is_required => {
            report.note("ledgers", "not confirmed yet: a running service does that by itself");
        }
        _ => report.note(
            "ledgers",
            "AUTH.CHECK answers whether or not they are up to date: set portcullis.require-confirm yes if \
             others than the service ask it",
        ),
    }
}

/// A server that takes no changes does not hear of revocations. Confirming nothing is a write that it
/// would refuse.
async fn look_at_writes(redis: &mut MultiplexedConnection, report: &mut Report) {
    let answer = redis::cmd("AUTH.CONFIRM").arg("none").exec_async(redis).await;
    let code = answer.err().and_then(|cause| cause.code().map(str::to_owned));
    let mend = match code.as_deref() {
        Some("NOREPLICAS") => {
            "fewer replicas follow than min-replicas-to-write wants: bring them back, or lower it"
        }
        Some("MISCONF") => {
            "it could not save its data: see its log, and make room or correct `dir` where it is to save"
        }
        _ => return,
    };
    report.bad("Redis writes", &format!("are refused, revocations among them: {mend}"));
}

/// Whoever may not read the configuration is told nothing of it.
async fn look_at_coverage(redis: &mut MultiplexedConnection, report: &mut Report) {
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET").arg("cluster-require-full-coverage");
    let answer = ask.query_async::<Vec<String>>(redis).await.unwrap_or_default();
    if answer.get(1).is_some_and(|value| value == "yes") {
        report.note(
            "Redis cluster",
            "one lost slot silences every node: set cluster-require-full-coverage no on each",
        );
    }
}

fn look_at_module(info: &str, report: &mut Report) {
    report.good("Redis module", field(info, "portcullis_version").unwrap_or_default());
    if field(info, "portcullis_build") == Some("debug") {
        report.note("Redis module", "is a debug build, which is only for tests");
    }
    if field(info, "portcullis_check_life").is_none() {
        report.note(
            "Redis module",
            "does not know AUTH.CHECK … UNTIL, so no verdict is kept and every request is asked about: \
             restart Redis with the libportcullis.so of this release",
        );
    }
}

fn look_at_server(info: &str, report: &mut Report) {
    let server = field(info, "valkey_version").map(|version| ("Valkey", version));
    let (name, version) = server
        .or(field(info, "redis_version").map(|version| ("Redis", version)))
        .unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= OLDEST) {
        report.good("Redis", &format!("{name} {version}"));
    } else {
        report.bad("Redis", &format!("{name} {version}: use Redis 7.0 or Valkey 8, or later"));
    }
    if field(info, "role") != Some("master") {
        report.bad("Redis role", "a replica: set REDIS_URL, or REDIS_HOST, to its primary");
    }
    match field(info, "maxmemory_policy") {
        Some("noeviction") | None => report.good("Redis eviction", "noeviction"),
        Some(policy) => report.bad(
            "Redis eviction",
            &format!(
                "{policy} may drop ledgers and with them revocations: run `redis-cli config set \
                 maxmemory-policy noeviction`, and say so in redis.conf"
            ),
        ),
    }
    if field(info, "aof_enabled") == Some("0") {
        report.note(
            "Redis persistence",
            "appendonly is off: after a crash the ledgers have to be filled in again",
        );
    }
}

/// Asks for everything that the service asks for, in a form that changes nothing.
async fn look_at_rights(redis: &mut MultiplexedConnection, stores: &Stores, report: &mut Report) {
    let nobody = format!("{}0", stores.ledger_key_prefix);
    let command = |words: &[&str]| {
        let mut command = Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command
    };
    let mut lacking = Vec::new();
    for words in [
        &["AUTH.CHECK", &nobody, "none"][..],
        &["AUTH.SESSION", "TOUCH", &nobody, "none"],
        &["AUTH.FENCE"],
        &["AUTH.CONFIRM", "none"],
        &["PTTL", "portcullis:limit:check"],
        &["SCAN", "0", "COUNT", "1"],
    ] {
        let answer = command(words).exec_async(redis).await;
        if answer.is_err_and(|cause| cause.code() == Some("NOPERM")) {
            lacking.push(words[0]);
        }
    }
    if lacking.is_empty() {
        return report.good("Redis rights", "all that is needed");
    }
    let user = if stores.redis_username.is_empty() { "default" } else { &stores.redis_username };
    report.bad(
        "Redis rights",
        &format!(
            "lacks {}: run `redis-cli acl setuser {user} ~{}* ~portcullis:* +@all -@admin \
             +auth.confirm +info` with the user's own name",
            lacking.join(", "),
            stores.ledger_key_prefix,
        ),
    );
}

async fn look_at_clock(redis: &mut MultiplexedConnection, report: &mut Report) {
    let Ok((seconds, _)) = redis::cmd("TIME").query_async::<(u64, u64)>(redis).await else {
        return;
    };
    let apart = seconds.abs_diff(Clock::system().now().seconds());
    if let Some(told) = told_of_clock(Duration::from_secs(apart)) {
        report.bad("Redis' clock", &told);
    }
}

fn told(cause: &RedisError) -> String {
    let said = words(cause);
    let is_about_login = said.contains("WRONGPASS")
        || said.contains("NOAUTH")
        || cause.kind() == ErrorKind::AuthenticationFailed;
    let mend = if cause.code() == Some("NOPERM") {
        "give this user the rights that are listed under *What to set up* in when-things-fail.md"
    } else if is_about_login {
        "correct the password in REDIS_URL, or REDIS_USERNAME and REDIS_PASSWORD"
    } else if said.contains("DB index") {
        "end REDIS_URL with the number of a database that this server has, as in /0"
    } else if cause.kind() == ErrorKind::Parse {
        "something other than Redis answers, or TLS is spoken at one end only: correct REDIS_URL"
    } else if cause.is_timeout() {
        "check that it runs and that TLS is spoken at both ends or at none, or raise REDIS_DEADLINE"
    } else {
        "check that it runs where REDIS_URL, or REDIS_HOST and REDIS_PORT, say"
    };
    format!("cannot be used: {mend} ({said})")
}

/// What was said, without what the client library calls it.
fn words(cause: &RedisError) -> String {
    match (cause.code(), cause.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ if cause.is_io_error() => cause.to_string(),
        _ => cause.category().to_owned(),
    }
}

fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_older_than_the_service_is_told_of() {
        let told = |info: &str| {
            let mut report = Report::default();
            look_at_module(info, &mut report);
            report.lines().join("\n")
        };
        let older = "portcullis_version:0.1.0\r\nportcullis_build:release\r\n";
        assert!(told(older).contains("note  Redis module: does not know AUTH.CHECK … UNTIL"));
        let present = format!("{older}portcullis_check_life:7\r\n");
        assert_eq!(told(&present), "ok    Redis module: 0.1.0");
    }
}
