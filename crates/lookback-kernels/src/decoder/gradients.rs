//! The gradients of the parameters: products over all real steps, split by rows of the weights and never by rows of the
//! batch, so that no sum depends on the number of threads.

use super::made::Made;
use super::plan::{LayerTrace, Plan};
use super::{DecoderDims, DecoderGradients, DecoderParameters, DecoderTrace, LayerGradients, MapGradients};
use crate::attention::{Score, stride_of};
use crate::linear::{LinearDims, bias_of, weight_of};
use crate::recurrence::plan::Tokens;
use crate::recurrence::{Dims, Inputs, WeightGradients, weight_gradients, weight_lens};
use crate::simd::Aligned;
use crate::written::Unwritten;

/// Everything that the backward pass gives.
pub(super) fn gather(
    plan: &Plan,
    parameters: &DecoderParameters<'_>,
    trace: &DecoderTrace,
    made: Made<Vec<f32>>,
    threads: usize,
) -> DecoderGradients {
    let DecoderDims { hidden, width, memory, layers, .. } = plan.dims;
    let steps = plan.tokens.count;
    let map = |[outputs, inputs]: [usize; 2], x: &[f32], dy: &[f32]| {
        let dims = LinearDims { rows: steps, inputs, outputs };
        MapGradients { weight: weight_of(dims, x, dy, threads), bias: bias_of(dims, dy) }
    };
    // Before the step the query of Bahdanau's form is the state, after it the query of Luong's.
    let query = parameters.query.map(|_| match plan.bahdanau() {
        true => map([width, hidden], &trace.layers[layers - 1].before, &made.queries),
        false => {
            let states = trace.both.chunks_exact(memory + hidden).flat_map(|both| &both[memory..]);
            map([width, hidden], &states.copied().collect::<Vec<_>>(), &made.queries)
        }
    });
    let of_layer =
        |(layer, gates): (usize, &Vec<f32>)| layer_gradients(plan, layer, &trace.layers[layer], gates, threads);
    DecoderGradients {
        layers: made.gates.iter().enumerate().map(of_layer).collect(),
        query,
        // The parts of v come over -2, those of w_c over 4 v.
        v: match parameters.score {
            Score::Additive { .. } => summed(&made.v, width, |_| -2.0),
            Score::Product { .. } => Vec::new(),
        },
        combine: parameters.combine.map(|_| map([hidden, memory + hidden], &trace.both, &made.combined)),
        coverage: match (parameters.coverage, parameters.score) {
            (Some(_), Score::Additive { v }) => summed(&made.coverage, width, |unit| 4.0 * v[unit]),
            _ => Vec::new(),
        },
        x: made.x,
        keys: made.keys,
        values: made.values,
        previous: made.previous,
        h0: made.h0,
        c0: made.c0,
    }
}

/// The gradients of one layer's parameters. gates: `[steps, gradient_len]`.
fn layer_gradients(plan: &Plan, layer: usize, trace: &LayerTrace, gates: &[f32], threads: usize) -> LayerGradients {
    let (cell, input) = (plan.kind.cell, plan.kind.read(&plan.dims, layer));
    // Every step as a row of its own, whose state before it is given.
    let dims = &Dims { batch: plan.tokens.count, time: 1, input, hidden: plan.dims.hidden, directions: 1 };
    let inputs = &Inputs { x: &trace.x, lengths: None, h0: Some(&trace.before), c0: None };
    let tokens = &Tokens::new(dims, None);
    let [ih, hh, bias, ..] = weight_lens(cell, dims);
    let mut made = [ih, hh, bias, bias].map(Unwritten::new);
    let [weight_ih, weight_hh, bias_ih, bias_hh] = made.each_mut().map(|part| Some(part.slots()));
    let mut gradients = [WeightGradients { weight_ih, weight_hh, bias_ih, bias_hh, peephole: None }];
    let form = cell.form();
    let parts = weight_gradients::Parts { form, dims, inputs, y: &[], saved: &trace.gates, gates, tokens };
    weight_gradients::compute(&parts, &mut gradients, &mut Aligned::default(), threads);
    // SAFETY: every gradient that is asked for is written, also where there was no step.
    let [weight_ih, weight_hh, bias_ih, bias_hh] = made.map(|part| unsafe { part.written() });
    LayerGradients { weight_ih, weight_hh, bias_ih, bias_hh }
}

/// The sum over the rows in the order of the batch, times a factor of each unit. parts: `[B, stride]`.
fn summed(parts: &[f32], width: usize, factor: impl Fn(usize) -> f32) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    for part in parts.chunks_exact(stride_of(width)) {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    sums.iter_mut().enumerate().for_each(|(unit, sum)| *sum *= factor(unit));
    sums
}
