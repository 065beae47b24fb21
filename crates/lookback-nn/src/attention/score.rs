//! Attention over a memory, by any score.

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::Mask;
use crate::Error;
use crate::ops::{AttentionSteps, CoreOptions, CoreScore, UnrolledLinear, attention, linear, on_flex};

/// How well a query `q` `[Dq]` and a key `k` `[Dk]` fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// `v · tanh(W q + U k + b)` (Bahdanau 2015, appendix A.1.2).
    Additive {
        /// The size of `v`.
        hidden: usize,
    },
    /// `q · k` (Luong 2015, eq. 8, dot).
    Dot,
    /// `q · k / √D` (Vaswani 2017, eq. 1). This is also the third rule of the well-known PyTorch tutorial.
    ScaledDot,
    /// `qᵀ W k` (Luong 2015, eq. 8, general).
    General,
    /// `v · tanh(W [q; k])` (Luong 2015, eq. 8, concat).
    Concat {
        /// The size of `v`.
        hidden: usize,
    },
    /// `β q · k / (|q| |k|)` with a learnt `β` (Graves 2014, eq. 5 and 6).
    Cosine,
    /// The first rule of the well-known PyTorch tutorial: `softmax(W [q; k] + b)` over a fixed number of positions.
    /// The keys are one vector a query, such as the decoder's state beside its input; values of another number of
    /// positions are refused.
    Positions {
        /// How many values there must be.
        positions: usize,
    },
    /// The second rule of that tutorial: `Σ tanh(W [q; k] + b)`.
    ConcatSum {
        /// The size of what is summed.
        hidden: usize,
    },
}

/// Options of an [`Attention`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionConfig {
    score: Score,
    query: usize,
    key: usize,
    bias: bool,
    dropout: f64,
}

impl AttentionConfig {
    /// query, key: the sizes `Dq` and `Dk`.
    pub fn new(score: Score, query: usize, key: usize) -> Self {
        AttentionConfig { score, query, key, bias: true, dropout: 0.0 }
    }

    /// Whether the additive score and the tutorials' first two rules add a bias. Default true; the others have none.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Dropout on the weights, in training alone. Default 0.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Draws the parameters as PyTorch's `nn.Linear` does, uniform within `1 / √inputs`.
    ///
    /// # Errors
    /// A size of 0, sizes that this score cannot compare, or a dropout that is no probability.
    pub fn init(&self, device: &Device) -> Result<Attention, Error> {
        let AttentionConfig { score, query, key, bias, dropout } = *self;
        let positive = |name, size: usize| match size {
            0 => Err(Error::Config { name, found: "0".into(), expected: "at least 1" }),
            _ => Ok(()),
        };
        positive("query size", query)?;
        positive("key size", key)?;
        if !(0.0..1.0).contains(&dropout) {
            let found = dropout.to_string();
            return Err(Error::Config { name: "dropout", found, expected: "from 0 to less than 1" });
        }
        if matches!(score, Score::Dot | Score::ScaledDot | Score::Cosine) && query != key {
            return Err(Error::SameSize { score: score.name(), query, key });
        }
        let draw = |shape: [usize; 2], inputs: usize| uniform(inputs).init(shape, device);
        let draw_vector = |size: usize, inputs: usize| uniform(inputs).init([size], device);
        let mut attention = Attention {
            score,
            sizes: [query, key],
            dropout,
            w_query: None,
            w_key: None,
            w: None,
            bias: None,
            v: None,
            beta: None,
        };
        match score {
            Score::Additive { hidden } => {
                positive("hidden size of the score", hidden)?;
                attention.w_query = Some(draw([hidden, query], query));
                attention.w_key = Some(draw([hidden, key], key));
                attention.bias = bias.then(|| draw_vector(hidden, key));
                attention.v = Some(draw_vector(hidden, hidden));
            }
            Score::Concat { hidden } => {
                positive("hidden size of the score", hidden)?;
                attention.w = Some(draw([hidden, query + key], query + key));
                attention.v = Some(draw_vector(hidden, hidden));
            }
            Score::ConcatSum { hidden } => {
                positive("hidden size of the score", hidden)?;
                attention.w = Some(draw([hidden, query + key], query + key));
                attention.bias = bias.then(|| draw_vector(hidden, query + key));
            }
            Score::Positions { positions } => {
                positive("number of positions", positions)?;
                attention.w = Some(draw([positions, query + key], query + key));
                attention.bias = bias.then(|| draw_vector(positions, query + key));
            }
            Score::General => attention.w = Some(draw([query, key], key)),
            Score::Cosine => attention.beta = Some(Initializer::Ones.init([1], device)),
            Score::Dot | Score::ScaledDot => {}
        }
        Ok(attention)
    }
}

