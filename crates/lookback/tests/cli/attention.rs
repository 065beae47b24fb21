//! Attention between the recurrent layers and the pooling, through the real program.

use serde_json::Value;

use crate::program::{Folder, lookback, lookback_with_input, sentences, train};

/// Form, and the columns that `explain` shows beside the token.
const FORMS: [(&str, &[&str]); 7] = [
    ("additive", &["pooling", "self-attention"]),
    ("dot", &["pooling", "self-attention"]),
    ("general", &["pooling", "self-attention"]),
    ("scaled-dot", &["pooling", "self-attention"]),
    ("self", &["pooling", "self-attention"]),
    ("multi-head:2", &["pooling", "head 1", "head 2"]),
    ("structured:3", &["mean", "hop 1", "hop 2", "hop 3"]),
];

#[test]
fn every_form_is_trained_saved_loaded_and_explained() {
    let folder = Folder::new();
    let data = folder.write("train.tsv", sentences());
    for (form, columns) in FORMS {
        let model = folder.path("model.safetensors");
        train(&data, &model, &["--attention", form, "--epochs", "12", "--learning-rate", "0.02"]).ok();
        let summary = lookback(&["inspect", &model]).ok();
        assert!(summary.contains(&format!("attention {form}")), "{form}:\n{summary}");
        let judged: Value = serde_json::from_str(&lookback(&["evaluate", &model, &data, "--json"]).ok()).unwrap();
        assert!(judged["accuracy"].as_f64().unwrap() > 0.9, "{form}: {}", judged["accuracy"]);
        let explained = lookback(&["explain", &model, "please play a song", "--color", "never"]).ok();
        let header = explained.lines().find(|line| line.starts_with("token")).unwrap_or_else(|| panic!("{explained}"));
        for column in columns {
            assert!(header.contains(column), "{form}: {header}");
        }
        let answer = lookback_with_input(&["predict", &model, "--attention"], "please play a song\n").ok();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let tokens = answer["pieces"].as_array().unwrap().len();
        for (view, rows) in answer["views"].as_object().unwrap() {
            let rows = rows.as_array().unwrap();
            assert_eq!(rows.len(), if form.starts_with("structured") { 1 } else { tokens }, "{form}, {view}");
            for row in rows {
                let weights: Vec<f64> = row.as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).collect();
                assert_eq!(weights.len(), tokens);
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{form}, {view}: {weights:?}");
            }
        }
    }
}

#[test]
fn forms_that_do_not_fit_are_refused_by_name() {
    let folder = Folder::new();
    let data = folder.write("train.tsv", sentences());
    let model = folder.path("model.safetensors");
    let refused = |options: &[&str], parts: &[&str]| train(&data, &model, options).refused(2, parts);
    refused(&["--attention", "cosine"], &["attention 'cosine' is unknown", "multi-head:N"]);
    refused(&["--attention", "multi-head:3"], &["16 outputs", "do not divide into 3 heads"]);
    refused(&["--attention", "structured:0"], &["structured:0", "from 1 to"]);
    refused(&["--attention", "structured:2", "--pooling", "max"], &["pools by itself"]);
    refused(&["--attention", "self", "--pooling", "last"], &["pooling last", "left unused"]);
    refused(&["--attention", "dot", "--pooling", "query"], &["pooling query", "twice as wide"]);
    assert!(!folder.holds("model.safetensors"));
}
