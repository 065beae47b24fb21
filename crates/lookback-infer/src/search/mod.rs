//! The search for sequences that a decoder continues token by token: greedy, beams, samples, of any [`Decoder`].
//!
//! [`SearchOptions`] become a [`SearchPlan`]; [`Search::run`] searches for many sources at once. The search knows nothing of
//! what the decoder is, nor of what its sources are. Whatever ends leaves the decoder's state at once, so that no step
//! computes it any more, and what is found for a source does not depend on the others, bit for bit, if the decoder's rows do
//! not.
//!
//! A beam ends as soon as its answer is certain, and that changes no answer: with penalties of 0 and above, which all plans
//! have, a hypothesis of log-probability `L` never becomes one of a score above `L / lp(longest)` (Wu 2016), whatever follows,
//! and when that is below the last of the `n_best` that are complete, nothing can get among these. With a large length
//! penalty this bound is far away, and a beam goes on until as many hypotheses are complete as it is wide and none of the others is
//! ahead of the `n_best`.
//!
//! Two tokens, or two hypotheses, that are worth the same are always told apart in the same way: the lower token first.

mod beam;
mod decoder;
mod draw;
mod error;
mod forbidden;
mod hypothesis;
mod options;
mod paths;
mod plan;
mod request;
mod required;
mod samples;
mod score;
mod scratch;
mod source;
#[cfg(test)]
mod tests;
mod top;

pub use self::decoder::{Decoder, Step};
pub use self::error::SearchError;
pub(crate) use self::error::Unanswered;
pub use self::hypothesis::{Ending, Hypothesis};
pub use self::options::SearchOptions;
pub use self::plan::{MOST_HYPOTHESES, MOST_TOKENS, SearchPlan};
pub use self::request::Request;

use std::ops::ControlFlow;

use rayon::prelude::*;

use self::decoder::SourceRows;
use self::error::Fault;
use self::forbidden::Forbidden;
use self::scratch::Scratch;
use self::source::Source;
use crate::error::PlanError;

/// How sequences are searched for, and which tokens end them or never come.
///
/// ```
/// use lookback_infer::search::{Decoder, Request, Search, SearchOptions, SearchPlan, Step};
///
/// /// Of three tokens the one after the last is likeliest.
/// struct Next;
///
/// impl Decoder for Next {
///     /// How many steps each row has taken.
///     type State = Vec<usize>;
///     type Error = std::convert::Infallible;
///
///     fn vocabulary(&self) -> usize {
///         3
///     }
///
///     fn step(&self, state: &mut Vec<usize>, tokens: &[u32], out: &mut Step) -> Result<(), Self::Error> {
///         state.iter_mut().for_each(|steps| *steps += 1);
///         out.log_probabilities().fill(0.1f32.ln());
///         for (row, token) in out.log_probabilities().chunks_mut(3).zip(tokens) {
///             row[(*token as usize + 1) % 3] = 0.8f32.ln();
///         }
///         Ok(())
///     }
///
///     fn reorder(&self, state: &mut Vec<usize>, rows: &[usize]) {
///         *state = rows.iter().map(|&row| state[row]).collect();
///     }
/// }
///
/// let options = SearchOptions { beam: 4, n_best: 2, ..SearchOptions::default() };
/// let search = Search::new(SearchPlan::new(&options)?, Some(2));
/// let found = search.run(&Next, vec![0; 2], &[Request::new(2, 9), Request::new(0, 9)])?;
/// assert_eq!(found[0][0].tokens, [0, 1]);
/// assert_eq!(found[1][0].tokens, [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    plan: SearchPlan,
    end: Option<u32>,
    forbidden: Forbidden,
    /// The largest token of all that are forbidden.
    largest_forbidden: Option<u32>,
}

/// A token that stays, whatever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certain {
    /// Its source, counted from 0.
    pub source_row: usize,
    /// Which of the source's samples it is of.
    pub sample: usize,
    /// The token.
    pub token: u32,
}

impl Search {
    /// With a token that ends a sequence; without one every sequence goes on to its maximum.
    pub fn new(plan: SearchPlan, end: Option<u32>) -> Self {
        Self { plan, end, forbidden: Forbidden::default(), largest_forbidden: None }
    }

    /// Sequences of tokens that are in no hypothesis. The end may be the last token of one: then nothing ends so.
    ///
    /// # Errors
    /// If one of them has no token.
    pub fn with_forbidden(mut self, sequences: Vec<Vec<u32>>) -> Result<Self, PlanError> {
        if sequences.iter().any(Vec::is_empty) {
            return Err(PlanError::Unfit("a sequence of no tokens cannot be forbidden; leave it out".to_owned()));
        }
        self.largest_forbidden = sequences.iter().flatten().copied().max();
        self.forbidden = Forbidden::new(sequences);
        Ok(self)
    }

    /// The plan.
    pub fn plan(&self) -> &SearchPlan {
        &self.plan
    }

    /// Whether one source can be searched for, in a decoder of so many tokens: of many sources, the others still can.
    ///
    /// # Errors
    /// What cannot be searched for, as the rest of a sentence that begins with the source.
    pub fn check(&self, request: &Request, vocabulary: usize) -> Result<(), String> {
        if !request.required.is_empty() && self.plan.samples() {
            return Err("must contain sequences, which only a beam search finds; leave out --sample".to_owned());
        }
        request.check(vocabulary, self.end, &self.forbidden)
    }

