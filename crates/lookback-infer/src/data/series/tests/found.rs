//! What is found out of files that people have.

use super::*;

#[test]
fn columns_that_count_rows_are_no_channels() {
    let expected = "2 p [2,1] [0.5, 7.0]";
    for index in ["", "Unnamed: 0"] {
        let table = format!("{index},id,time,x,label\n0,a,0,0.5,p\n1,a,1,7,p\n");
        assert_eq!(read("a.csv", &table, &SeriesOptions::default()), expected, "{index:?}");
        let rows = format!("{index},label,s0,s1\n0,p,0.5,7\n1,q,1,2\n");
        assert_eq!(read("a.csv", &rows, &wide()), "2 p [2,1] [0.5, 7.0]; 3 q [2,1] [1.0, 2.0]", "{index:?}");
    }
    let nameless = "id,,x,label\na,0.5,1,p\n";
    assert_eq!(read("a.csv", nameless, &SeriesOptions::default()), "2 p [1,2] [0.5, 1.0]", "it does not count");
}

#[test]
fn channels_are_found_by_the_names_of_the_training_data() {
    let other = "label,y,id,more,x\np,2,a,9,1\n";
    assert_eq!(read("a.csv", other, &trained(&["x", "y"])), "2 p [1,2] [1.0, 2.0]");
    assert_eq!(read("a.csv", "id,Y,X,label\na,2,1,p\n", &trained(&["x", "y"])), "2 p [1,2] [1.0, 2.0]");
    assert_eq!(read("a.csv", "id,x,x,label\na,2,1,p\n", &trained(&["x", "x"])), "2 p [1,2] [2.0, 1.0]");
}

