//! What a network and its batches take of memory, and what a [`MemoryLimit`] makes of it.
//!
//! The recurrent layers of a batch take as much as its padded steps, `B * T`, and the views of self-attention as much as
//! `B * T * T`. One long row beside short ones makes all of them long, so a batch over the limit is computed in parts of
//! rows of similar length, and only a row that is over the limit alone is refused.
//!
//! The figures are estimates from above, of what is alive at once: the peak of a training over long series was between
//! them and half of them, whatever the cell, its size, the pooling and the attention. `tests/cli/memory.rs` holds
//! networks of every form to the limit.

use super::attention::AttentionForm;
use super::config::ModelPlan;
use super::data::{Dataset, Example};
use super::model::{ClassifierModel, InputShape};
use super::parameters::shapes;
use super::pooling::PoolKind;
use crate::error::DataError;
use crate::memory_limit::{MemoryLimit, mib_for, readable, system_gives};
use crate::train::TrainPlan;

/// Units of the widest panels that the kernels pad gates to, those of AVX-512; with narrower ones they take less.
const PANEL: usize = 32;

/// Bytes of a number.
const NUMBER: u64 = 4;

/// Rows up to this length count as similar: a part of its own costs more than their padding.
const ALL_SIMILAR: usize = 64;

/// What a batch is computed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Gradients: what the forward pass gives is kept for the backward pass.
    Training,
    /// Answers alone.
    Answers,
    /// Answers, and the views of what the network looked at.
    Views,
}

/// What rows cost in a network, and how much they may cost together.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limit: MemoryLimit,
    purpose: Purpose,
    /// Bytes of a padded step.
    step: u64,
    /// Bytes of a pair of padded steps.
    pair: u64,
    /// Bytes of a row, whatever its length.
    row: u64,
    /// Bytes of an n-gram of the linear part.
    ngram: u64,
}

impl Budget {
    pub(crate) fn new(
        plan: &ModelPlan,
        input: InputShape,
        labels: usize,
        purpose: Purpose,
        limit: MemoryLimit,
    ) -> Budget {
        let labels = labels as u64;
        let heads = match plan.attention {
            AttentionForm::None | AttentionForm::Structured(_) => 0,
            AttentionForm::MultiHead(heads) => heads as u64,
            _ => 1,
        };
        Budget {
            limit,
            purpose,
            step: NUMBER * step_numbers(plan, input, purpose == Purpose::Training),
            // The weights, and their product with each row's share.
            pair: if purpose == Purpose::Views { 2 * NUMBER * heads } else { 0 },
            // Logits, their softmax, the smoothed targets, and the gradients of all.
            row: NUMBER * 8 * labels,
            // The looked-up weights, their products with the values, and the gradients of both.
            ngram: NUMBER * 4 * labels,
        }
    }

    /// Bytes that rows take together, padded to the `longest`; `ngrams` are those of the linear part in all of them.
    fn bytes(&self, rows: usize, longest: usize, ngrams: usize) -> u64 {
        let (rows, longest) = (rows as u64, longest.max(1) as u64);
        let of_a_row =
            self.step.saturating_mul(longest).saturating_add(self.pair.saturating_mul(longest).saturating_mul(longest));
        let rows = rows.saturating_mul(of_a_row.saturating_add(self.row));
        rows.saturating_add(self.ngram.saturating_mul(ngrams as u64))
    }

    /// Refuses a data set with a row that is over the limit alone, by the row's line.
    pub(crate) fn check(&self, dataset: &Dataset) -> Result<(), DataError> {
        dataset.examples.iter().zip(&dataset.lines).try_for_each(|(example, &line)| {
            self.check_row(example).map_err(|problem| DataError::Memory { file: dataset.file.clone(), line, problem })
        })
    }

