//! What is asked of a model that forecasts, beside its forecasts.

use crate::error::PlanError;

/// What is asked of a model that forecasts numbers over time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForecastAsk {
    /// Whether known values are told that lie outside of what was forecast of them.
    pub anomalies: bool,
    /// Of which interval, in percent; the widest that the model has where nothing is said.
    pub level: Option<f64>,
    /// Whether there are charts of what is known and forecast.
    pub chart: bool,
    /// How many known steps are in them at most; enough of them to see how it goes on where nothing is said.
    pub chart_steps: Option<usize>,
    /// How many paths of what may come are drawn.
    pub samples: Option<usize>,
}

impl ForecastAsk {
    /// The first option of it that is said.
    pub fn said(&self) -> Option<&'static str> {
        let options = [
            ("anomalies", self.anomalies),
            ("level", self.level.is_some()),
            ("chart", self.chart),
            ("chart-steps", self.chart_steps.is_some()),
            ("samples", self.samples.is_some()),
        ];
        options.into_iter().find_map(|(option, said)| said.then_some(option))
    }

    /// Whether what is said of charts goes together.
    ///
    /// # Errors
    /// If a number is 0, or is of a chart that was not asked for.
    pub(crate) fn check_chart(&self) -> Result<(), PlanError> {
        match self.chart_steps {
            Some(0) => Err(PlanError::value("chart-steps", 0, "at least 1")),
            Some(_) if !self.chart => Err(PlanError::conflict("chart-steps", "is of --chart, which was not asked for")),
            _ if self.chart && self.anomalies => {
                Err(PlanError::conflict("chart", "is of forecasts, but --anomalies tells values that are known"))
            }
            _ => Ok(()),
        }
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
