//! What a forward pass leaves for the backward pass, and where each row's part of it stands.

use super::{DecoderDims, DecoderForm, DecoderInputs, DecoderKind};
use crate::KernelError;
use crate::attention::{Score, stride_of};
use crate::cell::packed::padded;
use crate::recurrence::Dims;
use crate::recurrence::plan::{Task, Tokens, tasks};
use crate::simd::Shared;
use crate::written::Unwritten;

/// What [`super::forward`] leaves for [`super::backward`]: real steps only, row by row.
#[derive(Debug)]
pub struct DecoderTrace {
    kind: DecoderKind,
    dims: DecoderDims,
    lengths: Option<Vec<usize>>,
    key_lengths: Option<Vec<usize>>,
    covers: bool,
    /// `[L]`.
    pub(super) layers: Vec<LayerTrace>,
    /// `[steps, M + H]`: context and state, which Luong's form combines.
    pub(super) both: Vec<f32>,
    /// `[steps, A]`: the queries.
    pub(super) queries: Vec<f32>,
    /// `[steps, K]`: the weights of attention.
    pub(super) weights: Vec<f32>,
    /// `[steps, K]`: the sums of the weights of the steps before, with coverage; what stands behind a row's keys is zero.
    pub(super) coverage: Vec<f32>,
    /// `[real keys, stride]`: `e^2k`, for the additive score without coverage.
    pub(super) exponentials: Vec<f32>,
    /// `[real keys]`.
    pub(super) bounds: Vec<f32>,
}

/// What is left of one layer.
#[derive(Debug)]
pub(super) struct LayerTrace {
    /// `[steps, I + F]` or `[steps, H]`: what it read.
    pub(super) x: Vec<f32>,
    /// `[steps, H]`: the state before each step.
    pub(super) before: Vec<f32>,
    /// `[steps, kept * Hp]`.
    pub(super) gates: Vec<f32>,
}

impl DecoderTrace {
    /// Refuses another call's trace.
    pub(super) fn check(
        &self,
        kind: DecoderKind,
        dims: &DecoderDims,
        inputs: &DecoderInputs<'_>,
        covers: bool,
    ) -> Result<(), KernelError> {
        let describe = |kind: DecoderKind, dims: &DecoderDims, lengths: [Option<&[usize]>; 2], covers: bool| {
            let with = if covers { ", with coverage" } else { "" };
            format!("{kind:?} with {dims:?}, lengths {:?} and key lengths {:?}{with}", lengths[0], lengths[1])
        };
        let own = [self.lengths.as_deref(), self.key_lengths.as_deref()];
        let called = [inputs.lengths, inputs.key_lengths];
        if self.kind == kind && self.dims == *dims && own == called && self.covers == covers {
            return Ok(());
        }
        Err(KernelError::Packed {
            packed: describe(self.kind, &self.dims, own, self.covers),
            called: describe(kind, dims, called, covers),
        })
    }
}

/// Sizes, rows and steps of a call, and how they are dealt.
pub(super) struct Plan {
    pub(super) kind: DecoderKind,
    pub(super) dims: DecoderDims,
    /// `F`.
    pub(super) fed: usize,
    pub(super) hp: usize,
    pub(super) tokens: Tokens,
    /// `[B]`.
    pub(super) key_lengths: Vec<usize>,
    /// `[B]`: where each row's first key stands among the real keys.
    pub(super) key_offsets: Vec<usize>,
    /// How many real keys there are.
    pub(super) keys: usize,
}

impl Plan {
    pub(super) fn new(kind: DecoderKind, dims: &DecoderDims, inputs: &DecoderInputs<'_>) -> Plan {
        let own = Self::layer_dims(dims);
        let key_lengths = inputs.key_lengths.map_or_else(|| vec![dims.keys; dims.batch], <[usize]>::to_vec);
        let mut keys = 0;
        let key_offsets = key_lengths
            .iter()
            .map(|&length| {
                keys += length;
                keys - length
            })
            .collect();
        Plan {
            kind,
            dims: *dims,
            fed: kind.fed(dims),
            hp: padded(dims.hidden),
            tokens: Tokens::new(&own, inputs.lengths),
            key_lengths,
            key_offsets,
            keys,
        }
    }

