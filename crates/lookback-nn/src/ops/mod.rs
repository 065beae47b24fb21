//! Fused operations as backend extensions of Burn: a recurrent layer, attention, pooling, lookup, a linear map, dropout,
//! cross-entropy, the losses of a conditional random field and of a pointer-generator, a decoder over known targets, hard
//! monotonic attention over them.
//!
//! `Flex` runs the fused kernels, `Autodiff` over it their hand-written backward pass. Other backends take the same made of
//! Burn's own operations, such as [`composite()`]; that is also the reference that the tests compare with.

mod attention;
mod attention_core;
mod attention_steps;
mod autodiff;
mod composite;
mod composite_attention;
mod crf;
mod cross_entropy;
mod decoder;
mod dropout;
mod flex;
mod layer;
mod left;
mod linear;
mod log_space;
mod lookup;
mod monotonic;
mod nothing;
mod pointer;
mod pool;
mod routed;
mod slices;
#[cfg(test)]
mod tests;
mod trace;
mod unrolled;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_dispatch::DispatchTensorKind;
use lookback_kernels::Dims;

use crate::Error;

pub use attention::attention;
pub use attention_core::{CoreOptions, CoreScore};
pub(crate) use attention_steps::AttentionSteps;
pub use composite::composite;
pub use composite_attention::composite_attention;
pub(crate) use composite_attention::masked_softmax;
pub(crate) use crf::Forbidding;
pub use crf::{CrfAllowed, CrfTensors, crf_loss};
pub use cross_entropy::cross_entropy;
pub(crate) use decoder::{DecoderSteps, DecoderTensors, MapTensors, decoder};
pub use dropout::{dropout, dropout_layer};
pub use layer::{DirectionTensors, LayerOutput, LayerSpec};
pub(crate) use layer::{INPUTS, PER_DIRECTION};
pub use linear::linear;
pub use lookback_kernels::lookup::{Bags, Lookup, NO_TOKEN};
pub use lookup::lookup;
pub use monotonic::{AlignedTargets, emissions, monotonic_likelihood};
pub(crate) use nothing::{Nothing, in_every_row, joined};
pub use pointer::{NOT_WRITTEN, Wanted, pointer_loss};
pub use pool::{PoolQuery, attention_pool};
pub(crate) use trace::{DirectionSteps, recurrent_with_steps};
pub(crate) use unrolled::{UnrolledLayer, UnrolledLinear};

