//! Texts that have several labels, or none.

use std::path::Path;

use lookback_infer::model_file::ModelFile;
use serde_json::{Value, json};

use crate::program::{
    Folder, Run, TINY_SERIES, lookback, lookback_with_input, sentences, text_model_path, train, ts_series,
};

/// 80 texts with every choice among three labels, each told by a word.
fn rows() -> Vec<(String, Vec<&'static str>)> {
    let parts = [("weather", "much rain today"), ("music", "that old song"), ("food", "some hot soup")];
    let endings =
        ["today", "tomorrow", "again", "for me", "at home", "in town", "now", "later", "tonight", "if you can"];
    let mut rows = Vec::new();
    for ending in endings {
        for choice in 0..8 {
            let chosen: Vec<_> = parts.iter().zip(0..).filter(|(_, bit)| choice >> bit & 1 == 1).collect();
            let text = chosen.iter().map(|((_, text), _)| *text).chain([ending]).collect::<Vec<_>>().join(" and ");
            rows.push((text, chosen.into_iter().map(|((label, _), _)| *label).collect()));
        }
    }
    rows
}

fn json_lines() -> String {
    rows().into_iter().map(|(text, labels)| format!("{}\n", json!({ "text": text, "label": labels }))).collect()
}

fn table(separator: &str, between: &str) -> String {
    let rows = rows().into_iter().map(|(text, labels)| format!("{text}{separator}{}\n", labels.join(between)));
    std::iter::once(format!("text{separator}label\n")).chain(rows).collect()
}

fn fasttext() -> String {
    let labels = |labels: &[&str]| labels.iter().map(|label| format!("__label__{label} ")).collect::<String>();
    // The first line must have a label for the format to be found out.
    rows().iter().rev().map(|(text, of_text)| format!("{}{text}\n", labels(of_text))).collect()
}

fn learn(data: &str, model: &str, more: &[&str]) -> Run {
    train(data, model, &[&["--multi-label"], more].concat())
}

fn evaluated(model: &str, data: &str) -> Value {
    serde_json::from_str(&lookback(&["evaluate", model, data, "--json"]).ok()).expect("JSON")
}

#[test]
fn a_text_is_answered_with_all_its_labels_and_with_none() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.jsonl", json_lines()), folder.path("model"));
    let run = learn(&data, &model, &["--epochs", "25", "--learning-rate", "0.02"]);
    for told in ["3 labels: food 40, music 40, weather 40", "1.50 labels a text in the mean, 10 texts without any"] {
        assert!(run.err.contains(told), "{told}: {}", run.err);
    }
    let out = run.ok();
    assert!(out.contains("validation micro F1") && out.contains("subset accuracy"), "{out}");
    let judged = evaluated(&model, &data);
    for figure in ["micro_f1", "macro_f1", "subset_accuracy", "mean_average_precision"] {
        assert!(judged[figure].as_f64().unwrap() > 0.95, "{figure}: {judged}");
    }
    assert!(judged["hamming_loss"].as_f64().unwrap() < 0.02, "{judged}");
    assert_eq!((&judged["labels_per_text"], &judged["classes"][0]["support"]), (&json!(1.5), &json!(40)));
    let text = lookback(&["evaluate", &model, &data]).ok();
    assert!(["micro F1", "subset accuracy", "Hamming loss", "precision %"].iter().all(|part| text.contains(part)));
    let out = lookback_with_input(&["predict", &model], "hot soup and an old song\nwhatever else\n").ok();
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut labels: Vec<&str> = answers[0]["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let probabilities = answers[0]["probabilities"].as_object().unwrap();
    assert_eq!(probabilities.keys().take(2).collect::<Vec<_>>(), labels, "the likeliest first: {out}");
    labels.sort_unstable();
    assert_eq!((labels, probabilities.len()), (vec!["food", "music"], 3));
    assert_eq!((&answers[1]["labels"], answers[1].get("label")), (&json!([]), None));
    assert!(lookback(&["inspect", &model]).ok().contains("labels from these probabilities on: food "));
    assert!(lookback(&["explain", &model, "whatever else"]).ok().starts_with("no label  (then "));
    assert!(lookback(&["explain", &model, "old song"]).ok().starts_with("music  "));
}

