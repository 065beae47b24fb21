//! The network as its equations stand: a row at a time, in f64, on the kernels' naive references.

use lookback_infer::input::{Batch, BatchInput};
use lookback_infer::model_file::ModelFile;
use lookback_infer::network::{AttentionForm, Cell, PoolKind};
use lookback_kernels::attention::{self, Mask, Score};
use lookback_kernels::pool::{PoolDims, PoolScore};
use lookback_kernels::{Dims, Inputs, Weights, pool, reference};

use super::case::Case;

/// One row.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// `[length, W]`
    pub(crate) steps: Vec<f64>,
    /// `[N]`
    pub(crate) logits: Vec<f64>,
    /// `[length]`
    pub(crate) weights: Option<Vec<f64>>,
    /// `[Q, length]` a view
    pub(crate) views: Vec<Vec<f64>>,
}

/// Tensors by name.
struct Named<'a>(&'a ModelFile);

impl Named<'_> {
    fn get(&self, name: &str) -> Vec<f64> {
        let tensor = self.0.tensors.get(name).unwrap_or_else(|| panic!("no {name}"));
        tensor.data.iter().copied().map(f64::from).collect()
    }
}

/// `x Wᵀ + b` of rows of `inputs`, W `[outputs, inputs]`.
fn linear(x: &[f64], weight: &[f64], bias: Option<&[f64]>, inputs: usize) -> Vec<f64> {
    let row = |x: &[f64]| -> Vec<f64> {
        let sum = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        weight.chunks(inputs).enumerate().map(|(o, w)| sum(w) + bias.map_or(0.0, |bias| bias[o])).collect()
    };
    x.chunks(inputs).flat_map(row).collect()
}

fn tanh(x: Vec<f64>) -> Vec<f64> {
    x.into_iter().map(f64::tanh).collect()
}

pub(crate) fn row(case: &Case, file: &ModelFile, batch: &Batch, row: usize) -> Row {
    let (named, plan, length) = (Named(file), &case.plan, batch.lengths[row]);
    let (recurrent, last) = recurrent(case, &named, inputs(case, &named, batch, row), length);
    let outputs = plan.encoder.outputs();
    let mut out = attend(case, &named, &recurrent, length);
    let pooled = match plan.encoder.attention {
        AttentionForm::Structured(_) => std::mem::take(&mut out.logits),
        _ => {
            let width = plan.encoder.width();
            let mut pooled = Vec::new();
            for kind in plan.pooling.parts() {
                let steps: Vec<&[f64]> = out.steps.chunks(width).collect();
                let by = |score: PoolScore<'_, f64>| {
                    let dims = PoolDims { batch: 1, time: length, outputs: width };
                    pool::reference::forward(dims, score, &out.steps, &[length])
                };
                let over = |of: &dyn Fn(&mut dyn Iterator<Item = f64>) -> f64| -> Vec<f64> {
                    (0..width).map(|at| of(&mut steps.iter().map(|step| step[at]))).collect()
                };
                let (vector, weights) = match kind {
                    PoolKind::Attention => by(PoolScore::Learnt(&named.get("pool.weight"))),
                    PoolKind::Query => by(PoolScore::Query(&last)),
                    PoolKind::Last => (last.clone(), Vec::new()),
                    PoolKind::Mean => (over(&|values| values.sum::<f64>() / length.max(1) as f64), Vec::new()),
                    PoolKind::Max if length == 0 => (vec![0.0; width], Vec::new()),
                    PoolKind::Max => (over(&|values| values.fold(f64::NEG_INFINITY, f64::max)), Vec::new()),
                };
                pooled.extend(vector);
                if kind.has_weights() {
                    out.weights.get_or_insert(weights);
                }
            }
            pooled
        }
    };
    assert_eq!(last.len(), outputs);
    out.logits = linear(&pooled, &named.get("output.weight"), Some(&named.get("output.bias")), pooled.len());
    out
}

/// `[length, I]`
fn inputs(case: &Case, named: &Named<'_>, batch: &Batch, row: usize) -> Vec<f64> {
    let length = batch.lengths[row];
    match &batch.input {
        BatchInput::Series { values, channels } => {
            values[row * batch.time * channels..][..length * channels].iter().copied().map(f64::from).collect()
        }
        BatchInput::Tokens(lookup) => {
            let width = case.plan.encoder.embedding;
            let names = ["embedding", "ngram_embedding", "bigram_embedding", "shape_embedding"];
            let tables = names.map(|name| named.get(&format!("encoder.{name}.weight")));
            let mut vectors = Vec::new();
            for &token in &lookup.positions[row * batch.time..][..length] {
                let mut vector = vec![0.0; width];
                for (bags, table) in lookup.bags.iter().zip(&tables) {
                    let [start, end] = [0, 1].map(|next| bags.offsets[token as usize + next] as usize);
                    for &id in &bags.ids[start..end] {
                        let of = &table[id as usize * width..][..width];
                        vector.iter_mut().zip(of).for_each(|(sum, value)| *sum += value / (end - start) as f64);
                    }
                }
                vectors.extend(vector);
            }
            vectors
        }
    }
}

