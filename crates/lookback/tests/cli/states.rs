//! `inspect MODEL INPUT`: what gates and states did, through the real program.

use std::fs;

use serde_json::Value;

use crate::program::{Folder, lookback, sentences, train};

fn shown(arguments: &[&str]) -> Value {
    let printed = lookback(&[&["inspect"], arguments, &["--json", "-"]].concat()).ok();
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    let row = |row: &Value| row.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    value.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn gates_and_states_of_every_layer_and_direction_are_shown() {
    let folder = Folder::new();
    let data = folder.write("train.tsv", sentences());
    for (cell, gates) in [("lstm", &["input", "forget", "output"][..]), ("gru", &["reset", "update"]), ("rnn", &[])] {
        let model = folder.path(&format!("{cell}.safetensors"));
        train(&data, &model, &["--cell", cell, "--layers", "2", "--epochs", "1"]).ok();
        let found = shown(&[&model, "please play a song"]);
        let layers = found["layers"].as_array().unwrap();
        let names: Vec<&str> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["layer 1, forward", "layer 1, backward", "layer 2, forward", "layer 2, backward"], "{cell}");
        for layer in layers {
            let own: Vec<&str> =
                layer["gates"].as_array().unwrap().iter().map(|gate| gate["name"].as_str().unwrap()).collect();
            assert_eq!(own, gates);
            assert_eq!(layer["steps"], serde_json::json!(["please", "play", "a", "song"]));
            let hidden = rows(&layer["values"]["hidden state"]);
            let units = layer["units"].as_u64().unwrap() as usize;
            assert!(hidden.len() == units && hidden.iter().all(|row| row.len() == 4), "{cell}");
            // h = o tanh(c), at every unit and step.
            if cell == "lstm" {
                let (cells, output) = (rows(&layer["values"]["cell state"]), rows(&layer["values"]["output gate"]));
                for unit in 0..units {
                    for step in 0..4 {
                        let expected = output[unit][step] * cells[unit][step].tanh();
                        assert!((hidden[unit][step] - expected).abs() < 1e-6, "unit {unit}, step {step}");
                    }
                }
                let forget = rows(&layer["values"]["forget gate"]);
                let mean: f64 = forget[0].iter().map(|gate| gate.ln()).sum::<f64>() / 4.0;
                let half_life = layer["half_lives"][0].as_f64().unwrap();
                assert!((half_life + std::f64::consts::LN_2 / mean).abs() < 1e-3 * half_life, "{half_life}");
            }
            let growth = layer["growth"].as_array().unwrap();
            let spans: Vec<u64> = growth.iter().map(|pair| pair[0].as_u64().unwrap()).collect();
            assert_eq!(spans, [1, 2, 4]);
            // No product is larger than the product of the largest of each step, and of a plain RNN none than the weights'.
            let largest = layer["matrices"][0]["largest"].as_f64().unwrap();
            let one = growth[0][1].as_f64().unwrap();
            assert!(cell != "rnn" || one <= largest * (1.0 + 1e-6), "{one} of {largest}");
        }
        // A backward layer's first step is the last token: without it, what it makes of the others is another.
        let cut = shown(&[&model, "please play a"]);
        let of = |found: &Value, layer: usize| rows(&found["layers"][layer]["values"]["hidden state"])[0].clone();
        assert!((of(&found, 0)[2] - of(&cut, 0)[2]).abs() < 1e-9, "{cell}, forward");
        assert!((of(&found, 1)[2] - of(&cut, 1)[2]).abs() > 1e-9, "{cell}, backward");
        let told = lookback(&["inspect", &model, "please play a song"]).ok();
        assert!(told.contains("layer 2, backward: ") && told.contains("spectral radius"), "{told}");
    }
}

