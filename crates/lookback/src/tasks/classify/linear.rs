//! Solving the linear part: logistic regression over bags of n-grams, multinomial, or binary for each label by itself.
//!
//! Minimises `½ |W|² + C Σ w_i (logsumexp(W x_i) - W_y x_i)` by its dual, an example at a time (Yu, Huang and Lin 2011, "Dual
//! coordinate descent methods for logistic regression and maximum entropy models"). The dual of example i is a distribution
//! `q_i` over the labels, and `W = C Σ w_i (e_y - q_i) x_iᵀ`. The best `q_i` while the others stand solves
//! `ln q + c q = z + c q_old - μ`, with `z = W x_i`, `c = C w_i |x_i|²` and `μ` by which it sums to one: Wright's ω gives `q`
//! from `μ`, Newton's method `μ`. The duality gap is the sum over the examples of `C w_i KL(q_i || softmax(W x_i))`, which an
//! epoch measures on its way, so that the solver knows how far it is from the optimum.
//!
//! Where a text may have several labels, each label is a problem of its own with the same `C`: its dual is a probability, the
//! best of which solves `logit(q) + c q = z + c q_old`, and the gap is the divergence of the two, summed over the labels. All
//! of them are gone through together, for they read the same bags.
//!
//! Nothing depends on threads: one example follows the other.

use lookback_infer::network::Link;
use lookback_infer::tasks::classify::{LinearPart, NgramBag, Targets};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// A bag of n-grams: buckets, each once, and their values.
pub(super) type Bag = Vec<(u32, f32)>;

/// The mean KL divergence, in nats, at which the solution is good enough: no answer would change by as much as training on
/// one example more.
const CLOSE: f64 = 1e-3;
/// Epochs after which the solution is taken as it is.
const MOST_EPOCHS: usize = 100;
/// Rounds of Newton's method for the sum of one distribution; it takes three to eight.
const MOST_ROUNDS: usize = 50;

/// What is solved.
#[derive(Clone, Debug)]
pub(super) struct Problem<'a> {
    /// The bag of each example.
    pub(super) bags: &'a [Bag],
    /// The labels of each.
    pub(super) targets: &'a Targets,
    /// How many labels there are.
    pub(super) labels: usize,
    /// The weight of each label's examples, where they have one each and the weights differ.
    pub(super) class_weights: Option<&'a [f32]>,
    /// `C`: what an example counts against the squared weights.
    pub(super) c: f64,
    /// Of the order of the examples.
    pub(super) seed: u64,
}

/// The weights, and how they were found.
#[derive(Debug)]
pub(super) struct Solution {
    /// `[buckets, N]`
    pub(super) weight: Vec<f32>,
    /// `[N]`
    pub(super) bias: Vec<f32>,
    /// Times that the examples were gone through.
    pub(super) epochs: usize,
    /// The mean KL divergence of the last epoch.
    pub(super) gap: f64,
}

impl Problem<'_> {
    /// Solves it, starting from the weights of a model that is trained on, from which no more is learnt than these examples
    /// say: what is squared is the change.
    pub(super) fn solve(&self, buckets: usize, start: Option<(Vec<f32>, Vec<f32>)>) -> Solution {
        let labels = self.labels;
        let (weight, bias) = start.unwrap_or_else(|| (vec![0.0; buckets * labels], vec![0.0; labels]));
        let mut solution = Solution { weight, bias, epochs: 0, gap: 0.0 };
        // The distributions that say what is known, for which the weights need no change.
        let mut duals = vec![0.0f32; self.bags.len() * labels];
        for (dual, of_row) in duals.chunks_mut(labels).zip(self.targets.iter()) {
            of_row.iter().for_each(|&label| dual[label] = 1.0);
        }
        let mut order: Vec<usize> = (0..self.bags.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut step = Step::new(labels, self.targets.per_text().link());
        for epoch in 1..=MOST_EPOCHS {
            order.shuffle(&mut rng);
            let mut gap = 0.0;
            for &row in &order {
                let weight = self.class_weights.map_or(1.0, |weights| weights[self.targets.of(row)[0]]);
                let dual = &mut duals[row * labels..][..labels];
                gap += step.take(&self.bags[row], dual, &mut solution, self.c as f32 * weight);
            }
            (solution.epochs, solution.gap) = (epoch, gap / self.bags.len().max(1) as f64);
            if solution.is_close() {
                break;
            }
        }
        solution
    }
}

