//! One attention call with all it reads, by the reference and by the kernels.

use super::super::*;
use crate::Real;
use proptest::prelude::*;
use pulp::Arch;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Additive,
    Product,
}

/// Which parts of a mask a case has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Masks {
    pub(super) lengths: bool,
    pub(super) causal: bool,
    pub(super) window: Option<Window>,
    /// `[Q, K]` or `[B, Q, K]`.
    pub(super) allowed: Option<usize>,
    /// `[Q, K]`, `[B, Q, K]` or `[B, N, Q, K]`.
    pub(super) bias: Option<usize>,
}

/// A call in f64, whose values f32 has exactly.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) dims: Dims,
    pub(super) masks: Masks,
    pub(super) lengths: Vec<usize>,
    pub(super) allowed: Vec<bool>,
    pub(super) dropout: Option<Dropout>,
    /// Of the upstream gradients, whether context and weights have one.
    pub(super) upstream: [bool; 2],
    pub(super) scale: f64,
    pub(super) v: Vec<f64>,
    pub(super) query: Vec<f64>,
    pub(super) keys: Vec<f64>,
    pub(super) values: Vec<f64>,
    pub(super) bias: Vec<f64>,
    pub(super) dcontext: Vec<f64>,
    pub(super) dweights: Vec<f64>,
}

/// Everything a call gives: context, weights, and the gradients of query, keys, values, v and bias.
#[derive(Debug, Clone)]
pub(super) struct Results<R>(pub(super) [Vec<R>; 7]);

pub(super) const NAMES: [&str; 7] =
    ["context", "weights", "grad query", "grad keys", "grad values", "grad v", "grad bias"];
pub(super) const CONTEXT: usize = 0;
pub(super) const WEIGHTS: usize = 1;
pub(super) const QUERY: usize = 2;
pub(super) const KEYS: usize = 3;
pub(super) const VALUES: usize = 4;
pub(super) const V: usize = 5;
pub(super) const BIAS: usize = 6;

