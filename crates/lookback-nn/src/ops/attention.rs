//! Attention as one operation: scores, mask, softmax and context.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Tensor};
use lookback_kernels::attention as kernel;
use lookback_kernels::attention::{
    Dims, Dropout, Inputs, OwnedGradients, OwnedOutputs, Score, Upstream, Wanted, Window, Workspace,
};
use rayon::current_num_threads;

use super::attention_core::{CoreOptions, CoreScore, check, nothing};
use super::left::Left;
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{composite_attention, on_flex};
use crate::Error;
use crate::attention::Mask;

thread_local! {
    static WORKSPACE: std::cell::Cell<Workspace> = std::cell::Cell::new(Workspace::default());
}

/// Context and weights of one attention: query `[B, Q, N * width]`, keys `[B, K, N * width]`, values
/// `[B, K, N * value]`, all projected already. Gives the context `[B, Q, N * value]`, and the weights `[B, N, Q, K]`
/// where they are wanted, after dropout as PyTorch's `nn.MultiheadAttention` has them.
///
/// On Flex the fused kernel runs; elsewhere [`composite_attention`].
///
/// # Errors
/// When sizes or element types do not fit.
pub fn attention(
    score: CoreScore,
    query: Tensor<3>,
    keys: Tensor<3>,
    values: Tensor<3>,
    mask: &Mask,
    options: &CoreOptions,
) -> Result<(Tensor<3>, Option<Tensor<4>>), Error> {
    let (dims, _) = check(&score, &query, &keys, &values, mask, options)?;
    let (Dims { batch, queries, keys: key_count, .. }, device) = (dims, query.device());
    if batch * queries * key_count == 0 {
        return Ok(nothing(&score, &query, &keys, &values, &dims, options));
    }
    if !on_flex(&query) {
        return composite_attention(score, query, keys, values, mask, options);
    }
    let (kind, v) = match score {
        CoreScore::Additive(v) => (Kind::Additive, Some(v.into_dispatch())),
        CoreScore::Product(scale) => (Kind::Product(scale), None),
    };
    let core = Core {
        kind,
        dims,
        key_lengths: mask.key_lengths().cloned(),
        causal: mask.causal(),
        window: mask.window(),
        allowed: mask.allowed(batch),
        bias: mask.bias().is_some(),
        dropout: (options.dropout > 0.0 && device.is_autodiff()).then(|| draw(options.dropout, &device)),
        weights: options.weights,
        kept: OnceLock::new(),
        made: Left::default(),
    };
    let bias = mask.bias().map(Tensor::into_dispatch);
    let inputs = [Some(query.into_dispatch()), Some(keys.into_dispatch()), Some(values.into_dispatch()), v, bias];
    let core = Arc::new(core);
    let context = run_slices(inputs.clone(), &device, Arc::new(Context(core.clone())));
    // The weights are an operation of their own, so that they cost no gradient where the loss does not use them.
    let weights = options.weights.then(|| run_slices(inputs, &device, Arc::new(Weights(core))));
    Ok((context, weights))
}

/// A draw of dropout, seeded from the device's random numbers.
fn draw(probability: f64, device: &Device) -> Dropout {
    Dropout { probability: probability as f32, seed: super::dropout::seed(device) }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Additive,
    Product(f32),
}

/// The fused operation. Inputs: query, keys, values, v, bias.
#[derive(Debug)]
struct Core {
    kind: Kind,
    dims: Dims,
    key_lengths: Option<Arc<[usize]>>,
    causal: bool,
    window: Option<Window>,
    allowed: Option<Arc<[bool]>>,
    bias: bool,
    dropout: Option<Dropout>,
    weights: bool,
    /// What the first forward pass left for the others: the context and the statistics of each softmax.
    kept: OnceLock<Kept>,
    /// The weights `[B, N, Q, K]`, until the operation that gives them takes them.
    made: Left<Vec<f32>>,
}

#[derive(Debug)]
struct Kept {
    statistics: Vec<f32>,
    /// Copied only where the weights' own backward pass will read it.
    context: Vec<f32>,
}

