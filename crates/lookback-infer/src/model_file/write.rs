//! Putting the bytes of a file in their place, whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::header::Encoded;
use super::passing::{new_file, remove_left_behind};
use crate::error::ModelFileError;

/// Checks before hours of training that a file could be written to `file`. Nothing is left behind or changed.
///
/// # Errors
/// If `file` is a directory or may not be written, or its folder does not exist, is none, or takes no new file.
pub fn check_writable(file: &Path) -> Result<(), ModelFileError> {
    match destination(file)? {
        // A pipe is not tried: without a reader, to open it would wait for ever.
        Destination::Special { device: true } => drop(open_existing(file)?),
        Destination::Special { device: false } => {}
        Destination::Regular { target, folder, exists } => {
            if exists {
                open_existing(&target)?;
            }
            remove_left_behind(&folder);
            new_file(&folder).map_err(|error| refused(file, &error))?;
        }
    }
    Ok(())
}

/// Writes a text to `file` in the way a model is written, whole or not at all.
///
/// # Errors
/// As [`check_writable`], or if the system refuses. A file that stood there before then still does.
pub fn write_text(file: &Path, text: &str) -> Result<(), ModelFileError> {
    write_by(file, |out| out.write_all(text.as_bytes()))
}

pub(super) fn write(file: &Path, content: &Encoded<'_>) -> Result<(), ModelFileError> {
    write_by(file, |out| content.write_to(out))
}

/// Writes to `file` what `put` gives.
fn write_by(file: &Path, put: impl Fn(&mut BufWriter<&File>) -> io::Result<()>) -> Result<(), ModelFileError> {
    let write_all = |file: &File| {
        let mut out = BufWriter::new(file);
        put(&mut out)?;
        out.flush()
    };
    let failed = |error: io::Error| refused(file, &error);
    match destination(file)? {
        Destination::Special { .. } => {
            let opened = open_existing(file)?;
            write_all(&opened).map_err(failed)?;
            synced(&opened).map_err(failed)
        }
        Destination::Regular { target, folder, exists } => {
            remove_left_behind(&folder);
            let new = new_file(&folder).map_err(failed)?;
            write_all(new.as_file()).map_err(failed)?;
            if exists {
                let permissions = fs::metadata(&target).map_err(failed)?.permissions();
                new.as_file().set_permissions(permissions).map_err(failed)?;
            }
            new.as_file().sync_all().map_err(failed)?;
            // On failure the new file is given back and removed.
            new.persist(&target).map_err(|error| failed(error.error))?;
            // The rename itself reaches the disk with the folder.
            if cfg!(unix) { File::open(&folder).and_then(|folder| synced(&folder)).map_err(failed) } else { Ok(()) }
        }
    }
}

enum Destination {
    /// A device or a pipe, which is written straight.
    Special { device: bool },
    /// A file, there or not yet.
    Regular { target: PathBuf, folder: PathBuf, exists: bool },
}

fn destination(file: &Path) -> Result<Destination, ModelFileError> {
    let problem = |problem: String| ModelFileError::Write { file: file.into(), problem };
    let (target, exists) = match fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(problem("it is a directory; the name of a file was expected".to_owned()));
        }
        Ok(metadata) if !metadata.is_file() => return Ok(Destination::Special { device: !is_pipe(&metadata) }),
        // Through links, so that the rename replaces the file and not the link to it.
        Ok(_) => (fs::canonicalize(file).map_err(|error| refused(file, &error))?, true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (file.to_owned(), false),
        Err(error) => return Err(refused(file, &error)),
    };
    if target.file_name().is_none() || target.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
        return Err(problem("the name of a file was expected".to_owned()));
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    match fs::metadata(&folder) {
        Ok(metadata) if metadata.is_dir() => Ok(Destination::Regular { target, folder, exists }),
        Ok(_) => Err(problem(format!("{} is not a directory", folder.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(problem(format!("the directory {} does not exist", folder.display())))
        }
        Err(error) => Err(refused(file, &error)),
    }
}

#[cfg(unix)]
fn is_pipe(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_: &fs::Metadata) -> bool {
    false
}

fn open_existing(file: &Path) -> Result<File, ModelFileError> {
    OpenOptions::new().write(true).open(file).map_err(|error| refused(file, &error))
}

/// Syncs what can be synced; devices and some folders cannot.
fn synced(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

fn refused(file: &Path, error: &io::Error) -> ModelFileError {
    let problem = match error.kind() {
        io::ErrorKind::StorageFull => "there is no space left on the device".to_owned(),
        // Where it is about the file that a model is written to first, the system's words would name that one.
        kind if error.get_ref().is_some() => io::Error::from(kind).to_string(),
        _ => error.to_string(),
    };
    ModelFileError::Write { file: file.into(), problem }
}
