//! The first layer of every network on Burn: token vectors, or the channels of a series as they are.

use burn::module::Initializer;
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use lookback_infer::input::{Batch, BatchInput, InputShape};
use lookback_nn::{Error, ops};

/// Tables of token vectors `[rows, E]`: of tokens, n-grams, bigrams and shapes, where the input has them. `width`: `E`; `scale`:
/// the standard deviation at the start.
pub(crate) fn tables(shape: InputShape, width: usize, scale: f64, device: &Device) -> [Option<Embedding>; 4] {
    let table = |rows: usize| {
        EmbeddingConfig::new(rows, width).with_initializer(Initializer::Normal { mean: 0.0, std: scale }).init(device)
    };
    match shape {
        InputShape::Tokens { vocabulary, ngrams, bigrams, shapes } => {
            [Some(table(vocabulary)), ngrams.map(table), bigrams.map(table), shapes.map(table)]
        }
        InputShape::Channels(_) => [None, None, None, None],
    }
}

/// `[B, T, E]`, or the channels `[B, T, C]` with noise of this standard deviation.
///
/// # Errors
/// If the batch was made for other tables.
pub(crate) fn vectors(
    tables: [&Option<Embedding>; 4],
    batch: &Batch,
    noise: f64,
    device: &Device,
) -> Result<Tensor<3>, Error> {
    let (rows, time) = (batch.lengths.len(), batch.time);
    match &batch.input {
        BatchInput::Series { values, channels } => {
            let data = TensorData::new(values.clone(), [rows, time, *channels]);
            let series = Tensor::from_data(data, device);
            if noise == 0.0 {
                return Ok(series);
            }
            let noise = series.random_like(Distribution::Normal(0.0, noise));
            Ok(series + noise)
        }
        BatchInput::Tokens(lookup) => {
            let tables = tables.into_iter().flatten().map(|table| table.weight.val()).collect();
            let vectors = ops::lookup(tables, lookup.clone())?;
            let width = vectors.dims()[1];
            Ok(vectors.reshape([rows, time, width]))
        }
    }
}
