//! Tagging tokens, through the real program.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Folder, Run, TINY_TAGGER, json, lookback, lookback_with_input, without_lines};

/// 120 sentences in three columns. A word is HOT before "soup" and PAST behind "yesterday", so that a network has to read
/// both ways.
fn sentences() -> String {
    const WORDS: [&str; 6] = ["soup", "yesterday", "she", "cooks", "the", "old"];
    let mut file = "# made by a rule\n".to_string();
    let mut state = 7u32;
    for _ in 0..120 {
        let mut draw = |from: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % from
        };
        let words: Vec<&str> = (0..3 + draw(6)).map(|_| WORDS[draw(WORDS.len())]).collect();
        for (place, word) in words.iter().enumerate() {
            let behind_yesterday = place > 0 && words[place - 1] == "yesterday";
            let tag = match words.get(place + 1) {
                Some(&"soup") => "HOT",
                _ if behind_yesterday => "PAST",
                _ => "O",
            };
            let _ = writeln!(file, "{word} - {tag}");
        }
        file.push('\n');
    }
    file
}

const LEARN: [&str; 4] = ["--epochs", "20", "--learning-rate", "0.03"];

fn arguments<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "tag", data, "-o", output], TINY_TAGGER.as_slice(), more].concat()
}

fn train(data: &str, output: &str, more: &[&str]) -> Run {
    lookback(&arguments(data, output, more))
}

#[test]
fn a_tagger_is_trained_judged_asked_and_looked_at() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let model = folder.path("model.safetensors");
    let run = train(&data, &model, &LEARN);
    // How each tag is told apart is told before the model is used.
    for part in ["precision %", "HOT", "by tokens of", "that were not trained on"] {
        assert!(run.err.contains(part), "'{part}' is not in:\n{}", run.err);
    }
    let said = run.ok();
    // None of the validation tokens is unknown, so that nothing is said of those.
    assert!(said.contains("accuracy") && !said.contains("unknown"), "{said}");

    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    assert!(judged["accuracy"].as_f64().unwrap() > 0.97, "{judged}");
    assert_eq!((&judged["examples"], &judged["unknown_accuracy"]), (&Value::from(120), &Value::Null));
    let support: u64 = judged["labels"].as_array().unwrap().iter().map(|tag| tag["support"].as_u64().unwrap()).sum();
    assert_eq!(judged["tokens"].as_u64(), Some(support));
    let new = folder.write("new.conll", "she - O\neats - HOT\nsoup - O\n");
    let judged = json(&lookback(&["evaluate", &model, &new, "--json"]).ok());
    assert!(judged["unknown_accuracy"].is_f64(), "{judged}");
    let table = lookback(&["evaluate", &model, &new]).ok();
    for part in ["examples", "accuracy on unknown tokens", "precision %", "tokens", "HOT", "PAST"] {
        assert!(table.contains(part), "'{part}' is not in:\n{table}");
    }

    let line = "The old soup yesterday she cooks\n";
    let answered = lookback_with_input(&["predict", &model], &format!("{line}\n")).ok();
    let answers: Vec<Value> = answered.lines().map(json).collect();
    assert_eq!(answers[0]["tokens"], serde_json::json!(["The", "old", "soup", "yesterday", "she", "cooks"]));
    assert_eq!(answers[0]["tags"], serde_json::json!(["O", "HOT", "O", "O", "PAST", "O"]));
    assert!(answers[0]["scores"].as_array().unwrap().iter().all(|score| score.as_f64().unwrap() > 0.5));
    assert_eq!(
        answers[1],
        serde_json::json!({"line": 2, "tokens": [], "tags": [], "scores": []}),
        "an empty line is answered"
    );
    let table = folder.write("input.csv", format!("text\n{line}"));
    let of_table = without_lines(&lookback(&["predict", &model, &table]).ok());
    assert_eq!(of_table.lines().next(), without_lines(&answered).lines().next());
    let objects = folder.write("input.jsonl", r#"{"text": "The old soup yesterday she cooks"}"#);
    assert_eq!(lookback(&["predict", &model, &objects]).ok().lines().next(), answered.lines().next());

    let explained = lookback(&["explain", &model, line]).ok();
    let first = "The/O old/HOT soup/O yesterday/O she/PAST cooks/O\nThis path scores ";
    assert!(explained.starts_with(first) && explained.contains("times less likely: "), "{explained}");
    assert!(explained.contains("The model has no attention"), "{explained}");
    lookback(&["predict", &model, "--attention"]).refused(2, &["the model has no attention"]);
    let inspected = lookback(&["inspect", &model]).ok();
    for part in
        ["task        tag", "tags        3: HOT, O, PAST", "output.weight", "3 x 16", "validated on 12", "accuracy"]
    {
        assert!(inspected.contains(part), "'{part}' is not in:\n{inspected}");
    }
}

