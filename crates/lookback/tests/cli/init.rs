//! Training on from a model.

use serde_json::Value;

use crate::program::{Folder, lookback, sentences, text_model_path, ts_series};

/// Trains on `data` from the model of sentences.
fn train_on(data: &str, output: &str, more: &[&str]) -> crate::program::Run {
    let train = ["train", "classify", data, "-o", output, "--init", text_model_path(), "--epochs", "1"];
    lookback(&[&train[..], more].concat())
}

fn accuracy(model: &str, data: &str) -> f64 {
    let judged: Value = serde_json::from_str(&lookback(&["evaluate", model, data, "--json"]).ok()).unwrap();
    judged["accuracy"].as_f64().unwrap()
}

#[test]
fn a_model_is_trained_on_with_its_network_vocabulary_and_labels() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    // One careful epoch: what was learnt before is still there, where one from a random start knows nothing.
    train_on(&data, &model, &["--learning-rate", "0.0001"]).ok();
    assert!(accuracy(&model, &data) > 0.95);
    let (before, after) = (lookback(&["inspect", text_model_path()]).ok(), lookback(&["inspect", &model]).ok());
    let told = |text: &str| {
        let kept = ["labels", "vocabulary", "longest", "network", "encoder.", "output."];
        text.lines().filter(|line| kept.iter().any(|kept| line.starts_with(kept))).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(told(&before), told(&after));
}

#[test]
fn new_labels_and_tokens_are_refused_with_their_count_unless_they_are_to_be_added() {
    let folder = Folder::new();
    let words = folder.write("words.tsv", format!("{}food\ta hot potato curry now\n", sentences()));
    let model = folder.path("model");
    train_on(&words, &model, &["--validation-split", "0"])
        .refused(2, &["words.tsv has 3 tokens", "--extend adds them"]);
    let sports: String = (0..8).map(|n| format!("sport\tplease play ball {n}\nchess\tmove the king {n}\n")).collect();
    let labels = folder.write("labels.tsv", format!("{}{sports}", sentences()));
    let refused = train_on(&labels, &model, &[]);
    refused.refused(2, &["labels.tsv has 2 labels", "the first of them \"sport\" on line", "--extend adds them"]);
    assert!(!folder.holds("model"));
    train_on(&labels, &model, &["--extend"]).ok();
    let text = lookback(&["inspect", &model]).ok();
    assert!(text.contains("labels      5: food, music, weather, chess, sport"), "{text}");
    let file = folder.path("again");
    let again =
        ["train", "classify", &labels, "-o", &file, "--init", &model, "--epochs", "10", "--learning-rate", "0.02"];
    lookback(&again).ok();
    assert!(accuracy(&file, &labels) > 0.95, "{}", accuracy(&file, &labels));
}

#[test]
fn a_tagger_is_trained_on_as_well() {
    let folder = Folder::new();
    let sentence = |verb: &str| format!("the\tDET\ncat\tNOUN\n{verb}\tVERB\n\n");
    let data = folder.write("data.conll", sentence("sleeps").repeat(20));
    let (first, second) = (folder.path("first"), folder.path("second"));
    let tiny = ["--embedding", "8", "--hidden", "8", "--epochs", "1"];
    lookback(&[&["train", "tag", &data, "-o", &first], &tiny[..]].concat()).ok();
    let more = folder.write("more.conll", sentence("jumps").repeat(20));
    let on = ["train", "tag", &more, "-o", &second, "--init", &first, "--epochs", "1"];
    lookback(&on).refused(2, &["more.conll has 1 token", "--extend adds them"]);
    lookback(&[&on[..], &["--extend"]].concat()).ok();
    assert!(lookback(&["inspect", &second]).ok().contains("6 tokens"));
    let texts = folder.write("texts.tsv", sentences());
    lookback(&["train", "classify", &texts, "-o", &second, "--init", &first]).refused(2, &["a model for \"tag\""]);
}

#[test]
fn dropout_that_is_asked_for_is_that_of_all_places() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    train_on(&data, &model, &["--dropout", "0.25"]).ok();
    let told = lookback(&["inspect", &model]).ok();
    assert!(told.contains("embedding-dropout = 0.25") && told.contains("output-dropout = 0.25"), "{told}");
}

#[test]
fn a_linear_part_is_trained_on_as_it_is() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (first, second) = (folder.path("first"), folder.path("second"));
    let linear = ["--linear-words", "1-2", "--linear-buckets", "300", "--epochs", "1", "--linear-c", "0.1"];
    crate::program::train(&data, &first, &linear).ok();
    let on = ["train", "classify", &data, "-o", &second, "--init", &first, "--epochs", "1"];
    lookback(&[&on[..], &["--extend", "--linear-buckets", "600"]].concat())
        .refused(2, &["in --init has a linear part of --linear-characters 2-5 --linear-words 1-2", "buckets 600"]);
    lookback(&[&on[..], &["--linear-words", "1-3"]].concat()).refused(2, &["--linear-words 1-2", "--linear-words 1-3"]);
    lookback(&on).ok();
    assert!(accuracy(&second, &data) > 0.3);
}

#[test]
fn what_does_not_fit_the_model_is_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    for (options, told) in [
        (["--hidden", "9"], "hidden 8 and keeps it, so it cannot be 9"),
        (["--layers", "2"], "layers 1"),
        (["--attention", "self"], "attention \"none\""),
        (["--linear-words", "1-3"], "linear part of --linear-characters"),
        (["--embedding-scale", "0.5"], "embedding-scale 0.3"),
        (["--ensemble", "2"], "ensemble 1"),
    ] {
        // To add tokens and labels makes no other network.
        for extend in [&[][..], &["--extend"]] {
            train_on(&data, &model, &[&options, extend].concat()).refused(2, &["the model in --init has", told]);
        }
    }
    train_on(&data, &model, &["--min-count", "2"]).refused(2, &["--min-count", "--extend"]);
    train_on(&data, &model, &["--extend", "--max-vocabulary", "9"]).refused(2, &["--max-vocabulary is 9", "knows"]);
    train_on(&data, &model, &["--lowercase", "false"]).refused(2, &["--lowercase is not that of the model in --init"]);
    let series = folder.write("series.ts", ts_series());
    train_on(&series, &model, &[]).refused(2, &["--init", "is of a model that does not read such data"]);
    train_on(&data, text_model_path(), &[]).refused(2, &["is read and cannot be the output"]);
    let extend = ["train", "classify", &data, "-o", &model, "--extend"];
    lookback(&extend).refused(2, &["--init"]);
}
