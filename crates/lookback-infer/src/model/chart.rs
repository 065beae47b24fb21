//! Numbers over time, as a picture shows them.

use crate::data::history::{Frequency, Moment};

/// One panel of a picture: what is known of numbers over time, what is forecast of them, and the intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Which series it is of, and what of it where there are several numbers a step.
    pub title: String,
    /// The moment of the first step.
    pub start: Moment,
    /// From one step to the next.
    pub frequency: Frequency,
    /// The time of every step, as the data write it. `[T]`
    pub times: Vec<String>,
    /// NaN where a value is missing or still to come. `[T]`
    pub known: Vec<f32>,
    /// NaN where nothing is forecast. `[T]`
    pub forecast: Vec<f32>,
    /// The widest first.
    pub intervals: Vec<ChartInterval>,
}

/// Bounds between which values are forecast to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartInterval {
    /// How many are meant to be, in percent.
    pub level: f64,
    /// NaN where nothing is forecast. `[T]`
    pub lower: Vec<f32>,
    /// The same above. `[T]`
    pub upper: Vec<f32>,
}

impl Chart {
    /// The first step that is forecast, where steps before it are not.
    pub fn begins(&self) -> Option<usize> {
        self.forecast.iter().position(|value| !value.is_nan()).filter(|step| *step > 0)
    }

    /// All numbers in it.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        let bounds = self.intervals.iter().flat_map(|interval| interval.lower.iter().chain(&interval.upper));
        self.known.iter().chain(&self.forecast).chain(bounds).copied().filter(|value| !value.is_nan())
    }
}
