//! Mean 0 and deviation 1 for every channel, and what stands for values that are missing.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::series::{SeriesColumns, SeriesExample};
use crate::error::DataError;

/// Shifts and scales each channel by the mean and the standard deviation it has in the training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Standardizer {
    /// The mean of each channel. `[C]`
    pub mean: Vec<f32>,
    /// The standard deviation of each channel, 1 for one that never changes. `[C]`
    pub std: Vec<f32>,
    /// Whether values may be missing: behind the channels then stands, for each of them, one that is 1 where it lacks its value
    /// and 0 elsewhere. Every channel has one, also one that lacks nothing in the training data.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub indicators: bool,
}

/// The most deviations from the mean that a value may have. With weights up to [`crate::model_file::LARGEST`] a sum of
/// products over all channels stays within what 32 bits hold; beyond, infinity less infinity is no number, and a sigmoid
/// of it may be taken for one.
const FARTHEST: f32 = 1e15;

impl Standardizer {
    /// Fits the channels over all values of all examples, those left out that are missing, which are NaN; nothing if there are
    /// no steps, or the examples differ in their number of channels. `indicators`: whether values may be missing.
    pub fn fit(examples: &[SeriesExample], indicators: bool) -> Option<Self> {
        let channels = examples.first()?.channels;
        if channels == 0 || examples.iter().any(|example| example.channels != channels) {
            return None;
        }
        let rows = || examples.iter().flat_map(|example| example.values.chunks_exact(channels));
        rows().next()?;
        let mut counts = vec![0usize; channels];
        for row in rows() {
            for (count, value) in counts.iter_mut().zip(row) {
                *count += usize::from(!value.is_nan());
            }
        }
        let present = || rows().flat_map(|row| row.iter().enumerate()).filter(|(_, value)| !value.is_nan());
        let mut mean = vec![0.0f64; channels];
        for (channel, &value) in present() {
            mean[channel] += f64::from(value) / counts[channel] as f64;
        }
        // Two passes: the difference of two large sums would lose the digits that matter.
        let mut variance = vec![0.0f64; channels];
        for (channel, &value) in present() {
            variance[channel] += (f64::from(value) - mean[channel]).powi(2) / counts[channel] as f64;
        }
        let deviation = |(variance, mean): (&f64, &f64)| {
            let std = variance.sqrt() as f32;
            // What is below the rounding of the values themselves is no deviation.
            let constant = f64::from(std) <= mean.abs() * f64::from(f32::EPSILON);
            if constant || !std.is_normal() { 1.0 } else { std }
        };
        let std = variance.iter().zip(&mean).map(deviation).collect();
        Some(Self { mean: mean.iter().map(|&mean| mean as f32).collect(), std, indicators })
    }

    /// How many channels a file has.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// How many channels a network reads: with the indicators.
    pub fn width(&self) -> usize {
        if self.indicators { 2 * self.channels() } else { self.channels() }
    }

    /// Standardises the values of `example`, which came from `file`, and adds the indicators. `columns`: what channels are
    /// called.
    ///
    /// # Errors
    /// If the example has another number of channels, or a value too far from the mean of its channel.
    pub fn apply(&self, file: &Path, example: &mut SeriesExample, columns: &SeriesColumns) -> Result<(), DataError> {
        let (found, expected) = (example.channels, self.channels());
        if found != expected || found == 0 {
            return Err(DataError::Channels { file: file.into(), line: example.line, found, expected });
        }
        for (step, row) in example.values.chunks_exact_mut(expected).enumerate() {
            for (channel, ((value, &mean), &deviation)) in row.iter_mut().zip(&self.mean).zip(&self.std).enumerate() {
                if self.indicators && value.is_nan() {
                    continue;
                }
                let standardised = standardise(*value, mean, deviation);
                if standardised.is_nan() || standardised.abs() > FARTHEST {
                    let (line, channel, step, value) = (example.line, columns.call(channel), step + 1, *value);
                    return Err(DataError::FarValue { file: file.into(), line, channel, step, value, mean, deviation });
                }
                *value = standardised;
            }
        }
        if self.indicators {
            let rows = example.values.chunks_exact(expected);
            let read = |value: &f32| if value.is_nan() { 0.0 } else { *value };
            let missing = |value: &f32| f32::from(u8::from(value.is_nan()));
            example.values = rows.flat_map(|row| row.iter().map(read).chain(row.iter().map(missing))).collect();
            example.channels = self.width();
        }
        Ok(())
    }
}

fn standardise(value: f32, mean: f32, deviation: f32) -> f32 {
    let standardised = (value - mean) / deviation;
    if standardised.is_finite() {
        return standardised;
    }
    // The difference of two huge values may be more than 32 bits hold, and less again in deviations.
    ((f64::from(value) - f64::from(mean)) / f64::from(deviation)) as f32
}

/// What stands in a model file, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    mean: Vec<f32>,
    std: Vec<f32>,
    #[serde(default)]
    indicators: bool,
}

impl TryFrom<Stored> for Standardizer {
    type Error = String;

