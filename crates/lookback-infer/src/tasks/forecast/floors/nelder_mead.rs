//! The minimum of a function of a few variables within bounds.

/// A search by a simplex (Nelder and Mead 1965), with the coefficients by number of variables of Gao and Han 2012 (eq. 4.1), as
/// statsforecast searches: a point outside the bounds is put onto them.
#[derive(Clone, Copy, Debug)]
pub(super) struct NelderMead<'a> {
    /// `[n]`, the least that each variable may be.
    pub(super) lower: &'a [f64],
    /// `[n]`, the most.
    pub(super) upper: &'a [f64],
    /// The search ends when the standard deviation of the function over the simplex is less than this.
    pub(super) tolerance: f64,
}

/// Steps at most.
const MOST_STEPS: usize = 1_000;
/// How far the corners of the first simplex are from the start, as a share of the variable.
const FIRST_SHARE: f64 = 0.05;
/// The same where the variable is 0.
const FIRST_STEP: f64 = 1e-4;

impl NelderMead<'_> {
    /// The best point that was found, `[n]`, from `start`, `[n]`. What `objective` gives may be infinite, but not NaN.
    pub(super) fn minimise(self, start: &[f64], mut objective: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
        let n = start.len();
        let expand = 1.0 + 2.0 / n as f64;
        let contract = 0.75 - 0.5 / n as f64;
        let shrink = 1.0 - 1.0 / n as f64;

        let mut corners = self.first_simplex(start);
        let mut found: Vec<f64> = corners.iter().map(|corner| objective(corner)).collect();
        let (mut centre, mut reflected, mut further) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        for _ in 0..MOST_STEPS {
            if deviation(&found) < self.tolerance {
                break;
            }
            let Order { best, second_worst, worst } = Order::of(&found);
            mean_of_others(&corners, worst, &mut centre);
            self.along(&centre, &corners[worst], -1.0, &mut reflected);
            let at_reflected = objective(&reflected);
            if found[best] <= at_reflected && at_reflected < found[second_worst] {
                corners[worst].copy_from_slice(&reflected);
                found[worst] = at_reflected;
                continue;
            }
            // Further in the same direction, on this side of the reflected point, or on the side of the worst one.
            let (factor, accept_below) = match at_reflected {
                value if value < found[best] => (expand, at_reflected),
                value if value < found[worst] => (contract, at_reflected),
                _ => (-contract, found[worst]),
            };
            self.along(&centre, &reflected, factor, &mut further);
            let at_further = objective(&further);
            if at_further < accept_below {
                corners[worst].copy_from_slice(&further);
                found[worst] = at_further;
            } else if at_reflected < found[best] {
                corners[worst].copy_from_slice(&reflected);
                found[worst] = at_reflected;
            } else {
                let towards = corners[best].clone();
                for (place, corner) in corners.iter_mut().enumerate().filter(|&(place, _)| place != best) {
                    corner.iter_mut().zip(&towards).for_each(|(x, to)| *x = to + shrink * (*x - to));
                    found[place] = objective(corner);
                }
            }
        }
        corners.swap_remove(Order::of(&found).best)
    }

    /// The start, and for each variable the start with this variable moved: `[n + 1]` points of `[n]`.
    fn first_simplex(&self, start: &[f64]) -> Vec<Vec<f64>> {
        let mut start = start.to_vec();
        self.put_within(&mut start);
        let moved = |variable: usize| {
            let mut corner = start.clone();
            corner[variable] = match corner[variable] {
                0.0 => FIRST_STEP,
                value => value * (1.0 + FIRST_SHARE),
            };
            self.put_within(&mut corner);
            corner
        };
        (0..start.len()).map(moved).chain([start.clone()]).collect()
    }

    /// `centre + factor * (point - centre)`, put within the bounds.
    fn along(&self, centre: &[f64], point: &[f64], factor: f64, into: &mut [f64]) {
        for ((into, centre), point) in into.iter_mut().zip(centre).zip(point) {
            *into = centre + factor * (point - centre);
        }
        self.put_within(into);
    }

    fn put_within(&self, point: &mut [f64]) {
        for ((x, &lower), &upper) in point.iter_mut().zip(self.lower).zip(self.upper) {
            *x = x.max(lower).min(upper);
        }
    }
}

/// Which corners are the best, the worst and the worst but for that.
struct Order {
    best: usize,
    second_worst: usize,
    worst: usize,
}

impl Order {
    /// Of what was found at two corners at least.
    fn of(found: &[f64]) -> Order {
        let (mut best, mut second_worst, mut worst) = (0, 0, 0);
        for place in 1..found.len() {
            if found[place] < found[best] {
                best = place;
            }
            if found[place] >= found[worst] {
                (second_worst, worst) = (worst, place);
            } else if second_worst == worst || found[place] >= found[second_worst] {
                second_worst = place;
            }
        }
        Order { best, second_worst, worst }
    }
}

/// The mean of all corners but one.
fn mean_of_others(corners: &[Vec<f64>], but: usize, mean: &mut [f64]) {
    mean.fill(0.0);
    for (_, corner) in corners.iter().enumerate().filter(|&(place, _)| place != but) {
        mean.iter_mut().zip(corner).for_each(|(mean, x)| *mean += x);
    }
    mean.iter_mut().for_each(|mean| *mean /= (corners.len() - 1) as f64);
}

/// The standard deviation; NaN, which is not less than anything, if a value is infinite.
fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
}
