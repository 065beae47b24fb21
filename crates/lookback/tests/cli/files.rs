//! Files as people have them: whatever their layout, the same rows give the same model and the same answers.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::program::{Folder, TINY_SERIES, lookback, lookback_with_input, train, without_lines};

/// Texts with everything that separates, quotes and escapes, and their labels.
fn rows() -> Vec<(String, &'static str)> {
    let row = |n: usize| match n % 3 {
        0 => (format!("awful, weak; plot {n}"), "bad"),
        1 => (format!("he said \"great\" | schön {n}"), "good"),
        _ => (format!("so so {n}"), "fair"),
    };
    (0..36).map(row).collect()
}

fn delimited(separator: char, header: Option<(&str, &str)>) -> String {
    let field = |text: &str| match text.contains([separator, '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let header = header.map_or_else(String::new, |(text, label)| format!("{text}{separator}{label}\n"));
    let lines = rows().into_iter().map(|(text, label)| format!("{}{separator}{label}\n", field(&text)));
    std::iter::once(header).chain(lines).collect()
}

fn csv() -> String {
    delimited(',', Some(("text", "label")))
}

fn objects() -> Vec<Value> {
    rows().into_iter().map(|(text, label)| json!({ "text": text, "label": label })).collect()
}

fn lines(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("{object}\n")).collect()
}

fn encoded(label: &str) -> Vec<u8> {
    encoding_rs::Encoding::for_label(label.as_bytes()).expect("a label").encode(&csv()).0.into_owned()
}

fn utf_16(order: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    let mark = mark.then_some(0xFEFF);
    mark.into_iter().chain(csv().encode_utf16()).flat_map(order).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory")
}

#[test]
fn a_separator_that_is_not_looked_for_is_proposed() {
    let folder = Folder::new();
    let model = folder.path("model");
    for (separator, names) in [('^', ("text", "label")), ('~', ("what", "sort"))] {
        let data = folder.write("data.csv", delimited(separator, Some(names)));
        let option = separator.to_string();
        train(&data, &model, &["--epochs", "1"]).refused(2, &[&format!("--separator '{separator}' reads 2 of them")]);
        train(&data, &model, &["--epochs", "1", "--separator", &option]).ok();
    }
    let series: String = (0..8).map(|case| format!("{case}~0~1~{0}\n{case}~1~2~{0}\n", ["a", "b"][case % 2])).collect();
    let data = folder.write("series.csv", format!("id~time~x~label\n{series}"));
    let train = ["train", "classify", &data, "-o", &model, "--format", "csv-long", "--epochs", "1"];
    lookback(&train).refused(2, &["which column holds the id", "--separator '~' reads 4 of them"]);
}

/// Files that hold the same rows in two columns called text and label.
fn same_rows() -> Vec<(&'static str, Vec<u8>)> {
    let escaped: String = csv().replace("\"\"", "\\\"").lines().map(|line| format!("{line}\n")).collect();
    let with = |separator| delimited(separator, Some(("text", "label"))).into_bytes();
    vec![
        ("semicolon.csv", with(';')),
        ("tab.csv", with('\t')),
        ("bar.csv", with('|')),
        ("comma.tsv", with(',')),
        ("said.csv", [b"sep=;\r\n", &with(';')[..]].concat()),
        ("blank.csv", csv().replace("\nso so 2,", "\n\n,\n\" \",\nso so 2,").into_bytes()),
        ("escaped.csv", escaped.into_bytes()),
        ("crlf.csv", csv().replace('\n', "\r\n").into_bytes()),
        ("mark.csv", [b"\xEF\xBB\xBF", csv().as_bytes()].concat()),
        ("latin1.csv", encoded("latin1")),
        ("wide.csv", utf_16(u16::to_le_bytes, true)),
        ("wide-be.csv", utf_16(u16::to_be_bytes, true)),
        ("wide-without-mark.csv", utf_16(u16::to_le_bytes, false)),
        ("rows.csv.gz", gzip(csv().as_bytes())),
        ("rows.jsonl.gz", gzip(lines(&objects()).as_bytes())),
        (
            "rows.csv.zst",
            ruzstd::encoding::compress_to_vec(csv().as_bytes(), ruzstd::encoding::CompressionLevel::Fastest),
        ),
        ("lines.jsonl", lines(&objects()).into_bytes()),
        ("array.json", json!(objects()).to_string().into_bytes()),
        ("indented.json", serde_json::to_string_pretty(&objects()).expect("values").into_bytes()),
        ("no-extension", lines(&objects()).into_bytes()),
    ]
}

#[test]
fn the_same_rows_give_the_same_model_however_they_are_laid_out() {
    let folder = Folder::new();
    let (data, model, other) = (folder.write("rows.csv", csv()), folder.path("model"), folder.path("other"));
    train(&data, &model, &["--epochs", "2"]).ok();
    let expected = std::fs::read(&model).unwrap();
    let judged = lookback(&["evaluate", &model, &data, "--json"]).ok();
    let answers = |file: &str| without_lines(&lookback(&["predict", &model, file]).ok());
    let answered = answers(&data);
    for (name, content) in same_rows() {
        let file = folder.write(name, &content);
        let run = train(&file, &other, &["--epochs", "2"]);
        assert!(
            run.err.contains(name) && run.err.contains("36 rows; texts from column \"text\", labels from \"label\""),
            "{name}: {}",
            run.err
        );
        run.ok();
        assert!(std::fs::read(&other).unwrap() == expected, "{name}: another model");
        assert_eq!(lookback(&["evaluate", &model, &file, "--json"]).ok(), judged, "{name}");
        if name != "no-extension" && name != "blank.csv" {
            assert_eq!(answers(&file), answered, "{name}");
        }
    }
    let piped = lookback_with_input(&["predict", &model, "--format", "csv"], &delimited(';', Some(("text", "label"))));
    assert_eq!(without_lines(&piped.ok()), answered);
}

#[test]
fn what_is_told_of_a_layout_is_taken() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.csv", csv()), folder.path("model"));
    train(&data, &model, &["--epochs", "1"]).ok();
    let quoted = csv().replace('"', "'");
    let file = folder.write("quoted.csv", quoted.replace("''", "\\'").replace(',', "~"));
    let told = ["--separator", "~", "--quote", "'", "--escape", "\\", "--encoding", "utf-8"];
    let run = lookback(&[&["evaluate", &model, &file], &told[..]].concat());
    assert!(run.err.contains("'~' between the columns, ' around them, \\ before a quote within"), "{}", run.err);
    run.ok();
    for (option, value) in [("--separator", "xy"), ("--quote", "a"), ("--escape", ""), ("--encoding", "utf-9")] {
        lookback(&["evaluate", &model, &data, option, value]).refused(2, &[option]);
    }
    for (first, second) in [("--separator", "--quote"), ("--separator", "--escape"), ("--quote", "--escape")] {
        let told = [first, ";", second, ";"];
        lookback(&[&["evaluate", &model, &data], &told[..]].concat()).refused(2, &[first, second]);
        train(&data, &folder.path("other"), &told).refused(2, &[first, second]);
    }
    let objects = folder.write("rows.jsonl", lines(&objects()));
    lookback(&["evaluate", &model, &objects, "--separator", ";"])
        .refused(2, &["--separator is for tables with columns"]);
    train(&objects, &folder.path("other"), &["--quote", "none"]).refused(2, &["--quote is for tables with columns"]);
    lookback(&["predict", &model, &folder.write("a.txt", "x"), "--separator", ";"])
        .refused(2, &["--separator is about columns"]);
}

