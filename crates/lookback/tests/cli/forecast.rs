//! Forecasting numbers over time, through the real program.

use std::fmt::Write as _;

use serde_json::Value;

use crate::program::{Folder, Run, json, lookback, lookback_with_input, numbers, text_model_path};

/// A network small enough to train in a moment.
const TINY: [&str; 10] =
    ["--hidden", "12", "--batch-size", "16", "--dropout", "0", "--learning-rate", "0.01", "--horizon", "4"];

/// Forty days of series of a season of four steps, each of its own size, on a line that rises.
fn table(series: &[usize]) -> String {
    let day = |step: usize| format!("2024-{:02}-{:02}", 1 + step / 31, 1 + step % 31);
    numbered(series, 40)
        .lines()
        .map(|row| match row.split(',').collect::<Vec<_>>()[..] {
            [id, step, value] if id != "id" => format!("{id},{},{value}\n", day(step.parse().unwrap())),
            _ => "id,day,y\n".to_owned(),
        })
        .collect()
}

/// The same by numbered steps, of so many.
fn numbered(series: &[usize], steps: usize) -> String {
    let mut table = "id,step,y\n".to_string();
    for &name in series {
        let size = 10f64.powi(name as i32 % 4);
        for step in 0..steps {
            let season = [1.0, 3.0, 2.0, 0.5][step % 4];
            let _ = writeln!(table, "s{name},{step},{:.4}", size * (5.0 + 0.1 * step as f64 + season));
        }
    }
    table
}

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let tiny = TINY.chunks(2).filter(|option| !more.contains(&option[0])).flatten().copied();
    ["train", "forecast", data, "-o", output].into_iter().chain(tiny).chain(more.iter().copied()).collect()
}

fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&arguments(data, output, more))
}

fn answers(model: &str, data: &str, more: &[&str]) -> Vec<Value> {
    lookback(&[&["predict", model, data], more].concat()).ok().lines().map(json).collect()
}

#[test]
fn a_forecaster_is_trained_judged_asked_and_looked_at() {
    let folder = Folder::new();
    let (data, whole) =
        (folder.write("data.csv", numbered(&[0, 1, 2, 3], 40)), folder.write("all.csv", numbered(&[0, 1, 2, 3], 44)));
    let model = folder.path("model.safetensors");
    let said = train(&data, &model, &["--season", "4", "--epochs", "30", "--pooling", "query+last"]);
    assert!(said.err.contains("4 series of 40 steps") && said.err.contains("every 1"), "{}", said.err);
    assert!(said.err.contains("seasonal naive") && said.err.contains("Theta"), "{}", said.err);
    assert!(said.ok().contains("MASE"));

    let judged = json(&lookback(&["evaluate", &model, &whole, "--json"]).ok());
    // A season on a line is no riddle; the seasonal naive forecast lags behind the line.
    let (own, naive) = (judged["mase"].as_f64().unwrap(), judged["seasonal_naive"]["mase"].as_f64().unwrap());
    assert!(own < 0.7 * naive, "{own} and {naive}");
    for name in ["mae", "rmse", "smape", "smape_100", "wape", "crps", "loss"] {
        assert!(judged[name].is_number(), "{name} is not in {judged}");
    }
    for floor in ["naive", "drift", "moving_average", "theta", "ets"] {
        assert!(judged[floor]["mae"].is_number(), "{floor} is not in {judged}");
    }
    assert_eq!((judged["series"].as_u64(), judged["windows"].as_u64()), (Some(4), Some(4)));
    assert!(judged["coverage"]["80"].is_number() && judged["width"]["95"].is_number(), "{judged}");
    assert_eq!(judged["by_step"].as_array().unwrap().len(), 4);
    let backtest = json(&lookback(&["evaluate", &model, &whole, "--json", "--backtest", "3", "--stride", "2"]).ok());
    assert_eq!(backtest["windows"].as_u64(), Some(12));
    let table = lookback(&["evaluate", &model, &whole]).ok();
    assert!(table.contains("this model") && table.contains("classic forecast"), "{table}");

    let answered = answers(&model, &data, &[]);
    assert_eq!(answered.len(), 4);
    let (mean, future) = (numbers(&answered[2]["mean"]), [11.0f64, 13.1, 12.2, 10.8].map(|value| 100.0 * value));
    assert_eq!((answered[2]["id"].as_str(), numbers(&answered[2]["time"])), (Some("s2"), vec![40.0, 41.0, 42.0, 43.0]));
    for (found, expected) in mean.iter().zip([1000.0, 1210.0, 1120.0, 980.0]) {
        assert!((found - expected).abs() < 0.15 * expected, "{mean:?}, about {future:?}");
    }
    let levels = answered[2]["quantiles"].as_object().unwrap();
    assert_eq!(levels.keys().collect::<Vec<_>>(), ["0.025", "0.1", "0.5", "0.9", "0.975"]);
    for (step, point) in mean.iter().enumerate() {
        let values: Vec<f64> = levels.values().map(|level| numbers(level)[step]).collect();
        assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "quantiles cross: {values:?}");
        assert_eq!(values[2], *point);
    }
    let rows = lookback(&["predict", &model, &data, "--output-format", "csv"]).ok();
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split(',').collect()).collect();
    let header = "line,id,time,mean,quantile_0.025,quantile_0.1,quantile_0.5,quantile_0.9,quantile_0.975,error";
    assert_eq!((rows[0].join(","), rows.len()), (header.to_owned(), 1 + 4 * 4));
    assert_eq!((rows[10][1], rows[10][2], rows[10][3]), ("s2", "41", &*answered[2]["mean"][1].to_string()));
    assert_eq!(rows[10][5], answered[2]["quantiles"]["0.1"][1].to_string());
    let some = lookback(&["predict", &model, &data, "--output-format", "tsv", "--fields", "time,mean"]).ok();
    assert!(some.starts_with("time\tmean\terror\n40\t"), "{some}");
    lookback(&["predict", &model, &data, "--output-format", "csv", "--attention"]).refused(2, &["--attention"]);
    let looked = answers(&model, &data, &["--attention"]);
    let weights = numbers(&looked[0]["views"]["pooling"][0]);
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{weights:?}");
    let explained = lookback(&["explain", &model, "[1, 3, 2, 0.5, 1, 3, 2, 0.5, 1.1, 3.1]"]).ok();
    assert!(explained.contains("y:") && explained.contains("From 10 to 13"), "{explained}");
    let inspected = lookback(&["inspect", &model]).ok();
    assert!(inspected.contains("numbers over time, every 1") && inspected.contains("4 steps ahead"), "{inspected}");
}

