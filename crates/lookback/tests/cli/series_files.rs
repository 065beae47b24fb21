//! Series as they stand in files that people have: what is found out, what is told, and what is refused.

use std::fmt::Write as _;

use serde_json::Value;

use crate::program::{Folder, Run, TINY_SERIES, lookback, lookback_with_input, without_lines};

fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&[&["train", "classify", data, "-o", output, "--epochs", "2"], TINY_SERIES.as_slice(), more].concat())
}

/// Rising and falling series of two channels, a row per step; `row` writes one from case, step, both values and label.
fn long(header: &str, row: impl Fn(usize, usize, f64, f64, &str) -> String) -> String {
    let mut table = format!("{header}\n");
    for case in 0..24 {
        let (label, slope) = if case % 2 == 0 { ("up", 1.0) } else { ("down", -1.0) };
        for step in 0..5 {
            let _ = writeln!(table, "{}", row(case, step, slope * step as f64 + 0.5, 0.25 * case as f64, label));
        }
    }
    table
}

/// As most files have it.
fn usual() -> String {
    long("id,time,speed,temp,label", |case, step, a, b, label| format!("{case},{step},{a},{b},{label}"))
}

fn loss(model: &str, data: &str) -> f64 {
    let json: Value = serde_json::from_str(&lookback(&["evaluate", model, data, "--json"]).ok()).unwrap();
    json["loss"].as_f64().unwrap()
}

#[test]
fn a_table_of_steps_is_known_and_told_and_an_index_is_no_channel() {
    let folder = Folder::new();
    let (data, model) = (folder.write("plain.csv", usual()), folder.path("plain.safetensors"));
    let trained = train(&data, &model, &[]);
    assert!(trained.err.contains("24 series of 5 steps, 2 channels: \"speed\", \"temp\""), "{}", trained.err);
    assert!(trained.err.contains("steps ordered by column \"time\" (numbers)"), "{}", trained.err);
    trained.ok();
    assert!(lookback(&["inspect", &model]).ok().contains("2 channels: \"speed\", \"temp\""));
    let mut rows = 0;
    let indexed: String = usual()
        .lines()
        .map(|line| {
            rows += 1;
            if rows == 1 { format!(",{line}\n") } else { format!("{},{line}\n", rows - 2) }
        })
        .collect();
    let (data, other) = (folder.write("indexed.csv", indexed), folder.path("indexed.safetensors"));
    let trained = train(&data, &other, &[]);
    assert!(trained.err.contains("left aside: column 1"), "{}", trained.err);
    trained.ok();
    let answers = |model: &str| lookback(&["predict", model, &data]).ok();
    assert_eq!(answers(&model), answers(&other), "the same channels");
}

#[test]
fn channels_are_found_by_name_wherever_they_stand() {
    let folder = Folder::new();
    let (data, model) = (folder.write("train.csv", usual()), folder.path("model.safetensors"));
    train(&data, &model, &[]).ok();
    let swapped =
        long("label,note,temp,id,speed,time", |case, step, a, b, label| format!("{label},word,{b},{case},{a},{step}"));
    let swapped = folder.write("swapped.csv", swapped);
    assert_eq!(loss(&model, &swapped), loss(&model, &data));
    let told = lookback(&["evaluate", &model, &swapped]).err;
    assert!(told.contains("put in the order that the model was trained on: \"speed\", \"temp\""), "{told}");
    assert!(told.contains("left aside: column \"note\""), "{told}");
    let untimed = long("id,speed,temp,label", |case, _, a, b, label| format!("{case},{a},{b},{label}"));
    let told = lookback(&["evaluate", &model, &folder.write("untimed.csv", untimed)]);
    assert!(told.code == 0 && told.err.contains("no column of times was found"), "{}", told.err);
    let other = folder.write("other.csv", usual().replacen("temp", "heat", 1));
    let parts = ["no channel \"temp\"", "trained on the channels \"speed\", \"temp\"", "\"heat\""];
    lookback(&["evaluate", &model, &other]).refused(2, &parts);
    lookback(&["predict", &model, &other]).refused(2, &parts);
    let far = lookback_with_input(&["predict", &model], "[[1, 3e38]]\n");
    assert_eq!(far.code, 3);
    assert!(far.out.contains("channel \\\"temp\\\"") && far.out.contains("3e38"), "{}", far.out);
}

