//! Whole models come back; anything else is refused with a sentence.

use std::fs;
use std::io;

use proptest::prelude::*;
use safetensors::SafeTensors;

use super::read::decode;
use super::*;

fn model() -> ModelFile {
    let mut model = ModelFile::new("classify");
    model.put_json("vocabulary", &["<pad>", "<unk>", "好", "\"quoted\"\n"]).expect("strings");
    model.put_json("config", &serde_json::json!({"hidden": 2})).expect("an object");
    let tensor = |shape: &[usize], data: &[f32]| Tensor { shape: shape.to_vec(), data: data.to_vec() };
    model
        .tensors
        .insert("lstm.weight_ih_l0".to_owned(), tensor(&[2, 3], &[1.0, -2.0, 3.5, 0.0, -0.0, f32::MIN_POSITIVE]));
    model.tensors.insert("bias".to_owned(), tensor(&[2], &[0.25, 4.0]));
    model.tensors.insert("scale".to_owned(), tensor(&[], &[7.0]));
    model.tensors.insert("empty".to_owned(), tensor(&[0, 5], &[]));
    model
}

fn bytes_of(model: &ModelFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    header::encode(model, Path::new("m.safetensors")).expect("a sound model").write_to(&mut bytes).expect("memory");
    bytes
}

fn decoded(bytes: &[u8]) -> Result<ModelFile, ModelFileError> {
    decode(Path::new("m.safetensors"), bytes.len() as u64, bytes)
}

fn refusal(bytes: &[u8]) -> String {
    decoded(bytes).err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

#[test]
fn a_model_comes_back_and_other_programs_can_read_it() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("m.safetensors");
    let model = model();
    check_writable(&path)?;
    assert_eq!(fs::read_dir(folder.path())?.count(), 0, "the check leaves nothing behind");
    model.write(&path)?;
    model.write(&path)?;
    assert_eq!(fs::read_dir(folder.path())?.count(), 1, "the writing leaves nothing beside");
    assert_eq!(ModelFile::read_kind(&path, "classify")?, model);
    let bytes = fs::read(&path)?;
    assert_eq!(bytes, bytes_of(&model), "the same model gives the same bytes");
    let other = SafeTensors::deserialize(&bytes)?;
    assert_eq!(other.tensor("lstm.weight_ih_l0")?.shape(), [2, 3]);
    assert_eq!(other.tensor("bias")?.data(), [0.25f32.to_le_bytes(), 4.0f32.to_le_bytes()].concat());
    let vocabulary: Vec<String> = model.json(&path, "vocabulary")?;
    assert_eq!(vocabulary[2], "好");
    Ok(())
}

#[test]
fn every_cut_and_every_changed_byte_is_refused() {
    let whole = bytes_of(&model());
    assert!(decoded(&whole).is_ok());
    for length in 0..whole.len() {
        let message = refusal(&whole[..length]);
        assert!(message.starts_with("m.safetensors "), "cut to {length}: {message}");
    }
    for place in 0..whole.len() {
        for value in (0..=255u8).filter(|value| *value != whole[place]) {
            let mut changed = whole.clone();
            changed[place] = value;
            assert!(decoded(&changed).is_err(), "byte {place} changed to {value} was not seen");
        }
    }
    let mut longer = whole.clone();
    longer.push(0);
    let expected = format!("has {} bytes where {} were expected", whole.len() + 1, whole.len());
    assert!(refusal(&longer).contains(&expected), "{}", refusal(&longer));
}

