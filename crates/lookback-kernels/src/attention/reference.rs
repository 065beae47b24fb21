//! Attention, naively: every score, a softmax over what the mask leaves, and a weighted sum of the values.

use super::{Dims, Dropout, Inputs, Mask, Score, Upstream, additive, product};
use crate::Real;

/// What attention gives.
#[derive(Debug, Clone)]
pub struct Forward<R> {
    /// `[B, Q, N * value]`.
    pub context: Vec<R>,
    /// `[B, N, Q, K]`, after dropout.
    pub weights: Vec<R>,
    /// `[B, N, Q, K]`, before dropout.
    softmax: Vec<R>,
}

/// All gradients, shaped as [`super::Gradients`].
#[derive(Debug, Clone)]
pub struct Gradients<R> {
    /// `[B, Q, N * width]`.
    pub query: Vec<R>,
    /// `[B, K, N * width]`.
    pub keys: Vec<R>,
    /// `[B, K, N * value]`.
    pub values: Vec<R>,
    /// `[N * width]`; zeros where the score has no `v`.
    pub v: Vec<R>,
    /// `[B, N, Q, K]`.
    pub bias: Vec<R>,
}

/// The score of one query and one key of head `head`, each `[width]`.
pub fn score<R: Real>(score: Score<'_, R>, head: usize, query: &[R], key: &[R]) -> R {
    match score {
        Score::Additive { v } => additive::reference::score(&v[head * query.len()..][..query.len()], query, key),
        Score::Product { scale } => product::reference::score(scale, query, key),
    }
}

/// What dropout multiplies the weight of one pair with; it is drawn as the fast kernels draw it.
fn multiplier<R: Real>(dropout: Option<Dropout>, row: usize, head: usize, query: usize, key: usize) -> R {
    let Some(dropout) = dropout else { return R::ONE };
    let mut drawn = [0.0];
    dropout.fill(row, head, query, key, &mut drawn);
    if drawn[0] == 0.0 { R::ZERO } else { R::ONE / (R::ONE - R::from_f32(dropout.probability)) }
}

/// The whole of attention. Sizes must fit; the naive code indexes without checking them first.
pub fn forward<R: Real>(
    score: Score<'_, R>,
    dims: &Dims,
    mask: &Mask<'_, R>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_, R>,
) -> Forward<R> {
    let Dims { batch, queries, keys, heads, width, value } = *dims;
    let mut out = Forward {
        context: vec![R::ZERO; batch * queries * heads * value],
        weights: vec![R::ZERO; dims.weights_len()],
        softmax: vec![R::ZERO; dims.weights_len()],
    };
    for (b, n, q) in places(dims) {
        let row = ((b * heads + n) * queries + q) * keys;
        let query = &inputs.query[((b * queries + q) * heads + n) * width..][..width];
        let read: Vec<usize> = (0..keys).filter(|&k| mask.pair(dims, b, n, q, k).is_some()).collect();
        let scores: Vec<R> = read
            .iter()
            .map(|&k| {
                let key = &inputs.keys[((b * keys + k) * heads + n) * width..][..width];
                self::score(score, n, query, key) + mask.pair(dims, b, n, q, k).unwrap_or(R::ZERO)
            })
            .collect();
        let greatest = scores.iter().copied().reduce(|a, b| if b > a { b } else { a }).unwrap_or(R::ZERO);
        let powers: Vec<R> = scores.iter().map(|&score| (score - greatest).exp()).collect();
        let mut sum = R::ZERO;
        powers.iter().for_each(|&power| sum += power);
        let context = &mut out.context[((b * queries + q) * heads + n) * value..][..value];
        for (&k, power) in read.iter().zip(powers) {
            let weight = power / sum;
            let dropped = weight * multiplier(dropout, b, n, q, k);
            out.softmax[row + k] = weight;
            out.weights[row + k] = dropped;
            let values = &inputs.values[((b * keys + k) * heads + n) * value..][..value];
            context.iter_mut().zip(values).for_each(|(context, &value)| *context += dropped * value);
        }
    }
    out
}

/// The gradients over what [`forward`] returned.
pub fn backward<R: Real>(
    score: Score<'_, R>,
    dims: &Dims,
    mask: &Mask<'_, R>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_, R>,
    forward: &Forward<R>,
    upstream: &Upstream<'_, R>,
) -> Gradients<R> {
    let Dims { batch, queries, keys, heads, width, value } = *dims;
    let mut g = Gradients {
        query: vec![R::ZERO; batch * queries * heads * width],
        keys: vec![R::ZERO; batch * keys * heads * width],
        values: vec![R::ZERO; batch * keys * heads * value],
        v: vec![R::ZERO; heads * width],
        bias: vec![R::ZERO; dims.weights_len()],
    };
    for (b, n, q) in places(dims) {
        let row = ((b * heads + n) * queries + q) * keys;
        let at_query = ((b * queries + q) * heads + n) * width;
        let at_context = ((b * queries + q) * heads + n) * value;
        let read: Vec<usize> = (0..keys).filter(|&k| mask.pair(dims, b, n, q, k).is_some()).collect();
        // The gradient of each weight before dropout.
        let mut dweights = vec![R::ZERO; keys];
        let mut mean = R::ZERO;
        for &k in &read {
            let at_values = ((b * keys + k) * heads + n) * value;
            let mut dweight = upstream.weights.map_or(R::ZERO, |weights| weights[row + k]);
            if let Some(dcontext) = upstream.context {
                for i in 0..value {
                    dweight += dcontext[at_context + i] * inputs.values[at_values + i];
                    g.values[at_values + i] += forward.weights[row + k] * dcontext[at_context + i];
                }
            }
            dweights[k] = dweight * multiplier(dropout, b, n, q, k);
            mean += forward.softmax[row + k] * dweights[k];
        }
        for &k in &read {
            let at_key = ((b * keys + k) * heads + n) * width;
            let dscore = forward.softmax[row + k] * (dweights[k] - mean);
            g.bias[row + k] = dscore;
            let (query, key) = (&inputs.query[at_query..][..width], &inputs.keys[at_key..][..width]);
            let (dquery, dkey) = (&mut g.query[at_query..][..width], &mut g.keys[at_key..][..width]);
            match score {
                Score::Additive { v } => {
                    let (v, dv) = (&v[n * width..][..width], &mut g.v[n * width..][..width]);
                    additive::reference::backward(v, query, key, dscore, dquery, dkey, dv);
                }
                Score::Product { scale } => product::reference::backward(scale, query, key, dscore, dquery, dkey),
            }
        }
    }
    g
}

/// Every batch row, head and query.
fn places(dims: &Dims) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
    let Dims { batch, queries, heads, .. } = *dims;
    (0..batch).flat_map(move |b| (0..heads).flat_map(move |n| (0..queries).map(move |q| (b, n, q))))
}
