//! Fused attention cores: scores, mask, softmax and context in one pass, forward and backward.
//!
//! Projections (`W q`, `U k`, `in_proj`, `qᵀ W`) are plain matrix products and stay outside. What is here is
//! what no matrix product does: [`Score::Additive`] (Bahdanau 2015, eq. 6 of the appendix; Luong's concat is the
//! same after splitting `W`) and [`Score::Product`] (dot, scaled dot, general, multi-head), every mask, dropout on
//! the weights, and their gradients.
//!
//! # Legend of shapes
//! `B` batch, `Q` queries, `K` keys, `N` heads. Head `n` is columns `n * width..(n + 1) * width` of queries and
//! keys, and `n * value..(n + 1) * value` of values and context: PyTorch's layout, without transposes.
//!
//! # What holds
//! - The `[B, Q, K, H]` tensor of additive attention never exists. Scratch memory is one block of keys and one
//!   tile of scores per thread, and one row's context; `[B, N, Q, K]` exists only where weights are asked for.
//! - A query with every key masked gets zero weights, a zero context and zero gradients.
//! - Masked keys and values are never read: NaN or infinity stored there, even where masked for some queries
//!   only, changes no bit, forward or backward. A NaN in what is read gives NaN.
//! - Asking for weights changes no bit of the context. No bit depends on the number of threads. A batch row
//!   alone equals the same row in any batch, bit for bit (dropout, which is drawn by row, apart).
//!
//! # Example
//! ```
//! use lookback_kernels::attention::{Dims, Inputs, Mask, Outputs, Score, Workspace, forward};
//!
//! let dims = Dims { batch: 1, queries: 1, keys: 3, heads: 1, width: 1, value: 1 };
//! let inputs = Inputs { query: &[1.0], keys: &[2.0, 2.0, 9.0], values: &[1.0, 3.0, f32::NAN] };
//! let mask = Mask { key_lengths: Some(&[2]), ..Mask::default() };
//! let (mut context, mut weights) = ([0.0], [0.0; 3]);
//! forward(
//!     Score::Product { scale: 1.0 },
//!     &dims,
//!     &mask,
//!     None,
//!     &inputs,
//!     Outputs { context: &mut context, weights: Some(&mut weights), statistics: None },
//!     &mut Workspace::default(),
//!     1,
//! )?;
//! assert_eq!((context, weights), ([2.0], [0.5, 0.5, 0.0]));
//! # Ok::<(), lookback_kernels::KernelError>(())
//! ```

mod additive;
mod backward;
mod check;
mod dropout;
mod forward;
mod gradients;
mod mask;
mod panels;
mod plan;
mod product;
pub mod reference;
#[cfg(test)]
mod tests;

pub(crate) use additive::{StayingKeys, logistics, stride_of};
pub(crate) use panels::load_part;

use crate::KernelError;
use crate::simd::{Aligned, Shared, arch};
use crate::threads::run;
use crate::written::{Slot, Unwritten, filled, slots};
use pulp::Arch;
use std::marker::PhantomData;

/// How many numbers [`backward`] needs of each softmax.
pub const STATISTICS: usize = 3;

/// The sizes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dims {
    /// `B`.
    pub batch: usize,
    /// `Q`.
    pub queries: usize,
    /// `K`.
    pub keys: usize,
    /// `N`.
    pub heads: usize,
    /// The width of one head's query and key.
    pub width: usize,
    /// The width of one head's value.
    pub value: usize,
}

impl Dims {
    /// The length of [`Outputs::statistics`]: `[B, N, Q, 3]`.
    pub fn statistics_len(&self) -> usize {
        self.batch * self.heads * self.queries * STATISTICS
    }

    /// The length of [`Outputs::weights`]: `[B, N, Q, K]`.
    pub fn weights_len(&self) -> usize {
        self.batch * self.heads * self.queries * self.keys
    }
}

