//! A network of a test's own: two places, and routes between them that can be cut and healed.
//!
//! A place is a network namespace without a name. This process holds it open, and what it starts
//! there ends with it, so nothing is left behind however it ends. The machine's own network is
//! neither used nor changed. Whatever the kernel holds for a route that is cut is sent once the
//! route is healed, whether or not the process that wrote it still lives.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::process::{Process, find_program, prepare_to_spawn};
use crate::tell::tell;

/// All that is held of a connection fits into one. Else the reply to the first packet would end the
/// connection of a process that is dead, and the kernel would drop the others.
const LARGEST_PACKET: &str = "65535";

/// Two places with routes between them. Test and clients are here, servers are there.
pub struct Network {
    here: Place,
    there: Place,
}

/// Where processes have interfaces, addresses and sockets of their own.
#[derive(Clone)]
pub struct Place(Arc<File>);

/// A connection as the kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its port here.
    pub port: u16,
    /// What was written and has not been confirmed by the other end.
    pub bytes: u64,
    /// The process that wrote it has closed it or is dead.
    pub is_orphan: bool,
}

impl Network {
    /// So many routes, numbered from 0, none of them cut. Where the system does not allow that the
    /// test has to be left out; that is said, and on a CI machine it is a failure.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "CI machines say by this variable what they are")]
    pub fn with_routes(routes: u8) -> Option<Self> {
        let made = Self::try_with_routes(routes);
        let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        match made {
            Err(why) if is_ci => panic!("a test needs a network of its own: {why}"),
            Err(why) => {
                let test = thread::current().name().unwrap_or_default().to_owned();
                tell(&format!("SKIPPED {test}: it needs a network of its own: {why}"));
                None
            }
            Ok(network) => Some(network),
        }
    }

    fn try_with_routes(routes: u8) -> Result<Self, String> {
        for (program, package) in
            [("ip", "iproute2"), ("ss", "iproute2"), ("nsenter", "util-linux")]
        {
            find_program(program).ok_or_else(|| format!("{program} is missing ({package})"))?;
        }
        // Whoever spawns must stay in the machine's own network.
        prepare_to_spawn();
        let place = || Place::new().map_err(|fault| format!("it takes root: {fault}"));
        let network = Self { here: place()?, there: place()? };
        for place in [&network.here, &network.there] {
            place.ip(&["link", "set", "lo", "up"]);
        }
        for route in 0..routes {
            network.lay(route);
        }
        Ok(network)
    }

    fn lay(&self, route: u8) {
        let (name, there) = (interface(route), self.there.path().display().to_string());
        let peer = ["type", "veth", "peer", "name", &name, "netns", &there];
        self.here.ip(&[["link", "add", &name].as_slice(), &peer].concat());
        for (place, end) in [(&self.here, 1), (&self.there, 2)] {
            let address = format!("{}/30", address(route, end));
            place.ip(&["address", "add", &address, "dev", &name]);
            place.ip(&["link", "set", &name, "mtu", LARGEST_PACKET, "up"]);
        }
    }

    /// Tells a story on threads that are here, so that it reaches whatever listens here.
    #[cfg(feature = "service")]
    pub fn run<T: Send>(&self, story: impl AsyncFnOnce() -> T + Send) -> T {
        let told = thread::scope(|threads| {
            let teller = threads.spawn(|| {
                self.here.enter();
                let place = self.here.clone();
                let mut runtime = tokio::runtime::Builder::new_multi_thread();
                runtime.worker_threads(2).enable_all().on_thread_start(move || place.enter());
                runtime.build().expect("a runtime needs nothing").block_on(story())
            });
            teller.join()
        });
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Where clients are, and the test's own story.
    pub fn here(&self) -> &Place {
        &self.here
    }

    /// Where servers are.
    pub fn there(&self) -> &Place {
        &self.there
    }

    /// What a route leads to.
    pub fn address(&self, route: u8) -> Ipv4Addr {
        address(route, 2)
    }

    /// Where whoever takes a route comes from.
    pub fn origin(&self, route: u8) -> Ipv4Addr {
        address(route, 1)
    }

    /// Nothing gets through any more in either direction, and nobody is told.
    pub fn cut(&self, route: u8) {
        self.there.ip(&["link", "set", &interface(route), "down"]);
    }

    /// Everything gets through again.
    pub fn heal(&self, route: u8) {
        self.there.ip(&["link", "set", &interface(route), "up"]);
    }

    /// The connections from here over this route.
    pub fn held(&self, route: u8) -> Vec<Held> {
        connections(&self.here, &["dst", &self.address(route).to_string()])
            .iter()
            .map(|line| Held::read(line).expect("so ss prints a connection"))
            .collect()
    }

    /// How many bytes have arrived over this route that no server has read yet.
    pub fn unread(&self, route: u8) -> u64 {
        connections(&self.there, &["src", &self.address(route).to_string()])
            .iter()
            .map(|line| {
                let received = line.split_whitespace().nth(1).and_then(|bytes| bytes.parse().ok());
                received.unwrap_or(0_u64)
            })
            .sum()
    }
}

impl Place {
    /// A fresh one, with nothing but a loopback interface that is down.
    fn new() -> io::Result<Self> {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        Ok(Self(Arc::new(made.join().expect("the thread does nothing else")?)))
    }

    /// Starts a program there; it ends with us.
    pub fn start<S: AsRef<str>>(
        &self,
        program: &Path,
        arguments: &[S],
        settings: &[(String, String)],
        log: &Path,
    ) -> Process {
        let mut line = vec![self.option(), program.display().to_string()];
        line.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
        Process::start(Path::new("nsenter"), &line, settings, log)
    }

    /// This thread is there from now on.
    pub fn enter(&self) {
        setns(&*self.0, CloneFlags::CLONE_NEWNET).expect("whoever made a place may enter it");
    }

    fn ip(&self, arguments: &[&str]) {
        let mut ip = self.command("ip");
        ip.args(arguments);
        printed(ip);
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.option()).arg(find_program(program).expect("was looked for"));
        command
    }

    fn option(&self) -> String {
        format!("--net={}", self.path().display())
    }

    /// By which other processes find it.
    fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }
}

impl Held {
    /// From a line of `ss`: state, bytes received, bytes sent, our end, and more.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let is_orphan = ["FIN-WAIT-1", "LAST-ACK", "CLOSING"].contains(&words.next()?);
        let bytes = words.nth(1)?.parse().ok()?;
        let port = words.next()?.rsplit(':').next()?.parse().ok()?;
        Some(Self { port, bytes, is_orphan })
    }
}

fn interface(route: u8) -> String {
    format!("route{route}")
}

/// What `ss` prints of each connection but those that wait for one.
fn connections(place: &Place, filter: &[&str]) -> Vec<String> {
    let mut ss = place.command("ss");
    ss.args(["-H", "-t", "-n"]).args(filter);
    printed(ss).lines().map(String::from).collect()
}

/// Only seen inside of places, so every test may use the same ones.
fn address(route: u8, end: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 203, route, end)
}

fn printed(mut command: Command) -> String {
    let output = command.output().expect("nsenter runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
