//! A random decoder over a random batch, what the reference makes of it, and what the fast kernel does.

use crate::KernelError;
use crate::Real;
use crate::attention::Score;
use crate::cell::Weights;
use crate::decoder::{
    DecoderDims, DecoderForm, DecoderGradients, DecoderInputs, DecoderKind, DecoderParameters, DecoderTrace, Map,
    backward, forward, reference,
};
use crate::recurrence::Cell;
use rand::{Rng, SeedableRng, rngs::StdRng};

pub(super) const FORMS: [DecoderForm; 3] =
    [DecoderForm::Luong { feeding: true }, DecoderForm::Luong { feeding: false }, DecoderForm::Bahdanau];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scored {
    /// The state is the query.
    Dot,
    /// A map, without a bias.
    General,
    /// A map with a bias, and `v`.
    Additive,
    /// The same with coverage.
    Covering,
}

impl Scored {
    /// Whether there is a `v`.
    fn has_v(self) -> bool {
        matches!(self, Scored::Additive | Scored::Covering)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) cell: Cell,
    pub(super) form: DecoderForm,
    pub(super) score: Scored,
    /// Whether the weights are given.
    pub(super) weights: bool,
}

/// One case; in f64 its values are f32 values.
#[derive(Clone, Debug)]
pub(super) struct Case<R = f64> {
    pub(super) kind: Kind,
    pub(super) dims: DecoderDims,
    pub(super) lengths: Vec<usize>,
    pub(super) key_lengths: Vec<usize>,
    pub(super) x: Vec<R>,
    pub(super) keys: Vec<R>,
    pub(super) values: Vec<R>,
    pub(super) previous: Vec<R>,
    pub(super) h0: Vec<R>,
    pub(super) c0: Vec<R>,
    /// Empty where nothing is dropped between the layers.
    pub(super) masks: Vec<R>,
    /// `[L]`: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
    pub(super) layers: Vec<[Vec<R>; 4]>,
    pub(super) query: [Vec<R>; 2],
    pub(super) v: Vec<R>,
    pub(super) combine: Vec<R>,
    pub(super) combine_bias: Vec<R>,
    pub(super) coverage: Vec<R>,
    pub(super) upstream: Vec<R>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Fast {
    pub(super) output: Vec<f32>,
    pub(super) gradients: DecoderGradients,
}

impl<R: Real> Case<R> {
    pub(super) fn decoder(&self) -> DecoderKind {
        DecoderKind { cell: self.kind.cell, form: self.kind.form, weights: self.kind.weights }
    }

    /// Lets `use_it` read all of it.
    fn with<X>(&self, use_it: impl FnOnce(&DecoderParameters<'_, R>, &DecoderInputs<'_, R>) -> X) -> X {
        let layers: Vec<Weights<'_, R>> = self.layers.iter().map(weights).collect();
        let given = |values: &'_ Vec<R>| -> bool { !values.is_empty() };
        let (query, combine) = (&self.query, &self.combine);
        let parameters = DecoderParameters {
            layers: &layers,
            query: given(&query[0]).then(|| Map { weight: &query[0], bias: given(&query[1]).then_some(&query[1][..]) }),
            score: match self.kind.score {
                Scored::Additive | Scored::Covering => Score::Additive { v: &self.v },
                _ => Score::Product { scale: R::from_f32(0.7) },
            },
            combine: given(combine).then(|| Map { weight: combine, bias: Some(&self.combine_bias) }),
            coverage: given(&self.coverage).then_some(&self.coverage[..]),
        };
        let inputs = DecoderInputs {
            x: &self.x,
            lengths: Some(&self.lengths),
            keys: &self.keys,
            values: &self.values,
            key_lengths: Some(&self.key_lengths),
            previous: given(&self.previous).then_some(&self.previous),
            h0: given(&self.h0).then_some(&self.h0),
            c0: given(&self.c0).then_some(&self.c0),
            masks: given(&self.masks).then_some(&self.masks),
        };
        use_it(&parameters, &inputs)
    }

