//! Attention of many steps to one memory, in training. As [`super::unrolled`] says: the gradients of keys, values and `v`,
//! each as large as the memory, are made once in the end, by one backward pass over the queries of all steps.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::Tensor;
use lookback_kernels::attention as kernel;
use lookback_kernels::attention::{Dims, Inputs, OwnedGradients, OwnedOutputs, Score, Upstream, Wanted};
use rayon::current_num_threads;

use super::attention::with_workspace;
use super::attention_core::{CoreOptions, CoreScore, check};
use super::slices::{SLICES, SliceOperation, run_slices};
use crate::Error;
use crate::attention::Mask;

/// A memory that steps attend to, on a training device.
#[derive(Debug, Clone)]
pub(crate) struct AttentionSteps {
    shared: Arc<Shared>,
    token: Tensor<1>,
    /// `[B, K, width]` and `[B, K, value]`, apart from the graph, as is the score's `v`.
    keys: Tensor<3>,
    values: Tensor<3>,
    score: CoreScore,
}

#[derive(Debug)]
struct Shared {
    /// The scale of a product score.
    scale: Option<f32>,
    batch: usize,
    keys: usize,
    width: usize,
    value: usize,
    /// Those of the first step's mask.
    key_lengths: OnceLock<Option<Arc<[usize]>>>,
    steps: Mutex<Vec<Step>>,
}

/// What a step leaves: `[B, Q, ..]` each, with `Q` of its own.
#[derive(Debug)]
struct Step {
    queries: usize,
    query: Vec<f32>,
    context: Vec<f32>,
    statistics: Vec<f32>,
    upstream: Vec<f32>,
}

impl AttentionSteps {
    /// keys, values: projected already, on Flex; no size 0.
    pub(crate) fn new(score: CoreScore, keys: Tensor<3>, values: Tensor<3>) -> Self {
        let ([batch, count, width], [_, _, value]) = (keys.dims(), values.dims());
        let (scale, v) = match &score {
            CoreScore::Additive(v) => (None, Some(v.clone())),
            CoreScore::Product(scale) => (Some(*scale), None),
        };
        let shared = Arc::new(Shared {
            scale,
            batch,
            keys: count,
            width,
            value,
            key_lengths: OnceLock::new(),
            steps: Mutex::default(),
        });
        let device = keys.device();
        let apart = (keys.clone().detach(), values.clone().detach());
        let score = match score {
            CoreScore::Additive(v) => CoreScore::Additive(v.detach()),
            product => product,
        };
        let v = v.map(Tensor::into_dispatch);
        let inputs = [Some(keys.into_dispatch()), Some(values.into_dispatch()), v, None, None];
        let token = run_slices(inputs, &device, Arc::new(Open(shared.clone())));
        AttentionSteps { shared, token, keys: apart.0, values: apart.1, score }
    }

    /// The context `[B, Q, value]` of a query `[B, Q, width]`; `None` where the mask is more than the key lengths that the
    /// first step had, for then the steps could not be put together.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub(crate) fn step(&self, query: Tensor<3>, mask: &Mask) -> Result<Option<Tensor<3>>, Error> {
        let Shared { batch, keys, width, value, .. } = *self.shared;
        let options = CoreOptions { heads: 1, dropout: 0.0, weights: false };
        check(&self.score, &query, &self.keys, &self.values, mask, &options)?;
        let [_, queries, _] = query.dims();
        if !mask.has_lengths_at_most()
            || queries == 0
            || self.shared.key_lengths.get_or_init(|| mask.key_lengths().cloned()).as_deref()
                != mask.key_lengths().map(|lengths| &lengths[..])
        {
            return Ok(None);
        }
        let device = query.device();
        let dims = Dims { batch, queries, keys, heads: 1, width, value };
        let step = OneStep { shared: self.shared.clone(), dims, statistics: OnceLock::new() };
        let v = match &self.score {
            CoreScore::Additive(v) => Some(v.clone().into_dispatch()),
            CoreScore::Product(_) => None,
        };
        let inputs = [
            Some(query.into_dispatch()),
            Some(self.keys.clone().into_dispatch()),
            Some(self.values.clone().into_dispatch()),
            v,
            Some(self.token.clone().into_dispatch()),
        ];
        Ok(Some(run_slices(inputs, &device, Arc::new(step))))
    }
}

