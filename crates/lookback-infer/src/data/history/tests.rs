//! What files of histories give, case by case.

mod columns;
mod frequencies;
mod refused;
mod told;

use std::fs;

use super::*;

/// The frequency and the series as "line id start [T] targets", with covariates and values of the whole series where there are
/// any; or the error after the file's name.
fn read(name: &str, content: &str, options: &HistoryOptions) -> String {
    match histories(name, content, options) {
        Ok(histories) => shown(&histories),
        Err(error) => error.to_string().split_once(name).map_or_else(|| error.to_string(), |(_, rest)| rest.to_owned()),
    }
}

fn histories(name: &str, content: &str, options: &HistoryOptions) -> Result<Histories, DataError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a small file");
    read_histories(&path, options)
}

fn shown(Histories { all, columns }: &Histories) -> String {
    let show = |history: &History| {
        let History { id, line, start, length, targets, past, future, statics } = history;
        let mut shown = format!("{line} {id:?} {} [{length}] {targets:?}", columns.time_text(*start));
        for (role, values) in [("past", past), ("future", future)] {
            if !values.is_empty() {
                shown.push_str(&format!(" {role} {values:?}"));
            }
        }
        if !statics.is_empty() {
            shown.push_str(&format!(" statics {statics:?}"));
        }
        shown
    };
    format!("{}: {}", columns.frequency, all.iter().map(show).collect::<Vec<_>>().join("; "))
}

fn all() -> HistoryOptions {
    HistoryOptions::default()
}

fn names(names: &[&str]) -> Vec<Column> {
    names.iter().map(|name| name.parse().expect("a column is any text")).collect()
}

fn wide() -> HistoryOptions {
    HistoryOptions { format: Some(Format::Wide), ..all() }
}

/// For other data of a model that was trained on this file.
fn trained(content: &str, options: &HistoryOptions) -> HistoryOptions {
    let columns = histories("trained.csv", content, options).expect("histories").columns;
    HistoryOptions { trained: Some(columns), ..all() }
}

#[test]
fn rows_of_a_series_are_sorted_by_time() {
    let table = "unique_id,ds,y\na,2020-01-03,3\nb,2020-01-02,7\na,2020-01-01,1\na,2020-01-02,2\nb,2020-01-03,8\n";
    let expected = "day: 2 \"a\" 2020-01-01 [3] [1.0, 2.0, 3.0]; 3 \"b\" 2020-01-02 [2] [7.0, 8.0]";
    assert_eq!(read("a.csv", table, &all()), expected);
    assert_eq!(read("a.tsv", &table.replace(',', "\t"), &all()), expected);
    assert_eq!(read("a.csv", &table.replace(',', ";"), &all()), expected);
    let told = HistoryOptions { format: Some(Format::CsvLong), ..all() };
    assert_eq!(read("a.txt", &table.replace(',', "|"), &told), expected);
}

#[test]
fn without_times_rows_stand_in_order_and_without_ids_they_are_one_series() {
    assert_eq!(read("a.csv", "y\n3\n1\n2\n", &all()), "1: 2 \"\" 0 [3] [3.0, 1.0, 2.0]");
    assert_eq!(read("a.csv", "3\n1\n2\n", &all()), "1: 1 \"\" 0 [3] [3.0, 1.0, 2.0]");
    assert_eq!(read("a.csv", "id,y\nb,1\na,2\nb,3\n", &all()), "1: 2 \"b\" 0 [2] [1.0, 3.0]; 3 \"a\" 0 [1] [2.0]");
    let numbered = HistoryOptions { id: Some(Column::Number(1)), ..all() };
    assert_eq!(read("a.csv", "t,1\ny,1\nt,2\n", &numbered), "1: 1 \"t\" 0 [2] [1.0, 2.0]; 2 \"y\" 0 [1] [1.0]");
    let dated = "2020-01-02,5\n2020-01-01,4\n";
    assert_eq!(read("a.csv", dated, &all()), "day: 1 \"\" 2020-01-01 [2] [4.0, 5.0]");
}