#[test]
fn columns_are_found_by_what_stands_in_them() {
    let folder = Folder::new();
    let model = folder.path("model");
    for (name, header, told) in [
        (
            "unknown.csv",
            Some(("headline", "is_sarcastic")),
            "texts from column \"headline\", labels from \"is_sarcastic\"",
        ),
        ("chinese.csv", Some(("评论", "标签")), "texts from column \"评论\", labels from \"标签\""),
        ("none.csv", None, "without a header, 36 rows; texts from column 1, labels from 2"),
    ] {
        let run = train(&folder.write(name, delimited(',', header)), &model, &["--epochs", "1"]);
        assert!(run.err.contains(told), "{name}: {}", run.err);
        run.ok();
    }
    // The label first, and columns that are neither.
    let turned: String = rows().iter().zip(1..).map(|((text, label), n)| format!("{n}\t{label}\t{text}\n")).collect();
    let run = train(&folder.write("turned.tsv", format!("nr\ttype\tsms\n{turned}")), &model, &["--epochs", "1"]);
    assert!(run.err.contains("texts from column \"sms\", labels from \"type\"; left aside: \"nr\""), "{}", run.err);
    run.ok();
}

#[test]
fn the_trained_columns_are_found_again_in_every_format() {
    let folder = Folder::new();
    let (model, texts) = (folder.path("model"), folder.path("texts.txt"));
    std::fs::write(&texts, rows().iter().map(|(text, _)| format!("{text}\n")).collect::<String>()).unwrap();
    let labels_first: String = rows().iter().map(|(text, label)| format!("{label}\t{text}\n")).collect();
    let bare = folder.write("bare.tsv", &labels_first);
    train(&bare, &model, &["--label", "1", "--epochs", "1"]).ok();
    assert_eq!(lookback(&["predict", &model, &bare]).ok(), lookback(&["predict", &model, &texts]).ok());

    let stars = |object: &Value| json!({ "id": "7", "body": object["text"], "stars": object["label"] });
    let trained: Vec<Value> = objects().iter().map(stars).collect();
    let trained = folder.write("trained.jsonl", lines(&trained));
    train(&trained, &model, &["--text", "body", "--label", "stars", "--epochs", "1"]).ok();
    let answers = |file: &str| without_lines(&lookback(&["predict", &model, file]).ok());
    let answered = answers(&texts);
    let table = folder.write(
        "table.csv",
        format!(
            "stars,n,body\n{}",
            rows()
                .iter()
                .zip(0..)
                .map(|((text, label), n)| { format!("{label},{n},\"{}\"\n", text.replace('"', "\"\"")) })
                .collect::<String>()
        ),
    );
    for file in [&trained, &table] {
        assert_eq!(answers(file), answered, "{file}");
        let judged: Value = serde_json::from_str(&lookback(&["evaluate", &model, file, "--json"]).ok()).unwrap();
        assert_eq!(judged["examples"], 36, "{file}");
    }
    // A file without the trained names, of other columns: the numbers are no texts.
    let headless = folder.write("headless.csv", "1,great movie loved it\n2,terrible movie hated it\n");
    lookback(&["predict", &model, &headless]).refused(2, &["there is no column \"body\""]);
}

