//! Bytes of a row, its keys included.

use portcullis_tests::Database;

/// Tables that grow with users or with what they do.
const TABLES: [&str; 5] =
    ["users", "user_sessions", "refresh_tokens", "audit_events", "revocation_outbox"];

/// Gives every session its refresh token, and lets none have been used in this hour.
pub(crate) fn complete(mariadb: &Database) {
    mariadb.execute(
        "use bill;
         update user_sessions set last_activity = last_activity - interval 1 hour;
         delete from refresh_tokens;
         insert into refresh_tokens (user_id, session_id, token_hash, device_info, ip_address,
                user_agent, created_at, expires_at, reference, generation)
         select user_id, id, unhex(sha2(concat('prt_', substr(id, 9)), 256)), device_info, ip_address,
                user_agent, created_at, expires_at, random_bytes(16), 3
           from user_sessions order by rand(7);",
    );
}

/// Events in the trail so far.
pub(crate) fn audited(mariadb: &Database) -> f64 {
    let told = mariadb.execute("select count(*) from bill.audit_events");
    told.trim().parse().expect("a count")
}

/// The tables, and bytes of a row of each. The trail is made longer by what is in it.
pub(crate) fn sizes(mariadb: &Database) -> Vec<(&'static str, f64)> {
    mariadb.execute(
        "use bill;
         insert into audit_events (at, event, user_id, session_id, ip_address, user_agent,
                request_id, detail)
         select at, event, user_id, session_id, ip_address, user_agent, request_id, detail
           from audit_events join seq_1_to_100;
         analyze table users, user_sessions, refresh_tokens, audit_events, revocation_outbox;",
    );
    let size = |table: &str| -> f64 {
        let told = mariadb.execute(&format!(
            "select (data_length + index_length) / (select count(*) from bill.{table})
               from information_schema.tables
              where table_schema = 'bill' and table_name = '{table}'"
        ));
        told.trim().parse().expect("a number")
    };
    TABLES.map(|table| (table, size(table))).to_vec()
}
