//! The scores of a forecaster, as people and programs read them.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::figures::Figures;
use super::step_errors::Totals;

/// The scores of a forecaster over all its windows.
///
/// Every figure but WAPE is the mean over the windows of a series of what it is in each window, then the mean over series, so that
/// a series counts the same however many windows it has. WAPE is a ratio of the sums over all steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverallScores {
    /// Series that were judged.
    pub series: usize,
    /// Windows that were judged: those of which an actual value is known.
    pub windows: usize,
    /// Series that count in neither MASE nor RMSSE: before none of their origins did they change over a season.
    pub unscaled_series: usize,
    /// The scores.
    #[serde(flatten)]
    pub scores: ForecastScores,
}

/// The scores of a forecaster: over all, at one step of the horizon, or of one series. `None` is what there is nothing to count of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ForecastScores {
    /// Steps that were judged: those whose actual value is known.
    pub steps: usize,
    /// Steps among them whose actual value is 0, which count in no MAPE.
    pub zero_actuals: usize,
    /// Mean absolute error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// Root of the mean squared error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f64>,
    /// Mean absolute percentage error, a share that may exceed 1. Steps whose actual value is 0 count nowhere,
    /// as in utilsforecast on pandas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mape: Option<f64>,
    /// Symmetric mean absolute percentage error `200 |y - f| / (|y| + |f|)`, in percent, from 0 to 200 (Makridakis 1993, as in M3
    /// and M4); 0 where both are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smape: Option<f64>,
    /// Half of that, from 0 to 100; a hundredth of this is what utilsforecast calls sMAPE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smape_100: Option<f64>,
    /// Mean absolute error by that of the seasonal naive forecast in what came before the window's origin (Hyndman and Koehler
    /// 2006). A window without a change over a season before it counts nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mase: Option<f64>,
    /// Root of the mean squared error by that of the same forecast (Makridakis 2022, M5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmsse: Option<f64>,
    /// Weighted absolute percentage error: the sum of all absolute errors by the sum of all absolute actual values, of all windows
    /// and series together; a share. Also called ND, the normalised deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wape: Option<f64>,
    /// The pinball loss of every quantile (Koenker and Bassett 1978), with its level.
    #[serde(serialize_with = "by_level", skip_serializing_if = "Vec::is_empty")]
    pub pinball: Vec<(f64, f64)>,
    /// Continuous ranked probability score as twice the mean pinball loss (Gneiting and Raftery 2007, section 4.2, by the integral
    /// over quantiles of Laio and Tamea 2007). It is as good as the levels are: they should be evenly spaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crps: Option<f64>,
    /// Share of the actual values inside of every central interval, its bounds included, with the share that is meant to be.
    #[serde(serialize_with = "by_percent", skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<(f64, f64)>,
    /// Mean width of every central interval, with the share that is meant to be inside.
    #[serde(serialize_with = "by_percent", skip_serializing_if = "Vec::is_empty")]
    pub width: Vec<(f64, f64)>,
}

/// Two quantiles with as much below the one as above the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    /// The share that is meant to be inside.
    pub(super) nominal: f64,
    /// The place of the lower quantile among the levels.
    pub(super) low: usize,
    /// That of the upper one.
    pub(super) high: usize,
}

impl ForecastScores {
    /// From the figures, the totals, the levels and the intervals.
    pub(super) fn new(
        figures: Figures<Option<f64>>,
        totals: Totals,
        levels: &[f64],
        intervals: &[Interval],
    ) -> ForecastScores {
        let nominal: Vec<f64> = intervals.iter().map(|interval| interval.nominal).collect();
        let pinball = measured(levels, &figures.pinball);
        let mean_pinball = pinball.iter().map(|(_, loss)| loss).sum::<f64>() / pinball.len() as f64;
        ForecastScores {
            steps: totals.steps,
            zero_actuals: totals.zeros,
            mae: figures.mae,
            rmse: figures.rmse,
            mape: figures.mape,
            smape: figures.smape,
            smape_100: figures.smape.map(|smape| smape / 2.0),
            mase: figures.mase,
            rmsse: figures.rmsse,
            wape: (totals.actuals > 0.0).then(|| totals.errors / totals.actuals),
            crps: (!pinball.is_empty()).then_some(2.0 * mean_pinball),
            pinball,
            coverage: measured(&nominal, &figures.coverage),
            width: measured(&nominal, &figures.width),
        }
    }
}

impl Interval {
    /// The central intervals that `levels` have, the narrowest first.
    pub(super) fn all(levels: &[f64]) -> Vec<Interval> {
        let mut intervals = Vec::new();
        for (low, below) in levels.iter().enumerate() {
            let opposite = |above: &f64| above > below && (below + above - 1.0).abs() < 1.0 / PARTS;
            if let Some(high) = levels.iter().position(opposite) {
                intervals.push(Interval { nominal: round(levels[high] - below), low, high });
            }
        }
        intervals.sort_by(|a, b| a.nominal.total_cmp(&b.nominal));
        intervals
    }
}

/// Levels are told apart to one part in so many.
const PARTS: f64 = 1e9;

/// The number that was meant: 0.8 - 0.2 is none that one would write.
fn round(value: f64) -> f64 {
    (value * PARTS).round() / PARTS
}

/// What there is a value of, with what it is the value of.
fn measured(keys: &[f64], values: &[Option<f64>]) -> Vec<(f64, f64)> {
    keys.iter().zip(values).filter_map(|(&key, value)| Some((key, (*value)?))).collect()
}

/// An object: `{"0.1": 2.5}`.
fn by_level<S: Serializer>(values: &[(f64, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    by_key(values, |level| level, serializer)
}

/// An object whose names are percents: `{"80": 0.79}`.
fn by_percent<S: Serializer>(values: &[(f64, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    by_key(values, |share| 100.0 * share, serializer)
}

/// An object whose names are what is `shown` of the keys, without the digits behind the seventh that arithmetic left.
fn by_key<S: Serializer>(values: &[(f64, f64)], shown: impl Fn(f64) -> f64, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(values.len()))?;
    for (key, value) in values {
        let name = format!("{:.7}", shown(*key));
        map.serialize_entry(name.trim_end_matches('0').trim_end_matches('.'), value)?;
    }
    map.end()
}
