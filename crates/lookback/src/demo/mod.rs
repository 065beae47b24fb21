//! The built-in questions: six intents, English and Chinese, written for Lookback.

use std::path::Path;

use burn::tensor::Device;

use crate::data::table::TextExample;
use crate::error::DataError;
use crate::tasks::classify::{
    Classifier, ClassifyOptions, ClassifyPlan, DataOptions, Dataset, FitError, Fitted, ModelOptions, fit_texts,
};
use crate::train::{AverageChoice, Progress, Stop, TrainOptions};

/// Tab-separated, with the columns `label` and `text`.
const TRAIN: &str = include_str!("train.tsv");
const HELD_OUT: &str = include_str!("test.tsv");

/// Sentences that the demonstration explains; none stands in the data.
pub const SENTENCES: [&str; 3] = [
    "how many days until my parcel gets to Lisbon",
    "they charged my card twice for the same shoes",
    "周末晚上你们几点关门",
];

/// Trains a small classifier on the built-in questions.
pub fn fit(seed: u64, device: &Device, stop: &Stop, progress: &mut dyn Progress) -> Result<Fitted, FitError> {
    let options = ClassifyOptions {
        // Averaged weights need no validation to choose among epochs, and every sentence counts.
        data: DataOptions { validation_split: Some(0.0), ..DataOptions::default() },
        model: ModelOptions {
            embedding: Some(64),
            hidden: Some(64),
            char_ngrams: Some("1-4".into()),
            word_dropout: Some(0.25),
            ..ModelOptions::default()
        },
        train: TrainOptions {
            epochs: Some(20),
            batch_size: Some(16),
            learning_rate: Some(4e-3),
            average: Some(AverageChoice::Ema),
            average_decay: Some(0.99),
            seed: Some(seed),
            ..TrainOptions::default()
        },
    };
    let path = Path::new("built-in/train.tsv");
    let plan = ClassifyPlan::new(path, &options).map_err(FitError::Plan)?;
    fit_texts(&examples(TRAIN), path, &plan, device, stop, progress)
}

/// The part that training does not see, encoded for `classifier`.
pub fn held_out(classifier: &Classifier) -> Result<Dataset, DataError> {
    classifier.encode_labelled(&examples(HELD_OUT), Path::new("built-in/test.tsv"))
}

fn examples(table: &str) -> Vec<TextExample> {
    table
        .lines()
        .enumerate()
        .skip(1)
        .filter_map(|(index, line)| {
            let (label, text) = line.split_once('\t')?;
            Some(TextExample { text: text.into(), label: Some(label.into()), line: index + 1 })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_explained_sentences_stand_in_no_part_of_the_data() {
        for example in examples(TRAIN).iter().chain(&examples(HELD_OUT)) {
            assert!(!SENTENCES.contains(&example.text.as_str()), "{}", example.text);
        }
    }

    #[test]
    fn no_held_out_sentence_is_trained_on() {
        let train = examples(TRAIN);
        assert!(train.len() >= 500, "{}", train.len());
        for example in examples(HELD_OUT) {
            assert!(train.iter().all(|trained| trained.text != example.text), "{}", example.text);
        }
    }
}