#[test]
fn an_ensemble_with_attention_shows_what_each_token_looked_at() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let model = folder.path("model.safetensors");
    let options = ["--epochs", "2", "--ensemble", "2", "--attention", "multi-head:2", "--char-ngrams", "2-3"];
    train(&data, &model, &[&options[..], &["--max-length", "4"]].concat()).ok();
    let answer = json(&lookback_with_input(&["predict", &model, "--attention"], "she cooks soup\n").ok());
    for head in ["head 1", "head 2"] {
        let rows = answer["views"][head].as_array().unwrap();
        assert_eq!(rows.len(), 3);
        let sum: f64 = rows[2].as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{answer}");
    }
    assert!(lookback(&["explain", &model, "she cooks soup"]).ok().contains("head 2"));
    // What is cut is not judged.
    let judged = lookback(&["evaluate", &model, &data, "--json"]);
    assert!(judged.err.contains("are cut to 4 tokens"), "{}", judged.err);
    assert!(json(&judged.ok())["tokens"].as_u64() <= Some(480));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads_and_after_a_kill() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let options = ["--epochs", "6", "--attention", "additive", "--word-dropout", "0.1"];
    let bytes = |name: &str, more: &[&str]| {
        let model = folder.path(name);
        train(&data, &model, &[&options, more].concat()).ok();
        std::fs::read(model).unwrap()
    };
    let first = bytes("one", &["--threads", "1"]);
    assert!(first == bytes("two", &["--threads", "2"]));
    assert!(first != bytes("other", &["--seed", "5"]));

    let killed = folder.path("killed");
    let often = [&options[..], &["--checkpoint-every", "1steps"]].concat();
    let mut program = Command::new(env!("CARGO_BIN_EXE_lookback"))
        .args(arguments(&data, &killed, &often))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !Path::new(&format!("{killed}.checkpoint")).exists() {
        assert!(program.try_wait().unwrap().is_none(), "the program ended by itself");
        sleep(Duration::from_millis(2));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(!folder.holds("killed"));
    assert!(first == bytes("killed", &["--checkpoint-every", "1steps", "--resume"]));
}

#[test]
fn what_cannot_be_learnt_or_judged_is_refused_with_file_and_line() {
    let folder = Folder::new();
    let model = folder.path("model");
    let data = folder.write("data.conll", sentences());
    let refused = |content: &str, parts: &[&str]| {
        train(&folder.write("wrong.conll", content), &model, &[]).refused(2, parts);
    };
    refused("she O\nsoup\n", &["wrong.conll, line 2", "\"soup\" stands alone", "a token, white space and its tag"]);
    refused("she - O\n\nsoup HOT\n", &["wrong.conll, line 3", "2 fields", "3 expected as on line 1"]);
    refused("she O\nsoup O\n", &["wrong.conll", "\"O\"", "at least two"]);
    refused("# nothing\n", &["wrong.conll holds no examples"]);
    train(&folder.path("absent.conll"), &model, &[]).refused(2, &["absent.conll: no such file"]);
    let structured = ["--attention", "structured:2"];
    train(&data, &model, &structured).refused(2, &["--attention structured:2", "every token of it is to have a tag"]);
    for option in [["--pooling", "max"], ["--linear-words", "1"], ["--label", "2"], ["--values", "x"]] {
        train(&data, &model, &option).refused(2, &["unexpected argument", option[0]]);
    }
    train(&data, &model, &["--score", "macro-f1"]).refused(2, &["one of accuracy, unknown-accuracy, f1, loss"]);
    assert!(!folder.holds("model"));

    train(&data, &model, &["--epochs", "1"]).ok();
    let other = folder.write("other.conll", "she - O\n\n# one\nsoup - O\nshe - COLD\n");
    let judged = lookback(&["evaluate", &model, &other, "--json"]);
    let told = "1 token with tags that were never trained count as wrong: \"COLD\" (1)";
    assert!(judged.err.contains(told), "{}", judged.err);
    assert_eq!(json(&judged.ok())["tokens"], 3);
    let validated = train(&data, &model, &["--validation", &other, "--epochs", "1"]);
    assert!(validated.err.contains(told), "{}", validated.err);
    assert!(validated.ok().contains("validation accuracy"));
    lookback(&["predict", &model, "--format", "ts"]).refused(2, &["--format is ts, but the model reads texts"]);
}