#[test]
fn json_is_an_object_per_step() {
    let lines = "{\"id\":\"a\",\"time\":2,\"y\":1.5}\n\n{\"id\":\"a\",\"time\":1,\"y\":null}\n{\"time\":3,\"id\":\"a\",\"y\":2}\n";
    let expected = "1: 1 \"a\" 2 [2] [1.5, 2.0]";
    assert_eq!(read("a.jsonl", lines, &all()), expected);
    let told = HistoryOptions { format: Some(Format::Jsonl), ..all() };
    assert_eq!(
        read("a.txt", &format!("[{}]", lines.trim().replace("\n\n", ",").replace("}\n{", "},{")), &told),
        expected
    );
    let deep = "{\"at\":\"2020-01-01\",\"data\":{\"x\":1,\"z\":5}}\n{\"at\":\"2020-01-02\",\"data\":{\"x\":2}}\n";
    let told = HistoryOptions { targets: names(&["data.x"]), past: names(&["data.z"]), ..all() };
    assert_eq!(read("a.jsonl", deep, &told), "day: 1 \"\" 2020-01-01 [2] [1.0, 2.0] past [5.0, NaN]");
    let by_series = "{\"date\":\"2020-01-01\",\"p\":1}\n{\"date\":\"2020-01-02\",\"p\":2,\"q\":3}\n";
    let expected = "day: 1 \"p\" 2020-01-01 [2] [1.0, 2.0]; 2 \"q\" 2020-01-02 [1] [3.0]";
    assert_eq!(read("a.jsonl", by_series, &wide()), expected);
}

#[test]
fn a_column_may_be_a_series() {
    let table = "date,p,q,r\n2020-01-03,3,,\n2020-01-01,1,,\n2020-01-02,NaN,7,\n";
    let expected =
        "day: 3 \"p\" 2020-01-01 [3] [1.0, NaN, 3.0]; 4 \"q\" 2020-01-02 [1] [7.0]; 3 \"r\" 2020-01-01 [0] []";
    assert_eq!(read("a.csv", table, &wide()), expected);
    let told = HistoryOptions { targets: names(&["q"]), ..wide() };
    assert_eq!(read("a.csv", table, &told), "day: 4 \"q\" 2020-01-02 [1] [7.0]");
    let training = HistoryOptions { ends_at_target: true, ..wide() };
    assert_eq!(read("a.csv", table, &training), expected.rsplit_once("; ").expect("three series").0);
    // The first column holds no numbers, whatever it is called; one that counts rows is none.
    let index = ",p\n2020-01-01,1\n2020-01-02,2\n";
    assert_eq!(read("a.csv", index, &wide()), "day: 2 \"p\" 2020-01-01 [2] [1.0, 2.0]");
    assert_eq!(read("a.csv", ",p\n0,1\n1,2\n", &wide()), "1: 2 \"p\" 0 [2] [1.0, 2.0]");
    assert_eq!(read("a.csv", "p,q\n1,\n2,5\n", &wide()), "1: 2 \"p\" 0 [2] [1.0, 2.0]; 3 \"q\" 1 [1] [5.0]");
    let gap = "t,p\n1,1\n2,\n4,3\n5,4\n";
    assert_eq!(read("a.csv", gap, &wide()), "1: 2 \"p\" 1 [5] [1.0, NaN, NaN, 3.0, 4.0]");
}

#[test]
fn missing_values_and_gaps_are_steps_without_values() {
    let table = "time,y\n1,\n2,NaN\n3,5\n4,?\n7,6\n8,NA\n9,null\n";
    assert_eq!(read("a.csv", table, &all()), "1: 2 \"\" 3 [5] [5.0, NaN, NaN, NaN, 6.0]");
    let two = HistoryOptions { targets: names(&["y", "z"]), ..all() };
    let table = "time,z,y\n1,2,\n2,,1\n4,,\n5,3,3\n6,,\n";
    let expected = "1: 2 \"\" 1 [5] [NaN, 2.0, 1.0, NaN, NaN, NaN, NaN, NaN, 3.0, 3.0]";
    assert_eq!(read("a.csv", table, &two), expected);
    assert_eq!(read("a.csv", "time,y\n1,\n2,\n", &all()), "1: 2 \"\" 1 [0] []");
}

