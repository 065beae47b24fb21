//! From the numbers that a network gives to a point and quantiles, and what they cost.

use super::conformal::Conformal;
use super::distribution::{NegativeBinomial, StudentT, normal};
use super::frame::Frame;
use super::plan::{Loss, OutputPlan};

/// The least deviation of a normal distribution, in scaled units.
pub const LEAST_DEVIATION: f32 = 1e-3;
/// The degrees of freedom of Student's t are above this, from which on it has a variance.
pub const LEAST_FREEDOM: f32 = 2.0;
/// The least mean of counts, in scaled units.
pub const LEAST_MEAN: f32 = 1e-6;

/// Makes the numbers of steps, `[.., N]`, what they mean: quantiles that rise, or the parameters of a distribution, those that must
/// be above something by their softplus: mean and deviation of the normal one; location, scale and degrees of freedom of Student's t;
/// mean and dispersion of counts.
///
/// Of quantiles the median stands as it is; from there each lies farther by the softplus of its number, so that none can cross
/// another.
pub fn shape(plan: &OutputPlan, numbers: &mut [f32]) {
    match plan.loss {
        Loss::Mae | Loss::Mse | Loss::Huber => {}
        Loss::Gaussian => numbers.iter_mut().skip(1).step_by(2).for_each(|raw| *raw = softplus(*raw) + LEAST_DEVIATION),
        Loss::StudentT => {
            for step in numbers.chunks_exact_mut(3) {
                step[1] = softplus(step[1]) + LEAST_DEVIATION;
                step[2] = softplus(step[2]) + LEAST_FREEDOM;
            }
        }
        Loss::NegativeBinomial => {
            for step in numbers.chunks_exact_mut(2) {
                step[0] = softplus(step[0]) + LEAST_MEAN;
                step[1] = softplus(step[1]) + LEAST_DEVIATION;
            }
        }
        Loss::Quantile => {
            let median = plan.median();
            for step in numbers.chunks_exact_mut(plan.quantiles.len().max(1)) {
                for above in median + 1..step.len() {
                    step[above] = step[above - 1] + softplus(step[above]);
                }
                for below in (0..median).rev() {
                    step[below] = step[below + 1] - softplus(step[below]);
                }
            }
        }
    }
}

/// `log (1 + e^x)`.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Student's t of a step's numbers, in scaled units.
fn student_t(numbers: &[f32], base: f32) -> StudentT {
    let [location, scale, freedom] = [numbers[0], numbers[1], numbers[2]].map(f64::from);
    StudentT { location: location + f64::from(base), scale, freedom }
}

/// The counts of a step's numbers: `scale` times the mean, and the dispersion by the root of `scale` (Salinas 2020, section 3.3).
fn counts(numbers: &[f32], scale: f64) -> NegativeBinomial {
    let [mean, dispersion] = [numbers[0], numbers[1]].map(f64::from);
    NegativeBinomial { mean: mean * scale, dispersion: dispersion / scale.sqrt() }
}

/// What a step's numbers, `[N]`, cost where `truth` came, all scaled; `base` is what the numbers are added to, and `scale` what a
/// scaled unit is worth, which the likelihood of a count depends on.
pub fn cost(plan: &OutputPlan, numbers: &[f32], (base, scale): (f32, f64), truth: f32) -> f64 {
    let error = |number: f32| f64::from(truth) - f64::from(base + number);
    match plan.loss {
        Loss::Mae => error(numbers[0]).abs(),
        Loss::Mse => error(numbers[0]).powi(2),
        Loss::Huber => {
            let error = error(numbers[0]).abs();
            if error <= 1.0 { 0.5 * error * error } else { error - 0.5 }
        }
        Loss::Quantile => {
            let each = numbers.iter().zip(&plan.quantiles).map(|(&number, level)| {
                let error = error(number);
                (level * error).max((level - 1.0) * error)
            });
            2.0 * each.sum::<f64>() / numbers.len().max(1) as f64
        }
        Loss::Gaussian => {
            let deviation = f64::from(numbers[1]);
            deviation.ln() + 0.5 * (error(numbers[0]) / deviation).powi(2) + 0.5 * std::f64::consts::TAU.ln()
        }
        Loss::StudentT => student_t(numbers, base).cost(f64::from(truth)).0,
        Loss::NegativeBinomial => counts(numbers, scale).cost((f64::from(truth) * scale).round()).0,
    }
}

/// The same of a loss that is computed in double precision alone, with its gradient with respect to the numbers; `None` where it is
/// made of Burn's operations.
pub fn cost_with_gradient(
    plan: &OutputPlan,
    numbers: &[f32],
    (base, scale): (f32, f64),
    truth: f32,
) -> Option<(f64, Vec<f64>)> {
    match plan.loss {
        Loss::StudentT => {
            let (cost, gradient) = student_t(numbers, base).cost(f64::from(truth));
            Some((cost, gradient.to_vec()))
        }
        Loss::NegativeBinomial => {
            let (cost, [of_mean, of_dispersion]) = counts(numbers, scale).cost((f64::from(truth) * scale).round());
            Some((cost, vec![of_mean * scale, of_dispersion / scale.sqrt()]))
        }
        Loss::Quantile | Loss::Mae | Loss::Mse | Loss::Huber | Loss::Gaussian => None,
    }
}

