//! What is refused, with the sentence that says why.

use super::*;

#[test]
fn wrong_files_are_told_with_line_and_column() {
    let past = || HistoryOptions { past: names(&["x"]), ..all() };
    let statics = || HistoryOptions { statics: names(&["x"]), ..all() };
    let told = |frequency: &str| HistoryOptions { frequency: frequency.parse().ok(), ..all() };
    let cases = [
        (
            "a word",
            "time,y\n1,2\n2,x\n",
            all(),
            ", line 3: column \"y\": \"x\" is no finite number; a number was expected, or nothing where it is missing",
        ),
        (
            "a word in a covariate",
            "time,y,x\n1,2,on\n2,3,1\n",
            past(),
            ", line 2: column \"x\": \"on\" is no finite number; a number was expected, or nothing where it is missing",
        ),
        (
            "infinite",
            "time,y\n1,2\n2,inf\n",
            all(),
            ", line 3: column \"y\": \"inf\" is no finite number; a number was expected, or nothing where it is missing",
        ),
        (
            "too large",
            "1,2\n2,1e99\n",
            HistoryOptions { time: Some(Column::Number(1)), ..all() },
            ", line 2: column 2: \"1e99\" is more than 32 bits hold, in which values are read (3.4e38 either way); scale the column",
        ),
        ("an empty id", "id,y\n,2\n", all(), ", line 2: the id of the series is empty"),
        ("an empty time", "time,y\n1,2\n,3\n", all(), ", line 3: the time is empty"),
        (
            "a time of no form",
            "time,y\n2020-01-01,1\nx,2\n",
            all(),
            ", line 3: the time \"x\" is no date of ISO 8601, as those before it are; --time-format tells the form of all times, such as %d/%m/%Y",
        ),
        (
            "a time twice",
            "id,time,y\na,1,1\na,2,2\nb,1,1\na,1,3\n",
            all(),
            ", line 5: the time \"1\" of series \"a\" stands here and on line 2; one row per time was expected",
        ),
        (
            "several series without ids",
            "ds,y\n2020-01-01,1\n2020-01-02,2\n2020-01-01,3\n",
            all(),
            ", line 4: the time \"2020-01-01\" stands here and on line 2; one row per time was expected; --id names the column that tells series apart",
        ),
        (
            "a time twice in a table of series",
            "ds,p\n2020-01-01,1\n2020-01-01,2\n2020-01-02,2\n",
            wide(),
            ", line 3: the time \"2020-01-01\" stands here and on line 2; one row per time was expected",
        ),
        (
            "a time off the grid",
            "id,time,y\na,2020-01-01 00:00,1\na,2020-01-01 01:00,2\na,2020-01-01 02:00,3\na,2020-01-01 03:00,4\na,2020-01-01 03:17,5\n",
            all(),
            ", line 6: the time \"2020-01-01 03:17\" of series \"a\" is no whole number of steps behind \"2020-01-01 00:00\" on line 2; a step every hour was expected, and --frequency says another",
        ),
        (
            "a day off the months",
            "ds,y\n2020-01-01,1\n2020-02-01,1\n2020-03-01,2\n2020-04-02,3\n2020-05-01,3\n2020-06-01,3\n",
            all(),
            ", line 5: the time \"2020-04-02\" is no whole number of steps behind \"2020-01-01\" on line 2; a step every month was expected, and --frequency says another",
        ),
        (
            "a Sunday among business days",
            "ds,y\n2024-01-05,1\n2024-01-07,2\n",
            told("B"),
            ", line 3: the time \"2024-01-07\" is no whole number of steps behind \"2024-01-05\" on line 2; a step every business day was expected, and --frequency says another",
        ),
        (
            "parts of a second",
            "ds,y\n2020-01-01 00:00:00.0,1\n2020-01-01 00:00:00.5,2\n",
            all(),
            ", line 3: the time \"2020-01-01 00:00:00.5\" has parts of a second; a second is the shortest step of dates, and shorter ones are read where times are numbers",
        ),
        (
            "far more gaps than rows",
            "ds,y\n2020-01-01 00:00,1\n2020-01-01 00:01,2\n2099-01-01 00:00,2\n",
            all(),
            ", line 2: with a step every minute the 3 rows from \"2020-01-01 00:00\" to \"2099-01-01 00:00\" would be 41551201 steps, nearly all of them gaps; --frequency says another",
        ),
        (
            "no differences",
            "id,date,y\n1,2020-01-01,5\n2,2020-01-02,6\n",
            all(),
            ": no series has two times, so how far apart steps are cannot be told; --frequency says it, and --id names the column that tells series apart",
        ),
        (
            "a step without times",
            "y\n1\n",
            told("day"),
            ", line 1: cannot tell which column holds the time; say with --time which of \"y\" it is, by name or number",
        ),
        (
            "a static value that changes",
            "id,y,x\na,1,p\nb,1,q\na,2,q\n",
            statics(),
            ", line 4: series \"a\" has \"q\" in column \"x\" here but \"p\" on line 2; one value per series was expected",
        ),
        (
            "a past covariate behind the target",
            "time,y,x\n1,1,1\n2,,2\n",
            HistoryOptions { ends_at_target: true, ..past() },
            ", line 3: the past covariate \"x\" has a value here, behind the last of the target in the same series; rows were expected to end with the target, and --future names covariates that are known further on",
        ),
        (
            "no target in training",
            "time,y\n1,\n2,\n",
            HistoryOptions { ends_at_target: true, ..all() },
            " holds no examples",
        ),
        (
            "several columns of numbers",
            "ds,p,q,who\n2020-01-01,1,2,x\n",
            all(),
            ", line 1: cannot tell which column holds the target; say with --target which of \"p\", \"q\" it is, by name or number; --format wide reads each of them as a series of its own",
        ),
        (
            "no column of numbers",
            "ds,who\n2020-01-01,x\n",
            all(),
            ", line 1: cannot tell which column holds the target; say with --target which of \"ds\", \"who\" it is, by name or number",
        ),
        (
            "several columns of dates",
            "a,b,y\n2020-01-01,2020-01-01,1\n",
            all(),
            ", line 1: cannot tell which column holds the time; say with --time which of \"a\", \"b\" it is, by name or number",
        ),
        (
            "no such column",
            "ds,y\n2020-01-01,1\n",
            past(),
            ", line 1: there is no column \"x\"; the columns are \"ds\", \"y\"",
        ),
        (
            "a column with two roles",
            "ds,y,x\n2020-01-01,1,2\n",
            HistoryOptions { future: names(&["x"]), ..past() },
            ": the past covariate and the future covariate cannot both be column 3 (\"x\")",
        ),
        (
            "a name without a header",
            "1,2\n",
            HistoryOptions { header: Some(false), ..past() },
            ": column \"x\" is asked for by name, but the file has no header; give the column's number, or say --header yes",
        ),
        (
            "a covariate of a table of series",
            "ds,p\n2020-01-01,1\n",
            HistoryOptions { format: Some(Format::Wide), ..past() },
            ": a table with a column per series (wide) has nothing that --past could name; --format csv-long reads one with a row per step of a series",
        ),
        (
            "a column of words as a series",
            "ds,p,who\n2020-01-01,1,bob\n2020-01-02,1,eve\n",
            wide(),
            ", line 2: column \"who\": \"bob\" is no finite number; a number was expected, or nothing where it is missing",
        ),
        ("too few fields", "ds,y\n2020-01-01\n", all(), ", line 2: the row has 1 field; 2 expected as on line 1"),
        ("a header alone", "ds,y\n", all(), " holds no examples"),
        (
            "both decimal marks",
            "time;y\n1;1,5\n2;2.5\n",
            all(),
            ", line 3: \"2.5\" has a decimal point but \"1,5\" on line 2 a decimal comma; --decimal point or comma says which it is, and the other is refused",
        ),
    ];
    for (case, content, options, expected) in cases {
        assert_eq!(read("a.csv", content, &options), expected, "{case}");
    }
    assert_eq!(read("a.csv", " \n", &all()), " is empty; at least one example was expected");
    assert_eq!(
        read("a.dat", "ds,y\n1,2\n", &all()),
        ": cannot tell the format from its name; say with --format which it is: csv-long, wide, jsonl or parquet"
    );
}

