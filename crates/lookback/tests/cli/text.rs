//! Training on texts, and everything that is done with the model.

use serde_json::Value;

use crate::program::{Folder, lookback, lookback_with_input, sentences, text_model_path, train};

#[test]
fn a_trained_model_is_evaluated_and_knows_its_sentences() {
    let folder = Folder::new();
    let data = folder.write("test.tsv", sentences());
    let text = lookback(&["evaluate", text_model_path(), &data]).ok();
    for part in
        ["examples            90", "accuracy", "macro F1", "micro F1", "precision %", "right \\ answer", "weather"]
    {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
    let json: Value = serde_json::from_str(&lookback(&["evaluate", text_model_path(), &data, "--json"]).ok()).unwrap();
    assert_eq!(json["examples"], 90);
    assert!(json["accuracy"].as_f64().unwrap() > 0.95, "{json}");
    assert!(json["macro_f1"].as_f64().unwrap() > 0.95, "{json}");
    assert_eq!(json["micro_f1"], json["accuracy"]);
    assert_eq!(json["confusion"].as_array().unwrap().len(), 3);
    assert_eq!(json["classes"][0]["support"], 30);
}

#[test]
fn predict_answers_every_line_with_one_json_object() {
    let input = "please play a song\n\nunheard-of words only\nhot soup\n";
    let out = lookback_with_input(&["predict", text_model_path(), "--attention"], input).ok();
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 4, "an empty line is answered, too");
    assert_eq!(answers[0]["label"], "music");
    for answer in &answers {
        let probabilities: Vec<f64> =
            answer["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).collect();
        assert!(probabilities.windows(2).all(|pair| pair[0] >= pair[1]), "the likeliest first: {answer}");
    }
    assert_eq!(answers[3]["label"], "food");
    assert_eq!(answers[1]["pieces"], Value::Array(vec![]));
    for answer in &answers {
        let probabilities = answer["probabilities"].as_object().unwrap();
        let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{answer}");
    }
    let weights: Vec<f64> = answers[0]["weights"].as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).collect();
    assert_eq!(weights.len(), answers[0]["pieces"].as_array().unwrap().len());
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{weights:?}");
}

#[test]
fn predict_reads_lines_tables_and_json_lines_alike() {
    let folder = Folder::new();
    let model = text_model_path();
    let lines = folder.write("input.txt", "hot soup\nplay a song\n");
    let jsonl = folder.write("input.jsonl", "{\"text\": \"hot soup\"}\n{\"text\": \"play a song\"}\n");
    let table = folder.write("input.csv", "text\nhot soup\nplay a song\n");
    let expected = lookback(&["predict", model, &lines]).ok();
    assert_eq!(expected.lines().count(), 2);
    assert_eq!(lookback(&["predict", model, &jsonl]).ok(), expected);
    // The header is a line of the file.
    let moved = expected.replace("{\"line\":2,", "{\"line\":3,").replace("{\"line\":1,", "{\"line\":2,");
    assert_eq!(lookback(&["predict", model, &table]).ok(), moved);
    assert_eq!(lookback_with_input(&["predict", model, "-"], "hot soup\nplay a song\n").ok(), expected);
}

#[test]
fn a_text_longer_than_the_model_reads_is_cut_with_a_warning() {
    let run = lookback_with_input(&["predict", text_model_path(), "--attention"], &"word ".repeat(50));
    assert!(run.err.contains("line 1: the text has 50 tokens; it is cut to the model's 12"), "{}", run.err);
    let answer: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!(answer["pieces"].as_array().unwrap().len(), 12);
}

#[test]
fn explain_shades_tokens_in_colour_or_lists_their_weights() {
    let model = text_model_path();
    let table = lookback(&["explain", model, "please play that old song"]).ok();
    assert!(table.starts_with("music"), "{table}");
    assert!(table.contains("song") && !table.contains('\x1b'), "{table:?}");
    let shaded = lookback(&["explain", model, "please play that old song", "--color", "always"]).ok();
    assert!(shaded.contains("\x1b[38;5;16;48;5;196m"), "{shaded:?}");
    assert!(lookback(&["explain", model, ""]).ok().contains('%'));
}

#[test]
fn a_model_without_attention_says_so() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("mean.safetensors");
    train(&data, &model, &["--epochs", "1", "--pooling", "mean"]).ok();
    let explained = lookback(&["explain", &model, "hot soup"]).ok();
    assert!(explained.contains("pools by mean, which gives no weights"), "{explained}");
    lookback(&["predict", &model, "--attention"]).refused(2, &["pools by mean", "attention or query"]);
    assert_eq!(lookback_with_input(&["predict", &model], "hot soup\n").ok().lines().count(), 1);
}

