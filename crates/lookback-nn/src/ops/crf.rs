//! The loss of a linear-chain conditional random field as one operation.

use std::sync::Arc;

use burn::tensor::{Bool, Int, Tensor, TensorData};
use lookback_kernels::crf::{self as kernel, CrfDims, CrfParameters, CrfWorkspace};
use rayon::current_num_threads;

use super::flex::checked;
use super::left::Left;
use super::log_space::{FORBIDDEN, log_sum};
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{Nothing, on_flex, with_values};
use crate::{Error, check};

/// What a field has learnt. -inf forbids.
#[derive(Debug, Clone)]
pub struct CrfTensors {
    /// `[N, N]`: from a tag (first axis) to a tag (second axis).
    pub transitions: Tensor<2>,
    /// `[N]`.
    pub start: Tensor<1>,
    /// `[N]`.
    pub end: Tensor<1>,
}

/// Which tags may begin, follow one another and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrfAllowed {
    /// `[N, N]`: from a tag (first axis) to a tag (second axis).
    pub transitions: Vec<bool>,
    /// `[N]`.
    pub start: Vec<bool>,
    /// `[N]`.
    pub end: Vec<bool>,
}

impl CrfAllowed {
    pub(crate) fn check(&self, tags: usize) -> Result<(), Error> {
        let parts = [
            ("allowed transitions", &self.transitions, vec![tags, tags]),
            ("allowed start", &self.start, vec![tags]),
            ("allowed end", &self.end, vec![tags]),
        ];
        for (name, found, shape) in parts {
            if Some(found.len()) != check::count(&shape) {
                let expected = format!("{shape:?} (one per entry of the field of {tags} tags)");
                return Err(Error::Shape { name, found: vec![found.len()], expected });
            }
        }
        Ok(())
    }
}

/// Parameters on the host, with -inf where something is forbidden.
#[derive(Debug, Clone)]
pub(crate) struct Forbidding {
    transitions: Vec<f32>,
    start: Vec<f32>,
    end: Vec<f32>,
}

impl Forbidding {
    pub(crate) fn new(parameters: &CrfTensors, allowed: Option<&CrfAllowed>) -> Forbidding {
        let masked = |values: &[f32], allowed: Option<&Vec<bool>>| match allowed {
            None => values.to_vec(),
            Some(allowed) => {
                let each = values.iter().zip(allowed);
                each.map(|(&value, &allowed)| if allowed { value } else { f32::NEG_INFINITY }).collect()
            }
        };
        Forbidding {
            transitions: with_values(&parameters.transitions, |v| {
                masked(v, allowed.map(|allowed| &allowed.transitions))
            }),
            start: with_values(&parameters.start, |v| masked(v, allowed.map(|allowed| &allowed.start))),
            end: with_values(&parameters.end, |v| masked(v, allowed.map(|allowed| &allowed.end))),
        }
    }

    pub(crate) fn parameters(&self) -> CrfParameters<'_> {
        CrfParameters { transitions: &self.transitions, start: &self.start, end: &self.end }
    }
}

/// The negative log-likelihood of each row's path, `[B]` (Lafferty 2001). emissions: `[B, T, N]`. tags: `[B, T]`, row by
/// row. lengths: `[B]`; steps at or past them are never read, and a row of length 0 has loss 0.
///
/// What is not allowed has probability 0 and gradient 0.
///
/// # Errors
/// When sizes or element types do not fit, a real step's tag is none, or a path does what is not allowed.
pub fn crf_loss(
    emissions: Tensor<3>,
    parameters: CrfTensors,
    allowed: Option<&CrfAllowed>,
    tags: &[u32],
    lengths: &[usize],
) -> Result<Tensor<1>, Error> {
    let [batch, time, count] = emissions.dims();
    fit(&emissions, &parameters, allowed, tags, lengths)?;
    let forbidding = Forbidding::new(&parameters, allowed);
    let dims = CrfDims { batch, time, tags: count };
    kernel::check_paths(dims, forbidding.parameters(), lengths, tags)
        .map_err(|refused| Error::Path { what: refused.to_string() })?;
    let CrfTensors { transitions, start, end } = &parameters;
    if batch * time == 0 {
        return Ok(Nothing::of(&emissions).and(transitions).and(start).and(end).zeros([batch]));
    }
    if !on_flex(&emissions) {
        return Ok(composite(emissions, parameters, allowed, tags, lengths));
    }
    let device = emissions.device();
    let CrfTensors { transitions, start, end } = parameters;
    let inputs = [
        Some(emissions.into_dispatch()),
        Some(transitions.into_dispatch()),
        Some(start.into_dispatch()),
        Some(end.into_dispatch()),
        None,
    ];
    let (tags, lengths) = (tags.to_vec(), lengths.to_vec());
    let operation = CrfLoss { dims, forbidding, tags, lengths, workspace: Left::default() };
    Ok(run_slices(inputs, &device, Arc::new(operation)))
}

fn fit(
    emissions: &Tensor<3>,
    parameters: &CrfTensors,
    allowed: Option<&CrfAllowed>,
    tags: &[u32],
    lengths: &[usize],
) -> Result<(), Error> {
    let ([batch, time, count], CrfTensors { transitions, start, end }) = (emissions.dims(), parameters);
    let why = format!("emissions are {:?}", emissions.dims());
    check::sizes(&[("the number of tags", count)])?;
    check::shape("transitions", transitions, [count, count], &why)?;
    check::shape("start_transitions", start, [count], &why)?;
    check::shape("end_transitions", end, [count], &why)?;
    check::types([
        ("emissions", Some(emissions.dtype())),
        ("transitions", Some(transitions.dtype())),
        ("start_transitions", Some(start.dtype())),
        ("end_transitions", Some(end.dtype())),
    ])?;
    allowed.map_or(Ok(()), |allowed| allowed.check(count))?;
    check::lengths(lengths, batch, time)?;
    if Some(tags.len()) != check::count(&[batch, time]) {
        let expected = format!("[{batch}, {time}] ({why})");
        return Err(Error::Shape { name: "tags", found: vec![tags.len()], expected });
    }
    Ok(())
}

