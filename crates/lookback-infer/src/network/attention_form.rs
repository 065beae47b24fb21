//! The attention over the steps of the recurrent layers, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::PlanError;

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

/// The most hops; heads must divide the width of a step, which bounds them.
const MOST: usize = 64;

impl AttentionForm {
    /// Whether it takes the place of pooling.
    pub fn pools(self) -> bool {
        matches!(self, AttentionForm::Structured(_))
    }

    /// The width of a step after it, or of the pooled vector where it pools.
    pub fn width(self, outputs: usize) -> usize {
        match self {
            AttentionForm::None | AttentionForm::SelfAttention | AttentionForm::MultiHead(_) => outputs,
            AttentionForm::Structured(hops) => hops * outputs,
            _ => 2 * outputs,
        }
    }

    /// Heads that weigh all pairs of steps.
    pub fn pair_heads(self) -> usize {
        match self {
            AttentionForm::None | AttentionForm::Structured(_) => 0,
            AttentionForm::MultiHead(heads) => heads,
            _ => 1,
        }
    }

    /// Whether it fits steps of this width.
    ///
    /// # Errors
    /// If the heads do not divide the width, or there are too many hops.
    pub fn check(self, outputs: usize) -> Result<(), PlanError> {
        match self {
            AttentionForm::MultiHead(heads) if heads == 0 || !outputs.is_multiple_of(heads) => {
                Err(PlanError::conflict(
                    "attention",
                    format!(
                        "is multi-head:{heads}, but the {outputs} outputs of a step do not divide into {heads} heads"
                    ),
                ))
            }
            AttentionForm::Structured(hops) if hops == 0 || hops > MOST => {
                Err(PlanError::value("attention", self, format!("structured:N with N from 1 to {MOST}")))
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
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let unknown = || {
            let there_are = "none, additive, dot, general, scaled-dot, self, multi-head:N and structured:N";
            PlanError::conflict("attention", format!("'{text}' is unknown; there are {there_are}"))
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
    type Error = PlanError;

    fn try_from(text: String) -> Result<Self, PlanError> {
        text.parse()
    }
}

impl From<AttentionForm> for String {
    fn from(form: AttentionForm) -> String {
        form.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_others_refused() {
        for name in ["none", "additive", "dot", "general", "scaled-dot", "self", "multi-head:8", "structured:4"] {
            assert_eq!(name.parse::<AttentionForm>().unwrap().to_string(), name);
        }
        for name in ["", "multi-head", "multi-head:x", "self:2", "cosine"] {
            assert!(name.parse::<AttentionForm>().unwrap_err().to_string().contains("is unknown; there are"), "{name}");
        }
        let error = AttentionForm::MultiHead(3).check(8).unwrap_err().to_string();
        assert_eq!(error, "--attention is multi-head:3, but the 8 outputs of a step do not divide into 3 heads");
        assert!(AttentionForm::Structured(0).check(8).is_err());
    }
}