    fn convert<S>(&self, to: impl Fn(R) -> S) -> Case<S> {
        let all = |values: &Vec<R>| values.iter().map(|&value| to(value)).collect::<Vec<S>>();
        Case {
            kind: self.kind,
            dims: self.dims,
            lengths: self.lengths.clone(),
            key_lengths: self.key_lengths.clone(),
            x: all(&self.x),
            keys: all(&self.keys),
            values: all(&self.values),
            previous: all(&self.previous),
            h0: all(&self.h0),
            c0: all(&self.c0),
            masks: all(&self.masks),
            layers: self.layers.iter().map(|layer| layer.each_ref().map(all)).collect(),
            query: self.query.each_ref().map(all),
            v: all(&self.v),
            combine: all(&self.combine),
            combine_bias: all(&self.combine_bias),
            coverage: all(&self.coverage),
            upstream: all(&self.upstream),
        }
    }
}

fn weights<R>([weight_ih, weight_hh, bias_ih, bias_hh]: &[Vec<R>; 4]) -> Weights<'_, R> {
    Weights { weight_ih, weight_hh, bias_ih: Some(bias_ih), bias_hh: Some(bias_hh), peephole: None }
}

impl Case<f32> {
    pub(super) fn try_forward(&self, threads: usize) -> Result<(Vec<f32>, DecoderTrace), KernelError> {
        self.with(|parameters, inputs| forward(self.decoder(), &self.dims, parameters, inputs, threads))
    }

    pub(super) fn try_backward(&self, trace: &DecoderTrace, threads: usize) -> Result<DecoderGradients, KernelError> {
        let output = vec![0.0; self.upstream.len()];
        self.with(|parameters, inputs| {
            backward(self.decoder(), &self.dims, parameters, inputs, &output, trace, &self.upstream, threads)
        })
    }
}

impl Case {
    /// Weights within `limit` over the root of what they read.
    pub(super) fn new(kind: Kind, dims: DecoderDims, limit: f32, seed: u64) -> Case {
        let DecoderDims { batch, time, input, hidden, layers, keys, width, memory } = dims;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut lengths = |most: usize| -> Vec<usize> {
            (0..batch).map(|row| if row == 0 { most } else { rng.random_range(0..=most) }).collect()
        };
        let (lengths, key_lengths) = (lengths(time), lengths(keys));
        let mut draw = |count: usize, limit: f32| -> Vec<f64> {
            (0..count).map(|_| f64::from(rng.random_range(-limit..=limit))).collect()
        };
        let decoder = DecoderKind { cell: kind.cell, form: kind.form, weights: kind.weights };
        let gates = kind.cell.gates() * hidden;
        let feeding = kind.form == DecoderForm::Luong { feeding: true };
        let bahdanau = kind.form == DecoderForm::Bahdanau;
        let of = |inputs: usize| limit / (inputs as f32).sqrt();
        let states = layers * batch * hidden;
        Case {
            kind,
            dims,
            lengths,
            key_lengths,
            x: draw(batch * time * input, 1.0),
            keys: draw(batch * keys * width, 1.0),
            values: draw(batch * keys * memory, 1.0),
            previous: draw(if feeding { batch * hidden } else { 0 }, 1.0),
            h0: draw(states, 1.0),
            c0: draw(if kind.cell.has_cell_state() { states } else { 0 }, 1.0),
            masks: Vec::new(),
            layers: (0..layers)
                .map(|layer| {
                    let read = decoder.read(&dims, layer);
                    [
                        draw(gates * read, of(read)),
                        draw(gates * hidden, of(hidden)),
                        draw(gates, of(hidden)),
                        draw(gates, of(hidden)),
                    ]
                })
                .collect(),
            query: [
                draw(if kind.score == Scored::Dot { 0 } else { width * hidden }, of(hidden)),
                draw(if kind.score.has_v() { width } else { 0 }, 1.0),
            ],
            v: draw(if kind.score.has_v() { width } else { 0 }, of(width)),
            combine: draw(if bahdanau { 0 } else { hidden * (memory + hidden) }, of(memory + hidden)),
            combine_bias: draw(if bahdanau { 0 } else { hidden }, 1.0),
            coverage: draw(if kind.score == Scored::Covering { width } else { 0 }, 1.0),
            upstream: draw(decoder.parts(&dims).c_n.end, 1.0),
        }
    }

