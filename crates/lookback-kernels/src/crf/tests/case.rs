//! A random batch, what the reference makes of it, and what the fast kernels do.

use crate::crf::{
    CrfDims, CrfGradients, CrfLosses, CrfParameters, CrfPaths, CrfWorkspace, PreparedCrf, backward, forward, reference,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// One random batch in f64, whose values are f32 values.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) dims: CrfDims,
    pub(super) lengths: Vec<usize>,
    pub(super) emissions: Vec<f64>,
    pub(super) transitions: Vec<f64>,
    pub(super) start: Vec<f64>,
    pub(super) end: Vec<f64>,
    pub(super) tags: Vec<u32>,
    pub(super) upstream: Vec<f64>,
}

impl Case {
    /// Values within `limit`, the first row as long as the batch.
    pub(super) fn new([batch, time, tags]: [usize; 3], limit: f32, seed: u64) -> Case {
        let mut rng = StdRng::seed_from_u64(seed);
        let lengths = (0..batch).map(|row| if row == 0 { time } else { rng.random_range(0..=time) }).collect();
        let path = (0..batch * time).map(|_| rng.random_range(0..tags as u32)).collect();
        let mut draw = |count: usize, limit: f32| -> Vec<f64> {
            (0..count).map(|_| f64::from(rng.random_range(-limit..=limit))).collect()
        };
        Case {
            dims: CrfDims { batch, time, tags },
            lengths,
            emissions: draw(batch * time * tags, limit.min(8.0)),
            transitions: draw(tags * tags, limit),
            start: draw(tags, limit),
            end: draw(tags, limit),
            tags: path,
            upstream: draw(batch, 1.0),
        }
    }

    /// About a third of the parameters are forbidden, but nothing that tag 0 does; paths keep to what is left.
    pub(super) fn forbidding(mut self, seed: u64) -> Case {
        let (mut rng, count) = (StdRng::seed_from_u64(seed), self.dims.tags);
        let mut forbid = |values: &mut [f64], kept: &dyn Fn(usize) -> bool| {
            for (at, value) in values.iter_mut().enumerate() {
                if !kept(at) && rng.random_range(0..3) == 0 {
                    *value = f64::NEG_INFINITY;
                }
            }
        };
        forbid(&mut self.transitions, &|at| at / count == 0 || at % count == 0);
        forbid(&mut self.start, &|at| at == 0);
        forbid(&mut self.end, &|at| at == 0);
        for (path, &length) in self.tags.chunks_mut(self.dims.time).zip(&self.lengths) {
            for step in 0..length {
                let tag = path[step] as usize;
                let from =
                    if step == 0 { self.start[tag] } else { self.transitions[path[step - 1] as usize * count + tag] };
                if from.is_infinite() || step + 1 == length && self.end[tag].is_infinite() {
                    path[step] = 0;
                }
            }
        }
        self
    }

