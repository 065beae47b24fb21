mod case;
mod refused;

use super::*;
use case::{Case, narrow};
use proptest::prelude::*;

#[test]
fn the_reference_agrees_with_every_path() {
    for (tags, time) in (1..=4).flat_map(|tags| (1..=5).map(move |time| (tags, time))) {
        for forbidding in [false, true] {
            let seed = (tags * 10 + time) as u64;
            let case = Case::new([1, time, tags], 2.0, seed);
            let case = if forbidding { case.forbidding(seed) } else { case };
            let paths = reference::every_path(tags, case.exact(), &case.emissions);
            let all: f64 = paths.iter().map(|(_, score)| score.exp()).sum();
            let own = reference::path_score(tags, case.exact(), &case.emissions, &case.tags);
            let (losses, log_partitions) =
                reference::forward(case.dims, case.exact(), &case.emissions, &case.lengths, &case.tags);
            let what = format!("{tags} tags, {time} steps, forbidding {forbidding}");
            assert!((log_partitions[0] - all.ln()).abs() < 1e-12, "{what}");
            assert!((losses[0] - (all.ln() - own)).abs() < 1e-12, "{what}");
            let marginals = reference::marginals(case.dims, case.exact(), &case.emissions, &case.lengths);
            for (at, found) in marginals.iter().enumerate() {
                let (step, tag) = (at / tags, (at % tags) as u32);
                let with: f64 = paths.iter().filter(|(path, _)| path[step] == tag).map(|(_, score)| score.exp()).sum();
                assert!((found - with / all).abs() < 1e-12, "{what}: {found}, want {}", with / all);
            }
            let (best, scores) = reference::viterbi(case.dims, case.exact(), &case.emissions, &case.lengths);
            assert_eq!(best, paths[0].0, "{what}");
            assert!((scores[0] - paths[0].1).abs() < 1e-12, "{what}");
            let found = case.prepared().k_best(&narrow(&case.emissions), 7).unwrap();
            assert_eq!(found.len(), paths.len().min(7), "{what}");
            for (found, (path, score)) in found.iter().zip(&paths) {
                assert_eq!(found.tags, *path, "{what}");
                assert!((f64::from(found.score) - score).abs() < 1e-6 * score.abs().max(1.0), "{what}");
            }
        }
    }
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    let case = Case::new([3, 4, 3], 1.5, 1).forbidding(2);
    let gradients = case.gradients();
    let agrees = |name: &str, gradient: &[f64], values: fn(&mut Case) -> &mut Vec<f64>| {
        for (at, gradient) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut case = case.clone();
                values(&mut case)[at] += by;
                case.objective()
            };
            let found = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(
                (gradient - found).abs() < 1e-6 * gradient.abs().max(1.0),
                "{name}[{at}]: {gradient}, want {found}"
            );
        }
    };
    agrees("emissions", &gradients.emissions, |case| &mut case.emissions);
    agrees("transitions", &gradients.transitions, |case| &mut case.transitions);
    agrees("start", &gradients.start, |case| &mut case.start);
    agrees("end", &gradients.end, |case| &mut case.end);
}

proptest! {
    #![proptest_config(crate::same_cases(300))]
    #[test]
    fn fast_equals_the_reference(
        batch in 0usize..7, time in 1usize..15, tags in 1usize..70, limit in 0.5f32..6.0, forbid: bool, seed: u64,
    ) {
        let case = Case::new([batch, time, tags], limit, seed);
        let case = if forbid { case.forbidding(seed) } else { case };
        case.agrees(1e-5);
        prop_assert_eq!(case.fast(1), case.fast(3));
    }

    /// What is flushed in a product is found again in logarithms, and none of it is lost.
    #[test]
    fn scores_far_apart_are_exact(time in 1usize..12, tags in 1usize..50, forbid: bool, seed: u64) {
        let case = Case::new([4, time, tags], 50.0, seed);
        let case = if forbid { case.forbidding(seed) } else { case };
        case.agrees(1e-5);
        prop_assert_eq!(case.fast(1), case.fast(3));
    }
}

/// Only one tag goes to the next, and it is less likely than f32 can say.
#[test]
fn a_way_that_was_all_but_given_up_is_taken_when_it_is_the_only_one() {
    let gone = f64::NEG_INFINITY;
    for unlikely in [-30.0, -70.0, -100.0, -300.0, -3000.0] {
        let case = Case {
            dims: CrfDims { batch: 1, time: 4, tags: 3 },
            lengths: vec![4],
            emissions: vec![0.0, unlikely, 1.0, 0.0, 0.5, unlikely, 0.3, 0.1, 0.2, 0.0, 0.0, 0.7],
            transitions: vec![0.1, gone, gone, 0.2, 0.3, -0.1, gone, gone, 0.4],
            start: vec![0.0, 0.0, gone],
            end: vec![gone, gone, 0.5],
            tags: vec![1, 1, 2, 2],
            upstream: vec![1.3],
        };
        // What f32 rounds from a score as large as that.
        case.agrees(1e-6 - unlikely * f64::from(f32::EPSILON));
        let paths = reference::every_path(3, case.exact(), &case.emissions);
        assert_eq!(case.fast(1).paths.tags, paths[0].0, "{unlikely}");
    }
}

