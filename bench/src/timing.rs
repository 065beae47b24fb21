//! Warm-up, repetitions, median and minimum.

use std::time::{Duration, Instant};

use crate::Work;

/// What was measured, in milliseconds of one unit of work.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say all")]
pub struct Measured {
    pub median_ms: f64,
    pub min_ms: f64,
    pub repetitions: usize,
}

/// Repeats `work` for `seconds`, at least five times.
///
/// # Errors
/// What the work returns.
pub fn measure(work: &mut dyn Work, seconds: f64) -> anyhow::Result<Measured> {
    for _ in 0..3 {
        work.run()?;
    }
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while times.len() < 5 || Instant::now() < end {
        times.push(once(work)?);
    }
    times.sort_by(f64::total_cmp);
    Ok(Measured { median_ms: times[times.len() / 2], min_ms: times[0], repetitions: times.len() })
}

/// The milliseconds of one unit in one repetition.
///
/// # Errors
/// What the work returns.
pub fn once(work: &mut dyn Work) -> anyhow::Result<f64> {
    let start = Instant::now();
    work.run()?;
    Ok(start.elapsed().as_secs_f64() * 1e3 / work.units() as f64)
}
