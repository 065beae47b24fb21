//! What forecasters answer beside a point: distributions and intervals, through the real program.

use std::fmt::Write as _;

use serde_json::Value;

use crate::program::{Folder, json, lookback, numbers};

/// Networks that train in a moment.
const TINY: [&str; 12] = [
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
];

/// Weeks of sales of a few things: counts with a season of four steps, by a generator of random numbers of its own.
fn sales(series: usize, steps: usize) -> String {
    let (mut table, mut state) = ("id,step,y\n".to_owned(), 1u64);
    for name in 0..series {
        for step in 0..steps {
            let usual = [2.0, 6.0, 4.0, 1.0][step % 4] * 3f64.powi(name as i32 % 3);
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let draw = (state >> 11) as f64 / (1u64 << 53) as f64;
            let _ = writeln!(table, "s{name},{step},{:.0}", usual * 2.0 * draw);
        }
    }
    table
}

fn train(data: &str, output: &str, more: &[&str]) -> crate::program::Run {
    lookback(&[&["train", "forecast", data, "-o", output], &TINY[..], more].concat())
}

#[test]
fn counts_and_heavy_tails_are_forecast_as_distributions() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.csv", sales(6, 60)), folder.path("model.safetensors"));
    for loss in ["negative-binomial", "student-t"] {
        train(&data, &model, &["--loss", loss, "--epochs", "8"]).ok();
        let judged = json(&lookback(&["evaluate", &model, &data, "--json", "--backtest", "4"]).ok());
        // Of a fifth of the values it is said that they lie outside.
        let inside = judged["coverage"]["80"].as_f64().unwrap();
        assert!((0.6..=1.0).contains(&inside) && judged["loss"].is_number(), "{loss}: {judged}");
        let (own, naive) = (judged["mase"].as_f64().unwrap(), judged["naive"]["mase"].as_f64().unwrap());
        assert!(own < naive, "{loss}: {own} and {naive}");
        let answered = lookback(&["predict", &model, &data]).ok();
        for line in answered.lines().map(json) {
            let levels: Vec<Vec<f64>> = line["quantiles"].as_object().unwrap().values().map(numbers).collect();
            for step in 0..4 {
                assert!(levels.windows(2).all(|pair| pair[0][step] <= pair[1][step]), "{loss}: {line}");
            }
            if loss == "negative-binomial" {
                let whole = levels.iter().flatten().all(|count| count.fract() == 0.0 && *count >= 0.0);
                assert!(whole && numbers(&line["mean"]).iter().all(|mean| *mean > 0.0), "{line}");
            }
        }
        let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
        let again = folder.path("again.safetensors");
        lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
        assert_eq!(lookback(&["predict", &again, &data]).ok(), answered, "{loss}");
    }
}

#[test]
fn what_is_no_count_is_refused_with_file_line_and_value() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.csv", sales(2, 40)), folder.path("model.safetensors"));
    let counts = ["--loss", "negative-binomial", "--epochs", "1"];
    for (value, shown) in [("-3", "-3"), ("2.5", "2.5"), ("20000000", "20000000")] {
        let wrong = folder.write("wrong.csv", format!("{}t,0,4\nt,1,{value}\n", sales(1, 20)));
        train(&wrong, &model, &counts).refused(2, &["wrong.csv", "line 22", "step 2", "\"t\"", shown, "whole numbers"]);
    }
    for (option, value) in
        [("--scale", "standard"), ("--logarithms", "true"), ("--deseasonalize", "true"), ("--around", "last")]
    {
        let said = format!("{option}={value}");
        train(&data, &model, &[&counts[..], &[&said]].concat()).refused(2, &[option, "negative-binomial"]);
    }
    train(&data, &model, &counts).ok();
    let wrong = folder.write("wrong.csv", "id,step,y\na,1,5\na,2,0.5\na,3,4\n");
    let run = lookback(&["predict", &model, &wrong]);
    assert!(run.code == 3 && run.out.contains("step 2") && run.out.contains("0.5"), "{}{}", run.out, run.err);
}

