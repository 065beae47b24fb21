//! Every kernel in pools of 1 to 16 threads, larger than the machine and smaller than asked for: the same bits, round after
//! round, and nobody waits for ever.
//!
//! Each case stands above the bounds from which a task is shared, so that teams and pieces of all sizes come together.

mod decoder;
mod work;

use decoder::decoders;
use rayon::prelude::*;
use std::sync::mpsc::channel;
use std::time::Duration;
use work::{Work, everything, recurrent};

/// How many threads the pools have.
const POOLS: [usize; 6] = [1, 2, 3, 4, 8, 16];
/// How often each case runs in each pool.
const ROUNDS: usize = 200;
/// After how many seconds a test that still runs is taken to hang; it takes some ten.
const HANGS: u64 = 600;

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Runs `work` on a thread of its own, and fails where it does not come back.
fn comes_back(work: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let thread = std::thread::spawn(move || {
        work();
        // Nobody listens any more only where the test has failed.
        _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(HANGS)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("still running after {HANGS} s"),
        _ => thread.join().unwrap(),
    }
}

fn same_bits(works: Vec<Work>) {
    for work in works {
        let want = (work.run)(1);
        assert!(want.iter().any(|&bits| bits != 0), "{}: nothing was computed", work.name);
        for threads in POOLS {
            pool(threads).install(|| {
                for round in 0..ROUNDS {
                    // Every second time more threads are asked for than there are.
                    let asked = if round % 2 == 0 { threads } else { 16 };
                    let found = (work.run)(asked);
                    assert!(found == want, "{}, pool of {threads}, {asked} threads, round {round}", work.name);
                }
            });
        }
    }
}

#[test]
fn recurrent_kernels_have_the_same_bits_in_any_pool() {
    comes_back(|| same_bits(recurrent()));
}

#[test]
fn the_other_kernels_have_the_same_bits_in_any_pool() {
    comes_back(|| same_bits(everything()));
}

#[test]
fn decoders_have_the_same_bits_in_any_pool() {
    comes_back(|| same_bits(decoders()));
}

/// Callers that come from outside the pool and from inside its own work, all asking for all of its threads.
#[test]
fn several_callers_at_once_come_back() {
    comes_back(|| {
        for work in recurrent() {
            let want = (work.run)(1);
            for threads in POOLS {
                let pool = pool(threads);
                for asked in [threads, 16] {
                    for _ in 0..3 {
                        std::thread::scope(|scope| {
                            let callers: Vec<_> =
                                (0..3).map(|_| scope.spawn(|| pool.install(|| (work.run)(asked)))).collect();
                            for caller in callers {
                                assert!(caller.join().unwrap() == want, "{} from outside, {threads}", work.name);
                            }
                        });
                        let inside: Vec<_> =
                            pool.install(|| (0..threads + 1).into_par_iter().map(|_| (work.run)(asked)).collect());
                        assert!(inside.iter().all(|found| *found == want), "{} from inside, {threads}", work.name);
                    }
                }
            }
        }
    });
}

/// Pools that exist side by side, each with a caller of its own.
#[test]
fn several_pools_at_once_come_back() {
    comes_back(|| {
        let works = recurrent();
        let want: Vec<_> = works.iter().map(|work| (work.run)(1)).collect();
        std::thread::scope(|scope| {
            for threads in POOLS {
                let (works, want) = (&works, &want);
                scope.spawn(move || {
                    let pool = pool(threads);
                    for (work, want) in works.iter().zip(want) {
                        for _ in 0..5 {
                            assert!(pool.install(|| (work.run)(16)) == *want, "{}, {threads}", work.name);
                        }
                    }
                });
            }
        });
    });
}
