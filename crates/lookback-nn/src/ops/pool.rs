//! Attention pooling as one operation.

use std::sync::Arc;

use burn::tensor::{Bool, Tensor, TensorData, activation::softmax};
use lookback_kernels::pool::{self as kernel, PoolDims, PoolScore, PoolUpstream};
use rayon::current_num_threads;

use super::flex::checked;
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{Nothing, on_flex, tanh};
use crate::{Error, check};

/// What every step of a sequence is compared with.
#[derive(Debug, Clone)]
pub enum PoolQuery {
    /// `[O]`: a learnt vector `w`, with the score `w · tanh(h_t)` (Zhou 2016, eq. 9).
    Learnt(Tensor<1>),
    /// `[B, O]`: one vector `q` per row, such as its final hidden state, with the score `q · h_t`.
    Row(Tensor<2>),
}

/// Gives the pooled vectors `[B, O]` (Zhou 2016, eq. 11, without the `tanh` of eq. 12) and the weights `[B, T]`.
///
/// sequence: `[B, T, O]`. Steps at or past `lengths[b]` are never read; their weights and gradients are zero, and a
/// row of length 0 gives zeros.
///
/// # Errors
/// When sizes or element types do not fit.
pub fn attention_pool(
    sequence: Tensor<3>,
    query: PoolQuery,
    lengths: &[usize],
) -> Result<(Tensor<2>, Tensor<2>), Error> {
    let [batch, time, outputs] = sequence.dims();
    let shape = match &query {
        PoolQuery::Learnt(weight) => weight.dims().to_vec(),
        PoolQuery::Row(queries) => queries.dims().to_vec(),
    };
    let fits = match &query {
        PoolQuery::Learnt(_) => shape == [outputs],
        PoolQuery::Row(_) => shape == [batch, outputs],
    };
    if !fits {
        let expected = match query {
            PoolQuery::Learnt(_) => format!("[{outputs}] (O of the sequence)"),
            PoolQuery::Row(_) => format!("[{batch}, {outputs}] (B and O of the sequence)"),
        };
        return Err(Error::Shape { name: "query", found: shape, expected });
    }
    let query_type = match &query {
        PoolQuery::Learnt(weight) => weight.dtype(),
        PoolQuery::Row(queries) => queries.dtype(),
    };
    check::types([("query", Some(query_type)), ("sequence", Some(sequence.dtype()))])?;
    check::lengths(lengths, batch, time)?;
    let device = sequence.device();
    if batch * time * outputs == 0 {
        let nothing = match &query {
            PoolQuery::Learnt(weight) => Nothing::of(&sequence).and(weight),
            PoolQuery::Row(queries) => Nothing::of(&sequence).and(queries),
        };
        return Ok((nothing.zeros([batch, outputs]), nothing.zeros([batch, time])));
    }
    if !on_flex(&sequence) {
        return Ok(composite(sequence, query, lengths));
    }
    let learnt = matches!(query, PoolQuery::Learnt(_));
    let vector = match query {
        PoolQuery::Learnt(weight) => weight.into_dispatch(),
        PoolQuery::Row(queries) => queries.into_dispatch(),
    };
    let operation = Pool { dims: PoolDims { batch, time, outputs }, learnt, lengths: lengths.to_vec() };
    let packed: Tensor<1> =
        run_slices([Some(sequence.into_dispatch()), Some(vector), None, None, None], &device, Arc::new(operation));
    let pooled = packed.clone().slice(0..batch * outputs).reshape([batch, outputs]);
    let weights = packed.slice(batch * outputs..batch * (outputs + time)).reshape([batch, time]);
    Ok((pooled, weights))
}

/// The same, made of Burn's own operations.
pub(super) fn composite(sequence: Tensor<3>, query: PoolQuery, lengths: &[usize]) -> (Tensor<2>, Tensor<2>) {
    let [batch, time, outputs] = sequence.dims();
    let device = sequence.device();
    let padded: Vec<bool> = lengths.iter().flat_map(|&length| (0..time).map(move |step| step >= length)).collect();
    let padding = Tensor::<2, Bool>::from_data(TensorData::new(padded, [batch, time]), &device);
    let sequence = sequence.mask_fill(padding.clone().unsqueeze_dim::<3>(2).expand([batch, time, outputs]), 0.0);
    let scores = match query {
        PoolQuery::Learnt(weight) => tanh(sequence.clone()).matmul(weight.unsqueeze_dim::<2>(1).unsqueeze::<3>()),
        PoolQuery::Row(queries) => sequence.clone().matmul(queries.unsqueeze_dim::<3>(2)),
    };
    let scores = scores.squeeze_dim::<2>(2).mask_fill(padding.clone(), f32::MIN / 2.0);
    let weights = softmax(scores, 1).mask_fill(padding, 0.0);
    let pooled = weights.clone().unsqueeze_dim::<3>(1).matmul(sequence).squeeze_dim::<2>(1);
    (pooled, weights)
}

#[derive(Debug)]
struct Pool {
    dims: PoolDims,
    learnt: bool,
    lengths: Vec<usize>,
}

impl Pool {
    fn score<'a>(&self, vector: &'a [f32]) -> PoolScore<'a> {
        if self.learnt { PoolScore::Learnt(vector) } else { PoolScore::Query(vector) }
    }
}

impl SliceOperation for Pool {
    fn shape(&self) -> Vec<usize> {
        vec![self.dims.batch * (self.dims.outputs + self.dims.time)]
    }

    fn forward(&self, [sequence, vector, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        let PoolDims { batch, time, outputs } = self.dims;
        let mut packed = vec![0.0; batch * (outputs + time)];
        let (pooled, weights) = packed.split_at_mut(batch * outputs);
        let threads = current_num_threads();
        checked(kernel::forward(self.dims, self.score(vector), sequence, &self.lengths, pooled, weights, threads));
        packed
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, false, false, false]
    }

    fn reads_output(&self) -> bool {
        true
    }

    fn backward(
        &self,
        [sequence, vector, ..]: [&[f32]; SLICES],
        output: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let PoolDims { batch, outputs, .. } = self.dims;
        let (pooled, weights) = gradient.split_at(batch * outputs);
        let [sequence_gradient, vector_gradient] = checked(kernel::backward(
            self.dims,
            self.score(vector),
            sequence,
            &self.lengths,
            &output[batch * outputs..],
            PoolUpstream { pooled, weights: Some(weights) },
            current_num_threads(),
        ));
        [wanted[0].then_some(sequence_gradient), wanted[1].then_some(vector_gradient), None, None, None]
    }
}
