//! How a forecast changes with what stands in the data: from the gradient of a network's number to that of a value.
//!
//! A value counts twice: by what the network reads of it, and by the offset `o` and the scale `s` of its window. With `v` the value
//! without its season and `z = (v - o) / s`, what is forecast is `v' = o + s u` with `u = b + n(z)`, so that
//! `dv'/dv_j = o_j + s_j u + s du/dv_j` with `s du/dv_j = g_j - o_j sum(g) - s_j sum(g z)`, where `g` is the gradient of `u`, and `o_j`
//! and `s_j` are those of `o` and `s`. The indices of a season that is taken out are held.

use super::floors::Floor;
use super::frame::{Frame, largest, usable};
use super::plan::{Around, Scale, WindowPlan};
use super::window::{Cutter, Window};
use crate::data::history::History;
use crate::input::Spread;

/// The gradient of one of a network's numbers, and that number.
#[derive(Clone, Debug, Default)]
pub struct NumberGradient {
    /// The number, scaled, without what it is added to.
    pub number: f32,
    /// `[L, C]`, with respect to what is read of the past.
    pub channels: Vec<f32>,
    /// `[H, F]`, with respect to what is known ahead.
    pub ahead: Vec<f32>,
    /// `[H, G]`, with respect to what numbers are added to, where a decoder reads that; else nothing.
    pub base: Vec<f32>,
    /// `[G]`, with respect to the last values, where a decoder reads them; else nothing.
    pub last: Vec<f32>,
}

/// How a forecast changes with each value in the data, in units of the target by units of the value; NaN where the value is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensitivity {
    /// `[L, G]`
    pub targets: Vec<f32>,
    /// `[L, P]`; nothing where every step is told.
    pub past: Vec<f32>,
    /// `[L, Q]`
    pub future: Vec<f32>,
    /// `[H, Q]`
    pub ahead: Vec<f32>,
}

