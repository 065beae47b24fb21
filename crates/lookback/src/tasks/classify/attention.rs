//! Attention on top of the recurrent layers: each step looks at all others before the steps are pooled.

use std::fmt;
use std::str::FromStr;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use lookback_nn::Error;
use lookback_nn::attention::{
    Attention, AttentionConfig, Mask, MultiHeadAttention, MultiHeadConfig, Score, StructuredPool,
};
use lookback_nn::ops::tanh;
use serde::{Deserialize, Serialize};

/// Which attention stands between the recurrent layers and the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AttentionForm {
    /// None: the steps are pooled as they are.
    #[default]
    None,
    /// Additive self-attention (Bahdanau 2015); its context stands beside each step.
    Additive,
    /// Self-attention by dot product (Luong 2015); its context stands beside each step.
    Dot,
    /// Self-attention by a bilinear form (Luong 2015); its context stands beside each step.
    General,
    /// Self-attention by scaled dot product (Vaswani 2017); its context stands beside each step.
    ScaledDot,
    /// The tutorials' first model: scaled self-attention, put beside each step, then a dense layer at every step.
    SelfAttention,
    /// The tutorials' second model: a dense layer at every step, multi-head attention, then pooling.
    MultiHead(usize),
    /// Structured self-attention with so many hops in place of pooling (Lin 2017), and its penalty in the loss.
    Structured(usize),
}

/// The most heads or hops.
const MOST: usize = 64;

impl AttentionForm {
    /// Whether it takes the place of pooling.
    pub(crate) fn pools(self) -> bool {
        matches!(self, AttentionForm::Structured(_))
    }

    /// The width of a step after it, or of the pooled vector where it pools.
    pub(crate) fn width(self, outputs: usize) -> usize {
        match self {
            AttentionForm::None | AttentionForm::SelfAttention | AttentionForm::MultiHead(_) => outputs,
            AttentionForm::Structured(hops) => hops * outputs,
            _ => 2 * outputs,
        }
    }

    /// Whether it fits steps of this width.
    pub(crate) fn check(self, outputs: usize) -> Result<(), String> {
        match self {
            AttentionForm::MultiHead(heads) if heads == 0 || !outputs.is_multiple_of(heads) => Err(format!(
                "--attention is multi-head:{heads}, but the {outputs} outputs of a step do not divide into {heads} heads"
            )),
            AttentionForm::Structured(hops) if hops == 0 || hops > MOST => {
                Err(format!("--attention is structured:{hops}; the hops must be from 1 to {MOST}"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for AttentionForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttentionForm::None => f.write_str("none"),
            AttentionForm::Additive => f.write_str("additive"),
            AttentionForm::Dot => f.write_str("dot"),
            AttentionForm::General => f.write_str("general"),
            AttentionForm::ScaledDot => f.write_str("scaled-dot"),
            AttentionForm::SelfAttention => f.write_str("self"),
            AttentionForm::MultiHead(heads) => write!(f, "multi-head:{heads}"),
            AttentionForm::Structured(hops) => write!(f, "structured:{hops}"),
        }
    }
}

impl FromStr for AttentionForm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "--attention '{text}' is unknown; there are none, additive, dot, general, scaled-dot, self, multi-head:N \
                 and structured:N"
            )
        };
        let number = |number: &str| number.parse::<usize>().map_err(|_| unknown());
        Ok(match text.split_once(':') {
            Some(("multi-head", heads)) => AttentionForm::MultiHead(number(heads)?),
            Some(("structured", hops)) => AttentionForm::Structured(number(hops)?),
            Some(_) => return Err(unknown()),
            None => match text {
                "none" => AttentionForm::None,
                "additive" => AttentionForm::Additive,
                "dot" => AttentionForm::Dot,
                "general" => AttentionForm::General,
                "scaled-dot" => AttentionForm::ScaledDot,
                "self" => AttentionForm::SelfAttention,
                _ => return Err(unknown()),
            },
        })
    }
}