#[test]
fn a_series_of_a_file_is_explained_with_gradients() {
    let folder = Folder::new();
    let rows = |name: &str, steps: usize| -> String {
        let target = |step: usize| if step < 30 { (step % 4).to_string() } else { String::new() };
        (0..steps).map(|step| format!("{name},2024-03-{:02},{},{}\n", 1 + step % 31, target(step), step % 3)).collect()
    };
    let data = folder.write("data.csv", format!("id,day,y,sale\n{}{}", rows("a", 31), rows("b", 31)));
    let model = folder.path("model.safetensors");
    let more = ["--future", "sale", "--epochs", "1", "--horizon", "1", "--context", "6", "--pooling", "query"];
    train(&data, &model, &more).ok();
    let explained = lookback(&["explain", &model, "--data", &data, "--series", "b", "--step", "1"]).ok();
    assert!(explained.contains("From \"2024-03-31\"") || explained.contains("From 2024-03-31"), "{explained}");
    let (_, gradient) = explained.split_once("Gradient of y at 2024-03-31").unwrap_or_else(|| panic!("{explained}"));
    let lines: Vec<&str> = gradient.lines().collect();
    assert!(lines[1].starts_with("time") && lines[1].ends_with("sale"), "{explained}");
    assert!(lines.len() == 2 + 6 + 1 && lines[2].starts_with("2024-03-25"), "{explained}");
    assert!(lines[8].starts_with("2024-03-31") && lines[8].split_whitespace().count() == 2, "{explained}");
    for (arguments, parts) in [
        (&["--data", &data] as &[&str], &["2 series", "--series", "\"a\""] as &[&str]),
        (&["--data", &data, "--series", "c"], &["--series", "no \"c\""]),
        (&["--data", &data, "--series", "a", "--step", "2"], &["--step is 2"]),
        (&["--data", &data, "--series", "a", "--step", "0"], &["--step is 0"]),
        (&["[1]", "--data", &data], &["--data"]),
        (&["[1]", "--series", "a"], &["--data"]),
    ] {
        lookback(&[&["explain", &model], arguments].concat()).refused(2, parts);
    }
    lookback(&["explain", text_model_path(), "--data", &data]).refused(2, &["--data", "forecast"]);
    lookback(&["explain", text_model_path(), "good", "--step", "1"]).refused(2, &["--step", "forecast"]);
}

