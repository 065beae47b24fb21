//! The network on Burn: encoder, pooling, a dense layer for all steps ahead, and one that joins what is known of each.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor, TensorData};
use lookback_infer::error::PlanError;
use lookback_infer::input::{Batch, BatchInput, InputShape};
use lookback_infer::tasks::forecast::{
    Ahead, LEAST_DEVIATION, LEAST_FREEDOM, LEAST_MEAN, Loss, NetworkPlan, OutputPlan, Sizes, cost_with_gradient,
};
use lookback_nn::ops::{dropout_layer, tanh};
use lookback_nn::{Error, Linear, LinearConfig};

use super::decoder::Decoder;
use crate::network::{Encoded, Encoder, Pool};

/// The network. Its parameters have the names of the file; its twin without Burn is `lookback_infer::tasks::forecast::Network`.
#[derive(Module, Debug)]
pub struct Network {
    encoder: Encoder,
    /// Absent where the attention pools by itself, and where a decoder goes on.
    pool: Option<Pool>,
    /// What says one step after another, where the plan has it.
    decoder: Option<Decoder>,
    output_dropout: Dropout,
    output: Linear,
    /// These three are absent where nothing is known of the steps ahead.
    context: Option<Linear>,
    ahead: Option<Linear>,
    local: Option<Linear>,
    #[module(skip)]
    plan: OutputPlan,
    /// `H`
    #[module(skip)]
    horizon: usize,
    /// `G`
    #[module(skip)]
    targets: usize,
    #[module(skip)]
    feedback: bool,
}

/// What is read of the steps ahead.
pub(super) struct AheadTensors {
    /// `[B*H, F]`, where something is known of them.
    pub(super) known: Option<Tensor<2>>,
    /// `[B, H, G]`: what numbers are added to, and the values before; where there is a decoder.
    pub(super) values: Option<(Tensor<3>, Before)>,
}

/// The values before each step ahead, scaled.
pub(super) enum Before {
    /// `[B, H, G]`
    Told(Tensor<3>),
    /// `[B, G]`: the last that is known; behind the first step, the point that is said of the one before.
    Last(Tensor<2>),
}

/// What came behind the origins of a batch, scaled.
#[derive(Debug)]
pub struct Truth {
    /// `[B, H, G]`, of every step `[B, T, G]`, NaN where it is missing.
    pub values: Vec<f32>,
    /// The same: what the network's output is added to.
    pub base: Vec<f32>,
    /// The same: what a scaled unit is worth.
    pub scales: Vec<f64>,
}

impl Truth {
    /// `[B, H, G]`: the values before each step, the first of them the last that is known, `[B, G]`; of those that are missing, what
    /// numbers are added to.
    fn before(&self, last: &[f32], targets: usize) -> Vec<f32> {
        let per_row = self.values.len() * targets / last.len().max(1);
        let known = |(value, base): (&f32, &f32)| if value.is_nan() { *base } else { *value };
        let mut before = Vec::with_capacity(self.values.len());
        for (place, last) in last.chunks_exact(targets).enumerate() {
            let row = place * per_row..(place + 1) * per_row - targets;
            before.extend_from_slice(last);
            before.extend(self.values[row.clone()].iter().zip(&self.base[row]).map(known));
        }
        before
    }

    /// How many values are known.
    pub fn known(&self) -> usize {
        self.values.iter().filter(|value| !value.is_nan()).count()
    }
}

impl Network {
    /// A network whose parameters are drawn when they are first asked for.
    ///
    /// # Errors
    /// If the plan is of no network.
    pub fn new(plan: &NetworkPlan, sizes: Sizes, device: &Device) -> Result<Network, PlanError> {
        plan.check()?;
        let unfit = |error: Error| PlanError::Unfit(error.to_string());
        let linear = |inputs: usize, outputs: usize, bias: bool| {
            LinearConfig::new(inputs, outputs).with_bias(bias).init(device).map_err(unfit)
        };
        let per_step = sizes.targets * plan.output.numbers();
        let every = plan.window.at_every_step();
        let decoder = Decoder::new(plan, sizes, device).map_err(unfit)?;
        let known = sizes.ahead > 0 && decoder.is_none();
        let width = plan.encoder.width();
        let (inputs, steps) = match decoder {
            Some(_) => (plan.decoder.output_width(plan.encoder.outputs(), width), 1),
            None if every => (width, 1),
            None => (plan.pooled(), plan.window.horizon),
        };
        Ok(Network {
            encoder: Encoder::new(&plan.encoder, InputShape::Channels(sizes.channels), device)?,
            pool: (!plan.encoder.attention.pools() && !every && decoder.is_none())
                .then(|| Pool::new(&plan.pooling, plan.encoder.width(), device)),
            decoder,
            output_dropout: DropoutConfig::new(plan.output_dropout).init(),
            output: linear(inputs, steps * per_step, true)?,
            context: known.then(|| linear(plan.pooled(), plan.ahead, false)).transpose()?,
            ahead: known.then(|| linear(sizes.ahead, plan.ahead, true)).transpose()?,
            local: known.then(|| linear(plan.ahead, per_step, false)).transpose()?,
            plan: plan.output.clone(),
            horizon: plan.window.horizon,
            targets: sizes.targets,
            feedback: plan.decoder.feedback,
        })
    }

