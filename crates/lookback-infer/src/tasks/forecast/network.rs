//! The network: an encoder, pooling, a dense layer for all steps ahead, and one that joins what is known of each.

use lookback_kernels::simd::math;
use rayon::prelude::*;

use super::decoder::{Decoder, Said};
use super::output::shape;
use super::plan::{Combine, NetworkPlan, OutputPlan};
use super::window::Ahead;
use crate::error::ModelFileError;
use crate::input::{Batch, InputShape};
use crate::model_file::Tensors;
use crate::network::{Encoded, Encoder, Linear, Pool, Pooled, Ragged, Weights};

/// The sizes that the data decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// `C`, the channels of a step.
    pub channels: usize,
    /// `F`, the channels of a step ahead; 0 where nothing is known of it.
    pub ahead: usize,
    /// `G`, the targets.
    pub targets: usize,
}

/// The network, its weights packed once. Several callers may use it at once.
///
/// # Tensors
/// With `P` the width of the pooled vector ([`NetworkPlan::pooled`]), `H` the horizon, `N` the numbers per step and target
/// ([`OutputPlan::numbers`]), and `G`, `F`, `K`:
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `encoder.` and what stands with [`Encoder`] | | |
/// | `decoder.` and what stands in `MODEL_FILE.md` | | a decoder; then there is nothing below |
/// | `pool.weight` | `[W]`, a step's width | `H > 0`, `attention` among the poolings, no `structured` attention |
/// | `output.weight`, `output.bias` | `[H*G*N, P]`, `[H*G*N]` | `H > 0` |
/// | `output.weight`, `output.bias` | `[G*N, W]`, `[G*N]` | `H` is 0 |
/// | `context.weight` | `[K, P]` | `F > 0` |
/// | `ahead.weight`, `ahead.bias` | `[K, F]`, `[K]` | `F > 0` |
/// | `local.weight` | `[G*N, K]` | `F > 0` |
#[derive(Debug)]
pub struct Network {
    encoder: Encoder,
    head: Head,
}

/// What says steps of what was read.
#[derive(Debug)]
enum Head {
    /// All of those ahead at once, or each of those that were read.
    Dense(Dense),
    /// Those ahead one after another.
    Steps(Decoder),
}

#[derive(Debug)]
struct Dense {
    /// Absent where the attention pools by itself, and where every step is told.
    pool: Option<Pool>,
    output: Linear,
    local: Option<Local>,
    plan: OutputPlan,
    /// `H`
    horizon: usize,
}

/// What joins the pooled vector with what is known of a step ahead: `V tanh(A c + B f_t + b)`.
#[derive(Debug)]
struct Local {
    context: Linear,
    ahead: Linear,
    output: Linear,
    /// `K`
    width: usize,
}

/// What a network, or several together, say of a batch.
#[derive(Clone, Debug)]
pub struct Output {
    /// `[B, H, G, N]`, or `[B, T, G, N]` where every step is told: what [`shape`] makes of the numbers, without what they are added
    /// to. Past a row's length they mean nothing.
    pub numbers: Vec<f32>,
    /// `[B, T]`: the weight of every step, where steps are pooled with weights; zero past a row's length.
    pub weights: Option<Vec<f32>>,
    /// What the attention looked at, a view per head or hop, where that was asked for.
    pub views: Vec<Weights>,
    /// The same of a decoder that looks back: `[B, H, T]`.
    pub looked: Option<Weights>,
}

/// What people call what a decoder looked at.
const LOOKED: &str = "attention";

