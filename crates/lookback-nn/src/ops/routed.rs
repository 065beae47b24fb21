//! Gradients of more tensors than one operation may read.
//!
//! An operation that reads [`SLICES`] tensors through the graph, and others beside it, gives the others' gradients here. Each
//! of the others is read by an operation of no work, whose token the first one reads, so that its backward pass comes after
//! that of the first and hands the gradients on.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, Tensor};
use burn_dispatch::DispatchTensor;

use super::slices::{SLICES, SliceOperation, run_slices};

/// How many tensors one operation hands gradients to, beside the token of the one before.
const EACH: usize = SLICES - 1;

/// Where an operation leaves gradients, in the order in which the tensors were given.
#[derive(Debug, Clone, Default)]
pub(super) struct Routed(Arc<Mutex<Vec<Option<Vec<f32>>>>>);

impl Routed {
    /// A token that depends on every tensor, and where their gradients are to be left.
    pub(super) fn open(tensors: Vec<DispatchTensor>, device: &Device) -> (Routed, Tensor<1>) {
        let routed = Routed::default();
        let (mut token, mut first) = (None, 0);
        let mut tensors = tensors.into_iter().peekable();
        while tensors.peek().is_some() {
            let mut inputs: [Option<DispatchTensor>; SLICES] = std::array::from_fn(|_| None);
            inputs[EACH] = token.take().map(Tensor::<1>::into_dispatch);
            let chained = inputs[EACH].is_some();
            for input in &mut inputs[..EACH] {
                *input = tensors.next();
            }
            let operation = Route { routed: routed.clone(), first, chained };
            token = Some(run_slices(inputs, device, Arc::new(operation)));
            first += EACH;
        }
        (routed, token.unwrap_or_else(|| Tensor::zeros([1], device)))
    }

    /// Leaves the gradients, one for each tensor.
    pub(super) fn leave(&self, gradients: impl IntoIterator<Item = Vec<f32>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = gradients.into_iter().map(Some).collect();
    }
}

/// The gradient of a token, which nobody reads.
pub(super) fn of_token() -> Vec<f32> {
    vec![0.0]
}

#[derive(Debug)]
struct Route {
    routed: Routed,
    /// The first of its tensors.
    first: usize,
    /// Whether it reads the token of the one before.
    chained: bool,
}

impl SliceOperation for Route {
    fn shape(&self) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, _: [&[f32]; SLICES]) -> Vec<f32> {
        of_token()
    }

    fn backward(
        &self,
        _: [&[f32]; SLICES],
        _: &[f32],
        _: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let mut left = self.routed.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::array::from_fn(|input| match input {
            EACH => (wanted[input] && self.chained).then(of_token),
            _ if wanted[input] => left.get_mut(self.first + input).and_then(Option::take),
            _ => None,
        })
    }
}