    pub(super) fn exact(&self) -> CrfParameters<'_, f64> {
        CrfParameters { transitions: &self.transitions, start: &self.start, end: &self.end }
    }

    /// Row `b` alone, as long as it is.
    pub(super) fn row(&self, b: usize) -> Case {
        let CrfDims { time, tags, .. } = self.dims;
        let length = self.lengths[b];
        Case {
            dims: CrfDims { batch: 1, time: length, tags },
            lengths: vec![length],
            emissions: self.emissions[b * time * tags..][..length * tags].to_vec(),
            tags: self.tags[b * time..][..length].to_vec(),
            upstream: vec![self.upstream[b]],
            ..self.clone()
        }
    }

    pub(super) fn fast(&self, threads: usize) -> Fast {
        let [emissions, transitions, start, end, upstream] =
            [&self.emissions, &self.transitions, &self.start, &self.end, &self.upstream].map(|values| narrow(values));
        let parameters = CrfParameters { transitions: &transitions, start: &start, end: &end };
        let Case { dims, lengths, tags, .. } = self;
        let mut workspace = CrfWorkspace::default();
        // Memory that is left over from a larger batch may not show.
        let other = CrfDims { batch: 1, time: 3, tags: 70 };
        let (ones, rows) =
            ([1.0; 70 * 70], CrfParameters { transitions: &[1.0; 4900], start: &[1.0; 70], end: &[1.0; 70] });
        forward(other, rows, &ones[..210], &[3], &[0, 0, 0], &mut workspace, 1).unwrap();
        let losses = forward(*dims, parameters, &emissions, lengths, tags, &mut workspace, threads).unwrap();
        let gradients = backward(&upstream, &mut workspace, threads).unwrap();
        let prepared = PreparedCrf::new(dims.tags, parameters).unwrap();
        let marginals = prepared.marginals(&emissions, lengths, dims.time, threads).unwrap();
        let paths = prepared.viterbi(&emissions, lengths, dims.time, threads).unwrap();
        Fast { losses, gradients, marginals, paths }
    }

    pub(super) fn prepared(&self) -> PreparedCrf {
        let [transitions, start, end] = [&self.transitions, &self.start, &self.end].map(|values| narrow(values));
        let parameters = CrfParameters { transitions: &transitions, start: &start, end: &end };
        PreparedCrf::new(self.dims.tags, parameters).unwrap()
    }

    /// Σ upstream · loss, whose gradient is what the backward pass gives.
    pub(super) fn objective(&self) -> f64 {
        let (losses, _) = reference::forward(self.dims, self.exact(), &self.emissions, &self.lengths, &self.tags);
        losses.iter().zip(&self.upstream).map(|(loss, upstream)| loss * upstream).sum()
    }

    pub(super) fn gradients(&self) -> CrfGradients<f64> {
        let Case { dims, emissions, lengths, tags, upstream, .. } = self;
        reference::backward(*dims, self.exact(), emissions, lengths, tags, upstream)
    }

    /// Everything that the fast kernels give beside the reference, relative to the largest value but at least to 1.
    #[track_caller]
    pub(super) fn agrees(&self, bound: f64) {
        let Case { dims, emissions, lengths, tags, .. } = self;
        let fast = self.fast(1);
        let (losses, log_partitions) = reference::forward(*dims, self.exact(), emissions, lengths, tags);
        let want = self.gradients();
        let marginals = reference::marginals(*dims, self.exact(), emissions, lengths);
        let (_, scores) = reference::viterbi(*dims, self.exact(), emissions, lengths);
        close("losses", &fast.losses.losses, &losses, bound);
        close("log partitions", &fast.losses.log_partitions, &log_partitions, bound);
        close("marginals", &fast.marginals, &marginals, bound);
        close("emissions", &fast.gradients.emissions, &want.emissions, bound);
        close("transitions", &fast.gradients.transitions, &want.transitions, bound);
        close("start", &fast.gradients.start, &want.start, bound);
        close("end", &fast.gradients.end, &want.end, bound);
        close("scores", &fast.paths.scores, &scores, bound);
        // Of paths that are as good to f32's precision any may come; what comes has the score that is said of it.
        for (b, &length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let row = self.row(b);
            let path = &fast.paths.tags[b * dims.time..][..length];
            let score = reference::path_score(dims.tags, row.exact(), &row.emissions, path);
            close("score of the path", &fast.paths.scores[b..=b], &[score], 1e-6);
        }
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Fast {
    pub(super) losses: CrfLosses,
    pub(super) gradients: CrfGradients,
    pub(super) marginals: Vec<f32>,
    pub(super) paths: CrfPaths,
}

pub(super) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

#[track_caller]
fn close(name: &str, found: &[f32], want: &[f64], bound: f64) {
    assert_eq!(found.len(), want.len(), "{name}");
    let largest = want.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (at, (&found, &want)) in found.iter().zip(want).enumerate() {
        assert!((f64::from(found) - want).abs() <= bound * largest, "{name}[{at}]: {found}, want {want}");
    }
}
