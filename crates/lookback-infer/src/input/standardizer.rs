//! Mean 0 and deviation 1 for every channel.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::series::SeriesExample;
use crate::error::DataError;

/// Shifts and scales each channel by the mean and the standard deviation it has in the training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Standardizer {
    /// The mean of each channel. `[C]`
    pub mean: Vec<f32>,
    /// The standard deviation of each channel, 1 for one that never changes. `[C]`
    pub std: Vec<f32>,
}

/// The most deviations from the mean that a value may have. With weights up to [`crate::model_file::LARGEST`] a sum of
/// products over all channels stays within what 32 bits hold; beyond, infinity less infinity is no number, and a sigmoid
/// of it may be taken for one.
const FARTHEST: f32 = 1e15;

impl Standardizer {
    /// Fits the channels over all steps of all examples; nothing if there are no steps, or the examples differ in
    /// their number of channels.
    pub fn fit(examples: &[SeriesExample]) -> Option<Self> {
        let channels = examples.first()?.channels;
        if channels == 0 || examples.iter().any(|example| example.channels != channels) {
            return None;
        }
        let rows = || examples.iter().flat_map(|example| example.values.chunks_exact(channels));
        let steps = rows().count();
        if steps == 0 {
            return None;
        }
        let mut mean = vec![0.0f64; channels];
        for row in rows() {
            for (mean, &value) in mean.iter_mut().zip(row) {
                *mean += f64::from(value) / steps as f64;
            }
        }
        // Two passes: the difference of two large sums would lose the digits that matter.
        let mut variance = vec![0.0f64; channels];
        for row in rows() {
            for ((variance, &value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *variance += (f64::from(value) - mean).powi(2) / steps as f64;
            }
        }
        let deviation = |(variance, mean): (&f64, &f64)| {
            let std = variance.sqrt() as f32;
            // What is below the rounding of the values themselves is no deviation.
            let constant = f64::from(std) <= mean.abs() * f64::from(f32::EPSILON);
            if constant || !std.is_normal() { 1.0 } else { std }
        };
        let std = variance.iter().zip(&mean).map(deviation).collect();
        Some(Self { mean: mean.iter().map(|&mean| mean as f32).collect(), std })
    }

    /// How many channels there are.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Standardises the values of `example`, which came from `file`.
    ///
    /// # Errors
    /// If the example has another number of channels, or a value too far from the mean of its channel.
    pub fn apply(&self, file: &Path, example: &mut SeriesExample) -> Result<(), DataError> {
        let (found, expected) = (example.channels, self.channels());
        if found != expected || found == 0 {
            return Err(DataError::Channels { file: file.into(), line: example.line, found, expected });
        }
        for (step, row) in example.values.chunks_exact_mut(expected).enumerate() {
            for (channel, ((value, &mean), &deviation)) in row.iter_mut().zip(&self.mean).zip(&self.std).enumerate() {
                let standardised = standardise(*value, mean, deviation);
                if standardised.is_nan() || standardised.abs() > FARTHEST {
                    let (line, channel, step, value) = (example.line, channel + 1, step + 1, *value);
                    return Err(DataError::FarValue { file: file.into(), line, channel, step, value, mean, deviation });
                }
                *value = standardised;
            }
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
}

impl TryFrom<Stored> for Standardizer {
    type Error = String;

    fn try_from(Stored { mean, std }: Stored) -> Result<Self, String> {
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
        Ok(Self { mean, std })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(values: &[f32], channels: usize) -> SeriesExample {
        SeriesExample { values: values.to_vec(), length: values.len() / channels, channels, label: None, line: 7 }
    }

    #[test]
    fn training_data_get_mean_0_and_deviation_1() {
        let mut examples = [example(&[1.0, 5.0, 2.0, 5.0], 2), example(&[6.0, 5.0], 2)];
        let standardizer = Standardizer::fit(&examples).expect("three steps");
        assert_eq!(standardizer.mean, [3.0, 5.0]);
        approx::assert_relative_eq!(standardizer.std[0], (14.0f32 / 3.0).sqrt(), epsilon = 1e-6);
        assert_eq!(standardizer.std[1], 1.0, "a channel that never changes");
        for example in &mut examples {
            standardizer.apply(Path::new("train.ts"), example).expect("two channels");
        }
        let first: f32 = examples.iter().flat_map(|example| example.values.iter().step_by(2)).sum();
        approx::assert_abs_diff_eq!(first, 0.0, epsilon = 1e-6);
        assert!(Standardizer::fit(&[]).is_none());
    }

    #[test]
    fn a_value_too_far_to_compute_with_is_told_with_its_channel() {
        let standardizer = Standardizer { mean: vec![0.5, 0.0], std: vec![1.0, 1e-9] };
        let refused =
            |values: &[f32]| standardizer.apply(Path::new("new.ts"), &mut example(values, 2)).unwrap_err().to_string();
        let expected = "new.ts, line 7, channel 1, step 2: 3e38 is too far from what the channel has in the training data, where the mean is 0.5 and the standard deviation 1.0";
        assert_eq!(refused(&[1.0, 0.0, 3e38, 0.0]), expected);
        assert!(refused(&[1.0, -1e7]).contains("channel 2, step 1: -1e7 is too far"));
        assert!(refused(&[f32::NAN, 0.0]).contains("channel 1, step 1: NaN is too far"));
        // Huge values among huge values are near.
        let mut wide = example(&[3e38, -3e38, -3e38, -3e38], 1);
        let standardizer = Standardizer::fit(std::slice::from_ref(&wide)).expect("four steps");
        standardizer.apply(Path::new("train.ts"), &mut wide).expect("all are near");
        assert!(wide.values.iter().all(|value| value.abs() < 2.0), "{:?}", wide.values);
    }

    #[test]
    fn other_channels_and_stored_nonsense_are_refused() {
        let standardizer = Standardizer { mean: vec![0.0], std: vec![1.0] };
        let error = standardizer.apply(Path::new("new.ts"), &mut example(&[1.0, 2.0], 2)).unwrap_err().to_string();
        assert_eq!(error, "new.ts, line 7: the sequence has 2 channels; 1 expected");
        let stored = serde_json::to_string(&standardizer).expect("numbers");
        assert_eq!(serde_json::from_str::<Standardizer>(&stored).expect("what was stored"), standardizer);
        for wrong in [r#"{"mean":[0],"std":[0]}"#, r#"{"mean":[0,1],"std":[1]}"#, r#"{"mean":[1e99],"std":[1]}"#] {
            assert!(serde_json::from_str::<Standardizer>(wrong).is_err(), "{wrong}");
        }
    }
}
