//! Sources with their targets.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::copying::SourceTokens;
use super::plan::{DecoderForm, DecoderPlan, NetworkPlan};
use crate::data::pairs::{Pair, PairOptions, read_pairs};
use crate::data::table::TableColumns;
use crate::error::{DataError, counted};
use crate::input::written::WrittenText;
use crate::input::{Example, FileColumns, InputShape, Labelled, Raw};
use crate::memory_limit::MemoryLimit;
use crate::network::budget::{Budget, NUMBER, Purpose};

/// The pairs of a file, and the columns they stood in.
pub type ReadPairs = (Vec<Labelled<Vec<String>>>, Option<FileColumns>);

/// All pairs of a file, see [`pairs`](crate::data::pairs): a source a row with all its targets, and the columns they stood in.
/// `target_file`: of the targets, where they have one of their own; `trained`: the columns of the training data, where these are
/// others.
///
/// # Errors
/// As [`read_pairs`].
pub fn read(
    file: &Path,
    target_file: Option<&Path>,
    options: &PairOptions,
    trained: Option<&TableColumns>,
) -> Result<ReadPairs, DataError> {
    let labelled = |pair: Pair| Labelled { raw: Raw::Text(pair.source), label: pair.targets, line: pair.line };
    let read = read_pairs(file, target_file, options, trained)?.grouped();
    Ok((read.pairs.into_iter().map(labelled).collect(), read.columns.map(FileColumns::Table)))
}

/// What becomes of pairs of which the source or the target is longer than what is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TooLong {
    /// They are cut
    #[default]
    Cut,
    /// They are left out
    Skip,
    /// Nothing is read; the first is named
    Stop,
}

/// Sources with their targets, in numbers.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The sources.
    pub examples: Vec<Example>,
    /// What is right for each, as it is written.
    pub references: Vec<Vec<String>>,
    /// A row per target: which source it is of, and the target's ids without beginning and end.
    pub rows: Vec<(usize, Vec<u32>)>,
    /// The length of each row's source.
    pub lengths: Vec<usize>,
    /// By which rows are put together in batches: the target's length first, then the source's.
    pub sizes: Vec<usize>,
    /// The tokens of each source as those of targets, where they are copied.
    pub sources: Vec<SourceTokens>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

impl Dataset {
    /// Of sources from `file` with their targets. `too_long`: what becomes of those that are longer than what is read, which is told.
    /// `copies`: whether tokens of a source are copied into its targets.
    ///
    /// # Errors
    /// If a source has no token, nothing is left, or something is too long and that is to stop.
    pub fn new(
        examples: Vec<(Example, Vec<String>)>,
        text: &WrittenText,
        too_long: TooLong,
        copies: bool,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let mut dataset = Dataset { file: file.into(), ..Dataset::default() };
        let (mut cut, mut left_out) = (0, 0);
        for (example, mut targets) in examples {
            if example.is_empty() {
                let problem = "the source has no token; a source is wanted with a word or a sign in it".into();
                return Err(DataError::Line { file: file.into(), line: example.line, problem });
            }
            let longer = |target: &String| text.encode(target).1 > 0;
            if too_long == TooLong::Skip {
                let all = targets.len();
                targets.retain(|target| example.cut == 0 && !longer(target));
                left_out += all - targets.len();
                if targets.is_empty() {
                    continue;
                }
            } else if too_long == TooLong::Stop && (example.cut > 0 || targets.iter().any(longer)) {
                let (what, option, most) = match example.cut {
                    0 => ("a target", "target-max-length", text.max_length),
                    _ => ("the source", "max-length", example.len()),
                };
                let problem = format!("{what} is longer than --{option} {most}; --too-long cut or skip goes on");
                return Err(DataError::Line { file: file.into(), line: example.line, problem });
            }
            let source = copies.then(|| SourceTokens::of(text, &example));
            for target in &targets {
                let (ids, past) = match &source {
                    Some(source) => text.encode_beside(target, source),
                    None => text.encode(target),
                };
                cut += usize::from(past > 0);
                dataset.lengths.push(example.len());
                dataset.sizes.push((ids.len() << 20) + example.len());
                dataset.rows.push((dataset.examples.len(), ids));
            }
            let mut references = Vec::with_capacity(targets.len());
            targets.into_iter().for_each(|target| {
                if !references.contains(&target) {
                    references.push(target)
                }
            });
            dataset.references.push(references);
            dataset.sources.extend(source);
            dataset.examples.push(example);
        }
        if left_out > 0 {
            tracing::warn!("{}: {} left out, longer than what is read", file.display(), counted(left_out, "pair"));
        }
        if dataset.examples.is_empty() {
            return Err(DataError::NoExamples { file: file.into() });
        }
        if cut > 0 {
            let (name, targets) = (file.display(), counted(cut, "target"));
            tracing::warn!(
                "{name}: {targets} longer than {} tokens cut to that (--target-max-length)",
                text.max_length
            );
        }
        Ok(dataset)
    }

