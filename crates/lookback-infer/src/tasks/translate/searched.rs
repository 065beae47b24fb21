//! The search for translations: what a person asks for, in tokens, and how good what is found is.

use std::collections::HashSet;

use super::answer;
use super::copying::SourceTokens;
use super::data::{Dataset, Followed};
use super::metrics::{BleuTokenizer, Judged, ScoreOptions, Scores};
use super::network::Network;
use super::shortlist::{Shortened, Shortlists};
use super::target::Targets;
use super::writer::{Writer, losses};
use crate::error::PlanError;
use crate::input::tokenizer::{Segmentation, TokenizerChoice};
use crate::input::vocabulary::{PAD, UNK};
use crate::input::written::WrittenText;
use crate::input::{Batch, Example};
use crate::model::SearchAsk;
use crate::network::budget::Budget;
use crate::search::{Hypothesis, MOST_TOKENS, Request, Search, SearchPlan, Unanswered};

/// Hypotheses that are followed where nothing is said.
const BEAM: usize = 5;
/// The length normalisation where nothing is said.
const LENGTH_PENALTY: f64 = 1.0;

/// What a translator is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Sources judged.
    pub examples: usize,
    /// What the references cost per token, in nats.
    pub loss: f64,
    /// How good the answers are.
    pub scores: Scores,
}

/// The most tokens of a translation where nothing else is said: half as many again as any target of the training has.
pub fn most_tokens(target: &WrittenText) -> usize {
    target.longest.saturating_add(target.longest / 2).saturating_add(10).min(MOST_TOKENS)
}

/// A search for translations.
#[derive(Debug)]
pub(super) struct Searched<'a> {
    search: Search,
    request: Request,
    target: &'a WrittenText,
    /// Whether tokens are copied, and words that are not to be, of those that no target of the training has.
    copies: bool,
    not_copied: HashSet<String>,
    /// Where not all tokens may be answered.
    shortlist: Option<Shortened<'a>>,
}

