//! Several networks of one plan that answer together.

use super::{Link, Weights};

/// The most networks that answer together.
pub const MOST_NETWORKS: usize = 64;

/// What a network, or several together, make of a batch where they choose among `N` classes.
#[derive(Clone, Debug)]
pub struct Output {
    /// `[B, N]`, or `[B, T, N]` where every step is answered; before the softmax. Past a row's length they mean nothing.
    pub logits: Vec<f32>,
    /// `[B, T]`: the weight of every step, where steps are pooled with weights; zero past a row's length.
    pub weights: Option<Vec<f32>>,
    /// What the attention looked at, a view per head or hop, where that was asked for.
    pub views: Vec<Weights>,
}

/// What the networks of one ensemble answer together: the logits of their mean probabilities (Hansen and Salamon 1990), and the
/// mean of their weights over the steps and of their views. One network answers as if it were alone. `classes`: `N`; `link`: how
/// logits become probabilities, or nothing where they are scores, whose own mean is taken.
///
/// # Panics
/// If there is no network.
pub(crate) fn together<N>(
    networks: &[N],
    classes: usize,
    link: Option<Link>,
    forward: impl Fn(&N) -> Output,
) -> Output {
    let probabilities = |logits: &mut [f32]| {
        if let Some(link) = link {
            link.probabilities(logits, classes);
        }
    };
    let (first, others) = networks.split_first().expect("a model has at least one network");
    let mut together = forward(first);
    if others.is_empty() {
        return together;
    }
    probabilities(&mut together.logits);
    for network in others {
        let mut output = forward(network);
        probabilities(&mut output.logits);
        add(&mut together.logits, &output.logits);
        // All have the same plan, so all have weights or none, and the same views.
        if let (Some(sum), Some(weights)) = (&mut together.weights, &output.weights) {
            add(sum, weights);
        }
        together.views.iter_mut().zip(&output.views).for_each(|(sum, view)| add(&mut sum.values, &view.values));
    }
    let share = 1.0 / networks.len() as f32;
    for logit in &mut together.logits {
        *logit *= share;
        *logit = link.map_or(*logit, |link| link.logit(*logit));
    }
    let views = together.views.iter_mut().map(|view| &mut view.values);
    for values in together.weights.iter_mut().chain(views) {
        values.iter_mut().for_each(|value| *value *= share);
    }
    together
}

fn add(sum: &mut [f32], values: &[f32]) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_networks_have_the_mean_of_their_probabilities() {
        let networks = [[2.0f32, -1.0, 0.5, 0.0], [-3.0, 0.0, 0.25, 4.0], [1.0, 1.0, -2.0, 0.5]];
        for link in [Link::Softmax, Link::Sigmoid] {
            let output = |logits: &[f32; 4]| Output {
                logits: logits.to_vec(),
                weights: Some(vec![logits[0]]),
                views: Vec::new(),
            };
            let together = together(&networks, 2, Some(link), output);
            let probabilities = |logits: &[f32]| {
                let mut probabilities = logits.to_vec();
                link.probabilities(&mut probabilities, 2);
                probabilities
            };
            let of_each = networks.map(|logits| probabilities(&logits));
            for (place, found) in probabilities(&together.logits).into_iter().enumerate() {
                let expected = of_each.iter().map(|of_one| of_one[place]).sum::<f32>() / 3.0;
                assert!((found - expected).abs() < 1e-6, "{link:?}: {found} instead of {expected}");
            }
            assert_eq!(together.weights, Some(vec![0.0]));
        }
    }
}
