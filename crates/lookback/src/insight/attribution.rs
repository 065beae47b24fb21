//! How much of a number that a model says each token or step of its input accounts for.

use burn::tensor::{Device, Tensor, TensorData};

/// Points on the way from nothing to the input, at first and at most.
const POINTS: [usize; 2] = [32, 512];
/// How far the sum may be from the change of the number, as a share of that.
const CLOSE: f64 = 0.005;
/// A number that changes by less has nothing to account for.
const NOTHING: f64 = 1e-3;

/// What the tokens or steps of an input add to a number that a model says.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// Which number it is, for people.
    pub about: String,
    /// Integrated gradients (Sundararajan 2017, eq. 1): from vectors of zeros to the input's own. `[T]`
    pub integrated: Vec<f32>,
    /// Gradient times input, at the input alone. `[T]`
    pub gradient: Vec<f32>,
    /// The number where all vectors are zero, and at the input. Their difference is what the integrated gradients sum to.
    pub from: f64,
    /// See `from`.
    pub to: f64,
    /// Points on the way that it took.
    pub points: usize,
}

impl Attribution {
    /// How far the integrated gradients are from summing to the change of the number, as a share of it; none where nothing changes.
    pub fn error(&self) -> f64 {
        let (sum, change) = (self.integrated.iter().map(|&value| f64::from(value)).sum::<f64>(), self.to - self.from);
        if change.abs() < NOTHING { 0.0 } else { ((sum - change) / change).abs() }
    }

    /// With what a part of the model that is linear in the tokens adds, whose gradient is known, and what it adds in any case.
    pub(crate) fn plus(mut self, shares: &[f32], bias: f32) -> Attribution {
        for (place, share) in shares.iter().enumerate() {
            // What was cut off for the network may still count for the rest.
            if place >= self.integrated.len() {
                self.integrated.push(0.0);
                self.gradient.push(0.0);
            }
            self.integrated[place] += share;
            self.gradient[place] += share;
        }
        self.from += f64::from(bias);
        self.to += f64::from(bias) + shares.iter().map(|&share| f64::from(share)).sum::<f64>();
        self
    }
}

/// The attribution of a number to the steps of `x`, `[T, E]`. `number` gives it `[B]` for inputs `[B, T, E]` of full length; `rows`:
/// how many of them may be computed at once.
///
/// # Errors
/// Those of `number`.
pub(crate) fn attribute<E>(
    about: String,
    (x, width): (&[f32], usize),
    rows: usize,
    number: impl Fn(Tensor<3>) -> Result<Tensor<1>, E>,
) -> Result<Attribution, E> {
    let time = x.len() / width.max(1);
    let at = |shares: &[f32]| -> Result<(Vec<f32>, Vec<f32>), E> {
        let values: Vec<f32> = shares.iter().flat_map(|share| x.iter().map(move |value| share * value)).collect();
        let device = Device::flex().autodiff();
        let input =
            Tensor::<3>::from_data(TensorData::new(values, [shares.len(), time, width]), &device).require_grad();
        let numbers = number(input.clone())?;
        let gradients = numbers.clone().sum().backward();
        let slopes = input.grad(&gradients).map_or_else(|| vec![0.0; shares.len() * x.len()], numbers_of);
        Ok((numbers_of(numbers), slopes))
    };
    // What every step has of the slopes times the input, `[T]`.
    let of_steps = |slopes: &[f64]| -> Vec<f64> {
        let both: Vec<f64> = slopes.iter().zip(x).map(|(slope, &value)| slope * f64::from(value)).collect();
        both.chunks(width.max(1)).map(|step| step.iter().sum()).collect()
    };
    let (ends, at_ends) = at(&[0.0, 1.0])?;
    let (from, to) = (f64::from(ends[0]), f64::from(ends[1]));
    let at_input: Vec<f64> = at_ends[x.len()..].iter().map(|&slope| f64::from(slope)).collect();
    let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<f32>>();
    let mut found =
        Attribution { about, integrated: Vec::new(), gradient: narrow(of_steps(&at_input)), from, to, points: 0 };
    let mut points = POINTS[0];
    loop {
        // The midpoint rule.
        let shares: Vec<f32> = (0..points).map(|point| (point as f32 + 0.5) / points as f32).collect();
        let mut sum = vec![0.0f64; x.len()];
        for some in shares.chunks(rows.max(1)) {
            let (_, slopes) = at(some)?;
            for of_row in slopes.chunks(x.len().max(1)) {
                sum.iter_mut().zip(of_row).for_each(|(sum, &slope)| *sum += f64::from(slope) / points as f64);
            }
        }
        (found.integrated, found.points) = (narrow(of_steps(&sum)), points);
        if found.error() <= CLOSE || points >= POINTS[1] {
            return Ok(found);
        }
        points *= 2;
    }
}

fn numbers_of<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attributed_sums_to_the_change_of_the_number() {
        let x = [0.5f32, -1.0, 2.0, 0.25, 0.0, 0.0];
        // tanh(3 * the first of each step), summed; and the product of two steps.
        let number = |input: Tensor<3>| {
            let first = input.clone().narrow(2, 0, 1);
            let sum = first.clone().mul_scalar(3.0).tanh().sum_dim(1);
            let product = first.clone().narrow(1, 0, 1) * first.narrow(1, 1, 1);
            Ok::<_, ()>((sum + product).reshape([-1]))
        };
        let found = attribute("it".into(), (&x, 2), 7, number).unwrap();
        let expected = 1.5f64.tanh() + 6.0f64.tanh() + 1.0;
        assert!((found.to - expected).abs() < 1e-5 && found.from == 0.0, "{found:?}");
        assert!(found.error() <= CLOSE, "{found:?}");
        // A product is shared evenly; by the gradient alone each step has all of it.
        let shares = [1.5f64.tanh() + 0.5, 6.0f64.tanh() + 0.5, 0.0];
        assert!(found.integrated.iter().zip(shares).all(|(&found, share)| (f64::from(found) - share).abs() < 0.01));
        let slope = |at: f64, x: f64| 3.0 * (1.0 - at.tanh().powi(2)) * x + 1.0;
        assert!((f64::from(found.gradient[0]) - slope(1.5, 0.5)).abs() < 1e-4, "{found:?}");
        let more = found.plus(&[1.0, 0.0, 0.0, -0.5], 2.0);
        assert!(more.integrated.len() == 4 && more.error() <= CLOSE && (more.to - expected - 2.5).abs() < 1e-5);
        assert_eq!(more.from, 2.0);
    }

    #[test]
    fn nothing_is_attributed_where_nothing_changes() {
        let number = |input: Tensor<3>| Ok::<_, ()>(input.sum_dim(2).sum_dim(1).mul_scalar(0.0).reshape([-1]));
        let found = attribute("it".into(), (&[1.0, 2.0], 1), 32, number).unwrap();
        assert_eq!((found.integrated.clone(), found.points, found.error()), (vec![0.0, 0.0], POINTS[0], 0.0));
    }
}
