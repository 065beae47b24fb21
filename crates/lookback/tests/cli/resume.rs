//! Training that is killed and taken up again gives the very bytes of a training that was left alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use crate::program::{Folder, TINY, lookback, sentences, train};

/// Options under which everything that a checkpoint keeps is in use.
const EVERYTHING: [&[&str]; 7] = [
    &["--epochs", "6", "--ensemble", "2", "--average", "ema", "--schedule", "cosine", "--warmup", "0.5"],
    &["--epochs", "30", "--patience", "2", "--learning-rate", "0.1", "--word-dropout", "0.2", "--seed", "1"],
    &["--epochs", "6", "--average", "swa", "--optimizer", "sgd", "--momentum", "0.9", "--validation-split", "0"],
    &["--epochs", "5", "--optimizer", "rmsprop", "--linear-words", "1-2", "--linear-buckets", "300"],
    &["--epochs", "5", "--multi-label", "--ensemble", "2", "--linear-words", "1-1", "--linear-buckets", "300"],
    &[
        "--epochs",
        "3",
        "--cross-validate",
        "3",
        "--validation-split",
        "0",
        "--linear-words",
        "1-1",
        "--linear-buckets",
        "300",
    ],
    &["--epochs", "2", "--cross-validate", "2", "--ensemble", "2", "--average", "ema"],
];

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&[&'a str]]) -> Vec<&'a str> {
    let more = more.concat();
    // Options cannot be said twice.
    let tiny = TINY.chunks(2).filter(|option| !more.contains(&option[0])).flatten().copied();
    ["train", "classify", data, "-o", output].into_iter().chain(tiny).chain(more.iter().copied()).collect()
}

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs")
}

/// When a file was written, where it is there.
fn written(path: &str) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