#[derive(Debug)]
struct CrfLoss {
    dims: CrfDims,
    forbidding: Forbidding,
    tags: Vec<u32>,
    lengths: Vec<usize>,
    /// What the forward pass leaves for the backward pass.
    workspace: Left<CrfWorkspace>,
}

impl CrfLoss {
    /// The emissions alone: the parameters have been read already.
    fn run(&self, emissions: &[f32], workspace: &mut CrfWorkspace) -> Vec<f32> {
        let CrfLoss { dims, forbidding, tags, lengths, .. } = self;
        let (parameters, threads) = (forbidding.parameters(), current_num_threads());
        checked(kernel::forward(*dims, parameters, emissions, lengths, tags, workspace, threads)).losses
    }
}

impl SliceOperation for CrfLoss {
    fn shape(&self) -> Vec<usize> {
        vec![self.dims.batch]
    }

    fn forward(&self, [emissions, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        // A workspace of its own while threads work: whoever waits for them may be given this very operation again.
        let mut workspace = CrfWorkspace::default();
        let losses = self.run(emissions, &mut workspace);
        self.workspace.put(workspace);
        losses
    }

    fn backward(
        &self,
        _: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let mut workspace = self.workspace.of_forward();
        let found = checked(kernel::backward(gradient, &mut workspace, current_num_threads()));
        [
            wanted[0].then_some(found.emissions),
            wanted[1].then_some(found.transitions),
            wanted[2].then_some(found.start),
            wanted[3].then_some(found.end),
            None,
        ]
    }
}

/// The same, made of Burn's own operations. Sizes and paths fit.
pub(super) fn composite(
    emissions: Tensor<3>,
    parameters: CrfTensors,
    allowed: Option<&CrfAllowed>,
    tags: &[u32],
    lengths: &[usize],
) -> Tensor<1> {
    let ([batch, time, count], device) = (emissions.dims(), emissions.device());
    let flags = |of: &dyn Fn(usize, usize) -> bool| -> Vec<bool> {
        (0..batch).flat_map(|row| (0..time).map(move |step| of(row, step))).collect()
    };
    let padded =
        Tensor::<2, Bool>::from_data(TensorData::new(flags(&|row, step| step >= lengths[row]), [batch, time]), &device);
    let emissions = emissions.mask_fill(padded.clone().unsqueeze_dim::<3>(2).expand([batch, time, count]), 0.0);
    let transitions = masked(parameters.transitions, allowed.map(|allowed| &allowed.transitions));
    let start = masked(parameters.start, allowed.map(|allowed| &allowed.start));
    let end = masked(parameters.end, allowed.map(|allowed| &allowed.end));

    let step_of = |step: usize| emissions.clone().slice([0..batch, step..step + 1, 0..count]).squeeze_dim::<2>(1);
    let mut alpha = step_of(0) + start.clone().unsqueeze::<2>();
    for step in 1..time {
        let through = alpha.clone().unsqueeze_dim::<3>(2) + transitions.clone().unsqueeze::<3>();
        let next = log_sum(through, 1).squeeze_dim::<2>(1) + step_of(step);
        let over = padded.clone().slice([0..batch, step..step + 1]).expand([batch, count]);
        alpha = next.mask_where(over, alpha);
    }
    let log_partition = log_sum(alpha + end.clone().unsqueeze::<2>(), 1).squeeze_dim::<1>(1);

    let real = |row: usize, step: usize| if step < lengths[row] { i64::from(tags[row * time + step]) } else { 0 };
    let places = |of: &dyn Fn(usize, usize) -> i64, steps: usize| -> Vec<i64> {
        (0..batch).flat_map(|row| (0..steps).map(move |step| of(row, step))).collect()
    };
    let ints = |values: Vec<i64>| {
        let len = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [len]), &device)
    };
    let tags = ints(places(&|row, step| real(row, step), time)).reshape([batch, time, 1]);
    let score = emissions.gather(2, tags).reshape([batch, time]).mask_fill(padded.clone(), 0.0).sum_dim(1);
    let score = score
        + match time {
            // In training the transitions get a gradient, of zeros, as from the kernels.
            1 => Nothing::of(&transitions).zeros([batch, 1]),
            _ => {
                let pairs = places(&|row, step| real(row, step) * count as i64 + real(row, step + 1), time - 1);
                let gone = transitions.reshape([count * count]).select(0, ints(pairs)).reshape([batch, time - 1]);
                gone.mask_fill(padded.clone().slice([0..batch, 1..time]), 0.0).sum_dim(1)
            }
        };
    let first = start.select(0, ints(places(&|row, _| real(row, 0), 1)));
    let last = end.select(0, ints(places(&|row, _| real(row, lengths[row].saturating_sub(1)), 1)));
    let losses = log_partition - score.squeeze_dim::<1>(1) - first - last;
    losses.mask_fill(padded.slice([0..batch, 0..1]).reshape([batch]), 0.0)
}

fn masked<const R: usize>(values: Tensor<R>, allowed: Option<&Vec<bool>>) -> Tensor<R> {
    let Some(allowed) = allowed else { return values };
    let forbidden: Vec<bool> = allowed.iter().map(|allowed| !allowed).collect();
    let data = TensorData::new(forbidden, values.dims());
    values.clone().mask_fill(Tensor::<R, Bool>::from_data(data, &values.device()), FORBIDDEN)
}
