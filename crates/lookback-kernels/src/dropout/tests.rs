use super::*;

fn dropped(count: usize, probability: f32, seed: u64, threads: usize) -> Vec<f32> {
    dropout(&vec![1.0; count], probability, seed, threads).unwrap()
}

#[test]
fn fast_equals_the_reference() {
    let input: Vec<f32> = (0..40_000).map(|place| (place as f32).sin()).collect();
    let wide: Vec<f64> = input.iter().map(|&x| f64::from(x)).collect();
    for (probability, seed) in [(0.0, 0), (0.1, 1), (0.5, u64::MAX), (0.9, 1 << 40), (1.0, 3)] {
        let found = dropout(&input, probability, seed, 2).unwrap();
        for (found, want) in found.iter().zip(reference::dropout(&wide, probability, seed)) {
            assert!((f64::from(*found) - want).abs() <= 1e-6 * want.abs(), "{found}, want {want}, at {probability}");
        }
    }
}

#[test]
fn the_share_is_right_and_the_mean_is_kept() {
    for (probability, seed) in [(0.1, 1), (0.5, u64::MAX), (0.9, 1 << 40)] {
        let output = dropped(200_000, probability, seed, 2);
        let zeros = output.iter().filter(|&&value| value == 0.0).count() as f32 / 200_000.0;
        assert!((zeros - probability).abs() < 0.004, "{zeros} of {probability}");
        let mean = output.iter().sum::<f32>() / 200_000.0;
        assert!((mean - 1.0).abs() < 0.03, "mean {mean}");
    }
}

#[test]
fn neighbours_and_seeds_are_independent() {
    let (one, other) = (dropped(100_000, 0.5, 7, 1), dropped(100_000, 0.5, 7 + (1 << 32), 1));
    let agree = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(a, b)| a == b).count() as f32 / a.len() as f32;
    assert!((agree(&one, &other) - 0.5).abs() < 0.01);
    for distance in [1, 2, 3, 64, 128, 256, 300, 1024] {
        assert!((agree(&one[distance..], &one[..one.len() - distance]) - 0.5).abs() < 0.01, "distance {distance}");
    }
}

#[test]
fn threads_and_calls_give_the_same_bits() {
    assert_eq!(dropped(100_001, 0.3, 11, 1), dropped(100_001, 0.3, 11, 2));
    assert!(dropped(100_001, 0.3, 11, 1) != dropped(100_001, 0.3, 12, 1));
    assert!(dropped(1000, 0.0, 11, 1).iter().all(|&value| value == 1.0));
    assert!(dropped(1000, 1.0, 11, 1).iter().all(|&value| value == 0.0));
}

#[test]
fn a_mask_is_what_becomes_of_ones_bit_for_bit() {
    for (len, probability, seed) in [(0, 0.5, 1), (7, 0.3, 2), (BLOCK, 0.5, 3), (100_001, 0.3, 11), (50, 1.0, 4)] {
        for threads in [1, 2, 16] {
            assert_eq!(mask(len, probability, seed, threads).unwrap(), dropped(len, probability, seed, threads));
        }
    }
    assert!(mask(usize::MAX, 0.5, 1, 1).is_err());
}

#[test]
fn what_is_no_probability_is_refused() {
    for probability in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        assert!(dropout(&[1.0], probability, 1, 1).is_err(), "{probability}");
        assert!(mask(1, probability, 1, 1).is_err(), "{probability}");
    }
}