/// The same sentences as entities: what [`sentences`] calls HOT begins with B, and so on.
fn entities() -> String {
    sentences().replace(" HOT\n", " B-HOT\n").replace(" PAST\n", " B-PAST\n")
}

#[test]
fn every_format_is_found_out_told_and_read_the_same() {
    let folder = Folder::new();
    let columns = sentences();
    let rows = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let blocks = || columns.trim_start_matches("# made by a rule\n").split("\n\n").filter(|block| !block.is_empty());
    let of = |write: &dyn Fn(&[Vec<String>]) -> String| {
        blocks().map(|block| write(&block.lines().map(rows).collect::<Vec<_>>())).collect::<String>()
    };
    let conllu = of(&|rows| {
        let line = |(id, row): (usize, &Vec<String>)| format!("{id}\t{}\t_\t{}\t_\t_\t_\t_\t_\t_\n", row[0], row[2]);
        format!("# text\n1-2\tx\t_\t_\t_\t_\t_\t_\t_\t_\n{}\n", (1..).zip(rows).map(line).collect::<String>())
    });
    let slash = of(&|rows| {
        let pairs: Vec<String> = rows.iter().map(|row| format!("{}/{}", row[0], row[2])).collect();
        format!("{}\n", pairs.join("  "))
    });
    let objects = of(&|rows| {
        let list = |place: usize| rows.iter().map(|row| row[place].as_str()).collect::<Vec<_>>();
        format!("{}\n", serde_json::json!({"tokens": list(0), "tags": list(2)}))
    });
    let data = folder.write("data.conll", &columns);
    let model = folder.path("model");
    let said = train(&data, &model, &["--epochs", "1"]);
    let told = "columns between blanks, tokens from column 1, tags from column 3 of 3; 120 sentences of";
    assert!(said.err.contains(told), "{}", said.err);
    for (name, content, told) in [
        ("data.conllu", conllu, "CoNLL-U, tokens from FORM, tags from UPOS"),
        ("slash.txt", slash, "lines of word/tag"),
        ("data.jsonl", objects, "JSON, tokens from \"tokens\", tags from \"tags\""),
    ] {
        let (data, other) = (folder.write(name, content), folder.path("other"));
        let said = train(&data, &other, &["--epochs", "1"]);
        assert!(said.err.contains(told), "{}", said.err);
        let judged = |model: &str| lookback(&["evaluate", model, &data, "--json"]).ok();
        assert_eq!(judged(&model), judged(&other), "{name}");
    }
}