#[test]
fn keys_may_be_paths_and_values_of_any_simple_kind() {
    let folder = Folder::new();
    let model = folder.path("model");
    let nested =
        |(text, label): &(String, &str)| json!({ "data": { "text": text }, "meta": { "label": label == &"bad" } });
    let mut nested: Vec<Value> = rows().iter().map(nested).collect();
    nested[4]["data"]["text"] = json!(12345);
    let file = folder.write("nested.jsonl", lines(&nested));
    train(&file, &model, &["--text", "data.text", "--label", "meta.label", "--epochs", "1"]).ok();
    assert!(lookback(&["inspect", &model]).ok().contains("labels      2: false, true"));
    assert_eq!(lookback(&["predict", &model, &file]).ok().lines().count(), 36);
    lookback(&["evaluate", &model, &file]).ok();
}

#[test]
fn lines_of_fasttext_are_read_without_being_told() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.csv", csv()), folder.path("model"));
    train(&data, &model, &["--epochs", "1"]).ok();
    let lines: String = rows().iter().map(|(text, label)| format!("__label__{label} {text}\n")).collect();
    let file = folder.write("rows.txt", lines);
    train(&file, &folder.path("other"), &["--epochs", "1"]).ok();
    let judged = |file: &str| lookback(&["evaluate", &model, file, "--json"]).ok();
    assert_eq!(judged(&file), judged(&data));
    let answers = |file: &str| without_lines(&lookback(&["predict", &model, file]).ok());
    assert_eq!(answers(&file), answers(&data));
}

