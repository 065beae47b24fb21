//! A decoder over known targets as one operation.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_dispatch::{DispatchTensor, DispatchTensorKind};
use burn_flex::FlexTensor;
use lookback_kernels::Weights;
use lookback_kernels::attention::Score;
use lookback_kernels::decoder::{
    self as kernel, DecoderDims, DecoderGradients, DecoderInputs, DecoderKind, DecoderParameters, DecoderTrace, Map,
    MapGradients,
};
use lookback_kernels::dropout::mask;
use rayon::current_num_threads;

use super::flex::{checked, slice};
use super::left::Left;
use super::routed::{Routed, of_token};
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{CoreScore, DirectionTensors};
use crate::State;

/// A linear map of a decoder: weight and bias.
pub(crate) type MapTensors = (Tensor<2>, Option<Tensor<1>>);

/// What a decoder has learnt, and the memory that it attends to. All of it lives on Flex, and fits the sizes.
#[derive(Debug)]
pub(crate) struct DecoderTensors {
    /// `[L]`, without peepholes.
    pub(crate) layers: Vec<DirectionTensors>,
    /// Of the queries.
    pub(crate) query: Option<MapTensors>,
    pub(crate) score: CoreScore,
    pub(crate) combine: Option<MapTensors>,
    /// `[A]`, with coverage.
    pub(crate) coverage: Option<Tensor<1>>,
    /// `[B, K, A]`, projected.
    pub(crate) keys: Tensor<3>,
    /// `[B, K, M]`.
    pub(crate) values: Tensor<3>,
    /// The probability that what a layer above the first reads of the one below is dropped, 0 for one layer.
    pub(crate) dropout: f64,
}

/// What a decoder gives.
#[derive(Debug)]
pub(crate) struct DecoderSteps {
    /// `[B, T, H]`.
    pub(crate) y: Tensor<3>,
    /// `[B, T, M]`, in Bahdanau's form.
    pub(crate) context: Option<Tensor<3>>,
    /// `[B, T, K]`, where they are asked for.
    pub(crate) weights: Option<Tensor<3>>,
    pub(crate) state: State,
}

/// All steps of sequences that are known. x: `[B, T, I]`. previous: `[B, H]`, with input feeding alone. Sizes fit, none is
/// 0, and everything lives on Flex.
pub(crate) fn decoder(
    kind: DecoderKind,
    dims: DecoderDims,
    [lengths, key_lengths]: [Option<Arc<[usize]>>; 2],
    x: Tensor<3>,
    previous: Option<Tensor<2>>,
    state: Option<State>,
    tensors: DecoderTensors,
) -> DecoderSteps {
    let device = x.device();
    let (h0, c0) = state.map_or((None, None), |state| (Some(state.hidden), state.cell));
    let given = [previous.is_some(), h0.is_some(), c0.is_some()];
    let drawn = (tensors.dropout > 0.0).then(|| (tensors.dropout as f32, super::dropout::seed(&device)));
    let (beside, order) = Beside::new(tensors);
    let (routed, token) = Routed::open(order, &device);
    let inputs = [
        Some(x.into_dispatch()),
        previous.map(Tensor::into_dispatch),
        h0.map(Tensor::into_dispatch),
        c0.map(Tensor::into_dispatch),
        Some(token.into_dispatch()),
    ];
    let trace = Left::default();
    let operation = Decode { kind, dims, lengths, key_lengths, given, drawn, beside, routed, trace };
    let all: Tensor<1> = run_slices(inputs, &device, Arc::new(operation));
    let (parts, DecoderDims { batch, time, hidden, layers, keys, memory, .. }) = (kind.parts(&dims), dims);
    let part = |range: &std::ops::Range<usize>, shape: [usize; 3]| all.clone().slice(range.clone()).reshape(shape);
    let states = [layers, batch, hidden];
    DecoderSteps {
        y: part(&parts.y, [batch, time, hidden]),
        context: (!parts.context.is_empty()).then(|| part(&parts.context, [batch, time, memory])),
        weights: kind.weights.then(|| part(&parts.weights, [batch, time, keys])),
        state: State {
            hidden: part(&parts.h_n, states),
            cell: (!parts.c_n.is_empty()).then(|| part(&parts.c_n, states)),
        },
    }
}