/// How well a query and a key fit, one number per pair and head.
#[derive(Debug, Clone, Copy)]
pub enum Score<'a, R = f32> {
    /// `v · tanh(q + k)` (Bahdanau 2015), with `W` and `U` already applied and the bias in either.
    Additive {
        /// `[N * width]`.
        v: &'a [R],
    },
    /// `scale * q · k` (Luong 2015; Vaswani 2017 with `scale = 1 / √width`).
    Product {
        /// What every product is multiplied with.
        scale: R,
    },
}

/// A band of keys around each query: `q - before <= k <= q + after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many keys before its own position a query sees.
    pub before: usize,
    /// How many keys after its own position a query sees.
    pub after: usize,
}

/// Which keys a query may read. All parts hold at once.
#[derive(Debug, Clone, Copy)]
pub struct Mask<'a, R = f32> {
    /// `[B]`, each from 0 to `K`; keys at or past it are masked.
    pub key_lengths: Option<&'a [usize]>,
    /// Query `q` sees keys `k <= q`, both counted from 0, whether or not `Q` is `K`.
    pub causal: bool,
    /// A band around each query.
    pub window: Option<Window>,
    /// `[Q, K]` or `[B, Q, K]`; true means attend.
    pub allowed: Option<&'a [bool]>,
    /// `[Q, K]`, `[B, Q, K]` or `[B, N, Q, K]`, added to the scores; negative infinity masks.
    pub bias: Option<&'a [R]>,
}

impl<R> Default for Mask<'_, R> {
    fn default() -> Self {
        Mask { key_lengths: None, causal: false, window: None, allowed: None, bias: None }
    }
}

/// Dropout on the weights, as PyTorch's `nn.MultiheadAttention` has it: what stays is divided by
/// `1 - probability`.
///
/// Drawn by a hash of `(seed, b, n, q, k)`, so the backward pass draws the same without storing it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// From 0 to 1.
    pub probability: f32,
    /// Another seed gives another draw.
    pub seed: u64,
}

/// What attention reads.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, R = f32> {
    /// `[B, Q, N * width]`.
    pub query: &'a [R],
    /// `[B, K, N * width]`.
    pub keys: &'a [R],
    /// `[B, K, N * value]`.
    pub values: &'a [R],
}

/// What attention writes. All of it is overwritten.
#[derive(Debug)]
pub struct Outputs<'a, X = f32> {
    /// `[B, Q, N * value]`.
    pub context: &'a mut [X],
    /// `[B, N, Q, K]`: after the softmax and, as PyTorch returns them, after dropout.
    pub weights: Option<&'a mut [X]>,
    /// `[B, N, Q, 3]`: what [`backward`] needs of each softmax, its greatest score, `1 / Σ e^(score - greatest)`, and,
    /// where its keys are more than a block, about where the greatest score stands.
    pub statistics: Option<&'a mut [X]>,
}

impl<'a> Outputs<'a> {
    /// The same places, which may then also be ones that nobody has written.
    ///
    /// # Safety
    /// As [`slots`].
    unsafe fn slots(self) -> Outputs<'a, Slot> {
        // SAFETY: as the caller promises.
        let [weights, statistics] = [self.weights, self.statistics].map(|part| part.map(|part| unsafe { slots(part) }));
        // SAFETY: as above.
        Outputs { context: unsafe { slots(self.context) }, weights, statistics }
    }
}

/// Gradients that flow in. `None` means zeros.
#[derive(Debug, Clone, Copy)]
pub struct Upstream<'a, R = f32> {
    /// `[B, Q, N * value]`.
    pub context: Option<&'a [R]>,
    /// `[B, N, Q, K]`. Where a key is masked it is never read.
    pub weights: Option<&'a [R]>,
}

impl<R> Default for Upstream<'_, R> {
    fn default() -> Self {
        Upstream { context: None, weights: None }
    }
}

