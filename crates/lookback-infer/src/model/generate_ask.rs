//! What is asked of a model that writes texts by themselves.

use std::path::PathBuf;

use crate::error::PlanError;

/// What is asked of a language model, beside how it searches.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[cfg_attr(feature = "clap", command(next_help_heading = "Language models"))]
pub struct GenerateAsk {
    /// How likely every token of the input is, in place of a text that goes on from it
    #[cfg_attr(feature = "clap", arg(long))]
    pub score: bool,
    /// Write each token as it comes, as plain text, one input after another
    #[cfg_attr(feature = "clap", arg(long))]
    pub stream: bool,
    /// Go on from what was read before: a file of --state-out; the label of that text holds on
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub state_in: Option<PathBuf>,
    /// Keep what was read and written of the one input in this file, from which --state-in goes on as if all of it had been one text
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub state_out: Option<PathBuf>,
    /// The label by which texts are written, of models that were trained with --label
    #[cfg_attr(feature = "clap", arg(long, value_name = "LABEL"))]
    pub condition: Option<String>,
    /// A text at which writing stops; it is left out. May be said several times
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT"))]
    pub stop: Vec<String>,
}

impl GenerateAsk {
    /// The first option of it that is said.
    pub fn said(&self) -> Option<&'static str> {
        let options = [
            ("score", self.score),
            ("stream", self.stream),
            ("state-in", self.state_in.is_some()),
            ("state-out", self.state_out.is_some()),
            ("condition", self.condition.is_some()),
            ("stop", !self.stop.is_empty()),
        ];
        options.into_iter().find_map(|(option, said)| said.then_some(option))
    }

    /// Refuses all of it, for a model of another kind.
    ///
    /// # Errors
    /// If any of it is said.
    pub(crate) fn refuse(&self) -> Result<(), PlanError> {
        match self.said() {
            Some(option) => Err(PlanError::conflict(option, "is of language models (lookback train generate)")),
            None => Ok(()),
        }
    }
}