/// What the operation reads beside the tensors that it reads through the graph.
#[derive(Debug)]
struct Beside {
    keys: FlexTensor,
    values: FlexTensor,
    /// The scale of a product, or `v`.
    score: Result<f32, FlexTensor>,
    query: Option<(FlexTensor, Option<FlexTensor>)>,
    combine: Option<(FlexTensor, Option<FlexTensor>)>,
    coverage: Option<FlexTensor>,
    /// `[L]`: the weights, and the biases.
    layers: Vec<([FlexTensor; 2], Option<[FlexTensor; 2]>)>,
}

impl Beside {
    /// The values, and the tensors themselves in the order of [`Beside::gradients`].
    fn new(tensors: DecoderTensors) -> (Beside, Vec<DispatchTensor>) {
        let mut order = Vec::new();
        let DecoderTensors { layers, query, score, combine, coverage, keys, values, dropout: _ } = tensors;
        let (keys, values) = (kept(keys, &mut order), kept(values, &mut order));
        let score = match score {
            CoreScore::Product(scale) => Ok(scale),
            CoreScore::Additive(v) => Err(kept(v, &mut order)),
        };
        let coverage = coverage.map(|w| kept(w, &mut order));
        let mut map = |(weight, bias): MapTensors| (kept(weight, &mut order), bias.map(|bias| kept(bias, &mut order)));
        let (query, combine) = (query.map(&mut map), combine.map(&mut map));
        let layer = |DirectionTensors { weight_ih, weight_hh, bias, .. }: DirectionTensors| {
            let weights = [weight_ih, weight_hh].map(|weight| kept(weight, &mut order));
            (weights, bias.map(|bias| bias.map(|bias| kept(bias, &mut order))))
        };
        let layers = layers.into_iter().map(layer).collect();
        (Beside { keys, values, score, query, combine, coverage, layers }, order)
    }

    /// The gradients of what [`Beside::new`] has listed.
    fn gradients(&self, found: &mut DecoderGradients) -> Vec<Vec<f32>> {
        let mut all = vec![std::mem::take(&mut found.keys), std::mem::take(&mut found.values)];
        if self.score.is_err() {
            all.push(std::mem::take(&mut found.v));
        }
        all.extend(self.coverage.as_ref().map(|_| std::mem::take(&mut found.coverage)));
        let maps = [(&self.query, found.query.take()), (&self.combine, found.combine.take())];
        for (own, gradients) in maps {
            if let (Some((_, own)), Some(MapGradients { weight, bias })) = (own, gradients) {
                all.push(weight);
                all.extend(own.as_ref().map(|_| bias));
            }
        }
        for ((_, own), gradients) in self.layers.iter().zip(std::mem::take(&mut found.layers)) {
            all.extend([gradients.weight_ih, gradients.weight_hh]);
            all.extend(own.iter().flat_map(|_| [gradients.bias_ih.clone(), gradients.bias_hh.clone()]));
        }
        all
    }

    /// Lets `use_it` read the parameters.
    fn parameters<X>(&self, use_it: impl FnOnce(&DecoderParameters<'_>) -> X) -> X {
        let bias = |bias: &Option<[FlexTensor; 2]>, which: usize| bias.as_ref().map(|bias| bias[which].clone());
        let biases: Vec<[Option<FlexTensor>; 2]> =
            self.layers.iter().map(|(_, own)| [bias(own, 0), bias(own, 1)]).collect();
        let layers: Vec<Weights<'_>> = self
            .layers
            .iter()
            .zip(&biases)
            .map(|(([weight_ih, weight_hh], _), [bias_ih, bias_hh])| Weights {
                weight_ih: slice(weight_ih),
                weight_hh: slice(weight_hh),
                bias_ih: bias_ih.as_ref().map(slice),
                bias_hh: bias_hh.as_ref().map(slice),
                peephole: None,
            })
            .collect();
        let (query, combine) = (self.query.as_ref().map(map), self.combine.as_ref().map(map));
        let score = match &self.score {
            Ok(scale) => Score::Product { scale: *scale },
            Err(v) => Score::Additive { v: slice(v) },
        };
        let coverage = self.coverage.as_ref().map(slice);
        use_it(&DecoderParameters { layers: &layers, query, score, combine, coverage })
    }
}

fn map((weight, bias): &(FlexTensor, Option<FlexTensor>)) -> Map<'_> {
    Map { weight: slice(weight), bias: bias.as_ref().map(slice) }
}

