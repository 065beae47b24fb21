//! How does an LSTM learn, with nothing hidden? Forward, backward through time, a gradient check, the update and the reset of the
//! state, on plain slices and without Burn. The task: say at the last step what the first one was.
//!
//! `cargo run --release -p lookback-kernels --example lstm_by_hand`

use lookback_kernels::reference::{backward, forward};
use lookback_kernels::{Cell, Dims, Inputs, Upstream, Weights};

const DIMS: Dims = Dims { batch: 16, time: 6, input: 1, hidden: 8, directions: 1 };
const GATES: usize = 4 * DIMS.hidden;
/// Weights in PyTorch's layout, one behind the other: W `[4H, I]`, U `[4H, H]`, b `[4H]`, and the output's `[H]`.
const PARTS: [usize; 4] = [GATES * DIMS.input, GATES * DIMS.hidden, GATES, DIMS.hidden];

/// The mean squared error of `Σ out · h_T` against the first input, and its gradient.
fn loss(p: &[f64], x: &[f64], gradient: Option<&mut Vec<f64>>) -> f64 {
    let (w, rest) = p.split_at(PARTS[0]);
    let (u, rest) = rest.split_at(PARTS[1]);
    let (b, out) = rest.split_at(PARTS[2]);
    let weights = [Weights { weight_ih: w, weight_hh: u, bias_ih: Some(b), bias_hh: None, peephole: None }];
    // Every sequence begins with a state of zeros: this is the reset.
    let inputs = Inputs { x, lengths: None, h0: None, c0: None };
    // i, f, o = σ(W x + U h + b), g = tanh(W x + U h + b), c = f c + i g, h = o tanh(c), at every step.
    let made = forward(Cell::Lstm, &DIMS, &weights, &inputs);
    let last = made.h_n.chunks(DIMS.hidden);
    let errors: Vec<f64> = last.zip(x.chunks(DIMS.time)).map(|(h, x)| dot(out, h) - x[0]).collect();
    if let Some(gradient) = gradient {
        // dL/dh_T = 2/B error · out; from there back through time.
        let scale = |error: &f64| 2.0 / DIMS.batch as f64 * error;
        let dh: Vec<f64> = errors.iter().flat_map(|error| out.iter().map(move |out| scale(error) * out)).collect();
        let upstream = Upstream { h_n: Some(&dh), ..Upstream::default() };
        let back = backward(Cell::Lstm, &DIMS, &weights, &inputs, &made, &upstream).weights.remove(0);
        let mut dout = vec![0.0; DIMS.hidden];
        for (error, h) in errors.iter().zip(made.h_n.chunks(DIMS.hidden)) {
            dout.iter_mut().zip(h).for_each(|(sum, h)| *sum += scale(error) * h);
        }
        *gradient = [back.weight_ih, back.weight_hh, back.bias_ih, dout].concat();
    }
    dot(&errors, &errors) / DIMS.batch as f64
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn main() {
    // A linear congruential generator is random enough here.
    let mut seed = 1u64;
    let mut draw = |size: f64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        size * ((seed >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    let mut p: Vec<f64> = (0..PARTS.iter().sum()).map(|_| draw(0.4)).collect();
    let (mut gradient, mut momentum) = (Vec::new(), vec![0.0; p.len()]);
    for step in 0..=3000 {
        let x: Vec<f64> = (0..DIMS.batch * DIMS.time).map(|_| draw(1.0)).collect();
        let error = loss(&p, &x, Some(&mut gradient));
        if step % 1000 == 0 {
            // The derivative by one weight of U, once more by moving it a little.
            let (place, by) = (PARTS[0] + 5, 1e-5);
            let at = |by: f64| {
                let mut moved = p.clone();
                moved[place] += by;
                loss(&moved, &x, None)
            };
            let slope = (at(by) - at(-by)) / (2.0 * by);
            println!("step {step:4}  loss {error:.5}  dL/dU[5] {:+.9}, by moving it {slope:+.9}", gradient[place]);
            assert!((slope - gradient[place]).abs() < 1e-8, "the gradient is wrong");
        }
        for ((p, m), g) in p.iter_mut().zip(&mut momentum).zip(&gradient) {
            *m = 0.9 * *m - 0.05 * g;
            *p += *m;
        }
    }
    let x: Vec<f64> = (0..DIMS.batch * DIMS.time).map(|_| draw(1.0)).collect();
    assert!(loss(&p, &x, None) < 0.01, "it did not learn to remember");
}
