//! Forecasting: numbers over time, and what comes next.
//!
//! `plan` says what the network is and what it reads; `window` cuts that out of a history, `calendar` reads its times, `network`
//! computes, `output` says what its numbers mean and cost, by the `distribution` that they are of; `data` are windows, `conformal`
//! what intervals are moved by, `judged` what forecasts are worth, by the `scores` of the field and beside the classic `floors`,
//! of which one may answer by `fallback`; `anomalies` are values that were not forecast, `sensitivity` is how forecasts change with what
//! was read; `model` is the trained forecaster, `answer` what it says, `chart` how that is drawn and `report` how good it is.

mod anomalies;
mod answer;
mod calendar;
mod chart;
mod conformal;
mod data;
mod decoder;
pub mod distribution;
mod fallback;
pub mod floors;
mod frame;
mod judged;
mod model;
mod network;
mod output;
mod paths;
mod plan;
mod report;
pub mod scores;
mod sensitivity;
mod values;
mod window;

pub use self::calendar::CalendarField;
pub use self::conformal::{Conformal, enough_windows};
pub use self::data::{Dataset, Parted, backtest, hold_out, hold_out_steps};
pub use self::fallback::{ComparedBy, Fallback, calibrate_floor};
pub use self::frame::Frame;
pub use self::judged::{Forecast, Metrics, calibrate, forecasts, judge, judge_floors, judge_steps, verdict};
pub use self::model::{Description, FALLBACK, Forecaster, budget};
pub use self::network::{Network, Output, Sizes, answer_together};
pub use self::output::{LEAST_DEVIATION, LEAST_FREEDOM, LEAST_MEAN, cost, cost_with_gradient, shape};
pub use self::plan::{
    Around, Combine, DecoderForm, DecoderPlan, Loss, MOST_AHEAD, MOST_BACK, NetworkPlan, OutputPlan, Scale, WindowPlan,
};
use self::scores::{MAE, MASE, RMSE, SMAPE};
pub use self::sensitivity::{NumberGradient, Sensitivity, sensitivity};
pub use self::window::{Ahead, Cutter, Window, batch};
use crate::model::Score;

/// The task's name, and the kind of its model files.
pub const NAME: &str = "forecast";

/// What a forecaster is validated by; the first decides unless another is asked for.
pub const SCORES: [Score; 4] = [MASE, SMAPE, MAE, RMSE];