/// The values of a tensor on Flex, contiguous, apart from the graph, to which `order` keeps it.
fn kept<const R: usize>(tensor: Tensor<R>, order: &mut Vec<DispatchTensor>) -> FlexTensor {
    let apart = if tensor.device().is_autodiff() { tensor.clone().inner() } else { tensor.clone() };
    order.push(tensor.into_dispatch());
    let DispatchTensorKind::Flex(values) = apart.into_dispatch().kind else {
        unreachable!("whoever calls the operation has looked where the tensors live")
    };
    values.as_float().to_contiguous()
}

#[derive(Debug)]
struct Decode {
    kind: DecoderKind,
    dims: DecoderDims,
    lengths: Option<Arc<[usize]>>,
    key_lengths: Option<Arc<[usize]>>,
    /// Whether what is fed first, and the states, were given.
    given: [bool; 3],
    /// The probability and the seed of the dropout between the layers.
    drawn: Option<(f32, u64)>,
    beside: Beside,
    routed: Routed,
    /// What the forward pass leaves for the backward pass.
    trace: Left<DecoderTrace>,
}

impl Decode {
    /// `[L - 1, B, T, H]`: another draw for every step, as where steps are taken one by one. Both passes draw it from its
    /// seed, so that none is kept between them.
    fn masks(&self) -> Option<Vec<f32>> {
        let DecoderDims { batch, time, hidden, layers, .. } = self.dims;
        let (probability, seed) = self.drawn?;
        Some(checked(mask((layers - 1) * batch * time * hidden, probability, seed, current_num_threads())))
    }

    fn inputs<'a>(
        &'a self,
        [x, previous, h0, c0, _]: [&'a [f32]; SLICES],
        masks: Option<&'a [f32]>,
    ) -> DecoderInputs<'a> {
        let given = |which: usize, values: &'a [f32]| self.given[which].then_some(values);
        DecoderInputs {
            x,
            lengths: self.lengths.as_deref(),
            keys: slice(&self.beside.keys),
            values: slice(&self.beside.values),
            key_lengths: self.key_lengths.as_deref(),
            previous: given(0, previous),
            h0: given(1, h0),
            c0: given(2, c0),
            masks,
        }
    }
}

impl SliceOperation for Decode {
    fn shape(&self) -> Vec<usize> {
        vec![self.kind.parts(&self.dims).c_n.end]
    }

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32> {
        let masks = self.masks();
        let (inputs, threads) = (self.inputs(inputs, masks.as_deref()), current_num_threads());
        let run = |parameters: &DecoderParameters<'_>| {
            checked(kernel::forward(self.kind, &self.dims, parameters, &inputs, threads))
        };
        let (output, trace) = self.beside.parameters(run);
        self.trace.put(trace);
        output
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, true, true, false]
    }

    fn reads_output(&self) -> bool {
        true
    }

    fn backward(
        &self,
        inputs: [&[f32]; SLICES],
        output: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let trace = self.trace.of_forward();
        let masks = self.masks();
        let (inputs, threads, kind) = (self.inputs(inputs, masks.as_deref()), current_num_threads(), self.kind);
        let run = |parameters: &DecoderParameters<'_>| {
            checked(kernel::backward(kind, &self.dims, parameters, &inputs, output, &trace, gradient, threads))
        };
        let mut found = self.beside.parameters(run);
        self.routed.leave(self.beside.gradients(&mut found));
        [
            wanted[0].then_some(found.x),
            (wanted[1] && self.given[0]).then_some(found.previous),
            (wanted[2] && self.given[1]).then_some(found.h0),
            (wanted[3] && self.given[2]).then_some(found.c0),
            wanted[4].then(of_token),
        ]
    }
}