/// Of the forecast of one target at one step ahead, or at one step of the window where every step is told.
///
/// # Panics
/// If the gradient is of another window.
pub fn sensitivity(
    cutter: &Cutter<'_>,
    history: &History,
    window: &Window,
    (step, target): (usize, usize),
    gradient: &NumberGradient,
) -> Sensitivity {
    let (every, length) = (cutter.plan.at_every_step(), window.length);
    let first = if every { window.origin } else { window.origin - length };
    let (wide, encoder, own) = (cutter.channels(), cutter.encoder, &window.frames[target]);
    let (read, past, future) =
        (encoder.targets.len(), if every { 0 } else { encoder.past.len() }, encoder.future.len());
    let channel = |at: usize, place: usize| f64::from(gradient.channels[at * wide + place]);
    let base = window.base[step * window.frames.len() + target];
    let scaled = f64::from(base) + f64::from(gradient.number);
    // Classic forecasts are held as they are: the network's part of the mean is left.
    let classic = classic_of(cutter, history, window, (step, target));
    let part = 1.0 / (1.0 + classic.len() as f64);
    let told = (scaled + classic.iter().sum::<f64>()) * part;
    let out = part * own.outward_slope(if every { first + step } else { window.origin + step }, own.unscaled(told));
    let by_spread = |value: f32, spread: &Spread, gradient: f64| {
        // What is farther than is read changes nothing.
        let moves = spread.standardise(value) == (value - spread.mean) / spread.std;
        let slope = if moves { gradient * own.scale() * out / f64::from(spread.std) } else { 0.0 };
        if value.is_nan() { f32::NAN } else { slope as f32 }
    };
    let columns = |values: &[f32], spreads: &[Spread], before: usize| -> Vec<f32> {
        let each = (0..length).flat_map(|at| (0..spreads.len()).map(move |place| (at, place)));
        let value = |at: usize, place: usize| values[(first + at) * spreads.len() + place];
        each.map(|(at, place)| by_spread(value(at, place), &spreads[place], channel(at, before + place))).collect()
    };
    let targets = if every {
        columns(&history.targets, &encoder.targets, 0)
    } else {
        let of_base = base_of(cutter.plan, history, (window.origin, step), (target, read));
        let mut all = vec![0.0; length * read];
        for place in 0..read {
            let values: Vec<f32> = (first..window.origin).map(|at| history.targets[at * read + place]).collect();
            let mut slopes: Vec<f64> = (0..length).map(|at| channel(at, place)).collect();
            if let Some(source) = of_base.filter(|_| place == target) {
                slopes[source - first] += 1.0;
            }
            // What a decoder reads of the values: those that its numbers are added to, and the last ones.
            let of_step = |all: &[f32], at: usize| all.get(at * read + place).copied().map_or(0.0, f64::from);
            let mut held = [0.0; 2];
            for at in 0..cutter.plan.horizon {
                let slope = of_step(&gradient.base, at);
                match base_of(cutter.plan, history, (window.origin, at), (place, read)) {
                    Some(source) => slopes[source - first] += slope,
                    None if cutter.plan.around == Around::Theta => {
                        held = [held[0] + slope, held[1] + slope * of_step(&window.base, at)];
                    }
                    None => {}
                }
            }
            if let Some(source) = last_of(cutter.plan, history, window.origin, (place, read)) {
                slopes[source - first] += of_step(&gradient.last, 0);
            }
            // A forecast of the Theta method is held as it is, wherever the frame moves: what is left is the network's own.
            let beside = match cutter.plan.around {
                Around::Theta => (0.0, f64::from(gradient.number)),
                _ => (1.0, scaled),
            };
            let own_scaled = (place == target).then_some(beside);
            let frame = &window.frames[place];
            let found = of_frame((frame, cutter.plan.scale), first, &values, (&slopes, held), own_scaled);
            for (at, slope) in found.into_iter().enumerate() {
                all[at * read + place] = (slope * own.scale() * out) as f32;
            }
        }
        all
    };
    let known = |at: usize, place: usize| {
        let value = history.future.get((window.origin + at) * future + place).copied().unwrap_or(f32::NAN);
        by_spread(value, &encoder.future[place], f64::from(gradient.ahead[at * cutter.ahead() + place]))
    };
    let horizon = if every { 0 } else { cutter.plan.horizon };
    Sensitivity {
        targets,
        past: if every { Vec::new() } else { columns(&history.past, &encoder.past, read) },
        future: columns(&history.future, &encoder.future, read + past),
        ahead: (0..horizon)
            .flat_map(|at| (0..future).map(move |place| (at, place)))
            .map(|(at, place)| known(at, place))
            .collect(),
    }
}

/// The classic forecasts of a step that the network's is put together with, scaled.
fn classic_of(cutter: &Cutter<'_>, history: &History, window: &Window, (step, target): (usize, usize)) -> Vec<f64> {
    let place = (target, &window.frames[target]);
    let of_step = |&floor: &Floor| cutter.classic(floor, history, window.origin, place)?[step].map(f64::from);
    cutter.plan.blend.iter().filter_map(of_step).collect()
}

/// The step whose value the output of a step ahead is added to, where it is added to one.
fn base_of(
    plan: &WindowPlan,
    history: &History,
    (origin, step): (usize, usize),
    (target, targets): (usize, usize),
) -> Option<usize> {
    let there = |at: usize| !history.targets[at * targets + target].is_nan();
    let last = || last_of(plan, history, origin, (target, targets));
    match plan.around {
        Around::Nothing | Around::Theta => None,
        Around::Last => last(),
        Around::Season => (origin + step % plan.season).checked_sub(plan.season).filter(|&at| there(at)).or_else(last),
    }
}

/// The step of the last value of a target that a window holds.
fn last_of(plan: &WindowPlan, history: &History, origin: usize, (target, targets): (usize, usize)) -> Option<usize> {
    let there = |at: &usize| !history.targets[at * targets + target].is_nan();
    (origin.saturating_sub(plan.context)..origin).rev().find(there)
}

