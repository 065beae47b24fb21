//! What the program says: each reason once, options by their flags, nothing that drives a terminal, no type of Rust.

use crate::program::{Folder, Run, lookback, lookback_with_input, sentences, text_model_path, train};

/// Words that only the program's authors know.
const RUST: [&str; 16] = [
    "usize",
    "u8",
    "u16",
    "u32",
    "u64",
    "i64",
    "f32",
    "f64",
    "Some(",
    "None",
    "ParseInt",
    "invalid digit",
    "invalid float",
    "..=",
    "struct ",
    "target type",
];

#[track_caller]
fn without_rust(run: Run, parts: &[&str]) {
    for word in RUST {
        let found = run.err.contains(word) || run.out.contains(word);
        assert!(!found, "'{word}' is in: {}{}", run.out, run.err);
    }
    run.refused(2, parts);
}

#[test]
fn numbers_are_refused_in_words() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    let cases = [
        ("--hidden", "many", "a whole number, 0 or above, was expected"),
        ("--hidden", "-3", "a whole number, 0 or above, was expected"),
        ("--hidden", "1.5", "a whole number, 0 or above, was expected"),
        ("--epochs", "99999999999999999999999", "a smaller number was expected"),
        ("--seed", "x", "a whole number, 0 or above, was expected"),
        ("--char-buckets", "99999999999", "a whole number from 0 to 4294967295 was expected"),
        ("--dropout", "half", "a number was expected"),
        ("--epochs", "18446744073709551615", "it must be at most 9223372036854775807"),
        ("--seed", "18446744073709551615", "it must be at most 9223372036854775807"),
    ];
    for (flag, value, sentence) in cases {
        let run = lookback(&["train", "classify", &data, "-o", &model, flag, value]);
        without_rust(run, &[flag, value, sentence]);
    }
}

#[test]
fn values_of_an_options_file_are_refused_in_words() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let cases = [
        ("epochs = 'two'", "epochs: found the string \"two\", expected a whole number, 0 or above"),
        ("epochs = -2", "epochs: found -2, expected a whole number, 0 or above"),
        ("dropout = [1]", "dropout: found a list, expected a number"),
        ("recompute = 1", "recompute: found 1, expected true or false"),
    ];
    for (line, sentence) in cases {
        let config = folder.write("options.toml", line);
        without_rust(train(&data, &folder.path("model"), &["--config", &config]), &["options.toml, line 1", sentence]);
    }
    let series = folder.write("slopes.ts", crate::program::ts_series());
    let model = folder.path("model");
    lookback(&["train", "classify", &series, "-o", &model, "--hidden", "4", "--epochs", "1"]).ok();
    without_rust(lookback(&["explain", &model, "[[1, \"x\"]]"]), &["found the string \"x\", expected a number"]);
}