/// The recurrent operations of a backend.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait RecurrentOps: Backend {
    /// One layer forward, for inference: `y`, `h_n`, `c_n` packed in one flat tensor. An input that the layer
    /// lacks is a placeholder that is not read.
    #[allow(clippy::too_many_arguments, reason = "the extension takes tensors one by one")]
    fn recurrent(
        x: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        weight_ih: FloatTensor<Self>,
        weight_hh: FloatTensor<Self>,
        bias_ih: FloatTensor<Self>,
        bias_hh: FloatTensor<Self>,
        peephole: FloatTensor<Self>,
        weight_ih_reverse: FloatTensor<Self>,
        weight_hh_reverse: FloatTensor<Self>,
        bias_ih_reverse: FloatTensor<Self>,
        bias_hh_reverse: FloatTensor<Self>,
        peephole_reverse: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> FloatTensor<Self>;

    /// `tanh` of every value.
    fn fast_tanh(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// What `Autodiff` needs of the backend below it.
pub(crate) trait RecurrentKernels: RecurrentOps {
    /// As [`RecurrentOps::recurrent`], and what the backward pass needs.
    fn recurrent_saving(inputs: &[FloatTensor<Self>; INPUTS], spec: &LayerSpec) -> [FloatTensor<Self>; 2];

    /// The gradients of the inputs that are `wanted`, from that of the packed output.
    fn recurrent_backward(
        inputs: &[FloatTensor<Self>; INPUTS],
        packed: &FloatTensor<Self>,
        saved: &FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        spec: &LayerSpec,
        wanted: [bool; INPUTS],
    ) -> [Option<FloatTensor<Self>>; INPUTS];
}

/// Runs one layer by the kernels where the backend has them, else by [`composite()`].
///
/// x: `[B, T, I]`. h0, c0: `[D, B, H]`. parameters: one entry per direction.
///
/// # Errors
/// When `spec` is of no layer, or a tensor is not what it says.
pub fn recurrent(
    x: Tensor<3>,
    h0: Option<Tensor<3>>,
    c0: Option<Tensor<3>>,
    parameters: Vec<DirectionTensors>,
    spec: LayerSpec,
) -> Result<LayerOutput, Error> {
    if !on_flex(&x) {
        return composite(x, h0, c0, parameters, &spec);
    }
    spec.check(&x, h0.as_ref(), c0.as_ref(), &parameters)?;
    let Dims { batch, time, hidden, directions, .. } = spec.dims;
    let device = x.device();
    let placeholder = || Tensor::<1>::empty([1], &device).into_dispatch();
    let mut each = parameters.into_iter();
    let mut direction = || match each.next() {
        Some(DirectionTensors { weight_ih, weight_hh, bias, peephole }) => {
            let [bias_ih, bias_hh] =
                bias.map_or_else(|| [placeholder(), placeholder()], |bias| bias.map(Tensor::into_dispatch));
            let peephole = peephole.map_or_else(placeholder, Tensor::into_dispatch);
            [weight_ih.into_dispatch(), weight_hh.into_dispatch(), bias_ih, bias_hh, peephole]
        }
        None => std::array::from_fn(|_| placeholder()),
    };
    let [w_ih, w_hh, b_ih, b_hh, p] = direction();
    let [w_ih_r, w_hh_r, b_ih_r, b_hh_r, p_r] = direction();
    let state = |state: Option<Tensor<3>>| state.map_or_else(placeholder, Tensor::into_dispatch);
    let [y_end, h_end, c_end] = spec.packed();
    let lstm = spec.cell.has_cell_state();
    let packed = Tensor::<1>::from_dispatch(<Dispatch as RecurrentOps>::recurrent(
        x.into_dispatch(),
        state(h0),
        state(c0),
        w_ih,
        w_hh,
        b_ih,
        b_hh,
        p,
        w_ih_r,
        w_hh_r,
        b_ih_r,
        b_hh_r,
        p_r,
        spec,
    ));
    let part = |from: usize, to: usize, shape: [usize; 3]| match from == to {
        // To Burn's reshape a 0 means "as before".
        true => Nothing::of(&packed).zeros(shape),
        false => packed.clone().slice(from..to).reshape(shape),
    };
    Ok(LayerOutput {
        sequence: part(0, y_end, [batch, time, directions * hidden]),
        hidden: part(y_end, h_end, [directions, batch, hidden]),
        cell: lstm.then(|| part(h_end, c_end, [directions, batch, hidden])),
    })
}

/// `tanh` of every value, by the vector function of the kernels where the backend has them (Burn's own is a
/// scalar call a value), else by Burn's.
pub fn tanh<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    if on_flex(&x) { Tensor::from_dispatch(<Dispatch as RecurrentOps>::fast_tanh(x.into_dispatch())) } else { x.tanh() }
}

/// Whether the tensor lives on the Flex backend, with or without autodiff. The kernels know f32 alone.
pub(crate) fn on_flex<const R: usize>(x: &Tensor<R>) -> bool {
    fn is_flex(kind: &DispatchTensorKind) -> bool {
        match kind {
            DispatchTensorKind::Flex(_) => true,
            DispatchTensorKind::Autodiff(inner) => is_flex(inner),
            #[allow(unreachable_patterns, reason = "other features of Burn add other backends")]
            _ => false,
        }
    }
    x.dtype() == burn::tensor::DType::F32 && is_flex(&x.clone().into_dispatch().kind)
}

/// Lets `use_it` read a tensor's values as f32: without a copy where the tensor is f32, lives on Flex and is contiguous in
/// memory.
pub fn with_values<const R: usize, X>(x: &Tensor<R>, use_it: impl FnOnce(&[f32]) -> X) -> X {
    if let DispatchTensorKind::Flex(tensor) = &x.clone().into_dispatch().kind
        && let Some(values) = tensor.as_float().as_slice::<f32>()
    {
        return use_it(values);
    }
    let data = x.to_data().convert::<f32>();
    use_it(data.as_slice::<f32>().expect("it was converted"))
}
