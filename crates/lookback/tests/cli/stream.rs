//! Predicting line by line through a pipe.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::program::{Folder, text_model_path};

#[test]
fn every_line_is_answered_before_the_next_is_sent() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(["predict", text_model_path()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    for (line, (text, label)) in (1..).zip([("play a song", "music"), ("hot soup", "food"), ("much rain", "weather")]) {
        writeln!(input, "{text}").unwrap();
        input.flush().unwrap();
        // This waits for ever unless the answer is flushed while the input stays open.
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("{{\"line\":{line},\"label\":\"{label}\"")), "{text}: {answer}");
    }
    drop(input);
    assert!(program.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let input = folder.write("input.txt", "hot soup\n".repeat(3000));
    let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(["predict", text_model_path(), &input])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    let mut answer = String::new();
    output.read_line(&mut answer).unwrap();
    drop(output);
    let finished = program.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&finished.stderr), "");
    assert_eq!(finished.status.code(), Some(0));
}

#[test]
fn a_line_that_is_not_utf8_gets_an_error_object_and_the_others_are_answered() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(["predict", text_model_path(), "--encoding", "utf-8"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(b"hot soup\nhot \xFF soup\nmuch rain\n").unwrap();
    let finished = program.wait_with_output().unwrap();
    let answers = String::from_utf8_lossy(&finished.stdout);
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert!(answers[0].starts_with("{\"line\":1,\"label\":\"food\"") && answers[2].contains("\"label\":\"weather\""));
    assert!(answers[1].starts_with("{\"line\":2,\"error\":\"<stdin>, line 2: "), "{answers:?}");
    assert_eq!(finished.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&finished.stderr).contains("1 of 3 inputs"), "{finished:?}");
}