#[test]
fn inspect_shows_layers_parameters_vocabulary_and_training() {
    let text = lookback(&["inspect", text_model_path()]).ok();
    for part in [
        "labels      3: ",
        "vocabulary",
        "bidirectional GRU with 8 hidden units",
        "encoder.embedding.weight",
        "encoder.recurrent.weight_ih_l0",
        "encoder.recurrent.weight_hh_l0_reverse",
        "24 x 8",
        "pool.weight",
        "output.weight",
        "3 x 16",
        "trained on  81 examples, validated on 9",
        "learning-rate = 0.02",
    ] {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
}

#[test]
fn every_cell_pooling_and_optimiser_trains_and_is_read_back() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let cases: [&[&str]; 9] = [
        &["--cell", "gru", "--pooling", "query", "--recompute"],
        &["--cell", "rnn", "--pooling", "last", "--optimizer", "sgd", "--momentum", "0.9"],
        &["--layers", "2", "--pooling", "max+attention", "--optimizer", "adamw"],
        &["--bidirectional", "false", "--pooling", "mean+max+last", "--optimizer", "rmsprop"],
        &[
            "--char-ngrams",
            "1-3",
            "--char-buckets",
            "50",
            "--bigram-buckets",
            "40",
            "--shape-buckets",
            "9",
            "--word-dropout",
            "0.2",
        ],
        &["--linear-characters", "1-3", "--linear-words", "1-2", "--linear-buckets", "300", "--ensemble", "2"],
        &["--average", "ema", "--average-decay", "0.9", "--schedule", "cosine", "--warmup", "0.5"],
        &["--average", "swa", "--average-start", "1", "--schedule", "linear", "--label-smoothing", "0.1"],
        &["--class-weights", "balanced", "--tokenizer", "characters", "--score", "macro-f1", "--forget-bias", "1"],
    ];
    for (number, options) in cases.iter().enumerate() {
        let model = folder.path(&format!("{number}.safetensors"));
        train(&data, &model, &[&["--epochs", "2"], *options].concat()).ok();
        let out = lookback_with_input(&["predict", &model], "hot soup\n").ok();
        assert!(out.contains("probabilities"), "{options:?}: {out}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let bytes = |name: &str, seed: &str, threads: &str| {
        let model = folder.path(name);
        train(&data, &model, &["--epochs", "2", "--word-dropout", "0.1", "--seed", seed, "--threads", threads]).ok();
        std::fs::read(model).unwrap()
    };
    let first = bytes("first", "7", "2");
    assert!(first == bytes("second", "7", "2"), "the same seed gave other bytes");
    assert!(first != bytes("third", "8", "2"), "another seed gave the same bytes");
}

/// 37 long texts: their last batch leaves rows over, whose steps several threads share.
#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let folder = Folder::new();
    let words = ["soup", "parcel", "train", "rain", "invoice", "garden", "music"];
    let text = |row: usize| -> String {
        (0..200).map(|at| words[(row * 31 + at * at * 7 + at / 3) % words.len()]).collect::<Vec<_>>().join(" ")
    };
    let rows: String = (0..37).map(|row| format!("{}\t{}\n", text(row), ["a", "b"][row % 2])).collect();
    let data = folder.write("data.tsv", format!("text\tlabel\n{rows}"));
    let bytes = |threads: &str| {
        let model = folder.path(threads);
        let options = ["--epochs", "1", "--hidden", "96", "--threads", threads, "-o", &model];
        lookback(&[&["train", "classify", &data][..], &options].concat()).ok();
        std::fs::read(model).unwrap()
    };
    let one = bytes("1");
    for threads in ["2", "4", "8", "16"] {
        assert!(bytes(threads) == one, "{threads} threads gave other bytes than one");
    }
}

#[test]
fn several_networks_stand_in_one_file_and_the_first_is_the_one_trained_alone() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (alone, three) = (folder.path("alone"), folder.path("three"));
    train(&data, &alone, &["--epochs", "2"]).ok();
    let run = train(&data, &three, &["--epochs", "2", "--ensemble", "3"]);
    for part in ["network 1 of 3", "network 3 of 3"] {
        assert!(run.err.contains(part), "'{part}' is not in:\n{}", run.err);
    }
    assert!(run.ok().contains("3 networks, of epochs"));
    let text = lookback(&["inspect", &three]).ok();
    for part in
        ["3 networks, each 1 layer", "ensemble.0.encoder.embedding.weight", "ensemble.2.output.weight", "ensemble = 3"]
    {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
    let bytes = |model: &str| std::fs::read(model).unwrap();
    let values = |model: &str, name: &str| {
        let bytes = bytes(model);
        safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor(name).unwrap().data().to_vec()
    };
    assert!(values(&alone, "output.weight") == values(&three, "ensemble.0.output.weight"));
    assert!(values(&alone, "output.weight") != values(&three, "ensemble.1.output.weight"));
    let out = lookback_with_input(&["predict", &three, "--attention"], "hot soup\n").ok();
    let answer: Value = serde_json::from_str(&out).unwrap();
    for sums_to_one in [&answer["weights"], &answer["probabilities"]] {
        let values: Vec<f64> = match sums_to_one {
            Value::Array(values) => values.iter().map(|value| value.as_f64().unwrap()).collect(),
            values => values.as_object().unwrap().values().map(|value| value.as_f64().unwrap()).collect(),
        };
        assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{answer}");
    }
    assert!(lookback(&["evaluate", &three, &data]).ok().contains("examples            90"));
}

#[test]
fn a_linear_part_is_kept_and_shown_and_changes_the_answers() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (plain, wide) = (folder.path("plain"), folder.path("wide"));
    train(&data, &plain, &["--epochs", "2"]).ok();
    train(&data, &wide, &["--epochs", "2", "--linear-words", "1-2", "--linear-buckets", "500"]).ok();
    let text = lookback(&["inspect", &wide]).ok();
    for part in ["linear part 500 buckets", "linear.ngram_weight", "linear.weight", "500 x 3", "linear.bias"] {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
    let answer = |model: &str| lookback_with_input(&["predict", model], "hot soup\n\n").ok();
    assert!(answer(&plain) != answer(&wide));
    assert_eq!(answer(&wide).lines().count(), 2);
}

#[test]
fn the_demonstration_trains_evaluates_and_explains_without_writing_a_file() {
    let folder = Folder::new();
    let model = folder.path("demo.safetensors");
    let text = lookback(&["demo", "-o", &model]).ok();
    for part in ["accuracy", "right \\ answer", "What it looked at", "几点关门"] {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
    assert_eq!(folder.names(), ["demo.safetensors"]);
    assert!(lookback(&["inspect", &model]).ok().contains("labels      6: "));
}