#[test]
fn rows_that_cannot_be_read_are_told_together_or_left_out() {
    let folder = Folder::new();
    let model = folder.path("model");
    let bad: String = (0..22).map(|n| format!("text {n},bad,one too many\n")).collect();
    let file = folder.write("rows.csv", format!("{}{bad},good\nno label,\n", csv()));
    let refused = train(&file, &model, &[]);
    assert!(!refused.err.contains("rows.csv, line 58"), "the first twenty alone: {}", refused.err);
    refused.refused(
        2,
        &[
            "24 rows cannot be read; --on-bad-row skip leaves them out\n",
            "\n  and 4 more",
            "line 38: the row has 3 fields",
        ],
    );
    let run = train(&file, &model, &["--on-bad-row", "skip", "--epochs", "1"]);
    assert!(run.err.contains("24 rows left out, 4 of them not named"), "{}", run.err);
    run.ok();
    // Their answers say why.
    let answered = lookback(&["predict", &model, &file]);
    assert_eq!((answered.code, answered.out.lines().count()), (3, 60), "{}", answered.err);
    let answers: Vec<Value> = answered.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(answers[36]["error"].as_str().unwrap().contains("line 38: the row has 3 fields"), "{}", answers[36]);
    assert!(answers[35]["label"].is_string() && answers[59]["label"].is_string());
    lookback(&["predict", &model, &file, "--on-bad-row", "skip"]).refused(2, &["--on-bad-row is not needed here"]);
}

#[test]
fn a_quote_that_swallows_rows_is_told_with_its_lines() {
    let folder = Folder::new();
    let simple = |from: usize, to: usize| (from..to).map(|n| format!("so so {n},{}\n", n % 2)).collect::<String>();
    let opened =
        format!("text,label\n{}\"great film,1\n{}\"nice film,1\n{}", simple(0, 20), simple(20, 22), simple(22, 40));
    let run = train(&folder.write("rows.csv", opened), &folder.path("model"), &["--epochs", "1"]);
    let told = "rows.csv, lines 22 to 25: a quote opens a field that goes on over other rows";
    assert!(run.err.contains(told) && run.err.contains("42 rows"), "{}", run.err);
    run.ok();
    // With a comma in the text as well; the line of each row is its own.
    let comma = format!(
        "text,label\n{}\"great film, neat,1\nbad film,0\n\"nice film,1\n{}no label,\n",
        simple(0, 20),
        simple(20, 40)
    );
    let run =
        train(&folder.write("comma.csv", comma), &folder.path("model"), &["--on-bad-row", "skip", "--epochs", "1"]);
    assert!(run.err.contains("44 rows") && run.err.contains("comma.csv, line 45"), "{}", run.err);
    run.ok();
    let behind = format!("text,label\n{}\"great\" film,1\n", simple(0, 20));
    let run = train(&folder.write("rows.csv", behind), &folder.path("model"), &["--epochs", "1"]);
    assert!(run.err.contains("rows.csv, line 22: text goes on behind the quote"), "{}", run.err);
    run.ok();
    // A field over several lines is none of that kind.
    let several = csv().replace("so so 2,fair\n", "\"so so\nand so on, 2\",fair\n");
    let run = train(&folder.write("several.csv", several), &folder.path("model"), &["--epochs", "1"]);
    assert!(!run.err.contains("a quote opens"), "{}", run.err);
    run.ok();
}

