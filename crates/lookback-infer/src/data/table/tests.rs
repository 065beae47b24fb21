//! What tables give and what they refuse, case by case.

use std::fs;

use super::*;
use crate::data::OnBadRow;

/// The examples as "line label|text", or the error after the file's name.
fn read(name: &str, content: &str, options: &TableOptions) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a small file");
    match read_table(&path, options) {
        Ok(table) => {
            let show = |example: &TextExample| {
                format!("{} {}|{}", example.line, example.labels.first().map_or("-", String::as_str), example.text)
            };
            table.examples.iter().map(show).collect::<Vec<_>>().join("; ")
        }
        Err(error) => error.to_string().split_once(name).map_or_else(|| error.to_string(), |(_, rest)| rest.to_owned()),
    }
}

fn columns(text: &str, label: &str) -> TableOptions {
    let column = |name: &str| (!name.is_empty()).then(|| name.parse().expect("a column is any text"));
    TableOptions { text: column(text), label: column(label), ..TableOptions::default() }
}

#[test]
fn columns_and_headers_are_found_as_documented() {
    let cases = [
        ("two columns with a header", "a.csv", "text,label\nhi,x\nyo,y\n", ("", ""), "2 x|hi; 3 y|yo"),
        ("the header the other way", "a.csv", "Label, Text\nx,hi\n", ("", ""), "2 x|hi"),
        ("two columns without header", "a.csv", "hi,x\nyo,y\n", ("", ""), "1 x|hi; 2 y|yo"),
        ("known names among others", "a.csv", "id,review,category\n1,hi,x\n", ("", ""), "2 x|hi"),
        ("names told", "a.csv", "a,b,c\n1,hi,x\n", ("b", "c"), "2 x|hi"),
        ("names told in another case", "a.csv", "A,B\nhi,x\n", ("a", "b"), "2 x|hi"),
        ("numbers told, no header", "a.csv", "1,hi,x\n2,yo,y\n", ("2", "3"), "1 x|hi; 2 y|yo"),
        ("numbers told, a header", "a.csv", "n,sentence,x\n1,hi,y\n", ("2", "3"), "2 y|hi"),
        ("a label name as a label", "a.csv", "hi,topic\nyo,topic\n", ("", ""), "1 topic|hi; 2 topic|yo"),
        ("only the label's name known", "a.csv", "phrase,label\nyo,y\n", ("", ""), "2 y|yo"),
        ("one told, the other known", "a.csv", "label,phrase,n\nx,hi,1\n", ("phrase", ""), "2 x|hi"),
        ("one told of two", "a.csv", "foo,bar\nx,hi\n", ("bar", ""), "2 x|hi"),
        ("the label's number told of two", "a.csv", "x,hi\ny,yo\n", ("", "1"), "1 x|hi; 2 y|yo"),
        ("byte order mark, CR LF", "a.csv", "\u{feff}text,label\r\nhi,x\r\n", ("", ""), "2 x|hi"),
        ("labels are trimmed, texts not", "a.csv", "text,label\n hi , x \n", ("", ""), "2 x| hi "),
        ("tabs", "a.tsv", "text\tlabel\n\"hi, you\"\tx\nan \" inch\ty\n", ("", ""), "2 x|hi, you; 3 y|an \" inch"),
        (
            "JSON lines",
            "a.jsonl",
            "{\"text\":\"hi\",\"label\":3}\n\n{\"label\":\" y\",\"text\":\"yo\"}\n",
            ("", ""),
            "1 3|hi; 3 y|yo",
        ),
        ("JSON, numbers and booleans", "a.jsonl", "{\"text\":1,\"label\":true}\n", ("", ""), "1 true|1"),
        (
            "a JSON array",
            "a.json",
            "[{\"text\":\"hi\",\"label\":1},\n {\"text\":\"yo\",\"label\":2}]",
            ("", ""),
            "1 1|hi; 2 2|yo",
        ),
        (
            "a path of keys",
            "a.jsonl",
            "{\"d\":{\"t.x\":\"hi\"},\"l\":{\"m\":{\"y\":3}}}\n",
            ("d.t.x", "l.m.y"),
            "1 3|hi",
        ),
        ("JSON keys told", "a.ndjson", "{\"q\":\"hi\",\"c\":\"x\",\"n\":1}\n", ("q", "c"), "1 x|hi"),
        ("JSON, two keys, one known", "a.jsonl", "{\"foo\":\"hi\",\"intent\":\"x\"}\n", ("", ""), "1 x|hi"),
    ];
    for (case, name, content, (text, label), expected) in cases {
        assert_eq!(read(name, content, &columns(text, label)), expected, "{case}");
    }
}

