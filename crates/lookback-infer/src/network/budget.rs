//! What the batches of a network take of memory, and what a [`MemoryLimit`] makes of it.
//!
//! The recurrent layers of a batch take as much as its padded steps, `B * T`, and the views of self-attention as much as
//! `B * T * T`. One long row beside short ones makes all of them long, so a batch over the limit is computed in parts of
//! rows of similar length, and only a row that is over the limit alone is refused.
//!
//! The figures are estimates from above, of what is alive at once: the peak of a training over long series was between
//! them and half of them, whatever the cell, its size, the pooling and the attention. `tests/cli/memory.rs` of the program
//! holds networks of every form to the limit.

use std::path::Path;

use super::{AttentionForm, EncoderPlan, PoolKind, Pooling};
use crate::error::{DataError, counted};
use crate::input::{Example, InputShape, by_length};
use crate::memory_limit::{MemoryLimit, mib_for, readable};

/// Units of the widest panels that the kernels pad gates to, those of AVX-512; with narrower ones they take less.
const PANEL: usize = 32;

/// Bytes of a number.
pub const NUMBER: u64 = 4;

/// Examples that are answered at once.
const BATCH: usize = 64;

/// Rows up to this length count as similar: a part of its own costs more than their padding.
const ALL_SIMILAR: usize = 64;

/// What a batch is computed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Gradients: what the forward pass gives is kept for the backward pass.
    Training,
    /// Answers alone.
    Answers,
    /// Answers, and the views of what the network looked at.
    Views,
}

/// What rows cost in a network, and how much they may cost together.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: MemoryLimit,
    purpose: Purpose,
    /// Bytes of a padded step.
    step: u64,
    /// Bytes of a pair of padded steps.
    pair: u64,
    /// Bytes of a row, whatever its length.
    row: u64,
}

impl Budget {
    /// Of a network that begins with this encoder. `steps`: numbers that a step takes behind it, such as
    /// [`pooling_numbers`]. `row`: bytes that a row takes whatever its length.
    pub fn new(
        plan: &EncoderPlan,
        input: InputShape,
        steps: u64,
        row: u64,
        purpose: Purpose,
        limit: MemoryLimit,
    ) -> Budget {
        let training = purpose == Purpose::Training;
        // A gradient for everything that is kept.
        let kept = if training { 2 } else { 1 };
        let pairs = plan.attention.pair_heads() as u64;
        Budget {
            limit,
            purpose,
            step: encoder_numbers(plan, input, training).saturating_add(steps).saturating_mul(NUMBER * kept),
            // The weights, and what is shown of them.
            pair: if purpose == Purpose::Views { 2 * NUMBER * pairs } else { 0 },
            row,
        }
    }

    /// Bytes that rows take together, padded to the `longest`.
    fn bytes(&self, rows: usize, longest: usize) -> u64 {
        let (rows, longest) = (rows as u64, longest.max(1) as u64);
        let of_a_row =
            self.step.saturating_mul(longest).saturating_add(self.pair.saturating_mul(longest).saturating_mul(longest));
        rows.saturating_mul(of_a_row.saturating_add(self.row))
    }

    /// Refuses a row of `file` that is over the limit alone.
    ///
    /// # Errors
    /// [`DataError::Memory`] says how much it would take.
    pub fn check_row(&self, example: &Example, file: &Path) -> Result<(), DataError> {
        self.check_steps(example.len(), (example.unit(), "--max-length"), (file, example.line))
    }

    /// As [`Budget::check_row`], of so many steps of a row that stands on this line of a file: what people call a row and a step, and
    /// the option that cuts rows in training.
    ///
    /// # Errors
    /// As that.
    pub fn check_steps(
        &self,
        steps: usize,
        ((what, unit), cuts): ((&str, &str), &str),
        (file, line): (&Path, usize),
    ) -> Result<(), DataError> {
        let bytes = self.bytes(1, steps);
        if bytes <= self.limit.bytes() {
            return Ok(());
        }
        let way_out = match self.purpose {
            Purpose::Training => &format!("cut it with {cuts}, or allow it"),
            Purpose::Answers => "shorten it, or allow it",
            Purpose::Views => "shorten it, do without its attention, or allow it",
        };
        let problem = format!(
            "the {what} has {} and would take about {} of memory in this network, but --max-memory is {} MiB; {way_out} with \
             --max-memory {}",
            counted(steps, unit),
            readable(bytes),
            self.limit,
            mib_for(bytes),
        );
        Err(DataError::Memory { file: file.into(), line, problem })
    }

    /// Examples of these lengths in batches to be answered, of similar length each and within the limit. Every example
    /// stands in exactly one.
    pub fn batches(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        by_length(lengths, BATCH).iter().flat_map(|batch| self.parts(lengths, batch)).collect()
    }

