//! Language models, through the real program.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Folder, Run, json, lookback, lookback_with_input};

/// Sentences by a rule: whoever is hungry eats, whoever is tired sleeps.
fn lines() -> String {
    let mut lines = String::new();
    for place in 0..240 {
        let who = ["cat", "dog", "old owl", "hen"][place * 7 % 4];
        let what = ["hungry and eats", "tired and sleeps", "happy and sings"][place * 5 % 3];
        let _ = writeln!(lines, "the {who} is {what}");
    }
    lines
}

const TINY: [&str; 12] = [
    "--hidden",
    "24",
    "--embedding",
    "12",
    "--epochs",
    "12",
    "--learning-rate",
    "0.02",
    "--batch-size",
    "8",
    "--dropout",
    "0",
];

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    // Options cannot be said twice.
    let tiny = TINY.chunks(2).filter(|option| !more.contains(&option[0])).flatten().copied();
    ["train", "generate", data, "-o", output].into_iter().chain(tiny).chain(more.iter().copied()).collect()
}

fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&arguments(data, output, more))
}

fn answers(text: &str) -> Vec<Value> {
    text.lines().map(json).collect()
}

#[test]
fn a_language_model_is_trained_judged_asked_and_looked_at() {
    let folder = Folder::new();
    let data = folder.write("lines.txt", lines());
    let model = folder.path("model.safetensors");
    let run = train(&data, &model, &[]);
    assert!(run.err.contains("every line is a document (--documents)"), "{}", run.err);
    run.ok();

    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    let (perplexity, bits) = (judged["perplexity"].as_f64().unwrap(), judged["bits_per_character"].as_f64().unwrap());
    assert!(perplexity < 1.6, "{judged}");
    // Of characters with an end each, one follows from the other, and here bytes are characters.
    assert!((perplexity.log2() - bits).abs() < 1e-9 && judged["bits_per_byte"] == judged["bits_per_character"]);
    assert_eq!(judged["tokens"], judged["characters"]);
    assert!(judged["word_perplexity"].as_f64().unwrap() > perplexity);

    // It goes on from whatever stands there, from nothing as well.
    let prompts = "the cat is hun\n\nthe dog is tired and\n";
    let said = answers(&lookback_with_input(&["predict", &model, "--temperature", "0"], prompts).ok());
    assert_eq!(said[0]["text"], "the cat is hungry and eats");
    assert_eq!(said[0]["completion"], "gry and eats");
    assert_eq!(said[2]["completion"], " sleeps");
    assert!(said[1]["text"].as_str().unwrap().starts_with("the "), "{}", said[1]);
    assert_eq!(said[0]["tokens"].as_array().unwrap().len() + 1, said[0]["scores"].as_array().unwrap().len());
    // A beam of 1 says the same, and plain text is the text.
    let plain = lookback_with_input(&["predict", &model, "--beam", "1", "--output-format", "text"], prompts).ok();
    assert!(plain.starts_with("the cat is hungry and eats\n"), "{plain}");

    // What a line costs is what it costs among others.
    let scored =
        answers(&lookback_with_input(&["predict", &model, "--score"], "the hen is happy and sings\nzzz\n").ok());
    let sum: f64 = scored[0]["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).sum();
    assert!((sum - scored[0]["log_probability"].as_f64().unwrap()).abs() < 1e-3, "{}", scored[0]);
    assert_eq!(scored[0]["tokens"].as_array().unwrap().last().unwrap(), "<end>");
    assert_eq!(scored[1]["unknown_tokens"], 3);
    let alone = answers(&lookback_with_input(&["predict", &model, "--score"], "the hen is happy and sings\n").ok());
    assert_eq!(alone[0], scored[0]);

    // What it writes is told beside what it has read.
    let arguments = ["evaluate", &model, &data, "--samples", "40", "--seed", "3", "--json"];
    let samples = json(&lookback(&arguments).ok())["samples"].clone();
    assert_eq!(samples["count"], 40);
    assert!(samples["copied"].as_f64().unwrap() > 0.5, "there are only twelve lines: {samples}");
    assert!(samples["longest_run"]["most"].as_u64().unwrap() > 15 && samples["distinct"]["4"]["samples"].is_f64());
    let told = lookback(&["evaluate", &model, &data, "--samples", "5"]).ok();
    assert!(told.contains("distinct-2") && told.contains("stand whole in the data"), "{told}");
    // A file of lines that say the same again and again costs less with a cache of it.
    let again = folder.write("again.txt", "the hen is happy and sings\nthe hen is happy and sings\n".repeat(9));
    let whole = folder.path("whole.safetensors");
    train(&data, &whole, &["--documents", "file", "--epochs", "2"]).ok();
    let bits = |more: &[&str]| {
        let all = [&["evaluate", &whole, &again, "--json"], more].concat();
        json(&lookback(&all).ok())["bits_per_character"].as_f64().unwrap()
    };
    assert!(bits(&["--cache", "200", "--cache-weight", "0.5", "--cache-sharpness", "10"]) < bits(&[]) - 0.05);
    let refused = lookback(&["evaluate", &model, &data, "--cache-weight", "0.5"]);
    assert!(refused.err.contains("--cache-weight needs --cache"), "{}", refused.err);
    let refused = lookback(&["evaluate", &model, &data, "--temperature", "0.5"]);
    assert!(refused.err.contains("--temperature is about writing, but without --samples"), "{}", refused.err);

    let explained = lookback(&["explain", &model, "the cat is hungry and sleeps"]).ok();
    for part in ["bits per character", "perplexity", "expected were", "probability", "entropy in bits", "<end>"] {
        assert!(explained.contains(part), "'{part}' is not in:\n{explained}");
    }
    let inspected = lookback(&["inspect", &model]).ok();
    for part in ["generate", "cut into characters", "which end by themselves", "1 layer of LSTM with 24 hidden units"] {
        assert!(inspected.contains(part), "'{part}' is not in:\n{inspected}");
    }
}

#[test]
fn samples_are_drawn_from_their_seed_and_line_alone() {
    let folder = Folder::new();
    let data = folder.write("lines.txt", lines());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--epochs", "2"]).ok();
    let ask = |more: &[&str], input: &str| {
        answers(&lookback_with_input(&[&["predict", &model, "--length", "20"], more].concat(), input).ok())
    };
    let three = ask(&["--count", "3"], "the \na\n");
    assert_eq!(three[0]["alternatives"].as_array().unwrap().len(), 2);
    assert_eq!(three, ask(&["--count", "3"], "the \na\n"));
    assert_eq!(ask(&["--count", "3"], "the \n")[0], three[0], "no sample depends on the other lines");
    assert_eq!(ask(&["--count", "3", "--threads", "1"], "the \na\n"), three);
    assert_ne!(ask(&["--count", "3", "--seed", "1"], "the \na\n")[0]["text"], three[0]["text"]);
    // Token by token it is the same text.
    let streamed =
        lookback_with_input(&["predict", &model, "--length", "20", "--stream", "--threads", "1"], "the \na\n").ok();
    let texts: Vec<String> =
        ask(&[], "the \na\n").iter().map(|answer| format!("{}\n", answer["text"].as_str().unwrap())).collect();
    assert_eq!(streamed, texts.concat());
    let stopped = ["predict", &model, "--length", "20", "--stop", "is", "--stream"];
    let expected = ask(&["--stop", "is"], "the \n")[0]["text"].as_str().unwrap().to_owned();
    assert_eq!(lookback_with_input(&stopped, "the \n").ok(), format!("{expected}\n"));
    let words = folder.path("words.safetensors");
    let prose = folder.write("prose.txt", "the  cat sat  . the dog, ran!  \n".repeat(40));
    train(&prose, &words, &["--tokenizer", "words", "--documents", "file", "--epochs", "3"]).ok();
    for seed in ["0", "1", "2"] {
        let asked = ["predict", &words, "--length", "40", "--seed", seed];
        let expected = answers(&lookback_with_input(&asked, "the\n").ok())[0]["text"].as_str().unwrap().to_owned();
        assert_eq!(lookback_with_input(&[&asked[..], &["--stream"]].concat(), "the\n").ok(), format!("{expected}\n"));
    }
    // What is not to come does not.
    let stopped = ask(&["--stop", "is", "--count", "8"], "the \n");
    let texts = stopped[0]["alternatives"].as_array().unwrap().iter().chain([&stopped[0]]);
    for text in texts.map(|answer| answer["completion"].as_str().unwrap().to_owned()) {
        assert!(!text.contains("is"), "{text}");
    }
    let without = ask(&["--forbid", "e", "--count", "8"], "the \n");
    let texts = without[0]["alternatives"].as_array().unwrap().iter().chain([&without[0]]);
    assert!(texts.map(|answer| answer["completion"].as_str().unwrap()).all(|text| !text.contains('e')), "{without:?}");
    // A stop that never comes is no stop.
    let cut = ask(&["--stop", "§", "--forbid", "s", "--min-length", "20"], "the \n");
    assert_eq!(cut[0]["unfinished"], true, "{}", cut[0]);
}

#[test]
fn a_whole_file_is_one_text_without_an_end_and_is_read_on_from_batch_to_batch() {
    let folder = Folder::new();
    let data = folder.write("book.txt", lines());
    let model = folder.path("model.safetensors");
    let run = train(
        &data,
        &model,
        &["--documents", "file", "--chunk", "16", "--tokenizer", "words", "--tied", "--embedding", "24"],
    );
    run.ok();
    assert!(lookback(&["inspect", &model]).ok().contains("which have no end"));
    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    // Words and line ends.
    assert_eq!(
        (judged["tokens"].as_u64(), judged["words"].as_u64()),
        (judged["words"].as_u64(), Some(240 * 6 + 60 + 240))
    );
    assert!(judged["perplexity"].as_f64().unwrap() < 4.0, "{judged}");
    let said = lookback_with_input(&["predict", &model, "--length", "30", "--temperature", "0"], "the dog is\n").ok();
    let said = &answers(&said)[0];
    assert_eq!((said["unfinished"].as_bool(), said["tokens"].as_array().unwrap().len()), (Some(true), 30));
    assert!(said["completion"].as_str().unwrap().contains('\n'), "{said}");
    // Of a table every row is a document.
    let table = folder.write("rows.jsonl", "{\"text\": \"the cat is tired and sleeps\"}\n");
    assert_eq!(json(&lookback(&["evaluate", &model, &table, "--json"]).ok())["tokens"], 6);
}

#[test]
fn a_label_tells_what_is_written() {
    let folder = Folder::new();
    let mut rows = "kind,text\n".to_string();
    for place in 0..160 {
        let (kind, text) = [("greeting", "good morning"), ("farewell", "see you soon")][place % 2];
        let _ = writeln!(rows, "{kind},{text} {}", ["anna", "bert", "carla"][place % 3]);
    }
    let data = folder.write("rows.csv", rows);
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--label", "kind"]).ok();
    let ask = |label: &str| {
        let arguments = ["predict", &model, "--condition", label, "--temperature", "0"];
        answers(&lookback_with_input(&arguments, "\n").ok())[0]["text"].as_str().unwrap().to_owned()
    };
    assert!(ask("greeting").starts_with("good morning ") && ask("farewell").starts_with("see you soon "));
    let refused = lookback_with_input(&["predict", &model], "\n");
    assert!(
        refused.err.contains("--condition is missing: the model writes texts by one of \"farewell\", \"greeting\""),
        "{}",
        refused.err
    );
    let refused = lookback_with_input(&["predict", &model, "--condition", "thanks"], "\n");
    assert!(refused.err.contains("--condition is \"thanks\"; the model was trained on"), "{}", refused.err);
    let unseen = folder.write("unseen.csv", "kind,text\nthanks,thank you\n");
    let refused = lookback(&["evaluate", &model, &unseen]);
    assert!(refused.err.contains("unseen.csv, line 2: the label is \"thanks\""), "{}", refused.err);
    assert!(lookback(&["evaluate", &model, &data, "--samples", "4"]).ok().contains("bits per character"));
    let more = folder.write("more.csv", "kind,text\nthanks,thank you all\nthanks,thanks\n");
    let refused = train(
        &more,
        &folder.path("none"),
        &["--label", "kind", "--init", &model, "--extend", "--validation-split", "0"],
    );
    assert!(refused.err.contains("more.csv, line 2: the label \"thanks\" is none of the model"), "{}", refused.err);
    assert!(lookback(&["explain", &model, "good morning anna", "--condition", "greeting"]).ok().contains("perplexity"));
}

#[test]
fn what_a_language_model_cannot_do_is_refused_and_told() {
    let folder = Folder::new();
    let data = folder.write("lines.txt", lines());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--epochs", "1"]).ok();
    let cases: [(&[&str], &str); 18] = [
        (&["--stream", "--score"], "--stream is about writing, but --score writes nothing"),
        (&["--stream", "--fields", "text"], "--stream writes plain text, and --fields are of answers"),
        (&["--count", "3", "--output-format", "text"], "--count gives several texts of an input"),
        (&["--score", "--output-format", "text"], "--score writes none"),
        (&["--attention"], "--attention of a language model goes with --score"),
        (&["--threshold", "0.5"], "--threshold is for one label a text"),
        (&["--state-in", "/nowhere/state"], "--state-in is nothing to go on from"),
        (&["--stream", "--count", "2"], "--stream is for one sample"),
        (&["--stream", "--output-format", "csv"], "--stream writes plain text"),
        (&["--temperature", "-1"], "--temperature is -1"),
        (&["--stop", ""], "--stop is \"\", at which nothing would be written"),
        (&["--stop", "a", "--beam", "3"], "--stop is for samples and for --beam 1"),
        (&["--prefix", "a"], "--prefix is what the input itself is here"),
        (&["--max-length-ratio", "2"], "--max-length-ratio is about a source"),
        (&["--score", "--temperature", "1"], "--temperature is about writing, but --score writes nothing"),
        (&["--top", "2"], "--top is for one label a text"),
        (&["--condition", "x"], "--condition is \"x\", but the model writes texts by no label"),
        (&["--require", "§"], "--require \"§\" holds a token that no text of the training has"),
    ];
    for (more, expected) in cases {
        let run = lookback_with_input(&[&["predict", &model], more].concat(), "the\n");
        assert!(run.code != 0 && run.err.contains(expected), "'{expected}' is not in:\n{}", run.err);
    }
    // Of texts: a file that is too short to hold anything out, one of one symbol, one with nothing in it.
    let short = folder.write("short.txt", "a");
    let run = train(&short, &folder.path("none"), &[]);
    assert!(run.err.contains("--validation-split 0 holds nothing out"), "{}", run.err);
    let same = folder.write("same.txt", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    train(&same, &folder.path("same"), &["--validation-split", "0"]).ok();
    let empty = folder.write("empty.txt", "\n\n");
    assert!(train(&empty, &folder.path("none"), &[]).err.contains("empty.txt is empty"));
    // A table without labels where there must be some.
    let table = folder.write("rows.csv", "text\nhello there\nhow are you\n");
    let run = train(&table, &folder.path("none"), &["--label", "kind"]);
    assert!(run.err.contains("there is no column \"kind\""), "{}", run.err);
    let run = train(&data, &folder.path("none"), &["--label", "kind"]);
    assert!(run.err.contains("lines.txt: this is plain text, which has no columns"), "{}", run.err);
    let run = lookback(&["evaluate", &model, &data, "--label", "kind"]);
    assert!(
        run.err.contains("plain text, which has no columns") || run.err.contains("--label is what texts"),
        "{}",
        run.err
    );
    // From a pipe, which is read once, JSON is found out as well.
    let objects = "{\"text\": \"the cat is tired\"}\n{\"text\": \"the hen is happy\"}\n";
    let piped = folder.path("piped");
    let run = lookback_with_input(&arguments("-", &piped, &["--validation-split", "0", "--epochs", "1"]), objects);
    assert_eq!(json(&lookback(&["evaluate", &piped, &data, "--json"]).ok())["examples"], 240, "{}", run.err);
    let run = train(
        &data,
        &folder.path("none"),
        &["--documents", "file", "--chunk", "5000", "--batch-size", "1", "--max-memory", "1"],
    );
    assert!(run.err.contains("--max-memory is 1 MiB") && run.err.contains("--chunk"), "{}", run.err);
    let none = lookback_with_input(&["predict", &model, "--state-out", &folder.path("state")], "");
    assert!(none.err.contains("--state-out keeps what one input leaves, but there is none"), "{}", none.err);
    let two = lookback_with_input(
        &["predict", &model, "--stream", "--state-out", &folder.path("state"), "--length", "3"],
        "a\nb\n",
    );
    assert!(two.code != 0 && two.err.contains("--state-out keeps what one input leaves"), "{}", two.err);
    let other = lookback_with_input(&["predict", &model, "--anomalies"], "the\n");
    assert!(other.err.contains("--anomalies is of models that forecast"), "{}", other.err);
}

#[test]
fn a_text_in_parts_is_as_the_whole_and_another_models_state_is_refused() {
    let folder = Folder::new();
    let data = folder.write("lines.txt", lines());
    let (model, state, next) = (folder.path("model.safetensors"), folder.path("state"), folder.path("next"));
    for (cell, layers) in [("lstm", "1"), ("gru", "2"), ("rnn", "1")] {
        train(&data, &model, &["--epochs", "1", "--cell", cell, "--layers", layers]).ok();
        let score = |more: &[&str], text: &str| {
            let all = [&["predict", &model, "--score"], more].concat();
            answers(&lookback_with_input(&all, text).ok())[0]["scores"].as_array().unwrap().clone()
        };
        let whole = score(&[], "the cat is hungry and eats\n");
        let mut parts = score(&["--state-out", &state], "the cat i\n");
        parts.extend(score(&["--state-in", &state, "--state-out", &next], "s hungry \n"));
        parts.extend(score(&["--state-in", &next], "and eats\n"));
        assert_eq!(parts, whole, "{cell}");
        // What is written behind a text is what is written behind its parts.
        let write = |more: &[&str], text: &str| {
            let all = [&["predict", &model, "--temperature", "0", "--length", "5"], more].concat();
            answers(&lookback_with_input(&all, text).ok())[0]["completion"].as_str().unwrap().to_owned()
        };
        let ten = {
            let all = ["predict", &model, "--temperature", "0", "--length", "10", "--min-length", "10"];
            answers(&lookback_with_input(&all, "the cat\n").ok())[0]["completion"].as_str().unwrap().to_owned()
        };
        let first = write(&["--state-out", &state, "--min-length", "5"], "the cat\n");
        assert_eq!(first + &write(&["--state-in", &state, "--min-length", "5"], "\n"), ten, "{cell}");
    }
    let other = folder.path("other.safetensors");
    train(&data, &other, &["--epochs", "1", "--seed", "1"]).ok();
    let refused = lookback_with_input(&["predict", &other, "--state-in", &state, "--strict"], "a\n");
    assert!(refused.err.contains("is what another model has read"), "{}", refused.err);
    let refused = lookback_with_input(&["predict", &other, "--state-in", &data], "a\n");
    assert!(refused.err.contains("--state-in") && refused.err.contains("lines.txt"), "{}", refused.err);
    let several = lookback_with_input(&["predict", &other, "--state-out", &state, "--count", "2"], "a\n");
    assert!(several.err.contains("--state-out keeps what one text leaves"), "{}", several.err);
    let two = lookback_with_input(&["predict", &other, "--state-out", &state, "--strict"], "a\nb\n");
    assert!(two.code != 0 && two.err.contains("--state-out keeps what one input leaves"), "{}", two.err);
    let nowhere = lookback_with_input(&["predict", &other, "--state-out", "/nowhere/state"], "a\n");
    assert!(nowhere.err.contains("--state-out") && nowhere.err.contains("/nowhere"), "{}", nowhere.err);
}

#[test]
fn a_training_that_is_killed_goes_on_with_what_its_rows_had_read() {
    let folder = Folder::new();
    let data = folder.write("book.txt", lines());
    let (straight, killed) = (folder.path("straight"), folder.path("killed"));
    let checkpoint = format!("{killed}.checkpoint");
    let options = [
        "--documents",
        "file",
        "--chunk",
        "9",
        "--layers",
        "2",
        "--dropout",
        "0.2",
        "--epochs",
        "3",
        "--batch-size",
        "4",
    ];
    train(&data, &straight, &options).ok();
    let every = [&options[..], &["--checkpoint-every", "1steps"]].concat();
    let (mut resumed, mut ended) = (0, false);
    for round in 0..6u64 {
        let resume = Path::new(&checkpoint).exists();
        let more = if resume { [&every[..], &["--resume"]].concat() } else { every.clone() };
        let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"))
            .args(arguments(&data, &killed, &more))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        while !Path::new(&checkpoint).exists() && program.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(60 + 35 * round));
        resumed += usize::from(resume);
        ended = program.try_wait().unwrap().is_some();
        if ended {
            break;
        }
        program.kill().unwrap();
        program.wait().unwrap();
    }
    if !ended {
        train(&data, &killed, &[&every[..], &["--resume"]].concat()).ok();
        resumed += 1;
    }
    assert!(resumed > 0, "no training was taken up again");
    let bytes = |path: &str| std::fs::read(path).unwrap();
    assert!(bytes(&straight) == bytes(&killed), "other bytes after {resumed} resumptions");
}