#[test]
fn lines_are_right_after_quoted_line_ends_blank_lines_and_cr_lf() {
    let content = "text,label\r\n\r\n\"a\r\nb\",x\r\n\n\"c \"\"d\"\", e\",y\r\nf,z";
    assert_eq!(read("a.csv", content, &columns("", "")), "3 x|a\r\nb; 6 y|c \"d\", e; 7 z|f");
    let broken = format!("{content}\r\n\"a\nb\"\n");
    let expected = ", line 8: the row has 1 field; 2 expected as on line 1";
    assert_eq!(read("a.csv", &broken, &columns("", "")), expected);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        (
            "no such column",
            "a.csv",
            "a,b\n1,2\n",
            ("text", "b"),
            ", line 1: there is no column \"text\"; the columns are \"a\", \"b\"",
        ),
        (
            "no such number",
            "a.csv",
            "a,b\n1,2\n",
            ("3", "2"),
            ", line 1: there is no column 3; the line has 2 columns: \"a\", \"b\"",
        ),
        (
            "number zero",
            "a.csv",
            "a,b\n1,2\n",
            ("0", "2"),
            ", line 1: there is no column 0; the line has 2 columns: \"a\", \"b\"",
        ),
        (
            "unclear text",
            "a.csv",
            "a,b,c\n1,2,3\n",
            ("", ""),
            ", line 1: cannot tell which column holds the text; say with --text which of \"a\", \"b\", \"c\" it is, by name or number",
        ),
        (
            "unclear label",
            "a.csv",
            "text,b,c\n1,2,3\n",
            ("text", ""),
            ", line 1: cannot tell which column holds the label; say with --label which of \"text\", \"b\", \"c\" it is, by name or number",
        ),
        (
            "one column twice",
            "a.csv",
            "a,b\n1,2\n",
            ("1", "1"),
            ": the text and the label cannot both be column 1 (\"a\")",
        ),
        (
            "too many fields",
            "a.csv",
            "text,label\nhi, you,x\n",
            ("", ""),
            ", line 2: the row has 3 fields; 2 expected as on line 1; a field that holds a comma must stand in quotes",
        ),
        (
            "too few fields",
            "a.tsv",
            "text\tlabel\nhi\n",
            ("", ""),
            ", line 2: the row has 1 field; 2 expected as on line 1",
        ),
        (
            "open quote",
            "a.csv",
            "text,label\nhi,x\n\"yo,y\nha,z\n",
            ("", ""),
            ": the row that starts on line 3 opens a quote (\") that is never closed",
        ),
        (
            "empty label",
            "a.csv",
            "text,label\nhi,x\nyo, \n",
            ("", ""),
            ", line 3: the label is empty; a text may have none for a model that is trained with --multi-label",
        ),
        ("empty text", "a.csv", "text,label\nhi,x\n\" \n\",y\n", ("", ""), ", line 3: the text is empty"),
        ("header only", "a.csv", "text,label\n", ("", ""), " holds no examples"),
        ("empty file", "a.csv", "", ("", ""), " is empty; at least one example was expected"),
        (
            "unknown extension",
            "a.xlsx",
            "x",
            ("", ""),
            ": cannot tell the format from its name; say with --format which it is: csv, tsv, jsonl, fasttext or parquet for texts, ts, csv-long or wide for numeric series",
        ),
        (
            "broken JSON",
            "a.jsonl",
            "{\"text\":\"hi\",\"label\":1}\n{\"text\":}\n",
            ("", ""),
            ", line 2: not valid JSON: expected value (column 9)",
        ),
        (
            "JSON, no object",
            "a.jsonl",
            "\"hi\"\n",
            ("", ""),
            ", line 1: the line is \"hi\", an object such as {\"text\": \"...\"} was expected",
        ),
        (
            "JSON, label a list",
            "a.jsonl",
            "{\"text\":\"hi\",\"label\":[1]}\n",
            ("", ""),
            ", line 1: the label is the list [1]; one label was expected, and several are for a model that is trained with \
             --multi-label",
        ),
        (
            "JSON, label null",
            "a.jsonl",
            "{\"text\":\"hi\",\"label\":null}\n",
            ("", ""),
            ", line 1: the label is empty; a text may have none for a model that is trained with --multi-label",
        ),
        (
            "JSON, a key missing later",
            "a.jsonl",
            "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\"}\n",
            ("", ""),
            ", line 2: the object has no key \"label\"; its keys are \"text\"",
        ),
        (
            "JSON, a told key missing",
            "a.jsonl",
            "{\"text\":\"a\",\"label\":1}\n",
            ("q", ""),
            ", line 1: the object has no key \"q\"; its keys are \"text\", \"label\"",
        ),
        (
            "JSON, a number told",
            "a.jsonl",
            "{\"text\":\"a\",\"label\":1}\n",
            ("1", ""),
            ": JSON Lines have keys, not numbered columns; give the name of the key instead of 1",
        ),
    ];
    for (case, name, content, (text, label), expected) in cases {
        assert_eq!(read(name, content, &columns(text, label)), expected, "{case}");
    }
}

