//! From the scores of every step to a tag for each: what may stand behind what, and which path is the best.

use lookback_kernels::KernelError;
use lookback_kernels::crf::{self, CrfDims, CrfParameters, CrfPath, CrfWorkspace, PreparedCrf};

use super::network::{Network, TagScores};
use super::scheme::Transitions;
use crate::network::{cross_entropy, likeliest, softmax};

/// Chooses tags by the scores of one or several networks. What the scheme forbids is never chosen.
#[derive(Debug)]
pub struct Decoder {
    tags: usize,
    /// Of what goes from tag to tag, -inf where that is forbidden.
    scores: TagScores,
    allowed: Transitions,
    /// Absent where every step is answered by itself and nothing is forbidden.
    field: Option<PreparedCrf>,
    /// Whether the networks have a conditional random field.
    is_crf: bool,
}

/// Scores `[B, T, N]` of a batch, of which the first steps of every row are real.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored<'a> {
    pub(super) scores: &'a [f32],
    pub(super) lengths: &'a [usize],
    pub(super) time: usize,
}

impl Decoder {
    /// For networks that answer together about so many tags.
    ///
    /// # Errors
    /// If a score that they have learnt is no number.
    pub fn new(networks: &[Network], tags: usize, allowed: Transitions) -> Result<Decoder, KernelError> {
        let learnt: Vec<&TagScores> = networks.iter().filter_map(Network::transitions).collect();
        let is_crf = !learnt.is_empty();
        let mut scores = TagScores::mean(tags, learnt.into_iter());
        let masks = [
            (&mut scores.between, &allowed.between),
            (&mut scores.start, &allowed.start),
            (&mut scores.end, &allowed.end),
        ];
        for (scores, allowed) in masks {
            for (score, _) in scores.iter_mut().zip(allowed).filter(|(_, allowed)| !**allowed) {
                *score = f32::NEG_INFINITY;
            }
        }
        let field = (is_crf || !allowed.is_free).then(|| PreparedCrf::new(tags, parameters(&scores))).transpose()?;
        Ok(Decoder { tags, scores, allowed, field, is_crf })
    }

    /// The best tags of every row.
    ///
    /// # Errors
    /// If they were made for other tags.
    pub(super) fn tags(&self, batch: Scored<'_>) -> Result<Vec<Vec<usize>>, KernelError> {
        let Scored { scores, lengths, time } = batch;
        let Some(field) = &self.field else {
            let row =
                |(row, &length): (&[f32], &usize)| row.chunks_exact(self.tags).take(length).map(likeliest).collect();
            return Ok(scores.chunks_exact((time * self.tags).max(1)).zip(lengths).map(row).collect());
        };
        let paths = field.viterbi(scores, lengths, time, rayon::current_num_threads())?;
        let row = |(row, &length): (&[u32], &usize)| row[..length].iter().map(|&tag| tag as usize).collect();
        Ok(paths.tags.chunks_exact(time.max(1)).zip(lengths).map(row).collect())
    }

    /// `[B, T, N]`: the probability of every tag at every step, over all paths where there is a conditional random field.
    ///
    /// # Errors
    /// If the scores were made for other tags.
    pub(super) fn probabilities(&self, batch: Scored<'_>) -> Result<Vec<f32>, KernelError> {
        let Scored { scores, lengths, time } = batch;
        match self.field.as_ref().filter(|_| self.is_crf) {
            Some(field) => field.marginals(scores, lengths, time, rayon::current_num_threads()),
            None => {
                let mut probabilities = scores.to_vec();
                softmax(&mut probabilities, self.tags);
                Ok(probabilities)
            }
        }
    }

    /// The two best paths of a row whose scores `[T, N]` are given, where paths have scores.
    ///
    /// # Errors
    /// If the scores were made for other tags.
    pub(super) fn best_two(&self, scores: &[f32]) -> Result<Vec<CrfPath>, KernelError> {
        match self.field.as_ref().filter(|_| self.is_crf) {
            Some(field) => field.k_best(scores, 2),
            None => Ok(Vec::new()),
        }
    }

    /// What the right tags of every row cost in nats: the negative logarithm of their probability. A row is `None` that has a tag
    /// which was never trained, or tags of which one may not stand behind another.
    ///
    /// # Errors
    /// If the scores were made for other tags.
    pub(super) fn losses(&self, batch: Scored<'_>, targets: &[&[usize]]) -> Result<Vec<Option<f64>>, KernelError> {
        let Scored { scores, lengths, time } = batch;
        let may =
            |path: &[usize]| path.iter().all(|&tag| tag < self.tags) && (!self.is_crf || self.allowed.allow(path));
        if !self.is_crf {
            let rows = scores.chunks_exact((time * self.tags).max(1)).zip(targets);
            let loss = |row: &[f32], path: &[usize]| {
                row.chunks_exact(self.tags).zip(path).map(|(step, &tag)| cross_entropy(step, tag)).sum()
            };
            return Ok(rows.map(|(row, path)| may(path).then(|| loss(row, path))).collect());
        }
        // What has no loss has no steps, and so none.
        let counted: Vec<bool> = targets.iter().map(|path| may(path)).collect();
        let lengths: Vec<usize> =
            lengths.iter().zip(&counted).map(|(&length, &counts)| if counts { length } else { 0 }).collect();
        let mut tags = vec![0; lengths.len() * time];
        for ((row, path), &length) in tags.chunks_exact_mut(time.max(1)).zip(targets).zip(&lengths) {
            row.iter_mut().zip(&path[..length]).for_each(|(tag, &target)| *tag = target as u32);
        }
        let dims = CrfDims { batch: lengths.len(), time, tags: self.tags };
        let threads = rayon::current_num_threads();
        let workspace = &mut CrfWorkspace::default();
        let losses = crf::forward(dims, parameters(&self.scores), scores, &lengths, &tags, workspace, threads)?.losses;
        Ok(losses.into_iter().zip(counted).map(|(loss, counts)| counts.then_some(f64::from(loss))).collect())
    }
}

fn parameters(scores: &TagScores) -> CrfParameters<'_> {
    CrfParameters { transitions: &scores.between, start: &scores.start, end: &scores.end }
}
