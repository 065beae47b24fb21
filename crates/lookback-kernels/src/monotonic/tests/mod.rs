mod case;
mod refused;

use super::*;
use case::{Case, narrow};
use proptest::prelude::*;

#[test]
fn the_reference_agrees_with_every_alignment() {
    for (time, positions) in (1..=4).flat_map(|time| (1..=4).map(move |positions| (time, positions))) {
        for distances in [1, 2, 5] {
            let seed = (time * 100 + positions * 10 + distances) as u64;
            let mut case = Case::new([1, time, positions, distances], 2.0, seed);
            case.upstream = vec![1.0];
            let all = reference::every_alignment(case.sizes(), case.exact(), 0);
            let what = format!("{time} steps, {positions} positions, {distances} distances");
            let total: f64 = all.iter().map(|(_, log)| log.exp()).sum();
            let found = reference::forward(case.sizes(), case.exact())[0];
            assert!((found - total.ln()).abs() < 1e-12, "{what}: {found}, want {}", total.ln());
            let (gradients, _) = case.gradients();
            for (cell, posterior) in gradients.emissions.iter().enumerate() {
                let (t, j) = (cell / positions, cell % positions);
                let with: f64 = all.iter().filter(|(a, _)| a[t] == j).map(|(_, log)| log.exp()).sum();
                assert!((posterior - with / total).abs() < 1e-12, "{what}: {posterior}, want {}", with / total);
            }
        }
    }
}

/// With emissions that are certain the alignments' probabilities sum to one: nothing is lost on the way.
#[test]
fn transitions_are_probabilities() {
    let mut case = Case::new([4, 6, 5, 3], 3.0, 8);
    case.emissions.fill(0.0);
    for likelihood in reference::forward(case.sizes(), case.exact()) {
        assert!(likelihood.abs() < 1e-12, "{likelihood}");
    }
    for likelihood in case.fast(1).likelihoods {
        assert!(likelihood.abs() < 1e-6, "{likelihood}");
    }
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    let case = Case::new([3, 4, 4, 3], 1.5, 15);
    let (gradients, of_emissions) = case.gradients();
    let agrees = |name: &str, which: usize, gradient: &[f64], values: fn(&mut Case) -> &mut Vec<f64>| {
        for (at, gradient) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut case = case.clone();
                values(&mut case)[at] += by;
                case.objectives()[which]
            };
            let found = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(
                (gradient - found).abs() < 1e-6 * gradient.abs().max(1.0),
                "{name}[{at}]: {gradient}, want {found}"
            );
        }
    };
    agrees("emissions", 0, &gradients.emissions, |case| &mut case.emissions);
    agrees("scores", 0, &gradients.scores, |case| &mut case.scores);
    agrees("distances", 0, &gradients.distances, |case| &mut case.distances);
    agrees("source", 1, &of_emissions.source, |case| &mut case.source);
    agrees("target", 1, &of_emissions.target, |case| &mut case.target);
    agrees("weight", 1, &of_emissions.weight, |case| &mut case.weight);
    agrees("bias", 1, &of_emissions.bias, |case| &mut case.bias);
}

proptest! {
    #![proptest_config(crate::same_cases(200))]
    #[test]
    fn fast_equals_the_reference(
        batch in 0usize..6, time in 1usize..9, positions in 1usize..11, distances in 1usize..14, limit in 0.5f32..6.0,
        seed: u64,
    ) {
        let case = Case::new([batch, time, positions, distances], limit, seed);
        case.agrees(1e-5);
        prop_assert_eq!(case.fast(1), case.fast(3));
    }

    /// Alignments that are all but given up keep what they have.
    #[test]
    fn scores_far_apart_are_exact(time in 1usize..9, positions in 1usize..9, seed: u64) {
        let case = Case::new([4, time, positions, 5], 500.0, seed);
        case.agrees(1e-5);
    }
}

#[test]
fn long_rows_keep_their_precision() {
    let mut case = Case::new([1, 700, 60, 5], 3.0, 5);
    case.emissions.iter_mut().for_each(|emission| *emission -= 10.0);
    case.agrees(1e-5);
    let posteriors = case.fast(1).gradients.emissions;
    let off = posteriors.chunks(60).map(|step| (f64::from(step.iter().sum::<f32>()) - case.upstream[0]).abs());
    assert!(off.fold(0.0, f64::max) < 1e-5);
}