    /// Refuses a row that is over the limit alone, in a sentence.
    pub(crate) fn check_row(&self, example: &Example) -> Result<(), String> {
        let bytes = self.bytes(1, example.len(), ngrams(example));
        if bytes <= self.limit.bytes() {
            return Ok(());
        }
        let (what, unit) = match example {
            Example::Text(_) => ("text", "token"),
            Example::Series(_) => ("series", "step"),
        };
        let way_out = match self.purpose {
            Purpose::Training => "cut it with --max-length, or allow it",
            Purpose::Answers => "shorten it, or allow it",
            Purpose::Views => "shorten it, do without its attention, or allow it",
        };
        Err(format!(
            "the {what} has {} and would take about {} of memory in this network, but --max-memory is {} MiB; {way_out} with \
             --max-memory {}",
            crate::error::counted(example.len(), unit),
            readable(bytes),
            self.limit,
            mib_for(bytes),
        ))
    }

    /// A batch in parts that each stay within the limit: itself where it does, else rows of similar length together, the
    /// longest first: none less than half as long as its part's longest, lest most of the part be padding. A row that is
    /// over the limit alone is a part alone.
    pub(crate) fn parts(&self, examples: &[Example], batch: &[usize]) -> Vec<Vec<usize>> {
        let size = |rows: &[usize]| {
            let longest = rows.iter().map(|&row| examples[row].len()).max().unwrap_or(0);
            self.bytes(rows.len(), longest, rows.iter().map(|&row| ngrams(&examples[row])).sum())
        };
        if size(batch) <= self.limit.bytes() {
            return vec![batch.to_vec()];
        }
        let mut order = batch.to_vec();
        // The sort is stable: the same batch always falls into the same parts.
        order.sort_by_key(|&row| std::cmp::Reverse(examples[row].len()));
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let (mut longest, mut sum) = (0, 0);
        for row in order {
            let own = ngrams(&examples[row]);
            let similar = longest <= ALL_SIMILAR || 2 * examples[row].len() >= longest;
            match parts.last_mut() {
                Some(part) if similar && self.bytes(part.len() + 1, longest, sum + own) <= self.limit.bytes() => {
                    part.push(row);
                    sum += own;
                }
                _ => {
                    (longest, sum) = (examples[row].len(), own);
                    parts.push(vec![row]);
                }
            }
        }
        parts
    }
}

/// The n-grams that the linear part weighs in a text.
fn ngrams(example: &Example) -> usize {
    match example {
        Example::Text(text) => text.wide.len(),
        Example::Series(_) => 0,
    }
}

/// Numbers that a padded step takes, alive at once.
fn step_numbers(plan: &ModelPlan, input: InputShape, training: bool) -> u64 {
    let directions = if plan.bidirectional { 2 } else { 1 };
    let outputs = plan.hidden as u64 * directions;
    let width = match input {
        InputShape::Tokens { .. } => plan.embedding as u64,
        InputShape::Channels(channels) => channels as u64,
    };
    // The vectors of different tokens and of places, or a series before and after it became a tensor; then dropout.
    let vectors = 3 * width;
    // A layer's outputs, packed and not; in training, unless it computes them again, the gates, in whole panels.
    let units = directions * plan.hidden.next_multiple_of(PANEL) as u64;
    let kept = if training && !plan.recompute { units * plan.cell.kept() as u64 } else { outputs };
    // Without gradients a layer's input goes when its output is there.
    let (alive, dropped) = if training { (plan.layers, plan.layers) } else { (plan.layers.min(2), 1) };
    let layers = alive as u64 * (kept + outputs) + dropped as u64 * outputs;
    // Queries, keys, values, context, the dense layer, and two side by side.
    let attention = match plan.attention {
        AttentionForm::None => 0,
        AttentionForm::Structured(hops) => 3 * outputs + 2 * hops as u64,
        _ => 7 * outputs,
    };
    let step = plan.attention.width(plan.outputs()) as u64;
    let pool = |kind: &PoolKind| match kind {
        PoolKind::Last => 0,
        PoolKind::Attention | PoolKind::Query => 2,
        PoolKind::Mean | PoolKind::Max => step + 2,
    };
    let pooling: u64 = if plan.attention.pools() { 0 } else { plan.pooling().parts().iter().map(pool).sum() };
    // A gradient for everything that is kept.
    (vectors + layers + attention + pooling) * if training { 2 } else { 1 }
}

