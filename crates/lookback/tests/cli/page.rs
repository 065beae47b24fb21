//! The page of `explain --html` and its numbers; what a browser makes of it is tested in `conformance/pages`.

use std::fs;

use serde_json::Value;

use crate::program::{Folder, lookback, lookback_with_input};

/// Food or travel, by one word.
fn texts() -> String {
    let mut table = "text\tlabel\n".to_owned();
    for (place, word) in ["soup", "train", "bread", "bus", "tea", "ship"].into_iter().cycle().take(90).enumerate() {
        let label = if place % 2 == 0 { "food" } else { "travel" };
        let end = ["was late", "is good today", "again"][place % 3];
        table.push_str(&format!("the {word} {end}\t{label}\n"));
    }
    table
}

fn trained(folder: &Folder, name: &str, more: &[&str]) -> String {
    let (data, model) = (folder.write("texts.tsv", texts()), folder.path(name));
    let learn = ["train", "classify", &data, "-o", &model, "--epochs", "4", "--hidden", "16", "--quiet"];
    lookback(&[&learn[..], more].concat()).ok();
    model
}

/// What the page of these arguments shows.
fn shown(arguments: &[&str]) -> Value {
    let printed = lookback(&[&["explain"], arguments, &["--json", "-"]].concat()).ok();
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The same 32-bit numbers, in however many digits.
#[track_caller]
fn same(found: &Value, expected: &Value) {
    let narrow = |value: &Value| numbers(value).into_iter().map(|number| number as f32).collect::<Vec<f32>>();
    assert_eq!(narrow(found), narrow(expected));
}

#[test]
fn what_is_attributed_sums_to_the_score_that_the_probabilities_tell() {
    let folder = Folder::new();
    let forms: [(&str, &[&str]); 4] = [
        ("pooled", &["--pooling", "attention"]),
        ("several", &["--ensemble", "2", "--attention", "self", "--pooling", "mean"]),
        ("networks", &["--linear-characters", "none", "--linear-words", "none", "--attention", "multi-head:2"]),
        ("cut", &["--max-length", "3"]),
    ];
    for (name, options) in forms {
        let model = trained(&folder, name, options);
        let text = "the soup and the train was late";
        let input = &shown(&[&model, text])["inputs"][0];
        let found = &input["attribution"];
        let (from, to) = (found["from"].as_f64().unwrap(), found["to"].as_f64().unwrap());
        let sum: f64 = numbers(&found["integrated"]).iter().sum();
        if name != "cut" {
            assert!((sum - (to - from)).abs() <= 0.01 * (to - from).abs() + 1e-4, "{name}: {sum}, from {from} to {to}");
        }
        let answer: Value =
            serde_json::from_str(&lookback_with_input(&["predict", &model], &format!("{text}\n")).ok()).unwrap();
        let probability = answer["probabilities"][answer["label"].as_str().unwrap()].as_f64().unwrap();
        // Of two labels, half of the logit of one against the other.
        let score = (probability / (1.0 - probability)).ln() / 2.0;
        assert!((to - score).abs() < 2e-3 * score.abs().max(1.0), "{name}: {to}, but the answer says {score}");
        assert!(input["answers"][0].as_str().unwrap().starts_with(answer["label"].as_str().unwrap()));
        let kept = if name == "cut" { 3 } else { 7 };
        assert_eq!(input["tokens"].as_array().unwrap().len(), kept);
        assert_eq!(found["gradient"].as_array().unwrap().len(), kept);
    }
}

#[test]
fn a_page_holds_the_weights_of_predict_and_the_answers_without_a_token() {
    let folder = Folder::new();
    let model = trained(&folder, "model", &["--pooling", "attention", "--attention", "self"]);
    let (html, json) = (folder.path("page.html"), folder.path("page.json"));
    let told = lookback(&["explain", &model, "The soup  was <late>", "--html", &html, "--json", &json]).ok();
    let without = lookback(&["explain", &model, "The soup  was <late>"]).ok();
    assert_eq!(told, without, "the terminal shows the same");
    let page: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let input = &page["inputs"][0];
    let answer = lookback_with_input(&["predict", &model, "--attention"], "The soup  was <late>\n").ok();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let view = |name: &str| {
        let views = input["views"].as_array().unwrap().iter();
        views.clone().find(|view| view["name"] == name).unwrap_or_else(|| panic!("no {name}"))["values"].clone()
    };
    same(&view("pooling")[0], &answer["weights"]);
    for row in 0..5 {
        same(&view("self-attention")[row], &answer["views"]["self-attention"][row]);
    }
    let pieces = input["pieces"].as_array().unwrap().iter();
    assert_eq!(pieces.map(|piece| piece[0].as_str().unwrap()).collect::<String>(), "The soup  was <late>");
    // Without its second token.
    let rest = lookback_with_input(&["predict", &model], "The   was <late>\n").ok();
    let rest: Value = serde_json::from_str(&rest).unwrap();
    let removal = &input["removals"][1];
    assert!(removal["answer"].as_str().unwrap().starts_with(rest["label"].as_str().unwrap()), "{removal}");
    assert_eq!(removal["changed"], Value::from(rest["label"] != answer["label"]));
    let html = fs::read_to_string(html).unwrap();
    assert!(html.contains("\\u003c") && !html.contains("<late>") && html.len() < 100_000, "{}", html.len());
    let both = shown(&[&model, "the soup", "--beside", "the train"]);
    assert_eq!(both["inputs"].as_array().unwrap().len(), 2);
    assert_eq!(both["inputs"][1]["tokens"], serde_json::json!(["the", "train"]));
}

#[test]
fn what_cannot_be_shown_is_said_and_what_cannot_be_written_refused_first() {
    let folder = Folder::new();
    let model = trained(&folder, "model", &["--pooling", "mean", "--max-length", "4"]);
    let input = &shown(&[&model, "the soup was late again"])["inputs"][0];
    let warnings = input["warnings"].to_string();
    assert!(
        warnings.contains("cut to the model's 4 tokens") && warnings.contains("Nothing was looked at"),
        "{warnings}"
    );
    assert!(input["attribution"].is_object() && input["views"].as_array().unwrap().is_empty());
    let empty = &shown(&[&model, ""])["inputs"][0];
    assert!(empty["attribution"].is_null() && empty["warnings"].to_string().contains("has no token"), "{empty}");
    let nowhere = folder.path("no/such/folder/page.html");
    let refused: [(&[&str], &[&str]); 5] = [
        (&["--html", &nowhere], &["--html", "page.html"]),
        (&["--json", &nowhere], &["--json", "page.html"]),
        (&["--html", "-"], &["--html", "a file was expected"]),
        (&["--html", "x", "--json", "x"], &["same file"]),
        (&["--beside", "the train"], &["--beside", "--html"]),
    ];
    for (more, parts) in refused {
        // Before the model is read: there is none.
        lookback(&[&["explain", "no such model", "the soup"], more].concat()).refused(2, parts);
    }
}

#[test]
fn every_task_has_a_page() {
    let folder = Folder::new();
    let train = |task: &str, data: &str, more: &[&str]| {
        let model = folder.path(&format!("{task}.safetensors"));
        lookback(&[&["train", task, data, "-o", &model, "--epochs", "1", "--hidden", "8", "--quiet"], more].concat())
            .ok();
        model
    };
    let tagged = folder.write("tagged.txt", "Ann/PER sees/O Rome/LOC\nBob/PER sees/O Paris/LOC\n".repeat(20));
    let tags = &shown(&[&train("tag", &tagged, &["--validation-split", "0"]), "Ann sees Rome"])["inputs"][0];
    assert_eq!(tags["removals"].as_array().unwrap().len(), 3);
    let pairs = folder.write("pairs.tsv", format!("source\ttarget\n{}", "a b\tb a\nb c\tc b\n".repeat(20)));
    let translation = &shown(&[&train("translate", &pairs, &["--validation-split", "0"]), "a b"])["inputs"][0];
    assert_eq!((&translation["views"][0]["name"], &translation["attends"]), (&"alignment".into(), &true.into()));
    let lines = folder.write("lines.txt", "the old miller sings\nthe young miller sleeps\n".repeat(30));
    let text = &shown(&[&train("generate", &lines, &["--validation-split", "0"]), "the old"])["inputs"][0];
    assert_eq!((&text["views"][0]["name"], &text["attends"]), (&"probability".into(), &false.into()));
    assert!(text["removals"].is_null());
    let rows: String = (0..80).map(|at| format!("{at},{}\n", (at % 7) as f32 + 1.5)).collect();
    let numbers = folder.write("numbers.csv", format!("time,y\n{rows}"));
    let model = train("forecast", &numbers, &["--time", "time", "--target", "y", "--horizon", "2"]);
    let series = &shown(&[&model, "--data", &numbers])["inputs"][0];
    assert!(series["charts"][0].as_str().unwrap().starts_with("<svg"), "{series}");
    assert!(series["views"].as_array().unwrap().iter().any(|view| view["name"].as_str().unwrap().starts_with("y at")));
}