    /// What `answer` gives for the examples of each of these batches, in the order of the examples.
    ///
    /// # Errors
    /// Those of `answer`.
    pub fn answers<A, E>(
        &self,
        lengths: &[usize],
        mut answer: impl FnMut(&[usize]) -> Result<Vec<A>, E>,
    ) -> Result<Vec<A>, E> {
        let mut answers: Vec<Option<A>> = lengths.iter().map(|_| None).collect();
        for rows in self.batches(lengths) {
            for (&row, of_row) in rows.iter().zip(answer(&rows)?) {
                answers[row] = Some(of_row);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// A batch in parts that each stay within the limit: itself where it does, else rows of similar length together, the
    /// longest first: none less than half as long as its part's longest, lest most of the part be padding. A row that is
    /// over the limit alone is a part alone. `lengths`: of all examples.
    pub fn parts(&self, lengths: &[usize], batch: &[usize]) -> Vec<Vec<usize>> {
        let size = |rows: &[usize]| {
            let longest = rows.iter().map(|&row| lengths[row]).max().unwrap_or(0);
            self.bytes(rows.len(), longest)
        };
        if size(batch) <= self.limit.bytes() {
            return vec![batch.to_vec()];
        }
        let mut order = batch.to_vec();
        // The sort is stable: the same batch always falls into the same parts.
        order.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut longest = 0;
        for row in order {
            let similar = longest <= ALL_SIMILAR || 2 * lengths[row] >= longest;
            match parts.last_mut() {
                Some(part) if similar && self.bytes(part.len() + 1, longest) <= self.limit.bytes() => {
                    part.push(row);
                }
                _ => {
                    longest = lengths[row];
                    parts.push(vec![row]);
                }
            }
        }
        parts
    }
}

/// Numbers that a padded step takes in the encoder, alive at once.
fn encoder_numbers(plan: &EncoderPlan, input: InputShape, training: bool) -> u64 {
    let directions = if plan.bidirectional { 2 } else { 1 };
    let outputs = plan.outputs() as u64;
    let width = match input {
        InputShape::Tokens { .. } => plan.embedding as u64,
        InputShape::Channels(channels) => channels as u64,
    };
    // The vectors of unique tokens and of positions, or a series before and after it became a tensor; then dropout.
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
    vectors + layers + attention
}

/// Numbers that a step of this width takes in the pooling.
pub fn pooling_numbers(pooling: &Pooling, width: usize) -> u64 {
    let numbers = |kind: &PoolKind| match kind {
        PoolKind::Last => 0,
        PoolKind::Attention | PoolKind::Query => 2,
        PoolKind::Mean | PoolKind::Max => width as u64 + 2,
    };
    pooling.parts().iter().map(numbers).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Cell;

    /// The budget of a network with default sizes and this attention.
    fn budget(attention: &str, purpose: Purpose, mib: u64) -> Budget {
        let plan = EncoderPlan {
            cell: Cell::Lstm,
            embedding: 128,
            embedding_scale: 0.3,
            embeddings: None,
            embeddings_mode: None,
            embeddings_vocabulary: 0,
            hidden: 128,
            layers: 1,
            bidirectional: true,
            recompute: false,
            attention: attention.parse().unwrap(),
            embedding_dropout: 0.5,
            layer_dropout: 0.0,
            forget_bias: None,
        };
        let shape = InputShape::Tokens { vocabulary: 9, ngrams: None, bigrams: None, shapes: None };
        let steps = pooling_numbers(&"attention".parse().unwrap(), plan.width());
        Budget::new(&plan, shape, steps, 8 * NUMBER * 3, purpose, MemoryLimit::try_from(mib).unwrap())
    }

    #[test]
    fn a_batch_within_the_limit_stays_as_it_is_and_another_falls_into_parts_within_it() {
        let lengths = [7, 3000, 4, 9, 5, 0, 2999, 8, 6, 300];
        let batch: Vec<usize> = (0..10).rev().collect();
        let whole = budget("none", Purpose::Training, 4096).parts(&lengths, &batch);
        assert_eq!(whole, std::slice::from_ref(&batch));
        let budget = budget("none", Purpose::Training, 60);
        let parts = budget.parts(&lengths, &batch);
        assert_eq!(parts, [vec![1], vec![6], vec![9], vec![3, 7, 0, 8, 4, 2, 5]]);
        for part in parts {
            let longest = part.iter().map(|&row| lengths[row]).max().unwrap();
            assert!(budget.bytes(part.len(), longest) <= budget.limit.bytes(), "{part:?}");
        }
    }

    #[test]
    fn views_cost_the_square_of_the_steps_and_answers_do_not() {
        let bytes = |attention, purpose| budget(attention, purpose, 256).bytes(1, 6_000);
        assert!(bytes("multi-head:4", Purpose::Answers) <= 256 << 20);
        assert!(bytes("multi-head:4", Purpose::Views) > 1 << 30);
        assert!(bytes("none", Purpose::Views) <= 256 << 20, "no views, no square");
    }
}
