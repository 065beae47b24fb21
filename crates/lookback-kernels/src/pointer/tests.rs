use super::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Random steps: some tokens only the vocabulary has, some only the source, some both.
struct Case {
    dims: PointerDims,
    logits: Vec<f64>,
    gates: Vec<f64>,
    weights: Vec<f64>,
    wanted: Vec<u32>,
    offsets: Vec<usize>,
    places: Vec<usize>,
}

impl Case {
    fn new(steps: usize, vocabulary: usize, keys: usize, limit: f32, seed: u64) -> Case {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut draw = |count: usize, from: f32, to: f32| -> Vec<f64> {
            (0..count).map(|_| f64::from(rng.random_range(from..=to))).collect()
        };
        let (logits, gates) = (draw(steps * vocabulary, -limit, limit), draw(steps, -limit, limit));
        let weights = draw(steps * keys, 0.01, 1.0);
        let (mut wanted, mut offsets, mut places) = (Vec::new(), vec![0], Vec::new());
        for step in 0..steps {
            places.extend((0..keys).filter(|_| rng.random_bool(0.3)).map(|key| step * keys + key));
            let found = places.len() > offsets[step];
            offsets.push(places.len());
            let only_copied = found && rng.random_bool(0.4);
            wanted.push(if only_copied { NOT_WRITTEN } else { rng.random_range(0..vocabulary as u32) });
        }
        let dims = PointerDims { steps, vocabulary, weights: steps * keys };
        Case { dims, logits, gates, weights, wanted, offsets, places }
    }

    fn targets(&self) -> PointerTargets<'_> {
        PointerTargets { wanted: &self.wanted, offsets: &self.offsets, places: &self.places }
    }

    fn wide(&self) -> PointerInputs<'_, f64> {
        PointerInputs { logits: &self.logits, gates: &self.gates, weights: &self.weights }
    }

    fn fast(&self, threads: usize) -> (f32, PointerGradients) {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let (logits, gates, weights) = (narrow(&self.logits), narrow(&self.gates), narrow(&self.weights));
        let inputs = PointerInputs { logits: &logits, gates: &gates, weights: &weights };
        let (loss, trace) = forward(self.dims, inputs, self.targets(), threads).unwrap();
        (loss, backward(self.dims, inputs, self.targets(), &trace, 1.3, threads).unwrap())
    }

    #[track_caller]
    fn agrees(&self) {
        let (loss, found) = self.fast(1);
        let want = reference::forward(self.dims, self.wide(), self.targets());
        assert!((f64::from(loss) - want).abs() < 1e-5 * want.abs().max(1.0), "{loss}, want {want}");
        let want = reference::backward(self.dims, self.wide(), self.targets(), 1.3);
        for (name, found, want) in [
            ("logits", &found.logits, &want.logits),
            ("gates", &found.gates, &want.gates),
            ("weights", &found.weights, &want.weights),
        ] {
            assert_eq!(found.len(), want.len(), "{name}");
            for (at, (&found, &want)) in found.iter().zip(want).enumerate() {
                let error = (f64::from(found) - want).abs();
                assert!(error < 1e-5 * want.abs().max(1.0), "{name}[{at}]: {found}, want {want}");
            }
        }
    }
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    let mut case = Case::new(5, 4, 3, 2.0, 3);
    let gradients = reference::backward(case.dims, case.wide(), case.targets(), 1.7);
    for part in 0..3 {
        let gradient = [&gradients.logits, &gradients.gates, &gradients.weights][part];
        for (at, gradient) in gradient.iter().enumerate() {
            let mut moved = |by: f64| {
                let values = [&mut case.logits, &mut case.gates, &mut case.weights];
                values.into_iter().nth(part).unwrap()[at] += by;
                1.7 * reference::forward(case.dims, case.wide(), case.targets())
            };
            let above = moved(1e-6);
            let below = moved(-2e-6);
            moved(1e-6);
            let found = (above - below) / 2e-6;
            assert!(
                (found - gradient).abs() < 1e-6 * gradient.abs().max(1.0),
                "part {part}[{at}]: {gradient}, want {found}"
            );
        }
    }
}

proptest! {
    #![proptest_config(crate::same_cases(100))]
    #[test]
    fn fast_equals_the_reference_on_any_number_of_threads(
        steps in 1usize..50, vocabulary in 1usize..80, keys in 0usize..9, seed: u64,
    ) {
        let case = Case::new(steps, vocabulary, keys, 4.0, seed);
        case.agrees();
        let one = case.fast(1);
        for threads in [2, 3, 4, 8, 16] {
            prop_assert_eq!(&one, &case.fast(threads));
        }
    }
}

