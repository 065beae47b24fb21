//! Running the program, and small data for it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// What a run left: exit code, standard output, standard error.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The output of a run that must have gone well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// Fails unless the run ended with `code` and one sentence that holds all `parts`.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains("error: "), "{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "'{part}' is not in: {}", self.err);
        }
    }
}

pub(crate) fn lookback(arguments: &[&str]) -> Run {
    lookback_with_input(arguments, "")
}

pub(crate) fn lookback_with_input(arguments: &[&str], input: &str) -> Run {
    run(Command::new(env!("CARGO_BIN_EXE_lookback")).args(arguments), input)
}

/// The same with an address space of so many MiB at most; what asks for more is ended by the allocator. Two threads,
/// however many cores there are: each has a stack of its own.
#[cfg(target_os = "linux")]
pub(crate) fn lookback_within(mib: u64, arguments: &[&str], input: &str) -> Run {
    let limited = format!("ulimit -v {} && exec \"$0\" \"$@\"", mib << 10);
    let mut shell = Command::new("sh");
    shell.args(["-c", &limited, env!("CARGO_BIN_EXE_lookback")]).args(arguments).env("RAYON_NUM_THREADS", "2");
    run(&mut shell, input)
}

/// The most memory, in MiB, that a run of the program held at once. It must go well.
#[cfg(target_os = "linux")]
#[track_caller]
pub(crate) fn peak(arguments: &[&str]) -> u64 {
    use std::process::{Command, Stdio};
    let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"));
    program.args(arguments).env("RAYON_NUM_THREADS", "2").stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = program.spawn().expect("the program runs");
    let status = format!("/proc/{}/status", program.id());
    let mut peak = 0;
    // The system keeps the peak itself; it only has to be asked before the program is gone.
    let ended = loop {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) >> 10);
        if let Some(ended) = program.try_wait().expect("the program can be waited for") {
            break ended;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    assert!(ended.success(), "{arguments:?}: {ended}");
    peak
}

fn run(command: &mut Command, input: &str) -> Run {
    let output = command.env_remove("RUST_LOG").write_stdin(input).output().expect("the program runs");
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// A folder that is removed with the test, and paths in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(TempDir::new().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a UTF-8 path").to_string()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("the file is written");
        path
    }

    pub(crate) fn holds(&self, name: &str) -> bool {
        self.0.path().join(name).exists()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the folder is read");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

/// A network small enough to train in a moment.
pub(crate) const TINY: [&str; 10] =
    ["--embedding", "8", "--hidden", "8", "--batch-size", "8", "--dropout", "0.1", "--cross-validate", "0"];

/// Those of them that every task has.
pub(crate) const TINY_TAGGER: [&str; 8] =
    ["--embedding", "8", "--hidden", "8", "--batch-size", "8", "--dropout", "0.1"];

/// Options of [`TINY`] for numeric series, which have no embedding.
pub(crate) const TINY_SERIES: [&str; 8] =
    ["--hidden", "8", "--batch-size", "8", "--dropout", "0.1", "--cross-validate", "0"];

/// Trains on `data` with the tiny network; further options follow.
pub(crate) fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&[&["train", "classify", data, "-o", output], TINY.as_slice(), more].concat())
}

/// 90 sentences of three kinds, told apart by one word each.
pub(crate) fn sentences() -> String {
    let mut table = "label\ttext\n".to_string();
    let kinds = [
        ("weather", "rain", "will there be much"),
        ("music", "song", "please play that old"),
        ("food", "soup", "I would like some hot"),
    ];
    let endings = ["today", "tomorrow", "again", "for me", "at home", "in town", "now", "later", "tonight", "please"];
    for ending in endings {
        for politeness in ["", "hello, ", "well, "] {
            for (label, word, start) in kinds {
                let _ = writeln!(table, "{label}\t{politeness}{start} {word} {ending}");
            }
        }
    }
    table
}

/// 60 series of 2 channels, from 3 to 8 steps: rising ones and falling ones.
pub(crate) fn ts_series() -> String {
    let mut file = "@problemName Slopes\n@timeStamps false\n@missing false\n@univariate false\n@dimensions 2\n@equalLength false\n@classLabel true up down\n@data\n".to_string();
    for case in 0..60 {
        let (label, slope) = if case % 2 == 0 { ("up", 0.5) } else { ("down", -0.5) };
        let steps = 3 + case % 6;
        let channel = |offset: f64| {
            let values: Vec<String> = (0..steps).map(|step| format!("{:.3}", offset + slope * step as f64)).collect();
            values.join(",")
        };
        let _ = writeln!(file, "{}:{}:{label}", channel(case as f64 * 0.01), channel(1.0 - case as f64 * 0.01));
    }
    file
}

/// Answers without the lines of their inputs: the same inputs stand on others where there is a header.
pub(crate) fn without_lines(answers: &str) -> String {
    let rest = |answer: &str| match answer.strip_prefix("{\"line\":").and_then(|answer| answer.split_once(',')) {
        Some((_, rest)) => format!("{{{rest}\n"),
        None => format!("{answer}\n"),
    };
    answers.lines().map(rest).collect()
}

/// What a program has written.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The numbers of a list.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// A model trained once for all tests that only read one: attention over texts.
pub(crate) fn text_model() -> &'static Path {
    static MODEL: OnceLock<(Folder, PathBuf)> = OnceLock::new();
    let (_, path) = MODEL.get_or_init(|| {
        let folder = Folder::new();
        let data = folder.write("data.tsv", sentences());
        let model = folder.path("model.safetensors");
        train(&data, &model, &["--epochs", "30", "--learning-rate", "0.02", "--max-length", "12"]).ok();
        (folder, PathBuf::from(model))
    });
    path
}

/// The same as text, for arguments.
pub(crate) fn text_model_path() -> &'static str {
    text_model().to_str().expect("a UTF-8 path")
}