#[test]
fn the_same_labels_give_the_same_model_however_they_are_written() {
    let folder = Folder::new();
    let (data, model, other) = (folder.write("rows.jsonl", json_lines()), folder.path("model"), folder.path("other"));
    learn(&data, &model, &["--epochs", "1"]).ok();
    let expected = std::fs::read(&model).unwrap();
    let array: Vec<Value> = json_lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (name, content) in [
        ("rows.csv", table(",", "|")),
        ("rows.tsv", table("\t", " | ")),
        ("spaced.csv", table(";", "||")),
        ("array.json", json!(array).to_string()),
    ] {
        learn(&folder.write(name, content), &other, &["--epochs", "1"]).ok();
        assert!(std::fs::read(&other).unwrap() == expected, "{name}: another model");
    }
    let commas = folder.write("commas.tsv", table("\t", ", "));
    learn(&commas, &other, &["--epochs", "1", "--label-separator", ","]).ok();
    let judged = evaluated(&model, &data);
    assert_eq!(evaluated(&other, &commas), judged);
    let lines = folder.write("rows.txt", fasttext());
    assert_eq!(evaluated(&model, &lines)["micro_f1"], judged["micro_f1"]);
    learn(&lines, &other, &["--epochs", "1"]).ok();
    let texts: String = rows().iter().rev().map(|(text, _)| format!("{text}\n")).collect();
    let answered = lookback_with_input(&["predict", &model], &texts).ok();
    assert_eq!(lookback(&["predict", &model, &lines]).ok(), answered);
    // Those without a label stand first.
    let backwards: String = fasttext().lines().rev().map(|line| format!("{line}\n")).collect();
    let texts: String = texts.lines().rev().map(|line| format!("{line}\n")).collect();
    let answered = lookback_with_input(&["predict", &model], &texts).ok();
    let lines = folder.write("backwards.ft", backwards);
    assert_eq!(lookback(&["predict", &model, &lines]).ok(), answered);
    assert_eq!(lookback(&["predict", &model, &lines, "--format", "fasttext"]).ok(), answered);
}

#[test]
fn data_of_several_labels_are_refused_or_told_unless_asked_for() {
    let folder = Folder::new();
    let (model, data) = (folder.path("model"), folder.write("rows.jsonl", json_lines()));
    train(&data, &model, &[]).refused(2, &["rows.jsonl, line 1: the label is the list []", "--multi-label"]);
    lookback(&["evaluate", text_model_path(), &data]).refused(2, &["rows.jsonl, line 2: the label is the list"]);
    let lines = folder.write("rows.txt", fasttext());
    let told = "rows.txt, line 1: the text has the labels weather, music, food; one label was expected";
    train(&lines, &model, &[]).refused(2, &[told, "--multi-label"]);
    let bars = folder
        .write("bars.csv", table(",", "|").lines().filter(|line| !line.ends_with(',')).collect::<Vec<_>>().join("\n"));
    let run = train(&bars, &model, &["--epochs", "1"]);
    assert!(run.err.contains("look like several labels of a text, with | between them; --multi-label"), "{}", run.err);
    run.ok();
}

#[test]
fn what_does_not_go_with_several_labels_is_refused_in_a_sentence() {
    let folder = Folder::new();
    let (model, data) = (folder.path("model"), folder.write("rows.jsonl", json_lines()));
    for (options, part) in [
        (&["--class-weights", "balanced"][..], "--class-weights is for texts of one label each"),
        (&["--label-smoothing", "0.1"], "--label-smoothing is for texts of one label each"),
        (&["--label-separator", ";"], "--label-separator is for tables with columns"),
        (
            &["--score", "accuracy"],
            "--score is 'accuracy'; it must be one of micro-f1, macro-f1, subset-accuracy, loss",
        ),
        (
            &["--init", text_model_path()],
            "has one label a text and keeps it, so it cannot be trained on with --multi-label=true",
        ),
    ] {
        learn(&data, &model, options).refused(2, &[part]);
    }
    train(&folder.write("rows.csv", table(",", ";")), &model, &["--label-separator", ";"])
        .refused(2, &["--label-separator stands between several labels of a text, which --multi-label asks for"]);
    let series = folder.write("series.ts", ts_series());
    lookback(&[&["train", "classify", &series, "-o", &model, "--multi-label"], &TINY_SERIES[..]].concat())
        .refused(2, &["--multi-label is for texts, but the data are numeric series"]);
    let one = folder.write("one.csv", "text,label\nso,a\nand so,\nor so,a\n");
    learn(&one, &model, &[]).refused(2, &["one.csv: the texts have the label \"a\" or none", "at least two labels"]);
    let none = folder.write("none.csv", "text,label\nso,\nand so,\nor so,\n");
    learn(&none, &model, &[]).refused(2, &["none.csv: the texts have no label at all"]);
}

