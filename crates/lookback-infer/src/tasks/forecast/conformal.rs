//! Conformal prediction: intervals as wide as what was held out asks for.

use serde::{Deserialize, Serialize};

use super::plan::{NetworkPlan, OutputPlan};
use crate::error::{PlanError, counted};

/// How far the bounds of every central interval are moved, learnt of held-out windows that the networks were not trained on.
///
/// By step ahead and target (split conformal prediction by step, Stankeviciute 2021, without their correction for several steps, so
/// that each step by itself is covered), in scaled units, so that an interval is as wide as its window varies. Of quantiles and
/// distributions what is learnt is how far a value lies outside (conformalised quantile regression, Romano 2019, eq. 6 to 8), and
/// may be below 0; of points how far it lies from the point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conformal {
    /// The held-out windows that were learnt of.
    pub windows: usize,
    /// `[E][H * G]`: of every central interval, the narrowest first, how far each bound is moved outwards.
    pub margins: Vec<Vec<f32>>,
}

/// How far held-out values lie outside of intervals: what margins are made of.
#[derive(Clone, Debug)]
pub(super) struct Residuals {
    /// The places of both bounds among the levels, and the share that is meant to be inside.
    intervals: Vec<(usize, usize, f64)>,
    /// `[E][H * G]`, of each the values of all windows.
    scores: Vec<Vec<Vec<f32>>>,
    windows: usize,
}

/// The central intervals of rising levels with the median among them, the narrowest first: the places of both bounds, and the share
/// that is meant to be inside.
fn intervals(levels: &[f64]) -> Vec<(usize, usize, f64)> {
    let opposite = |low: usize| levels.iter().position(|above| (levels[low] + above - 1.0).abs() < 1e-9);
    let pairs = (0..levels.len()).rev().filter_map(|low| Some((low, opposite(low)?)));
    pairs.filter(|(low, high)| low < high).map(|(low, high)| (low, high, levels[high] - levels[low])).collect()
}

/// Refuses to make the intervals of a plan of so few held-out windows, before anything is trained.
///
/// # Errors
/// If they are too few for the widest of them.
pub fn enough_windows(plan: &OutputPlan, windows: usize) -> Result<(), PlanError> {
    let widest = intervals(&plan.quantiles).into_iter().map(|(_, _, inside)| inside).fold(0.0, f64::max);
    if place(widest, windows) <= windows { Ok(()) } else { Err(too_few(widest, windows)) }
}

/// The place, from 1, of the margin among so many residuals in order: beyond them where there are too few.
fn place(inside: f64, count: usize) -> usize {
    // A share such as 0.975 - 0.025 is a hair off what was meant.
    (inside * (count + 1) as f64 - 1e-6).ceil().max(1.0) as usize
}

fn too_few(inside: f64, count: usize) -> PlanError {
    let least = (inside / (1.0 - inside) - 1e-6).ceil();
    let share = (1e6 * inside).round() / 1e4;
    let problem = format!(
        "needs at least {least:.0} held-out values of every step for an interval of {share} %, but there are {count}; more series, \
         a larger --validation-split or narrower --quantiles help"
    );
    PlanError::conflict("conformal", problem)
}

impl Residuals {
    /// Of nothing yet. steps: `H * G`.
    pub(super) fn new(plan: &OutputPlan, steps: usize) -> Residuals {
        let intervals = intervals(&plan.quantiles);
        let scores = vec![vec![Vec::new(); steps]; intervals.len()];
        Residuals { intervals, scores, windows: 0 }
    }

    /// Adds a window: its scaled quantiles `[H * G][N]`, or points `[H * G][1]`, and what came, `[H * G]`, NaN where it is missing.
    pub(super) fn add(&mut self, quantiles: &[Vec<f32>], truth: &[f32]) {
        self.windows += 1;
        for (step, (found, &truth)) in quantiles.iter().zip(truth).enumerate().filter(|(_, (_, y))| !y.is_nan()) {
            for (&(low, high, _), scores) in self.intervals.iter().zip(&mut self.scores) {
                let (low, high) = match found.as_slice() {
                    [point] => (*point, *point),
                    levels => (levels[low], levels[high]),
                };
                scores[step].push((low - truth).max(truth - high));
            }
        }
    }

    /// The margins, of which each is the smallest with at least the share `(1 - α) (1 + 1/n)` of all below it, as Romano 2019 has it.
    ///
    /// # Errors
    /// If there are too few windows for the widest interval.
    pub(super) fn margins(mut self) -> Result<Conformal, PlanError> {
        let mut margins = Vec::with_capacity(self.intervals.len());
        for (&(_, _, inside), scores) in self.intervals.iter().zip(&mut self.scores) {
            let of_step = |scores: &mut Vec<f32>| {
                scores.sort_by(f32::total_cmp);
                let place = place(inside, scores.len());
                scores.get(place - 1).copied().ok_or_else(|| too_few(inside, scores.len()))
            };
            margins.push(scores.iter_mut().map(of_step).collect::<Result<Vec<f32>, _>>()?);
        }
        Ok(Conformal { windows: self.windows, margins })
    }
}

