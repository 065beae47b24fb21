//! Attention on top of the recurrent layers: each step looks at all others before the steps are pooled.

use lookback_kernels::attention::{self, Dims, Inputs, Mask, Score, Workspace};
use lookback_kernels::simd::math;
use rayon::prelude::*;

use super::attention_form::AttentionForm;
use super::linear::Linear;
use super::ragged::Ragged;
use super::{Pooled, Weights};
use crate::error::ModelFileError;
use crate::model_file::Tensors;

/// The layers of an [`AttentionForm`].
#[derive(Debug)]
pub(crate) struct Attend {
    /// `O`, the width of a step before the attention.
    outputs: usize,
    layers: Layers,
}

#[derive(Debug)]
enum Layers {
    None,
    /// Its context stands beside each step, and in the tutorials' first model a dense layer follows.
    Beside {
        score: OneHead,
        dense: Option<Linear>,
    },
    MultiHead {
        heads: usize,
        dense: Linear,
        /// Of queries, keys and values.
        projections: [Linear; 3],
        out: Linear,
    },
    /// `A = softmax(W_2 tanh(W_1 Hᵀ))`, `M = A H` (Lin 2017, eq. 6 and 7).
    Structured {
        w_1: Linear,
        /// `[hops, O]`
        w_2: Vec<f32>,
        hops: usize,
    },
}

/// How two steps `q` and `k` are compared where there is one head.
#[derive(Debug)]
enum OneHead {
    /// `scale q · k`
    Product(f32),
    /// `qᵀ W k`, as `(Wᵀ q) · k`
    General(Linear),
    /// `v · tanh(W q + U k + b)`, the bias with the queries' map
    Additive { query: Linear, keys: Linear, v: Vec<f32> },
}

/// What the layers give.
pub(crate) struct Attended {
    /// `[B, T, W]`, zero past a row's length.
    pub(crate) steps: Vec<f32>,
    /// `W`
    pub(crate) width: usize,
    /// `[B, hops * O]` with the mean of the hops' weights, where the form pools.
    pub(crate) pooled: Option<Pooled>,
    pub(crate) views: Vec<Weights>,
}

