//! The decoder, naively: row by row, step by step, as its equations stand.

use super::{
    DecoderDims, DecoderForm, DecoderGradients, DecoderInputs, DecoderKind, DecoderParameters, LayerGradients, Map,
    MapGradients,
};
use crate::Real;
use crate::attention::{self, Mask, Score};
use crate::cell::CellKernel;
use crate::cell::reference::{ParameterGradients, Step, StepBack, affine, affine_backward};
use crate::recurrence::cells::with_kernel;

/// What [`forward`] gives.
#[derive(Debug, Clone)]
pub struct Forward<R> {
    /// The parts that [`DecoderKind::parts`] names.
    pub output: Vec<R>,
    /// `[B]`, in each one per real step.
    steps: Vec<Vec<Taken<R>>>,
}

/// One step of one row.
#[derive(Debug, Clone)]
struct Taken<R> {
    /// `[L]`: what each layer read.
    x: Vec<Vec<R>>,
    /// `[L]`: what each multiplied the state below with; empty where nothing.
    masks: Vec<Vec<R>>,
    /// `[L]`: the states before.
    h: Vec<Vec<R>>,
    c: Vec<Vec<R>>,
    /// `[L]`: what each layer gave.
    steps: Vec<Step<R>>,
    /// The state that the query is made of, and the query.
    asking: Vec<R>,
    query: Vec<R>,
    /// What the steps before looked at, `[count]`, and the keys that were read with it; without coverage the row's own.
    coverage: Vec<R>,
    keys: Vec<R>,
    seen: attention::reference::Forward<R>,
    /// `[M + H]`, and what is made of it; empty in Bahdanau's form.
    both: Vec<R>,
    tilde: Vec<R>,
}

/// One look of a step at its row's memory, as in [`Taken`].
struct Attended<R> {
    asking: Vec<R>,
    query: Vec<R>,
    coverage: Vec<R>,
    keys: Vec<R>,
    seen: attention::reference::Forward<R>,
}

/// What a row reads.
struct Row<'a, R> {
    dims: DecoderDims,
    keys: &'a [R],
    values: &'a [R],
    count: usize,
}

impl<'a, R: Real> Row<'a, R> {
    fn new(dims: &DecoderDims, inputs: &DecoderInputs<'a, R>, b: usize) -> Self {
        let DecoderDims { keys, width, memory, .. } = *dims;
        let count = inputs.key_lengths.map_or(keys, |lengths| lengths[b]);
        Row {
            dims: *dims,
            keys: &inputs.keys[b * keys * width..][..count * width],
            values: &inputs.values[b * keys * memory..][..count * memory],
            count,
        }
    }

    fn dims(&self) -> attention::Dims {
        let DecoderDims { width, memory, .. } = self.dims;
        attention::Dims { batch: 1, queries: 1, keys: self.count, heads: 1, width, value: memory }
    }

    fn inputs<'b>(&'b self, query: &'b [R], keys: &'b [R]) -> attention::Inputs<'b, R> {
        attention::Inputs { query, keys, values: self.values }
    }

    fn attend(&self, parameters: &DecoderParameters<'_, R>, asking: &[R], coverage: &[R]) -> Attended<R> {
        let query = parameters.query.map_or_else(|| asking.to_vec(), |map| affine(map.weight, map.bias, asking));
        let mut keys = self.keys.to_vec();
        if let Some(w) = parameters.coverage {
            // v · tanh(q + k + w_c c) is the score of a key to which w_c c was added.
            for (key, &coverage) in keys.chunks_exact_mut(w.len()).zip(coverage) {
                key.iter_mut().zip(w).for_each(|(key, &w)| *key += w * coverage);
            }
        }
        let (dims, inputs) = (self.dims(), self.inputs(&query, &keys));
        let seen = attention::reference::forward(parameters.score, &dims, &Mask::default(), None, &inputs);
        Attended { asking: asking.to_vec(), query, coverage: coverage.to_vec(), keys, seen }
    }
}