impl<'a> Searched<'a> {
    pub(super) fn new(ask: &SearchAsk, target: &'a WrittenText, copies: bool) -> Result<Searched<'a>, PlanError> {
        let plan = SearchPlan::new(&ask.options(BEAM, LENGTH_PENALTY, most_tokens(target)))?;
        let forbidden = ask.forbidden(target)?;
        let not_copied = if copies { not_copied(&ask.forbid, target)? } else { HashSet::new() };
        let required = ask.required((target, "target"))?;
        let prefix = ask.prefix.as_deref().map(|text| SearchAsk::tokens("prefix", text, (target, "target")));
        let prefix = prefix.transpose()?.unwrap_or_default();
        // What begins or pads is no token of a text. In the place of what is unknown stands a word of the source, which may be a
        // forbidden one.
        let unknown = (!ask.forbid.is_empty()).then_some(UNK);
        let never = [target.bos(), PAD].into_iter().chain(unknown).map(|id| vec![id]);
        let forbidden: Vec<Vec<u32>> = never.chain(forbidden).collect();
        let search = Search::new(plan, Some(target.eos())).with_forbidden(forbidden)?;
        // However long a source is: one that may have fewer tokens is answered with what must begin it, cut.
        let request = Request { prefix, required, ..Request::new(target.bos(), search.plan().longest(usize::MAX)) };
        SearchAsk::check_request(&search, &request, target.vocabulary.len(), "a translation")?;
        Ok(Searched { search, request, target, copies, not_copied, shortlist: None })
    }

    /// How much of a source is followed.
    pub(super) fn followed(&self) -> Followed {
        Followed { shortlist: self.shortlist.as_ref().map_or(0, Shortened::count), ..followed_by(self.search.plan()) }
    }

    /// The same by shortlists of so many tokens, of the model's.
    pub(super) fn shortened(self, lists: Option<&'a Shortlists>, count: usize) -> Result<Searched<'a>, PlanError> {
        let Request { prefix, required, .. } = &self.request;
        let always = prefix.iter().chain(required.iter().flatten()).copied().chain([self.target.eos()]).collect();
        Ok(Searched { shortlist: Some(Shortened::new(lists, count, always)?), ..self })
    }

    /// The translations of each, the best first; none of a source without a token, of which there is nothing to say.
    pub(super) fn translate(
        &self,
        networks: &[Network],
        examples: &[&Example],
    ) -> Result<Vec<Vec<Hypothesis>>, Unanswered> {
        let full: Vec<&Example> = examples.iter().copied().filter(|source| !source.is_empty()).collect();
        let mut found = if full.is_empty() { Vec::new() } else { self.of_full(networks, &full)? }.into_iter();
        let of = |source: &&Example| if source.is_empty() { Vec::new() } else { found.next().unwrap_or_default() };
        Ok(examples.iter().map(of).collect())
    }

    fn of_full(&self, networks: &[Network], examples: &[&Example]) -> Result<Vec<Vec<Hypothesis>>, Unanswered> {
        let batch = Batch::new(examples, networks[0].parts(), &mut || false);
        let of = |example: &&Example| SourceTokens::of(self.target, example);
        let sources: Vec<SourceTokens> = if self.copies { examples.iter().map(of).collect() } else { Vec::new() };
        let sources: Vec<&SourceTokens> = sources.iter().collect();
        let (writer, state) = match &self.shortlist {
            Some(shortlist) => Writer::read_shortlisted(networks, &batch, shortlist.of_batch(examples)),
            None => Writer::read(networks, &batch, &sources, &self.not_copied),
        };
        let request = |example: &&Example| {
            let longest = self.search.plan().longest(example.len()).max(self.request.prefix.len());
            Request { longest, seed: example.line as u64, ..self.request.clone() }
        };
        let requests: Vec<Request> = examples.iter().map(request).collect();
        Ok(self.search.run(&writer, state, &requests)?)
    }

    /// How good the translations of pairs are whose sources are within the budget.
    pub(super) fn judge(
        &self,
        networks: &[Network],
        dataset: &Dataset,
        options: &ScoreOptions,
        budget: &Budget,
    ) -> Result<Metrics, Unanswered> {
        let target = self.target;
        let mut answers = vec![String::new(); dataset.examples.len()];
        for rows in budget.batches(&dataset.source_lengths()) {
            let examples: Vec<&Example> = rows.iter().map(|&row| &dataset.examples[row]).collect();
            for (&row, found) in rows.iter().zip(&self.translate(networks, &examples)?) {
                let text = |best| answer::text(target, best, &dataset.examples[row]);
                answers[row] = found.first().map_or_else(String::new, text);
            }
        }
        let (mut loss, mut tokens) = (0.0, 0);
        for rows in budget.batches(&dataset.lengths) {
            let examples: Vec<&Example> = rows.iter().map(|&row| &dataset.examples[dataset.rows[row].0]).collect();
            let targets: Vec<&[u32]> = rows.iter().map(|&row| dataset.rows[row].1.as_slice()).collect();
            let batch = Batch::new(&examples, networks[0].parts(), &mut || false);
            let targets = Targets::new(&targets, target, || false).with_sources(dataset.sources_of(&rows));
            loss += losses(networks, &batch, &targets).iter().sum::<f64>();
            tokens += dataset.tokens(&rows);
        }
        let loss = loss / tokens.max(1) as f64;
        if !loss.is_finite() {
            return Err(Unanswered::Overflow);
        }
        let pairs = answers.iter().zip(&dataset.references);
        let judged: Vec<Judged<'_>> = pairs.map(|(hypothesis, references)| Judged { hypothesis, references }).collect();
        Ok(Metrics { examples: dataset.examples.len(), loss, scores: Scores::of(&judged, options) })
    }
}

/// Judges networks that write together, the likeliest token at every step, on pairs whose sources are within the budget;
/// `None` where numbers overflow.
///
/// # Panics
/// If there is no network, or the data were made for another one.
pub fn judge_greedily(
    networks: &[Network],
    dataset: &Dataset,
    target: &WrittenText,
    budget: &Budget,
) -> Option<Metrics> {
    let copies = networks.iter().any(Network::copies);
    let searched = Searched::new(&SearchAsk::greedy(), target, copies).ok()?;
    let options = ScoreOptions { tokenizer: tokenizer_of(dataset), ..ScoreOptions::default() };
    searched.judge(networks, dataset, &options, budget).ok()
}

/// How much of a source a search follows that was asked for so, all tokens of the targets allowed; of one that cannot be,
/// nothing.
pub(super) fn followed(ask: &SearchAsk, target: &WrittenText) -> Followed {
    let plan = SearchPlan::new(&ask.options(BEAM, LENGTH_PENALTY, most_tokens(target)));
    let followed = plan.map_or(Followed::default(), |plan| followed_by(&plan));
    Followed { shortlist: ask.shortlist.unwrap_or(0), ..followed }
}

fn followed_by(plan: &SearchPlan) -> Followed {
    Followed { hypotheses: plan.rows(), longest: plan.longest(usize::MAX), shortlist: 0 }
}

/// The words of what is forbidden that no target of the training has, but a source may have.
fn not_copied(forbidden: &[String], target: &WrittenText) -> Result<HashSet<String>, PlanError> {
    let mut words = HashSet::new();
    for text in forbidden {
        let tokens = target.cut_up(text);
        let unknown = tokens.iter().any(|token| target.vocabulary.id(token).is_none());
        match tokens.as_slice() {
            [token] => words.extend([token.clone(), target.cut.shown(token).to_owned()]),
            _ if unknown => {
                let problem = format!(
                    "{text:?} has several tokens, one of which no target of the training has, and this model copies such \
                     tokens; forbid the words one by one"
                );
                return Err(PlanError::conflict("forbid", problem));
            }
            // Where no blank stands before it, its first word may be one that no target has so.
            [first, ..] => {
                let bare = match &target.subwords {
                    Some(subwords) => subwords.tokens_behind(text).into_iter().next().unwrap_or_default(),
                    None => target.cut.shown(first).to_owned(),
                };
                if target.vocabulary.id(&bare).is_none() {
                    words.insert(bare);
                }
            }
            [] => {}
        }
    }
    Ok(words)
}

/// How the references of these data are cut for BLEU: Chinese and Japanese by characters.
pub(super) fn tokenizer_of(dataset: &Dataset) -> BleuTokenizer {
    let references = dataset.references.iter().flatten().map(String::as_str);
    match TokenizerChoice::Auto.resolve(references, false) {
        Segmentation::Jieba => BleuTokenizer::Zh,
        Segmentation::Characters => BleuTokenizer::Char,
        Segmentation::Words | Segmentation::Bpe | Segmentation::Unigram => BleuTokenizer::V13a,
    }
}
