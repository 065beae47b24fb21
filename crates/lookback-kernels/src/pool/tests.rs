use super::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// One random case in f64, whose values are f32 values.
#[derive(Clone, Debug)]
struct Case {
    dims: PoolDims,
    learnt: bool,
    lengths: Vec<usize>,
    sequence: Vec<f64>,
    vector: Vec<f64>,
    upstream: Vec<f64>,
    upstream_weights: Vec<f64>,
}

impl Case {
    fn new(batch: usize, time: usize, outputs: usize, learnt: bool, seed: u64) -> Case {
        let mut rng = StdRng::seed_from_u64(seed);
        let lengths = (0..batch).map(|_| rng.random_range(0..=time)).collect();
        // Scores of about 1: where one weight is nearly 1, all gradients cancel and nothing can be compared.
        let limit = 1.5 / (outputs as f32).powf(0.25);
        let mut draw =
            |count: usize| (0..count).map(|_| f64::from(rng.random_range(-limit..limit))).collect::<Vec<_>>();
        Case {
            dims: PoolDims { batch, time, outputs },
            learnt,
            lengths,
            sequence: draw(batch * time * outputs),
            vector: draw(if learnt { outputs } else { batch * outputs }),
            upstream: draw(batch * outputs),
            upstream_weights: draw(batch * time),
        }
    }

    fn score<'a, R>(&self, vector: &'a [R]) -> PoolScore<'a, R> {
        if self.learnt { PoolScore::Learnt(vector) } else { PoolScore::Query(vector) }
    }

    /// pooled, weights, gradient of the sequence, gradient of the vector, by the fast kernel.
    fn fast(&self, threads: usize) -> [Vec<f32>; 4] {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let (sequence, vector) = (narrow(&self.sequence), narrow(&self.vector));
        let PoolDims { batch, time, outputs } = self.dims;
        let [mut pooled, mut weights] = [vec![f32::NAN; batch * outputs], vec![f32::NAN; batch * time]];
        let score = self.score(&vector);
        forward(self.dims, score, &sequence, &self.lengths, &mut pooled, &mut weights, threads).unwrap();
        let (up, up_weights) = (narrow(&self.upstream), narrow(&self.upstream_weights));
        let upstream = PoolUpstream { pooled: &up, weights: Some(&up_weights) };
        let [dh, dw] = backward(self.dims, score, &sequence, &self.lengths, &weights, upstream, threads).unwrap();
        [pooled, weights, dh, dw]
    }

    fn exact(&self) -> [Vec<f64>; 4] {
        let score = self.score(&self.vector);
        let (pooled, weights) = reference::forward(self.dims, score, &self.sequence, &self.lengths);
        let upstream = (&self.upstream[..], &self.upstream_weights[..]);
        let (dh, dw) = reference::backward(self.dims, score, &self.sequence, &self.lengths, upstream);
        [pooled, weights, dh, dw]
    }

    /// Σ upstream · output, whose gradient is what the backward pass gives.
    fn objective(&self) -> f64 {
        let (pooled, weights) = reference::forward(self.dims, self.score(&self.vector), &self.sequence, &self.lengths);
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        product(&pooled, &self.upstream) + product(&weights, &self.upstream_weights)
    }
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    for learnt in [true, false] {
        let case = Case::new(3, 4, 3, learnt, 1);
        let [_, _, dh, dw] = case.exact();
        let step = 1e-5;
        let slope = |change: &dyn Fn(&mut Case, f64)| {
            let (mut up, mut down) = (case.clone(), case.clone());
            change(&mut up, step);
            change(&mut down, -step);
            (up.objective() - down.objective()) / (2.0 * step)
        };
        for (index, gradient) in dh.iter().enumerate() {
            let found = slope(&|case, by| case.sequence[index] += by);
            assert!((gradient - found).abs() < 1e-6 * gradient.abs().max(1.0), "h[{index}]: {gradient} {found}");
        }
        for (index, gradient) in dw.iter().enumerate() {
            let found = slope(&|case, by| case.vector[index] += by);
            assert!((gradient - found).abs() < 1e-6 * gradient.abs().max(1.0), "w[{index}]: {gradient} {found}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn fast_equals_the_reference(
        batch in 0usize..7, time in 1usize..20, outputs in 1usize..40, learnt: bool, seed: u64,
    ) {
        let case = Case::new(batch, time, outputs, learnt, seed);
        for (name, (fast, exact)) in
            ["pooled", "weights", "dh", "dw"].into_iter().zip(case.fast(1).into_iter().zip(case.exact()))
        {
            let largest = exact.iter().fold(3e-2, |largest: f64, value| largest.max(value.abs()));
            for (fast, exact) in fast.iter().zip(&exact) {
                prop_assert!((f64::from(*fast) - exact).abs() < 1e-5 * largest, "{name}: {fast} instead of {exact}");
            }
        }
        prop_assert_eq!(case.fast(1), case.fast(2));
    }
}

#[test]
fn a_row_alone_has_the_same_bits_and_padding_is_never_read() {
    let mut case = Case::new(5, 6, 19, true, 3);
    case.lengths = vec![6, 2, 0, 5, 1];
    let whole = case.fast(2);
    let mut poisoned = case.clone();
    for (b, &length) in case.lengths.iter().enumerate() {
        poisoned.sequence[(b * 6 + length) * 19..(b + 1) * 6 * 19].fill(f64::NAN);
        poisoned.upstream_weights[b * 6 + length..(b + 1) * 6].fill(f64::NAN);
    }
    assert_eq!(whole, poisoned.fast(2));
    for b in 0..5 {
        let alone = Case {
            dims: PoolDims { batch: 1, ..case.dims },
            lengths: vec![case.lengths[b]],
            sequence: case.sequence[b * 6 * 19..(b + 1) * 6 * 19].to_vec(),
            upstream: case.upstream[b * 19..(b + 1) * 19].to_vec(),
            upstream_weights: case.upstream_weights[b * 6..(b + 1) * 6].to_vec(),
            ..case.clone()
        };
        let [pooled, weights, dh, _] = alone.fast(1);
        assert_eq!(pooled, whole[0][b * 19..(b + 1) * 19]);
        assert_eq!(weights, whole[1][b * 6..(b + 1) * 6]);
        assert_eq!(dh, whole[2][b * 6 * 19..(b + 1) * 6 * 19]);
    }
    assert!(whole[0][2 * 19..3 * 19].iter().chain(&whole[1][12..18]).all(|&value| value == 0.0));
}

#[test]
fn a_nan_that_is_read_is_not_hidden() {
    let mut case = Case::new(2, 3, 5, true, 4);
    case.lengths = vec![3, 3];
    case.sequence[7] = f64::NAN;
    let [pooled, weights, ..] = case.fast(1);
    assert!(pooled[..5].iter().chain(&weights[..3]).all(|value| value.is_nan()));
    assert!(pooled[5..].iter().chain(&weights[3..]).all(|value| value.is_finite()));
}
