//! The loss of a pointer-generator, as it is written. Sizes must fit; the naive code indexes without checking them first.

use super::{LEAST_COPIED, NOT_WRITTEN, PointerDims, PointerGradients, PointerInputs, PointerTargets};
use crate::Real;

/// `p(w) = g p_vocabulary(w) + (1 - g) Σ a` of a step (See 2017, eq. 9), with its parts: `g`, the probability in the
/// vocabulary, and the sum as it counts.
fn probability<R: Real>(
    dims: PointerDims,
    inputs: PointerInputs<'_, R>,
    targets: PointerTargets<'_>,
    step: usize,
) -> (R, [R; 3]) {
    let logits = &inputs.logits[step * dims.vocabulary..][..dims.vocabulary];
    let g = inputs.gates[step].sigmoid();
    let own = match targets.wanted[step] {
        NOT_WRITTEN => R::ZERO,
        token => logits[token as usize].exp() / total(logits),
    };
    let copied = match targets.of(step) {
        [] => R::ZERO,
        places => {
            let sum = sum(inputs, places);
            if counts(sum) { sum } else { R::from_f32(LEAST_COPIED) }
        }
    };
    (g * own + (R::ONE - g) * copied, [g, own, copied])
}

/// The mean of `-log p(w)`.
pub fn forward<R: Real>(dims: PointerDims, inputs: PointerInputs<'_, R>, targets: PointerTargets<'_>) -> R {
    let mut loss = R::ZERO;
    for step in 0..dims.steps {
        loss += -probability(dims, inputs, targets, step).0.ln();
    }
    loss / count(dims)
}

/// The gradients of `upstream` times the loss.
pub fn backward<R: Real>(
    dims: PointerDims,
    inputs: PointerInputs<'_, R>,
    targets: PointerTargets<'_>,
    upstream: R,
) -> PointerGradients<R> {
    let (mut logits, mut gates) = (Vec::new(), Vec::new());
    let mut weights = vec![R::ZERO; dims.weights];
    for step in 0..dims.steps {
        let (p, [g, own, copied]) = probability(dims, inputs, targets, step);
        let over = -upstream / count(dims) / p;
        let row = &inputs.logits[step * dims.vocabulary..][..dims.vocabulary];
        for (token, &logit) in row.iter().enumerate() {
            let one = if token as u32 == targets.wanted[step] { R::ONE } else { R::ZERO };
            logits.push(over * g * own * (one - logit.exp() / total(row)));
        }
        gates.push(over * g * (R::ONE - g) * (own - copied));
        let places = targets.of(step);
        for &place in places.iter().filter(|_| counts(sum(inputs, places))) {
            weights[place] += over * (R::ONE - g);
        }
    }
    PointerGradients { logits, gates, weights }
}

fn sum<R: Real>(inputs: PointerInputs<'_, R>, places: &[usize]) -> R {
    places.iter().fold(R::ZERO, |sum, &place| sum + inputs.weights[place])
}

/// Whether a sum of weights counts as it is, and not as the least.
fn counts<R: Real>(sum: R) -> bool {
    sum >= R::from_f32(LEAST_COPIED)
}

/// `Σ e^logit`.
fn total<R: Real>(row: &[R]) -> R {
    row.iter().fold(R::ZERO, |sum, logit| sum + logit.exp())
}

fn count<R: Real>(dims: PointerDims) -> R {
    (0..dims.steps).fold(R::ZERO, |count, _| count + R::ONE)
}
