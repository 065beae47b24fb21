//! How the values of a window are scaled, and back: by what is known of the series itself.

use super::floors::observed::Observed;
use super::floors::seasons::{self, Composition};
use super::plan::{Scale, WindowPlan};
use crate::input::Spread;

/// Seasons, the last before an origin, of which the season's indices are made; more would be another season by then, and of long
/// series the work would grow with every window.
const SEASONS: usize = 10;
/// A factor below this would make what it divides too large: then the season is added.
const SMALLEST_FACTOR: f64 = 0.01;

/// How one target of a window is scaled: `z = (v - offset) / scale`, where `v` is the value `y` without its season, if that is taken
/// out, and the logarithm of that, if those are forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    offset: f64,
    /// Above 0.
    scale: f64,
    log: bool,
    season: Option<Season>,
}

/// What a series has at every place of its season.
#[derive(Clone, Debug, PartialEq)]
struct Season {
    /// The step of the history at which the indices begin.
    first: usize,
    indices: Vec<f64>,
    composition: Composition,
}

impl Season {
    /// Of the values before an origin, `[T]`; nothing where a test finds none, or there are too few.
    fn of(before: &[f32], season: usize) -> Option<Season> {
        if season < 2 {
            return None;
        }
        let from = before.len().saturating_sub(SEASONS.saturating_mul(season));
        let observed = Observed::of(&before[from..])?;
        let first = before.len() - observed.missing_behind - observed.values.len();
        let values = observed.values;
        if !seasons::is_seasonal(&values, season) {
            return None;
        }
        if values.iter().all(|value| *value > 0.0) {
            let indices = seasons::indices(&values, season, Composition::Multiplicative);
            if indices.iter().all(|index| *index >= SMALLEST_FACTOR) {
                return Some(Season { first, indices, composition: Composition::Multiplicative });
            }
        }
        let indices = seasons::indices(&values, season, Composition::Additive);
        Some(Season { first, indices, composition: Composition::Additive })
    }

    /// That of a step of the history, before the first as well.
    fn index(&self, step: usize) -> f64 {
        let season = self.indices.len();
        self.indices[(step + season - self.first % season) % season]
    }

    fn take_out(&self, step: usize, value: f64) -> f64 {
        match self.composition {
            Composition::Additive => value - self.index(step),
            Composition::Multiplicative => value / self.index(step),
        }
    }

    fn put_back(&self, step: usize, value: f64) -> f64 {
        match self.composition {
            Composition::Additive => value + self.index(step),
            Composition::Multiplicative => value * self.index(step),
        }
    }
}

impl Frame {
    /// Of one target. before: `[T]`, all that is known of it, NaN where it is missing; a window holds the last `length` of them.
    pub(super) fn of(plan: &WindowPlan, before: &[f32], length: usize) -> Frame {
        let season = if plan.deseasonalize { Season::of(before, plan.season) } else { None };
        // Factors keep what is above 0 there; terms may not.
        let log = plan.log;
        let season = season.filter(|season| !log || season.composition == Composition::Multiplicative);
        let mut frame = Frame { offset: 0.0, scale: 1.0, log, season };
        let first = before.len() - length;
        let known = before[first..].iter().enumerate().filter(|(_, value)| !value.is_nan());
        let values: Vec<f64> = known.map(|(place, &value)| frame.value(first + place, value)).collect();
        (frame.offset, frame.scale) = offset_and_scale(&values, plan.scale, log);
        frame
    }

    /// By what was learnt of all training data.
    pub(super) fn fixed(spread: Spread) -> Frame {
        Frame { offset: f64::from(spread.mean), scale: f64::from(spread.std), log: false, season: None }
    }

    /// That changes nothing.
    #[cfg(test)]
    pub(super) fn plain() -> Frame {
        Frame::of_scale(1.0)
    }

    /// By this alone.
    #[cfg(test)]
    pub(super) fn of_scale(scale: f64) -> Frame {
        Frame { offset: 0.0, scale, log: false, season: None }
    }

    /// `v` of what stands in the data at a step of the history.
    pub(super) fn value(&self, step: usize, value: f32) -> f64 {
        let value = f64::from(value);
        let value = self.season.as_ref().map_or(value, |season| season.take_out(step, value));
        if self.log { value.ln() } else { value }
    }

    /// How much `y` of a step changes with `v`, where `v` is this; the season's indices are held.
    pub(super) fn outward_slope(&self, step: usize, value: f64) -> f64 {
        let season = match &self.season {
            Some(season) if season.composition == Composition::Multiplicative => season.index(step),
            _ => 1.0,
        };
        season * if self.log { value.exp() } else { 1.0 }
    }