/// Uniform within `1 / √inputs`, as PyTorch draws a linear map.
pub(super) fn uniform(inputs: usize) -> Initializer {
    let bound = 1.0 / (inputs.max(1) as f64).sqrt();
    Initializer::Uniform { min: -bound, max: bound }
}

impl Score {
    fn name(self) -> &'static str {
        match self {
            Score::Additive { .. } => "additive",
            Score::Dot => "dot",
            Score::ScaledDot => "scaled dot",
            Score::General => "general",
            Score::Concat { .. } => "concat",
            Score::Cosine => "cosine",
            Score::Positions { .. } => "positions",
            Score::ConcatSum { .. } => "concat and sum",
        }
    }
}

/// Attention over a memory. Parameters are there where the score has them.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[H, Dq]`.
    w_query: Option<Param<Tensor<2>>>,
    /// `[H, Dk]`.
    w_key: Option<Param<Tensor<2>>>,
    /// General: `[Dq, Dk]`; concat: `[H, Dq + Dk]`; positions: `[positions, Dq + Dk]`.
    w: Option<Param<Tensor<2>>>,
    /// `[H]` or `[positions]`.
    bias: Option<Param<Tensor<1>>>,
    /// `[H]`.
    v: Option<Param<Tensor<1>>>,
    /// `[1]`.
    beta: Option<Param<Tensor<1>>>,
    #[module(skip)]
    score: Score,
    /// The sizes `Dq` and `Dk`.
    #[module(skip)]
    sizes: [usize; 2],
    #[module(skip)]
    dropout: f64,
}

/// What attention gives.
#[derive(Debug, Clone)]
pub struct AttentionOutput {
    /// `[B, Q, Dv]`.
    pub context: Tensor<3>,
    /// `[B, Q, K]`, where they were asked for.
    pub weights: Option<Tensor<3>>,
}

/// Keys that are projected already, with their values: a decoder projects its memory once, not once a step.
#[derive(Debug, Clone)]
pub struct Memory {
    /// `[B, K, width]`.
    keys: Tensor<3>,
    /// `[B, K, Dv]`.
    values: Tensor<3>,
    /// The map of the queries, packed once for all steps.
    query: Option<UnrolledLinear>,
    /// In training: what makes the gradients of keys and values once for all steps.
    steps: Option<AttentionSteps>,
}

impl Attention {
    /// The score.
    pub fn score(&self) -> Score {
        self.score
    }

    /// The context alone. query: `[B, Q, Dq]`, keys: `[B, K, Dk]`, values: `[B, K, Dv]`.
    ///
    /// # Errors
    /// When sizes do not fit; the message names both.
    pub fn forward(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
    ) -> Result<Tensor<3>, Error> {
        Ok(self.run(query, keys, values, mask, false)?.context)
    }

    /// Context and weights. Asking for the weights changes no bit of the context.
    ///
    /// # Errors
    /// As [`Attention::forward`].
    pub fn forward_with_weights(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
    ) -> Result<AttentionOutput, Error> {
        self.run(query, keys, values, mask, true)
    }

    /// Attention of a sequence to itself: `[B, T, D]` is query, keys and values.
    ///
    /// # Errors
    /// As [`Attention::forward`].
    pub fn over_itself(&self, sequence: Tensor<3>, mask: &Mask, weights: bool) -> Result<AttentionOutput, Error> {
        self.run(sequence.clone(), sequence.clone(), sequence, mask, weights)
    }

