//! Copying from the source and coverage, through the real program.

use std::fmt::Write as _;

use serde_json::Value;

use crate::program::{Folder, Run, json, lookback, lookback_with_input, without_lines};

/// A network small enough to train in a moment. A source's word that is now and then unknown is one that only copying gives.
const SMALL: [&str; 14] = [
    "--embedding",
    "16",
    "--hidden",
    "24",
    "--batch-size",
    "8",
    "--dropout",
    "0",
    "--word-dropout",
    "0.3",
    "--tokenizer",
    "words",
    "--target-tokenizer",
    "words",
];
const LEARN: [&str; 6] = ["--epochs", "25", "--learning-rate", "0.01", "--validation-split", "0"];

/// So many sentences, each with two names. `of`: whose names; no two give a name of the other's.
fn sentences(of: u32, count: usize) -> String {
    let mut state = 7 + of;
    let mut draw = |from: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % from
    };
    let mut name = || {
        let syllable = |draw: &mut dyn FnMut(usize) -> usize| {
            let (first, second) = (b"bdgklmnprt"[draw(10)], b"aeiou"[draw(5)]);
            format!("{}{}", first as char, second as char)
        };
        let begin = if of == 0 { 'V' } else { 'W' };
        (0..3).fold(String::from(begin), |name, _| name + &syllable(&mut draw))
    };
    let mut table = "source\ttarget\n".to_string();
    for number in 0..count {
        let (one, other) = (name(), name());
        let _ = match number % 3 {
            0 => writeln!(table, "{one} called {other} now\t{other} was called by {one}"),
            1 => writeln!(table, "Please ask {one}, not {other}!\tNot {other}, but {one}"),
            _ => writeln!(table, "{one} and {other} met\tA meeting of {other} with {one}"),
        };
    }
    table
}

fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&[&["train", "translate", data, "-o", output], SMALL.as_slice(), more].concat())
}

fn exact_match(model: &str, data: &str) -> f64 {
    json(&lookback(&["evaluate", model, data, "--json"]).ok())["exact_match"].as_f64().unwrap()
}

fn answers(model: &str, input: &str, more: &[&str]) -> Vec<Value> {
    lookback_with_input(&[&["predict", model], more].concat(), input).ok().lines().map(json).collect()
}

#[test]
fn names_that_nobody_has_seen_are_copied() {
    let folder = Folder::new();
    let (data, others) = (folder.write("data.tsv", sentences(0, 180)), folder.write("others.tsv", sentences(1, 60)));
    let (model, writing) = (folder.path("copying"), folder.path("writing"));
    train(&data, &model, &[&LEARN[..], &["--copy"]].concat()).ok();
    assert_eq!(exact_match(&model, &others), 1.0);
    // A network that writes has no way to say them.
    train(&data, &writing, &[&LEARN[..], &["--label-smoothing", "0", "--copy=false"]].concat()).ok();
    assert_eq!(exact_match(&writing, &others), 0.0);
    // Where nothing is said, names that stand on both sides are found out.
    let said = train(&data, &folder.path("found"), &["--epochs", "1", "--validation-split", "0"]).ok();
    assert!(lookback(&["inspect", &folder.path("found")]).ok().contains("copies from the source"), "{said}");

    let line = "Please ask Ada, not Grace!\n";
    let answer = &answers(&model, line, &["--n-best", "2"])[0];
    assert_eq!(answer["translation"], "Not Grace, but Ada");
    assert_eq!(answer["tokens"], serde_json::json!(["Not", "Grace", ",", "but", "Ada"]));
    assert_eq!(answer["scores"].as_array().unwrap().len(), 6);
    let explained = lookback(&["explain", &model, line.trim(), "--color", "never"]).ok();
    assert!(explained.starts_with("Not Grace, but Ada\n"), "{explained}");
    assert!(lookback(&["inspect", &model]).ok().contains("copies from the source"));

    // What is forbidden is not copied either; what is not known can be neither required nor begin.
    let without = answers(&model, line, &["--forbid", "Grace"])[0]["translation"].as_str().unwrap().to_owned();
    assert!(!without.contains("Grace"), "{without}");
    let refused = |more: &[&str], parts: &[&str]| {
        lookback_with_input(&[&["predict", &model], more].concat(), line).refused(2, parts);
    };
    refused(&["--forbid", "Grace Hopper"], &["--forbid", "one by one"]);
    refused(&["--require", "Grace"], &["--require", "Grace"]);
    assert!(
        answers(&model, line, &["--prefix", "A meeting"])[0]["translation"].as_str().unwrap().starts_with("A meeting")
    );

    // No answer depends on how many words of their own other sources have.
    let many = "Xa Xb Xc Xd Xe Xf Xg Xh Xi Xj called Xk now\n";
    let sampled = ["--sample", "--count", "3", "--top-k", "90", "--temperature", "2"];
    for more in [&[][..], &["--beam", "1"], &sampled, &["--sample", "--seed", "5"]] {
        let ask = |input: &str| lookback_with_input(&[&["predict", &model], more].concat(), input).ok();
        let (alone, together) = (ask(line), ask(&format!("{line}{many}")));
        let first = |text: &str| text.lines().next().unwrap().to_owned();
        assert_eq!(without_lines(&first(&alone)), without_lines(&first(&together)), "{more:?}");
    }
}

