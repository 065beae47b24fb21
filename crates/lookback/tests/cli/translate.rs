//! Translating texts, through the real program.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Folder, Run, json, lookback, lookback_with_input, text_model_path, without_lines};

/// A network small enough to train in a moment.
const TINY: [&str; 10] =
    ["--embedding", "16", "--hidden", "24", "--batch-size", "8", "--dropout", "0", "--label-smoothing", "0"];
const LEARN: [&str; 4] = ["--epochs", "45", "--learning-rate", "0.01"];

/// 160 pairs: words of one language, and each by another word in the opposite order.
pub(crate) fn pairs() -> String {
    const WORDS: [(&str, &str); 6] =
        [("one", "ein"), ("two", "zwei"), ("red", "rot"), ("fish", "Fisch"), ("good", "gut"), ("old", "alt")];
    let mut table = "source\ttarget\n".to_string();
    let mut state = 11u32;
    for _ in 0..160 {
        let mut draw = |from: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % from
        };
        let words: Vec<(&str, &str)> = (0..1 + draw(4)).map(|_| WORDS[draw(WORDS.len())]).collect();
        let source: Vec<&str> = words.iter().map(|word| word.0).collect();
        let target: Vec<&str> = words.iter().rev().map(|word| word.1).collect();
        let _ = writeln!(table, "{}\t{}", source.join(" "), target.join(" "));
    }
    table
}

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["--tokenizer", "words", "--target-tokenizer", "words"];
    [&["train", "translate", data, "-o", output], TINY.as_slice(), &words, more].concat()
}

fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&arguments(data, output, more))
}

pub(crate) fn answers(model: &str, input: &str, more: &[&str]) -> Vec<Value> {
    lookback_with_input(&[&["predict", model], more].concat(), input).ok().lines().map(json).collect()
}

#[test]
fn a_translator_is_trained_judged_asked_and_looked_at() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let model = folder.path("model.safetensors");
    let said = train(&data, &model, &LEARN).ok();
    assert!(said.contains("exact match") && said.contains("BLEU"), "{said}");

    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    assert!(judged["exact_match"].as_f64().unwrap() > 0.97, "{judged}");
    for name in ["bleu", "chrf", "wer", "cer", "perplexity", "loss"] {
        assert!(judged[name].is_number(), "{name} is not in {judged}");
    }
    assert!(judged["signatures"]["bleu"].as_str().unwrap().contains("tok:13a"), "{judged}");
    let table = lookback(&["evaluate", &model, &data, "--beam", "1"]).ok();
    assert!(table.contains("word error rate") && table.contains("tok:13a"), "{table}");
    let rouge = table.lines().find(|line| line.contains("ROUGE-L")).unwrap_or_else(|| panic!("{table}"));
    assert!(rouge.split_whitespace().last().unwrap().parse::<f64>().unwrap() > 90.0, "{table}");
    let more = json(&lookback(&["evaluate", &model, &data, "--json", "--ter", "--bleu-tokenizer", "char"]).ok());
    assert!(more["ter"].is_number() && more["signatures"]["bleu"].as_str().unwrap().contains("tok:char"), "{more}");
    lookback(&["evaluate", &model, &data, "--bleu-tokenizer", "14a"]).refused(2, &["--bleu-tokenizer", "13a"]);
    lookback(&["evaluate", text_model_path(), &data, "--ter"]).refused(2, &["--ter"]);

    let answered = answers(&model, "good old fish\n\nred\n", &["--n-best", "3"]);
    assert_eq!(answered[0]["translation"], "Fisch alt gut");
    assert_eq!(answered[0]["tokens"], serde_json::json!(["Fisch", "alt", "gut"]));
    // That of the end stands behind those of the tokens.
    assert_eq!(answered[0]["scores"].as_array().unwrap().len(), 4);
    let others = answered[0]["alternatives"].as_array().unwrap();
    assert_eq!(others.len(), 2);
    assert!(others[0]["score"].as_f64() >= others[1]["score"].as_f64());
    assert_eq!((&answered[1]["line"], &answered[2]["translation"]), (&Value::from(2), &Value::from("rot")));
    // Of nothing there is nothing to say, and of what is unknown nothing sure.
    assert_eq!((&answered[1]["translation"], &answered[1]["unsure"]), (&Value::from(""), &Value::from(true)));
    assert_eq!(answers(&model, "xyzzy\n", &[])[0]["unsure"], true);
    assert!(answered[0]["unsure"].is_null());

    let looked = &answers(&model, "good old fish\n", &["--alignment"])[0]["views"]["alignment"];
    let rows = looked.as_array().unwrap();
    assert_eq!(rows.len(), 4, "a row per token and one for the end");
    for row in rows {
        let sum: f64 = row.as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-4 && row.as_array().unwrap().len() == 3, "{row}");
    }
    let explained = lookback(&["explain", &model, "good old fish", "--color", "never"]).ok();
    assert!(explained.starts_with("Fisch alt gut\n") && explained.contains("  good old fish\n"), "{explained}");
    // Blocks as wide as the words under which they stand, and numbers.
    let fish = explained.lines().find(|line| line.starts_with("Fisch  ")).unwrap();
    assert!(fish.contains('\u{2588}') || fish.contains('\u{2593}'), "{explained}");
    assert!(fish.contains(" 0.") || fish.contains(" 1.00"), "{explained}");
    let inspected = lookback(&["inspect", &model]).ok();
    assert!(inspected.contains("Luong's decoder") && inspected.contains("6 different tokens"), "{inspected}");

    let plain = lookback_with_input(&["predict", &model, "--output-format", "text"], "good old fish\nred\n").ok();
    assert_eq!(plain, "Fisch alt gut\nrot\n");
    let table = lookback_with_input(&["predict", &model, "--output-format", "csv"], "red\n").ok();
    assert!(table.starts_with("line,translation,score,") && table.contains("\n1,rot,"), "{table}");
}

