//! Which column is what, in training data and in others.

use super::*;

#[test]
fn columns_are_found_by_name_or_by_what_they_hold() {
    let day = "[2] [1.0, 2.0]";
    let cases = [
        (
            "names of data sets",
            "item_id,timestamp,target\na,2020-01-01,1\na,2020-01-02,2\n",
            format!("day: 2 \"a\" 2020-01-01 {day}"),
        ),
        ("in any case", "ID,Date,Sales\na,2020-01-01,1\na,2020-01-02,2\n", format!("day: 2 \"a\" 2020-01-01 {day}")),
        ("by what stands there", "Month,#Passengers\n1949-01,1\n1949-02,2\n", format!("month: 2 \"\" 1949-01 {day}")),
        (
            "a known target among numbers",
            "date,price,demand\n2020-01-01,9,1\n2020-01-02,9,2\n",
            format!("day: 2 \"\" 2020-01-01 {day}"),
        ),
        ("a counter of rows", ",ds,p\n0,2020-01-01,1\n1,2020-01-02,2\n", format!("day: 2 \"\" 2020-01-01 {day}")),
        ("words are left aside", "ds,who,p\n2020-01-01,x,1\n2020-01-02,y,2\n", format!("day: 2 \"\" 2020-01-01 {day}")),
    ];
    for (case, content, expected) in cases {
        assert_eq!(read("a.csv", content, &all()), expected, "{case}");
    }
    let numbers =
        HistoryOptions { id: Some(Column::Number(3)), time: Some(Column::Number(1)), targets: names(&["2"]), ..all() };
    assert_eq!(read("a.csv", "1,5,a\n2,6,a\n", &numbers), "1: 1 \"a\" 1 [2] [5.0, 6.0]");
    let told = HistoryOptions { id: Some(Column::Name("who".into())), targets: names(&["p"]), ..all() };
    assert_eq!(read("a.csv", "who,p,y\na,1,7\na,2,8\n", &told), "1: 2 \"a\" 0 [2] [1.0, 2.0]");
}

#[test]
fn what_was_found_is_kept() {
    let options = HistoryOptions { past: names(&["x"]), future: names(&["plan"]), statics: names(&["kind"]), ..all() };
    let table = "id;ds;y;x;plan;kind\na;31/01/2020;1,5;2;3;big\na;29/02/2020;1;2;3;big\n";
    let columns = histories("a.csv", table, &options).expect("histories").columns;
    let kept = serde_json::to_string(&columns).expect("columns");
    let expected = "{\"format\":\"csv-long\",\"header\":true,\"id\":\"id\",\"time\":\"ds\",\"targets\":[\"y\"],\"past\":[\"x\"],\
                    \"future\":[\"plan\"],\"statics\":[\"kind\"],\"static-kinds\":[\"category\"],\"time-format\":\"%d/%m/%Y\",\
                    \"written\":\"%d/%m/%Y\",\"frequency\":\"month end\",\"decimal\":\"comma\"}";
    assert_eq!(kept, expected);
    assert_eq!(serde_json::from_str::<HistoryColumns>(&kept).expect("columns"), columns);
    assert!(serde_json::from_str::<HistoryColumns>(&kept.replace("\"past\"", "\"passed\"")).is_err());
    let wide = histories("a.csv", "ds,p,q\n2020-01-01,1,2\n2020-01-02,1,2\n", &wide()).expect("histories").columns;
    assert_eq!((wide.format, wide.targets.len(), wide.target_count()), (Format::Wide, 0, 1));
    let json = histories("a.json", "[{\"y\":1}]", &all()).expect("histories").columns;
    assert_eq!((json.format, json.target_count()), (Format::Jsonl, 1));
}

