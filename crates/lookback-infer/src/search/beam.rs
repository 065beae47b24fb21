//! Beam search for one source, in one group or in several that differ.
//!
//! A group of width `k` takes the best `2k` candidates of all its rows. Those of the first `k` that are the end are complete;
//! the best `k` of the others go on. So a hypothesis that ends takes nobody's place, and at least `k` go on whatever ends. The
//! group ends when `k` are complete and none of those that go on is, as it stands, as good as the worst that is kept: a network
//! that is sure of every token has unlikely ends among its best candidates from the first step on, and `k` of them are soon
//! there. A beam of 1 ends with the first, as greedy search does. It also ends at the maximum; or as soon as it is proven that
//! no hypothesis which goes on can still be among the best (`Best::are_final`), which changes no answer.

use std::ops::ControlFlow;

use super::decoder::SourceRows;
use super::error::Fault;
use super::hypothesis::{Best, Ending, Finished};
use super::plan::BeamShape;
use super::required::deal;
use super::scratch::Scratch;
use super::source::{Live, Task};
use super::top::Candidate;

/// What is followed of one source.
#[derive(Debug)]
pub(super) struct Beam {
    shape: BeamShape,
    /// Earlier ones take tokens away from later ones (Vijayakumar 2018).
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    live: Vec<Live>,
    best: Best,
    /// How many ended by themselves.
    ended: usize,
}

impl Beam {
    pub(super) fn new(task: &Task<'_>, shape: &BeamShape, root: &Live) -> Self {
        let best = Best::new(shape.n_best.min(shape.width), task.search.plan.ended_first);
        let group = |_| Group { live: vec![root.clone()], best: best.clone(), ended: 0 };
        Self { shape: shape.clone(), groups: (0..shape.groups).map(group).collect() }
    }

    pub(super) fn live(&mut self) -> impl Iterator<Item = &mut Live> {
        self.groups.iter_mut().flat_map(|group| &mut group.live)
    }

