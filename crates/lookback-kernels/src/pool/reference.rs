//! Attention pooling, as its equations stand.

use super::{PoolDims, PoolScore};
use crate::Real;

/// Gives pooled `[B, O]` and weights `[B, T]`.
pub fn forward<R: Real>(
    dims: PoolDims,
    score: PoolScore<'_, R>,
    sequence: &[R],
    lengths: &[usize],
) -> (Vec<R>, Vec<R>) {
    let PoolDims { batch, time, outputs } = dims;
    let (mut pooled, mut weights) = (vec![R::ZERO; batch * outputs], vec![R::ZERO; batch * time]);
    for b in 0..batch {
        let h = |t: usize, o: usize| sequence[(b * time + t) * outputs + o];
        let mut sum = R::ZERO;
        for t in 0..lengths[b] {
            let mut e = R::ZERO;
            for o in 0..outputs {
                e += match score {
                    PoolScore::Learnt(w) => w[o] * h(t, o).tanh(),
                    PoolScore::Query(q) => q[b * outputs + o] * h(t, o),
                };
            }
            weights[b * time + t] = e.exp();
            sum += e.exp();
        }
        for t in 0..lengths[b] {
            weights[b * time + t] = weights[b * time + t] / sum;
            for o in 0..outputs {
                pooled[b * outputs + o] += weights[b * time + t] * h(t, o);
            }
        }
    }
    (pooled, weights)
}

/// upstream: of pooled `[B, O]` and of weights `[B, T]`. Gives the gradient of the sequence and of the score's vector.
pub fn backward<R: Real>(
    dims: PoolDims,
    score: PoolScore<'_, R>,
    sequence: &[R],
    lengths: &[usize],
    upstream: (&[R], &[R]),
) -> (Vec<R>, Vec<R>) {
    let PoolDims { batch, time, outputs } = dims;
    let (_, weights) = forward(dims, score, sequence, lengths);
    let mut dh = vec![R::ZERO; sequence.len()];
    let mut dw = match score {
        PoolScore::Learnt(w) => vec![R::ZERO; w.len()],
        PoolScore::Query(q) => vec![R::ZERO; q.len()],
    };
    for b in 0..batch {
        let h = |t: usize, o: usize| sequence[(b * time + t) * outputs + o];
        let da = |t: usize| {
            let mut sum = upstream.1[b * time + t];
            for o in 0..outputs {
                sum += upstream.0[b * outputs + o] * h(t, o);
            }
            sum
        };
        let mut mean = R::ZERO;
        for t in 0..lengths[b] {
            mean += weights[b * time + t] * da(t);
        }
        for t in 0..lengths[b] {
            let a = weights[b * time + t];
            let de = a * (da(t) - mean);
            for o in 0..outputs {
                let at = (b * time + t) * outputs + o;
                dh[at] = a * upstream.0[b * outputs + o];
                match score {
                    PoolScore::Learnt(w) => {
                        let tanh = h(t, o).tanh();
                        dh[at] += de * w[o] * (R::ONE - tanh * tanh);
                        dw[o] += de * tanh;
                    }
                    PoolScore::Query(q) => {
                        dh[at] += de * q[b * outputs + o];
                        dw[b * outputs + o] += de * h(t, o);
                    }
                }
            }
        }
    }
    (dh, dw)
}
