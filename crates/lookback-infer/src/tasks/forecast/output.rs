//! From the numbers that a network gives to a point and quantiles, and what they cost.

use super::plan::{Loss, OutputPlan};

/// The least deviation of a normal distribution, in scaled units.
pub const LEAST_DEVIATION: f32 = 1e-3;

/// Makes the numbers of steps, `[.., N]`, what they mean: quantiles that rise, or a mean and a deviation above 0.
///
/// Of quantiles the median stands as it is; from there each lies farther by the softplus of its number, so that none can cross
/// another.
pub fn shape(plan: &OutputPlan, numbers: &mut [f32]) {
    match plan.loss {
        Loss::Mae | Loss::Mse | Loss::Huber => {}
        Loss::Gaussian => numbers.iter_mut().skip(1).step_by(2).for_each(|raw| *raw = softplus(*raw) + LEAST_DEVIATION),
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

/// What a step's numbers, `[N]`, cost where `truth` came, all scaled; `base` is what the numbers are added to.
pub fn cost(plan: &OutputPlan, numbers: &[f32], base: f32, truth: f32) -> f64 {
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
    }
}

/// The point of a step's numbers.
pub(super) fn point(plan: &OutputPlan, numbers: &[f32]) -> f32 {
    match plan.loss {
        Loss::Quantile => numbers[plan.median()],
        _ => numbers[0],
    }
}

/// The quantiles of a step's numbers at the plan's levels; none where the loss is of a point.
pub(super) fn quantiles(plan: &OutputPlan, numbers: &[f32]) -> Vec<f32> {
    match plan.loss {
        Loss::Quantile => numbers.to_vec(),
        Loss::Gaussian => plan
            .quantiles
            .iter()
            .map(|&level| (f64::from(numbers[0]) + f64::from(numbers[1]) * normal_quantile(level)) as f32)
            .collect(),
        Loss::Mae | Loss::Mse | Loss::Huber => Vec::new(),
    }
}

/// The quantile of the standard normal distribution at a level between 0 and 1, to 1.2e-9 of itself: the rational approximations
/// of Acklam (2003), near the median and in the tails.
fn normal_quantile(level: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
    const TAIL: f64 = 0.024_25;
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |share: f64| {
        let q = (-2.0 * share.ln()).sqrt();
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    if level < TAIL {
        tail(level)
    } else if level > 1.0 - TAIL {
        -tail(1.0 - level)
    } else {
        let q = level - 0.5;
        polynomial(&A, q * q) * q / (polynomial(&B, q * q) * q * q + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(loss: Loss) -> OutputPlan {
        let quantiles = if loss.has_quantiles() { vec![0.1, 0.5, 0.9] } else { Vec::new() };
        OutputPlan { loss, quantiles }
    }

    #[test]
    fn quantiles_rise_whatever_the_network_says() {
        let plan = plan(Loss::Quantile);
        let mut numbers = vec![-3.0, 0.7, 2.0, 50.0, -1.0, -200.0];
        shape(&plan, &mut numbers);
        assert!(numbers.chunks(3).all(|step| step[0] <= step[1] && step[1] <= step[2]), "{numbers:?}");
        assert_eq!((numbers[1], numbers[4], point(&plan, &numbers[..3])), (0.7, -1.0, 0.7));
        assert!((numbers[2] - 0.7 - (1.0 + 2.0f32.exp()).ln()).abs() < 1e-6);
        assert_eq!(quantiles(&plan, &numbers[..3]), numbers[..3]);
    }

    #[test]
    fn costs_are_those_of_the_definitions() {
        assert_eq!(cost(&plan(Loss::Mae), &[1.0], 0.5, 4.0), 2.5);
        assert_eq!(cost(&plan(Loss::Mse), &[1.0], 0.5, 4.0), 6.25);
        assert_eq!(
            (cost(&plan(Loss::Huber), &[1.0], 0.0, 4.0), cost(&plan(Loss::Huber), &[1.0], 0.0, 1.5)),
            (2.5, 0.125)
        );
        // 2/3 (0.1 · 3 + 0.5 · 2 + 0.1 · 1)
        let quantile = cost(&plan(Loss::Quantile), &[1.0, 2.0, 5.0], 0.0, 4.0);
        assert!((quantile - 2.0 / 3.0 * (0.3 + 1.0 + 0.1)).abs() < 1e-6, "{quantile}");
        let normal = cost(&plan(Loss::Gaussian), &[1.0, 2.0], 0.0, 4.0);
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
            assert!((normal_quantile(level) - expected).abs() < 1e-7, "{level}: {}", normal_quantile(level));
        }
        let mut numbers = vec![2.0, 0.0];
        shape(&plan(Loss::Gaussian), &mut numbers);
        assert!((numbers[1] - 2.0f32.ln() - LEAST_DEVIATION).abs() < 1e-6);
        let found = quantiles(&plan(Loss::Gaussian), &[2.0, 0.5]);
        assert!((found[0] - (2.0 - 0.5 * 1.281_551_6)).abs() < 1e-5 && found[1] == 2.0, "{found:?}");
    }
}
