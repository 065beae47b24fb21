//! What series files give and what they refuse, case by case.

mod found;

use std::fs;

use super::*;

/// The examples as "line label [T,C] values", or the error after the file's name.
fn read(name: &str, content: &str, options: &SeriesOptions) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a small file");
    match read_series(&path, options) {
        Ok(Series { examples, .. }) => {
            let show = |example: &SeriesExample| {
                let SeriesExample { values, length, channels, label, line } = example;
                format!("{line} {} [{length},{channels}] {values:?}", label.as_deref().unwrap_or("-"))
            };
            examples.iter().map(show).collect::<Vec<_>>().join("; ")
        }
        Err(error) => error.to_string().split_once(name).map_or_else(|| error.to_string(), |(_, rest)| rest.to_owned()),
    }
}

const HEADER: &str = "# a comment\n@problemName toy\n@timestamps false\n@missing false\n@univariate false\n\
                      @dimension 2\n@equalLength false\n@classLabel true a b\n\n@data\n";

#[test]
fn ts_files_are_read_with_their_header() {
    let long = format!("{HEADER}1,2,3:4,5,6:a\r\n# between\n7:8:b\n");
    let expected = "11 a [3,2] [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]; 13 b [1,2] [7.0, 8.0]";
    assert_eq!(read("a.ts", &long, &SeriesOptions::default()), expected);
    let ignored = SeriesOptions { labels: Labels::Ignored, ..SeriesOptions::default() };
    assert_eq!(read("a.ts", &format!("{HEADER}7:8:b\n"), &ignored), "11 - [1,2] [7.0, 8.0]");
    assert_eq!(read("a.ts", "@DATA\n7,1e1:8,-0.5\n", &ignored), "2 - [2,2] [7.0, 8.0, 10.0, -0.5]");
    let univariate = "@univariate true\n@equalLength true\n@seriesLength 2\n@classLabel true\n@data\n1,2:x\n";
    assert_eq!(read("a.ts", univariate, &SeriesOptions::default()), "6 x [2,1] [1.0, 2.0]");
}

#[test]
fn wrong_ts_files_are_told_with_line_channel_and_step() {
    let below = |rows: &str| format!("{HEADER}{rows}\n");
    let cases = [
        (
            "a gap",
            below("1,2:3,?:a"),
            ", line 11, channel 2, step 2: \"?\" is a missing value; training with --missing mask reads it",
        ),
        (
            "NaN",
            below("1,2:3,4:a\n1,NaN:3,4:b"),
            ", line 12, channel 1, step 2: \"NaN\" is a missing value; training with --missing mask reads it",
        ),
        (
            "several gaps",
            below("1,?,3:3,?,5:a\n1,2:3,4:a\nNaN,2:3,4:b"),
            ": 2 lines have missing values; training with --missing mask reads them\n",
        ),
        ("padding alone", below("NaN,NaN:NaN,NaN:a"), ", line 11: the sequence has no value"),
        (
            "infinite",
            below("1e99,2:3,4:a"),
            ", line 11, channel 1, step 1: \"1e99\" is more than 32 bits hold, in which series are read (3.4e38 either way); scale the channel",
        ),
        ("no number", below("1,x:3,4:a"), ", line 11, channel 1, step 2: \"x\" is not a finite number"),
        ("an empty channel", below("1,2::a"), ", line 11: channel 2 has 1 value but channel 1 has 2; as many expected"),
        (
            "unequal channels",
            below("1,2:3:a"),
            ", line 11: channel 2 has 1 value but channel 1 has 2; as many expected",
        ),
        ("too many channels", below("1:2:3:a"), ", line 11: the sequence has 3 channels; 2 expected"),
        (
            "undeclared label",
            below("1:2:z"),
            ", line 11: the label \"z\" is not among those of \"@classLabel\", \"a\", \"b\"",
        ),
        ("empty label", below("1:2:"), ", line 11: the label is empty"),
        ("no label", below("1,2"), ", line 11: no \":\" was found; the channels and then the label were expected"),
        ("no examples", below(""), " holds no examples"),
        (
            "no @data",
            "@univariate true\n1,2:a".to_owned(),
            ", line 2: a line that starts with \"@\" was expected before \"@data\"",
        ),
        ("header only", "@univariate true\n".to_owned(), ", line 1: the file ends without a line \"@data\""),
        (
            "no labels told",
            "@data\n1:a".to_owned(),
            ", line 1: no line \"@classLabel true ...\" before \"@data\"; labels were expected",
        ),
        (
            "a wrong flag",
            "@univariate yes\n@data".to_owned(),
            ", line 1: @univariate is \"yes\"; true or false was expected",
        ),
        (
            "a wrong number",
            "@dimension 0\n@data".to_owned(),
            ", line 1: @dimension is \"0\"; a number above 0 was expected",
        ),
        (
            "values without their time stamps",
            "@timeStamps true\n@classLabel true\n@data\n(0,1),2:a".to_owned(),
            ", line 4: channel 1, step 2: \"2\" stands where (time,value) was expected",
        ),
        (
            "a time stamp twice",
            "@timeStamps true\n@classLabel true\n@data\n(0,1),(0.0,2):a".to_owned(),
            ", line 4: channel 1 has the time \"0.0\" twice; one value a time was expected",
        ),
        (
            "channels of other times",
            "@timeStamps true\n@classLabel true\n@data\n(0,1),(1,2):(0,1),(2,2):a".to_owned(),
            ", line 4: channel 2 has other times than channel 1; the same were expected",
        ),
        (
            "a wrong length",
            "@seriesLength 3\n@classLabel true\n@data\n1,2:a".to_owned(),
            ", line 4: the sequence has 2 steps; 3 expected by \"@seriesLength\"",
        ),
        (
            "lengths told equal",
            "@equalLength true\n@classLabel true\n@data\n1,2:a\n1:a".to_owned(),
            ", line 5: the sequence has 1 step; 2 expected as on line 4 by \"@equalLength true\"",
        ),
        (
            "channels told by none",
            "@classLabel true\n@data\n1:2:a\n1:a".to_owned(),
            ", line 4: the sequence has 1 channel; 2 expected",
        ),
    ];
    for (case, content, expected) in cases {
        let found = read("a.ts", &content, &SeriesOptions::default());
        let of_first_line = found.split_inclusive('\n').next().unwrap_or_default();
        assert_eq!(of_first_line, expected, "{case}");
    }
}

