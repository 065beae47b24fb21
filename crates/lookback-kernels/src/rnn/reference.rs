//! The plain RNN, as its equation stands.

use super::Activation;
use crate::Real;
use crate::cell::Weights;
use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients, affine, affine_backward};

/// `h = act(W x + b + U h_prev + b')` (Elman 1990, with PyTorch's two biases).
pub fn step<R: Real>(activation: Activation, w: &Weights<'_, R>, x: &[R], h_prev: &[R]) -> Step<R> {
    let a = affine(w.weight_ih, w.bias_ih, x);
    let b = affine(w.weight_hh, w.bias_hh, h_prev);
    let h: Vec<R> = a
        .iter()
        .zip(&b)
        .map(|(&a, &b)| match activation {
            Activation::Tanh => (a + b).tanh(),
            // As a comparison that lets NaN through, which a maximum would hide.
            Activation::Relu => {
                if a + b < R::ZERO {
                    R::ZERO
                } else {
                    a + b
                }
            }
        })
        .collect();
    Step { gates: Vec::new(), c: Vec::new(), h }
}

/// One step back.
pub fn step_backward<R: Real>(
    activation: Activation,
    w: &Weights<'_, R>,
    back: &StepBack<'_, R>,
    g: &mut ParameterGradients<R>,
) -> StepGradients<R> {
    let StepBack { x, h_prev, step, dh, .. } = *back;
    let da: Vec<R> = step
        .h
        .iter()
        .zip(dh)
        .map(|(&h, &dh)| match activation {
            Activation::Tanh => dh * (R::ONE - h * h),
            Activation::Relu => {
                if h > R::ZERO {
                    dh
                } else {
                    R::ZERO
                }
            }
        })
        .collect();
    StepGradients {
        x: affine_backward(w.weight_ih, x, &da, &mut g.weight_ih, &mut g.bias_ih),
        h: affine_backward(w.weight_hh, h_prev, &da, &mut g.weight_hh, &mut g.bias_hh),
        c: Vec::new(),
    }
}