#[test]
fn wrong_json_is_told() {
    let cases = [
        (
            "no object",
            "{\"y\":1}\n3\n",
            all(),
            ", line 2: the line is 3, an object such as {\"id\": \"a\", \"time\": \"2024-01-31\", \"y\": 1.5} was expected",
        ),
        (
            "a list as a value",
            "{\"y\":[1]}\n",
            HistoryOptions { targets: names(&["y"]), ..all() },
            ", line 1: column \"y\": \"[1]\" is no finite number; a number was expected, or nothing where it is missing",
        ),
        (
            "a number of a column",
            "{\"y\":1}\n",
            HistoryOptions { targets: names(&["2"]), ..all() },
            ": JSON Lines have keys, not numbered columns; give the name of the key instead of 2",
        ),
        (
            "a missing key",
            "{\"y\":1}\n",
            HistoryOptions { id: Some(Column::Name("z".into())), ..all() },
            ", line 1: there is no column \"z\"; the columns are \"y\"",
        ),
        (
            "a row without an id",
            "{\"id\":\"a\",\"y\":1}\n{\"y\":1}\n",
            all(),
            ", line 2: the id of the series is empty",
        ),
    ];
    for (case, content, options, expected) in cases {
        assert_eq!(read("a.jsonl", content, &options), expected, "{case}");
    }
    let keys: String = (0..3000).map(|key| format!("{{\"k{key}\":1}}\n")).collect();
    let refused = read("a.jsonl", &keys, &all());
    assert!(refused.contains("keys between them, but most of them few"), "{refused}");
}

#[test]
fn series_that_cannot_be_read_are_named_together_or_left_out() {
    let table = "id,time,y\na,1,1\nb,1,x\nc,1,1\nc,1,2\na,2,2\nb,2,1\n";
    let stopped = read("a.csv", table, &all());
    let expected = ": 2 series cannot be read; --on-bad-row skip leaves them out\n";
    assert!(stopped.starts_with(expected), "{stopped}");
    for part in ["line 3: column \"y\": \"x\"", "line 5: the time \"1\" of series \"c\""] {
        assert!(stopped.contains(part), "{part}: {stopped}");
    }
    let layout = Layout { on_bad_row: Some(crate::data::OnBadRow::Skip), ..Layout::default() };
    assert_eq!(read("a.csv", table, &HistoryOptions { layout, ..all() }), "1: 2 \"a\" 1 [2] [1.0, 2.0]");
}
