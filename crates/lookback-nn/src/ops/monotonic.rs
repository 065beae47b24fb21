//! Hard monotonic attention over known targets: what every position says of the wanted tokens, and the likelihood over all
//! alignments, one operation each.

use std::sync::Arc;

use burn::tensor::{Bool, Int, Tensor, TensorData, activation::log_softmax};
use lookback_kernels::monotonic::emission::{self, EmissionDims, EmissionInputs, EmissionTrace};
use lookback_kernels::monotonic::{self as kernel, MonotonicDims, MonotonicInputs, MonotonicTrace};
use rayon::current_num_threads;

use super::flex::checked;
use super::left::Left;
use super::log_space::{FORBIDDEN, log_sum};
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{Nothing, on_flex};
use crate::{Error, check};

/// The targets of a batch, and how long both sides are. Nothing past a length is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedTargets {
    /// `[B, T]`: the token that is right at every step.
    pub tokens: Vec<u32>,
    /// `[B]`: the steps of each target.
    pub lengths: Vec<usize>,
    /// `[B]`: the positions of each source; at least one where there is a step.
    pub source_lengths: Vec<usize>,
}

impl AlignedTargets {
    /// Whether both sides fit `[B, T, S]`.
    pub(crate) fn fit(&self, sizes: [usize; 3]) -> Result<(), Error> {
        let [batch, time, _] = sizes;
        kernel::check_lengths(sizes, &self.lengths, &self.source_lengths)
            .map_err(|refused| Error::Alignment { what: refused.to_string() })?;
        if Some(self.tokens.len()) != check::count(&[batch, time]) {
            let expected = format!("[{batch}, {time}]");
            return Err(Error::Shape { name: "tokens", found: vec![self.tokens.len()], expected });
        }
        Ok(())
    }

    /// Whether a cell `(row, step, position)` is past a length.
    fn is_padding(&self, row: usize, t: usize, j: usize) -> bool {
        t >= self.lengths[row] || j >= self.source_lengths[row]
    }
}

/// `log softmax(W_o tanh(s_j + q_t) + b_o)` of the right token at every position, `[B, T, S]`; zeros past the lengths.
/// source: `[B, S, W]`, target: `[B, T, W]`, both mapped; weight: `[V, W]`, bias: `[V]`.
///
/// # Errors
/// When sizes or element types do not fit, or a real step's token is none.
pub fn emissions(
    source: Tensor<3>,
    target: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    targets: &Arc<AlignedTargets>,
) -> Result<Tensor<3>, Error> {
    let ([batch, positions, width], [_, time, _], [vocabulary, _]) = (source.dims(), target.dims(), weight.dims());
    check::sizes(&[("the width of a position", width), ("the vocabulary", vocabulary)])?;
    let why = format!("the source is {:?}", source.dims());
    check::shape("target", &target, [batch, time, width], &why)?;
    check::shape("weight", &weight, [vocabulary, width], &why)?;
    check::shape("bias", &bias, [vocabulary], format_args!("the weight is {:?}", weight.dims()))?;
    check::types([
        ("source", Some(source.dtype())),
        ("target", Some(target.dtype())),
        ("the weight", Some(weight.dtype())),
        ("the bias", Some(bias.dtype())),
    ])?;
    targets.fit([batch, time, positions])?;
    let real = targets.lengths.iter().enumerate().flat_map(|(row, &length)| &targets.tokens[row * time..][..length]);
    if let Some(token) = real.into_iter().find(|&&token| token as usize >= vocabulary) {
        return Err(Error::Config { name: "token", found: token.to_string(), expected: "one of the vocabulary" });
    }
    if batch * time * positions == 0 {
        let nothing = Nothing::of(&source).and(&target).and(&weight).and(&bias);
        return Ok(nothing.zeros([batch, time, positions]));
    }
    if !on_flex(&source) {
        return Ok(composite_emissions(source, target, weight, bias, targets));
    }
    let dims = EmissionDims { batch, time, positions, width, vocabulary };
    let device = source.device();
    let inputs = [
        Some(source.into_dispatch()),
        Some(target.into_dispatch()),
        Some(weight.into_dispatch()),
        Some(bias.into_dispatch()),
        None,
    ];
    let operation = Emissions { dims, targets: targets.clone(), trace: Left::default() };
    Ok(run_slices(inputs, &device, Arc::new(operation)))
}

