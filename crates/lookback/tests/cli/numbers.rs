//! Numbers that are none, or too large to compute with: never an answer.

use std::path::Path;

use lookback_infer::model_file::{ModelFile, Tensor};
use serde_json::Value;

use crate::program::{Folder, Run, TINY_SERIES, lookback, lookback_with_input, sentences, text_model, ts_series};

/// The error objects and the answers of a stream, line by line.
fn objects(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_value_too_large_for_its_channel_gets_an_error_object_and_the_stream_goes_on() {
    let folder = Folder::new();
    let data = folder.write("slopes.ts", ts_series());
    let model = folder.path("model.safetensors");
    let train = ["train", "classify", &data, "-o", &model, "--epochs", "1"];
    lookback(&[&train[..], &TINY_SERIES].concat()).ok();
    let lines = "[[3e38,-3e38]]\n[[0.0,1.0]]\n[[0.0,1.0],[1.0,1e99]]\n[[1.0]]\nnone\n";
    let run = lookback_with_input(&["predict", &model], lines);
    let objects = objects(&run);
    assert_eq!(objects.len(), 5, "{}", run.out);
    assert!(objects[1]["label"].is_string());
    let told = [
        (0, "line 1, channel 1, step 1: 3e38 is too far"),
        (2, "line 3, channel 2, step 2: \"1e99\" is more than 32 bits hold"),
        (3, "step 1 has 1 channels, but the model has 2"),
        (4, "expected a JSON array of steps"),
    ];
    for (place, sentence) in told {
        let error = objects[place]["error"].as_str().unwrap();
        assert!(error.contains(sentence), "{error}");
        assert_eq!(objects[place]["line"], place + 1);
    }
    run.refused(3, &["4 of 5 inputs could not be answered"]);

    let far = ts_series().replacen("0.500", "3e38", 1);
    let far = folder.write("far.ts", far);
    let run = lookback(&["predict", &model, &far]);
    assert!(run.out.contains("far.ts, line 9, channel 1, step 2: 3e38 is too far"), "{}", run.out);
    assert_eq!((run.out.lines().count(), run.code), (60, 3));
    lookback(&["evaluate", &model, &far]).refused(2, &["far.ts, line 9, channel 1, step 2: 3e38"]);
    lookback(&["explain", &model, "[[3e38,-3e38]]"]).refused(2, &["channel 1, step 1: 3e38"]);
}

/// The model of texts with something changed.
fn changed(path: &str, change: impl FnOnce(&mut ModelFile)) {
    let mut file = ModelFile::read(text_model()).unwrap();
    change(&mut file);
    file.write(Path::new(path)).unwrap();
}

#[test]
fn weights_that_overflow_give_an_error_that_names_the_tensor() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    crate::program::train(&data, &model, &["--epochs", "1", "--attention", "multi-head:2"]).ok();
    let mut file = ModelFile::read(Path::new(&model)).unwrap();
    // As large as a file may have them: four maps one after the other are too much.
    let maps =
        file.tensors.iter_mut().filter(|(name, _)| name.starts_with("encoder.attend") || name.starts_with("output"));
    maps.for_each(|(_, tensor)| tensor.data.fill(1e15));
    file.write(Path::new(&model)).unwrap();

    let run = lookback_with_input(&["predict", &model], "hot soup\nmuch rain\n");
    for (object, line) in objects(&run).iter().zip(1..) {
        let error = object["error"].as_str().unwrap_or_else(|| panic!("{object}"));
        assert!(error.contains("not a finite number") && error.contains("1e15, in the tensor"), "{error}");
        assert_eq!(object["line"], line);
    }
    run.refused(3, &["2 of 2 inputs could not be answered"]);
    lookback(&["evaluate", &model, &data, "--json"]).refused(2, &["not a finite number", "in the tensor"]);
    lookback(&["explain", &model, "hot soup"]).refused(2, &["not a finite number", "in the tensor"]);
}

#[test]
fn what_nothing_reads_or_makes_no_sense_in_a_model_is_refused() {
    let folder = Folder::new();
    let model = folder.path("model.safetensors");
    let refused = |change: &dyn Fn(&mut ModelFile), parts: &[&str]| {
        changed(&model, change);
        lookback(&["inspect", &model]).refused(2, parts);
    };
    let tensor = Tensor { shape: vec![2], data: vec![0.0, 1.0] };
    refused(
        &|file| drop(file.tensors.insert("spare.weight".into(), tensor.clone())),
        &["the tensor \"spare.weight\" has no place in the network"],
    );
    refused(
        &|file| drop(file.metadata.insert("notes".into(), "\"\"".into())),
        &["the entry \"notes\"", "it is unknown; input, encoder, network, labels, calibration, record were expected"],
    );
    // Where a piece of an entry is replaced by another.
    let cases: [(&str, &str, &str, &[&str]); 9] = [
        ("network", "\"hidden\":8", "\"hidden\":8,\"colour\":1", &["unknown field `colour`"]),
        ("record", "\"examples\":81", "\"examples\":81,\"colour\":1", &["unknown field `colour`"]),
        ("input", "\"kind\":\"text\"", "\"kind\":\"text\",\"colour\":1", &["unknown field `colour`"]),
        ("network", "\"hidden\":8", "\"hidden\":0", &["--hidden is 0"]),
        ("network", "\"hidden\":8", "\"hidden\":-8", &["found -8, expected a whole number"]),
        ("network", "\"ensemble\":1", "\"ensemble\":2", &["it tells of 1 networks, but the plan is for 2"]),
        ("input", "\"max-length\":12", "\"max-length\":0", &["--max-length is 0"]),
        ("encoder", "\"max_length\":12", "\"max_length\":0", &["max_length is 0"]),
        (
            "encoder",
            "\"ngrams\":{\"min\":3,\"max\":5,",
            "\"ngrams\":{\"min\":4,\"max\":3,",
            &["from 4 to 3 characters"],
        ),
    ];
    for (key, old, new, parts) in cases {
        let change = |file: &mut ModelFile| {
            let entry = file.metadata.get_mut(key).unwrap();
            assert!(entry.contains(old), "{old} is not in {entry}");
            *entry = entry.replacen(old, new, 1);
        };
        // How many networks there are is told by the record as well.
        let entry = if new.contains("ensemble") { "record" } else { key };
        refused(&change, &[&[&format!("the entry \"{entry}\"") as &str], parts].concat());
    }
}

#[test]
fn utf16_that_passes_for_utf8_is_found_out() {
    let folder = Folder::new();
    let wide: Vec<u8> = sentences().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (plain, data) = (folder.write("plain.tsv", sentences()), folder.write("data.tsv", &wide));
    let model = crate::program::text_model_path();
    assert_eq!(lookback(&["evaluate", model, &data]).ok(), lookback(&["evaluate", model, &plain]).ok());
    let (plain, lines) = (folder.write("plain.txt", sentences()), folder.write("lines.txt", &wide));
    let answered = |file: &str| lookback(&["predict", model, file, "--format", "lines"]).ok();
    assert_eq!(answered(&lines), answered(&plain));
}