/// How a scaled number changes with the values of one target, divided by the scale of the frame that it is of where that is this one.
/// slopes: `[L]`, the gradient with respect to the scaled values, and with respect to what is read scaled but held as it stands in the
/// data: its sum, and the sum of its products with that. scaled: the number, where it is of this very frame, and behind how
/// many of its offsets it stands.
fn of_frame(
    (frame, scale): (&Frame, Scale),
    first: usize,
    values: &[f32],
    (slopes, held): (&[f64], [f64; 2]),
    scaled: Option<(f64, f64)>,
) -> Vec<f64> {
    let known: Vec<usize> = (0..values.len()).filter(|&at| !values[at].is_nan()).collect();
    let unscaled: Vec<f64> = known.iter().map(|&at| frame.value(first + at, values[at])).collect();
    let (offsets, scales) = slopes_of_frame(&unscaled, scale, frame);
    let z = |value: f64| (value - frame.unscaled(0.0)) / frame.scale();
    let sum: f64 = held[0] + known.iter().map(|&at| slopes[at]).sum::<f64>();
    let weighted: f64 = held[1] + known.iter().zip(&unscaled).map(|(&at, &value)| slopes[at] * z(value)).sum::<f64>();
    let mut all = vec![f64::NAN; values.len()];
    for (place, &at) in known.iter().enumerate() {
        let (offset, scale) = (offsets[place], scales[place]);
        let through = slopes[at] - offset * sum - scale * weighted;
        let beside = scaled.map_or(0.0, |(offsets, scaled)| offsets * offset + scale * scaled);
        all[at] = (through + beside) / frame.scale() / frame.outward_slope(first + at, unscaled[place]);
    }
    all
}

/// How offset and scale change with each value. values: `[n]` without gaps.
fn slopes_of_frame(values: &[f64], scale: Scale, frame: &Frame) -> (Vec<f64>, Vec<f64>) {
    let (count, offset) = (values.len(), frame.unscaled(0.0));
    let zeros = || vec![0.0; count];
    let (offsets, spread, scales) = match scale {
        Scale::None => return (zeros(), zeros()),
        Scale::Mean => {
            let spread = values.iter().map(|value| value.abs()).sum::<f64>() / count as f64;
            (zeros(), spread, values.iter().map(|value| sign(*value) / count as f64).collect())
        }
        Scale::Standard => {
            let spread = (values.iter().map(|value| (value - offset).powi(2)).sum::<f64>() / count as f64).sqrt();
            let slope = |value: &f64| (value - offset) / (count as f64 * spread);
            (vec![1.0 / count as f64; count], spread, values.iter().map(slope).collect())
        }
        Scale::Robust => {
            let mut order: Vec<usize> = (0..count).collect();
            order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
            let (mut offsets, mut scales, mut spread) = (zeros(), zeros(), 0.0);
            for (level, to_offset, to_spread) in [(0.5, 1.0, 0.0), (0.75, 0.0, 1.0), (0.25, 0.0, -1.0)] {
                let place = level * count.saturating_sub(1) as f64;
                for (at, share) in [(place.floor(), 1.0 - place.fract()), (place.ceil(), place.fract())] {
                    let Some(&value) = order.get(at as usize) else { continue };
                    offsets[value] += to_offset * share;
                    scales[value] += to_spread * share;
                    spread += to_spread * share * values[value];
                }
            }
            (offsets, spread, scales)
        }
        Scale::Difference => {
            let (mut offsets, mut scales, mut spread) = (zeros(), zeros(), 0.0);
            if let Some(last) = offsets.last_mut() {
                *last = 1.0;
            }
            let share = 1.0 / count.saturating_sub(1).max(1) as f64;
            for at in 1..count {
                let difference = values[at] - values[at - 1];
                spread += difference.abs() * share;
                scales[at] += sign(difference) * share;
                scales[at - 1] -= sign(difference) * share;
            }
            (offsets, spread, scales)
        }
    };
    if usable(values, spread).is_some() {
        return (offsets, scales);
    }
    // Scaled by the largest of them, or by nothing.
    let (most, mut scales) = (largest(values), zeros());
    if let Some(at) =
        values.iter().position(|value| value.abs() == most).filter(|_| most > 0.0 && frame.scale() == most)
    {
        scales[at] = sign(values[at]);
    }
    (offsets, scales)
}

/// 0 at 0, where an absolute value has no slope.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}
