//! Tables of Parquet and Arrow as pandas and pyarrow write them; `tests/fixtures/write.py` made those that stand there.

use crate::program::{Folder, lookback, lookback_with_input};

/// The path of a table beside the tests.
fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_the_feature_says_what_the_file_is_and_how_to_read_it() {
    let folder = Folder::new();
    let model = folder.path("model");
    let named = folder.write("named.csv", std::fs::read(fixture("texts.parquet")).unwrap());
    for (file, kind) in [
        (fixture("texts.parquet"), "this is a Parquet file"),
        (named, "this is a Parquet file"),
        (fixture("texts.feather"), "this is an Arrow file"),
        (fixture("texts.arrows"), "this is an Arrow stream"),
    ] {
        let parts = [kind, "this build reads none; build with --features parquet, or write the table as CSV"];
        lookback(&["train", "classify", &file, "-o", &model]).refused(2, &parts);
        lookback(&["train", "classify", &file, "-o", &model, "--format", "csv-long"]).refused(2, &parts);
        lookback(&["predict", crate::program::text_model_path(), &file]).refused(2, &parts);
        lookback(&["evaluate", crate::program::text_model_path(), &file]).refused(2, &parts);
    }
    let run = lookback_with_input(&["predict", crate::program::text_model_path()], "ARROW1\0\0more");
    run.refused(2, &["<stdin>: this is an Arrow file, and this build reads none"]);
}

#[cfg(feature = "parquet")]
mod with_the_feature {
    use std::fmt::Write as _;

    use serde_json::Value;

    use super::*;
    use crate::program::{TINY_SERIES, train};

    /// The rows of `texts.parquet`, without the columns that nobody needs.
    fn csv() -> String {
        let kinds = [
            ("weather", "rain", "will there be much"),
            ("music", "song", "please play that old"),
            ("food", "soup", "I would like some hot"),
        ];
        let endings = ["today", "tomorrow", "again", "for me", "at home", "in town", "now", "later"];
        let mut table = "number,text,stars,label,labels,seen\n".to_owned();
        for ending in endings {
            for (label, word, start) in kinds {
                let _ = writeln!(table, "1,{start} {word} {ending},2,{label},3,4");
            }
        }
        table
    }

    #[test]
    fn texts_train_the_model_that_they_train_as_csv_and_get_its_answers() {
        let folder = Folder::new();
        let (data, model, other) = (folder.write("texts.csv", csv()), folder.path("model"), folder.path("other"));
        train(&data, &model, &["--epochs", "2"]).ok();
        let expected = std::fs::read(&model).unwrap();
        let judged = lookback(&["evaluate", &model, &data, "--json"]).ok();
        let answers = |file: &str| lookback(&["predict", &model, file, "--fields", "label,probabilities"]).ok();
        for name in ["texts.parquet", "texts.feather", "texts.arrows"] {
            let file = fixture(name);
            let run = train(&file, &other, &["--epochs", "2"]);
            let told = "2 of 6 columns read, 24 rows; texts from column \"text\", labels from \"label\"; left aside: \"number\"";
            assert!(run.err.contains(told), "{}", run.err);
            run.ok();
            assert!(std::fs::read(&other).unwrap() == expected, "{name}");
            assert_eq!(lookback(&["evaluate", &model, &file, "--json"]).ok(), judged, "{name}");
            assert_eq!(answers(&file), answers(&data), "{name}");
        }
    }

    #[test]
    fn lists_are_labels_and_own_columns_go_with_the_answers() {
        let folder = Folder::new();
        let (data, model) = (fixture("texts.parquet"), folder.path("model"));
        train(&data, &model, &["--epochs", "1", "--multi-label"]).ok();
        let keep = ["--keep", "number,stars,labels,seen"];
        let answers = lookback(&[&["predict", &model, &data][..], &keep].concat()).ok();
        let first: Value = serde_json::from_str(answers.lines().next().unwrap()).unwrap();
        assert_eq!(first["line"], 1);
        let expected = r#"{"number":100,"stars":null,"labels":["weather","late"],"seen":"2024-02-27T23:00:00Z"}"#;
        assert_eq!(first["input"].to_string(), expected);
        lookback(&["train", "classify", &data, "-o", &model, "--label", "labels"])
            .refused(2, &["texts.parquet, row 1: the label is a list of 2 labels; one label was expected"]);
    }

    #[test]
    fn steps_are_known_as_series_and_ordered_by_their_times() {
        let folder = Folder::new();
        let (data, model) = (fixture("steps.parquet"), folder.path("model"));
        let run =
            lookback(&[&["train", "classify", &data, "-o", &model, "--epochs", "2"], TINY_SERIES.as_slice()].concat());
        assert!(run.err.contains("24 series of 5 steps, 2 channels: \"speed\", \"temp\""), "{}", run.err);
        assert!(run.err.contains("ordered by column \"time\" (dates of ISO 8601)"), "{}", run.err);
        run.ok();
        let mut table = "label,id,temp,speed,time\n".to_owned();
        for row in 0..120 {
            // The order of the rows that the script has; sums of floats depend on it.
            let (case, step) = ((7 * row) % 120 / 5, (7 * row) % 5);
            let (label, slope) = if case % 2 == 0 { ("up", 1.0) } else { ("down", -1.0) };
            let (temp, speed) = (250 * case, slope * f64::from(step) + 0.5);
            let _ = writeln!(table, "{label},case {case},{temp},{speed},2024-03-30T{}:00Z", 18 + step);
        }
        let text = folder.write("steps.csv", table);
        let judged = |file: &str| lookback(&["evaluate", &model, file, "--json"]).ok();
        assert_eq!(judged(&text), judged(&data));
        assert_eq!(lookback(&["predict", &model, &data]).ok().lines().count(), 24);
    }

    #[test]
    fn options_of_text_files_are_refused_and_a_pipe_is_read_where_its_format_is_told() {
        let folder = Folder::new();
        let (data, model) = (fixture("texts.parquet"), folder.path("model"));
        for option in [["--header", "yes"], ["--encoding", "utf-8"], ["--separator", ";"]] {
            let parts = [option[0], "is for files of text, but these data are Parquet or Arrow"];
            lookback(&[&["train", "classify", &data, "-o", &model][..], &option].concat()).refused(2, &parts);
            let steps = ["train", "classify", &fixture("steps.parquet"), "-o", &model, "--format", "csv-long"];
            lookback(&[&steps[..], &option].concat()).refused(2, &parts);
        }
        train(&data, &model, &["--epochs", "1"]).ok();
        lookback(&["predict", &model, &data, "--header", "yes"]).refused(2, &["--header is for files of text"]);
        let run = lookback_with_input(&["predict", &model], "ARROW1\0\0more");
        run.refused(2, &["<stdin>: this is an Arrow file; --format parquet reads a table of texts"]);
        let piped = |format: &[&str]| {
            let mut program = assert_cmd::Command::new(env!("CARGO_BIN_EXE_lookback"));
            program.args([&["predict", model.as_str(), "-"], format].concat());
            program.write_stdin(std::fs::read(&data).unwrap()).output().expect("the program runs").stdout
        };
        let expected = lookback(&["predict", &model, &data]).ok();
        assert_eq!(String::from_utf8(piped(&["--format", "parquet"])).unwrap(), expected);
    }
}