impl Attend {
    /// The layers for steps of `outputs` numbers, which [`AttentionForm::check`] has found to fit. The tensors it takes are
    /// listed with [`Encoder`](super::Encoder).
    ///
    /// # Errors
    /// If a tensor is missing or has another shape, or a size is 0.
    pub(crate) fn read(form: AttentionForm, outputs: usize, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        let dense = |inputs: usize, tensors: &mut Tensors<'_>| {
            Linear::read(inputs, outputs, true, &mut tensors.within("dense"))
        };
        let beside = |score: OneHead| Layers::Beside { score, dense: None };
        let layers = match form {
            AttentionForm::None => Layers::None,
            AttentionForm::Additive => beside(additive(outputs, &mut tensors.within("attention"))?),
            AttentionForm::Dot => beside(OneHead::Product(1.0)),
            AttentionForm::General => {
                let mut tensors = tensors.within("attention");
                let w = tensors.take("w", &[outputs, outputs])?;
                let w = transposed(&w, outputs);
                beside(OneHead::General(Linear::new([outputs; 2], &w, None, "w", &tensors)?))
            }
            AttentionForm::ScaledDot => beside(OneHead::Product(scale(outputs))),
            AttentionForm::SelfAttention => {
                Layers::Beside { score: OneHead::Product(scale(outputs)), dense: Some(dense(2 * outputs, tensors)?) }
            }
            AttentionForm::MultiHead(heads) => {
                let dense = dense(outputs, tensors)?;
                let mut tensors = tensors.within("multi_head");
                let projections = projections(outputs, &mut tensors)?;
                let out = Linear::read(outputs, outputs, true, &mut tensors.within("out_proj"))?;
                Layers::MultiHead { heads, dense, projections, out }
            }
            AttentionForm::Structured(hops) => {
                let mut tensors = tensors.within("structured");
                let w_1 = tensors.take("w_1", &[outputs, outputs])?;
                let w_1 = Linear::new([outputs; 2], &w_1, None, "w_1", &tensors)?;
                Layers::Structured { w_1, w_2: tensors.take("w_2", &[hops, outputs])?, hops }
            }
        };
        Ok(Attend { outputs, layers })
    }

    /// steps: `[B, T, O]`, zero past a row's length. `views`: whether somebody will look at the weights, which changes no bit
    /// of the rest.
    ///
    /// # Panics
    /// If `steps` has not the length of its shape.
    pub(crate) fn forward(
        &self,
        steps: Vec<f32>,
        rows: Ragged<'_>,
        views: bool,
        workspace: &mut Workspace,
    ) -> Attended {
        let width = self.outputs;
        match &self.layers {
            Layers::None => Attended { steps, width, pooled: None, views: Vec::new() },
            Layers::Beside { score, dense } => {
                let (context, weights) = self.context(score, &steps, rows, views, workspace);
                let views =
                    weights.map_or_else(Vec::new, |weights| pairs(weights, 1, rows, |_| "self-attention".into()));
                let beside = beside(&steps, &context, width, rows);
                match dense {
                    None => Attended { steps: beside, width: 2 * width, pooled: None, views },
                    Some(dense) => Attended { steps: bent(dense, &beside, rows), width, pooled: None, views },
                }
            }
            Layers::MultiHead { heads, dense, projections, out } => {
                let x = bent(dense, &steps, rows);
                drop(steps);
                let [query, keys, values] = projections.each_ref().map(|map| map.forward_steps(&x, rows));
                drop(x);
                let each = width / heads;
                let score = Score::Product { scale: scale(each) };
                let inputs = Inputs { query: &query, keys: &keys, values: &values };
                let sizes = [rows.time, *heads, each];
                let (context, weights) = attention(score, sizes, rows, &inputs, views, workspace);
                let name = |head: usize| format!("head {}", head + 1);
                let views = weights.map_or_else(Vec::new, |weights| pairs(weights, *heads, rows, name));
                Attended { steps: out.forward_steps(&context, rows), width, pooled: None, views }
            }
            Layers::Structured { w_1, w_2, hops } => {
                let keys = bent(w_1, &steps, rows);
                // The hops ask the same of every row.
                let query = w_2.repeat(rows.batch());
                let inputs = Inputs { query: &query, keys: &keys, values: &steps };
                let score = Score::Product { scale: 1.0 };
                let (vectors, weights) = attention(score, [*hops, 1, width], rows, &inputs, true, workspace);
                let weights = weights.unwrap_or_default();
                let mean = mean(&weights, *hops, rows);
                let views = match views {
                    true => parts(weights, *hops, rows.time, 1, |hop| format!("hop {}", hop + 1)),
                    false => Vec::new(),
                };
                Attended { steps, width, pooled: Some(Pooled { vectors, weights: Some(mean) }), views }
            }
        }
    }

    /// The context of every step, `[B, T, O]`, and its weights `[B, 1, T, T]` where they are asked for.
    fn context(
        &self,
        score: &OneHead,
        steps: &[f32],
        rows: Ragged<'_>,
        views: bool,
        workspace: &mut Workspace,
    ) -> (Vec<f32>, Option<Vec<f32>>) {
        let mut attend = |score: Score<'_>, query: &[f32], keys: &[f32]| {
            let inputs = Inputs { query, keys, values: steps };
            attention(score, [rows.time, 1, self.outputs], rows, &inputs, views, workspace)
        };
        match score {
            OneHead::Product(scale) => attend(Score::Product { scale: *scale }, steps, steps),
            OneHead::General(query) => attend(Score::Product { scale: 1.0 }, &query.forward_steps(steps, rows), steps),
            OneHead::Additive { query, keys, v } => {
                attend(Score::Additive { v }, &query.forward_steps(steps, rows), &keys.forward_steps(steps, rows))
            }
        }
    }
}

fn additive(outputs: usize, tensors: &mut Tensors<'_>) -> Result<OneHead, ModelFileError> {
    let query = tensors.take("w_query", &[outputs, outputs])?;
    let keys = tensors.take("w_key", &[outputs, outputs])?;
    let bias = tensors.take("bias", &[outputs])?;
    Ok(OneHead::Additive {
        query: Linear::new([outputs; 2], &query, Some(&bias), "w_query", tensors)?,
        keys: Linear::new([outputs; 2], &keys, None, "w_key", tensors)?,
        v: tensors.take("v", &[outputs])?,
    })
}

/// The maps of queries, keys and values, which stand in one tensor as PyTorch keeps them.
fn projections(outputs: usize, tensors: &mut Tensors<'_>) -> Result<[Linear; 3], ModelFileError> {
    let weight = tensors.take("in_proj_weight", &[3 * outputs, outputs])?;
    let bias = tensors.take("in_proj_bias", &[3 * outputs])?;
    let part = |index: usize| {
        let weight = &weight[index * outputs * outputs..][..outputs * outputs];
        let bias = &bias[index * outputs..][..outputs];
        Linear::new([outputs; 2], weight, Some(bias), "in_proj_weight", tensors)
    };
    Ok([part(0)?, part(1)?, part(2)?])
}

