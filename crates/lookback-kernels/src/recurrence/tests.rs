//! The fast engine against the naive reference, and the reference against finite differences.

use super::reference::{self, CELLS};
use super::*;
use crate::{KernelError, Real};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Two orders of the same sums are compared relative to the largest value of a tensor, or to this where all of it is
/// smaller: terms near 1 then cancel, and each order rounds them its own way.
const SMALL: f32 = 0.1;

/// A layer, a batch and its upstream gradients, in f64; the fast kernels read the same values rounded.
#[derive(Debug, Clone)]
struct Case {
    cell: Cell,
    dims: Dims,
    lengths: Option<Vec<usize>>,
    weights: Vec<[Vec<f64>; 5]>,
    biases: [bool; 2],
    peephole: bool,
    x: Vec<f64>,
    state: Option<[Vec<f64>; 2]>,
    upstream: [Vec<f64>; 3],
}

/// Where the values of one argument stand in a case.
type Place = Box<dyn Fn(&mut Case) -> &mut Vec<f64>>;

/// Everything a layer gives, forward and backward.
#[derive(Debug, Clone, PartialEq)]
struct Results<R> {
    named: Vec<(String, Vec<R>)>,
}

impl Case {
    fn new(cell: Cell, dims: Dims, ragged: bool, seed: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed);
        let mut values = |len: usize, scale: f64| -> Vec<f64> {
            (0..len).map(|_| f64::from(rng.random_range(-1.0f32..1.0) * scale as f32)).collect()
        };
        let Dims { batch, time, input, hidden, directions } = dims;
        let gh = cell.gates() * hidden;
        let scale = 1.0 / (hidden as f64).sqrt();
        let weights = (0..directions)
            .map(|_| [gh * input, gh * hidden, gh, gh, 3 * hidden].map(|len| values(len, scale)))
            .collect();
        let states = directions * batch * hidden;
        Case {
            weights,
            x: values(batch * time * input, 1.0),
            state: Some([values(states, 1.0), values(states, 1.0)]),
            upstream: [values(batch * time * directions * hidden, 1.0), values(states, 1.0), values(states, 1.0)],
            lengths: ragged.then(|| (0..batch).map(|_| rng.random_range(0..=time)).collect()),
            biases: [true, true],
            peephole: cell == Cell::Lstm && seed % 2 == 1,
            cell,
            dims,
        }
    }

    fn weights<'a, R>(&self, values: &'a [[Vec<R>; 5]]) -> Vec<Weights<'a, R>> {
        values
            .iter()
            .map(|[ih, hh, b_ih, b_hh, peephole]| Weights {
                weight_ih: ih,
                weight_hh: hh,
                bias_ih: self.biases[0].then_some(b_ih),
                bias_hh: self.biases[1].then_some(b_hh),
                peephole: self.peephole.then_some(peephole),
            })
            .collect()
    }

    /// By the reference, in `R`.
    fn reference<R: Real>(&self, cast: impl Fn(f64) -> R + Copy) -> Results<R> {
        let values = |v: &Vec<f64>| -> Vec<R> { v.iter().map(|&v| cast(v)).collect() };
        let weights: Vec<_> = self.weights.iter().map(|w| w.each_ref().map(values)).collect();
        let weights = self.weights(&weights);
        let lstm = self.cell.has_cell_state();
        let x = values(&self.x);
        let state = self.state.as_ref().map(|s| s.each_ref().map(values));
        let [y, h_n, c_n] = self.upstream.each_ref().map(values);
        let inputs = Inputs {
            x: &x,
            lengths: self.lengths.as_deref(),
            h0: state.as_ref().map(|s| &s[0][..]),
            c0: state.as_ref().filter(|_| lstm).map(|s| &s[1][..]),
        };
        let upstream = Upstream { y: Some(&y), h_n: Some(&h_n), c_n: lstm.then_some(&c_n) };
        let out = reference::forward(self.cell, &self.dims, &weights, &inputs);
        let g = reference::backward(self.cell, &self.dims, &weights, &inputs, &out, &upstream);
        let mut named = vec![("y", out.y), ("h_n", out.h_n), ("c_n", out.c_n), ("grad x", g.x), ("grad h0", g.h0)];
        named.push(("grad c0", if lstm { g.c0 } else { Vec::new() }));
        for g in g.weights {
            named.extend([("grad weight_ih", g.weight_ih), ("grad weight_hh", g.weight_hh)]);
            named.push(("grad bias_ih", if self.biases[0] { g.bias_ih } else { Vec::new() }));
            named.push(("grad bias_hh", if self.biases[1] { g.bias_hh } else { Vec::new() }));
            named.push(("grad peephole", if self.peephole { g.peephole } else { Vec::new() }));
        }
        Results { named: named.into_iter().map(|(name, v)| (name.to_owned(), v)).collect() }
    }

    /// By the fast kernels.
    fn fast(&self, threads: usize) -> Results<f32> {
        let values = |v: &Vec<f64>| -> Vec<f32> { v.iter().map(|&v| v as f32).collect() };
        let weights: Vec<_> = self.weights.iter().map(|w| w.each_ref().map(values)).collect();
        let weights = self.weights(&weights);
        let lstm = self.cell.has_cell_state();
        let mut x = values(&self.x);
        let mut upstream_values = self.upstream.each_ref().map(values);
        // What stands in the padding must not matter.
        let Dims { batch, time, input, hidden, directions } = self.dims;
        for (row, &length) in self.lengths.iter().flatten().enumerate() {
            let width = directions * hidden;
            x[(row * time + length) * input..(row + 1) * time * input].fill(f32::NAN);
            upstream_values[0][(row * time + length) * width..(row + 1) * time * width].fill(f32::NAN);
        }
        let state = self.state.as_ref().map(|s| s.each_ref().map(values));
        let inputs = Inputs {
            x: &x,
            lengths: self.lengths.as_deref(),
            h0: state.as_ref().map(|s| &s[0][..]),
            c0: state.as_ref().filter(|_| lstm).map(|s| &s[1][..]),
        };
        let upstream = Upstream {
            y: Some(&upstream_values[0]),
            h_n: Some(&upstream_values[1]),
            c_n: lstm.then_some(&upstream_values[2][..]),
        };
        let states = directions * batch * hidden;
        // Filled with NaN, because every value must be overwritten.
        let filled = |len: usize| vec![f32::NAN; len];
        let (mut y, mut h_n, mut c_n) = (filled(batch * time * directions * hidden), filled(states), filled(states));
        let workspace = &mut Workspace::default();
        let packed = Packed::new(self.cell, &self.dims, &weights).unwrap();
        let mut saved = filled(saved_len(self.cell, &self.dims, self.lengths.as_deref()).unwrap());
        let mut run = |saved: Option<&mut [f32]>, workspace: &mut Workspace| {
            let outputs = Outputs { y: &mut y, h_n: &mut h_n, c_n: lstm.then_some(&mut c_n) };
            forward(self.cell, &self.dims, &packed, &inputs, outputs, saved, workspace, threads).unwrap();
            (y.clone(), h_n.clone(), if lstm { c_n.clone() } else { Vec::new() })
        };
        let inferred = run(None, workspace);
        let trained = run(Some(&mut saved), workspace);
        for (inferred, trained) in [(&inferred.0, &trained.0), (&inferred.1, &trained.1), (&inferred.2, &trained.2)] {
            assert_eq!(bits(inferred), bits(trained), "inference differs from training");
        }
        let owned = |saving, workspace: &mut Workspace| {
            forward_owned(self.cell, &self.dims, &packed, &inputs, saving, workspace, threads).unwrap()
        };
        let all = bits(&[&trained.0[..], &trained.1, &trained.2].concat());
        let (made, kept) = owned(Saving::Gates, workspace);
        assert_eq!((bits(&made), bits(&kept)), (all.clone(), bits(&saved)), "in memory of its own");
        assert_eq!(bits(&owned(Saving::Nothing, workspace).0), all, "in memory of its own, nothing saved");
        let sound = !self.x.iter().any(|value| value.is_nan() || value.abs() > 1e30);
        assert!(!sound || !saved.iter().any(|value| value.is_nan()), "a value to be saved was not written");
        let mut gx = filled(x.len());
        let (mut gh0, mut gc0) = (filled(states), if lstm { filled(states) } else { Vec::new() });
        let gh = self.cell.gates() * hidden;
        let mut g: Vec<[Vec<f32>; 5]> = (0..directions)
            .map(|_| {
                let bias = self.biases.map(|b| if b { gh } else { 0 });
                let peephole = if self.peephole { 3 * hidden } else { 0 };
                [gh * input, gh * hidden, bias[0], bias[1], peephole].map(filled)
            })
            .collect();
        let mut weight_gradients: Vec<_> = g
            .iter_mut()
            .map(|[ih, hh, b_ih, b_hh, peephole]| WeightGradients {
                weight_ih: Some(ih),
                weight_hh: Some(hh),
                bias_ih: self.biases[0].then_some(b_ih),
                bias_hh: self.biases[1].then_some(b_hh),
                peephole: self.peephole.then_some(peephole),
            })
            .collect();
        backward(
            self.cell,
            &self.dims,
            &weights,
            &inputs,
            &trained.0,
            &saved,
            &upstream,
            InputGradients { x: Some(&mut gx), h0: Some(&mut gh0), c0: lstm.then_some(&mut gc0) },
            &mut weight_gradients,
            workspace,
            threads,
        )
        .unwrap();
        let of_weights = [true, true, self.biases[0], self.biases[1], self.peephole];
        let wanted = [vec![true, true, lstm], of_weights.repeat(directions)].concat();
        let (y, saved) = (&trained.0, &saved);
        let gradients =
            backward_owned(self.cell, &self.dims, &weights, &inputs, y, saved, &upstream, &wanted, workspace, threads);
        let expected = || [&gx, &gh0, &gc0].into_iter().chain(g.iter().flatten());
        for (own, expected) in gradients.unwrap().into_iter().zip(expected()) {
            assert_eq!(bits(&own.unwrap_or_default()), bits(expected), "a gradient in memory of its own");
        }
        for segment in [1, 3, 7].into_iter().filter(|_| sound) {
            let (made, between) = owned(Saving::Checkpoints { segment }, workspace);
            assert_eq!(bits(&made), all, "with the states between segments");
            let between = (segment, &between[..]);
            let again = backward_recomputing(
                self.cell, &self.dims, &weights, &inputs, y, between, &upstream, &wanted, workspace, threads,
            );
            for (part, (again, kept)) in again.unwrap().into_iter().zip(expected()).enumerate() {
                let again = again.unwrap_or_default();
                assert_eq!(again.len(), kept.len(), "gradient {part}, computed again");
                let exact = part == 1 || part == 2 || part == 0 && directions == 1;
                let largest = kept.iter().fold(SMALL, |most, value| most.max(value.abs()));
                for (again, kept) in again.iter().zip(kept) {
                    let close = if exact { again == kept } else { (again - kept).abs() <= 1e-5 * largest };
                    assert!(close, "gradient {part}: {again} computed again, {kept} before, segments of {segment}");
                }
            }
        }
        if sound && directions == 1 && self.lengths.is_none() {
            let (y, expected) = (&trained.0, &expected().collect::<Vec<_>>());
            self.assert_unrolled_is_the_same(&weights[0], &inputs, &upstream, y, expected, threads);
        }
        let mut named = vec![("y", trained.0), ("h_n", trained.1), ("c_n", trained.2)];
        named.extend([("grad x", gx), ("grad h0", gh0), ("grad c0", gc0)]);
        for g in g {
            let names = ["grad weight_ih", "grad weight_hh", "grad bias_ih", "grad bias_hh", "grad peephole"];
            named.extend(names.into_iter().zip(g));
        }
        Results { named: named.into_iter().map(|(name, v)| (name.to_owned(), v)).collect() }
    }

    /// Step by step, with the weights' gradients summed in the end: `y` and the gradients of `x`, `h0` and `c0` have the
    /// same bits, and the gradients of the weights are as close as another order of sums leaves them.
    fn assert_unrolled_is_the_same(
        &self,
        weights: &Weights<'_>,
        inputs: &Inputs<'_>,
        upstream: &Upstream<'_>,
        y: &[f32],
        expected: &[&Vec<f32>],
        threads: usize,
    ) {
        let Dims { batch, time, input, hidden, .. } = self.dims;
        let (lstm, states) = (self.cell.has_cell_state(), batch * hidden);
        let workspace = &mut Workspace::default();
        let layer = Unrolled::new(self.cell, input, hidden, weights).unwrap();
        let at = |all: &[f32], t: usize, width: usize| -> Vec<f32> {
            all.chunks_exact(time * width).flat_map(|row| row[t * width..][..width].to_vec()).collect()
        };
        let xs: Vec<Vec<f32>> = (0..time).map(|t| at(inputs.x, t, input)).collect();
        let zeros = || vec![0.0; states];
        let mut h = vec![inputs.h0.map_or_else(zeros, <[f32]>::to_vec)];
        let mut c = vec![inputs.c0.map_or_else(zeros, <[f32]>::to_vec)];
        let mut saved = Vec::new();
        for t in 0..time {
            let cell = lstm.then_some(&c[t][..]);
            let (made, kept) = layer.forward(batch, &xs[t], Some(&h[t]), cell, true, workspace, threads).unwrap();
            assert_eq!(bits(&made[..states]), bits(&at(y, t, hidden)), "step {t}");
            h.push(made[states..2 * states].to_vec());
            c.push(if lstm { made[2 * states..].to_vec() } else { Vec::new() });
            saved.push(kept);
        }
        let own = |from: Option<&[f32]>| from.map_or_else(zeros, <[f32]>::to_vec);
        let (mut dh, mut dc) = (own(upstream.h_n), own(upstream.c_n));
        let mut steps = UnrolledSteps::default();
        let mut dx = vec![0.0; inputs.x.len()];
        for t in (0..time).rev() {
            let dy = at(upstream.y.unwrap(), t, hidden);
            let inputs = Inputs { x: &xs[t], lengths: None, h0: Some(&h[t]), c0: lstm.then_some(&c[t]) };
            let upstream = Upstream { y: Some(&dy), h_n: Some(&dh), c_n: lstm.then_some(&dc) };
            let wanted = [true; 3];
            let gradients =
                layer.backward(batch, &inputs, &saved[t], &upstream, wanted, &mut steps, workspace, threads);
            let [own_dx, own_dh, own_dc] = gradients.unwrap();
            (dh, dc) = (own_dh.unwrap(), own_dc.unwrap_or_default());
            for (row, from) in own_dx.unwrap().chunks_exact(input).enumerate() {
                dx[(row * time + t) * input..][..input].copy_from_slice(from);
            }
        }
        let wanted = [true, true, true, true, self.peephole];
        let of_weights = layer.weight_gradients(&mut steps, wanted, workspace, threads).unwrap();
        assert_eq!((bits(&dx), bits(&dh)), (bits(expected[0]), bits(expected[1])), "gradients of x and h0");
        assert_eq!(bits(&dc[..expected[2].len()]), bits(expected[2]), "gradient of c0");
        for (part, (found, want)) in of_weights.iter().zip(&expected[3..]).enumerate() {
            // A bias that the layer lacks has an empty gradient there.
            let largest = want.iter().fold(SMALL, |most, value| most.max(value.abs()));
            for (found, want) in found.iter().flatten().zip(*want) {
                assert!((found - want).abs() <= 1e-5 * largest, "weight gradient {part}: {found}, want {want}");
            }
        }
    }

    /// The largest error of the fast kernels relative to the largest value of each result.
    fn assert_fast_is_close(&self, threads: usize) {
        let (want, found) = (self.reference(|v| v), self.fast(threads));
        for ((name, want), (_, found)) in want.named.iter().zip(&found.named) {
            assert_eq!(want.len(), found.len(), "{name}");
            let largest = want.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
            for (i, (want, found)) in want.iter().zip(found).enumerate() {
                let error = (want - f64::from(*found)).abs() / largest;
                assert!(error < 1e-5, "{name}[{i}] = {found}, want {want} in {:?} {:?}", self.cell, self.dims);
            }
        }
    }

    /// `Σ outputs ∘ upstream`, the scalar whose gradients the backward pass gives.
    fn objective(&self) -> f64 {
        let results = self.reference(|v| v);
        let real = |row: usize, t: usize| self.lengths.as_ref().is_none_or(|l| t < l[row]);
        let width = self.dims.directions * self.dims.hidden;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut sum = dot(&results.named[1].1, &self.upstream[1]) + dot(&results.named[2].1, &self.upstream[2]);
        for row in 0..self.dims.batch {
            for t in (0..self.dims.time).filter(|&t| real(row, t)) {
                let at = (row * self.dims.time + t) * width;
                sum += dot(&results.named[0].1[at..at + width], &self.upstream[0][at..at + width]);
            }
        }
        sum
    }
}