    /// Projects the keys once, for many queries. `queries` of a later [`Attention::attend`] may be any number, but the
    /// mask given here must mask what later masks mask for all queries, if something unreadable stands there: pass the
    /// mask of the key lengths.
    ///
    /// In training, the gradients of keys, values and `v` are made once for all steps that have the same key lengths and
    /// ask for no weights: make a memory for each pass, and call `backward` once on what comes of it.
    ///
    /// # Errors
    /// When sizes do not fit, and for [`Score::Positions`], whose keys belong to the query.
    pub fn memory(&self, keys: Tensor<3>, values: Tensor<3>, mask: &Mask) -> Result<Memory, Error> {
        if matches!(self.score, Score::Positions { .. }) {
            return Err(Error::NoMemory);
        }
        let [batch, count, _] = keys.dims();
        mask.check(batch, 1, 1, count)?;
        let keys = self.project_keys(keys, mask, 1)?;
        let query = self.query_map().filter(|(weight, _)| on_flex(weight));
        let query = query.map(|(weight, bias)| UnrolledLinear::new(weight, bias));
        let (device, [_, _, width]) = (keys.device(), keys.dims());
        let fits = values.dims()[..2] == [batch, count] && batch * count * width * values.dims()[2] > 0;
        let together = device.is_autodiff() && self.dropout == 0.0 && on_flex(&keys) && fits;
        let steps = together.then(|| AttentionSteps::new(self.core(width, &device), keys.clone(), values.clone()));
        Ok(Memory { keys, values, query, steps })
    }

    /// Attends to a memory made by [`Attention::memory`]. query: `[B, Q, Dq]`.
    ///
    /// # Errors
    /// When sizes do not fit.
    pub fn attend(
        &self,
        query: Tensor<3>,
        memory: &Memory,
        mask: &Mask,
        weights: bool,
    ) -> Result<AttentionOutput, Error> {
        let query = match &memory.query {
            Some(map) => {
                self.check_size("query", &query, self.sizes[0])?;
                map.step("query", query)?
            }
            None => self.project_query(query)?,
        };
        if let (Some(steps), false) = (&memory.steps, weights)
            && let Some(context) = steps.step(query.clone(), mask)?
        {
            return Ok(AttentionOutput { context, weights: None });
        }
        let options = CoreOptions { heads: 1, dropout: self.dropout, weights };
        let core = self.core(query.dims()[2], &query.device());
        let (context, weights) = attention(core, query, memory.keys.clone(), memory.values.clone(), mask, &options)?;
        Ok(AttentionOutput { context, weights: weights.map(|weights| weights.squeeze_dim(1)) })
    }

    fn run(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
        weights: bool,
    ) -> Result<AttentionOutput, Error> {
        if let Score::Positions { positions } = self.score {
            return self.positions(positions, query, keys, values, mask);
        }
        let ([batch, queries, _], [_, count, _]) = (query.dims(), keys.dims());
        mask.check(batch, 1, queries, count)?;
        let keys = self.project_keys(keys, mask, queries)?;
        let memory = Memory { keys, values, query: None, steps: None };
        self.attend(query, &memory, mask, weights)
    }

    /// `width`: of the projected query.
    fn core(&self, width: usize, device: &Device) -> CoreScore {
        match (self.score, &self.v) {
            (_, Some(v)) => CoreScore::Additive(v.val()),
            (Score::ConcatSum { hidden }, _) => CoreScore::Additive(Tensor::ones([hidden], device)),
            (Score::ScaledDot, _) => CoreScore::Product(1.0 / (width as f32).sqrt()),
            _ => CoreScore::Product(1.0),
        }
    }

    fn check_size(&self, name: &'static str, x: &Tensor<3>, size: usize) -> Result<(), Error> {
        if x.dims()[2] == size {
            return Ok(());
        }
        let expected = format!("[.., .., {size}] (the size this layer was made for)");
        Err(Error::Shape { name, found: x.dims().to_vec(), expected })
    }

    fn project_query(&self, query: Tensor<3>) -> Result<Tensor<3>, Error> {
        self.check_size("query", &query, self.sizes[0])?;
        if let Some((weight, bias)) = self.query_map() {
            return linear("query", query, weight, bias);
        }
        Ok(match (self.score, &self.beta) {
            (Score::Cosine, Some(beta)) => unit(query) * beta.val().unsqueeze::<3>(),
            (Score::Cosine, None) => unit(query),
            _ => query,
        })
    }

