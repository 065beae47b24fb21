//! Attention over a memory, by any score.

use std::sync::OnceLock;

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor};

use super::{Fitted, Mask, Score};
use crate::ops::{
    AttentionSteps, CoreOptions, CoreScore, MapTensors, Nothing, UnrolledLinear, attention, dropout, linear,
    masked_softmax, on_flex,
};
use crate::{Error, check};

/// Attention over a memory. Parameters are there where the score has them.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[H, Dq]`.
    pub(super) w_query: Option<Param<Tensor<2>>>,
    /// `[H, Dk]`.
    pub(super) w_key: Option<Param<Tensor<2>>>,
    /// General: `[Dq, Dk]`; concat: `[H, Dq + Dk]`; positions: `[positions, Dq + Dk]`.
    pub(super) w: Option<Param<Tensor<2>>>,
    /// `[H]` or `[positions]`.
    pub(super) bias: Option<Param<Tensor<1>>>,
    /// `[H]`.
    pub(super) v: Option<Param<Tensor<1>>>,
    /// `[1]`.
    pub(super) beta: Option<Param<Tensor<1>>>,
    #[module(skip)]
    pub(super) score: Score,
    /// The sizes `Dq` and `Dk`.
    #[module(skip)]
    pub(super) sizes: [usize; 2],
    #[module(skip)]
    pub(super) dropout: f64,
}

/// What attention gives.
#[derive(Debug, Clone)]
pub struct AttentionOutput {
    /// `[B, Q, Dv]`.
    pub context: Tensor<3>,
    /// `[B, Q, K]`, where they were asked for.
    pub weights: Option<Tensor<3>>,
}

/// Keys that are projected already, with their values: a decoder projects its memory once, not once per step.
#[derive(Debug, Clone)]
pub struct Memory {
    /// `[B, K, width]`.
    keys: Tensor<3>,
    /// `[B, K, Dv]`.
    values: Tensor<3>,
    /// Whether it is for many steps, and not for one call.
    staying: bool,
    /// The map of the queries, packed at the first step for all.
    query: OnceLock<Option<UnrolledLinear>>,
    /// In training: what makes the gradients of keys and values once for all steps.
    steps: OnceLock<Option<AttentionSteps>>,
}

/// What attention of a decoder's steps is, where it is a map of the query and a score of the kernels.
pub(crate) struct Asked {
    pub(crate) query: Option<MapTensors>,
    pub(crate) score: CoreScore,
    pub(crate) keys: Tensor<3>,
    pub(crate) values: Tensor<3>,
}

impl Memory {
    /// `K`.
    pub(crate) fn keys(&self) -> usize {
        self.keys.dims()[1]
    }

    fn new(keys: Tensor<3>, values: Tensor<3>, staying: bool) -> Memory {
        Memory { keys, values, staying, query: OnceLock::new(), steps: OnceLock::new() }
    }
}

impl Attention {
    /// The sizes `Dq` and `Dk`.
    pub(crate) fn sizes(&self) -> [usize; 2] {
        self.sizes
    }

    /// The score.
    pub fn score(&self) -> Score {
        self.score
    }

    /// `W` of the general score, `[Dq, Dk]`.
    pub(crate) fn general(&self) -> Option<Tensor<2>> {
        self.w.as_ref().filter(|_| self.score == Score::General).map(Param::val)
    }

