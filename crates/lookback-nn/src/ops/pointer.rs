//! The loss of a pointer-generator as one operation.

use std::sync::{Arc, OnceLock};

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};
use lookback_kernels::pointer::LEAST_COPIED;
pub use lookback_kernels::pointer::NOT_WRITTEN;
use lookback_kernels::pointer::{self as kernel, PointerDims, PointerInputs, PointerTargets, PointerTrace};
use rayon::current_num_threads;

use super::flex::checked;
use super::log_space::FORBIDDEN;
use super::on_flex;
use super::slices::{SLICES, SliceOperation, run_slices};
use crate::{Error, check};

/// What is right at each of `N` steps, and where it stands in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `[N]`: the token of each step, or [`NOT_WRITTEN`] where it can only be copied.
    pub tokens: Vec<u32>,
    /// `[N + 1]`: the places of step `n` are `places[offsets[n]..offsets[n + 1]]`.
    pub offsets: Vec<usize>,
    /// Which of all weights, counted row by row, fall on a step's token.
    pub places: Vec<usize>,
}

/// The mean over steps of `-log (g p(w) + (1 - g) Σ a)`, `[1]` (See 2017, eq. 9): `p` the softmax of logits `[N, V]`, `g` the
/// sigmoid of gates `[N]`, `Σ a` over the weights `[B, T, K]` at the token's places.
///
/// On Flex it is one kernel; elsewhere it is made of Burn's own operations.
///
/// # Errors
/// When shapes or element types do not fit one another, there is no step, or a token or a place is none.
pub fn pointer_loss(
    logits: Tensor<2>,
    gates: Tensor<1>,
    weights: Tensor<3>,
    wanted: Wanted,
) -> Result<Tensor<1>, Error> {
    let ([steps, vocabulary], shape) = (logits.dims(), weights.dims());
    check::shape("gates", &gates, [steps], format_args!("one per step of logits {:?}", logits.dims()))?;
    check::types([
        ("logits", Some(logits.dtype())),
        ("gates", Some(gates.dtype())),
        ("weights", Some(weights.dtype())),
    ])?;
    let dims = PointerDims { steps, vocabulary, weights: shape.iter().product() };
    if steps == 0 {
        let expected = "[N, V] with at least one step".into();
        return Err(Error::Shape { name: "logits", found: logits.dims().to_vec(), expected });
    }
    wanted.check(dims)?;
    let device = logits.device();
    if !(on_flex(&logits) && on_flex(&gates) && on_flex(&weights)) {
        return Ok(composite(logits, gates, weights, &wanted));
    }
    let inputs = [Some(logits.into_dispatch()), Some(gates.into_dispatch()), Some(weights.into_dispatch()), None, None];
    let operation = Pointer { dims, wanted, trace: OnceLock::new() };
    Ok(run_slices(inputs, &device, Arc::new(operation)))
}

impl Wanted {
    fn targets(&self) -> PointerTargets<'_> {
        PointerTargets { wanted: &self.tokens, offsets: &self.offsets, places: &self.places }
    }

    fn check(&self, dims: PointerDims) -> Result<(), Error> {
        kernel::check_targets(dims, self.targets()).map_err(|refused| Error::Pointer { what: refused.to_string() })
    }
}

#[derive(Debug)]
struct Pointer {
    dims: PointerDims,
    wanted: Wanted,
    /// From the forward pass.
    trace: OnceLock<PointerTrace>,
}

impl SliceOperation for Pointer {
    fn shape(&self) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, [logits, gates, weights, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        let inputs = PointerInputs { logits, gates, weights };
        let (loss, trace) = checked(kernel::forward(self.dims, inputs, self.wanted.targets(), current_num_threads()));
        // The same inputs leave the same, should the operation ever run twice.
        let _ = self.trace.set(trace);
        vec![loss]
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, true, false, false]
    }

    fn backward(
        &self,
        [logits, gates, weights, ..]: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let trace = self.trace.get().expect("the forward pass has run before the backward pass");
        let (inputs, targets) = (PointerInputs { logits, gates, weights }, self.wanted.targets());
        let threads = current_num_threads();
        let found = checked(kernel::backward(self.dims, inputs, targets, trace, gradient[0], threads));
        [
            wanted[0].then_some(found.logits),
            wanted[1].then_some(found.gates),
            wanted[2].then_some(found.weights),
            None,
            None,
        ]
    }
}

/// The same, made of Burn's own operations.
pub(super) fn composite(logits: Tensor<2>, gates: Tensor<1>, weights: Tensor<3>, wanted: &Wanted) -> Tensor<1> {
    let ([steps, _], device, dtype) = (logits.dims(), logits.device(), logits.dtype());
    let ints = |values: Vec<i64>| {
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &device)
    };
    let floats = |values: Vec<f32>| {
        let count = values.len();
        Tensor::<1>::from_data(TensorData::new(values, [count]), (&device, dtype))
    };
    let token = |&token: &u32| if token == NOT_WRITTEN { 0 } else { i64::from(token) };
    let tokens = ints(wanted.tokens.iter().map(token).collect());
    let own = log_softmax(logits, 1).gather(1, tokens.unsqueeze_dim(1)).squeeze_dim::<1>(1);
    let impossible =
        |is: &dyn Fn(usize) -> bool| floats((0..steps).map(|step| if is(step) { FORBIDDEN } else { 0.0 }).collect());
    let write = own + log_sigmoid(gates.clone()) + impossible(&|step| wanted.tokens[step] == NOT_WRITTEN);
    if wanted.places.is_empty() {
        return -write.mean();
    }
    let of_places = weights.flatten::<1>(0, 2).select(0, ints(wanted.places.iter().map(|&at| at as i64).collect()));
    let step_of = (0..steps).flat_map(|step| vec![step as i64; wanted.offsets[step + 1] - wanted.offsets[step]]);
    let none = Tensor::<1>::zeros([steps], (&device, dtype));
    let copied = none.select_assign(0, ints(step_of.collect()), of_places, IndexingUpdateOp::Add);
    let nowhere = impossible(&|step| wanted.offsets[step] == wanted.offsets[step + 1]);
    let copy = copied.clamp_min(LEAST_COPIED).log() + log_sigmoid(-gates) + nowhere;
    // log (e^a + e^b), from the larger of the two.
    let largest = write.clone().max_pair(copy.clone()).detach();
    let sum = (write - largest.clone()).exp() + (copy - largest.clone()).exp();
    -(sum.log() + largest).mean()
}
