//! What is asked of a model that forecasts, beside its forecasts.

use crate::error::PlanError;

/// What is asked of a model that forecasts numbers over time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForecastAsk {
    /// Whether known values are told that lie outside of what was forecast of them.
    pub anomalies: bool,
    /// Of which interval, in percent; the widest that the model has where nothing is said.
    pub level: Option<f64>,
}

impl ForecastAsk {
    /// The first option of it that is said.
    pub fn said(&self) -> Option<&'static str> {
        let options = [("anomalies", self.anomalies), ("level", self.level.is_some())];
        options.into_iter().find_map(|(option, said)| said.then_some(option))
    }

    /// Refuses all of it, for a model that makes no forecasts.
    ///
    /// # Errors
    /// If any of it is said.
    pub(crate) fn refuse(&self) -> Result<(), PlanError> {
        match self.said() {
            Some(option) => Err(PlanError::conflict(option, "is of models that forecast numbers over time")),
            None => Ok(()),
        }
    }
}