#[test]
fn what_is_asked_of_the_search_is_done_and_what_does_not_go_is_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let model = folder.path("model.safetensors");
    train(&data, &model, &LEARN).ok();
    let one = |more: &[&str]| answers(&model, "good old fish\n", more)[0]["translation"].as_str().unwrap().to_owned();
    assert!(!one(&["--forbid", "alt"]).contains("alt"));
    assert!(one(&["--require", "zwei"]).contains("zwei"));
    assert!(one(&["--prefix", "rot"]).starts_with("rot"));
    assert_eq!(one(&["--max-length", "2"]), "Fisch alt");
    let cut = &answers(&model, "good old fish\n", &["--max-length", "2"])[0];
    assert_eq!(cut["unfinished"], true);
    let sampled = |seed: &str| answers(&model, "good old fish\n", &["--sample", "--count", "4", "--seed", seed]);
    assert_eq!(sampled("1"), sampled("1"));
    assert_eq!(sampled("1")[0]["alternatives"].as_array().unwrap().len(), 3);

    // None depends on what it was answered with.
    let alone: String = ["good old fish", "two", "red red"]
        .iter()
        .map(|line| lookback_with_input(&["predict", &model], &format!("{line}\n")).ok())
        .collect();
    let together = lookback_with_input(&["predict", &model], "good old fish\ntwo\nred red\n").ok();
    assert_eq!(without_lines(&together), without_lines(&alone));

    let refused = |more: &[&str], parts: &[&str]| {
        lookback_with_input(&[&["predict", &model], more].concat(), "red\n").refused(2, parts);
    };
    refused(&["--beam", "0"], &["--beam is 0"]);
    refused(&["--beam", "2", "--n-best", "3"], &["--n-best is 3", "--beam 2"]);
    refused(&["--temperature", "0.5"], &["--temperature", "--sample"]);
    refused(&["--prefix", "xyzzy"], &["--prefix", "xyzzy"]);
    refused(&["--prefix", "rot rot rot", "--max-length", "2"], &["must begin with 3 tokens", "only 2"]);
    refused(&["--forbid", ""], &["--forbid"]);
    refused(&["--forbid", " "], &["--forbid"]);
    refused(&["--require", "rot rot rot", "--max-length", "2"], &["--require", "3 tokens", "only 2"]);
    // In the place of an unknown word stands the source's, but for one that is forbidden.
    for beam in ["1", "5"] {
        let one = |more: &[&str]| answers(&model, "xyzzy\n", more)[0]["translation"].to_string();
        assert!(!one(&["--forbid", "xyzzy", "--beam", beam]).contains("xyzzy"));
    }
    // Nine thousand hypotheses take more than a few.
    refused_in_place(&model, &["--beam", "9000", "--max-memory", "8"]);
    refused(&["--top", "3"], &["--top", "writes texts"]);
    refused(&["--output-format", "text", "--alignment"], &["--output-format text", "--attention"]);
    lookback_with_input(&["predict", text_model_path(), "--beam", "3"], "x\n").refused(2, &["--beam", "write texts"]);
    lookback_with_input(&["predict", text_model_path(), "--output-format", "text"], "x\n")
        .refused(2, &["--output-format text"]);
    for (options, parts) in [
        (&["--bridge", "copy", "--decoder-hidden", "9"][..], &["--bridge", "copy"][..]),
        (&["--decoder-attention", "dot", "--decoder-hidden", "9"], &["--decoder-attention", "9 numbers"]),
        (&["--tie-embeddings"], &["--tie-embeddings", "--target-embedding"]),
        (&["--label-smoothing", "1"], &["--label-smoothing"]),
        (&["--layers", "0"], &["--layers"]),
    ] {
        lookback(&[&["train", "translate", &data, "--hidden", "24"], options].concat()).refused(2, parts);
    }
}

