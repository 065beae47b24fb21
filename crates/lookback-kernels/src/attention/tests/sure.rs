//! Queries that are sure of one key, whose gradients are what almost cancels.

use super::case::{Case, KEYS, Kind, Masks, QUERY, Results};
use crate::attention::{Dims, Dropout};

/// Half the width of the range from which queries and keys come: a standard deviation of 6.
const MAGNITUDE: f64 = 10.4;

/// The worst error of a gradient, each row relative to the greatest value of so many rows.
fn worst(want: &[f64], found: &[f32], len: usize) -> f64 {
    let rows = want.chunks_exact(len).zip(found.chunks_exact(len));
    let of_row = |(want, found): (&[f64], &[f32])| {
        let largest = want.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let error = want.iter().zip(found).map(|(want, found)| (want - f64::from(*found)).abs()).fold(0.0, f64::max);
        // Below, the reference itself has lost its digits: it subtracts in double precision.
        if largest < 1e-9 { 0.0 } else { error / largest }
    };
    rows.map(of_row).fold(0.0, f64::max)
}

/// With one block of keys every row has its digits; with more, the context has rounded those of the surest away, and what
/// is left is small beside the others.
#[test]
fn gradients_keep_their_digits_where_a_query_is_sure() {
    for keys in [20, 300, 520] {
        for dropout in [None, Some(Dropout { probability: 0.2, seed: 3 })] {
            for upstream in [[true, false], [true, true], [false, true]] {
                for scale in [1.0, 0.25] {
                    let dims = Dims { batch: 2, queries: 15, keys, heads: 2, width: 8, value: 9 };
                    let mut case = Case::new(Kind::Product, dims, Masks::default(), MAGNITUDE, 5);
                    (case.scale, case.dropout, case.upstream) = (scale, dropout, upstream);
                    let want = case.reference(|value| value);
                    let Results(found) = case.fast(2);
                    for (gradient, part) in [("query", QUERY), ("keys", KEYS)] {
                        let single = keys == 20 && part == QUERY;
                        let (len, bound) = if single { (dims.width, 5e-5) } else { (want.0[part].len(), 2e-5) };
                        let error = worst(&want.0[part], &found[part], len);
                        assert!(
                            error < bound,
                            "{keys} keys, {dropout:?}, upstream {upstream:?}, scale {scale}: {gradient} off by {error:.1e}"
                        );
                    }
                }
            }
        }
    }
}
