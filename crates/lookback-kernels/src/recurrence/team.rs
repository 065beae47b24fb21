//! Several threads on the rows of one task: each takes some of the hidden units, and all meet after every step.
//!
//! One row's recurrence cannot be split over rows or over time, only over units, so threads without a task of
//! their own may help another's. A helper comes late or never (the pool may be busy): the leader goes alone until
//! one is there, and takes it in where a block of steps begins. Members meet at a barrier that spins, since a step
//! is a few microseconds long. Every element is still one chain of multiply-adds in the same order, so no result
//! depends on who came.
//!
//! Measured on 2 cores of an AMD EPYC with 512 KiB of second-level cache each (`lookback-bench lstm --batch 1`, least
//! of a run, one thread and two): (100, 128, 256) step 4.85 and 2.80 ms, inference 1.72 and 0.88; (100, 64, 128) step
//! 1.14 and 0.79, inference 0.41 and 0.25. The bounds below were chosen by estimate, not by measurement.

use super::plan::Task;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The most members of a team; one more would find few units left.
const MOST: usize = 8;
/// The fewest multiply-adds a step must leave each member for the barrier to pay.
const STEP_WORK: usize = if cfg!(test) { 1 } else { 8_192 };
/// The fewest multiply-adds of a whole sequence for waking another thread to pay.
const SEQUENCE_WORK: usize = if cfg!(test) { 1 } else { 4_000_000 };
/// How long a waiting member spins before it offers its core to whoever is behind.
const SPINS: usize = 4_096;
/// In [`Team::turn`]: the leader has finished.
const CLOSED: u64 = u64::MAX;
/// Bits of [`Team::turn`] for each of the two step counts.
const STEP_BITS: u32 = 28;

/// How many members a task may have of `threads`: a step has `step_work` multiply-adds a row, over `unit_blocks`
/// blocks of units.
pub(super) fn members(threads: usize, task: &Task, step_work: usize, unit_blocks: usize) -> usize {
    let steps: usize = task.lengths.iter().sum();
    if steps.saturating_mul(step_work) < SEQUENCE_WORK || task.longest() >= 1 << STEP_BITS {
        return 1;
    }
    threads.min(MOST).min(unit_blocks).min(step_work * task.rows.len() / STEP_WORK).max(1)
}

/// A task that a team can walk through.
pub(super) trait Work: Sync {
    /// What each member keeps from block to block.
    type Buffers: Default;
    /// The most members.
    fn limit(&self) -> usize;
    /// How many steps there are.
    fn steps(&self) -> usize;
    /// How many steps to take at once from step `first`, with so many members.
    fn block(&self, first: usize, members: usize) -> usize;
    /// Where its members meet.
    fn team(&self) -> &Team;
    /// One member's share of some steps; it calls [`Member::meet`] in each.
    fn work(&self, steps: Range<usize>, member: Member<'_>, buffers: &mut Self::Buffers);
}

/// Walks through every task, each by its team.
pub(super) fn run_teams<W: Work + Send>(tasks: Vec<W>) {
    if let [task] = &tasks[..]
        && task.limit() == 1
    {
        lead(task);
        return;
    }
    let tasks = &tasks;
    rayon::scope(|scope| {
        for task in tasks.iter().skip(1) {
            scope.spawn(move |_| lead(task));
        }
        for task in tasks {
            for _ in 1..task.limit() {
                scope.spawn(move |_| help(task));
            }
        }
        tasks.first().into_iter().for_each(lead);
    });
}

/// The leader's way: it goes on with whoever has come.
fn lead<W: Work>(task: &W) {
    let team = task.team();
    let _close = Close(team);
    let mut buffers = W::Buffers::default();
    let mut first = 0;
    while first < task.steps() {
        let members = (1 + team.arrived.load(Ordering::Acquire)).min(task.limit());
        let last = (first + task.block(first, members)).min(task.steps());
        if task.limit() > 1 {
            team.turn.store(Turn { first, last, members }.pack(), Ordering::Release);
        }
        task.work(first..last, Member { team, index: 0, members }, &mut buffers);
        first = last;
    }
}

/// A helper's way: it waits to be taken in, and goes home when the leader is done.
fn help<W: Work>(task: &W) {
    let team = task.team();
    let index = 1 + team.arrived.fetch_add(1, Ordering::AcqRel);
    let _pass = Pass(team, index);
    let mut buffers = W::Buffers::default();
    let mut seen = 0;
    loop {
        let mut word = team.turn.load(Ordering::Acquire);
        let mut spins = 0;
        while word == seen {
            pause(&mut spins);
            word = team.turn.load(Ordering::Acquire);
        }
        if word == CLOSED {
            return;
        }
        seen = word;
        let Turn { first, last, members } = Turn::unpack(word);
        if index < members {
            task.work(first..last, Member { team, index, members }, &mut buffers);
        }
    }
}

/// A word on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicUsize);

/// What the members of one task share.
#[derive(Debug, Default)]
pub(super) struct Team {
    /// Helpers that have come.
    arrived: AtomicUsize,
    /// The block of steps at hand: first step, last step, members. 0 before the first.
    turn: AtomicU64,
    /// How many steps each member has finished.
    finished: [Line; MOST],
}

/// One member in one block of steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    team: &'a Team,
    index: usize,
    members: usize,
}

