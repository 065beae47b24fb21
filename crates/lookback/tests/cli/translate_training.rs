//! How translators are trained, through the real program: what is in a batch, and what a step reads.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::program::{Folder, lookback, lookback_with_input, without_lines};
use crate::translate::{answers, pairs};

const TINY: [&str; 12] = [
    "--embedding",
    "16",
    "--hidden",
    "24",
    "--dropout",
    "0.1",
    "--label-smoothing",
    "0",
    "--tokenizer",
    "words",
    "--target-tokenizer",
    "words",
];

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "translate", data, "-o", output], TINY.as_slice(), more].concat()
}

fn bytes(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Kills a training once it has left a checkpoint, and goes on with it.
fn stopped_and_resumed(folder: &Folder, data: &str, output: &str, more: &[&str]) {
    let options = [more, &["--checkpoint-every", "3steps"]].concat();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(arguments(data, output, &options))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = format!("{output}.checkpoint");
    while std::fs::metadata(&checkpoint).is_err() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait().unwrap();
    if folder.holds(checkpoint.rsplit('/').next().unwrap()) {
        lookback(&arguments(data, output, &[&options[..], &["--resume"]].concat())).ok();
    }
}

#[test]
fn a_batch_bounded_by_tokens_or_a_decoder_that_reads_its_own_trains_the_same_again_and_after_a_stop() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let cases: [&[&str]; 4] = [
        &["--batch-tokens", "90", "--epochs", "4"],
        &["--scheduled-sampling", "0.5", "--epochs", "4", "--batch-size", "8"],
        &[
            "--scheduled-sampling",
            "1",
            "--sampling-schedule",
            "inverse-sigmoid",
            "--batch-tokens",
            "60",
            "--epochs",
            "3",
            "--ensemble",
            "2",
        ],
        &["--decoder-layers", "2", "--layer-dropout", "0.3", "--decoder", "bahdanau", "--epochs", "3"],
    ];
    let mut others = Vec::new();
    for (number, options) in cases.into_iter().enumerate() {
        let (model, again) = (folder.path(&format!("{number}.model")), folder.path(&format!("{number}.again")));
        lookback(&arguments(&data, &model, options)).ok();
        let config = folder.write("options.toml", lookback(&["inspect", &model, "--config"]).ok());
        lookback(&["train", "translate", &data, "--config", &config, "-o", &again]).ok();
        assert!(bytes(&model) == bytes(&again), "{options:?}");
        let stopped = folder.path(&format!("{number}.stopped"));
        stopped_and_resumed(&folder, &data, &stopped, options);
        assert!(bytes(&model) == bytes(&stopped), "{options:?} after a stop");
        others.push(bytes(&model));
    }
    assert!(others.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn what_is_sampled_changes_what_is_learnt_and_it_is_learnt_all_the_same() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let learn = ["--epochs", "25", "--learning-rate", "0.01", "--batch-tokens", "120"];
    let [plain, sampled] = [&[][..], &["--scheduled-sampling", "0.3"]].map(|more: &[&str]| {
        let model = folder.path(if more.is_empty() { "plain" } else { "sampled" });
        lookback(&arguments(&data, &model, &[&learn[..], more].concat())).ok();
        assert_eq!(answers(&model, "good old fish\n", &[])[0]["translation"], "Fisch alt gut");
        model
    });
    assert!(bytes(&plain) != bytes(&sampled));
    // A model that a training begins with says nothing of how it is trained on.
    let on = folder.path("on");
    lookback(&["train", "translate", &data, "-o", &on, "--init", &sampled, "--epochs", "1"]).ok();
    let config = lookback(&["inspect", &on, "--config"]).ok();
    assert!(!config.contains("sampling") && !config.contains("batch-tokens"), "{config}");
}

#[test]
fn batches_of_tokens_are_of_every_task_and_what_excludes_them_is_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let refused = |more: &[&str], parts: &[&str]| {
        lookback(&arguments(&data, &folder.path("none"), more)).refused(2, parts);
    };
    refused(&["--batch-tokens", "0"], &["--batch-tokens is 0", "at least 1"]);
    refused(&["--batch-tokens", "9", "--batch-size", "3"], &["--batch-tokens", "--batch-size"]);
    refused(&["--scheduled-sampling", "1.2"], &["--scheduled-sampling is 1.2", "from 0 to 1"]);
    refused(&["--sampling-schedule", "linear"], &["--sampling-schedule", "--scheduled-sampling"]);
    refused(&["--scheduled-sampling", "0.2", "--sampling-schedule", "steep"], &["steep", "inverse-sigmoid"]);
    refused(&["--scheduled-sampling", "0.2", "--copy"], &["--scheduled-sampling", "--copy"]);
    refused(&["--shortlist", "2", "--copy"], &["--shortlist", "--copy"]);
    let both = folder.write("both.toml", "batch-size = 3\nbatch-tokens = 90\n");
    refused(&["--config", &both], &["--batch-tokens", "--batch-size"]);
    // A flag wins over the file.
    let size = folder.write("size.toml", "batch-size = 3\n");
    let model = folder.path("model");
    lookback(&arguments(&data, &model, &["--config", &size, "--batch-tokens", "90", "--epochs", "1"])).ok();
    let config = lookback(&["inspect", &model, "--config"]).ok();
    assert!(config.contains("batch-tokens = 90") && !config.contains("batch-size"), "{config}");

    let labelled = folder.write("labelled.tsv", crate::program::sentences());
    let classify = ["train", "classify", &labelled, "-o", &model, "--hidden", "8", "--embedding", "8"];
    let more = ["--cross-validate", "0", "--epochs", "2", "--batch-tokens", "60"];
    lookback(&[&classify[..], &more].concat()).ok();
    assert!(lookback(&["inspect", &model, "--config"]).ok().contains("batch-tokens = 60"));
}

