//! Takes windows one after another, and makes scores of them.

use super::Judged;
use super::figures::Figures;
use super::forecast_scores::{ForecastScores, Interval, OverallScores};
use super::seasonal_scale::SeasonalScale;
use super::step_errors::{Step, Sums};

/// Scores forecasts window by window.
///
/// What is kept are sums for each series and for each step of the horizon, some ten numbers and five a quantile, and no window.
#[derive(Clone, Debug)]
pub struct ForecastScorer {
    levels: Vec<f64>,
    intervals: Vec<Interval>,
    season: usize,
    windows: usize,
    /// By step of the horizon, over the steps of all windows.
    steps: Vec<Sums>,
    /// By series, over what its windows come to.
    series: Vec<Sums>,
    /// Over the steps of the window at hand.
    window: Sums,
    /// Of the step at hand.
    step: Figures<Option<f64>>,
}

impl ForecastScorer {
    /// levels: `[N]`, each once, between 0 and 1, in the order of the quantiles. Two that sum to 1 are the bounds of a central
    /// interval. season: how many steps before the naive forecast takes its value from; 1 is the last value.
    ///
    /// # Panics
    /// If the season is 0.
    pub fn new(levels: &[f64], season: usize) -> ForecastScorer {
        assert!(season > 0, "the season of scaled errors is 0");
        let intervals = Interval::all(levels);
        ForecastScorer {
            levels: levels.to_vec(),
            season,
            windows: 0,
            steps: Vec::new(),
            series: Vec::new(),
            window: Sums::new(levels.len(), intervals.len()),
            step: Figures::new(levels.len(), intervals.len()),
            intervals,
        }
    }

    /// Counts a window; windows may have horizons of several lengths. It goes through all that came before the origin.
    ///
    /// # Panics
    /// If a forecast is not as long as what came, or there are not as many quantiles a step as levels.
    pub fn add(&mut self, judged: &Judged<'_>) {
        let (horizon, levels) = (judged.actual.len(), self.levels.len());
        assert_eq!(judged.mean.len(), horizon, "steps of the point forecast and of what came");
        let row = if judged.quantiles.is_empty() { 0 } else { levels };
        assert_eq!(judged.quantiles.len(), horizon * row, "quantiles, and {row} levels for {horizon} steps");
        let empty = || Sums::new(levels, self.intervals.len());
        self.steps.resize_with(self.steps.len().max(horizon), empty);
        self.series.resize_with(self.series.len().max(judged.series + 1), empty);
        let scale = SeasonalScale::of(judged.insample, self.season);
        self.window.clear();
        for (place, (&actual, &mean)) in judged.actual.iter().zip(judged.mean).enumerate() {
            if actual.is_nan() {
                continue;
            }
            let step = Step { actual, mean, quantiles: &judged.quantiles[place * row..][..row] };
            let totals = step.judge(scale, &self.levels, &self.intervals, &mut self.step);
            self.window.add(&self.step, totals);
            self.steps[place].add(&self.step, totals);
        }
        if self.window.totals.steps > 0 {
            self.windows += 1;
            let figures = self.window.means.values().with_roots();
            self.series[judged.series].add(&figures, self.window.totals);
        }
    }

    /// Over all windows.
    pub fn overall(&self) -> OverallScores {
        let mut all = Sums::new(self.levels.len(), self.intervals.len());
        let (mut series, mut unscaled_series) = (0, 0);
        for sums in self.series.iter().filter(|sums| sums.totals.steps > 0) {
            let figures = sums.means.values();
            series += 1;
            unscaled_series += usize::from(figures.mase.is_none());
            all.add(&figures, sums.totals);
        }
        let scores = self.scores(&all, all.means.values());
        OverallScores { series, windows: self.windows, unscaled_series, scores }
    }

    /// `[H]` of the longest window, by step of the horizon. Each figure is of that step in all windows, of which every one counts the
    /// same, whatever its series: RMSE is the root of the mean of their squared errors.
    pub fn by_step(&self) -> Vec<ForecastScores> {
        self.steps.iter().map(|sums| self.scores(sums, sums.means.values().with_roots())).collect()
    }

    /// By series up to the largest, each the mean over its windows, as [`OverallScores`] is made of.
    pub fn by_series(&self) -> Vec<ForecastScores> {
        self.series.iter().map(|sums| self.scores(sums, sums.means.values())).collect()
    }

    /// Scores of means that are taken from `sums`.
    fn scores(&self, sums: &Sums, figures: Figures<Option<f64>>) -> ForecastScores {
        ForecastScores::new(figures, sums.totals, &self.levels, &self.intervals)
    }
}
