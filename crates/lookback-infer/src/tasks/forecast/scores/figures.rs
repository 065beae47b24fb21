//! One of something for every figure: a value, or the mean that it becomes.

/// Something for every figure that a forecast is judged by. What follows from others is not among them: the second form of sMAPE,
/// CRPS, and the figures that are ratios of sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures<T> {
    /// Of the absolute error.
    pub(super) mae: T,
    /// Of the squared error, or its root.
    pub(super) rmse: T,
    /// Of the absolute error by the actual value.
    pub(super) mape: T,
    /// Of the symmetric absolute percentage error, from 0 to 200.
    pub(super) smape: T,
    /// Of the absolute error by the seasonal scale.
    pub(super) mase: T,
    /// Of the squared error by the squared seasonal scale, or its root.
    pub(super) rmsse: T,
    /// `[N]`, of the pinball loss of every quantile.
    pub(super) pinball: Vec<T>,
    /// Of whether the actual value is inside, by interval.
    pub(super) coverage: Vec<T>,
    /// Of how wide it is, by interval.
    pub(super) width: Vec<T>,
}

/// A mean of values that come one after another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: f64,
    count: usize,
}

impl<T: Clone + Default> Figures<T> {
    /// Of so many quantiles and intervals.
    pub(super) fn new(quantiles: usize, intervals: usize) -> Figures<T> {
        Figures {
            pinball: vec![T::default(); quantiles],
            coverage: vec![T::default(); intervals],
            width: vec![T::default(); intervals],
            ..Figures::default()
        }
    }
}

impl<T> Figures<T> {
    /// All of them, in one order.
    fn all(&self) -> impl Iterator<Item = &T> {
        let single = [&self.mae, &self.rmse, &self.mape, &self.smape, &self.mase, &self.rmsse];
        single.into_iter().chain(&self.pinball).chain(&self.coverage).chain(&self.width)
    }

    /// The same, to be changed.
    fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let single = [&mut self.mae, &mut self.rmse, &mut self.mape, &mut self.smape, &mut self.mase, &mut self.rmsse];
        single.into_iter().chain(&mut self.pinball).chain(&mut self.coverage).chain(&mut self.width)
    }
}

impl Figures<Mean> {
    /// Counts those that there are.
    pub(super) fn add(&mut self, values: &Figures<Option<f64>>) {
        self.all_mut().zip(values.all()).for_each(|(mean, value)| mean.add(*value));
    }

    /// Forgets what was counted.
    pub(super) fn clear(&mut self) {
        self.all_mut().for_each(|mean| *mean = Mean::default());
    }

    /// The means, where anything was counted.
    pub(super) fn values(&self) -> Figures<Option<f64>> {
        let mut values = Figures::new(self.pinball.len(), self.coverage.len());
        values.all_mut().zip(self.all()).for_each(|(value, mean)| *value = mean.value());
        values
    }
}

impl Figures<Option<f64>> {
    /// With the roots of what are means of squares.
    pub(super) fn with_roots(mut self) -> Figures<Option<f64>> {
        self.rmse = self.rmse.map(f64::sqrt);
        self.rmsse = self.rmsse.map(f64::sqrt);
        self
    }
}

impl Mean {
    /// Counts a value, where there is one.
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    /// The mean; none of nothing.
    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
