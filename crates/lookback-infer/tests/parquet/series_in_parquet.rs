//! Numeric series.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Float32Array, Float64Array, Int16Array, Int64Array, TimestampMicrosecondArray,
};
use lookback_infer::data::series::{Missing, Series, SeriesColumns, SeriesOptions, found_in_content, read_series};
use lookback_infer::data::{Column, Format, Layout};

use crate::written::{Columns, Folder, damage, lists, some_texts};

const HOUR: i64 = 3_600_000_000;

/// Three series of two channels, from two to four steps; those of `b` go back in time.
fn steps() -> Columns {
    let ids = ["a", "a", "b", "b", "b", "c", "c", "c", "c"];
    let times = [0, 1, 9, 8, 7, 5, 6, 7, 8].map(|hour| hour * HOUR);
    let speeds = [0.1, 0.2, 1.5e-7, 2.0, 3.0, 0.25, 0.5, 0.75, 1e9];
    let temps = [1, -2, 3, 4, 5, 6, 7, 8, 9];
    vec![
        ("note", some_texts(&["aside-aside"; 9])),
        ("id", some_texts(&ids)),
        ("time", Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("Europe/Berlin"))),
        ("speed", Arc::new(Float64Array::from(speeds.to_vec()))),
        ("temp", Arc::new(Int16Array::from(temps.to_vec()))),
        ("label", some_texts(&["up", "up", "down", "down", "down", "up", "up", "up", "up"])),
    ]
}

fn without(columns: Columns, name: &str) -> Columns {
    columns.into_iter().filter(|(of, _)| *of != name).collect()
}

fn replaced(name: &str, column: ArrayRef) -> Columns {
    steps().into_iter().map(|(of, other)| if of == name { (of, column.clone()) } else { (of, other) }).collect()
}

fn long() -> SeriesOptions {
    SeriesOptions {
        format: Some(Format::CsvLong),
        values: vec![Column::Name("speed".into()), Column::Name("temp".into())],
        ..SeriesOptions::default()
    }
}

fn refused(file: &Path, options: &SeriesOptions) -> String {
    let error = read_series(file, options).expect_err("an error");
    error.to_string().replace(&*file.display().to_string(), "f")
}

#[test]
fn steps_are_read_as_from_text_and_no_other_column_is() {
    let folder = Folder::new();
    let text = "id,time,speed,temp,label\na,0,0.1,1,up\na,1,0.2,-2,up\nb,9,1.5e-7,3,down\nb,8,2,4,down\nb,7,3,5,down\n\
                c,5,0.25,6,up\nc,6,0.5,7,up\nc,7,0.75,8,up\nc,8,1e9,9,up\n";
    let expected: Series = read_series(&folder.write_text("steps.csv", text), &long()).unwrap();
    for name in ["steps.parquet", "steps.arrow", "steps.arrows"] {
        let file = folder.write(name, &steps());
        damage(&file, "aside-aside");
        let found = read_series(&file, &long()).unwrap();
        assert_eq!(found.examples.len(), 3);
        for (found, expected) in found.examples.iter().zip(&expected.examples) {
            assert_eq!((&found.values, found.line), (&expected.values, expected.line - 1), "{name}");
            assert_eq!((found.length, &found.label), (expected.length, &expected.label));
        }
        // The columns of the training data are those that other data need.
        let columns = SeriesColumns { time_format: None, ..expected.columns.clone() };
        let trained = SeriesOptions { trained: Some(columns), values: Vec::new(), ..long() };
        assert_eq!(read_series(&file, &trained).unwrap().examples, found.examples, "{name}");
        assert!(refused(&file, &SeriesOptions { values: Vec::new(), ..long() }).contains("cannot be read as a"));
    }
}

#[test]
fn tables_that_plainly_hold_series_are_known() {
    let folder = Folder::new();
    let format = |file: &Path| found_in_content(file, &Layout::default(), None, false).and_then(|found| found.format);
    assert_eq!(format(&folder.write("steps.parquet", &without(steps(), "note"))), Some(Format::CsvLong));
    let column = |step: usize| Arc::new(Float32Array::from_iter_values((0..4).map(|row| (row * step) as f32 + 0.1)));
    let mut wide: Columns = vec![("label", some_texts(&["up", "down", "up", "down"]))];
    for (step, name) in ["t0", "t1", "t2", "t3"].into_iter().enumerate() {
        wide.push((name, column(step)));
    }
    let file = folder.write("wide.arrow", &wide);
    assert_eq!(format(&file), Some(Format::Wide));
    let series = read_series(&file, &SeriesOptions { format: Some(Format::Wide), ..SeriesOptions::default() }).unwrap();
    assert_eq!(series.examples[3].values, [0.1, 3.1, 6.1, 9.1]);
    assert_eq!((series.examples[3].label.as_deref(), series.examples[3].line), (Some("down"), 4));
    let texts: Columns = vec![
        ("text", some_texts(&["a b"; 4])),
        ("x", Arc::new(Int64Array::from(vec![1; 4]))),
        ("label", some_texts(&["a"; 4])),
    ];
    assert_eq!(format(&folder.write("texts.parquet", &texts)), None);
}

#[test]
fn null_is_a_missing_value_and_errors_name_row_and_channel() {
    let folder = Folder::new();
    let gaps = Float64Array::from(vec![Some(0.5), None, Some(1.0), Some(f64::NAN), None, None, None, None, Some(1.0)]);
    let columns = without(replaced("speed", Arc::new(gaps)), "note");
    let file = folder.write("gaps.parquet", &columns);
    let problem = refused(&file, &long());
    assert!(problem.starts_with("f: 6 rows have missing values; training with --missing mask"), "{problem}");
    assert!(problem.contains("\n  row 2, channel \"speed\", step 2: \"\""), "{problem}");
    let masked = read_series(&file, &SeriesOptions { missing: Missing::Mask, ..long() }).unwrap();
    assert!(masked.examples[0].values[2].is_nan() && masked.examples[0].values[3] == -2.0);
    let infinite = Float64Array::from(vec![1.0, f64::INFINITY, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let file = folder.write("infinite.arrow", &replaced("speed", Arc::new(infinite)));
    let expected = "f, row 2, channel \"speed\", step 2: \"inf\" is not a finite number";
    assert_eq!(refused(&file, &long()), expected);
    let twice = Date32Array::from(vec![1, 1, 2, 3, 4, 5, 6, 7, 8]);
    let file = folder.write("twice.parquet", &replaced("time", Arc::new(twice)));
    let expected =
        "f, row 2: sequence \"a\" has the time \"1970-01-02\" here and on row 1; one row per time was expected";
    assert_eq!(refused(&file, &long()), expected);
    let rows: Vec<_> = (0..9).map(|_| Some(vec![Some("1")])).collect();
    let problem = refused(&folder.write("lists.parquet", &replaced("speed", lists(&rows))), &long());
    let expected = "\n  f, row 5, channel \"speed\", step 1: \"[1]\" is not a finite number";
    assert!(problem.starts_with("f: 3 series cannot be read") && problem.contains(expected), "{problem}");
}

#[test]
fn an_index_of_pandas_is_no_channel() {
    let folder = Folder::new();
    let mut columns = without(steps(), "note");
    columns.push(("__index_level_0__", Arc::new(Int64Array::from_iter_values(0..9))));
    let file = folder.write("indexed.parquet", &columns);
    let series = read_series(&file, &SeriesOptions { values: Vec::new(), ..long() }).unwrap();
    assert_eq!(series.columns.channels, ["speed", "temp"]);
}
