//! Networks that write together: the mean of their probabilities at every step.

use super::decoder::{Memory, States};
use super::network::{Network, ReadSources};
use super::target::Targets;
use crate::input::Batch;
use crate::network::log_softmax;

/// Networks that write targets of sources which they have read.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    networks: &'a [Network],
    memories: Vec<Memory>,
}

/// The states of some targets that are being written, in every network.
#[derive(Clone, Debug)]
pub(super) struct WriterState(Vec<States>);

/// What a step of the networks together gives.
#[derive(Debug)]
pub(super) struct Written {
    /// `[rows, V]`: logarithms of probabilities.
    pub(super) log_probabilities: Vec<f32>,
    /// `[rows]`: by how much one network's logits were above them; zeros of several networks.
    pub(super) normalizers: Vec<f32>,
    /// What each row looked at, the mean over the networks, where that was asked for.
    pub(super) weights: Option<Vec<Vec<f32>>>,
}

impl<'a> Writer<'a> {
    /// Reads the sources of a batch; gives the states of one target each, before its first token.
    ///
    /// # Panics
    /// If there is no network, or the batch was made for others.
    pub(super) fn read(networks: &'a [Network], batch: &Batch) -> (Writer<'a>, WriterState) {
        let read = networks.iter().map(|network| network.sources(batch));
        let (memories, states) = read.map(|ReadSources { memory, states }| (memory, states)).unzip();
        (Writer { networks, memories }, WriterState(states))
    }

    /// `V`
    pub(super) fn vocabulary(&self) -> usize {
        self.networks[0].vocabulary()
    }

    /// One step of every row: `tokens` are those before.
    pub(super) fn step(&self, state: &mut WriterState, tokens: &[u32], weights: bool) -> Written {
        let vocabulary = self.vocabulary();
        let of_each = self.networks.iter().zip(&self.memories).zip(&mut state.0);
        let mut of_each = of_each.map(|((network, memory), states)| network.step(states, memory, tokens, weights));
        let first = of_each.next().expect("a model has at least one network");
        let mut normalizers = vec![0.0; tokens.len()];
        let (mut log_probabilities, mut looked) = (first.logits, first.weights);
        log_softmax(&mut log_probabilities, vocabulary, &mut normalizers);
        if self.networks.len() == 1 {
            return Written { log_probabilities, normalizers, weights: looked };
        }
        // Of several networks there are no logits that probabilities are made of.
        let mut own = vec![0.0; tokens.len()];
        for mut stepped in of_each {
            log_softmax(&mut stepped.logits, vocabulary, &mut own);
            let both = log_probabilities.iter_mut().zip(&stepped.logits);
            both.for_each(|(sum, &value)| *sum = log_of_sum(*sum, value));
            if let (Some(sum), Some(weights)) = (&mut looked, &stepped.weights) {
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

    /// The states become those of these rows, which may repeat; rows of one source stand together.
    pub(super) fn reorder(&self, state: &mut WriterState, rows: &[usize]) {
        self.networks.iter().zip(&mut state.0).for_each(|(network, states)| network.reorder(states, rows));
    }
}

/// What each target costs networks that write together, in nats: the negative logarithm of its probability, its end among
/// it. Rows that have ended cost nothing.
///
/// # Panics
/// If there is no network, or something was made for others.
pub fn losses(networks: &[Network], batch: &Batch, targets: &Targets<'_>) -> Vec<f64> {
    let (writer, mut state) = Writer::read(networks, batch);
    let (vocabulary, mut losses) = (writer.vocabulary(), vec![0.0; targets.rows()]);
    let mut active: Vec<usize> = (0..targets.rows()).collect();
    for t in 0..targets.time() {
        let going: Vec<usize> = (0..active.len()).filter(|&place| t < targets.length(active[place])).collect();
        if going.len() < active.len() {
            writer.reorder(&mut state, &going);
            active = going.iter().map(|&place| active[place]).collect();
        }
        let before: Vec<u32> = active.iter().map(|&row| targets.before()[row * targets.time() + t]).collect();
        let written = writer.step(&mut state, &before, false);
        for (&row, scores) in active.iter().zip(written.log_probabilities.chunks_exact(vocabulary)) {
            losses[row] -= f64::from(scores[targets.at(row, t) as usize]);
        }
    }
    losses
}

/// `log (e^a + e^b)`, which loses nothing where both are far below 0.
fn log_of_sum(a: f32, b: f32) -> f32 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_tiny_probabilities_are_not_zero() {
        for (a, b) in [(-1.0f32, -2.0f32), (-2.0, -1.0), (-0.5, -0.5)] {
            assert!((log_of_sum(a, b) - (a.exp() + b.exp()).ln()).abs() < 1e-6, "{a} {b}");
        }
        // Far below what a probability itself could be.
        assert!((log_of_sum(-300.0, -300.0) - (-300.0 + 2.0f32.ln())).abs() < 1e-4);
        assert_eq!(log_of_sum(-1.0, -400.0), -1.0);
    }
}
