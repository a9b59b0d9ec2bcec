//! What an operator is told to type, or to put into a file, and no other test does: the first start, a look
//! at a token, the settings of Redis, the accounts by which a service is judged, what is left of a user.

use std::fs;

use portcullis_tests::{Cluster, Database, DatabaseKind, PASSWORD, Redis, module_path, servers};
use serde_json::{Value, json};

use crate::host::Host;
use crate::pages::{Fence, Page, page, service_page};

#[test]
fn the_first_start_leads_to_an_administrator_who_can_log_in() {
    let mut host = Host::new();
    fs::write(host.place("password"), format!("{PASSWORD}\n")).expect("the folder is ours");
    let mut block = the_block(
        &service_page("operations.md"),
        "user create --email you@example.com --first-name You --last-name Yourself --admin --verified\n",
    );
    // Whoever reads the page has a keyboard for the one line that is asked for.
    block.text.insert_str(0, "exec < password\n");
    let told = host.run(&block);
    assert!(told.contains("User 1 created."), "{told}");
    host.run(&Fence::command("systemctl start portcullis\n"));
    let (status, told) = log_in(&host, "you@example.com");
    assert_eq!(status, 200, "{told}");
    let role = host.mariadb.execute("select role from portcullis.users");
    assert_eq!(role.trim(), "admin");
}

#[test]
fn a_token_is_inspected_as_the_page_says() {
    let mut host = Host::serving();
    let (_, told) = log_in(&host, "root@example.com");
    let token = told["data"]["tokens"]["access"]["token"].as_str().expect("it is a token");
    fs::write(host.place("token.txt"), token).expect("the folder is ours");
    let told = host.run(&the_block(&service_page("operations.md"), "token inspect"));
    let fields: Vec<&str> =
        told.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(fields.len(), told.lines().count(), "one name and value a line: {told}");
    for line in ["mysql: live", "redis: OK", "state: live"] {
        assert!(told.lines().any(|it| it == line), "no {line} in\n{told}");
    }
    assert!(!told.contains(token), "it is never printed");
}

/// On one host instead of six.
#[test]
fn a_cluster_is_made_with_the_lines_and_commands_of_the_page() {
    let page = service_page("operations.md");
    let lines = the_block(&page, "cluster-enabled yes\n").text;
    let settings = lines.lines().filter_map(|line| line.split_once(' ')).skip(1);
    let arguments: Vec<String> =
        settings.flat_map(|(name, value)| [format!("--{name}"), value.to_owned()]).collect();
    let options = Redis::options().module_arguments(&["require-confirm", "yes"]);
    let options = options.arguments(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let nodes = Cluster::strangers(&options, 6);
    let mut host = Host::new();
    host.shell("mariadb -e 'create database portcullis'; portcullis migrate up", "setting up");
    let named: Vec<String> =
        nodes[..3].iter().map(|(node, _)| format!("127.0.0.1:{}", node.port())).collect();
    host.set("REDIS_URL", &format!("redis+cluster://{}", named.join(",")));
    let mut block = the_block(&page, "redis-cli --cluster create");
    for (number, (_, at)) in (1..).zip(&nodes) {
        block.text = block.text.replace(&format!("10.0.0.{number}:6379"), at);
    }
    let told = host.run(&block);
    assert_eq!(told.matches("   1 additional replica(s)").count(), 3, "{told}");
    assert!(told.contains("ok    Redis cluster: 3 primaries have all slots"), "{told}");
    assert!(!told.contains("cluster-require-full-coverage"), "{told}");
}

/// Except for the place of the file, which has to be installed for it.
#[test]
fn every_server_starts_with_the_redis_conf_of_the_page() {
    let conf = the_block(&page("operations.md"), "# redis.conf\n");
    let settings: Vec<(&str, &str)> =
        conf.text.lines().skip(1).filter_map(|line| line.split_once(' ')).collect();
    assert!(settings.len() > 4, "{settings:?}");
    let module = module_path().display().to_string();
    for server in servers() {
        let name = server.name.clone();
        let mut arguments = Vec::new();
        for (setting, value) in &settings {
            let value = if *setting == "loadmodule" { module.as_str() } else { value };
            arguments.extend([format!("--{setting}"), value.to_owned()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let redis = Redis::options().server(server).without_module().arguments(&arguments).start();
        let mut connection = redis.connection();
        for (setting, value) in settings.iter().filter(|(setting, _)| *setting != "loadmodule") {
            let told: Vec<String> =
                redis::cmd("CONFIG").arg("GET").arg(setting).query(&mut connection).unwrap();
            assert_eq!(told, [*setting, *value], "{name}");
        }
        let verdict: String =
            redis::cmd("AUTH.CHECK").arg("user:1").arg("token").query(&mut connection).unwrap();
        assert_eq!(verdict, "OK", "{name}");
    }
}

#[test]
fn the_accounts_that_judge_a_service_are_made_as_the_requirements_say() {
    let mut host = Host::new();
    let block = the_block(&Page::at("tests/REQUIREMENTS.md"), "create alice");
    let is_typed = |line: &&str| !line.starts_with("export DATABASE_URL=");
    let lines: Vec<&str> = block.text.lines().filter(is_typed).collect();
    assert_eq!(lines.len() + 1, block.text.lines().count(), "the one line that has a gap to fill");
    host.shell("mariadb -e 'create database portcullis'; portcullis migrate up", "setting up");
    // The program is the one that the tests run.
    let text = lines.join("\n").replace("target/release/", "").replace("target/demo/", "") + "\n";
    // An interactive shell takes what is not set for nothing.
    host.run(&Fence { text: format!("set +u\n{text}"), ..block });
    let told =
        host.mariadb.execute("select email, role from portcullis.users where email_verified_at is not null order by email");
    assert_eq!(told, "alice@example.com\tuser\nbob@example.com\tuser\nroot@example.com\tadmin\n");
}

#[test]
fn what_is_left_of_a_user_is_found_by_the_sql_of_the_page() {
    let block = the_block(&service_page("personal-data.md"), "user_id = 42");
    let rows = "insert into audit_events (at, event, user_id, ip_address, detail)
            values (utc_timestamp(3), 'x', 42, '203.0.113.7', '{}'), (utc_timestamp(3), 'x', 42, null, '{}');
        insert into audit_events (at, event, user_agent, detail)
            values (utc_timestamp(3), 'x', 'curl', '{\"by\": 42}')";
    for kind in DatabaseKind::present() {
        let database = Database::start_kind(kind);
        database.migrated_database("portcullis");
        for (rows, left) in [("", "0\n0\n"), (rows, "2\n0\n")] {
            let told = database.execute(&format!("use portcullis; {rows}; {}", block.text));
            assert_eq!(told, left, "{}", kind.name());
        }
    }
}

fn log_in(host: &Host, email: &str) -> (u16, Value) {
    host.ask("POST", "/login-enhanced", "", &json!({ "email": email, "password": PASSWORD }))
}

/// The one block that has this in it.
#[track_caller]
fn the_block(page: &Page, part: &str) -> Fence {
    let mut blocks = page.fences();
    blocks.retain(|block| block.text.contains(part) && !block.text.contains("systemctl"));
    assert_eq!(blocks.len(), 1, "blocks of {} with {part}", page.path.display());
    blocks.remove(0)
}