/// `log p(y | x)` of each row over all its monotonic alignments, `[B]` (Wu and Cotterell 2019); 0 for a row without steps.
/// emissions: `[B, T, S]`, `log p(y_t | a_t = j)`. scores: `[B, T, S]`, how well a step fits a position. distances: `[D]`,
/// what a jump of 0, 1, .. positions is worth, the last of all longer ones.
///
/// # Errors
/// When sizes or element types do not fit.
pub fn monotonic_likelihood(
    emissions: Tensor<3>,
    scores: Tensor<3>,
    distances: Tensor<1>,
    targets: &Arc<AlignedTargets>,
) -> Result<Tensor<1>, Error> {
    let ([batch, time, positions], [count]) = (emissions.dims(), distances.dims());
    check::sizes(&[("the number of distances", count)])?;
    let why = format_args!("the emissions are {:?}", emissions.dims());
    check::shape("scores", &scores, [batch, time, positions], why)?;
    check::types([
        ("emissions", Some(emissions.dtype())),
        ("scores", Some(scores.dtype())),
        ("distances", Some(distances.dtype())),
    ])?;
    targets.fit([batch, time, positions])?;
    if batch * time * positions == 0 {
        return Ok(Nothing::of(&emissions).and(&scores).and(&distances).zeros([batch]));
    }
    if !on_flex(&emissions) {
        return Ok(composite_likelihood(emissions, scores, distances, targets));
    }
    let dims = MonotonicDims { batch, time, positions, distances: count };
    let device = emissions.device();
    let inputs =
        [Some(emissions.into_dispatch()), Some(scores.into_dispatch()), Some(distances.into_dispatch()), None, None];
    let operation = Likelihood { dims, targets: targets.clone(), trace: Left::default() };
    Ok(run_slices(inputs, &device, Arc::new(operation)))
}

#[derive(Debug)]
struct Emissions {
    dims: EmissionDims,
    targets: Arc<AlignedTargets>,
    trace: Left<EmissionTrace>,
}

impl Emissions {
    fn inputs<'a>(&'a self, [source, target, weight, bias, _]: [&'a [f32]; SLICES]) -> EmissionInputs<'a> {
        let AlignedTargets { tokens, lengths, source_lengths } = &*self.targets;
        EmissionInputs { source, target, weight, bias, tokens, lengths, source_lengths }
    }
}

impl SliceOperation for Emissions {
    fn shape(&self) -> Vec<usize> {
        vec![self.dims.batch, self.dims.time, self.dims.positions]
    }

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32> {
        let (made, trace) = checked(emission::forward(self.dims, self.inputs(inputs), current_num_threads()));
        self.trace.put(trace);
        made
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, true, true, false]
    }

    fn backward(
        &self,
        inputs: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let trace = self.trace.of_forward();
        let found =
            checked(emission::backward(self.dims, self.inputs(inputs), &trace, gradient, current_num_threads()));
        [
            wanted[0].then_some(found.source),
            wanted[1].then_some(found.target),
            wanted[2].then_some(found.weight),
            wanted[3].then_some(found.bias),
            None,
        ]
    }
}

#[derive(Debug)]
struct Likelihood {
    dims: MonotonicDims,
    targets: Arc<AlignedTargets>,
    trace: Left<MonotonicTrace>,
}

impl Likelihood {
    fn inputs<'a>(&'a self, [emissions, scores, distances, ..]: [&'a [f32]; SLICES]) -> MonotonicInputs<'a> {
        let AlignedTargets { lengths, source_lengths, .. } = &*self.targets;
        MonotonicInputs { emissions, scores, distances, lengths, source_lengths }
    }
}

impl SliceOperation for Likelihood {
    fn shape(&self) -> Vec<usize> {
        vec![self.dims.batch]
    }

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32> {
        let (made, trace) = checked(kernel::forward(self.dims, self.inputs(inputs), current_num_threads()));
        self.trace.put(trace);
        made
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, true, false, false]
    }

    fn backward(
        &self,
        inputs: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let trace = self.trace.of_forward();
        let found = checked(kernel::backward(self.dims, self.inputs(inputs), &trace, gradient, current_num_threads()));
        [
            wanted[0].then_some(found.emissions),
            wanted[1].then_some(found.scores),
            wanted[2].then_some(found.distances),
            None,
            None,
        ]
    }
}

