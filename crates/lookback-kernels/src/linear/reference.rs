//! A linear map, as its sums stand. Sizes must fit; the naive code indexes without checking them first.

use super::LinearDims;
use crate::Real;

/// x: `[rows, inputs]`, weight: `[outputs, inputs]`, bias: `[outputs]`. Gives y `[rows, outputs]`.
pub fn forward<R: Real>(dims: LinearDims, x: &[R], weight: &[R], bias: Option<&[R]>) -> Vec<R> {
    let LinearDims { rows, inputs, outputs } = dims;
    let mut y = vec![R::ZERO; rows * outputs];
    for r in 0..rows {
        for o in 0..outputs {
            y[r * outputs + o] = bias.map_or(R::ZERO, |bias| bias[o]);
            for i in 0..inputs {
                y[r * outputs + o] += x[r * inputs + i] * weight[o * inputs + i];
            }
        }
    }
    y
}

/// dy: `[rows, outputs]`. Gives the gradients of x, of the weight and of the bias.
pub fn backward<R: Real>(dims: LinearDims, x: &[R], weight: &[R], dy: &[R]) -> [Vec<R>; 3] {
    let LinearDims { rows, inputs, outputs } = dims;
    let (mut dx, mut dweight) = (vec![R::ZERO; rows * inputs], vec![R::ZERO; outputs * inputs]);
    let mut dbias = vec![R::ZERO; outputs];
    for r in 0..rows {
        for o in 0..outputs {
            let dy = dy[r * outputs + o];
            dbias[o] += dy;
            for i in 0..inputs {
                dx[r * inputs + i] += dy * weight[o * inputs + i];
                dweight[o * inputs + i] += dy * x[r * inputs + i];
            }
        }
    }
    [dx, dweight, dbias]
}
