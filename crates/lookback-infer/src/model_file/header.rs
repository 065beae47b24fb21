//! The bytes of a model: eight for the length of the header, the header as JSON, the tensors.

use std::collections::BTreeMap;
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

/// The whole file.
pub(super) fn encode(model: &ModelFile, file: &Path) -> Result<Vec<u8>, ModelFileError> {
    let unsigned = header_bytes(model, file, NO_CHECKSUM)?;
    let values = model.tensors.values().map(|tensor| tensor.data.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(PREFIX + unsigned.len() + values * size_of::<f32>());
    bytes.extend_from_slice(&(unsigned.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&unsigned);
    for tensor in model.tensors.values() {
        for value in &tensor.data {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    let data = &bytes[PREFIX + unsigned.len()..];
    let header = header_bytes(model, file, &digest(&unsigned, data))?;
    bytes[PREFIX..PREFIX + header.len()].copy_from_slice(&header);
    Ok(bytes)
}

/// Checks that `header` and `data` are what writing `model` with `checksum` gives.
pub(super) fn verify(
    model: &ModelFile,
    file: &Path,
    checksum: &str,
    header: &[u8],
    data: &[u8],
) -> Result<(), ModelFileError> {
    let damaged = |problem: &str| ModelFileError::Damaged { file: file.into(), problem: problem.to_owned() };
    if header_bytes(model, file, checksum)? != header {
        return Err(damaged("its header is not as Lookback writes it"));
    }
    if digest(&header_bytes(model, file, NO_CHECKSUM)?, data) != checksum {
        return Err(damaged("its checksum does not fit its content; some byte was changed after it was written"));
    }
    Ok(())
}

/// The header, filled with spaces to a multiple of eight so that the data are aligned.
fn header_bytes(model: &ModelFile, file: &Path, checksum: &str) -> Result<Vec<u8>, ModelFileError> {
    let mut metadata: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, value) in &model.metadata {
        if [VERSION_KEY, KIND_KEY, CHECKSUM_KEY].contains(&key.as_str()) {
            let problem = "this key is reserved".to_owned();
            return Err(ModelFileError::Entry { file: file.into(), key: key.clone(), problem });
        }
        metadata.insert(key, value);
    }
    metadata.extend([(VERSION_KEY, FORMAT_VERSION), (KIND_KEY, model.kind.as_str()), (CHECKSUM_KEY, checksum)]);
    let mut tensors = Vec::with_capacity(model.tensors.len());
    let mut end = 0;
    for (name, tensor) in &model.tensors {
        let problem = |problem: String| ModelFileError::Tensor { file: file.into(), name: name.clone(), problem };
        if name == METADATA {
            return Err(problem("has a reserved name".to_owned()));
        }
        let expected = tensor.shape.iter().try_fold(1usize, |values, &side| values.checked_mul(side));
        if expected != Some(tensor.data.len()) {
            return Err(problem(format!(
                "has {} values, which do not fit the shape {:?}",
                tensor.data.len(),
                tensor.shape
            )));
        }
        let start = end;
        end += tensor.data.len() * size_of::<f32>();
        let info = TensorInfo { dtype: Dtype::F32, shape: tensor.shape.clone(), data_offsets: (start, end) };
        tensors.push((name.as_str(), info));
    }
    let unwritable = |problem: String| ModelFileError::Write { file: file.into(), problem };
    let mut bytes = serde_json::to_vec(&Header { metadata, tensors }).map_err(|error| unwritable(error.to_string()))?;
    bytes.resize(bytes.len().next_multiple_of(PREFIX), b' ');
    if bytes.len() > LONGEST {
        return Err(unwritable(format!("its header would have {} bytes; {LONGEST} are allowed", bytes.len())));
    }
    Ok(bytes)
}

fn digest(header: &[u8], data: &[u8]) -> String {
    let hash = Sha256::new().chain_update(header).chain_update(data).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
