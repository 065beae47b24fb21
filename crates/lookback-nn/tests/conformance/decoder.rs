//! The cases of decoders over known targets, of hard monotonic attention, and of a pointer's loss.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::Module;
use burn::nn::DropoutConfig;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use lookback_nn::attention::{Attention, AttentionConfig, Mask, Score};
use lookback_nn::decoder::{BahdanauDecoder, HardMonotonicDecoder, LuongDecoder, MonotonicTargets};
use lookback_nn::ops::{AlignedTargets, NOT_WRITTEN, Wanted, pointer_loss};
use lookback_nn::{Activation, Cell, Recurrent, RecurrentConfig, State, parameters};

use crate::{Case, error};

/// The largest error of a case, with the tensor's name.
type Worst = (f64, String);

/// What a case gives the network: tensors by name, their gradients asked for.
struct Inputs<'a> {
    case: &'a Case,
    device: &'a Device,
    vectors: BTreeMap<String, Tensor<1>>,
    matrices: BTreeMap<String, Tensor<2>>,
    batches: BTreeMap<String, Tensor<3>>,
}

impl<'a> Inputs<'a> {
    fn new(case: &'a Case, device: &'a Device) -> Inputs<'a> {
        let (vectors, matrices, batches) = (of_rank(case, device), of_rank(case, device), of_rank(case, device));
        Inputs { case, device, vectors, matrices, batches }
    }

    fn batch(&self, name: &str) -> Tensor<3> {
        self.batches.get(name).unwrap_or_else(|| panic!("input.{name}")).clone()
    }

    fn lengths(&self, key: &str) -> Vec<usize> {
        let all = self.case.about[key].as_array().unwrap_or_else(|| panic!("{key} in {}", self.case.about));
        all.iter().map(|length| length.as_u64().unwrap() as usize).collect()
    }

    fn state(&self) -> State {
        State { hidden: self.batch("h0"), cell: self.batches.get("c0").cloned() }
    }

    /// The recurrent layers, which read so many values beside `x`.
    fn recurrent(&self, beside: usize) -> Recurrent {
        let case = self.case;
        let (cell, activation) = match case.about["cell"].as_str().expect("cell") {
            "lstm" => (Cell::Lstm, None),
            "gru" => (Cell::Gru, None),
            "rnn_tanh" => (Cell::Rnn, Some(Activation::Tanh)),
            other => panic!("unknown cell {other:?}"),
        };
        let config = RecurrentConfig::new(cell, case.size("input") + beside, case.size("hidden"));
        let config = config.with_layers(case.size("layers"));
        activation.map_or(config.clone(), |activation| config.with_activation(activation)).init(self.device).unwrap()
    }

    fn attention(&self) -> Attention {
        let score = match self.case.about["score"].as_str().expect("score") {
            "additive" => Score::Additive { hidden: self.case.tensors["param.attention.v"].shape()[0] },
            "general" => Score::General,
            "dot" => Score::Dot,
            "scaled_dot" => Score::ScaledDot,
            other => panic!("unknown score {other:?}"),
        };
        let (hidden, memory) = (self.case.size("hidden"), self.case.size("memory"));
        AttentionConfig::new(score, hidden, memory).init(self.device).unwrap()
    }

    /// The largest error of results and gradients. of_parameters: what the network's parameters have of the gradients.
    fn judge(
        &self,
        results: Vec<(&str, TensorData)>,
        objective: &Tensor<1>,
        of_parameters: impl FnOnce(&Gradients) -> BTreeMap<String, TensorData>,
    ) -> Worst {
        let gradients = objective.backward();
        let mut found: BTreeMap<String, TensorData> =
            results.into_iter().map(|(name, data)| (format!("expect.{name}"), data)).collect();
        found.extend(of_parameters(&gradients).into_iter().map(|(name, data)| (format!("grad.param.{name}"), data)));
        found.extend(of_inputs(&self.vectors, &gradients));
        found.extend(of_inputs(&self.matrices, &gradients));
        found.extend(of_inputs(&self.batches, &gradients));
        let is_judged = |name: &str| name.starts_with("expect.") || name.starts_with("grad.");
        let errors = self.case.tensors.iter().filter(|(name, _)| is_judged(name)).map(|(name, want)| {
            // An operation that the objective does not reach has no gradient, which is zero.
            let zeros = || TensorData::zeros::<f32, _>(want.shape().to_vec());
            (error(name, &found.get(name).cloned().unwrap_or_else(zeros), want), name.clone())
        });
        errors.fold((0.0, String::new()), |worst, next| if next.0 >= worst.0 { next } else { worst })
    }

    /// The sum of a result weighted by the gradient that flows in.
    fn weighted<const R: usize>(&self, name: &str, result: &Tensor<R>) -> Tensor<1> {
        let upstream = self.case.tensor::<R>(&format!("upstream.{name}"), self.device).expect("upstream");
        (result.clone() * upstream).sum()
    }
}

/// The inputs of one rank. Of those that are numbers of tokens or places no gradient is ever asked for.
fn of_rank<const R: usize>(case: &Case, device: &Device) -> BTreeMap<String, Tensor<R>> {
    let own = case.named("input.").into_iter().filter(|(_, data)| data.shape().len() == R);
    own.map(|(name, data)| (name, Tensor::from_data(data, device).require_grad())).collect()
}

