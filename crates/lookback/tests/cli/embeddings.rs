//! Token vectors that were trained before.

use std::io::Write as _;

use serde_json::Value;

use crate::program::{Folder, TINY_TAGGER, lookback, lookback_with_input, sentences, train};

/// Words of [`sentences`] and others, with vectors of 8 numbers.
const WORDS: [&str; 6] = ["soup", "rain", "Song", "umbrella", "broth", "much"];

/// The vector of a word: numbers that no training leaves as they are.
fn vector(word: usize) -> Vec<f32> {
    (0..8).map(|place| ((word * 8 + place) as f32 * 0.7).sin() * 0.1).collect()
}

/// Rows of text.
fn rows() -> String {
    let row = |(place, word): (usize, &&str)| {
        let numbers: Vec<String> = vector(place).iter().map(f32::to_string).collect();
        format!("{word} {}\n", numbers.join(" "))
    };
    WORDS.iter().enumerate().map(row).collect()
}

/// The vector of each token of a model's vocabulary.
fn vectors_of(model: &str) -> Vec<(String, Vec<f32>)> {
    let bytes = std::fs::read(model).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let encoder: Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["encoder"]).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let table = tensors.tensor("encoder.embedding.weight").unwrap();
    let numbers: Vec<f32> = table.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let tokens = encoder["text"]["vocabulary"]["tokens"].as_array().unwrap();
    let names = tokens.iter().map(|token| token.as_str().unwrap().to_owned());
    names.zip(numbers.chunks(8).map(<[f32]>::to_vec)).collect()
}

fn vector_of(vectors: &[(String, Vec<f32>)], token: &str) -> Option<Vec<f32>> {
    vectors.iter().find(|(name, _)| name == token).map(|(_, vector)| vector.clone())
}

/// Everything that could move a vector: weight decay, momentum, averages.
const FROZEN: [&str; 10] = [
    "--embeddings-mode",
    "frozen",
    "--epochs",
    "3",
    "--optimizer",
    "adamw",
    "--weight-decay",
    "0.1",
    "--average",
    "ema",
];