/// Refuses a network whose tables are over the limit, before they take memory. `model` holds no values yet.
pub(crate) fn check_tables(model: &ClassifierModel, plan: &ModelPlan, train: &TrainPlan) -> Result<(), String> {
    let numbers = |shape: &[usize]| shape.iter().fold(1u64, |product, &size| product.saturating_mul(size as u64));
    let tables = shapes(model);
    let all = tables.iter().fold(0u64, |sum, (_, shape)| sum.saturating_add(numbers(shape)));
    // The weights and the best ones so far, gradients, the optimiser's state and averages; networks finished before.
    let copies = 3 + train.copies() + (plan.members as u64 - 1);
    let bytes = all.saturating_mul(copies).saturating_mul(NUMBER);
    let limit = train.max_memory();
    if bytes <= limit.bytes() {
        return match system_gives(bytes) {
            true => Ok(()),
            false => Err(format!(
                "the network would take {} of memory in training, which --max-memory allows but the system does not give",
                readable(bytes)
            )),
        };
    }
    let Some((name, shape)) = tables.iter().max_by_key(|(_, shape)| numbers(shape)) else { return Ok(()) };
    let option = match name.split('.').next() {
        Some("embedding") => "--max-vocabulary or --embedding",
        Some("ngram_embedding") => "--char-buckets or --embedding",
        Some("bigram_embedding") => "--bigram-buckets or --embedding",
        Some("wide") => "--wide-buckets",
        _ => "--hidden",
    };
    let members = if plan.members > 1 { format!(" and its {} members", plan.members) } else { String::new() };
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    Err(format!(
        "the network{members} would take {} of memory in training, {copies} copies of its {all} parameters, but \
         --max-memory is {limit} MiB; its largest table is {name}, {} numbers: choose a smaller {option}, or allow it with \
         --max-memory {}",
        readable(bytes),
        sizes.join(" x "),
        mib_for(bytes),
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::encoder::EncodedText;
    use crate::tasks::classify::{ClassifyOptions, ClassifyPlan, ModelOptions};

    fn texts(lengths: &[usize]) -> Vec<Example> {
        let text = |&length: &usize| Example::Text(EncodedText { ids: vec![2; length], ..EncodedText::default() });
        lengths.iter().map(text).collect()
    }

    /// The budget of a network with default sizes and this attention.
    fn budget(attention: &str, purpose: Purpose, mib: u64) -> Budget {
        let model = ModelOptions { attention: Some(attention.into()), ..ModelOptions::default() };
        let options = ClassifyOptions { model, ..ClassifyOptions::default() };
        let plan = ClassifyPlan::new(Path::new("x.csv"), &options).unwrap();
        let shape = InputShape::Tokens { vocabulary: 9, ngrams: None, bigrams: None, wide: None };
        Budget::new(&plan.model, shape, 3, purpose, MemoryLimit::try_from(mib).unwrap())
    }

    #[test]
    fn a_batch_within_the_limit_stays_as_it_is_and_another_falls_into_parts_within_it() {
        let examples = texts(&[7, 3000, 4, 9, 5, 0, 2999, 8, 6, 300]);
        let batch: Vec<usize> = (0..10).rev().collect();
        let whole = budget("none", Purpose::Training, 4096).parts(&examples, &batch);
        assert_eq!(whole, std::slice::from_ref(&batch));
        let budget = budget("none", Purpose::Training, 60);
        let parts = budget.parts(&examples, &batch);
        assert_eq!(parts, [vec![1], vec![6], vec![9], vec![3, 7, 0, 8, 4, 2, 5]]);
        for part in parts {
            let longest = part.iter().map(|&row| examples[row].len()).max().unwrap();
            assert!(budget.bytes(part.len(), longest, 0) <= budget.limit.bytes(), "{part:?}");
        }
    }

    #[test]
    fn views_cost_the_square_of_the_steps_and_answers_do_not() {
        let example = &texts(&[6_000])[0];
        assert!(budget("multi-head:4", Purpose::Answers, 256).check_row(example).is_ok());
        let refused = budget("multi-head:4", Purpose::Views, 256).check_row(example).unwrap_err();
        assert!(refused.contains("6000 tokens") && refused.contains("1.1 GiB"), "{refused}");
        assert!(budget("none", Purpose::Views, 256).check_row(example).is_ok(), "no views, no square");
    }
}
