//! Writing: what a person asks for, in tokens, and how texts go on.

use std::ops::ControlFlow;

use super::network::Network;
use super::text::GeneratedText;
use super::writer::{Writer, WriterStates};
use crate::error::PlanError;
use crate::error::plan::refuse;
use crate::input::vocabulary::UNK;
use crate::input::written::WrittenCut;
use crate::model::{GenerateAsk, SearchAsk};
use crate::search::{Certain, Hypothesis, Request, Search, SearchOptions, SearchPlan, Unanswered};

/// Hypotheses that are followed where a beam is asked for, but not how wide a one.
const BEAM: usize = 5;
/// The length normalisation where nothing is said.
const LENGTH_PENALTY: f64 = 1.0;
/// Tokens that are written where nothing is said and texts have no end.
const LENGTH: usize = 200;
/// The most tokens that are written where nothing is said and texts have one.
const LONGEST: usize = 1_000;

/// How texts go on.
#[derive(Debug)]
pub(super) struct Searched<'a> {
    search: Search,
    text: &'a GeneratedText,
    required: Vec<Vec<u32>>,
    start: u32,
    stop: &'a [String],
}

/// A text to go on from, in tokens.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    /// What it begins with, then its own tokens.
    pub(super) tokens: Vec<u32>,
    /// What the samples are drawn from, beside the seed: the line.
    pub(super) seed: u64,
}

impl<'a> Searched<'a> {
    pub(super) fn new(
        ask: &SearchAsk,
        own: &'a GenerateAsk,
        text: &'a GeneratedText,
    ) -> Result<Searched<'a>, PlanError> {
        refuse([("shortlist", ask.shortlist.is_some())], "is of models that translate")?;
        let of_sources = [
            ("max-length-ratio", ask.max_length_ratio.is_some()),
            ("coverage-penalty", ask.coverage_penalty.is_some()),
        ];
        refuse(of_sources, "is about a source, of which a text that goes on has none")?;
        refuse([("prefix", ask.prefix.is_some())], "is what the input itself is here: a text to go on from")?;
        // Without a beam tokens are drawn: the likeliest text of a language model says little, and the same over and over.
        let beams = ask.beam.is_some() || ask.n_best.is_some() || ask.beam_groups.is_some() || !ask.require.is_empty();
        let ask = SearchAsk { sample: ask.sample || !beams, ..ask.clone() };
        let longest = match text.ends {
            true => (text.written.longest.saturating_mul(3) / 2 + 10).min(LONGEST),
            false => LENGTH,
        };
        let options = ask.options(BEAM, LENGTH_PENALTY, longest);
        let plan = SearchPlan::new(&SearchOptions { keep_attention: false, ..options.clone() })?;
        if let Some(empty) = own.stop.iter().find(|stop| stop.is_empty()) {
            return Err(PlanError::conflict("stop", format!("is {empty:?}, at which nothing would be written")));
        }
        let several = options.sample && options.count.is_some_and(|count| count > 1);
        if own.state_out.is_some() && (several || options.n_best > 1) {
            return Err(PlanError::conflict("state-out", "keeps what one text leaves, but several are asked for"));
        }
        if own.stream && (options.count.is_some_and(|count| count > 1) || (!options.sample && options.beam > 1)) {
            return Err(PlanError::conflict(
                "stream",
                "is for one sample, or --beam 1: of several texts none comes first",
            ));
        }
        if !own.stop.is_empty() && !options.sample && options.beam > 1 {
            return Err(PlanError::conflict(
                "stop",
                "is for samples and for --beam 1: a wider beam is never sure of a text",
            ));
        }
        let written = &text.written;
        let required = ask.required((written, "text"))?;
        let forbidden = ask.forbidden(written)?;
        // What is unknown is no text.
        let never = text.never().into_iter().chain([UNK]).map(|id| vec![id]);
        let search = Search::new(plan, text.end()).with_forbidden(never.chain(forbidden).collect())?;
        let start = text.asked(own)?;
        let searched = Searched { search, text, required, start, stop: &own.stop };
        let request = searched.request(&Prompt { tokens: vec![start], seed: 0 });
        SearchAsk::check_request(&searched.search, &request, written.vocabulary.len(), "a text")?;
        Ok(searched)
    }

    /// How many hypotheses of a text are followed at once.
    pub(super) fn rows(&self) -> usize {
        self.search.plan().rows()
    }

    /// A text to go on from; where tokens carry the blank before them, one at its end is the next token's.
    /// `before`: the last token of what was read before.
    pub(super) fn prompt(&self, text: &str, line: usize, before: Option<u32>) -> Prompt {
        let text = if self.text.written.cut == WrittenCut::Characters { text } else { text.trim_end_matches(' ') };
        let mut tokens = vec![before.unwrap_or(self.start)];
        tokens.extend(self.text.written.encode_whole(text));
        Prompt { tokens, seed: line as u64 }
    }

    fn request(&self, prompt: &Prompt) -> Request {
        let (start, history) = match prompt.tokens.split_last() {
            Some((last, before)) => (*last, before.to_vec()),
            None => (self.start, Vec::new()),
        };
        Request {
            required: self.required.clone(),
            history,
            seed: prompt.seed,
            ..Request::new(start, self.search.plan().longest(usize::MAX))
        }
    }

    /// How the texts go on, each in the order of the search; `states`: what was read before each; `tell` gets the tokens of samples
    /// as they come, and may break off.
    pub(super) fn write(
        &self,
        networks: &[Network],
        mut states: WriterStates,
        prompts: &[Prompt],
        mut tell: impl FnMut(u32) -> ControlFlow<()>,
    ) -> Result<Vec<Vec<Hypothesis>>, Unanswered> {
        let writer = Writer::new(networks);
        let tokens: Vec<&[u32]> = prompts.iter().map(|prompt| prompt.tokens.as_slice()).collect();
        writer.read(&mut states, &tokens);
        let requests: Vec<Request> = prompts.iter().map(|prompt| self.request(prompt)).collect();
        let mut written: Vec<Vec<Vec<u32>>> = vec![Vec::new(); prompts.len()];
        let watch = |certain: Certain| {
            tell(certain.token)?;
            if self.stop.is_empty() {
                return ControlFlow::Continue(());
            }
            let samples = &mut written[certain.source_row];
            samples.resize(samples.len().max(certain.sample + 1), Vec::new());
            samples[certain.sample].push(certain.token);
            match self.has_stopped(&samples[certain.sample], self.stop) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        Ok(self.search.run_watched(&writer, states, &requests, watch)?)
    }

    /// Whether the last of these tokens brought one of the texts at which writing stops.
    fn has_stopped(&self, tokens: &[u32], stop: &[String]) -> bool {
        // A token has a character at least.
        let longest = stop.iter().map(|stop| stop.chars().count()).max().unwrap_or(0);
        let tail = &tokens[tokens.len().saturating_sub(longest + 1)..];
        let text = self.text.written.cut.text_behind("", self.text.written.tokens(tail, |_| None));
        stop.iter().any(|stop| text.contains(stop.as_str()))
    }
}