#[test]
fn conformal_intervals_hold_what_they_say_whatever_the_network_thinks() {
    let folder = Folder::new();
    let (data, more) = (folder.write("data.csv", sales(24, 48)), folder.write("more.csv", sales(24, 60)));
    let model = folder.path("model.safetensors");
    let levels = ["--quantiles", "0.1,0.25,0.5,0.75,0.9", "--conformal", "--epochs", "6"];
    for loss in ["mse", "quantile", "gaussian"] {
        train(&data, &model, &[&levels[..], &["--loss", loss]].concat()).ok();
        let judged = json(&lookback(&["evaluate", &model, &more, "--json", "--backtest", "3"]).ok());
        for (percent, share) in [("50", 0.5), ("80", 0.8)] {
            let inside = judged["coverage"][percent].as_f64().unwrap();
            assert!((inside - share).abs() < 0.15, "{loss}: {inside} in {percent} %");
        }
        assert_eq!(judged["conformal"]["windows"].as_u64(), Some(24), "{loss}");
        assert!(lookback(&["evaluate", &model, &more]).ok().contains("24 held-out windows"), "{loss}");
        assert!(lookback(&["inspect", &model]).ok().contains("conformal prediction"), "{loss}");
        let answered = lookback(&["predict", &model, &data]).ok();
        for line in answered.lines().map(json) {
            let found: Vec<Vec<f64>> = line["quantiles"].as_object().unwrap().values().map(numbers).collect();
            let rise = (0..4).all(|step| found.windows(2).all(|pair| pair[0][step] <= pair[1][step]));
            assert!(found.len() == 5 && rise && found[2] == numbers(&line["mean"]), "{loss}: {line}");
        }
        let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
        let again = folder.path("again.safetensors");
        lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
        assert_eq!(lookback(&["predict", &again, &data]).ok(), answered, "{loss}");
    }
    let few = folder.write("few.csv", sales(3, 40));
    train(&few, &model, &["--conformal", "--epochs", "1"]).refused(2, &["--conformal", "at least 19", "there are 3"]);
    for (option, parts) in [
        (["--loss", "negative-binomial"], ["--conformal", "count"]),
        (["--validation-split", "0"], ["--conformal", "--validation-split is 0"]),
        (["--quantiles", "0.5,0.9"], ["--conformal", "0.5,0.9"]),
    ] {
        train(&data, &model, &[&["--conformal", "--epochs", "1"], &option[..]].concat()).refused(2, &parts);
    }
    train(&data, &model, &["--loss", "mse", "--quantiles", "0.5"]).refused(2, &["--quantiles", "--conformal"]);
    let every =
        ["train", "forecast", &data, "--every-step", "--past", "y", "--target", "step", "--conformal", "-o", &model];
    lookback(&every).refused(2, &["--conformal", "--every-step"]);
}

#[test]
fn a_forecaster_is_trained_again_on_everything_for_the_epochs_that_were_found() {
    let folder = Folder::new();
    let (data, more) = (folder.write("data.csv", sales(24, 40)), folder.write("more.csv", sales(24, 44)));
    let [once, again, third] = ["once", "again", "third"].map(|name| folder.path(name));
    let options = ["--epochs", "5", "--ensemble", "2", "--conformal", "--quantiles", "0.1,0.5,0.9"];
    train(&data, &once, &options).ok();
    let said = train(&data, &again, &[&options[..], &["--refit"]].concat());
    assert!(said.err.contains("training again on everything"), "{}", said.err);
    said.ok();
    // What was held out is told of the first training, and other weights answer.
    let shown = [&once, &again].map(|model| lookback(&["inspect", model]).ok());
    let scores = shown.each_ref().map(|text| text.lines().filter(|line| line.contains("MASE")).collect::<Vec<_>>());
    assert!(!scores[0].is_empty() && scores[0] == scores[1], "{shown:?}");
    let answers = [&once, &again].map(|model| lookback(&["predict", model, &data]).ok());
    assert_ne!(answers[0], answers[1]);
    let judged = json(&lookback(&["evaluate", &again, &more, "--json"]).ok());
    assert_eq!(judged["conformal"]["windows"].as_u64(), Some(24), "{judged}");
    let config = folder.write("config.toml", lookback(&["inspect", &again, "--config"]).ok());
    lookback(&["train", "forecast", &data, "--config", &config, "-o", &third]).ok();
    assert_eq!(lookback(&["predict", &third, &data]).ok(), answers[1]);
    for option in [["--validation-split", "0"], ["--validation", more.as_str()]] {
        train(&data, &third, &[&["--refit"], &option[..]].concat()).refused(2, &["--refit", "--validation-split"]);
    }
}

/// Killed now and then, in the first training and in the second.
#[cfg(unix)]
#[test]
fn a_training_again_that_is_killed_goes_on_to_the_same_bytes() {
    let folder = Folder::new();
    let data = folder.write("data.csv", sales(8, 40));
    let [straight, killed] = ["straight", "killed"].map(|name| folder.path(name));
    let options = ["--epochs", "3", "--ensemble", "2", "--refit"];
    train(&data, &straight, &options).ok();
    let checkpoint = format!("{killed}.checkpoint");
    let stands = || std::path::Path::new(&checkpoint).exists();
    let mut kills = 0;
    loop {
        let resume: &[&str] = if stands() { &["--resume"] } else { &[] };
        let base = ["train", "forecast", &data, "-o", &killed, "--checkpoint-every", "1steps"];
        let arguments = [&base, &TINY[..], &options, resume].concat();
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_lookback"))
            .args(&arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(40 + 37 * (kills % 7)));
        if kills < 25 && program.try_wait().unwrap().is_none() {
            program.kill().unwrap();
            program.wait().unwrap();
            kills += 1;
            continue;
        }
        assert!(program.wait().unwrap().success());
        break;
    }
    assert!(kills > 1, "it was killed {kills} times");
    assert!(std::fs::read(&straight).unwrap() == std::fs::read(&killed).unwrap(), "other bytes after {kills} kills");
}

