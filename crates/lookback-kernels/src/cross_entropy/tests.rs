use super::*;

#[test]
fn fast_equals_the_reference_on_any_number_of_threads() {
    for (rows, classes) in [(1, 1), (3, 7), (40, 33), (65, 130)] {
        let logits: Vec<f32> = (0..rows * classes).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.3).collect();
        let labels: Vec<u32> = (0..rows).map(|row| (row * 5 % classes) as u32).collect();
        let wide: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        let loss = reference::forward(classes, &wide, &labels);
        let gradient = reference::backward(classes, &wide, &labels, 1.0);
        let mut first: Option<(f32, Vec<f32>)> = None;
        for threads in [1, 2, 3, 16] {
            let mut sums = vec![f32::NAN; rows];
            let value = forward(classes, &logits, &labels, &mut sums, threads).unwrap();
            let found = backward(classes, &logits, &labels, &sums, 1.0, threads).unwrap();
            assert!((f64::from(value) - loss).abs() < 1e-5 * loss.abs().max(1.0), "{value}, want {loss}");
            for (found, want) in found.iter().zip(&gradient) {
                assert!((f64::from(*found) - want).abs() < 1e-6, "{found}, want {want}");
            }
            let (value_one, found_one) = first.get_or_insert((value, found.clone()));
            assert_eq!((*value_one, &*found_one), (value, &found));
        }
    }
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    let logits = [0.3, -1.2, 2.0, 0.7, 0.1, -0.4];
    let gradient = reference::backward(3, &logits, &[2, 0], 1.7);
    for (at, gradient) in gradient.iter().enumerate() {
        let loss = |step: f64| {
            let mut moved = logits;
            moved[at] += step;
            1.7 * reference::forward(3, &moved, &[2, 0])
        };
        let numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5;
        assert!((numeric - gradient).abs() < 1e-9, "logit {at}: {gradient}, want {numeric}");
    }
}

#[test]
fn a_nan_is_not_hidden() {
    for at in 0..9 {
        let mut logits = [0.5; 9];
        logits[at] = f32::NAN;
        assert!(forward(9, &logits, &[3], &mut [0.0], 1).unwrap().is_nan(), "at {at}");
    }
}