    fn layer_dims(dims: &DecoderDims) -> Dims {
        let DecoderDims { batch, time, input, hidden, .. } = *dims;
        Dims { batch, time, input, hidden, directions: 1 }
    }

    /// Rows dealt to tasks, the longest first.
    pub(super) fn tasks(&self, threads: usize) -> Vec<Task> {
        tasks(&Self::layer_dims(&self.dims), &self.tokens, threads)
    }

    /// Where step `s` of row `row` stands among the real steps.
    #[inline(always)]
    pub(super) fn token(&self, row: usize, s: usize) -> usize {
        self.tokens.offsets[row] + s
    }

    /// Where the mask of what `layer`, not the first, reads in step `s` of row `row` begins.
    #[inline(always)]
    pub(super) fn mask_of(&self, layer: usize, row: usize, s: usize) -> usize {
        let DecoderDims { batch, time, hidden, .. } = self.dims;
        (((layer - 1) * batch + row) * time + s) * hidden
    }

    pub(super) fn bahdanau(&self) -> bool {
        self.kind.form == DecoderForm::Bahdanau
    }

    /// How many values each of a layer's parts has, as in [`LayerTrace`].
    fn layer_lens(&self, layer: usize) -> [usize; 3] {
        let (steps, form) = (self.tokens.count, self.kind.cell.form());
        [steps * self.kind.read(&self.dims, layer), steps * self.dims.hidden, steps * form.row_len(self.hp)]
    }
}

/// A trace that is being written.
pub(super) struct Writing {
    covers: bool,
    layers: Vec<[Unwritten; 3]>,
    rest: [Unwritten; 6],
}

/// Where its parts stand.
pub(super) struct Places {
    /// `[L]`: what each layer reads, the state before, and the gates.
    pub(super) layers: Vec<[Shared; 3]>,
    pub(super) both: Shared,
    pub(super) queries: Shared,
    pub(super) weights: Shared,
    pub(super) coverage: Shared,
    pub(super) exponentials: Shared,
    pub(super) bounds: Shared,
}

impl Writing {
    pub(super) fn new(plan: &Plan, score: Score<'_>, covers: bool) -> Writing {
        let DecoderDims { hidden, layers, keys, width, memory, .. } = plan.dims;
        let steps = plan.tokens.count;
        let both = if plan.bahdanau() { 0 } else { steps * (memory + hidden) };
        let prepared = match score {
            Score::Additive { .. } if !covers => plan.keys,
            _ => 0,
        };
        let coverage = if covers { steps * keys } else { 0 };
        let rest = [both, steps * width, steps * keys, coverage, prepared * stride_of(width), prepared];
        Writing {
            covers,
            layers: (0..layers).map(|layer| plan.layer_lens(layer).map(Unwritten::new)).collect(),
            rest: rest.map(Unwritten::new),
        }
    }

    pub(super) fn places(&mut self) -> Places {
        let place = |part: &mut Unwritten| Shared(part.slots().as_mut_ptr().cast());
        let [both, queries, weights, coverage, exponentials, bounds] = self.rest.each_mut().map(place);
        let layers = self.layers.iter_mut().map(|layer| layer.each_mut().map(place)).collect();
        Places { layers, both, queries, weights, coverage, exponentials, bounds }
    }

    /// # Safety
    /// Every value must have been written, but for the ends of rows of exponentials, which nobody reads.
    pub(super) unsafe fn written(self, plan: &Plan, inputs: &DecoderInputs<'_>) -> DecoderTrace {
        // SAFETY: as the caller promises.
        let written = |part: Unwritten| unsafe { part.written() };
        let [both, queries, weights, coverage, exponentials, bounds] = self.rest.map(written);
        let layers = self.layers.into_iter().map(|layer| {
            let [x, before, gates] = layer.map(written);
            LayerTrace { x, before, gates }
        });
        DecoderTrace {
            kind: plan.kind,
            dims: plan.dims,
            lengths: inputs.lengths.map(<[usize]>::to_vec),
            key_lengths: inputs.key_lengths.map(<[usize]>::to_vec),
            covers: self.covers,
            layers: layers.collect(),
            both,
            queries,
            weights,
            coverage,
            exponentials,
            bounds,
        }
    }
}
