//! Where the search for a form's states begins.

use std::f64::consts::TAU;

use super::super::line::Line;
use super::super::seasons::{Composition, indices};
use super::form::{Form, Trend};

/// Seasonal factors are not less.
const SMALLEST_FACTOR: f64 = 0.01;
/// The first level and slope are those of so many values, or two seasons.
const FIRST_VALUES: usize = 10;

/// The first states by the heuristics of HKOS, section 2.6.1, as R's `ets` and statsforecast have them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Start {
    /// Before the first value.
    pub(super) level: f64,
    /// By a step; 0 without a trend.
    pub(super) slope: f64,
    /// `[season - 1]`, of all steps of the season but the first, which follows from them. Empty without a season.
    pub(super) seasons: Vec<f64>,
}

impl Start {
    /// values: `[n]`, more than a season; positive if the season is multiplicative. A season has two steps or more.
    pub(super) fn of(form: Form, values: &[f64], season: usize) -> Start {
        let Some(composition) = form.seasons else {
            return Start::of_level(form.trend, values, FIRST_VALUES, Vec::new());
        };
        // The season of each step. Three of them are decomposed; else each is as far from a trend as it is.
        let mut of_steps: Vec<f64> = match values.len() >= 3 * season {
            true => indices(values, season, composition).into_iter().cycle().take(values.len()).collect(),
            false => values.iter().zip(trend_beside_season(values, season)).map(apart(composition)).collect(),
        };
        if composition == Composition::Multiplicative {
            of_steps.iter_mut().for_each(|factor| *factor = factor.max(SMALLEST_FACTOR));
        }
        let (first, mut seasons) = (of_steps[0], of_steps[1..season].to_vec());
        let sum: f64 = seasons.iter().sum();
        if composition == Composition::Multiplicative && sum > season as f64 {
            // They would leave less than nothing to the first.
            seasons.iter_mut().for_each(|factor| *factor *= season as f64 / (sum + first));
        }
        let adjusted: Vec<f64> = values.iter().zip(of_steps).map(apart(composition)).collect();
        Start::of_level(form.trend, &adjusted, FIRST_VALUES.max(2 * season), seasons)
    }

    /// Level and slope of the `first` values of a series without its season.
    fn of_level(trend: Trend, values: &[f64], first: usize, seasons: Vec<f64>) -> Start {
        let values = &values[..first.min(values.len())];
        if trend == Trend::None {
            return Start { level: values.iter().sum::<f64>() / values.len() as f64, slope: 0.0, seasons };
        }
        let Line { intercept, slope } = Line::through(values);
        Start { level: intercept, slope, seasons }
    }
}

/// What is left of a value without another.
fn apart<'a>(composition: Composition) -> impl Fn((&'a f64, f64)) -> f64 {
    move |(value, other)| match composition {
        Composition::Additive => value - other,
        Composition::Multiplicative => value / other,
    }
}

/// The line, of least squares together with one wave over the season: `[n]`. values: `[n]`.
fn trend_beside_season(values: &[f64], season: usize) -> Vec<f64> {
    let n = values.len();
    let time = |place: usize| (place as f64 + 0.5) / n as f64 - 0.5;
    let row = |place: usize| {
        let angle = TAU * (place + 1) as f64 / season as f64;
        // With two steps in a season the sine is 0.
        [1.0, time(place), angle.cos(), if season == 2 { 0.0 } else { angle.sin() }]
    };
    let (mut products, mut wanted) = ([[0.0; 4]; 4], [0.0; 4]);
    for (place, value) in values.iter().enumerate() {
        let row = row(place);
        for (i, x) in row.into_iter().enumerate() {
            row.iter().zip(&mut products[i]).for_each(|(other, product)| *product += x * other);
            wanted[i] += x * value;
        }
    }
    let [level, slope, ..] = solve(products, wanted);
    (0..n).map(|place| level + slope * time(place)).collect()
}

/// Solves the normal equations of a regression, by Gauss and Jordan; a column without anything of its own gets 0.
fn solve(mut products: [[f64; 4]; 4], mut wanted: [f64; 4]) -> [f64; 4] {
    let first = products;
    for pivot in 0..4 {
        let of_pivot = products[pivot][pivot];
        if of_pivot <= 1e-12 * first[pivot][pivot] {
            products.iter_mut().for_each(|row| row[pivot] = 0.0);
            products[pivot] = [0.0; 4];
            wanted[pivot] = 0.0;
            continue;
        }
        products[pivot].iter_mut().for_each(|x| *x /= of_pivot);
        wanted[pivot] /= of_pivot;
        let (row, of_row) = (products[pivot], wanted[pivot]);
        for other in (0..4).filter(|&other| other != pivot) {
            let factor = products[other][pivot];
            products[other].iter_mut().zip(&row).for_each(|(x, y)| *x -= factor * y);
            wanted[other] -= factor * of_row;
        }
    }
    wanted
}
