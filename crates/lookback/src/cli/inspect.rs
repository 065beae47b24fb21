//! `lookback inspect MODEL`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::insight::terminal;
use crate::tasks::classify::{Classifier, InputPlan};

/// Show what a model file holds and how it was trained.
#[derive(Args, Debug)]
pub(super) struct Inspect {
    /// Model file
    model: PathBuf,
}

impl Inspect {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let classifier = Classifier::load(&self.model, &super::device())?;
        super::print(&text(&classifier)?)?;
        Ok(())
    }
}

fn text(classifier: &Classifier) -> anyhow::Result<String> {
    let mut text = String::new();
    let labels: Vec<String> = classifier.labels().iter().map(|label| terminal::printable(label)).collect();
    writeln!(text, "task        classify")?;
    writeln!(text, "labels      {}: {}", labels.len(), labels.join(", "))?;
    match (classifier.input(), classifier.text_encoder()) {
        (InputPlan::Text(_), Some(encoder)) => {
            writeln!(text, "input       texts, cut into {}", encoder.tokenizer.segmentation)?;
            writeln!(text, "vocabulary  {} tokens, with those for padding and unknown", encoder.vocabulary.len())?;
            if let Some(ngrams) = &encoder.ngrams {
                writeln!(
                    text,
                    "n-grams     {} to {} characters in {} buckets",
                    ngrams.min, ngrams.max, ngrams.buckets
                )?;
            }
            if let Some(bigrams) = &encoder.bigrams {
                writeln!(text, "bigrams     {} buckets", bigrams.buckets)?;
            }
            if let Some(wide) = &encoder.wide {
                writeln!(text, "linear part {} buckets of n-grams", wide.config().buckets)?;
            }
            writeln!(text, "longest     {} tokens", encoder.max_length)?;
        }
        _ => writeln!(text, "input       numeric series of {} channels", classifier.channels().unwrap_or(0))?,
    }
    writeln!(text, "network     {}", classifier.plan().summary())?;

    let tensors = classifier.tensors();
    let total: usize = tensors.values().map(|tensor| tensor.data.len()).sum();
    let rows: Vec<Vec<String>> = tensors
        .iter()
        .map(|(name, tensor)| {
            let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
            vec![name.clone(), shape.join(" x "), tensor.data.len().to_string()]
        })
        .chain([vec!["all".into(), String::new(), total.to_string()]])
        .collect();
    writeln!(text, "\n{}", terminal::table(&["tensor", "shape", "parameters"], &rows))?;

    let record = classifier.record();
    writeln!(text, "trained on  {} examples, validated on {}", record.examples, record.validation_examples)?;
    for member in &record.members {
        writeln!(text, "weights of  epoch {}; {} epochs were finished; {}", member.epoch, member.epochs, member.end)?;
    }
    if let Some(validation) = &record.validation {
        writeln!(
            text,
            "validation  accuracy {:.2} %, macro F1 {:.2} %, loss {:.4}",
            100.0 * validation.accuracy,
            100.0 * validation.macro_f1,
            validation.loss
        )?;
    }
    let input = toml::to_string(classifier.input())?;
    let network = toml::to_string(classifier.plan())?;
    let training = toml::to_string(&record.plan)?;
    writeln!(text, "\noptions of the input\n{input}\noptions of the network\n{network}")?;
    writeln!(text, "options of the training\nclass-weights = \"{}\"\n{training}", record.class_weights.name())?;
    Ok(text)
}
