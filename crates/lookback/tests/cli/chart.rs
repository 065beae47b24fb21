//! Charts of forecasts, through the real program.

use std::fmt::Write as _;

use crate::program::{Folder, Run, lookback, lookback_with_input, text_model_path};

/// Months of series of so many names, with a gap in the last.
fn table(names: &[&str]) -> String {
    let mut table = "id,month,y\n".to_owned();
    for (place, name) in names.iter().enumerate() {
        for month in 0..40 {
            let value = 10.0 + [1.0, 3.0, 2.0, 0.5][month % 4] + 0.1 * month as f64;
            let shown = if place + 1 == names.len() && month == 35 { String::new() } else { format!("{value:.1}") };
            let _ = writeln!(table, "{name},{}-{:02}-01,{shown}", 2020 + month / 12, 1 + month % 12);
        }
    }
    table
}

fn train(data: &str, model: &str, more: &[&str]) -> Run {
    let tiny = ["--hidden", "8", "--epochs", "2", "--horizon", "4", "--season", "4"];
    lookback(&[&["train", "forecast", data, "-o", model], &tiny[..], more].concat())
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn names(folder: &Folder) -> Vec<String> {
    let mut names = folder.names();
    names.sort();
    names
}

#[test]
fn forecasts_are_drawn_as_svg_beside_their_answers() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.csv", table(&["a<b", "北京", "c"])), folder.path("model.safetensors"));
    train(&data, &model, &[]).ok();
    let plain = lookback(&["predict", &model, &data]).ok();
    let (first, again) = (folder.path("first.svg"), folder.path("again.SVG"));
    let run = lookback(&["predict", &model, &data, "--chart", &first]);
    assert!(!run.err.contains("--series"), "{}", run.err);
    assert_eq!(run.ok(), plain, "answers stay as they are");
    let svg = read(&first);
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for part in ["a&lt;b", "北京", "known", "forecast", "80 %", "95 %", "2023-01-01", "polygon", "polyline"] {
        assert!(svg.contains(part), "{part} is not in {svg}");
    }
    lookback(&["predict", &model, &data, "--chart", &again, "--threads", "1"]).ok();
    assert_eq!(svg, read(&again), "the same bytes every time");
    assert_eq!(names(&folder), ["again.SVG", "data.csv", "first.svg", "model.safetensors"], "nothing is left behind");
    // One series alone, of which more is shown.
    let one = ["--series", "北京", "--chart", &first, "--chart-steps", "40"];
    let answers = lookback(&[&["predict", &model, &data], &one[..]].concat()).ok();
    assert_eq!(answers.lines().collect::<Vec<_>>(), plain.lines().skip(1).take(1).collect::<Vec<_>>());
    let svg = read(&first);
    assert!(svg.contains("北京") && !svg.contains("a&lt;b") && svg.contains("2020-01-01"), "{svg}");
}

