//! Which values a forecaster can read.

use std::path::Path;

use super::plan::NetworkPlan;
use crate::data::history::History;
use crate::error::DataError;

/// The largest count: single precision has no whole number for every one above.
const MOST_COUNTED: f32 = 16_777_216.0;

impl NetworkPlan {
    /// What is wrong with the values of a history, where something is.
    pub(super) fn refuses(&self, history: &History) -> Option<String> {
        let groups = history.targets.len() / history.length.max(1);
        let counts = self.output.loss.is_of_counts();
        let problem = |value: f32| match value {
            value if self.window.log && value <= 0.0 => {
                Some("which has no logarithm; --logarithms needs values above 0".to_owned())
            }
            value if counts && (value < 0.0 || value.fract() != 0.0 || value > MOST_COUNTED) => Some(format!(
                "which is no count; --loss negative-binomial needs whole numbers from 0 to {MOST_COUNTED}, other numbers \
                 --loss student-t or quantile"
            )),
            _ => None,
        };
        let found = history.targets.iter().enumerate().filter(|(_, value)| !value.is_nan());
        let (place, value, problem) = found.into_iter().find_map(|(at, &value)| Some((at, value, problem(value)?)))?;
        let step = place / groups.max(1) + 1;
        let id = if history.id.is_empty() { String::new() } else { format!(" of the series {:?}", history.id) };
        Some(format!("step {step}{id} is {value}, {problem}"))
    }

    /// Refuses histories of `file` with values that cannot be what is forecast: those without a logarithm, and those that are no
    /// counts.
    ///
    /// # Errors
    /// The first of them.
    pub fn check_values(&self, histories: &[History], file: &Path) -> Result<(), DataError> {
        let refused = histories.iter().find_map(|history| Some((history.line, self.refuses(history)?)));
        match refused {
            Some((line, problem)) => Err(DataError::Line { file: file.into(), line, problem }),
            None => Ok(()),
        }
    }
}