    /// The length of each source.
    pub fn source_lengths(&self) -> Vec<usize> {
        self.examples.iter().map(Example::len).collect()
    }

    /// The sources of these rows, where their tokens are copied.
    pub fn sources_of(&self, rows: &[usize]) -> Vec<&SourceTokens> {
        rows.iter().filter_map(|&row| self.sources.get(self.rows[row].0)).collect()
    }

    /// The longest target, in tokens.
    pub fn longest_target(&self) -> usize {
        self.rows.iter().map(|(_, ids)| ids.len()).max().unwrap_or(0)
    }

    /// Tokens of the targets of these rows, their ends among them.
    pub fn tokens(&self, rows: &[usize]) -> usize {
        rows.iter().map(|&row| self.rows[row].1.len() + 1).sum()
    }

    /// Refuses the data if a row of them is over the limit alone, by the row's line.
    ///
    /// # Errors
    /// [`DataError::Memory`]
    pub fn check_memory(&self, budget: &Budget) -> Result<(), DataError> {
        self.examples.iter().try_for_each(|example| budget.check_row(example, &self.file))
    }
}

/// What is alive of a target at once.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// In training all its steps, of the longest so many.
    Trained(usize),
    /// Of all networks one step of every hypothesis.
    Followed(Followed),
}

/// How much of a source is followed while it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Hypotheses at once.
    pub hypotheses: usize,
    /// The most tokens of each; what each of them looked at is kept.
    pub longest: usize,
    /// Tokens of the targets that each token of the source allows; 0 where all are allowed.
    pub shortlist: usize,
}

impl Followed {
    /// The likeliest token at every step, at most so many.
    pub fn greedily(longest: usize) -> Followed {
        Followed { hypotheses: 1, longest, shortlist: 0 }
    }
}

/// What the batches of such a network take of memory. `targets`: the target's vocabulary, and what is alive of one.
pub fn budget(plan: &NetworkPlan, input: InputShape, targets: (usize, Rows), limit: MemoryLimit) -> Budget {
    let ((vocabulary, rows), decoder) = (targets, &plan.decoder);
    let memory = plan.encoder.width();
    // What looks at every step of a source, and is kept of it: weights, their sums, and where a step's token stands.
    let looking = if decoder.copy || decoder.coverage { 3 } else { 0 };
    let networks = plan.ensemble as u64;
    // Keys and values, and the rows of the output layer that a token of the source allows, while they are packed twice.
    let read = (decoder.hidden + memory) as u64;
    let read = read.saturating_add(alignment_numbers(decoder, vocabulary, rows));
    let allowed = |shortlist: usize| 2 * (shortlist as u64).saturating_mul(decoder.output_width(memory) as u64);
    let steps = match rows {
        Rows::Trained(longest) => looking * (longest as u64 + 1) + read,
        Rows::Followed(Followed { hypotheses, longest, shortlist }) => {
            let of_each = (looking * hypotheses as u64).saturating_add(read).saturating_add(allowed(shortlist));
            networks.saturating_mul(of_each).saturating_add((hypotheses as u64).saturating_mul(longest as u64))
        }
    };
    let width = decoder.embedding + decoder.fed(memory);
    let recurrent = decoder.layers * decoder.hidden * 7;
    let of_a_step = (2 * width + recurrent + 2 * memory + 3 * decoder.hidden) as u64;
    let vocabulary = vocabulary as u64;
    let (purpose, row) = match rows {
        // Everything with its gradient.
        Rows::Trained(longest) => {
            (Purpose::Training, of_a_step.saturating_add(vocabulary).saturating_mul(2 * (longest as u64 + 1)))
        }
        Rows::Followed(Followed { hypotheses, shortlist, .. }) => {
            // Log-probabilities with their copy, and those before tokens are copied or networks put together.
            let copies = 2 + u64::from(decoder.copy) + u64::from(networks > 1);
            let of_each = (2 * networks).saturating_mul(of_a_step).saturating_add(copies.saturating_mul(vocabulary));
            // What every source allows.
            (Purpose::Answers, of_each.saturating_mul(hypotheses as u64).saturating_add(networks * allowed(shortlist)))
        }
    };
    Budget::new(&plan.encoder, input, steps, NUMBER.saturating_mul(row), purpose, limit)
}