#[test]
fn options_change_what_is_read() {
    let told = |header| TableOptions { header: Some(header), ..TableOptions::default() };
    assert_eq!(read("a.csv", "text,label\nhi,x\n", &told(false)), "1 label|text; 2 x|hi");
    assert_eq!(read("a.csv", "foo,bar\nhi,x\n", &told(true)), "2 x|hi");
    let named = TableOptions { header: Some(false), ..columns("foo", "bar") };
    let expected = ": column \"foo\" is asked for by name, but the file has no header; give the column's number, or say --header yes";
    assert_eq!(read("a.csv", "foo,bar\nhi,x\n", &named), expected);

    let skip = TableOptions {
        layout: Layout { on_bad_row: Some(OnBadRow::Skip), ..Layout::default() },
        ..TableOptions::default()
    };
    assert_eq!(read("a.csv", "text,label\n,x\nyo,y\nha\nhi, \n", &skip), "3 y|yo");
    assert_eq!(read("a.csv", "text,label\n,x\n", &skip), " holds no examples");
    assert_eq!(read("a.jsonl", "{\"text\":1,\"label\":true}\n[]\n{\n", &skip), "1 true|1");

    let prediction = TableOptions::prediction();
    assert_eq!(read("a.csv", "text,label\n,x\nyo,\n", &prediction), "2 -|; 3 -|yo");
    assert_eq!(read("a.csv", "text\nyo\n", &prediction), "2 -|yo");
    assert_eq!(read("a.csv", "hi\nyo\n", &prediction), "1 -|hi; 2 -|yo");
    assert_eq!(read("a.jsonl", "{\"text\":\"\"}\n", &prediction), "1 -|");

    let optional = TableOptions { labels: Labels::Optional, ..TableOptions::prediction() };
    assert_eq!(read("a.csv", "text,label\nhi,x\nyo,\n", &optional), "2 x|hi; 3 -|yo");
    assert_eq!(read("a.csv", "n,text,m\n1,hi,2\n", &TableOptions { header: Some(true), ..optional }), "2 -|hi");

    let csv = TableOptions { format: Some(Format::Csv), ..TableOptions::default() };
    assert_eq!(read("a.data", "hi,x\n", &csv), "1 x|hi");
}