#[test]
fn numbers_of_columns_are_those_of_the_training_data() {
    let told = long("1", "2", "4", &["3"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.csv");
    fs::write(&path, "who,when,x,kind\na,1,5,p\n").expect("a small file");
    let columns = read_series(&path, &told).expect("a series").columns;
    let other = SeriesOptions { trained: Some(columns), ..told };
    let swapped = "kind,x,more,when,who\np,5,0,2,a\np,6,0,1,a\n";
    assert_eq!(read("a.csv", swapped, &other), "2 p [2,1] [6.0, 5.0]");
    let bare = SeriesOptions { header: Some(false), values: long("", "", "", &["x"]).values, ..other.clone() };
    assert_eq!(read("a.csv", "a,1,5,p\n", &bare), "1 p [1,1] [5.0]", "names say nothing where there are none");
    let unlabelled = SeriesOptions { labels: Labels::Ignored, ..other };
    assert_eq!(read("a.csv", "who,when,y,x\na,1,7,5\n", &unlabelled), "2 - [1,1] [5.0]", "column 4 is no label here");
}

#[test]
fn series_that_cannot_be_read_are_named_together_or_left_out() {
    let table = "id,t,x,label\na,0,1,p\nb,0,x,p\nc,0,1,p\nc,1,1,q\nd,0,?,p\ne,0,1,p\ne,0,1,p\nf,0,3,q\n";
    let stopped = read("a.csv", &table.replace('?', "5"), &SeriesOptions::default());
    assert!(stopped.starts_with(": 3 series cannot be read; --on-bad-row skip leaves them out\n"), "{stopped}");
    for part in ["line 3, channel \"x\"", "line 5: sequence \"c\" has the label \"q\"", "line 8: sequence \"e\""] {
        assert!(stopped.contains(part), "{part}: {stopped}");
    }
    let layout = Layout { on_bad_row: Some(OnBadRow::Skip), ..Layout::default() };
    let skip = || SeriesOptions { layout: layout.clone(), ..SeriesOptions::default() };
    assert_eq!(read("a.csv", table, &skip()), "2 p [1,1] [1.0]; 9 q [1,1] [3.0]");
    assert_eq!(read("a.ts", &format!("{HEADER}1,2:3:a\n1:x:b\n4:5:b\n"), &skip()), "13 b [1,2] [4.0, 5.0]");
    let wide = SeriesOptions { format: Some(Format::Wide), ..skip() };
    assert_eq!(read("a.csv", "p,1,2\n,1,2\nq,3,4\n", &wide), "1 p [2,1] [1.0, 2.0]; 3 q [2,1] [3.0, 4.0]");
    assert_eq!(read("a.csv", "id,x,label\na,y,p\n", &skip()), " holds no examples");
}

#[test]
fn decimal_commas_are_read() {
    let commas = "id;time;x;label\na;0,5;1,25;p\na;0,25;-3;p\n";
    assert_eq!(read("a.csv", commas, &SeriesOptions::default()), "2 p [2,1] [-3.0, 1.25]");
    assert_eq!(read("a.csv", "p;0,5;1,5\nq;1,5;2,5\n", &wide()), "1 p [2,1] [0.5, 1.5]; 2 q [2,1] [1.5, 2.5]");
    let told = SeriesLayout { decimal: Some(Decimal::Point), ..SeriesLayout::default() };
    // 25 comes behind 5.
    let refused = read("a.csv", &commas.replace("0,", ""), &SeriesOptions { series: told, ..SeriesOptions::default() });
    assert_eq!(refused, ", line 2, channel \"x\", step 1: \"1,25\" is not a finite number");
}

#[test]
fn missing_values_are_read_where_they_are_masked() {
    let table = "id,x,y,label\na,?,1,p\na,2,N/A,p\n";
    assert_eq!(read("a.csv", table, &mask()), "2 p [2,2] [NaN, 1.0, 2.0, NaN]");
    let padded = format!("{HEADER}1,NaN,3,NaN:4,5,6,NaN:a\n");
    assert_eq!(read("a.ts", &padded, &mask()), "11 a [3,2] [1.0, 4.0, NaN, 5.0, 3.0, 6.0]");
    let dense = "id,x,label\na,1,p\n";
    assert_eq!(read("a.csv", dense, &mask()), read("a.csv", dense, &SeriesOptions::default()));
    let wide = SeriesOptions { missing: Missing::Mask, ..wide() };
    assert_eq!(read("a.tsv", "1\t1\tNaN\t3\n2\t4\tNaN\tNaN\n", &wide), "1 1 [3,1] [1.0, NaN, 3.0]; 2 2 [1,1] [4.0]");
}

#[test]
fn time_stamps_order_the_steps() {
    let start = "@timeStamps true\n@classLabel true a b\n@data\n";
    let numbers = format!("{start}(10,3),(9,2):(9,4),(10,5):a\n");
    assert_eq!(read("a.ts", &numbers, &SeriesOptions::default()), "4 a [2,2] [2.0, 4.0, 3.0, 5.0]");
    let dates = format!("{start}(2024-01-10 08:00:00,3),(2024-01-09 08:00:00,2):b\n");
    assert_eq!(read("a.ts", &dates, &SeriesOptions::default()), "4 b [2,1] [2.0, 3.0]");
}

#[test]
fn the_label_may_stand_in_the_first_row_alone() {
    let first = SeriesOptions {
        series: SeriesLayout { label_per: Some(LabelPer::First), ..SeriesLayout::default() },
        ..SeriesOptions::default()
    };
    assert_eq!(read("a.csv", "id,t,x,label\na,1,1,p\na,0,2,\n", &first), "2 p [2,1] [2.0, 1.0]");
    assert_eq!(read("a.csv", "id,x,label\na,1,\na,2,p\n", &first), ", line 2: the label is empty");
}

#[test]
fn a_row_may_be_a_series() {
    let headed = "label,t0,t1,t2\np,1,2,3\nq,4,5,\n";
    assert_eq!(read("a.csv", headed, &wide()), "2 p [3,1] [1.0, 2.0, 3.0]; 3 q [2,1] [4.0, 5.0]");
    let counted = "label,0,1,2\np,1,2,4\nq,4,5,7\n";
    assert_eq!(read("a.csv", counted, &wide()), "2 p [3,1] [1.0, 2.0, 4.0]; 3 q [3,1] [4.0, 5.0, 7.0]");
    assert_eq!(read("a.csv", "1,2,p\n3,4,q\n", &wide()), "1 p [2,1] [1.0, 2.0]; 2 q [2,1] [3.0, 4.0]");
    assert_eq!(read("a.tsv", "1\t2\t3\n2\t4\t5\n", &wide()), "1 1 [2,1] [2.0, 3.0]; 2 2 [2,1] [4.0, 5.0]");
    assert_eq!(read("a.csv", "p,1,2\nq,3\n", &wide()), "1 p [2,1] [1.0, 2.0]; 2 q [1,1] [3.0]", "a row ends before");
    assert_eq!(
        read("a.csv", "label,t0,t1\np,1\nq,3,4,5\n", &wide()),
        ", line 3: the row has 4 fields; 3 expected as on line 1; a field that holds a comma must stand in quotes"
    );
    assert!(read("a.csv", "a,b,c\n1,2,3\n", &wide()).contains("cannot tell which column holds the label"));
    assert_eq!(read("a.csv", "1,,NaN\n", &wide()), ", line 1: the series has no value");
    assert_eq!(
        read("a.csv", "p,1,x,2\nq,1,2,2\n", &wide()),
        ", line 1: cannot tell which column holds the label; say with --label which of \"p\", \"1\", \"x\", \"2\" it is, by name or number"
    );
    let columns =
        Some(SeriesColumns { wide: Some(WideColumns { width: 3, label: Some(0) }), ..SeriesColumns::default() });
    let answer = SeriesOptions { labels: Labels::Ignored, trained: columns, ..wide() };
    assert_eq!(read("a.tsv", "1\t2\t3\n", &answer), "1 - [2,1] [2.0, 3.0]", "as long as in training: with a label");
    assert_eq!(read("a.tsv", "2\t3\n", &answer), "1 - [2,1] [2.0, 3.0]", "shorter by one: without");
    assert!(read("a.tsv", "2\t3\t4\t5\n", &answer).contains("cannot be told"));
}

#[test]
fn a_table_that_plainly_holds_series_is_known_by_its_content() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let found = |content: &str| {
        let path = folder.path().join("a.csv");
        fs::write(&path, content).expect("a small file");
        found_in_content(&path, &Layout::default(), None, false).and_then(|found| found.format)
    };
    assert_eq!(found("id,time,x,label\na,0,1,p\na,1,2,p\nb,0,1,q\nb,1,2,q\n"), Some(Format::CsvLong));
    assert_eq!(found("label,t0,t1,t2\np,1,2,3\nq,1,2,3\np,3,4,6\n"), Some(Format::Wide));
    let archive = "1,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8\n";
    assert_eq!(found(&archive.repeat(4)), Some(Format::Wide));
    assert_eq!(found(&format!("{archive}2,0.5,0.5,0.1\n").repeat(4)), Some(Format::Wide), "rows end before others");
    assert_eq!(found("id,x,label\na,1,p\na,2,p\nb,1,q\nb,x1,q\n"), None, "one of four is no number");
    let mistake = "id,x,label\n".to_owned() + &"a,1,p\nb,2,q\n".repeat(9) + "b,x,q\n";
    assert_eq!(found(&mistake), Some(Format::CsvLong), "a mistake, which is told when the file is read");
    assert_eq!(found("id,text,label\n1,a b,p\n1,c d,q\n2,e f,p\n2,g h,q\n"), None);
    assert_eq!(found("sepal,petal,kind\n1,2,a\n2,1,b\n3,3,a\n"), None, "measures in no order");
}