impl Core {
    fn score<'a>(&self, v: &'a [f32]) -> Score<'a> {
        match self.kind {
            Kind::Additive => Score::Additive { v },
            Kind::Product(scale) => Score::Product { scale },
        }
    }

    fn mask<'a>(&'a self, bias: &'a [f32]) -> kernel::Mask<'a> {
        kernel::Mask {
            key_lengths: self.key_lengths.as_deref(),
            causal: self.causal,
            window: self.window,
            allowed: self.allowed.as_deref(),
            bias: self.bias.then_some(bias),
        }
    }

    /// The gradient of a bias that was broadcast: that of every score, summed.
    fn bias_gradient(&self, scores: Vec<f32>, len: usize) -> Vec<f32> {
        let Dims { batch, heads, queries, keys, .. } = self.dims;
        let matrix = queries * keys;
        if len == batch * heads * matrix {
            return scores;
        }
        let mut sum = vec![0.0; len];
        for (at, scores) in scores.chunks_exact(matrix).enumerate() {
            let to = if len == matrix { 0 } else { at / heads };
            sum[to * matrix..][..matrix].iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
        }
        sum
    }
}

/// Runs a kernel with this thread's workspace, which is taken out and put back.
pub(super) fn with_workspace<X>(run: impl FnOnce(&mut Workspace) -> X) -> X {
    let mut workspace = WORKSPACE.take();
    let result = run(&mut workspace);
    WORKSPACE.set(workspace);
    result
}

impl Core {
    fn run(&self, [query, keys, values, v, bias]: [&[f32]; SLICES]) -> Vec<f32> {
        let made = with_workspace(|workspace| {
            kernel::forward_owned(
                self.score(v),
                &self.dims,
                &self.mask(bias),
                self.dropout,
                &Inputs { query, keys, values },
                self.weights,
                workspace,
                current_num_threads(),
            )
        });
        let OwnedOutputs { context, weights, statistics } =
            made.unwrap_or_else(|error| panic!("a size that was checked does not fit: {error}"));
        let copy = if self.weights { context.clone() } else { Vec::new() };
        // The same inputs give the same values, should the operation ever run twice.
        let _ = self.kept.set(Kept { statistics, context: copy });
        weights.into_iter().for_each(|weights| self.made.put(weights));
        context
    }

    fn gradients(
        &self,
        [query, keys, values, v, bias]: [&[f32]; SLICES],
        context: &[f32],
        upstream: &Upstream<'_>,
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let kept = self.kept.get().expect("the forward pass has run before the backward pass");
        let wanted = Wanted {
            query: wanted[0],
            keys: wanted[1],
            values: wanted[2],
            v: wanted[3] && matches!(self.kind, Kind::Additive),
            bias: wanted[4] && self.bias,
        };
        let gradients = with_workspace(|workspace| {
            kernel::backward_owned(
                self.score(v),
                &self.dims,
                &self.mask(bias),
                self.dropout,
                &Inputs { query, keys, values },
                context,
                &kept.statistics,
                upstream,
                wanted,
                workspace,
                current_num_threads(),
            )
        })
        .unwrap_or_else(|error| panic!("a size that was checked does not fit: {error}"));
        let OwnedGradients { query, keys, values, v, bias: scores } = gradients;
        [query, keys, values, v, scores.map(|scores| self.bias_gradient(scores, bias.len()))]
    }
}

/// The context, `[B, Q, N * value]`.
#[derive(Debug)]
struct Context(Arc<Core>);

impl SliceOperation for Context {
    fn shape(&self) -> Vec<usize> {
        let Dims { batch, queries, heads, value, .. } = self.0.dims;
        vec![batch, queries, heads * value]
    }

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32> {
        self.0.run(inputs)
    }

    fn reads(&self) -> [bool; SLICES] {
        [true; SLICES]
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
        self.0.gradients(inputs, output, &Upstream { context: Some(gradient), weights: None }, wanted)
    }
}

/// The weights, `[B, N, Q, K]`, which the context's operation has made.
#[derive(Debug)]
struct Weights(Arc<Core>);

impl SliceOperation for Weights {
    fn shape(&self) -> Vec<usize> {
        let Dims { batch, queries, keys, heads, .. } = self.0.dims;
        vec![batch, heads, queries, keys]
    }

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32> {
        let made = &self.0.made;
        made.take()
            .or_else(|| {
                self.0.run(inputs);
                made.take()
            })
            .expect("a core that was asked for weights makes them")
    }

    fn reads(&self) -> [bool; SLICES] {
        [true; SLICES]
    }

    fn backward(
        &self,
        inputs: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let kept = self.0.kept.get().expect("the forward pass has run before the backward pass");
        self.0.gradients(inputs, &kept.context, &Upstream { context: None, weights: Some(gradient) }, wanted)
    }
}