#[test]
fn options_are_named_by_their_flags() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let cases: [(&[&str], &str); 17] = [
        (&["--hidden", "0"], "--hidden is 0"),
        (&["--epochs", "0"], "--epochs is 0"),
        (&["--dropout", "1"], "--dropout is 1"),
        (&["--clip", "-1"], "--clip is -1"),
        (&["--warmup", "99"], "--warmup is 99"),
        (&["--learning-rate", "-1"], "--learning-rate is -1"),
        (&["--average-decay", "0.9"], "--average-decay needs --average ema"),
        (&["--momentum", "0.9"], "--momentum is for"),
        (&["--char-buckets", "9"], "--char-buckets needs --char-ngrams"),
        (&["--linear-words", "x"], "--linear-words is 'x'"),
        (&["--forget-bias", "NaN"], "--forget-bias is NaN; it must be from"),
        (&["--embedding-scale", "inf"], "--embedding-scale is inf; it must be above 0"),
        (&["--char-ngrams", "1-65"], "--char-ngrams is '1-65'; the longest may be at most 64"),
        (&["--pooling", "median"], "--pooling 'median'"),
        (&["--attention", "cosine"], "--attention 'cosine'"),
        (&["--id", "1"], "--id is for numeric series"),
        (
            &["--validation-split", "0", "--patience", "3"],
            "--patience needs validation data, but --validation-split is 0",
        ),
    ];
    for (options, sentence) in cases {
        let train = ["train", "classify", &data, "-o", "model"];
        lookback(&[&train[..], options].concat()).refused(2, &[&format!("error: {sentence}")]);
    }
    lookback(&["inspect", "model", "--threads", "0"]).refused(2, &["error: --threads is 0"]);
    lookback(&["predict", text_model_path(), &data, "--format", "ts"])
        .refused(2, &["--format is ts, but the model reads texts"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_reason_is_said_once() {
    let folder = Folder::new();
    // A file that opens, but whose first byte cannot be read.
    let run = train("/proc/self/mem", &folder.path("model"), &["--format", "tsv"]);
    assert_eq!(run.err.matches("os error").count(), 1, "{}", run.err);
    run.refused(2, &["/proc/self/mem: cannot be read: "]);
}

#[track_caller]
fn harmless(run: Run) -> Run {
    for text in [&run.out, &run.err] {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
    run
}

#[test]
fn what_could_drive_a_terminal_is_escaped() {
    let folder = Folder::new();
    let rows = sentences().replace("music\t", "mu\u{1b}[31m\u{9b}2J\tmu\u{1b}[0m ");
    let data = folder.write("da\u{1b}[7mta.tsv", rows);
    let model = folder.path("mo\u{7}del.safetensors");
    // Texts are cut, which is warned of with the name of the file.
    let run = harmless(train(&data, &model, &["--epochs", "2", "--max-length", "3"]));
    assert!(run.out.contains("mo\\u{7}del.safetensors: the model of epoch"), "{}", run.out);
    run.ok();
    let names = "mu\\u{1b}[31m\\u{9b}2J";
    for arguments in
        [vec!["inspect", &model], vec!["evaluate", &model, &data], vec!["explain", &model, "a\u{1b}[1m song"]]
    {
        let text = harmless(lookback(&arguments)).ok();
        assert!(text.contains(names), "{text}");
    }
    for arguments in [vec!["evaluate", &model, &data, "--json"], vec!["predict", &model, &data, "--attention"]] {
        let text = harmless(lookback(&arguments)).ok();
        assert!(text.contains("mu\\u001b[31m\\u009b2J"), "{text}");
    }
    let unknown = folder.write("unknown\u{1b}.tsv", "label\ttext\n\u{1b}[31m\u{9b}\ta song\n");
    let judged = harmless(lookback(&["evaluate", &model, &unknown]));
    assert!(judged.err.contains("unknown\\x1b.tsv") && judged.out.contains("\\u{1b}[31m\\u{9b}"), "{}", judged.err);
    harmless(lookback(&["inspect", &folder.path("no\u{9b}ne")])).refused(2, &["no\\u{9b}ne: no such model file"]);
    let spoken = harmless(lookback_with_input(&["predict", &model, "--format", "jsonl"], "{\"t\u{9b}\": 1}\n"));
    spoken.refused(3, &["1 of 1 input could not be answered"]);
    harmless(lookback(&["inspect", "model", "--thr\u{1b}[31m", "2"])).refused(2, &["--thr"]);
    harmless(lookback(&["inspect", "model", "--threads", "\u{9b}2J"])).refused(2, &["--threads", "\\u{9b}2J"]);
}

#[test]
fn a_model_and_data_in_the_wrong_order_are_told_as_such() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = text_model_path();
    for command in ["evaluate", "predict", "explain"] {
        let said = format!("{data} is data, and {model} a model: they stand in the wrong order; the model comes first");
        lookback(&[command, &data, model]).refused(2, &[&said]);
        let said = format!("{model} is a model, but data were expected");
        lookback(&[command, model, model]).refused(2, &[&said]);
        lookback(&[command, &folder.path("none"), model]).refused(2, &[&said]);
    }
    train(model, &folder.path("other"), &[]).refused(2, &["is a model, but data were expected; --init MODEL"]);
    // The header of another program's file, and a file too short for one, are no model.
    let foreign = folder.write("foreign", b"\x02\0\0\0\0\0\0\0{}");
    for file in [foreign, folder.write("short", "x")] {
        let run = lookback(&["evaluate", &data, &file]);
        assert!(!run.err.contains("wrong order"), "{}", run.err);
        run.refused(2, &["data.tsv is not a Lookback model: it is a text"]);
    }
}

#[test]
fn all_formats_are_named_where_none_can_be_told() {
    let folder = Folder::new();
    let data = folder.write("data.xyz", sentences());
    let all = [
        "data.xyz: cannot tell the format from its name",
        "--format",
        "csv, tsv, jsonl",
        "fasttext",
        "ts, csv-long or wide",
    ];
    train(&data, &folder.path("model"), &[]).refused(2, &all);
    // A model of texts reads no series.
    let model = folder.path("model");
    train(&folder.write("data.tsv", sentences()), &model, &["--epochs", "1"]).ok();
    let run = lookback(&["evaluate", &model, &data]);
    assert!(!run.err.contains("csv-long"), "{}", run.err);
    run.refused(2, &["cannot tell the format", "csv, tsv, jsonl"]);
    // Who has the wrong task is told the right one.
    let tagged = folder.write("data.conll", "Ann B-PER\nruns O\n\nBob B-PER\nsits O\n");
    train(&tagged, &model, &[]).refused(2, &["data.conll: cannot tell the format", "which `train tag` reads"]);
    let table = folder.write("data.txt", "great film\tpositive\nawful plot\tnegative\n".repeat(20));
    let run = train(&table, &model, &[]);
    assert!(!run.err.contains("train tag"), "{}", run.err);
}

#[test]
fn what_is_no_text_is_refused_where_it_is_read() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.tsv", sentences()), folder.path("model"));
    train(&data, &model, &["--epochs", "1"]).ok();
    let bytes: Vec<u8> = (0..9000u32).map(|place| (place.wrapping_mul(place) >> 3) as u8).collect();
    for name in ["program.dat", "program.csv"] {
        let program = folder.path(name);
        std::fs::write(&program, &bytes).unwrap();
        let run = lookback(&["predict", &model, &program]);
        assert!(run.err.contains("this is no text"), "{}", run.err);
        assert!(run.out.is_empty(), "{}", run.out);
    }
}

#[test]
fn one_example_of_each_label_is_told_what_helps() {
    let folder = Folder::new();
    let rows: String = (0..12).map(|row| format!("word{row} other,intent_{row}\n")).collect();
    let (data, model) = (folder.write("each.csv", format!("text,label\n{rows}")), folder.path("model"));
    for share in ["0.1", "0.9"] {
        let parts = [
            "each is the only one of its label (of a translator, the only source)",
            "--validation-split 0 trains on all",
            "--validation names a file",
        ];
        train(&data, &model, &["--validation-split", share]).refused(2, &parts);
    }
    train(&data, &model, &["--epochs", "1", "--validation-split", "0"]).ok();
    train(&data, &model, &["--epochs", "1", "--validation", &data]).ok();
    lookback(&["train", "classify", &data, "-o", &model, "--epochs", "1"]).ok();
}