    /// What it says of a batch, `[B, H, G, N]`, or `[B, T, G, N]` where every step is told, as `lookback_infer::tasks::forecast::shape`
    /// has it, and the penalty `[1]` that the loss adds where the attention pools. Steps that read those before read what was said of
    /// them.
    ///
    /// # Errors
    /// If the batch was made for another network.
    pub fn forward(
        &self,
        batch: &Batch,
        ahead: &Ahead,
        device: &Device,
    ) -> Result<(Tensor<4>, Option<Tensor<1>>), Error> {
        self.forward_over(batch, ahead, None, device)
    }

    /// The same where the values before each step are told, `[B, H, G]`, if they are.
    fn forward_over(
        &self,
        batch: &Batch,
        ahead: &Ahead,
        before: Option<Vec<f32>>,
        device: &Device,
    ) -> Result<(Tensor<4>, Option<Tensor<1>>), Error> {
        let (rows, steps) = (batch.lengths.len(), batch.time);
        let BatchInput::Series { values, channels } = &batch.input else {
            return Err(Error::Shape {
                name: "batch",
                found: vec![rows, steps],
                expected: "[B, T, C] of series".into(),
            });
        };
        let x = Tensor::from_data(TensorData::new(values.clone(), [rows, steps, *channels]), device);
        let known = (!ahead.known.is_empty()).then(|| {
            let steps = rows * self.horizon;
            Tensor::from_data(TensorData::new(ahead.known.clone(), [steps, ahead.known.len() / steps]), device)
        });
        let shape = [rows, self.horizon, self.targets];
        let of_steps = |values: Vec<f32>| Tensor::<3>::from_data(TensorData::new(values, shape), device);
        let values = self.decoder.is_some().then(|| {
            let before = match before {
                Some(before) => Before::Told(of_steps(before)),
                None => {
                    Before::Last(Tensor::from_data(TensorData::new(ahead.last.clone(), [rows, self.targets]), device))
                }
            };
            (of_steps(ahead.base.clone()), before)
        });
        self.forward_tensors(x, AheadTensors { known, values }, &batch.lengths)
    }

    /// The same of tensors, of which one may ask for a gradient. x: `[B, T, C]`.
    ///
    /// # Errors
    /// If they were made for another network.
    pub(super) fn forward_tensors(
        &self,
        x: Tensor<3>,
        AheadTensors { known, values }: AheadTensors,
        lengths: &[usize],
    ) -> Result<(Tensor<4>, Option<Tensor<1>>), Error> {
        let encoded = self.encoder.forward_vectors(x, lengths)?;
        if let (Some(decoder), Some(values)) = (&self.decoder, values) {
            return Ok((self.decoded(decoder, &encoded, (known, values), lengths)?, None));
        }
        if self.horizon == 0 {
            let [rows, time, width] = encoded.steps.dims();
            let steps = dropout_layer(&self.output_dropout, encoded.steps).reshape([rows * time, width]);
            let output = self.output.forward(steps)?.reshape([rows, time, self.targets, self.plan.numbers()]);
            return Ok((self.shape(output), None));
        }
        let (pooled, penalty) = match (encoded.pooled, &self.pool) {
            (Some((pooled, penalty)), _) => (pooled, Some(penalty)),
            (None, Some(pool)) => (pool.forward(encoded.steps, encoded.last, lengths)?, None),
            (None, None) => (encoded.last, None),
        };
        let pooled = dropout_layer(&self.output_dropout, pooled);
        let (rows, numbers) = (lengths.len(), self.plan.numbers());
        let mut output = self.output.forward(pooled.clone())?;
        if let (Some(context), Some(ahead), Some(local), Some(known)) = (&self.context, &self.ahead, &self.local, known)
        {
            let known = ahead.forward(known)?;
            let [_, inner] = known.dims();
            let context = context.forward(pooled)?.unsqueeze_dim::<3>(1);
            let joined = tanh(known.reshape([rows, self.horizon, inner]) + context);
            let own = local.forward(joined.reshape([rows * self.horizon, inner]))?;
            output = output + own.reshape([rows, self.horizon * self.targets * numbers]);
        }
        Ok((self.shape(output.reshape([rows, self.horizon, self.targets, numbers])), penalty))
    }

