//! Memory in proportion to the input: files, rows, labels and options that would ask for far more than they hold.
//!
//! The program runs in an address space that is small beside what each case asked for before it was mended.

use serde_json::Value;

use crate::program::{Folder, Run, TINY, TINY_SERIES, lookback_within, sentences, train};

/// An address space, in MiB, in which every small run of the program finds room.
const ROOM: u64 = 700;

/// Trains on `data` in this address space; options follow.
fn train_within(mib: u64, data: &str, output: &str, network: &[&str], more: &[&str]) -> Run {
    lookback_within(mib, &[&["train", "classify", data, "-o", output], network, more].concat(), "")
}

#[test]
fn channels_of_unequal_lengths_are_refused_before_memory_is_taken_for_their_product() {
    let folder = Folder::new();
    let long = vec!["1"; 20_000].join(",");
    let file = format!("@univariate false\n@classLabel true x y\n@data\n{long}{}:x\n", ":1".repeat(20_000));
    let data = folder.write("bomb.ts", file);
    let run = train_within(ROOM, &data, &folder.path("model"), &TINY_SERIES, &[]);
    run.refused(2, &["bomb.ts, line 4: channel 2 has 1 value but channel 1 has 20000; as many expected"]);
}

#[test]
fn a_column_of_ids_is_told_as_one_and_not_learnt() {
    let folder = Folder::new();
    let mut table = "id,text\n".to_string();
    (0..100_000).for_each(|row| table.push_str(&format!("{row},it is number {}\n", row % 50)));
    let data = folder.write("ids.csv", table);
    let run = train_within(ROOM, &data, &folder.path("model"), &TINY, &["--label", "id", "--text", "text"]);
    let parts = ["ids.csv", "column \"id\" has 100000 different values in 100000 rows", "is it an id?", "--label"];
    run.refused(2, &parts);
}

#[test]
fn ten_thousand_labels_are_learnt_and_judged_without_a_table_of_their_square() {
    let folder = Folder::new();
    let mut table = "label,text\n".to_string();
    (0..20_000).for_each(|row| table.push_str(&format!("kind {},word{}\n", row % 10_000, row % 10_000)));
    let data = folder.write("labels.csv", table);
    let model = folder.path("model.safetensors");
    let options = ["--embedding", "4", "--hidden", "4", "--batch-size", "512", "--epochs", "1"];
    // The square of the labels would take 800 MB a time.
    train_within(ROOM, &data, &model, &options, &["--validation-split", "0.02"]).ok();
    let judged = lookback_within(ROOM, &["evaluate", &model, &data, "--json"], "").ok();
    let judged: Value = serde_json::from_str(&judged).unwrap();
    assert_eq!((judged["classes"].as_array().unwrap().len(), judged.get("confusion")), (10_000, None));
    let wrong: u64 = judged["confused"].as_array().unwrap().iter().map(|pair| pair["count"].as_u64().unwrap()).sum();
    assert_eq!(wrong, ((1.0 - judged["accuracy"].as_f64().unwrap()) * 20_000.0).round() as u64);
}

#[test]
fn an_answer_takes_no_views_unless_attention_is_asked_for() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--attention", "multi-head:4", "--max-length", "6000", "--epochs", "1"]).ok();
    // The views alone would be four tables of 6000 x 6000 numbers: 576 MB, and as much for their shares.
    let long = format!("{}\n", "hot soup ".repeat(3_000));
    let out = lookback_within(ROOM, &["predict", &model], &long).ok();
    assert_eq!(out.lines().count(), 1);
}