    /// With a third of what the layers above the first read dropped, and the others scaled.
    pub(super) fn dropping(mut self, seed: u64) -> Case {
        let DecoderDims { batch, time, hidden, layers, .. } = self.dims;
        let mut rng = StdRng::seed_from_u64(seed);
        let value = |_| if rng.random_range(0..3) == 0 { 0.0 } else { 1.5 };
        self.masks = (0..(layers - 1) * batch * time * hidden).map(value).collect();
        self
    }

    pub(super) fn narrow(&self) -> Case<f32> {
        self.convert(|value| value as f32)
    }

    pub(super) fn fast(&self, threads: usize) -> Fast {
        let case = self.narrow();
        let (output, trace) = case.try_forward(threads).unwrap();
        let gradients = case.with(|parameters, inputs| {
            backward(case.decoder(), &case.dims, parameters, inputs, &output, &trace, &case.upstream, threads)
        });
        Fast { output, gradients: gradients.unwrap() }
    }

    /// What the gradients are those of.
    pub(super) fn objective(&self) -> f64 {
        self.with(|parameters, inputs| {
            let forward = reference::forward(self.decoder(), &self.dims, parameters, inputs);
            forward.output.iter().zip(&self.upstream).map(|(output, upstream)| output * upstream).sum()
        })
    }

    pub(super) fn gradients(&self) -> DecoderGradients<f64> {
        self.with(|parameters, inputs| {
            let forward = reference::forward(self.decoder(), &self.dims, parameters, inputs);
            reference::backward(self.decoder(), &self.dims, parameters, inputs, &forward, &self.upstream)
        })
    }

    /// Everything that has a gradient, in the order of [`Case::gradient_of`].
    pub(super) fn values_mut(&mut self) -> Vec<&mut Vec<f64>> {
        let mut all =
            vec![&mut self.x, &mut self.keys, &mut self.values, &mut self.previous, &mut self.h0, &mut self.c0];
        all.extend([&mut self.v, &mut self.coverage, &mut self.combine, &mut self.combine_bias]);
        all.extend(self.query.iter_mut());
        all.extend(self.layers.iter_mut().flatten());
        all
    }

    /// The gradient of one of [`Case::values_mut`]. A map that is not there has none.
    pub(super) fn gradient_of<R: Copy>(gradients: &DecoderGradients<R>, part: usize) -> Vec<R> {
        let DecoderGradients { x, keys, values, previous, h0, c0, layers, query, v, coverage, combine } = gradients;
        let map = |map: &Option<crate::decoder::MapGradients<R>>| {
            map.as_ref().map_or([Vec::new(), Vec::new()], |map| [map.weight.clone(), map.bias.clone()])
        };
        let ([combine, combine_bias], [query, query_bias]) = (map(combine), map(query));
        let mut all: Vec<Vec<R>> = [x, keys, values, previous, h0, c0, v, coverage].map(Clone::clone).to_vec();
        all.extend([combine, combine_bias, query, query_bias]);
        for layer in layers {
            all.extend([&layer.weight_ih, &layer.weight_hh, &layer.bias_ih, &layer.bias_hh].map(Clone::clone));
        }
        all.swap_remove(part)
    }

