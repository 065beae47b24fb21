//! The LSTM, as its equations stand.

use super::{F, G, I, O, PEEPHOLE_O};
use crate::Real;
use crate::cell::Weights;
use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients, affine, affine_backward};

/// Hochreiter and Schmidhuber 1997 with the forget gate of Gers 2000; with `peephole`, eq. 4 to 8 of Gers
/// and Schmidhuber 2000, where `i` and `f` see the previous cell and `o` the new one. Gates in PyTorch's
/// order `i, f, g, o`.
pub fn step<R: Real>(w: &Weights<'_, R>, x: &[R], h_prev: &[R], c_prev: &[R]) -> Step<R> {
    let size = h_prev.len();
    let a = affine(w.weight_ih, w.bias_ih, x);
    let b = affine(w.weight_hh, w.bias_hh, h_prev);
    let (mut gates, mut c, mut h) = (vec![R::ZERO; 4 * size], vec![R::ZERO; size], vec![R::ZERO; size]);
    for u in 0..size {
        let product = |gate: usize| a[gate * size + u] + b[gate * size + u];
        let sees = |gate: usize, cell: R| w.peephole.map_or(R::ZERO, |p| p[gate * size + u] * cell);
        let i = (product(I) + sees(I, c_prev[u])).sigmoid();
        let f = (product(F) + sees(F, c_prev[u])).sigmoid();
        let g = product(G).tanh();
        c[u] = f * c_prev[u] + i * g;
        let o = (product(O) + sees(PEEPHOLE_O, c[u])).sigmoid();
        h[u] = o * c[u].tanh();
        for (gate, value) in [i, f, g, o].into_iter().enumerate() {
            gates[gate * size + u] = value;
        }
    }
    Step { h, c, gates }
}

/// One step back.
pub fn step_backward<R: Real>(
    w: &Weights<'_, R>,
    back: &StepBack<'_, R>,
    g: &mut ParameterGradients<R>,
) -> StepGradients<R> {
    let StepBack { x, h_prev, c_prev, step, dh, dc } = *back;
    let size = h_prev.len();
    let mut da = vec![R::ZERO; 4 * size];
    let mut dc_prev = vec![R::ZERO; size];
    for u in 0..size {
        let [i, f, cand, o] = [I, F, G, O].map(|gate| step.gates[gate * size + u]);
        let peephole = |gate: usize| w.peephole.map_or(R::ZERO, |p| p[gate * size + u]);
        let tanh_c = step.c[u].tanh();
        let da_o = dh[u] * tanh_c * o * (R::ONE - o);
        let dc = dc[u] + dh[u] * o * (R::ONE - tanh_c * tanh_c) + da_o * peephole(PEEPHOLE_O);
        let da_i = dc * cand * i * (R::ONE - i);
        let da_f = dc * c_prev[u] * f * (R::ONE - f);
        let da_g = dc * i * (R::ONE - cand * cand);
        dc_prev[u] = dc * f + da_i * peephole(I) + da_f * peephole(F);
        for (gate, value) in [da_i, da_f, da_g, da_o].into_iter().enumerate() {
            da[gate * size + u] = value;
        }
        g.peephole[I * size + u] += da_i * c_prev[u];
        g.peephole[F * size + u] += da_f * c_prev[u];
        g.peephole[PEEPHOLE_O * size + u] += da_o * step.c[u];
    }
    StepGradients {
        x: affine_backward(w.weight_ih, x, &da, &mut g.weight_ih, &mut g.bias_ih),
        h: affine_backward(w.weight_hh, h_prev, &da, &mut g.weight_hh, &mut g.bias_hh),
        c: dc_prev,
    }
}