#[test]
fn future_covariates_go_on_behind_the_target() {
    let table = "id,time,y,seen,plan\na,1,5,8,1\na,2,6,9,\na,3,,,0\na,5,,,1\na,6,,,\nb,1,,,7\nb,2,,,\n";
    let options = HistoryOptions { past: names(&["seen"]), future: names(&["plan"]), ..all() };
    let of_a = "1: 2 \"a\" 1 [2] [5.0, 6.0] past [8.0, 9.0] future [1.0, NaN, 0.0, NaN, 1.0]";
    assert_eq!(read("a.csv", table, &options), format!("{of_a}; 7 \"b\" 1 [0] [] future [7.0]"));
    // In training a series without a target is left out; in prediction past covariates behind the target are.
    let training = HistoryOptions { ends_at_target: true, ..options.clone() };
    assert_eq!(read("a.csv", table, &training), of_a);
    let more = table.replace("a,3,,,0", "a,3,,4,0");
    assert_eq!(read("a.csv", &more, &options), format!("{of_a}; 7 \"b\" 1 [0] [] future [7.0]"));
    // What comes before the first target is kept, where it has any value.
    let before = "time,y,seen\n1,,\n2,,4\n3,5,\n";
    let options = HistoryOptions { past: names(&["seen"]), ..all() };
    assert_eq!(read("a.csv", before, &options), "1: 2 \"\" 2 [2] [NaN, 5.0] past [4.0, NaN]");
}

#[test]
fn a_series_has_values_of_its_own() {
    let table = "id,y,size,kind,code\na,1,2.5,x,1\na,2,,,1.0\nb,3,7,NA,2\nb,4,7.0,,2\n";
    let options = HistoryOptions { statics: names(&["size", "kind", "code"]), ..all() };
    let expected = "1: 2 \"a\" 0 [2] [1.0, 2.0] statics [Number(2.5), Category(\"x\"), Number(1.0)]; \
                    4 \"b\" 0 [2] [3.0, 4.0] statics [Number(7.0), Missing, Number(2.0)]";
    assert_eq!(read("a.csv", table, &options), expected);
    // What a column holds is what it held in the training data.
    let other = trained("id,y,kind\na,1,x\nb,1,3\n", &HistoryOptions { statics: names(&["kind"]), ..all() });
    assert_eq!(read("a.csv", "id,y,kind\nb,1,3\n", &other), "1: 2 \"b\" 0 [1] [1.0] statics [Category(\"3\")]");
}

#[test]
fn decimal_commas_are_read() {
    let table = "id;time;y;x\na;1;0,5;1,25\na;2;0,25;2\n";
    let options = HistoryOptions { past: names(&["x"]), ..all() };
    assert_eq!(read("a.csv", table, &options), "1: 2 \"a\" 1 [2] [0.5, 0.25] past [1.25, 2.0]");
    assert_eq!(
        read("a.csv", "date;p\n2020-01-01;1,5\n2020-01-02;2\n", &wide()),
        "day: 2 \"p\" 2020-01-01 [2] [1.5, 2.0]"
    );
    // As many commas as semicolons in each row.
    assert_eq!(read("a.csv", "1,5;2,5\n3,5;4,5\n", &wide()), "1: 1 \"1\" 0 [2] [1.5, 3.5]; 1 \"2\" 0 [2] [2.5, 4.5]");
}

proptest::proptest! {
    #[test]
    fn no_content_makes_the_reader_panic(content in "([0-9a,\"\n\r:@#?é{}\\-]|id,time,y\n|2020-0|,x,|\n[0-9],[0-9],[0-9]\n){0,30}") {
        let training = HistoryOptions { ends_at_target: true, future: names(&["x"]), ..all() };
        let number = HistoryOptions { id: Some(Column::Number(1)), time: Some(Column::Number(2)), ..all() };
        for options in [all(), wide(), training, number] {
            for name in ["a.csv", "a.jsonl"] {
                let _ = read(name, &content, &options);
            }
        }
    }
}
