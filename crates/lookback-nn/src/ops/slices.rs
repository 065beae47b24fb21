//! Any fused operation over plain slices as one Burn operation, with its hand-written backward pass.
//!
//! An operation that reads up to [`SLICES`] tensors and gives one says in [`SliceOperation`] how both passes go;
//! this file brings it to the Flex backend and under autodiff.

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Device, Tensor};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;

use super::flex::{slice, tensor};

/// How many tensors an operation may read.
pub(crate) const SLICES: usize = 5;

/// An operation over row-major slices. An input that an operation does not have is empty.
pub(crate) trait SliceOperation: std::fmt::Debug + Send + Sync {
    /// The shape of what [`SliceOperation::forward`] gives.
    fn shape(&self) -> Vec<usize>;

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32>;

    /// Which inputs the backward pass reads; the others come empty. None by itself.
    fn reads(&self) -> [bool; SLICES] {
        [false; SLICES]
    }

    /// Whether the backward pass reads the output; else it comes empty.
    fn reads_output(&self) -> bool {
        false
    }

    /// The gradients that are `wanted`, each as long as its input.
    fn backward(
        &self,
        inputs: [&[f32]; SLICES],
        output: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES];
}

/// Slice operations of a backend.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait SliceOps: Backend {
    fn run_slices(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        operation: Arc<dyn SliceOperation>,
    ) -> FloatTensor<Self>;
}

/// What `Autodiff` needs of the backend below it.
pub(crate) trait SliceKernels: SliceOps {
    fn slices_backward(
        inputs: &[Option<FloatTensor<Self>>; SLICES],
        shapes: &[Vec<usize>; SLICES],
        output: Option<&FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        operation: &dyn SliceOperation,
        wanted: [bool; SLICES],
    ) -> [Option<FloatTensor<Self>>; SLICES];

    fn shape_of(input: &FloatTensor<Self>) -> Vec<usize>;
}

/// Runs an operation on tensors of the Flex backend, with or without autodiff.
pub(crate) fn run_slices<const R: usize>(
    inputs: [Option<burn_dispatch::DispatchTensor>; SLICES],
    device: &Device,
    operation: Arc<dyn SliceOperation>,
) -> Tensor<R> {
    let [a, b, c, d, e] = inputs.map(|input| input.unwrap_or_else(|| Tensor::<1>::empty([0], device).into_dispatch()));
    Tensor::from_dispatch(<Dispatch as SliceOps>::run_slices(a, b, c, d, e, operation))
}

impl SliceOps for Flex {
    fn run_slices(
        a: FloatTensor<Flex>,
        b: FloatTensor<Flex>,
        c: FloatTensor<Flex>,
        d: FloatTensor<Flex>,
        e: FloatTensor<Flex>,
        operation: Arc<dyn SliceOperation>,
    ) -> FloatTensor<Flex> {
        let inputs = [a, b, c, d, e].map(|input| input.to_contiguous());
        tensor(operation.forward(inputs.each_ref().map(slice)), &operation.shape())
    }
}

impl SliceKernels for Flex {
    fn slices_backward(
        inputs: &[Option<FlexTensor>; SLICES],
        shapes: &[Vec<usize>; SLICES],
        output: Option<&FlexTensor>,
        gradient: FlexTensor,
        operation: &dyn SliceOperation,
        wanted: [bool; SLICES],
    ) -> [Option<FlexTensor>; SLICES] {
        let gradient = gradient.to_contiguous();
        let inputs = inputs.each_ref().map(|input| input.as_ref().map(FlexTensor::to_contiguous));
        let output = output.map(FlexTensor::to_contiguous);
        let mut gradients = operation.backward(
            inputs.each_ref().map(|input| input.as_ref().map_or(&[][..], slice)),
            output.as_ref().map_or(&[][..], slice),
            slice(&gradient),
            wanted,
        );
        std::array::from_fn(|input| gradients[input].take().map(|values| tensor(values, &shapes[input])))
    }

    fn shape_of(input: &FlexTensor) -> Vec<usize> {
        input.layout().shape().to_vec()
    }
}

#[derive(Debug)]
struct Slices;

#[derive(Debug, Clone)]
struct Saved<F> {
    inputs: [Option<F>; SLICES],
    shapes: [Vec<usize>; SLICES],
    output: Option<F>,
    operation: Arc<dyn SliceOperation>,
}

impl<B: SliceKernels> Backward<B, SLICES> for Slices {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, SLICES>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let Saved { inputs, shapes, output, operation } = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = B::slices_backward(&inputs, &shapes, output.as_ref(), gradient, &*operation, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

impl<B: SliceKernels, C: CheckpointStrategy> SliceOps for Autodiff<B, C> {
    fn run_slices(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        operation: Arc<dyn SliceOperation>,
    ) -> FloatTensor<Self> {
        let inputs = [a, b, c, d, e];
        let nodes = inputs.each_ref().map(|input| input.node());
        let inputs = inputs.map(|input| input.into_primitive());
        let run = |[a, b, c, d, e]: [FloatTensor<B>; SLICES], operation| B::run_slices(a, b, c, d, e, operation);
        match Slices.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = run(inputs.clone(), operation.clone());
                let shapes = inputs.each_ref().map(B::shape_of);
                let reads = operation.reads();
                let mut inputs = inputs.map(Some);
                for (input, reads) in inputs.iter_mut().zip(reads) {
                    input.take_if(|_| !reads);
                }
                let kept = operation.reads_output().then(|| output.clone());
                prepared.finish(Saved { inputs, shapes, output: kept, operation }, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(run(inputs, operation)),
        }
    }
}
