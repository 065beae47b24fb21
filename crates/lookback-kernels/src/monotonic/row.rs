//! One row: the forward and the backward recursion over its alignments.
//!
//! All in logarithms and in f64. Jumps of `D - 1` positions and more share a bias, so that what they bring is a sum over all
//! positions behind, or before, which goes along with the position: a cell takes some `D` exponentials forward and three times
//! as many backward, and not one for every position of the source.

use super::{MonotonicDims, MonotonicInputs};
use crate::log_space::log_add;
use crate::{KernelError, check};

/// What a row is made of, its axes still those of the batch.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// `[T, S]`.
    emissions: &'a [f32],
    /// `[T, S]`.
    scores: &'a [f32],
    /// `S` of the batch.
    stride: usize,
    /// Real steps.
    steps: usize,
    /// `L`, real positions.
    positions: usize,
    /// `[D]`.
    biases: Vec<f64>,
}

/// What the forward recursion leaves of a row, `L` being its real positions.
#[derive(Debug, Clone)]
pub(super) struct RowTrace {
    /// Real steps, and `L`.
    pub(super) sizes: (usize, usize),
    /// `[steps, L]`: `log p(y_1 .. y_t, a_t = j)`.
    alphas: Vec<f64>,
    /// `[steps, L]`: `log Σ_(k >= i) e^(e_t(k) + b(k - i))`; of where nothing is at that step, whatever.
    norms: Vec<f64>,
    pub(super) log_likelihood: f64,
}

