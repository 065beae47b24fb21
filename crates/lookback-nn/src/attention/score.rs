//! How a query and a key are compared, and what an attention over a memory is made of.

use burn::module::Initializer;
use burn::tensor::Device;

use super::Attention;
use crate::linear::uniform;
use crate::{Error, check};

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
    /// The keys are one vector per query, such as the decoder's state beside its input; values of another number of
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
    /// A size of 0, sizes that this score cannot compare or whose parameters no memory holds, or a dropout that is no
    /// probability.
    pub fn init(&self, device: &Device) -> Result<Attention, Error> {
        let AttentionConfig { score, query, key, bias, dropout } = *self;
        check::sizes(&[("query size", query), ("key size", key)])?;
        check::dropout(dropout)?;
        if matches!(score, Score::Dot | Score::ScaledDot | Score::Cosine) && query != key {
            return Err(Error::SameSize { score: score.name(), query, key });
        }
        let both = query.saturating_add(key);
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
                check::sizes(&[("hidden size of the score", hidden)])?;
                let matrices: [&[usize]; 2] = [&[hidden, query], &[hidden, key]];
                check::parameters(1, &matrices.map(|shape| ("weight of the score", shape)))?;
                attention.w_query = Some(draw([hidden, query], query));
                attention.w_key = Some(draw([hidden, key], key));
                attention.bias = bias.then(|| draw_vector(hidden, key));
                attention.v = Some(draw_vector(hidden, hidden));
            }
            Score::Concat { hidden: rows }
            | Score::ConcatSum { hidden: rows }
            | Score::Positions { positions: rows } => {
                let positions = matches!(score, Score::Positions { .. });
                let name = if positions { "number of positions" } else { "hidden size of the score" };
                check::sizes(&[(name, rows)])?;
                check::parameters(1, &[("weight of the score", &[rows, both])])?;
                attention.w = Some(draw([rows, both], both));
                match score {
                    Score::Concat { .. } => attention.v = Some(draw_vector(rows, rows)),
                    _ => attention.bias = bias.then(|| draw_vector(rows, both)),
                }
            }
            Score::General => {
                check::parameters(1, &[("weight of the score", &[query, key])])?;
                attention.w = Some(draw([query, key], key));
            }
            Score::Cosine => attention.beta = Some(Initializer::Ones.init([1], device)),
            Score::Dot | Score::ScaledDot => {}
        }
        Ok(attention)
    }
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
