//! Every gradient against finite differences, in double precision.
//!
//! A number `L` is made of all outputs, each times a drawn factor, and its derivative by an argument is compared with
//! `(L(a + h) - L(a - h)) / 2h`. What is checked is the cells', attention's and the random field's equations as they are written out in
//! `lookback_kernels::*::reference`, forward and backward; the fast kernels are held to those by the tests of the crate.

use std::ops::Range;

use lookback_kernels::attention::{self, Mask, Score};
use lookback_kernels::crf::{self, CrfDims, CrfParameters};
use lookback_kernels::reference as recurrence;
use lookback_kernels::{Activation, Cell, Dims, Inputs, Reset, Upstream, Weights};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

/// `h`: small enough for the third derivative, large enough for what is rounded off.
const STEP: f64 = 1e-5;
/// A gradient whose values are all smaller is compared with this.
const SMALL: f64 = 1e-3;
/// Values of one argument that are moved at most, spread evenly.
const MOST: usize = 400;

/// What can be checked.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A layer of this cell, in both directions over rows of several lengths, with weights of its own or those of a model.
    Layer {
        /// The cell.
        cell: Cell,
        /// Whether it has peepholes (LSTM).
        peephole: bool,
    },
    /// A direction of a layer of a model.
    Trained {
        /// Which it is.
        name: String,
        /// Its cell.
        cell: Cell,
        /// `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
        weights: [Vec<f64>; 4],
        /// `H`
        hidden: usize,
    },
    /// Attention by this score, masked.
    Attention(Form),
    /// A linear-chain conditional random field: the negative log-likelihood of paths.
    Crf,
}

/// How attention scores a query and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `v · tanh(q + k)`
    Additive,
    /// `q · k`
    Dot,
    /// `q · k / √width`
    ScaledDot,
    /// `qᵀ W k`
    General,
    /// `q · k / √width` in two heads.
    MultiHead,
}

/// How far an argument's gradient is from finite differences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// What was checked.
    pub subject: String,
    /// Which argument.
    pub argument: String,
    /// How many values it has.
    pub values: usize,
    /// How many of them were moved.
    pub moved: usize,
    /// The largest difference, relative to the largest value of the gradient.
    pub error: f64,
}

/// A number that is made of arguments, and its gradient as it is written out.
trait Differentiable: Sync {
    fn number(&self, all: &[f64]) -> f64;

    fn gradient(&self, all: &[f64]) -> Vec<f64>;
}

/// All arguments in one list, and what is made of them.
struct Problem {
    arguments: Arguments,
    of: Box<dyn Differentiable>,
}

impl Subject {
    /// Every cell, score and the random field.
    pub fn all() -> Vec<Subject> {
        let layer = |cell| Subject::Layer { cell, peephole: false };
        let cells =
            [Cell::Rnn(Activation::Tanh), Cell::Lstm, Cell::Gru(Reset::AfterProduct), Cell::Gru(Reset::BeforeProduct)];
        let forms = [Form::Additive, Form::Dot, Form::ScaledDot, Form::General, Form::MultiHead];
        let peephole = Subject::Layer { cell: Cell::Lstm, peephole: true };
        cells
            .map(layer)
            .into_iter()
            .chain([peephole])
            .chain(forms.map(Subject::Attention))
            .chain([Subject::Crf])
            .collect()
    }

    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Subject::Layer { cell: Cell::Gru(Reset::BeforeProduct), .. } => "GRU, reset before the product".into(),
            Subject::Layer { cell, peephole } => {
                format!("{}{}", cell.name(), if *peephole { " with peepholes" } else { "" })
            }
            Subject::Trained { name, cell, .. } => format!("{name}, {}", cell.name()),
            Subject::Attention(form) => match form {
                Form::Additive => "additive attention",
                Form::Dot => "dot attention",
                Form::ScaledDot => "scaled dot attention",
                Form::General => "general attention",
                Form::MultiHead => "multi-head attention",
            }
            .into(),
            Subject::Crf => "conditional random field".into(),
        }
    }

    /// The gradient of every argument against finite differences, at values drawn by this seed.
    pub fn check(&self, seed: u64) -> Vec<Checked> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let problem = match self {
            Subject::Layer { cell, peephole } => layer(*cell, *peephole, &mut rng),
            Subject::Trained { cell, weights, hidden, .. } => trained(*cell, weights, *hidden, &mut rng),
            Subject::Attention(form) => attention_problem(*form, &mut rng),
            Subject::Crf => random_field(&mut rng),
        };
        problem.compare(&self.name())
    }
}