impl Network {
    /// Takes the network's tensors.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or the plan is one by which no network can be made.
    pub fn read(plan: &NetworkPlan, sizes: Sizes, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        plan.check().map_err(|problem| tensors.refused("network", &problem))?;
        let shape = InputShape::Channels(sizes.channels);
        let encoder = Encoder::read(&plan.encoder, shape, &mut tensors.within("encoder"))?;
        if !plan.decoder.is_direct() {
            let head = Head::Steps(Decoder::read(plan, sizes, tensors)?);
            return Ok(Network { encoder, head });
        }
        let every = plan.window.at_every_step();
        let pool = match plan.encoder.attention.pools() || every {
            true => None,
            false => Some(Pool::read(&plan.pooling, plan.encoder.width(), &mut tensors.within("pool"))?),
        };
        let (horizon, per_step) = (plan.window.horizon, sizes.targets * plan.output.numbers());
        let (inputs, steps) = if every { (plan.encoder.width(), 1) } else { (plan.pooled(), horizon) };
        let output = Linear::read(inputs, steps * per_step, true, &mut tensors.within("output"))?;
        let local = match sizes.ahead {
            _ if every => None,
            0 => None,
            known => Some(Local {
                context: Linear::read(plan.pooled(), plan.ahead, false, &mut tensors.within("context"))?,
                ahead: Linear::read(known, plan.ahead, true, &mut tensors.within("ahead"))?,
                output: Linear::read(plan.ahead, per_step, false, &mut tensors.within("local"))?,
                width: plan.ahead,
            }),
        };
        let head = Head::Dense(Dense { pool, output, local, plan: plan.output.clone(), horizon });
        Ok(Network { encoder, head })
    }

    /// What it says of a batch. `views`: whether somebody will look at the attention, which changes no bit of
    /// the rest.
    ///
    /// A row alone gives the same as among any others, bit for bit, on any number of threads.
    ///
    /// # Panics
    /// If the batch was made for another network.
    pub fn forward(&self, batch: &Batch, ahead: &Ahead, views: bool) -> Output {
        let threads = rayon::current_num_threads();
        let encoded = self.encoder.forward(batch, views);
        let rows = Ragged { lengths: &batch.lengths, time: batch.time, threads };
        match &self.head {
            Head::Dense(dense) => dense.forward(encoded, rows, &ahead.known),
            Head::Steps(decoder) => {
                let Said { numbers, weights } = decoder.forward(&encoded, rows, ahead, views);
                let looked = |values: Vec<f32>| {
                    let queries = values.len() / (rows.batch() * rows.time).max(1);
                    Weights { name: LOOKED.into(), queries, values }
                };
                Output { numbers, weights: None, views: encoded.views, looked: weights.map(looked) }
            }
        }
    }

    /// Paths of what may come behind the one window of a batch, `[count, H, G]`, scaled: each step is drawn from what the decoder says
    /// after the steps drawn before it (Salinas 2020, section 3). `level` gives uniform numbers between 0 and 1; scales: `[G]`, what a
    /// scaled unit is worth. `None` where steps do not read those before, or only points are said.
    ///
    /// # Panics
    /// If the batch was made for another network.
    pub fn paths(
        &self,
        (batch, ahead): (&Batch, &Ahead),
        count: usize,
        scales: &[f64],
        level: &mut dyn FnMut() -> f64,
    ) -> Option<Vec<f32>> {
        let Head::Steps(decoder) = &self.head else { return None };
        let rows = Ragged { lengths: &batch.lengths, time: batch.time, threads: rayon::current_num_threads() };
        decoder.paths(&self.encoder.forward(batch, false), rows, ahead, (count, scales), level)
    }
}

impl Dense {
    /// ahead: `[B, H, F]`.
    fn forward(&self, encoded: Encoded, rows: Ragged<'_>, ahead: &[f32]) -> Output {
        let (threads, Encoded { steps, last, pooled, views, .. }) = (rows.threads, encoded);
        if self.horizon == 0 {
            let mut numbers = self.output.forward_steps(&steps, rows);
            shape(&self.plan, &mut numbers);
            return Output { numbers, weights: None, views, looked: None };
        }
        let Pooled { vectors, weights } = match (pooled, &self.pool) {
            (Some(pooled), _) => pooled,
            (None, Some(pool)) => pool.forward(&steps, &last, rows),
            (None, None) => unreachable!("the pooling is left out only where the attention pools"),
        };
        let mut numbers = self.output.forward(&vectors, threads);
        if let Some(local) = &self.local {
            let of_steps = local.forward(&vectors, ahead, self.horizon, threads);
            numbers.iter_mut().zip(of_steps).for_each(|(number, own)| *number += own);
        }
        shape(&self.plan, &mut numbers);
        Output { numbers, weights, views, looked: None }
    }
}

