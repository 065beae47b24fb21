//! What training tells of the data and of the model, and how much it spends.

use crate::program::*;

/// A text per number, of three labels; every one is another.
fn rows(from: usize, to: usize) -> String {
    let labels = [("good", "fine warm bright"), ("bad", "cold dull grey"), ("rare", "odd strange")];
    (from..to).fold("text,label\n".to_owned(), |table, n| {
        let (label, words) = labels[if n % 40 == 0 { 2 } else { n % 2 }];
        table + &format!("{words} {n},{label}\n")
    })
}

#[test]
fn what_there_is_to_learn_from_is_told_before_training_and_each_label_after_it() {
    let folder = Folder::new();
    let long = format!("{},good\n", "so ".repeat(300));
    let data = folder.write("rows.csv", rows(0, 80) + &long + "a text,good\nanother text,bad\n");
    let more = folder.write("more.csv", rows(78, 82) + "new words here,rare\n");
    let options = ["--epochs", "1", "--max-length", "100", "--validation", &more];
    let run = train(&data, &folder.path("model"), &options);
    for told in [
        "rows.csv: 83 texts of 2 to 300 tokens, 4 in the median",
        "; of the tokens to judge by ",
        "rows.csv: 1 of 83 texts are cut to 100 tokens",
        "rows.csv: 1 text much longer than the others, the first on line 82 with 300 tokens",
        "more.csv: 2 of 5 texts to judge by stand among those to train on as well, the first on line 2",
        "label  precision %  recall %    F1 %  rows\n",
        "more.csv that were not trained on",
    ] {
        assert!(run.err.contains(told), "{told:?} is not in {}", run.err);
    }
    run.ok();
    let quiet =
        lookback(&[&["--quiet", "train", "classify", &data, "-o", &folder.path("model")], &options[..]].concat());
    assert_eq!(quiet.err, "");
}

#[test]
fn a_label_that_was_never_answered_is_told_with_what_may_help() {
    let folder = Folder::new();
    let (data, more) = (folder.write("rows.csv", rows(0, 90)), folder.write("more.csv", rows(100, 130)));
    let options =
        ["--epochs", "1", "--learning-rate", "0.0001", "--linear-words", "none", "--linear-characters", "none"];
    let run = train(&data, &folder.path("model"), &[&options[..], &["--validation", &more]].concat());
    assert!(run.err.contains("never answered: ") && run.err.contains("rare"), "{}", run.err);
    assert!(run.err.contains("--class-weights balanced"), "{}", run.err);
    let helped =
        train(&data, &folder.path("model"), &["--class-weights", "balanced", "--validation", &more, "--epochs", "20"]);
    assert!(!helped.err.contains("never answered"), "{}", helped.err);
    helped.ok();
}

#[test]
fn quality_says_how_much_is_spent_and_what_is_said_stays() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.csv", rows(0, 60)), folder.path("model"));
    let trained = |options: &[&str]| {
        let usual = ["train", "classify", &data, "-o", &model, "--cross-validate", "0", "--embedding", "4"];
        let run = lookback(&[&usual[..], options].concat());
        let told = run.err.clone();
        run.ok();
        told
    };
    let fast = trained(&["--quality", "fast"]);
    assert!(fast.contains("--layers 0") && fast.contains("--epochs 8"), "{fast}");
    assert!(lookback(&["inspect", &model]).ok().contains("no recurrent layer"), "the network of fast");
    lookback(&["explain", &model, "fine warm"]).ok();
    let first = std::fs::read(&model).unwrap();
    let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
    lookback(&["train", "classify", &data, "-o", &model, "--config", &config]).ok();
    assert!(std::fs::read(&model).unwrap() == first, "another model");
    let said = trained(&["--quality", "fast", "--hidden", "4", "--epochs", "1"]);
    assert!(!said.contains("--layers 0") && !said.contains("--epochs"), "{said}");
    let best = trained(&["--quality", "best", "--epochs", "1", "--hidden", "4"]);
    assert!(best.contains("--ensemble 5"), "{best}");
    let on = ["train", "classify", &data, "-o", &folder.path("on"), "--init", &model, "--quality", "fast"];
    lookback(&on).refused(2, &["--quality says how large a new network is"]);
    lookback(&["train", "classify", &data, "--quality", "good"]).refused(2, &["fast", "balanced", "best"]);
}