/// All steps. Sizes must fit; the naive code indexes without checking them first.
pub fn forward<R: Real>(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_, R>,
    inputs: &DecoderInputs<'_, R>,
) -> Forward<R> {
    let DecoderDims { batch, time, input, hidden, layers, keys, memory, .. } = *dims;
    let parts = kind.parts(dims);
    let mut output = vec![R::ZERO; parts.c_n.end];
    let mut steps = Vec::new();
    for b in 0..batch {
        let row = Row::new(dims, inputs, b);
        let state = |from: Option<&[R]>, layer: usize| {
            from.map_or(vec![R::ZERO; hidden], |from| from[(layer * batch + b) * hidden..][..hidden].to_vec())
        };
        let mut h: Vec<_> = (0..layers).map(|layer| state(inputs.h0, layer)).collect();
        let mut c: Vec<_> = (0..layers).map(|layer| state(inputs.c0, layer)).collect();
        let mut tilde = inputs.previous.map_or(vec![R::ZERO; hidden], |from| from[b * hidden..][..hidden].to_vec());
        let mut coverage = vec![R::ZERO; row.count];
        let mut taken = Vec::new();
        for t in 0..inputs.lengths.map_or(time, |lengths| lengths[b]) {
            let x = &inputs.x[(b * time + t) * input..][..input];
            let masks = masks_of(dims, inputs, b, t);
            let step = take(kind, parameters, &row, x, masks, (&h, &c, &tilde, &coverage));
            h = step.steps.iter().map(|step| step.h.clone()).collect();
            c = step.steps.iter().map(|step| step.c.clone()).collect();
            let y = if kind.form == DecoderForm::Bahdanau { &h[layers - 1] } else { &step.tilde };
            output[parts.y.start + (b * time + t) * hidden..][..hidden].copy_from_slice(y);
            if kind.form == DecoderForm::Bahdanau {
                output[parts.context.start + (b * time + t) * memory..][..memory].copy_from_slice(&step.seen.context);
            }
            if kind.weights {
                output[parts.weights.start + (b * time + t) * keys..][..row.count].copy_from_slice(&step.seen.weights);
            }
            add(&mut coverage, &step.seen.weights);
            tilde.clone_from(&step.tilde);
            taken.push(step);
        }
        for layer in 0..layers {
            let own = (layer * batch + b) * hidden;
            output[parts.h_n.start + own..][..hidden].copy_from_slice(&h[layer]);
            if kind.cell.has_cell_state() {
                output[parts.c_n.start + own..][..hidden].copy_from_slice(&c[layer]);
            }
        }
        steps.push(taken);
    }
    Forward { output, steps }
}

/// `[L]`: what each layer multiplies the state below with in step `t` of row `b`; empty where nothing.
fn masks_of<R: Real>(dims: &DecoderDims, inputs: &DecoderInputs<'_, R>, b: usize, t: usize) -> Vec<Vec<R>> {
    let DecoderDims { batch, time, hidden, layers, .. } = *dims;
    let mask = |layer: usize| match inputs.masks {
        Some(masks) if layer > 0 => masks[(((layer - 1) * batch + b) * time + t) * hidden..][..hidden].to_vec(),
        _ => Vec::new(),
    };
    (0..layers).map(mask).collect()
}

/// What a step begins with: the states of every layer, `h̃`, and the coverage.
type Before<'a, R> = (&'a [Vec<R>], &'a [Vec<R>], &'a [R], &'a [R]);

/// One step of one row.
fn take<R: Real>(
    kind: DecoderKind,
    parameters: &DecoderParameters<'_, R>,
    row: &Row<'_, R>,
    x: &[R],
    masks: Vec<Vec<R>>,
    (h, c, tilde, coverage): Before<'_, R>,
) -> Taken<R> {
    let top = h.len() - 1;
    let before = (kind.form == DecoderForm::Bahdanau).then(|| row.attend(parameters, &h[top], coverage));
    let mut read = match (&before, kind.form) {
        (Some(attended), _) => [x, &attended.seen.context].concat(),
        (None, DecoderForm::Luong { feeding: true }) => [x, tilde].concat(),
        _ => x.to_vec(),
    };
    let (mut all, mut steps) = (Vec::new(), Vec::<Step<R>>::new());
    for (layer, weights) in parameters.layers.iter().enumerate() {
        scale(&mut read, &masks[layer]);
        let step = with_kernel!(kind.cell, kernel => kernel.reference_step(weights, &read, &h[layer], &c[layer]));
        all.push(std::mem::replace(&mut read, step.h.clone()));
        steps.push(step);
    }
    let attended = before.unwrap_or_else(|| row.attend(parameters, &read, coverage));
    let Attended { asking, query, coverage, keys, seen } = attended;
    let (both, tilde) = match parameters.combine {
        Some(map) => {
            let both = [&seen.context[..], &read].concat();
            let tilde = affine(map.weight, map.bias, &both).into_iter().map(R::tanh).collect();
            (both, tilde)
        }
        None => (Vec::new(), Vec::new()),
    };
    Taken { x: all, masks, h: h.to_vec(), c: c.to_vec(), steps, asking, query, coverage, keys, seen, both, tilde }
}