#[test]
fn long_rows_keep_their_precision() {
    let mut case = Case::new([1, 5000, 9], 3.0, 5);
    // Every path scores some 50,000, where f32 knows no difference below 0.004.
    case.emissions.iter_mut().for_each(|emission| *emission += 10.0);
    case.agrees(1e-5);
    let marginals = case.fast(1).marginals;
    let off = marginals.chunks(9).map(|step| (step.iter().sum::<f32>() - 1.0).abs()).fold(0.0, f32::max);
    assert!(off < 3e-5, "the probabilities of a step are {off} off 1");
}

#[test]
fn what_is_forbidden_never_comes_out() {
    for seed in 0..40 {
        let case = Case::new([5, 9, 6], 2.0, seed).forbidding(seed);
        let fast = case.fast(2);
        for (b, &length) in case.lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let row = case.row(b);
            let best = fast.paths.tags[b * 9..][..length].to_vec();
            let all = row.prepared().k_best(&narrow(&row.emissions), 64).unwrap();
            assert_eq!(all[0].tags, best);
            for path in all.iter().map(|path| &path.tags).chain([&best]) {
                assert!(reference::path_score(6, row.exact(), &row.emissions, path).is_finite(), "{path:?}");
            }
            let never = (0..6).filter(|&tag| case.start[tag].is_infinite());
            never.for_each(|tag| assert_eq!(fast.marginals[b * 54 + tag], 0.0));
        }
        let parts = [
            (&fast.gradients.transitions, &case.transitions),
            (&fast.gradients.start, &case.start),
            (&fast.gradients.end, &case.end),
        ];
        for (gradient, values) in parts {
            let forbidden = gradient.iter().zip(values).filter(|(_, value)| value.is_infinite());
            forbidden.for_each(|(gradient, _)| assert_eq!(*gradient, 0.0));
        }
    }
}

#[test]
fn a_row_alone_has_the_same_bits_and_padding_is_never_read() {
    for limit in [2.0, 50.0] {
        let mut case = Case::new([11, 7, 21], limit, 3).forbidding(4);
        case.lengths = vec![7, 2, 0, 5, 1, 7, 7, 3, 4, 0, 6];
        for path in case.tags.chunks_mut(7) {
            path.fill(0);
        }
        let whole = case.fast(2);
        let mut poisoned = case.clone();
        for (b, &length) in case.lengths.iter().enumerate() {
            poisoned.emissions[(b * 7 + length) * 21..(b + 1) * 7 * 21].fill(f64::NAN);
            poisoned.tags[b * 7 + length..(b + 1) * 7].fill(u32::MAX);
        }
        assert_eq!(whole, poisoned.fast(2));
        for (b, &length) in case.lengths.iter().enumerate() {
            let alone = case.row(b).fast(1);
            assert_eq!(alone.losses.losses[0].to_bits(), whole.losses.losses[b].to_bits());
            assert_eq!(alone.losses.log_partitions[0].to_bits(), whole.losses.log_partitions[b].to_bits());
            assert_eq!(alone.paths.scores[0].to_bits(), whole.paths.scores[b].to_bits());
            let of = |values: &[f32]| values[b * 7 * 21..][..7 * 21].to_vec();
            let (gradient, marginals) = (of(&whole.gradients.emissions), of(&whole.marginals));
            assert_eq!(alone.gradients.emissions, gradient[..length * 21]);
            assert_eq!(alone.marginals, marginals[..length * 21]);
            assert_eq!(alone.paths.tags, whole.paths.tags[b * 7..][..length]);
            assert!(gradient[length * 21..].iter().chain(&marginals[length * 21..]).all(|&value| value == 0.0));
            assert!(whole.paths.tags[b * 7 + length..(b + 1) * 7].iter().all(|&tag| tag == 0));
        }
        assert_eq!((whole.losses.losses[2], whole.losses.log_partitions[2], whole.paths.scores[2]), (0.0, 0.0, 0.0));
    }
}

#[test]
fn the_portable_code_agrees_too() {
    crate::simd::PORTABLE.set(true);
    Case::new([3, 6, 5], 3.0, 8).agrees(1e-5);
    Case::new([3, 6, 5], 50.0, 9).forbidding(1).agrees(1e-5);
    crate::simd::PORTABLE.set(false);
}

#[test]
fn paths_that_score_the_same_come_in_order() {
    let case = Case {
        emissions: vec![0.0; 6],
        transitions: vec![0.0; 4],
        start: vec![0.0; 2],
        end: vec![0.0; 2],
        ..Case::new([1, 3, 2], 1.0, 0)
    };
    assert_eq!(case.fast(1).paths.tags, [0, 0, 0]);
    let found = case.prepared().k_best(&[0.0; 6], 64).unwrap();
    let tags: Vec<Vec<u32>> = found.into_iter().map(|path| path.tags).collect();
    let want = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]];
    assert_eq!(tags, want);
}

#[test]
fn what_is_no_number_is_not_hidden() {
    for value in [f64::NAN, f64::INFINITY] {
        let mut case = Case::new([2, 4, 5], 1.0, 6);
        (case.lengths, case.emissions[7]) = (vec![4, 4], value);
        let fast = case.fast(1);
        assert!(fast.losses.losses[0].is_nan() && fast.paths.scores[0].is_nan(), "{value}: {fast:?}");
        assert!(fast.marginals[..20].iter().any(|value| value.is_nan()));
        assert!(fast.losses.losses[1].is_finite() && fast.paths.scores[1].is_finite());
        assert!(fast.marginals[20..].iter().all(|value| value.is_finite()));
        assert!(fast.paths.tags.iter().all(|&tag| tag < 5));
    }
}