/// Numbers that a step of the source takes under hard monotonic attention: what is alive of its cells with all steps of the target.
fn alignment_numbers(decoder: &DecoderPlan, vocabulary: usize, rows: Rows) -> u64 {
    if decoder.form != DecoderForm::HardMonotonic {
        return 0;
    }
    let (hidden, vocabulary) = (decoder.hidden as u64, vocabulary as u64);
    match rows {
        // Scores, emissions and what is kept of them; of a block, which may be one step, hidden values and logits.
        Rows::Trained(longest) => (longest as u64 + 1).saturating_mul(8).saturating_add(2 * hidden + vocabulary),
        // Hidden values, the emissions of this step and of the one before, probabilities in f64.
        Rows::Followed(Followed { hypotheses, .. }) => {
            (hypotheses as u64).saturating_mul(hidden + 2 * vocabulary + 8) + hidden
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the same sizes, rows under hard monotonic attention take more, in training by both lengths multiplied.
    #[test]
    fn alignments_are_in_the_budget() {
        let plan = |form: &str| -> NetworkPlan {
            serde_json::from_value(serde_json::json!({
                "encoder": {
                    "cell": "gru", "embedding": 8, "embedding-scale": 0.3, "embeddings": null, "embeddings-mode": null,
                    "embeddings-vocabulary": 0, "hidden": 8, "layers": 1, "bidirectional": true, "recompute": false,
                    "attention": "none", "embedding-dropout": 0.0, "layer-dropout": 0.0, "forget-bias": null,
                },
                "bridge": "dense",
                "decoder": {
                    "form": form, "cell": "gru", "hidden": 16, "layers": 1, "score": "general", "embedding": 8,
                    "tied": false, "embedding-dropout": 0.0, "layer-dropout": 0.0, "output-dropout": 0.0,
                },
                "ensemble": 1,
            }))
            .unwrap()
        };
        let input = InputShape::Tokens { vocabulary: 30, ngrams: None, bigrams: None, shapes: None };
        let parts = |form: &str, rows: Rows| {
            let limit = MemoryLimit::try_from(64).unwrap();
            let budget = budget(&plan(form), input, (30, rows), limit);
            budget.parts(&[800; 64], &(0..64).collect::<Vec<usize>>()).len()
        };
        let followed = Followed { hypotheses: 50, longest: 1, shortlist: 0 };
        for rows in [Rows::Trained(800), Rows::Followed(followed)] {
            let (soft, hard) = (parts("luong", rows), parts("hard-monotonic", rows));
            assert!(hard > 2 * soft, "{rows:?}: {hard} parts and {soft}");
        }
        // What all hypotheses have looked at, and an ensemble, take more as well.
        let parts_of = |followed: Followed| parts("luong", Rows::Followed(followed));
        assert!(parts_of(Followed { longest: 800, ..followed }) > 2 * parts_of(followed));
        assert!(parts_of(Followed { shortlist: 30, ..followed }) > parts_of(followed));
        // 800 by 800 cells of 8 numbers with their gradients are 39 MiB.
        assert_eq!(parts("hard-monotonic", Rows::Trained(800)), 64);
    }
}
