//! How a decoder looks at what was read: a state compared with every step, and the mean of the steps by that.

use std::borrow::Cow;
use std::fmt;

use lookback_kernels::attention::{self, Dims, Inputs, Mask, Score, Workspace};
use serde::{Deserialize, Serialize};

use super::linear::Linear;
use super::ragged::Ragged;
use crate::error::{ModelFileError, PlanError};
use crate::model_file::Tensors;

/// How the attention compares a state `h` of the decoder and a step `s` of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum DecoderScore {
    /// hᵀ W s (Luong 2015)
    #[default]
    General,
    /// v · tanh(W h + U s + b) (Bahdanau 2015)
    Additive,
    /// h · s (Luong 2015)
    Dot,
    /// h · s / √H (Vaswani 2017)
    ScaledDot,
}

impl fmt::Display for DecoderScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecoderScore::General => "general",
            DecoderScore::Additive => "additive",
            DecoderScore::Dot => "dot",
            DecoderScore::ScaledDot => "scaled-dot",
        })
    }
}

impl DecoderScore {
    /// Whether states of `hidden` numbers can be compared with steps of `memory`. remedy: what makes them fit.
    ///
    /// # Errors
    /// If not.
    pub(crate) fn check(self, hidden: usize, memory: usize, remedy: &str) -> Result<(), PlanError> {
        if matches!(self, DecoderScore::Dot | DecoderScore::ScaledDot) && memory != hidden {
            let problem = format!("{self} compares states of {hidden} numbers with steps of {memory}; {remedy}");
            return Err(PlanError::conflict("decoder-attention", problem));
        }
        Ok(())
    }
}

/// How a state and a step of the source are compared.
///
/// # Tensors
/// With `H` the numbers of a state and `M` those of a step: `w` `[H, M]` of the general score; `w_query` `[H, H]`, `w_key` `[H, M]`,
/// `bias` `[H]` and `v` `[H]` of the additive one; none of the others.
#[derive(Debug)]
pub(crate) enum Compare {
    /// `scale q · k`
    Product(f32),
    /// `qᵀ (W k)`: the source is mapped once.
    General { keys: Linear },
    /// `v · tanh(W q + b + U k)`
    Additive { query: Linear, keys: Linear, v: Vec<f32> },
}

impl Compare {
    /// Takes the tensors of a score.
    ///
    /// # Errors
    /// If one of them is missing or has another shape.
    pub(crate) fn read(
        score: DecoderScore,
        hidden: usize,
        memory: usize,
        tensors: &mut Tensors<'_>,
    ) -> Result<Compare, ModelFileError> {
        Ok(match score {
            DecoderScore::Dot => Compare::Product(1.0),
            DecoderScore::ScaledDot => Compare::Product(1.0 / (hidden as f32).sqrt()),
            DecoderScore::General => {
                let w = tensors.take("w", &[hidden, memory])?;
                Compare::General { keys: Linear::new([hidden, memory], &w, None, "w", tensors)? }
            }
            DecoderScore::Additive => {
                let query = tensors.take("w_query", &[hidden, hidden])?;
                let keys = tensors.take("w_key", &[hidden, memory])?;
                let bias = tensors.take("bias", &[hidden])?;
                Compare::Additive {
                    query: Linear::new([hidden; 2], &query, Some(&bias), "w_query", tensors)?,
                    keys: Linear::new([hidden, memory], &keys, None, "w_key", tensors)?,
                    v: tensors.take("v", &[hidden])?,
                }
            }
        })
    }

    /// The width of a key.
    pub(crate) fn width(&self, hidden: usize, memory: usize) -> usize {
        match self {
            Compare::Product(_) => memory,
            Compare::General { .. } | Compare::Additive { .. } => hidden,
        }
    }

    /// The keys of steps `[B, T, M]`, `[B, T, width]`; nothing where the steps themselves are compared.
    pub(crate) fn keys(&self, steps: &[f32], rows: Ragged<'_>) -> Option<Vec<f32>> {
        match self {
            Compare::Product(_) => None,
            Compare::General { keys } | Compare::Additive { keys, .. } => Some(keys.forward_steps(steps, rows)),
        }
    }

    /// States `[rows, H]` as they are compared, and by what.
    pub(crate) fn queries<'q>(&'q self, states: &'q [f32], threads: usize) -> (Cow<'q, [f32]>, Score<'q>) {
        match self {
            Compare::Product(scale) => (Cow::Borrowed(states), Score::Product { scale: *scale }),
            Compare::General { .. } => (Cow::Borrowed(states), Score::Product { scale: 1.0 }),
            Compare::Additive { query, v, .. } => (Cow::Owned(query.forward(states, threads)), Score::Additive { v }),
        }
    }
}

/// What queries `[rows, width]` make of one source, keys `[S, width]` and values `[S, M]`: the contexts `[rows, M]`, and the weights
/// `[rows, S]` where they are asked for. On one thread, whatever the pool.
pub(crate) fn look(
    (score, query): (Score<'_>, &[f32]),
    (keys, values): (&[f32], &[f32]),
    [length, width]: [usize; 2],
    context: &mut [f32],
    asked: bool,
    scratch: &mut Workspace,
) -> Option<Vec<f32>> {
    let queries = query.len() / width;
    let value = context.len() / queries.max(1);
    let dims = Dims { batch: 1, queries, keys: length, heads: 1, width, value };
    let inputs = Inputs { query, keys, values };
    let output = attention::forward_owned(score, &dims, &Mask::default(), None, &inputs, asked, scratch, 1)
        .unwrap_or_else(|error| panic!("{error}"));
    context.copy_from_slice(&output.context);
    output.weights
}
