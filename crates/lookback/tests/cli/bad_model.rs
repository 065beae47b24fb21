//! Wrong model files and outputs.

use std::process::{Command, Stdio};

use crate::program::{Folder, lookback, sentences, text_model, text_model_path, train};

/// Every command that reads a model refuses this one.
#[track_caller]
fn refused(bytes: &[u8], parts: &[&str]) {
    let folder = Folder::new();
    let model = folder.write("model.safetensors", bytes);
    let data = folder.write("data.tsv", sentences());
    for arguments in [
        vec!["evaluate", &model, &data],
        vec!["predict", &model, &data],
        vec!["explain", &model, "hot soup"],
        vec!["inspect", &model],
    ] {
        let run = lookback(&arguments);
        assert_eq!(run.out, "", "{arguments:?}");
        run.refused(2, &[&["model.safetensors"], parts].concat());
    }
}

#[test]
fn cut_at_any_of_twenty_places() {
    let bytes = std::fs::read(text_model()).unwrap();
    let folder = Folder::new();
    for place in 0..20 {
        let model = folder.write("cut.safetensors", &bytes[..bytes.len() * place / 20]);
        lookback(&["inspect", &model]).refused(2, &["cut.safetensors"]);
    }
    let model = folder.write("cut.safetensors", &bytes[..bytes.len() - 1]);
    lookback(&["inspect", &model]).refused(2, &["cut.safetensors", "cut"]);
}

#[test]
fn one_byte_changed_anywhere() {
    let bytes = std::fs::read(text_model()).unwrap();
    let folder = Folder::new();
    for place in 0..20 {
        let mut changed = bytes.clone();
        changed[bytes.len() * place / 20] ^= 0x10;
        let model = folder.write("changed.safetensors", &changed);
        lookback(&["inspect", &model]).refused(2, &["changed.safetensors"]);
    }
}

#[test]
fn a_huge_header() {
    let mut bytes = u64::MAX.to_le_bytes().to_vec();
    bytes.extend_from_slice(b"{\"a\": 1}");
    refused(&bytes, &[]);
    let mut bytes = (90u64 << 20).to_le_bytes().to_vec();
    bytes.extend_from_slice(b"{\"a\": 1}");
    refused(&bytes, &[]);
}

#[test]
fn a_model_of_another_program() {
    let header = b"{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} ";
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&1.0f32.to_le_bytes());
    refused(&bytes, &["not a Lookback model"]);
}

#[test]
fn a_text_file_and_a_directory() {
    refused(b"label\ttext\nmusic\tplay a song, please\n", &[]);
    let folder = Folder::new();
    std::fs::create_dir(folder.path("model")).unwrap();
    lookback(&["inspect", &folder.path("model")]).refused(2, &["is a directory"]);
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_training() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let endless = ["--epochs", "1000000", "--patience", "0"];
    train(&data, &folder.path("no/such/folder/model"), &endless).refused(2, &["does not exist"]);
    std::fs::create_dir(folder.path("folder")).unwrap();
    train(&data, &folder.path("folder"), &endless).refused(2, &["is a directory"]);
    train(&data, &data, &endless).refused(2, &["data.tsv is read and cannot be the output"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_at_the_end_is_an_error() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    train(&data, "/dev/full", &["--epochs", "1"]).refused(1, &["/dev/full", "no space left"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_the_answers_is_an_error() {
    let folder = Folder::new();
    let input = folder.write("input.txt", "hot soup\n");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(["predict", text_model_path(), &input])
        .stdout(Stdio::from(full))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: No space left"), "{output:?}");
}
