//! The kernels against the naive reference, the reference against finite differences, and every promise.

mod case;
mod sure;

use super::*;
use case::*;
use proptest::prelude::*;

/// Where the values of one argument stand in a case.
type Place = fn(&mut Case) -> &mut Vec<f64>;

const KINDS: [Kind; 2] = [Kind::Additive, Kind::Product];

#[test]
fn reference_gradients_agree_with_finite_differences() {
    let window = Some(Window { before: 1, after: 2 });
    let masks = [
        Masks::default(),
        Masks { lengths: true, ..Masks::default() },
        Masks { causal: true, ..Masks::default() },
        Masks { window, ..Masks::default() },
        Masks { allowed: Some(0), ..Masks::default() },
        Masks { allowed: Some(1), bias: Some(0), ..Masks::default() },
        Masks { bias: Some(1), ..Masks::default() },
        Masks { lengths: true, causal: true, window, allowed: Some(1), bias: Some(2) },
    ];
    for kind in KINDS {
        for (seed, masks) in masks.into_iter().enumerate() {
            for probability in [0.0, 0.3] {
                let dims = Dims { batch: 2, queries: 3, keys: 4, heads: 2, width: 3, value: 2 };
                let mut case = Case::new(kind, dims, masks, 1.0, seed as u64);
                case.dropout = Some(Dropout { probability, seed: 5 });
                let analytic = case.reference(|v| v);
                let places: [(usize, Place); 4] = [
                    (QUERY, |case| &mut case.query),
                    (case::KEYS, |case| &mut case.keys),
                    (VALUES, |case| &mut case.values),
                    (V, |case| &mut case.v),
                ];
                for (index, place) in places {
                    for i in 0..analytic.0[index].len() {
                        let slope = slope(&case, place, i);
                        let found = analytic.0[index][i];
                        assert!((slope - found).abs() < 1e-6, "{} [{i}] = {found}, slope {slope}", NAMES[index]);
                    }
                }
                if masks.bias == Some(2) {
                    for i in (0..case.bias.len()).filter(|&i| case.bias[i].is_finite()) {
                        let (slope, found) = (slope(&case, |case| &mut case.bias, i), analytic.0[BIAS][i]);
                        assert!((slope - found).abs() < 1e-6, "grad bias[{i}] = {found}, slope {slope}");
                    }
                }
            }
        }
    }
}

/// The central difference of the objective in one value.
fn slope(case: &Case, place: Place, index: usize) -> f64 {
    let step = 1e-5;
    let [above, below] = [step, -step].map(|step| {
        let mut moved = case.clone();
        place(&mut moved)[index] += step;
        moved.objective()
    });
    (above - below) / (2.0 * step)
}

