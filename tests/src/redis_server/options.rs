//! What can be chosen about a server before it starts, and how the program is told.

use std::path::{Path, PathBuf};

use crate::module_path;
use crate::network::Place;
use crate::servers::Server;

/// What tests want from a server unless they say otherwise: nothing on disk, nothing delayed.
const DEFAULTS: &[&str] = &[
    "--save",
    "",
    "--appendonly",
    "no",
    "--daemonize",
    "no",
    "--repl-diskless-sync-delay",
    "0",
    "--enable-debug-command",
    "yes",
    "--enable-module-command",
    "yes",
];

/// How a server is to be started.
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) server: Option<Server>,
    is_bare: bool,
    module: Option<PathBuf>,
    module_arguments: Vec<String>,
    arguments: Vec<String>,
    pub(super) tcp: bool,
    pub(super) place: Option<Place>,
}

impl RedisOptions {
    /// A server with the module, on its unix socket only.
    pub(super) fn new() -> Self {
        Self {
            server: None,
            is_bare: false,
            module: None,
            module_arguments: Vec::new(),
            arguments: Vec::new(),
            tcp: false,
            place: None,
        }
    }

    /// Another program than the system's `redis-server`, one of [`crate::servers()`].
    #[must_use]
    pub fn server(mut self, server: &Server) -> Self {
        self.server = Some(server.clone());
        self
    }

    /// Settings as on the command line: `["--appendonly", "yes"]`. Later ones win.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().copied().map(String::from));
        self
    }

    /// What the module is given at load: `["leeway", "5"]`.
    #[must_use]
    pub fn module_arguments(mut self, arguments: &[&str]) -> Self {
        self.module_arguments = arguments.iter().copied().map(String::from).collect();
        self
    }

    /// Another module file than the one of this checkout.
    #[must_use]
    pub fn module(mut self, module: &Path) -> Self {
        self.module = Some(module.to_owned());
        self
    }

    /// A bare server.
    #[must_use]
    pub fn without_module(mut self) -> Self {
        self.is_bare = true;
        self
    }

    /// Also listen on a free loopback TCP port, as replicas, clusters and proxies need.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Runs in this place and listens wherever a route ends there; implies [`Self::tcp`].
    #[must_use]
    pub fn within(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self.tcp().arguments(&["--bind", "0.0.0.0", "--protected-mode", "no"])
    }

    /// What the program is told.
    pub(super) fn command_line(&self, port: u16, socket: &Path, data: &Path) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let own = ["--port", &port.to_string(), "--unixsocket", &path(socket)];
        let mut line: Vec<String> =
            own.into_iter().chain(DEFAULTS.iter().copied()).map(String::from).collect();
        line.extend(["--bind".into(), "127.0.0.1".into(), "--dir".into(), path(data)]);
        line.extend(self.arguments.iter().cloned());
        if !self.is_bare {
            let module = self.module.as_deref().unwrap_or_else(|| module_path());
            line.extend(["--loadmodule".into(), path(module)]);
            line.extend(self.module_arguments.iter().cloned());
        }
        line
    }
}