impl Problem {
    fn compare(&self, subject: &str) -> Vec<Checked> {
        let Arguments { named, values } = &self.arguments;
        let gradient = self.of.gradient(values);
        let of_argument = |(argument, range): &(String, Range<usize>)| {
            let largest = gradient[range.clone()].iter().fold(SMALL, |most, value| most.max(value.abs()));
            let every = range.len().div_ceil(MOST).max(1);
            let places: Vec<usize> = range.clone().step_by(every).collect();
            let error = |&place: &usize| {
                let mut moved = values.clone();
                let mut at = |by: f64| {
                    moved[place] = values[place] + by;
                    self.of.number(&moved)
                };
                let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                (slope - gradient[place]).abs() / largest
            };
            let error = places.par_iter().map(error).reduce(|| 0.0, |a, b| if a.is_nan() || a > b { a } else { b });
            let (subject, argument) = (subject.to_owned(), argument.clone());
            Checked { subject, argument, values: range.len(), moved: places.len(), error }
        };
        named.iter().filter(|(_, range)| !range.is_empty()).map(of_argument).collect()
    }
}

/// Puts arguments behind one another.
#[derive(Default)]
struct Arguments {
    named: Vec<(String, Range<usize>)>,
    values: Vec<f64>,
}

impl Arguments {
    fn put(&mut self, name: &str, values: Vec<f64>) -> Range<usize> {
        let range = self.values.len()..self.values.len() + values.len();
        self.values.extend(values);
        self.named.push((name.to_owned(), range.clone()));
        range
    }
}

fn drawn(count: usize, size: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..count).map(|_| rng.random_range(-size..size)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn layer(cell: Cell, peephole: bool, rng: &mut ChaCha8Rng) -> Problem {
    let dims = Dims { batch: 2, time: 4, input: 3, hidden: 4, directions: 2 };
    let gates = cell.gates() * dims.hidden;
    let weights = |rng: &mut ChaCha8Rng| {
        let sizes = [gates * dims.input, gates * dims.hidden, gates, gates];
        let peephole = if peephole { 3 * dims.hidden } else { 0 };
        [sizes.map(|size| drawn(size, 0.8, rng)).to_vec(), vec![drawn(peephole, 0.8, rng)]].concat()
    };
    let weights = [weights(rng), weights(rng)];
    of_layer(cell, dims, &weights, &LENGTHS, rng)
}

fn trained(cell: Cell, weights: &[Vec<f64>; 4], hidden: usize, rng: &mut ChaCha8Rng) -> Problem {
    let input = weights[0].len() / (cell.gates() * hidden).max(1);
    let dims = Dims { batch: 1, time: 4, input, hidden, directions: 1 };
    let own = [weights.to_vec(), vec![Vec::new()]].concat();
    of_layer(cell, dims, &[own], &[4], rng)
}

/// weights: per direction `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`, `peephole`, the last empty where there is none.
fn of_layer(cell: Cell, dims: Dims, weights: &[Vec<Vec<f64>>], lengths: &[usize], rng: &mut ChaCha8Rng) -> Problem {
    let Dims { batch, time, input, hidden, directions } = dims;
    let mut arguments = Arguments::default();
    let x = arguments.put("x", drawn(batch * time * input, 1.0, rng));
    let states = directions * batch * hidden;
    let h0 = arguments.put("h0", drawn(states, 0.5, rng));
    let c0 = arguments.put("c0", if cell.has_cell_state() { drawn(states, 0.5, rng) } else { Vec::new() });
    let names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "peephole"];
    let places: Vec<Vec<Range<usize>>> = weights
        .iter()
        .enumerate()
        .map(|(direction, own)| {
            let behind = if direction == 0 { "" } else { "_reverse" };
            own.iter()
                .zip(names)
                .map(|(values, name)| arguments.put(&format!("{name}{behind}"), values.clone()))
                .collect()
        })
        .collect();
    let up = [drawn(batch * time * directions * hidden, 1.0, rng), drawn(states, 1.0, rng), drawn(states, 1.0, rng)];
    Problem { arguments, of: Box::new(Layer { cell, dims, lengths: lengths.to_vec(), x, h0, c0, places, up }) }
}

