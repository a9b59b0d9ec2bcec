//! Who uses it and how: what an operator knows, or guesses.

use clap::Args;

/// A population and its habits.
#[derive(Args, Clone, Debug)]
pub struct Population {
    /// Users, with commas between several populations
    #[arg(long, value_delimiter = ',', default_value = "1000000,100000000", value_parser = clap::value_parser!(u64).range(1000..=10_000_000_000))]
    pub users: Vec<u64>,

    /// Live sessions of a user
    #[arg(long, default_value_t = 2.0)]
    pub sessions: f64,

    /// Share of the users who are active at the same time, on average over the day
    #[arg(long, default_value_t = 0.03)]
    pub online: f64,

    /// How many times as many are active at the busiest hour
    #[arg(long, default_value_t = 2.0)]
    pub peak: f64,

    /// Seconds between two requests of an active user that are checked
    #[arg(long, default_value_t = 10.0)]
    pub request_every: f64,

    /// Lifetime of an access token in seconds, which is how often an active user refreshes
    #[arg(long, default_value_t = 900.0)]
    pub access: f64,

    /// Share of the users who come in the morning and have to give their password
    #[arg(long, default_value_t = 0.02)]
    pub logins: f64,

    /// Share of the users who come in the morning and still have a session
    #[arg(long, default_value_t = 0.2)]
    pub returning: f64,

    /// Seconds that the morning's rush takes
    #[arg(long, default_value_t = 3600.0)]
    pub rush: f64,

    /// Seconds within which most people log in again once they have been logged out
    #[arg(long, default_value_t = 120.0)]
    pub return_within: f64,

    /// Seconds until a replica has taken the place of a primary that failed
    #[arg(long, default_value_t = 5.0)]
    pub detect: f64,

    /// Services that use the client crate, instances counted one by one
    #[arg(long, default_value_t = 50)]
    pub services: u32,

    /// Seconds of the lease of these
    #[arg(long, default_value_t = 0.25)]
    pub lease: f64,

    /// Share of a core that may be in use at the busiest time
    #[arg(long, default_value_t = 0.6)]
    pub utilisation: f64,

    /// GiB of ledgers on one Redis primary
    #[arg(long, default_value_t = 24.0)]
    pub primary_gib: f64,

    /// Cores of a MySQL server
    #[arg(long, default_value_t = 32.0)]
    pub mysql_cores: f64,

    /// How many times as long everything takes on your machines as on the one that was measured
    #[arg(long, default_value_t = 1.0)]
    pub slower: f64,

    /// Milliseconds of a core of the service that a login takes there, password hash included; what was measured unless given
    #[arg(long)]
    pub login_ms: Option<f64>,

    /// Cores of the service; what is needed unless given
    #[arg(long)]
    pub cores: Option<f64>,

    /// Redis primaries; what is needed unless given
    #[arg(long)]
    pub primaries: Option<u64>,
}

/// What is wrong with a population, and what to do.
pub type Mistake = String;

impl Population {
    /// Refuses what means nothing.
    pub fn check(&self) -> Result<(), Mistake> {
        let above_zero = [
            ("sessions", self.sessions),
            ("peak", self.peak),
            ("request-every", self.request_every),
            ("access", self.access),
            ("rush", self.rush),
            ("return-within", self.return_within),
            ("detect", self.detect),
            ("lease", self.lease),
            ("primary-gib", self.primary_gib),
            ("mysql-cores", self.mysql_cores),
            ("slower", self.slower),
            ("login-ms", self.login_ms.unwrap_or(1.0)),
            ("cores", self.cores.unwrap_or(1.0)),
        ];
        for (name, value) in above_zero {
            if !(value.is_finite() && value > 0.0) {
                return Err(format!("--{name} is {value}; choose a number above 0"));
            }
        }
        let shares = [
            ("online", self.online),
            ("logins", self.logins),
            ("returning", self.returning),
            ("utilisation", self.utilisation),
        ];
        for (name, value) in shares {
            if !(value > 0.0 && value <= 1.0) {
                return Err(format!("--{name} is {value}; choose a share above 0, up to 1"));
            }
        }
        if self.online * self.peak > 1.0 {
            return Err("--online times --peak is more than everybody; lower one of them".into());
        }
        if self.primaries == Some(0) {
            return Err("--primaries is 0; one is needed".into());
        }
        Ok(())
    }
}
