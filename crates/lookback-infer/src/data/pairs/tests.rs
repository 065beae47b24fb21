//! Reading pairs, layout by layout.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::data::table::{TableOptions, read_rows};
use crate::data::{Column, Encoding, HeaderChoice, Layout, OnBadRow};

/// A folder with these files, as long as it lives.
fn folder(files: &[(&str, &[u8])]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |&(name, content): &(&str, &[u8])| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let paths = files.iter().map(write).collect();
    (folder, paths)
}

/// Reads a file of this name and content; an error with the name alone.
fn read(name: &str, content: &str, options: &PairOptions) -> Result<Pairs, String> {
    let (folder, paths) = folder(&[(name, content.as_bytes())]);
    plain(&folder, read_pairs(&paths[0], None, options, None))
}

fn read_two(source: &str, target: &str, options: &PairOptions) -> Result<Pairs, String> {
    let (folder, paths) = folder(&[("a.en", source.as_bytes()), ("a.de", target.as_bytes())]);
    plain(&folder, read_pairs(&paths[0], Some(&paths[1]), options, None))
}

fn plain(folder: &TempDir, read: Result<Pairs, DataError>) -> Result<Pairs, String> {
    read.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

/// Each pair as "line source>target|target", or what is wrong.
fn show(read: Result<Pairs, String>) -> Vec<String> {
    let show = |pair: &Pair| format!("{} {}>{}", pair.line, pair.source, pair.targets.join("|"));
    read.map_or_else(|error| vec![error], |pairs| pairs.pairs.iter().map(show).collect())
}

fn none() -> PairOptions {
    PairOptions::default()
}

fn told(source: Option<&str>, target: Option<&str>) -> PairOptions {
    let column = |name: Option<&str>| name.and_then(|name| name.parse::<Column>().ok());
    PairOptions { source: column(source), target: column(target), ..none() }
}

fn skipping() -> PairOptions {
    PairOptions { layout: Layout { on_bad_row: Some(OnBadRow::Skip), ..Layout::default() }, ..none() }
}

#[test]
fn columns_are_found_by_their_names_or_are_the_first_two() {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("a.tsv", "a b\tx\nc\ty z\n", &["1 a b>x", "2 c>y z"]),
        ("a.csv", "source,target\na,\"x, y\"\nc,z\n", &["2 a>x, y", "3 c>z"]),
        ("a.csv", "id;Target;note;SRC\n1;x;n;a\n2;y;n;b\n", &["2 a>x", "3 b>y"]),
        ("a.csv", "output|input\nx|a\n", &["2 a>x"]),
        ("a.tsv", "summary\tabstract\nx\ta b\n", &["2 a b>x"]),
        ("a.tsv", "en\tpt-BR\na\tx\n", &["2 a>x"]),
        ("a.tsv", "no\tde la\na\tx\n", &["1 no>de la", "2 a>x"]),
        ("a.tsv", "word\tw er d\nwords\tw er d z\n", &["1 word>w er d", "2 words>w er d z"]),
        ("a.tsv", "text\ttxet\ntext\ttxet\n", &["1 text>txet", "2 text>txet"]),
        (
            "a.csv",
            "number,text\n1,one\n2,two\n3,three\n4,four\n5,five\n",
            &["2 one>1", "3 two>2", "4 three>3", "5 four>4", "6 five>5"],
        ),
        ("a.tsv", "a\tx\n\n \t \nb\ty \n", &["1 a>x", "4 b>y"]),
        ("words.txt", "a\tx\nb\ty\n", &["1 a>x", "2 b>y"]),
        ("a.tsv", "\"a\tx\nb\t\"y\" z\n", &["1 \"a>x", "2 b>\"y\" z"]),
        ("a.tsv", " a \t x \n", &["1  a >x"]),
    ];
    for (name, content, expected) in cases {
        assert_eq!(show(read(name, content, &none())), expected, "{content:?}");
    }
}