#[test]
fn every_format_gives_the_same_training() {
    let folder = Folder::new();
    let (data, file) = (folder.write("data.tsv", sentences()), folder.path("vectors"));
    let mut binary = b"6 8\n".to_vec();
    for (place, word) in WORDS.iter().enumerate() {
        binary.extend(format!("{word} ").bytes());
        binary.extend(vector(place).iter().flat_map(|number| number.to_le_bytes()));
        binary.push(b'\n');
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(rows().as_bytes()).unwrap();
    let zstandard = ruzstd::encoding::compress_to_vec(rows().as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let formats: [(&str, Vec<u8>); 5] = [
        ("text of GloVe", rows().into_bytes()),
        ("text of word2vec or fastText", format!("6 8\n{}", rows()).into_bytes()),
        ("binary of word2vec", binary),
        ("text of GloVe", packed.finish().unwrap()),
        ("text of GloVe", zstandard),
    ];
    let mut models = Vec::new();
    for (told, content) in formats {
        std::fs::write(&file, content).unwrap();
        let model = folder.path("model");
        let run = train(&data, &model, &["--epochs", "2", "--embeddings", &file]);
        for part in [told, "6 words, vectors of 8 numbers; 4 of 31 tokens have one, 16.7 % of the running text"] {
            assert!(run.err.contains(part), "'{part}' is not in: {}", run.err);
        }
        run.ok();
        models.push(std::fs::read(&model).unwrap());
    }
    assert!(models.iter().all(|model| *model == models[0]), "other bytes");
}

#[test]
fn frozen_vectors_are_those_of_the_file_and_tuned_ones_begin_there() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let file = folder.write("vectors.vec", format!("6 8\n{}", rows()));
    let (model, more) = (folder.path("model"), ["--embeddings", &file]);
    for options in [&FROZEN[..], &[&FROZEN[..8], &["--average", "swa", "--average-start", "1"]].concat()] {
        train(&data, &model, &[&more, options].concat()).ok();
        let vectors = vectors_of(&model);
        assert_eq!(vector_of(&vectors, "soup"), Some(vector(0)));
        assert_eq!(vector_of(&vectors, "song"), Some(vector(2)), "in lower case, as it is read");
        assert_eq!(vector_of(&vectors, "broth"), None, "it is not in the training data");
        // Those that the file lacks deviate as those that it has, not by 0.3.
        let other: Vec<f32> = vectors
            .iter()
            .filter(|(token, _)| token == "hot" || token == "some")
            .flat_map(|(_, row)| row.clone())
            .collect();
        assert!(other.len() == 16 && other.iter().all(|value| value.abs() < 0.4), "{other:?}");
    }
    // Trained on from there they are frozen still, unless that is said.
    let on = folder.path("on");
    let init = ["train", "classify", &data, "-o", &on, "--init", &model, "--epochs", "1"];
    lookback(&init).ok();
    assert_eq!(vector_of(&vectors_of(&on), "soup"), Some(vector(0)));
    lookback(&[&init[..], &["--embeddings-mode", "tuned"]].concat()).ok();
    assert_ne!(vector_of(&vectors_of(&on), "soup"), Some(vector(0)));
    // Steps too small for more than the last digits.
    train(&data, &model, &["--embeddings", &file, "--epochs", "1", "--learning-rate", "0.00001"]).ok();
    let soup = vector_of(&vectors_of(&model), "soup").unwrap();
    assert!(soup != vector(0) && soup.iter().zip(vector(0)).all(|(a, b)| (a - b).abs() < 0.001), "{soup:?}");
}

#[test]
fn the_width_is_that_of_the_file_whatever_the_data_would_choose() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let file = folder.write("vectors.vec", format!("6 8\n{}", rows()));
    let model = folder.path("model");
    // Cross-validated, so that vectors are laid into several vocabularies.
    let more = ["--embeddings", &file, "--embeddings-vocabulary", "1", "--epochs", "1"];
    let run = lookback(&[&["train", "classify", &data, "-o", &model], &more[..]].concat());
    assert!(run.err.contains("cross-validation in 5 parts") && !run.err.contains("--embedding "), "{}", run.err);
    assert_eq!(run.err.matches("of the running text").count(), 1, "{}", run.err);
    run.ok();
    let text = lookback(&["inspect", &model]).ok();
    assert!(text.contains("34 x 8"), "31 tokens, <pad>, <unk> and umbrella: {text}");
}

#[test]
fn words_of_the_file_become_known_where_that_is_asked_for() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let file = folder.write("vectors.vec", format!("6 8\n{}", rows()));
    let model = folder.path("model");
    let more = ["--embeddings", &file, "--embeddings-mode", "frozen", "--epochs", "1", "--char-ngrams", "3-3"];
    let known = |count: &str| {
        train(&data, &model, &[&more[..], &["--embeddings-vocabulary", count]].concat()).ok();
        let vectors = vectors_of(&model);
        ["umbrella", "broth"].map(|word| vector_of(&vectors, word))
    };
    assert_eq!(known("0"), [None, None]);
    assert_eq!(known("1"), [Some(vector(3)), None], "the first of the file that the training data do not have");
    assert_eq!(known("9"), [Some(vector(3)), Some(vector(4))]);
    let config = lookback(&["inspect", "--config", &model]).ok();
    for part in [&format!("embeddings = \"{file}\""), "embeddings-mode = \"frozen\"", "embeddings-vocabulary = 9"] {
        assert!(config.contains(part), "'{part}' is not in: {config}");
    }
    let (config, again) = (folder.write("again.toml", config), folder.path("again"));
    lookback(&["train", "classify", &data, "-o", &again, "--config", &config]).ok();
    assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap(), "other bytes");
    train(&data, &model, &[&more[..], &["--embeddings-vocabulary", "2", "--max-vocabulary", "24"]].concat())
        .refused(2, &["--embeddings-vocabulary would make a vocabulary of 26 tokens, but --max-vocabulary is 24"]);
}