impl Case {
    /// Queries and keys reach to `magnitude`.
    pub(super) fn new(kind: Kind, dims: Dims, masks: Masks, magnitude: f64, seed: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed);
        let Dims { batch, queries, keys, heads, width, value } = dims;
        let lengths = (0..batch).map(|_| if masks.lengths { rng.random_range(0..=keys) } else { keys }).collect();
        let matrices = [1, batch, batch * heads];
        let len = |shape: Option<usize>| shape.map_or(0, |shape| matrices[shape] * queries * keys);
        let allowed = (0..len(masks.allowed)).map(|_| rng.random_bool(0.7)).collect();
        let mut values = |len: usize, scale: f64| -> Vec<f64> {
            (0..len).map(|_| f64::from(rng.random_range(-1.0f32..=1.0) * scale as f32)).collect()
        };
        let mut case = Case {
            kind,
            dims,
            masks,
            lengths,
            allowed,
            dropout: None,
            upstream: [true, true],
            scale: f64::from(1.0 / (width as f32).sqrt()),
            v: values(heads * width, 2.0 / (width as f64).sqrt()),
            query: values(batch * queries * heads * width, magnitude),
            keys: values(batch * keys * heads * width, magnitude),
            values: values(batch * keys * heads * value, 1.0),
            bias: values(len(masks.bias), 2.0),
            dcontext: values(batch * queries * heads * value, 1.0),
            dweights: values(dims.weights_len(), 1.0),
        };
        for bias in &mut case.bias {
            if rng.random_bool(0.2) {
                *bias = f64::NEG_INFINITY;
            }
        }
        case
    }

    fn mask<'a, R: Real>(&'a self, bias: &'a [R]) -> Mask<'a, R> {
        Mask {
            key_lengths: self.masks.lengths.then_some(&self.lengths[..]),
            causal: self.masks.causal,
            window: self.masks.window,
            allowed: self.masks.allowed.map(|_| &self.allowed[..]),
            bias: self.masks.bias.map(|_| bias),
        }
    }

    fn score<'a, R: Real>(&self, v: &'a [R], scale: R) -> Score<'a, R> {
        match self.kind {
            Kind::Additive => Score::Additive { v },
            Kind::Product => Score::Product { scale },
        }
    }

    /// Whether query `q` reads key `k`.
    pub(super) fn reads(&self, b: usize, n: usize, q: usize, k: usize) -> bool {
        self.mask(&self.bias).pair(&self.dims, b, n, q, k).is_some()
    }

    /// By the reference, in `R`.
    pub(super) fn reference<R: Real>(&self, cast: impl Fn(f64) -> R + Copy) -> Results<R> {
        let values = |v: &Vec<f64>| -> Vec<R> { v.iter().map(|&v| cast(v)).collect() };
        let [v, query, keys, value, bias] = [&self.v, &self.query, &self.keys, &self.values, &self.bias].map(values);
        let [dcontext, dweights] = [&self.dcontext, &self.dweights].map(values);
        let (mask, score) = (self.mask(&bias), self.score(&v, cast(self.scale)));
        let inputs = Inputs { query: &query, keys: &keys, values: &value };
        let out = reference::forward(score, &self.dims, &mask, self.dropout, &inputs);
        let upstream = Upstream {
            context: self.upstream[0].then_some(&dcontext[..]),
            weights: self.upstream[1].then_some(&dweights[..]),
        };
        let g = reference::backward(score, &self.dims, &mask, self.dropout, &inputs, &out, &upstream);
        let v = if self.kind == Kind::Additive { g.v } else { Vec::new() };
        Results([out.context, out.weights, g.query, g.keys, g.values, v, g.bias])
    }

    /// By the kernels, asked for everything, and, to compare, for the context alone.
    pub(super) fn fast(&self, threads: usize) -> Results<f32> {
        self.fast_on(arch(), threads)
    }

    pub(super) fn fast_on(&self, arch: Arch, threads: usize) -> Results<f32> {
        let values = |v: &Vec<f64>| -> Vec<f32> { v.iter().map(|&v| v as f32).collect() };
        let [v, query, keys, value, bias] = [&self.v, &self.query, &self.keys, &self.values, &self.bias].map(values);
        let [dcontext, dweights] = [&self.dcontext, &self.dweights].map(values);
        let (dims, mask, score) = (&self.dims, self.mask(&bias), self.score(&v, self.scale as f32));
        let inputs = Inputs { query: &query, keys: &keys, values: &value };
        // Filled with NaN, because every value must be overwritten.
        let filled = |len: usize| vec![f32::NAN; len];
        let (mut context, mut weights) = (filled(self.dcontext.len()), filled(dims.weights_len()));
        let (mut alone, mut statistics) = (context.clone(), filled(dims.statistics_len()));
        let workspace = &mut Workspace::default();
        let outputs = Outputs { context: &mut alone, weights: None, statistics: None };
        // SAFETY: the engine writes values alone.
        let outputs = unsafe { outputs.slots() };
        forward_on(arch, score, dims, &mask, self.dropout, &inputs, outputs, workspace, threads).unwrap();
        let outputs = Outputs { context: &mut context, weights: Some(&mut weights), statistics: Some(&mut statistics) };
        // SAFETY: as above.
        let outputs = unsafe { outputs.slots() };
        forward_on(arch, score, dims, &mask, self.dropout, &inputs, outputs, workspace, threads).unwrap();
        assert_eq!(bits(&alone), bits(&context), "asking for weights changes the context");
        let additive = self.kind == Kind::Additive;
        let mut g =
            [query.len(), keys.len(), value.len(), if additive { v.len() } else { 0 }, weights.len()].map(filled);
        let upstream = Upstream {
            context: self.upstream[0].then_some(&dcontext[..]),
            weights: self.upstream[1].then_some(&dweights[..]),
        };
        let [dquery, dkeys, dvalues, dv, dbias] = &mut g;
        let gradients = Gradients {
            query: Some(dquery),
            keys: Some(dkeys),
            values: Some(dvalues),
            v: additive.then_some(dv),
            bias: Some(dbias),
        };
        // SAFETY: as above.
        let gradients = unsafe { gradients.slots() };
        backward_on(
            arch,
            score,
            dims,
            &mask,
            self.dropout,
            &inputs,
            &context,
            &statistics,
            upstream,
            gradients,
            workspace,
            threads,
        )
        .unwrap();
        let [dquery, dkeys, dvalues, dv, dbias] = g;
        Results([context, weights, dquery, dkeys, dvalues, dv, dbias])
    }

    /// Holds every result to the f64 reference, relative to the largest of its tensor.
    ///
    /// The gradient of a score is the difference of a weight's gradient and their mean. Where a softmax reads one
    /// key, or is sure of one, that difference vanishes and leaves the rounding of its two terms, so that no
    /// gradient is held closer than a hundredth of theirs; the gradient of `v` sums those of all queries.
    pub(super) fn assert_close(&self, found: &Results<f32>) {
        let want = self.reference(|v| v);
        let kept = self.dropout.map_or(1.0, |dropout| 1.0 - f64::from(dropout.probability)).max(0.1);
        let terms = 0.01 * (1.0 + (self.dims.value as f64).sqrt()) / kept;
        for (index, ((name, want), found)) in NAMES.iter().zip(&want.0).zip(&found.0).enumerate() {
            assert_eq!(want.len(), found.len(), "{name}");
            let least = match index {
                CONTEXT | WEIGHTS => 1e-3,
                V => terms * ((self.dims.batch * self.dims.queries).max(1) as f64).sqrt(),
                _ => terms,
            };
            let largest = want.iter().fold(least, |m, v| m.max(v.abs()));
            for (i, (want, found)) in want.iter().zip(found).enumerate() {
                let error = (want - f64::from(*found)).abs() / largest;
                assert!(
                    error < 1e-5,
                    "{name}[{i}] = {found}, want {want}, off by {error:.1e} of {largest}: {:?} {:?} {:?} {:?}",
                    self.kind,
                    self.dims,
                    self.masks,
                    self.dropout
                );
            }
        }
    }

    /// `Σ context ∘ dcontext + Σ weights ∘ dweights`, whose gradients the backward pass gives.
    pub(super) fn objective(&self) -> f64 {
        let results = self.reference(|v| v);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let parts = [dot(&results.0[CONTEXT], &self.dcontext), dot(&results.0[WEIGHTS], &self.dweights)];
        parts.iter().zip(self.upstream).filter(|(_, wanted)| *wanted).map(|(part, _)| part).sum()
    }

    /// One batch row of the case as a case of its own.
    pub(super) fn row(&self, b: usize) -> Case {
        let Dims { batch, queries, keys, heads, .. } = self.dims;
        let part = |v: &Vec<f64>| v[b * v.len() / batch..(b + 1) * v.len() / batch].to_vec();
        let mut alone = self.clone();
        alone.dims.batch = 1;
        alone.lengths = vec![self.lengths[b]];
        alone.query = part(&self.query);
        alone.keys = part(&self.keys);
        alone.values = part(&self.values);
        alone.dcontext = part(&self.dcontext);
        alone.dweights = part(&self.dweights);
        if self.masks.bias.is_some_and(|shape| shape > 0) {
            alone.bias = part(&self.bias);
        }
        if self.masks.allowed == Some(1) {
            alone.allowed = self.allowed[b * queries * keys..(b + 1) * queries * keys].to_vec();
        }
        assert!(heads > 0);
        alone
    }
}

