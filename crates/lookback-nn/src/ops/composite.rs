//! The same layer in Burn's own operations: the path of every backend without kernels, and the reference.

use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Bool, Device, Tensor, TensorCreationOptions, TensorData};
use lookback_kernels::gru::{CANDIDATE, RESET, UPDATE};
use lookback_kernels::lstm::{F, G, I, O, PEEPHOLE_O};
use lookback_kernels::{Activation, Cell, Dims, Reset};

use super::{DirectionSteps, DirectionTensors, LayerOutput, LayerSpec};
use crate::Error;

/// One layer over a batch; arguments as [`super::recurrent`].
///
/// Time runs over the padded axis, and a row past its own end keeps its state: so the reverse direction starts
/// at each row's own last step.
///
/// # Errors
/// As [`super::recurrent`].
pub fn composite(
    x: Tensor<3>,
    h0: Option<Tensor<3>>,
    c0: Option<Tensor<3>>,
    parameters: Vec<DirectionTensors>,
    spec: &LayerSpec,
) -> Result<LayerOutput, Error> {
    composite_with_steps(x, h0, c0, parameters, spec, None)
}

/// [`composite`], which may also give the gates and cell states of every step, one entry per direction.
pub(super) fn composite_with_steps(
    x: Tensor<3>,
    h0: Option<Tensor<3>>,
    c0: Option<Tensor<3>>,
    parameters: Vec<DirectionTensors>,
    spec: &LayerSpec,
    mut steps: Option<&mut Vec<DirectionSteps>>,
) -> Result<LayerOutput, Error> {
    spec.check(&x, h0.as_ref(), c0.as_ref(), &parameters)?;
    let Dims { batch, time, input, hidden, directions } = spec.dims;
    let device = x.device();
    let zeros = TensorCreationOptions::from((&device, x.dtype()));
    if batch * time == 0 {
        if let Some(steps) = steps {
            let nothing = Tensor::zeros([batch, time, hidden], zeros);
            steps.extend((0..directions).map(|_| DirectionSteps {
                gates: spec.cell.gate_names().iter().map(|&name| (name, nothing.clone())).collect(),
                cell: spec.cell.has_cell_state().then(|| nothing.clone()),
            }));
        }
        return Ok(spec.nothing(&x, h0, c0, &parameters));
    }
    let masks = spec.lengths.as_deref().map(|lengths| masks(lengths, time, &device));
    // What stands in the padding may be NaN, and zero times NaN is NaN.
    let x = match &masks {
        Some(masks) => {
            let padding: Vec<_> = masks.iter().map(|mask| mask.clone().unsqueeze_dim::<3>(1)).collect();
            x.mask_fill(Tensor::cat(padding, 1).expand([batch, time, input]), 0.0)
        }
        None => x,
    };
    let (mut sequences, mut finals, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for (d, parameters) in parameters.iter().enumerate() {
        let start = |state: &Option<Tensor<3>>| match state {
            Some(state) => state.clone().slice(d..d + 1).reshape([batch, hidden]),
            None => Tensor::<2>::zeros([batch, hidden], zeros.clone()),
        };
        let (mut h, mut c) = (start(&h0), start(&c0));
        let mut outputs: Vec<Tensor<3>> = Vec::with_capacity(time);
        // `[gates + 1][T]`: the gates, and behind them the cell state.
        let mut kept: Vec<Vec<Tensor<3>>> = vec![Vec::new(); spec.cell.gate_names().len() + 1];
        for s in 0..time {
            let t = if d == 0 { s } else { time - 1 - s };
            let x_t = x.clone().slice([0..batch, t..t + 1, 0..input]).reshape([batch, input]);
            let (h_new, c_new, gates) = step(spec.cell, parameters, x_t, h.clone(), c.clone(), hidden);
            if steps.is_some() {
                for (kept, value) in kept.iter_mut().zip(gates.into_iter().chain([c_new.clone()])) {
                    let value = match &masks {
                        Some(masks) => value.mask_fill(masks[t].clone().expand([batch, hidden]), 0.0),
                        None => value,
                    };
                    kept.push(value.detach().unsqueeze_dim(1));
                }
            }
            let output = match &masks {
                Some(masks) => {
                    let past = masks[t].clone().expand([batch, hidden]);
                    h = h_new.clone().mask_where(past.clone(), h);
                    c = c_new.mask_where(past.clone(), c);
                    h_new.mask_fill(past, 0.0)
                }
                None => {
                    (h, c) = (h_new.clone(), c_new);
                    h_new
                }
            };
            outputs.push(output.unsqueeze_dim(1));
        }
        if d == 1 {
            outputs.reverse();
            kept.iter_mut().for_each(|kept| kept.reverse());
        }
        if let Some(steps) = &mut steps {
            let mut kept = kept.into_iter().map(|kept| Tensor::cat(kept, 1));
            let gates = spec.cell.gate_names().iter().map(|&name| (name, kept.next().expect("one per gate"))).collect();
            steps.push(DirectionSteps { gates, cell: kept.next().filter(|_| spec.cell.has_cell_state()) });
        }
        sequences.push(Tensor::cat(outputs, 1));
        finals.push(h.unsqueeze_dim::<3>(0));
        cells.push(c.unsqueeze_dim::<3>(0));
    }
    Ok(LayerOutput {
        sequence: Tensor::cat(sequences, 2),
        hidden: Tensor::cat(finals, 0),
        cell: spec.cell.has_cell_state().then(|| Tensor::cat(cells, 0)),
    })
}

/// `[T]` masks of `[B, 1]`: true where a row has ended before this step.
fn masks(lengths: &[usize], time: usize, device: &Device) -> Vec<Tensor<2, Bool>> {
    (0..time)
        .map(|t| {
            let past: Vec<bool> = lengths.iter().map(|&length| t >= length).collect();
            Tensor::from_data(TensorData::new(past, [lengths.len(), 1]), device)
        })
        .collect()
}

/// One step of all rows: the equations of `lookback_kernels`' references. Gives the hidden state, the cell state and the
/// gates.
fn step(
    cell: Cell,
    w: &DirectionTensors,
    x: Tensor<2>,
    h_prev: Tensor<2>,
    c_prev: Tensor<2>,
    hidden: usize,
) -> (Tensor<2>, Tensor<2>, Vec<Tensor<2>>) {
    let batch = x.dims()[0];
    let affine = |x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>| {
        let product = x.matmul(weight.transpose());
        match bias {
            Some(bias) => product + bias.unsqueeze::<2>(),
            None => product,
        }
    };
    let bias = |which: usize| w.bias.as_ref().map(|bias| bias[which].clone());
    let gate = |all: &Tensor<2>, gate: usize| all.clone().slice([0..batch, gate * hidden..(gate + 1) * hidden]);
    let from_x = affine(x, w.weight_ih.clone(), bias(0));
    match cell {
        Cell::Rnn(activation) => {
            let sum = from_x + affine(h_prev, w.weight_hh.clone(), bias(1));
            let h = match activation {
                Activation::Tanh => sum.tanh(),
                Activation::Relu => relu(sum),
            };
            (h, c_prev, Vec::new())
        }
        Cell::Lstm => {
            let all = from_x + affine(h_prev, w.weight_hh.clone(), bias(1));
            let sees = |product: Tensor<2>, index: usize, cell: &Tensor<2>| match &w.peephole {
                Some(p) => {
                    product + p.clone().slice(index * hidden..(index + 1) * hidden).unsqueeze::<2>() * cell.clone()
                }
                None => product,
            };
            let i = sigmoid(sees(gate(&all, I), I, &c_prev));
            let f = sigmoid(sees(gate(&all, F), F, &c_prev));
            let g = gate(&all, G).tanh();
            let c = f.clone() * c_prev + i.clone() * g.clone();
            let o = sigmoid(sees(gate(&all, O), PEEPHOLE_O, &c));
            (o.clone() * c.clone().tanh(), c, vec![i, f, g, o])
        }
        Cell::Gru(reset) => {
            let rows = |tensor: &Tensor<2>, from: usize, to: usize| tensor.clone().slice(from * hidden..to * hidden);
            let part = |from: usize, to: usize| bias(1).map(|bias| bias.slice(from * hidden..to * hidden));
            let from_h = affine(h_prev.clone(), rows(&w.weight_hh, RESET, CANDIDATE), part(RESET, CANDIDATE));
            let r = sigmoid(gate(&from_x, RESET) + gate(&from_h, RESET));
            let z = sigmoid(gate(&from_x, UPDATE) + gate(&from_h, UPDATE));
            let weight_n = rows(&w.weight_hh, CANDIDATE, CANDIDATE + 1);
            let n = match reset {
                Reset::AfterProduct => {
                    gate(&from_x, CANDIDATE)
                        + r.clone() * affine(h_prev.clone(), weight_n, part(CANDIDATE, CANDIDATE + 1))
                }
                Reset::BeforeProduct => {
                    gate(&from_x, CANDIDATE)
                        + affine(r.clone() * h_prev.clone(), weight_n, part(CANDIDATE, CANDIDATE + 1))
                }
            }
            .tanh();
            (n.clone() + z.clone() * (h_prev - n.clone()), c_prev, vec![r, z, n])
        }
    }
}