    /// The linear map of the queries, `[width, Dq]` and its bias, where the score has one.
    fn query_map(&self) -> Option<(Tensor<2>, Option<Tensor<1>>)> {
        let bias = self.bias.as_ref().map(Param::val);
        match (self.score, &self.w_query, &self.w) {
            (Score::Additive { .. }, Some(weight), _) => Some((weight.val(), bias)),
            // qᵀ W k = (Wᵀ q) · k
            (Score::General, _, Some(weight)) => Some((weight.val().swap_dims(0, 1), None)),
            (Score::Concat { .. } | Score::ConcatSum { .. }, _, Some(weight)) => {
                let rows = weight.val().dims()[0];
                Some((weight.val().slice([0..rows, 0..self.sizes[0]]), bias))
            }
            _ => None,
        }
    }

    fn project_keys(&self, keys: Tensor<3>, mask: &Mask, queries: usize) -> Result<Tensor<3>, Error> {
        let [query_width, width] = self.sizes;
        self.check_size("keys", &keys, width)?;
        // Without a projection the kernel alone reads the keys, and does not read masked ones.
        Ok(match (self.score, &self.w_key, &self.w) {
            (Score::Additive { .. }, Some(weight), _) => {
                linear("keys", mask.without_unread(keys, queries, 1), weight.val(), None)?
            }
            (Score::Concat { .. } | Score::ConcatSum { .. }, _, Some(weight)) => {
                let rows = weight.val().dims()[0];
                let weight = weight.val().slice([0..rows, query_width..query_width + width]);
                linear("keys", mask.without_unread(keys, queries, 1), weight, None)?
            }
            (Score::Cosine, ..) => unit(mask.without_unread(keys, queries, 1)),
            _ => keys,
        })
    }

    /// query `[B, Q, Dq]`, keys `[B, Q, Dk]`, values `[B, positions, Dv]`.
    fn positions(
        &self,
        positions: usize,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
    ) -> Result<AttentionOutput, Error> {
        let ([batch, queries, _], [value_batch, count, _]) = (query.dims(), values.dims());
        self.check_size("query", &query, self.sizes[0])?;
        self.check_size("keys", &keys, self.sizes[1])?;
        if count != positions {
            return Err(Error::Positions { positions, found: count });
        }
        if keys.dims()[..2] != [batch, queries] {
            let expected = format!("[{batch}, {queries}, Dk] (one key vector a query of {:?})", query.dims());
            return Err(Error::Shape { name: "keys", found: keys.dims().to_vec(), expected });
        }
        if value_batch != batch {
            let expected = format!("[{batch}, {positions}, Dv] (B of query {:?})", query.dims());
            return Err(Error::Shape { name: "values", found: values.dims().to_vec(), expected });
        }
        mask.check(batch, 1, queries, count)?;
        let Some(weight) = &self.w else { unreachable!("a score over positions has a weight") };
        let both = Tensor::cat(vec![query, keys], 2);
        let scores = linear("query and keys", both, weight.val(), self.bias.as_ref().map(Param::val))?;
        let (weights, values) = masked_softmax(scores, values, mask);
        Ok(AttentionOutput { context: weights.clone().matmul(values), weights: Some(weights) })
    }
}

/// Weights `[B, Q, K]` from scores that were composed, and the values with zeros where no query reads.
pub(super) fn masked_softmax(scores: Tensor<3>, values: Tensor<3>, mask: &Mask) -> (Tensor<3>, Tensor<3>) {
    let [batch, queries, keys] = scores.dims();
    let device = scores.device();
    let values = mask.without_unread(values, queries, 1);
    let scores = match mask.bias() {
        Some(bias) => {
            let whole = bias.dims()[0] == batch * queries * keys;
            scores + bias.reshape([if whole { batch } else { 1 }, queries, keys])
        }
        None => scores,
    };
    let Some(pairs) = mask.pairs(batch, queries, keys) else { return (softmax(scores, 2), values) };
    let shut: Vec<bool> = pairs.into_iter().map(|open| !open).collect();
    let shut = Tensor::from_data(burn::tensor::TensorData::new(shut, [batch, queries, keys]), &device);
    let weights = softmax(scores.mask_fill(shut.clone(), f32::MIN / 2.0), 2).mask_fill(shut, 0.0);
    (weights, values)
}

/// `x / |x|` along the last axis, zero where `x` is.
fn unit(x: Tensor<3>) -> Tensor<3> {
    let norm = (x.clone() * x.clone()).sum_dim(2).clamp_min(1e-24).sqrt();
    x / norm
}