#[test]
fn channels_of_another_order_are_not_trained_on() {
    let folder = Folder::new();
    let (data, model) = (folder.write("train.csv", usual()), folder.path("model.safetensors"));
    train(&data, &model, &[]).ok();
    let swapped = long("id,time,temp,speed,label", |case, step, a, b, label| format!("{case},{step},{b},{a},{label}"));
    let swapped = folder.write("swapped.csv", swapped);
    let on = |more: &[&str]| {
        let output = folder.path("again.safetensors");
        lookback(&[&["train", "classify", &swapped, "-o", &output, "--init", &model, "--epochs", "1"], more].concat())
    };
    on(&[]).refused(2, &["\"temp\", \"speed\"", "--values speed,temp"]);
    on(&["--values", "speed,temp"]).ok();
}

#[test]
fn times_order_as_they_mean_and_are_never_sorted_as_text() {
    let folder = Folder::new();
    let answers = |name: &str, time: &dyn Fn(usize) -> String, more: &[&str]| {
        // The last step first, so that only an order by time is right.
        let table = long("id,time,speed,temp,label", |case, step, a, b, label| {
            format!("{case},{},{},{b},{label}", time(4 - step), a)
        });
        let (data, model) = (folder.write(name, table), folder.path(&format!("{name}.safetensors")));
        let trained = train(&data, &model, more);
        let told = trained.err.clone();
        trained.ok();
        (lookback(&["predict", &model, &data]).ok(), told, model)
    };
    let (numbers, ..) = answers("numbers.csv", &|step| (8 + step).to_string(), &[]);
    let (unpadded, told, _) = answers("unpadded.csv", &|step| format!("2024-1-{}", 8 + step), &[]);
    assert!(told.contains("(dates of ISO 8601)"), "{told}");
    assert_eq!(numbers, unpadded);
    let (days, told, model) = answers("days.csv", &|step| format!("{}/1/2024", 11 + step), &[]);
    assert!(told.contains("(%d/%m/%Y)") && days == numbers, "{told}");
    // What was found in training holds for a file that does not tell by itself.
    let unclear = long("id,time,speed,temp,label", |case, step, a, b, label| {
        format!("{case},{}/1/2024,{a},{b},{label}", 1 + step)
    });
    let unclear = folder.write("unclear.csv", unclear);
    lookback(&["evaluate", &model, &unclear]).ok();
    let output = folder.path("none");
    train(&unclear, &output, &[]).refused(2, &["line 3", "\"2/1/2024\"", "%d/%m/%Y", "%m/%d/%Y", "--time-format"]);
    train(&unclear, &output, &["--time-format", "%Q"]).refused(2, &["no form of times"]);
    let words = folder.write("words.csv", usual().replace("7,3,", "7,third,"));
    train(&words, &output, &[]).refused(2, &["line 40", "\"third\" is no number", "--time-format"]);
    let (_, _, told) = answers("told.csv", &|step| format!("{}/1/2024", 1 + step), &["--time-format", "%d/%m/%Y"]);
    let config = folder.write("config.toml", lookback(&["inspect", "--config", &told]).ok());
    let again = folder.path("again.safetensors");
    lookback(&["train", "classify", &folder.path("told.csv"), "--config", &config, "-o", &again]).ok();
    assert_eq!(std::fs::read(told).unwrap(), std::fs::read(again).unwrap());
}

#[test]
fn decimal_commas_are_found_out_and_told() {
    let folder = Folder::new();
    let comma = |value: f64| value.to_string().replace('.', ",");
    let table = long("id;time;speed;temp;label", |case, step, a, b, label| {
        format!("{case};{step};{};{};{label}", comma(a), comma(b))
    });
    let (data, model) = (folder.write("commas.csv", table), folder.path("commas.safetensors"));
    let trained = train(&data, &model, &[]);
    assert!(trained.err.contains("numbers with decimal commas"), "{}", trained.err);
    trained.ok();
    let points = folder.write("points.csv", usual());
    assert_eq!(loss(&model, &points), loss(&model, &data));
    let point = ["--format", "csv-long", "--decimal", "point"];
    train(&data, &folder.path("none"), &point).refused(2, &["line 2", "channel \"speed\"", "\"0,5\""]);
    let both = folder.write("both.csv", usual().replace("0.25,down", "\"0,25\",down"));
    train(&both, &folder.path("none"), &[]).refused(2, &["decimal point", "decimal comma", "--decimal"]);
}

