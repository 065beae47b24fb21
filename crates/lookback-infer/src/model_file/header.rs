//! The bytes of a model: eight for the length of the header, the header as JSON, the tensors.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::ser::{Serialize, SerializeMap, Serializer};
use sha2::{Digest, Sha256};

use super::{CHECKSUM_KEY, FORMAT_VERSION, KIND_KEY, ModelFile, VERSION_KEY};
use crate::error::ModelFileError;

/// The bytes that tell the length of the header.
pub(super) const PREFIX: usize = 8;
/// The longest header; the limit of the safetensors format.
pub(super) const LONGEST: usize = 100_000_000;
/// How many numbers are read or written at once.
pub(super) const PART: usize = 4096;
/// What stands in the checksum's place while it is computed.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The key under which the format keeps metadata, which is no name for a tensor.
const METADATA: &str = "__metadata__";

/// The header as the format has it. Written by the safetensors crate its metadata would stand in random order.
struct Header<'a> {
    metadata: BTreeMap<&'a str, &'a str>,
    tensors: Vec<(&'a str, TensorInfo)>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.tensors.len() + 1))?;
        map.serialize_entry(METADATA, &self.metadata)?;
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

/// The whole file; `file` is for messages.
pub(super) fn encode<'a>(model: &'a ModelFile, file: &Path) -> Result<Encoded<'a>, ModelFileError> {
    for (name, tensor) in &model.tensors {
        let expected = tensor.shape.iter().try_fold(1usize, |values, &side| values.checked_mul(side));
        if expected != Some(tensor.data.len()) {
            let (values, shape) = (tensor.data.len(), &tensor.shape);
            let problem = format!("has {values} values, which do not fit the shape {shape:?}");
            return Err(ModelFileError::Tensor { file: file.into(), name: name.clone(), problem });
        }
    }
    let shapes = || model.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()));
    let header = |checksum| header_bytes(&model.kind, &model.metadata, shapes(), checksum, file);
    let mut checksum = Checksum::new();
    checksum.add(&header(NO_CHECKSUM)?);
    let summed = tensors(model, |bytes| {
        checksum.add(bytes);
        Ok(())
    });
    debug_assert!(summed.is_ok(), "adding to a checksum never fails");
    Ok(Encoded { header: header(&checksum.digits())?, model })
}

/// A file to be written: as it goes, since its bytes would take as much memory as the model.
pub(super) struct Encoded<'a> {
    header: Vec<u8>,
    model: &'a ModelFile,
}

impl Encoded<'_> {
    pub(super) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(&self.header)?;
        tensors(self.model, |bytes| out.write_all(bytes))
    }
}

/// The bytes of all tensors, one part after another.
fn tensors(model: &ModelFile, mut give: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(PART * size_of::<f32>());
    for values in model.tensors.values().flat_map(|tensor| tensor.data.chunks(PART)) {
        bytes.clear();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        give(&bytes)?;
    }
    Ok(())
}

/// The checksum of a file, of the bytes behind its prefix as they come.
pub(super) struct Checksum(Sha256);

impl Checksum {
    fn new() -> Self {
        Checksum(Sha256::new())
    }

    /// Of a file with this content, of which `header` was read; the data are to come.
    pub(super) fn of_header<'a>(
        content: (&str, &BTreeMap<String, String>, impl Iterator<Item = (&'a str, &'a [usize])> + Clone),
        (header, checksum): (&[u8], &str),
        file: &Path,
    ) -> Result<Self, ModelFileError> {
        let (kind, metadata, shapes) = content;
        let with = |checksum| header_bytes(kind, metadata, shapes.clone(), checksum, file);
        if with(checksum)? != header {
            let problem = "its header is not as Lookback writes it".to_owned();
            return Err(ModelFileError::Damaged { file: file.into(), problem });
        }
        let mut of = Self::new();
        of.add(&with(NO_CHECKSUM)?);
        Ok(of)
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn digits(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The header, filled with spaces to a multiple of eight so that the data are aligned.
fn header_bytes<'a>(
    kind: &str,
    entries: &BTreeMap<String, String>,
    shapes: impl Iterator<Item = (&'a str, &'a [usize])>,
    checksum: &str,
    file: &Path,
) -> Result<Vec<u8>, ModelFileError> {
    let mut metadata: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, value) in entries {
        if [VERSION_KEY, KIND_KEY, CHECKSUM_KEY].contains(&key.as_str()) {
            let problem = "this key is reserved".to_owned();
            return Err(ModelFileError::Entry { file: file.into(), key: key.clone(), problem });
        }
        metadata.insert(key, value);
    }
    metadata.extend([(VERSION_KEY, FORMAT_VERSION), (KIND_KEY, kind), (CHECKSUM_KEY, checksum)]);
    let mut tensors = Vec::new();
    let mut end = 0;
    for (name, shape) in shapes {
        if name == METADATA {
            let problem = "has a reserved name".to_owned();
            return Err(ModelFileError::Tensor { file: file.into(), name: name.to_owned(), problem });
        }
        let start = end;
        end += shape.iter().product::<usize>() * size_of::<f32>();
        let info = TensorInfo { dtype: Dtype::F32, shape: shape.to_vec(), data_offsets: (start, end) };
        tensors.push((name, info));
    }
    let unwritable = |problem: String| ModelFileError::Write { file: file.into(), problem };
    let mut bytes = serde_json::to_vec(&Header { metadata, tensors }).map_err(|error| unwritable(error.to_string()))?;
    bytes.resize(bytes.len().next_multiple_of(PREFIX), b' ');
    if bytes.len() > LONGEST {
        return Err(unwritable(format!("its header would have {} bytes; {LONGEST} are allowed", bytes.len())));
    }
    Ok(bytes)
}