/// The point of a step's numbers.
pub(super) fn point(plan: &OutputPlan, numbers: &[f32]) -> f32 {
    match plan.loss {
        Loss::Quantile => numbers[plan.median()],
        _ => numbers[0],
    }
}

/// The scaled quantiles of a step's numbers at the plan's levels, or the scaled point alone where the loss is of one. Not of counts.
pub(super) fn scaled_quantiles(plan: &OutputPlan, numbers: &[f32], base: f32) -> Vec<f32> {
    match plan.loss {
        Loss::Quantile => numbers.iter().map(|number| base + number).collect(),
        // What a scaled unit is worth is of counts alone.
        Loss::Gaussian | Loss::StudentT => {
            plan.quantiles.iter().filter_map(|level| drawn(plan, numbers, (base, 1.0), *level)).collect()
        }
        Loss::Mae | Loss::Mse | Loss::Huber => vec![base + numbers[0]],
        Loss::NegativeBinomial => Vec::new(),
    }
}

/// The quantiles of a step's numbers at the plan's levels, as they stand in the data; none where the loss is of a point and nothing
/// was calibrated. `conformal`: what was, and which of its steps this is; `step` is that of the history.
pub(super) fn quantiles(
    plan: &OutputPlan,
    numbers: &[f32],
    base: f32,
    conformal: Option<(&Conformal, usize)>,
    (frame, step): (&Frame, usize),
) -> Vec<f32> {
    if plan.loss.is_of_counts() {
        let own = counts(numbers, frame.scale());
        return plan.quantiles.iter().map(|level| own.quantile(*level) as f32).collect();
    }
    let scaled = match conformal {
        Some((conformal, place)) => conformal.moved(&plan.quantiles, place, scaled_quantiles(plan, numbers, base)),
        None if !plan.loss.has_quantiles() => Vec::new(),
        None => scaled_quantiles(plan, numbers, base),
    };
    scaled.into_iter().map(|value| frame.outward(step, value)).collect()
}

