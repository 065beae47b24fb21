//! Networks that write together, token by token, and what a text costs them.

use std::convert::Infallible;

use super::network::{Network, States};
use crate::network::{Ragged, add_logs, log_softmax};
use crate::search::{Decoder, Step};

/// Several networks as one: the mean of their probabilities (Hansen and Salamon 1990).
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer<'a> {
    networks: &'a [Network],
}

/// What each of the networks has read so far.
pub(super) type WriterStates = Vec<States>;

/// What networks say of the next token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    /// `[V]`
    pub(super) log_probabilities: &'a [f32],
    /// `[W]`: the state of the first network's last layer.
    pub(super) state: &'a [f32],
}

/// Numbers of logits that are alive at once, about: steps are read together as long as they have no more.
const LOGITS: usize = 1 << 22;
/// Steps of a row that are read together at most.
const STEPS: usize = 256;

impl<'a> Writer<'a> {
    /// # Panics
    /// If there is no network.
    pub(super) fn new(networks: &'a [Network]) -> Writer<'a> {
        assert!(!networks.is_empty(), "a model has at least one network");
        Writer { networks }
    }

    /// Of rows that have read nothing.
    pub(super) fn start(self, rows: usize) -> WriterStates {
        self.networks.iter().map(|network| network.start(rows)).collect()
    }

    /// The states of these rows, which may repeat.
    pub(super) fn of_rows(self, states: &WriterStates, rows: &[usize]) -> WriterStates {
        self.networks.iter().zip(states).map(|(network, states)| network.of_rows(states, rows)).collect()
    }

    /// Makes logits of the first network its log-probabilities, and those of all networks together.
    fn together(
        self,
        mut logits: Vec<f32>,
        normalizers: &mut [f32],
        others: impl Iterator<Item = Vec<f32>>,
    ) -> Vec<f32> {
        let vocabulary = self.networks[0].vocabulary();
        log_softmax(&mut logits, vocabulary, normalizers);
        if self.networks.len() == 1 {
            return logits;
        }
        for mut other in others {
            log_softmax(&mut other, vocabulary, normalizers);
            add_logs(&mut logits, &other);
        }
        let count = self.networks.len() as f32;
        logits.iter_mut().for_each(|sum| *sum -= count.ln());
        // Of several networks there are no logits that probabilities are made of.
        normalizers.fill(0.0);
        logits
    }

    /// `[N, V]`: the log-probabilities of what comes after each real token, row by row, and the first network's states there, `[N, W]`.
    /// tokens: `[B, T]`.
    fn steps(self, states: &mut WriterStates, tokens: &[u32], rows: Ragged<'_>) -> [Vec<f32>; 2] {
        let count = rows.lengths.iter().sum();
        let mut of_each = self.networks.iter().zip(states).map(|(network, states)| network.steps(states, tokens, rows));
        let [first, hidden] = of_each.next().unwrap_or_default();
        let others = of_each.map(|[logits, _]| logits);
        [self.together(first, &mut vec![0.0; count], others), hidden]
    }

    /// Reads all tokens of these sequences but the last of each, and says nothing of them.
    pub(super) fn read(self, states: &mut WriterStates, sequences: &[&[u32]]) {
        self.walk(states, sequences, |writer, states, tokens, rows, _| {
            let of_each = writer.networks.iter().zip(states);
            of_each.for_each(|(network, states)| network.read_on(states, tokens, rows));
        });
    }

    /// The log-probability of every token of these sequences after those before it, the first of which is read and has none: one
    /// less than there are tokens. `states`: of all sequences, which go on to their ends; `each` gets a sequence, the place of a
    /// token in it from 1 on, and what was said before it.
    pub(super) fn score(
        self,
        states: &mut WriterStates,
        sequences: &[&[u32]],
        mut each: impl FnMut(usize, usize, Said<'_>),
    ) {
        let vocabulary = self.networks[0].vocabulary();
        self.walk(states, sequences, |writer, states, tokens, rows, (active, done)| {
            let [scores, hidden] = writer.steps(states, tokens, rows);
            let width = writer.networks[0].widths().last().copied().unwrap_or(1);
            let mut said = scores.chunks_exact(vocabulary).zip(hidden.chunks_exact(width));
            for (&row, &length) in active.iter().zip(rows.lengths) {
                for (t, (log_probabilities, state)) in (0..length).zip(&mut said) {
                    each(row, done + t + 1, Said { log_probabilities, state });
                }
            }
        });
    }

    /// Goes through sequences part by part, but for the last token of each; `part` gets the states of the rows that are not at their
    /// ends, their tokens `[B, T]`, and which sequences they are of, from which place on.
    fn walk(
        self,
        states: &mut WriterStates,
        sequences: &[&[u32]],
        mut part: impl FnMut(Self, &mut WriterStates, &[u32], Ragged<'_>, (&[usize], usize)),
    ) {
        let vocabulary = self.networks[0].vocabulary();
        let mut active: Vec<usize> = (0..sequences.len()).collect();
        let mut own = states.clone();
        let mut done = 0;
        loop {
            let going: Vec<usize> = (0..active.len()).filter(|&row| done + 1 < sequences[active[row]].len()).collect();
            if going.len() < active.len() {
                self.keep(states, &own, &active, &going);
                own = self.of_rows(&own, &going);
                active = going.iter().map(|&row| active[row]).collect();
            }
            if active.is_empty() {
                return;
            }
            let room = (LOGITS / (vocabulary * active.len()).max(1)).clamp(1, STEPS);
            let lengths: Vec<usize> = active.iter().map(|&row| (sequences[row].len() - 1 - done).min(room)).collect();
            let time = lengths.iter().copied().max().unwrap_or(0);
            let mut tokens = vec![0; active.len() * time];
            for ((&row, &length), to) in active.iter().zip(&lengths).zip(tokens.chunks_exact_mut(time)) {
                to[..length].copy_from_slice(&sequences[row][done..done + length]);
            }
            let rows = Ragged { lengths: &lengths, time, threads: rayon::current_num_threads() };
            part(self, &mut own, &tokens, rows, (&active, done));
            done += time;
        }
    }

    /// Puts the states of rows that have ended in their places among all.
    fn keep(self, all: &mut WriterStates, own: &WriterStates, active: &[usize], going: &[usize]) {
        let ended: Vec<usize> = (0..active.len()).filter(|row| !going.contains(row)).collect();
        for ((network, all), own) in self.networks.iter().zip(all).zip(own) {
            for ((all, own), &width) in all.iter_mut().zip(own).zip(network.widths()) {
                for &row in &ended {
                    let (from, to) = (row * width, active[row] * width);
                    all.hidden[to..to + width].copy_from_slice(&own.hidden[from..from + width]);
                    if network.has_cell() {
                        all.cell[to..to + width].copy_from_slice(&own.cell[from..from + width]);
                    }
                }
            }
        }
    }
}

impl Decoder for Writer<'_> {
    type State = WriterStates;
    type Error = Infallible;

    fn vocabulary(&self) -> usize {
        self.networks[0].vocabulary()
    }

    fn step(&self, state: &mut WriterStates, tokens: &[u32], out: &mut Step) -> Result<(), Infallible> {
        let mut over = Some(out.take_log_probabilities());
        let of_each = self.networks.iter().zip(state);
        let mut of_each =
            of_each.map(|(network, states)| network.step(states, tokens, over.take().unwrap_or_default()));
        let first = of_each.next().unwrap_or_default();
        let mut normalizers = vec![0.0; tokens.len()];
        let made = self.together(first, &mut normalizers, of_each);
        out.normalizers().copy_from_slice(&normalizers);
        out.set_log_probabilities(made);
        Ok(())
    }

    fn reorder(&self, state: &mut WriterStates, rows: &[usize]) {
        *state = self.of_rows(state, rows);
    }
}
