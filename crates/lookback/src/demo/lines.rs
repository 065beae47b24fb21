//! Lines about a small town, as nobody has written them before.

use std::collections::HashSet;
use std::path::Path;

use lookback_infer::data::documents::{Division, Document, Documents};
use lookback_infer::error::Error;
use lookback_infer::model::{Model, Report};
use lookback_infer::model_file::ModelFile;
use lookback_infer::tasks::generate::Generator;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Demo, THE_MODEL};
use crate::tasks::Fitted;
use crate::tasks::generate::{GenerateOptions, GeneratePlan, fit_documents};
use crate::train::{Session, TrainOptions};

/// What the demonstration does with them.
pub(super) const DEMO: Demo = Demo {
    name: "generate",
    unseen: "lines",
    inputs: &["The baker sang in the garden before the rain."],
    writes: 10,
    drawn: None,
    fit,
    judge,
    then: "echo \"The old miller\" | lookback predict MODEL --count 3",
};

/// What messages call the data.
const DATA: &str = "built-in lines";
/// Lines to learn from, and others.
const TRAINED: usize = 3_000;
const HELD_OUT: usize = 300;
/// Enough epochs to spell every word.
const EPOCHS: usize = 5;

const QUALITIES: [&str; 14] = [
    "old", "young", "tall", "quiet", "cheerful", "tired", "clever", "stubborn", "kind", "lonely", "proud", "sleepy",
    "careful", "famous",
];
const PEOPLE: [&str; 16] = [
    "baker",
    "miller",
    "teacher",
    "fisherman",
    "blacksmith",
    "gardener",
    "shepherd",
    "postman",
    "clockmaker",
    "widow",
    "doctor",
    "painter",
    "sailor",
    "beekeeper",
    "weaver",
    "ferryman",
];
const THINGS: [&str; 16] = [
    "a letter",
    "a lantern",
    "the bread",
    "three apples",
    "a silver key",
    "the bell",
    "a basket of plums",
    "his boat",
    "a small clock",
    "the ladder",
    "a blue door",
    "an umbrella",
    "two candles",
    "the last song",
    "a map",
    "the kettle",
];
const DEEDS: [&str; 12] = [
    "carried",
    "found",
    "painted",
    "lost",
    "mended",
    "sold",
    "borrowed",
    "hid",
    "remembered",
    "dropped",
    "brought",
    "counted",
];
const WAYS: [&str; 10] =
    ["walked", "waited", "sang", "slept", "laughed", "whistled", "danced", "stood still", "hummed", "listened"];
const PLACES: [&str; 12] = [
    "by the river",
    "at the market",
    "under the bridge",
    "in the garden",
    "behind the church",
    "on the hill",
    "near the harbour",
    "in the kitchen",
    "along the canal",
    "at the mill",
    "in the tower",
    "on the square",
];
const TIMES: [&str; 10] = [
    "in the morning",
    "before the rain",
    "after supper",
    "at dawn",
    "all winter",
    "on a Sunday",
    "until midnight",
    "when the snow fell",
    "in early spring",
    "without a word",
];

fn fit(seed: u64, session: &mut Session<'_>) -> Result<Fitted, Error> {
    let train = TrainOptions { seed: Some(seed), epochs: Some(EPOCHS), ..TrainOptions::default() };
    let plan = GeneratePlan::new(&GenerateOptions { train, ..GenerateOptions::default() })?;
    let all = lines().into_iter().take(TRAINED).collect();
    let documents = Documents { all, division: Some(Division::Lines), columns: None };
    fit_documents(documents, Path::new(DATA), &plan, session)
}

fn judge(file: ModelFile) -> Result<(Box<dyn Model>, Report), Error> {
    let generator = Generator::read(file, Path::new(THE_MODEL))?;
    let held_out: Vec<Document> = lines().into_iter().skip(TRAINED).collect();
    let report = generator.judge(&held_out, Path::new(DATA))?;
    Ok((Box::new(generator), report))
}

/// All lines, none twice and none of those that are explained, in an order that is always the same.
fn lines() -> Vec<Document> {
    let mut rng = ChaCha8Rng::seed_from_u64(16);
    let mut seen: HashSet<String> = DEMO.inputs.iter().map(|&input| input.to_owned()).collect();
    let mut lines = Vec::new();
    while lines.len() < TRAINED + HELD_OUT {
        let text = drawn(&mut rng);
        if seen.insert(text.clone()) {
            lines.push(Document { text, label: None, line: lines.len() + 1 });
        }
    }
    lines
}

fn drawn(rng: &mut ChaCha8Rng) -> String {
    fn one<'a>(of: &[&'a str], rng: &mut ChaCha8Rng) -> &'a str {
        of.choose(rng).copied().unwrap_or_default()
    }
    let (person, deed, thing) = (one(&PEOPLE, rng), one(&DEEDS, rng), one(&THINGS, rng));
    let quality = if rng.random_bool(0.6) { format!("{} ", one(&QUALITIES, rng)) } else { String::new() };
    let (way, place, time) = (one(&WAYS, rng), one(&PLACES, rng), one(&TIMES, rng));
    match rng.random_range(0..6) {
        0 | 1 => format!("The {quality}{person} {deed} {thing} {place}."),
        2 => format!("The {quality}{person} {way} {place} {time}."),
        3 => format!("The {quality}{person} {deed} {thing} {time}."),
        4 => format!("Why has the {quality}{person} {deed} {thing}?"),
        _ => format!("The {quality}{person} {way}, and the {} {deed} {thing}.", one(&PEOPLE, rng)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_different_and_always_the_same() {
        let lines = lines();
        let texts: HashSet<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((lines.len(), texts.len()), (TRAINED + HELD_OUT, TRAINED + HELD_OUT));
        assert_eq!(lines, super::lines());
        assert!(DEMO.inputs.iter().all(|input| !texts.contains(input)));
    }
}
