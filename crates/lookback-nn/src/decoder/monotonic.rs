//! A decoder with hard monotonic attention, over known targets.

use std::sync::Arc;

use burn::module::{Initializer, Module, Param};
use burn::nn::Dropout;
use burn::tensor::{Device, Tensor};

use crate::attention::{Attention, Mask};
use crate::ops::{self, AlignedTargets, Nothing, dropout_layer};
use crate::{Error, Linear, LinearConfig, Recurrent, State, check};

/// A decoder with hard monotonic attention (Wu and Cotterell 2019): the recurrent layer reads `x_t`, its output `h_t` scores the
/// positions `a_t` that the token may be written at, none before that of the last token, and `p(y_t | a_t = j)` is a softmax over
/// `W_o tanh(U c_j + Q h_t + b)`. Nothing of a position is fed back, so that the sum over all alignments is exact.
#[derive(Module, Debug)]
pub struct HardMonotonicDecoder {
    recurrent: Recurrent,
    attention: Attention,
    /// `U`: `[H, memory]`.
    source: Linear,
    /// `Q`: `[H, H]`, and `b`.
    target: Linear,
    /// `[D]`: what a jump of 0, 1, .. positions is worth, the last of all longer ones; all alike at first.
    distances: Param<Tensor<1>>,
    #[module(skip)]
    input: usize,
}

/// What is likely under a [`HardMonotonicDecoder`], and the layer that says so.
#[derive(Debug)]
pub struct MonotonicTargets<'a> {
    /// The tokens that are right, and the lengths of both sides.
    pub aligned: Arc<AlignedTargets>,
    /// `W_o` `[V, H]`, and `b_o` `[V]`.
    pub output: (Tensor<2>, Tensor<1>),
    /// Of what is read at a position, on both sides.
    pub dropout: &'a Dropout,
}

impl HardMonotonicDecoder {
    /// input: of `x_t`. memory: the size of the encoder's outputs. recurrent: of any cell and any number of layers, one
    /// direction, for inputs of size `input`. attention: made for queries of size `H` and keys of size `memory`, its score
    /// general. distances: `D`, how many jumps have a bias.
    ///
    /// # Errors
    /// A size of 0, parts that do not fit, a bidirectional layer, another score, dropout of the weights, which are none that could
    /// be dropped, or sizes whose parameters no memory holds.
    pub fn new(
        input: usize,
        memory: usize,
        recurrent: Recurrent,
        attention: Attention,
        distances: usize,
        device: &Device,
    ) -> Result<HardMonotonicDecoder, Error> {
        check::sizes(&[("the number of distances", distances)])?;
        super::check_parts(input, memory, ("nothing else", 0), &recurrent, &attention)?;
        if attention.general().is_none() {
            let found = format!("{:?}", attention.score());
            return Err(Error::Config { name: "the score of hard monotonic attention", found, expected: "general" });
        }
        if attention.dropout() > 0.0 {
            let (name, found) = ("the dropout of hard monotonic attention", attention.dropout().to_string());
            return Err(Error::Config {
                name,
                found,
                expected: "0, for its weights are a distribution that is summed over",
            });
        }
        let hidden = recurrent.hidden();
        Ok(HardMonotonicDecoder {
            recurrent,
            attention,
            source: LinearConfig::new(memory, hidden).with_bias(false).init(device)?,
            target: LinearConfig::new(hidden, hidden).init(device)?,
            distances: Initializer::Zeros.init([distances], device),
            input,
        })
    }

    /// The recurrent layer.
    pub fn recurrent(&self) -> &Recurrent {
        &self.recurrent
    }

    /// `log p(y | x)` of each row over all its alignments, `[B]`. x: `[B, T, input]`, the vectors of the tokens before each
    /// step. state: before the first step; `None` means zeros. outputs: `[B, S, memory]` of the encoder. What stands past the
    /// lengths in `targets` is never read.
    ///
    /// # Errors
    /// When sizes, lengths or element types do not fit, a token is none, or a target has steps and its source no position.
    pub fn log_likelihood(
        &self,
        x: Tensor<3>,
        state: Option<State>,
        outputs: Tensor<3>,
        targets: MonotonicTargets<'_>,
    ) -> Result<Tensor<1>, Error> {
        let ([batch, time, _], [_, positions, memory]) = (x.dims(), outputs.dims());
        let why = "the size this decoder was made for";
        check::shape("x", &x, [batch, time, self.input], why)?;
        let [hidden, of_memory] = self.attention.sizes();
        check::shape("outputs", &outputs, [batch, positions, of_memory], format_args!("B of x {:?}", x.dims()))?;
        let MonotonicTargets { aligned, output: (weight, bias), dropout } = targets;
        let [vocabulary, _] = weight.dims();
        check::shape("output weight", &weight, [vocabulary, hidden], why)?;
        aligned.fit([batch, time, positions])?;
        if batch * time * positions * memory == 0 {
            let nothing = Nothing::of(&x).and(&outputs).and(&weight).and(&bias).and_module(self);
            return Ok(nothing.zeros([batch]));
        }
        let mask = Mask::none().with_key_lengths(&aligned.source_lengths);
        let outputs = mask.fit(batch, 1, 1, positions)?.without_unread("outputs", outputs)?;
        let Some(general) = self.attention.general() else { unreachable!("it was made with the general score") };
        let keys = ops::linear("outputs", outputs.clone(), general, None)?;
        let states = self.recurrent.forward(x, Some(&aligned.lengths), state)?.sequence;
        let scores = states.clone().matmul(keys.swap_dims(1, 2));
        let source = self.source.forward(dropout_layer(dropout, outputs))?;
        let target = self.target.forward(dropout_layer(dropout, states))?;
        let emissions = ops::emissions(source, target, weight, bias, &aligned)?;
        ops::monotonic_likelihood(emissions, scores, self.distances.val(), &aligned)
    }
}
