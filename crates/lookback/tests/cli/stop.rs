//! Training that ends before its time: Ctrl-C, early stopping, divergence.

use crate::program::{Folder, lookback, sentences, train};

#[cfg(unix)]
#[test]
fn ctrl_c_stops_after_the_step_and_keeps_the_best_model() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    let options = ["--epochs", "1000000", "--patience", "0", "--learning-rate", "0.0001"];
    let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(["train", "classify", &data, "-o", &model])
        .args(crate::program::TINY)
        .args(options)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(program.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("epoch   3/") {
        line.clear();
        assert!(errors.read_line(&mut line).unwrap() > 0, "the program ended by itself");
    }
    let id = program.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let mut last = String::new();
    loop {
        line.clear();
        if errors.read_line(&mut line).unwrap() == 0 {
            break;
        }
        last.clone_from(&line);
    }
    assert_eq!(program.wait().unwrap().code(), Some(130));
    assert!(last.contains("interrupted in epoch") && last.contains("the model of epoch"), "{last}");
    assert!(lookback(&["inspect", &model]).ok().contains("interrupted in epoch"));
}

#[test]
fn a_diverging_learning_rate_stops_at_the_first_loss_that_is_not_finite() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    let options = ["--optimizer", "sgd", "--learning-rate", "1e39", "--clip", "0", "--epochs", "50", "--patience", "0"];
    let run = train(&data, &model, &options);
    run.refused(1, &["training diverged", "in epoch 1, step", "no model to keep"]);
    assert!(!folder.holds("model.safetensors"));
}

#[test]
fn divergence_after_good_epochs_keeps_the_best_model() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    // A weight decay of 30 at a rate of 0.1 makes every weight -2 times itself a step: slow, then sudden.
    let options = ["--optimizer", "sgd", "--learning-rate", "0.1", "--weight-decay", "30", "--clip", "0"];
    let run = train(&data, &model, &[&options[..], &["--epochs", "200", "--patience", "0"]].concat());
    run.refused(1, &["training diverged", "in epoch", "step", "the model of epoch"]);
    assert!(lookback(&["inspect", &model]).ok().contains("diverged in epoch"));
}

#[test]
fn training_stops_early_and_keeps_the_best_epoch() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    let run = train(&data, &model, &["--epochs", "500", "--patience", "2", "--learning-rate", "0.05", "--seed", "3"]);
    assert!(!run.err.contains("epoch 500/500"), "{}", run.err);
    let bests: Vec<&str> = run.err.lines().filter(|line| line.ends_with("best")).collect();
    let best = bests.last().unwrap().split_whitespace().nth(1).unwrap().split('/').next().unwrap().to_string();
    assert!(run.ok().contains(&format!("the model of epoch {best},")));
    assert!(lookback(&["inspect", &model]).ok().contains("stopped early"));
}