fn long(id: &str, time: &str, label: &str, values: &[&str]) -> SeriesOptions {
    let column = |name: &str| (!name.is_empty()).then(|| name.parse().expect("a column is any text"));
    SeriesOptions {
        id: column(id),
        time: column(time),
        label: column(label),
        values: values.iter().filter_map(|name| column(name)).collect(),
        ..SeriesOptions::default()
    }
}

#[test]
fn long_form_gathers_and_orders_the_rows_of_a_sequence() {
    let known = "id,time,x,y,label\na,1,3,4,p\nb,0,5,6,q\na,0,1,2,p\n";
    let expected = "2 p [2,2] [1.0, 2.0, 3.0, 4.0]; 3 q [1,2] [5.0, 6.0]";
    assert_eq!(read("a.csv", known, &SeriesOptions::default()), expected);
    let unordered = "case,x,class\n1,3,p\n1,1,p\n2,9,q\n";
    assert_eq!(read("a.csv", unordered, &SeriesOptions::default()), "2 p [2,1] [3.0, 1.0]; 4 q [1,1] [9.0]");
    let numbered = "p,7,1\np,7,2\n";
    assert_eq!(read("a.csv", numbered, &long("2", "", "1", &[])), "1 p [2,1] [1.0, 2.0]");
    assert_eq!(read("a.csv", &format!("l,i,v\n{numbered}"), &long("2", "", "1", &[])), "2 p [2,1] [1.0, 2.0]");
    let chosen = "who,when,x,skip,y,what\na,2020-02-01,1,n,2,p\na,2020-01-31,3,n,4,p\n";
    assert_eq!(read("a.csv", chosen, &long("who", "when", "what", &["y", "x"])), "2 p [2,2] [4.0, 3.0, 2.0, 1.0]");
    let numeric = "id,t,x,label\na,10,2,p\na,9,1,p\n";
    assert_eq!(read("a.csv", numeric, &SeriesOptions::default()), "2 p [2,1] [1.0, 2.0]");
    let ignored = SeriesOptions { labels: Labels::Ignored, ..SeriesOptions::default() };
    assert_eq!(read("a.csv", known, &ignored), "2 - [2,2] [1.0, 2.0, 3.0, 4.0]; 3 - [1,2] [5.0, 6.0]");
    assert_eq!(read("a.csv", "id,x,y\na,1,2\n", &ignored), "2 - [1,2] [1.0, 2.0]");
}

