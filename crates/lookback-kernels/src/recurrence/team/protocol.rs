//! How the members of a team agree, and nothing else: what is waited for, and which memory that orders.
//!
//! # Nobody waits for who has not begun
//! Whoever comes to a task first leads it, and who comes later helps. So every wait is for a thread that is on its way
//! through [`join`], never for one that still stands in a queue; a thread on its way waits for nothing else. Who comes
//! when all is done goes home.
//!
//! # Which edge orders which memory
//! A step ends, or its second half begins, with [`Member::meet`]: each member stores its count of steps (release) and
//! reads everybody's (acquire). A block ends with the hand-over: each member stores that it is done, product after the
//! last meeting included, the leader reads all of them, and its next turn (release) is read (acquire) by every member of
//! the next block. So between two blocks, and only there, units may change hands.
//!
//! | buffer | written by | read by | edge |
//! |---|---|---|---|
//! | forward: `h`, the half of the step's parity | owner of the units, before meeting `s + 1` | all, step `s + 1` | meeting `s + 1` |
//! | forward: the other half of `h` | owner, step `s + 1` | all, step `s` | meeting `s + 1`, which comes after every read |
//! | forward: gates, saved gates, `c`, `y`, `h_n`, `c_n`, cell states between segments | owner | owner | own order; where units move, the hand-over |
//! | backward: gradients of the gates, a row per step | owner, before the meeting | all, the product after it | the meeting of the step |
//! | backward: `dh`, `dc`, `h_prev`, `c_prev`, gradients of `h0` and `c0` | owner, also after the meeting (the product writes `dh`) | owner | own order; where units move, the hand-over |
//! | all of them, before the first block and after the last | leader's caller, then its reader | | the first turn, the last hand-over and rayon's scope |
//!
//! Recomputing and unrolled passes are forward and backward passes of the same kind, one after another.
//! `tests/team_model.rs` walks through the interleavings of this file under `loom`, and finds the race that stands
//! without the hand-over.

use super::sync::{AtomicU64, AtomicUsize, Ordering, Wait};
use std::ops::Range;

/// The most members of a team; one more would find few units left.
pub(super) const MOST: usize = 8;
/// Bits of [`Team::turn`] for each of the two step counts.
pub(super) const STEP_BITS: u32 = 28;
/// In [`Team::turn`]: no more turns.
const CLOSED: u64 = u64::MAX;
/// Long waits that a team may have before it counts them.
const LONG_WAITS: usize = 2;
/// With one more long wait in so many steps, the others' cores are somebody else's: the leader goes alone.
const STEPS_A_WAIT: usize = 16;