#[test]
fn labels_that_were_never_trained_are_told_and_missed() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.csv", table(",", "|")), folder.path("model"));
    learn(&data, &model, &["--epochs", "1"]).ok();
    let more = folder.write("more.csv", format!("{}a storm,weather|news\na flood,news\n", table(",", "|")));
    let run = lookback(&["evaluate", &model, &more, "--json"]);
    assert!(run.err.contains("2 rows with labels that were never trained count as wrong: \"news\" (2)"), "{}", run.err);
    let judged: Value = serde_json::from_str(&run.ok()).unwrap();
    assert_eq!(judged["classes"][3], json!({"label":"news","precision":0.0,"recall":0.0,"f1":0.0,"support":2}));
    // Data of one label each are judged as well.
    let single = folder.write("single.tsv", sentences());
    assert_eq!(evaluated(&model, &single)["labels_per_text"], json!(1.0));
}

#[test]
fn the_options_of_a_model_train_it_again_and_it_is_trained_on() {
    let folder = Folder::new();
    let (data, model, again) = (folder.write("rows.csv", table(",", ";")), folder.path("model"), folder.path("again"));
    learn(&data, &model, &["--epochs", "2", "--label-separator", ";", "--ensemble", "2", "--linear-words", "1-1"]).ok();
    let config = lookback(&["inspect", &model, "--config"]).ok();
    assert!(config.contains("multi-label = true") && config.contains("label-separator = \";\""), "{config}");
    let config = folder.write("config.toml", config);
    lookback(&["train", "classify", &data, "-o", &again, "--config", &config]).ok();
    assert!(std::fs::read(&again).unwrap() == std::fs::read(&model).unwrap(), "another model");
    // Without being told again, it stays a model of several labels.
    let more = folder.write("more.csv", format!("{}heavy snow,weather|news\n", table(",", "|")));
    let on = ["train", "classify", &more, "-o", &again, "--init", &model, "--epochs", "1", "--validation-split", "0"];
    lookback(&on).refused(2, &["more.csv has 1 label that the model in --init does not know", "--extend adds"]);
    lookback(&[&on[..], &["--extend"]].concat()).ok();
    assert!(lookback(&["inspect", &again]).ok().contains("labels      4: food, music, weather, news"));
}

#[test]
fn other_data_may_have_another_separator_and_lists_are_found_out() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.csv", table(",", "|")), folder.path("model"));
    learn(&data, &model, &["--epochs", "2"]).ok();
    let expected = evaluated(&model, &data);
    let other = folder.write("other.csv", table(",", "; "));
    let judged = lookback(&["evaluate", &model, &other, "--label-separator", ";", "--json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&judged).unwrap(), expected);
    // As pandas writes lists, with a header that has no known name, and as JSON does.
    let quoted = |between: &str, mark: &str| {
        let cell = |labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| format!("{mark}{label}{mark}")).collect();
            format!("[{}]", labels.join(between))
        };
        let rows = rows().into_iter().map(|(text, labels)| format!("{text}\t{}\n", cell(&labels)));
        std::iter::once("what\tsorts\n".to_owned()).chain(rows).collect::<String>()
    };
    for (name, table) in [("python.tsv", quoted(", ", "'")), ("json.tsv", quoted(",", "\""))] {
        let (lists, again) = (folder.write(name, table), folder.path("again"));
        let run = learn(&lists, &again, &["--epochs", "2"]);
        assert!(run.err.contains("lists of labels, with a header, 80 rows"), "{}", run.err);
        assert!(run.err.contains("3 labels: food 40, music 40, weather 40"), "{}", run.err);
        run.ok();
        let judged = lookback(&["evaluate", &model, &lists, "--text", "what", "--label", "sorts", "--json"]).ok();
        assert_eq!(serde_json::from_str::<Value>(&judged).unwrap(), expected, "{name}");
        let told = train(&lists, &again, &["--epochs", "1"]).err;
        assert!(told.contains("look like lists of several labels of a text; --multi-label reads them so"), "{told}");
    }
    let single = folder.write("single.tsv", sentences());
    lookback(&["evaluate", text_model_path(), &single, "--label-separator", ";"])
        .refused(2, &["--label-separator stands between several labels of a text, but the model has one a text"]);
    lookback(&["evaluate", &model, &folder.write("rows.jsonl", json_lines()), "--label-separator", ";"])
        .refused(2, &["--label-separator is for tables with columns"]);
}

