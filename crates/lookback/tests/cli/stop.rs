//! Training that ends before its time: signals, early stopping, divergence.

use crate::program::{Folder, lookback, sentences, train};

#[cfg(unix)]
mod signals {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::{Child, ChildStderr, Command, Stdio};
    use std::time::{Duration, Instant};

    use crate::program::{Folder, TINY, lookback, sentences, text_model};

    /// A program that runs until it is stopped.
    struct Running {
        program: Child,
        errors: BufReader<ChildStderr>,
    }

    impl Running {
        /// Starts to train; `by` is what starts the program, if anything does.
        fn train(by: &[&str], data: &str, model: &str, options: &[&str]) -> Running {
            let line = [by, &[env!("CARGO_BIN_EXE_lookback"), "train", "classify", data, "-o", model], options];
            let line = line.concat();
            let mut program = Command::new(line[0]).args(&line[1..]).stderr(Stdio::piped()).spawn().unwrap();
            let errors = BufReader::new(program.stderr.take().unwrap());
            Running { program, errors }
        }

        /// Reads standard error up to a line that begins so.
        fn until(&mut self, start: &str) {
            let mut line = String::new();
            while !line.starts_with(start) {
                line.clear();
                assert!(self.errors.read_line(&mut line).unwrap() > 0, "the program ended by itself");
            }
        }

        fn signal(&self, name: &str) {
            let id = self.program.id().to_string();
            assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
        }

        /// The exit code, and the last line of standard error.
        fn end(mut self) -> (Option<i32>, String) {
            let mut rest = String::new();
            self.errors.read_to_string(&mut rest).unwrap();
            (self.program.wait().unwrap().code(), rest.lines().last().unwrap_or_default().to_owned())
        }
    }