#[test]
fn values_outside_of_their_interval_are_told() {
    let folder = Folder::new();
    let data = folder.write("data.csv", numbered(&[0, 1], 40));
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--season", "4", "--epochs", "30"]).ok();
    // One value of the second series is ten times what it should be.
    let odd: String = numbered(&[0, 1], 40)
        .lines()
        .map(|row| if row.starts_with("s1,30,") { "s1,30,1000\n".to_owned() } else { format!("{row}\n") })
        .collect();
    let odd = folder.write("odd.csv", odd);
    let told = answers(&model, &odd, &["--anomalies"]);
    assert_eq!((told.len(), told[1]["id"].as_str(), told[1]["level"].as_f64()), (2, Some("s1"), Some(95.0)));
    assert_eq!(told[1]["checked"].as_u64(), Some(36));
    let found = told[1]["anomalies"].as_array().unwrap();
    let marked = found.iter().find(|one| one["time"] == 30).unwrap_or_else(|| panic!("{found:?}"));
    let number = |name: &str| marked[name].as_f64().unwrap();
    assert_eq!(number("value"), 1000.0);
    assert!((number("beyond") - (1000.0 - number("upper"))).abs() < 1e-3 && number("half_widths") > 1.0, "{marked}");
    let narrow = answers(&model, &odd, &["--anomalies", "--level", "80"]);
    assert!(narrow[1]["anomalies"].as_array().unwrap().len() >= found.len(), "{narrow:?}");
    let table = lookback(&["predict", &model, &odd, "--anomalies", "--output-format", "csv"]).ok();
    assert!(table.starts_with("line,id,time,value,mean,lower,upper,beyond,half_widths,error\n"), "{table}");
    let count: usize = told.iter().map(|one| one["anomalies"].as_array().unwrap().len()).sum();
    assert_eq!(table.lines().count(), 1 + count);
    assert!(table.contains(",s1,30,1000.0,"), "{table}");
    let run = lookback_with_input(&["predict", &model, "-", "--anomalies"], "[1]\n[null]\n");
    assert_eq!((run.code, run.out.matches("\"error\"").count()), (3, 2), "{}", run.out);
    for (arguments, parts) in [
        (&["--anomalies", "--level", "50"] as &[&str], ["--level is 50", "80 or 95"]),
        (&["--level", "80"], ["--level", "--anomalies"]),
    ] {
        lookback(&[&["predict", &model, &odd], arguments].concat()).refused(2, &parts);
    }
    lookback(&["predict", text_model_path(), &odd, "--anomalies"]).refused(2, &["--anomalies", "forecast"]);
    train(&data, &model, &["--epochs", "1", "--loss", "mae"]).ok();
    lookback(&["predict", &model, &odd, "--anomalies"]).refused(2, &["--anomalies", "--loss quantile"]);
}

#[test]
fn a_table_of_several_targets_has_a_row_for_each_and_quotes_what_needs_it() {
    let folder = Folder::new();
    let row = |step: usize| format!("\"a, \"\"b\"\"\",{step},{},{}\n", step % 4, step % 3);
    let rows: String = (0..30).map(row).collect();
    let data = folder.write("data.csv", format!("id,step,x,y\n{rows}"));
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--target", "x,y", "--epochs", "1", "--loss", "mae"]).ok();
    let table = lookback(&["predict", &model, &data, "--output-format", "csv"]).ok();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!((rows[0], rows.len()), ("line,id,target,time,mean,error", 1 + 2 * 4));
    assert!(rows[1].starts_with("2,\"a, \"\"b\"\"\",x,30,") && rows[8].contains(",y,33,"), "{table}");
    // A series that cannot be answered has a row that says why.
    let gone = folder.write("gone.csv", "id,step,x,y\na,1,,\na,2,,\nb,1,2,3\nb,2,2,3\n");
    let run = lookback(&["predict", &model, &gone, "--output-format", "csv"]);
    assert!(run.code == 3 && run.out.lines().count() == 1 + 1 + 8, "{}{}", run.out, run.err);
}

