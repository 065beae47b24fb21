//! The loss of a pointer-generator (See 2017, eq. 9): at each step a token is written from a vocabulary, or copied from where
//! it stands in the source.
//!
//! `p(w) = g p_vocabulary(w) + (1 - g) Σ_{j: x_j = w} a_j`, with `g = σ(gate)`. The loss is the mean of `-log p(w)` over the
//! steps. Only the places of the source that hold the wanted token matter to it, so that they are given as lists, and a
//! step costs no more than the cross-entropy of its logits.
//!
//! # Legend of shapes
//! `N` steps, `V` vocabulary, `P` places that hold the token which their step wants, all steps together.
//!
//! # What holds
//! - Everything is computed from logarithms: neither part's probability underflows to nothing, but that copied weights below
//!   [`LEAST_COPIED`] together count as so much.
//! - A step is read by one thread, so no bit depends on their number.

pub mod reference;
#[cfg(test)]
mod tests;

use crate::cross_entropy::{Scaled, write_log_sums};
use crate::log_space::log_add;
use crate::simd::arch;
use crate::written::vector;
use crate::{KernelError, Real, check};
use rayon::prelude::*;

/// Steps that one piece of work takes.
const STEPS: usize = 16;
/// Where the vocabulary does not have a wanted token, which can then only be copied.
pub const NOT_WRITTEN: u32 = u32::MAX;
/// What copied weights add up to at least, so that the loss of a token that nothing else can write stays finite: 69 nats.
pub const LEAST_COPIED: f32 = 1e-30;

/// The sizes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointerDims {
    /// `N`.
    pub steps: usize,
    /// `V`.
    pub vocabulary: usize,
    /// How many weights there are, in whatever shape.
    pub weights: usize,
}

/// What the network says.
#[derive(Debug, Clone, Copy)]
pub struct PointerInputs<'a, R = f32> {
    /// `[N, V]`: of the vocabulary.
    pub logits: &'a [R],
    /// `[N]`: before the sigmoid; the larger, the more is written and the less copied.
    pub gates: &'a [R],
    /// The weights of attention of all steps, in whatever shape; those that are not named as places are never read.
    pub weights: &'a [R],
}

/// What is right.
#[derive(Debug, Clone, Copy)]
pub struct PointerTargets<'a> {
    /// `[N]`: the token of each step, or [`NOT_WRITTEN`].
    pub wanted: &'a [u32],
    /// `[N + 1]`: the places of step `n` are `places[offsets[n]..offsets[n + 1]]`.
    pub offsets: &'a [usize],
    /// `[P]`: which weights of a step fall on its token.
    pub places: &'a [usize],
}

/// What [`forward`] leaves for [`backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct PointerTrace {
    /// `[N]`: `log Σ e^logit`.
    log_sums: Vec<f32>,
    /// `[N]`: which share of the token's probability is written.
    written: Vec<f32>,
    /// `[N]`: `(1 - g) / p`, by which `p` grows with each copied weight; 0 where they are below [`LEAST_COPIED`] together, and
    /// where none is copied.
    each: Vec<f32>,
}

/// Gradients of everything that the network says.
#[derive(Debug, Clone, PartialEq)]
pub struct PointerGradients<R = f32> {
    /// `[N, V]`.
    pub logits: Vec<R>,
    /// `[N]`.
    pub gates: Vec<R>,
    /// As many as there are weights; zeros where no place is.
    pub weights: Vec<R>,
}

/// The mean loss in nats, and what [`backward`] needs.
///
/// # Errors
/// If a slice has not the length of its shape, a token is outside the vocabulary or a place outside the weights, offsets do not
/// rise, or a step's token can be neither written nor copied.
pub fn forward(
    dims: PointerDims,
    inputs: PointerInputs<'_>,
    targets: PointerTargets<'_>,
    threads: usize,
) -> Result<(f32, PointerTrace), KernelError> {
    check(dims, inputs, targets)?;
    let PointerDims { steps, vocabulary, .. } = dims;
    let mut log_sums = vec![0.0; steps];
    write_log_sums(vocabulary, inputs.logits, &mut log_sums, threads);
    let (mut written, mut each) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
    let mut total = 0.0;
    for (step, &log_sum) in log_sums.iter().enumerate() {
        let token = targets.wanted[step];
        let logit = (token != NOT_WRITTEN).then(|| inputs.logits[step * vocabulary + token as usize]);
        let gate = f64::from(inputs.gates[step]);
        let weights: f32 = targets.of(step).iter().map(|&place| inputs.weights[place]).sum();
        let can_copy = !targets.of(step).is_empty();
        // log σ(z) = -log(1 + e^-z).
        let write = logit.map(|logit| f64::from(logit - log_sum) - softplus(-gate));
        let copy = can_copy.then(|| f64::from(at_least(weights)).ln() - softplus(gate));
        let (log_probability, share) = match (write, copy) {
            (Some(write), Some(copy)) => {
                let both = log_add(write, copy);
                (both, (write - both).exp())
            }
            (Some(write), None) => (write, 1.0),
            (None, copy) => (copy.unwrap_or(f64::NEG_INFINITY), 0.0),
        };
        total -= log_probability;
        written.push(share as f32);
        // From the logarithms: the share that is copied, over a small sum, would have lost its digits. What is no number stays.
        let counts = copy.is_some() && (weights >= LEAST_COPIED || weights.is_nan());
        each.push(if counts { (-softplus(gate) - log_probability).exp() as f32 } else { 0.0 });
    }
    Ok(((total / steps.max(1) as f64) as f32, PointerTrace { log_sums, written, each }))
}

