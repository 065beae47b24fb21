//! The search for one source.

use super::Search;
use super::beam::Beam;
use super::decoder::SourceRows;
use super::error::Fault;
use super::hypothesis::{Ending, Finished, Hypothesis};
use super::paths::{Looked, Paths, ROOT};
use super::plan::Method;
use super::request::Request;
use super::required::{Progress, Required};
use super::samples::Samples;
use super::scratch::Scratch;
use super::top::largest;

/// One source: what was asked, what was found, and what is followed at the moment.
#[derive(Debug)]
pub(super) struct Source<'a> {
    task: Task<'a>,
    followed: Followed,
    /// How many rows it has in the decoder's state.
    rows: usize,
}

/// What is asked, and the tree of what was found.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) search: &'a Search,
    pub(super) request: &'a Request,
    pub(super) required: Required,
    pub(super) paths: Paths,
    /// How many steps were taken.
    pub(super) steps: usize,
    /// What each row looked at in this step.
    looked: Vec<Looked>,
}

/// A sequence that goes on.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) node: usize,
    /// Its log-probability.
    pub(super) total: f64,
    /// Its row, counted from the source's first.
    pub(super) row: usize,
    pub(super) progress: Progress,
}

#[derive(Debug)]
enum Followed {
    Prefix(Live),
    Beam(Beam),
    Samples(Samples),
}

impl<'a> Source<'a> {
    pub(super) fn new(search: &'a Search, request: &'a Request) -> Self {
        let required = Required::new(&request.required);
        let root = Live { node: ROOT, total: 0.0, row: 0, progress: required.begin() };
        let paths = Paths::new(request.start);
        let task = Task { search, request, required, paths, steps: 0, looked: Vec::new() };
        let mut source = Source { task, followed: Followed::Prefix(root), rows: 1 };
        source.leave_prefix();
        // Whatever is followed begins from the one row that the caller gave, if there is anything to follow.
        let mut followed = 0;
        source.followed.each(|_| followed += 1);
        source.rows = followed.min(1);
        source
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// One step, of which `rows` tell what could come; `chosen` gets the rows that go on, counted from the source's first,
    /// and the token of each.
    pub(super) fn advance(
        &mut self,
        rows: &mut SourceRows<'_>,
        scratch: &mut Scratch,
        mut chosen: impl FnMut(usize, u32),
    ) -> Result<(), Fault> {
        self.task.look(rows, self.rows)?;
        match &mut self.followed {
            Followed::Prefix(live) => {
                let token = self.task.request.prefix[self.task.steps];
                let place = token as usize;
                if largest(&rows.row(live.row)[place..=place], place)? == f32::NEG_INFINITY {
                    return Err(Fault::Prefix(token));
                }
                *live = self.task.extend(live, token, rows);
            }
            Followed::Beam(beam) => beam.advance(&mut self.task, rows, scratch)?,
            Followed::Samples(samples) => samples.advance(&mut self.task, rows, scratch)?,
        }
        self.task.steps += 1;
        self.leave_prefix();
        let paths = &self.task.paths;
        self.rows = 0;
        self.followed.each(|live| {
            chosen(live.row, paths.last(live.node));
            live.row = self.rows;
            self.rows += 1;
        });
        Ok(())
    }

    /// Begins the search itself, where all forced tokens are there.
    fn leave_prefix(&mut self) {
        let Followed::Prefix(root) = &self.followed else { return };
        if self.task.steps < self.task.request.prefix.len() {
            return;
        }
        self.followed = match &self.task.search.plan.method {
            Method::Beam { .. } => Followed::Beam(Beam::new(&self.task, root)),
            Method::Sample(sampling) => Followed::Samples(Samples::new(&self.task, sampling, root)),
        };
    }

    pub(super) fn hypotheses(self) -> Vec<Hypothesis> {
        let finished = match &self.followed {
            Followed::Prefix(_) => Vec::new(),
            Followed::Beam(beam) => beam.best(&self.task),
            Followed::Samples(samples) => samples.all(),
        };
        let with_attention = self.task.search.plan.attention;
        finished.iter().map(|finished| finished.hypothesis(&self.task.paths, with_attention)).collect()
    }
}

impl Followed {
    fn each(&mut self, mut visit: impl FnMut(&mut Live)) {
        match self {
            Followed::Prefix(live) => visit(live),
            Followed::Beam(beam) => beam.live().for_each(visit),
            Followed::Samples(samples) => samples.live().for_each(visit),
        }
    }
}

impl Task<'_> {
    /// Keeps what the rows looked at, where somebody asks for it.
    fn look(&mut self, rows: &SourceRows<'_>, count: usize) -> Result<(), Fault> {
        self.looked.clear();
        if self.search.plan.needs_attention().is_none() {
            self.looked.resize(count, Looked::default());
            return Ok(());
        }
        for row in 0..count {
            let weights = rows.attention(row);
            if let Some(&weight) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
                return Err(Fault::Attention(weight));
            }
            self.looked.push(self.paths.look(weights));
        }
        Ok(())
    }

    /// Takes from a hypothesis' row all tokens that may not follow.
    pub(super) fn mask(&self, live: &Live, rows: &mut SourceRows<'_>) {
        let row = rows.row_mut(live.row);
        self.search.forbidden.mask(row, &self.paths, live.node);
        if let Some(end) = self.search.end {
            if self.steps < self.search.plan.min_length || self.required.missing(&live.progress) > 0 {
                row[end as usize] = f32::NEG_INFINITY;
            }
        }
    }

    /// The hypothesis and one token more.
    pub(super) fn extend(&mut self, live: &Live, token: u32, rows: &SourceRows<'_>) -> Live {
        // What is above 0 is so by rounding.
        let log_probability = rows.row(live.row)[token as usize].min(0.0);
        let node = self.paths.push(live.node, token, log_probability, self.looked[live.row]);
        let mut progress = live.progress.clone();
        self.required.advance(&mut progress, token);
        Live { node, total: live.total + f64::from(log_probability), row: live.row, progress }
    }

    /// The hypothesis as it stands after so many steps.
    pub(super) fn finish(&self, live: &Live, steps: usize, ending: Ending) -> Finished {
        Finished {
            node: live.node,
            log_probability: live.total,
            score: self.search.plan.score.of(live.total, steps, &self.paths, live.node),
            ending,
            missing: self.required.missing(&live.progress),
        }
    }
}
