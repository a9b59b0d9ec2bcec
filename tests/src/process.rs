//! Child processes that cannot outlive us.
//!
//! `setpriv --pdeathsig` asks the kernel to kill the child when the *thread* that spawned it
//! ends. Test threads end early, so one thread that lives as long as the process spawns all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

type Job = (Command, Sender<io::Result<Child>>);

static SPAWNER: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = channel::<Job>();
    thread::spawn(move || {
        for (mut command, answer) in inbox {
            drop(answer.send(command.spawn()));
        }
    });
    jobs
});

/// Has the spawning thread begin now, and not on a thread that is in a place of its own.
pub(crate) fn prepare_to_spawn() {
    LazyLock::force(&SPAWNER);
}

/// A running server program whose output goes to a file.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, its settings added to our environment, what it prints added to `log`.
    pub fn start<S: AsRef<str>>(
        program: &Path,
        arguments: &[S],
        settings: &[(String, String)],
        log: &Path,
    ) -> Self {
        let out = File::options().create(true).append(true).open(log).expect("the log can be made");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command.args(arguments.iter().map(AsRef::as_ref)).envs(settings.iter().cloned());
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a file can be shared"))
            .stderr(out);
        let (answer, child) = channel();
        SPAWNER.send((command, answer)).expect("the spawning thread lives as long as we do");
        let child = child.recv().expect("the spawning thread answers");
        let child = child.unwrap_or_else(|fault| {
            panic!(
                "cannot start {} through setpriv: {fault}; run `make install`",
                program.display()
            )
        });
        Self { child, log: log.to_owned() }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a pid is a positive i32");
        // Only fails when the process has just ended, which is what most signals ask for.
        let _ = kill(Pid::from_raw(pid), signal);
    }

    /// Waits until it has ended; true if it ended without a fault.
    pub fn wait(&mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where `name` is installed. Servers live in `sbin`, which a user's `PATH` may lack.
#[expect(clippy::disallowed_methods, reason = "PATH is how programs are found")]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