#[test]
fn missing_values_are_refused_or_masked() {
    let folder = Folder::new();
    let gaps = long("id,time,speed,temp,label", |case, step, a, b, label| match (case, step) {
        (0, 1) => format!("{case},{step},?,{b},{label}"),
        (3, 2) => format!("{case},{step},NaN,{b},{label}"),
        (5, 4) => format!("{case},{step},,{b},{label}"),
        _ => format!("{case},{step},{a},{b},{label}"),
    });
    let (data, model) = (folder.write("gaps.csv", gaps), folder.path("model.safetensors"));
    let refused = train(&data, &model, &["--format", "csv-long"]);
    refused.refused(
        2,
        &["3 lines have missing values", "--missing mask", "line 3, channel \"speed\", step 2: \"?\"", "NaN"],
    );
    let trained = train(&data, &model, &["--missing", "mask"]);
    assert!(trained.err.contains("3 of 240 values are missing"), "{}", trained.err);
    trained.ok();
    assert!(lookback(&["inspect", &model]).ok().contains("each with one that tells missing values"));
    lookback(&["evaluate", &model, &data]).ok();
    // Also in a channel that lacks nothing in the training data.
    let answered = lookback_with_input(&["predict", &model], "[[1, null], [null, 2]]\n").ok();
    assert!(answered.starts_with("{\"line\":1,\"label\""), "{answered}");
    let plain = folder.path("plain.safetensors");
    train(&folder.write("plain.csv", usual()), &plain, &[]).ok();
    let refused = lookback_with_input(&["predict", &plain], "[[1, null]]\n");
    assert!(
        refused.code == 3 && refused.out.contains("channel \\\"temp\\\"") && refused.out.contains("--missing mask")
    );
    lookback(&["evaluate", &plain, &data]).refused(2, &["--missing mask"]);
}

/// A row per series, with this between the cells.
fn wide(header: bool, separator: char) -> String {
    let cells = |cells: Vec<String>| cells.join(&separator.to_string());
    let mut table = String::new();
    if header {
        let names = std::iter::once("label".to_owned()).chain((0..9).map(|step| format!("t{step}")));
        let _ = writeln!(table, "{}", cells(names.collect()));
    }
    for case in 0..24 {
        let (label, slope) = if case % 2 == 0 { ("1", 0.5) } else { ("2", -0.5) };
        let length = 7 + case % 3;
        let value = |step: usize| if step < length { format!("{}", slope * step as f64 + 0.1) } else { "NaN".into() };
        let _ = writeln!(table, "{}", cells(std::iter::once(label.to_owned()).chain((0..9).map(value)).collect()));
    }
    table
}

#[test]
fn a_table_with_a_row_per_series_is_read() {
    let folder = Folder::new();
    let (archive, model) = (folder.write("archive.tsv", wide(false, '\t')), folder.path("model.safetensors"));
    let trained = train(&archive, &model, &[]);
    let told =
        ["without a header, a row per series (wide)", "24 series of 7 to 9 steps, 1 channel", "labels from column 1"];
    for told in told.into_iter().chain(["padding at the end of 16 series is cut off"]) {
        assert!(trained.err.contains(told), "{told}: {}", trained.err);
    }
    trained.ok();
    let headed = folder.write("headed.csv", wide(true, ','));
    assert_eq!(loss(&model, &headed), loss(&model, &archive));
    let answers = lookback(&["predict", &model, &archive]).ok();
    assert_eq!(answers.lines().count(), 24);
    let unlabelled = |table: String, separator| -> String {
        table.lines().map(|line| line.split_once(separator).unwrap().1.to_owned() + "\n").collect()
    };
    for (name, table) in
        [("bare.tsv", unlabelled(wide(false, '\t'), '\t')), ("bare.csv", unlabelled(wide(true, ','), ','))]
    {
        let found = lookback(&["predict", &model, &folder.write(name, table)]).ok();
        assert_eq!(without_lines(&found), without_lines(&answers), "{name}");
    }
    let long = "id,time,x,y\n".to_owned() + &"a,1,2,3\na,2,3,4\nb,1,2,3\nb,2,3,4\n".repeat(3);
    lookback(&["predict", &model, &folder.write("long.csv", long)]).refused(2, &["--format csv-long reads that"]);
    let output = folder.path("none");
    train(&headed, &output, &["--format", "wide", "--time", "t0"]).refused(2, &["--time", "wide"]);
    train(&headed, &output, &["--format", "wide", "--label-per", "first"]).refused(2, &["--label-per", "wide"]);
    let measures = "sepal,petal,kind\n".to_owned() + &"1.5,2,a\n3,4.5,b\n".repeat(5);
    let measures = train(&folder.write("measures.csv", measures), &output, &[]);
    assert!(measures.err.contains("--format csv-long for a row per step, or wide"), "{}", measures.err);
}