fn bytes(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[cfg(unix)]
#[test]
fn a_training_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (straight, killed) = (folder.path("straight"), folder.path("killed"));
    let checkpoint = format!("{killed}.checkpoint");
    let mut resumed = 0;
    for (case, options) in EVERYTHING.into_iter().enumerate() {
        lookback(&arguments(&data, &straight, &[options])).ok();
        // Every step, so that many a kill comes while a checkpoint is written.
        let every: &[&str] = &["--checkpoint-every", "1steps"];
        let _ = std::fs::remove_file(&killed);
        let mut kills = 0;
        loop {
            let resume: &[&str] = if Path::new(&checkpoint).exists() { &["--resume"] } else { &[] };
            let mut program = start(&arguments(&data, &killed, &[options, every, resume]));
            // At other moments in every round: during start in one of four, else a while after a checkpoint was written, during
            // steps and writing.
            if kills % 4 < 3 {
                let before = written(&checkpoint);
                while written(&checkpoint) == before && program.try_wait().unwrap().is_none() {
                    sleep(Duration::from_millis(1));
                }
            }
            sleep(Duration::from_millis((case as u64 * 31 + kills * 47) % 40));
            if let Some(ended) = program.try_wait().unwrap() {
                assert!(ended.success(), "{options:?}: {ended}");
                break;
            }
            program.kill().unwrap();
            program.wait().unwrap();
            kills += 1;
            resumed += usize::from(!resume.is_empty());
            if kills == 12 {
                let resume: &[&str] = if Path::new(&checkpoint).exists() { &["--resume"] } else { &[] };
                lookback(&arguments(&data, &killed, &[options, every, resume])).ok();
                break;
            }
        }
        assert!(bytes(&straight) == bytes(&killed), "{options:?}: other bytes after {kills} kills");
        assert!(!Path::new(&checkpoint).exists(), "a training that ended well leaves no checkpoint");
    }
    assert!(resumed > 5, "only {resumed} trainings were taken up again");
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_goes_on_as_well() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (straight, stopped) = (folder.path("straight"), folder.path("stopped"));
    let options: &[&str] = &["--epochs", "300", "--patience", "0"];
    lookback(&arguments(&data, &straight, &[options])).ok();
    let program = start(&arguments(&data, &stopped, &[options]));
    sleep(Duration::from_millis(250));
    let interrupt = Command::new("kill").args(["-INT", &program.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let mut program = program;
    assert_eq!(program.wait().unwrap().code(), Some(130));
    assert!(folder.holds("stopped.checkpoint"));
    lookback(&arguments(&data, &stopped, &[options, &["--resume"]])).ok();
    assert!(bytes(&straight) == bytes(&stopped));
}

#[cfg(unix)]
#[test]
fn parts_of_a_cross_validation_that_were_done_are_not_trained_again() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (straight, killed) = (folder.path("straight"), folder.path("killed"));
    let options: &[&str] = &["--epochs", "8", "--cross-validate", "8"];
    let whole = lookback(&arguments(&data, &straight, &[options]));
    let sentence = |err: &str| err.lines().find(|line| line.contains("cross-validation in 8 parts")).map(str::to_owned);
    let expected = sentence(&whole.err).expect("mean and spread are told");
    whole.ok();
    // With the usual seconds between two of them, a checkpoint is written for parts that are done alone.
    let mut program = start(&arguments(&data, &killed, &[options]));
    while !folder.holds("killed.checkpoint") {
        assert!(program.try_wait().unwrap().is_none(), "the program ended by itself");
        sleep(Duration::from_millis(1));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    let resumed = lookback(&arguments(&data, &killed, &[options, &["--resume"]]));
    assert!(resumed.err.contains("of 8 parts of the cross-validation were done before"), "{}", resumed.err);
    assert_eq!(sentence(&resumed.err), Some(expected));
    resumed.ok();
    assert!(bytes(&straight) == bytes(&killed), "other bytes");
}

#[cfg(unix)]
#[test]
fn frozen_vectors_stay_frozen_and_another_file_of_them_is_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let vectors = folder.write("vectors", "soup 1 2 3 4 5 6 7 8\nrain 8 7 6 5 4 3 2 1\n");
    let (straight, killed) = (folder.path("straight"), folder.path("killed"));
    let options: &[&str] = &[
        "--embeddings",
        &vectors,
        "--embeddings-mode",
        "frozen",
        "--epochs",
        "40",
        "--patience",
        "0",
        "--average",
        "ema",
    ];
    lookback(&arguments(&data, &straight, &[options])).ok();
    let mut program = start(&arguments(&data, &killed, &[options, &["--checkpoint-every", "1steps"]]));
    while !folder.holds("killed.checkpoint") {
        assert!(program.try_wait().unwrap().is_none(), "the program ended by itself");
        sleep(Duration::from_millis(1));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    let before = bytes(&vectors);
    std::fs::write(&vectors, "soup 1 2 3 4 5 6 7 9\nrain 8 7 6 5 4 3 2 1\n").unwrap();
    let resume = arguments(&data, &killed, &[options, &["--resume"]]);
    lookback(&resume).refused(2, &["the embeddings data are not those that it was trained on"]);
    std::fs::write(&vectors, before).unwrap();
    lookback(&resume).ok();
    assert!(bytes(&straight) == bytes(&killed), "other bytes");
}

/// A checkpoint that is left when a training is stopped, with its arguments.
fn left_behind(folder: &Folder) -> (String, String) {
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    let mut program =
        start(&arguments(&data, &model, &[&["--epochs", "100000", "--patience", "0", "--checkpoint-every", "1steps"]]));
    while !folder.holds("model.checkpoint") {
        assert!(program.try_wait().unwrap().is_none(), "the program ended by itself");
        sleep(Duration::from_millis(5));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    (data, model)
}

#[test]
fn a_checkpoint_of_another_training_is_refused_and_says_what_differs() {
    let folder = Folder::new();
    let (data, model) = left_behind(&folder);
    let same: &[&str] = &["--epochs", "100000", "--patience", "0", "--resume"];
    let refused = |options: &[&[&str]], parts: &[&str]| lookback(&arguments(&data, &model, options)).refused(2, parts);
    refused(
        &[same, &["--learning-rate", "0.5"]],
        &["model.checkpoint", "its learning-rate is \"chosen by the data\", and now it is 0.5"],
    );
    refused(&[same, &["--pooling", "max"]], &["its pooling is \"attention\", and now it is \"max\""]);
    refused(&[same, &["--cell", "gru"]], &["its cell is \"chosen by the data\", and now it is \"gru\""]);
    refused(
        &[same, &["--validation-split", "0.2"]],
        &["its validation-split is \"chosen by the data\", and now it is 0.2"],
    );
    refused(
        &[same, &["--validation-split", "0"]],
        &["its validation-split is \"chosen by the data\", and now it is 0.0"],
    );
    let validation = folder.write("validation.tsv", sentences());
    refused(
        &[same, &["--validation", &validation]],
        &["its validation-split is \"chosen by the data\", and now it is none"],
    );
    let other = ["--epochs", "100000", "--patience", "3", "--resume"];
    refused(&[&other], &["its patience is none, and now it is 3"]);
    refused(&[same, &["--init", crate::program::text_model_path()]], &["it did not begin with a model by --init"]);
    std::fs::OpenOptions::new().append(true).open(&data).unwrap().write_all(b"food\tmore soup\n").unwrap();
    refused(&[same], &["the training data are not those"]);
    folder.write("data.tsv", sentences());
    let checkpoint = folder.path("model.checkpoint");
    let mut damaged = bytes(&checkpoint);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&checkpoint, damaged).unwrap();
    refused(&[same], &["model.checkpoint is damaged"]);
    std::fs::remove_file(&checkpoint).unwrap();
    refused(&[same], &["there is no checkpoint", "model.checkpoint"]);
    lookback(&["inspect", &model]).refused(2, &["no such model file"]);
}

#[test]
fn a_checkpoint_that_stands_there_is_told_of() {
    let folder = Folder::new();
    let (data, model) = left_behind(&folder);
    let run = train(&data, &model, &["--epochs", "1"]);
    assert!(run.err.contains("model.checkpoint is of a training that was stopped; --resume"), "{}", run.err);
    run.ok();
    assert!(!folder.holds("model.checkpoint"));
}

#[test]
fn wrong_moments_and_files_are_refused() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    for wrong in ["5", "0steps", "x3s", "5d"] {
        train(&data, &model, &["--checkpoint-every", wrong])
            .refused(2, &["--checkpoint-every", "such as 200steps, 300s"]);
    }
    train(&data, &model, &["--checkpoint", &data]).refused(2, &["data.tsv is read and cannot be the output"]);
    for same in [model.clone(), folder.path("./model")] {
        train(&data, &model, &["--checkpoint", &same]).refused(2, &["is to be written twice"]);
        train(&data, &model, &["--log", &same]).refused(2, &["is to be written twice"]);
    }
    train(&data, &model, &["--checkpoint", &folder.path("no/folder/c")]).refused(2, &["does not exist"]);
}

#[test]
fn what_is_no_checkpoint_is_not_replaced_by_one() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (model, notes) = (folder.path("model"), folder.write("notes", "mine"));
    train(&data, &model, &["--checkpoint", &notes]).refused(2, &["notes", "a checkpoint would take its place"]);
    let best = folder.write("best", bytes(crate::program::text_model_path()));
    train(&data, &model, &["--checkpoint", &best]).refused(2, &["best", "a checkpoint would take its place"]);
    assert_eq!((bytes(&notes), bytes(&best)), (b"mine".to_vec(), bytes(crate::program::text_model_path())));
    // An empty file, as mktemp makes one, is nothing to lose.
    let empty = folder.write("empty", "");
    train(&data, &model, &["--checkpoint", &empty, "--epochs", "1"]).ok();
}

