//! `lookback tune`.

use crate::program::*;

/// All options that are searched for, but the cell.
const ALL_BUT_CELL: [&str; 14] = [
    "--learning-rate",
    "0.01",
    "--pooling",
    "mean",
    "--word-dropout",
    "0.1",
    "--linear-words",
    "none",
    "--linear-characters",
    "none",
    "--epochs",
    "4",
    "--seed",
    "3",
];

#[test]
fn a_search_writes_a_configuration_that_trains_and_goes_on_to_the_same() {
    let folder = Folder::new();
    let (data, tuned) = (folder.write("rows.tsv", sentences()), folder.path("tuned.toml"));
    let tune = |more: &[&str]| {
        let usual = ["tune", "classify", &data, "-o", &tuned, "--budget", "600"];
        let split: &[&str] = if more.contains(&"--validation-split") { &[] } else { &["--validation-split", "0.2"] };
        lookback(&[&usual[..], TINY.as_slice(), &ALL_BUT_CELL, split, more].concat())
    };
    let run = tune(&[]);
    assert!(run.err.contains("candidate 0, 4 epochs: accuracy "), "{}", run.err);
    // One for a ninth, a third and all of the epochs.
    for epochs in ["1 epoch:", "4 epochs:"] {
        assert!(run.err.contains(&format!("candidate 1, {epochs} accuracy ")), "{}", run.err);
    }
    assert!(run.err.contains("--cell lstm") && run.out.contains("of 2 candidates"), "{} {}", run.err, run.out);
    assert_eq!(run.err.matches("texts from column").count(), 1, "the data are told of once");
    run.ok();
    let config = std::fs::read_to_string(&tuned).unwrap();
    assert!(config.starts_with("# lookback train classify DATA --config THIS\n# accuracy "), "{config}");
    assert!(config.contains("seed = 3") && config.contains("hidden = 8"), "{config}");
    lookback(&["train", "classify", &data, "-o", &folder.path("model"), "--config", &tuned]).ok();

    let trials = std::fs::read_to_string(folder.path("tuned.toml.trials.jsonl")).unwrap();
    let kept: Vec<&str> = trials.lines().take(2).collect();
    std::fs::write(folder.path("tuned.toml.trials.jsonl"), kept.join("\n") + "\n{\"candi").unwrap();
    let again = tune(&["--resume"]);
    assert!(!again.err.contains("candidate 0,") && again.err.contains("candidate 1,"), "{}", again.err);
    again.ok();
    assert_eq!(std::fs::read_to_string(&tuned).unwrap(), config);
    tune(&["--resume", "--label-smoothing", "0.1"]).refused(2, &["is of another search", "label-smoothing"]);
    // A search that fails leaves what was found before.
    let before = std::fs::read_to_string(folder.path("tuned.toml.trials.jsonl")).unwrap();
    let failed = tune(&["--validation-split", "0"]);
    assert!(failed.err.contains("is of a search before, which this one replaces"), "{}", failed.err);
    failed.refused(2, &["tune needs --validation"]);
    assert_eq!(std::fs::read_to_string(folder.path("tuned.toml.trials.jsonl")).unwrap(), before);
}

#[test]
fn a_search_without_time_or_data_to_judge_by_is_told() {
    let folder = Folder::new();
    let (data, tuned) = (folder.write("rows.tsv", sentences()), folder.path("tuned.toml"));
    let tune = |more: &[&str]| {
        lookback(&[&["tune", "classify", &data, "-o", &tuned, "--epochs", "1"], TINY.as_slice(), more].concat())
    };
    tune(&["--budget", "0"]).refused(2, &["--budget is 0; it must be above 0"]);
    tune(&["--budget", "NaN"]).refused(2, &["--budget is NaN"]);
    tune(&["--validation-split", "0"]).refused(2, &["tune needs --validation or a validation split"]);
    tune(&["--hidden-size", "3"]).refused(2, &["--hidden-size"]);
    let short = tune(&["--budget", "0.000001"]);
    assert!(short.out.contains("for what training does by itself, accuracy "), "{} {}", short.out, short.err);
    short.ok();
    lookback(&["tune", "classify", &data, "-o", &data]).refused(2, &["is read and cannot be the output as well"]);
    lookback(&["tune", "classify", &data, "-o", &folder.path(".")]).refused(2, &["directory"]);
}
