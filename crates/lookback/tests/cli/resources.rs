//! What the system does not give: room for a warning, threads.

use std::process::{Command, Output, Stdio};

use crate::program::{Folder, TINY, lookback, sentences, text_model_path};

/// Runs the program with a standard error that takes nothing.
#[cfg(target_os = "linux")]
fn unheard(arguments: &[&str]) -> Output {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    Command::new(env!("CARGO_BIN_EXE_lookback")).args(arguments).stderr(Stdio::from(full)).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_warning_that_cannot_be_written_is_no_reason_to_stop() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model.safetensors");
    // All texts are cut, which is warned of.
    let options = ["--epochs", "1", "--max-length", "2"];
    let run = unheard(&[&["train", "classify", &data, "-o", &model], &TINY[..], &options].concat());
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert!(folder.holds("model.safetensors"));
    let run = unheard(&["predict", &model, &data]);
    assert_eq!((run.status.code(), run.stdout.split(|&byte| byte == b'\n').count()), (Some(0), 91));
    assert_eq!(unheard(&["inspect", &folder.path("none")]).status.code(), Some(2), "an error is one all the same");
}

#[test]
fn more_threads_than_any_machine_has_are_refused() {
    lookback(&["inspect", text_model_path(), "--threads", "100000"])
        .refused(2, &["--threads is 100000; it must be from 1 to 1024"]);
    lookback(&["inspect", text_model_path(), "--threads", "1"]).ok();
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_the_system_does_not_give_are_told() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    // Root may have any number of threads, so nobody runs the program, where nobody may.
    let folder = Folder::new();
    let open = |path: &str| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (program, model) = (folder.path("lookback"), folder.path("model.safetensors"));
    std::fs::copy(env!("CARGO_BIN_EXE_lookback"), &program).unwrap();
    std::fs::copy(text_model_path(), &model).unwrap();
    [folder.path("."), program.clone(), model.clone()].iter().for_each(|path| open(path));
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let by = [if root { &nobody[..] } else { &[] }, &["prlimit", "--nproc=1", &program, "inspect", &model]].concat();
    let run = |threads: &[&str]| Command::new(by[0]).args(&by[1..]).args(threads).output().unwrap();

    for threads in [&[][..], &["--threads", "3"]] {
        let refused = run(threads);
        let errors = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{errors}");
        assert!(errors.contains("error: the system does not give") && errors.contains("--threads 1"), "{errors}");
        assert!(!errors.contains("panicked") && errors.lines().count() == 1, "{errors}");
    }
    assert_eq!(run(&["--threads", "1"]).status.code(), Some(0));
}

/// Under a limit of address space the threads begin and then have no room for the stack of their signals.
#[cfg(target_os = "linux")]
#[test]
fn threads_without_memory_are_told() {
    let limited = "ulimit -v 4000000; exec \"$@\"";
    let program = ["-c", limited, "sh", env!("CARGO_BIN_EXE_lookback"), "inspect", text_model_path()];
    let refused = Command::new("sh").args(program).args(["--threads", "1024"]).output().unwrap();
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{errors}");
    assert!(errors.contains("error: the system does not give 1024 threads"), "{errors}");
}
