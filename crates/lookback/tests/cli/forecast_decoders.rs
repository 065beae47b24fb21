//! Forecasters whose steps come one after another, paths that are drawn from them, and backtests with trainings, through the real
//! program.

use std::fmt::Write as _;

use crate::program::{Folder, json, lookback, numbers};

/// Networks that train in a moment.
const TINY: [&str; 13] = [
    "--hidden",
    "12",
    "--batch-size",
    "16",
    "--dropout",
    "0",
    "--learning-rate",
    "0.01",
    "--horizon",
    "4",
    "--season",
    "4",
    "--deseasonalize=false",
];

/// Series of several sizes and a season, with a column that is known ahead.
fn table(series: usize, steps: usize) -> String {
    let mut table = "id,step,y,sale\n".to_owned();
    for name in 0..series {
        for step in 0..steps {
            let usual = [20.0, 60.0, 40.0, 10.0][step % 4] * (1.0 + name as f64);
            let value = usual + (step * (7 + name) % 11) as f64 + if step % 7 == 3 { 15.0 } else { 0.0 };
            let _ = writeln!(table, "s{name},{step},{value},{}", i32::from(step % 7 == 3));
        }
    }
    table
}

/// The same with so many rows behind it, of which the column that is known ahead is told.
fn with_rows_ahead(series: usize, steps: usize, ahead: usize) -> String {
    let all = table(series, steps + ahead);
    let mut told = String::new();
    for row in all.lines() {
        let cells: Vec<&str> = row.split(',').collect();
        match cells[1].parse::<usize>() {
            Ok(step) if step >= steps => _ = writeln!(told, "{},{step},,{}", cells[0], cells[3]),
            _ => _ = writeln!(told, "{row}"),
        }
    }
    told
}

fn train(data: &str, output: &str, more: &[&str]) -> crate::program::Run {
    lookback(&[&["train", "forecast", data, "--future", "sale", "-o", output], &TINY[..], more].concat())
}

#[test]
fn decoders_forecast_step_by_step_and_show_what_they_looked_at() {
    let folder = Folder::new();
    let data = folder.write("data.csv", table(5, 60));
    let ahead = folder.write("ahead.csv", with_rows_ahead(5, 60, 4));
    let alone = folder.write("alone.csv", {
        let all = with_rows_ahead(5, 60, 4);
        all.lines()
            .filter(|row| row.starts_with("id") || row.starts_with("s3,"))
            .fold(String::new(), |text, row| text + row + "\n")
    });
    let [model, again] = ["model", "again"].map(|name| folder.path(name));
    for (decoder, more) in [
        ("recurrent", &["--feedback"][..]),
        ("luong", &["--feedback", "--decoder-attention", "additive"]),
        ("luong", &["--cell", "gru", "--layers", "2", "--bidirectional=true"]),
        ("bahdanau", &["--cell", "rnn", "--attention", "scaled-dot", "--decoder-attention", "general"]),
    ] {
        train(&data, &model, &[&["--decoder", decoder, "--epochs", "6"], more].concat()).ok();
        let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
        let (own, naive) = (judged["mase"].as_f64().unwrap(), judged["naive"]["mase"].as_f64().unwrap());
        assert!(own < naive, "{decoder}: {own} and {naive}");
        let answered = lookback(&["predict", &model, &ahead]).ok();
        let of_one = lookback(&["predict", &model, &alone]).ok();
        let own = |text: &str, row: usize| {
            let mut own = json(text.lines().nth(row).unwrap());
            own.as_object_mut().unwrap().remove("line");
            own
        };
        assert_eq!(own(&answered, 3), own(&of_one, 0), "{decoder}: an answer depends on other series");
        if decoder == "recurrent" {
            lookback(&["predict", &model, &ahead, "--attention"]).refused(2, &["no attention", "--decoder luong"]);
        } else {
            let seen = json(lookback(&["predict", &model, &alone, "--attention"]).ok().lines().next().unwrap());
            let view = &seen["views"]["attention"];
            let rows = view.as_array().unwrap();
            assert_eq!(rows.len(), 4, "{decoder}: {view}");
            for row in rows {
                let weights = numbers(row);
                assert_eq!(weights.len(), 8, "{decoder}");
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{decoder}: {weights:?}");
            }
            assert_eq!(seen["mean"], json(of_one.lines().next().unwrap())["mean"], "a view changes the answer");
        }
        let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
        lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
        assert_eq!(lookback(&["predict", &again, &ahead]).ok(), answered, "{decoder}");
        let page = folder.path("page.html");
        lookback(&["explain", &model, "--data", &ahead, "--series", "s1", "--step", "4", "--html", &page]).ok();
        assert!(std::fs::read_to_string(&page).unwrap().contains("sale"), "{decoder}");
    }
    let refused = |options: &[&str], parts: &[&str]| train(&data, &again, options).refused(2, parts);
    refused(&["--feedback"], &["--feedback", "--decoder"]);
    refused(&["--decoder-attention", "dot"], &["--decoder-attention", "--decoder"]);
    refused(&["--decoder", "luong", "--pooling", "mean"], &["--pooling", "--decoder direct"]);
    refused(&["--decoder", "luong", "--attention", "structured:2"], &["--attention", "--decoder"]);
    refused(
        &["--decoder", "luong", "--attention", "scaled-dot", "--decoder-attention", "dot", "--bidirectional=true"],
        &["--decoder-attention", "general or additive"],
    );
}

