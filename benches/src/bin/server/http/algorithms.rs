//! `/verify` with tokens that were signed by a key pair, beside those of a secret.

use anyhow::Result;
use portcullis_tests::{Database, Directory, workspace};

use crate::http::load::{self, Requests};
use crate::http::people::{Person, spread_signed};
use crate::http::servers::{Pinned, Programs, Site};
use crate::http::{CONNECTIONS, FEW, ROUNDS, SECONDS, VISITORS};
use crate::speed::median;

const PATH: &str = "/api/v1/auth/verify";

/// Processor time for an answer with `EdDSA` and with `ES256`, each against `HS256` in the same round.
pub(crate) fn measure(
    programs: &Programs,
    mariadb: &Database,
    (secret, people): (&Pinned, &[Person]),
) -> Result<[f64; 2]> {
    let mut ratios = [f64::NAN; 2];
    for (ratio, key) in ratios.iter_mut().zip(["ed25519", "p256"]) {
        let keys = Directory::new();
        let pem = workspace().join(format!("api/src/tokens/access/testdata/{key}.pem"));
        std::fs::copy(pem, keys.path().join("bench.pem"))?;
        let signed = spread_signed(VISITORS, FEW, Some(keys.path()))?;
        let site = Site::open(programs, mariadb, "few", &signed[0], Some(keys.path()))?;
        let (by_secret, by_key) = (Requests::get(PATH, people)?, Requests::get(PATH, &signed)?);
        let mut rounds = Vec::new();
        for round in 1..=ROUNDS {
            println!("verify, {key}: round {round} of {ROUNDS}");
            let one = load::run(secret, &by_secret, CONNECTIONS, SECONDS)?;
            let other = load::run(&site.service, &by_key, CONNECTIONS, SECONDS)?;
            rounds.push(other.cpu_us / one.cpu_us);
        }
        *ratio = median(rounds);
    }
    Ok(ratios)
}