/// `1 / √width` (Vaswani 2017, eq. 1)
fn scale(width: usize) -> f32 {
    1.0 / (width as f32).sqrt()
}

/// `[size, size]` with rows and columns exchanged.
fn transposed(matrix: &[f32], size: usize) -> Vec<f32> {
    let mut transposed = Vec::with_capacity(matrix.len());
    for column in 0..size {
        transposed.extend(matrix.chunks_exact(size).map(|row| row[column]));
    }
    transposed
}

/// Values that a thread bends at once: enough to be worth handing out.
const BENT: usize = 1 << 13;

/// `tanh(W x + b)` of every step, zero past a row's length: the tangent of zero is zero.
fn bent(dense: &Linear, steps: &[f32], rows: Ragged<'_>) -> Vec<f32> {
    let mut y = dense.forward_steps(steps, rows);
    let least = if rows.threads <= 1 { usize::MAX } else { 1 };
    y.par_chunks_mut(BENT).with_min_len(least).for_each(math::tanh);
    y
}

/// The context `[B, Q, N * each]` of every query, and its weights `[B, N, Q, T]` where they are asked for.
fn attention(
    score: Score<'_>,
    [queries, heads, each]: [usize; 3],
    rows: Ragged<'_>,
    inputs: &Inputs<'_>,
    weights: bool,
    workspace: &mut Workspace,
) -> (Vec<f32>, Option<Vec<f32>>) {
    let dims = Dims { batch: rows.batch(), queries, keys: rows.time, heads, width: each, value: each };
    let mask = Mask { key_lengths: Some(rows.lengths), ..Mask::default() };
    let output = attention::forward_owned(score, &dims, &mask, None, inputs, weights, workspace, rows.threads)
        .unwrap_or_else(|error| panic!("{error}"));
    (output.context, output.weights)
}

/// `[step; context]`, `[B, T, 2 * width]`, zero past a row's length, where there is a context too.
fn beside(steps: &[f32], context: &[f32], width: usize, rows: Ragged<'_>) -> Vec<f32> {
    let mut beside = Vec::with_capacity(2 * steps.len());
    for (steps, context) in rows.real(steps, width).zip(rows.real(context, width)) {
        for (step, context) in steps.chunks_exact(width).zip(context.chunks_exact(width)) {
            beside.extend_from_slice(step);
            beside.extend_from_slice(context);
        }
        beside.resize(beside.len() + 2 * (rows.time * width - steps.len()), 0.0);
    }
    beside
}

/// `[B, T]`: the mean of weights `[B, hops, T]`.
fn mean(weights: &[f32], hops: usize, rows: Ragged<'_>) -> Vec<f32> {
    let time = rows.time.max(1);
    let mut mean = vec![0.0; weights.len() / hops];
    for (mean, weights) in mean.chunks_exact_mut(time).zip(weights.chunks_exact(hops * time)) {
        for weights in weights.chunks_exact(time) {
            mean.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        }
        mean.iter_mut().for_each(|sum| *sum /= hops as f32);
    }
    mean
}

/// A view per head of weights `[B, N, T, T]`, of which those of steps past a row's length are none.
fn pairs(weights: Vec<f32>, heads: usize, rows: Ragged<'_>, name: impl Fn(usize) -> String) -> Vec<Weights> {
    let time = rows.time;
    let mut views = parts(weights, heads, time, time, name);
    for view in &mut views {
        for (matrix, &length) in view.values.chunks_exact_mut((time * time).max(1)).zip(rows.lengths) {
            matrix[length * time..].fill(0.0);
        }
    }
    views
}

/// A view `[B, queries, T]` a part of weights `[B, parts, queries, T]`.
fn parts(weights: Vec<f32>, count: usize, time: usize, queries: usize, name: impl Fn(usize) -> String) -> Vec<Weights> {
    if count == 1 {
        return vec![Weights { name: name(0), queries, values: weights }];
    }
    let size = (queries * time).max(1);
    let part = |part: usize| {
        let rows = weights.chunks_exact(count * size);
        rows.flat_map(|row| &row[part * size..][..size]).copied().collect()
    };
    (0..count).map(|index| Weights { name: name(index), queries, values: part(index) }).collect()
}
