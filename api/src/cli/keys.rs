//! `portcullis keys`: the private keys that sign access tokens, made, listed and retired as files.
//!
//! A running service looks at the directory every second, and reads it when something in it has
//! changed. A retired key stays as `<kid>.pem.retired`, so that a mistake can be undone by renaming
//! it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use clap::{Args, Subcommand, ValueEnum};
use pem::{EncodeConfig, LineEnding, Pem};
use portcullis_api::base::clock::Timestamp;
use portcullis_api::tokens::access::{Key, KeyFault};

/// Makes, lists and retires the keys that sign access tokens.
#[derive(Args)]
pub(crate) struct Command {
    /// Directory of the keys.
    #[arg(long, env)]
    jwt_keys_dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a key that signs from now on; tokens signed with earlier keys stay valid.
    Generate {
        /// Kind of key: Ed25519 signs as `EdDSA`, P-256 as `ES256`.
        #[arg(long, value_enum, default_value_t = Kind::Ed25519)]
        algorithm: Kind,
    },
    /// List the keys, the signing one first.
    List,
    /// Retire a key: running services refuse its tokens within a second. To avoid logging anybody
    /// out, wait until they have expired (`JWT_EXPIRES_IN` after a newer key was made).
    Retire {
        /// Name of the key, as `list` shows it.
        kid: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Ed25519,
    P256,
}

/// Why a key was not made or retired.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The keys that are there cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyFault),
    /// A file cannot be written.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// No key has that name.
    #[error("there is no key {0}; `portcullis keys list` shows them")]
    Unknown(String),
    /// Nothing would be left to sign with.
    #[error("{0} is the only key; make another one first")]
    Last(String),
    /// The key could not be made.
    #[error("no key could be made")]
    Generator(#[from] Unspecified),
    /// What was done could not be told.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl Command {
    /// Does what is asked and says what was done.
    pub(crate) fn run(&self, now: Timestamp, out: &mut impl Write) -> Result<(), Fault> {
        let dir = &self.jwt_keys_dir;
        match &self.action {
            Action::Generate { algorithm } => generate(dir, *algorithm, now, out),
            Action::List => list(dir, out),
            Action::Retire { kid } => retire(dir, kid, out),
        }
    }
}

fn generate(
    dir: &Path,
    algorithm: Kind,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), Fault> {
    let (name, der) = match algorithm {
        Kind::Ed25519 => ("ed25519", Ed25519KeyPair::generate()?.to_pkcs8v1()?),
        Kind::P256 => {
            ("p256", EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?.to_pkcs8v1()?)
        }
    };
    // Names sort by time, and the last by name signs.
    let time: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    let kid = format!("{time}-{name}");
    let pem = Pem::new("PRIVATE KEY", der.as_ref());
    let pem = pem::encode_config(&pem, EncodeConfig::new().set_line_ending(LineEnding::LF));
    let file = |error| Fault::File(dir.display().to_string(), error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(file)?;
    // A service that looks just now must not find half a key.
    let (unfinished, path) = (dir.join(format!("{kid}.part")), dir.join(format!("{kid}.pem")));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
    written.and_then(|mut file| file.write_all(pem.as_bytes())).map_err(file)?;
    // Unlike a rename, a link does not replace what is there.
    let linked = fs::hard_link(&unfinished, &path);
    fs::remove_file(&unfinished).and(linked).map_err(file)?;
    writeln!(
        out,
        "{} signs from now on; running services pick it up within a second",
        path.display()
    )?;
    Ok(())
}

fn list(dir: &Path, out: &mut impl Write) -> Result<(), Fault> {
    for (place, key) in Key::from_dir(dir)?.iter().enumerate() {
        let role = if place == 0 { "signs and is read" } else { "is read" };
        writeln!(out, "{}  {}  {role}", key.kid(), key.algorithm_name())?;
    }
    Ok(())
}

fn retire(dir: &Path, kid: &str, out: &mut impl Write) -> Result<(), Fault> {
    let keys = Key::from_dir(dir)?;
    if !keys.iter().any(|key| key.kid() == kid) {
        return Err(Fault::Unknown(kid.to_owned()));
    }
    if keys.len() == 1 {
        return Err(Fault::Last(kid.to_owned()));
    }
    let retired = dir.join(format!("{kid}.pem.retired"));
    fs::rename(dir.join(format!("{kid}.pem")), &retired)
        .map_err(|error| Fault::File(retired.display().to_string(), error))?;
    writeln!(
        out,
        "{} is no longer read; running services drop it within a second",
        retired.display()
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        command: Command,
    }

    fn run(dir: &Path, action: &[&str], now: u64) -> Result<String, Fault> {
        let dir = dir.join("keys").display().to_string();
        let given = [&["keys", "--jwt-keys-dir", &dir], action].concat();
        let mut out = Vec::new();
        Cli::parse_from(given).command.run(Timestamp(now), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_new_key_signs_and_the_old_one_is_read_until_it_is_retired() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &["generate"], 1_800_000_000_000).unwrap();
        run(dir.path(), &["generate", "--algorithm", "p256"], 1_800_000_000_001).unwrap();
        let (old, new) = ("20270115T080000000Z-ed25519", "20270115T080000001Z-p256");
        let listed = run(dir.path(), &["list"], 0).unwrap();
        assert_eq!(listed, format!("{new}  ES256  signs and is read\n{old}  EdDSA  is read\n"));
        run(dir.path(), &["retire", old], 0).unwrap();
        assert_eq!(run(dir.path(), &["list"], 0).unwrap().lines().count(), 1);
        assert!(matches!(run(dir.path(), &["retire", old], 0), Err(Fault::Unknown(_))));
        assert!(matches!(
            run(dir.path(), &["retire", "../../etc/passwd"], 0),
            Err(Fault::Unknown(_))
        ));
        assert!(matches!(run(dir.path(), &["retire", new], 0), Err(Fault::Last(_))));
    }

    #[test]
    fn nobody_else_can_read_a_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &["generate"], 1_800_000_000_000).unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path().join("keys")), 0o700);
        assert_eq!(mode(dir.path().join("keys/20270115T080000000Z-ed25519.pem")), 0o600);
    }

    #[test]
    fn a_key_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &["generate"], 1_800_000_000_000).unwrap();
        assert!(matches!(run(dir.path(), &["generate"], 1_800_000_000_000), Err(Fault::File(..))));
    }
}