#[test]
fn forecasts_are_drawn_for_the_terminal_in_place_of_their_answers() {
    let folder = Folder::new();
    let names: Vec<String> = (0..14).map(|name| format!("series {name}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (data, model) = (folder.write("data.csv", table(&names)), folder.path("model.safetensors"));
    train(&data, &model, &["--loss", "mse"]).ok();
    let drawn = lookback(&["predict", &model, &data, "--chart", "-", "--series", "series 3", "--series", "series 13"]);
    assert!(!drawn.err.contains("the chart shows"), "{}", drawn.err);
    let drawn = drawn.ok();
    for part in ["series 3\n", "series 13\n", "known", "forecast", "┊", "┬", "2023-01-01"] {
        assert!(drawn.contains(part), "{part} is not in {drawn}");
    }
    assert!(drawn.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{drawn}");
    assert!(!drawn.contains('\x1b') && !drawn.contains('{') && !drawn.contains('%'), "{drawn}");
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    let some = lookback(&["predict", &model, &data, "--chart", "-"]);
    assert!(some.err.contains("the first 12") && some.err.contains("--series"), "{}", some.err);
    let some = some.ok();
    assert!(some.contains("series 11\n") && !some.contains("series 12\n"), "{some}");
    // Lines have no ids, and one of them no forecast.
    let steps: String = (0..60).map(|step| format!("{step},{}\n", step % 4)).collect();
    train(&folder.write("steps.csv", format!("t,x\n{steps}")), &model, &[]).ok();
    let lines = lookback_with_input(&["predict", &model, "-", "--chart", "-"], "[1, 2, 3, 4]\n[null]\n[4, 3, 2]\n");
    assert_eq!(lines.code, 3, "{}", lines.err);
    assert!(lines.out.contains("line 1") && lines.out.contains("line 3"), "{}", lines.out);
    assert!(lines.err.contains("1 of 3"), "{}", lines.err);
}

#[test]
fn several_targets_and_steps_that_are_told_have_panels_of_their_own() {
    let folder = Folder::new();
    let rows: String = (0..60).map(|step| format!("{step},{},{}\n", step % 4, step % 3)).collect();
    let (data, model) = (folder.write("data.csv", format!("t,x,y\n{rows}")), folder.path("model.safetensors"));
    let chart = folder.path("chart.svg");
    let panels = || {
        let svg = read(&chart);
        let words: Vec<String> = svg.lines().map(|line| line.trim().to_owned()).collect();
        ["x", "y"].map(|name| words.iter().filter(|word| *word == name).count())
    };
    train(&data, &model, &["--target", "x,y"]).ok();
    lookback(&["predict", &model, &data, "--chart", &chart]).ok();
    assert_eq!(panels(), [1, 1]);
    let every = ["--every-step", "--past", "x", "--target", "y", "--hidden", "8", "--epochs", "1", "-o", &model];
    lookback(&[&["train", "forecast", &data], &every[..]].concat()).ok();
    lookback(&["predict", &model, &data, "--chart", &chart]).ok();
    assert_eq!(panels(), [1, 1]);
    let drawn = lookback(&["predict", &model, &data, "--chart", "-"]).ok();
    assert!(!drawn.contains('┊') && drawn.contains("known"), "{drawn}");
}

#[test]
fn what_cannot_be_drawn_is_refused_before_anything_is_computed() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.csv", table(&["a", "b"])), folder.path("model.safetensors"));
    train(&data, &model, &[]).ok();
    let absent = folder.path("absent/chart.svg");
    for (arguments, parts) in [
        (&["--chart", "chart.png"] as &[&str], &["--chart", "chart.png", ".svg"] as &[&str]),
        (&["--chart", &absent], &["--chart", "absent", "does not exist"]),
        (&["--chart", "-", "--fields", "mean"], &["--fields", "--chart -"]),
        (&["--chart", "-", "--output-format", "csv"], &["--output-format", "--chart -"]),
        (&["--chart", "-", "--anomalies"], &["--chart", "--anomalies"]),
        (&["--chart-steps", "3"], &["--chart-steps", "--chart"]),
        (&["--chart", "-", "--chart-steps", "0"], &["--chart-steps is 0"]),
        (&["--series", "z"], &["--series", "no \"z\"", "\"a\", \"b\""]),
    ] {
        let run = lookback(&[&["predict", &model, &data], arguments].concat());
        assert_eq!(run.out, "", "{arguments:?}");
        run.refused(2, parts);
    }
    let text = ["predict", text_model_path(), &data];
    lookback(&[&text[..], &["--chart", "chart.svg"]].concat()).refused(2, &["--chart", "forecast"]);
    lookback(&[&text[..], &["--series", "a"]].concat()).refused(2, &["--series", "forecast"]);
    assert_eq!(names(&folder), ["data.csv", "model.safetensors"]);
    let run = lookback_with_input(&["predict", &model, "-", "--chart", &folder.path("none.svg")], "[null]\n");
    assert!(run.code == 3 && run.err.contains("no chart was written"), "{}", run.err);
}