impl Solution {
    /// Whether it is as near to the optimum as it should be.
    pub(super) fn is_close(&self) -> bool {
        self.gap < CLOSE
    }

    /// The linear part with these weights.
    pub(super) fn part(self, bag: NgramBag) -> LinearPart {
        LinearPart { bag, weight: self.weight, bias: self.bias }
    }
}

/// One example's turn, with the memory that it needs.
struct Step {
    logits: Vec<f32>,
    next: Vec<f32>,
    /// How far duals are from the probabilities that logits give.
    divergence: fn(&[f32], &[f32]) -> f64,
    /// The best duals: of `z + c q` and `c`.
    solve: fn(&[f32], f32, &mut [f32]),
}

impl Step {
    fn new(labels: usize, link: Link) -> Step {
        let (logits, next) = (vec![0.0; labels], vec![0.0; labels]);
        match link {
            Link::Softmax => Step { logits, next, divergence, solve: distribution },
            Link::Sigmoid => Step { logits, next, divergence: divergences, solve: probabilities },
        }
    }

    /// Moves the dual of an example to its best place and the weights with it; gives how far it was.
    fn take(&mut self, bag: &[(u32, f32)], dual: &mut [f32], solution: &mut Solution, c: f32) -> f64 {
        let labels = dual.len();
        let z = &mut self.logits;
        z.copy_from_slice(&solution.bias);
        for &(bucket, value) in bag {
            let weights = &solution.weight[bucket as usize * labels..][..labels];
            z.iter_mut().zip(weights).for_each(|(z, weight)| *z += value * weight);
        }
        let gap = (self.divergence)(dual, z);
        // The bias is the weight of one value more, which is 1.
        let squared = 1.0 + bag.iter().map(|(_, value)| value * value).sum::<f32>();
        let scale = c * squared;
        z.iter_mut().zip(dual.iter()).for_each(|(z, q)| *z += scale * q);
        (self.solve)(z, scale, &mut self.next);
        let change = z;
        for ((change, q), next) in change.iter_mut().zip(dual).zip(&self.next) {
            *change = c * (*q - next);
            *q = *next;
        }
        for &(bucket, value) in bag {
            let weights = &mut solution.weight[bucket as usize * labels..][..labels];
            weights.iter_mut().zip(change.iter()).for_each(|(weight, change)| *weight += value * change);
        }
        solution.bias.iter_mut().zip(change.iter()).for_each(|(bias, change)| *bias += change);
        gap
    }
}

/// `KL(q || softmax(z))`, in nats.
fn divergence(q: &[f32], z: &[f32]) -> f64 {
    let largest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = z.iter().map(|&z| f64::from(z - largest).exp()).sum();
    let of = |(&q, &z): (&f32, &f32)| match q > 0.0 {
        true => f64::from(q) * (f64::from(q).ln() - f64::from(z - largest)),
        false => 0.0,
    };
    q.iter().zip(z).map(of).sum::<f64>() + sum.ln()
}

/// The distribution with `ln q + c q = t - μ` for every label, whatever `μ` makes it sum to one.
fn distribution(t: &[f32], c: f32, q: &mut [f32]) {
    let largest = t.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // With this μ the likeliest label alone has all; the sum is no less than one, and falls, convex, as μ grows: Newton's
    // method comes near from one side.
    let mut mu = largest - c;
    let log_c = c.ln();
    for _ in 0..MOST_ROUNDS {
        let (mut sum, mut slope) = (0.0f32, 0.0f32);
        for (q, &t) in q.iter_mut().zip(t) {
            let omega = wright(t - mu + log_c);
            *q = omega / c;
            sum += *q;
            slope += *q / (1.0 + omega);
        }
        let over = sum - 1.0;
        if over.abs() < 1e-5 {
            break;
        }
        mu += over / slope;
    }
    let sum: f32 = q.iter().sum();
    q.iter_mut().for_each(|q| *q /= sum);
}

/// `KL(q || σ(z))` of each label by itself, in nats, summed.
fn divergences(q: &[f32], z: &[f32]) -> f64 {
    let part = |q: f64, z: f64| if q > 0.0 { q * (q.ln() - log_sigmoid(z)) } else { 0.0 };
    let of = |(&q, &z): (&f32, &f32)| part(f64::from(q), f64::from(z)) + part(1.0 - f64::from(q), -f64::from(z));
    q.iter().zip(z).map(of).sum()
}