#[test]
fn a_row_per_step_is_known_by_what_stands_in_columns_of_any_name() {
    let folder = Folder::new();
    // Steps of a series stand in any order; of "person" and "take" the finer tells series apart.
    let order = |step: usize| [3, 0, 4, 1, 2][step];
    let table = long("person,take,frame,speed,temp,gesture", |case, step, a, b, label| {
        format!("p{},t{case},{},{},{b},{label}", case / 4, order(step), a + order(step) as f64)
    });
    let (data, model) = (folder.write("takes.csv", table), folder.path("model.safetensors"));
    // Of two columns of words, either may be the label.
    train(&data, &model, &[]).refused(2, &["takes.csv"]);
    let run = train(&data, &model, &["--label", "gesture"]);
    for told in [
        "a row per step, by what stands in its columns; --format, --id",
        "series by column \"take\", steps ordered by column \"frame\" (numbers), labels from \"gesture\"",
        "left aside: column \"person\"",
    ] {
        assert!(run.err.contains(told), "{told}: {}", run.err);
    }
    run.ok();
    assert_eq!(lookback(&["predict", &model, &data]).ok().lines().count(), 24);
    let config = lookback(&["inspect", "--config", &model]).ok();
    assert!(config.contains("id = \"take\"") && config.contains("label = \"gesture\""), "{config}");
    // The format alone is enough, and a name that is told stays.
    let run = train(&data, &folder.path("again"), &["--format", "csv-long", "--label", "gesture"]);
    assert!(run.err.contains("series by column \"take\""), "{}", run.err);
    run.ok();
    let run = train(&data, &folder.path("again"), &["--format", "csv-long", "--id", "person"]);
    run.refused(2, &["say with --label"]);
}

#[test]
fn a_channel_without_any_value_is_told() {
    let folder = Folder::new();
    let empty = long("id,time,speed,temp,label", |case, step, a, _, label| format!("{case},{step},{a},?,{label}"));
    let (data, model) = (folder.write("empty.csv", empty), folder.path("model.safetensors"));
    train(&data, &model, &[]).refused(2, &["120 lines have missing values", "--missing mask"]);
    let run = train(&data, &model, &["--missing", "mask"]);
    assert!(run.err.contains("the channel \"temp\" has no value in any series"), "{}", run.err);
    run.ok();
}

#[test]
fn columns_of_series_go_with_their_answers() {
    let folder = Folder::new();
    let place = |case: usize| ["north", "south"][case % 2];
    let steps = long("id,time,speed,temp,site,label", |case, step, a, b, label| {
        format!("{case},{step},{a},{b},{},{}", place(case / 2), if step == 0 { label } else { "" })
    });
    let (data, model) = (folder.write("steps.csv", steps), folder.path("model.safetensors"));
    let series = ["--format", "csv-long", "--values", "speed, temp", "--label-per", "first"];
    train(&data, &model, &series).ok();
    let kept = |data: &str, keep: &str| {
        let run = lookback(&["predict", &model, data, "--keep", keep, "--fields", "line"]);
        let err = run.err.clone();
        let answer = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["input"].clone();
        (run.ok().lines().map(answer).collect::<Vec<_>>(), err)
    };
    let (inputs, _) = kept(&data, "site, id");
    assert_eq!((inputs.len(), &inputs[3]), (24, &serde_json::json!({ "site": "south", "id": "3" })));
    let (inputs, told) = kept(&data, "all");
    // Of channel "temp" every series has one value; the label stands in its first row alone.
    assert_eq!(inputs[2], serde_json::json!({ "id": "2", "temp": "0.5", "site": "south", "label": "up" }));
    assert!(told.contains("not kept, for they change within a sequence: \"time\", \"speed\""), "{told}");
    let wrong = ["line 3: the column \"speed\" is \"1.5\" here and \"0.5\" on line 2 of the same sequence", "--keep"];
    lookback(&["predict", &model, &data, "--keep", "id,speed"]).refused(2, &wrong);
    lookback_with_input(&["predict", &model, "--keep", "id"], "[[1, 2]]\n")
        .refused(2, &["--keep", "these series have none"]);
    let mut wide = "name,t0,t1,t2,kind\n".to_owned();
    for case in 0..24 {
        let _ = writeln!(wide, "s{case},{},1,0.5,{}", case % 2, ["a", "b"][case % 2]);
    }
    let (wide, model) = (folder.write("wide.csv", wide), folder.path("wide.safetensors"));
    train(&wide, &model, &["--format", "wide", "--id", "name", "--label", "kind"]).ok();
    let run = lookback(&["predict", &model, &wide, "--keep", "name", "--output-format", "csv", "--fields", "line"]);
    assert!(run.ok().starts_with("line,name,error\n2,s0,\n3,s1,\n"));
}