/// The input stands in the place of its answer with why there is none.
fn refused_in_place(model: &str, more: &[&str]) {
    let run = lookback_with_input(&[&["predict", model], more].concat(), "red\n");
    assert_eq!(run.code, 3, "{}{}", run.out, run.err);
    assert!(run.out.contains("--max-memory"), "{}", run.out);
}

#[test]
fn every_decoder_is_trained_and_read_again_to_the_same_bytes() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    for (number, options) in [
        &["--decoder", "bahdanau", "--decoder-attention", "additive", "--cell", "gru"][..],
        &["--layers", "2", "--bridge", "copy", "--layer-dropout", "0.1"],
        &["--decoder-layers", "2", "--cell", "rnn", "--bridge", "zero", "--target-word-dropout", "0.1"],
        &["--target-embedding", "48", "--tie-embeddings", "--ensemble", "2", "--target-max-length", "3"],
    ]
    .into_iter()
    .enumerate()
    {
        let (model, again) = (folder.path(&format!("{number}.model")), folder.path("again"));
        train(&data, &model, &[options, &["--epochs", "2"]].concat()).ok();
        let config = folder.write("options.toml", lookback(&["inspect", &model, "--config"]).ok());
        lookback(&["train", "translate", &data, "--config", &config, "-o", &again]).ok();
        assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap(), "{options:?}");
        answers(&model, "good old fish\n", &[]);
    }
}

#[test]
fn training_goes_on_to_the_same_bytes_and_from_a_model() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let (straight, stopped) = (folder.path("straight"), folder.path("stopped"));
    let options = ["--epochs", "6", "--checkpoint-every", "1steps"];
    train(&data, &straight, &options).ok();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(arguments(&data, &stopped, &options))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = format!("{stopped}.checkpoint");
    while std::fs::metadata(&checkpoint).is_err() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait().unwrap();
    if std::fs::metadata(&checkpoint).is_ok() {
        train(&data, &stopped, &[&options[..], &["--resume"]].concat()).ok();
    }
    assert!(std::fs::read(&straight).unwrap() == std::fs::read(&stopped).unwrap());

    // New words of both sides are added.
    let more = folder.write("more.tsv", format!("{}{}", pairs(), "blue fish\tFisch blau\n".repeat(12)));
    let grown = folder.path("grown");
    let on = ["--init", &straight, "--extend", "--epochs", "25", "--learning-rate", "0.01"];
    lookback(&[&["train", "translate", &more, "-o", &grown], &on[..]].concat()).ok();
    assert_eq!(answers(&grown, "blue fish\n", &[])[0]["translation"], "Fisch blau");
}

