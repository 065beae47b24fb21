//! `gradcheck` through the real program.

use serde_json::Value;

use crate::program::{Folder, lookback, sentences, train};

#[test]
fn all_gradients_pass_and_a_bound_that_none_can_keep_fails() {
    let told = lookback(&["gradcheck"]).ok();
    for part in ["LSTM with peepholes", "general attention", "conditional random field", "weight_hh_reverse"] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    let found: Value =
        serde_json::from_str(&lookback(&["gradcheck", "--cell", "gru", "--crf", "--json"]).ok()).unwrap();
    let checked = found["checked"].as_array().unwrap();
    assert!(checked.iter().all(|one| one["error"].as_f64().unwrap() < 1e-6));
    assert_eq!(checked[0]["subject"], "GRU");
    assert_eq!(checked.last().unwrap()["argument"], "end");
    let run = lookback(&["gradcheck", "--score", "additive", "--bound", "1e-16"]);
    assert!(run.out.contains("additive attention"), "{}", run.out);
    run.refused(1, &["off by more than 1e-16", "additive attention"]);
    lookback(&["gradcheck", "--bound", "0"]).refused(2, &["--bound"]);
}

#[test]
fn the_layers_of_a_model_are_checked_with_its_own_weights() {
    let folder = Folder::new();
    let data = folder.write("train.tsv", sentences());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--cell", "gru", "--epochs", "1"]).ok();
    let told = lookback(&["gradcheck", &model]).ok();
    assert!(told.contains("encoder.recurrent_l0_reverse, GRU") && told.contains("weight_ih"), "{told}");
    let flat = folder.path("flat.safetensors");
    lookback(&["train", "classify", &data, "-o", &flat, "--quality", "fast", "--epochs", "1"]).ok();
    lookback(&["gradcheck", &flat]).refused(2, &["no recurrent layers"]);
    lookback(&["gradcheck", &model, "--cell", "lstm"]).refused(2, &["--cell"]);
    lookback(&["gradcheck", &data]).refused(2, &["train.tsv"]);
}