#[test]
fn one_series_that_cannot_be_read_keeps_no_other_from_it() {
    let folder = Folder::new();
    let bad = usual().replace("\n1,3,-2.5,", "\n1,3,x,").replacen("2,1,1.5,0.5,up", "2,1,1.5,0.5,down", 1);
    let (data, model) = (folder.write("bad.csv", bad), folder.path("model.safetensors"));
    let both =
        ["2 series cannot be read", "--on-bad-row skip", "line 10, channel \"speed\"", "line 13: sequence \"2\""];
    train(&data, &model, &[]).refused(2, &both);
    let trained = train(&data, &model, &["--on-bad-row", "skip"]);
    assert!(trained.err.contains("2 series left out") && trained.err.contains("line 10"), "{}", trained.err);
    trained.ok();
    // Labels are not read, so that one series is left that cannot be answered.
    let answered = lookback(&["predict", &model, &data]);
    assert_eq!((answered.code, answered.out.lines().count()), (3, 24), "{}", answered.err);
    let wrong: Value = serde_json::from_str(answered.out.lines().nth(1).unwrap()).unwrap();
    assert_eq!(wrong["line"], 7);
    assert!(wrong["error"].as_str().unwrap().contains("line 10, channel \"speed\", step 4: \"x\""), "{wrong}");
}

#[test]
fn time_stamps_and_padding_of_a_ts_file_are_read() {
    let folder = Folder::new();
    let file = |stamped: bool| {
        let mut file =
            format!("@timeStamps {stamped}\n@univariate true\n@equalLength true\n@classLabel true up down\n@data\n");
        for case in 0..24 {
            let (label, slope) = if case % 2 == 0 { ("up", 0.5) } else { ("down", -0.5) };
            let value = |step: usize| format!("{:.2}", slope * step as f64);
            let steps: Vec<String> = match stamped {
                // The last step first.
                true => (0..4).rev().map(|step| format!("({},{})", 8 + step, value(step))).collect(),
                false => (0..4).map(value).chain(["NaN".to_owned()]).collect(),
            };
            let _ = writeln!(file, "{}:{label}", steps.join(","));
        }
        file
    };
    let (stamped, model) = (folder.write("stamped.ts", file(true)), folder.path("model.safetensors"));
    let trained = train(&stamped, &model, &[]);
    assert!(trained.err.contains("steps ordered by time stamps (numbers)"), "{}", trained.err);
    trained.ok();
    let padded = folder.write("padded.ts", file(false));
    assert_eq!(lookback(&["predict", &model, &padded]).ok(), lookback(&["predict", &model, &stamped]).ok());
    let told = lookback(&["evaluate", &model, &padded]).err;
    assert!(told.contains("padding at the end of 24 series is cut off"), "{told}");
    let unstamped = ["no line \"@timeStamps true\"", "--time-format"];
    train(&padded, &folder.path("none"), &["--time-format", "iso"]).refused(2, &unstamped);
    train(&padded, &folder.path("none"), &["--decimal", "comma"]).refused(2, &["--decimal", "ts"]);
}

#[test]
fn the_label_may_stand_in_the_first_row_of_a_series_alone() {
    let folder = Folder::new();
    let first = long("id,time,speed,temp,label", |case, step, a, b, label| {
        format!("{case},{step},{a},{b},{}", if step == 0 { label } else { "" })
    });
    let (data, model) = (folder.write("first.csv", first), folder.path("model.safetensors"));
    train(&data, &model, &[]).refused(2, &["line 3", "line 2", "\"up\"", "--label-per first"]);
    train(&data, &model, &["--label-per", "first"]).ok();
    assert_eq!(loss(&model, &data), loss(&model, &folder.write("all.csv", usual())));
    let changes =
        folder.write("changes.csv", usual().replacen("3,0,up", "3,0,down", 1).replacen("1.5,0,up", "1.5,0,down", 1));
    train(&changes, &folder.path("none"), &["--label-per", "first"])
        .refused(2, &["line 3", "\"down\"", "\"up\" on line 2"]);
    let config = lookback(&["inspect", "--config", &model]).ok();
    assert!(config.contains("label-per = \"first\""), "{config}");
}