#[test]
fn a_text_may_have_several_labels_where_that_is_asked_for() {
    let several = |name: &str, content: &str, separator: char| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a small file");
        let options = TableOptions { label_separator: Some(separator), ..TableOptions::default() };
        let show = |example: TextExample| format!("{} {}: {}", example.line, example.text, example.labels.join("+"));
        match read_table(&path, &options) {
            Ok(table) => table.examples.into_iter().map(show).collect::<Vec<_>>().join("; "),
            Err(error) => error.to_string(),
        }
    };
    let cases = [
        ("a.csv", "text,label\nhi,a|b\nyo,\nho, b | a|b||\n", '|', "2 hi: a+b; 3 yo: ; 4 ho: b+a"),
        ("a.csv", "text,labels,label\nhi,\"a,b\",9\nyo,c,9\n", ',', "2 hi: a+b; 3 yo: c"),
        (
            "a.csv",
            "phrase,moods\nhi,a|b\nyo,b|c\nho,a|c\nha,\nhe,a\n",
            '|',
            "2 hi: a+b; 3 yo: b+c; 4 ho: a+c; 5 ha: ; 6 he: a",
        ),
        (
            "a.csv",
            "hi,a|b\nyo,b|c\nho,c|a\nha,d\nhe,a\nhu,b\n",
            '|',
            "1 hi: a+b; 2 yo: b+c; 3 ho: c+a; 4 ha: d; 5 he: a; 6 hu: b",
        ),
        ("a.tsv", "genres\ttext\nx y\thi\n", ' ', "2 hi: x+y"),
        (
            "a.jsonl",
            "{\"text\":\"hi\",\"label\":[\"a|b\",\" c \",3,true,\"c\"]}\n{\"text\":\"yo\",\"label\":[]}\n{\"text\":\"ho\",\"label\":\"d\"}\n{\"text\":\"he\",\"label\":null}\n",
            '|',
            "1 hi: a|b+c+3+true; 2 yo: ; 3 ho: d; 4 he: ",
        ),
        ("a.txt", "__label__a __label__b hi\nyo\n__label__b ho\n", '|', "1 hi: a+b; 2 yo: ; 3 ho: b"),
    ];
    for (name, content, separator, expected) in cases {
        assert_eq!(several(name, content, separator), expected, "{content}");
    }
    let nested = several("a.jsonl", "{\"text\":\"hi\",\"label\":[\"a\",[\"b\"]]}\n", '|');
    assert!(nested.contains("line 1: the label is [\"b\"]"), "{nested}");
    let one = read("a.txt", "__label__a hi\n__label__a __label__b hi\n", &TableOptions::default());
    assert!(one.contains("line 2: the text has the labels a, b; one label was expected"), "{one}");
}

#[test]
fn formats_are_told_by_extensions_and_columns_read_from_text() {
    for (name, texts, series) in [
        ("a.CSV", Some(Format::Csv), Some(Format::CsvLong)),
        ("a.tab", Some(Format::Tsv), None),
        ("a.json", Some(Format::Jsonl), None),
        ("a.ts", None, Some(Format::Ts)),
        ("a.xls", None, None),
        ("csv", None, None),
    ] {
        assert_eq!((Format::of_texts(name.as_ref()), Format::of_series(name.as_ref())), (texts, series), "{name}");
    }
    assert_eq!("3".parse(), Ok(Column::Number(3)));
    assert_eq!("3rd".parse(), Ok(Column::Name("3rd".to_owned())));
    assert_eq!("".parse(), Ok(Column::Name(String::new())));
    assert_eq!(serde_json::from_str::<Column>("2").expect("a number"), Column::Number(2));
    assert_eq!(serde_json::from_str::<Column>("\"text\"").expect("a name"), Column::Name("text".to_owned()));
}

proptest::proptest! {
    #[test]
    fn whatever_csv_is_written_comes_back(
        rows in proptest::collection::vec(("[a-c,\"\n\r\t ]{0,9}[a-z]", "[a-c\",]{1,3}"), 1..9),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["text", "label"]).expect("into memory");
        for (text, label) in &rows {
            writer.write_record([text, label]).expect("into memory");
        }
        let content = writer.into_inner().expect("into memory");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("written.csv");
        fs::write(&path, content).expect("a small file");
        let read = read_table(&path, &TableOptions::default()).expect("what was written");
        let pairs: Vec<_> = read.examples.into_iter().map(|read| (read.text, read.labels.concat())).collect();
        proptest::prop_assert_eq!(pairs, rows);
    }

    #[test]
    fn no_content_makes_a_reader_panic(content in "([a-c,\"\n\r\t:{}\\[\\]@#?é]|text|label|id|@data\n){0,30}") {
        for name in ["a.csv", "a.tsv", "a.jsonl"] {
            for options in [TableOptions::default(), TableOptions::prediction(), columns("2", "1")] {
                let _ = read(name, &content, &options);
            }
        }
    }
}