/// The scaled value of a step's numbers at a level between 0 and 1, wherever that lies: from levels that are uniform, values of its
/// distribution. Between the plan's quantiles it goes in straight lines over those of the normal distribution, which it is then of
/// itself if they are, and so on behind the outermost. `None` where nothing but a point is said.
pub(super) fn drawn(plan: &OutputPlan, numbers: &[f32], (base, scale): (f32, f64), level: f64) -> Option<f32> {
    match plan.loss {
        Loss::Mae | Loss::Mse | Loss::Huber => None,
        Loss::Gaussian => {
            let [mean, deviation] = [numbers[0], numbers[1]].map(f64::from);
            Some((f64::from(base) + mean + deviation * normal::quantile(level)) as f32)
        }
        Loss::StudentT => Some(student_t(numbers, base).quantile(level) as f32),
        Loss::NegativeBinomial => Some((counts(numbers, scale).quantile(level) / scale) as f32),
        Loss::Quantile => {
            let above = plan.quantiles.iter().position(|own| *own >= level).unwrap_or(plan.quantiles.len());
            let right = above.clamp(1, plan.quantiles.len().checked_sub(1).filter(|last| *last > 0)?);
            let [low, high] = [right - 1, right].map(|place| (normal::quantile(plan.quantiles[place]), numbers[place]));
            let share = (normal::quantile(level) - low.0) / (high.0 - low.0);
            Some((f64::from(base) + f64::from(low.1) + share * f64::from(high.1 - low.1)) as f32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(loss: Loss) -> OutputPlan {
        let quantiles = if loss.has_quantiles() { vec![0.1, 0.5, 0.9] } else { Vec::new() };
        OutputPlan { loss, quantiles, conformal: false }
    }

    #[test]
    fn a_value_is_drawn_from_what_the_numbers_say() {
        let drawn = |loss, numbers: &[f32], level| drawn(&plan(loss), numbers, (10.0, 4.0), level);
        let normal = normal::quantile(0.9) as f32;
        // Quantiles of a normal distribution of deviation 2 are drawn from as it is, also behind the outermost.
        let quantiles = [1.0 - 2.0 * normal, 1.0, 1.0 + 2.0 * normal];
        for level in [0.001, 0.1, 0.25, 0.5, 0.8, 0.9, 0.999] {
            let (own, exact) = (drawn(Loss::Quantile, &quantiles, level), drawn(Loss::Gaussian, &[1.0, 2.0], level));
            assert!((own.unwrap() - exact.unwrap()).abs() < 1e-5, "{level}: {own:?}, not {exact:?}");
        }
        assert_eq!(drawn(Loss::Gaussian, &[1.0, 2.0], 0.5), Some(11.0));
        assert_eq!(drawn(Loss::StudentT, &[1.0, 2.0, 5.0], 0.5), Some(11.0));
        // A count of 4 units to a scaled one.
        let count = drawn(Loss::NegativeBinomial, &[2.0, 0.1], 0.7).unwrap() * 4.0;
        assert!(count >= 8.0 && count.fract() == 0.0, "{count}");
        assert_eq!(drawn(Loss::Mae, &[1.0], 0.5), None);
        let alone = OutputPlan { quantiles: vec![0.5], ..plan(Loss::Quantile) };
        assert_eq!(super::drawn(&alone, &[1.0], (0.0, 1.0), 0.3), None);
    }

    #[test]
    fn quantiles_rise_whatever_the_network_says() {
        let plan = plan(Loss::Quantile);
        let mut numbers = vec![-3.0, 0.7, 2.0, 50.0, -1.0, -200.0];
        shape(&plan, &mut numbers);
        assert!(numbers.chunks(3).all(|step| step[0] <= step[1] && step[1] <= step[2]), "{numbers:?}");
        assert_eq!((numbers[1], numbers[4], point(&plan, &numbers[..3])), (0.7, -1.0, 0.7));
        assert!((numbers[2] - 0.7 - (1.0 + 2.0f32.exp()).ln()).abs() < 1e-6);
        assert_eq!(quantiles(&plan, &numbers[..3], 0.0, None, (&Frame::plain(), 0)), numbers[..3]);
    }

    #[test]
    fn costs_are_those_of_the_definitions() {
        assert_eq!(cost(&plan(Loss::Mae), &[1.0], (0.5, 1.0), 4.0), 2.5);
        assert_eq!(cost(&plan(Loss::Mse), &[1.0], (0.5, 1.0), 4.0), 6.25);
        assert_eq!(
            (cost(&plan(Loss::Huber), &[1.0], (0.0, 1.0), 4.0), cost(&plan(Loss::Huber), &[1.0], (0.0, 1.0), 1.5)),
            (2.5, 0.125)
        );
        // 2/3 (0.1 · 3 + 0.5 · 2 + 0.1 · 1)
        let quantile = cost(&plan(Loss::Quantile), &[1.0, 2.0, 5.0], (0.0, 1.0), 4.0);
        assert!((quantile - 2.0 / 3.0 * (0.3 + 1.0 + 0.1)).abs() < 1e-6, "{quantile}");
        let normal = cost(&plan(Loss::Gaussian), &[1.0, 2.0], (0.0, 1.0), 4.0);
        assert!((normal - (2.0f64.ln() + 1.125 + 0.918_938_533_204_672_8)).abs() < 1e-9, "{normal}");
    }

    #[test]
    fn a_normal_distribution_has_its_quantiles() {
        for (level, expected) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.9, 1.281_551_565_544_6),
            (0.001, -3.090_232_306_167_813_5),
            (1e-9, -5.997_807_015_007_687),
        ] {
            assert!((normal::quantile(level) - expected).abs() < 1e-7, "{level}: {}", normal::quantile(level));
        }
        let mut numbers = vec![2.0, 0.0];
        shape(&plan(Loss::Gaussian), &mut numbers);
        assert!((numbers[1] - 2.0f32.ln() - LEAST_DEVIATION).abs() < 1e-6);
        let found = quantiles(&plan(Loss::Gaussian), &[2.0, 0.5], 0.0, None, (&Frame::plain(), 0));
        assert!((found[0] - (2.0 - 0.5 * 1.281_551_6)).abs() < 1e-5 && found[1] == 2.0, "{found:?}");
    }

    #[test]
    fn counts_have_whole_quantiles_and_a_scale_and_gradients_are_those_of_the_costs() {
        let mut numbers = vec![0.3, -1.0];
        shape(&plan(Loss::NegativeBinomial), &mut numbers);
        let frame = Frame::of_scale(12.5);
        let found = quantiles(&plan(Loss::NegativeBinomial), &numbers, 0.0, None, (&frame, 0));
        assert!(found.windows(2).all(|pair| pair[0] <= pair[1]) && found.iter().all(|count| count.fract() == 0.0));
        let mean = f64::from(numbers[0]) * 12.5;
        assert!((f64::from(found[1]) - mean).abs() < 0.3 * mean, "{found:?}, about {mean}");
        let mut tails = vec![0.4, 0.1, 1.0];
        shape(&plan(Loss::StudentT), &mut tails);
        assert!(tails[2] > LEAST_FREEDOM);
        for (loss, numbers, truth) in [(Loss::NegativeBinomial, numbers, 0.64), (Loss::StudentT, tails, -1.3)] {
            let (plan, place) = (plan(loss), (0.0, 12.5));
            let (value, gradient) = cost_with_gradient(&plan, &numbers, place, truth).unwrap();
            assert_eq!((value, gradient.len()), (cost(&plan, &numbers, place, truth), plan.numbers()));
            for (number, gradient) in gradient.into_iter().enumerate() {
                let at = |change: f32| {
                    let mut moved = numbers.clone();
                    moved[number] += change;
                    cost(&plan, &moved, place, truth)
                };
                let found = (at(0.01) - at(-0.01)) / 0.02;
                assert!((found - gradient).abs() < 1e-2 * gradient.abs().max(0.1), "{loss:?}: {found}, {gradient}");
            }
        }
    }
}