#[test]
fn pairs_stand_in_tables_and_side_by_side_and_what_is_wrong_with_them_is_named() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let (sources, targets): (Vec<&str>, Vec<&str>) =
        pairs().leak().lines().skip(1).filter_map(|line| line.split_once('\t')).unzip();
    let source = folder.write("data.en", sources.join("\n"));
    let target = folder.write("data.de", targets.join("\n"));
    let (table, beside) = (folder.path("table"), folder.path("beside"));
    train(&data, &table, &["--epochs", "1"]).ok();
    train(&source, &beside, &["--epochs", "1", "--target-file", &target]).ok();
    // That lines are read says nothing of the files that the model reads later.
    let lines = folder.path("lines");
    train(&source, &lines, &["--epochs", "1", "--target-file", &target, "--format", "lines"]).ok();
    assert!(std::fs::read(&beside).unwrap() == std::fs::read(&lines).unwrap());
    answers(&lines, "red\n", &[]);
    let config = folder.write("options.toml", lookback(&["inspect", &beside, "--config"]).ok());
    let again = folder.path("again");
    lookback(&["train", "translate", &source, "--config", &config, "-o", &again]).ok();
    assert!(std::fs::read(&beside).unwrap() == std::fs::read(&again).unwrap());
    let judged = |model: &str, more: &[&str]| lookback(&[&["evaluate", model], more].concat()).ok();
    // A lowered table is the same pairs.
    assert_eq!(judged(&table, &[&data]), judged(&table, &[&source, "--target-file", &target]));
    // Of a table that is answered the sources are read, whatever else stands in it.
    let others = folder.write("others.tsv", "target\tsource\nrot\tred\n");
    let answered = lookback(&["predict", &table, &others]).ok();
    let alone = lookback_with_input(&["predict", &table], "red\n").ok();
    assert_eq!(without_lines(&answered), without_lines(&alone));

    let refused = |data: &str, more: &[&str], parts: &[&str]| train(data, &again, more).refused(2, parts);
    let short = folder.write("short.de", "rot\n");
    refused(&source, &["--target-file", &short], &["data.en has 160 lines", "short.de has 1 line"]);
    let empty = folder.write("empty.tsv", "source\ttarget\nred\trot\nfish\t\n");
    refused(&empty, &[], &["empty.tsv, line 3", "the target is empty"]);
    let blank = folder.write("blank.tsv", "source\ttarget\nred\trot\n \tFisch\n");
    refused(&blank, &[], &["blank.tsv, line 3", "the source is empty"]);
    let long = ["--target-max-length", "2", "--too-long"];
    refused(&data, &[&long[..], &["stop"]].concat(), &["data.tsv, line", "--target-max-length 2", "--too-long"]);
    let left_out = train(&data, &again, &[&long[..], &["skip", "--epochs", "1"]].concat());
    assert!(left_out.err.contains("left out"), "{}", left_out.err);
    let strange = answers(&table, "\u{4f60}\u{597d}\n", &[]);
    assert!(strange[0]["translation"].is_string(), "{strange:?}");
    let one_word = folder.write("one.tsv", format!("source\ttarget\n{}", "red\trot\nfish\trot\n".repeat(20)));
    train(&one_word, &again, &["--epochs", "30", "--validation-split", "0", "--learning-rate", "0.02"]).ok();
    assert_eq!(answers(&again, "red\n", &[])[0]["translation"], "rot");
}

#[test]
fn pieces_of_words_are_learnt_for_either_side_or_both() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", pairs());
    let small = [TINY.as_slice(), &["--epochs", "12", "--learning-rate", "0.01"]].concat();
    let train = |model: &str, more: &[&str]| {
        lookback(&[&["train", "translate", &data, "-o", model], &small[..], more].concat())
    };
    for (number, options) in [
        &["--tokenizer", "bpe", "--subwords", "40", "--target-tokenizer", "unigram", "--target-subwords", "40"][..],
        &["--joint-subwords", "--tokenizer", "bpe", "--subwords", "60"],
        &["--joint-subwords", "--tokenizer", "unigram", "--subwords", "60"],
    ]
    .into_iter()
    .enumerate()
    {
        let (model, again) = (folder.path(&format!("{number}.model")), folder.path("again"));
        train(&model, options).ok();
        let config = folder.write("options.toml", lookback(&["inspect", &model, "--config"]).ok());
        lookback(&["train", "translate", &data, "--config", &config, "-o", &again]).ok();
        assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap(), "{options:?}");
        let answer = &answers(&model, "good old fish\n", &[])[0];
        let (text, tokens) = (answer["translation"].as_str().unwrap(), answer["tokens"].as_array().unwrap());
        let whole: String = tokens.iter().map(|token| token.as_str().unwrap()).collect();
        assert_eq!(text.replace(' ', ""), whole.replace(' ', ""), "{answer}");
        assert!(lookback(&["explain", &model, "good old fish", "--color", "never"]).ok().starts_with(text));
    }
    let refused = |more: &[&str], parts: &[&str]| train(&folder.path("none"), more).refused(2, parts);
    refused(&["--subwords", "40"], &["--subwords", "bpe or unigram"]);
    refused(&["--tokenizer", "bpe", "--subwords", "3"], &["--subwords is 3", "different characters"]);
    refused(&["--joint-subwords", "--target-tokenizer", "words"], &["--target-tokenizer", "--joint-subwords"]);
    let tagged = folder.write("tags.conll", "she O\nruns B\n\nhe O\nran B\n\n".repeat(9));
    let tagger = ["train", "tag", &tagged, "-o", &folder.path("none"), "--tokenizer", "bpe"].map(str::to_owned);
    lookback(&tagger.each_ref().map(String::as_str)).refused(2, &["--tokenizer"]);
}
