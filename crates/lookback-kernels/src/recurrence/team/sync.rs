//! What the protocol waits with. The model check puts its own in this place (`tests/team_model.rs`).

pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a waiting member spins, in pauses of the processor: on the machine at hand some 25 microseconds, a few steps.
const SPINS: u32 = 1_000;
/// After this wait it is known that the other one's core is somebody else's: a step is never so long.
const LONG: Duration = Duration::from_micros(200);
/// From here on it sleeps instead of offering its core again and again. Sleeping sooner cost 50 % of the step of LSTM
/// (1, 100, 128, 256): whoever oversleeps a step makes the other one sleep too.
const VERY_LONG: Duration = Duration::from_millis(3);
/// How long it sleeps at a time.
const SLEEP: Duration = Duration::from_micros(200);

/// One wait, from its first moment on.
#[derive(Debug, Default)]
pub(super) struct Wait {
    spins: u32,
    /// When it stopped to spin.
    since: Option<Instant>,
}

impl Wait {
    /// Waits a moment more. Gives true when the wait has become a long one.
    #[inline(always)]
    pub(super) fn pause(&mut self) -> bool {
        if self.spins < SPINS {
            self.spins += 1;
            std::hint::spin_loop();
            return false;
        }
        self.offer_core()
    }

    #[cold]
    fn offer_core(&mut self) -> bool {
        let so_far = self.since.get_or_insert_with(Instant::now).elapsed();
        if so_far < VERY_LONG {
            std::thread::yield_now();
        } else {
            std::thread::sleep(SLEEP);
        }
        so_far >= LONG
    }
}
