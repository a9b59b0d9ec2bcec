//! Mails as files, for nobody but the user of the service: they hold live tokens.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use tokio::io::AsyncWriteExt as _;

/// What to do about a directory that cannot be used.
const NEXT: &str = "name a directory that the service may write to, or set SMTP_URL";

/// What is wrong with something that is there and is no directory.
pub(super) fn check(directory: &Path) -> Result<(), String> {
    let refused = |what: String| format!("{what}; {NEXT}");
    match fs::metadata(directory) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(refused(format!("{} is not a directory", directory.display()))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(refused(format!("{} cannot be used: {cause}", directory.display()))),
    }
}

/// Makes the directory if it is missing, and shows that a file can be written there.
pub(super) fn prepare(directory: &Path) -> Result<(), String> {
    check(directory)?;
    let probe = directory.join(format!(".{}.probe", std::process::id()));
    let written = make(directory)
        .and_then(|()| options().open(&probe).map(drop))
        .and_then(|()| fs::remove_file(&probe));
    written
        .map_err(|cause| format!("{} cannot be written to: {cause}; {NEXT}", directory.display()))
}

/// Writes a file and shows it only when it is whole. The same mail again takes the place of its file.
pub(super) async fn write(directory: &Path, name: &str, mail: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!("{name}.{}.part", std::process::id()));
    make(directory)?;
    let mut file = tokio::fs::OpenOptions::from(options()).open(&unfinished).await?;
    file.write_all(mail).await?;
    file.flush().await?;
    tokio::fs::rename(&unfinished, directory.join(format!("{name}.eml"))).await
}

/// One that is there already stays as its owner made it.
fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}
