//! Processor time of all three, and MySQL's redo, before and after.

use std::fs;

use anyhow::{Context as _, Result};
use portcullis_tests::Database;

use crate::http::servers::Site;

/// What one of many took.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) service_us: f64,
    pub(crate) mysql_us: f64,
    pub(crate) redis_us: f64,
    pub(crate) redo_bytes: f64,
}

/// What has been used so far.
pub(crate) struct Meter([f64; 4]);

impl Meter {
    pub(crate) fn read(site: &Site, mariadb: &Database) -> Result<Self> {
        let redo = mariadb.execute("show global status like 'Innodb_os_log_written'");
        let redo = redo.split('\t').nth(1).and_then(|bytes| bytes.trim().parse().ok());
        let redo: f64 = redo.context("MySQL counts its redo")?;
        let service = site.service.cpu_s()?;
        Ok(Self([service, on_cpu_s(mariadb.pid())?, on_cpu_s(site.redis.pid())?, redo]))
    }

    /// What each of `count` has taken since.
    pub(crate) fn since(&self, site: &Site, mariadb: &Database, count: usize) -> Result<Cost> {
        let Self(now) = Self::read(site, mariadb)?;
        let mut each = now.iter().zip(self.0).map(|(now, then)| (now - then) / count as f64);
        let mut next = || each.next().unwrap_or_default();
        let [service, mysql, redis] = [next(), next(), next()].map(|seconds| seconds * 1e6);
        Ok(Cost { service_us: service, mysql_us: mysql, redis_us: redis, redo_bytes: next() })
    }
}

/// Seconds that the threads of a process have had a core, to the nanosecond.
fn on_cpu_s(pid: u32) -> Result<f64> {
    let mut ns = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let told = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        ns += told.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(ns / 1e9)
}