/// The gradients, over what [`forward`] returned.
pub fn backward<R: Real>(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_, R>,
    inputs: &DecoderInputs<'_, R>,
    forward: &Forward<R>,
    upstream: &[R],
) -> DecoderGradients<R> {
    let DecoderDims { batch, time, input, hidden, layers, keys, width, memory } = *dims;
    let (parts, bahdanau) = (kind.parts(dims), kind.form == DecoderForm::Bahdanau);
    let mut all = empty(kind, dims, parameters, inputs);
    for b in 0..batch {
        let row = Row::new(dims, inputs, b);
        let state = |part: &std::ops::Range<usize>, layer: usize| match part.is_empty() {
            true => vec![R::ZERO; hidden],
            false => upstream[part.start + (layer * batch + b) * hidden..][..hidden].to_vec(),
        };
        let mut dh: Vec<_> = (0..layers).map(|layer| state(&parts.h_n, layer)).collect();
        let mut dc: Vec<_> = (0..layers).map(|layer| state(&parts.c_n, layer)).collect();
        let mut fed = vec![R::ZERO; kind.fed(dims)];
        // What later steps give to the weights of those before them.
        let mut later = vec![R::ZERO; row.count];
        let of_keys = b * keys * width..b * keys * width + row.count * width;
        let of_values = b * keys * memory..b * keys * memory + row.count * memory;
        for (t, taken) in forward.steps[b].iter().enumerate().rev() {
            let mut dweights = later.clone();
            if kind.weights {
                add(&mut dweights, &upstream[parts.weights.start + (b * time + t) * keys..][..row.count]);
            }
            let mut dy = upstream[parts.y.start + (b * time + t) * hidden..][..hidden].to_vec();
            if bahdanau {
                add(&mut dh[layers - 1], &dy);
            } else if let (Some(map), Some(gradients)) = (parameters.combine, &mut all.gradients.combine) {
                add(&mut dy[..fed.len()], &fed);
                let da: Vec<R> = dy.iter().zip(&taken.tilde).map(|(&dy, &y)| dy * (R::ONE - y * y)).collect();
                let dboth = affine_backward(map.weight, &taken.both, &da, &mut gradients.weight, &mut gradients.bias);
                add(&mut dh[layers - 1], &dboth[memory..]);
                let dkeys = &mut all.gradients.keys[of_keys.clone()];
                let dvalues = &mut all.gradients.values[of_values.clone()];
                let (query, v, w) = (&mut all.gradients.query, &mut all.gradients.v, &mut all.gradients.coverage);
                let of_step = (&dboth[..memory], &dweights[..], &mut later[..]);
                let asking = attended(parameters, &row, taken, of_step, (dkeys, dvalues, query, v, w));
                add(&mut dh[layers - 1], &asking);
            }
            for layer in (0..layers).rev() {
                let back = StepBack {
                    x: &taken.x[layer],
                    h_prev: &taken.h[layer],
                    c_prev: &taken.c[layer],
                    step: &taken.steps[layer],
                    dh: &dh[layer],
                    dc: &dc[layer],
                };
                let (weights, gradients) = (&parameters.layers[layer], &mut all.layers[layer]);
                let mut step = with_kernel!(kind.cell, kernel => kernel.reference_step_back(weights, &back, gradients));
                scale(&mut step.x, &taken.masks[layer]);
                dh[layer] = step.h;
                if kind.cell.has_cell_state() {
                    dc[layer] = step.c;
                }
                if layer > 0 {
                    add(&mut dh[layer - 1], &step.x);
                } else {
                    all.gradients.x[(b * time + t) * input..][..input].copy_from_slice(&step.x[..input]);
                    fed = step.x[input..].to_vec();
                }
            }
            if bahdanau {
                add(&mut fed, &upstream[parts.context.start + (b * time + t) * memory..][..memory]);
                let dkeys = &mut all.gradients.keys[of_keys.clone()];
                let dvalues = &mut all.gradients.values[of_values.clone()];
                let (query, v, w) = (&mut all.gradients.query, &mut all.gradients.v, &mut all.gradients.coverage);
                let of_step = (&fed[..], &dweights[..], &mut later[..]);
                let asking = attended(parameters, &row, taken, of_step, (dkeys, dvalues, query, v, w));
                add(&mut dh[layers - 1], &asking);
            }
        }
        for layer in 0..layers {
            let own = (layer * batch + b) * hidden;
            all.gradients.h0[own..][..hidden].copy_from_slice(&dh[layer]);
            if kind.cell.has_cell_state() {
                all.gradients.c0[own..][..hidden].copy_from_slice(&dc[layer]);
            }
        }
        if !all.gradients.previous.is_empty() {
            all.gradients.previous[b * hidden..][..hidden].copy_from_slice(&fed);
        }
    }
    let layer = |of: ParameterGradients<R>| {
        let ParameterGradients { weight_ih, weight_hh, bias_ih, bias_hh, .. } = of;
        LayerGradients { weight_ih, weight_hh, bias_ih, bias_hh }
    };
    DecoderGradients { layers: all.layers.into_iter().map(layer).collect(), ..all.gradients }
}

