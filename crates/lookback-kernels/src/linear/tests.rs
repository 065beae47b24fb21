use super::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// y, dx, dW and db on so many threads.
fn all(dims: LinearDims, seed: u64, threads: usize) -> [Vec<f32>; 4] {
    let LinearDims { rows, inputs, outputs } = dims;
    let (x, weight) = (values(rows * inputs, seed), values(outputs * inputs, seed + 1));
    let (bias, dy) = (values(outputs, seed + 2), values(rows * outputs, seed + 3));
    [
        forward(dims, &x, &weight, Some(&bias), threads),
        input_gradient(dims, &weight, &dy, threads),
        weight_gradient(dims, &x, &dy, threads),
        bias_gradient(dims, &dy),
    ]
    .map(Result::unwrap)
}

/// The same by the reference, in f64.
fn exact(dims: LinearDims, seed: u64) -> [Vec<f64>; 4] {
    let LinearDims { rows, inputs, outputs } = dims;
    let wide = |count: usize, seed: u64| values(count, seed).into_iter().map(f64::from).collect::<Vec<_>>();
    let (x, weight) = (wide(rows * inputs, seed), wide(outputs * inputs, seed + 1));
    let (bias, dy) = (wide(outputs, seed + 2), wide(rows * outputs, seed + 3));
    let [dx, dweight, dbias] = reference::backward(dims, &x, &weight, &dy);
    [reference::forward(dims, &x, &weight, Some(&bias)), dx, dweight, dbias]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn fast_equals_the_reference_on_any_number_of_threads(
        rows in 0usize..400, inputs in 0usize..40, outputs in 0usize..120, seed in 0u64..1000,
    ) {
        let dims = LinearDims { rows, inputs, outputs };
        let one = all(dims, seed, 1);
        for (name, (fast, exact)) in ["y", "dx", "dw", "db"].iter().zip(one.iter().zip(exact(dims, seed))) {
            let largest = exact.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
            for (fast, exact) in fast.iter().zip(&exact) {
                prop_assert!((f64::from(*fast) - exact).abs() < 1e-5 * largest, "{name}: {fast} instead of {exact}");
            }
        }
        prop_assert_eq!(one, all(dims, seed, 2));
    }
}

#[test]
fn a_packed_map_equals_the_reference_for_any_number_of_rows() {
    for rows in [0, 1, 7, 64, 200] {
        let dims = LinearDims { rows, inputs: 19, outputs: 33 };
        let [y, dx, ..] = exact(dims, 5);
        let (x, weight) = (values(rows * 19, 5), values(33 * 19, 6));
        let (bias, dy) = (values(33, 7), values(rows * 33, 8));
        let packed = PackedLinear::new(19, 33, &weight, Some(&bias)).unwrap();
        for threads in [1, 2, 3] {
            for (found, exact) in [(packed.forward(&x, threads), &y), (packed.input_gradient(&dy, threads), &dx)] {
                let found = found.unwrap();
                assert_eq!(found.len(), exact.len());
                for (found, exact) in found.iter().zip(exact) {
                    assert!((f64::from(*found) - exact).abs() < 1e-5, "{found} instead of {exact}");
                }
            }
        }
    }
}

#[test]
fn a_row_alone_equals_the_same_row_in_any_batch_bit_for_bit() {
    // More inputs than a block of the product, widths below, at and above a panel, and rows of several pieces.
    // The portable code is chosen on this thread alone.
    for (portable, most) in [(false, 3), (true, 1)] {
        crate::simd::PORTABLE.set(portable);
        for (inputs, outputs) in [(1, 1), (7, 16), (300, 33), (64, 130)] {
            let (x, weight, bias) = (values(200 * inputs, 1), values(outputs * inputs, 2), values(outputs, 3));
            let bits = |y: &[f32]| y.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            for bias in [None, Some(&bias[..])] {
                let map = PreparedLinear::new(inputs, outputs, &weight, bias).unwrap();
                let alone: Vec<f32> = x.chunks(inputs).flat_map(|row| map.forward(row, 1).unwrap()).collect();
                for rows in [1, 2, 5, 47, 48, 49, 97, 200] {
                    for threads in 1..=most {
                        let together = map.forward(&x[..rows * inputs], threads).unwrap();
                        let of = format!("{rows} rows of [{inputs}, {outputs}], {threads} threads");
                        assert_eq!(bits(&together), bits(&alone[..rows * outputs]), "{of}");
                    }
                }
            }
        }
    }
    crate::simd::PORTABLE.set(false);
}

#[test]
fn threads_that_share_the_columns_change_no_bit() {
    // A row alone has enough to share, and the columns are no whole number of panels, nor the inputs of blocks.
    let (inputs, outputs) = (300, 2050);
    let (x, weight, bias) = (values(100 * inputs, 1), values(outputs * inputs, 2), values(outputs, 3));
    let bits = |y: &[f32]| y.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    for bias in [None, Some(&bias[..])] {
        let map = PreparedLinear::new(inputs, outputs, &weight, bias).unwrap();
        let alone: Vec<f32> = x.chunks(inputs).flat_map(|row| map.forward(row, 1).unwrap()).collect();
        for rows in [1, 2, 5, 100] {
            for threads in [2, 3, 4, 8, 16] {
                let together = map.forward(&x[..rows * inputs], threads).unwrap();
                assert_eq!(bits(&together), bits(&alone[..rows * outputs]), "{rows} rows, {threads} threads");
            }
        }
    }
}

#[test]
fn steps_past_a_length_are_not_read_and_come_out_as_zeros() {
    let (inputs, outputs, time) = (5, 19, 110);
    let (weight, bias) = (values(outputs * inputs, 1), values(outputs, 2));
    let map = PreparedLinear::new(inputs, outputs, &weight, Some(&bias)).unwrap();
    let lengths = [3, 0, time, 1];
    let mut x = values(lengths.len() * time * inputs, 3);
    for (row, &length) in x.chunks_mut(time * inputs).zip(&lengths) {
        row[length * inputs..].fill(f32::NAN);
    }
    for threads in [1, 2, 3] {
        let y = map.forward_ragged(&x, &lengths, time, threads).unwrap();
        for ((x, y), &length) in x.chunks(time * inputs).zip(y.chunks(time * outputs)).zip(&lengths) {
            let (real, padding) = y.split_at(length * outputs);
            assert_eq!(real, map.forward(&x[..length * inputs], 1).unwrap());
            assert!(padding.iter().all(|value| value.to_bits() == 0));
        }
    }
    assert_eq!(map.forward_ragged(&[], &[0, 0], 0, 2).unwrap(), []);
    assert!(map.forward_ragged(&x, &[3, 0, time + 1, 1], time, 1).unwrap_err().to_string().contains("lengths[2]"));
    assert!(map.forward_ragged(&x[1..], &lengths, time, 1).unwrap_err().to_string().contains("[B, T, inputs]"));
}

#[test]
fn without_a_bias_the_sum_starts_at_zero() {
    let dims = LinearDims { rows: 2, inputs: 2, outputs: 1 };
    assert_eq!(forward(dims, &[1.0, 2.0, 3.0, 4.0], &[10.0, 1.0], None, 2).unwrap(), [12.0, 34.0]);
}

#[test]
fn without_inputs_the_result_is_the_bias() {
    let dims = LinearDims { rows: 2, inputs: 0, outputs: 2 };
    assert_eq!(forward(dims, &[], &[], Some(&[1.0, 2.0]), 2).unwrap(), [1.0, 2.0, 1.0, 2.0]);
}
