//! Training on numeric series.

use std::path::Path;

use lookback_infer::model::Ask;
use serde_json::Value;

use crate::program::{Folder, TINY_SERIES, lookback, lookback_with_input, text_model_path, ts_series};

fn train(data: &str, output: &str, more: &[&str]) -> crate::program::Run {
    lookback(&[&["train", "classify", data, "-o", output], TINY_SERIES.as_slice(), more].concat())
}

#[test]
fn a_ts_file_is_learnt_evaluated_answered_and_explained() {
    let folder = Folder::new();
    let data = folder.write("slopes.ts", ts_series());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--epochs", "30", "--learning-rate", "0.02"]).ok();
    let json: Value = serde_json::from_str(&lookback(&["evaluate", &model, &data, "--json"]).ok()).unwrap();
    assert!(json["accuracy"].as_f64().unwrap() > 0.95, "{json}");

    let answered = lookback(&["predict", &model, &data, "--attention"]).ok();
    assert_eq!(answered.lines().count(), 60);
    let first: Value = serde_json::from_str(answered.lines().next().unwrap()).unwrap();
    assert_eq!(first["label"], "up");
    assert_eq!(first["weights"].as_array().unwrap().len(), 3);

    let line = "[[0.0, 1.0], [0.5, 1.5], [1.0, 2.0], [1.5, 2.5]]";
    let streamed = lookback_with_input(&["predict", &model], &format!("{line}\n\n")).ok();
    assert_eq!(streamed.lines().count(), 2, "an empty series is answered, too");
    assert!(streamed.starts_with("{\"line\":1,\"label\":\"up\""), "{streamed}");
    assert!(lookback(&["explain", &model, line]).ok().contains("step 4"));
    assert!(lookback(&["inspect", &model]).ok().contains("numeric series of 2 channels"));
}

#[test]
fn a_csv_with_one_row_a_step_is_learnt() {
    let folder = Folder::new();
    let mut table = "id,label,a,b\n".to_string();
    for case in 0..40 {
        let slope = if case % 2 == 0 { 1.0 } else { -1.0 };
        let label = if case % 2 == 0 { "up" } else { "down" };
        for step in 0..4 + case % 3 {
            table.push_str(&format!("{case},{label},{},{}\n", slope * f64::from(step), 0.1 * f64::from(case)));
        }
    }
    let data = folder.write("long.csv", table);
    let model = folder.path("model.safetensors");
    train(
        &data,
        &model,
        &["--format", "csv-long", "--id", "id", "--label", "label", "--epochs", "30", "--learning-rate", "0.02"],
    )
    .ok();
    let json: Value = serde_json::from_str(&lookback(&["evaluate", &model, &data, "--json"]).ok()).unwrap();
    assert!(json["accuracy"].as_f64().unwrap() > 0.95, "{json}");
    assert_eq!(lookback(&["predict", &model, &data, "--format", "csv-long"]).ok().lines().count(), 40);
}

#[test]
fn nan_in_a_series_is_refused_with_its_place() {
    let folder = Folder::new();
    let data = folder.write("nan.ts", ts_series().replacen("0.500", "NaN", 1));
    train(&data, &folder.path("model"), &[]).refused(2, &["nan.ts", "line 9", "NaN"]);
    assert!(!folder.holds("model"));
}

#[test]
fn a_wrong_number_of_channels_is_refused() {
    let folder = Folder::new();
    let data = folder.write("slopes.ts", ts_series());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--epochs", "1"]).ok();
    lookback(&["explain", &model, "[[1.0, 2.0, 3.0]]"]).refused(2, &["line 1", "3 channels", "has 2"]);
    lookback(&["explain", &model, "[[1.0, 1e99]]"]).refused(2, &["line 1", "channel 2"]);
    lookback(&["explain", &model, "up and down"]).refused(2, &["line 1", "JSON array of steps"]);
    let wide = folder.write("wide.ts", "@classLabel true up down\n@data\n1,2:1,2:1,2:up\n");
    lookback(&["evaluate", &model, &wide]).refused(2, &["wide.ts, line 3", "3 channels"]);
}

#[test]
fn columns_are_refused_where_there_are_none() {
    let folder = Folder::new();
    let data = folder.write("slopes.ts", ts_series());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--epochs", "1"]).ok();
    for option in ["--id", "--time", "--label"] {
        lookback(&["evaluate", &model, &data, option, "a"]).refused(2, &[option, "these series have none"]);
    }
    let lines = folder.write("lines.txt", "[[1.0, 2.0]]\n");
    lookback(&["predict", &model, &lines, "--id", "a"]).refused(2, &["--id", "these series have none"]);
    lookback(&["predict", text_model_path(), &data]).refused(2, &["--format is ts, but the model reads texts"]);
}

#[test]
fn what_another_model_has_made_of_an_input_is_refused() {
    let folder = Folder::new();
    let data = folder.write("slopes.ts", ts_series());
    let path = folder.path("model.safetensors");
    train(&data, &path, &["--epochs", "1"]).ok();
    let load = |path: &str| lookback_infer::load(Path::new(path)).unwrap();
    let (series, text, again) = (load(&path), load(text_model_path()), load(text_model_path()));
    let example = text.input().encode_line("play a song", Path::new("here"), 1).unwrap();
    for other in [&series, &again] {
        let refused = other.answer(&[&example], &Ask::default()).unwrap_err().to_string();
        assert_eq!(refused, "an example was made by the input of another model");
    }
    assert_eq!(text.answer(&[&example], &Ask::default()).unwrap().len(), 1);
}

#[test]
fn options_of_texts_are_refused_for_series() {
    let folder = Folder::new();
    let data = folder.write("slopes.ts", ts_series());
    train(&data, &folder.path("model"), &["--tokenizer", "words"]).refused(2, &["tokenizer is for texts"]);
    train(&data, &folder.path("model"), &["--char-ngrams", "1-3"]).refused(2, &["char-ngrams is for texts"]);
    train(&data, &folder.path("model"), &["--linear-words", "1"]).refused(2, &["linear-words is for texts"]);
    train(&data, &folder.path("model"), &["--label", "kind"]).refused(2, &["label", ".ts file"]);
}