/// Regression: from the share that is written, in f32, what is left for a small sum of weights was 0 or noise.
#[test]
fn small_weights_and_weights_of_nothing_have_their_gradients() {
    for (weight, seed) in [1e-3f32, 1e-9, 1e-20, 1e-29, 1e-31, 0.0].into_iter().zip(3..) {
        let mut case = Case::new(40, 6, 4, 3.0, seed);
        case.weights.fill(f64::from(weight));
        case.agrees();
        let (_, found) = case.fast(1);
        let copied: Vec<f32> = case.places.iter().map(|&place| found.weights[place]).collect();
        assert!(!copied.is_empty());
        let counts = 4.0 * weight >= LEAST_COPIED;
        assert!(copied.iter().all(|&slope| if counts { slope < 0.0 } else { slope == 0.0 }), "{weight}: {copied:?}");
    }
}

#[test]
fn what_is_far_from_likely_has_a_finite_loss_and_gradients() {
    for (gate, weight, wanted) in [(80.0, 0.0, NOT_WRITTEN), (-80.0, 0.0, 1), (200.0, 1e-38, 0), (-200.0, 1.0, 0)] {
        let (logits, gates, weights) = ([300.0, -300.0], [gate], [weight]);
        let inputs = PointerInputs { logits: &logits, gates: &gates, weights: &weights };
        let targets = PointerTargets { wanted: &[wanted], offsets: &[0, 1], places: &[0] };
        let dims = PointerDims { steps: 1, vocabulary: 2, weights: 1 };
        let (loss, trace) = forward(dims, inputs, targets, 1).unwrap();
        let found = backward(dims, inputs, targets, &trace, 1.0, 1).unwrap();
        assert!(loss.is_finite() && loss >= 0.0, "{gate} {weight}: {loss}");
        let all = found.logits.iter().chain(&found.gates).chain(&found.weights);
        assert!(all.clone().all(|value| value.is_finite()), "{gate} {weight}: {found:?}");
    }
}

#[test]
fn without_places_and_with_the_gate_open_it_is_the_cross_entropy() {
    let logits: Vec<f32> = (0..12).map(|i| (i * 7 % 5) as f32 * 0.3).collect();
    let inputs = PointerInputs { logits: &logits, gates: &[60.0; 3], weights: &[] };
    let targets = PointerTargets { wanted: &[1, 3, 0], offsets: &[0; 4], places: &[] };
    let dims = PointerDims { steps: 3, vocabulary: 4, weights: 0 };
    let (loss, trace) = forward(dims, inputs, targets, 1).unwrap();
    let mut sums = [0.0; 3];
    let want = crate::cross_entropy::forward(4, &logits, &[1, 3, 0], &mut sums, 1).unwrap();
    assert!((loss - want).abs() < 1e-6, "{loss}, want {want}");
    let found = backward(dims, inputs, targets, &trace, 1.0, 1).unwrap();
    assert_eq!(found.logits, crate::cross_entropy::backward(4, &logits, &[1, 3, 0], &sums, 1.0, 1).unwrap());
}

#[test]
fn what_does_not_fit_is_refused() {
    let (inputs, dims) = (
        PointerInputs { logits: &[0.0; 4], gates: &[0.0; 2], weights: &[0.5; 3] },
        PointerDims { steps: 2, vocabulary: 2, weights: 3 },
    );
    let refused = |dims, inputs, targets, expected: &str| {
        let error = forward(dims, inputs, targets, 1).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    };
    let good = PointerTargets { wanted: &[0, 1], offsets: &[0, 1, 2], places: &[0, 2] };
    assert!(forward(dims, inputs, good, 1).is_ok());
    refused(dims, PointerInputs { gates: &[0.0], ..inputs }, good, "gates has 1 values");
    refused(dims, PointerInputs { weights: &[0.0], ..inputs }, good, "weights has 1 values");
    refused(dims, inputs, PointerTargets { wanted: &[0, 2], ..good }, "the vocabulary");
    refused(dims, inputs, PointerTargets { offsets: &[0, 2, 1], ..good }, "offsets must rise");
    refused(dims, inputs, PointerTargets { places: &[0, 3], ..good }, "the weights");
    let lost = PointerTargets { wanted: &[0, NOT_WRITTEN], offsets: &[0, 2, 2], places: &[0, 2] };
    refused(dims, inputs, lost, "neither of the vocabulary nor at any place");
    refused(PointerDims { vocabulary: 0, ..dims }, inputs, good, "V is 0");
}

#[test]
fn a_nan_is_not_hidden() {
    let targets = PointerTargets { wanted: &[0], offsets: &[0, 1], places: &[0] };
    let dims = PointerDims { steps: 1, vocabulary: 2, weights: 1 };
    for (logit, gate, weight) in [(f32::NAN, 0.0, 0.5), (0.0, f32::NAN, 0.5), (0.0, 0.0, f32::NAN)] {
        let inputs = PointerInputs { logits: &[logit, 0.0], gates: &[gate], weights: &[weight] };
        assert!(forward(dims, inputs, targets, 1).unwrap().0.is_nan(), "{logit} {gate} {weight}");
    }
}