    pub(super) fn advance(
        &mut self,
        task: &mut Task<'_>,
        rows: &mut SourceRows<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Fault> {
        for live in self.groups.iter().flat_map(|group| &group.live) {
            task.mask(live, rows);
        }
        scratch.taken.clear();
        let several = self.groups.len() > 1;
        for group in &mut self.groups {
            group.offer(task, &self.shape, rows, scratch)?;
            group.choose(task, self.shape.width, rows, scratch);
            if several {
                group.live.iter().for_each(|live| take(&mut scratch.taken, task.paths.last(live.node)));
            }
        }
        Ok(())
    }

    /// Ends what has as many tokens as it may have, and what can change nothing any more. `watch` gets the last token where
    /// there is only one hypothesis, and may break it off.
    pub(super) fn end(&mut self, task: &Task<'_>, mut watch: impl FnMut(usize, u32) -> ControlFlow<()>) {
        let BeamShape { groups, width, .. } = self.shape;
        for Group { live, best, .. } in &mut self.groups {
            let one = live.first().filter(|_| groups * width == 1);
            let is_broken_off = one.is_some_and(|one| watch(0, task.paths.last(one.node)).is_break());
            let ending = match is_broken_off {
                true => Ending::BrokenOff,
                false if task.is_at_the_longest() => Ending::Longest,
                false => continue,
            };
            live.drain(..).for_each(|live| best.offer(task.finish(&live, task.steps, ending), &task.paths));
        }
        self.stop(task);
    }

    /// Ends the groups whose best are proven, from the last one on: an earlier one still says what later ones do.
    fn stop(&mut self, task: &Task<'_>) {
        let plan = &task.search.plan;
        for group in self.groups.iter_mut().rev() {
            let total = group.live.iter().map(|live| live.total).fold(f64::NEG_INFINITY, f64::max);
            let bound = plan.score.bound(total, task.request.longest);
            let is_over = group.live.is_empty() || (plan.stops_early && group.best.are_final(bound));
            if !is_over {
                return;
            }
            group.live.clear();
        }
    }

    /// The best of each group, then the second best of each, and so on, none twice; in the order of all that are complete.
    pub(super) fn best(&self, task: &Task<'_>) -> Vec<Finished> {
        let paths = &task.paths;
        let mut kept: Vec<(Finished, Vec<u32>)> = Vec::with_capacity(self.shape.n_best);
        for place in 0..self.shape.n_best {
            for finished in self.groups.iter().filter_map(|group| group.best.sorted().get(place)) {
                // With the end, where there is one, so that a sequence that was cut there is another one.
                let tokens = paths.tokens(finished.node);
                let several = self.groups.len() > 1;
                if kept.len() < self.shape.n_best && !(several && kept.iter().any(|(_, other)| *other == tokens)) {
                    kept.push((*finished, tokens));
                }
            }
        }
        let mut best = Best::new(self.shape.n_best, task.search.plan.ended_first);
        kept.iter().for_each(|(finished, _)| best.offer(*finished, paths));
        best.sorted().to_vec()
    }
}

impl Group {
    /// Puts the best of what could come into `scratch.top`, and into `scratch.candidates` what required words ask for beside
    /// (Post and Vilar 2018, section 3.1): of every hypothesis its best token, and what goes on with a required sequence.
    fn offer(
        &mut self,
        task: &Task<'_>,
        shape: &BeamShape,
        rows: &mut SourceRows<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Fault> {
        let Scratch { top, candidates, taken, replaced, .. } = scratch;
        top.begin(2 * shape.width);
        candidates.clear();
        let mut result = Ok(());
        let (best, live) = (&mut self.best, &self.live);
        for (parent, live) in live.iter().enumerate() {
            let row = rows.row_mut(live.row);
            replaced.clear();
            for &(token, times) in taken.iter() {
                replaced.push((token, row[token as usize]));
                row[token as usize] -= shape.diversity * times as f32;
            }
            match top.offer(parent, live.total, row) {
                Ok(true) => {}
                Ok(false) => best.offer(task.finish(live, task.steps, Ending::Stuck), &task.paths),
                Err(fault) => result = result.and(Err(fault)),
            }
            if !task.required.is_empty() {
                wanted(task, parent, live, row, candidates);
            }
            replaced.iter().for_each(|&(token, value)| row[token as usize] = value);
        }
        result
    }

    /// Goes on with the best of what was offered.
    fn choose(&mut self, task: &mut Task<'_>, width: usize, rows: &SourceRows<'_>, scratch: &mut Scratch) {
        let Scratch { top, candidates, .. } = scratch;
        let end = task.search.end;
        let before = std::mem::take(&mut self.live);
        let mut go_on = |task: &mut Task<'_>, candidate: &Candidate, ends: bool| {
            let live = task.extend(&before[candidate.parent], candidate.token, rows);
            if ends {
                self.best.offer(task.finish(&live, task.steps + 1, Ending::End), &task.paths);
                self.ended += 1;
            } else {
                self.live.push(live);
            }
        };
        if task.required.is_empty() {
            let mut bank = Bank::new(width);
            for candidate in top.sorted() {
                let ends = Some(candidate.token) == end;
                if bank.admits(ends) {
                    go_on(task, candidate, ends);
                }
            }
        } else {
            candidates.extend_from_slice(top.sorted());
            candidates.sort_unstable_by(Candidate::order);
            candidates.dedup();
            let bank = |candidate: &Candidate| task.required.bank(&before[candidate.parent].progress, candidate.token);
            let of: Vec<usize> = candidates.iter().map(bank).collect();
            let mut counts = vec![0; task.required.tokens() + 1];
            of.iter().for_each(|&bank| counts[bank] += 1);
            let mut banks: Vec<Bank> = deal(width, &counts).into_iter().map(Bank::new).collect();
            for (candidate, &bank) in candidates.iter().zip(&of) {
                let ends = Some(candidate.token) == end;
                if banks[bank].admits(ends) {
                    go_on(task, candidate, ends);
                }
            }
        }
        if self.ended >= width && (width == 1 || !self.is_ahead(task)) {
            self.live.clear();
        }
    }

    /// Whether one of those that go on would be among the best if it ended as it stands.
    fn is_ahead(&self, task: &Task<'_>) -> bool {
        let scores = self.live.iter().map(|live| task.finish(live, task.steps + 1, Ending::End).score);
        !self.best.are_final(scores.fold(f64::NEG_INFINITY, f64::max))
    }
}

/// What required words ask for of one hypothesis.
fn wanted(task: &Task<'_>, parent: usize, live: &Live, row: &[f32], candidates: &mut Vec<Candidate>) {
    let mut offer = |token: u32| {
        let value = row[token as usize];
        if value > f32::NEG_INFINITY {
            candidates.push(Candidate { total: live.total + f64::from(value.min(0.0)), parent, token });
        }
    };
    let likeliest = row
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (token, &value)| if value > best.1 { (token, value) } else { best });
    offer(likeliest.0 as u32);
    task.required.wanted(&live.progress).for_each(offer);
}

/// The slots of the beam that are for hypotheses with so many required tokens; all of it where none are required.
struct Bank {
    slots: usize,
    seen: usize,
    live: usize,
}

impl Bank {
    fn new(slots: usize) -> Self {
        Self { slots, seen: 0, live: 0 }
    }

    /// Whether the next best candidate gets in.
    fn admits(&mut self, ends: bool) -> bool {
        self.seen += 1;
        if ends {
            return self.seen <= self.slots;
        }
        self.live += 1;
        self.live <= self.slots
    }
}

fn take(taken: &mut Vec<(u32, u32)>, token: u32) {
    match taken.iter_mut().find(|(other, _)| *other == token) {
        Some((_, times)) => *times += 1,
        None => taken.push((token, 1)),
    }
}