    /// `v` of a scaled value.
    pub(super) fn unscaled(&self, scaled: f64) -> f64 {
        self.offset + self.scale * scaled
    }

    /// What a scaled unit is worth; of values as they are, where logarithms are not forecast.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The value of a step of the history, scaled.
    pub fn inward(&self, step: usize, value: f32) -> f32 {
        ((self.value(step, value) - self.offset) / self.scale) as f32
    }

    /// A step's value as it stands in the data.
    pub fn outward(&self, step: usize, scaled: f32) -> f32 {
        let value = self.offset + self.scale * f64::from(scaled);
        let value = if self.log { value.exp() } else { value };
        self.season.as_ref().map_or(value, |season| season.put_back(step, value)) as f32
    }
}

fn offset_and_scale(values: &[f64], scale: Scale, log: bool) -> (f64, f64) {
    let (offset, spread) = offset_and_spread(values, scale);
    let scale = if scale == Scale::None { Some(spread) } else { usable(values, spread) };
    (offset, scale.unwrap_or_else(|| instead(values, log)))
}

/// A spread that is one: what is below the rounding of the values themselves is none, for of what never changes, any change would be
/// huge.
pub(super) fn usable(values: &[f64], spread: f64) -> Option<f64> {
    (spread.is_finite() && spread > largest(values) * 1e-6).then_some(spread)
}

/// What values are scaled by that have no spread.
fn instead(values: &[f64], log: bool) -> f64 {
    let largest = largest(values);
    if largest > 0.0 && !log { largest } else { 1.0 }
}

pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()))
}

fn offset_and_spread(values: &[f64], scale: Scale) -> (f64, f64) {
    let mean_of = |values: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
        sum / count.max(1) as f64
    };
    let mean = mean_of(&mut values.iter().copied());
    match scale {
        Scale::None => (0.0, 1.0),
        Scale::Mean => (0.0, mean_of(&mut values.iter().map(|value| value.abs()))),
        Scale::Standard => (mean, mean_of(&mut values.iter().map(|value| (value - mean).powi(2))).sqrt()),
        Scale::Robust => {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            (at(&sorted, 0.5), at(&sorted, 0.75) - at(&sorted, 0.25))
        }
        Scale::Difference => {
            let steps = &mut values.windows(2).map(|pair| (pair[1] - pair[0]).abs());
            (values.last().copied().unwrap_or(0.0), mean_of(steps))
        }
    }
}

/// A quantile of sorted values, between two of them by their distance.
fn at(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = level * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::forecast::Around;

    #[test]
    fn a_season_is_taken_out_and_put_back_at_its_place() {
        let plan = WindowPlan {
            horizon: 4,
            context: 8,
            season: 4,
            scale: Scale::None,
            log: false,
            deseasonalize: true,
            around: Around::Last,
            blend: Vec::new(),
            calendar: Vec::new(),
        };
        for (factors, terms) in [(true, [0.5, 1.0, 1.5, 1.0]), (false, [-30.0, 0.0, 30.0, 0.0])] {
            let value = |step: usize| {
                let trend = 10.0 + step as f32;
                if factors { trend * terms[step % 4] } else { trend - 30.0 + terms[step % 4] }
            };
            let mut before: Vec<f32> = (0..26).map(value).collect();
            before[0] = f32::NAN;
            let frame = Frame::of(&plan, &before, 8);
            assert!(frame.season.is_some(), "{factors}");
            let composition = if factors { Composition::Multiplicative } else { Composition::Additive };
            assert_eq!(frame.season.as_ref().map(|season| season.composition), Some(composition));
            // A line is left, and goes on.
            for step in 18..30 {
                let expected = 10.0 + step as f32 - if factors { 0.0 } else { 30.0 };
                let found = frame.inward(step, value(step));
                assert!((found - expected).abs() < 0.6, "{factors}, step {step}: {found}, not {expected}");
                assert!((frame.outward(step, found) - value(step)).abs() < 1e-4, "{factors}, step {step}");
            }
        }
        // What has no season keeps its values.
        let plain: Vec<f32> = (0..26).map(|step| step as f32).collect();
        assert_eq!(Frame::of(&plan, &plain, 8).season, None);
        assert_eq!(Frame::of(&plan, &plain[..5], 5).season, None);
        assert_eq!(Frame::of(&plan, &[f32::NAN; 5], 5).season, None);
    }
}