#[test]
fn reference_gradients_agree_with_finite_differences() {
    for cell in CELLS {
        for directions in [1, 2] {
            for (ragged, seed) in [(false, 2), (true, 3), (true, 6)] {
                let dims = Dims { batch: 3, time: 4, input: 3, hidden: 4, directions };
                let case = Case::new(cell, dims, ragged, seed);
                let analytic = case.reference(|v| v);
                let gradient = |name: &str, d: usize| {
                    analytic.named.iter().filter(|(n, _)| n == name).nth(d).map(|(_, v)| v.clone()).unwrap()
                };
                let weight_names =
                    ["grad weight_ih", "grad weight_hh", "grad bias_ih", "grad bias_hh", "grad peephole"];
                let mut places: Vec<(String, Vec<f64>, Place)> = vec![
                    ("x".into(), gradient("grad x", 0), Box::new(|c| &mut c.x)),
                    ("h0".into(), gradient("grad h0", 0), Box::new(|c| &mut c.state.as_mut().unwrap()[0])),
                    ("c0".into(), gradient("grad c0", 0), Box::new(|c| &mut c.state.as_mut().unwrap()[1])),
                ];
                for d in 0..directions {
                    for (k, name) in weight_names.into_iter().enumerate() {
                        places.push((
                            format!("{name} {d}"),
                            gradient(name, d),
                            Box::new(move |c| &mut c.weights[d][k]),
                        ));
                    }
                }
                for (name, gradient, place) in places {
                    let largest = gradient.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
                    for (i, analytic) in gradient.iter().enumerate() {
                        let step = 1e-5;
                        let at = |delta: f64| {
                            let mut moved = case.clone();
                            place(&mut moved)[i] += delta;
                            moved.objective()
                        };
                        let numeric = (at(step) - at(-step)) / (2.0 * step);
                        let error = (numeric - analytic).abs() / largest;
                        assert!(error < 1e-6, "{cell:?} {directions} {ragged} {name}[{i}]: {numeric} and {analytic}");
                    }
                }
            }
        }
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let sizes = (0usize..9, 0usize..12, 1usize..20, 1usize..40, 1usize..=2);
    (prop::sample::select(CELLS.to_vec()), sizes, any::<bool>(), any::<[bool; 2]>(), any::<bool>(), 0u64..1000)
        .prop_map(|(cell, (batch, time, input, hidden, directions), ragged, biases, state, seed)| {
            let mut case = Case::new(cell, Dims { batch, time, input, hidden, directions }, ragged, seed);
            case.biases = biases;
            if !state {
                case.state = None;
            }
            case
        })
}

proptest! {
    #![proptest_config(crate::same_cases(300))]

    #[test]
    fn fast_agrees_with_the_f64_reference(case in any_case(), threads in 1usize..4) {
        case.assert_fast_is_close(threads);
    }

    #[test]
    fn portable_code_agrees_with_the_f64_reference(case in any_case()) {
        // A pool of its own, since the choice is the thread's.
        let portable = rayon::ThreadPoolBuilder::new().num_threads(2).start_handler(|_| crate::simd::PORTABLE.set(true));
        portable.build().unwrap().install(|| case.assert_fast_is_close(2));
    }

    #[test]
    fn threads_change_no_bit(case in any_case()) {
        let one = case.fast(1);
        for threads in [2, 3, 7] {
            prop_assert_eq!(&one, &case.fast(threads));
        }
    }

    #[test]
    fn a_row_alone_equals_the_same_row_in_any_batch(case in any_case()) {
        let whole = case.fast(2);
        let Dims { batch, time, input, hidden, directions } = case.dims;
        for row in 0..batch {
            let mut alone = case.clone();
            alone.dims.batch = 1;
            alone.lengths = case.lengths.as_ref().map(|l| vec![l[row]]);
            let block = |v: &[f64], per: usize| v[row * per..(row + 1) * per].to_vec();
            let states = |v: &[f64]| -> Vec<f64> {
                (0..directions).flat_map(|d| v[(d * batch + row) * hidden..][..hidden].to_vec()).collect()
            };
            alone.x = block(&case.x, time * input);
            alone.state = case.state.as_ref().map(|s| s.each_ref().map(|v| states(v)));
            alone.upstream = [
                block(&case.upstream[0], time * directions * hidden),
                states(&case.upstream[1]),
                states(&case.upstream[2]),
            ];
            let alone = alone.fast(1);
            let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            for (index, per) in [(0, time * directions * hidden), (3, time * input)] {
                let want = &whole.named[index].1[row * per..(row + 1) * per];
                prop_assert_eq!(bits(want), bits(&alone.named[index].1));
            }
            for index in [1, 2, 4, 5].into_iter().filter(|&index| !whole.named[index].1.is_empty()) {
                for d in 0..directions {
                    let want = &whole.named[index].1[(d * batch + row) * hidden..][..hidden];
                    prop_assert_eq!(bits(want), bits(&alone.named[index].1[d * hidden..][..hidden]));
                }
            }
        }
    }
}

#[test]
fn larger_shapes_agree_with_the_f64_reference() {
    for cell in CELLS {
        for (directions, ragged, seed) in [(1, false, 1), (2, true, 2)] {
            Case::new(cell, Dims { batch: 14, time: 30, input: 33, hidden: 65, directions }, ragged, seed)
                .assert_fast_is_close(2);
        }
    }
}

#[test]
fn nan_in_gives_nan_out() {
    for cell in CELLS {
        let mut case = Case::new(cell, Dims { batch: 2, time: 3, input: 2, hidden: 3, directions: 1 }, false, 4);
        case.x[0] = f64::NAN;
        let found = case.fast(1);
        let y = &found.named[0].1;
        assert!(y[..9].iter().all(|v| v.is_nan()), "{cell:?} hides a NaN: {y:?}");
        assert!(y[9..].iter().all(|v| v.is_finite()), "{cell:?} lets a NaN leak into another row");
    }
}

#[test]
fn infinity_less_infinity_is_not_hidden() {
    for cell in CELLS {
        let mut case = Case::new(cell, Dims { batch: 1, time: 2, input: 2, hidden: 3, directions: 1 }, false, 4);
        case.x.fill(f64::INFINITY);
        // Infinity less infinity, in every gate.
        case.weights[0][0] = [1.0, -1.0].repeat(case.cell.gates() * 3);
        let found = case.fast(1);
        assert!(found.named[0].1.iter().all(|value| value.is_nan()), "{cell:?}: {:?}", found.named[0].1);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_both_sides_named() {
    let dims = Dims { batch: 2, time: 3, input: 1, hidden: 1, directions: 1 };
    let weights = [Weights { weight_ih: &[0.0], weight_hh: &[0.0], bias_ih: None, bias_hh: None, peephole: None }];
    let cell = Cell::Rnn(Activation::Tanh);
    let packed = Packed::new(cell, &dims, &weights).unwrap();
    let run = |cell: Cell, dims: Dims, x: &[f32], lengths: Option<&[usize]>, c0: Option<&[f32]>| {
        let (mut y, mut h_n) = ([7.0; 6], [7.0; 2]);
        let inputs = Inputs { x, lengths, h0: None, c0 };
        let outputs = Outputs { y: &mut y, h_n: &mut h_n, c_n: None };
        let result = forward(cell, &dims, &packed, &inputs, outputs, None, &mut Workspace::default(), 1);
        assert_eq!((y, h_n), ([7.0; 6], [7.0; 2]), "something was written");
        result.unwrap_err().to_string()
    };
    let x = [0.0; 6];
    let cases: [(&str, String); 6] = [
        ("x has 5 values but its shape [B, T, I] = [2, 3, 1] has 6", run(cell, dims, &x[..5], None, None)),
        ("lengths[1] is 4 but the batch has T = 3", run(cell, dims, &x, Some(&[0, 4]), None)),
        ("lengths has 1 values but its shape [B] = [2] has 2", run(cell, dims, &x, Some(&[1]), None)),
        ("c0 was given but the RNN has none", run(cell, dims, &x, None, Some(&[0.0; 2]))),
        ("directions is 3", run(cell, Dims { directions: 3, ..dims }, &x, None, None)),
        ("the packed weights are of Rnn(Tanh)", run(Cell::Lstm, dims, &x, None, None)),
    ];
    for (want, found) in cases {
        assert!(found.starts_with(want), "{found:?} does not start with {want:?}");
    }
    let zero = Packed::new(cell, &Dims { hidden: 0, ..dims }, &weights).unwrap_err();
    assert_eq!(zero, KernelError::TooSmall { name: "H", least: 1, found: 0 });
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
