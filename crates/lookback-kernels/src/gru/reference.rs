//! The GRU, as its equations stand.

use super::{CANDIDATE, PRODUCT, RESET, Reset, UPDATE};
use crate::Real;
use crate::cell::Weights;
use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients, affine, affine_backward};

/// Cho 2014, eq. 5 to 8, with PyTorch's naming: `z` keeps the old state, `h = (1 - z) n + z h_prev`. Gates in
/// the order `r, z, n`; a fourth kept value is `U h_prev + b'` of `n` for [`Reset::AfterProduct`].
pub fn step<R: Real>(reset: Reset, w: &Weights<'_, R>, x: &[R], h_prev: &[R]) -> Step<R> {
    let size = h_prev.len();
    let a = affine(w.weight_ih, w.bias_ih, x);
    let two = 2 * size;
    let b = affine(&w.weight_hh[..two * size], w.bias_hh.map(|b| &b[..two]), h_prev);
    let r: Vec<R> = (0..size).map(|u| (a[u] + b[u]).sigmoid()).collect();
    let z: Vec<R> = (0..size).map(|u| (a[size + u] + b[size + u]).sigmoid()).collect();
    let (weight_n, bias_n) = (&w.weight_hh[two * size..], w.bias_hh.map(|b| &b[two..]));
    let product = match reset {
        Reset::AfterProduct => affine(weight_n, bias_n, h_prev),
        Reset::BeforeProduct => {
            let seen: Vec<R> = r.iter().zip(h_prev).map(|(&r, &h)| r * h).collect();
            affine(weight_n, bias_n, &seen)
        }
    };
    let n: Vec<R> = (0..size)
        .map(|u| match reset {
            Reset::AfterProduct => (a[two + u] + r[u] * product[u]).tanh(),
            Reset::BeforeProduct => (a[two + u] + product[u]).tanh(),
        })
        .collect();
    let h = (0..size).map(|u| (R::ONE - z[u]) * n[u] + z[u] * h_prev[u]).collect();
    Step { h, c: Vec::new(), gates: [r, z, n, product].concat() }
}

/// One step back.
pub fn step_backward<R: Real>(
    reset: Reset,
    w: &Weights<'_, R>,
    back: &StepBack<'_, R>,
    g: &mut ParameterGradients<R>,
) -> StepGradients<R> {
    let StepBack { x, h_prev, step, dh, .. } = *back;
    let size = h_prev.len();
    let two = 2 * size;
    let gate = |gate: usize, u: usize| step.gates[gate * size + u];
    let mut da = vec![R::ZERO; 3 * size];
    for u in 0..size {
        let (z, n) = (gate(UPDATE, u), gate(CANDIDATE, u));
        da[size + u] = dh[u] * (h_prev[u] - n) * z * (R::ONE - z);
        da[two + u] = dh[u] * (R::ONE - z) * (R::ONE - n * n);
    }
    let weight_n = &w.weight_hh[two * size..];
    let (weight_rz, weight_gradient_n) = g.weight_hh.split_at_mut(two * size);
    let (bias_rz, bias_gradient_n) = g.bias_hh.split_at_mut(two);
    let mut dh_prev: Vec<R> = (0..size).map(|u| dh[u] * gate(UPDATE, u)).collect();
    match reset {
        Reset::AfterProduct => {
            let da_product: Vec<R> = (0..size).map(|u| da[two + u] * gate(RESET, u)).collect();
            let through = affine_backward(weight_n, h_prev, &da_product, weight_gradient_n, bias_gradient_n);
            for u in 0..size {
                dh_prev[u] += through[u];
                da[u] = da[two + u] * gate(PRODUCT, u) * gate(RESET, u) * (R::ONE - gate(RESET, u));
            }
        }
        Reset::BeforeProduct => {
            let seen: Vec<R> = (0..size).map(|u| gate(RESET, u) * h_prev[u]).collect();
            let dseen = affine_backward(weight_n, &seen, &da[two..], weight_gradient_n, bias_gradient_n);
            for u in 0..size {
                dh_prev[u] += dseen[u] * gate(RESET, u);
                da[u] = dseen[u] * h_prev[u] * gate(RESET, u) * (R::ONE - gate(RESET, u));
            }
        }
    }
    let through = affine_backward(&w.weight_hh[..two * size], h_prev, &da[..two], weight_rz, bias_rz);
    dh_prev.iter_mut().zip(&through).for_each(|(dh, &g)| *dh += g);
    StepGradients {
        x: affine_backward(w.weight_ih, x, &da, &mut g.weight_ih, &mut g.bias_ih),
        h: dh_prev,
        c: Vec::new(),
    }
}