    fn try_from(Stored { mean, std, indicators }: Stored) -> Result<Self, String> {
        if mean.is_empty() {
            return Err("it has no channel".into());
        }
        if mean.len() != std.len() {
            return Err(format!("{} means but {} deviations", mean.len(), std.len()));
        }
        if let Some(wrong) = std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            return Err(format!("a deviation is {wrong}; a number above 0 was expected"));
        }
        if let Some(wrong) = mean.iter().find(|mean| !mean.is_finite()) {
            return Err(format!("a mean is {wrong}; a finite number was expected"));
        }
        Ok(Self { mean, std, indicators })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(values: &[f32], channels: usize) -> SeriesExample {
        SeriesExample { values: values.to_vec(), length: values.len() / channels, channels, label: None, line: 7 }
    }

    fn named() -> SeriesColumns {
        SeriesColumns { channels: vec!["x".into(), "y".into()], ..SeriesColumns::default() }
    }

    #[test]
    fn missing_values_become_the_mean_and_an_indicator() {
        let mut gaps = example(&[1.0, f32::NAN, f32::NAN, f32::NAN, 3.0, f32::NAN], 2);
        let standardizer = Standardizer::fit(std::slice::from_ref(&gaps), true).expect("three steps");
        assert_eq!((standardizer.mean.as_slice(), standardizer.std.as_slice()), (&[2.0, 0.0][..], &[1.0, 1.0][..]));
        standardizer.apply(Path::new("train.ts"), &mut gaps, &named()).expect("two channels");
        assert_eq!(gaps.values, [-1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!((gaps.channels, standardizer.channels(), standardizer.width()), (4, 2, 4));
        let stored = serde_json::to_string(&standardizer).expect("numbers");
        assert_eq!(serde_json::from_str::<Standardizer>(&stored).expect("what was stored"), standardizer);
    }

    #[test]
    fn training_data_get_mean_0_and_deviation_1() {
        let mut examples = [example(&[1.0, 5.0, 2.0, 5.0], 2), example(&[6.0, 5.0], 2)];
        let standardizer = Standardizer::fit(&examples, false).expect("three steps");
        assert_eq!(standardizer.mean, [3.0, 5.0]);
        approx::assert_relative_eq!(standardizer.std[0], (14.0f32 / 3.0).sqrt(), epsilon = 1e-6);
        assert_eq!(standardizer.std[1], 1.0, "a channel that never changes");
        for example in &mut examples {
            standardizer.apply(Path::new("train.ts"), example, &SeriesColumns::default()).expect("two channels");
        }
        let first: f32 = examples.iter().flat_map(|example| example.values.iter().step_by(2)).sum();
        approx::assert_abs_diff_eq!(first, 0.0, epsilon = 1e-6);
        assert!(Standardizer::fit(&[], false).is_none());
    }

    #[test]
    fn a_value_too_far_to_compute_with_is_told_with_its_channel() {
        let standardizer = Standardizer { mean: vec![0.5, 0.0], std: vec![1.0, 1e-9], indicators: false };
        let refused = |values: &[f32]| {
            standardizer.apply(Path::new("new.ts"), &mut example(values, 2), &named()).unwrap_err().to_string()
        };
        let expected = "new.ts, line 7, channel \"x\", step 2: 3e38 is too far from what the channel has in the training data, where the mean is 0.5 and the standard deviation 1.0";
        assert_eq!(refused(&[1.0, 0.0, 3e38, 0.0]), expected);
        assert!(refused(&[1.0, -1e7]).contains("channel \"y\", step 1: -1e7 is too far"));
        assert!(refused(&[f32::NAN, 0.0]).contains("channel \"x\", step 1: NaN is too far"));
        // Huge values among huge values are near.
        let mut wide = example(&[3e38, -3e38, -3e38, -3e38], 1);
        let standardizer = Standardizer::fit(std::slice::from_ref(&wide), false).expect("four steps");
        standardizer.apply(Path::new("train.ts"), &mut wide, &SeriesColumns::default()).expect("all are near");
        assert!(wide.values.iter().all(|value| value.abs() < 2.0), "{:?}", wide.values);
    }

    #[test]
    fn other_channels_and_stored_nonsense_are_refused() {
        let standardizer = Standardizer { mean: vec![0.0], std: vec![1.0], indicators: false };
        let error = standardizer
            .apply(Path::new("new.ts"), &mut example(&[1.0, 2.0], 2), &SeriesColumns::default())
            .unwrap_err()
            .to_string();
        assert_eq!(error, "new.ts, line 7: the sequence has 2 channels; 1 expected");
        let stored = serde_json::to_string(&standardizer).expect("numbers");
        assert_eq!(serde_json::from_str::<Standardizer>(&stored).expect("what was stored"), standardizer);
        for wrong in [r#"{"mean":[0],"std":[0]}"#, r#"{"mean":[0,1],"std":[1]}"#, r#"{"mean":[1e99],"std":[1]}"#] {
            assert!(serde_json::from_str::<Standardizer>(wrong).is_err(), "{wrong}");
        }
    }
}