impl TryFrom<String> for AttentionForm {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AttentionForm> for String {
    fn from(form: AttentionForm) -> String {
        form.to_string()
    }
}

/// The layers of an [`AttentionForm`].
#[derive(Module, Debug)]
pub(crate) struct Attend {
    attention: Option<Attention>,
    multi_head: Option<MultiHeadAttention>,
    structured: Option<StructuredPool>,
    dense: Option<Linear>,
    #[module(skip)]
    form: AttentionForm,
}

/// One way of looking at the steps: a name and a weight a step, `[B, T]`, zero past the row's length.
#[derive(Clone, Debug)]
pub struct View {
    /// What it is, for people.
    pub name: String,
    /// `[B, T]`; each row sums to 1.
    pub weights: Tensor<2>,
}

/// What the layers give.
pub(crate) struct Attended {
    /// `[B, T, W]`.
    pub(crate) sequence: Tensor<3>,
    /// The pooled vector `[B, hops * O]`, where the form pools, with its weights `[B, T]` and its penalty.
    pub(crate) pooled: Option<(Tensor<2>, Tensor<2>, Tensor<1>)>,
    pub(crate) views: Vec<View>,
}

impl Attend {
    pub(crate) fn new(form: AttentionForm, outputs: usize, device: &Device) -> Result<Attend, String> {
        form.check(outputs)?;
        let words = |error: Error| error.to_string();
        let one = |score: Score| AttentionConfig::new(score, outputs, outputs).init(device).map_err(words);
        let mut attend = Attend { attention: None, multi_head: None, structured: None, dense: None, form };
        match form {
            AttentionForm::None => {}
            AttentionForm::Additive => attend.attention = Some(one(Score::Additive { hidden: outputs })?),
            AttentionForm::Dot => attend.attention = Some(one(Score::Dot)?),
            AttentionForm::General => attend.attention = Some(one(Score::General)?),
            AttentionForm::ScaledDot => attend.attention = Some(one(Score::ScaledDot)?),
            AttentionForm::SelfAttention => {
                attend.attention = Some(one(Score::ScaledDot)?);
                attend.dense = Some(LinearConfig::new(2 * outputs, outputs).init(device));
            }
            AttentionForm::MultiHead(heads) => {
                attend.dense = Some(LinearConfig::new(outputs, outputs).init(device));
                attend.multi_head = Some(MultiHeadConfig::new(outputs, heads).init(device).map_err(words)?);
            }
            AttentionForm::Structured(hops) => {
                attend.structured = Some(StructuredPool::new(outputs, outputs, hops, device).map_err(words)?);
            }
        }
        Ok(attend)
    }

