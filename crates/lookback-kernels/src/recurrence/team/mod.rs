//! Several threads on the rows of one task: each takes some of the hidden units, and all meet after every step.
//!
//! One row's recurrence cannot be split over rows or over time, only over units, so threads without a task of
//! their own may help another's. A helper comes late or never (the pool may be busy): the leader goes alone until
//! one is there, and takes it in where a block of steps begins. Members meet at a barrier that spins for a moment, since a
//! step is a few microseconds long; where others want the cores, the leader goes alone for the rest of the sequence. Every
//! element is still one chain of multiply-adds in the same order, so no result depends on who came.
//!
//! `protocol.rs` says who waits for whom, and which of its edges orders which buffer.
//!
//! Measured on 2 cores of an AMD EPYC with 512 KiB of second-level cache each (`lookback-bench lstm --batch 1`, least
//! of a run, one thread and two): (100, 128, 256) step 4.85 and 2.80 ms, inference 1.72 and 0.88; (100, 64, 128) step
//! 1.14 and 0.79, inference 0.41 and 0.25. The bounds below were chosen by estimate, not by measurement.

mod protocol;
mod sync;

pub(super) use protocol::{Member, Team, Work};

use super::plan::Task;
use protocol::{MOST, STEP_BITS, join};

/// From how much work on a task is shared.
struct Bounds {
    /// The fewest multiply-adds a step must leave each member for the barrier to pay.
    step: usize,
    /// The fewest multiply-adds of a whole sequence for waking another thread to pay.
    sequence: usize,
}

const BOUNDS: Bounds = Bounds { step: 8_192, sequence: 4_000_000 };
/// Tests share the smallest shapes.
const NO_BOUNDS: Bounds = Bounds { step: 1, sequence: 1 };

/// How many members a task may have of `threads`: a step has `step_work` multiply-adds per row, over `unit_blocks`
/// blocks of units.
pub(super) fn members(threads: usize, task: &Task, step_work: usize, unit_blocks: usize) -> usize {
    members_within(if cfg!(test) { NO_BOUNDS } else { BOUNDS }, threads, task, step_work, unit_blocks)
}

fn members_within(bounds: Bounds, threads: usize, task: &Task, step_work: usize, unit_blocks: usize) -> usize {
    let steps: usize = task.lengths.iter().sum();
    if steps.saturating_mul(step_work) < bounds.sequence || task.longest() >= 1 << STEP_BITS {
        return 1;
    }
    threads.min(MOST).min(unit_blocks).min(step_work.saturating_mul(task.rows.len()) / bounds.step).max(1)
}

/// Walks through every task, each by its team.
pub(super) fn run_teams<W: Work + Send>(tasks: Vec<W>) {
    if let [task] = &tasks[..]
        && task.limit() == 1
    {
        return join(task);
    }
    rayon::scope(|scope| {
        // Leaders first: what is spawned first is stolen first.
        for task in tasks.iter().skip(1) {
            scope.spawn(move |_| join(task));
        }
        for task in &tasks {
            for _ in 1..task.limit() {
                scope.spawn(move |_| join(task));
            }
        }
        tasks.first().into_iter().for_each(join);
    });
}

#[cfg(test)]
mod tests {
    use super::protocol::Turn;
    use super::sync::Ordering;
    use super::*;
    use crate::recurrence::Dims;
    use crate::recurrence::plan::{Tokens, tasks};
    use std::cell::UnsafeCell;
    use std::ops::Range;

