//! The first layer of every network: token vectors, or the channels of a series as they are.

use std::borrow::Cow;

use super::{Batch, BatchInput, InputShape, Parts};
use crate::error::ModelFileError;
use crate::model_file::Tensors;

/// Tables of token vectors; none for series.
#[derive(Clone, Debug)]
pub(crate) struct InputLayer {
    /// `[rows, E]` each: tokens, then n-grams, bigrams and shapes where the input has them.
    tables: Vec<Vec<f32>>,
    width: usize,
    parts: Parts,
}

impl InputLayer {
    /// `embedding`: the width of the token vectors, `E`.
    pub(crate) fn read(shape: InputShape, embedding: usize, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        let (vocabulary, ngrams, bigrams, shapes) = match shape {
            InputShape::Tokens { vocabulary, ngrams, bigrams, shapes } => (vocabulary, ngrams, bigrams, shapes),
            InputShape::Channels(channels) => {
                return Ok(InputLayer { tables: Vec::new(), width: channels, parts: Parts::default() });
            }
        };
        let rows = [
            ("embedding", Some(vocabulary)),
            ("ngram_embedding", ngrams),
            ("bigram_embedding", bigrams),
            ("shape_embedding", shapes),
        ];
        let mut tables = Vec::new();
        for (name, rows) in rows {
            if let Some(rows) = rows {
                tables.push(tensors.take(&format!("{name}.weight"), &[rows, embedding])?);
            }
        }
        let parts = Parts { ngrams: ngrams.is_some(), bigrams: bigrams.is_some(), shapes: shapes.is_some() };
        Ok(InputLayer { tables, width: embedding, parts })
    }

    /// The width of what [`InputLayer::forward`] gives per step, `I`.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Which tables there are.
    pub(crate) fn parts(&self) -> Parts {
        self.parts
    }

    /// `[B, T, I]`
    ///
    /// # Panics
    /// If the batch was made for another network.
    pub(crate) fn forward<'a>(&self, batch: &'a Batch, threads: usize) -> Cow<'a, [f32]> {
        match &batch.input {
            BatchInput::Series { values, .. } => Cow::Borrowed(values),
            BatchInput::Tokens(lookup) => {
                let tables: Vec<&[f32]> = self.tables.iter().map(Vec::as_slice).collect();
                lookback_kernels::lookup::forward(lookup, &tables, self.width, threads)
                    .expect("a batch is made for the tables of its network")
                    .into()
            }
        }
    }
}
