//! Dates as people write them, and each as a machine does.

use std::collections::HashSet;
use std::path::Path;

use lookback_infer::error::Error;
use lookback_infer::input::{Labelled, Raw};
use lookback_infer::model::{Ask, Model, Report};
use lookback_infer::model_file::ModelFile;
use lookback_infer::tasks::translate::Translator;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Demo, THE_MODEL};
use crate::tasks::Fitted;
use crate::tasks::translate::{TranslateOptions, TranslatePlan, fit_pairs};
use crate::train::{Session, TrainOptions};

/// What the demonstration does with them.
pub(super) const DEMO: Demo = Demo {
    name: "translate",
    unseen: "dates",
    inputs: &["the third of May 2021", "Tuesday, 9 November 1989", "29.02.2096"],
    writes: 0,
    drawn: None,
    fit,
    judge,
    then: "echo \"the first of April 2050\" | lookback predict MODEL --n-best 3",
};

/// Pairs to train on, and others.
const TRAINED: usize = 5_000;
const HELD_OUT: usize = 500;
/// Enough epochs to learn them all.
const EPOCHS: usize = 5;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const ORDINALS: [&str; 20] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

fn fit(seed: u64, session: &mut Session<'_>) -> Result<Fitted, Error> {
    let train = TrainOptions { seed: Some(seed), epochs: Some(EPOCHS), ..TrainOptions::default() };
    let options = TranslateOptions { train, ..TranslateOptions::default() };
    let data = Path::new("built-in dates");
    let plan = TranslatePlan::new(data, &options)?;
    let pairs = pairs().into_iter().take(TRAINED).collect();
    fit_pairs(pairs, data, &plan, session)
}

fn judge(file: ModelFile) -> Result<(Box<dyn Model>, Report), Error> {
    let translator = Translator::read(file, Path::new(THE_MODEL))?;
    let held_out = pairs().into_iter().skip(TRAINED).collect();
    let report = translator.judge(held_out, Path::new("built-in dates"), &Ask::default())?;
    Ok((Box::new(translator), report))
}

/// All pairs, no source twice and none of those that are explained, in an order that is always the same.
fn pairs() -> Vec<Labelled<Vec<String>>> {
    let mut rng = ChaCha8Rng::seed_from_u64(20_210_503);
    let mut seen: HashSet<String> = DEMO.inputs.iter().map(|&input| input.to_owned()).collect();
    let mut pairs = Vec::new();
    while pairs.len() < TRAINED + HELD_OUT {
        let (source, target) = drawn(&mut rng);
        if seen.insert(source.clone()) {
            pairs.push(Labelled { raw: Raw::Text(source), label: vec![target], line: pairs.len() + 1 });
        }
    }
    pairs
}

/// A day from 1900 to 2099, in one of the ways in which people write it, and in figures.
fn drawn(rng: &mut ChaCha8Rng) -> (String, String) {
    let (year, month) = (rng.random_range(1900..2100), rng.random_range(1..=12usize));
    let last = match month {
        2 if year % 4 == 0 && year != 1900 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = rng.random_range(1..=last);
    let (name, ordinal) = (MONTHS[month - 1], ordinal(day));
    let short = &name[..3];
    let weekday = DAYS[rng.random_range(0..DAYS.len())];
    let source = match rng.random_range(0..11) {
        0 => format!("the {ordinal} of {name} {year}"),
        1 => format!("{name} {day}, {year}"),
        2 => format!("{day} {name} {year}"),
        3 => format!("{name} the {ordinal}, {year}"),
        4 => format!("{day:02}.{month:02}.{year}"),
        5 => format!("{weekday}, {day} {name} {year}"),
        6 => format!("{short} {day} {year}"),
        7 => format!("{year}, {ordinal} of {name}"),
        8 => format!("{day}-{}-{year}", short.to_uppercase()),
        9 => format!("{weekday} the {ordinal} of {name}, {year}"),
        _ => format!("{year}/{month}/{day}"),
    };
    (source, format!("{year}-{month:02}-{day:02}"))
}

fn ordinal(day: usize) -> String {
    match day {
        1..=20 => ORDINALS[day - 1].to_owned(),
        30 => "thirtieth".to_owned(),
        21..=29 => format!("twenty-{}", ORDINALS[day - 21]),
        _ => format!("thirty-{}", ORDINALS[day - 31]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_always_the_same_and_none_is_explained() {
        let all = pairs();
        assert_eq!((all.len(), all == pairs()), (TRAINED + HELD_OUT, true));
        for pair in &all {
            assert!(DEMO.inputs.iter().all(|&input| pair.raw != Raw::Text(input.into())), "{:?}", pair.raw);
            assert!(pair.label[0].len() == 10 && pair.label[0].is_ascii(), "{:?}", pair.label);
        }
        assert_eq!(
            (ordinal(3), ordinal(21), ordinal(31)),
            ("third".into(), "twenty-first".into(), "thirty-first".into())
        );
    }
}