#[test]
fn a_checkpoint_of_another_training_is_left_when_it_was_written_meanwhile() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    let endless = ["--epochs", "100000", "--patience", "0", "--checkpoint-every", "1steps"];
    let mut other = start(&arguments(&data, &model, &[&endless]));
    while !folder.holds("model.checkpoint") {
        sleep(Duration::from_millis(5));
    }
    train(&data, &model, &["--epochs", "20", "--patience", "0", "--seed", "5"]).ok();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(folder.holds("model.checkpoint"));
}

#[test]
fn several_networks_share_the_time_between_checkpoints() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    // 11 steps each: the first checkpoint is due in the second network.
    let options = ["--epochs", "1", "--ensemble", "60", "--checkpoint-every", "15steps"];
    let mut program = start(&arguments(&data, &model, &[&options]));
    while !folder.holds("model.checkpoint") {
        assert!(program.try_wait().unwrap().is_none(), "the program ended without a checkpoint");
        sleep(Duration::from_millis(1));
    }
    program.kill().unwrap();
    program.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn data_that_are_read_once_train_without_a_checkpoint() {
    let folder = Folder::new();
    let (straight, model) = (folder.path("straight"), folder.path("model"));
    let data = folder.write("data.tsv", sentences());
    train(&data, &straight, &["--epochs", "2", "--format", "tsv"]).ok();
    let piped = |more: &[&str]| {
        let words =
            [&["train", "classify", "/dev/stdin", "--format", "tsv", "-o", &model], TINY.as_slice(), more].concat();
        crate::program::lookback_with_input(&words, &sentences())
    };
    piped(&["--epochs", "2"]).ok();
    assert!(bytes(&straight) == bytes(&model));
    assert!(!folder.holds("model.checkpoint"));
    piped(&["--resume"]).refused(2, &["--resume needs data in files that can be read again", "/dev/stdin"]);
    piped(&["--checkpoint", &folder.path("c")]).refused(2, &["--checkpoint needs data in files", "/dev/stdin"]);
    train(&data, "/dev/null", &["--epochs", "1"]).ok();
}