    /// `[B, H, G, N]`: what a decoder says, one step after another.
    fn decoded(
        &self,
        decoder: &Decoder,
        encoded: &Encoded,
        (known, (base, before)): (Option<Tensor<2>>, (Tensor<3>, Before)),
        lengths: &[usize],
    ) -> Result<Tensor<4>, Error> {
        let [rows, horizon, targets] = base.dims();
        let known = known.map(|known| {
            let [_, width] = known.dims();
            known.reshape([rows, horizon, width])
        });
        let (memory, mut carried) = decoder.start(encoded, lengths)?;
        let said = |read: Tensor<3>| -> Result<Tensor<4>, Error> {
            let [rows, time, width] = read.dims();
            let read = dropout_layer(&self.output_dropout, read.reshape([rows * time, width]));
            Ok(self.shape(self.output.forward(read)?.reshape([rows, time, targets, self.plan.numbers()])))
        };
        let mut last = match before {
            Before::Last(last) if self.feedback => last.reshape([rows, 1, targets]),
            before => {
                let told = if let Before::Told(told) = before { Some(told).filter(|_| self.feedback) } else { None };
                let x: Vec<Tensor<3>> = told.into_iter().chain([base]).chain(known).collect();
                return said(decoder.steps(Tensor::cat(x, 2), carried, &memory)?.0);
            }
        };
        let point = if self.plan.loss == Loss::Quantile { self.plan.median() } else { 0 };
        let mut all = Vec::with_capacity(horizon);
        for step in 0..horizon {
            let base = base.clone().narrow(1, step, 1);
            let known = known.as_ref().map(|known| known.clone().narrow(1, step, 1));
            let x: Vec<Tensor<3>> = [last, base.clone()].into_iter().chain(known).collect();
            let (read, after) = decoder.steps(Tensor::cat(x, 2), carried, &memory)?;
            carried = after;
            let numbers = said(read)?;
            last = base + numbers.clone().narrow(3, point, 1).reshape([rows, 1, targets]);
            all.push(numbers);
        }
        Ok(Tensor::cat(all, 1))
    }

    /// Quantiles that rise, or parameters of a distribution in their bounds.
    fn shape(&self, numbers: Tensor<4>) -> Tensor<4> {
        let count = self.plan.numbers();
        let part = |place: usize| numbers.clone().narrow(3, place, 1);
        let softplus = |x: Tensor<4>| softplus(x, 1.0);
        match self.plan.loss {
            Loss::Mae | Loss::Mse | Loss::Huber => numbers,
            Loss::Gaussian => Tensor::cat(vec![part(0), softplus(part(1)) + LEAST_DEVIATION], 3),
            Loss::StudentT => {
                let parts = [part(0), softplus(part(1)) + LEAST_DEVIATION, softplus(part(2)) + LEAST_FREEDOM];
                Tensor::cat(parts.into(), 3)
            }
            Loss::NegativeBinomial => {
                Tensor::cat(vec![softplus(part(0)) + LEAST_MEAN, softplus(part(1)) + LEAST_DEVIATION], 3)
            }
            Loss::Quantile => {
                let median = self.plan.median();
                let mut levels: Vec<Tensor<4>> = (0..count).map(part).collect();
                for above in median + 1..count {
                    levels[above] = levels[above - 1].clone() + softplus(levels[above].clone());
                }
                for below in (0..median).rev() {
                    levels[below] = levels[below + 1].clone() - softplus(levels[below].clone());
                }
                Tensor::cat(levels, 3)
            }
        }
    }

    /// What the values that came cost, the mean over those that are known; `lookback_infer::tasks::forecast::cost` says what each
    /// does.
    ///
    /// # Errors
    /// If the batch was made for another network.
    ///
    /// # Panics
    /// If there are not as many values as the network says.
    pub fn loss(&self, batch: &Batch, ahead: &Ahead, truth: &Truth, device: &Device) -> Result<Tensor<1>, Error> {
        let before = (self.decoder.is_some() && self.feedback).then(|| truth.before(&ahead.last, self.targets));
        let (numbers, penalty) = self.forward_over(batch, ahead, before, device)?;
        let ([rows, horizon, targets, count], known) = (numbers.dims(), truth.known().max(1));
        let tensor =
            |values: Vec<f32>| Tensor::<4>::from_data(TensorData::new(values, [rows, horizon, targets, 1]), device);
        let counts = |value: &f32| if value.is_nan() { 0.0 } else { 1.0 };
        let mask = tensor(truth.values.iter().map(counts).collect());
        let rest = truth.values.iter().zip(&truth.base);
        // What is left to say; nothing where nothing came.
        let wanted = tensor(rest.map(|(value, base)| if value.is_nan() { 0.0 } else { value - base }).collect());
        let part = |place: usize| numbers.clone().narrow(3, place, 1);
        let costs = match self.plan.loss {
            Loss::Mae => (wanted - numbers).abs(),
            Loss::Mse => (wanted - numbers).powi_scalar(2),
            Loss::Huber => {
                let error = (wanted - numbers).abs();
                // 0.5 e² up to 1, e - 0.5 from there on: with m the smaller of e and 1, m (e - 0.5 m).
                let small = error.clone().clamp_max(1.0);
                small.clone() * (error - small * 0.5)
            }
            Loss::Quantile => {
                let levels: Vec<f32> = self.plan.quantiles.iter().map(|&level| level as f32).collect();
                let levels = Tensor::<4>::from_data(TensorData::new(levels, [1, 1, 1, count]), device);
                let error = wanted - numbers;
                let pinball = (levels.clone() * error.clone()).max_pair((levels - 1.0) * error);
                pinball.mean_dim(3) * 2.0
            }
            Loss::Gaussian => {
                let deviation = part(1);
                let error = (wanted - part(0)) / deviation.clone();
                deviation.log() + error.powi_scalar(2) * 0.5 + 0.5 * std::f64::consts::TAU.ln()
            }
            Loss::StudentT | Loss::NegativeBinomial => self.likelihood(numbers.clone(), truth, device)?,
        };
        let mean = (costs * mask).sum() / known as f64;
        Ok(match penalty {
            Some(penalty) => mean + penalty,
            None => mean,
        })
    }

