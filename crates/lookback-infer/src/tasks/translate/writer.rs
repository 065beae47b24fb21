//! Networks that write together: the mean of their probabilities at every step.

use std::collections::HashSet;
use std::convert::Infallible;

use rayon::prelude::*;

use super::copying::{Copied, SourceTokens};
use super::decoder::{Memory, States};
use super::network::{Network, ReadSources};
use super::target::Targets;
use crate::input::Batch;
use crate::input::vocabulary::UNK;
use crate::network::{add_logs, log_softmax};
use crate::search::{Decoder, Step};

/// Networks that write targets of sources which they have read.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    networks: &'a [Network],
    memories: Vec<Memory>,
    /// What is copied of each source, where tokens are copied.
    copied: Vec<Copied>,
    /// The most words that a source has of its own.
    own: usize,
    /// `[B]`: the tokens of which each source's target is made, ascending; nothing where that is any.
    lists: Vec<Vec<u32>>,
}

/// What one network gives for the next token of every row.
struct OfNetwork {
    /// `[rows, V + own]`
    log_probabilities: Vec<f32>,
    /// `[rows]`
    normalizers: Vec<f32>,
    weights: Option<Vec<Vec<f32>>>,
}

/// The states of some targets that are being written, in every network.
#[derive(Clone, Debug)]
pub(super) struct WriterState(Vec<States>);

/// What a step of the networks together gives.
#[derive(Debug)]
pub(super) struct Written {
    /// `[rows, V]`, and behind each row's those of words that sources have of their own: logarithms of probabilities.
    pub(super) log_probabilities: Vec<f32>,
    /// `[rows]`: by how much one network's logits were above them; zeros of several networks, and where tokens are copied.
    pub(super) normalizers: Vec<f32>,
    /// What each row looked at, the mean over the networks, where that was asked for.
    pub(super) weights: Option<Vec<Vec<f32>>>,
}

impl<'a> Writer<'a> {
    /// Reads the sources of a batch; gives the states of one target each, before its first token. `sources`: what tokens they
    /// have, where tokens are copied; `forbidden`: words of their own that are not.
    ///
    /// # Panics
    /// If there is no network, or the batch was made for others.
    pub(super) fn read(
        networks: &'a [Network],
        batch: &Batch,
        sources: &[&SourceTokens],
        forbidden: &HashSet<String>,
    ) -> (Writer<'a>, WriterState) {
        let copied = sources.iter().map(|source| Copied::of(source, forbidden)).collect();
        let own = sources.iter().map(|source| source.own.len()).max().unwrap_or(0);
        let read = networks.iter().map(|network| network.sources(batch));
        let (memories, states) = read.map(|ReadSources { memory, states }| (memory, states)).unzip();
        (Writer { networks, memories, copied, own, lists: Vec::new() }, WriterState(states))
    }

    /// The same where targets are made of these tokens alone, and nothing is copied. lists: `[B]`, ascending, none of them
    /// empty.
    ///
    /// # Panics
    /// As [`Writer::read`], or if the networks did not keep their output layers.
    pub(super) fn read_shortlisted(
        networks: &'a [Network],
        batch: &Batch,
        lists: Vec<Vec<u32>>,
    ) -> (Writer<'a>, WriterState) {
        let (mut writer, state) = Writer::read(networks, batch, &[], &HashSet::new());
        for (network, memory) in networks.iter().zip(&mut writer.memories) {
            network.shorten(memory, &lists);
        }
        (Writer { lists, ..writer }, state)
    }

    /// `[rows, V]` of the logits of every row's own tokens as log-probabilities, with how much they were above: the others
    /// cannot come.
    fn of_lists(&self, sources: &[usize], mut logits: Vec<f32>, normalizers: &mut [f32]) -> Vec<f32> {
        let vocabulary = self.networks[0].vocabulary();
        let mut all = vec![f32::NEG_INFINITY; sources.len() * vocabulary];
        let mut rest = &mut logits[..];
        for ((row, &source), normalizer) in all.chunks_exact_mut(vocabulary).zip(sources).zip(normalizers) {
            let list = &self.lists[source];
            let (own, others) = rest.split_at_mut(list.len());
            log_softmax(own, list.len(), std::slice::from_mut(normalizer));
            list.iter().zip(own).for_each(|(&id, value)| row[id as usize] = *value);
            rest = others;
        }
        all
    }

    /// `V`, and how many words of its own the source has that has most. No other source can have those behind its own: its
    /// answer is what it would be alone.
    pub(super) fn vocabulary(&self) -> usize {
        self.networks[0].vocabulary() + self.own
    }