#[test]
fn columns_are_told_by_name_and_by_number() {
    let table = "id,en,de\n1,a,x\n2,b,y\n";
    assert_eq!(show(read("a.csv", table, &told(Some("en"), Some("de")))), ["2 a>x", "3 b>y"]);
    assert_eq!(show(read("a.csv", table, &told(Some("3"), Some("EN")))), ["2 x>a", "3 y>b"]);
    let numbers = PairOptions { header: Some(HeaderChoice::Yes), ..told(Some("2"), Some("3")) };
    assert_eq!(show(read("a.csv", table, &numbers)), ["2 a>x", "3 b>y"]);
    let no_header = PairOptions { header: Some(HeaderChoice::No), ..told(Some("2"), Some("1")) };
    assert_eq!(show(read("a.tsv", "source\ttarget\na\tx\n", &no_header)), ["1 target>source", "2 x>a"]);
    // Of two columns one is enough.
    assert_eq!(show(read("a.csv", "x,y\na,b\n", &told(None, Some("x")))), ["2 b>a"]);
    assert_eq!(show(read("a.csv", "x,y\na,b\n", &told(Some("2"), None))), ["1 y>x", "2 b>a"]);
}

#[test]
fn a_column_that_is_not_there_or_not_clear_is_told() {
    let three = "a,b,c\nd,e,f\n";
    let cases = [
        (
            three,
            none(),
            "a.csv, line 1: cannot tell which column holds the source; say with --source which of \"a\", \"b\", \"c\" it is, by name or number",
        ),
        (
            three,
            told(Some("b"), None),
            "a.csv, line 1: cannot tell which column holds the target; say with --target which of \"a\", \"b\", \"c\" it is, by name or number",
        ),
        (
            three,
            told(Some("x"), Some("b")),
            "a.csv, line 1: there is no column \"x\"; the columns are \"a\", \"b\", \"c\"",
        ),
        (
            three,
            told(Some("1"), Some("4")),
            "a.csv, line 1: there is no column 4; the line has 3 columns: \"a\", \"b\", \"c\"",
        ),
        (three, told(Some("b"), Some("2")), "a.csv: the source and the target cannot both be column 2 (\"b\")"),
        (
            three,
            PairOptions { header: Some(HeaderChoice::No), ..told(Some("b"), None) },
            "a.csv: column \"b\" is asked for by name, but the file has no header; give the column's number, or say --header yes",
        ),
        (
            "a\nb\n",
            none(),
            "a.csv, line 1: the line has one column, a source and a target were expected; with --target-file the targets stand in a file of their own",
        ),
        (
            "a^b\nc^d\n",
            none(),
            "a.csv, line 1: the line has one column, a source and a target were expected; if '^' stands between columns, --separator '^' reads 2 of them; with --target-file the targets stand in a file of their own",
        ),
        ("source,target\n", none(), "a.csv holds no examples"),
        ("", none(), "a.csv is empty; at least one example was expected"),
    ];
    for (content, options, expected) in cases {
        assert_eq!(show(read("a.csv", content, &options)), [expected]);
    }
    let unknown = show(read("a.txt", "a x\nb y\n", &none()));
    assert_eq!(
        unknown,
        [
            "a.txt: cannot tell the format from its name; say with --format which it is: csv, tsv, jsonl or parquet; targets in a \
          file of their own are named by --target-file"
        ]
    );
}

#[test]
fn rows_that_are_no_pairs_are_told_together_or_left_out() {
    let table = "src\ttgt\na\tx\n\ty\nb\t  \nc\td\te\n";
    let refused = show(read("a.tsv", table, &none())).remove(0);
    for part in [
        "a.tsv: 3 pairs cannot be read; --on-bad-row skip leaves them out",
        "a.tsv, line 3: the source is empty; a text was expected",
        "a.tsv, line 4: the target is empty; what the source becomes was expected",
        "a.tsv, line 5: the row has 3 fields; 2 expected as on line 1",
    ] {
        assert!(refused.contains(part), "{refused} should say {part}");
    }
    assert_eq!(show(read("a.tsv", table, &skipping())), ["2 a>x"]);
    assert_eq!(
        show(read("a.tsv", "a\t\n", &none())),
        ["a.tsv, line 1: the target is empty; what the source becomes was expected"]
    );
}