#[test]
fn an_answer_does_not_depend_on_the_other_series_and_threads_change_no_bit() {
    let folder = Folder::new();
    let data = folder.write("data.csv", numbered(&[0, 1, 2, 3, 4, 5, 6], 30));
    let (one, other) = (folder.path("one.safetensors"), folder.path("other.safetensors"));
    let more = ["--season", "4", "--epochs", "3", "--ensemble", "2", "--cell", "gru", "--layers", "2"];
    train(&data, &one, &[&more[..], &["--threads", "1"]].concat()).ok();
    train(&data, &other, &[&more[..], &["--threads", "3"]].concat()).ok();
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&other).unwrap());
    let together = lookback(&["predict", &one, &data, "--threads", "3"]).ok();
    let rest = |text: &str| text.split_once(",\"id\"").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    for (name, line) in (0..7).zip(together.lines()) {
        let alone = folder.write("alone.csv", numbered(&[name], 30));
        let alone = lookback(&["predict", &one, &alone, "--threads", "1"]).ok();
        assert_eq!(rest(alone.trim_end()), rest(line), "series {name}");
    }
}

#[test]
fn a_training_goes_on_to_the_same_bytes_and_from_its_configuration() {
    let folder = Folder::new();
    let data = folder.write("data.csv", table(&[0, 1]));
    let (model, again) = (folder.path("model.safetensors"), folder.path("again.safetensors"));
    train(&data, &model, &["--epochs", "4", "--season", "7"]).ok();
    let first = answers(&model, &data, &[]);
    assert_eq!(first[0]["time"], serde_json::json!(["2024-02-10", "2024-02-11", "2024-02-12", "2024-02-13"]));
    let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
    lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
    assert_eq!(answers(&again, &data, &[]), first);
    // It goes on from what it is, and refuses what it is not.
    lookback(&["train", "forecast", &data, "--init", &model, "--epochs", "1", "-o", &again]).ok();
    let other = folder.write("other.csv", table(&[0]).replace(",y", ",z"));
    lookback(&["train", "forecast", &other, "--init", &model, "-o", &again]).refused(2, &["z"]);
}

#[test]
fn covariates_ahead_are_read_and_told_when_they_end_too_early() {
    let folder = Folder::new();
    // What comes is what a covariate says, known ahead.
    let row = |step: usize, with_target: bool| {
        let sale = u8::from(step * 7 % 5 < 2);
        let target = if with_target { format!("{}", 10 + 5 * sale) } else { String::new() };
        format!("2024-01-01 {:02}:00,{target},{sale}\n", step % 24)
            .replace("2024-01-01", &format!("2024-01-{:02}", 1 + step / 24))
    };
    let rows = |known: usize, all: usize| -> String {
        std::iter::once("time,y,sale\n".to_owned()).chain((0..all).map(|step| row(step, step < known))).collect()
    };
    let (data, ahead) = (folder.write("data.csv", rows(120, 120)), folder.write("ahead.csv", rows(120, 124)));
    let model = folder.path("model.safetensors");
    train(&data, &model, &["--future", "sale", "--epochs", "40", "--calendar", "none", "--loss", "mse"]).ok();
    let answered = answers(&model, &ahead, &[]);
    for (found, step) in numbers(&answered[0]["mean"]).into_iter().zip(120..) {
        let expected = if step * 7 % 5 < 2 { 15.0 } else { 10.0 };
        assert!((found - expected).abs() < 1.0, "step {step}: {found}, not {expected}");
    }
    assert!(answered[0].get("quantiles").is_none(), "a point has no quantiles");
    let run = lookback(&["predict", &model, &data]);
    assert_eq!(run.code, 3, "{}{}", run.out, run.err);
    assert!(run.out.contains("sale") && run.out.contains("4 steps"), "{}", run.out);
}