#[test]
fn columns_are_said_kept_and_said_again() {
    let folder = Folder::new();
    // The token is the third column and the tag the first; the second tells nothing.
    let swapped: String = sentences()
        .lines()
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [token, other, tag] if !line.starts_with('#') => format!("{tag}\t{other}\t{token}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let (data, model) = (folder.write("data.conll", swapped), folder.path("model"));
    let columns = ["--token-column", "3", "--tag-column", "1"];
    train(&data, &model, &[&columns[..], &["--epochs", "1", "--encoding", "utf-8"]].concat()).ok();
    let inspected = lookback(&["inspect", &model, "--config"]).ok();
    for part in ["token-column = 3", "tag-column = 1", "encoding = \"UTF-8\"", "scheme = \"none\""] {
        assert!(inspected.contains(part), "'{part}' is not in:\n{inspected}");
    }
    let (config, again) = (folder.write("again.toml", inspected), folder.path("again"));
    lookback(&["train", "tag", &data, "-o", &again, "--config", &config]).ok();
    assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap());
    // Evaluation finds them again, and may say others.
    let judged = lookback(&["evaluate", &model, &data, "--json"]).ok();
    let usual = folder.write("usual.conll", sentences());
    lookback(&["evaluate", &model, &usual])
        .refused(2, &["usual.conll, line 2", "neither is any other of the file", "--tag-column says where they stand"]);
    let said = ["evaluate", &model, &usual, "--json", "--token-column", "1", "--tag-column", "3"];
    assert_eq!(lookback(&said).ok(), judged);
    let refused =
        |more: &[&str], parts: &[&str]| lookback(&[&["evaluate", &model, &data], more].concat()).refused(2, parts);
    refused(&["--tag-column", "4"], &["data.conll, line 2: --tag-column is 4, but a number from 1 to 3"]);
    refused(&["--tag-column", "XPOS"], &["--tag-column is XPOS, but a number from 1 to 3"]);
    refused(&["--format", "csv"], &["--format is csv; it must be conll, conllu, slash or jsonl"]);
    refused(&["--text", "1"], &["--text is not for sentences of tokens", "--token-column"]);
    train(&data, &model, &["--format", "slash", "--tag-column", "1"])
        .refused(2, &["--tag-column does not concern the format slash"]);
    let texts = folder.write("t.tsv", "label\ttext\na\tx\nb\ty\n");
    lookback(&["train", "classify", &texts, "-o", &model, "--format", "conllu"]).refused(2, &["train tag reads that"]);
    lookback(&["predict", &model, "--tag-column", "2"]).refused(2, &["<stdin> is empty"]);
}

#[test]
fn bad_sentences_are_named_together_or_left_out() {
    let folder = Folder::new();
    let model = folder.path("model");
    let data = folder.write("data.conll", format!("{}she O\nsoup - O\n\nold - x HOT\n\n", sentences()));
    let whole = folder.write("whole.conll", sentences());
    train(&data, &model, &["--epochs", "1"]).refused(
        2,
        &[
            "2 sentences cannot be read; --on-bad-row skip",
            "the row has 2 fields; 3 expected",
            "tabs must stand between",
        ],
    );
    let skipped = train(&data, &model, &["--epochs", "1", "--on-bad-row", "skip"]);
    assert!(skipped.err.contains("2 sentences left out"), "{}", skipped.err);
    let judged = |model: &str| lookback(&["evaluate", model, &whole, "--json"]).ok();
    let other = folder.path("other");
    train(&whole, &other, &["--epochs", "1"]).ok();
    assert_eq!(judged(&model), judged(&other));
    // A file in which no sentence ends is one of 5,000 tokens.
    let long = folder.write("long.conll", "she - O\nsoup - HOT\n".repeat(2_500));
    let run = lookback(&["evaluate", &model, &long, "--json"]);
    assert!(run.err.contains("no blank line ends a sentence, so that all 5000 tokens are one"), "{}", run.err);
    assert_eq!(json(&run.ok())["examples"], 1);
}

