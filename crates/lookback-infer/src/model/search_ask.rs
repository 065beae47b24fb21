//! What is asked of a search for sequences, where a model writes some.

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::input::written::{WrittenCut, WrittenText};
use crate::search::{Request, Search, SearchOptions};

/// How a model that writes texts searches for them, as a person says it; what is not said, the model's task decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[cfg_attr(feature = "clap", command(next_help_heading = "Search, of models that write texts"))]
pub struct SearchAsk {
    /// Hypotheses that are followed at once; 1 takes the likeliest token at every step (greedy) [default: 5]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub beam: Option<usize>,
    /// Texts that are given for an input, the best first [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub n_best: Option<usize>,
    /// Length normalisation (Wu 2016, eq. 14): 0 for none, more for longer texts [default: 1]
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "X"))]
    pub length_penalty: Option<f64>,
    /// Coverage penalty (Wu 2016, eq. 14): 0 for none, more for texts that leave nothing of the source out [default: 0]
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "X"))]
    pub coverage_penalty: Option<f64>,
    /// The fewest tokens of a text [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub min_length: Option<usize>,
    /// The most tokens of a text, its end among them; what has so many is cut. Of a language model those that it writes [default: by
    /// the training data; of a language model whose texts have no end 200]
    #[cfg_attr(feature = "clap", arg(long, visible_alias = "length", value_name = "N"))]
    pub max_length: Option<usize>,
    /// The most tokens of a text per token of its source, to which 10 are added; and never more than --max-length
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "X"))]
    pub max_length_ratio: Option<f64>,
    /// Groups of the beam that differ from each other (Vijayakumar 2018) [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub beam_groups: Option<usize>,
    /// What a token loses in a group for each time an earlier group has it in the same step [default: 0.5]
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "X"))]
    pub diversity: Option<f64>,
    /// Draw tokens by their probability, in place of the likeliest
    #[cfg_attr(feature = "clap", arg(long))]
    pub sample: bool,
    /// Samples of every input [default: 1]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub count: Option<usize>,
    /// What log-probabilities are divided by before a token is drawn; 0 for the likeliest [default: 1]
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "X"))]
    pub temperature: Option<f64>,
    /// Draw from so many of the likeliest tokens (Fan 2018)
    #[cfg_attr(feature = "clap", arg(long, value_name = "K"))]
    pub top_k: Option<usize>,
    /// Draw from the fewest tokens that together are so likely (Holtzman 2020)
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "P"))]
    pub top_p: Option<f64>,
    /// Draw from tokens at least so likely, as a share of the likeliest one's probability
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "P"))]
    pub min_p: Option<f64>,
    /// What the logits of tokens that came before are divided by (Keskar 2019) [default: 1]
    #[cfg_attr(feature = "clap", arg(long, allow_negative_numbers = true, value_name = "X"))]
    pub repetition_penalty: Option<f64>,
    /// What samples are drawn from [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub seed: Option<u64>,
    /// Compute how likely tokens are for those alone that stood most beside the tokens of the source in the training, so many
    /// of each and as many of the commonest; of models that were trained with --shortlist of at least as many
    #[cfg_attr(feature = "clap", arg(long, value_name = "N"))]
    pub shortlist: Option<usize>,
    /// A text that every answer begins with
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT"))]
    pub prefix: Option<String>,
    /// A word or text that no answer contains; may be said several times. What the model has no word for is then not taken from the
    /// source either, but for words that are copied
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbid: Vec<String>,
    /// A word or text that every answer contains; may be said several times
    #[cfg_attr(feature = "clap", arg(long, value_name = "TEXT"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<String>,
}

impl SearchAsk {
    /// Of greedy search, the likeliest token at every step.
    pub fn greedy() -> SearchAsk {
        SearchAsk { beam: Some(1), ..SearchAsk::default() }
    }