#[test]
fn what_cannot_be_forecast_is_refused_with_file_line_and_what_helps() {
    let folder = Folder::new();
    let model = folder.path("model.safetensors");
    let refused = |content: &str, more: &[&str], parts: &[&str]| {
        let data = folder.write("data.csv", content);
        train(&data, &model, more).refused(2, parts);
    };
    refused("id,step,y\na,1,2\na,2,3\na,2,4\n", &[], &["line 4", "line 3"]);
    refused("id,step,y\na,1,5\n", &[], &["no series has two times", "--frequency"]);
    refused("id,step,y\na,1,\na,2,\n", &[], &["data.csv"]);
    refused("id,step,y\na,1,inf\na,2,3\n", &[], &["line 2", "inf"]);
    refused("id,step,y\na,1,x\na,2,3\n", &[], &["x"]);
    refused("id,step,y,z\na,1,1,2\na,2,1,2\n", &["--target", "w"], &["w"]);
    refused(&numbered(&[0], 20), &["--logarithms", "--target", "step"], &["data.csv"]);
    refused(&numbered(&[0], 20), &["--quantiles", "0.1,0.9"], &["--quantiles", "0.5 among them"]);
    refused(&numbered(&[0], 20), &["--horizon", "0"], &["--horizon is 0"]);
    refused(&numbered(&[0], 20), &["--frequency", "fortnight"], &["--frequency"]);
    refused(
        &numbered(&[0], 20),
        &["--around", "season", "--season", "9", "--context", "4"],
        &["--around", "--context is 4"],
    );
    // Numbers that no machine counts to.
    let most = usize::MAX.to_string();
    refused(&numbered(&[0], 20), &["--season", &most], &["--season"]);
    refused(&numbered(&[0], 20), &["--horizon", &most], &["--horizon"]);
    // Of a negative value there is no logarithm; of a model that was trained on others neither.
    let data = folder.write("data.csv", numbered(&[0, 1], 30));
    train(&data, &model, &["--logarithms", "--epochs", "1"]).ok();
    let negative = folder.write("negative.csv", "id,step,y\na,1,5\na,2,-3\na,3,4\n");
    let run = lookback(&["predict", &model, &negative]);
    assert!(run.code == 3 && run.out.contains("step 2") && run.out.contains("-3"), "{}{}", run.out, run.err);
    lookback(&["evaluate", &model, &negative]).refused(2, &["negative.csv", "-3"]);
    lookback(&["evaluate", &model, &folder.write("short.csv", "id,step,y\na,1,5\na,2,6\n")]).refused(2, &["4 steps"]);
    lookback(&["evaluate", &model, &data, "--backtest", "0"]).refused(2, &["--backtest is 0"]);
    lookback(&["evaluate", text_model_path(), &data, "--backtest", "2"]).refused(2, &["--backtest", "forecast"]);
    lookback(&["predict", &model, &data, "--top", "2"]).refused(2, &["--top", "labels"]);
    lookback(&["predict", &model, &data, "--beam", "2"]).refused(2, &["--beam"]);
    lookback(&["evaluate", &model, &data, "--format", "lines"]).refused(2, &["--format is lines"]);
    lookback_with_input(&["predict", &model, "-", "--id", "id"], "[1, 2]\n").refused(2, &["--id", "a line of its own"]);
    let all = json(&lookback(&["evaluate", &model, &data, "--json", "--backtest", &most, "--stride", "1"]).ok());
    assert_eq!(all["windows"].as_u64(), Some(2 * 26), "every origin but that before the first step");
    lookback(&["evaluate", &model, &data, "--backtest", "2", "--stride", &most]).ok();
    // A window over the limit alone.
    let long = folder.write("long.csv", numbered(&[0], 9000));
    train(&long, &model, &["--context", "8000", "--hidden", "64", "--max-memory", "1", "--epochs", "1"])
        .refused(2, &["8000 steps", "--max-memory is 1 MiB", "--context"]);
    train(&data, &model, &["--epochs", "1"]).ok();
    let others = folder.write("others.csv", numbered(&[0], 30).replace(",y", ",z"));
    lookback(&["predict", &model, &others]).refused(2, &["others.csv", "y"]);
    // Series that are all the same, all zero, huge or with gaps train and answer with numbers.
    for values in [
        "5,5,5,5,5,5,5,5,5,5,5,5",
        "0,0,0,0,0,0,0,0,0,0,0,0",
        "1e30,2e30,1e30,3e30,1e30,2e30,1e30,3e30,2e30",
        "1,,3,,5,,7,,9,,11,,13",
    ] {
        let rows: String = values.split(',').enumerate().map(|(step, value)| format!("a,{step},{value}\n")).collect();
        let data = folder.write("odd.csv", format!("id,step,y\n{rows}"));
        train(&data, &model, &["--epochs", "2"]).ok();
        let mean = numbers(&answers(&model, &data, &[])[0]["mean"]);
        assert!(mean.len() == 4 && mean.iter().all(|value| value.is_finite()), "{values}: {mean:?}");
    }
    let run = lookback_with_input(&["predict", &model, "-"], "[1, 2, null, 4]\n[]\n[null]\nx\n");
    assert_eq!(run.code, 3, "{}", run.err);
    assert_eq!(run.out.lines().filter(|line| line.contains("\"error\"")).count(), 3, "{}", run.out);
}