/// Where the arguments of a layer stand, and what its outputs are multiplied with.
struct Layer {
    cell: Cell,
    dims: Dims,
    lengths: Vec<usize>,
    x: Range<usize>,
    h0: Range<usize>,
    c0: Range<usize>,
    places: Vec<Vec<Range<usize>>>,
    up: [Vec<f64>; 3],
}

impl Layer {
    fn of<'a>(&'a self, all: &'a [f64]) -> (Vec<Weights<'a, f64>>, Inputs<'a, f64>) {
        let weights = self.places.iter().map(|own| Weights {
            weight_ih: &all[own[0].clone()],
            weight_hh: &all[own[1].clone()],
            bias_ih: Some(&all[own[2].clone()]),
            bias_hh: Some(&all[own[3].clone()]),
            peephole: Some(&all[own[4].clone()]).filter(|own| !own.is_empty()),
        });
        let c0 = Some(&all[self.c0.clone()]).filter(|c0| !c0.is_empty());
        let inputs =
            Inputs { x: &all[self.x.clone()], lengths: Some(&self.lengths), h0: Some(&all[self.h0.clone()]), c0 };
        (weights.collect(), inputs)
    }
}

impl Differentiable for Layer {
    fn number(&self, all: &[f64]) -> f64 {
        let (weights, inputs) = self.of(all);
        let made = recurrence::forward(self.cell, &self.dims, &weights, &inputs);
        dot(&made.y, &self.up[0]) + dot(&made.h_n, &self.up[1]) + dot(&made.c_n, &self.up[2])
    }

    fn gradient(&self, all: &[f64]) -> Vec<f64> {
        let (weights, inputs) = self.of(all);
        let made = recurrence::forward(self.cell, &self.dims, &weights, &inputs);
        let c_n = self.cell.has_cell_state().then_some(&self.up[2][..]);
        let upstream = Upstream { y: Some(&self.up[0]), h_n: Some(&self.up[1]), c_n };
        let found = recurrence::backward(self.cell, &self.dims, &weights, &inputs, &made, &upstream);
        let mut gradient = vec![0.0; all.len()];
        let mut put = |range: &Range<usize>, values: &[f64]| {
            gradient[range.clone()].copy_from_slice(&values[..range.len()]);
        };
        put(&self.x, &found.x);
        put(&self.h0, &found.h0);
        put(&self.c0, &found.c0);
        for (own, of_weights) in self.places.iter().zip(&found.weights) {
            let parts = [
                &of_weights.weight_ih,
                &of_weights.weight_hh,
                &of_weights.bias_ih,
                &of_weights.bias_hh,
                &of_weights.peephole,
            ];
            own.iter().zip(parts).for_each(|(range, values)| put(range, values));
        }
        gradient
    }
}

