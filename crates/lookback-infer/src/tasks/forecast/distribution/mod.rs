//! The distributions that a forecaster may answer: what a value costs by their likelihood, with its gradient, and their quantiles.
//!
//! Each file has one, in double precision. Gradients are held to finite differences, and quantiles, densities and distribution
//! functions to SciPy's, by figures that `conformance/forecast_distributions.py` writes.

mod incomplete_beta;
mod negative_binomial;
pub mod normal;
mod student_t;

pub use self::negative_binomial::NegativeBinomial;
pub use self::student_t::StudentT;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What SciPy says of a distribution: its parameters, values with minus their log likelihoods, levels with their quantiles.
    fn cases(name: &str) -> Vec<Value> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/forecast_distributions.json");
        let all: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        all[name].as_array().unwrap().clone()
    }

    fn pairs(value: &Value) -> Vec<(f64, f64)> {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn close(found: f64, expected: f64, most: f64, place: &str) {
        assert!((found - expected).abs() <= most * expected.abs().max(1.0), "{found} instead of {expected}: {place}");
    }

    /// The gradient of `cost`, by differences over these steps both ways.
    fn differences<const N: usize>(parameters: [f64; N], steps: [f64; N], cost: impl Fn([f64; N]) -> f64) -> [f64; N] {
        std::array::from_fn(|place| {
            let step = steps[place];
            let at = |sign: f64| {
                let mut moved = parameters;
                moved[place] += sign * step;
                cost(moved)
            };
            (at(1.0) - at(-1.0)) / (2.0 * step)
        })
    }

    #[test]
    fn students_t_is_that_of_scipy() {
        let all = cases("student_t");
        for case in &all {
            let [location, scale, freedom] = serde_json::from_value(case["parameters"].clone()).unwrap();
            let found = StudentT { location, scale, freedom };
            for (value, expected) in pairs(&case["costs"]) {
                close(found.cost(value).0, expected, 1e-10, &format!("{found:?} at {value}"));
                let steps = [1e-4 * scale, 1e-4 * scale, 1e-4 * freedom];
                let expected = differences([location, scale, freedom], steps, |[location, scale, freedom]| {
                    StudentT { location, scale, freedom }.cost(value).0
                });
                for (found_of, expected) in found.cost(value).1.into_iter().zip(expected) {
                    close(found_of, expected, 1e-5, &format!("the gradient of {found:?} at {value}"));
                }
            }
            for (level, expected) in pairs(&case["quantiles"]) {
                close(found.quantile(level), expected, 1e-9, &format!("{found:?} at the level {level}"));
            }
        }
        assert!(all.len() >= 5);
    }

    #[test]
    fn the_negative_binomial_distribution_is_that_of_scipy() {
        let all = cases("negative_binomial");
        for case in &all {
            let [mean, dispersion] = serde_json::from_value(case["parameters"].clone()).unwrap();
            let found = NegativeBinomial { mean, dispersion };
            for (count, expected) in pairs(&case["costs"]) {
                close(found.cost(count).0, expected, 1e-8, &format!("{found:?} at {count}"));
                let steps = [1e-3 * mean, 1e-3 * dispersion];
                let expected = differences([mean, dispersion], steps, |[mean, dispersion]| {
                    NegativeBinomial { mean, dispersion }.cost(count).0
                });
                for (found_of, expected) in found.cost(count).1.into_iter().zip(expected) {
                    // Of large counts rounding is what differs.
                    let most = if mean < 1e5 { 1e-5 } else { 1e-3 };
                    close(found_of, expected, most, &format!("the gradient of {found:?} at {count}"));
                }
            }
            for (count, expected) in pairs(&case["below"]) {
                close(found.up_to(count), expected, 1e-9, &format!("{found:?} up to {count}"));
            }
            for (level, expected) in pairs(&case["quantiles"]) {
                assert_eq!(found.quantile(level), expected, "{found:?} at the level {level}");
            }
        }
        assert!(all.len() >= 6);
    }

    #[test]
    fn huge_and_tiny_parameters_have_quantiles_that_rise_and_end() {
        for (mean, dispersion) in [(1e-6, 1e-3), (1e-6, 1e6), (1e12, 1e-6), (1e30, 0.5), (3e4, 1e9), (1e7, 1e-3)] {
            let found = NegativeBinomial { mean, dispersion };
            let quantiles = [1e-6, 0.1, 0.5, 0.9, 1.0 - 1e-6].map(|level| found.quantile(level));
            let fine = quantiles.windows(2).all(|pair| pair[0] <= pair[1]) && quantiles.iter().all(|q| q.is_finite());
            assert!(fine && quantiles[0] >= 0.0, "{found:?}: {quantiles:?}");
        }
    }
}