/// The classic of the articles: sine in, cosine out, at every step.
#[test]
fn every_step_of_a_sine_is_told_its_cosine() {
    let folder = Folder::new();
    let wave = |phase: f64, steps: usize, with_cosine: bool| -> String {
        let head = if with_cosine { "t,sin,cos\n" } else { "t,sin\n" };
        let row = |step: usize| {
            let angle = 0.2 * step as f64 + phase;
            let cosine = if with_cosine { format!(",{:.6}", angle.cos()) } else { String::new() };
            format!("{step},{:.6}{cosine}\n", angle.sin())
        };
        std::iter::once(head.to_owned()).chain((0..steps).map(row)).collect()
    };
    let (data, other) =
        (folder.write("data.csv", wave(0.0, 600, true)), folder.write("other.csv", wave(1.3, 300, true)));
    let (model, again) = (folder.path("model.safetensors"), folder.path("again.safetensors"));
    let every = ["train", "forecast", &data, "--every-step", "--past", "sin", "--target", "cos", "--hidden", "16"];
    let more = ["--epochs", "60", "--stride", "4", "--learning-rate", "0.01", "--loss", "mse", "--context", "64", "-o"];
    lookback(&[&every[..], &more, &[&model]].concat()).ok();
    let judged = json(&lookback(&["evaluate", &model, &other, "--json"]).ok());
    let error = judged["rmse"].as_f64().unwrap().powi(2);
    assert!(error < 1e-3, "{judged}");
    assert!(judged.get("naive").is_none() && judged.get("by_step").is_none(), "{judged}");
    // What is to be told need not be there.
    let sine = folder.write("sine.csv", wave(1.3, 300, false));
    let answered = answers(&model, &sine, &[]);
    let (mean, time) = (numbers(&answered[0]["mean"]), numbers(&answered[0]["time"]));
    assert_eq!((mean.len(), time[0], time[299]), (300, 0.0, 299.0));
    assert!((mean[250] - (0.2 * 250.0 + 1.3f64).cos()).abs() < 0.1, "{}", mean[250]);
    let explained = lookback(&["explain", &model, "[0, 0.199, 0.389, 0.565]"]).ok();
    assert!(explained.starts_with("cos: ") && explained.contains("From 0 to 3"), "{explained}");
    assert!(lookback(&["inspect", &model]).ok().contains("told of every step: \"cos\""));
    let config = folder.write("config.toml", lookback(&["inspect", &model, "--config"]).ok());
    lookback(&["train", "forecast", &data, "--config", &config, "-o", &again]).ok();
    assert_eq!(lookback(&["predict", &model, &sine]).ok(), lookback(&["predict", &again, &sine]).ok());
    for (options, parts) in [
        (&["--horizon", "4"] as &[&str], ["--horizon", "--every-step"]),
        (&["--attention", "structured:2"], ["--attention", "--every-step"]),
    ] {
        lookback(&[&every[..], options, &["-o", &again]].concat()).refused(2, &parts);
    }
    let no_past = ["train", "forecast", &data, "--every-step", "--target", "cos", "-o", &again];
    lookback(&no_past).refused(2, &["--past", "must name columns"]);
    lookback(&["evaluate", &model, &other, "--backtest", "2"]).refused(2, &["--backtest"]);
}

#[test]
fn months_may_end_on_other_days_than_in_training() {
    let folder = Folder::new();
    let rows = |days: [&str; 2]| -> String {
        let row = |month: usize| format!("{}-{:02}-{},{}\n", 2020 + month / 12, 1 + month % 12, days[0], month % 12);
        let last = |month: usize| match 1 + month % 12 {
            2 => format!("{}-02-{},{}\n", 2020 + month / 12, if month < 12 { 29 } else { 28 }, month % 12),
            of => {
                let day = if [4, 6, 9, 11].contains(&of) { 30 } else { 31 };
                format!("{}-{of:02}-{day},{}\n", 2020 + month / 12, month % 12)
            }
        };
        let rows = (0..24).map(|month| if days[1] == "last" { last(month) } else { row(month) });
        std::iter::once("date,y\n".to_owned()).chain(rows).collect()
    };
    let (first, last) = (folder.write("a.csv", rows(["01", ""])), folder.write("b.csv", rows(["", "last"])));
    let model = folder.path("model.safetensors");
    train(&first, &model, &["--epochs", "1"]).ok();
    assert_eq!(answers(&model, &first, &[])[0]["time"][0], "2022-01-01");
    assert_eq!(answers(&model, &last, &[])[0]["time"].as_array().unwrap().len(), 4);
}