#[test]
fn json_has_keys_and_lists_of_targets() {
    let cases: [(&str, &[&str]); 7] = [
        (
            "{\"source\":\"a\",\"target\":\"x\"}\n\n{\"target\":[\"y\",\"z \"],\"source\":\"b\"}\n",
            &["1 a>x", "3 b>y|z"],
        ),
        ("[{\"src\":\"a\",\"n\":1,\"tgt\":7},\n{\"src\":\"b\",\"tgt\":[1,\"y\"]}]", &["1 a>7", "2 b>1|y"]),
        ("{\"de\":\"a\",\"en\":\"x\"}\n", &["1 a>x"]),
        ("{\"id\":1,\"translation\":{\"en\":\"a\",\"de\":\"x\"}}\n", &["1 a>x"]),
        ("{\"translation\":{\"de\":\"x\",\"en\":\"a\"}}\n", &["1 x>a"]),
        ("{\"id\":1,\"article\":\"a\",\"highlights\":\"x\"}\n", &["1 a>x"]),
        ("{\"summary\":\"x\",\"abstract\":\"a\"}\n", &["1 a>x"]),
    ];
    for (content, expected) in cases {
        assert_eq!(show(read("a.json", content, &none())), expected, "{content}");
        assert_eq!(show(read("a", content, &none())), expected, "by the content: {content}");
    }
    let nested = "{\"pair\":{\"en\":\"a\",\"de\":\"x\",\"fr\":\"y\"}}";
    assert_eq!(show(read("a.jsonl", nested, &told(Some("pair.en"), Some("pair.fr")))), ["1 a>y"]);
}

#[test]
fn json_that_is_no_pair_is_told() {
    let lines = "{\"source\":\"a\",\"target\":\"x\"}\n{\"source\":\"b\"}\n{\"source\":[\"b\"],\"target\":\"y\"}\n[1]\n{\"source\":null,\"target\":\
                 \"y\"}\n{\"source\":\"b\",\"target\":[]}\n{\"source\":\"b\",\"target\":[\"y\",\"\"]}\n{\"source\":\"b\",\"target\":{\"y\":1}}\n{\n";
    let refused = show(read("a.jsonl", lines, &none())).remove(0);
    for part in [
        "a.jsonl: 8 pairs cannot be read",
        "line 2: the object has no key \"target\"; its keys are \"source\"",
        "line 3: the source is [\"b\"], a string was expected",
        "line 4: the line is [1], an object such as {\"source\": \"...\", \"target\": \"...\"} was expected",
        "line 5: the source is empty",
        "line 6: the target is empty",
        "line 7: one of the targets is empty",
        "line 8: the target is {\"y\":1}, a string, or a list of strings, was expected",
        "line 9: not valid JSON",
    ] {
        assert!(refused.contains(part), "{refused} should say {part}");
    }
    assert_eq!(show(read("a.jsonl", lines, &skipping())), ["1 a>x"]);
    let three = "{\"a\":\"b\",\"c\":\"d\",\"e\":\"f\"}\n";
    let cases = [
        (
            none(),
            "a.jsonl, line 1: cannot tell which column holds the source; say with --source which of \"a\", \"c\", \"e\" it is, by name or number",
        ),
        (told(Some("a"), Some("a")), "a.jsonl: the source and the target cannot both be column \"a\""),
        (
            told(Some("2"), None),
            "a.jsonl: JSON Lines have keys, not numbered columns; give the name of the key instead of 2",
        ),
        (told(Some("a"), Some("x")), "a.jsonl, line 1: the object has no key \"x\"; its keys are \"a\", \"c\", \"e\""),
    ];
    for (options, expected) in cases {
        assert_eq!(show(read("a.jsonl", three, &options)), [expected]);
    }
}