    /// What ARCHITECTURE.md says of machines that we do not have: tasks of an LSTM layer, members of each, meetings of all
    /// in a training step, and KiB of scratch of both passes, for panels of 16 units (AVX2).
    #[test]
    fn the_plan_for_many_cores_is_the_one_in_the_documents() {
        let counted = |dims: Dims, threads: usize| {
            let hp = dims.hidden.next_multiple_of(16);
            let tasks = tasks(&dims, &Tokens::new(&dims, None), threads);
            let each = (threads / tasks.len()).max(1);
            let team = |task: &Task| members_within(BOUNDS, each, task, 4 * hp * dims.hidden, hp / 16);
            let members = tasks.iter().map(team).max().unwrap_or(0);
            let meetings: usize = tasks.iter().filter(|task| team(task) > 1).map(|task| 2 * task.longest()).sum();
            let values: usize = tasks.iter().map(|task| (4 * task.rows.len() + 5 * task.rows.len() + 3) * hp).sum();
            [tasks.len(), members, meetings, values * size_of::<f32>() / 1024]
        };
        let shape = |batch, time, input, hidden| Dims { batch, time, input, hidden, directions: 1 };
        let both = Dims { directions: 2, ..shape(64, 50, 300, 128) };
        let rows = [
            (shape(32, 100, 128, 128), [[8, 1, 0, 156], [16, 1, 0, 168], [32, 2, 6_400, 192]]),
            (shape(64, 100, 512, 512), [[8, 1, 0, 1_200], [16, 1, 0, 1_248], [64, 1, 0, 1_536]]),
            (shape(16, 28, 64, 32), [[8, 1, 0, 21], [16, 1, 0, 24], [16, 1, 0, 24]]),
            (shape(1, 100, 128, 256), [[1, 8, 200, 12], [1, 8, 200, 12], [1, 8, 200, 12]]),
            (both, [[8, 1, 0, 588], [16, 1, 0, 600], [64, 1, 0, 672]]),
        ];
        for (dims, want) in rows {
            assert_eq!([8, 16, 64].map(|threads| counted(dims, threads)), want, "{dims:?}");
        }
    }

    const UNITS: usize = 6;
    const STEPS: usize = 3_000;

    /// `next[u] = 3 Σ prev + u`, wrapping: every unit of a step needs every unit of the step before.
    struct Toy {
        team: Team,
        limit: usize,
        states: UnsafeCell<[[u64; UNITS]; 2]>,
    }

    impl Toy {
        fn new(limit: usize) -> Self {
            Toy { team: Team::default(), limit, states: UnsafeCell::default() }
        }
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

        fn block(&self, first: usize, _: bool) -> usize {
            // The second block begins when everybody has come, the third has them all.
            while first > 0 && self.team.arrived.load(Ordering::Acquire) < self.limit {
                std::thread::yield_now();
            }
            if first == 0 { 1 } else { 700 }
        }

        fn team(&self) -> &Team {
            &self.team
        }

        fn work(&self, steps: Range<usize>, member: Member<'_>, (): &mut ()) {
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
                if !member.meet(s + 1) {
                    return;
                }
            }
        }
    }

    #[test]
    fn a_team_of_any_size_computes_what_one_does() {
        let run = |limit: usize| {
            let toy = Toy::new(limit);
            std::thread::scope(|scope| {
                (0..limit).for_each(|_| _ = scope.spawn(|| join(&toy)));
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
    fn who_comes_after_the_end_goes_home() {
        let toy = Toy::new(1);
        join(&toy);
        join(&toy);
    }

    /// A member that panics in the middle of a block, leader or helper.
    struct Broken {
        team: Team,
        leader: bool,
    }

    impl Work for Broken {
        type Buffers = ();

        fn limit(&self) -> usize {
            2
        }

        fn steps(&self) -> usize {
            10
        }

        fn block(&self, first: usize, _: bool) -> usize {
            // The third block has both.
            while first > 0 && self.team.arrived.load(Ordering::Acquire) < 2 {
                std::thread::yield_now();
            }
            if first < 2 { 1 } else { 8 }
        }

        fn team(&self) -> &Team {
            &self.team
        }

        fn work(&self, steps: Range<usize>, member: Member<'_>, (): &mut ()) {
            for s in steps {
                assert!(s < 5 || member.share(2).contains(&0) != self.leader, "on purpose");
                if !member.meet(s + 1) {
                    return;
                }
            }
        }
    }

    #[test]
    fn a_panic_of_a_member_leaves_nobody_waiting() {
        for leader in [true, false] {
            let broken = Broken { team: Team::default(), leader };
            let panicked = std::thread::scope(|scope| {
                let members: Vec<_> = (0..2).map(|_| scope.spawn(|| join(&broken))).collect();
                members.into_iter().map(|member| member.join().is_err()).filter(|&panicked| panicked).count()
            });
            assert_eq!(panicked, 1, "leader {leader}");
        }
    }
}
