//! Modules with the parameters of a case, which have PyTorch's names and layout.

use bench::Case;
use burn::module::Param;
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_nn::{Linear, LinearConfig, parameters};

/// `name.weight [out, in]` and `name.bias [out]`.
pub(crate) fn linear(case: &Case, name: &str, device: &Device) -> anyhow::Result<Linear> {
    let [outputs, inputs] = case.shape(&format!("param.{name}.weight"))?;
    let linear = LinearConfig::new(inputs, outputs).init(device)?;
    Ok(parameters::replace(linear, case.under(&format!("param.{name}.")))?)
}

/// `name.weight [V, E]`.
pub(crate) fn embedding(case: &Case, name: &str, device: &Device) -> anyhow::Result<Embedding> {
    let [rows, width] = case.shape(&format!("param.{name}.weight"))?;
    let mut embedding = EmbeddingConfig::new(rows, width).init(device);
    embedding.weight = Param::from_tensor(case.tensor(&format!("param.{name}.weight"), device));
    Ok(embedding)
}

/// Ids, which a case keeps as whole floating-point numbers.
pub(crate) fn ids(case: &Case, name: &str, device: &Device) -> anyhow::Result<Tensor<2, Int>> {
    let shape: [usize; 2] = case.shape(name)?;
    let values: Vec<i64> = case.values(name).iter().map(|&id| id as i64).collect();
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}
