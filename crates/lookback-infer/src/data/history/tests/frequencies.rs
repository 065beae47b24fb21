//! How far apart steps are, and which moments they have.

use chrono::{NaiveDate, NaiveDateTime};
use proptest::prelude::*;

use super::*;

/// The frequency that is found of these times, and how many steps they have; or the error.
fn found(times: &[&str]) -> String {
    of(times, &all())
}

fn of(times: &[&str], options: &HistoryOptions) -> String {
    let rows: String = (1..).zip(times).map(|(value, time)| format!("{time};{value}\n")).collect();
    match histories("a.csv", &format!("time;y\n{rows}"), options) {
        Ok(Histories { all, columns }) => format!("{} [{}]", columns.frequency, all[0].length),
        Err(error) => error.to_string().split_once("a.csv").map_or_else(String::new, |(_, rest)| rest.to_owned()),
    }
}

#[test]
fn the_step_is_found_out() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("numbers", &["10", "20", "30", "50"], "10 [5]"),
        ("parts of numbers", &["0.5", "1", "1.5", "3"], "0.5 [6]"),
        ("tenths", &["0.1", "0.2", "0.30000000000000004", "0.4"], "0.1 [4]"),
        ("thirds", &["0", "0.333333333", "0.666666667", "1"], "0.333333333 [4]"),
        ("nanoseconds", &["1700000000000000001", "1700000000000000002", "1700000000000000003"], "1 [3]"),
        ("no difference is the step", &["0", "2", "5", "7"], "1 [8]"),
        ("seconds", &["2020-01-01 00:00:00", "2020-01-01 00:00:10"], "10 seconds [2]"),
        ("a quarter of an hour", &["2020-01-01 00:00", "2020-01-01 00:15", "2020-01-01 00:45"], "15 minutes [4]"),
        ("hours", &["2020-01-01T22:00", "2020-01-01T23:00", "2020-01-02T00:00"], "hour [3]"),
        (
            "with time zones",
            &["2020-01-01T00:00+01:00", "2020-01-01T01:00+02:00", "2020-01-01T01:00+01:00"],
            ", line 3",
        ),
        ("days", &["2020-02-28", "2020-02-29", "2020-03-01"], "day [3]"),
        ("days of one week", &["2024-01-01", "2024-01-02", "2024-01-03"], "day [3]"),
        ("business days", &["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-10"], "business day [5]"),
        ("weekends", &["2024-01-05", "2024-01-06", "2024-01-08"], "day [4]"),
        ("weeks", &["2024-01-01", "2024-01-08", "2024-01-22"], "week [4]"),
        ("four weeks", &["2024-01-29", "2024-02-26", "2024-03-25"], "4 weeks [3]"),
        ("months", &["2020-01-01", "2020-02-01", "2020-04-01"], "month [4]"),
        ("months from the 31st", &["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"], "month end [4]"),
        ("months from the 30th", &["2020-01-30", "2020-02-29", "2020-03-30"], "month [3]"),
        ("months on the 28th", &["2021-02-28", "2021-03-28", "2021-04-28"], "month [3]"),
        ("ends of months from February", &["2021-02-28", "2021-03-31", "2021-04-30"], "month end [3]"),
        ("months alone", &["2020-11", "2020-12", "2021-01"], "month [3]"),
        ("names of months", &["Nov 2020", "Dec 2020", "Jan 2021"], "month [3]"),
        ("dates without marks", &["20200131", "20200229", "20200331"], "month end [3]"),
        ("months without marks", &["202011", "202012", "202101"], "month [3]"),
        ("quarters", &["2020-01-01", "2020-04-01", "2020-07-01"], "quarter [3]"),
        ("ends of quarters", &["2020-03-31", "2020-06-30", "2020-09-30"], "quarter end [3]"),
        ("half years", &["2020-01-15", "2020-07-15", "2021-01-15"], "6 months [3]"),
        ("years", &["2019-01-01", "2020-01-01", "2021-01-01"], "year [3]"),
        ("years with a leap day", &["2019-02-28", "2020-02-29", "2021-02-28"], "year end [3]"),
        ("numbers of years", &["2019", "2020", "2021"], "1 [3]"),
        ("day before month", &["13/01/2020", "14/01/2020"], "day [2]"),
    ];
    for (case, times, expected) in cases {
        let found = found(times);
        match expected.starts_with(',') {
            true => assert!(found.starts_with(expected), "{case}: {found}"),
            false => assert_eq!(&found, expected, "{case}"),
        }
    }
}

#[test]
fn all_series_tell_the_step_together() {
    let table =
        "id,ds,y\na,2020-01-01,1\na,2020-01-03,2\nb,2020-01-01,1\nb,2020-01-02,2\nb,2020-01-03,3\nc,2020-05-01,1\n";
    let expected = "day: 2 \"a\" 2020-01-01 [3] [1.0, NaN, 2.0]; 4 \"b\" 2020-01-01 [3] [1.0, 2.0, 3.0]; 7 \"c\" 2020-05-01 [1] [1.0]";
    assert_eq!(read("a.csv", table, &all()), expected);
    let mixed = "id,ds,y\na,2020-01-31,1\na,2020-02-29,2\nb,2020-01-15,1\nb,2020-02-15,2\n";
    assert!(read("a.csv", mixed, &all()).starts_with("month: "));
}

