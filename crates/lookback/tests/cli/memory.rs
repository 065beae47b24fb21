//! Memory in proportion to the input: files, rows, labels and options that would ask for far more than they hold.
//!
//! The program runs in an address space that is small beside what each case asked for before it was mended.

use std::fmt::Write as _;

use serde_json::Value;

use crate::program::{Folder, Run, TINY, TINY_SERIES, lookback, lookback_within, peak, sentences, train};

/// An address space, in MiB, in which every small run of the program finds room.
const ROOM: u64 = 700;

/// Trains on `data` in this address space; options follow.
fn train_within(mib: u64, data: &str, output: &str, network: &[&str], more: &[&str]) -> Run {
    lookback_within(mib, &[&["train", "classify", data, "-o", output], network, more].concat(), "")
}

/// Series of one channel that rise or fall, one in two; the first has `longest` steps, the others a few.
fn one_long_series(longest: usize) -> String {
    let mut file = "@univariate true\n@classLabel true up down\n@data\n".to_string();
    for case in 0..60 {
        let (label, slope) = if case % 2 == 0 { ("up", 0.5) } else { ("down", -0.5) };
        let steps = if case == 0 { longest } else { 3 + case % 6 };
        let values: Vec<String> = (0..steps).map(|step| format!("{:.1}", slope * (step % 10) as f64)).collect();
        let _ = writeln!(file, "{}:{label}", values.join(","));
    }
    file
}

#[test]
fn channels_of_unequal_lengths_are_refused_before_memory_is_taken_for_their_product() {
    let folder = Folder::new();
    let long = vec!["1"; 20_000].join(",");
    let file = format!("@univariate false\n@classLabel true x y\n@data\n{long}{}:x\n", ":1".repeat(20_000));
    let data = folder.write("bomb.ts", file);
    let run = train_within(ROOM, &data, &folder.path("model"), &TINY_SERIES, &[]);
    run.refused(2, &["bomb.ts, line 4: channel 2 has 1 value but channel 1 has 20000; as many expected"]);
}

#[test]
fn an_answer_takes_no_views_unless_attention_is_asked_for() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--attention", "multi-head:4", "--max-length", "6000", "--epochs", "1"]).ok();
    // The views alone would be four tables of 6000 x 6000 numbers: 576 MB, and as much for their shares.
    let long = format!("{}\n", "hot soup ".repeat(3_000));
    let out = lookback_within(ROOM, &["predict", &model], &long).ok();
    assert_eq!(out.lines().count(), 1);
    let refused = lookback_within(ROOM, &["predict", &model, "--attention", "--max-memory", "256"], &long);
    for part in ["<stdin>, line 1: the text has 6000 tokens", "max-memory is 256 MiB", "without its attention"] {
        assert!(refused.out.contains(part), "'{part}' is not in: {}", refused.out);
    }
    refused.refused(3, &["1 of 1 input"]);
    lookback(&["explain", &model, &long, "--max-memory", "256"]).refused(2, &["the input, line 1", "6000 tokens"]);
}

#[test]
fn one_long_row_does_not_make_its_whole_batch_long() {
    let folder = Folder::new();
    let data = folder.write("long.ts", one_long_series(100_000));
    let model = folder.path("model.safetensors");
    // All 60 rows padded to the longest took 1.7 GB.
    let options = ["--hidden", "8", "--batch-size", "64", "--epochs", "1"];
    train_within(ROOM, &data, &model, &options, &["--validation", &data, "--max-memory", "300"]).ok();
    let judged = lookback_within(ROOM, &["evaluate", &model, &data, "--json", "--max-memory", "100"], "").ok();
    assert_eq!(serde_json::from_str::<Value>(&judged).unwrap()["examples"], 60);
    let answered = lookback_within(ROOM, &["predict", &model, &data, "--max-memory", "100"], "").ok();
    assert_eq!(answered.lines().count(), 60);
}

#[test]
fn a_row_over_the_limit_alone_is_refused_with_its_line_and_the_way_out() {
    let folder = Folder::new();
    let data = folder.write("long.ts", one_long_series(100_000));
    let model = folder.path("model.safetensors");
    let limited = ["--hidden", "8", "--epochs", "1", "--max-memory", "20"];
    let refused = train_within(ROOM, &data, &folder.path("none"), &limited, &[]);
    let parts = ["long.ts, line 4", "100000 steps", "max-memory is 20 MiB", "--max-length", "--max-memory 300"];
    refused.refused(2, &parts);
    train_within(ROOM, &data, &model, &limited, &["--max-length", "50"]).ok();
    // Series that the model does not cut.
    train_within(ROOM, &folder.write("short.ts", one_long_series(9)), &model, &limited, &[]).ok();
    let parts = ["long.ts, line 4", "100000 steps", "max-memory is 5 MiB", "allow it with --max-memory"];
    lookback_within(ROOM, &["evaluate", &model, &data, "--max-memory", "5"], "").refused(2, &parts);
    let predicted = lookback_within(ROOM, &["predict", &model, &data, "--max-memory", "5"], "");
    assert!(parts.iter().all(|part| predicted.out.contains(part)), "{}", predicted.out);
    predicted.refused(3, &["1 of 60 inputs"]);
    lookback(&["predict", &model, &data, "--max-memory", "0"]).refused(2, &["--max-memory", "from 1 to"]);
}

