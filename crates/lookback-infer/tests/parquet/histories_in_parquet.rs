//! Histories of series for forecasts.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Date32Array, Float64Array, Int16Array, Int64Array, TimestampMillisecondArray};
use lookback_infer::data::history::{Frequency, Histories, HistoryOptions, StaticValue, read_histories};
use lookback_infer::data::{Column, Format};

use crate::written::{Columns, Folder, damage, some_texts};

const HOUR: i64 = 3_600_000;

/// Two series, one of them over a gap; the target of the other ends before its plan.
fn rows() -> Columns {
    let times = [0, 1, 3, 5, 6, 7].map(|hour| hour * HOUR);
    vec![
        ("note", some_texts(&["aside-aside"; 6])),
        ("unique_id", some_texts(&["a", "a", "a", "b", "b", "b"])),
        ("ds", Arc::new(TimestampMillisecondArray::from(times.to_vec()))),
        ("y", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(1.5), Some(f64::NAN), Some(2.0), None]))),
        ("plan", Arc::new(Int16Array::from(vec![1, 2, 3, 4, 5, 6]))),
        ("size", Arc::new(Int64Array::from(vec![7, 7, 7, 8, 8, 8]))),
    ]
}

fn options() -> HistoryOptions {
    let column = |name: &str| vec![Column::Name(name.to_owned())];
    HistoryOptions { future: column("plan"), statics: column("size"), ..HistoryOptions::default() }
}

fn read(file: &Path, options: &HistoryOptions) -> Histories {
    read_histories(file, options).expect("histories")
}

#[test]
fn rows_are_read_as_from_text_and_no_other_column_is() {
    let folder = Folder::new();
    let text = "unique_id,ds,y,plan,size\na,1970-01-01T00:00:00,0.5,1,7\na,1970-01-01T01:00:00,,2,7\na,1970-01-01T03:00:00,1.5,3,7\n\
                b,1970-01-01T05:00:00,,4,8\nb,1970-01-01T06:00:00,2,5,8\nb,1970-01-01T07:00:00,,6,8\n";
    let expected = read(&folder.write_text("rows.csv", text), &options());
    assert_eq!(expected.columns.frequency, Frequency::Seconds(3600));
    assert_eq!(expected.all[0].statics, [StaticValue::Number(7.0)]);
    assert_eq!((expected.all[1].length, &expected.all[1].future[..]), (2, &[4.0, 5.0, 6.0][..]));
    for name in ["rows.parquet", "rows.arrow", "rows.arrows"] {
        let file = folder.write(name, &rows());
        damage(&file, "aside-aside");
        let found = read(&file, &options());
        assert_eq!(found.columns.format, Format::Parquet);
        // Missing values are not equal to themselves.
        assert_eq!(format!("{:?}", found.all[0].targets), "[0.5, NaN, NaN, 1.5]", "{name}");
        for (found, expected) in found.all.iter().zip(&expected.all) {
            assert_eq!(format!("{:?}", found.future), format!("{:?}", expected.future), "{name}");
            assert_eq!((&found.id, found.start, found.line), (&expected.id, expected.start, expected.line - 1));
            assert_eq!((found.length, &found.statics), (expected.length, &expected.statics), "{name}");
        }
    }
}

#[test]
fn a_column_may_be_a_series_and_errors_name_the_row() {
    let folder = Folder::new();
    let days: Columns = vec![
        ("date", Arc::new(Date32Array::from(vec![30, 58, 89]))),
        ("p", Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), None]))),
        ("q", Arc::new(Float64Array::from(vec![None, Some(3.0), Some(f64::INFINITY)]))),
    ];
    let wide = HistoryOptions { format: Some(Format::Wide), ..HistoryOptions::default() };
    let file = folder.write("wide.parquet", &days);
    let refused = read_histories(&file, &wide).expect_err("an error").to_string();
    let expected = "wide.parquet, row 3: column \"q\": \"inf\" is no finite number; a number was expected, or nothing where it is missing";
    assert!(refused.ends_with(expected), "{refused}");
    let some = HistoryOptions { targets: vec![Column::Name("p".into())], ..wide };
    let Histories { all, columns } = read(&file, &some);
    assert_eq!((&all[0].targets[..], columns.frequency), (&[1.0, 2.0][..], Frequency::MonthEnds(1)));
    assert_eq!(columns.time_text(all[0].start), "1970-01-31");
}