    /// The context alone. query: `[B, Q, Dq]`, keys: `[B, K, Dk]`, values: `[B, K, Dv]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit; the message names both.
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
    pub fn self_attention(&self, sequence: Tensor<3>, mask: &Mask, weights: bool) -> Result<AttentionOutput, Error> {
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
    /// When sizes or element types do not fit, and for [`Score::Positions`], whose keys belong to the query.
    pub fn memory(&self, keys: Tensor<3>, values: Tensor<3>, mask: &Mask) -> Result<Memory, Error> {
        if matches!(self.score, Score::Positions { .. }) {
            return Err(Error::NoMemory);
        }
        let [batch, count, _] = keys.dims();
        check::remembered(&keys, &values)?;
        let keys = self.project_keys(keys, &mask.fit(batch, 1, 1, count)?)?;
        Ok(Memory::new(keys, values, true))
    }

    /// The map of the queries, packed once, where the kernels run.
    fn packed_query(&self) -> Option<UnrolledLinear> {
        let query = self.query_map().filter(|(weight, bias)| on_flex(weight) && bias.as_ref().is_none_or(on_flex));
        query.map(|(weight, bias)| UnrolledLinear::new(weight, bias))
    }

    fn steps(&self, Memory { keys, values, .. }: &Memory) -> Option<AttentionSteps> {
        let (device, [batch, count, width]) = (keys.device(), keys.dims());
        let nothing = batch * count * width * values.dims()[2] == 0;
        let fused = on_flex(keys) && self.v.as_ref().is_none_or(|v| on_flex(&v.val()));
        let together = device.is_autodiff() && self.dropout == 0.0 && fused && !nothing;
        together.then(|| AttentionSteps::new(self.core(width, (&device, keys.dtype())), keys.clone(), values.clone()))
    }

    /// What the steps of a decoder ask of this memory; `None` where they cannot be one operation.
    pub(crate) fn asked(&self, memory: &Memory) -> Option<Asked> {
        let (keys, values) = (&memory.keys, &memory.values);
        let device = keys.device();
        let drops = device.is_autodiff() && self.dropout > 0.0;
        if drops || matches!(self.score, Score::Cosine | Score::Positions { .. }) {
            return None;
        }
        let score = self.core(keys.dims()[2], (&device, keys.dtype()));
        let query = self.query_map();
        let mut fused = on_flex(keys) && on_flex(values);
        fused &= query.as_ref().is_none_or(|(weight, bias)| on_flex(weight) && bias.as_ref().is_none_or(on_flex));
        if let CoreScore::Additive(v) = &score {
            fused &= on_flex(v);
        }
        fused.then(|| Asked { query, score, keys: keys.clone(), values: values.clone() })
    }

    /// Attends to a memory made by [`Attention::memory`]. query: `[B, Q, Dq]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn attend(
        &self,
        query: Tensor<3>,
        memory: &Memory,
        mask: &Mask,
        weights: bool,
    ) -> Result<AttentionOutput, Error> {
        let query = self.asking(query, memory)?;
        let steps = memory.steps.get_or_init(|| if memory.staying { self.steps(memory) } else { None });
        if let (Some(steps), false) = (steps, weights)
            && let Some(context) = steps.step(query.clone(), mask)?
        {
            return Ok(AttentionOutput { context, weights: None });
        }
        self.look(query, memory.keys.clone(), memory, mask, weights)
    }

    /// [`Attention::attend`] with weights, where what the steps before looked at, `[B, K]`, times `w`, `[A]`, is added to the
    /// keys (See 2017, eq. 11).
    pub(crate) fn attend_covering(
        &self,
        query: Tensor<3>,
        memory: &Memory,
        (coverage, w): (Tensor<2>, Tensor<1>),
        mask: &Mask,
    ) -> Result<AttentionOutput, Error> {
        let [batch, keys, _] = memory.keys.dims();
        check::shape("coverage", &coverage, [batch, keys], "B and K of the memory")?;
        let query = self.asking(query, memory)?;
        let covered = memory.keys.clone() + coverage.unsqueeze_dim::<3>(2) * w.unsqueeze::<3>();
        self.look(query, covered, memory, mask, true)
    }

    /// The query as it is compared.
    fn asking(&self, query: Tensor<3>, memory: &Memory) -> Result<Tensor<3>, Error> {
        let packed = memory.query.get_or_init(|| if memory.staying { self.packed_query() } else { None });
        match packed {
            Some(map) => {
                self.check_input("query", &query, self.sizes[0])?;
                map.step("query", query)
            }
            None => self.project_query(query),
        }
    }

    fn look(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        memory: &Memory,
        mask: &Mask,
        weights: bool,
    ) -> Result<AttentionOutput, Error> {
        let options = CoreOptions { heads: 1, dropout: self.dropout, weights };
        let core = self.core(query.dims()[2], (&query.device(), query.dtype()));
        let (context, weights) = attention(core, query, keys, memory.values.clone(), mask, &options)?;
        Ok(AttentionOutput { context, weights: weights.map(|weights| weights.squeeze_dim(1)) })
    }

    /// What is dropped of the weights in training.
    pub(crate) fn dropout(&self) -> f64 {
        self.dropout
    }

    /// The width of a key, where the score is one that coverage goes with.
    pub(crate) fn covering_width(&self) -> Option<usize> {
        match self.score {
            Score::Additive { hidden } | Score::Concat { hidden } | Score::ConcatSum { hidden } => Some(hidden),
            _ => None,
        }
    }

    fn run(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
        weights: bool,
    ) -> Result<AttentionOutput, Error> {
        self.check_call(&query, &keys, &values)?;
        if matches!(self.score, Score::Positions { .. }) {
            return self.positions(query, keys, values, mask);
        }
        let ([batch, queries, _], [_, count, _]) = (query.dims(), keys.dims());
        let keys = self.project_keys(keys, &mask.fit(batch, 1, queries, count)?)?;
        let memory = Memory::new(keys, values, false);
        self.attend(query, &memory, mask, weights)
    }

