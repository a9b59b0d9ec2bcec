//! The stage: a release build of the module, and servers that have one core to themselves.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use portcullis_tests::{Redis, RedisOptions, target, workspace};

/// The core that servers run on; the load comes from the other.
pub(crate) const SERVER_CORE: &str = "0";
/// The core that the load comes from.
const LOAD_CORE: &str = "1";

/// What is measured, built with the release profile.
pub(crate) struct Stage {
    module: PathBuf,
    noop: PathBuf,
}

impl Stage {
    /// Builds the module and the no-op module that marks the ceiling.
    pub(crate) fn build() -> Result<Self> {
        let module = built("portcullis-module", "libportcullis.so")?;
        Ok(Self { module, noop: built("portcullis-noop", "libnoop.so")? })
    }

    /// An empty server with both modules.
    pub(crate) fn server(&self) -> Result<Redis> {
        self.server_with(Redis::options())
    }

    /// As [`Self::server`], otherwise as `options` say.
    pub(crate) fn server_with(&self, options: RedisOptions) -> Result<Redis> {
        let redis = options.module(&self.module).start();
        let path = self.noop.display().to_string();
        redis::cmd("MODULE").arg("LOAD").arg(path).exec(&mut redis.connection())?;
        pin(&redis)?;
        Ok(redis)
    }
}

/// Puts all threads of a server on its core. Needed again after a restart.
pub(crate) fn pin(redis: &Redis) -> Result<()> {
    let pid = redis.pid().to_string();
    let out = Command::new("taskset").args(["-apc", SERVER_CORE, &pid]).output();
    let status = out.context("taskset runs; is util-linux installed?")?.status;
    ensure!(status.success(), "this machine has no core {SERVER_CORE} to pin a server to");
    Ok(())
}

/// Puts this program, and all it starts from now on, on the core of the load.
pub(crate) fn pin_ourselves() -> Result<()> {
    run_on(LOAD_CORE)
}

/// Lets this program do what is compared with a server where that does it.
pub(crate) fn join_the_servers() -> Result<()> {
    run_on(SERVER_CORE)
}

/// Lets this program run on every core again.
pub(crate) fn spread_ourselves() -> Result<()> {
    run_on("0-1023")
}

fn run_on(cores: &str) -> Result<()> {
    let pid = std::process::id().to_string();
    let out = Command::new("taskset").args(["-apc", cores, &pid]).output();
    let status = out.context("taskset runs; is util-linux installed?")?.status;
    ensure!(status.success(), "two cores are needed, one for the server and one for the load");
    Ok(())
}

/// A file of one package of this checkout, built with the release profile.
pub(crate) fn built(package: &str, file: &str) -> Result<PathBuf> {
    let arguments = ["build", "--release", "--package", package];
    println!("cargo {}", arguments.join(" "));
    let status = Command::new("cargo").args(arguments).current_dir(workspace()).status()?;
    ensure!(status.success(), "{package} does not build");
    Ok(target().join("release").join(file))
}