    /// sequence: `[B, T, O]`. `views`: whether somebody will look at the weights.
    pub(crate) fn forward(&self, sequence: Tensor<3>, lengths: &[usize], views: bool) -> Result<Attended, Error> {
        let mask = Mask::none().with_key_lengths(lengths);
        let bend = |dense: &Option<Linear>, x: Tensor<3>| match dense {
            Some(dense) => tanh(dense.forward(x)),
            None => x,
        };
        if let Some(structured) = &self.structured {
            let [batch, time, outputs] = sequence.dims();
            let output = structured.forward(sequence.clone(), lengths)?;
            let hops = structured.hops();
            let hop = |hop: usize| output.weights.clone().slice([0..batch, hop..hop + 1, 0..time]).squeeze_dim::<2>(1);
            let seen = if views {
                (0..hops).map(|at| View { name: format!("hop {}", at + 1), weights: hop(at) }).collect()
            } else {
                Vec::new()
            };
            let mean = output.weights.clone().mean_dim(1).squeeze_dim::<2>(1);
            let pooled = output.hops.reshape([batch, hops * outputs]);
            return Ok(Attended { sequence, pooled: Some((pooled, mean, output.penalty)), views: seen });
        }
        if let Some(heads) = &self.multi_head {
            let x = bend(&self.dense, sequence);
            let output = if views {
                heads.forward_with_weights(x.clone(), x.clone(), x, &mask)?
            } else {
                let context = heads.forward(x.clone(), x.clone(), x, &mask)?;
                lookback_nn::attention::MultiHeadOutput { context, weights: None }
            };
            let seen = output.weights.map_or_else(Vec::new, |weights| received(weights, lengths, "head"));
            return Ok(Attended { sequence: output.context, pooled: None, views: seen });
        }
        let Some(attention) = &self.attention else {
            return Ok(Attended { sequence, pooled: None, views: Vec::new() });
        };
        let output = attention.self_attention(sequence.clone(), &mask, views)?;
        let seen = output
            .weights
            .map_or_else(Vec::new, |weights| received(weights.unsqueeze_dim(1), lengths, "self-attention"));
        let beside = Tensor::cat(vec![sequence, output.context], 2);
        Ok(Attended { sequence: bend(&self.dense, beside), pooled: None, views: seen })
    }
}

/// How much each step is looked at, the mean over the steps that look: weights `[B, N, T, T]`, a view a head.
fn received(weights: Tensor<4>, lengths: &[usize], name: &str) -> Vec<View> {
    let [batch, heads, time, _] = weights.dims();
    let device = weights.device();
    let shares: Vec<f32> = lengths
        .iter()
        .flat_map(|&length| (0..time).map(move |step| if step < length { 1.0 / length as f32 } else { 0.0 }))
        .collect();
    let shares = Tensor::<4>::from_data(TensorData::new(shares, [batch, 1, time, 1]), &device);
    let received = (weights * shares).sum_dim(2).squeeze_dim::<3>(2);
    (0..heads)
        .map(|head| View {
            name: if heads == 1 { name.to_string() } else { format!("{name} {}", head + 1) },
            weights: received.clone().slice([0..batch, head..head + 1, 0..time]).squeeze_dim(1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn names_are_read_as_they_are_written_and_others_refused() {
        for name in ["none", "additive", "dot", "general", "scaled-dot", "self", "multi-head:8", "structured:4"] {
            assert_eq!(name.parse::<AttentionForm>().unwrap().to_string(), name);
        }
        for name in ["", "multi-head", "multi-head:x", "self:2", "cosine"] {
            assert!(name.parse::<AttentionForm>().unwrap_err().contains("is unknown; there are"), "{name}");
        }
        let error = AttentionForm::MultiHead(3).check(8).unwrap_err();
        assert_eq!(error, "--attention is multi-head:3, but the 8 outputs of a step do not divide into 3 heads");
        assert!(AttentionForm::Structured(0).check(8).is_err());
    }

    #[test]
    fn every_form_gives_its_width_and_views_that_sum_to_one() {
        let device = Device::flex();
        let lengths = [4, 2, 0];
        for name in ["none", "additive", "dot", "general", "scaled-dot", "self", "multi-head:2", "structured:3"] {
            let form: AttentionForm = name.parse().unwrap();
            let attend = Attend::new(form, 6, &device).unwrap();
            let x = Tensor::<3>::random([3, 4, 6], Distribution::Default, &device);
            let output = attend.forward(x.clone(), &lengths, true).unwrap();
            let width = match &output.pooled {
                Some((pooled, ..)) => pooled.dims()[1],
                None => output.sequence.dims()[2],
            };
            assert_eq!(width, form.width(6), "{name}");
            let expected = match form {
                AttentionForm::None => 0,
                AttentionForm::MultiHead(count) | AttentionForm::Structured(count) => count,
                _ => 1,
            };
            assert_eq!(output.views.len(), expected, "{name}");
            for view in &output.views {
                let sums = view.weights.clone().sum_dim(1).into_data().try_to_vec::<f32>().unwrap();
                for (sum, expected) in sums.iter().zip([1.0, 1.0, 0.0]) {
                    assert!((sum - expected).abs() < 1e-5, "{name}, {}: {sums:?}", view.name);
                }
            }
            assert!(attend.forward(x, &lengths, false).unwrap().views.is_empty());
        }
    }
}