/// Blocks end within a row as well as between rows.
#[test]
fn cells_of_many_blocks_are_the_same() {
    let mut case = Case::new([5, 40, 30, 2], 1.0, 18);
    let (width, vocabulary) = (300, 500);
    case.dims.width = width;
    case.dims.vocabulary = vocabulary;
    let mut state = 0u64;
    let mut values = |len: usize| -> Vec<f64> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
        };
        (0..len).map(|_| next()).collect()
    };
    (case.source, case.target) = (values(5 * 30 * width), values(5 * 40 * width));
    (case.weight, case.bias) = (values(vocabulary * width), values(vocabulary));
    let cells: usize = case.lengths.iter().zip(&case.source_lengths).map(|(t, s)| t * s).sum();
    assert!(cells * (width + vocabulary) > 2 * emission::NUMBERS, "{cells} cells are of one block");
    assert_eq!(case.fast(1), case.fast(3));
    for b in 0..5 {
        let (row, whole) = (case.row(b).fast(1), case.fast(2));
        let source = &whole.of_emissions.source[b * 30 * width..][..row.of_emissions.source.len()];
        assert_eq!(row.of_emissions.source, source);
    }
}

#[test]
fn a_row_alone_has_the_same_bits_and_padding_is_never_read() {
    for limit in [2.0, 50.0] {
        let mut case = Case::new([7, 6, 5, 3], limit, 29);
        case.lengths = vec![6, 2, 0, 5, 1, 6, 3];
        case.source_lengths = vec![5, 1, 3, 4, 5, 2, 3];
        let whole = case.fast(2);
        assert_eq!(whole, case.poisoned().fast(2));
        let width = case.dims.width;
        for b in 0..7 {
            let (alone, length, source) = (case.row(b).fast(1), case.lengths[b], case.source_lengths[b]);
            assert_eq!(alone.likelihoods[0].to_bits(), whole.likelihoods[b].to_bits());
            for (alone, whole) in [
                (&alone.gradients.emissions, &whole.gradients.emissions),
                (&alone.gradients.scores, &whole.gradients.scores),
                (&alone.emissions, &whole.emissions),
            ] {
                for t in 0..6 {
                    let found = &whole[(b * 6 + t) * 5..][..5];
                    let real = if t < length { source } else { 0 };
                    assert_eq!(found[..real], alone[t.min(length) * source..][..real]);
                    assert!(found[real..].iter().all(|&value| value == 0.0));
                }
            }
            let to_source = &whole.of_emissions.source[b * 5 * width..][..5 * width];
            assert_eq!(to_source[..source * width], alone.of_emissions.source);
            assert!(to_source[source * width..].iter().all(|&value| value == 0.0));
            let to_target = &whole.of_emissions.target[b * 6 * width..][..6 * width];
            assert_eq!(to_target[..length * width], alone.of_emissions.target);
            assert!(to_target[length * width..].iter().all(|&value| value == 0.0));
        }
        assert_eq!(whole.likelihoods[2], 0.0);
    }
}

#[test]
fn the_portable_code_agrees_too() {
    crate::simd::PORTABLE.set(true);
    Case::new([3, 6, 5, 2], 3.0, 36).agrees(1e-5);
    crate::simd::PORTABLE.set(false);
}

/// Step by step, as an answer is made, the likelihood is the one of the whole target.
#[test]
fn steps_taken_one_by_one_give_the_likelihood() {
    let case = Case::new([1, 6, 5, 3], 2.0, 3);
    let (scores, distances) = (narrow(&case.scores), narrow(&case.distances));
    let distances: Vec<f64> = distances.into_iter().map(f64::from).collect();
    let (mut posterior, mut likelihood): (Option<Vec<f64>>, f64) = (None, 0.0);
    // What a longer row left, none of it a number.
    let mut scratch = AdvanceScratch::default();
    advance(None, &[f32::NAN; 9], &distances, &mut scratch).unwrap();
    for t in 0..6 {
        let prior = advance(posterior.as_deref(), &scores[t * 5..][..5], &distances, &mut scratch).unwrap();
        assert!((prior.iter().map(|log| log.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
        let joint: Vec<f64> = prior.iter().zip(&case.emissions[t * 5..]).map(|(prior, log)| prior + log).collect();
        let step = joint.iter().map(|log| log.exp()).sum::<f64>().ln();
        likelihood += step;
        posterior = Some(joint.iter().map(|log| log - step).collect());
    }
    let want = reference::forward(case.sizes(), case.exact())[0];
    assert!((likelihood - want).abs() < 1e-12, "{likelihood}, want {want}");
}

#[test]
fn what_is_no_number_is_not_hidden() {
    for value in [f64::NAN, f64::INFINITY] {
        let mut case = Case::new([2, 3, 4, 2], 1.0, 6);
        (case.lengths, case.source_lengths, case.emissions[5]) = (vec![3, 3], vec![4, 4], value);
        let fast = case.fast(1);
        assert!(!fast.likelihoods[0].is_finite() && fast.likelihoods[1].is_finite(), "{value}: {fast:?}");
        assert!(fast.gradients.emissions[..12].iter().any(|value| value.is_nan()));
        assert!(fast.gradients.emissions[12..].iter().all(|value| value.is_finite()));
        case.source[0] = f64::NAN;
        let fast = case.fast(1);
        assert!(fast.emissions[0].is_nan() && fast.emissions[12..].iter().all(|value| value.is_finite()));
    }
}
