//! Hard monotonic attention, through the real program.

use std::fmt::Write as _;

use serde_json::Value;

use crate::program::{Folder, json, lookback, lookback_with_input, without_lines};

/// A network small enough to train in a moment.
const TINY: [&str; 14] = [
    "--decoder",
    "hard-monotonic",
    "--embedding",
    "16",
    "--hidden",
    "24",
    "--batch-size",
    "8",
    "--dropout",
    "0",
    "--tokenizer",
    "characters",
    "--target-tokenizer",
    "characters",
];
const LEARN: [&str; 6] = ["--epochs", "20", "--learning-rate", "0.01", "--patience", "0"];

/// Words in capitals, with every `e` left out and every `o` twice. No letter is one of the two before it, so that none comes
/// three times: how often would have to be counted.
fn capitals(words: usize, seed: u32) -> String {
    let mut table = "source\ttarget\n".to_string();
    let mut state = seed;
    for _ in 0..words {
        let mut draw = |from: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % from
        };
        let count = 2 + draw(7);
        let mut source = "k".to_owned();
        for _ in 0..count {
            let before = &source[source.len().saturating_sub(2)..];
            let others: Vec<char> = "abceknop".chars().filter(|&letter| !before.contains(letter)).collect();
            let next = others[draw(others.len())];
            source.push(next);
        }
        let target = source.replace('e', "").replace('o', "oo").to_uppercase();
        let _ = writeln!(table, "{source}\t{target}");
    }
    table
}

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "translate", data, "-o", output], TINY.as_slice(), more].concat()
}

fn answers(model: &str, input: &str, more: &[&str]) -> Vec<Value> {
    lookback_with_input(&[&["predict", model], more].concat(), input).ok().lines().map(json).collect()
}

#[test]
fn letters_left_out_and_doubled_are_all_learnt_and_aligned() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", capitals(800, 3));
    let unseen = folder.write("unseen.tsv", capitals(300, 4));
    let model = folder.path("model.safetensors");
    lookback(&arguments(&data, &model, &LEARN)).ok();
    let judged = json(&lookback(&["evaluate", &model, &unseen, "--json", "--beam", "1"]).ok());
    assert_eq!(judged["exact_match"], 1.0, "{judged}");
    assert!(judged["perplexity"].as_f64().unwrap() < 1.05, "{judged}");
    let inspected = lookback(&["inspect", &model]).ok();
    assert!(inspected.contains("hard monotonic attention"), "{inspected}");

    let answered = &answers(&model, "kabeop\n", &["--alignment", "--beam", "1"])[0];
    assert_eq!(answered["translation"], "KABOOP");
    let looked = answered["views"]["alignment"].as_array().unwrap();
    assert_eq!(looked.len(), 7, "a row per token and one for the end");
    let mut most = Vec::new();
    for row in looked {
        let row: Vec<f64> = row.as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).collect();
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-4 && row.len() == 6, "{row:?}");
        most.push((0..6).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap());
    }
    assert!(most.is_sorted(), "positions went back: {most:?}");
    let explained = lookback(&["explain", &model, "kabeop", "--color", "never"]).ok();
    assert!(explained.starts_with("KABOOP\n") && explained.contains("  kabeop\n"), "{explained}");

    // None depends on what it was answered with, and of nothing there is nothing to say.
    let lines = ["kabeop", "", "k", "kopecknop"];
    let alone: String =
        lines.iter().map(|line| lookback_with_input(&["predict", &model], &format!("{line}\n")).ok()).collect();
    let together = lookback_with_input(&["predict", &model], &format!("{}\n", lines.join("\n"))).ok();
    assert_eq!(without_lines(&together), without_lines(&alone));
    let one = |more: &[&str]| answers(&model, "kabeop\n", more)[0]["translation"].as_str().unwrap().to_owned();
    assert!(one(&["--prefix", "KP"]).starts_with("KP"));
    assert!(!one(&["--forbid", "OO"]).contains("OO"));
    assert!(one(&["--require", "N"]).contains('N'));
    // Every hypothesis keeps what each position says of each token.
    let run = lookback_with_input(&["predict", &model, "--beam", "9000", "--max-memory", "8"], "kopeck\n");
    assert!(run.code == 3 && run.out.contains("--max-memory"), "{}{}", run.out, run.err);
}

#[test]
fn it_is_trained_and_read_again_to_the_same_bytes_and_goes_on_from_a_model() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", capitals(120, 5));
    for (number, options) in [
        &["--cell", "gru", "--layers", "2", "--bridge", "copy", "--layer-dropout", "0.1"][..],
        &[
            "--cell",
            "rnn",
            "--decoder-layers",
            "2",
            "--bridge",
            "zero",
            "--target-word-dropout",
            "0.1",
            "--output-dropout",
            "0.2",
        ],
        &["--target-embedding", "48", "--tie-embeddings", "--ensemble", "2", "--label-smoothing", "0"],
    ]
    .into_iter()
    .enumerate()
    {
        let (model, again) = (folder.path(&format!("{number}.model")), folder.path("again"));
        lookback(&arguments(&data, &model, &[options, &["--epochs", "2"]].concat())).ok();
        let config = folder.write("options.toml", lookback(&["inspect", &model, "--config"]).ok());
        lookback(&["train", "translate", &data, "--config", &config, "-o", &again]).ok();
        assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap(), "{options:?}");
        answers(&model, "kabeop\n", &["--n-best", "2"]);
    }

    let (first, grown) = (folder.path("0.model"), folder.path("grown"));
    let more = folder.write("more.tsv", format!("{}{}", capitals(120, 5), "axa\tAXA\n".repeat(12)));
    let on = ["--init", &first, "--extend", "--epochs", "2"];
    lookback(&[&["train", "translate", &more, "-o", &grown], &on[..]].concat()).ok();
    assert_eq!(answers(&grown, "axa\n", &[]).len(), 1);
}

#[test]
fn what_does_not_go_with_it_is_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", capitals(30, 6));
    let output = folder.path("none");
    for (options, parts) in [
        (&["--decoder-attention", "additive"][..], &["--decoder-attention", "hard-monotonic", "general"][..]),
        (&["--decoder-attention", "dot", "--decoder-hidden", "48"], &["--decoder-attention", "general"]),
        (&["--label-smoothing", "0.1"], &["--label-smoothing", "hard-monotonic"]),
        (&["--copy"], &["--copy", "hard-monotonic"]),
        (&["--coverage", "--decoder-attention", "general"], &["--coverage"]),
        (&["--scheduled-sampling", "0.2"], &["--scheduled-sampling", "hard-monotonic"]),
        (&["--shortlist", "20"], &["--shortlist", "hard-monotonic"]),
        (&["--tie-embeddings"], &["--tie-embeddings", "--target-embedding"]),
    ] {
        lookback(&arguments(&data, &output, options)).refused(2, parts);
    }
    assert!(std::fs::metadata(&output).is_err(), "something was written");
}