pub(super) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

impl Results<f32> {
    pub(super) fn assert_same_bits(&self, other: &Self, what: &str) {
        for ((name, a), b) in NAMES.iter().zip(&self.0).zip(&other.0) {
            assert_eq!(bits(a), bits(b), "{name}: {what}");
        }
    }
}

fn any_masks() -> impl Strategy<Value = Masks> {
    let window =
        prop::option::weighted(0.3, (0usize..20, 0usize..20).prop_map(|(before, after)| Window { before, after }));
    let allowed = prop::option::weighted(0.4, 0usize..2);
    let bias = prop::option::weighted(0.4, 0usize..3);
    (any::<bool>(), prop::bool::weighted(0.3), window, allowed, bias)
        .prop_map(|(lengths, causal, window, allowed, bias)| Masks { lengths, causal, window, allowed, bias })
}

fn any_dims() -> impl Strategy<Value = Dims> {
    let keys = prop_oneof![4 => 0usize..40, 1 => 250usize..300, 1 => 512usize..530];
    let queries = prop_oneof![4 => 0usize..16, 1 => 16usize..40];
    (0usize..4, queries, keys, 1usize..4, prop_oneof![0usize..20, 30usize..70], 0usize..36).prop_map(
        |(batch, queries, keys, heads, width, value)| Dims {
            batch,
            queries,
            keys,
            heads,
            width: width + 1,
            value: value + 1,
        },
    )
}

pub(super) fn any_case() -> impl Strategy<Value = Case> {
    let kind = prop::sample::select(vec![Kind::Additive, Kind::Product]);
    let dropout = prop::option::weighted(0.3, prop::sample::select(vec![0.0f32, 0.1, 0.5, 1.0]));
    let magnitude = prop::sample::select(vec![0.01, 1.0, 4.0, 7.0, 30.0]);
    (kind, any_dims(), any_masks(), dropout, magnitude, any::<[bool; 2]>(), 0u64..1000).prop_map(
        |(kind, dims, masks, dropout, magnitude, upstream, seed)| {
            // A product of large factors has no digits left behind the softmax in any f32 arithmetic.
            let magnitude = if kind == Kind::Product { f64::min(magnitude, 2.0) } else { magnitude };
            let mut case = Case::new(kind, dims, masks, magnitude, seed);
            case.dropout = dropout.map(|probability| Dropout { probability, seed });
            case.upstream = upstream;
            case
        },
    )
}