/// Steps `[length, O]` and final states `[O]`.
fn recurrent(case: &Case, named: &Named<'_>, mut x: Vec<f64>, length: usize) -> (Vec<f64>, Vec<f64>) {
    let plan = &case.plan.encoder;
    let cell = match plan.cell {
        Cell::Lstm => lookback_kernels::Cell::Lstm,
        Cell::Gru => lookback_kernels::Cell::Gru(lookback_kernels::Reset::AfterProduct),
        Cell::Rnn => lookback_kernels::Cell::Rnn(lookback_kernels::Activation::Tanh),
    };
    let directions = if plan.bidirectional { 2 } else { 1 };
    let mut last = vec![0.0; plan.outputs()];
    for layer in 0..plan.layers {
        let kinds = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
        let taken: Vec<[Vec<f64>; 4]> = ["", "_reverse"][..directions]
            .iter()
            .map(|end| kinds.map(|kind| named.get(&format!("encoder.recurrent.{kind}_l{layer}{end}"))))
            .collect();
        let weights: Vec<Weights<'_, f64>> = taken
            .iter()
            .map(|[ih, hh, bias_ih, bias_hh]| Weights {
                weight_ih: ih,
                weight_hh: hh,
                bias_ih: Some(bias_ih),
                bias_hh: Some(bias_hh),
                peephole: None,
            })
            .collect();
        let input = taken[0][0].len() / taken[0][2].len();
        let dims = Dims { batch: 1, time: length, input, hidden: plan.hidden, directions };
        let inputs = Inputs { x: &x, lengths: None, h0: None, c0: None };
        let output = reference::forward(cell, &dims, &weights, &inputs);
        (x, last) = (output.y, output.h_n);
    }
    (x, last)
}

/// The steps after the attention and its views; where it pools, the pooled vector in place of the logits and the weights.
fn attend(case: &Case, named: &Named<'_>, steps: &[f64], length: usize) -> Row {
    let o = case.plan.encoder.outputs();
    let get = |name: &str| named.get(&format!("encoder.attend.{name}"));
    let dense = |x: &[f64], inputs: usize| tanh(linear(x, &get("dense.weight"), Some(&get("dense.bias")), inputs));
    let attention = |score: Score<'_, f64>, heads: usize, query: &[f64], keys: &[f64], values: &[f64]| {
        let (width, queries) = (o / heads, query.len() / o);
        let dims = attention::Dims { batch: 1, queries, keys: length, heads, width, value: width };
        let inputs = attention::Inputs { query, keys, values };
        let output = attention::reference::forward(score, &dims, &Mask::default(), None, &inputs);
        (output.context, output.weights)
    };
    let beside = |score: Score<'_, f64>, query: &[f64], keys: &[f64]| {
        let (context, weights) = attention(score, 1, query, keys, steps);
        let steps = steps.chunks(o).zip(context.chunks(o)).flat_map(|(step, context)| [step, context].concat());
        Row { steps: steps.collect(), views: vec![weights], ..Row::default() }
    };
    let scaled = |width: usize| Score::Product { scale: 1.0 / (width as f64).sqrt() };
    match case.plan.encoder.attention {
        AttentionForm::None => Row { steps: steps.to_vec(), ..Row::default() },
        AttentionForm::Dot => beside(Score::Product { scale: 1.0 }, steps, steps),
        AttentionForm::ScaledDot => beside(scaled(o), steps, steps),
        AttentionForm::General => {
            // qᵀ W k, the keys multiplied with W in place of the queries with Wᵀ.
            beside(Score::Product { scale: 1.0 }, steps, &linear(steps, &get("attention.w"), None, o))
        }
        AttentionForm::Additive => {
            let query = linear(steps, &get("attention.w_query"), Some(&get("attention.bias")), o);
            let keys = linear(steps, &get("attention.w_key"), None, o);
            beside(Score::Additive { v: &get("attention.v") }, &query, &keys)
        }
        AttentionForm::SelfAttention => {
            let beside = beside(scaled(o), steps, steps);
            Row { steps: dense(&beside.steps, 2 * o), ..beside }
        }
        AttentionForm::MultiHead(heads) => {
            let x = dense(steps, o);
            let all = linear(&x, &get("multi_head.in_proj_weight"), Some(&get("multi_head.in_proj_bias")), o);
            let part = |index: usize| -> Vec<f64> {
                all.chunks(3 * o).flat_map(|row| row[index * o..][..o].to_vec()).collect()
            };
            let (context, weights) = attention(scaled(o / heads), heads, &part(0), &part(1), &part(2));
            let out = [get("multi_head.out_proj.weight"), get("multi_head.out_proj.bias")];
            let steps = linear(&context, &out[0], Some(&out[1]), o);
            let size = (length * length).max(1);
            let views = (0..heads).map(|head| weights.chunks(size).nth(head).map_or(Vec::new(), <[f64]>::to_vec));
            Row { steps, views: views.collect(), ..Row::default() }
        }
        AttentionForm::Structured(hops) => {
            let keys = tanh(linear(steps, &get("structured.w_1"), None, o));
            let query = get("structured.w_2");
            let (context, weights) = attention(Score::Product { scale: 1.0 }, 1, &query, &keys, steps);
            let hop = |hop: usize| weights[hop * length..][..length].to_vec();
            let mean = |step: usize| (0..hops).map(|hop| weights[hop * length + step]).sum::<f64>() / hops as f64;
            Row {
                steps: steps.to_vec(),
                logits: context,
                weights: Some((0..length).map(mean).collect()),
                views: (0..hops).map(hop).collect(),
            }
        }
    }
}
