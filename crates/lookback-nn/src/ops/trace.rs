//! One recurrent layer with the gates and cell states of every step.

use burn::tensor::{Tensor, TensorData};
use lookback_kernels::{Inputs, Packed, Saving, Weights, forward_owned, steps};
use rayon::current_num_threads;

use super::composite::composite_with_steps;
use super::flex::{checked, with_workspace};
use super::{DirectionTensors, LayerOutput, LayerSpec, on_flex, recurrent, with_values};
use crate::Error;

/// What one direction of a layer computes at every step, in the order of the input, zero past a row's length. Outside of
/// any graph.
#[derive(Debug, Clone)]
pub(crate) struct DirectionSteps {
    /// `[B, T, H]` each, by [`lookback_kernels::Cell::gate_names`].
    pub(crate) gates: Vec<(&'static str, Tensor<3>)>,
    /// `[B, T, H]`, LSTM only.
    pub(crate) cell: Option<Tensor<3>>,
}

/// [`recurrent`], and one [`DirectionSteps`] per direction. The kernels run a second time for them, so that the output is
/// of the same graph and the same bits.
pub(crate) fn recurrent_with_steps(
    x: Tensor<3>,
    h0: Option<Tensor<3>>,
    c0: Option<Tensor<3>>,
    parameters: Vec<DirectionTensors>,
    spec: LayerSpec,
) -> Result<(LayerOutput, Vec<DirectionSteps>), Error> {
    if !on_flex(&x) {
        let mut steps = Vec::new();
        let output = composite_with_steps(x, h0, c0, parameters, &spec, Some(&mut steps))?;
        return Ok((output, steps));
    }
    let output = recurrent(x.clone(), h0.clone(), c0.clone(), parameters.clone(), spec.clone())?;
    Ok((output, by_kernels(&x, h0.as_ref(), c0.as_ref(), &parameters, &spec)))
}

/// The tensors fit `spec`.
fn by_kernels(
    x: &Tensor<3>,
    h0: Option<&Tensor<3>>,
    c0: Option<&Tensor<3>>,
    parameters: &[DirectionTensors],
    spec: &LayerSpec,
) -> Vec<DirectionSteps> {
    fn plain<const R: usize>(tensor: &Tensor<R>) -> Vec<f32> {
        with_values(tensor, <[f32]>::to_vec)
    }
    let (cell, dims, lengths) = (spec.cell, &spec.dims, spec.lengths.as_deref());
    let own: Vec<_> = parameters
        .iter()
        .map(|direction| {
            let [bias_ih, bias_hh] = direction.bias.as_ref().map_or([None, None], |bias| bias.each_ref().map(Some));
            let vectors = [bias_ih, bias_hh, direction.peephole.as_ref()];
            ([plain(&direction.weight_ih), plain(&direction.weight_hh)], vectors.map(|vector| vector.map(plain)))
        })
        .collect();
    let weights: Vec<_> = own
        .iter()
        .map(|([weight_ih, weight_hh], [bias_ih, bias_hh, peephole])| Weights {
            weight_ih,
            weight_hh,
            bias_ih: bias_ih.as_deref(),
            bias_hh: bias_hh.as_deref(),
            peephole: peephole.as_deref(),
        })
        .collect();
    let packed = checked(Packed::new(cell, dims, &weights));
    let (x_values, h0, c0) = (plain(x), h0.map(plain), c0.map(plain));
    let inputs = Inputs { x: &x_values, lengths, h0: h0.as_deref(), c0: c0.as_deref() };
    let (_, saved) = with_workspace(|workspace| {
        checked(forward_owned(cell, dims, &packed, &inputs, Saving::Gates, workspace, current_num_threads()))
    });
    let all = checked(steps(cell, dims, lengths, &saved));
    let (shape, device) = ([dims.batch, dims.time, dims.hidden], x.device());
    let count = shape.iter().product::<usize>();
    (0..dims.directions)
        .map(|direction| {
            let own = |values: &Vec<f32>| {
                let values = values[direction * count..][..count].to_vec();
                Tensor::<3>::from_data(TensorData::new(values, shape), &device)
            };
            let gates = cell.gate_names().iter().copied().zip(all.gates.iter().map(own)).collect();
            DirectionSteps { gates, cell: all.cell.as_ref().map(own) }
        })
        .collect()
}