proptest! {
    #![proptest_config(crate::same_cases(300))]

    #[test]
    fn fast_agrees_with_the_f64_reference(case in any_case(), threads in 1usize..4) {
        case.assert_close(&case.fast(threads));
    }

    #[test]
    fn portable_code_agrees_with_the_f64_reference(case in any_case()) {
        case.assert_close(&case.fast_on(pulp::Arch::Scalar, 1));
    }

    #[test]
    fn additive_is_exact_to_100(
        (width, magnitude, seed) in (1usize..80, prop::sample::select(vec![4.5, 10.0, 22.0, 50.0, 100.0]), 0u64..1000),
    ) {
        let dims = Dims { batch: 2, queries: 13, keys: 21, heads: 1, width, value: 5 };
        let case = Case::new(Kind::Additive, dims, Masks::default(), magnitude, seed);
        case.assert_close(&case.fast(1));
    }

    #[test]
    fn threads_change_no_bit(case in any_case()) {
        let one = case.fast(1);
        for threads in [2, 3, 7] {
            one.assert_same_bits(&case.fast(threads), "another number of threads");
        }
    }

    #[test]
    fn a_row_alone_equals_the_same_row_in_any_batch(mut case in any_case()) {
        case.dropout = None;
        let whole = case.fast(2);
        for b in 0..case.dims.batch {
            let alone = case.row(b).fast(1);
            for index in [CONTEXT, WEIGHTS, QUERY, case::KEYS, VALUES, BIAS] {
                let (whole, alone) = (&whole.0[index], &alone.0[index]);
                prop_assert_eq!(bits(&whole[b * alone.len()..(b + 1) * alone.len()]), bits(alone), "{}", NAMES[index]);
            }
        }
    }

    #[test]
    fn what_is_masked_changes_no_bit(case in any_case(), poison in prop::sample::select(vec![f64::NAN, f64::INFINITY])) {
        let Dims { batch, queries, keys, heads, width, value } = case.dims;
        let mut poisoned = case.clone();
        for b in 0..batch {
            for n in 0..heads {
                for k in 0..keys {
                    if (0..queries).all(|q| !case.reads(b, n, q, k)) {
                        poisoned.keys[((b * keys + k) * heads + n) * width..][..width].fill(poison);
                        poisoned.values[((b * keys + k) * heads + n) * value..][..value].fill(poison);
                    }
                }
                for q in 0..queries {
                    if (0..keys).all(|k| !case.reads(b, n, q, k)) {
                        poisoned.query[((b * queries + q) * heads + n) * width..][..width].fill(poison);
                        poisoned.dcontext[((b * queries + q) * heads + n) * value..][..value].fill(poison);
                    }
                    for k in (0..keys).filter(|&k| !case.reads(b, n, q, k)) {
                        poisoned.dweights[((b * heads + n) * queries + q) * keys + k] = poison;
                    }
                }
            }
        }
        case.fast(2).assert_same_bits(&poisoned.fast(2), "something masked was read");
    }

    #[test]
    fn nan_reaches_who_reads_it_and_nobody_else(case in any_case(), place in any::<[prop::sample::Index; 3]>()) {
        let Dims { batch, queries, keys, heads, width, value } = case.dims;
        prop_assume!(batch * keys > 0);
        let (b, n, k) = (place[0].index(batch), place[1].index(heads), place[2].index(keys));
        let mut poisoned = case.clone();
        poisoned.keys[((b * keys + k) * heads + n) * width..][..width].fill(f64::NAN);
        poisoned.values[((b * keys + k) * heads + n) * value..][..value].fill(f64::NAN);
        let (clean, found) = (case.fast(1), poisoned.fast(1));
        let hit = |at_b: usize, at_n: usize, q: usize| (at_b, at_n) == (b, n) && case.reads(b, n, q, k);
        let same = |index: usize, at: usize, len: usize| {
            assert_eq!(bits(&clean.0[index][at..at + len]), bits(&found.0[index][at..at + len]), "{}", NAMES[index]);
        };
        for at_b in 0..batch {
            for at_n in 0..heads {
                for q in 0..queries {
                    let at = (at_b * queries + q) * heads + at_n;
                    let row = ((at_b * heads + at_n) * queries + q) * keys;
                    if hit(at_b, at_n, q) {
                        let context = &found.0[CONTEXT][at * value..(at + 1) * value];
                        assert!(context.iter().all(|v| v.is_nan()), "a context hides a NaN: {context:?}");
                        if case.upstream[0] {
                            let dquery = &found.0[QUERY][at * width..(at + 1) * width];
                            assert!(dquery.iter().all(|v| v.is_nan()), "a gradient hides a NaN: {dquery:?}");
                        }
                    } else {
                        same(CONTEXT, at * value, value);
                        same(QUERY, at * width, width);
                        same(WEIGHTS, row, keys);
                        same(BIAS, row, keys);
                    }
                }
                for at_k in 0..keys {
                    if (0..queries).any(|q| hit(at_b, at_n, q) && case.reads(at_b, at_n, q, at_k)) {
                        continue;
                    }
                    let at = (at_b * keys + at_k) * heads + at_n;
                    same(case::KEYS, at * width, width);
                    same(VALUES, at * value, value);
                }
            }
        }
    }
}

#[test]
fn issue_shapes_agree_with_the_f64_reference() {
    for (kind, dims) in [
        (Kind::Additive, Dims { batch: 3, queries: 40, keys: 50, heads: 1, width: 256, value: 256 }),
        (Kind::Additive, Dims { batch: 2, queries: 1, keys: 200, heads: 1, width: 128, value: 128 }),
        (Kind::Product, Dims { batch: 2, queries: 100, keys: 100, heads: 8, width: 32, value: 32 }),
    ] {
        let case = Case::new(kind, dims, Masks::default(), 1.0, 11);
        case.assert_close(&case.fast(2));
    }
}

#[test]
fn a_fully_masked_query_has_zeros_everywhere() {
    for kind in KINDS {
        let dims = Dims { batch: 2, queries: 3, keys: 5, heads: 1, width: 4, value: 3 };
        let mut case = Case::new(kind, dims, Masks { lengths: true, allowed: Some(0), ..Masks::default() }, 1.0, 3);
        case.lengths = vec![5, 0];
        case.allowed = (0..15).map(|i| i / 5 != 1).collect();
        let found = case.fast(2);
        let zeros = |index: usize, from: usize, len: usize| {
            assert_eq!(found.0[index][from..from + len], vec![0.0; len], "{} {kind:?}", NAMES[index]);
        };
        for (index, per_query) in [(CONTEXT, 3), (WEIGHTS, 5), (QUERY, 4), (BIAS, 5)] {
            zeros(index, per_query, per_query);
            zeros(index, 3 * per_query, 3 * per_query);
        }
        zeros(case::KEYS, 20, 20);
        zeros(VALUES, 15, 15);
        assert!(found.0[CONTEXT][0] != 0.0 && found.0[WEIGHTS][0] > 0.0);
    }
}

