//! A backtest with a training before every window, on what was known then.

use std::path::Path;

use lookback_infer::data::history::Histories;
use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::Columns;
use lookback_infer::model::{Ask, Report};
use lookback_infer::tasks::forecast::Forecaster;

use super::train::fit_histories;
use super::{Forecast, ForecastPlan};
use crate::tasks::Task;
use crate::train::{End, Init, Session};

/// Judges what a model's own options give when they are trained anew before every window. `None` where a training was interrupted.
///
/// # Errors
/// If the data are not as the model reads them, or too short for a training before the first window.
pub(super) fn refitted(
    model: &Init,
    (data, columns): (&Path, &Columns),
    ask: &Ask,
    session: &mut Session<'_>,
) -> Result<Option<Report>, Error> {
    let plan = ForecastPlan::new(&Forecast::whole_options_of(model)?)?;
    let forecaster = Forecaster::read(model.file.clone(), &model.path)?;
    let histories = forecaster.histories_of(data, columns)?;
    let mut interrupted = false;
    let mut train = |known: Histories, [place, all]: [usize; 2]| -> Result<Forecaster, Error> {
        tracing::info!("training {place} of {all}, on {} series as known then", known.all.len());
        let fitted = session.with_part(false, |part| fit_histories(known, data, &plan, part))?;
        interrupted |= matches!(fitted.end, End::Interrupted { .. });
        match fitted.model {
            Some((file, _)) if !interrupted => Ok(Forecaster::read(file, &model.path)?),
            _ => {
                Err(PlanError::Unfit(format!("training {place} of {all} gave no model: it {}", fitted.end.in_words()))
                    .into())
            }
        }
    };
    match forecaster.judge_refitted(histories, data, ask, &mut train) {
        Err(_) if interrupted => Ok(None),
        found => found.map(Some),
    }
}