/// [`emissions`], made of Burn's own operations. Sizes fit, and none is 0.
pub(super) fn composite_emissions(
    source: Tensor<3>,
    target: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    targets: &AlignedTargets,
) -> Tensor<3> {
    let ([batch, positions, width], [_, time, _], device) = (source.dims(), target.dims(), source.device());
    let padding = padding(targets, [batch, time, positions]);
    let padding = Tensor::<3, Bool>::from_data(padding, &device);
    let cells = batch * time * positions;
    let hidden = (source.unsqueeze_dim::<4>(1) + target.unsqueeze_dim::<4>(2)).tanh().reshape([cells, width]);
    let logits = hidden.matmul(weight.swap_dims(0, 1)) + bias.unsqueeze::<2>();
    let token = |cell: usize| {
        let (row, t) = (cell / (time * positions), cell / positions % time);
        if t < targets.lengths[row] { i64::from(targets.tokens[row * time + t]) } else { 0 }
    };
    let tokens: Vec<i64> = (0..cells).map(token).collect();
    let tokens = Tensor::<2, Int>::from_data(TensorData::new(tokens, [cells, 1]), &device);
    log_softmax(logits, 1).gather(1, tokens).reshape([batch, time, positions]).mask_fill(padding, 0.0)
}

/// [`monotonic_likelihood`], made of Burn's own operations. Sizes fit, and none is 0.
pub(super) fn composite_likelihood(
    emissions: Tensor<3>,
    scores: Tensor<3>,
    distances: Tensor<1>,
    targets: &AlignedTargets,
) -> Tensor<1> {
    let ([batch, time, positions], [count], device) = (emissions.dims(), distances.dims(), emissions.device());
    let AlignedTargets { lengths, source_lengths, .. } = targets;
    let flags = |len: usize, of: &dyn Fn(usize) -> bool| -> Vec<bool> { (0..len).map(of).collect() };
    let cells = Tensor::<3, Bool>::from_data(padding(targets, [batch, time, positions]), &device);
    let (emissions, scores) = (emissions.mask_fill(cells.clone(), 0.0), scores.mask_fill(cells, 0.0));
    // `[B, S, S]`, from a position (second axis) to a position (third axis): back, or past the source.
    let pairs = positions * positions;
    let forbidden = flags(batch * pairs, &|at| {
        let (row, from, to) = (at / pairs, at / positions % positions, at % positions);
        to < from || to >= source_lengths[row]
    });
    let forbidden = Tensor::<3, Bool>::from_data(TensorData::new(forbidden, [batch, positions, positions]), &device);
    let distance = |at: usize| (at % positions).saturating_sub(at / positions).min(count - 1) as i64;
    let places = TensorData::new((0..pairs).map(distance).collect::<Vec<i64>>(), [pairs]);
    let biases = distances.select(0, Tensor::<1, Int>::from_data(places, &device)).reshape([1, positions, positions]);
    let first: Vec<f32> = (0..batch * positions).map(|at| if at % positions == 0 { 0.0 } else { FORBIDDEN }).collect();
    let mut alpha = Tensor::<2>::from_data(TensorData::new(first, [batch, positions]), (&device, emissions.dtype()));
    let step_of = |x: &Tensor<3>, t: usize| x.clone().slice([0..batch, t..t + 1, 0..positions]).squeeze_dim::<2>(1);
    for t in 0..time {
        let table = step_of(&scores, t).unsqueeze_dim::<3>(1) + biases.clone();
        let table =
            log_softmax(table.mask_fill(forbidden.clone(), FORBIDDEN), 2).mask_fill(forbidden.clone(), FORBIDDEN);
        let next = log_sum(alpha.clone().unsqueeze_dim::<3>(2) + table, 1).squeeze_dim::<2>(1);
        let over = TensorData::new(flags(batch, &|row| t >= lengths[row]), [batch, 1]);
        let over = Tensor::<2, Bool>::from_data(over, &device).expand([batch, positions]);
        alpha = (next + step_of(&emissions, t)).mask_where(over, alpha);
    }
    let none = Tensor::<1, Bool>::from_data(TensorData::new(flags(batch, &|row| lengths[row] == 0), [batch]), &device);
    log_sum(alpha, 1).squeeze_dim::<1>(1).mask_fill(none, 0.0)
}

/// Which cells `[B, T, S]` are past a length.
fn padding(targets: &AlignedTargets, [batch, time, positions]: [usize; 3]) -> TensorData {
    let is = |at: usize| targets.is_padding(at / (time * positions), at / positions % time, at % positions);
    TensorData::new((0..batch * time * positions).map(is).collect::<Vec<bool>>(), [batch, time, positions])
}