#[test]
fn line_i_of_one_file_belongs_to_line_i_of_the_other() {
    assert_eq!(show(read_two("a b\n\nc\r\n", "x\n\ny\tz\n", &none())), ["1 a b>x", "3 c>y\tz"]);
    assert_eq!(show(read_two("a\nb", "x\ny\n\n\n", &none())), ["1 a>x", "2 b>y"], "blank lines at the end are none");
    let unequal = "a.en has 3 lines, but a.de has 2 lines; each line of one belongs to the same line of the other";
    assert_eq!(show(read_two("a\nb\nc\n", "x\ny\n", &none())), [unequal]);
    let one = "a.de has 1 line";
    assert!(show(read_two("a\nb\nc\n", "x\n\n", &none()))[0].contains(one));
    let refused = show(read_two("a\n\nb\n", "x\ny\n \n", &none())).remove(0);
    for part in ["a.en, line 2: the source is empty", "a.de, line 3: the target is empty"] {
        assert!(refused.contains(part), "{refused} should say {part}");
    }
    assert_eq!(show(read_two("a\n\nb\n", "x\ny\n \n", &skipping())), ["1 a>x"]);
    let (folder, paths) = folder(&[("a.en", b"a\n")]);
    let same = plain(&folder, read_pairs(&paths[0], Some(&paths[0]), &none(), None));
    assert_eq!(
        show(same),
        ["a.en: the sources and the targets cannot both be in this file; --target-file names another"]
    );
}

#[test]
fn each_of_two_files_has_its_own_encoding() {
    let (chinese, _, _) = encoding_rs::GBK.encode("这本书写得非常好\n房间很小但是很干净\n");
    let (folder, paths) = folder(&[("a.en", b"\xEF\xBB\xBFa\nb\n"), ("a.zh", &chinese)]);
    let read = plain(&folder, read_pairs(&paths[0], Some(&paths[1]), &none(), None));
    assert_eq!(show(read), ["1 a>这本书写得非常好", "2 b>房间很小但是很干净"]);
    let utf_8 = Layout { encoding: "utf-8".parse::<Encoding>().ok(), ..Layout::default() };
    let told = PairOptions { layout: utf_8, ..none() };
    let refused = plain(&folder, read_pairs(&paths[0], Some(&paths[1]), &told, None));
    assert!(show(refused)[0].contains("a.zh, line 1: byte 1 of the line is 0xD5, which is not UTF-8"));
}

#[test]
fn targets_of_one_source_are_grouped_in_order_and_taken_apart() {
    let table = "b\tx\na\ty\nb \tz\nc\ty\nb\tx\n";
    let pairs = read("a.tsv", table, &none()).unwrap();
    assert_eq!(show(Ok(pairs.clone().grouped())), ["1 b>x|z|x", "2 a>y", "4 c>y"]);
    assert_eq!(show(Ok(pairs.clone().grouped().apart())), ["1 b>x", "1 b>z", "1 b>x", "2 a>y", "4 c>y"]);
    assert_eq!(pairs.clone().apart(), pairs);
}