/// Behind a forecast that is taken for what came, the next one is too sure of itself.
#[test]
fn intervals_of_steps_that_read_forecasts_are_as_wide_as_what_is_held_out_asks_for() {
    let folder = Folder::new();
    let [data, few, more] = [(24, 40), (4, 40), (24, 48)]
        .map(|(series, steps)| folder.write(&format!("{series}-{steps}.csv"), table(series, steps)));
    let model = folder.path("model");
    let options = ["--decoder", "recurrent", "--feedback", "--epochs", "4", "--quantiles", "0.1,0.5,0.9"];
    let said = train(&data, &model, &options);
    assert!(said.err.contains("--conformal true"), "{}", said.err);
    said.ok();
    assert!(lookback(&["inspect", &model]).ok().contains("conformal prediction"));
    let judged = json(&lookback(&["evaluate", &model, &more, "--json", "--backtest", "2"]).ok());
    let inside = judged["coverage"]["80"].as_f64().unwrap();
    assert!((0.65..=0.95).contains(&inside), "{inside}");
    let said = train(&few, &model, &options[..5]);
    assert!(said.err.contains("too little is held out to widen"), "{}", said.err);
    said.ok();
    let said = train(&data, &model, &[&options[..], &["--conformal=false"]].concat());
    assert!(!said.err.contains("--conformal true"), "{}", said.err);
}