#[test]
fn a_vocabulary_that_tells_cases_apart_takes_the_same_case_first() {
    let folder = Folder::new();
    let data = folder.write("data.conll", "Soup\tNOUN\nRain\tNOUN\n\nsoup\tNOUN\nﬂows\tVERB\n\n".repeat(20));
    let file = folder.write("vectors.vec", "soup 1 2\nSoup 3 4\nrain 5 6\nflows 7 8\nsoup 9 9\n");
    let model = folder.path("model");
    let tiny = &TINY_TAGGER[2..];
    let more = ["--lowercase", "false", "--embeddings", &file, "--embeddings-mode", "frozen", "--epochs", "1"];
    let run = lookback(&[&["train", "tag", &data, "-o", &model], tiny, &more].concat());
    assert!(run.err.contains("4 of 4 tokens have one, 100.0 %"), "{}", run.err);
    assert!(run.err.contains("twice there: 1 word, of which the first counts"), "{}", run.err);
    run.ok();
    let bytes = std::fs::read(&model).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let table = tensors.tensor("encoder.embedding.weight").unwrap();
    let numbers: Vec<f32> = table.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    // Behind <pad> and <unk>, by code point where counts are equal.
    assert_eq!(numbers[4..], [5.0, 6.0, 3.0, 4.0, 7.0, 8.0, 1.0, 2.0]);
    assert_eq!(lookback_with_input(&["predict", &model], "Soup flows\n").ok().lines().count(), 1);
}

#[test]
fn files_and_options_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    let good = folder.write("good.vec", rows());
    let refused = |more: &[&str], parts: &[&str]| {
        train(&data, &model, more).refused(2, parts);
        assert!(!folder.holds("model"));
    };
    lookback(&["train", "classify", &data, "-o", &model, "--embeddings", &good, "--embedding", "16"])
        .refused(2, &["--embedding is 16, but the vectors of", "good.vec have 8 numbers; leave it out"]);
    refused(&["--embeddings", &good, "--embedding-scale", "1"], &["--embedding-scale is of a random start"]);
    refused(&["--embeddings-mode", "frozen"], &["--embeddings-mode needs --embeddings, or a model in --init"]);
    refused(&["--embeddings-vocabulary", "9"], &["--embeddings-vocabulary needs --embeddings"]);
    refused(&["--embeddings", &folder.path("none")], &["--embeddings", "none: no such file"]);
    refused(&["--embeddings", "-"], &["--embeddings needs a file that can be read again"]);
    let init = crate::program::text_model_path();
    lookback(&["train", "classify", &data, "-o", &model, "--init", init, "--embeddings", &good])
        .refused(2, &["--embeddings is for a start without a model"]);
    let wrong = |content: String, parts: &[&str]| {
        let file = folder.write("wrong.vec", content);
        refused(&["--embeddings", &file], &[&["wrong.vec"], parts].concat());
    };
    wrong(
        rows().replace("rain ", "rain 1 "),
        &["line 2: the vector of \"rain\" has 9 numbers, but the first row has 8"],
    );
    wrong(format!("hot{}\nsoup{}x\n", " 1".repeat(8), " 1".repeat(8)), &["line 2: the vector of \"soup\" has \"1x\""]);
    wrong(format!("2 8\nsoup{} nan\n", " 1".repeat(7)), &["line 2: the vector of \"soup\" has \"nan\""]);
    wrong("not a file of vectors\n".into(), &["line 1: the line is \"not a file of vectors\""]);
    wrong(format!("Suppe{}\n", " 1".repeat(8)), &["has vectors of 1 words, but of none of the 31 tokens"]);
    wrong(String::new(), &["is empty"]);
    let series = folder.write("series.ts", crate::program::ts_series());
    lookback(&["train", "classify", &series, "-o", &model, "--embeddings", &good])
        .refused(2, &["--embeddings is for texts, but the data are numeric series"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_a_model_file_cannot_keep_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let name = std::ffi::OsStr::from_bytes(b"v\xFF.vec");
    let file = std::path::Path::new(&data).with_file_name(name);
    std::fs::write(&file, rows()).unwrap();
    for option in ["--embeddings", "--user-dictionary"] {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_lookback"));
        program.args(["train", "classify", &data, "-o", &folder.path("model"), option]).arg(&file);
        let output = program.output().expect("the program runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("{option} needs a file whose name is UTF-8")), "{told}");
    }
}