/// What [`forward_owned`] gives, as [`Outputs`] names it.
#[derive(Debug)]
pub struct OwnedOutputs {
    /// `[B, Q, N * value]`.
    pub context: Vec<f32>,
    /// `[B, N, Q, K]`, where asked for.
    pub weights: Option<Vec<f32>>,
    /// `[B, N, Q, 3]`.
    pub statistics: Vec<f32>,
}

/// Which of [`Gradients`] are wanted of [`backward_owned`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// That of the queries.
    pub query: bool,
    /// That of the keys.
    pub keys: bool,
    /// That of the values.
    pub values: bool,
    /// That of `v`.
    pub v: bool,
    /// That of every score.
    pub bias: bool,
}

/// What [`backward_owned`] gives, as [`Gradients`] names it.
#[derive(Debug, Default)]
pub struct OwnedGradients {
    /// `[B, Q, N * width]`.
    pub query: Option<Vec<f32>>,
    /// `[B, K, N * width]`.
    pub keys: Option<Vec<f32>>,
    /// `[B, K, N * value]`.
    pub values: Option<Vec<f32>>,
    /// `[N * width]`.
    pub v: Option<Vec<f32>>,
    /// `[B, N, Q, K]`.
    pub bias: Option<Vec<f32>>,
}

/// Gradients of what attention reads, overwritten. `None` means not wanted.
#[derive(Debug)]
pub struct Gradients<'a, X = f32> {
    /// `[B, Q, N * width]`.
    pub query: Option<&'a mut [X]>,
    /// `[B, K, N * width]`.
    pub keys: Option<&'a mut [X]>,
    /// `[B, K, N * value]`.
    pub values: Option<&'a mut [X]>,
    /// `[N * width]`, [`Score::Additive`] only.
    pub v: Option<&'a mut [X]>,
    /// `[B, N, Q, K]`, whatever the shape of the bias: the gradient of every score, zero where masked. A bias
    /// that was broadcast sums it over what it was broadcast over.
    pub bias: Option<&'a mut [X]>,
}

impl<X> Default for Gradients<'_, X> {
    fn default() -> Self {
        Gradients { query: None, keys: None, values: None, v: None, bias: None }
    }
}

impl<'a> Gradients<'a> {
    /// The same places, which may then also be ones that nobody has written.
    ///
    /// # Safety
    /// As [`slots`].
    unsafe fn slots(self) -> Gradients<'a, Slot> {
        let Gradients { query, keys, values, v, bias } = self;
        let [query, keys, values, v, bias] =
            // SAFETY: as the caller promises.
            [query, keys, values, v, bias].map(|part| part.map(|part| unsafe { slots(part) }));
        Gradients { query, keys, values, v, bias }
    }
}

/// Scratch memory that the caller keeps between calls; it grows to the largest call and is never read
/// before it is written.
#[derive(Debug, Default)]
pub struct Workspace {
    tasks: Vec<Aligned>,
    partial: Aligned,
}

/// `context = softmax(score(query, keys) masked) · values`, for every batch row, head and query.
///
/// No result depends on `threads`.
///
/// # Errors
/// [`KernelError`] when a size does not fit; nothing is written then.
#[allow(clippy::too_many_arguments, reason = "a kernel's caller owns every buffer")]
pub fn forward(
    score: Score<'_>,
    dims: &Dims,
    mask: &Mask<'_>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_>,
    outputs: Outputs<'_>,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    // SAFETY: the engine writes values alone.
    let outputs = unsafe { outputs.slots() };
    forward_on(arch(), score, dims, mask, dropout, inputs, outputs, workspace, threads)
}