    /// The costs of numbers `[B, H, G, N]` by a likelihood that has no form in Burn's operations, for want of the logarithm of the
    /// gamma function, and is beyond single precision for large counts: `[B, H, G, 1]`, 0 where nothing came.
    ///
    /// Value and gradient come in double precision from the function that answers are judged by. The result is the value plus
    /// `g (x - x')`, with `x'` the numbers themselves, cut off from the graph: it is the value, and its gradient is `g`.
    fn likelihood(&self, numbers: Tensor<4>, truth: &Truth, device: &Device) -> Result<Tensor<4>, Error> {
        let [rows, horizon, targets, count] = numbers.dims();
        let cut_off = numbers.clone().detach();
        let own = cut_off.to_data().try_to_vec::<f32>().expect("networks compute in single precision");
        let places = truth.base.iter().zip(&truth.scales).zip(&truth.values);
        let (mut values, mut gradients) = (Vec::with_capacity(truth.values.len()), Vec::with_capacity(own.len()));
        for (numbers, ((&base, &scale), &value)) in own.chunks_exact(count).zip(places) {
            let known =
                if value.is_nan() { None } else { cost_with_gradient(&self.plan, numbers, (base, scale), value) };
            let (cost, gradient) = known.unwrap_or_else(|| (0.0, vec![0.0; count]));
            values.push(cost as f32);
            gradients.extend(gradient.into_iter().map(|gradient| gradient as f32));
        }
        let tensor = |values: Vec<f32>, last: usize| {
            Tensor::<4>::from_data(TensorData::new(values, [rows, horizon, targets, last]), device)
        };
        let moved = ((numbers - cut_off) * tensor(gradients, count)).sum_dim(3);
        Ok(tensor(values, 1) + moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::forecast::{ForecastOptions, ForecastPlan};

    #[test]
    fn a_likelihood_hands_on_the_gradient_that_was_computed_beside_the_graph() {
        let device = Device::flex().autodiff();
        for (name, own) in [("student-t", vec![0.3, 0.8, 4.0]), ("negative-binomial", vec![0.9, 0.4])] {
            let mut options = ForecastOptions::default();
            options.window.horizon = Some(2);
            options.window.loss = Some(clap::ValueEnum::from_str(name, false).unwrap());
            let plan = ForecastPlan::new(&options).unwrap().network;
            let network = Network::new(&plan, Sizes { channels: 1, ahead: 0, targets: 1 }, &device).unwrap();
            let truth = Truth { values: vec![1.5, f32::NAN], base: vec![0.0; 2], scales: vec![4.0; 2] };
            let count = own.len();
            let numbers = TensorData::new([own.clone(), own.clone()].concat(), [1, 2, 1, count]);
            let numbers = Tensor::<4>::from_data(numbers, &device).require_grad();
            let costs = network.likelihood(numbers.clone(), &truth, &device).unwrap();
            let gradient = numbers.grad(&(costs.clone() * 3.0).sum().backward()).unwrap();
            let gradient = gradient.into_data().try_to_vec::<f32>().unwrap();
            let (cost, expected) = cost_with_gradient(&plan.output, &own, (0.0, 4.0), 1.5).unwrap();
            assert_eq!(costs.into_data().try_to_vec::<f32>().unwrap(), [cost as f32, 0.0], "{name}");
            let expected: Vec<f32> = expected.into_iter().map(|of| 3.0 * of as f32).chain(vec![0.0; count]).collect();
            assert_eq!(gradient, expected, "{name}: what did not come has no gradient");
        }
    }
}
