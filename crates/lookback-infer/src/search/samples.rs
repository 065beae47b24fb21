//! Samples of one source, each from a stream of random numbers of its own.

use std::ops::ControlFlow;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::decoder::SourceRows;
use super::error::Fault;
use super::hypothesis::{Ending, Finished};
use super::plan::Sampling;
use super::scratch::Scratch;
use super::source::{Live, Task};

/// What is drawn for one source.
#[derive(Debug)]
pub(super) struct Samples {
    sampling: Sampling,
    live: Vec<Sample>,
    finished: Vec<Option<Finished>>,
}

#[derive(Debug)]
struct Sample {
    live: Live,
    /// Which sample it is.
    index: usize,
    /// The tokens that came before, sorted, where there is a penalty for them.
    seen: Vec<u32>,
    rng: ChaCha8Rng,
}

impl Samples {
    pub(super) fn new(task: &Task<'_>, sampling: &Sampling, root: &Live) -> Self {
        let mut seen = Vec::new();
        if sampling.repetition_penalty != 1.0 {
            seen.extend(task.request.history.iter().chain(&task.request.prefix));
            seen.sort_unstable();
            seen.dedup();
        }
        let sample = |index| Sample {
            live: root.clone(),
            index,
            seen: seen.clone(),
            rng: ChaCha8Rng::from_seed(key(sampling.seed, task.request.seed, index as u64)),
        };
        let live = (0..sampling.count).map(sample).collect();
        Self { sampling: sampling.clone(), live, finished: vec![None; sampling.count] }
    }

    pub(super) fn live(&mut self) -> impl Iterator<Item = &mut Live> {
        self.live.iter_mut().map(|sample| &mut sample.live)
    }

    pub(super) fn advance(
        &mut self,
        task: &mut Task<'_>,
        rows: &mut SourceRows<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Fault> {
        let Self { sampling, live, finished } = self;
        let mut fault = None;
        live.retain_mut(|sample| {
            task.mask(&sample.live, rows);
            let (row, normalizer) = (rows.row(sample.live.row), rows.normalizer(sample.live.row));
            match scratch.draw.token(sampling, row, normalizer, &sample.seen, &mut sample.rng) {
                Ok(Some(token)) => {
                    sample.live = task.extend(&sample.live, token, rows);
                    if Some(token) == task.search.end {
                        finished[sample.index] = Some(task.finish(&sample.live, task.steps + 1, Ending::End));
                        return false;
                    }
                    sample.see(token, sampling);
                    true
                }
                Ok(None) => {
                    finished[sample.index] = Some(task.finish(&sample.live, task.steps, Ending::Stuck));
                    false
                }
                Err(found) => {
                    fault = fault.or(Some(found));
                    false
                }
            }
        });
        fault.map_or(Ok(()), Err)
    }

    /// Ends the samples that `watch` breaks off, which gets the last token of each, and those that have as many tokens as they
    /// may have.
    pub(super) fn end(&mut self, task: &Task<'_>, mut watch: impl FnMut(usize, u32) -> ControlFlow<()>) {
        let Self { live, finished, .. } = self;
        live.retain(|sample| {
            let is_broken_off = watch(sample.index, task.paths.last(sample.live.node)).is_break();
            let ending = match is_broken_off {
                true => Ending::BrokenOff,
                false if task.is_at_the_longest() => Ending::Longest,
                false => return true,
            };
            finished[sample.index] = Some(task.finish(&sample.live, task.steps, ending));
            false
        });
    }

    /// All samples, in their order.
    pub(super) fn all(&self) -> Vec<Finished> {
        self.finished.iter().copied().flatten().collect()
    }
}

impl Sample {
    fn see(&mut self, token: u32, sampling: &Sampling) {
        if sampling.repetition_penalty != 1.0
            && let Err(place) = self.seen.binary_search(&token)
        {
            self.seen.insert(place, token);
        }
    }
}

/// The key of a sample's stream: nothing in it is of the batch.
fn key(seed: u64, source: u64, sample: u64) -> [u8; 32] {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, source, sample]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    key
}