#[test]
fn a_label_that_was_never_trained_counts_as_wrong_and_is_told() {
    let folder = Folder::new();
    let (data, model) = (folder.write("rows.csv", csv()), folder.path("model"));
    train(&data, &model, &["--epochs", "1"]).ok();
    let file = folder.write("more.csv", format!("{}one,new\ntwo,new\nthree,newer\n", csv()));
    let judged: Value = serde_json::from_str(&lookback(&["evaluate", &model, &data, "--json"]).ok()).unwrap();
    let run = lookback(&["evaluate", &model, &file, "--json"]);
    let told = "more.csv: 3 rows with labels that were never trained count as wrong: \"new\" (2), \"newer\" (1)";
    assert!(run.err.contains(told), "{}", run.err);
    let more: Value = serde_json::from_str(&run.ok()).unwrap();
    let right = |judged: &Value| judged["accuracy"].as_f64().unwrap() * judged["examples"].as_f64().unwrap();
    assert!((right(&judged) - right(&more)).abs() < 1e-6 && more["examples"] == 39, "{more}");
    let row = more["classes"].as_array().unwrap().iter().find(|row| row["label"] == "new").unwrap();
    assert_eq!((&row["support"], &row["recall"]), (&json!(2), &json!(0.0)));
    assert!(lookback(&["evaluate", &model, &file]).ok().contains("newer"));
    // Nothing can be learnt of what is held out alone.
    train(&data, &model, &["--validation", &file]).refused(2, &["more.csv, line 38", "was never trained"]);
}

#[test]
fn what_looks_wrong_about_labels_and_texts_is_told_unless_quiet() {
    let folder = Folder::new();
    let model = folder.path("model");
    let odd = "so so 2,Fair\nso so 5,bad\nx,NaN\n";
    let file = folder.write("rows.csv", format!("{}{odd}", csv()));
    let run = train(&file, &model, &["--epochs", "1"]);
    for told in [
        "rows.csv: 5 labels: bad 13, fair 12, good 12, Fair 1, NaN 1",
        "the labels \"Fair\" (1), \"fair\" (12) differ in case",
        "the label \"NaN\" (1) stands for no value",
        "have fewer than 5 rows",
        "2 rows with a text that stands under another label before, the first on line 38",
    ] {
        assert!(run.err.contains(told), "{told}: {}", run.err);
    }
    run.ok();
    let quiet = train(&file, &model, &["--epochs", "1", "--quiet"]);
    assert_eq!(quiet.err, "");
    quiet.ok();
}

#[test]
fn a_model_gives_the_configuration_that_it_was_trained_by() {
    let folder = Folder::new();
    let (data, model, again) = (folder.write("rows.csv", csv()), folder.path("model"), folder.path("again"));
    let cases: [&[&str]; 4] = [
        &[
            "--text",
            "text",
            "--label",
            "label",
            "--average",
            "ema",
            "--schedule",
            "cosine",
            "--class-weights",
            "balanced",
        ],
        &["--optimizer", "sgd", "--momentum", "0.9", "--validation-split", "0", "--clip", "0", "--average", "swa"],
        &["--linear-words", "1-2", "--linear-buckets", "300", "--char-ngrams", "2-3", "--cell", "gru", "--layers", "2"],
        &["--attention", "structured:2", "--patience", "0", "--header", "yes", "--separator", ",", "--ensemble", "2"],
    ];
    let none = ["--char-ngrams", "none", "--linear-words", "none", "--linear-characters", "none"];
    for options in cases.into_iter().chain([&none[..]]) {
        train(&data, &model, &[options, &["--epochs", "2"]].concat()).ok();
        let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
        lookback(&["train", "classify", &data, "-o", &again, "--config", &config]).ok();
        assert!(std::fs::read(&again).unwrap() == std::fs::read(&model).unwrap(), "{options:?}: another model");
    }
    train(&data, &model, &["--validation", &data, "--epochs", "1"]).ok();
    assert!(lookback(&["inspect", &model, "--config"]).ok().contains(&format!("validation = {data:?}")));
}

