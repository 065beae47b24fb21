//! Ctrl-C and the other requests to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use signal_hook::flag;

use crate::train::Stop;

/// Exit code of a program that was stopped.
const STOPPED: i32 = 130;

/// Makes the signals that ask a program to end stop a training.
///
/// Before a training begins, and after a first signal, a signal ends the program at once. No thread is needed for it:
/// the handlers set flags and nothing else.
pub(super) fn listen() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    stop.at_once_flag().store(true, Ordering::SeqCst);
    for (signal, name) in heard() {
        // In this order: a first signal must find the flag that it sets itself still down.
        flag::register_conditional_shutdown(signal, STOPPED, Arc::clone(stop.at_once_flag()))
            .and_then(|_| flag::register(signal, Arc::clone(stop.requested_flag())))
            .and_then(|_| flag::register(signal, Arc::clone(stop.at_once_flag())))
            .with_context(|| format!("{name} cannot be listened for"))?;
    }
    Ok(stop)
}

/// The signals that are listened to, with their names. Ctrl-C always is: scripts start what runs in the background with
/// it ignored, and stop it by `kill -INT` all the same. The others are left alone where they were ignored when the
/// program started, as nohup has a hang-up; and a hang-up also where that cannot be found out, which is right under nohup
/// and ends the program without.
#[cfg(unix)]
fn heard() -> Vec<(i32, &'static str)> {
    use nix::sys::signal::Signal;
    let heard = |signal: &Signal| match signal {
        Signal::SIGTERM => ignored(*signal).is_none_or(|ignored| !ignored),
        Signal::SIGHUP => ignored(*signal).is_some_and(|ignored| !ignored),
        _ => true,
    };
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    signals.into_iter().filter(heard).map(|signal| (signal as i32, signal.as_str())).collect()
}

/// Elsewhere there is no hang-up.
#[cfg(not(unix))]
fn heard() -> Vec<(i32, &'static str)> {
    vec![(signal_hook::consts::SIGINT, "Ctrl-C"), (signal_hook::consts::SIGTERM, "SIGTERM")]
}

/// Whether a signal is ignored now; `None` where the system does not tell.
#[cfg(unix)]
fn ignored(signal: nix::sys::signal::Signal) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some((mask >> (signal as i32 - 1)) & 1 == 1)
}