fn attention_problem(form: Form, rng: &mut ChaCha8Rng) -> Problem {
    let heads = if form == Form::MultiHead { 2 } else { 1 };
    let dims = attention::Dims { batch: 2, queries: 4, keys: 4, heads, width: 3, value: 2 };
    let wide = heads * dims.width;
    let mut arguments = Arguments::default();
    let query = arguments.put("query", drawn(dims.batch * dims.queries * wide, 1.0, rng));
    let keys = arguments.put("keys", drawn(dims.batch * dims.keys * wide, 1.0, rng));
    let values = arguments.put("values", drawn(dims.batch * dims.keys * heads * dims.value, 1.0, rng));
    let v = arguments.put("v", if form == Form::Additive { drawn(wide, 1.0, rng) } else { Vec::new() });
    let w = arguments.put("W", if form == Form::General { drawn(wide * wide, 1.0, rng) } else { Vec::new() });
    let up = [
        drawn(dims.batch * dims.queries * heads * dims.value, 1.0, rng),
        drawn(dims.batch * heads * dims.queries * dims.keys, 1.0, rng),
    ];
    Problem { arguments, of: Box::new(Attention { form, dims, query, keys, values, v, w, up }) }
}

struct Attention {
    form: Form,
    dims: attention::Dims,
    query: Range<usize>,
    keys: Range<usize>,
    values: Range<usize>,
    v: Range<usize>,
    w: Range<usize>,
    up: [Vec<f64>; 2],
}

/// One of two rows is shorter.
const LENGTHS: [usize; 2] = [4, 2];
/// Keys behind the end of a row are not seen, and none behind a query's own place.
const MASK: Mask<'_, f64> = Mask { key_lengths: Some(&LENGTHS), causal: true, window: None, allowed: None, bias: None };

impl Attention {
    fn score<'a>(&self, all: &'a [f64]) -> Score<'a, f64> {
        match self.form {
            Form::Additive => Score::Additive { v: &all[self.v.clone()] },
            Form::Dot | Form::General => Score::Product { scale: 1.0 },
            Form::ScaledDot | Form::MultiHead => Score::Product { scale: 1.0 / (self.dims.width as f64).sqrt() },
        }
    }

    /// The queries, of a general score times `W`.
    fn queries(&self, all: &[f64]) -> Vec<f64> {
        let (query, w) = (&all[self.query.clone()], &all[self.w.clone()]);
        if w.is_empty() {
            return query.to_vec();
        }
        let wide = self.dims.width;
        let column = |q: &[f64], to: usize| (0..wide).map(|from| q[from] * w[from * wide + to]).sum::<f64>();
        query.chunks(wide).flat_map(|q| (0..wide).map(move |to| column(q, to))).collect()
    }

    fn inputs<'a>(&self, all: &'a [f64], query: &'a [f64]) -> attention::Inputs<'a, f64> {
        attention::Inputs { query, keys: &all[self.keys.clone()], values: &all[self.values.clone()] }
    }
}

impl Differentiable for Attention {
    fn number(&self, all: &[f64]) -> f64 {
        let query = self.queries(all);
        let inputs = self.inputs(all, &query);
        let made = attention::reference::forward(self.score(all), &self.dims, &MASK, None, &inputs);
        dot(&made.context, &self.up[0]) + dot(&made.weights, &self.up[1])
    }

    fn gradient(&self, all: &[f64]) -> Vec<f64> {
        let query = self.queries(all);
        let (score, inputs) = (self.score(all), self.inputs(all, &query));
        let made = attention::reference::forward(score, &self.dims, &MASK, None, &inputs);
        let upstream = attention::Upstream { context: Some(&self.up[0]), weights: Some(&self.up[1]) };
        let found = attention::reference::backward(score, &self.dims, &MASK, None, &inputs, &made, &upstream);
        let mut gradient = vec![0.0; all.len()];
        gradient[self.keys.clone()].copy_from_slice(&found.keys);
        gradient[self.values.clone()].copy_from_slice(&found.values);
        gradient[self.v.clone()].copy_from_slice(&found.v[..self.v.len()]);
        if self.w.is_empty() {
            gradient[self.query.clone()].copy_from_slice(&found.query);
            return gradient;
        }
        let (wide, own, w) = (self.dims.width, &all[self.query.clone()], &all[self.w.clone()]);
        for (place, (q, dq)) in own.chunks(wide).zip(found.query.chunks(wide)).enumerate() {
            for from in 0..wide {
                gradient[self.query.start + place * wide + from] = dot(&w[from * wide..][..wide], dq);
                for to in 0..wide {
                    gradient[self.w.start + from * wide + to] += q[from] * dq[to];
                }
            }
        }
        gradient
    }
}