#[test]
fn a_translator_of_any_form_stays_within_the_limit_and_what_the_program_takes_anyway() {
    let folder = Folder::new();
    let (model, mut table) = (folder.path("model.safetensors"), "source\ttarget\n".to_string());
    for pair in 0..16 {
        let text = ["abcdefghij", "jihgfedcba"][pair % 2].repeat(30);
        let _ = writeln!(table, "{text}\t{text}");
    }
    let data = folder.write("pairs.tsv", table);
    // The program itself, the data, and the tables with their copies, of which a translator has more than a classifier.
    const BESIDE: u64 = 80;
    let forms: [&[&str]; 5] = [
        &[],
        &["--decoder", "bahdanau", "--decoder-attention", "additive"],
        &["--copy"],
        &["--copy", "--coverage", "--decoder-attention", "additive"],
        &["--decoder", "hard-monotonic"],
    ];
    for form in forms {
        let train = ["train", "translate", &data, "-o", &model, "--epochs", "1", "--validation-split", "0"];
        let options = ["--tokenizer", "characters", "--target-tokenizer", "characters", "--hidden", "64"];
        let within = |mib| peak(&[&train[..], &options, form, &["--batch-size", "16", "--max-memory", mib]].concat());
        let (whole, training) = (within("4096"), within("40"));
        assert!(training <= 40 + BESIDE, "{form:?}: {training} MiB within 40");
        assert!(training < whole, "{form:?}: {training} MiB within 40, {whole} MiB without");
        let judging = peak(&["evaluate", &model, &data, "--beam", "20", "--max-length", "60", "--max-memory", "20"]);
        assert!(judging <= 20 + BESIDE, "{form:?}: {judging} MiB within 20 while it is judged");
    }
}

#[test]
fn a_network_of_any_form_stays_within_the_limit_and_what_the_program_takes_anyway() {
    let folder = Folder::new();
    let mut file = "@univariate true\n@classLabel true up down\n@data\n".to_string();
    for case in 0..16 {
        let values = vec![["0.5", "-0.5"][case % 2]; 500].join(",");
        let _ = writeln!(file, "{values}:{}", ["up", "down"][case % 2]);
    }
    let data = folder.write("series.ts", file);
    let model = folder.path("model.safetensors");
    // The program itself, the data, and the tables with their copies.
    const BESIDE: u64 = 60;
    let forms: [&[&str]; 8] = [
        &[],
        &["--cell", "gru"],
        &["--cell", "rnn", "--hidden", "128"],
        &["--layers", "3"],
        &["--recompute", "--hidden", "128"],
        &["--pooling", "max+mean+attention"],
        &["--attention", "additive"],
        &["--attention", "structured:4"],
    ];
    for form in forms {
        let hidden: &[&str] = if form.contains(&"--hidden") { &[] } else { &["--hidden", "64"] };
        let train = ["train", "classify", &data, "-o", &model, "--epochs", "1", "--validation-split", "0"];
        let options = ["--batch-size", "16", "--max-memory"];
        let (whole, parts) = (
            peak(&[&train[..], hidden, form, &options, &["4096"]].concat()),
            peak(&[&train[..], hidden, form, &options, &["20"]].concat()),
        );
        assert!(parts <= 20 + BESIDE, "{form:?}: {parts} MiB within 20");
        // What computes its gates again keeps so little that the whole batch takes hardly more.
        let less = parts < whole || form.contains(&"--recompute");
        assert!(less, "{form:?}: {parts} MiB within 20, {whole} MiB without");
        let judged = peak(&["evaluate", &model, &data, "--max-memory", "5"]);
        assert!(judged <= 5 + BESIDE, "{form:?}: {judged} MiB within 5");
    }
}

#[test]
fn a_batch_in_parts_is_the_same_step() {
    let folder = Folder::new();
    let mut table = "label\ttext\n".to_string();
    for row in 0..90 {
        let word = ["rain", "song", "soup", "song", "soup", "soup"][row % 6];
        let _ = writeln!(table, "{word}\t{}", format!("{word} and the rest of it ").repeat(1 + row * 7 % 13));
    }
    let data = folder.write("data.tsv", table);
    let weights = |name: &str, memory: &str| {
        let model = folder.path(name);
        let options = [
            "--embedding",
            "8",
            "--hidden",
            "8",
            "--dropout",
            "0",
            "--word-dropout",
            "0",
            "--batch-size",
            "90",
            "--epochs",
            "5",
            "--learning-rate",
            "0.5",
        ];
        // Weights of labels and a penalty are means of their own; both must come out the same.
        let more = ["--class-weights", "balanced", "--attention", "structured:2", "--max-memory", memory];
        lookback(&[&["train", "classify", &data, "-o", &model, "--optimizer", "sgd"], &options[..], &more].concat())
            .ok();
        let bytes = std::fs::read(model).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut names = tensors.names();
        names.sort();
        let values: Vec<u8> = names.iter().flat_map(|name| tensors.tensor(name).unwrap().data().to_vec()).collect();
        values.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect::<Vec<f32>>()
    };
    let (whole, parts) = (weights("whole", "4096"), weights("parts", "1"));
    assert!(parts == weights("again", "1"), "the same seed falls into other parts");
    assert!(whole != parts, "the batch was not split");
    for (whole, part) in whole.iter().zip(&parts) {
        assert!((whole - part).abs() < 1e-4, "{whole} became {part}");
    }
}

