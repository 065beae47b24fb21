//! What `predict` writes of its answers, and how sure they are.

use serde_json::{Value, json};

use crate::program::{Folder, TINY, lookback, lookback_with_input, sentences, text_model_path, train};

fn objects(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Answers to a file of this name.
fn answers(name: &str, content: &str, options: &[&str]) -> crate::program::Run {
    let folder = Folder::new();
    let file = folder.write(name, content);
    lookback(&[&["predict", text_model_path(), &file], options].concat())
}

#[test]
fn an_answer_names_its_line_and_counts_the_tokens_that_are_unknown() {
    let out = objects(&lookback_with_input(&["predict", text_model_path()], "hot soup\nqqq zzz!\nhot qqq\n\n").ok());
    assert_eq!(keys(&out[0]), ["line", "label", "probabilities", "unsure", "tokens", "unknown_tokens"]);
    // The model reads twelve.
    let long = objects(&answers("in.txt", &format!("{}qqq\n", "hot soup ".repeat(8)), &[]).ok());
    let told = ["tokens", "unknown_tokens", "cut_tokens"].map(|key| long[0][key].clone());
    assert_eq!((told, keys(&long[0]).len()), ([json!(17), json!(1), json!(5)], 7));
    let told = |answer: &Value| ["line", "tokens", "unknown_tokens", "unsure"].map(|key| answer[key].clone());
    assert_eq!(told(&out[0]), [json!(1), json!(2), json!(0), json!(false)]);
    assert_eq!(told(&out[1])[..3], [json!(2), json!(3), json!(3)]);
    assert_eq!((&out[1]["unsure"], &out[2]["unsure"], &out[3]["unsure"]), (&json!(true), &json!(false), &json!(true)));
    assert_eq!((&out[2]["tokens"], &out[2]["unknown_tokens"]), (&json!(2), &json!(1)));
    let seen = objects(&lookback_with_input(&["predict", text_model_path(), "--attention"], "hot soup\n").ok());
    assert_eq!((&seen[0]["tokens"], &seen[0]["pieces"]), (&json!(2), &json!(["hot", "soup"])));
}

#[test]
fn only_the_likeliest_labels_and_the_fields_that_are_named_are_written() {
    let top = |options: &[&str]| {
        let run = lookback_with_input(&[&["predict", text_model_path()], options].concat(), "hot soup\n");
        objects(&run.ok()).remove(0)
    };
    let all = top(&[]);
    let two = top(&["--top", "2"]);
    assert_eq!(keys(&two["probabilities"]), keys(&all["probabilities"])[..2]);
    assert_eq!(top(&["--top", "99"]), all);
    let chosen = top(&["--fields", "probability,label,line"]);
    assert_eq!(keys(&chosen), ["probability", "label", "line"]);
    assert_eq!(chosen["probability"], all["probabilities"]["food"]);
    let refused = |options: &[&str], parts: &[&str]| {
        lookback_with_input(&[&["predict", text_model_path()], options].concat(), "hot soup\n").refused(2, parts);
    };
    refused(&["--top", "0"], &["--top is 0; it must be at least 1"]);
    refused(&["--fields", "label,odds"], &["\"odds\" is none; there are line, label, probability, probabilities"]);
    refused(&["--fields", "label,label"], &["\"label\" is named twice"]);
    refused(&["--fields", "pieces"], &["\"pieces\" is none"]);
    let help = lookback(&["predict", "--help"]).ok();
    assert!(all.as_object().unwrap().keys().all(|field| help.contains(field)), "{help}");
}

#[test]
fn a_table_of_answers_has_a_row_for_every_input_in_order() {
    let content = "text,id\n\"hot, \"\"soup\"\"\nagain\",a\nonly one field\n\"much rain\",c\n";
    let run = answers("in.csv", content, &["--output-format", "csv", "--keep", "id,text", "--fields", "line,label"]);
    let expected = "line,id,text,label,error\n\
                    2,a,\"hot, \"\"soup\"\"\nagain\",food,\n\
                    4,,only one field,,\"FILE, line 4: the row has 1 field; 2 expected as on line 1\"\n\
                    5,c,much rain,weather,\n";
    let (place, end) = (run.out.find("\n4,,only one field,,\"").unwrap() + 21, run.out.find("in.csv, line 4").unwrap());
    assert_eq!(run.out.replace(&run.out[place..end + 6], "FILE"), expected);
    run.refused(3, &["1 of 3 inputs could not be answered"]);

    let usual =
        lookback_with_input(&["predict", text_model_path(), "--output-format", "tsv", "--top", "2"], "hot soup\n");
    let usual = usual.ok();
    let (header, row) = usual.split_once('\n').unwrap();
    assert_eq!(header, "line\tlabel\tprobability\tlabel_2\tprobability_2\tunsure\terror");
    let cells: Vec<&str> = row.trim_end_matches('\n').split('\t').collect();
    assert_eq!((cells[0], cells[1], cells[5], cells[6]), ("1", "food", "false", ""));
    assert!(cells[2].parse::<f64>().unwrap() >= cells[4].parse::<f64>().unwrap() && cells[1] != cells[3], "{row}");

    let options = ["predict", text_model_path(), "--output-format", "csv", "--fields", "probabilities"];
    let wide = lookback_with_input(&options, "hot soup\n").ok();
    assert!(wide.starts_with("food,music,weather,error\n"), "{wide}");
    let sum: f64 = wide.lines().nth(1).unwrap().split(',').filter_map(|cell| cell.parse::<f64>().ok()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{wide}");
    assert_eq!(lookback_with_input(&options, "").ok(), "food,music,weather,error\n", "no row, but the header");
}

#[test]
fn what_has_no_place_in_a_table_is_refused() {
    let csv = |options: &[&str]| answers("in.txt", "hot soup\n", &[&["--output-format", "csv"], options].concat());
    csv(&["--attention"]).refused(2, &["--attention gives lists", "jsonl"]);
    let folder = Folder::new();
    let (data, model) = (folder.write("d.conll", "she O\nsoup B\n\nhe O\nrain B\n".repeat(9)), folder.path("tagger"));
    lookback(&["train", "tag", &data, "-o", &model, "--hidden", "4", "--epochs", "1"]).ok();
    lookback(&["predict", &model, "--output-format", "csv"])
        .refused(2, &["--output-format: a tagger answers with lists"]);
    lookback(&["predict", &model, "--top", "2"]).refused(2, &["--top is for one label a text"]);
    lookback(&["evaluate", &model, &data, "--margin", "0.2"]).refused(2, &["--margin is for one label a text"]);
    // A label that is called as another column is.
    let (data, model) = (folder.write("d.csv", sentences().replace("music", "line")), folder.path("model"));
    train(&data, &model, &["--format", "tsv", "--epochs", "1"]).ok();
    let fields = ["predict", &model, "--output-format", "csv", "--fields", "line,probabilities"];
    lookback(&fields).refused(2, &["\"line\" would be the name of two columns"]);
}

#[test]
fn columns_of_the_input_go_with_the_answers() {
    let table = "id,text,lang,label\n7,hot soup,en,food\n8,much rain,de,weather\n";
    let run = answers("in.csv", table, &["--keep", "all"]);
    assert!(run.err.contains("left aside: \"id\", \"lang\", \"label\""), "{}", run.err);
    let out = objects(&run.ok());
    assert_eq!(out[1]["input"], json!({ "id": "8", "text": "much rain", "lang": "de", "label": "weather" }));
    assert_eq!(keys(&out[0])[..3], ["line", "input", "label"]);
    let out = objects(&answers("in.csv", table, &["--keep", "3,id", "--fields", "label"]).ok());
    assert_eq!(out[0], json!({ "input": { "lang": "en", "id": "7" }, "label": "food" }));
    // One that is called as a column of the answers keeps its values under another name.
    let run = answers("in.csv", table, &["--keep", "all", "--output-format", "csv", "--fields", "label"]);
    assert!(run.err.contains("\"label\" is written as \"input.label\""), "{}", run.err);
    assert!(run.ok().starts_with("id,text,lang,input.label,label,error\n7,hot soup,en,food,food,\n"));
    let out = objects(&answers("in.csv", table, &["--keep", "lang, id, 2", "--fields", "label, unsure"]).ok());
    let input = json!({ "lang": "en", "id": "7", "text": "hot soup" });
    assert_eq!(out[0], json!({ "input": input, "label": "food", "unsure": false }));
    answers("in.csv", table, &["--keep", "nr"]).refused(2, &["there is no column \"nr\"; the columns are \"id\""]);

    let lines = "{\"text\":\"hot soup\",\"n\":{\"id\":1}}\nnot json\n{\"text\":3,\"n\":{\"id\":[2]}}\n";
    let run = answers("in.jsonl", lines, &["--keep", "n.id", "--fields", "label"]);
    let out = objects(&run.out);
    assert_eq!(out[0], json!({ "input": { "n.id": 1 }, "label": "food" }));
    assert!(out[1]["line"] == 2 && out[1]["error"].is_string() && out[1].get("input").is_none(), "{}", out[1]);
    assert_eq!(out[2]["input"], json!({ "n.id": [2] }));
    run.refused(3, &["1 of 3 inputs"]);
    let run = answers("in.jsonl", lines, &["--keep", "all", "--output-format", "csv", "--fields", "label"]);
    assert!(run.out.starts_with("text,n,label,error\nhot soup,\"{\"\"id\"\":1}\",food,\n"), "{}", run.out);
    let run = answers("in.jsonl", "{\"text\":\"hot soup\"}\n", &["--keep", "nr", "--fields", "input"]);
    assert!(
        run.err.contains("line 1: the object has no key \"nr\"; its keys are \"text\"; null is kept"),
        "{}",
        run.err
    );
    assert_eq!(run.ok(), "{\"input\":{\"nr\":null}}\n");
    let keys = "{\"text\":\"hot soup\",\"a\":1,\" b\":2}\n";
    let out = objects(&answers("in.jsonl", keys, &["--keep", "text, a, b", "--fields", "input"]).ok());
    assert_eq!(
        out[0]["input"],
        json!({ "text": "hot soup", "a": 1, " b": 2 }),
        "a name that has a blank, and one that has none"
    );
    answers("in.jsonl", lines, &["--keep", "2"]).refused(2, &["JSON Lines have keys, not numbered columns"]);

    assert_eq!(
        answers("in.txt", "hot soup\n", &["--keep", "text", "--fields", "label"]).ok(),
        "{\"input\":{\"text\":\"hot soup\"},\"label\":\"food\"}\n"
    );
    answers("in.txt", "hot soup\n", &["--keep", "id"])
        .refused(2, &["--keep names the column \"id\"", "one text per line"]);
    assert_eq!(answers("in.txt", "hot soup\n", &["--keep", "id"]).out, "", "nothing is written before it is refused");
}

#[test]
fn an_answer_below_the_threshold_or_within_the_margin_is_unsure() {
    let answer = |options: &[&str], text: &str| {
        let run = lookback_with_input(&[&["predict", text_model_path()], options].concat(), text);
        objects(&run.ok()).remove(0)
    };
    assert_eq!(answer(&["--threshold", "0"], "hot soup\n")["unsure"], false);
    let unsure = answer(&["--threshold", "1"], "hot soup\n");
    assert_eq!((&unsure["unsure"], &unsure["label"]), (&json!(true), &json!("food")));
    let unsure = answer(&["--margin", "1", "--unknown", "ask a person"], "hot soup\n");
    assert_eq!((&unsure["unsure"], &unsure["label"]), (&json!(true), &json!("ask a person")));
    assert_eq!(answer(&["--unknown", "none"], "qqq zzz\n")["label"], "none", "of a text nothing is known");
    assert_eq!(answer(&["--unknown", "none"], "hot soup\n")["label"], "food");
    let known = lookback_with_input(&["predict", text_model_path(), "--unknown", "music"], "hot soup\n");
    assert!(known.err.contains("--unknown \"music\" is one of the model's own labels"), "{}", known.err);
    lookback(&["predict", text_model_path(), "--threshold", "50"])
        .refused(2, &["--threshold is 50; it must be from 0 to 1"]);
    lookback(&["predict", text_model_path(), "--margin", "-1"]).refused(2, &["--margin is -1"]);
}

#[test]
fn evaluate_tells_how_many_are_answered_and_how_many_of_them_rightly() {
    let folder = Folder::new();
    // One that the model knows, one of which it knows nothing.
    let data = folder.write("test.tsv", "label\ttext\nfood\thot soup\nmusic\tqqq zzz\n");
    let judged = |options: &[&str]| -> Value {
        let run = lookback(&[&["evaluate", text_model_path(), &data, "--json"], options].concat());
        serde_json::from_str(&run.ok()).unwrap()
    };
    let figures = |judged: &Value| [judged["coverage"].clone(), judged["accuracy_answered"].clone()];
    let plain = judged(&[]);
    assert_eq!(figures(&plain), [Value::Null, Value::Null]);
    let some = judged(&["--threshold", "0.3"]);
    assert_eq!(figures(&some), [json!(0.5), json!(1.0)]);
    assert_eq!((&some["accuracy"], &some["loss"]), (&plain["accuracy"], &plain["loss"]));
    let none = judged(&["--margin", "1"]);
    assert_eq!(figures(&none), [json!(0.0), Value::Null]);
    let text = lookback(&["evaluate", text_model_path(), &data, "--threshold", "0.3"]).ok();
    assert!(text.contains("coverage") && text.contains("accuracy of answered  100.00 %"), "{text}");
}

/// Trains on a table with ids, texts and labels.
fn model_of_ids(folder: &Folder, header: &str) -> String {
    let row = |(number, line): (usize, &str)| {
        line.split_once('\t').map(|(label, text)| format!("r{number},\"{text}\",{label}\n"))
    };
    let rows: String = sentences().lines().skip(1).enumerate().filter_map(row).collect();
    let (data, model) = (folder.write("trained.csv", format!("{header}{rows}")), folder.path("model"));
    train(&data, &model, &["--epochs", "1"]).ok();
    model
}

#[test]
fn an_id_is_never_answered_in_place_of_the_text() {
    let folder = Folder::new();
    let model = model_of_ids(&folder, "id,text,label\n");
    let asks = ["cannot tell which column holds the text", "--text"];
    for rows in
        ["1,great movie loved it\n2,terrible movie hated it\n", "r-1,great movie\n", "1,这本书很好\n2,房间很小\n"]
    {
        lookback(&["predict", &model, &folder.write("none.csv", rows)]).refused(2, &asks);
    }
    // A model of two columns, the text first, and files with an id before it.
    let turned = |line: &str| line.split_once('\t').map(|(label, text)| format!("{text}\t{label}\n"));
    let (data, of_two) =
        (folder.write("two.tsv", sentences().lines().filter_map(turned).collect::<String>()), folder.path("two"));
    train(&data, &of_two, &["--epochs", "1"]).ok();
    for rows in
        ["1,great movie loved it\n2,terrible movie\n", "nr7,hot soup\n", "a1,hot soup\na2,hot soup\na3,hot soup\n"]
    {
        lookback(&["predict", &of_two, &folder.write("two.csv", rows)]).refused(2, &asks);
    }
    let two = folder.write("two.csv", "1,hot soup\n");
    for model in [&model, &of_two] {
        assert_eq!(objects(&lookback(&["predict", model, &two, "--text", "2"]).ok())[0]["tokens"], 2);
    }
    // The places of the training data are those of a file with as many columns.
    let three = folder.write("three.csv", "r1,hot soup,food\n");
    assert_eq!(objects(&lookback(&["predict", &model, &three]).ok())[0]["tokens"], 2);
}

#[test]
fn keys_of_objects_are_found_by_what_stands_under_them() {
    let folder = Folder::new();
    let lines = |text: &str, label: &str| -> String {
        let row = |(number, line): (usize, &str)| {
            let (kind, words) = line.split_once('\t').expect("two columns");
            format!("{}\n", json!({ "id": format!("{number}"), text: words, label: kind, "n": { "x": 1 } }))
        };
        sentences().lines().skip(1).enumerate().map(row).collect()
    };
    let (named, other) =
        (folder.write("a.jsonl", lines("sentence", "label")), folder.write("b.jsonl", lines("body_md", "stars")));
    for (number, data) in [&named, &other].into_iter().enumerate() {
        let model = folder.path(&format!("model{number}"));
        let run = lookback(&[&["train", "classify", data, "-o", &model], TINY.as_slice(), &["--epochs", "1"]].concat());
        let read = [
            "texts from column \"sentence\", labels from \"label\"",
            "texts from column \"body_md\", labels from \"stars\"",
        ];
        assert!(run.err.contains(read[number]), "{}", run.err);
        run.ok();
        let judged = [&named, &other].map(|file| lookback(&["evaluate", &model, file, "--json"]).ok());
        assert_eq!(judged[0], judged[1]);
        // The label is a word, the text several.
        let answered = [&named, &other].map(|file| lookback(&["predict", &model, file]));
        let foreign = &answered[1 - number];
        assert!(
            foreign.err.contains("the only one that holds words; --text names another") || number == 1,
            "{}",
            foreign.err
        );
        assert_eq!(answered[0].out, answered[1].out);
    }
    let model = folder.path("model0");
    let asked = lookback_with_input(&["predict", &model, "--format", "jsonl"], "{\"id\":\"u-17\",\"n\":3}\n");
    assert!(
        asked.out.contains("the object has no key \\\"sentence\\\"; its keys are \\\"id\\\", \\\"n\\\""),
        "{}",
        asked.out
    );
    asked.refused(3, &["1 of 1 input"]);
}

#[test]
fn what_would_not_be_written_is_not_computed() {
    let refused = lookback_with_input(&["predict", text_model_path(), "--attention", "--fields", "label"], "a song\n");
    refused.refused(2, &["--attention gives nothing that is written"]);
}
