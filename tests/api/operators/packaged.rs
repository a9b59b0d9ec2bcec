//! What a package needs of the command: that systemd hears of its start and end, manual pages, and
//! completions for shells.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use portcullis_tests::{Directory, Process, binary_path, free_port};

use super::{SECRET, portcullis};

#[test]
fn systemd_hears_when_the_service_listens_and_when_it_stops() {
    let directory = Directory::new();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let supervisor = UnixDatagram::bind(place("notify")).unwrap();
    supervisor.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    let port = free_port().to_string();
    let settings = [
        ("HOST", "127.0.0.1"),
        ("PORT", &port),
        ("OPS_ADDR", "127.0.0.1:0"),
        ("DATABASE_URL", "mysql://nobody@127.0.0.1:1/none"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("JWT_SECRET", SECRET),
        ("MAIL_DIR", &place("mail")),
        ("NOTIFY_SOCKET", &place("notify")),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let log = directory.path().join("log");
    let mut service = Process::start(binary_path(), &["serve"], &settings, &log);

    assert_eq!(heard(&supervisor), "READY=1\n", "{}", service.log());
    TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens once it has said so");
    service.signal(Signal::SIGTERM);
    assert_eq!(heard(&supervisor), "STOPPING=1\n", "{}", service.log());
    assert!(service.wait(), "{}", service.log());
}

fn heard(supervisor: &UnixDatagram) -> String {
    let mut told = [0; 64];
    let length = supervisor.recv(&mut told).expect("the service says something");
    String::from_utf8_lossy(&told[..length]).into_owned()
}

#[test]
fn every_command_that_help_lists_is_completed_in_every_shell_and_has_its_page() {
    let directory = Directory::new();
    portcullis(&["man", &directory.path().display().to_string()], &[], b"").must_work();
    let commands = listed(&portcullis(&["--help"], &[], b"").must_work().out);
    assert!(commands.len() > 10, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = portcullis(&["completions", shell], &[], b"").must_work().out;
        let lacking: Vec<_> = commands.iter().filter(|it| !script.contains(&**it)).collect();
        assert!(lacking.is_empty(), "{shell} does not complete {lacking:?}");
    }
    for name in commands {
        let page = directory.path().join(format!("portcullis-{name}.1"));
        let page = fs::read_to_string(&page).unwrap_or_else(|_| panic!("{name} has no page"));
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
    let serve = fs::read_to_string(directory.path().join("portcullis-serve.1")).unwrap();
    assert!(serve.contains("JWT\\_SECRET") || serve.contains("JWT_SECRET"), "no settings");
}

/// The commands of a help.
fn listed(help: &str) -> Vec<String> {
    let (_, rest) = help.split_once("Commands:\n").expect("help lists commands");
    let lines = rest.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(String::from).collect()
}

#[test]
fn the_description_of_the_api_is_printed_for_programs_and_for_people() {
    let document = portcullis(&["openapi"], &[], b"").must_work().out;
    assert!(document.starts_with("{\n"), "{document:.80}");
    let page = portcullis(&["openapi", "--html"], &[], b"").must_work().out;
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page:.80}");
}
