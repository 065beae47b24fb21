//! The search for a form's parameters.

use super::super::nelder_mead::NelderMead;
use super::super::seasons::Composition;
use super::form::{Form, Trend};
use super::start::Start;
use super::state::{Smoothing, State};

/// Bounds of what smooths.
const SMOOTHING: [f64; 2] = [0.0001, 0.9999];
/// Bounds of what damps a trend.
const PHI: [f64; 2] = [0.8, 0.98];

/// A form with the parameters that suit a series best.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fit {
    form: Form,
    phi: f64,
    last: State,
    /// Akaike's criterion for small samples (HKOS, section 7.1), without what is the same for all forms.
    pub(super) aicc: f64,
}

impl Fit {
    /// The forecasts behind the series: `[steps]`.
    pub(super) fn ahead(&self, steps: usize) -> Vec<f64> {
        self.last.ahead(self.form, self.phi, steps)
    }
}

/// Fits a form to a series by maximum likelihood (HKOS, section 5.1). values: `[n]`. Nothing if there are more parameters than
/// values can tell.
pub(super) fn fit(form: Form, values: &[f64], season: usize) -> Option<Fit> {
    let season = if form.seasons.is_some() { season } else { 1 };
    // The variance of the errors is a parameter, too. It is not searched for.
    let (n, count) = (values.len(), Layout::count(form, season) + 1);
    if n <= count + 1 || n <= season {
        return None;
    }
    let layout = Layout { form, season };
    let (start, [lower, upper]) = (layout.start(values), layout.bounds());
    let mut state = State { level: 0.0, growth: 0.0, seasons: vec![0.0; season], place: 0 };
    let follow = |point: &[f64], state: &mut State| match layout.read(point, state) {
        Some(smoothing) => state.follow(form, smoothing, values),
        None => f64::INFINITY,
    };
    let search = NelderMead { lower: &lower, upper: &upper, tolerance: 1e-4 };
    let found = search.minimise(&start, |point| follow(point, &mut state));
    let criterion = follow(&found, &mut state);
    let phi = layout.smoothing(&found).0.phi;
    let (n, k) = (n as f64, count as f64);
    let aicc = criterion + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0);
    Some(Fit { form, phi, last: state, aicc })
}

/// How the parameters of a form stand in a row: alpha, beta with a trend, gamma with a season, phi if it is damped; then the first
/// states: the level, the slope with a trend, and with a season of all its steps but the first, which the others tell.
struct Layout {
    form: Form,
    /// 1 without a season.
    season: usize,
}

impl Layout {
    fn count(form: Form, season: usize) -> usize {
        let of_trend = match form.trend {
            Trend::None => 0,
            Trend::Additive => 2,
            Trend::Damped => 3,
        };
        let of_season = if form.seasons.is_some() { season } else { 0 };
        2 + of_trend + of_season
    }

    /// What smooths where the search begins, as statsforecast has it; what the form does not have is 0, and `phi` 1.
    fn start_of_smoothing(&self) -> Smoothing {
        let [low, high] = SMOOTHING;
        let alpha = low + 0.2 * (high - low) / self.season as f64;
        let beta = if self.form.trend == Trend::None { 0.0 } else { low + 0.1 * (alpha.min(high) - low) };
        let gamma = if self.form.seasons.is_none() { 0.0 } else { low + 0.05 * ((1.0 - alpha).min(high) - low) };
        let phi = if self.form.trend == Trend::Damped { PHI[0] + 0.99 * (PHI[1] - PHI[0]) } else { 1.0 };
        Smoothing { alpha, beta, gamma, phi }
    }

    /// Where the search begins: `[count]`.
    fn start(&self, values: &[f64]) -> Vec<f64> {
        let Smoothing { alpha, beta, gamma, phi } = self.start_of_smoothing();
        let Start { level, slope, seasons } = Start::of(self.form, values, self.season);
        let mut point = self.row([alpha, beta, gamma, phi]);
        point.push(level);
        point.extend((self.form.trend != Trend::None).then_some(slope));
        point.extend(seasons);
        point
    }

    /// The least and the most that the parameters may be: twice `[count]`. Beta should not be more than alpha, and gamma not more
    /// than 1 - alpha; as in statsforecast the alpha of that is the one where the search begins.
    fn bounds(&self) -> [Vec<f64>; 2] {
        let ([low, high], Smoothing { alpha, .. }) = (SMOOTHING, self.start_of_smoothing());
        let mut lower = self.row([low, low, low, PHI[0]]);
        let mut upper = self.row([high, alpha.min(high), (1.0 - alpha).min(high), PHI[1]]);
        let count = Layout::count(self.form, self.season);
        lower.resize(count, f64::NEG_INFINITY);
        upper.resize(count, f64::INFINITY);
        [lower, upper]
    }

    /// Of alpha, beta, gamma and phi those that the form has.
    fn row(&self, [alpha, beta, gamma, phi]: [f64; 4]) -> Vec<f64> {
        let has_trend = self.form.trend != Trend::None;
        let beta = has_trend.then_some(beta);
        let gamma = self.form.seasons.is_some().then_some(gamma);
        let phi = (self.form.trend == Trend::Damped).then_some(phi);
        [Some(alpha), beta, gamma, phi].into_iter().flatten().collect()
    }

    /// What smooths at a point, and how many parameters that are.
    fn smoothing(&self, point: &[f64]) -> (Smoothing, usize) {
        let mut read = 0;
        let mut next = |has: bool, otherwise: f64| match has {
            true => {
                read += 1;
                point[read - 1]
            }
            false => otherwise,
        };
        let alpha = next(true, 0.0);
        let beta = next(self.form.trend != Trend::None, 0.0);
        let gamma = next(self.form.seasons.is_some(), 0.0);
        let phi = next(self.form.trend == Trend::Damped, 1.0);
        (Smoothing { alpha, beta, gamma, phi }, read)
    }

    /// Sets the first states of a point, and gives what smooths there. Nothing if a multiplicative season has a factor below 0.
    fn read(&self, point: &[f64], state: &mut State) -> Option<Smoothing> {
        let (smoothing, read) = self.smoothing(point);
        let (level, rest) = point[read..].split_first()?;
        let (slope, others) = match self.form.trend {
            Trend::None => (0.0, rest),
            _ => rest.split_first().map(|(&slope, others)| (slope, others))?,
        };
        let growth = smoothing.phi * slope;
        (state.level, state.growth, state.place) = (level + growth, growth, 0);
        if let Some(composition) = self.form.seasons {
            let whole = if composition == Composition::Multiplicative { self.season as f64 } else { 0.0 };
            state.seasons[0] = whole - others.iter().sum::<f64>();
            state.seasons[1..].copy_from_slice(others);
            if composition == Composition::Multiplicative && state.seasons.iter().any(|&factor| factor < 0.0) {
                return None;
            }
        } else {
            state.seasons[0] = 0.0;
        }
        Some(smoothing)
    }
}