    /// Compares the arguments of a call with the layer and with one another, before any of them is read.
    pub(super) fn check_call(&self, query: &Tensor<3>, keys: &Tensor<3>, values: &Tensor<3>) -> Result<(), Error> {
        let [query_width, key_width] = self.sizes;
        self.check_input("query", query, query_width)?;
        self.check_input("keys", keys, key_width)?;
        let Score::Positions { positions } = self.score else { return check::attended(query, keys, values) };
        let ([batch, queries, _], [_, count, width]) = (query.dims(), values.dims());
        if count != positions {
            return Err(Error::Positions { positions, found: count });
        }
        let why = format_args!("one key vector per query of {:?}", query.dims());
        check::shape("keys", keys, [batch, queries, key_width], why)?;
        check::shape("values", values, [batch, positions, width], format_args!("B of query {:?}", query.dims()))?;
        check::types([("query", Some(query.dtype())), ("values", Some(values.dtype()))])
    }

    /// `width`: of the projected query.
    fn core(&self, width: usize, options: (&Device, DType)) -> CoreScore {
        match (self.score, &self.v) {
            (_, Some(v)) => CoreScore::Additive(v.val()),
            (Score::ConcatSum { hidden }, _) => CoreScore::Additive(Tensor::ones([hidden], options)),
            (Score::ScaledDot, _) => CoreScore::Product(1.0 / (width as f32).sqrt()),
            _ => CoreScore::Product(1.0),
        }
    }

    /// An argument's width, and its element type where the layer has parameters.
    fn check_input(&self, name: &'static str, x: &Tensor<3>, size: usize) -> Result<(), Error> {
        if x.dims()[2] != size {
            let expected = format!("[.., .., {size}] (the size this layer was made for)");
            return Err(Error::Shape { name, found: x.dims().to_vec(), expected });
        }
        let matrix = self.w.as_ref().or(self.w_key.as_ref()).map(|weight| weight.val().dtype());
        let own = matrix.or_else(|| self.beta.as_ref().map(|beta| beta.val().dtype()));
        check::types([("the layer", own), (name, Some(x.dtype()))])
    }

    fn project_query(&self, query: Tensor<3>) -> Result<Tensor<3>, Error> {
        self.check_input("query", &query, self.sizes[0])?;
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

    fn project_keys(&self, keys: Tensor<3>, mask: &Fitted<'_>) -> Result<Tensor<3>, Error> {
        let [query_width, width] = self.sizes;
        self.check_input("keys", &keys, width)?;
        // Without a projection the kernel alone reads the keys, and does not read masked ones.
        Ok(match (self.score, &self.w_key, &self.w) {
            (Score::Additive { .. }, Some(weight), _) => {
                linear("keys", mask.without_unread("keys", keys)?, weight.val(), None)?
            }
            (Score::Concat { .. } | Score::ConcatSum { .. }, _, Some(weight)) => {
                let rows = weight.val().dims()[0];
                let weight = weight.val().slice([0..rows, query_width..query_width + width]);
                linear("keys", mask.without_unread("keys", keys)?, weight, None)?
            }
            (Score::Cosine, ..) => unit(mask.without_unread("keys", keys)?),
            _ => keys,
        })
    }

    /// query `[B, Q, Dq]`, keys `[B, Q, Dk]`, values `[B, positions, Dv]`.
    fn positions(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
    ) -> Result<AttentionOutput, Error> {
        let ([batch, queries, _], [_, count, width]) = (query.dims(), values.dims());
        let mask = mask.fit(batch, 1, queries, count)?;
        mask.check_type("query", query.dtype())?;
        let Some(weight) = &self.w else { unreachable!("a score over positions has a weight") };
        let both = check::beside(("query", query), ("keys", keys))?;
        let scores = linear("query and keys", both, weight.val(), self.bias.as_ref().map(Param::val))?;
        let values = mask.without_unread("values", values)?;
        if batch * queries * width == 0 {
            let nothing = Nothing::of(&scores).and(&values);
            let weights = Some(nothing.zeros([batch, queries, count]));
            return Ok(AttentionOutput { context: nothing.zeros([batch, queries, width]), weights });
        }
        let mut weights = masked_softmax(scores.unsqueeze_dim(1), &mask).squeeze_dim::<3>(1);
        if weights.device().is_autodiff() {
            weights = dropout(weights, self.dropout);
        }
        Ok(AttentionOutput { context: weights.clone().matmul(values), weights: Some(weights) })
    }
}

/// `x / |x|` along the last axis, zero where `x` is.
fn unit(x: Tensor<3>) -> Tensor<3> {
    let norm = (x.clone() * x.clone()).sum_dim(2).clamp_min(1e-24).sqrt();
    x / norm
}
