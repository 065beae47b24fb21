//! Attention on top of the recurrent layers: each step looks at all others.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lookback_infer::network::AttentionForm;
use lookback_nn::attention::{
    Attention, AttentionConfig, Mask, MultiHeadAttention, MultiHeadConfig, Score, StructuredPool,
};
use lookback_nn::ops::tanh;
use lookback_nn::{Error, Linear, LinearConfig};

/// The layers of an [`AttentionForm`].
#[derive(Module, Debug)]
pub(crate) struct Attend {
    attention: Option<Attention>,
    multi_head: Option<MultiHeadAttention>,
    structured: Option<StructuredPool>,
    dense: Option<Linear>,
}

/// What the layers give.
pub(crate) struct Attended {
    /// `[B, T, W]`
    pub(crate) steps: Tensor<3>,
    /// The pooled vectors `[B, hops * O]`, where the form pools, with their penalty `[1]`.
    pub(crate) pooled: Option<(Tensor<2>, Tensor<1>)>,
}

impl Attend {
    pub(crate) fn new(form: AttentionForm, outputs: usize, device: &Device) -> Result<Attend, Error> {
        let one = |score: Score| AttentionConfig::new(score, outputs, outputs).init(device).map(Some);
        let dense = |inputs: usize| LinearConfig::new(inputs, outputs).init(device).map(Some);
        let mut attend = Attend { attention: None, multi_head: None, structured: None, dense: None };
        match form {
            AttentionForm::None => {}
            AttentionForm::Additive => attend.attention = one(Score::Additive { hidden: outputs })?,
            AttentionForm::Dot => attend.attention = one(Score::Dot)?,
            AttentionForm::General => attend.attention = one(Score::General)?,
            AttentionForm::ScaledDot => attend.attention = one(Score::ScaledDot)?,
            AttentionForm::SelfAttention => {
                attend.attention = one(Score::ScaledDot)?;
                attend.dense = dense(2 * outputs)?;
            }
            AttentionForm::MultiHead(heads) => {
                attend.dense = dense(outputs)?;
                attend.multi_head = Some(MultiHeadConfig::new(outputs, heads).init(device)?);
            }
            AttentionForm::Structured(hops) => {
                attend.structured = Some(StructuredPool::new(outputs, outputs, hops, device)?);
            }
        }
        Ok(attend)
    }

    /// sequence: `[B, T, O]`.
    pub(crate) fn forward(&self, sequence: Tensor<3>, lengths: &[usize]) -> Result<Attended, Error> {
        let mask = Mask::none().with_key_lengths(lengths);
        let dense = |x: Tensor<3>| match &self.dense {
            Some(dense) => dense.forward(x).map(tanh),
            None => Ok(x),
        };
        if let Some(structured) = &self.structured {
            let [batch, _, outputs] = sequence.dims();
            let output = structured.forward(sequence.clone(), lengths)?;
            let pooled = output.hops.reshape([batch, structured.hops() * outputs]);
            return Ok(Attended { steps: sequence, pooled: Some((pooled, output.penalty)) });
        }
        if let Some(heads) = &self.multi_head {
            let x = dense(sequence)?;
            let context = heads.forward(x.clone(), x.clone(), x, &mask)?;
            return Ok(Attended { steps: context, pooled: None });
        }
        let Some(attention) = &self.attention else { return Ok(Attended { steps: sequence, pooled: None }) };
        let output = attention.self_attention(sequence.clone(), &mask, false)?;
        Ok(Attended { steps: dense(Tensor::cat(vec![sequence, output.context], 2))?, pooled: None })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn every_form_gives_its_width() {
        let device = Device::flex();
        for name in ["none", "additive", "dot", "general", "scaled-dot", "self", "multi-head:2", "structured:3"] {
            let form: AttentionForm = name.parse().unwrap();
            let attend = Attend::new(form, 6, &device).unwrap();
            let x = Tensor::<3>::random([3, 4, 6], Distribution::Default, &device);
            let output = attend.forward(x, &[4, 2, 0]).unwrap();
            let width = match &output.pooled {
                Some((pooled, _)) => pooled.dims()[1],
                None => output.steps.dims()[2],
            };
            assert_eq!(width, form.width(6), "{name}");
        }
    }
}