/// A safetensors file with this header and this many bytes of data.
fn crafted(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn foreign_and_crafted_files_are_refused_with_a_sentence() {
    let ours = r#""__metadata__":{"lookback":"3","kind":"classify","checksum":"0"}"#;
    let tensor = |rest: &str| crafted(&format!("{{{ours},\"w\":{{{rest}}}}}"), 8);
    let cases = [
        ("empty", Vec::new(), "is not a Lookback model: it has 0 bytes, too few for a header"),
        ("text", b"not a model at all, but a text".to_vec(), "is not a Lookback model: it is a text"),
        (
            "huge header",
            [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(),
            "its header would have 18446744073709551615 bytes; at most 100000000 are allowed",
        ),
        (
            "large header",
            [99_000_000u64.to_le_bytes().as_slice(), b"{}"].concat(),
            "has 10 bytes where 99000008 were expected; it was cut",
        ),
        ("not UTF-8", [2u64.to_le_bytes().as_slice(), b"{\xFF"].concat(), "its header is not UTF-8"),
        ("not JSON", crafted("{nonsense", 0), "is not a Lookback model: its header is wrong"),
        ("deep JSON", crafted(&format!("{{\"a\":{}", "[".repeat(100_000)), 0), "its header is wrong"),
        (
            "another program's",
            crafted(r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8),
            "is a safetensors file, but not a Lookback model",
        ),
        (
            "PyTorch's",
            crafted(r#"{"__metadata__":{"format":"pt"}}"#, 0),
            "is a safetensors file, but not a Lookback model",
        ),
        (
            "a later version",
            crafted(r#"{"__metadata__":{"lookback":"9"}}"#, 0),
            "has format version \"9\"; this program reads version \"3\"",
        ),
        ("no kind", crafted(r#"{"__metadata__":{"lookback":"3"}}"#, 0), "its metadata have no entry \"kind\""),
        (
            "no checksum",
            crafted(r#"{"__metadata__":{"lookback":"3","kind":"x"}}"#, 0),
            "its metadata have no entry \"checksum\"",
        ),
        (
            "wrong type",
            tensor(r#""dtype":"F64","shape":[1],"data_offsets":[0,8]"#),
            "the tensor \"w\" holds F64; F32 was expected",
        ),
        ("wrong shape", tensor(r#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#), "its header is wrong"),
        ("a gap", tensor(r#""dtype":"F32","shape":[1],"data_offsets":[4,8]"#), "its header is wrong"),
        ("too little data", tensor(r#""dtype":"F32","shape":[4],"data_offsets":[0,16]"#), "bytes where"),
        (
            "overflow",
            tensor(r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]"#),
            "its header is wrong",
        ),
        (
            "offsets at the end of numbers",
            tensor(r#""dtype":"F32","shape":[2],"data_offsets":[18446744073709551607,18446744073709551615]"#),
            "its header is wrong",
        ),
        (
            "another layout",
            tensor(r#""shape":[2],"dtype":"F32","data_offsets":[0,8]"#),
            "is damaged: its header is not as Lookback writes it",
        ),
    ];
    for (case, bytes, expected) in cases {
        let message = refusal(&bytes);
        assert!(message.contains(expected), "{case}: {message}");
    }
}

#[test]
fn sums_of_offsets_do_not_overflow() {
    // Sixteen tensors of 2^60 bytes without data end at 2^64.
    let side = 1u64 << 58;
    let tensor = |n: u64| {
        let (start, end) = (n << 60, ((n + 1) << 60).wrapping_sub(u64::from(n == 15)));
        format!("\"t{n:02}\":{{\"dtype\":\"F32\",\"shape\":[{side}],\"data_offsets\":[{start},{end}]}}")
    };
    for count in [15, 16] {
        let tensors: Vec<String> = (0..count).map(tensor).collect();
        let ours = r#""__metadata__":{"lookback":"3","kind":"x","checksum":"0"}"#;
        assert!(decoded(&crafted(&format!("{{{ours},{}}}", tensors.join(",")), 0)).is_err());
    }
}

#[test]
fn entries_and_tensors_that_do_not_fit_are_told() -> Result<(), ModelFileError> {
    let file = Path::new("m.safetensors");
    let mut model = model();
    assert_eq!(model.take_tensor(file, "bias", &[2])?.data, [0.25, 4.0]);
    let messages = [
        model.take_tensor(file, "bias", &[2]).unwrap_err().to_string(),
        model.take_tensor(file, "scale", &[1]).unwrap_err().to_string(),
        model.json::<u8>(file, "training").unwrap_err().to_string(),
        model.json::<u8>(file, "vocabulary").unwrap_err().to_string(),
    ];
    let expected = [
        "m.safetensors: the tensor \"bias\" is missing; one of shape [2] was expected",
        "m.safetensors: the tensor \"scale\" has the shape []; [1] was expected",
        "m.safetensors: the entry \"training\" of the model cannot be used: it is missing",
        "m.safetensors: the entry \"vocabulary\" of the model cannot be used: found a list, expected a whole number, 0 or above at line 1 column 0",
    ];
    assert_eq!(messages, expected);
    let mut wrong = model.clone();
    wrong.tensors.insert("w".to_owned(), Tensor { shape: vec![2, 2], data: vec![0.0] });
    assert!(header::encode(&wrong, file).is_err_and(|error| error.to_string().contains("1 values")));
    for reserved in ["lookback", "kind", "checksum"] {
        let mut wrong = model.clone();
        wrong.metadata.insert(reserved.to_owned(), String::new());
        assert!(header::encode(&wrong, file).is_err(), "{reserved}");
    }
    Ok(())
}

#[test]
fn a_value_that_nothing_can_compute_with_is_refused_with_its_tensor() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("m.safetensors");
    for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf"), (-2e15, "-2e15")] {
        let mut model = model();
        model.tensors.get_mut("lstm.weight_ih_l0").expect("a tensor").data[4] = value;
        // As another program would write it.
        fs::write(&path, bytes_of(&model))?;
        let expected = format!(
            "the tensor \"lstm.weight_ih_l0\" has the value {name} at place 5; at most 1e15 either way was expected"
        );
        let read = ModelFile::read(&path).expect_err("no number").to_string();
        assert!(read.ends_with(&expected), "{read}");
        let written = model.write(&path).expect_err("no number").to_string();
        assert!(written.ends_with(&expected), "{written}");
    }
    Ok(())
}

/// The message of the check, which must be that of the writing too.
fn unwritable(path: &Path) -> String {
    let checked = check_writable(path).expect_err("the check refuses").to_string();
    assert_eq!(model().write(path).expect_err("the writing refuses").to_string(), checked);
    checked
}

#[test]
fn places_that_cannot_be_written_are_told_before_training() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "kept")?;
    let cases = [
        ("", "it is a directory"),
        ("absent/m.safetensors", "does not exist"),
        ("file/m.safetensors", "ot a directory"),
    ];
    for (name, expected) in cases {
        let message = unwritable(&path(name));
        assert!(message.contains(": cannot be written: ") && message.contains(expected), "{name}: {message}");
    }
    assert!(unwritable(Path::new("")).contains("the name of a file was expected"));
    assert_eq!(fs::read_dir(folder.path())?.count(), 1, "nothing is left behind");
    assert!(check_writable(&path("file")).is_ok());
    assert_eq!(fs::read_to_string(path("file"))?, "kept", "the check changes nothing");
    Ok(())
}

#[test]
fn reading_tells_what_stands_there_instead_of_a_model() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let message = |path: &Path| ModelFile::read(path).expect_err("no model").to_string();
    assert!(message(&folder.path().join("absent")).ends_with("absent: no such model file"));
    assert!(message(folder.path()).contains("is a directory; a model file was expected"));
    let path = folder.path().join("m.safetensors");
    model().write(&path).expect("a fresh folder");
    let kind = ModelFile::read_kind(&path, "tag").expect_err("another kind").to_string();
    assert!(kind.ends_with("is a model for \"classify\"; one for \"tag\" was expected"), "{kind}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_written_straight_and_a_full_one_is_told() {
    let full = Path::new("/dev/full");
    assert!(check_writable(full).is_ok());
    let message = model().write(full).expect_err("a full device").to_string();
    assert_eq!(message, "/dev/full: cannot be written: there is no space left on the device");
    assert!(model().write(Path::new("/dev/null")).is_ok());
    let read = ModelFile::read(Path::new("/dev/zero")).expect_err("a device").to_string();
    assert_eq!(read, "/dev/zero is a device or pipe; a model file was expected");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_permissions_kept() -> io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir()?;
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "old")?;
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640))?;
    symlink(&target, &link)?;
    model().write(&link).expect("through the link");
    assert!(fs::symlink_metadata(&link)?.is_symlink());
    assert_eq!(fs::metadata(&target)?.permissions().mode() & 0o777, 0o640);
    assert_eq!(ModelFile::read(&target).expect("the new model"), model());
    Ok(())
}

proptest! {
    #[test]
    fn any_model_comes_back(
        kind in "\\PC{0,9}", metadata in proptest::collection::btree_map("[a-z_]{1,6}\\PC{0,3}", "\\PC{0,40}", 0..5),
        tensors in proptest::collection::btree_map("[a-z.0-9]{1,12}", (0usize..4, 0usize..5, any::<u32>()), 0..5),
    ) {
        let tensor = |(rows, columns, seed): (usize, usize, u32)| Tensor {
            shape: vec![rows, columns],
            data: (0..rows * columns).map(|place| (seed.wrapping_mul(place as u32 + 1)) as f32 * 1e-3 - 7.0).collect(),
        };
        let metadata = metadata.into_iter().filter(|(key, _)| !["lookback", "kind", "checksum"].contains(&key.as_str()));
        let model = ModelFile {
            kind,
            metadata: metadata.collect(),
            tensors: tensors.into_iter().map(|(name, sizes)| (name, tensor(sizes))).collect(),
        };
        prop_assert_eq!(decoded(&bytes_of(&model)).expect("what was written"), model);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), header: bool) {
        let bytes = if header { [&(bytes.len() as u64).to_le_bytes(), &*bytes].concat() } else { bytes };
        prop_assert!(decoded(&bytes).is_err());
    }
}