#[test]
fn a_model_without_thresholds_that_fit_is_refused() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.csv", table(",", "|")), folder.path("model"));
    learn(&data, &model, &["--epochs", "1"]).ok();
    let file = ModelFile::read(Path::new(&model)).unwrap();
    type Change = dyn Fn(&mut ModelFile);
    let cases: [(&Change, &str); 4] = [
        (&|file| drop(file.metadata.remove("thresholds")), "thresholds"),
        (
            &|file| drop(file.metadata.insert("thresholds".into(), "[0.5]".into())),
            "1 thresholds, but there are 3 labels",
        ),
        (
            &|file| drop(file.metadata.insert("thresholds".into(), "[0.5,0.5,1.5]".into())),
            "a threshold is 1.5; it must be from 0 to 1",
        ),
        (
            &|file| {
                let network = file.metadata.get_mut("network").unwrap();
                *network = network.replace("\"several\"", "\"one\"");
            },
            "its validation must have 2 scores",
        ),
    ];
    let changed = folder.path("changed");
    for (change, part) in cases {
        let mut file = file.clone();
        change(&mut file);
        file.write(Path::new(&changed)).unwrap();
        lookback_with_input(&["predict", &changed], "x\n").refused(2, &["changed", part]);
    }
}

#[test]
fn cross_validation_is_told_by_the_first_score_and_chooses_the_thresholds() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.jsonl", json_lines()), folder.path("model"));
    let train = ["train", "classify", &data, "-o", &model, "--multi-label", "--epochs", "1", "--hidden", "8"];
    let run = lookback(&[&train[..], &["--cross-validate", "3", "--validation-split", "0"]].concat());
    assert!(run.err.contains("cross-validation in 3 parts: micro F1 "), "{}", run.err);
    run.ok();
    let text = lookback(&["inspect", &model]).ok();
    assert!(text.contains("validated on 80") && text.contains("validation  micro F1"), "{text}");
}

#[test]
fn a_threshold_takes_the_place_of_those_found_and_tables_join_the_labels() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.jsonl", json_lines()), folder.path("model"));
    let run = learn(&data, &model, &["--epochs", "25", "--learning-rate", "0.02"]);
    assert!(run.err.contains("precision %  recall %"), "{}", run.err);
    run.ok();
    let answered = |options: &[&str]| {
        let out = lookback_with_input(&[&["predict", &model], options].concat(), "hot soup and an old song\n").ok();
        serde_json::from_str::<Value>(&out).expect("JSON")
    };
    let all = answered(&["--threshold", "0"]);
    assert_eq!((all["labels"].as_array().unwrap().len(), &all["unsure"]), (3, &json!(false)));
    assert_eq!(answered(&["--threshold", "1"])["labels"], json!([]));
    for option in [["--margin", "0.1"], ["--unknown", "other"]] {
        let refused = lookback_with_input(&[&["predict", &model][..], &option].concat(), "hot soup\n");
        refused.refused(2, &[option[0], "is for a model of one label a text"]);
    }
    let judged = lookback(&["evaluate", &model, &data, "--threshold", "0", "--json"]).ok();
    let judged: Value = serde_json::from_str(&judged).unwrap();
    assert_eq!(judged["micro_recall"], json!(1.0));
    let table = lookback_with_input(&["predict", &model, "--output-format", "csv"], "hot soup and an old song\n").ok();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("line,labels,unsure,error"));
    assert!(["1,food|music,false,", "1,music|food,false,"].contains(&lines.next().unwrap()), "{table}");
    let top = ["predict", &model, "--output-format", "csv", "--top", "2"];
    let table = lookback_with_input(&top, "hot soup and an old song\n").ok();
    let header = "line,labels,label_1,probability_1,label_2,probability_2,unsure,error\n";
    assert!(table.starts_with(header) && table.contains(",food,0.") && table.contains(",music,0."), "{table}");
    let barred = json_lines().replace("\"food\"", "\"hot|cold\"");
    learn(&folder.write("barred.jsonl", barred), &model, &["--epochs", "25", "--learning-rate", "0.02"]).ok();
    let table = lookback_with_input(&["predict", &model, "--output-format", "tsv"], "hot soup and an old song\n").ok();
    assert!(table.contains("\"\"hot|cold\"\"") && !table.contains("hot|cold|music"), "{table}");
}