#[test]
fn the_step_that_is_told_or_trained_is_taken() {
    let told = |frequency: &str| HistoryOptions { frequency: frequency.parse().ok(), ..all() };
    assert_eq!(of(&["2020-01-01", "2020-01-03"], &told("day")), "day [3]");
    assert_eq!(of(&["2020-01-31", "2020-02-29"], &told("month")), "month [2]");
    assert_eq!(of(&["2021-02-28", "2021-03-31"], &told("MS")), "month end [2]", "as the days are");
    assert_eq!(of(&["2021-02-01", "2021-03-01"], &told("M")), "month [2]", "as the days are");
    assert_eq!(of(&["0", "1.5"], &told("0.5")), "0.5 [4]");
    let trained = |frequency: &str| {
        let columns = histories("a.csv", "time,y\n1,1\n2,2\n", &all()).expect("histories").columns;
        let columns = HistoryColumns { frequency: frequency.parse().expect("a step"), time_format: None, ..columns };
        HistoryOptions { trained: Some(columns), ..all() }
    };
    assert_eq!(of(&["2020-01-01"], &trained("day")), "day [1]");
    assert_eq!(of(&["2020-01-01", "2020-01-03"], &trained("day")), "day [3]", "a gap in a few rows");
    assert_eq!(of(&["2024-01-01", "2024-01-02"], &trained("business day")), "business day [2]");
    assert_eq!(of(&["2020-01-31", "2020-02-29", "2020-03-31"], &trained("month")), "month [3]");
    let cases = [
        (
            &["2020-01-01", "2020-01-08", "2020-01-15"][..],
            "day",
            ": there is a step every week, but the training data have one every day",
        ),
        (
            &["2020-01-02", "2020-01-03", "2020-01-06"],
            "day",
            ": there is a step every business day, but the training data have one every day",
        ),
        (
            &["2020-01-01", "2020-01-02"],
            "hour",
            ": there is a step every day, but the training data have one every hour",
        ),
        (&["1", "2"], "hour", ": the training data have a step every hour, but here times are numbers"),
    ];
    for (times, frequency, expected) in cases {
        assert_eq!(of(times, &trained(frequency)), expected);
    }
    let both = HistoryOptions { frequency: "week".parse().ok(), ..trained("day") };
    assert_eq!(
        of(&["2020-01-01"], &both),
        ": --frequency says a step every week, but the training data have one every day"
    );
    assert_eq!(
        of(&["2020-01-01"], &told("2")),
        ": --frequency says a step every 2, but here times are dates (dates of ISO 8601)"
    );
}

#[test]
fn names_of_steps_are_read() {
    let cases = [
        ("hour", "hour", 24),
        ("h", "hour", 24),
        ("H", "hour", 24),
        ("2 hours", "2 hours", 12),
        ("15 minutes", "15 minutes", 96),
        ("15min", "15 minutes", 96),
        ("30T", "30 minutes", 48),
        ("minute", "minute", 1440),
        ("10s", "10 seconds", 60),
        ("7 minutes", "7 minutes", 1),
        ("D", "day", 7),
        ("24h", "day", 7),
        ("B", "business day", 5),
        ("Business Day", "business day", 5),
        ("W-SUN", "week", 52),
        ("2 weeks", "2 weeks", 26),
        ("month", "month", 12),
        ("MS", "month", 12),
        ("M", "month end", 12),
        ("ME", "month end", 12),
        ("2 months", "2 months", 6),
        ("Q", "quarter end", 4),
        ("QE-DEC", "quarter end", 4),
        ("QS", "quarter", 4),
        ("3MS", "quarter", 4),
        ("Y", "year end", 1),
        ("A", "year end", 1),
        ("YE", "year end", 1),
        ("YS", "year", 1),
        ("12 months", "year", 1),
        ("2 years", "2 years", 1),
        ("1", "1", 1),
        ("0.5", "0.5", 1),
    ];
    for (said, expected, season) in cases {
        let frequency: Frequency = said.parse().expect("a step");
        assert_eq!((frequency.to_string().as_str(), frequency.season()), (expected, season), "{said}");
    }
    for wrong in
        ["", "0", "-1", "inf", "nan", "0 days", "fortnight", "2 business days", "m", "1.5 hours", "99999999999 months"]
    {
        let said = wrong.parse::<Frequency>().unwrap_err();
        assert!(said.starts_with(&format!("{wrong:?} is no step between times; hour, 15 minutes")), "{said}");
    }
}

fn day(text: &str) -> Moment {
    Moment::Time(text.parse::<NaiveDate>().expect("a day").and_hms_opt(9, 0, 0).expect("a time"))
}