fn of_inputs<const R: usize>(inputs: &BTreeMap<String, Tensor<R>>, gradients: &Gradients) -> Vec<(String, TensorData)> {
    let of =
        |(name, tensor): (&String, &Tensor<R>)| Some((format!("grad.{name}"), tensor.grad(gradients)?.into_data()));
    inputs.iter().filter_map(of).collect()
}

/// Luong's or Bahdanau's decoder.
pub(crate) fn run(case: &Case, device: &Device) -> Worst {
    let inputs = Inputs::new(case, device);
    let (input, hidden, memory) = (case.size("input"), case.size("hidden"), case.size("memory"));
    let mask = Mask::none().with_key_lengths(&inputs.lengths("key_lengths"));
    let (lengths, attention, x) = (inputs.lengths("lengths"), inputs.attention(), inputs.batch("x"));
    let covers = case.flag("coverage");
    if case.about["form"] == "luong" {
        let decoder = LuongDecoder::new(input, memory, inputs.recurrent(hidden), attention, device).unwrap();
        let decoder = if covers { decoder.with_coverage(device).unwrap() } else { decoder };
        let decoder = parameters::replace(decoder, case.named("param.")).unwrap();
        let looked = decoder.memory(inputs.batch("memory"), &mask).unwrap();
        let (previous, state) = (inputs.matrices["previous"].clone(), Some(inputs.state()));
        let steps = decoder.forward_with_weights(x, Some(&lengths), previous, state, &looked, &mask).unwrap();
        let results = [("y", Some(steps.outputs)), ("weights", steps.weights)];
        return judge_steps(&inputs, &decoder, results.into(), steps.state.expect("there are steps"));
    }
    let decoder = BahdanauDecoder::new(input, memory, inputs.recurrent(memory), attention).unwrap();
    let decoder = if covers { decoder.with_coverage(device).unwrap() } else { decoder };
    let decoder = parameters::replace(decoder, case.named("param.")).unwrap();
    let looked = decoder.memory(inputs.batch("memory"), &mask).unwrap();
    let steps = decoder.forward_with_weights(x, Some(&lengths), inputs.state(), &looked, &mask).unwrap();
    let results = [("y", Some(steps.outputs)), ("context", Some(steps.contexts)), ("weights", steps.weights)];
    judge_steps(&inputs, &decoder, results.into(), steps.state)
}

fn judge_steps<M: Module>(
    inputs: &Inputs<'_>,
    decoder: &M,
    mut results: Vec<(&'static str, Option<Tensor<3>>)>,
    state: State,
) -> Worst {
    results.extend([("h_n", Some(state.hidden)), ("c_n", state.cell)]);
    let results: Vec<(&str, Tensor<3>)> = results.into_iter().filter_map(|(name, made)| Some((name, made?))).collect();
    let objective = results.iter().map(|(name, made)| inputs.weighted(name, made)).reduce(|a, b| a + b).unwrap();
    let results = results.into_iter().map(|(name, made)| (name, made.into_data())).collect();
    inputs.judge(results, &objective, |gradients| parameters::gradients(decoder, gradients))
}

/// Hard monotonic attention.
pub(crate) fn run_monotonic(case: &Case, device: &Device) -> Worst {
    let inputs = Inputs::new(case, device);
    let distances = case.tensors["param.distances"].shape()[0];
    let (recurrent, attention) = (inputs.recurrent(0), inputs.attention());
    let (input, memory) = (case.size("input"), case.size("memory"));
    let decoder = HardMonotonicDecoder::new(input, memory, recurrent, attention, distances, device).unwrap();
    let decoder = parameters::replace(decoder, case.named("param.")).unwrap();
    let targets = MonotonicTargets {
        aligned: Arc::new(AlignedTargets {
            tokens: case.tensors["input.tokens"].iter::<f32>().map(|token| token as u32).collect(),
            lengths: inputs.lengths("lengths"),
            source_lengths: inputs.lengths("key_lengths"),
        }),
        output: (inputs.matrices["output"].clone(), inputs.vectors["output_bias"].clone()),
        dropout: &DropoutConfig::new(0.0).init(),
    };
    let found =
        decoder.log_likelihood(inputs.batch("x"), Some(inputs.state()), inputs.batch("memory"), targets).unwrap();
    let objective = inputs.weighted("likelihoods", &found);
    let results = vec![("likelihoods", found.into_data())];
    inputs.judge(results, &objective, |gradients| parameters::gradients(&decoder, gradients))
}

/// The loss of a pointer-generator.
pub(crate) fn run_pointer(case: &Case, device: &Device) -> Worst {
    let inputs = Inputs::new(case, device);
    let whole =
        |name: &str| -> Vec<i64> { case.tensors[&format!("input.{name}")].iter::<f32>().map(|v| v as i64).collect() };
    let places = |name: &str| -> Vec<usize> { whole(name).into_iter().map(|place| place as usize).collect() };
    let tokens = whole("tokens").into_iter().map(|token| u32::try_from(token).unwrap_or(NOT_WRITTEN)).collect();
    let wanted = Wanted { tokens, offsets: places("offsets"), places: places("places") };
    let (logits, gates) = (inputs.matrices["logits"].clone(), inputs.vectors["gates"].clone());
    let loss = pointer_loss(logits, gates, inputs.batch("weights"), wanted).unwrap();
    let objective = inputs.weighted("loss", &loss);
    inputs.judge(vec![("loss", loss.into_data())], &objective, |_| BTreeMap::new())
}