/// A task that a team can walk through.
pub(crate) trait Work: Sync {
    /// What each member keeps from block to block.
    type Buffers: Default;
    /// False only where the model check has to find what is wrong without.
    const HANDS_OVER: bool = true;
    /// The most members.
    fn limit(&self) -> usize;
    /// How many steps there are.
    fn steps(&self) -> usize;
    /// How many steps to take at once from step `first`, and whether somebody may still come.
    fn block(&self, first: usize, growing: bool) -> usize;
    /// Where its members meet.
    fn team(&self) -> &Team;
    /// One member's share of some steps; it calls [`Member::meet`] in each, and leaves where that gives false.
    fn work(&self, steps: Range<usize>, member: Member<'_>, buffers: &mut Self::Buffers);
}

/// Takes part in a task, in whatever part is left.
pub(super) fn join<W: Work>(task: &W) {
    match task.team().arrived.fetch_add(1, Ordering::AcqRel) {
        0 => lead(task),
        index if index < task.limit() => help(task, index),
        _ => {}
    }
}

/// The leader's way: it goes on with whoever has come.
fn lead<W: Work>(task: &W) {
    let team = task.team();
    let _close = Close(team);
    let mut buffers = W::Buffers::default();
    let (mut first, mut alone) = (0, task.limit() <= 1);
    while first < task.steps() {
        let members = if alone { 1 } else { team.arrived.load(Ordering::Acquire).min(task.limit()) };
        let last = (first + task.block(first, !alone && members < task.limit())).min(task.steps());
        if members > 1 {
            team.turn.store(Turn { first, last, members }.pack(), Ordering::Release);
        }
        task.work(first..last, Member { team, index: 0, members }, &mut buffers);
        if members > 1 {
            if W::HANDS_OVER {
                team.wait_for(1..members, 2 * last + 1);
            }
            if team.long_waits.load(Ordering::Relaxed) > LONG_WAITS + last / STEPS_A_WAIT {
                team.turn.store(CLOSED, Ordering::Release);
                alone = true;
            }
        }
        first = last;
    }
}

/// A helper's way: it waits to be taken in, and goes home when no more turns come.
fn help<W: Work>(task: &W, index: usize) {
    let team = task.team();
    let _pass = Pass(team, index);
    let mut buffers = W::Buffers::default();
    let mut seen = 0;
    loop {
        let mut word = team.turn.load(Ordering::Acquire);
        let mut wait = Wait::default();
        while word == seen {
            wait.pause();
            word = team.turn.load(Ordering::Acquire);
        }
        if word == CLOSED {
            return;
        }
        seen = word;
        let Turn { first, last, members } = Turn::unpack(word);
        if index < members {
            task.work(first..last, Member { team, index, members }, &mut buffers);
            team.progress[index].0.store(2 * last + 1, Ordering::Release);
        }
    }
}

/// A word on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicUsize);

/// What the members of one task share.
#[derive(Debug, Default)]
pub(crate) struct Team {
    /// Who has come: the leader, then helpers.
    pub(super) arrived: AtomicUsize,
    /// The block of steps at hand: first step, last step, members. 0 before the first.
    turn: AtomicU64,
    /// How far each member is: twice the steps it has met at, one more when the block that ends there is done.
    progress: [Line; MOST],
    /// How often a member waited so long that it gave its core away.
    long_waits: AtomicUsize,
}

impl Team {
    /// Waits until each of `members` is so far. False where the leader is gone, in a panic.
    #[inline(always)]
    fn wait_for(&self, members: impl Iterator<Item = usize>, progress: usize) -> bool {
        for member in members {
            let (mut wait, mut long) = (Wait::default(), false);
            while self.progress[member].0.load(Ordering::Acquire) < progress {
                if wait.pause() {
                    if !std::mem::replace(&mut long, true) {
                        self.long_waits.fetch_add(1, Ordering::Relaxed);
                    }
                    if self.turn.load(Ordering::Relaxed) == CLOSED {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// One member in one block of steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    team: &'a Team,
    index: usize,
    members: usize,
}

impl Member<'_> {
    /// Of `count` blocks of units, those of this member.
    #[inline(always)]
    pub(crate) fn share(&self, count: usize) -> Range<usize> {
        count * self.index / self.members..count * (self.index + 1) / self.members
    }

    /// Waits until every member has finished `steps` steps, counted from the start of the sequence. Where it gives false
    /// the team is broken by a panic, and this member is to leave.
    #[inline(always)]
    pub(crate) fn meet(&self, steps: usize) -> bool {
        if self.members == 1 {
            return true;
        }
        self.team.progress[self.index].0.store(2 * steps, Ordering::Release);
        self.team.wait_for((0..self.members).filter(|&other| other != self.index), 2 * steps)
    }
}

/// A block of steps, as the leader gives it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) members: usize,
}

impl Turn {
    pub(super) fn pack(self) -> u64 {
        ((self.first as u64) << (STEP_BITS + 8)) | ((self.last as u64) << 8) | self.members as u64
    }

    pub(super) fn unpack(word: u64) -> Self {
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

/// Lets the others pass when a member goes home, or panics.
struct Pass<'a>(&'a Team, usize);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.progress[self.1].0.store(usize::MAX, Ordering::Release);
    }
}