    /// The fast kernel beside the reference, relative to the largest value but at least to 1.
    #[track_caller]
    pub(super) fn agrees(&self, bound: f64) {
        let (fast, want) = (self.fast(1), self.gradients());
        let output =
            self.with(|parameters, inputs| reference::forward(self.decoder(), &self.dims, parameters, inputs).output);
        let what = |name: &str| format!("{name} of {:?}, {:?}", self.kind, self.dims);
        close(&what("output"), &fast.output, &output, bound);
        for part in 0..self.clone().values_mut().len() {
            let (found, want) = (Case::gradient_of(&fast.gradients, part), Case::gradient_of(&want, part));
            close(&what(&format!("gradient {part}")), &found, &want, bound);
        }
    }

    /// Row `b` alone, as long as it is, over the keys that it has.
    pub(super) fn row(&self, b: usize) -> Case {
        let DecoderDims { batch, time, input, hidden, layers, keys, width, memory } = self.dims;
        let (length, count) = (self.lengths[b], self.key_lengths[b]);
        let part = |values: &[f64], row: usize, kept: usize| {
            if values.is_empty() { Vec::new() } else { values[b * row..][..kept].to_vec() }
        };
        let states = |values: &[f64]| -> Vec<f64> {
            values.chunks(batch * hidden).flat_map(|layer| layer[b * hidden..][..hidden].to_vec()).collect()
        };
        let dims = DecoderDims { batch: 1, time: length, keys: count, ..self.dims };
        let (own, parts) = (self.decoder().parts(&self.dims), self.decoder().parts(&dims));
        let mut upstream = part(&self.upstream[own.y], time * hidden, length * hidden);
        upstream.extend(part(&self.upstream[own.context], time * memory, length * memory));
        if self.kind.weights {
            let weights = &self.upstream[own.weights][b * time * keys..];
            upstream.extend(weights.chunks(keys.max(1)).take(length).flat_map(|step| step[..count].to_vec()));
        }
        upstream.extend(states(&self.upstream[own.h_n]));
        upstream.extend(states(&self.upstream[own.c_n]));
        assert_eq!((upstream.len(), layers), (parts.c_n.end, dims.layers));
        Case {
            dims,
            lengths: vec![length],
            key_lengths: vec![count],
            x: part(&self.x, time * input, length * input),
            keys: part(&self.keys, keys * width, count * width),
            values: part(&self.values, keys * memory, count * memory),
            previous: part(&self.previous, hidden, hidden),
            h0: states(&self.h0),
            c0: states(&self.c0),
            masks: self
                .masks
                .chunks((batch * time * hidden).max(1))
                .flat_map(|layer| layer[b * time * hidden..][..length * hidden].to_vec())
                .collect(),
            upstream,
            ..self.clone()
        }
    }

    /// NaN in everything that is padding.
    pub(super) fn poisoned(&self) -> Case {
        let DecoderDims { batch, time, input, hidden, keys, width, memory, .. } = self.dims;
        let (mut case, parts) = (self.clone(), self.decoder().parts(&self.dims));
        for b in 0..batch {
            let (length, count) = (self.lengths[b], self.key_lengths[b]);
            case.x[(b * time + length) * input..(b + 1) * time * input].fill(f64::NAN);
            for layer in case.masks.chunks_mut((batch * time * hidden).max(1)) {
                layer[(b * time + length) * hidden..(b + 1) * time * hidden].fill(f64::NAN);
            }
            case.keys[(b * keys + count) * width..(b + 1) * keys * width].fill(f64::NAN);
            case.values[(b * keys + count) * memory..(b + 1) * keys * memory].fill(f64::NAN);
            case.upstream[(b * time + length) * hidden..(b + 1) * time * hidden].fill(f64::NAN);
            if self.kind.weights && keys > 0 {
                let weights = &mut case.upstream[parts.weights.clone()][b * time * keys..(b + 1) * time * keys];
                for (t, step) in weights.chunks_mut(keys).enumerate() {
                    step[if t < length { count } else { 0 }..].fill(f64::NAN);
                }
            }
            if !parts.context.is_empty() {
                let context = &mut case.upstream[parts.context.clone()];
                context[(b * time + length) * memory..(b + 1) * time * memory].fill(f64::NAN);
            }
        }
        case
    }