    /// One step of every row: `tokens` are those before; over the memory of a vector that is no longer needed.
    pub(super) fn step(&self, state: &mut WriterState, tokens: &[u32], weights: bool, over: Vec<f32>) -> Written {
        // The network has no vector of a word that a source has of its own.
        let known = self.networks[0].vocabulary();
        let tokens: Vec<u32> = tokens.iter().map(|&id| if (id as usize) < known { id } else { UNK }).collect();
        let of_each = self.networks.iter().zip(&self.memories).zip(&mut state.0);
        let mut over = Some(over);
        let mut of_each = of_each.map(|((network, memory), states)| {
            self.of_network(network, (memory, states), &tokens, weights, over.take().unwrap_or_default())
        });
        let first = of_each.next().expect("a model has at least one network");
        let OfNetwork { mut log_probabilities, mut normalizers, weights: mut looked } = first;
        if self.networks.len() == 1 {
            return Written { log_probabilities, normalizers, weights: looked };
        }
        // Of several networks there are no logits that probabilities are made of.
        for other in of_each {
            add_logs(&mut log_probabilities, &other.log_probabilities);
            if let (Some(sum), Some(weights)) = (&mut looked, &other.weights) {
                for (sum, weights) in sum.iter_mut().zip(weights) {
                    sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
                }
            }
        }
        let count = self.networks.len() as f32;
        log_probabilities.iter_mut().for_each(|sum| *sum -= count.ln());
        looked.iter_mut().flatten().flatten().for_each(|weight| *weight /= count);
        normalizers.fill(0.0);
        Written { log_probabilities, normalizers, weights: looked }
    }

    fn of_network(
        &self,
        network: &Network,
        (memory, states): (&Memory, &mut States),
        tokens: &[u32],
        weights: bool,
        over: Vec<f32>,
    ) -> OfNetwork {
        let vocabulary = network.vocabulary();
        let stepped = network.step(states, memory, tokens, weights || network.copies(), over);
        let (mut written, mut normalizers) = (stepped.logits, vec![0.0; tokens.len()]);
        if self.lists.is_empty() {
            log_softmax(&mut written, vocabulary, &mut normalizers);
        } else {
            written = self.of_lists(&states.sources, written, &mut normalizers);
        }
        let (Some(gates), Some(looked)) = (&stepped.gates, &stepped.weights) else {
            return OfNetwork { log_probabilities: written, normalizers, weights: stepped.weights };
        };
        let mut log_probabilities = vec![f32::NAN; tokens.len() * self.vocabulary()];
        let rows = log_probabilities.par_chunks_exact_mut(self.vocabulary()).zip(written.par_chunks_exact(vocabulary));
        rows.enumerate().for_each(|(row, (to, written))| {
            self.copied[states.sources[row]].mix(written, gates[row], &looked[row], to);
        });
        // A mixture has no logits.
        normalizers.fill(0.0);
        OfNetwork { log_probabilities, normalizers, weights: stepped.weights.filter(|_| weights) }
    }

    /// The states become those of these rows, which may repeat; rows of one source stand together.
    pub(super) fn reorder(&self, state: &mut WriterState, rows: &[usize]) {
        self.networks.iter().zip(&mut state.0).for_each(|(network, states)| network.reorder(states, rows));
    }
}

impl Decoder for Writer<'_> {
    type State = WriterState;
    type Error = Infallible;

    fn vocabulary(&self) -> usize {
        Writer::vocabulary(self)
    }

    fn step(&self, state: &mut WriterState, tokens: &[u32], out: &mut Step) -> Result<(), Infallible> {
        let written = Writer::step(self, state, tokens, true, out.take_log_probabilities());
        out.normalizers().copy_from_slice(&written.normalizers);
        out.set_log_probabilities(written.log_probabilities);
        written.weights.iter().flatten().for_each(|weights| out.attend(weights));
        Ok(())
    }

    fn reorder(&self, state: &mut WriterState, rows: &[usize]) {
        Writer::reorder(self, state, rows);
    }
}

/// What each target costs networks that write together, in nats: the negative logarithm of its probability, its end among
/// it. Rows that have ended cost nothing.
///
/// # Panics
/// If there is no network, or something was made for others.
pub fn losses(networks: &[Network], batch: &Batch, targets: &Targets<'_>) -> Vec<f64> {
    let (writer, mut state) = Writer::read(networks, batch, targets.sources(), &HashSet::new());
    let (vocabulary, mut losses) = (writer.vocabulary(), vec![0.0; targets.rows()]);
    let mut active: Vec<usize> = (0..targets.rows()).collect();
    let mut over = Vec::new();
    for t in 0..targets.time() {
        let going: Vec<usize> = (0..active.len()).filter(|&place| t < targets.length(active[place])).collect();
        if going.len() < active.len() {
            writer.reorder(&mut state, &going);
            active = going.iter().map(|&place| active[place]).collect();
        }
        let before: Vec<u32> = active.iter().map(|&row| targets.before()[row * targets.time() + t]).collect();
        let written = writer.step(&mut state, &before, false, over);
        for (&row, scores) in active.iter().zip(written.log_probabilities.chunks_exact(vocabulary)) {
            losses[row] -= f64::from(scores[targets.at(row, t) as usize]);
        }
        over = written.log_probabilities;
    }
    losses
}