#[test]
fn entities_are_judged_as_seqeval_judges_them() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.conll", entities()), folder.path("model"));
    let said = train(&data, &model, &LEARN);
    assert!(said.err.contains("tags spell spans as bio has them"), "{}", said.err);
    assert!(lookback(&["inspect", &model]).ok().contains("scheme      bio"));
    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    for key in ["accuracy", "precision", "recall", "f1"] {
        assert!(judged[key].as_f64().unwrap() > 0.9, "{key}: {judged}");
    }
    let names = |key: &str| {
        judged[key].as_array().unwrap().iter().map(|row| row["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((names("labels"), names("tags").len()), (vec!["HOT".to_owned(), "PAST".to_owned()], 3));
    let table = lookback(&["evaluate", &model, &data]).ok();
    for part in ["precision", "F1", "strict F1", "spans", "HOT"] {
        assert!(table.contains(part), "'{part}' is not in:\n{table}");
    }

    // I behind no B begins a span, as seqeval reads it; another scheme is read as the one that was trained.
    let lines = entities();
    let lines: Vec<&str> = lines.lines().collect();
    let i_first = |place: usize| {
        let tag = |place: usize| lines[place].split(' ').next_back();
        // Behind another of its label a B has to stay.
        let touches = place > 0 && tag(place) == tag(place - 1);
        if touches { format!("{}\n", lines[place]) } else { format!("{}\n", lines[place].replace(" B-", " I-")) }
    };
    let first = folder.write("first.conll", (0..lines.len()).map(i_first).collect::<String>());
    let run = lookback(&["evaluate", &model, &first, "--json"]);
    assert!(run.err.contains("spelt against bio are read as they must be meant, the first of them I-"), "{}", run.err);
    let figures = |run: Run| {
        let judged = json(&run.ok());
        ["accuracy", "f1", "labels"].map(|key| judged[key].clone())
    };
    assert_eq!(figures(run), ["accuracy", "f1", "labels"].map(|key| judged[key].clone()));
    let bioes = folder.write("bioes.conll", entities().replace(" B-", " S-"));
    let run = lookback(&["evaluate", &model, &bioes, "--json"]);
    assert!(run.err.contains("its tags are of bioes, and read as those of bio"), "{}", run.err);
    assert_eq!(figures(run), ["accuracy", "f1", "labels"].map(|key| judged[key].clone()));

    let on = folder.path("on");
    lookback(&["train", "tag", &data, "-o", &on, "--init", &model, "--scheme", "io"])
        .refused(2, &["--scheme is another than bio, which the model in --init has and keeps"]);
    // A model that is trained on keeps its scheme, whatever that of the data.
    lookback(&["train", "tag", &bioes, "-o", &on, "--init", &model, "--epochs", "1", "--learning-rate", "0.0001"]).ok();
    assert!(lookback(&["inspect", &on]).ok().contains("tags        3: B-HOT, B-PAST, O"));
    train(&data, &model, &["--scheme", "bmes", "--epochs", "1"]).ok();
    let refused = ["--scheme", "io"];
    train(&data, &model, &refused)
        .refused(2, &["--scheme is io, but the tag \"B-", "--scheme none takes tags as they are"]);
    train(&data, &model, &["--scheme", "none", "--epochs", "1"]).ok();
    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    assert_eq!((&judged["f1"], judged["labels"].as_array().unwrap().len()), (&Value::Null, 3));
}

#[test]
fn a_tagger_is_trained_on_with_new_tags_and_tokens() {
    let folder = Folder::new();
    let data = folder.write("data.conll", sentences());
    let (model, on) = (folder.path("model"), folder.path("on"));
    train(&data, &model, &LEARN).ok();
    let new = folder.write("new.conll", format!("{}frozen - COLD\nsoup - O\n", sentences()));
    let begin = ["train", "tag", &new, "-o", &on, "--init", &model, "--epochs", "1", "--learning-rate", "0.0001"];
    lookback(&begin).refused(2, &["new.conll has 1 label", "\"COLD\" on line", "--extend adds them"]);
    lookback(&[&begin[..], &["--extend", "--validation-split", "0"]].concat()).ok();
    // One careful epoch: what was learnt before is still there.
    let judged = json(&lookback(&["evaluate", &on, &data, "--json"]).ok());
    assert!(judged["accuracy"].as_f64().unwrap() > 0.97, "{judged}");
    assert!(lookback(&["inspect", &on]).ok().contains("tags        4: HOT, O, PAST, COLD"));
    let classifier =
        ["train", "classify", &folder.write("t.tsv", "label\ttext\na\tx\nb\ty\n"), "-o", &on, "--init", &model];
    lookback(&classifier).refused(2, &["is a model for \"tag\""]);
}

/// A tagger of [`entities`] that has learnt them.
fn tagger_of_entities(folder: &Folder, more: &[&str]) -> String {
    let (data, model) = (folder.write("entities.conll", entities()), folder.path("entities.safetensors"));
    train(&data, &model, &[&LEARN[..], &["--validation-split", "0"], more].concat()).ok();
    model
}

#[test]
fn entities_have_their_places_in_the_text_and_the_best_paths_their_scores() {
    let folder = Folder::new();
    let model = tagger_of_entities(&folder, &["--attention", "scaled-dot"]);
    let text = "  é cooks  the soup yesterday she";
    let answer = json(&lookback_with_input(&["predict", &model], &format!("{text}\n")).ok());
    let characters: Vec<char> = text.chars().collect();
    for entity in answer["entities"].as_array().unwrap() {
        let [start, end] = ["start", "end"].map(|key| entity[key].as_u64().unwrap() as usize);
        let own: String = characters[start..end].iter().collect();
        assert_eq!(entity["text"], own);
        assert!(entity["score"].as_f64().unwrap() > 0.0 && entity["label"].is_string(), "{entity}");
    }
    assert!(!answer["entities"].as_array().unwrap().is_empty(), "{answer}");
    let explained = lookback(&["explain", &model, text]).ok();
    assert!(explained.contains("This path scores") && explained.contains("times less likely"), "{explained}");
    let paths = json(&lookback_with_input(&["predict", &model, "--attention"], &format!("{text}\n")).ok());
    let paths = paths["paths"].as_array().unwrap().clone();
    assert_eq!(paths[0]["tags"], answer["tags"], "the best path is the answer");
    assert!(paths[0]["score"].as_f64() >= paths[1]["score"].as_f64() && paths[0]["tags"] != paths[1]["tags"]);
}

#[test]
fn a_file_comes_back_with_one_column_more_and_all_that_stood_in_it() {
    let folder = Folder::new();
    let model = tagger_of_entities(&folder, &[]);
    let tokens = "-DOCSTART-\t_\n\n# a comment\nshe\t_\ncooks\t_\nsoup\t_\n\n\nyesterday\t_\nshe\t_\n";
    let file = folder.write("new.conll", tokens);
    let run = lookback(&["predict", &model, &file, "--output-format", "conll"]);
    let written = run.ok();
    let before = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), before.lines().count(), "{written}");
    for (written, before) in written.lines().zip(before.lines()) {
        let added = written.strip_prefix(before.trim_end()).unwrap_or_else(|| panic!("{before:?} became {written:?}"));
        let is_token = before.ends_with("\t_") && !before.starts_with('-');
        assert_eq!(added.starts_with('\t') && added.len() > 1, is_token, "{written:?}");
    }
    // The same tags as tokens that are given in lines get, and as answers in JSON have.
    let given = "she cooks soup";
    let lines = lookback_with_input(&["predict", &model, "--pretokenized"], &format!("{given}\n")).ok();
    let tags: Vec<String> =
        json(&lines)["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
    let columns = lookback_with_input(&["predict", &model, "--pretokenized", "--output-format", "conll"], given).ok();
    let expected: String = given.split(' ').zip(&tags).map(|(token, tag)| format!("{token}\t{tag}\n")).collect();
    assert_eq!(columns, format!("{expected}\n"));
    let dash = json(&lookback_with_input(&["predict", &model, "--pretokenized"], "New-York isn't\n").ok());
    assert_eq!(dash["tokens"], serde_json::json!(["New-York", "isn't"]), "tokens are not cut again");
}

#[test]
fn what_does_not_go_with_tags_beside_tokens_is_refused() {
    let folder = Folder::new();
    let model = tagger_of_entities(&folder, &[]);
    let file = folder.write("new.conll", entities());
    for (more, said) in [
        (&["--output-format", "conll", "--fields", "tags"][..], "--fields"),
        (&["--output-format", "csv"], "lists"),
        (&["--keep", "all"], "--output-format conll"),
        (&["--top", "2"], "--top"),
    ] {
        lookback(&[&["predict", &model, &file], more].concat()).refused(2, &[said]);
    }
    train(&file, &folder.path("x"), &["--segment", "--tokenizer", "words"]).refused(2, &["--tokenizer", "--segment"]);
    train(&file, &folder.path("x"), &["--train-scheme", "none"]).refused(2, &["--train-scheme"]);
}

#[test]
fn a_tagger_trained_on_another_scheme_answers_in_that_of_the_data() {
    let folder = Folder::new();
    let model = tagger_of_entities(&folder, &["--train-scheme", "bioes"]);
    let inspected = lookback(&["inspect", &model]).ok();
    assert!(inspected.contains("S-"), "{inspected}");
    let file = folder.write("new.conll", entities());
    let judged = json(&lookback(&["evaluate", &model, &file, "--json"]).ok());
    assert!(judged["f1"].as_f64().unwrap() > 0.9, "{judged}");
    let answer = lookback(&["predict", &model, &file, "--output-format", "conll"]).ok();
    assert!(answer.contains(" B-HOT B-HOT\n") && !answer.contains(" S-"), "{answer}");
}

#[test]
fn characters_go_in_and_words_with_their_tags_come_out() {
    let folder = Folder::new();
    let lines = ["我们/r 喝/v 热/a 汤/n", "他们/r 喝/v 汤/n", "我们/r 做/v 汤/n", "他们/r 做/v 热/a 汤/n"];
    let data = folder.write("words.txt", format!("{}\n", lines.join("\n")).repeat(30));
    let model = folder.path("words.safetensors");
    let learn = ["--segment", "--epochs", "15", "--learning-rate", "0.03", "--validation-split", "0"];
    train(&data, &model, &learn).ok();
    let answer = json(&lookback_with_input(&["predict", &model], "他们喝热汤\n").ok());
    assert_eq!(answer["tokens"], serde_json::json!(["他们", "喝", "热", "汤"]));
    assert_eq!(answer["tags"], serde_json::json!(["r", "v", "a", "n"]));
    assert_eq!(answer["scores"].as_array().unwrap().len(), 4);
    let judged = json(&lookback(&["evaluate", &model, &data, "--json"]).ok());
    assert_eq!((&judged["f1"], &judged["unlabelled"]["f1"]), (&Value::from(1.0), &Value::from(1.0)));
    lookback(&["predict", &model, &data, "--format", "slash"]).refused(2, &["finds the words itself"]);
    lookback(&["predict", &model, "--pretokenized"]).refused(2, &["--pretokenized", "finds the words itself"]);
    // Words alone, as data of segmentation have them.
    let words: Vec<String> = lines.map(|line| line.replace(|c: char| c == '/' || c.is_ascii_lowercase(), "")).to_vec();
    let alone = folder.write("alone.txt", format!("{}\n", words.join("\n")).repeat(30));
    let segmenter = folder.path("segmenter.safetensors");
    train(&alone, &segmenter, &learn).ok();
    let answer = json(&lookback_with_input(&["predict", &segmenter], "他们喝热汤\n").ok());
    assert_eq!(answer["tokens"], serde_json::json!(["他们", "喝", "热", "汤"]));
    assert_eq!(answer["tags"], serde_json::json!(["word", "word", "word", "word"]));
    let judged = json(&lookback(&["evaluate", &segmenter, &alone, "--json"]).ok());
    assert_eq!(judged["f1"], Value::from(1.0));
    // The configuration trains the same bytes again.
    let (config, again) =
        (folder.write("c.toml", lookback(&["inspect", &model, "--config"]).ok()), folder.path("again"));
    lookback(&["train", "tag", &data, "--config", &config, "-o", &again]).ok();
    assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap());
}