    /// The parts of one row among those of a batch, `row` values a row of which `kept` are compared.
    #[track_caller]
    pub(super) fn same_row(&self, alone: &Fast, whole: &Fast, b: usize) {
        let DecoderDims { batch, time, input, hidden, keys, width, memory, .. } = self.dims;
        let (length, count) = (self.lengths[b], self.key_lengths[b]);
        let same = |name: &str, alone: &[f32], whole: &[f32], row: usize| {
            if !whole.is_empty() {
                let whole = &whole[b * row..][..alone.len()];
                assert!(
                    alone.iter().zip(whole).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{name} of row {b}, {:?}",
                    self.kind
                );
            }
        };
        let states = |name: &str, alone: &[f32], whole: &[f32]| {
            for (alone, whole) in alone.chunks(hidden).zip(whole.chunks(batch * hidden)) {
                same(name, alone, whole, hidden);
            }
        };
        let (own, of) = (self.decoder().parts(&self.row(b).dims), self.decoder().parts(&self.dims));
        assert_eq!(own.y.len(), length * hidden);
        same("y", &alone.output[own.y], &whole.output[of.y], time * hidden);
        same("context", &alone.output[own.context], &whole.output[of.context], time * memory);
        if self.kind.weights {
            for t in 0..length {
                let alone = &alone.output[own.weights.clone()][t * count..][..count];
                same("weights", alone, &whole.output[of.weights.clone()][t * keys..], time * keys);
            }
        }
        states("h_n", &alone.output[own.h_n], &whole.output[of.h_n]);
        states("c_n", &alone.output[own.c_n], &whole.output[of.c_n]);
        let (alone, whole) = (&alone.gradients, &whole.gradients);
        assert_eq!((alone.x.len(), alone.keys.len()), (length * input, count * width));
        same("dx", &alone.x, &whole.x, time * input);
        same("dkeys", &alone.keys, &whole.keys, keys * width);
        same("dvalues", &alone.values, &whole.values, keys * memory);
        same("dprevious", &alone.previous, &whole.previous, hidden);
        states("dh0", &alone.h0, &whole.h0);
        states("dc0", &alone.c0, &whole.c0);
    }

    #[track_caller]
    pub(super) fn padding_is_zero(&self, whole: &Fast) {
        let DecoderDims { batch, time, input, hidden, keys, width, memory, .. } = self.dims;
        let parts = self.decoder().parts(&self.dims);
        for b in 0..batch {
            let (length, count) = (self.lengths[b], self.key_lengths[b]);
            let zero = |values: &[f32], steps: usize, real: usize, columns: usize| {
                let padding = values.get((b * steps + real) * columns..(b + 1) * steps * columns).unwrap_or_default();
                assert!(padding.iter().all(|&value| value == 0.0), "row {b}, {:?}", self.kind);
            };
            zero(&whole.output[parts.y.clone()], time, length, hidden);
            zero(&whole.output[parts.context.clone()], time, length, memory);
            zero(&whole.output[parts.weights.clone()], time, length, keys);
            for t in 0..if self.kind.weights { length } else { 0 } {
                let step = &whole.output[parts.weights.start + (b * time + t) * keys..][..keys];
                assert!(step[count..].iter().all(|&weight| weight == 0.0), "row {b}, {:?}", self.kind);
            }
            zero(&whole.gradients.x, time, length, input);
            zero(&whole.gradients.keys, keys, count, width);
            zero(&whole.gradients.values, keys, count, memory);
        }
    }
}

#[track_caller]
fn close(name: &str, found: &[f32], want: &[f64], bound: f64) {
    assert_eq!(found.len(), want.len(), "{name}");
    let largest = want.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (at, (&found, &want)) in found.iter().zip(want).enumerate() {
        assert!((f64::from(found) - want).abs() <= bound * largest, "{name}[{at}]: {found}, want {want}");
    }
}