#[cfg(target_os = "linux")]
#[test]
fn a_checkpoint_that_cannot_be_written_is_told_and_training_goes_on() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (straight, model) = (folder.path("straight"), folder.path("model"));
    train(&data, &straight, &["--epochs", "2"]).ok();
    let run = train(&data, &model, &["--epochs", "2", "--checkpoint", "/dev/full", "--checkpoint-every", "3steps"]);
    assert!(run.err.contains("no checkpoint was written: /dev/full"), "{}", run.err);
    run.ok();
    assert!(bytes(&straight) == bytes(&model));
    assert!(Path::new("/dev/full").exists(), "what is no file is not removed");
}

#[test]
fn a_log_that_is_gone_on_with_has_every_step_once() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.tsv", sentences()), folder.path("model"));
    let (log, straight) = (folder.path("log.jsonl"), folder.path("straight.jsonl"));
    let options = ["--epochs", "40", "--patience", "0", "--log-steps", "1", "--checkpoint-every", "7steps"];
    train(&data, &folder.path("other"), &[&options[..], &["--log", &straight]].concat()).ok();
    let mut program = start(&arguments(&data, &model, &[&options, &["--log", &log]]));
    while !folder.holds("model.checkpoint") {
        sleep(Duration::from_millis(1));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    // As if killed within a line.
    std::fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(b"{\"network\":1,\"ep").unwrap();
    train(&data, &model, &[&options[..], &["--log", &log, "--resume"]].concat()).ok();
    let places = |file: &str| -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        let objects = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        objects
            .map(|object| ["epoch", "step", "loss", "samples"].map(|key| object[key].to_string()).join(" "))
            .collect()
    };
    assert_eq!(places(&log), places(&straight));
    let notes = folder.write("notes", "mine\n");
    let (data, model) = left_behind(&folder);
    let resume = ["--epochs", "100000", "--patience", "0", "--resume", "--log", &notes];
    train(&data, &model, &resume).refused(2, &["notes", "line 1 is none of a log"]);
    assert_eq!(bytes(&notes), b"mine\n");
}

#[test]
fn metrics_are_written_line_by_line() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let (model, log) = (folder.path("model"), folder.path("metrics.jsonl"));
    train(&data, &model, &["--epochs", "3", "--log", &log, "--log-steps", "4"]).ok();
    let lines = std::fs::read_to_string(&log).unwrap();
    let objects: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let epochs: Vec<_> = objects.iter().filter(|object| object.get("step").is_none()).collect();
    assert_eq!(epochs.len(), 3, "{lines}");
    for (object, epoch) in epochs.iter().zip(1..) {
        assert_eq!(object["epoch"], epoch);
        assert!(object["loss"].as_f64().unwrap() > 0.0 && object["samples"] == 81);
        let validation = &object["validation"];
        assert!(validation["accuracy"].is_number() && validation["macro-f1"].is_number(), "{object}");
    }
    // 81 examples in batches of 8 are 11 steps.
    assert_eq!(objects.len() - epochs.len(), 3 * 2, "{lines}");
    assert!(objects[0]["learning_rate"].as_f64() == Some(0.002) && objects[0]["step"] == 4, "{}", objects[0]);
}