#[test]
fn steps_come_after_one_another() {
    let cases = [
        ("day", "2020-02-28", 2, "2020-03-01"),
        ("day", "2020-03-01", -1, "2020-02-29"),
        ("month", "2020-01-31", 1, "2020-02-29"),
        ("month", "2020-01-31", 2, "2020-03-31"),
        ("month", "2020-02-29", 1, "2020-03-29"),
        ("month end", "2020-02-29", 1, "2020-03-31"),
        ("month end", "2020-01-31", 1, "2020-02-29"),
        ("month end", "2020-03-31", -1, "2020-02-29"),
        ("quarter end", "2020-06-30", 2, "2020-12-31"),
        ("year", "2020-02-29", 1, "2021-02-28"),
        ("business day", "2024-01-05", 1, "2024-01-08"),
        ("business day", "2024-01-05", 6, "2024-01-15"),
        ("business day", "2024-01-08", -1, "2024-01-05"),
        ("business day", "2024-01-06", 0, "2024-01-08"),
    ];
    for (frequency, start, steps, expected) in cases {
        let after = frequency.parse::<Frequency>().expect("a step").after(day(start), steps);
        assert_eq!(after, day(expected), "{frequency} {start} {steps}");
    }
    assert_eq!(Frequency::Number(0.5).after(Moment::Number(1.0), 3), Moment::Number(2.5));
    assert_eq!(Frequency::Months(1).after(day("2020-01-01"), i64::MAX), Moment::Time(NaiveDateTime::MAX));
    assert_eq!(Frequency::Seconds(1).after(day("2020-01-01"), i64::MIN), Moment::Time(NaiveDateTime::MIN));
}

#[test]
fn moments_are_written_as_the_file_has_them() {
    let next = |times: &[&str]| {
        let rows: String = times.iter().map(|time| format!("{time};1\n")).collect();
        let Histories { all, columns } = histories("a.csv", &format!("time;y\n{rows}"), &all()).expect("histories");
        columns.time_text(columns.frequency.after(all[0].start, 2))
    };
    let cases: &[(&[&str], &str)] = &[
        (&["1", "2"], "3"),
        (&["0.1", "0.2"], "0.3"),
        (&["2020-01-01", "2020-01-02"], "2020-01-03"),
        (&["2020-01-01 22:00", "2020-01-01 23:00"], "2020-01-02 00:00"),
        (&["2020-01-01T22:00:00", "2020-01-01T23:00:00"], "2020-01-02T00:00:00"),
        (&["2020-01-01T22:00:00Z", "2020-01-01T23:00:00Z"], "2020-01-02T00:00:00Z"),
        (&["2020-01-01T23:00:00+01:00", "2020-01-02T00:00:00+01:00"], "2020-01-02"),
        (&["31/12/2020", "1/1/2021"], "02/01/2021"),
        (&["2020-11", "2020-12"], "2021-01"),
        (&["20201130", "20201231"], "20210131"),
    ];
    for (times, expected) in cases {
        assert_eq!(&next(times), expected, "{times:?}");
    }
    let zoned = Some("%Y %z".parse().expect("a form"));
    assert_eq!(day("2020-01-01").text(zoned.as_ref()), "2020-01-01 09:00:00", "there is no zone");
    assert_eq!(day("2020-01-01").text(None), "2020-01-01 09:00:00");
}

fn any_frequency() -> impl Strategy<Value = Frequency> {
    prop_oneof![
        (1u32..1_000_000, 1u32..1000).prop_map(|(a, b)| Frequency::Number(f64::from(a) / f64::from(b))),
        (1u64..10_000_000_000).prop_map(Frequency::Seconds),
        (1u64..10_000).prop_map(|minutes| Frequency::Seconds(60 * minutes)),
        (1u32..1000).prop_map(Frequency::Months),
        (1u32..1000).prop_map(Frequency::MonthEnds),
        Just(Frequency::BusinessDays),
    ]
}

proptest! {
    #[test]
    fn a_frequency_is_read_as_it_is_written(frequency in any_frequency()) {
        prop_assert_eq!(frequency.to_string().parse(), Ok(frequency));
        let json = serde_json::to_string(&frequency).expect("a text");
        prop_assert_eq!(serde_json::from_str::<Frequency>(&json).expect("a frequency"), frequency);
        prop_assert!(frequency.season() >= 1);
    }

    #[test]
    fn later_steps_have_later_moments(frequency in any_frequency(), days in 0i32..40_000, steps in -500i64..500) {
        let start = match frequency {
            Frequency::Number(_) => Moment::Number(f64::from(days)),
            _ => Moment::Time(NaiveDate::from_num_days_from_ce_opt(719_000 + days).expect("a day").and_hms_opt(1, 2, 3).expect("a time")),
        };
        let (before, after) = (frequency.after(start, steps), frequency.after(start, steps + 1));
        let is_last = after == Moment::Time(NaiveDateTime::MAX) || before == Moment::Time(NaiveDateTime::MIN);
        prop_assert!(before < after || is_last, "{:?} {:?}", before, after);
    }
}
