//! The search for one source.

use std::ops::ControlFlow;

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
        source
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// One step, of which `rows` tell what could come.
    pub(super) fn advance(&mut self, rows: &mut SourceRows<'_>, scratch: &mut Scratch) -> Result<(), Fault> {
        self.task.look(rows, self.rows)?;
        match &mut self.followed {
            Followed::Prefix(live) => {
                let token = self.task.request.prefix[self.task.steps];
                *live = self.task.force(live, token, rows)?;
            }
            Followed::Beam(beam) => beam.advance(&mut self.task, rows, scratch)?,
            Followed::Samples(samples) => samples.advance(&mut self.task, rows, scratch)?,
        }
        self.task.steps += 1;
        Ok(())
    }

    /// What is left to do behind a step: `chosen` gets the rows that go on, counted from the source's first, and the token of
    /// each; `watch` gets the tokens that are certain, with the sample each is of.
    pub(super) fn settle(
        &mut self,
        mut chosen: impl FnMut(usize, u32),
        watch: impl FnMut(usize, u32) -> ControlFlow<()>,
    ) {
        if let Followed::Prefix(live) = &self.followed {
            let token = self.task.paths.last(live.node);
            self.leave_prefix();
            if self.rows > 0 {
                chosen(0, token);
            }
            return;
        }
        let paths = &self.task.paths;
        self.rows = 0;
        let number = |live: &mut Live| {
            chosen(live.row, paths.last(live.node));
            live.row = self.rows;
            self.rows += 1;
        };
        match &mut self.followed {
            Followed::Prefix(_) => {}
            Followed::Beam(beam) => {
                beam.end(&self.task, watch);
                beam.live().for_each(number);
            }
            Followed::Samples(samples) => {
                samples.end(&self.task, watch);
                samples.live().for_each(number);
            }
        }
    }

    /// Begins the search itself, where all forced tokens are there: from the one row that there is.
    fn leave_prefix(&mut self) {
        let Followed::Prefix(root) = &self.followed else { return };
        if self.task.steps < self.task.request.prefix.len() {
            return;
        }
        let nobody = |_, _| ControlFlow::Continue(());
        match &self.task.search.plan.method {
            Method::Beam(shape) => {
                let mut beam = Beam::new(&self.task, shape, root);
                beam.end(&self.task, nobody);
                self.rows = usize::from(beam.live().next().is_some());
                self.followed = Followed::Beam(beam);
            }
            Method::Sample(sampling) => {
                let mut samples = Samples::new(&self.task, sampling, root);
                samples.end(&self.task, nobody);
                self.rows = usize::from(samples.live().next().is_some());
                self.followed = Followed::Samples(samples);
            }
        }
    }

    pub(super) fn hypotheses(self) -> Vec<Hypothesis> {
        let finished = match &self.followed {
            Followed::Prefix(_) => Vec::new(),
            Followed::Beam(beam) => beam.best(&self.task),
            Followed::Samples(samples) => samples.all(),
        };
        let with_attention = self.task.search.plan.keeps_attention;
        finished.iter().map(|finished| finished.hypothesis(&self.task.paths, with_attention)).collect()
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
        let is_too_early = self.steps < self.search.plan.min_length || self.required.missing(&live.progress) > 0;
        if let (true, Some(end)) = (is_too_early, self.search.end) {
            row[end as usize] = f32::NEG_INFINITY;
        }
    }

    /// The hypothesis and the token that must come.
    fn force(&mut self, live: &Live, token: u32, rows: &SourceRows<'_>) -> Result<Live, Fault> {
        let place = token as usize;
        if largest(&rows.row(live.row)[place..=place], place)? == f32::NEG_INFINITY {
            return Err(Fault::Prefix(token));
        }
        Ok(self.extend(live, token, rows))
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

    /// Whether a hypothesis that goes on may have no further token.
    pub(super) fn is_at_the_longest(&self) -> bool {
        self.steps >= self.request.longest
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
