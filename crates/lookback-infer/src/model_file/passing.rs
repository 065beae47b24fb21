//! The file that a model is written to before it takes its place.
//!
//! It carries a lock for as long as it is open, which the system takes away with the process, however that ends. So a
//! file that can be locked was left behind by a run that was killed, and no run that is still writing loses its own: not
//! one in another container, whose process ids mean nothing here, and not one on another machine that shares the folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

const PREFIX: &str = ".lookback-";
const SUFFIX: &str = ".tmp";
/// How many letters and digits are drawn for a name.
const DRAWN: usize = 6;

/// A new file in `folder` under a passing name, with the permissions of any new file. It is removed when dropped.
pub(super) fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(DRAWN);
    #[cfg(unix)]
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    loop {
        let new = builder.tempfile_in(folder)?;
        match new.as_file().try_lock() {
            // Between the making and the locking another run may have taken it for one that was left behind.
            Ok(()) if new.path().exists() => return Ok(new),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            // Where files have no locks, none can be found to be left behind, and none is removed.
            Err(TryLockError::Error(_)) => return Ok(new),
        }
    }
}

/// Removes the files that killed runs left in `folder`. What cannot be looked at stays.
pub(super) fn remove_left_behind(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(is_passing) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_if_left(&entry.path());
        }
    }
}

/// Whether [`new_file`] makes such names: a file of somebody else's that is only named alike stays.
fn is_passing(name: &str) -> bool {
    let drawn = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    drawn.is_some_and(|drawn| drawn.len() == DRAWN && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn remove_if_left(path: &Path) {
    // The lock is held until the file is gone, so that its maker, should there be one, finds out.
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return };
    if File::try_lock(&file).is_ok() {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_writes_is_removed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let running = new_file(folder.path())?;
        let (_, killed) = new_file(folder.path())?.keep().map_err(|error| error.error)?;
        for name in [".lookback-notes", ".lookback-mine.tmp", "model.tmp"] {
            fs::write(path(name), "kept")?;
        }
        fs::create_dir(path(".lookback-folder.tmp"))?;
        remove_left_behind(folder.path());
        assert!(running.path().exists() && !killed.exists());
        assert_eq!(fs::read_dir(folder.path())?.count(), 5);
        Ok(())
    }
}
