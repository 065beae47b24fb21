//! What the protocol waits with. The model check puts its own in this place (`tests/team_model.rs`).

pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How long a waiting member spins, in pauses of the processor: on a Zen 3 about 15 microseconds, a few steps.
const SPINS: u32 = 1_000;
/// How often it then offers its core to whoever is behind, before it sleeps.
const YIELDS: u32 = 50;
/// How long it sleeps at a time: much less than another program's turn on the core, for which it waits.
const SLEEP: Duration = Duration::from_micros(100);

/// Waits a moment, longer and longer; `waited` begins at 0. Gives true when the wait has become a long one.
#[inline(always)]
pub(super) fn pause(waited: &mut u32) -> bool {
    *waited = waited.saturating_add(1);
    if *waited < SPINS {
        std::hint::spin_loop();
        return false;
    }
    offer_core(*waited - SPINS);
    true
}

#[cold]
fn offer_core(times: u32) {
    if times < YIELDS {
        std::thread::yield_now();
    } else {
        std::thread::sleep(SLEEP);
    }
}
