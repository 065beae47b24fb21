//! Texts and labels.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, TimestampMillisecondArray};
use arrow_schema::DataType;
use lookback_infer::data::table::{Column, Labels, TableOptions, TextExample, read_rows, read_table};
use lookback_infer::data::{Format, Keep, Layout, OnBadRow};
use serde_json::{Value, json};

use crate::written::{Columns, Folder, cast, damage, lists, some_texts, texts};

const LABELS: [&str; 7] = ["food", "music", "food", "music", "food", "music", "food"];
const TEXTS: [&str; 7] = ["hot soup", "an old song", "cold soup", "a song", "more soup", "that song", "soup, please"];

fn plain() -> Columns {
    vec![
        ("number", Arc::new(Int64Array::from_iter_values(0..7)) as ArrayRef),
        ("text", some_texts(&TEXTS)),
        ("note", some_texts(&["aside-aside"; 7])),
        ("label", some_texts(&LABELS)),
    ]
}

/// Those of text and label, each example as `row label text`.
fn read(file: &Path, options: &TableOptions) -> Vec<String> {
    let show = |TextExample { text, labels, line }: TextExample| format!("{line} {} {text}", labels.join("|"));
    match read_table(file, options) {
        Ok(table) => table.examples.into_iter().map(show).collect(),
        Err(error) => vec![error.to_string().replace(&*file.display().to_string(), "f")],
    }
}

fn expected() -> Vec<String> {
    (1..).zip(LABELS.iter().zip(TEXTS)).map(|(row, (label, text))| format!("{row} {label} {text}")).collect()
}

fn replaced(name: &str, column: ArrayRef) -> Columns {
    plain().into_iter().map(|(of, other)| if of == name { (of, column.clone()) } else { (of, other) }).collect()
}

#[test]
fn every_way_to_store_texts_gives_the_same_examples() {
    let folder = Folder::new();
    let text = some_texts(&TEXTS);
    let label = some_texts(&LABELS);
    let dictionary = |values: DataType| DataType::Dictionary(Box::new(DataType::Int8), Box::new(values));
    let stored = [
        ("plain", plain()),
        ("large", replaced("text", cast(&text, &DataType::LargeUtf8))),
        ("views", replaced("text", cast(&text, &DataType::Utf8View))),
        ("bytes", replaced("text", cast(&text, &DataType::Binary))),
        ("categories", replaced("label", cast(&label, &dictionary(DataType::Utf8)))),
        ("large categories", replaced("label", cast(&label, &dictionary(DataType::LargeUtf8)))),
    ];
    for (name, columns) in &stored {
        for extension in ["parquet", "arrow", "arrows"] {
            let file = folder.write(&format!("{name}.{extension}"), columns);
            assert_eq!(read(&file, &TableOptions::default()), expected(), "{name}.{extension}");
        }
    }
    // The first bytes tell, whatever the name.
    let named = folder.path("named.csv");
    std::fs::copy(folder.path("plain.parquet"), &named).unwrap();
    assert_eq!(read(&named, &TableOptions::default()), expected());
    let told = TableOptions { format: Some(Format::Csv), ..TableOptions::default() };
    let refused = read(&named, &told);
    assert_eq!(refused, ["f: this is a Parquet file; it is not csv: leave --format out, or say parquet"]);
    let text = folder.write_text("text.parquet", "text,label\na b,c\n");
    let refused = read(&text, &TableOptions::default());
    assert_eq!(refused, ["f: this is no Parquet file and none of Arrow, by its first bytes"]);
}

#[test]
fn columns_that_are_not_needed_are_not_read() {
    let folder = Folder::new();
    for extension in ["parquet", "arrow", "arrows"] {
        let file = folder.write(&format!("table.{extension}"), &plain());
        damage(&file, "aside-aside");
        assert_eq!(read(&file, &TableOptions::default()), expected(), "{extension}");
        let by_number = TableOptions { text: Some(Column::Number(2)), ..TableOptions::default() };
        assert_eq!(read(&file, &by_number), expected(), "{extension}");
        let damaged = TableOptions { text: Some(Column::Name("note".into())), ..TableOptions::default() };
        let refused = read(&file, &damaged);
        assert!(refused.len() == 1 && refused[0].starts_with("f: it cannot be read as a"), "{refused:?}");
    }
}

#[test]
fn columns_without_known_names_are_found_by_what_stands_in_them() {
    let folder = Folder::new();
    let seldom: Vec<String> = (0..7).map(|row| format!("x{row}")).collect();
    let seldom: Vec<&str> = seldom.iter().map(String::as_str).collect();
    let columns = vec![("a", some_texts(&seldom)), ("b", some_texts(&LABELS)), ("c", some_texts(&TEXTS))];
    let file = folder.write("unnamed.parquet", &columns);
    assert_eq!(read(&file, &TableOptions::default()), expected());
    let two = folder.write("two.parquet", &vec![("b", some_texts(&LABELS)), ("c", some_texts(&TEXTS))]);
    assert_eq!(read(&two, &TableOptions::default()), expected());
    let unclear = folder.write("unclear.parquet", &vec![("a", some_texts(&seldom)), ("b", lists(&vec![None; 7]))]);
    let options = TableOptions { text: Some(Column::Name("c".into())), ..TableOptions::default() };
    assert_eq!(read(&unclear, &options), ["f: there is no column \"c\"; the columns are \"a\", \"b\""]);
    let options = TableOptions { text: Some(Column::Name("b".into())), ..TableOptions::default() };
    let refused = read(&unclear, &options);
    assert!(
        refused[0].starts_with("f: the column \"b\" is of the type List(")
            && refused[0].ends_with("texts were expected")
    );
}

