//! Reading a model, every number checked before it is used.

use std::collections::{BTreeMap, TryReserveError};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::header::{Checksum, LONGEST, PART, PREFIX};
use super::{CHECKSUM_KEY, FORMAT_VERSION, KIND_KEY, ModelFile, Tensor, VERSION_KEY};
use crate::error::ModelFileError;

pub(super) fn read(file: &Path) -> Result<ModelFile, ModelFileError> {
    let problem = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ModelFileError::NoSuchFile { file: file.into() },
        _ => ModelFileError::Read { file: file.into(), source },
    };
    // Asked before opening: to open a pipe without a writer would wait for ever.
    let metadata = fs::metadata(file).map_err(problem)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a directory" } else { "a device or pipe" };
        return Err(ModelFileError::NotAFile { file: file.into(), found });
    }
    let opened = File::open(file).map_err(problem)?;
    let size = opened.metadata().map_err(problem)?.len();
    decode(file, size, opened)
}

/// Whether the file begins as one that this program has written, in whatever version.
pub(super) fn begins_as_model(file: &Path) -> bool {
    // Asked before opening: to open a pipe without a writer would wait for ever.
    let Ok(mut opened) = fs::metadata(file).and_then(|found| match found.is_file() {
        true => File::open(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }) else {
        return false;
    };
    let mut prefix = [0; PREFIX];
    if opened.read_exact(&mut prefix).is_err() {
        return false;
    }
    let length = u64::from_le_bytes(prefix);
    let header = if length > LONGEST as u64 { None } else { read_part(file, &mut opened, length).ok() };
    // In the strings of the header a quote has a backslash before it.
    let key = format!("\"{VERSION_KEY}\":\"");
    header.is_some_and(|header| header.windows(key.len()).any(|part| part == key.as_bytes()))
}

/// Decodes a model of `size` bytes.
pub(super) fn decode(file: &Path, size: u64, mut reader: impl Read) -> Result<ModelFile, ModelFileError> {
    let foreign = |problem: String| ModelFileError::NotSafetensors { file: file.into(), problem };
    let damaged = |problem: String| ModelFileError::Damaged { file: file.into(), problem };
    if size < PREFIX as u64 {
        return Err(foreign(format!("it has {size} bytes, too few for a header")));
    }
    let mut prefix = [0; PREFIX];
    reader.read_exact(&mut prefix).map_err(|source| ModelFileError::Read { file: file.into(), source })?;
    let length = u64::from_le_bytes(prefix);
    if prefix.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        return Err(foreign("it is a text".to_owned()));
    }
    if length > LONGEST as u64 {
        return Err(foreign(format!("its header would have {length} bytes; at most {LONGEST} are allowed")));
    }
    let header_end = PREFIX as u64 + length;
    if header_end > size {
        return Err(ModelFileError::Size { file: file.into(), found: size, expected: header_end });
    }
    let header = read_part(file, &mut reader, length)?;
    let text = std::str::from_utf8(&header).map_err(|_| foreign("its header is not UTF-8".to_owned()))?;
    // The crate checks here that tensors follow each other without gap and that offsets fit types and shapes.
    let metadata: Metadata =
        serde_json::from_str(text).map_err(|error| foreign(format!("its header is wrong: {error}")))?;
    let mut entries: BTreeMap<String, String> = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    match entries.remove(VERSION_KEY) {
        None => return Err(ModelFileError::Foreign { file: file.into() }),
        Some(found) if found != FORMAT_VERSION => {
            return Err(ModelFileError::Version { file: file.into(), found, expected: FORMAT_VERSION });
        }
        Some(_) => {}
    }
    let mut entry =
        |key: &str| entries.remove(key).ok_or_else(|| damaged(format!("its metadata have no entry \"{key}\"")));
    let (kind, checksum) = (entry(KIND_KEY)?, entry(CHECKSUM_KEY)?);
    let expected = header_end.saturating_add(metadata.data_len() as u64);
    if expected != size {
        return Err(ModelFileError::Size { file: file.into(), found: size, expected });
    }
    let mut shapes = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        if info.dtype != Dtype::F32 {
            let problem = format!("holds {}; F32 was expected", info.dtype);
            return Err(ModelFileError::Tensor { file: file.into(), name, problem });
        }
        shapes.insert(name, info.shape.clone());
    }
    let by_name = shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
    // Where the header is as we write it, the tensors follow each other by name.
    let mut found = Checksum::of_header((&kind, &entries, by_name), (&header, &checksum), file)?;
    drop(header);
    let mut tensors = BTreeMap::new();
    for (name, shape) in shapes {
        let data = read_values(file, &mut reader, shape.iter().product(), &mut found)?;
        tensors.insert(name, Tensor { shape, data });
    }
    if found.digits() != checksum {
        return Err(damaged(
            "its checksum does not fit its content; some byte was changed after it was written".to_owned(),
        ));
    }
    Ok(ModelFile { kind, metadata: entries, tensors })
}

/// Reads so many numbers, which are known to be in the file, straight to where they stay: a model is mostly these, and to
/// touch fresh memory takes longer than to read the file.
fn read_values(
    file: &Path,
    reader: &mut impl Read,
    count: usize,
    checksum: &mut Checksum,
) -> Result<Vec<f32>, ModelFileError> {
    let mut values = Vec::new();
    reserve(file, &mut values, count)?;
    let mut part = [0; PART * size_of::<f32>()];
    while values.len() < count {
        let bytes = &mut part[..PART.min(count - values.len()) * size_of::<f32>()];
        reader.read_exact(bytes).map_err(|source| ModelFileError::Read { file: file.into(), source })?;
        checksum.add(bytes);
        values.extend(bytes.as_chunks::<{ size_of::<f32>() }>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    Ok(values)
}

/// Room for so many more; no memory for them is an error.
fn reserve<T>(file: &Path, vector: &mut Vec<T>, count: usize) -> Result<(), ModelFileError> {
    let problem = |source: TryReserveError| io::Error::new(io::ErrorKind::OutOfMemory, source);
    vector.try_reserve_exact(count).map_err(|error| ModelFileError::Read { file: file.into(), source: problem(error) })
}

/// Reads exactly `length` bytes, which are known to be in the file.
fn read_part(file: &Path, reader: &mut impl Read, length: u64) -> Result<Vec<u8>, ModelFileError> {
    let problem = |source: io::Error| ModelFileError::Read { file: file.into(), source };
    let capacity = usize::try_from(length).map_err(|error| problem(io::Error::other(error)))?;
    let mut bytes = Vec::new();
    reserve(file, &mut bytes, capacity)?;
    reader.take(length).read_to_end(&mut bytes).map_err(problem)?;
    if bytes.len() < capacity {
        return Err(problem(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}