/// Gradients of zeros.
struct Gathered<R> {
    gradients: DecoderGradients<R>,
    layers: Vec<ParameterGradients<R>>,
}

fn empty<R: Real>(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_, R>,
    inputs: &DecoderInputs<'_, R>,
) -> Gathered<R> {
    let DecoderDims { batch, hidden, layers, width, .. } = *dims;
    let zeros = |len: usize| vec![R::ZERO; len];
    let map = |map: Map<'_, R>, outputs: usize| MapGradients { weight: zeros(map.weight.len()), bias: zeros(outputs) };
    let (states, gates) = (layers * batch * hidden, kind.cell.gates() * hidden);
    let feeding = kind.form == DecoderForm::Luong { feeding: true };
    let layer = |(layer, _)| ParameterGradients {
        weight_ih: zeros(gates * kind.read(dims, layer)),
        weight_hh: zeros(gates * hidden),
        bias_ih: zeros(gates),
        bias_hh: zeros(gates),
        peephole: zeros(3 * hidden),
    };
    let gradients = DecoderGradients {
        x: zeros(inputs.x.len()),
        keys: zeros(inputs.keys.len()),
        values: zeros(inputs.values.len()),
        previous: zeros(if feeding { batch * hidden } else { 0 }),
        h0: zeros(states),
        c0: zeros(if kind.cell.has_cell_state() { states } else { 0 }),
        layers: Vec::new(),
        query: parameters.query.map(|query| map(query, width)),
        v: if let Score::Additive { v } = parameters.score { zeros(v.len()) } else { Vec::new() },
        combine: parameters.combine.map(|combine| map(combine, hidden)),
        coverage: zeros(parameters.coverage.map_or(0, <[R]>::len)),
    };
    Gathered { gradients, layers: parameters.layers.iter().enumerate().map(layer).collect() }
}

/// The gradients of keys, values, the query's map, `v` and `w_c` that a parameter's part of them is added to.
type Gradients<'a, R> = (&'a mut [R], &'a mut [R], &'a mut Option<MapGradients<R>>, &'a mut [R], &'a mut [R]);

/// From the gradients of a context and of its weights, that of the state that the query was made of. What the weights of the
/// steps before get through coverage is added to `later`.
fn attended<R: Real>(
    parameters: &DecoderParameters<'_, R>,
    row: &Row<'_, R>,
    taken: &Taken<R>,
    (dcontext, dweights, later): (&[R], &[R], &mut [R]),
    (dkeys, dvalues, dmap, dv, dw): Gradients<'_, R>,
) -> Vec<R> {
    let gradients = attention::reference::backward(
        parameters.score,
        &row.dims(),
        &Mask::default(),
        None,
        &row.inputs(&taken.query, &taken.keys),
        &taken.seen,
        &attention::Upstream { context: Some(dcontext), weights: Some(dweights) },
    );
    if let Some(w) = parameters.coverage {
        for ((key, &coverage), later) in gradients.keys.chunks_exact(w.len()).zip(&taken.coverage).zip(later) {
            for ((&key, &w), dw) in key.iter().zip(w).zip(&mut *dw) {
                *dw += coverage * key;
                *later += w * key;
            }
        }
    }
    add(dkeys, &gradients.keys);
    add(dvalues, &gradients.values);
    add(dv, &gradients.v);
    match (parameters.query, dmap) {
        (Some(map), Some(to)) => {
            affine_backward(map.weight, &taken.asking, &gradients.query, &mut to.weight, &mut to.bias)
        }
        _ => gradients.query,
    }
}

fn scale<R: Real>(values: &mut [R], mask: &[R]) {
    values.iter_mut().zip(mask).for_each(|(value, &mask)| *value = *value * mask);
}

fn add<R: Real>(to: &mut [R], from: &[R]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
}