/// A block of steps, as the leader gives it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    first: usize,
    last: usize,
    members: usize,
}

impl Turn {
    fn pack(self) -> u64 {
        ((self.first as u64) << (STEP_BITS + 8)) | ((self.last as u64) << 8) | self.members as u64
    }

    fn unpack(word: u64) -> Self {
        let mask = (1 << STEP_BITS) - 1;
        Turn {
            first: (word >> (STEP_BITS + 8)) as usize,
            last: ((word >> 8) & mask) as usize,
            members: (word & 0xff) as usize,
        }
    }
}

/// Sends helpers home when the leader is done, or panics.
struct Close<'a>(&'a Team);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.turn.store(CLOSED, Ordering::Release);
    }
}

/// Lets the others pass when a member is done, or panics.
struct Pass<'a>(&'a Team, usize);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.finished[self.1].0.store(usize::MAX, Ordering::Release);
    }
}

impl Member<'_> {
    /// Of `count` blocks of units, those of this member.
    #[inline(always)]
    pub(super) fn share(&self, count: usize) -> Range<usize> {
        count * self.index / self.members..count * (self.index + 1) / self.members
    }

    /// Waits until every member has finished `steps` steps, counted from the start of the sequence.
    #[inline(always)]
    pub(super) fn meet(&self, steps: usize) {
        if self.members == 1 {
            return;
        }
        self.team.finished[self.index].0.store(steps, Ordering::Release);
        for other in (0..self.members).filter(|&other| other != self.index) {
            let mut spins = 0;
            while self.team.finished[other].0.load(Ordering::Acquire) < steps {
                pause(&mut spins);
                // The leader is gone in the middle of a block only if it panicked.
                if spins == 0 && self.team.turn.load(Ordering::Acquire) == CLOSED {
                    return;
                }
            }
        }
    }
}

/// Waits a moment; after [`SPINS`] of them gives the core away for a while, and counts from 0 again.
#[inline(always)]
fn pause(spins: &mut usize) {
    if *spins < SPINS {
        *spins += 1;
        std::hint::spin_loop();
    } else {
        *spins = 0;
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;

    const UNITS: usize = 6;
    const STEPS: usize = 3_000;

    /// `next[u] = 3 Σ prev + u`, wrapping: every unit of a step needs every unit of the step before.
    struct Toy {
        team: Team,
        limit: usize,
        states: UnsafeCell<[[u64; UNITS]; 2]>,
    }

    // SAFETY: members write units of their own, and meet before another reads them.
    unsafe impl Sync for Toy {}

    impl Work for Toy {
        type Buffers = ();

        fn limit(&self) -> usize {
            self.limit
        }

        fn steps(&self) -> usize {
            STEPS
        }

        fn block(&self, first: usize, _: usize) -> usize {
            // The second block begins when everybody has come, the third has them all.
            while first > 0 && self.team.arrived.load(Ordering::Acquire) + 1 < self.limit {
                std::thread::yield_now();
            }
            if first == 0 { 1 } else { 700 }
        }

        fn team(&self) -> &Team {
            &self.team
        }

        fn work(&self, steps: Range<usize>, member: Member<'_>, (): &mut ()) {
            assert!(steps.start < 701 || member.members == self.limit);
            let states = self.states.get().cast::<u64>();
            for s in steps {
                // SAFETY: both offsets stay inside the two states, and nobody writes the state that is read.
                unsafe {
                    let prev = states.add((s % 2) * UNITS);
                    let sum = (0..UNITS).fold(0u64, |sum, u| sum.wrapping_add(*prev.add(u)));
                    for u in member.share(UNITS) {
                        *states.add(((s + 1) % 2) * UNITS + u) = sum.wrapping_mul(3).wrapping_add(u as u64);
                    }
                }
                member.meet(s + 1);
            }
        }
    }

    #[test]
    fn a_team_of_any_size_computes_what_one_does() {
        let run = |limit: usize| {
            let toy = Toy { team: Team::default(), limit, states: UnsafeCell::default() };
            std::thread::scope(|scope| {
                (1..limit).for_each(|_| _ = scope.spawn(|| help(&toy)));
                lead(&toy);
            });
            toy.states.into_inner()
        };
        let alone = run(1);
        assert!(alone[0].iter().all(|&unit| unit != 0));
        for limit in [2, 3, MOST.min(UNITS)] {
            assert_eq!(run(limit), alone, "{limit} members");
        }
    }

    #[test]
    fn a_turn_survives_its_packing() {
        let turn = Turn { first: (1 << STEP_BITS) - 2, last: (1 << STEP_BITS) - 1, members: MOST };
        assert_eq!(Turn::unpack(turn.pack()), turn);
    }

    #[test]
    fn a_helper_that_comes_after_the_end_goes_home() {
        let toy = Toy { team: Team::default(), limit: 1, states: UnsafeCell::default() };
        lead(&toy);
        help(&toy);
    }
}
