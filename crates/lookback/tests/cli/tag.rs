//! Tagging tokens, through the real program.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Folder, Run, TINY_TAGGER, lookback, lookback_with_input, without_lines};

/// 120 sentences in three columns. A word is HOT before "soup" and PAST behind "yesterday", so that a network has to read
/// both ways.
fn sentences() -> String {
    const WORDS: [&str; 6] = ["soup", "yesterday", "she", "cooks", "the", "old"];
    let mut file = "# made by a rule\n".to_string();
    let mut state = 7u32;
    for _ in 0..120 {
        let mut draw = |from: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % from
        };
        let words: Vec<&str> = (0..3 + draw(6)).map(|_| WORDS[draw(WORDS.len())]).collect();
        for (place, word) in words.iter().enumerate() {
            let behind_yesterday = place > 0 && words[place - 1] == "yesterday";
            let tag = match words.get(place + 1) {
                Some(&"soup") => "HOT",
                _ if behind_yesterday => "PAST",
                _ => "O",
            };
            let _ = writeln!(file, "{word} - {tag}");
        }
        file.push('\n');
    }
    file
}

const LEARN: [&str; 4] = ["--epochs", "20", "--learning-rate", "0.03"];

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "tag", data, "-o", output], TINY_TAGGER.as_slice(), more].concat()
}

fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&arguments(data, output, more))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_tagger_is_trained_judged_asked_and_looked_at() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let model = folder.path("model.safetensors");
    let said = train(&data, &model, &LEARN).ok();
    // None of the validation tokens is unknown, so that nothing is said of those.
    assert!(said.contains("accuracy") && !said.contains("unknown"), "{said}");

    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    assert!(judged["accuracy"].as_f64().unwrap() > 0.97, "{judged}");
    assert_eq!((&judged["examples"], &judged["unknown_accuracy"]), (&Value::from(120), &Value::Null));
    let support: u64 = judged["labels"].as_array().unwrap().iter().map(|tag| tag["support"].as_u64().unwrap()).sum();
    assert_eq!(judged["tokens"].as_u64(), Some(support));
    let new = folder.write("new.conll", "she - O\neats - HOT\nsoup - O\n");
    let judged = json(&lookback(&["evaluate", &model, &new, "--json"]).ok());
    assert!(judged["unknown_accuracy"].is_f64(), "{judged}");
    let table = lookback(&["evaluate", &model, &new]).ok();
    for part in ["examples", "accuracy on unknown tokens", "precision %", "tokens", "HOT", "PAST"] {
        assert!(table.contains(part), "'{part}' is not in:\n{table}");
    }

    let line = "The old soup yesterday she cooks\n";
    let answered = lookback_with_input(&["predict", &model], &format!("{line}\n")).ok();
    let answers: Vec<Value> = answered.lines().map(json).collect();
    assert_eq!(answers[0]["tokens"], serde_json::json!(["The", "old", "soup", "yesterday", "she", "cooks"]));
    assert_eq!(answers[0]["tags"], serde_json::json!(["O", "HOT", "O", "O", "PAST", "O"]));
    assert!(answers[0]["scores"].as_array().unwrap().iter().all(|score| score.as_f64().unwrap() > 0.5));
    assert_eq!(
        answers[1],
        serde_json::json!({"line": 2, "tokens": [], "tags": [], "scores": []}),
        "an empty line is answered"
    );
    let table = folder.write("input.csv", format!("text\n{line}"));
    let of_table = without_lines(&lookback(&["predict", &model, &table]).ok());
    assert_eq!(of_table.lines().next(), without_lines(&answered).lines().next());
    let objects = folder.write("input.jsonl", r#"{"text": "The old soup yesterday she cooks"}"#);
    assert_eq!(lookback(&["predict", &model, &objects]).ok().lines().next(), answered.lines().next());

    let explained = lookback(&["explain", &model, line]).ok();
    assert!(explained.starts_with("The/O old/HOT soup/O yesterday/O she/PAST cooks/O\n"), "{explained}");
    assert!(explained.contains("The model has no attention"), "{explained}");
    lookback(&["predict", &model, "--attention"]).refused(2, &["the model has no attention"]);
    let inspected = lookback(&["inspect", &model]).ok();
    for part in
        ["task        tag", "tags        3: HOT, O, PAST", "output.weight", "3 x 16", "validated on 12", "accuracy"]
    {
        assert!(inspected.contains(part), "'{part}' is not in:\n{inspected}");
    }
}