#[test]
fn other_files_are_read_as_the_training_data_were() {
    let (_folder, paths) = folder(&[
        ("train.csv", b"deu,id,eng\nx,1,a\n"),
        ("other.csv", b"id,eng,deu,source\n1,a,x,n\n"),
        ("sources.csv", b"id,eng\n1,a\n"),
        ("plain.tsv", b"n\tx\ta\n"),
        ("alike.tsv", b"n\ty\tb\n"),
    ]);
    let of_training = told(Some("eng"), Some("deu"));
    let trained = read_pairs(&paths[0], None, &of_training, None).unwrap().columns;
    let other = read_pairs(&paths[1], None, &none(), trained.as_ref()).unwrap();
    assert_eq!(show(Ok(other)), ["2 a>x"]);
    // What predicts reads the source as it reads any text.
    let rows = |file: &Path, trained| {
        let (rows, _) = read_rows(file, &TableOptions { trained, ..TableOptions::prediction() }).unwrap();
        rows.into_iter().map(|row| row.example.unwrap().text).collect::<Vec<_>>()
    };
    assert_eq!(rows(&paths[2], trained), ["a"]);
    let plain = read_pairs(&paths[3], None, &told(Some("3"), Some("2")), None).unwrap().columns;
    let alike = read_pairs(&paths[4], None, &none(), plain.as_ref()).unwrap();
    assert_eq!(show(Ok(alike)), ["1 b>y"]);
    assert_eq!(rows(&paths[4], plain), ["b"]);
    let json = "{\"eng\":\"a\",\"deu\":\"x\",\"n\":1}";
    let keys = read("a.jsonl", json, &of_training).unwrap().columns;
    let (folder, paths) = folder(&[("b.jsonl", b"{\"source\":\"n\",\"deu\":\"y\",\"eng\":\"b\"}\n")]);
    let other = plain_of(&folder, &paths[0], keys.as_ref());
    assert_eq!(show(other), ["1 b>y"]);
}

fn plain_of(folder: &TempDir, file: &Path, trained: Option<&TableColumns>) -> Result<Pairs, String> {
    plain(folder, read_pairs(file, None, &none(), trained))
}

#[test]
fn options_that_do_not_apply_are_refused() {
    let (one, two) = (Path::new("a.tsv"), Some(Path::new("a.de")));
    let with = |name: &str, value: serde_json::Value| -> PairOptions {
        serde_json::from_value(serde_json::json!({ name: value })).unwrap()
    };
    let cases = [
        (
            with("source", "a".into()),
            one,
            two,
            "--source is about columns, but with --target-file each line is a source, or a target",
        ),
        (
            with("separator", ";".into()),
            one,
            two,
            "--separator is about columns, but with --target-file each line is a source, or a target",
        ),
        (with("format", "csv".into()), one, two, "--format is csv, but with --target-file two files of lines are read"),
        (
            with("format", "lines".into()),
            one,
            None,
            "--format lines is for sources alone, or with --target-file for targets in a file of their own",
        ),
        (
            with("format", "ts".into()),
            one,
            None,
            "--format is ts; it must be csv, tsv, jsonl or parquet; targets in a file of their own are named by --target-file",
        ),
        (with("header", "yes".into()), Path::new("a.jsonl"), None, "--header is for tables, but this is JSON"),
        (
            with("encoding", "gbk".into()),
            Path::new("a.parquet"),
            None,
            "--encoding is for files of text, but these data are Parquet or Arrow",
        ),
    ];
    for (options, file, target_file, expected) in cases {
        assert_eq!(options.check(file, target_file).unwrap_err().to_string(), expected);
    }
    for options in
        [none(), with("format", "tsv".into()), with("header", "no".into()), with("on-bad-row", "skip".into())]
    {
        assert_eq!(options.check(one, None), Ok(()));
    }
    assert_eq!(with("on-bad-row", "skip".into()).check(one, two), Ok(()));
}

#[test]
fn options_are_kept_as_they_were_said_and_those_of_another_file_go_first() {
    let said = PairOptions { header: Some(HeaderChoice::Yes), ..told(Some("en"), Some("3")) };
    let kept = serde_json::to_string(&said).unwrap();
    assert_eq!(kept, r#"{"source":"en","target":3,"header":"yes"}"#);
    assert_eq!(serde_json::from_str::<PairOptions>(&kept).unwrap(), said);
    assert_eq!(serde_json::to_string(&none()).unwrap(), "{}");
    let other = told(None, Some("fr")).or(&said);
    assert_eq!(other, PairOptions { header: Some(HeaderChoice::Yes), ..told(Some("en"), Some("fr")) });
}