#[test]
fn networks_answer_together_by_their_median() {
    let folder = Folder::new();
    let data = folder.write("data.csv", sales(6, 40));
    let [mean, median, again] = ["mean", "median", "again"].map(|name| folder.path(name));
    let options = ["--epochs", "2", "--ensemble", "3"];
    train(&data, &mean, &options).ok();
    train(&data, &median, &[&options[..], &["--combine", "median"]].concat()).ok();
    let answers = [&mean, &median].map(|model| lookback(&["predict", model, &data]).ok());
    assert_ne!(answers[0], answers[1]);
    assert!(lookback(&["inspect", &median]).ok().contains("the median of 3 networks"));
    for line in answers[1].lines().map(json) {
        let levels: Vec<Vec<f64>> = line["quantiles"].as_object().unwrap().values().map(numbers).collect();
        assert!((0..4).all(|step| levels.windows(2).all(|pair| pair[0][step] <= pair[1][step])), "{line}");
    }
    let config = folder.write("config.toml", lookback(&["inspect", &median, "--config"]).ok());
    lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
    assert_eq!(lookback(&["predict", &again, &data]).ok(), answers[1]);
    train(&data, &again, &["--epochs", "1", "--combine", "median"]).refused(2, &["--combine", "--ensemble is 1"]);
}

#[test]
fn classic_forecasts_are_in_the_answers_where_that_is_better_on_what_is_held_out() {
    let folder = Folder::new();
    let data = folder.write("data.csv", sales(24, 48));
    let [own, found, again] = ["own", "found", "again"].map(|name| folder.path(name));
    // After an epoch, a network knows less than Theta.
    let said = train(&data, &found, &["--epochs", "1"]);
    assert!(said.err.contains("chosen by what is held out: --blend theta"), "{}", said.err);
    said.ok();
    train(&data, &own, &["--epochs", "1", "--blend", "none"]).ok();
    let mase = |model: &str| json(&lookback(&["evaluate", model, &data, "--json"]).ok())["mase"].as_f64().unwrap();
    assert!(mase(&found) < 0.99 * mase(&own), "{} and {}", mase(&found), mase(&own));
    assert!(lookback(&["inspect", &found]).ok().contains("the mean of the network's forecast and of Theta"));
    assert!(!lookback(&["inspect", &own]).ok().contains("the mean of the network's forecast"));
    let answered = [&own, &found].map(|model| {
        let config = folder.write("config.toml", lookback(&["inspect", model, "--config"]).ok());
        lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
        let answered = lookback(&["predict", model, &data]).ok();
        assert_eq!(lookback(&["predict", &again, &data]).ok(), answered);
        answered
    });
    assert_ne!(answered[0], answered[1]);
    // Of few windows nothing is known.
    let few = folder.write("few.csv", sales(4, 48));
    assert!(!train(&few, &again, &["--epochs", "1"]).err.contains("--blend"));
    train(&data, &again, &["--blend", "moon"]).refused(2, &["--blend", "'moon' is unknown", "or none"]);
}

#[test]
fn networks_and_classic_forecasts_answer_by_their_mean() {
    let folder = Folder::new();
    let (table, [own, mean, again]) = (sales(4, 40), ["own", "mean", "again"].map(|name| folder.path(name)));
    let data = folder.write("data.csv", &table);
    train(&data, &own, &["--epochs", "1"]).ok();
    train(&data, &mean, &["--epochs", "1", "--blend", "naive"]).ok();
    let answers = |model: &str| -> Vec<Value> { lookback(&["predict", model, &data]).ok().lines().map(json).collect() };
    for (own, mean) in answers(&own).iter().zip(answers(&mean)) {
        let name = format!("{},", own["id"].as_str().unwrap());
        let last = table.lines().rev().find_map(|row| row.strip_prefix(&name));
        let last: f64 = last.and_then(|row| row.split(',').nth(1)).unwrap().parse().unwrap();
        for (own, mean) in numbers(&own["mean"]).into_iter().zip(numbers(&mean["mean"])) {
            assert!((mean - 0.5 * (own + last)).abs() < 1e-3 * (1.0 + last), "{mean} of {own} and {last}");
        }
        assert_eq!(numbers(&mean["quantiles"]["0.5"]), numbers(&mean["mean"]));
    }
    assert!(lookback(&["inspect", &mean]).ok().contains("the mean of the network's forecast and of naive"));
    let config = folder.write("config.toml", lookback(&["inspect", &mean, "--config"]).ok());
    lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
    assert_eq!(answers(&again), answers(&mean));
    let explained = lookback(&["explain", &mean, "--data", &data, "--series", "s1"]).ok();
    assert!(explained.contains("classic forecasts held as they are"), "{explained}");
    let refused = |options: &[&str], parts: &[&str]| train(&data, &again, options).refused(2, parts);
    refused(&["--blend", "drift,drift"], &["--blend", "twice"]);
    refused(&["--blend", "ets"], &["--blend", "ets"]);
    refused(&["--blend", "drift", "--loss", "negative-binomial"], &["--blend", "negative-binomial"]);
}