#[test]
fn standard_input_is_read_as_what_its_first_line_tells() {
    let folder = Folder::new();
    let renamed = |(text, label): (String, &str)| format!("{}\n", json!({ "body": text, "kind": label }));
    let objects: String = rows().into_iter().map(renamed).collect();
    let (data, model) = (folder.write("rows.jsonl", &objects), folder.path("model"));
    train(&data, &model, &["--epochs", "1", "--text", "body", "--label", "kind"]).ok();
    let expected = lookback(&["predict", &model, &data]).ok();
    let piped = lookback_with_input(&["predict", &model], &objects);
    assert!(piped.err.contains("JSON Lines, by its first line"), "{}", piped.err);
    assert_eq!(piped.ok(), expected);
    let array = format!("[\n{}]\n", objects.trim_end().replace('\n', ",\n") + "\n");
    assert_eq!(without_lines(&lookback_with_input(&["predict", &model], &array).ok()), without_lines(&expected));
    assert_ne!(lookback_with_input(&["predict", &model, "--format", "lines"], &objects).ok(), expected);

    let (table, of_table) = (folder.write("rows.csv", csv()), folder.path("of-table"));
    train(&table, &of_table, &["--epochs", "1"]).ok();
    lookback_with_input(&["predict", &of_table], &csv()).refused(2, &["--format csv reads a table", "--format lines"]);
    let piped = lookback_with_input(&["predict", &of_table, "--format", "csv"], &csv()).ok();
    assert_eq!(piped, lookback(&["predict", &of_table, &table]).ok());
}

#[test]
fn small_mistakes_of_files_and_options_are_understood_or_told() {
    let folder = Folder::new();
    let model = folder.path("model");
    let plain = "text,label\n".to_owned() + &"so good,good\nso bad,bad\n".repeat(18);
    let utf_32: Vec<u8> = plain.chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
    let utf_32 = folder.write("wide.csv", [&[0xFF, 0xFE, 0, 0][..], &utf_32].concat());
    train(&utf_32, &model, &[]).refused(2, &["wide.csv, line 1: the text is UTF-32"]);
    let said = folder.write("said.csv", format!("\"sep=;\"\n{}", plain.replace(',', ";")));
    let run = train(&said, &model, &["--epochs", "1"]);
    assert!(run.err.contains("semicolons between the columns"), "{}", run.err);
    run.ok();
    let one = folder.write("one.csv", plain.clone() + "one too,many,fields\n");
    train(&one, &model, &[]).refused(2, &["line 38: the row has 3 fields", "--on-bad-row skip leaves out rows"]);
    let escaped = folder.write("escaped.csv", plain.clone() + "\"so \\\"great\\\"\",good\n");
    train(&escaped, &model, &["--escape", "\\\\", "--epochs", "1"]).ok();
    let config = folder.write("config.toml", "momentum = 0.0\noptimizer = \"adam\"\nepochs = 1\n");
    train(&escaped, &model, &["--config", &config]).ok();
    for (input, told) in
        [("qqq zzz", "Unsure: the model knows none of the text's 2 tokens."), ("", "the text has no token")]
    {
        let explained = lookback(&["explain", &model, input]).ok();
        assert!(explained.contains(told), "{explained}");
    }
    // The label of a table with a row per series stands first or last.
    let row = |case: usize| {
        (0..12).map(|step| format!("{}.5,", case * step % 7)).collect::<String>() + &format!("{}\n", case % 2)
    };
    let series = folder.write("last.csv", (0..24).map(row).collect::<String>());
    let run = lookback(
        &[&["train", "classify", &series, "-o", &model, "--epochs", "1", "--format", "wide"], &TINY_SERIES[..]]
            .concat(),
    );
    assert!(run.err.contains("labels from column 13"), "{}", run.err);
    run.ok();
}