#[test]
fn dropout_drops_its_share_and_keeps_the_mean() {
    let dims = Dims { batch: 4, queries: 50, keys: 200, heads: 2, width: 2, value: 1 };
    let mut case = Case::new(Kind::Product, dims, Masks::default(), 0.0, 1);
    case.dropout = Some(Dropout { probability: 0.25, seed: 9 });
    let weights = &case.fast(2).0[WEIGHTS];
    let dropped = weights.iter().filter(|&&weight| weight == 0.0).count() as f64 / weights.len() as f64;
    let mean = weights.iter().map(|&weight| f64::from(weight)).sum::<f64>() / (weights.len() as f64 / 200.0);
    assert!((dropped - 0.25).abs() < 0.01, "{dropped} of the weights were dropped");
    assert!((mean - 1.0).abs() < 0.02, "the weights of a query sum to {mean} in the mean");
    case.dropout = Some(Dropout { probability: 0.25, seed: 10 });
    assert_ne!(weights, &case.fast(2).0[WEIGHTS], "the seed changes nothing");
}

#[test]
fn what_does_not_fit_is_refused_with_both_sides_named() {
    let dims = Dims { batch: 2, queries: 1, keys: 2, heads: 1, width: 1, value: 1 };
    let inputs = Inputs { query: &[0.0; 2], keys: &[0.0; 4], values: &[0.0; 4] };
    let product = Score::Product { scale: 1.0 };
    let run = |score: Score<'_>, dims: Dims, mask: Mask<'_>, probability: f32, inputs: Inputs<'_>| {
        let mut context = [7.0; 2];
        let outputs = Outputs { context: &mut context, weights: None, statistics: None };
        let dropout = Some(Dropout { probability, seed: 0 });
        let result = forward(score, &dims, &mask, dropout, &inputs, outputs, &mut Workspace::default(), 1);
        assert_eq!(context, [7.0; 2], "something was written");
        result.unwrap_err().to_string()
    };
    let mask = Mask::default();
    let lengths = |key_lengths: &'static [usize]| Mask { key_lengths: Some(key_lengths), ..mask };
    let cases: [(&str, String); 10] = [
        (
            "query has 3 values but its shape [B, Q, N, width] = [2, 1, 1, 1] has 2",
            run(product, dims, mask, 0.0, Inputs { query: &[0.0; 3], ..inputs }),
        ),
        (
            "keys has 2 values but its shape [B, K, N, width] = [2, 2, 1, 1] has 4",
            run(product, dims, mask, 0.0, Inputs { keys: &[0.0; 2], ..inputs }),
        ),
        (
            "values has 2 values but its shape [B, K, N, value] = [2, 2, 1, 1] has 4",
            run(product, dims, mask, 0.0, Inputs { values: &[0.0; 2], ..inputs }),
        ),
        (
            "v has 2 values but its shape [N, width] = [1, 1] has 1",
            run(Score::Additive { v: &[0.0; 2] }, dims, mask, 0.0, inputs),
        ),
        ("key lengths[1] is 3 but keys have K = 2", run(product, dims, lengths(&[0, 3]), 0.0, inputs)),
        ("key lengths has 1 values but its shape [B] = [2] has 2", run(product, dims, lengths(&[0]), 0.0, inputs)),
        (
            "attention mask has 3 values, which is neither [Q, K] = [1, 2] nor [B, Q, K] = [2, 1, 2]",
            run(product, dims, Mask { allowed: Some(&[true; 3]), ..mask }, 0.0, inputs),
        ),
        (
            "attention bias has 1 values, which is neither [Q, K] = [1, 2] nor [B, Q, K] = [2, 1, 2] nor [B, N, Q, K]",
            run(product, dims, Mask { bias: Some(&[0.0]), ..mask }, 0.0, inputs),
        ),
        ("the dropout probability is 1.5 but must be from 0 to 1", run(product, dims, mask, 1.5, inputs)),
        ("N is 0 but must be at least 1", run(product, Dims { heads: 0, ..dims }, mask, 0.0, inputs)),
    ];
    for (want, found) in cases {
        assert!(found.starts_with(want), "{found:?} does not start with {want:?}");
    }
    let mut v = [0.0];
    let gradients = Gradients { v: Some(&mut v), ..Gradients::default() };
    let refused = backward(
        product,
        &dims,
        &mask,
        None,
        &inputs,
        &[0.0; 2],
        &[0.0; 6],
        &Upstream::default(),
        gradients,
        &mut Workspace::default(),
        1,
    );
    assert_eq!(refused.unwrap_err().to_string(), "gradient v was given but the product score has none");
    let huge = Dims { batch: usize::MAX, keys: usize::MAX, ..dims };
    assert!(run(product, huge, mask, 0.0, inputs).ends_with("more values than memory can hold"));
}