#[test]
fn a_column_of_ids_is_told_as_one_and_not_learnt() {
    let folder = Folder::new();
    let mut table = "id,text\n".to_string();
    (0..100_000).for_each(|row| table.push_str(&format!("{row},it is number {}\n", row % 50)));
    let data = folder.write("ids.csv", table);
    let run = train_within(ROOM, &data, &folder.path("model"), &TINY, &["--label", "id", "--text", "text"]);
    let parts = ["ids.csv", "column \"id\" has 100000 different values in 100000 rows", "is it an id?", "--label"];
    run.refused(2, &parts);
}

#[test]
fn ten_thousand_labels_are_learnt_and_judged_without_a_table_of_their_square() {
    let folder = Folder::new();
    let row = |row: usize| format!("kind {0},word{0}\n", row % 10_000);
    let table = |rows: usize| format!("label,text\n{}", (0..rows).map(row).collect::<String>());
    let (data, some) = (folder.write("labels.csv", table(20_000)), folder.write("some.csv", table(1_000)));
    let model = folder.path("model.safetensors");
    let options = ["--embedding", "4", "--hidden", "4", "--batch-size", "512", "--epochs", "1"];
    // The square of the labels would take 800 MB a time.
    train_within(ROOM, &data, &model, &options, &["--validation-split", "0.02"]).ok();
    let judged = lookback_within(ROOM, &["evaluate", &model, &some, "--json"], "").ok();
    let judged: Value = serde_json::from_str(&judged).unwrap();
    assert_eq!((judged["classes"].as_array().unwrap().len(), judged.get("confusion")), (10_000, None));
    let wrong: u64 = judged["confused"].as_array().unwrap().iter().map(|pair| pair["count"].as_u64().unwrap()).sum();
    assert_eq!(wrong, ((1.0 - judged["accuracy"].as_f64().unwrap()) * 1_000.0).round() as u64);
}

#[test]
fn ngrams_of_texts_that_would_not_fit_are_refused_with_their_size() {
    let folder = Folder::new();
    // Some 36 n-grams of characters a word, of which no two texts share many.
    let row = |row: usize| {
        let words: Vec<String> = (0..60).map(|word| format!("w{}", (row * 60 + word) * 7919)).collect();
        format!("{}\t{}\n", ["a", "b"][row % 2], words.join(" "))
    };
    let data = folder.write("data.tsv", format!("label\ttext\n{}", (0..1_000).map(row).collect::<String>()));
    let options = ["--linear-characters", "1-8", "--linear-buckets", "65536", "--epochs", "1", "--max-memory", "8"];
    let run = train(&data, &folder.path("model"), &[&options[..], &["--max-vocabulary", "100"]].concat());
    run.refused(
        2,
        &["the linear part would take", "the n-grams of the texts alone take", "--linear-characters", "--max-memory"],
    );
}

#[test]
fn options_whose_tables_would_not_fit_are_refused_with_their_size() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let cases: [(&[&str], &[&str]); 10] = [
        (&["--hidden", "1000000000"], &["hidden is 1000000000; it must be from 1 to 65536"]),
        (&["--hidden", "65536"], &["iB of memory", "max-memory is 4096 MiB", "weight_hh_l0", "smaller --hidden"]),
        (&["--hidden", "2000", "--ensemble", "64"], &["and its ensemble of 64", "iB of memory", "--max-memory"]),
        (&["--layers", "64", "--hidden", "4096"], &["iB of memory", "smaller --hidden"]),
        (&["--char-ngrams", "1-3", "--char-buckets", "4000000000"], &["ngram_embedding.weight", "char-buckets"]),
        (&["--bigram-buckets", "4000000000"], &["bigram_embedding.weight, 4000000001 x 8", "bigram-buckets"]),
        (
            &["--linear-words", "1", "--linear-buckets", "16777216", "--max-memory", "500"],
            &["linear.weight", "linear-buckets"],
        ),
        (&["--linear-characters", "1-100000"], &["linear-characters is '1-100000'; the longest may be at most 64"]),
        (&["--threads", "1000000000"], &["threads is 1000000000; it must be from 1 to 1024"]),
        (&["--max-memory", "0"], &["--max-memory", "a whole number of MiB from 1"]),
    ];
    for (options, parts) in cases {
        train_within(ROOM, &data, &folder.path("model"), &["--embedding", "8"], options).refused(2, parts);
    }
    assert!(!folder.holds("model"));
}