    /// Searches for all sources. state: one row per source, in the order of `requests`.
    ///
    /// Every source has at least one hypothesis: the best first, or all samples in their order.
    ///
    /// # Errors
    /// If a request cannot be searched for, the decoder fails, or what it gives are no log-probabilities.
    pub fn run<D: Decoder>(
        &self,
        decoder: &D,
        state: D::State,
        requests: &[Request],
    ) -> Result<Vec<Vec<Hypothesis>>, SearchError<D::Error>> {
        self.run_watched(decoder, state, requests, |_| ControlFlow::Continue(()))
    }

    /// The same, and each token is told as soon as it is certain: those of samples and of a beam of 1, but neither forced ones
    /// nor the end. What `watch` breaks off ends with that token.
    ///
    /// # Errors
    /// As [`run`](Search::run).
    pub fn run_watched<D: Decoder>(
        &self,
        decoder: &D,
        mut state: D::State,
        requests: &[Request],
        mut watch: impl FnMut(Certain) -> ControlFlow<()>,
    ) -> Result<Vec<Vec<Hypothesis>>, SearchError<D::Error>> {
        let vocabulary = decoder.vocabulary();
        self.check_all(requests, vocabulary)?;
        let mut sources: Vec<Source<'_>> = requests.iter().map(|request| Source::new(self, request)).collect();
        let (mut rows, mut tokens) = (Vec::new(), Vec::new());
        for (row, (source, request)) in sources.iter().zip(requests).enumerate() {
            if source.rows() > 0 {
                rows.push(row);
                tokens.push(request.start);
            }
        }
        let (mut out, mut scratch) = (Step::default(), Scratch::default());
        let mut before = sources.len();
        for step in 0.. {
            if tokens.is_empty() {
                break;
            }
            if !(rows.len() == before && rows.iter().enumerate().all(|(place, &row)| place == row)) {
                decoder.reorder(&mut state, &rows);
            }
            before = tokens.len();
            out.begin(before, vocabulary);
            decoder.step(&mut state, &tokens, &mut out).map_err(SearchError::Decoder)?;
            self.check_step(&out, before, vocabulary, step)?;
            advance(&mut sources, &mut out, &mut scratch).map_err(|(source, fault)| fault.of(source, step))?;
            rows.clear();
            tokens.clear();
            let mut first = 0;
            for (index, source) in sources.iter_mut().enumerate() {
                let count = source.rows();
                if count > 0 {
                    let chosen = |row, token| {
                        rows.push(first + row);
                        tokens.push(token);
                    };
                    source.settle(chosen, |sample, token| watch(Certain { source_row: index, sample, token }));
                    first += count;
                }
            }
        }
        Ok(sources.into_iter().map(Source::hypotheses).collect())
    }

    fn check_all<E: std::error::Error>(&self, requests: &[Request], vocabulary: usize) -> Result<(), SearchError<E>> {
        if vocabulary == 0 || u32::try_from(vocabulary).is_err() {
            let problem = format!("the decoder has {vocabulary} tokens; from 1 to {} were expected", u32::MAX);
            return Err(SearchError::Unfit(problem));
        }
        for (what, token) in [("the end is", self.end), ("what is forbidden has", self.largest_forbidden)] {
            if let Some(token) = token.filter(|&token| token as usize >= vocabulary) {
                let problem = format!("{what} token {token}, but the decoder has only {vocabulary}");
                return Err(SearchError::Unfit(problem));
            }
        }
        for (source_row, request) in requests.iter().enumerate() {
            self.check(request, vocabulary).map_err(|problem| SearchError::Request { source_row, problem })?;
        }
        Ok(())
    }

    fn check_step<E: std::error::Error>(
        &self,
        out: &Step,
        rows: usize,
        vocabulary: usize,
        step: usize,
    ) -> Result<(), SearchError<E>> {
        if !out.is_of(rows, vocabulary) {
            let problem = format!("the decoder put another step in the place of that of [{rows}, {vocabulary}]");
            return Err(SearchError::Unfit(problem));
        }
        match self.plan.needs_attention() {
            Some(asked) if out.attended() != rows => {
                Err(SearchError::NoAttention { asked, rows, found: out.attended(), step })
            }
            _ => Ok(()),
        }
    }
}

/// One step of every source that still has rows, several of them at once where there is enough to look through; of several
/// faults that of the first. scratch: of those that are looked through one after another.
fn advance(sources: &mut [Source<'_>], out: &mut Step, scratch: &mut Scratch) -> Result<(), (usize, Fault)> {
    /// The fewest log-probabilities that a thread looks through.
    const LEAST: usize = 1 << 15;
    let counts: Vec<usize> = sources.iter().map(Source::rows).collect();
    let each = LEAST.div_ceil(out.log_probabilities().len().div_ceil(sources.len()).max(1));
    let with_rows = sources.iter_mut().enumerate().zip(out.of_sources(counts.iter().copied()));
    let mut going: Vec<_> = with_rows.filter(|((_, source), _)| source.rows() > 0).collect();
    let one = |scratch: &mut Scratch, ((index, source), rows): &mut ((usize, &mut Source<'_>), SourceRows<'_>)| {
        source.advance(rows, scratch).map_err(|fault| (*index, fault))
    };
    if going.len() <= each {
        return going.iter_mut().try_for_each(|going| one(scratch, going));
    }
    let made: Vec<Result<(), (usize, Fault)>> =
        going.par_iter_mut().with_min_len(each).map_init(Scratch::default, one).collect();
    made.into_iter().collect()
}
