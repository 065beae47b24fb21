//! The tagger's plan: its network.

use serde::{Deserialize, Serialize};

use crate::error::{PlanError, plan};
use crate::network::{EncoderPlan, MOST_NETWORKS};

/// The network's shape, apart from what the data decide, and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkPlan {
    /// Token vectors, recurrent layers, attention.
    pub encoder: EncoderPlan,
    /// Dropout before the output.
    pub output_dropout: f64,
    /// Whether tags are chosen together, by a conditional random field over the scores of all steps; else each by itself.
    pub crf: bool,
    /// Networks that answer together.
    pub ensemble: usize,
}

impl NetworkPlan {
    /// Whether a network can be made; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that no network has, or the attention leaves no vector per token.
    pub fn check(&self) -> Result<(), PlanError> {
        plan::size("ensemble", self.ensemble, MOST_NETWORKS)?;
        self.encoder.check()?;
        if self.encoder.attention.pools() {
            let form = self.encoder.attention;
            let problem = format!("{form} makes one vector of a whole text, but every token of it is to have a tag");
            return Err(PlanError::conflict("attention", problem));
        }
        plan::below_one("output-dropout", self.output_dropout)
    }

    /// The network in one line, for people.
    pub fn summary(&self) -> String {
        let networks = if self.ensemble == 1 { String::new() } else { format!("{} networks, each ", self.ensemble) };
        let head = if self.crf { ", conditional random field" } else { "" };
        format!("{networks}{}{head}", self.encoder.summary())
    }
}