impl Local {
    /// vectors: `[B, P]`, ahead: `[B, H, F]`. Gives `[B, H, G*N]`.
    fn forward(&self, vectors: &[f32], ahead: &[f32], horizon: usize, threads: usize) -> Vec<f32> {
        let context = self.context.forward(vectors, threads);
        let mut joined = self.ahead.forward(ahead, threads);
        let least = if threads <= 1 { usize::MAX } else { 1 };
        let rows = joined.par_chunks_exact_mut(horizon * self.width).zip(context.par_chunks_exact(self.width));
        rows.with_min_len(least).for_each(|(steps, context)| {
            for step in steps.chunks_exact_mut(self.width) {
                step.iter_mut().zip(context).for_each(|(to, own)| *to += own);
            }
            math::tanh(steps);
        });
        self.output.forward(&joined, threads)
    }
}

/// What the networks of one ensemble say together: their numbers combined one by one, by their mean or their median, and the mean of
/// what they looked at. Numbers that rise, such as quantiles, rise still: both keep the order of what is in order everywhere.
///
/// # Panics
/// If there is no network, or the batch was made for others.
pub fn answer_together(
    (networks, combine): (&[Network], Combine),
    batch: &Batch,
    ahead: &Ahead,
    views: bool,
) -> Output {
    let (first, others) = networks.split_first().expect("a model has at least one network");
    let mut together = first.forward(batch, ahead, views);
    if others.is_empty() {
        return together;
    }
    let add = |sum: &mut [f32], values: &[f32]| sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    // The numbers of all networks, where a sum is not enough.
    let mut all = vec![together.numbers.clone()];
    for network in others {
        let output = network.forward(batch, ahead, views);
        match combine {
            Combine::Mean => add(&mut together.numbers, &output.numbers),
            Combine::Median => all.push(output.numbers),
        }
        if let (Some(sum), Some(weights)) = (&mut together.weights, &output.weights) {
            add(sum, weights);
        }
        let own = together.views.iter_mut().chain(&mut together.looked);
        own.zip(output.views.iter().chain(&output.looked)).for_each(|(sum, view)| add(&mut sum.values, &view.values));
    }
    let share = 1.0 / networks.len() as f32;
    let views = together.views.iter_mut().chain(&mut together.looked);
    let means = views.map(|view| &mut view.values).chain(&mut together.weights);
    let numbers = (combine == Combine::Mean).then_some(&mut together.numbers);
    for values in means.chain(numbers) {
        values.iter_mut().for_each(|value| *value *= share);
    }
    if combine == Combine::Median {
        let mut own = Vec::with_capacity(all.len());
        for (place, number) in together.numbers.iter_mut().enumerate() {
            own.clear();
            own.extend(all.iter().map(|numbers| numbers[place]));
            *number = median(&mut own);
        }
    }
    together
}

/// The median; of an even number of values the mean of the middle two.
fn median(values: &mut [f32]) -> f32 {
    values.sort_by(f32::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { 0.5 * values[middle - 1] + 0.5 * values[middle] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_stands_in_the_middle_and_is_not_moved_by_one_far_off() {
        for (mut values, expected) in
            [(vec![3.0], 3.0), (vec![5.0, 1.0], 3.0), (vec![9e9, 2.0, 1.0], 2.0), (vec![4.0, -1e9, 1.0, 3.0], 2.0)]
        {
            assert_eq!(median(&mut values), expected);
        }
        assert_eq!(median(&mut [f32::MAX, f32::MAX]), f32::MAX);
    }
}