    /// A tiny network with further options.
    fn tiny<'a>(options: &[&'a str]) -> Vec<&'a str> {
        [&TINY, options].concat()
    }

    const ENDLESS: [&str; 6] = ["--epochs", "1000000", "--patience", "0", "--learning-rate", "0.0001"];

    /// So many sentences that a signal comes in the midst of an epoch.
    fn many_sentences(times: usize) -> String {
        let all = sentences();
        let (header, rows) = all.split_once('\n').unwrap();
        format!("{header}\n{}", rows.repeat(times))
    }

    #[test]
    fn ctrl_c_stops_after_the_step_and_keeps_the_best_model() {
        let folder = Folder::new();
        let data = folder.write("data.tsv", sentences());
        let model = folder.write("model.safetensors", "to be replaced by epochs that were finished");
        let mut running = Running::train(&[], &data, &model, &tiny(&ENDLESS));
        running.until("epoch   3/");
        running.signal("-INT");
        let (code, last) = running.end();
        assert_eq!(code, Some(130));
        assert!(last.contains("interrupted in epoch") && last.contains("the model of epoch"), "{last}");
        assert!(lookback(&["inspect", &model]).ok().contains("interrupted in epoch"));
    }

    #[test]
    fn before_the_first_finished_epoch_a_model_that_stood_there_stays() {
        let folder = Folder::new();
        let data = folder.write("data.tsv", many_sentences(300));
        let good = std::fs::read(text_model()).unwrap();
        let model = folder.write("model.safetensors", &good);
        // Several networks say when the first begins; with these an epoch takes the better part of a minute.
        let options = ["--ensemble", "2", "--hidden", "128", "--batch-size", "8", "--validation-split", "0.005"];
        let mut running = Running::train(&[], &data, &model, &options);
        running.until("network 1 of 2");
        running.signal("-INT");
        let (code, last) = running.end();
        assert_eq!(code, Some(130));
        assert!(std::fs::read(&model).unwrap() == good, "the better model was replaced");
        let beside = folder.path("model.interrupted.safetensors");
        assert!(last.contains("model.safetensors is left as it was") && last.contains(&beside), "{last}");
        assert!(lookback(&["inspect", &beside]).ok().contains("interrupted in epoch 1"));
        assert!(last.contains("--resume goes on from here"), "{last}");
        assert_eq!(folder.names().len(), 4, "the checkpoint is kept to go on from");
    }

    #[test]
    fn of_several_networks_only_the_finished_are_kept() {
        let folder = Folder::new();
        let data = folder.write("data.tsv", many_sentences(60));
        let model = folder.path("model.safetensors");
        let options = tiny(&["--ensemble", "40", "--epochs", "1", "--validation-split", "0.01"]);
        let mut running = Running::train(&[], &data, &model, &options);
        running.until("network 2 of 40");
        running.signal("-INT");
        let (code, last) = running.end();
        assert_eq!(code, Some(130));
        assert!(last.contains("interrupted in epoch 1") && last.contains("of 40, of epoch"), "{last}");
        let text = lookback(&["inspect", &model]).ok();
        assert!(text.contains("all epochs were run") && !text.contains("interrupted"), "{text}");
    }

    #[test]
    fn in_a_cross_validation_the_part_is_told_and_there_is_no_model() {
        let folder = Folder::new();
        let data = folder.write("data.tsv", sentences());
        let model = folder.path("model.safetensors");
        // The later option is not that of the tiny network: of the two, one is left out.
        let options = [&TINY[..8], &ENDLESS, &["--cross-validate", "3", "--checkpoint-every", "1steps"]].concat();
        let mut running = Running::train(&[], &data, &model, &options);
        while !folder.holds("model.safetensors.checkpoint") {
            assert!(running.program.try_wait().unwrap().is_none(), "the program ended by itself");
            std::thread::sleep(Duration::from_millis(5));
        }
        running.signal("-INT");
        let (code, last) = running.end();
        assert_eq!(code, Some(130));
        assert!(last.contains("interrupted in part 1 of 3 of the cross-validation, epoch"), "{last}");
        assert!(last.ends_with("there is no model yet; --resume goes on from here"), "{last}");
        assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
    }

    #[test]
    fn a_hang_up_that_was_ignored_at_the_start_stays_ignored() {
        let folder = Folder::new();
        let data = folder.write("data.tsv", sentences());
        let model = folder.path("model.safetensors");
        let mut running = Running::train(&["nohup"], &data, &model, &tiny(&ENDLESS));
        running.until("epoch   2/");
        running.signal("-HUP");
        for epoch in 3..20 {
            running.until(&format!("epoch {epoch:>3}/"));
        }
        running.signal("-INT");
        let (code, last) = running.end();
        assert!(code == Some(130) && last.contains("interrupted in epoch"), "{last}");
    }

    #[test]
    fn a_signal_while_data_are_read_stops_at_once() {
        let folder = Folder::new();
        let data = folder.path("data.tsv");
        assert!(Command::new("mkfifo").arg(&data).status().unwrap().success());
        let model = folder.path("model.safetensors");
        let mut running = Running::train(&[], &data, &model, &[]);
        // This waits until the program opens the pipe, which then never ends.
        let mut pipe = std::fs::OpenOptions::new().write(true).open(&data).unwrap();
        pipe.write_all(sentences().as_bytes()).unwrap();
        running.signal("-INT");
        let sent = Instant::now();
        while running.program.try_wait().unwrap().is_none() {
            if sent.elapsed() > Duration::from_secs(20) {
                running.program.kill().unwrap();
                panic!("the program went on reading");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(running.end().0, Some(130));
        assert_eq!(folder.names(), ["data.tsv"]);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_another_writes_is_not() {
        let folder = Folder::new();
        let data = folder.write("data.tsv", sentences());
        let model = folder.path("model.safetensors");
        // The system kills a program that writes a longer file than it may.
        let train = "ulimit -f 8; exec \"$@\"";
        let line = ["-c", train, "sh", env!("CARGO_BIN_EXE_lookback"), "train", "classify", &data, "-o", &model];
        let killed = Command::new("sh").args(line).args(TINY).args(["--epochs", "1"]).output().unwrap();
        assert_eq!(killed.status.code(), None, "{killed:?}");
        let left = folder.names().into_iter().find(|name| name.ends_with(".tmp")).expect("a file was left behind");
        let running = std::fs::File::create(folder.path(".lookback-wRitEr.tmp")).unwrap();
        running.lock().unwrap();
        crate::program::train(&data, &model, &["--epochs", "1"]).ok();
        assert!(folder.holds("model.safetensors") && !folder.holds(&left));
        assert!(folder.holds(".lookback-wRitEr.tmp"));
        drop(running);
        crate::program::train(&data, &model, &["--epochs", "1"]).ok();
        assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
    }

    #[test]
    fn epochs_without_end_can_be_begun_and_stopped() {
        let folder = Folder::new();
        let data = folder.write("data.tsv", sentences());
        let model = folder.path("model.safetensors");
        for schedule in ["linear", "cosine"] {
            let epochs =
                ["--epochs", "9223372036854775807", "--patience", "0", "--warmup", "1", "--schedule", schedule];
            let mut running = Running::train(&[], &data, &model, &[&tiny(&epochs)[..], &["--ensemble", "2"]].concat());
            running.until("epoch   2/");
            running.signal("-INT");
            let (code, last) = running.end();
            assert!(code == Some(130) && last.contains("of epoch"), "{last}");
            assert!(lookback(&["inspect", &model]).ok().contains("epochs = 9223372036854775807"));
        }
    }
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
    let run = train(&data, &model, &["--epochs", "500", "--patience", "1", "--learning-rate", "0.1", "--seed", "1"]);
    assert!(!run.err.contains("epoch 500/500"), "{}", run.err);
    let bests: Vec<&str> = run.err.lines().filter(|line| line.ends_with("best")).collect();
    let best = bests.last().unwrap().split_whitespace().nth(1).unwrap().split('/').next().unwrap().to_string();
    assert!(run.ok().contains(&format!("the model of epoch {best},")));
    assert!(lookback(&["inspect", &model]).ok().contains("stopped early"));
}
