//! The team's protocol under `loom`: every interleaving of its members up to a bound, and every value that the memory
//! model lets them read.
//!
//! The file under test is the one the kernels run, with `loom`'s atomics in the place of the standard library's. The toys
//! have the memory of the two passes: `loom` refuses an access that no edge of the protocol orders.

#[path = "../src/recurrence/team/protocol.rs"]
mod protocol;

/// What the protocol waits with, here: `loom` runs somebody else.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    /// In this model any wait may be a long one.
    #[derive(Default)]
    pub(super) struct Wait(u32);

    impl Wait {
        pub(super) fn pause(&mut self) -> bool {
            self.0 += 1;
            loom::thread::yield_now();
            self.0 > 1
        }
    }
}

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use protocol::{Member, Team, Work, join};
use std::ops::Range;

/// The most interleavings of one check, where the bound of preemptions leaves more: a test has to end.
const MOST: usize = 15_000;
/// Panels of units.
const UNITS: usize = 4;

/// How a sequence is walked.
#[derive(Clone, Copy)]
struct Plan {
    members: usize,
    steps: usize,
    block: usize,
}

/// The backward pass: the owner of a unit adds to `dh`, writes its gate, meets, and makes the new `dh` of all gates.
struct Backward<const HANDS_OVER: bool> {
    plan: Plan,
    team: Team,
    dh: [UnsafeCell<u64>; UNITS],
    /// `[steps][UNITS]`.
    gates: Vec<[UnsafeCell<u64>; UNITS]>,
}

// SAFETY: `loom` checks every access.
unsafe impl<const HANDS_OVER: bool> Sync for Backward<HANDS_OVER> {}
// SAFETY: as above.
unsafe impl<const HANDS_OVER: bool> Send for Backward<HANDS_OVER> {}

fn read(cell: &UnsafeCell<u64>) -> u64 {
    // SAFETY: `loom` panics before two accesses meet.
    cell.with(|at| unsafe { *at })
}

fn write(cell: &UnsafeCell<u64>, value: u64) {
    // SAFETY: as above.
    cell.with_mut(|at| unsafe { *at = value });
}

fn cells() -> [UnsafeCell<u64>; UNITS] {
    std::array::from_fn(|unit| UnsafeCell::new(unit as u64))
}

impl<const HANDS_OVER: bool> Work for Backward<HANDS_OVER> {
    type Buffers = ();
    const HANDS_OVER: bool = HANDS_OVER;

    fn limit(&self) -> usize {
        self.plan.members
    }

    fn steps(&self) -> usize {
        self.plan.steps
    }

    fn block(&self, _: usize, _: bool) -> usize {
        self.plan.block
    }

    fn team(&self) -> &Team {
        &self.team
    }

    fn work(&self, steps: Range<usize>, member: Member<'_>, (): &mut ()) {
        for s in steps {
            for unit in member.share(UNITS) {
                let dh = read(&self.dh[unit]) + s as u64;
                write(&self.dh[unit], dh);
                write(&self.gates[s][unit], dh * 3 + 1);
            }
            if !member.meet(s + 1) {
                return;
            }
            for unit in member.share(UNITS) {
                write(&self.dh[unit], self.gates[s].iter().map(read).sum::<u64>() + unit as u64);
            }
        }
    }
}

/// The forward pass: the owner of a unit makes the new state of the whole old one, in two buffers that take turns.
struct Forward {
    plan: Plan,
    team: Team,
    h: [[UnsafeCell<u64>; UNITS]; 2],
    c: [UnsafeCell<u64>; UNITS],
}

// SAFETY: `loom` checks every access.
unsafe impl Sync for Forward {}
// SAFETY: as above.
unsafe impl Send for Forward {}

impl Work for Forward {
    type Buffers = ();

    fn limit(&self) -> usize {
        self.plan.members
    }

    fn steps(&self) -> usize {
        self.plan.steps
    }

    fn block(&self, _: usize, _: bool) -> usize {
        self.plan.block
    }

    fn team(&self) -> &Team {
        &self.team
    }

    fn work(&self, steps: Range<usize>, member: Member<'_>, (): &mut ()) {
        for s in steps {
            for unit in member.share(UNITS) {
                let c = read(&self.c[unit]) + self.h[s % 2].iter().map(read).sum::<u64>();
                write(&self.c[unit], c);
                write(&self.h[(s + 1) % 2][unit], c + unit as u64);
            }
            if !member.meet(s + 1) {
                return;
            }
        }
    }
}

/// Walks through every interleaving with at most so many preemptions, and compares what stands in the end.
fn check<W, T>(plan: Plan, preemptions: usize, make: fn(Plan) -> W, result: fn(&W) -> T)
where
    W: Work + Send + Sync + 'static,
    T: PartialEq + std::fmt::Debug + Send + Sync + 'static,
{
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 50_000;
    model.max_permutations = Some(MOST);
    model.check(move || {
        let alone = make(Plan { members: 1, ..plan });
        join(&alone);
        let work = Arc::new(make(plan));
        let others: Vec<_> = (1..plan.members)
            .map(|_| {
                let work = work.clone();
                loom::thread::spawn(move || join(&*work))
            })
            .collect();
        join(&*work);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(result(&work), result(&alone));
    });
}

fn backward<const HANDS_OVER: bool>(members: usize, steps: usize, block: usize, preemptions: usize) {
    check(
        Plan { members, steps, block },
        preemptions,
        |plan| Backward::<HANDS_OVER> {
            plan,
            team: Team::default(),
            dh: cells(),
            gates: (0..plan.steps).map(|_| cells()).collect(),
        },
        |work| work.dh.each_ref().map(read),
    );
}

fn forward(members: usize, steps: usize, block: usize, preemptions: usize) {
    check(
        Plan { members, steps, block },
        preemptions,
        |plan| Forward { plan, team: Team::default(), h: [cells(), cells()], c: cells() },
        |work| (work.h.each_ref().map(|h| h.each_ref().map(read)), work.c.each_ref().map(read)),
    );
}

#[test]
fn two_members_in_any_order() {
    backward::<true>(2, 3, 1, 3);
    backward::<true>(2, 4, 2, 3);
    forward(2, 3, 1, 3);
    forward(2, 4, 2, 3);
}

#[test]
fn three_members_whose_units_move() {
    backward::<true>(3, 2, 1, 1);
    forward(3, 2, 1, 1);
    backward::<true>(3, 2, 1, 2);
    forward(3, 2, 1, 2);
}

#[test]
fn four_members() {
    backward::<true>(4, 2, 1, 1);
    forward(4, 2, 1, 1);
}

/// The fault of revision 8a22f6e: the next block is given out before the last product of this one is written.
#[test]
#[should_panic(expected = "Causality violation")]
fn without_the_hand_over_the_model_finds_the_race() {
    backward::<false>(3, 2, 1, 1);
}