impl<'a> Row<'a> {
    /// Row `index` of inputs that fit.
    pub(super) fn of(dims: MonotonicDims, inputs: MonotonicInputs<'a>, index: usize) -> Row<'a> {
        let cells = dims.time * dims.positions;
        Row {
            emissions: &inputs.emissions[index * cells..][..cells],
            scores: &inputs.scores[index * cells..][..cells],
            stride: dims.positions,
            steps: inputs.lengths[index],
            positions: inputs.source_lengths[index],
            biases: inputs.distances.iter().map(|&bias| f64::from(bias)).collect(),
        }
    }

    fn step(&self, values: &'a [f32], t: usize) -> impl Fn(usize) -> f64 + 'a {
        let values = &values[t * self.stride..][..self.positions];
        move |j| f64::from(values[j])
    }

    pub(super) fn forward(&self) -> RowTrace {
        let (steps, positions) = (self.steps, self.positions);
        let mut alphas = vec![0.0; steps * positions];
        let mut norms = vec![0.0; steps * positions];
        let (mut before, mut sums) = (start(positions).collect::<Vec<f64>>(), vec![0.0; positions + 1]);
        for t in 0..steps {
            let (scores, emissions) = (self.step(self.scores, t), self.step(self.emissions, t));
            let norms = &mut norms[t * positions..][..positions];
            let alphas = &mut alphas[t * positions..][..positions];
            step(&before, scores, &self.biases, [norms, alphas, &mut sums]);
            alphas.iter_mut().enumerate().for_each(|(j, alpha)| *alpha += emissions(j));
            before.copy_from_slice(alphas);
        }
        let log_likelihood = if steps == 0 { 0.0 } else { log_sum(positions, |j| before[j]) };
        RowTrace { sizes: (steps, positions), alphas, norms, log_likelihood }
    }

    /// Writes the gradients of `upstream · log p(y | x)`, `[T, S]` each, which were zeros; gives that of the distances, `[D]`.
    pub(super) fn backward(
        &self,
        trace: &RowTrace,
        upstream: f64,
        [d_emissions, d_scores]: [&mut [f32]; 2],
    ) -> Vec<f64> {
        let (positions, whole, biases) = (self.positions, trace.log_likelihood, &self.biases);
        let far = biases.len() - 1;
        let mut d_biases = vec![0.0; biases.len()];
        // `β_t(j)`, the logarithm of all that comes after; behind the last step nothing does.
        let mut betas = vec![0.0; positions];
        let [mut d_score, mut follows, mut behind] = [0, 0, 1].map(|more| vec![0.0; positions + more]);
        let first: Vec<f64> = start(positions).collect();
        for t in (0..self.steps).rev() {
            let (scores, emissions) = (self.step(self.scores, t), self.step(self.emissions, t));
            let alphas = &trace.alphas[t * positions..][..positions];
            let norms = &trace.norms[t * positions..][..positions];
            let before = if t == 0 { &first } else { &trace.alphas[(t - 1) * positions..][..positions] };
            for (j, (&alpha, &beta)) in alphas.iter().zip(&betas).enumerate() {
                d_emissions[t * self.stride + j] = (upstream * (alpha + beta - whole).exp()) as f32;
                // What follows a jump to `j`.
                follows[j] = scores(j) + emissions(j) + beta;
            }
            d_score.fill(0.0);
            sum_behind(|j| follows[j], &mut behind);
            // Of all positions up to the one at hand: what long jumps from there come to, the target known and not known.
            let (mut known_far, mut prior_far) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
            for (i, beta) in betas.iter_mut().enumerate() {
                let after = over_jumps(i, biases, |j| follows[j], &behind);
                *beta = after - norms[i];
                // The probability of having been at `i`, given the whole target.
                let log = before[i] + *beta - whole;
                if log != f64::NEG_INFINITY {
                    known_far = log_add(known_far, log - after);
                    prior_far = log_add(prior_far, log - norms[i]);
                    let posterior = log.exp();
                    for (distance, bias) in biases[..far.min(positions - i)].iter().enumerate() {
                        let j = i + distance;
                        // The probability of going on to `j`, given the target, less that before the target is known.
                        let known = (follows[j] + bias - after).exp();
                        let prior = (scores(j) + bias - norms[i]).exp();
                        let slope = posterior * (known - prior);
                        d_score[j] += slope;
                        d_biases[distance] += slope;
                    }
                }
                let j = i + far;
                if j < positions {
                    let slope =
                        (follows[j] + biases[far] + known_far).exp() - (scores(j) + biases[far] + prior_far).exp();
                    d_score[j] += slope;
                    d_biases[far] += slope;
                }
            }
            let to = d_scores[t * self.stride..].iter_mut();
            to.zip(&d_score).for_each(|(to, slope)| *to = (upstream * slope) as f32);
        }
        d_biases.iter_mut().for_each(|slope| *slope *= upstream);
        d_biases
    }
}

/// The memory of [`advance`], of which no value matters from one call to the next.
#[derive(Debug, Clone, Default)]
pub struct AdvanceScratch {
    /// `[S]`: the start, where there is no step before.
    first: Vec<f64>,
    /// `[S]`.
    norms: Vec<f64>,
    /// `[S + 1]`.
    sums: Vec<f64>,
}

/// `log p(a_t = j | y_1 .. y_(t-1))` for every position, `[S]`, from `before`, `log p(a_(t-1) = i | y_1 .. y_(t-1))`, or from
/// the start where there is none. scores: `[S]`, `e_t`. distances: `[D]`, as f64 once for all steps.
///
/// # Errors
/// If `before` has not as many positions as there are scores, or there is no distance.
pub fn advance(
    before: Option<&[f64]>,
    scores: &[f32],
    distances: &[f64],
    scratch: &mut AdvanceScratch,
) -> Result<Vec<f64>, KernelError> {
    let positions = scores.len();
    check::positive(&[("D", distances.len())])?;
    check::optional("before", before, &[positions], "[S]")?;
    let AdvanceScratch { first, norms, sums } = scratch;
    let before = before.unwrap_or_else(|| {
        first.clear();
        first.extend(start(positions));
        first
    });
    // Where nothing is before, no norm is written, and what another row left there may be no number.
    norms.clear();
    norms.resize(positions, 0.0);
    sums.resize(positions + 1, 0.0);
    let mut priors = vec![0.0; positions];
    step(before, |j| f64::from(scores[j]), distances, [norms, &mut priors, sums]);
    Ok(priors)
}

/// `log Σ_i before(i) p(j | i)` of every `j`, to `after`, and the logarithms of what transitions are normalised by, to `norms`,
/// `[L]` each. sums: `[L + 1]`, whose values do not matter.
fn step(before: &[f64], scores: impl Fn(usize) -> f64, biases: &[f64], [norms, after, sums]: [&mut [f64]; 3]) {
    let far = biases.len() - 1;
    sum_behind(&scores, sums);
    for (i, norm) in norms.iter_mut().enumerate() {
        // Nothing goes on from where nothing is.
        if before[i] != f64::NEG_INFINITY {
            *norm = over_jumps(i, biases, &scores, sums);
        }
    }
    // Of all positions from which a jump to the one at hand is a long one.
    let mut long = f64::NEG_INFINITY;
    for (j, after) in after.iter_mut().enumerate() {
        if j >= far {
            long = log_add(long, before[j - far] - norms[j - far]);
        }
        let near = far.min(j + 1);
        let term = |k: usize| match k < near {
            true => before[j - k] - norms[j - k] + biases[k],
            false => long + biases[far],
        };
        *after = scores(j) + log_sum(near + 1, term);
    }
}

/// `log Σ_(k >= i) e^(values(k) + b(k - i))`, of which `behind` has the sums without biases.
fn over_jumps(i: usize, biases: &[f64], values: impl Fn(usize) -> f64, behind: &[f64]) -> f64 {
    let (far, positions) = (biases.len() - 1, behind.len() - 1);
    let near = far.min(positions - i);
    log_sum(near + 1, |k| match k < near {
        true => values(i + k) + biases[k],
        // Nothing, where there are no further positions.
        false => behind[i + near] + biases[far],
    })
}

/// `log Σ_(k >= i) e^values(k)` of every `i` up to one past the last, `[L + 1]`.
fn sum_behind(values: impl Fn(usize) -> f64, behind: &mut [f64]) {
    let positions = behind.len() - 1;
    behind[positions] = f64::NEG_INFINITY;
    for i in (0..positions).rev() {
        behind[i] = log_add(values(i), behind[i + 1]);
    }
}

/// All at the first position, in logarithms.
fn start(positions: usize) -> impl Iterator<Item = f64> {
    (0..positions).map(|i| if i == 0 { 0.0 } else { f64::NEG_INFINITY })
}

/// `log Σ e^term`; -inf of nothing. What is no number is not hidden.
#[inline]
fn log_sum(count: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut largest = f64::NEG_INFINITY;
    for k in 0..count {
        let term = term(k);
        largest = if term <= largest { largest } else { term };
    }
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let mut sum = 0.0;
    for k in 0..count {
        sum += (term(k) - largest).exp();
    }
    largest + sum.ln()
}