/// The gradients of `upstream` times the loss, given what [`forward`] left of the same arguments.
///
/// With `r` the share of the token's probability that is written: `r (softmax - one at the token)` to the logits, `g - r` to
/// the gate, `-(1 - g) / p` to each weight of a sum that counts as it is.
///
/// # Errors
/// As [`forward`], or if the trace is of another number of steps.
pub fn backward(
    dims: PointerDims,
    inputs: PointerInputs<'_>,
    targets: PointerTargets<'_>,
    trace: &PointerTrace,
    upstream: f32,
    threads: usize,
) -> Result<PointerGradients, KernelError> {
    check(dims, inputs, targets)?;
    let PointerDims { steps, vocabulary, weights } = dims;
    check::slice("the trace", &trace.log_sums, &[steps], "[N]")?;
    let mean = upstream / steps.max(1) as f32;
    let least = if threads <= 1 { usize::MAX } else { STEPS };
    // SAFETY: the steps are all of the gradient, and each is written before a value of it is changed.
    let logits = unsafe {
        vector(inputs.logits.len(), |gradient| {
            let rows = gradient.par_chunks_exact_mut(vocabulary).zip(inputs.logits.par_chunks_exact(vocabulary));
            let of_steps = trace.log_sums.par_iter().zip(&trace.written).zip(targets.wanted);
            rows.zip(of_steps).with_min_len(least).for_each(|((to, row), ((&log_sum, &written), &token))| {
                let scale = mean * written;
                if token == NOT_WRITTEN {
                    crate::written::filled(to, 0.0);
                    return;
                }
                arch().dispatch(Scaled { row, log_sum, scale, to: &mut *to });
                *to[token as usize].assume_init_mut() -= scale;
            });
        })
    };
    let mut of_weights = vec![0.0; weights];
    let mut gates = Vec::with_capacity(steps);
    for (step, &written) in trace.written.iter().enumerate() {
        gates.push(if targets.of(step).is_empty() {
            // g - 1, with its digits.
            -mean * (-inputs.gates[step]).sigmoid()
        } else {
            mean * (inputs.gates[step].sigmoid() - written)
        });
        let each = mean * trace.each[step];
        targets.of(step).iter().for_each(|&place| of_weights[place] -= each);
    }
    Ok(PointerGradients { logits, gates, weights: of_weights })
}

impl<'a> PointerTargets<'a> {
    /// The places of a step.
    fn of(&self, step: usize) -> &'a [usize] {
        &self.places[self.offsets[step]..self.offsets[step + 1]]
    }
}

fn check(dims: PointerDims, inputs: PointerInputs<'_>, targets: PointerTargets<'_>) -> Result<(), KernelError> {
    let PointerDims { steps, vocabulary, weights } = dims;
    check_targets(dims, targets)?;
    check::slice("logits", inputs.logits, &[steps, vocabulary], "[N, V]")?;
    check::slice("gates", inputs.gates, &[steps], "[N]")?;
    check::slice("weights", inputs.weights, &[weights], "[weights]")
}

/// Refuses targets that do not fit.
///
/// # Errors
/// As [`forward`].
pub fn check_targets(dims: PointerDims, targets: PointerTargets<'_>) -> Result<(), KernelError> {
    let PointerDims { steps, vocabulary, weights } = dims;
    check::positive(&[("V", vocabulary)])?;
    check::slice("wanted", targets.wanted, &[steps], "[N]")?;
    check::indices("wanted", targets.wanted, (vocabulary, "the vocabulary"), Some(NOT_WRITTEN))?;
    check::slice("offsets", targets.offsets, &[steps.saturating_add(1)], "[N + 1]")?;
    let rise = targets.offsets[0] == 0 && targets.offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    if !rise || targets.offsets[steps] != targets.places.len() {
        let reason = "offsets must rise from 0 to the number of places";
        return Err(KernelError::Missing { name: "the places of each step", reason });
    }
    if let Some((at, &place)) = targets.places.iter().enumerate().find(|&(_, &place)| place >= weights) {
        let index = u32::try_from(place).unwrap_or(u32::MAX);
        return Err(KernelError::Index { name: "places", at, index, count: weights, of: "the weights".into() });
    }
    let lost = (0..steps).any(|step| targets.wanted[step] == NOT_WRITTEN && targets.of(step).is_empty());
    if lost {
        let reason = "a step's token is neither of the vocabulary nor at any place";
        return Err(KernelError::Missing { name: "a way to give a token", reason });
    }
    Ok(())
}

/// A sum of weights, as it counts. What is no number stays that.
fn at_least(weights: f32) -> f32 {
    if weights < LEAST_COPIED { LEAST_COPIED } else { weights }
}

/// `log (1 + e^x)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