#[test]
fn decoders_that_copy_or_cover_are_trained_and_read_again_to_the_same_bytes() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences(0, 60));
    for (number, options) in [
        &["--copy", "--decoder", "bahdanau", "--cell", "gru"][..],
        &["--copy", "--coverage", "--decoder-attention", "additive", "--ensemble", "2"],
        &["--coverage", "--coverage-loss", "0.5", "--decoder-attention", "additive", "--decoder", "bahdanau"],
        &["--copy", "--coverage", "--decoder-attention", "additive", "--layers", "2", "--layer-dropout", "0.1"],
    ]
    .into_iter()
    .enumerate()
    {
        let (model, again) = (folder.path(&format!("{number}.model")), folder.path("again"));
        train(&data, &model, &[options, &["--epochs", "2"]].concat()).ok();
        let config = folder.write("options.toml", lookback(&["inspect", &model, "--config"]).ok());
        lookback(&["train", "translate", &data, "--config", &config, "-o", &again]).ok();
        assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap(), "{options:?}");
        let alone: String = ["Ada called Grace now\n", "Grace and Kay met\n"]
            .map(|line| lookback_with_input(&["predict", &model], line).ok())
            .concat();
        let together = lookback_with_input(&["predict", &model], "Ada called Grace now\nGrace and Kay met\n").ok();
        assert_eq!(without_lines(&together), without_lines(&alone), "{options:?}");
        let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
        assert!(judged["perplexity"].as_f64().is_some_and(|perplexity| perplexity >= 1.0), "{judged}");
        // It goes on from what it is.
        let on = ["train", "translate", &data, "--init", &model, "--epochs", "1", "-o", &again];
        lookback(&on).ok();
    }
}

#[test]
fn copying_that_cannot_be_is_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences(0, 30));
    for (options, parts) in [
        (&["--copy", "--label-smoothing", "0.1"][..], &["--label-smoothing", "--copy"][..]),
        (&["--coverage"], &["--coverage", "--decoder-attention additive", "general"]),
        (&["--coverage-loss", "1"], &["--coverage-loss", "--coverage"]),
        (&["--coverage", "--decoder-attention", "additive", "--coverage-loss", "-1"], &["--coverage-loss", "-1"]),
        (
            &["--copy", "--tokenizer", "words", "--target-tokenizer", "characters"],
            &["--copy", "sources are cut into words and targets into characters"],
        ),
        (&["--copy", "--tokenizer", "bpe", "--target-tokenizer", "bpe"], &["--copy", "--joint-subwords"]),
    ] {
        lookback(&[&["train", "translate", &data, "--hidden", "8", "--epochs", "1"], options].concat())
            .refused(2, parts);
    }
    // Nothing is said of how texts are cut, or pieces are learnt of both sides.
    for options in [&["--copy"][..], &["--copy", "--joint-subwords", "--subwords", "60"]] {
        let model = folder.path("model");
        let run = [&["train", "translate", &data, "--hidden", "8", "--epochs", "1", "-o", &model], options].concat();
        lookback(&run).ok();
        answers(&model, "Ada called Grace now\n", &[]);
    }
    // What a model has not learnt it does not have.
    let (model, other) = (folder.path("writing"), folder.path("other"));
    train(&data, &model, &["--epochs", "1", "--copy=false"]).ok();
    let on = ["train", "translate", &data, "--init", &model, "--copy", "--epochs", "1", "-o", &other];
    lookback(&on).refused(2, &["--init", "keeps it", "\"copy\":true"]);
}