#[test]
fn an_ensemble_with_attention_shows_what_each_token_looked_at() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let model = folder.path("model.safetensors");
    let options = ["--epochs", "2", "--ensemble", "2", "--attention", "multi-head:2", "--char-ngrams", "2-3"];
    train(&data, &model, &[&options[..], &["--max-length", "4"]].concat()).ok();
    let answer = json(&lookback_with_input(&["predict", &model, "--attention"], "she cooks soup\n").ok());
    for head in ["head 1", "head 2"] {
        let rows = answer["views"][head].as_array().unwrap();
        assert_eq!(rows.len(), 3);
        let sum: f64 = rows[2].as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{answer}");
    }
    assert!(lookback(&["explain", &model, "she cooks soup"]).ok().contains("head 2"));
    // What is cut is not judged.
    let judged = lookback(&["evaluate", &model, &data, "--json"]);
    assert!(judged.err.contains("are cut to 4 tokens"), "{}", judged.err);
    assert!(json(&judged.ok())["tokens"].as_u64() <= Some(480));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads_and_after_a_kill() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let options = ["--epochs", "6", "--attention", "additive", "--word-dropout", "0.1"];
    let bytes = |name: &str, more: &[&str]| {
        let model = folder.path(name);
        train(&data, &model, &[&options, more].concat()).ok();
        std::fs::read(model).unwrap()
    };
    let first = bytes("one", &["--threads", "1"]);
    assert!(first == bytes("two", &["--threads", "2"]));
    assert!(first != bytes("other", &["--seed", "5"]));

    let killed = folder.path("killed");
    let often = [&options[..], &["--checkpoint-every", "1steps"]].concat();
    let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(arguments(&data, &killed, &often))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !Path::new(&format!("{killed}.checkpoint")).exists() {
        assert!(program.try_wait().unwrap().is_none(), "the program ended by itself");
        sleep(Duration::from_millis(2));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(!folder.holds("killed"));
    assert!(first == bytes("killed", &["--checkpoint-every", "1steps", "--resume"]));
}

#[test]
fn what_cannot_be_learnt_or_judged_is_refused_with_file_and_line() {
    let folder = Folder::new();
    let model = folder.path("model");
    let data = folder.write("data.conll", sentences());
    let refused = |content: &str, parts: &[&str]| {
        train(&folder.write("wrong.conll", content), &model, &[]).refused(2, parts);
    };
    refused("she O\nsoup\n", &["wrong.conll, line 2", "\"soup\" stands alone", "a token, white space and its tag"]);
    refused("she - O\n\nsoup HOT\n", &["wrong.conll, line 3", "2 fields", "3 expected as on line 1"]);
    refused("she O\nsoup O\n", &["wrong.conll", "\"O\"", "at least two"]);
    refused("# nothing\n", &["wrong.conll holds no examples"]);
    train(&folder.path("absent.conll"), &model, &[]).refused(2, &["absent.conll: no such file"]);
    let structured = ["--attention", "structured:2"];
    train(&data, &model, &structured).refused(2, &["--attention structured:2", "every token of it is to have a tag"]);
    for option in [["--pooling", "max"], ["--linear-words", "1"], ["--label", "2"], ["--values", "x"]] {
        train(&data, &model, &option).refused(2, &["unexpected argument", option[0]]);
    }
    train(&data, &model, &["--score", "macro-f1"]).refused(2, &["one of accuracy, unknown-accuracy, loss"]);
    assert!(!folder.holds("model"));

    train(&data, &model, &["--epochs", "1"]).ok();
    let other = folder.write("other.conll", "she - O\n\n# one\nsoup - O\nshe - COLD\n");
    lookback(&["evaluate", &model, &other]).refused(2, &["other.conll, line 5", "\"COLD\" was never trained"]);
    lookback(&["evaluate", &model, &data, "--format", "csv"]).refused(2, &["--format is not for tagged sentences"]);
    lookback(&["predict", &model, "--format", "ts"]).refused(2, &["--format is ts, but the model reads texts"]);
}

#[test]
fn a_tagger_is_trained_on_with_new_tags_and_tokens() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let (model, on) = (folder.path("model"), folder.path("on"));
    train(&data, &model, &LEARN).ok();
    let new = folder.write("new.conll", format!("{}frozen - COLD\nsoup - O\n", sentences()));
    let begin = ["train", "tag", &new, "-o", &on, "--init", &model, "--epochs", "1", "--learning-rate", "0.0001"];
    lookback(&begin).refused(2, &["new.conll has 1 label", "\"COLD\"", "--extend adds them"]);
    lookback(&[&begin[..], &["--extend", "--validation-split", "0"]].concat()).ok();
    // One careful epoch: what was learnt before is still there.
    let judged = json(&lookback(&["evaluate", &on, &data, "--json"]).ok());
    assert!(judged["accuracy"].as_f64().unwrap() > 0.97, "{judged}");
    assert!(lookback(&["inspect", &on]).ok().contains("tags        4: HOT, O, PAST, COLD"));
    let classifier =
        ["train", "classify", &folder.write("t.tsv", "label\ttext\na\tx\nb\ty\n"), "-o", &on, "--init", &model];
    lookback(&classifier).refused(2, &["is a model for \"tag\""]);
}
