//! Windows of histories, by where their forecasts begin.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::plan::WindowPlan;
use super::window::{Cutter, Window};
use crate::data::history::History;
use crate::error::{DataError, counted};
use crate::network::budget::Budget;

/// What people call a window, and a part of it.
pub(super) const WINDOW: (&str, &str) = ("window", "step");

/// Windows of histories; the histories are kept once, whatever the windows are.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The histories, which other datasets may share.
    pub histories: Arc<Vec<History>>,
    /// How many steps of each history count: what is behind is neither read nor known.
    pub ends: Arc<Vec<usize>>,
    /// Which history each window is of, and how many of its steps are known.
    pub windows: Vec<(usize, usize)>,
    /// The steps that are read of each window.
    pub lengths: Vec<usize>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

/// What is held out of histories to be judged, and what is left.
#[derive(Clone, Debug)]
pub struct Parted {
    /// How many steps of each history are left to learn from.
    pub left: Vec<usize>,
    /// Which windows are judged: the history and the steps that are known.
    pub judged: Vec<(usize, usize)>,
}

/// Holds out the end of every history: as many whole horizons as `share` of it has, at least one. A history from which nothing
/// would be left to learn is not held out of.
pub fn hold_out(histories: &[History], horizon: usize, share: f64) -> Parted {
    let mut parted = Parted { left: Vec::with_capacity(histories.len()), judged: Vec::new() };
    for (place, history) in histories.iter().enumerate() {
        let windows = ((history.length as f64 * share) as usize / horizon).max(1);
        let left = history.length.saturating_sub(windows * horizon);
        if left < horizon.min(history.length / 2).max(2) {
            parted.left.push(history.length);
            continue;
        }
        parted.left.push(left);
        parted.judged.extend((0..windows).map(|window| (place, left + window * horizon)));
    }
    parted
}

/// From which step on every history is held out to be judged, where every step is told: the last `share` of it, at least one step.
/// A history of a single step is not held out of.
pub fn hold_out_steps(histories: &[History], share: f64) -> Vec<usize> {
    let left = |history: &History| {
        let out = ((history.length as f64 * share) as usize).max(1);
        if history.length > out { history.length - out } else { history.length }
    };
    histories.iter().map(left).collect()
}

/// The windows of a backtest: of every history the last `windows`, `stride` steps apart, the last of which ends with the history.
/// A history that has none is left out, and how many are is told.
///
/// # Errors
/// If no history has any.
pub fn backtest(
    histories: &[History],
    horizon: usize,
    (windows, stride): (usize, usize),
    file: &Path,
) -> Result<Vec<(usize, usize)>, DataError> {
    let mut origins = Vec::new();
    let mut out = 0;
    for (place, history) in histories.iter().enumerate() {
        let last = history.length.checked_sub(horizon).filter(|last| *last > 0);
        let Some(last) = last else {
            out += 1;
            continue;
        };
        // From 1: before the first step nothing is known.
        let count = windows.min(1 + (last - 1) / stride);
        origins.extend((0..count).rev().map(|back| (place, last - back * stride)));
    }
    if origins.is_empty() {
        let longest = histories.iter().map(|history| history.length).max().unwrap_or(0);
        let problem = format!(
            "no series has a step before the {} that are forecast; the longest has {}",
            counted(horizon, "step"),
            counted(longest, "step")
        );
        return Err(DataError::Line { file: file.into(), line: histories.first().map_or(1, |all| all.line), problem });
    }
    if out > 0 {
        let (name, series) = (file.display(), if out == 1 { "1 series is" } else { &format!("{out} series are") });
        tracing::warn!("{name}: {series} too short for a forecast of {} and not judged", counted(horizon, "step"));
    }
    Ok(origins)
}