#[test]
fn the_states_are_those_of_the_network_that_answers() {
    let folder = Folder::new();
    let lines = folder.write("lines.txt", "the old miller sings\nthe young miller sleeps\n".repeat(30));
    let model = folder.path("model.safetensors");
    let learn = ["--epochs", "1", "--hidden", "8", "--layers", "1", "--validation-split", "0", "--quiet"];
    lookback(&[&["train", "generate", &lines, "-o", &model], &learn[..]].concat()).ok();
    let state = folder.path("state.safetensors");
    let input = folder.write("input.txt", "the old");
    lookback(&["predict", &model, &input, "--score", "--state-out", &state]).ok();
    let found = shown(&[&model, "the old"]);
    assert_eq!(found["layers"][0]["steps"][0], "<start>");
    let bytes = fs::read(&state).unwrap();
    let kept = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let hidden = rows(&found["layers"][0]["values"]["hidden state"]);
    let last: Vec<f32> = hidden.iter().map(|row| row[row.len() - 1] as f32).collect();
    let before: Vec<f32> = hidden.iter().map(|row| row[row.len() - 2] as f32).collect();
    let close = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    let is_there = kept.tensors().into_iter().any(|(_, tensor)| {
        let numbers = tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
        let numbers: Vec<f32> = numbers.collect();
        // The last token that was read may still be to come.
        close(&numbers, &last) || close(&numbers, &before)
    });
    assert!(is_there, "{last:?} in none of {:?}", kept.names());
}

#[test]
fn every_task_shows_its_states_and_what_cannot_be_shown_is_refused() {
    let folder = Folder::new();
    let train = |task: &str, data: &str, more: &[&str]| {
        let model = folder.path(&format!("{task}{}.safetensors", more.len()));
        let learn = ["train", task, data, "-o", &model, "--epochs", "1", "--hidden", "8", "--quiet"];
        lookback(&[&learn[..], more].concat()).ok();
        model
    };
    let tagged = folder.write("tagged.txt", "Ann/PER sees/O Rome/LOC\nBob/PER sees/O Paris/LOC\n".repeat(20));
    let tagger = train("tag", &tagged, &["--validation-split", "0"]);
    assert_eq!(shown(&[&tagger, "Ann sees Rome"])["layers"].as_array().unwrap().len(), 2);
    let pairs = folder.write("pairs.tsv", format!("source\ttarget\n{}", "a b\tb a\nb c\tc b\n".repeat(20)));
    let translator = train("translate", &pairs, &["--validation-split", "0", "--ensemble", "2"]);
    let found = shown(&[&translator, "a b"]);
    assert_eq!(found["layers"][2]["name"], "network 2, layer 1, forward");
    let table: String = (0..80).map(|at| format!("{at},{}\n", (at % 7) as f32 + 1.5)).collect();
    let numbers = folder.write("numbers.csv", format!("time,y\n{table}"));
    let forecaster = train("forecast", &numbers, &["--time", "time", "--target", "y", "--horizon", "2"]);
    let series = shown(&[&forecaster, "--data", &numbers]);
    let steps = series["layers"][0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap(), "79");
    let html = folder.path("page.html");
    lookback(&["inspect", &tagger, "Ann sees Rome", "--html", &html]).ok();
    let page = fs::read_to_string(&html).unwrap();
    assert!(page.contains("layer 1, forward: forget gate") && page.len() < 1_000_000);
    let refused: [(&[&str], &[&str]); 6] = [
        (&[&tagger, "--html", "x.html"], &["--html", "of an input"]),
        (&[&tagger, ""], &["no gates", "no token"]),
        (&[&tagger, "Ann", "--condition", "x"], &["--condition"]),
        (&[&tagger, "--data", &numbers], &["--data", "forecast"]),
        (&[&tagger, "Ann", "--config"], &["--config"]),
        (&[&tagger, "Ann", "--html", "no/such/folder/x.html"], &["--html", "x.html"]),
    ];
    for (arguments, parts) in refused {
        lookback(&[&["inspect"], arguments].concat()).refused(2, parts);
    }
}