#[test]
fn columns_of_other_data_are_those_of_the_training_data() {
    let options = HistoryOptions { past: names(&["x"]), future: names(&["plan"]), statics: names(&["kind"]), ..all() };
    let other = trained(
        "store,day,load,x,plan,kind\na,2020-01-01,1,2,3,big\na,2020-01-02,1,2,3,big\n",
        &HistoryOptions { id: Some(Column::Name("store".into())), targets: names(&["load"]), ..options },
    );
    let swapped = "y,kind,plan,load,Day,more,x,store\n9,big,7,5,2020-02-02,1,8,b\n9,big,6,4,2020-02-01,1,,b\n9,,5,,2020-02-03,1,,b\n";
    let expected =
        "day: 2 \"b\" 2020-02-01 [2] [4.0, 5.0] past [NaN, 8.0] future [6.0, 7.0, 5.0] statics [Category(\"big\")]";
    assert_eq!(read("a.csv", swapped, &other), expected);
    let lines = "{\"store\":\"b\",\"day\":\"2020-02-01\",\"load\":4,\"x\":null,\"plan\":6,\"kind\":\"big\"}\n";
    let expected = "day: 1 \"b\" 2020-02-01 [1] [4.0] past [NaN] future [6.0] statics [Category(\"big\")]";
    assert_eq!(read("a.jsonl", lines, &other), expected);
    for (case, without) in [
        ("the id", "day,load,x,plan,kind"),
        ("a target", "store,day,x,plan,kind"),
        ("a covariate", "store,day,load,x,kind"),
        ("the time", "store,load,x,plan,kind"),
    ] {
        let row =
            without.split(',').map(|name| if name == "day" { "2020-01-01" } else { "1" }).collect::<Vec<_>>().join(",");
        let missing = ["store", "day", "load", "x", "plan", "kind"]
            .into_iter()
            .find(|name| !without.split(',').any(|other| other == *name));
        let present = without.split(',').map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let expected = format!(
            ", line 1: there is no column {missing:?}; the columns are {present}",
            missing = missing.unwrap_or_default()
        );
        assert_eq!(read("a.csv", &format!("{without}\n{row}\n"), &other), expected, "{case}");
    }
    // A column that is told comes before that of the training data.
    let told = HistoryOptions { targets: names(&["y"]), ..trained("ds,p\n2020-01-01,1\n2020-01-02,1\n", &all()) };
    assert_eq!(read("a.csv", "ds,y,p\n2020-01-01,5,6\n", &told), "day: 2 \"\" 2020-01-01 [1] [5.0]");
    let more = HistoryOptions { targets: names(&["y", "p"]), ..told };
    assert_eq!(
        read("a.csv", "ds,y,p\n2020-01-01,5,6\n", &more),
        ": 2 targets told or found, but the training data had 1"
    );
}

#[test]
fn other_data_may_be_laid_out_in_another_way() {
    let by_rows = trained("id,ds,y\na,2020-01-01,1\na,2020-01-02,1\n", &all());
    let as_columns =
        HistoryOptions { time: Some(Column::Name("date".into())), format: Some(Format::Wide), ..by_rows.clone() };
    let table = "date,p\n2020-02-01,1\n2020-02-02,2\n";
    assert_eq!(read("a.csv", table, &as_columns), "day: 2 \"p\" 2020-02-01 [2] [1.0, 2.0]");
    let by_columns = trained("date,p,q\n2020-01-01,1,2\n2020-01-02,1,2\n", &wide());
    assert_eq!(read("a.csv", table, &by_columns), "day: 2 \"p\" 2020-02-01 [2] [1.0, 2.0]", "other series");
    let as_rows = HistoryOptions { format: Some(Format::CsvLong), ..by_columns };
    let rows = "id,ds,y\na,2020-01-01,1\nb,2020-01-01,2\n";
    assert_eq!(read("a.csv", rows, &as_rows), "day: 2 \"a\" 2020-01-01 [1] [1.0]; 3 \"b\" 2020-01-01 [1] [2.0]");
    let with_past =
        trained("ds,y,x\n2020-01-01,1,1\n2020-01-02,1,1\n", &HistoryOptions { past: names(&["x"]), ..all() });
    assert_eq!(
        read("a.csv", table, &HistoryOptions { format: Some(Format::Wide), ..with_past }),
        ": a table with a column per series (wide) has one target and nothing else, but the training data had the columns \"y\", \"x\"; --format csv-long reads a table with those"
    );
    // Without headers columns are found by their numbers.
    let bare = trained("2020-01-01,1\n2020-01-02,1\n", &all());
    assert_eq!(read("a.csv", "2020-02-01,5\n", &bare), "day: 1 \"\" 2020-02-01 [1] [5.0]");
    let headless = HistoryOptions { header: Some(false), ..by_rows };
    assert_eq!(
        read("a.csv", "a,2020-01-01,1\n", &headless),
        ": column \"y\" is asked for by name, but the file has no header; give the column's number, or say --header yes"
    );
}
