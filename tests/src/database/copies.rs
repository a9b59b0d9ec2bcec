//! Databases that lack the last commits: data of an earlier time, and a server that repeats what another
//! does, a moment later.

use std::fs;

use super::kind::copy;
use super::{Database, DatabaseKind};
use crate::wait::{free_port, wait_until};
use crate::workspace::Directory;

/// What a server must be started with that is repeated, or repeats.
const REPLICATING: [&str; 2] = ["--log-bin=log", "--relay-log=relay"];
/// The same for MySQL, which repeats by transaction only if it is told to keep their names.
const NAMING: [&str; 2] = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"];

impl Database {
    /// A copy of the data of a server that does not run.
    #[track_caller]
    pub fn saved(&self) -> Directory {
        assert!(self.process.is_none(), "stop or kill it first");
        let saved = Directory::new();
        copy(self.data(), &saved.path().join("data"));
        saved
    }

    /// Puts such a copy in the place of what a server has that does not run.
    #[track_caller]
    pub fn put_back(&self, saved: &Directory) {
        assert!(self.process.is_none(), "stop or kill it first");
        fs::remove_dir_all(self.data()).expect("the directory is ours");
        copy(saved.path().join("data"), &self.data());
    }

    /// As [`Database::start_on_tcp`]; others may repeat what it does.
    #[track_caller]
    pub fn start_repeated() -> Self {
        let database = replicating(1);
        database.execute(
            "create user repeater@'127.0.0.1';
             grant replication slave on *.* to repeater@'127.0.0.1'",
        );
        database
    }

    /// A server that repeats what this one does.
    #[must_use]
    #[track_caller]
    pub fn replica(&self) -> Self {
        let replica = replicating(2);
        let port = self.port();
        replica.execute(&match self.kind() {
            DatabaseKind::MariaDb => format!(
                "change master to master_host = '127.0.0.1', master_port = {port},
                     master_user = 'repeater', master_use_gtid = slave_pos;
                 start slave"
            ),
            DatabaseKind::MySql => format!(
                "change replication source to source_host = '127.0.0.1', source_port = {port},
                     source_user = 'repeater', source_ssl = 0, source_auto_position = 1;
                 start replica"
            ),
        });
        replica
    }

    /// Waits until a replica has repeated everything, and stops it there: it may take its primary's place.
    #[track_caller]
    pub fn stop_repeating(&self, replica: &Self) {
        let position = match self.kind() {
            DatabaseKind::MariaDb => "select @@global.gtid_current_pos",
            DatabaseKind::MySql => "select @@global.gtid_executed",
        };
        wait_until("the replica has repeated everything", || {
            let at = |database: &Self| database.execute(position);
            at(self) == at(replica)
        });
        replica.execute(match self.kind() {
            DatabaseKind::MariaDb => "stop slave; reset slave all",
            DatabaseKind::MySql => "stop replica; reset replica all",
        });
    }
}

fn replicating(id: u8) -> Database {
    let id = format!("--server-id={id}");
    let mut arguments = vec![id.as_str()];
    arguments.extend(REPLICATING);
    if DatabaseKind::chosen() == DatabaseKind::MySql {
        arguments.extend(NAMING);
    }
    let database = Database::prepared(DatabaseKind::chosen(), free_port(), &arguments);
    // Every MySQL here begins with the same data, and by this name it would take the other for itself.
    drop(fs::remove_file(database.data().join("auto.cnf")));
    database.launched()
}