    /// The first option that is said.
    pub fn said(&self) -> Option<&'static str> {
        let said = [
            ("beam", self.beam.is_some()),
            ("n-best", self.n_best.is_some()),
            ("length-penalty", self.length_penalty.is_some()),
            ("coverage-penalty", self.coverage_penalty.is_some()),
            ("min-length", self.min_length.is_some()),
            ("max-length", self.max_length.is_some()),
            ("max-length-ratio", self.max_length_ratio.is_some()),
            ("beam-groups", self.beam_groups.is_some()),
            ("diversity", self.diversity.is_some()),
            ("sample", self.sample),
            ("count", self.count.is_some()),
            ("temperature", self.temperature.is_some()),
            ("top-k", self.top_k.is_some()),
            ("top-p", self.top_p.is_some()),
            ("min-p", self.min_p.is_some()),
            ("repetition-penalty", self.repetition_penalty.is_some()),
            ("seed", self.seed.is_some()),
            ("shortlist", self.shortlist.is_some()),
            ("prefix", self.prefix.is_some()),
            ("forbid", !self.forbid.is_empty()),
            ("require", !self.require.is_empty()),
        ];
        said.into_iter().find_map(|(option, said)| said.then_some(option))
    }

    /// The tokens of a text that is said by `option`; `what`: what the training has texts as.
    ///
    /// # Errors
    /// If one of them is unknown.
    pub(crate) fn tokens(
        option: &'static str,
        text: &str,
        (written, what): (&WrittenText, &str),
    ) -> Result<Vec<u32>, PlanError> {
        let ids = written.encode_whole(text);
        match ids.iter().any(|&id| written.is_unknown(id)) {
            true => {
                let cut = written.cut;
                let problem =
                    format!("{text:?} holds a token that no {what} of the training has; they are cut into {cut}");
                Err(PlanError::conflict(option, problem))
            }
            false => Ok(ids),
        }
    }

    /// The tokens of the texts that every answer contains.
    ///
    /// # Errors
    /// If one of them is unknown.
    pub(crate) fn required(&self, written: (&WrittenText, &str)) -> Result<Vec<Vec<u32>>, PlanError> {
        self.require.iter().map(|text| SearchAsk::tokens("require", text, written)).collect()
    }

    /// The tokens of the texts that no answer contains, in all their forms.
    ///
    /// # Errors
    /// If one is of no text.
    pub(crate) fn forbidden(&self, written: &WrittenText) -> Result<Vec<Vec<u32>>, PlanError> {
        // A blank is a token of its own among characters alone.
        let is_nothing = |text: &String| match written.cut {
            WrittenCut::Characters => text.is_empty(),
            _ => text.trim().is_empty(),
        };
        if self.forbid.iter().any(is_nothing) {
            return Err(PlanError::conflict("forbid", "is of no text, which cannot be forbidden; leave it out"));
        }
        Ok(self.forbid.iter().flat_map(|text| written.forms(text)).collect())
    }

    /// Whether this can be searched for, in a vocabulary of so many tokens; `what` is found, such as "a translation".
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn check_request(
        search: &Search,
        request: &Request,
        vocabulary: usize,
        what: &str,
    ) -> Result<(), PlanError> {
        search.check(request, vocabulary).map_err(|problem| PlanError::Unfit(format!("{what} {problem}")))?;
        let longest = request.longest;
        match request.required.iter().find(|sequence| sequence.len() > longest) {
            Some(sequence) => {
                let problem = format!("has {} tokens, but {what} may have only {longest}", sequence.len());
                Err(PlanError::conflict("require", problem))
            }
            None => Ok(()),
        }
    }

    /// The options of the search where the task takes beams of `beam`, normalises by `length_penalty`, and writes at most
    /// `longest` tokens. The attention is kept.
    pub(crate) fn options(&self, beam: usize, length_penalty: f64, longest: usize) -> SearchOptions {
        let beam = if self.sample { 1 } else { beam };
        let n_best = self.n_best.unwrap_or(1);
        SearchOptions {
            // As many as are asked for are followed.
            beam: self.beam.unwrap_or(beam.max(if self.sample { 1 } else { n_best })),
            n_best,
            length_penalty: self.length_penalty.unwrap_or(length_penalty),
            coverage_penalty: self.coverage_penalty.unwrap_or(0.0),
            min_length: self.min_length.unwrap_or(0),
            max_length: self.max_length.unwrap_or(longest),
            max_length_ratio: self.max_length_ratio,
            beam_groups: self.beam_groups.unwrap_or(1),
            diversity: self.diversity,
            sample: self.sample,
            count: self.count,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed: self.seed,
            keep_attention: true,
            ..SearchOptions::default()
        }
    }
}