/// The gradients of [`forward`], given what it read and wrote: `context`, and `statistics` (`[B, N, Q, 3]`).
///
/// Only what is `Some` in `gradients` is written. No result depends on `threads`.
///
/// # Errors
/// [`KernelError`] when a size does not fit; nothing is written then.
#[allow(clippy::too_many_arguments, reason = "a kernel's caller owns every buffer")]
pub fn backward(
    score: Score<'_>,
    dims: &Dims,
    mask: &Mask<'_>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_>,
    context: &[f32],
    statistics: &[f32],
    upstream: &Upstream<'_>,
    gradients: Gradients<'_>,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    let upstream = *upstream;
    // SAFETY: the engine writes values alone.
    let gradients = unsafe { gradients.slots() };
    backward_on(
        arch(),
        score,
        dims,
        mask,
        dropout,
        inputs,
        context,
        statistics,
        upstream,
        gradients,
        workspace,
        threads,
    )
}

/// [`forward`] into memory of its own, which is not filled with zeros before.
///
/// # Errors
/// As [`forward`].
#[allow(clippy::too_many_arguments, reason = "as `forward`")]
pub fn forward_owned(
    score: Score<'_>,
    dims: &Dims,
    mask: &Mask<'_>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_>,
    weights: bool,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<OwnedOutputs, KernelError> {
    check::call(score, dims, mask, dropout, inputs)?;
    let mut context = Unwritten::new(dims.batch * dims.queries * dims.heads * dims.value);
    let mut weights = weights.then(|| Unwritten::new(dims.weights_len()));
    let mut statistics = Unwritten::new(dims.statistics_len());
    let outputs = Outputs {
        context: context.slots(),
        weights: weights.as_mut().map(Unwritten::slots),
        statistics: Some(statistics.slots()),
    };
    forward_on(arch(), score, dims, mask, dropout, inputs, outputs, workspace, threads)?;
    // SAFETY: the engine reads no output, and where it gives no error it has written all of them.
    unsafe {
        Ok(OwnedOutputs {
            context: context.written(),
            weights: weights.map(|weights| weights.written()),
            statistics: statistics.written(),
        })
    }
}

/// [`backward`] into memory of its own, which is not filled with zeros before.
///
/// # Errors
/// As [`backward`].
#[allow(clippy::too_many_arguments, reason = "as `backward`")]
pub fn backward_owned(
    score: Score<'_>,
    dims: &Dims,
    mask: &Mask<'_>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_>,
    context: &[f32],
    statistics: &[f32],
    upstream: &Upstream<'_>,
    wanted: Wanted,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<OwnedGradients, KernelError> {
    check::call(score, dims, mask, dropout, inputs)?;
    let lens =
        [inputs.query.len(), inputs.keys.len(), inputs.values.len(), dims.heads * dims.width, dims.weights_len()];
    let wanted = [wanted.query, wanted.keys, wanted.values, wanted.v, wanted.bias];
    let mut parts: [Option<Unwritten>; 5] =
        std::array::from_fn(|part| wanted[part].then(|| Unwritten::new(lens[part])));
    let [query, keys, values, v, bias] = parts.each_mut().map(|part| part.as_mut().map(Unwritten::slots));
    let gradients = Gradients { query, keys, values, v, bias };
    let (arch, upstream) = (arch(), *upstream);
    backward_on(
        arch, score, dims, mask, dropout, inputs, context, statistics, upstream, gradients, workspace, threads,
    )?;
    // SAFETY: the engine reads no gradient that it has not written, and where it gives no error it has written all.
    unsafe {
        let [query, keys, values, v, bias] = parts.map(|part| part.map(|part| part.written()));
        Ok(OwnedGradients { query, keys, values, v, bias })
    }
}

/// [`forward`] on a given instruction set.
#[allow(clippy::too_many_arguments, reason = "a kernel's caller owns every buffer")]
fn forward_on(
    arch: Arch,
    score: Score<'_>,
    dims: &Dims,
    mask: &Mask<'_>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_>,
    outputs: Outputs<'_, Slot>,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    check::call(score, dims, mask, dropout, inputs)?;
    check::outputs(dims, &outputs)?;
    let call = forward::Call { score, dims: *dims, mask: *mask, dropout: drawn(dropout), inputs: *inputs };
    let all = plan::Units::new(dims, mask, threads, true);
    let to = forward::Places {
        context: Shared(outputs.context.as_mut_ptr().cast()),
        weights: outputs.weights.map(|to| Shared(to.as_mut_ptr().cast())),
        statistics: outputs.statistics.map(|to| Shared(to.as_mut_ptr().cast())),
    };
    run(workspace.tasks(all.shares(threads)).iter_mut().collect(), |scratch| {
        let call = &call;
        while let Some(units) = all.take() {
            let scratch = &mut *scratch;
            match score {
                Score::Additive { .. } => {
                    let kind = PhantomData;
                    arch.dispatch(forward::Run::<additive::Additive> { call, units, to, scratch, kind })
                }
                Score::Product { .. } => {
                    let kind = PhantomData;
                    arch.dispatch(forward::Run::<product::Product> { call, units, to, scratch, kind })
                }
            }
        }
    });
    Ok(())
}

/// [`backward`] on a given instruction set.
#[allow(clippy::too_many_arguments, reason = "a kernel's caller owns every buffer")]
fn backward_on(
    arch: Arch,
    score: Score<'_>,
    dims: &Dims,
    mask: &Mask<'_>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_>,
    context: &[f32],
    statistics: &[f32],
    upstream: Upstream<'_>,
    gradients: Gradients<'_, Slot>,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    check::call(score, dims, mask, dropout, inputs)?;
    check::gradients(score, dims, context, statistics, &upstream, &gradients)?;
    let call = forward::Call { score, dims: *dims, mask: *mask, dropout: drawn(dropout), inputs: *inputs };
    let all = plan::Units::new(dims, mask, threads, false);
    let shared = |to: Option<&mut [Slot]>| to.map(|to| Shared(to.as_mut_ptr().cast()));
    let width = dims.heads * dims.width;
    let v_rows = workspace.partial.scratch(if gradients.v.is_some() { dims.batch * width } else { 0 });
    let back = gradients::Back {
        call: &call,
        context,
        statistics,
        upstream,
        query: shared(gradients.query),
        keys: shared(gradients.keys),
        values: shared(gradients.values),
        bias: shared(gradients.bias),
        v: gradients.v.is_some().then_some(Shared(v_rows.as_mut_ptr())),
    };
    let shares = all.shares(threads);
    if workspace.tasks.len() < shares {
        workspace.tasks.resize_with(shares, Aligned::default);
    }
    run(workspace.tasks[..shares].iter_mut().collect(), |scratch| {
        let back = &back;
        while let Some(units) = all.take() {
            let scratch = &mut *scratch;
            match score {
                Score::Additive { .. } => {
                    let kind = PhantomData;
                    arch.dispatch(backward::Run::<additive::AdditiveGradient> { back, units, scratch, kind })
                }
                Score::Product { .. } => {
                    let kind = PhantomData;
                    arch.dispatch(backward::Run::<product::ProductGradient> { back, units, scratch, kind })
                }
            }
        }
    });
    if let Some(v) = gradients.v {
        // Row by row, so that the order of the sum is the batch's.
        let v = filled(v, 0.0);
        for row in v_rows.chunks_exact(width) {
            v.iter_mut().zip(row).for_each(|(v, row)| *v += row);
        }
    }
    Ok(())
}

/// Dropout that drops nothing is none.
fn drawn(dropout: Option<Dropout>) -> Option<Dropout> {
    dropout.filter(|dropout| dropout.probability > 0.0)
}

impl Workspace {
    /// Scratch for `count` tasks.
    fn tasks(&mut self, count: usize) -> &mut [Aligned] {
        if self.tasks.len() < count {
            self.tasks.resize_with(count, Aligned::default);
        }
        &mut self.tasks[..count]
    }
}
