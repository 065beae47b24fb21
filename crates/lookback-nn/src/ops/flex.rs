//! The kernels on Burn's Flex backend: tensors are read and written as slices, without a copy.

use std::cell::Cell;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use lookback_kernels::simd::math;
use lookback_kernels::{
    Inputs, KernelError, Packed, Saving, Upstream, Weights, Workspace, backward_owned, backward_recomputing,
    forward_owned, segment,
};
use rayon::prelude::*;

use super::{INPUTS, LayerSpec, PER_DIRECTION, RecurrentKernels, RecurrentOps};

/// The least that is worth another thread.
const TANH_SHARE: usize = 1 << 14;

thread_local! {
    static WORKSPACE: Cell<Workspace> = Cell::new(Workspace::default());
}

/// Runs a kernel with this thread's workspace.
///
/// The workspace is taken out, not borrowed: a kernel that waits for its tasks lets rayon run other work on this
/// thread, and that work may be another layer's forward pass.
pub(super) fn with_workspace<X>(run: impl FnOnce(&mut Workspace) -> X) -> X {
    let mut workspace = WORKSPACE.take();
    let result = run(&mut workspace);
    WORKSPACE.set(workspace);
    result
}

impl RecurrentOps for Flex {
    fn recurrent(
        x: FloatTensor<Flex>,
        h0: FloatTensor<Flex>,
        c0: FloatTensor<Flex>,
        weight_ih: FloatTensor<Flex>,
        weight_hh: FloatTensor<Flex>,
        bias_ih: FloatTensor<Flex>,
        bias_hh: FloatTensor<Flex>,
        peephole: FloatTensor<Flex>,
        weight_ih_reverse: FloatTensor<Flex>,
        weight_hh_reverse: FloatTensor<Flex>,
        bias_ih_reverse: FloatTensor<Flex>,
        bias_hh_reverse: FloatTensor<Flex>,
        peephole_reverse: FloatTensor<Flex>,
        spec: LayerSpec,
    ) -> FloatTensor<Flex> {
        let inputs = contiguous(&[
            x,
            h0,
            c0,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            peephole,
            weight_ih_reverse,
            weight_hh_reverse,
            bias_ih_reverse,
            bias_hh_reverse,
            peephole_reverse,
        ]);
        run_forward(&inputs, &spec, Saving::Nothing).0
    }

    fn fast_tanh(x: FloatTensor<Flex>) -> FloatTensor<Flex> {
        let x = x.to_contiguous();
        let mut values = slice(&x).to_vec();
        let share = values.len().div_ceil(rayon::current_num_threads()).max(TANH_SHARE);
        // A vector's values do not depend on one another, so that no split changes a bit.
        values.par_chunks_mut(share).for_each(math::tanh);
        tensor(values, &x.layout().shape().to_vec())
    }
}

impl RecurrentKernels for Flex {
    fn recurrent_saving(inputs: &[FloatTensor<Flex>; INPUTS], spec: &LayerSpec) -> [FloatTensor<Flex>; 2] {
        let inputs = contiguous(inputs);
        let saving =
            if spec.recompute { Saving::Checkpoints { segment: segment(spec.dims.time) } } else { Saving::Gates };
        let (packed, saved) = run_forward(&inputs, spec, saving);
        let shape = [saved.len()];
        [packed, tensor(saved, &shape)]
    }

    fn recurrent_backward(
        inputs: &[FloatTensor<Flex>; INPUTS],
        packed: &FloatTensor<Flex>,
        saved: &FloatTensor<Flex>,
        gradient: FloatTensor<Flex>,
        spec: &LayerSpec,
        wanted: [bool; INPUTS],
    ) -> [Option<FloatTensor<Flex>>; INPUTS] {
        let inputs = contiguous(inputs);
        let (packed, saved, gradient) = (packed.to_contiguous(), saved.to_contiguous(), gradient.to_contiguous());
        let [y, h, c] = spec.packed();
        let lstm = spec.cell.has_cell_state();
        let (present, values) = (spec.present(), inputs.each_ref().map(slice));
        let upstream = slice(&gradient);
        let upstream =
            Upstream { y: Some(&upstream[..y]), h_n: Some(&upstream[y..h]), c_n: lstm.then(|| &upstream[h..c]) };
        let given = 3 + PER_DIRECTION * spec.dims.directions;
        let wanted: Vec<bool> = wanted.iter().zip(present).map(|(&wanted, present)| wanted && present).collect();
        let (cell, dims, threads) = (spec.cell, &spec.dims, rayon::current_num_threads());
        let (weights, inputs_of) = (weights(&values, &present, spec), layer_inputs(&values, &present, spec));
        let (y, saved, wanted) = (&slice(&packed)[..y], slice(&saved), &wanted[..given]);
        let gradients = with_workspace(|workspace| {
            checked(if spec.recompute {
                let between = (segment(dims.time), saved);
                backward_recomputing(
                    cell, dims, &weights, &inputs_of, y, between, &upstream, wanted, workspace, threads,
                )
            } else {
                backward_owned(cell, dims, &weights, &inputs_of, y, saved, &upstream, wanted, workspace, threads)
            })
        });
        let mut gradients = gradients.into_iter();
        std::array::from_fn(|input| {
            let values = gradients.next().flatten()?;
            Some(tensor(values, &inputs[input].layout().shape().to_vec()))
        })
    }
}

fn run_forward(inputs: &[FlexTensor; INPUTS], spec: &LayerSpec, saving: Saving) -> (FlexTensor, Vec<f32>) {
    let (present, values) = (spec.present(), inputs.each_ref().map(slice));
    let weights = checked(Packed::new(spec.cell, &spec.dims, &weights(&values, &present, spec)));
    let (packed, saved) = with_workspace(|workspace| {
        checked(forward_owned(
            spec.cell,
            &spec.dims,
            &weights,
            &layer_inputs(&values, &present, spec),
            saving,
            workspace,
            rayon::current_num_threads(),
        ))
    });
    let len = packed.len();
    (tensor(packed, &[len]), saved)
}

fn layer_inputs<'a>(values: &[&'a [f32]; INPUTS], present: &[bool; INPUTS], spec: &'a LayerSpec) -> Inputs<'a> {
    let given = |input: usize| present[input].then_some(values[input]);
    Inputs { x: values[0], lengths: spec.lengths.as_deref(), h0: given(1), c0: given(2) }
}

fn weights<'a>(values: &[&'a [f32]; INPUTS], present: &[bool; INPUTS], spec: &LayerSpec) -> Vec<Weights<'a>> {
    (0..spec.dims.directions)
        .map(|direction| {
            let first = 3 + direction * PER_DIRECTION;
            let given = |parameter: usize| present[first + parameter].then_some(values[first + parameter]);
            Weights {
                weight_ih: values[first],
                weight_hh: values[first + 1],
                bias_ih: given(2),
                bias_hh: given(3),
                peephole: given(4),
            }
        })
        .collect()
}

/// The same tensors, copied only where a view is strided.
fn contiguous(inputs: &[FlexTensor; INPUTS]) -> [FlexTensor; INPUTS] {
    inputs.each_ref().map(|input| input.to_contiguous())
}

pub(super) fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("the tensor was made contiguous, and the layer takes f32 alone")
}

pub(super) fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape.to_vec())), DType::F32)
}

/// The layer has compared every size before it calls a kernel.
pub(super) fn checked<X>(result: Result<X, KernelError>) -> X {
    result.unwrap_or_else(|error| panic!("a size that the layer has checked does not fit: {error}"))
}