impl Conformal {
    /// Whether it is of networks of this plan that tell `targets` values a step; one from a file may be of any.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub(super) fn check(&self, plan: &NetworkPlan, targets: usize) -> Result<(), String> {
        let (intervals, steps) = (intervals(&plan.output.quantiles).len(), plan.window.horizon * targets);
        if self.margins.len() != intervals || self.margins.iter().any(|margins| margins.len() != steps) {
            return Err(format!("it must have {steps} margins of each of {intervals} intervals"));
        }
        let fine = self.margins.iter().flatten().all(|margin| margin.is_finite());
        if fine { Ok(()) } else { Err("a margin is no number".into()) }
    }

    /// How intervals came to be, for people.
    pub(super) fn in_words(&self) -> String {
        let windows = counted(self.windows, "held-out window");
        format!("intervals as wide as {windows} asked for, step by step (conformal prediction)")
    }

    /// The scaled quantiles of a step, `[N]`, from those of the network, or from its point, `[1]`; they rise.
    pub(super) fn moved(&self, levels: &[f64], step: usize, found: Vec<f32>) -> Vec<f32> {
        let median = levels.iter().position(|level| *level == 0.5).unwrap_or(0);
        let mut moved = match found.as_slice() {
            [point] if levels.len() > 1 => vec![*point; levels.len()],
            _ => found,
        };
        for ((low, high, _), margins) in intervals(levels).into_iter().zip(&self.margins) {
            moved[low] -= margins[step];
            moved[high] += margins[step];
        }
        // Those farther out stay there, also where one has been moved inwards.
        for above in median + 1..moved.len() {
            moved[above] = moved[above].max(moved[above - 1]);
        }
        for below in (0..median).rev() {
            moved[below] = moved[below].min(moved[below + 1]);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::forecast::Loss;

    const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];

    fn plan(loss: Loss) -> OutputPlan {
        OutputPlan { loss, quantiles: LEVELS.to_vec(), conformal: true }
    }

    #[test]
    fn a_margin_is_the_residual_at_the_place_of_the_papers() {
        // 39 windows whose values lie 1 to 39 from a point: 0.95 · 40 is the 38th, 0.8 · 40 the 32nd.
        let mut residuals = Residuals::new(&plan(Loss::Mae), 2);
        for window in (1..=39).rev() {
            residuals.add(&[vec![10.0], vec![0.0]], &[10.0 + window as f32, -(window as f32) / 2.0]);
        }
        let found = residuals.margins().unwrap();
        assert_eq!(found, Conformal { windows: 39, margins: vec![vec![32.0, 16.0], vec![38.0, 19.0]] });
        assert_eq!(found.moved(&LEVELS, 1, vec![5.0]), [-14.0, -11.0, 5.0, 21.0, 24.0]);
        let mut few = Residuals::new(&plan(Loss::Mae), 1);
        (0..18).for_each(|_| few.add(&[vec![0.0]], &[1.0]));
        let refused = few.margins().unwrap_err().to_string();
        assert!(refused.contains("at least 19") && refused.contains("there are 18"), "{refused}");
    }

    #[test]
    fn intervals_that_are_too_wide_shrink_and_never_cross() {
        let mut residuals = Residuals::new(&plan(Loss::Quantile), 1);
        for window in 0..99 {
            let truth = if window == 5 { f32::NAN } else { 0.001 * window as f32 };
            residuals.add(&[vec![-9.0, -5.0, 0.0, 5.0, 9.0]], &[truth]);
        }
        let found = residuals.margins().unwrap();
        assert!(found.margins[0][0] < -4.9 && found.margins[1][0] < -8.8, "{found:?}");
        let moved = found.moved(&LEVELS, 0, vec![-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(moved, [0.0; 5], "what is narrower than the margin ends at the median");
    }

    #[test]
    fn values_are_covered_as_often_as_is_said() {
        // A normal distribution whose deviation is half of what comes.
        let mut state = 7u64;
        let mut draw = || {
            let sum: f64 = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 11) as f64 / (1u64 << 53) as f64
                })
                .sum();
            2.0 * (sum - 6.0) as f32
        };
        let said = vec![-1.96, -1.2816, 0.0, 1.2816, 1.96];
        let mut residuals = Residuals::new(&plan(Loss::Gaussian), 1);
        (0..2000).for_each(|_| residuals.add(std::slice::from_ref(&said), &[draw()]));
        let moved = residuals.margins().unwrap().moved(&LEVELS, 0, said);
        for ((low, high), expected) in [((1, 3), 0.8), ((0, 4), 0.95)] {
            let values: Vec<f32> = (0..4000).map(|_| draw()).collect();
            let inside = values.iter().filter(|value| (moved[low]..=moved[high]).contains(*value)).count();
            let share = inside as f64 / values.len() as f64;
            assert!((share - expected).abs() < 0.03, "{share} instead of {expected}");
        }
    }
}