/// `ln σ(z)`, safe from overflow.
fn log_sigmoid(z: f64) -> f64 {
    z.min(0.0) - (-z.abs()).exp().ln_1p()
}

/// For each label the probability with `logit(q) + c q = t`.
fn probabilities(t: &[f32], c: f32, q: &mut [f32]) {
    q.iter_mut().zip(t).for_each(|(q, &t)| *q = probability(f64::from(t), f64::from(c)) as f32);
}

/// `σ(s)` where `s + c σ(s) = t`, whose left side rises: by Newton's method within what is known to hold the root.
fn probability(t: f64, c: f64) -> f64 {
    let sigmoid = |s: f64| 1.0 / (1.0 + (-s).exp());
    let (mut low, mut high) = (t - c, t);
    let mut s = 0.0f64.clamp(low, high);
    for _ in 0..MOST_ROUNDS {
        let p = sigmoid(s);
        let over = s + c * p - t;
        if over.abs() < 1e-7 {
            break;
        }
        if over > 0.0 {
            high = s
        } else {
            low = s
        }
        let next = s - over / (1.0 + c * p * (1.0 - p));
        s = if low < next && next < high { next } else { low + (high - low) / 2.0 };
    }
    sigmoid(s)
}

/// Wright's ω function, `ω + ln ω = x` (Corless and Jeffrey 2002), of real numbers.
fn wright(x: f32) -> f32 {
    if x < -15.0 {
        return x.exp();
    }
    let mut omega = match x {
        x if x > 2.0 => x - x.ln(),
        x if x > -2.0 => 0.567_143_3 * (0.64 * x).exp().min(1.0 + 0.64 * x.abs()),
        x => x.exp(),
    };
    // Newton's method, which is exact to f32 after two to three rounds.
    for _ in 0..3 {
        omega *= (1.0 + x - omega.ln()) / (1.0 + omega);
    }
    omega
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omega_solves_its_equation() {
        for step in -400..=2000 {
            let x = step as f32 * 0.05;
            let omega = f64::from(wright(x));
            let found = omega + omega.ln();
            assert!((found - f64::from(x)).abs() < 2e-6 * f64::from(x).abs().max(1.0), "ω({x}) = {omega}: {found}");
        }
    }

    #[test]
    fn a_distribution_solves_its_equation() {
        for c in [0.01f32, 1.0, 60.0, 2000.0] {
            let t = [0.3f32 * c, -2.0, 0.7 * c + 1.0, 40.0, -300.0];
            let mut q = [0.0; 5];
            distribution(&t, c, &mut q);
            assert!((q.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{q:?}");
            let mus: Vec<f32> = q.iter().zip(t).filter(|(q, _)| **q > 1e-6).map(|(q, t)| t - q.ln() - c * q).collect();
            assert!(mus.iter().all(|mu| (mu - mus[0]).abs() < 2e-3 * c.max(1.0)), "{c}: {mus:?}");
        }
    }

    #[test]
    fn probabilities_solve_their_equations() {
        for c in [0.01f32, 1.0, 60.0, 2000.0] {
            let t = [0.3 * c, -2.0, 0.7 * c + 1.0, 40.0, -30.0];
            let mut q = [0.0; 5];
            probabilities(&t, c, &mut q);
            for (q, t) in q.map(f64::from).into_iter().zip(t) {
                // Where the logit overflows in 32 bits there is nothing to compare.
                let found = (q / (1.0 - q)).ln() + f64::from(c) * q;
                assert!(q < 1e-9 || 1.0 - q < 1e-5 || (found - f64::from(t)).abs() < 1e-3, "{c}: {q} for {t}");
            }
        }
        assert!((divergences(&[0.5, 0.0], &[0.0, -80.0])).abs() < 1e-9);
        assert!((divergences(&[1.0], &[0.0]) - 2.0f64.ln()).abs() < 1e-9);
    }

    /// Texts of two labels and a third, seldom one, over five buckets.
    fn data() -> (Vec<Bag>, Targets) {
        let bag = |row: usize| {
            let mut bag: Bag = (0..5).filter(|bucket| row * (bucket + 3) % 7 < 3).map(|b| (b as u32, 1.0)).collect();
            let length = (bag.len() as f32).sqrt();
            bag.iter_mut().for_each(|(_, value)| *value /= length);
            bag
        };
        let targets = (0..40).map(|row| if row % 9 == 4 { 2 } else { row * row % 7 % 2 }).collect();
        ((0..40).map(bag).collect(), Targets::One(targets))
    }

    fn objective(problem: &Problem<'_>, weight: &[f64], bias: &[f64]) -> f64 {
        let squares: f64 = weight.iter().chain(bias).map(|w| w * w).sum();
        let loss = |(bag, of_row): (&Bag, &[usize])| {
            let logit = |label: usize| {
                let of = |&(bucket, value): &(u32, f32)| weight[bucket as usize * 3 + label] * f64::from(value);
                bias[label] + bag.iter().map(of).sum::<f64>()
            };
            if let Targets::Several(_) = problem.targets {
                let wrong = |label: usize| if of_row.contains(&label) { -logit(label) } else { logit(label) };
                return (0..3).map(|label| wrong(label).exp().ln_1p()).sum();
            }
            let sum: f64 = (0..3).map(|label| logit(label).exp()).sum();
            let class = problem.class_weights.map_or(1.0, |weights| f64::from(weights[of_row[0]]));
            class * (sum.ln() - logit(of_row[0]))
        };
        squares / 2.0 + problem.c * problem.bags.iter().zip(problem.targets.iter()).map(loss).sum::<f64>()
    }

    #[test]
    fn the_solution_is_the_optimum() {
        let (bags, one) = data();
        let several =
            Targets::Several((0..40).map(|row| (0..3).filter(|k| (row * row + k) % 5 < 2).collect()).collect());
        let balanced = Some(&[0.5f32, 1.0, 4.0][..]);
        let cases = [(&one, 0.5, None), (&one, 30.0, None), (&one, 3.0, balanced)];
        for (targets, c, class_weights) in cases.into_iter().chain([0.5, 3.0, 30.0].map(|c| (&several, c, None))) {
            let problem = Problem { bags: &bags, targets, labels: 3, class_weights, c, seed: 1 };
            let solution = problem.solve(5, None);
            let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
            let (weight, bias) = (wide(&solution.weight), wide(&solution.bias));
            let found = objective(&problem, &weight, &bias);
            // The gap bounds how far it can be from the optimum.
            let bound = c * 40.0 * 4.0 * CLOSE;
            assert!(solution.gap < CLOSE && solution.epochs < MOST_EPOCHS, "{solution:?}");
            for place in 0..18 {
                let (mut more, mut less) = ((weight.clone(), bias.clone()), (weight.clone(), bias.clone()));
                for (moved, by) in [(&mut more, 1e-4), (&mut less, -1e-4)] {
                    if place < 15 { moved.0[place] += by } else { moved.1[place - 15] += by }
                }
                let slope = (objective(&problem, &more.0, &more.1) - objective(&problem, &less.0, &less.1)) / 2e-4;
                // Strongly convex with modulus 1: |slope|² / 2 ≤ what is left.
                assert!(slope * slope / (2.0 * (1.0 + c * 40.0)) <= bound, "{c}: {slope} at {place} of {found}");
            }
        }
    }

    #[test]
    fn training_on_begins_at_the_old_weights() {
        let (bags, targets) = data();
        let old = (vec![0.5; 15], vec![0.25; 3]);
        let nothing = Targets::default();
        let problem = Problem { bags: &[], targets: &nothing, labels: 3, class_weights: None, c: 30.0, seed: 1 };
        let kept = problem.solve(5, Some(old.clone()));
        assert_eq!((kept.weight, kept.bias), old);
        let problem = Problem { bags: &bags, targets: &targets, c: 0.01, ..problem };
        let near = problem.solve(5, Some(old.clone()));
        assert!(near.weight != old.0 && near.weight.iter().zip(&old.0).all(|(new, old)| (new - old).abs() < 0.3));
    }

    #[test]
    fn a_text_without_ngrams_moves_the_bias_alone() {
        let targets = Targets::One(vec![1, 1]);
        let problem =
            Problem { bags: &[vec![], vec![]], targets: &targets, labels: 2, class_weights: None, c: 1.0, seed: 0 };
        let solution = problem.solve(3, None);
        assert!(solution.bias[1] > 0.3 && (solution.bias[0] + solution.bias[1]).abs() < 1e-5);
        assert_eq!(solution.weight, [0.0; 6]);
    }
}
