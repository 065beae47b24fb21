//! `train forecast --fallback`: the better of network and classic forecast answers, through the real program.

use std::fmt::Write as _;

use crate::program::{Folder, Run, json, lookback, numbers};

/// Straight lines of their own slope and size, which drift forecasts to the last digit and a network of a few steps does not.
fn lines(series: usize, steps: usize) -> String {
    let mut table = "id,step,y\n".to_owned();
    for name in 0..series {
        for step in 0..steps {
            let _ = writeln!(table, "s{name},{step},{}", (1 + name) * (100 + step));
        }
    }
    table
}

/// A season that a network learns, with what no classic forecast can know: every second season is the other way round.
fn swings(series: usize, steps: usize) -> String {
    let mut table = "id,step,y\n".to_owned();
    for name in 0..series {
        for step in 0..steps {
            let value = [1.0, 5.0, 2.0, -4.0][step % 4] * if (step / 4) % 2 == 0 { 1.0 } else { -1.0 };
            let _ = writeln!(table, "s{name},{step},{:.1}", 10.0 * (1 + name) as f64 + value);
        }
    }
    table
}

fn train(data: &str, model: &str, more: &[&str]) -> Run {
    let tiny = ["--hidden", "16", "--horizon", "4", "--season", "4", "--context", "12", "--dropout", "0"];
    lookback(&[&["train", "forecast", data, "-o", model, "--fallback"], &tiny[..], more].concat())
}

#[test]
fn a_classic_forecast_answers_where_it_is_better() {
    let folder = Folder::new();
    let (data, more) = (folder.write("data.csv", lines(24, 40)), folder.write("more.csv", lines(24, 44)));
    let [model, again, refitted] = ["model", "again", "refitted"].map(|name| folder.path(name));
    let options = ["--epochs", "1", "--loss", "mse", "--conformal", "--quantiles", "0.1,0.5,0.9"];
    let said = train(&data, &model, &options);
    assert!(said.err.contains("answers in place of the network (--fallback)"), "{}", said.err);
    said.ok();
    let shown = lookback(&["inspect", &model]).ok();
    assert!(shown.contains("answers by") && shown.contains("where the network has"), "{shown}");
    let answered = lookback(&["predict", &model, &data]).ok();
    for (name, line) in answered.lines().map(json).enumerate() {
        let method = line["method"].as_str().unwrap();
        assert!(["drift", "theta", "ets"].contains(&method), "{line}");
        let size = (1 + name) as f64;
        let levels = line["quantiles"].as_object().unwrap();
        for (step, mean) in numbers(&line["mean"]).into_iter().enumerate() {
            assert!((mean - size * (140 + step) as f64).abs() < 0.5 * size, "{line}");
            let [low, middle, high] = ["0.1", "0.5", "0.9"].map(|level| numbers(&levels[level])[step]);
            assert!(low <= middle && middle == mean && middle <= high && high - low < size, "{line}");
        }
    }
    let judged = json(&lookback(&["evaluate", &model, &more, "--json", "--backtest", "2"]).ok());
    let method = judged["method"].as_str().unwrap();
    assert!((judged["mase"].as_f64().unwrap() - judged[method]["mase"].as_f64().unwrap()).abs() < 1e-9, "{judged}");
    assert!(judged.get("loss").is_none() && judged["coverage"]["80"].is_number(), "{judged}");
    assert!(lookback(&["evaluate", &model, &more]).ok().contains("answered by "));
    // A table has it only where it is asked for.
    let table = lookback(&["predict", &model, &data, "--output-format", "csv"]).ok();
    assert!(table.starts_with("line,id,time,mean,"), "{table}");
    let table = lookback(&["predict", &model, &data, "--output-format", "csv", "--fields", "id,method"]).ok();
    assert!(table.contains(&format!("\ns0,{method},\n")), "{table}");
    let drawn = lookback(&["predict", &model, &data, "--chart", "-", "--series", "s1"]).ok();
    assert!(drawn.contains("80 %"), "{drawn}");
    // What is of the network is told apart.
    lookback(&["predict", &model, &data, "--anomalies"]).refused(2, &["--anomalies", "answers by"]);
    lookback(&["predict", &model, &data, "--attention"]).refused(2, &["--attention", "answers by"]);
    let explained = lookback(&["explain", &model, "--data", &data, "--series", "s0"]).ok();
    assert!(explained.contains("answers by") && !explained.contains("Gradient"), "{explained}");
    let step = ["explain", &model, "--data", &data, "--series", "s0", "--step", "1"];
    lookback(&step).refused(2, &["--step", "answers by"]);

    let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
    lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
    assert_eq!(lookback(&["predict", &again, &data]).ok(), answered);
    train(&data, &refitted, &[&options[..], &["--refit"]].concat()).ok();
    assert_eq!(lookback(&["predict", &refitted, &data]).ok(), answered, "what was held out has decided");
    // An answer does not depend on the other series.
    let alone = folder.write("alone.csv", lines(3, 40));
    let alone = lookback(&["predict", &model, &alone, "--threads", "1"]).ok();
    assert_eq!(alone.lines().collect::<Vec<_>>(), answered.lines().take(3).collect::<Vec<_>>());
}

#[test]
fn the_network_answers_where_it_is_better() {
    let folder = Folder::new();
    let data = folder.write("data.csv", swings(4, 60));
    let model = folder.path("model");
    let options = ["--loss", "mae", "--epochs", "60", "--learning-rate", "0.01", "--around", "nothing"];
    let said = train(&data, &model, &[&options[..], &["--deseasonalize=false"]].concat());
    assert!(!said.err.contains("in place of the network"), "{}", said.err);
    said.ok();
    let line = json(lookback(&["predict", &model, &data]).ok().lines().next().unwrap_or_default());
    assert_eq!(line["method"].as_str(), Some("network"), "{line}");
    assert!(lookback(&["inspect", &model]).ok().contains("the network, with MASE"));
    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    assert!(judged["method"] == "network" && judged["loss"].is_number(), "{judged}");
}

#[test]
fn what_a_classic_forecast_cannot_answer_is_refused_before_training() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.csv", lines(3, 40)), folder.path("model"));
    for (options, parts) in [
        (&[] as &[&str], &["--fallback", "--conformal", "--loss quantile"] as &[&str]),
        (&["--loss", "gaussian"], &["--fallback", "--conformal", "--loss gaussian"]),
        (&["--loss", "negative-binomial"], &["--fallback", "negative-binomial"]),
        (&["--loss", "mae", "--validation-split", "0"], &["--fallback", "--validation-split is 0"]),
    ] {
        train(&data, &model, options).refused(2, parts);
    }
    let every = ["train", "forecast", &data, "-o", &model, "--every-step", "--past", "y", "--target", "step"];
    lookback(&[&every[..], &["--fallback"]].concat()).refused(2, &["--fallback", "--every-step"]);
    let short = folder.write("short.csv", "id,step,y\na,0,1\na,1,2\nb,0,3\nb,1,4\n");
    train(&short, &model, &["--loss", "mae"]).refused(2, &["--fallback", "too short"]);
    // Without the option nothing is said of it.
    let plain = ["train", "forecast", &data, "-o", &model, "--horizon", "4", "--epochs", "1", "--loss", "mae"];
    lookback(&plain).ok();
    assert!(!lookback(&["predict", &model, &data]).ok().contains("method"));
    assert!(!lookback(&["inspect", &model]).ok().contains("answers by"));
}