impl Shared {
    fn score<'a>(&self, v: &'a [f32]) -> Score<'a> {
        match self.scale {
            Some(scale) => Score::Product { scale },
            None => Score::Additive { v },
        }
    }

    fn mask(&self) -> kernel::Mask<'_> {
        let key_lengths = self.key_lengths.get().and_then(Option::as_deref);
        kernel::Mask { key_lengths, ..kernel::Mask::default() }
    }
}

#[derive(Debug)]
struct Open(Arc<Shared>);

impl SliceOperation for Open {
    fn shape(&self) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, _: [&[f32]; SLICES]) -> Vec<f32> {
        vec![0.0]
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, true, false, false]
    }

    fn backward(
        &self,
        [keys, values, v, ..]: [&[f32]; SLICES],
        _: &[f32],
        _: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let shared = &*self.0;
        let steps = std::mem::take(&mut *shared.steps.lock().unwrap_or_else(PoisonError::into_inner));
        let Shared { batch, keys: count, width, value, .. } = *shared;
        let queries = steps.iter().map(|step| step.queries).sum();
        let dims = Dims { batch, queries, keys: count, heads: 1, width, value };
        // The steps of a row one after another.
        let together = |part: fn(&Step) -> &Vec<f32>, width: usize| {
            let rows = (0..batch).flat_map(|row| steps.iter().map(move |step| (row, step)));
            let mut all = Vec::with_capacity(batch * queries * width);
            rows.for_each(|(row, step)| {
                all.extend_from_slice(&part(step)[row * step.queries * width..][..step.queries * width]);
            });
            all
        };
        let (query, context) = (together(|step| &step.query, width), together(|step| &step.context, value));
        let (statistics, upstream) =
            (together(|step| &step.statistics, kernel::STATISTICS), together(|step| &step.upstream, value));
        let wanted =
            Wanted { keys: wanted[0], values: wanted[1], v: wanted[2] && shared.scale.is_none(), ..Wanted::default() };
        let OwnedGradients { keys, values, v, .. } = with_workspace(|workspace| {
            kernel::backward_owned(
                shared.score(v),
                &dims,
                &shared.mask(),
                None,
                &Inputs { query: &query, keys, values },
                &context,
                &statistics,
                &Upstream { context: Some(&upstream), weights: None },
                wanted,
                workspace,
                current_num_threads(),
            )
        })
        .unwrap_or_else(|error| panic!("a size that was checked does not fit: {error}"));
        [keys, values, v, None, None]
    }
}

#[derive(Debug)]
struct OneStep {
    shared: Arc<Shared>,
    dims: Dims,
    statistics: OnceLock<Vec<f32>>,
}

impl SliceOperation for OneStep {
    fn shape(&self) -> Vec<usize> {
        vec![self.dims.batch, self.dims.queries, self.dims.value]
    }

    fn forward(&self, [query, keys, values, v, _]: [&[f32]; SLICES]) -> Vec<f32> {
        let OwnedOutputs { context, statistics, .. } = with_workspace(|workspace| {
            kernel::forward_owned(
                self.shared.score(v),
                &self.dims,
                &self.shared.mask(),
                None,
                &Inputs { query, keys, values },
                false,
                workspace,
                current_num_threads(),
            )
        })
        .unwrap_or_else(|error| panic!("a size that was checked does not fit: {error}"));
        let _ = self.statistics.set(statistics);
        context
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, true, true, false]
    }

    fn reads_output(&self) -> bool {
        true
    }

    fn backward(
        &self,
        [query, keys, values, v, _]: [&[f32]; SLICES],
        context: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let statistics = self.statistics.get().expect("the forward pass has run before the backward pass");
        if wanted[4] {
            self.shared.steps.lock().unwrap_or_else(PoisonError::into_inner).push(Step {
                queries: self.dims.queries,
                query: query.to_vec(),
                context: context.to_vec(),
                statistics: statistics.clone(),
                upstream: gradient.to_vec(),
            });
        }
        let gradients = with_workspace(|workspace| {
            kernel::backward_owned(
                self.shared.score(v),
                &self.dims,
                &self.shared.mask(),
                None,
                &Inputs { query, keys, values },
                context,
                statistics,
                &Upstream { context: Some(gradient), weights: None },
                Wanted { query: wanted[0], ..Wanted::default() },
                workspace,
                current_num_threads(),
            )
        })
        .unwrap_or_else(|error| panic!("a size that was checked does not fit: {error}"));
        [gradients.query, None, None, None, wanted[4].then(|| vec![0.0])]
    }
}