#[test]
fn numbers_and_booleans_are_labels_and_null_is_empty() {
    let folder = Folder::new();
    let label = |column: ArrayRef| replaced("label", column);
    let booleans = label(Arc::new(BooleanArray::from(vec![true, false, true, false, true, false, true])));
    let labels = |name: &str, columns: &Columns| -> Vec<String> {
        let file = folder.write(name, columns);
        read(&file, &TableOptions::default()).iter().map(|row| row.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(labels("b.parquet", &booleans)[..2], ["true", "false"]);
    let whole = label(Arc::new(Int64Array::from_iter_values([3, -1, 3, -1, 3, -1, 3])));
    assert_eq!(labels("i.arrow", &whole)[..2], ["3", "-1"]);
    let floats = label(Arc::new(Float64Array::from_iter_values([0.5, 1.0, 0.5, 1.0, 0.5, 1.0, 0.5])));
    assert_eq!(labels("f.arrow", &floats)[..2], ["0.5", "1.0"]);
    let mut holes = LABELS.map(Some);
    holes[4] = None;
    let mut gaps = TEXTS.map(Some);
    gaps[1] = None;
    let columns = vec![("text", texts(&gaps)), ("label", texts(&holes))];
    let file = folder.write("nulls.parquet", &columns);
    let refused = read(&file, &TableOptions::default());
    assert!(refused[0].contains("f, row 2: the text is empty\n  f, row 5: the label is empty"), "{refused:?}");
    let layout = Layout { on_bad_row: Some(OnBadRow::Skip), ..Layout::default() };
    let skipped = read(&file, &TableOptions { layout, ..TableOptions::default() });
    assert_eq!(skipped.len(), 5);
    assert_eq!(skipped[1], "3 food cold soup");
}

#[test]
fn lists_are_the_labels_of_a_text_that_may_have_several() {
    let folder = Folder::new();
    let rows =
        [Some(vec![Some("food"), Some(" hot ")]), Some(vec![]), None, Some(vec![Some("food"), None, Some("food")])];
    let columns = vec![("text", some_texts(&TEXTS[..4])), ("labels", lists(&rows))];
    let several = TableOptions { label_separator: Some('|'), ..TableOptions::default() };
    for name in ["lists.parquet", "lists.arrow"] {
        let file = folder.write(name, &columns);
        let expected = ["1 food|hot hot soup", "2  an old song", "3  cold soup", "4 food a song"];
        assert_eq!(read(&file, &several), expected);
    }
    let file = folder.write("one.parquet", &columns);
    let one = TableOptions { label: Some(Column::Name("labels".into())), ..TableOptions::default() };
    let refused = read(&file, &one);
    assert!(refused[0].contains("f, row 1: the label is a list of 2 labels; one label was expected"), "{refused:?}");
    let joined = folder.write(
        "joined.parquet",
        &vec![("text", some_texts(&TEXTS[..2])), ("labels", some_texts(&["food|hot", "music"]))],
    );
    assert_eq!(read(&joined, &several), ["1 food|hot hot soup", "2 music an old song"]);
}

#[test]
fn kept_columns_are_as_json_has_them() {
    let folder = Folder::new();
    let rows: Vec<_> = (0..7).map(|row| (row > 0).then(|| vec![Some("a"), Some("b")])).collect();
    let columns: Columns = plain()
        .into_iter()
        .chain([
            ("score", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(f64::NAN), None, None, None, None])) as _),
            ("yes", Arc::new(BooleanArray::from(vec![true; 7])) as _),
            ("day", Arc::new(TimestampMillisecondArray::from(vec![1_000; 7]).with_timezone("Europe/Berlin")) as _),
            ("tags", lists(&rows)),
        ])
        .collect();
    let names = ["number", "score", "yes", "day", "tags"];
    let keep = Keep::Columns(names.map(|name| Column::Name(name.into())).to_vec());
    let options = TableOptions { keep, labels: Labels::Ignored, ..TableOptions::default() };
    for name in ["kept.parquet", "kept.arrow"] {
        let (rows, _) = read_rows(&folder.write(name, &columns), &options).unwrap();
        let kept = |row: usize| Value::Object(rows[row].kept.json());
        let day = "1970-01-01T00:00:01Z";
        assert_eq!(kept(0), json!({"number": 0, "score": 0.1, "yes": true, "day": day, "tags": null}), "{name}");
        assert_eq!(kept(1), json!({"number": 1, "score": null, "yes": true, "day": day, "tags": ["a", "b"]}), "{name}");
        assert_eq!(kept(2)["score"], Value::Null);
    }
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_row() {
    let folder = Folder::new();
    let bytes = arrow_array::BinaryArray::from(vec![b"ab".as_slice(), b"a\xFFb", b"c"]);
    let columns = vec![("text", Arc::new(bytes) as ArrayRef), ("label", some_texts(&["x", "y", "x"]))];
    let refused = read(&folder.write("bytes.parquet", &columns), &TableOptions::default());
    assert_eq!(refused, ["f, row 2: the text cannot be read: byte 2 of the value is 0xFF, which is not UTF-8"]);
}

#[test]
fn files_that_are_cut_or_changed_are_refused_and_never_panic() {
    let folder = Folder::new();
    for name in ["cut.parquet", "cut.arrow", "cut.arrows"] {
        let file = folder.write(name, &plain());
        let whole = std::fs::read(&file).unwrap();
        for length in (8..whole.len() - 8).step_by(97) {
            std::fs::write(&file, &whole[..length]).unwrap();
            let _ = read_table(&file, &TableOptions::default());
        }
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert!(read(&file, &TableOptions::default())[0].starts_with("f: it cannot be read as a"), "{name}");
        for place in (8..whole.len()).step_by(11) {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            std::fs::write(&file, &changed).unwrap();
            let _ = read_table(&file, &TableOptions::default());
        }
    }
}