#[test]
fn wrong_long_form_files_are_told() {
    let all = SeriesOptions::default;
    let cases = [
        (
            "no id",
            "x,label\n1,p\n",
            all(),
            ", line 1: cannot tell which column holds the id of the sequence; say with --id which of \"x\", \"label\" it is, by name or number",
        ),
        (
            "no label",
            "id,x\n1,2\n",
            all(),
            ", line 1: cannot tell which column holds the label; say with --label which of \"id\", \"x\" it is, by name or number",
        ),
        (
            "no values",
            "id,label\n1,2\n",
            all(),
            ", line 1: cannot tell which column holds the values; say with --values which of \"id\", \"label\" it is, by name or number",
        ),
        (
            "no such column",
            "id,x,label\n1,2,p\n",
            long("", "", "", &["z"]),
            ", line 1: there is no column \"z\"; the columns are \"id\", \"x\", \"label\"",
        ),
        (
            "one column twice",
            "id,x,label\n1,2,p\n",
            long("id", "", "", &["id"]),
            ": the id and the values cannot both be column 1 (\"id\")",
        ),
        (
            "NaN",
            "id,x,label\na,1,p\na,nan,p\n",
            all(),
            ", line 3, channel \"x\", step 2: \"nan\" is a missing value; training with --missing mask reads it",
        ),
        (
            "a gap",
            "id,x,label\na,,p\n",
            all(),
            ", line 2, channel \"x\", step 1: \"\" is a missing value; training with --missing mask reads it",
        ),
        ("a word", "id,x,label\na,y,p\n", all(), ", line 2, channel \"x\", step 1: \"y\" is not a finite number"),
        (
            "a label in the first row alone",
            "id,x,label\na,1,p\na,1,\n",
            all(),
            ", line 3: the label is empty, but that of the same sequence on line 2 is \"p\"; --label-per first reads labels from the first row of a sequence alone",
        ),
        (
            "another label further on",
            "id,x,label\na,1,p\na,1,\na,1,q\n",
            SeriesOptions {
                series: SeriesLayout { label_per: Some(LabelPer::First), ..SeriesLayout::default() },
                ..all()
            },
            ", line 4: sequence \"a\" has the label \"q\" here but \"p\" on line 2; one label per sequence was expected",
        ),
        (
            "times that are words",
            "id,t,x,label\na,monday,1,p\na,friday,2,p\n",
            all(),
            ", line 2: the time \"monday\" is no number, no date of ISO 8601 and of none of the usual forms; --time-format tells the form of all times, such as %d/%m/%Y",
        ),
        (
            "a column of words",
            "id,who,x,label\na,bob,1,p\na,bob,2,p\n",
            all(),
            ", line 1: column \"who\" holds no numbers; --values names the columns of the channels",
        ),
        (
            "another channel than trained",
            "id,z,y,label\na,1,2,p\n",
            trained(&["x", "y"]),
            ", line 1: there is no channel \"x\"; the model was trained on the channels \"x\", \"y\", and the columns are \"id\", \"z\", \"y\", \"label\"",
        ),
        (
            "too few channels without a header",
            "a,p,2\n",
            SeriesOptions { header: Some(false), trained: trained(&["x", "y"]).trained, ..long("1", "", "2", &[]) },
            ", line 1: the sequence has 1 channel; 2 expected",
        ),
        (
            "two labels",
            "id,x,label\na,1,p\na,2,q\n",
            all(),
            ", line 3: sequence \"a\" has the label \"q\" here but \"p\" on line 2; one label per sequence was expected",
        ),
        ("an empty label", "id,x,label\na,1,\n", all(), ", line 2: the label is empty"),
        ("an empty id", "id,x,label\n,1,p\n", all(), ", line 2: the id of the sequence is empty"),
        (
            "one time twice",
            "id,t,x,label\na,0,1,p\na,0.0,2,p\n",
            all(),
            ", line 3: sequence \"a\" has the time \"0.0\" here and on line 2; one row per time was expected",
        ),
        (
            "too many fields",
            "id,x,label\na,1,p,3\n",
            all(),
            ", line 2: the row has 4 fields; 3 expected as on line 1; a field that holds a comma must stand in quotes",
        ),
        ("header only", "id,x,label\n", all(), " holds no examples"),
    ];
    for (case, content, options, expected) in cases {
        assert_eq!(read("a.csv", content, &options), expected, "{case}");
    }
    assert_eq!(
        read("a.arff", "x", &all()),
        ": cannot tell the format from its name; say with --format which it is: ts, csv-long or wide"
    );
    assert_eq!(read("a.ts", " \n", &all()), " is empty; at least one example was expected");
}

fn wide() -> SeriesOptions {
    SeriesOptions { format: Some(Format::Wide), ..SeriesOptions::default() }
}

fn mask() -> SeriesOptions {
    SeriesOptions { missing: Missing::Mask, ..SeriesOptions::default() }
}

/// For other data of a model that was trained on these channels.
fn trained(channels: &[&str]) -> SeriesOptions {
    let channels = channels.iter().map(|&name| name.to_owned()).collect();
    SeriesOptions { trained: Some(SeriesColumns { channels, ..SeriesColumns::default() }), ..SeriesOptions::default() }
}

proptest::proptest! {
    #[test]
    fn no_content_makes_a_reader_panic(content in "([0-9a,\"\n\r:@#?é]|id,x,label\n|@data\n|@classLabel true\n){0,30}") {
        for name in ["a.csv", "a.ts"] {
            for labels in [Labels::Required, Labels::Optional, Labels::Ignored] {
                let _ = read(name, &content, &SeriesOptions { labels, ..SeriesOptions::default() });
                let _ = read(name, &content, &SeriesOptions { labels, ..wide() });
                let _ = read(name, &format!("@timeStamps true\n@data\n{content}"), &SeriesOptions { labels, ..mask() });
                let _ = read(name, &content, &SeriesOptions { labels, ..long("1", "", "2", &[]) });
            }
        }
    }
}
