//! Whether a text has one label or several.

use serde::{Deserialize, Serialize};

use super::{SCORES, SCORES_OF_SEVERAL};
use crate::model::Score;
use crate::network::Link;

/// How many labels a text has: what differs between the two stands here, in [`Targets`](super::Targets) and in the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelsPerText {
    /// One: the likeliest is answered.
    #[default]
    One,
    /// Any number, none as well: those are answered whose probability reaches their threshold.
    Several,
}

impl LabelsPerText {
    /// How logits become probabilities.
    pub fn link(self) -> Link {
        match self {
            LabelsPerText::One => Link::Softmax,
            LabelsPerText::Several => Link::Sigmoid,
        }
    }

    /// What such a classifier is validated by; the first decides unless another is asked for.
    pub fn scores(self) -> &'static [Score] {
        match self {
            LabelsPerText::One => &SCORES,
            LabelsPerText::Several => &SCORES_OF_SEVERAL,
        }
    }
}
