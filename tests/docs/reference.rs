//! The tables of the reference pages, compared with what the servers say of themselves.

use std::collections::{BTreeSet, HashMap};

use portcullis_tests::{Redis, Server, servers};
use redis::{Connection, Value};

use crate::pages::{Page, page};

#[test]
fn every_command_has_a_page_that_says_what_the_servers_say() {
    for server in servers() {
        let redis = Redis::options().server(server).start();
        let mut connection = redis.connection();
        let names: Vec<String> = ask(&mut connection, "COMMAND LIST FILTERBY MODULE portcullis");
        for name in names {
            let page = page(&format!("commands/{}.md", name.replace('|', "-")));
            agrees_with_docs(&page, &name, &mut connection);
            agrees_with_info(&page, &name, &mut connection, server);
        }
    }
}

fn agrees_with_docs(page: &Page, name: &str, connection: &mut Connection) {
    let mut docs: HashMap<String, HashMap<String, Value>> =
        ask(connection, &format!("COMMAND DOCS {name}"));
    let docs = docs.remove(name).expect("COMMAND DOCS knows its own commands");
    let text = |field: &str| redis::from_redis_value::<String>(docs[field].clone()).unwrap();
    let title = name.replace('|', " ").to_uppercase();
    assert!(page.text.starts_with(&format!("# {title}\n\n{}", text("summary"))), "{name}: head");
    assert_eq!(cell(page, "Available since"), text("since"), "{name}");
    assert_eq!(cell(page, "Time complexity"), text("complexity"), "{name}");
}

fn agrees_with_info(page: &Page, name: &str, connection: &mut Connection, server: &Server) {
    let told: Vec<Vec<Value>> = ask(connection, &format!("COMMAND INFO {name}"));
    let info = &told[0];
    let arity: i64 = redis::from_redis_value(info[1].clone()).unwrap();
    assert_eq!(cell(page, "Arity"), arity.to_string(), "{name}");

    // Two flags have another name in Valkey; `module` is on all of them.
    let flags: BTreeSet<String> = words(&info[2])
        .into_iter()
        .map(|flag| if flag == "skip_commandlog" { "skip_slowlog".to_owned() } else { flag })
        .filter(|flag| flag != "module")
        .collect();
    assert_eq!(listed(page, "Flags"), flags, "{name} on {}", server.name);

    // Modules have no ACL categories before Redis 7.2, and none of their own before 7.4.
    if server.is_valkey() || server.version() >= (7, 4) {
        let categories = words(&info[6]);
        assert_eq!(listed(page, "ACL categories"), categories, "{name} on {}", server.name);
    }
    let specifications: Vec<HashMap<String, Value>> =
        redis::from_redis_value(info[8].clone()).unwrap();
    if let Some(specification) = specifications.first() {
        let place: i64 = redis::from_redis_value(info[3].clone()).unwrap();
        let flags: Vec<String> = redis::from_redis_value(specification["flags"].clone()).unwrap();
        assert_eq!(cell(page, "Key"), format!("argument {place}: {}", flags.join(", ")), "{name}");
    } else {
        assert_eq!(cell(page, "Key"), "none", "{name}");
    }
}

#[test]
fn every_setting_is_listed_with_its_default_and_its_bounds() {
    for server in servers() {
        let redis = Redis::options().server(server).start();
        let mut connection = redis.connection();
        let settings: HashMap<String, String> = ask(&mut connection, "CONFIG GET portcullis.*");
        let listed: HashMap<String, String> = page("operations.md")
            .rows("portcullis.")
            .into_iter()
            .map(|row| {
                hold_bounds(&row, &mut connection);
                (row[0].clone(), row[1].clone())
            })
            .collect();
        assert_eq!(listed, settings, "{}", server.name);
    }
}

/// Sets both ends of `1 to 10`, and finds what lies beyond refused.
fn hold_bounds(row: &[String], connection: &mut Connection) {
    let Some((low, high)) = row[3].split_once(" to ") else { return };
    let (low, high): (i64, i64) = (low.parse().unwrap(), high.parse().unwrap());
    let mut accepts = |value: i64| {
        redis::cmd("CONFIG").arg("SET").arg(&row[0]).arg(value).exec(connection).is_ok()
    };
    let accepted = [low - 1, low, high, high + 1].map(&mut accepts);
    assert_eq!(accepted, [false, true, true, false], "{}: {}", row[0], row[3]);
}

#[test]
fn every_field_of_info_is_explained() {
    let redis = Redis::start();
    let told: String = ask(&mut redis.connection(), "INFO portcullis");
    let fields: BTreeSet<String> =
        told.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
    let rows = page("operations.md").rows("portcullis_");
    let explained: BTreeSet<String> = rows.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(explained, fields);
}

fn ask<T: redis::FromRedisValue>(connection: &mut Connection, command: &str) -> T {
    let mut words = command.split(' ');
    let name = words.next().expect("a command has a name");
    let told = redis::cmd(name).arg(words.collect::<Vec<_>>()).query(connection);
    told.unwrap_or_else(|fault| panic!("{command}: {fault}"))
}

fn words(value: &Value) -> BTreeSet<String> {
    redis::from_redis_value(value.clone()).expect("a list of words")
}

/// The second cell of the row that begins like this.
fn cell(page: &Page, beginning: &str) -> String {
    let rows = page.rows(beginning);
    let row = rows.first();
    row.unwrap_or_else(|| panic!("{}: no row {beginning}", page.path.display()))[1].clone()
}

/// The words of that cell up to a semicolon, where a remark begins.
fn listed(page: &Page, beginning: &str) -> BTreeSet<String> {
    let cell = cell(page, beginning);
    let list = cell.split(';').next().unwrap_or_default();
    list.split(", ").map(|word| word.trim().to_owned()).filter(|word| word != "none").collect()
}