impl Dataset {
    /// Windows to learn from: of every history, within its first `ends` steps, those from which at least one step ahead is known,
    /// `stride` apart, the last among them. As much is known of each as is forecast, where the history is long enough.
    pub fn training(
        histories: Arc<Vec<History>>,
        ends: Vec<usize>,
        (cutter, stride): (&Cutter<'_>, usize),
        file: &Path,
    ) -> Dataset {
        let mut windows = Vec::new();
        for (place, (history, &end)) in histories.iter().zip(&ends).enumerate() {
            let least = cutter.plan.horizon.min(cutter.plan.context).min(end / 2).max(1);
            let origins = (least..end).rev().step_by(stride).filter(|&origin| teaches(history, (origin, end), cutter));
            let mut origins: Vec<(usize, usize)> = origins.map(|origin| (place, origin)).collect();
            origins.reverse();
            windows.extend(origins);
        }
        Dataset::of(histories, ends, windows, cutter, file)
    }

    /// Windows of which every step is told: of every history, within its first `ends` steps, `stride` apart, the last of which ends
    /// there.
    pub fn every_step(
        histories: Arc<Vec<History>>,
        ends: Vec<usize>,
        (cutter, stride): (&Cutter<'_>, usize),
        file: &Path,
    ) -> Dataset {
        let mut windows = Vec::new();
        for (place, (history, &end)) in histories.iter().zip(&ends).enumerate() {
            let context = cutter.plan.context;
            let tells = |&last: &usize| {
                let steps = last.saturating_sub(context)..last;
                steps.into_iter().any(|step| {
                    let own = &history.past[step * cutter.targets..][..cutter.targets];
                    own.iter().any(|value| !value.is_nan())
                })
            };
            let least = context.min(end).max(1);
            let mut lasts: Vec<usize> = (least..=end).rev().step_by(stride).filter(tells).collect();
            lasts.reverse();
            windows.extend(lasts.into_iter().map(|last| (place, last)));
        }
        Dataset::of(histories, ends, windows, cutter, file)
    }

    /// These windows.
    pub fn of(
        histories: Arc<Vec<History>>,
        ends: Vec<usize>,
        windows: Vec<(usize, usize)>,
        cutter: &Cutter<'_>,
        file: &Path,
    ) -> Dataset {
        let lengths = windows.iter().map(|&(_, origin)| origin.min(cutter.plan.context)).collect();
        Dataset { histories, ends: ends.into(), windows, lengths, file: file.into() }
    }

    /// A window, and what came behind its origin, `[H, G]`, scaled.
    pub fn window(&self, row: usize, cutter: &Cutter<'_>) -> Option<(Window, Vec<f32>)> {
        let (place, origin) = self.windows[row];
        let history = &self.histories[place];
        if cutter.plan.at_every_step() {
            let window = cutter.steps(history, origin, cutter.plan.context)?;
            let told = cutter.told(history, &window, 0);
            return Some((window, told));
        }
        let window = cutter.window(history, origin)?;
        let truth = cutter.truth(history, (origin, self.ends[place]), &window.frames);
        Some((window, truth))
    }

    /// How many values of these windows are known of what is to be said.
    pub fn known(&self, rows: &[usize], cutter: &Cutter<'_>) -> usize {
        let WindowPlan { horizon, context, .. } = *cutter.plan;
        let of_row = |&row: &usize| {
            let (place, origin) = self.windows[row];
            let (history, groups) = (&self.histories[place], cutter.targets);
            let (values, first, end) = match cutter.plan.at_every_step() {
                true => (&history.past, origin.saturating_sub(context), origin),
                false => (&history.targets, origin, self.ends[place].min(origin + horizon)),
            };
            values[first * groups..end * groups].iter().filter(|value| !value.is_nan()).count()
        };
        rows.iter().map(of_row).sum()
    }

    /// Refuses the data if a window of them is over the limit alone, by the line of its history.
    ///
    /// # Errors
    /// [`DataError::Memory`]
    pub fn check_memory(&self, budget: &Budget) -> Result<(), DataError> {
        let longest = self.windows.iter().zip(&self.lengths).max_by_key(|(_, length)| **length);
        longest.map_or(Ok(()), |(&(place, _), &length)| {
            budget.check_steps(length, (WINDOW, "--context"), (&self.file, self.histories[place].line))
        })
    }

    /// What came behind a window's origin, of one target, as it stands in the data, `[H]`; NaN where it is missing or the history
    /// has ended.
    pub fn actual(&self, row: usize, (target, targets): (usize, usize), horizon: usize) -> Vec<f32> {
        let (place, origin) = self.windows[row];
        let (history, end) = (&self.histories[place], self.ends[place]);
        let value = |step: usize| {
            if step < end { history.targets[step * targets + target] } else { f32::NAN }
        };
        (origin..origin + horizon).map(value).collect()
    }

    /// What came before a window's origin, of one target. `[origin]`
    pub fn before(&self, row: usize, (target, targets): (usize, usize)) -> Vec<f32> {
        let (place, origin) = self.windows[row];
        self.histories[place].targets[..origin * targets].iter().skip(target).step_by(targets).copied().collect()
    }
}

/// Whether there is something before an origin, among the steps that a window reads, and something behind it.
fn teaches(history: &History, (origin, end): (usize, usize), cutter: &Cutter<'_>) -> bool {
    let targets = cutter.targets;
    let has =
        |from: usize, to: usize| history.targets[from * targets..to * targets].iter().any(|value| !value.is_nan());
    has(origin.saturating_sub(cutter.plan.context), origin) && has(origin, end.min(origin + cutter.plan.horizon))
}
