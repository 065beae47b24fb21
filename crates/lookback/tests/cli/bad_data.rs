//! Wrong data files: refused with the file, the line and what was expected.

use crate::program::{Folder, lookback, sentences, train};

/// Trains on a file with this content and hands back how it was refused.
#[track_caller]
fn refused(content: impl AsRef<[u8]>, parts: &[&str]) {
    let folder = Folder::new();
    let data = folder.write("data.tsv", content);
    train(&data, &folder.path("model"), &[]).refused(2, &[&["data.tsv"], parts].concat());
    assert_eq!(folder.names(), ["data.tsv"], "nothing is written");
}

#[test]
fn no_such_file() {
    let folder = Folder::new();
    train(&folder.path("nowhere.tsv"), &folder.path("model"), &[]).refused(2, &["nowhere.tsv: no such file"]);
    lookback(&["evaluate", &folder.path("nowhere"), "x.tsv"]).refused(2, &["nowhere: no such model file"]);
}

#[test]
fn a_directory() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("data.tsv")).unwrap();
    train(&folder.path("data.tsv"), &folder.path("model"), &[]).refused(2, &["data.tsv is a directory"]);
}

#[test]
fn an_empty_file() {
    refused("", &["is empty"]);
}

#[test]
fn a_header_and_nothing_else() {
    refused("label\ttext\n", &["holds no examples"]);
}

#[test]
fn not_utf8_names_the_line() {
    let mut bytes = sentences().into_bytes();
    let third = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    bytes.insert(third, 0xFF);
    let folder = Folder::new();
    let data = folder.write("data.tsv", bytes);
    train(&data, &folder.path("model"), &["--encoding", "utf-8"]).refused(2, &["line 3", "0xFF", "UTF-8"]);
    train(&data, &folder.path("model"), &["--encoding", "klingon"]).refused(2, &["\"klingon\" is no encoding"]);
}

#[test]
fn a_missing_column_lists_those_present() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    train(&data, &folder.path("model"), &["--text", "sentence"])
        .refused(2, &["no column \"sentence\"", "\"label\", \"text\""]);
    train(&data, &folder.path("model"), &["--label", "7"]).refused(2, &["no column 7", "2 columns"]);
}

#[test]
fn an_empty_label() {
    refused(format!("{}\tno label here\n", sentences()), &["line 92", "the label is empty"]);
}

#[test]
fn an_empty_text() {
    refused(format!("{}music\t  \n", sentences()), &["line 92", "the text is empty"]);
}

#[test]
fn one_class_only() {
    refused("label\ttext\na\tone\na\ttwo\na\tthree\n", &["every example has the label \"a\"", "at least two"]);
}

#[test]
fn too_many_fields_names_the_line() {
    refused(format!("{}music\tplay\ta song\n", sentences()), &["line 92", "3 fields", "2 expected"]);
}

#[test]
fn a_validation_label_never_trained() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let validation = folder.write("valid.tsv", "label\ttext\nmusic\tplay\nsport\trun\n");
    train(&data, &folder.path("model"), &["--validation", &validation])
        .refused(2, &["valid.tsv, line 3", "\"sport\" was never trained", "\"food\""]);
}

#[test]
fn an_evaluation_label_never_trained() {
    let folder = Folder::new();
    let data = folder.write("test.tsv", "label\ttext\nsport\trun\n");
    let run = lookback(&["evaluate", crate::program::text_model_path(), &data]);
    assert!(run.err.contains("test.tsv: 1 row with labels that were never trained count as wrong: \"sport\" (1)"));
    let judged = run.ok();
    // Nothing has a loss, so that none is told.
    assert!(
        judged.contains("accuracy            0.00 %") && judged.contains("sport") && !judged.contains("loss"),
        "{judged}"
    );
}

#[test]
fn an_unknown_format() {
    let folder = Folder::new();
    let data = folder.write("data.xyz", sentences());
    train(&data, &folder.path("model"), &[]).refused(2, &["data.xyz", "format"]);
    train(&data, &folder.path("model"), &["--format", "tsv", "--epochs", "1"]).ok();
}