#[test]
fn a_sentence_of_five_thousand_tokens_is_tagged_whole() {
    let folder = Folder::new();
    let model = tagger_of_entities(&folder, &["--crf", "false"]);
    let long = "she cooks soup ".repeat(1667);
    let answer = json(&lookback_with_input(&["predict", &model, "--pretokenized"], &format!("{long}\n")).ok());
    assert_eq!(answer["tags"].as_array().unwrap().len(), 5001);
    assert!(answer.get("paths").is_none());
}

#[test]
fn a_file_is_texts_or_tokens_by_its_name_or_by_what_nothing_else_looks_like() {
    let folder = Folder::new();
    let model = tagger_of_entities(&folder, &[]);
    let tokens = |file: &str, more: &[&str]| {
        let run = lookback(&[&["predict", &model, file, "--fields", "tokens"], more].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        (run.out.lines().map(|line| json(line)["tokens"].to_string()).collect::<Vec<_>>(), run.err)
    };
    // Three words a line, and a blank line: texts, though columns look like that, too.
    let texts = folder.write("texts.txt", "she cooks soup\nthe old soup\n\nsoup she cooks\n");
    let (read, told) = tokens(&texts, &[]);
    assert_eq!((read.len(), read[0].as_str()), (4, r#"["she","cooks","soup"]"#));
    assert!(told.contains("--format conll reads it so"), "{told}");
    assert_eq!(tokens(&texts, &["--format", "conll"]).0, [r#"["she","the"]"#, r#"["soup"]"#]);
    let slashes = folder.write("slashes.txt", "and/or either/or\nhe/she\n");
    assert_eq!(tokens(&slashes, &[]).0.len(), 2);
    // A name that tells, though there is one sentence alone; and a mark that tells.
    let one = folder.write("one.conll", "she - O\ncooks - O\n");
    assert_eq!(tokens(&one, &[]).0, [r#"["she","cooks"]"#]);
    let tabs = folder.write("tabs.txt", "she\tO\ncooks\tO\n");
    assert_eq!(tokens(&tabs, &[]).0, [r#"["she","cooks"]"#]);
    // A row that is wrong is named in its sentence's place, and the file not read as something else.
    let wrong = folder.write("wrong.conll", "she - O\ncooks - O O\n\nsoup - O\n");
    let run = lookback(&["predict", &model, &wrong]);
    let answers: Vec<Value> = run.out.lines().map(json).collect();
    assert_eq!((run.code, answers.len()), (3, 2));
    assert!(answers[0]["error"].as_str().unwrap().contains("wrong.conll, line 2"), "{}", answers[0]);
    assert_eq!(answers[1]["tokens"], serde_json::json!(["soup"]));
    let run = lookback(&["predict", &model, &wrong, "--output-format", "conll"]);
    assert_eq!((run.code, run.out.as_str()), (3, "she - O\ncooks - O O\n\nsoup - O O\n"));
    lookback(&["predict", &model, &wrong, "--on-bad-row", "skip"]).refused(2, &["--on-bad-row is not needed here"]);
    // Objects with lists on standard input, by their keys.
    let objects = "{\"tokens\": [\"she\", \"cooks\"]}\n";
    let answer =
        lookback_with_input(&["predict", &model, "--token-column", "tokens", "--format", "jsonl"], objects).ok();
    assert_eq!(json(&answer)["tokens"], serde_json::json!(["she", "cooks"]));
}

#[test]
fn what_is_cut_off_is_told_in_the_answer_and_in_the_judgement() {
    let folder = Folder::new();
    let model = tagger_of_entities(&folder, &["--max-length", "3"]);
    let answer = json(&lookback_with_input(&["predict", &model], "she cooks the old soup\n").ok());
    assert_eq!((&answer["cut_tokens"], answer["tags"].as_array().unwrap().len()), (&Value::from(2), 3));
    let file = folder.write("new.conll", "she - O\ncooks - O\nthe - O\nold - B-HOT\nsoup - O\n");
    let judged = lookback(&["evaluate", &model, &file]);
    assert!(
        judged.err.contains("2 tokens past --max-length of the training are cut off, and not judged"),
        "{}",
        judged.err
    );
    let written = lookback(&["predict", &model, &file, "--output-format", "conll"]).ok();
    assert!(written.ends_with("old - B-HOT _\nsoup - O _\n"), "{written}");
}

#[test]
fn a_span_that_is_cut_where_no_tag_ends_it_is_not_learnt() {
    let folder = Folder::new();
    // Cut behind one token the span would be S-A, which is no tag of the set.
    let long = "a B-A\nb E-A\n\n";
    let data = folder.write("data.conll", format!("{}{}", "a O\nb O\n\n".repeat(20), long.repeat(3)));
    let model = folder.path("model");
    let run =
        train(&data, &model, &["--scheme", "bioes", "--max-length", "1", "--epochs", "1", "--validation-split", "0"]);
    assert!(run.err.contains("3 sentences left out, which --max-length cuts through a span"), "{}", run.err);
    run.ok();
}

#[test]
fn a_tagger_without_shapes_keeps_none_when_it_is_trained_on_or_again() {
    let folder = Folder::new();
    // Capitals, by which shapes would be chosen.
    let data = folder.write("data.conll", entities().replace("she", "She"));
    let (model, on, again) = (folder.path("model"), folder.path("on"), folder.path("again"));
    train(&data, &model, &["--epochs", "1", "--shape-buckets", "0"]).ok();
    lookback(&["train", "tag", &data, "--init", &model, "--epochs", "1", "-o", &on]).ok();
    let config = folder.write("c.toml", lookback(&["inspect", &model, "--config"]).ok());
    lookback(&["train", "tag", &data, "--config", &config, "-o", &again]).ok();
    assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap());
}