fn random_field(rng: &mut ChaCha8Rng) -> Problem {
    let dims = CrfDims { batch: 2, time: 4, tags: 3 };
    let mut arguments = Arguments::default();
    let emissions = arguments.put("emissions", drawn(dims.batch * dims.time * dims.tags, 1.0, rng));
    let transitions = arguments.put("transitions", drawn(dims.tags * dims.tags, 1.0, rng));
    let start = arguments.put("start", drawn(dims.tags, 1.0, rng));
    let end = arguments.put("end", drawn(dims.tags, 1.0, rng));
    let tags = (0..dims.batch * dims.time).map(|_| rng.random_range(0..dims.tags as u32)).collect();
    let up = drawn(dims.batch, 1.0, rng);
    Problem { arguments, of: Box::new(RandomField { dims, emissions, transitions, start, end, tags, up }) }
}

struct RandomField {
    dims: CrfDims,
    emissions: Range<usize>,
    transitions: Range<usize>,
    start: Range<usize>,
    end: Range<usize>,
    tags: Vec<u32>,
    up: Vec<f64>,
}

impl RandomField {
    fn of<'a>(&self, all: &'a [f64]) -> (CrfParameters<'a, f64>, &'a [f64]) {
        let [transitions, start, end] = [&self.transitions, &self.start, &self.end].map(|own| &all[own.clone()]);
        (CrfParameters { transitions, start, end }, &all[self.emissions.clone()])
    }
}

impl Differentiable for RandomField {
    fn number(&self, all: &[f64]) -> f64 {
        let (parameters, emissions) = self.of(all);
        dot(&crf::reference::forward(self.dims, parameters, emissions, &LENGTHS, &self.tags).0, &self.up)
    }

    fn gradient(&self, all: &[f64]) -> Vec<f64> {
        let (parameters, emissions) = self.of(all);
        let found = crf::reference::backward(self.dims, parameters, emissions, &LENGTHS, &self.tags, &self.up);
        // As the arguments stand, one behind the other.
        [found.emissions, found.transitions, found.start, found.end].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gradient_is_that_of_finite_differences() {
        let checked: Vec<Checked> = Subject::all().iter().flat_map(|subject| subject.check(3)).collect();
        for one in &checked {
            assert!(one.error < 1e-6, "{one:?}");
        }
        let names: Vec<&str> = checked.iter().map(|one| one.argument.as_str()).collect();
        for name in ["peephole_reverse", "c0", "v", "W", "transitions"] {
            assert!(names.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_wrong_gradient_is_found() {
        struct Wrong;
        impl Differentiable for Wrong {
            fn number(&self, all: &[f64]) -> f64 {
                all[0] * all[0] + 3.0 * all[1] + all[2].powi(3)
            }

            fn gradient(&self, all: &[f64]) -> Vec<f64> {
                vec![2.0 * all[0], 3.0, 3.1 * all[2] * all[2]]
            }
        }
        let mut arguments = Arguments::default();
        for (name, values) in [("a", vec![0.5, -1.0]), ("b", vec![2.0]), ("none", Vec::new())] {
            arguments.put(name, values);
        }
        let found = Problem { arguments, of: Box::new(Wrong) }.compare("it");
        assert_eq!(
            found.iter().map(|one| (one.argument.as_str(), one.moved)).collect::<Vec<_>>(),
            [("a", 2), ("b", 1)]
        );
        assert!(found[0].error < 1e-8 && (found[1].error - 0.1 / 3.1).abs() < 1e-6, "{found:?}");
    }
}
