//! One recurrent layer over plain slices.

use std::time::{Duration, Instant};

use lookback_kernels::{
    Activation, Cell, Dims, InputGradients, Inputs, Outputs, Packed, Reset, Upstream, WeightGradients, Weights,
    Workspace, backward, forward, saved_len,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::{Layer, Lengths, Mode, Options};

/// What was measured.
pub(crate) struct Measured {
    pub(crate) median_ms: f64,
    pub(crate) min_ms: f64,
    pub(crate) runs: usize,
    /// Floating-point operations of the products over real steps.
    pub(crate) flops: f64,
}

/// Runs the layer as `options` say.
pub(crate) fn measure(options: &Options) -> anyhow::Result<Measured> {
    let cell = match options.layer {
        Layer::Rnn => Cell::Rnn(Activation::Tanh),
        Layer::Lstm => Cell::Lstm,
        Layer::Gru => Cell::Gru(Reset::AfterProduct),
    };
    let directions = if options.bidirectional { 2 } else { 1 };
    let Options { batch, time, input, hidden, threads, .. } = *options;
    let dims = Dims { batch, time, input, hidden, directions };
    let lengths: Option<Vec<usize>> = match options.lengths {
        Lengths::Full => None,
        Lengths::Uniform(share) => Some(
            (0..batch)
                .map(|row| {
                    let place = (row as f64 + 0.5) / batch as f64;
                    ((share + (1.0 - share) * place) * time as f64).round() as usize
                })
                .collect(),
        ),
    };
    let tokens = lengths.as_ref().map_or(batch * time, |lengths| lengths.iter().sum());

    let rng = &mut StdRng::seed_from_u64(0);
    let gh = cell.gates() * hidden;
    let scale = 1.0 / (hidden as f32).sqrt();
    let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.random_range(-scale..scale)).collect() };
    let parameters: Vec<[Vec<f32>; 4]> =
        (0..directions).map(|_| [gh * input, gh * hidden, gh, gh].map(&mut values)).collect();
    let x = values(batch * time * input);
    let weights: Vec<Weights<'_>> = parameters
        .iter()
        .map(|[weight_ih, weight_hh, bias_ih, bias_hh]| Weights {
            weight_ih,
            weight_hh,
            bias_ih: Some(bias_ih),
            bias_hh: Some(bias_hh),
            peephole: None,
        })
        .collect();
    let inputs = Inputs { x: &x, lengths: lengths.as_deref(), h0: None, c0: None };
    let states = directions * batch * hidden;
    let mut y = vec![0.0; batch * time * directions * hidden];
    let ones = vec![1.0; y.len()];
    let (mut h_n, mut c_n) = (vec![0.0; states], vec![0.0; states]);
    let mut saved = vec![0.0; saved_len(cell, &dims, lengths.as_deref())];
    let mut gradient_x = vec![0.0; x.len()];
    let mut gradients = parameters.clone();
    let workspace = &mut Workspace::default();
    let kept = Packed::new(cell, &dims, &weights)?;

    let mut run = || -> anyhow::Result<()> {
        let outputs = Outputs { y: &mut y, h_n: &mut h_n, c_n: cell.has_cell_state().then_some(&mut c_n) };
        if options.mode == Mode::Infer {
            return Ok(forward(cell, &dims, &kept, &inputs, outputs, None, workspace, threads)?);
        }
        let packed = Packed::new(cell, &dims, &weights)?;
        forward(cell, &dims, &packed, &inputs, outputs, Some(&mut saved), workspace, threads)?;
        let mut weight_gradients: Vec<_> = gradients
            .iter_mut()
            .map(|[weight_ih, weight_hh, bias_ih, bias_hh]| WeightGradients {
                weight_ih: Some(weight_ih),
                weight_hh: Some(weight_hh),
                bias_ih: Some(bias_ih),
                bias_hh: Some(bias_hh),
                peephole: None,
            })
            .collect();
        let upstream = Upstream { y: Some(&ones), h_n: None, c_n: None };
        let input_gradients = InputGradients { x: Some(&mut gradient_x), h0: None, c0: None };
        backward(
            cell,
            &dims,
            &weights,
            &inputs,
            &y,
            &saved,
            &upstream,
            input_gradients,
            &mut weight_gradients,
            workspace,
            threads,
        )?;
        Ok(())
    };
    for _ in 0..3 {
        run()?;
    }
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(options.seconds);
    while times.len() < 5 || Instant::now() < end {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    // The backward pass has two products for each of the forward's.
    let passes = if options.mode == Mode::Train { 3.0 } else { 1.0 };
    Ok(Measured {
        median_ms: times[times.len() / 2],
        min_ms: times[0],
        runs: times.len(),
        flops: passes * 2.0 * (tokens * directions * gh * (input + hidden)) as f64,
    })
}