#[test]
fn shortlists_are_learnt_kept_and_answer_alike_whatever_stands_beside() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let (model, again, plain) = (folder.path("model"), folder.path("again"), folder.path("plain"));
    let learn = ["--epochs", "25", "--learning-rate", "0.01", "--batch-size", "8", "--ensemble", "2"];
    lookback(&arguments(&data, &model, &[&learn[..], &["--shortlist", "2"]].concat())).ok();
    let config = folder.write("options.toml", lookback(&["inspect", &model, "--config"]).ok());
    lookback(&["train", "translate", &data, "--config", &config, "-o", &again]).ok();
    assert!(bytes(&model) == bytes(&again));
    assert!(lookback(&["inspect", &model]).ok().contains("shortlists"));

    let shortened = |input: &str, more: &[&str]| {
        let options = [&["predict", &model, "--shortlist", "2"], more].concat();
        without_lines(&lookback_with_input(&options, input).ok())
    };
    let lines = ["good old fish\n", "two\n", "xyzzy\n", "red red\n"];
    let alone: String = lines.iter().map(|line| shortened(line, &[])).collect();
    assert_eq!(shortened(&lines.concat(), &[]), alone);
    let read = |line: &str, more: &[&str]| -> String {
        let answer: serde_json::Value = serde_json::from_str(&shortened(line, more)).unwrap();
        answer["translation"].as_str().unwrap().to_owned()
    };
    for more in [&[][..], &["--beam", "1"], &["--sample", "--temperature", "0"]] {
        assert_eq!(read(lines[0], more), "Fisch alt gut", "{more:?}");
    }
    // What is asked for is in every list, and the lists hold but a few tokens.
    assert!(read(lines[0], &["--require", "zwei"]).contains("zwei"));
    assert!(read(lines[0], &["--prefix", "ein"]).starts_with("ein"));
    let drawn = ["--shortlist", "1", "--sample", "--count", "30", "--temperature", "50"];
    let drawn = lookback_with_input(&[&["predict", &model][..], &drawn].concat(), "old\n").ok();
    let unlike = ["ein", "zwei", "rot", "gut"].iter().filter(|word| drawn.contains(**word)).count();
    assert!(drawn.contains("alt") && unlike <= 1, "more than the list of one word and the commonest: {drawn}");

    let judged = |more: &[&str]| -> serde_json::Value {
        let options = [&["evaluate", &model, &data, "--json"], more].concat();
        serde_json::from_str(&lookback(&options).ok()).unwrap()
    };
    let (whole, short) = (judged(&[]), judged(&["--shortlist", "2"]));
    assert_eq!(whole["loss"], short["loss"], "what the references cost is of all tokens");
    assert!(short["exact_match"].as_f64().unwrap() > 0.95, "{short}");

    lookback_with_input(&["predict", &model, "--shortlist", "3"], "red\n")
        .refused(2, &["--shortlist is 3", "from 1 to 2"]);
    lookback_with_input(&["predict", &model, "--shortlist", "0"], "red\n").refused(2, &["--shortlist is 0"]);
    lookback(&arguments(&data, &plain, &["--epochs", "1"])).ok();
    lookback_with_input(&["predict", &plain, "--shortlist", "2"], "red\n")
        .refused(2, &["--shortlist needs a model that was trained with --shortlist"]);
    lookback(&arguments(&data, &plain, &["--shortlist", "0"])).refused(2, &["--shortlist is 0", "from 1 to"]);
}