#[test]
fn paths_are_drawn_from_what_is_said_of_every_step() {
    let folder = Folder::new();
    let data = folder.write("data.csv", table(3, 60));
    let ahead = folder.write("ahead.csv", with_rows_ahead(3, 60, 4));
    let model = folder.path("model");
    for loss in ["gaussian", "quantile", "student-t"] {
        let options = ["--decoder", "recurrent", "--feedback", "--loss", loss, "--epochs", "4", "--ensemble", "2"];
        train(&data, &model, &options).ok();
        let drawn =
            |count: &str, seed: &str| lookback(&["predict", &model, &ahead, "--samples", count, "--seed", seed]).ok();
        let answered = lookback(&["predict", &model, &ahead]).ok();
        let (some, others) = (drawn("2000", "1"), drawn("2000", "2"));
        assert_eq!(some, drawn("2000", "1"), "{loss}");
        for ((line, other), plain) in some.lines().zip(others.lines()).zip(answered.lines()) {
            let [line, other, plain] = [line, other, plain].map(json);
            assert_eq!((&line["mean"], &line["quantiles"]), (&plain["mean"], &plain["quantiles"]), "{loss}");
            assert_ne!(line["samples"], other["samples"], "{loss}");
            let paths: Vec<Vec<f64>> = line["samples"].as_array().unwrap().iter().map(numbers).collect();
            assert!(paths.len() == 2000 && paths.iter().all(|path| path.len() == 4), "{loss}");
            // Nothing is drawn before the first step: what is drawn there has its quantiles, of two networks about their mean.
            let mut first: Vec<f64> = paths.iter().map(|path| path[0]).collect();
            first.sort_by(f64::total_cmp);
            let level = |level: &str| numbers(&line["quantiles"][level])[0];
            let width = level("0.9") - level("0.1");
            assert!((first[1000] - level("0.5")).abs() < 0.25 * width, "{loss}: {} and {line}", first[1000]);
            let inside = first.iter().filter(|value| (level("0.1")..=level("0.9")).contains(value)).count();
            assert!((1200..=1900).contains(&inside), "{loss}: {inside}");
        }
    }
    let refused = |options: &[&str], parts: &[&str]| {
        lookback(&[&["predict", &model, &ahead], options].concat()).refused(2, parts);
    };
    refused(&["--samples", "0"], &["--samples is 0"]);
    refused(&["--samples", "10001"], &["--samples is 10001"]);
    refused(&["--samples", "5", "--output-format", "csv"], &["--samples", "jsonl"]);
    refused(&["--samples", "5", "--fields", "mean"], &["--samples", "--fields"]);
    refused(&["--samples", "5", "--chart", "-"], &["--samples", "--chart"]);
    // Fewer than there are networks.
    let one = json(lookback(&["predict", &model, &ahead, "--samples", "1"]).ok().lines().next().unwrap());
    assert_eq!(one["samples"].as_array().unwrap().len(), 1);
    refused(&["--samples", "5", "--anomalies"], &["--samples", "--anomalies"]);
    refused(&["--seed", "5"], &["--seed", "--samples"]);
    for (options, parts) in [
        (&["--decoder", "luong"][..], &["--samples", "--feedback"][..]),
        (&[], &["--samples", "--decoder"]),
        (&["--decoder", "luong", "--feedback", "--loss", "mse"], &["--samples", "--loss mse"]),
    ] {
        train(&data, &model, &[&["--epochs", "1"], options].concat()).ok();
        refused(&["--samples", "5"], parts);
    }
}

#[test]
fn a_backtest_trains_on_what_was_known_before_every_window() {
    let folder = Folder::new();
    let data = folder.write("data.csv", table(4, 48));
    let [model, known] = ["model", "known"].map(|name| folder.path(name));
    train(&data, &model, &["--epochs", "3"]).ok();
    let before = std::fs::read(&model).unwrap();
    let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
    // By hand: without the last horizon, and without the last two.
    let errors = |windows: &str, more: &[&str]| {
        let options = ["evaluate", &model, &data, "--json", "--backtest", windows];
        json(&lookback(&[&options[..], more].concat()).ok())
    };
    let mut by_hand = Vec::new();
    for steps in [40, 44] {
        let part = folder.write("part.csv", with_rows_ahead(4, steps, 48 - steps));
        lookback(&["train", "forecast", &part, "--config", &config, "-o", &known]).ok();
        let whole = folder.write("whole.csv", with_rows_ahead(4, steps + 4, 44 - steps));
        by_hand.push(json(&lookback(&["evaluate", &known, &whole, "--json"]).ok()));
    }
    let once = errors("1", &["--refit"]);
    assert_eq!((&once["mae"], &once["loss"]), (&by_hand[1]["mae"], &by_hand[1]["loss"]));
    let twice = errors("2", &["--refit"]);
    let mean = by_hand.iter().map(|own| own["mae"].as_f64().unwrap()).sum::<f64>() / 2.0;
    assert!((twice["mae"].as_f64().unwrap() - mean).abs() < 1e-5 * mean, "{} and {mean}", twice["mae"]);
    assert_eq!(twice["trainings"].as_u64(), Some(2));
    assert_ne!(twice["mae"], errors("2", &[])["mae"]);
    assert_eq!(std::fs::read(&model).unwrap(), before, "evaluate has changed the model");
    let said = lookback(&["evaluate", &model, &data, "--backtest", "2", "--refit"]);
    assert!(said.err.contains("training 2 of 2"), "{}", said.err);
    assert!(said.ok().contains("a model trained on what was known then"));
    // Nothing is known of the steps before the first.
    let short = folder.write("short.csv", table(2, 4));
    lookback(&["evaluate", &model, &short, "--backtest", "3", "--stride", "2", "--refit"])
        .refused(2, &["short.csv", "no series has a step before"]);
}
