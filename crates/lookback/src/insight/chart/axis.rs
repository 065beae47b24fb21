//! The axis of values: round numbers from below the least to above the largest.

/// An axis whose ends are ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    /// What stands at every tick, from `low` to `high`, which are evenly apart.
    pub(super) labels: Vec<String>,
}

/// What lies between two ticks, up to powers of ten.
const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
/// How far beyond the last tick a value may be, as a share of what lies between two.
const HAIR: f64 = 0.02;
/// Numbers from here on are written with a power of ten.
const LARGE: f64 = 1e7;
/// Digits behind the point that a number without a power of ten has at most.
const DECIMALS: i32 = 6;

impl Axis {
    /// Of these values, with about so many parts between ticks.
    pub(super) fn of(values: impl Iterator<Item = f32>, parts: usize) -> Axis {
        let values = values.map(f64::from);
        let (mut low, mut high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let largest = low.abs().max(high.abs());
        // What never changes, or by less than single precision has digits for, stands in the middle.
        if high - low <= 1e-6 * largest {
            let around = if largest > 0.0 { 0.05 * largest } else { 1.0 };
            (low, high) = (low - around, high + around);
        }
        let least = (high - low) / parts.max(1) as f64;
        let power = least.log10().floor() as i32;
        let unit = 10f64.powi(power);
        let step = ROUND.into_iter().map(|round| round * unit).find(|step| *step >= 0.95 * least);
        let step = step.unwrap_or(10.0 * unit);
        // What is a hair beyond a tick needs no other one: a sine that a network makes ends at 1.002.
        let (first, last) = ((low / step + HAIR).floor(), (high / step - HAIR).ceil());
        let count = (last - first) as usize;
        let ticks: Vec<f64> = (0..=count).map(|tick| (first + tick as f64) * step).collect();
        let largest = ticks.iter().fold(0.0f64, |largest, tick| largest.max(tick.abs()));
        let labels = ticks.iter().map(|tick| label(*tick, step, largest)).collect();
        Axis { low: first * step, high: last * step, labels }
    }

    /// Where a value lies, from 0 at the top to 1 at the bottom.
    pub(super) fn depth(&self, value: f64) -> f64 {
        (self.high - value) / (self.high - self.low)
    }
}

/// A tick with the digits that tell it apart from the next.
fn label(tick: f64, step: f64, largest: f64) -> String {
    // The power of ten of the last digit that differs.
    let last = (1.000_001 * step).log10().floor() as i32;
    let tick = if tick.abs() < step / 2.0 { 0.0 } else { tick };
    if largest >= LARGE || last < -DECIMALS {
        let digits = (largest.log10().floor() as i32 - last).clamp(0, 15) as usize;
        // All with the power of the largest, so that they can be compared at a glance.
        let power = largest.log10().floor() as i32;
        return match tick {
            0.0 => "0".to_owned(),
            _ => format!("{:.digits$}e{power}", tick / 10f64.powi(power)),
        };
    }
    format!("{tick:.*}", (-last).max(0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        for (values, labels) in [
            (vec![3.0f32, 17.5], vec!["0", "5", "10", "15", "20"]),
            (vec![-1.0, 1.0], vec!["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
            (vec![-1.002, 1.002], vec!["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
            (vec![0.101, 0.139], vec!["0.10", "0.11", "0.12", "0.13", "0.14"]),
            (vec![5.0, 5.0], vec!["4.6", "4.8", "5.0", "5.2", "5.4"]),
            (vec![0.0], vec!["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
            (vec![1e9, 4e9], vec!["1e9", "2e9", "3e9", "4e9"]),
            (vec![1e-9, 4e-9], vec!["1e-9", "2e-9", "3e-9", "4e-9"]),
            (vec![0.0, 1e12], vec!["0", "0.5e12", "1.0e12"]),
            (vec![], vec!["0.0", "0.5", "1.0"]),
        ] {
            let axis = Axis::of(values.iter().copied(), 4);
            assert!(values.iter().all(|value| (-0.01..=1.01).contains(&axis.depth(f64::from(*value)))));
            assert_eq!(axis.labels, labels, "{values:?}");
        }
        for extreme in [f32::MAX, f32::MIN_POSITIVE, 1e-45, -f32::MAX] {
            let axis = Axis::of([extreme, 0.5 * extreme, -extreme].into_iter(), 4);
            assert!((2..=10).contains(&axis.labels.len()) && axis.depth(extreme.into()).is_finite(), "{axis:?}");
        }
    }
}
