//! What was learnt of the texts of the training.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::error::PlanError;
use crate::input::vocabulary::PAD;
use crate::input::written::WrittenText;
use crate::model::GenerateAsk;

/// How texts become tokens and tokens a text again, and what texts begin and end with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GeneratedText {
    /// The tokens.
    pub written: WrittenText,
    /// Whether texts end: else they go on for as long as somebody wants.
    pub ends: bool,
    /// The labels by which texts are written, one of which each begins with; none where they are written by nothing.
    pub labels: Vec<String>,
}

/// The special token of a label.
fn special(label: &str) -> String {
    format!("<label {label}>")
}

impl GeneratedText {
    /// The special tokens of these labels.
    pub fn specials(labels: &[String]) -> Vec<String> {
        labels.iter().map(|label| special(label)).collect()
    }

    /// The characters of all tokens, each once: what is known of a text that is read.
    pub fn characters(&self) -> Vec<&str> {
        let vocabulary = &self.written.vocabulary;
        let tokens = &vocabulary.tokens()[vocabulary.specials()..];
        let characters: BTreeSet<&str> = tokens.iter().flat_map(|token| token.graphemes(true)).collect();
        characters.into_iter().collect()
    }

    /// Whether texts can be written by it; what a file says may be anything.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        self.written.check()?;
        match self.labels.iter().find(|label| self.written.vocabulary.special(&special(label)).is_none()) {
            Some(label) => Err(format!("the vocabulary lacks the label {label:?}")),
            None => Ok(()),
        }
    }

    /// The token that a text begins with, by its label where texts are written by one.
    ///
    /// # Errors
    /// If there is no such label, one is missing, or there are none.
    pub fn start(&self, label: Option<&str>) -> Result<u32, String> {
        let known = || self.labels.iter().map(|label| format!("{label:?}")).collect::<Vec<_>>().join(", ");
        match (label, self.labels.is_empty()) {
            (None, true) => Ok(self.written.bos()),
            (Some(label), true) => Err(format!("is {label:?}, but the model writes texts by no label")),
            (None, false) => Err(format!("is missing: the model writes texts by one of {}", known())),
            (Some(label), false) => match self.written.vocabulary.special(&special(label)) {
                Some(id) => Ok(id),
                None => Err(format!("is {label:?}; the model was trained on {}", known())),
            },
        }
    }

    /// The same of what a person asks for by `--condition`; where a text goes on from what was read before, that has one already.
    pub(super) fn asked(&self, ask: &GenerateAsk) -> Result<u32, PlanError> {
        if ask.state_in.is_none() {
            let label = ask.condition.as_deref();
            return self.start(label).map_err(|problem| PlanError::conflict("condition", problem));
        }
        match ask.condition {
            Some(_) => {
                Err(PlanError::conflict("condition", "is of a text that begins, but --state-in goes on with one"))
            }
            None => Ok(self.written.bos()),
        }
    }

    /// The token that ends a text, where texts end.
    pub fn end(&self) -> Option<u32> {
        self.ends.then(|| self.written.eos())
    }

    /// Tokens that no text has: what pads, begins or names a label, and the end where texts have none.
    pub(super) fn never(&self) -> Vec<u32> {
        let vocabulary = &self.written.vocabulary;
        let labels = self.labels.iter().filter_map(|label| vocabulary.special(&special(label)));
        let end = (!self.ends).then(|| self.written.eos());
        [PAD, self.written.bos()].into_iter().chain(labels).chain(end).collect()
    }

    /// Tokens as people see them.
    pub fn shown(&self, ids: &[u32]) -> Vec<String> {
        let cut = self.written.cut;
        self.written.tokens(ids, |_| None).iter().map(|token| cut.shown(token).to_owned()).collect()
    }
}
