//! How much of the two cores was left by others: by whatever else the machine does, and by the load.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result};
use portcullis_tests::Database;

use crate::bill::cost::cpu_s;
use crate::http::servers::Site;

/// A clock tick of `/proc`, in seconds.
const TICK_S: f64 = 0.01;
/// However busy the machine is, something is left.
const LEAST: f64 = 0.05;

/// Both cores, watched from now on.
pub(crate) struct Cores {
    since: Instant,
    busy_s: [f64; 2],
    ours_s: [f64; 3],
}

impl Cores {
    pub(crate) fn watched(site: &Site, mariadb: &Database) -> Result<Self> {
        let ours_s = cpu_s(site, mariadb)?;
        Ok(Self { since: Instant::now(), busy_s: [busy_s(0)?, busy_s(1)?], ours_s })
    }

    /// How long that was, and the share of each core that others did not use: the service's, the stores'.
    pub(crate) fn left(&self, site: &Site, mariadb: &Database) -> Result<(f64, [f64; 2])> {
        let took_s = self.since.elapsed().as_secs_f64();
        let now = cpu_s(site, mariadb)?;
        let [service, mysql, redis] = [0, 1, 2].map(|at| now[at] - self.ours_s[at]);
        let ours = [service, mysql + redis];
        let left = |core: usize| -> Result<f64> {
            let others = (busy_s(core)? - self.busy_s[core] - ours[core]).max(0.0);
            Ok((1.0 - others / took_s).max(LEAST))
        };
        Ok((took_s, [left(0)?, left(1)?]))
    }
}

/// Seconds that a core has been busy so far, also for a guest or on another machine's behalf.
fn busy_s(core: usize) -> Result<f64> {
    let told = fs::read_to_string("/proc/stat")?;
    let beginning = format!("cpu{core} ");
    let line = told.lines().find_map(|line| line.strip_prefix(&beginning));
    let ticks = line.context("/proc/stat tells of every core")?.split_whitespace();
    let ticks: Vec<f64> = ticks.flat_map(str::parse).collect();
    // Of these, idle and waiting for disks are the fourth and the fifth; guests are counted before.
    let busy = ticks.iter().take(8).enumerate().filter(|(at, _)| ![3, 4].contains(at));
    Ok(busy.map(|(_, ticks)| ticks).sum::<f64>() * TICK_S)
}
