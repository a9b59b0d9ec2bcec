//! A private server with the module, on a unix socket in a directory of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::{Client, Connection};

const START: Duration = Duration::from_secs(30);
/// Far beyond what any answer takes on a busy machine.
const ANSWER: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);

/// What is run.
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    pub(crate) module: PathBuf,
}

/// A server.
pub(crate) struct Server {
    // Ends before its directory goes.
    child: Option<Child>,
    program: PathBuf,
    module: PathBuf,
    directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(programs: &Programs) -> anyhow::Result<Self> {
        let module = fs::canonicalize(&programs.module)
            .with_context(|| format!("the module {}", programs.module.display()))?;
        let directory = tempfile::Builder::new().prefix("portcullis-").tempdir()?;
        let mut server = Self { child: None, program: programs.server.clone(), module, directory };
        server.launch()?;
        Ok(server)
    }

    /// Starts it anew, with nothing in it.
    pub(crate) fn start_again(&mut self) -> anyhow::Result<()> {
        self.launch()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    pub(crate) fn connection(&self) -> anyhow::Result<Connection> {
        let client = Client::open(format!("unix://{}", self.socket().display()))?;
        let connection = client.get_connection_with_timeout(ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        Ok(connection)
    }

    /// Stops it where it stands, and returns once it does stand.
    pub(crate) fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let stat = PathBuf::from(format!("/proc/{}/stat", self.pid()?));
        wait_until("the server stands still", || {
            let stat = fs::read_to_string(&stat).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        })
    }

    /// Ends [`Self::freeze`].
    pub(crate) fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// `kill -9`, waited for.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.child.as_ref().map(Child::id).context("the server has been killed")
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid()?)?), signal)?)
    }

    fn launch(&mut self) -> anyhow::Result<()> {
        let log = self.directory.path().join("redis.log");
        let out = File::options().create(true).append(true).open(&log)?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let program = self.program.display();
        let mut child = command.spawn().with_context(|| format!("{program} cannot be started"))?;
        let started = Instant::now();
        loop {
            let answers = self
                .connection()
                .is_ok_and(|mut redis| redis::cmd("PING").query::<String>(&mut redis).is_ok());
            if answers {
                self.child = Some(child);
                return Ok(());
            }
            let has_ended = child.try_wait()?.is_some();
            if has_ended || started.elapsed() > START {
                drop((child.kill(), child.wait()));
                let said = fs::read_to_string(&log).unwrap_or_default();
                anyhow::bail!("{program} does not run with {}:\n{said}", self.module.display());
            }
            sleep(PAUSE);
        }
    }

    /// It ends with this program, if there is a `setpriv` to see to that.
    fn command(&self) -> Command {
        let mut command = if Path::new("/usr/bin/setpriv").exists() {
            let mut command = Command::new("/usr/bin/setpriv");
            command.args(["--pdeathsig", "KILL"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.args(["--port", "0", "--save", "", "--appendonly", "no"]);
        command.arg("--unixsocket").arg(self.socket());
        command.arg("--dir").arg(self.directory.path());
        command.arg("--loadmodule").arg(&self.module);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns once `holds` says yes.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    while !holds() {
        anyhow::ensure!(started.elapsed() < START, "waited {START:?} in vain until {what}");
        sleep(PAUSE);
    }
    Ok(())
}
