//! Every case in `conformance/cases`, or in the folder that `LOOKBACK_CASES` names: what PyTorch computed.
//!
//! The format stands in `conformance/README.md`.

mod decoder;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use burn::tensor::{Bool, Device, Tensor, TensorData};
use lookback_nn::attention::{Attention, AttentionConfig, Mask, MultiHeadAttention, MultiHeadConfig, Score};
use lookback_nn::{Activation, Cell, CrfConfig, Recurrent, RecurrentConfig, State, parameters};
use safetensors::SafeTensors;
use serde_json::Value;

const TOLERANCE: f64 = 1e-5;

/// One file: the JSON of its metadata and its tensors by name.
struct Case {
    about: Value,
    tensors: BTreeMap<String, TensorData>,
}

impl Case {
    fn read(path: &Path, key: &str) -> Case {
        let bytes = std::fs::read(path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let text = &metadata.metadata().as_ref().expect("metadata")[key];
        let tensors = SafeTensors::deserialize(&bytes)
            .unwrap()
            .iter()
            .map(|(name, view)| {
                let data = match view.dtype() {
                    safetensors::Dtype::F32 => {
                        let bytes = view.data().chunks_exact(4);
                        let values: Vec<f32> = bytes.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
                        TensorData::new(values, view.shape().to_vec())
                    }
                    safetensors::Dtype::BOOL | safetensors::Dtype::U8 => {
                        let values: Vec<bool> = view.data().iter().map(|&byte| byte != 0).collect();
                        TensorData::new(values, view.shape().to_vec())
                    }
                    other => panic!("{name} is {other:?}, neither F32 nor BOOL"),
                };
                (name.to_owned(), data)
            })
            .collect();
        Case { about: serde_json::from_str(text).unwrap(), tensors }
    }

    fn size(&self, key: &str) -> usize {
        self.about[key].as_u64().unwrap_or_else(|| panic!("{key} in {}", self.about)) as usize
    }

    fn flag(&self, key: &str) -> bool {
        self.about[key].as_bool().unwrap_or_else(|| panic!("{key} in {}", self.about))
    }

    fn tensor<const R: usize>(&self, name: &str, device: &Device) -> Option<Tensor<R>> {
        self.tensors.get(name).map(|data| Tensor::from_data(data.clone(), device))
    }

    /// The tensors whose name starts with `prefix`, by the rest of their name.
    fn named(&self, prefix: &str) -> BTreeMap<String, TensorData> {
        let all = self.tensors.iter();
        all.filter_map(|(name, data)| Some((name.strip_prefix(prefix)?.to_owned(), data.clone()))).collect()
    }
}

/// The layer that a case names, with its parameters.
fn layer_of(case: &Case, device: &Device) -> Recurrent {
    let (cell, activation) = match case.about["layer"].as_str().expect("layer") {
        "lstm" => (Cell::Lstm, None),
        "gru" => (Cell::Gru, None),
        "rnn_tanh" => (Cell::Rnn, Some(Activation::Tanh)),
        "rnn_relu" => (Cell::Rnn, Some(Activation::Relu)),
        other => panic!("unknown layer {other:?}"),
    };
    let config = RecurrentConfig::new(cell, case.size("input"), case.size("hidden"))
        .with_layers(case.size("layers"))
        .with_bidirectional(case.flag("bidirectional"))
        .with_bias(case.flag("bias"));
    let config = activation.map_or(config.clone(), |activation| config.with_activation(activation));
    config.init(device).and_then(|layer| layer.with_parameters(case.named("param."))).unwrap()
}

/// One step of plain gradient descent.
fn descend(layer: Recurrent, gradients: &BTreeMap<String, TensorData>, rate: f64) -> Recurrent {
    let moved = layer.parameters().into_iter().map(|(name, data)| {
        let values = data.iter::<f32>().zip(gradients[&name].iter::<f32>());
        let values: Vec<f32> = values.map(|(value, g)| value - (rate as f32) * g).collect();
        (name, TensorData::new(values, data.shape().to_vec()))
    });
    let moved = moved.collect();
    layer.with_parameters(moved).unwrap()
}

/// The largest difference, relative to the largest absolute value expected. NaN counts as infinite.
fn error(name: &str, found: &TensorData, want: &TensorData) -> f64 {
    assert_eq!(found.shape().to_vec(), want.shape().to_vec(), "{name}");
    let largest = want.iter::<f64>().fold(0.0f64, |m, v| m.max(v.abs()));
    let scale = if largest > 0.0 { largest } else { 1.0 };
    found.iter::<f64>().zip(want.iter::<f64>()).fold(0.0, |worst, (found, want)| {
        let error = (found - want).abs() / scale;
        if error.is_nan() { f64::INFINITY } else { worst.max(error) }
    })
}

/// Runs one case and gives its largest error with the tensor's name.
fn run(case: &Case, device: &Device) -> (f64, String) {
    let layer = layer_of(case, device);
    let lengths: Option<Vec<usize>> = case.about["lengths"]
        .as_array()
        .map(|lengths| lengths.iter().map(|length| length.as_u64().unwrap() as usize).collect());
    let tracked = |tensor: Tensor<3>| tensor.require_grad();
    let x = tracked(case.tensor("input.x", device).expect("input.x"));
    let [batch, ..] = x.dims();
    let directions = if case.flag("bidirectional") { 2 } else { 1 };
    let zeros = || Tensor::<3>::zeros([case.size("layers") * directions, batch, case.size("hidden")], device);
    let (h0, c0) = (case.tensor("input.h0", device), case.tensor("input.c0", device));
    let state = (h0.is_some() || c0.is_some()).then(|| State {
        hidden: tracked(h0.unwrap_or_else(zeros)),
        cell: layer.cell().has_cell_state().then(|| tracked(c0.unwrap_or_else(zeros))),
    });
    let output = layer.forward(x.clone(), lengths.as_deref(), state.clone()).unwrap();

    let mut objective = Tensor::<1>::zeros([1], device);
    let results = [("y", Some(output.sequence)), ("h_n", Some(output.state.hidden)), ("c_n", output.state.cell)];
    let mut errors = Vec::new();
    for (name, result) in results {
        let Some(result) = result else { continue };
        if let Some(want) = case.tensors.get(&format!("expect.{name}")) {
            errors.push((error(name, &result.to_data(), want), format!("expect.{name}")));
        }
        if let Some(upstream) = case.tensor::<3>(&format!("upstream.{name}"), device) {
            objective = objective + (result * upstream).sum();
        }
    }
    assert!(!errors.is_empty(), "the case expects nothing");
    let wants = case.named("grad.");
    if !wants.is_empty() {
        let gradients = objective.backward();
        let of_parameters = parameters::gradients(&layer, &gradients);
        for (name, want) in &wants {
            let found = match name.as_str() {
                "x" => x.grad(&gradients).map(Tensor::into_data),
                "h0" => state.as_ref().and_then(|s| s.hidden.grad(&gradients)).map(Tensor::into_data),
                "c0" => state.as_ref().and_then(|s| s.cell.as_ref()?.grad(&gradients)).map(Tensor::into_data),
                parameter => of_parameters.get(parameter.strip_prefix("param.").expect(parameter)).cloned(),
            };
            // An operation that the objective does not reach has no gradient, which is zero.
            let found = found.unwrap_or_else(|| TensorData::zeros::<f32, _>(want.shape().to_vec()));
            errors.push((error(name, &found, want), format!("grad.{name}")));
        }
    }
    errors.into_iter().fold((0.0, String::new()), |worst, next| if next.0 >= worst.0 { next } else { worst })
}

/// The attention layers behind one face.
enum AttentionLayer {
    One(Attention),
    Heads(MultiHeadAttention),
}

impl AttentionLayer {
    fn of(case: &Case, query: usize, key: usize, value: usize, device: &Device) -> AttentionLayer {
        let rows = |name: &str| case.tensors[name].shape()[0];
        let score = match case.about["score"].as_str().expect("score") {
            "additive" => Score::Additive { hidden: rows("param.v") },
            "concat" => Score::Concat { hidden: rows("param.v") },
            "dot" => Score::Dot,
            "scaled_dot" => Score::ScaledDot,
            "general" => Score::General,
            "multi_head" => {
                let config = MultiHeadConfig::new(query, case.size("heads"))
                    .with_bias(case.tensors.contains_key("param.in_proj_bias"));
                let together = case.tensors.contains_key("param.in_proj_weight");
                let config = if together { config } else { config.with_key_and_value(key, value) };
                let layer = config.init(device).unwrap();
                return AttentionLayer::Heads(parameters::replace(layer, case.named("param.")).unwrap());
            }
            other => panic!("unknown score {other:?}"),
        };
        let layer = AttentionConfig::new(score, query, key).init(device).unwrap();
        AttentionLayer::One(parameters::replace(layer, case.named("param.")).unwrap())
    }
}

/// Runs one attention case and gives its largest error with the tensor's name.
fn run_attention(case: &Case, device: &Device) -> (f64, String) {
    let input = |name: &str| {
        let tensor: Tensor<3> = case.tensor(&format!("input.{name}"), device).unwrap_or_else(|| panic!("input.{name}"));
        tensor.require_grad()
    };
    let (query, keys, values) = (input("query"), input("keys"), input("values"));
    let layer = AttentionLayer::of(case, query.dims()[2], keys.dims()[2], values.dims()[2], device);
    let mut mask = Mask::none();
    if let Some(lengths) = case.about["key_lengths"].as_array() {
        let lengths: Vec<usize> = lengths.iter().map(|length| length.as_u64().unwrap() as usize).collect();
        mask = mask.with_key_lengths(&lengths);
    }
    if case.about["causal"].as_bool() == Some(true) {
        mask = mask.with_causal();
    }
    if let Some(allowed) = case.tensors.get("input.mask") {
        mask = match allowed.shape().len() {
            2 => mask.with_allowed(Tensor::<2, Bool>::from_data(allowed.clone(), device)),
            _ => mask.with_allowed(Tensor::<3, Bool>::from_data(allowed.clone(), device)),
        };
    }
    let arguments = (query.clone(), keys.clone(), values.clone());
    let (context, weights) = match &layer {
        AttentionLayer::One(layer) => {
            let output = layer.forward_with_weights(arguments.0, arguments.1, arguments.2, &mask).unwrap();
            (output.context, output.weights.unwrap())
        }
        AttentionLayer::Heads(layer) => {
            let output = layer.forward_with_weights(arguments.0, arguments.1, arguments.2, &mask).unwrap();
            let weights = output.averaged_weights().unwrap();
            (output.context, weights)
        }
    };
    let mut errors = Vec::new();
    let mut objective = Tensor::<1>::zeros([1], device);
    for (name, result) in [("context", context), ("weights", weights)] {
        if let Some(want) = case.tensors.get(&format!("expect.{name}")) {
            errors.push((error(name, &result.to_data(), want), format!("expect.{name}")));
        }
        if let Some(upstream) = case.tensor::<3>(&format!("upstream.{name}"), device) {
            objective = objective + (result * upstream).sum();
        }
    }
    assert!(!errors.is_empty(), "the case expects nothing");
    let wants = case.named("grad.");
    if !wants.is_empty() {
        let gradients = objective.backward();
        let of_parameters = match &layer {
            AttentionLayer::One(layer) => parameters::gradients(layer, &gradients),
            AttentionLayer::Heads(layer) => parameters::gradients(layer, &gradients),
        };
        for (name, want) in &wants {
            let of = |x: &Tensor<3>| x.grad(&gradients).map(Tensor::into_data);
            let found = match name.as_str() {
                "query" => of(&query),
                "keys" => of(&keys),
                "values" => of(&values),
                parameter => of_parameters.get(parameter.strip_prefix("param.").expect(parameter)).cloned(),
            };
            let found = found.unwrap_or_else(|| TensorData::zeros::<f32, _>(want.shape().to_vec()));
            errors.push((error(name, &found, want), format!("grad.{name}")));
        }
    }
    errors.into_iter().fold((0.0, String::new()), |worst, next| if next.0 >= worst.0 { next } else { worst })
}

/// Runs one case of a conditional random field and gives its largest error with the tensor's name.
fn run_crf(case: &Case, device: &Device) -> (f64, String) {
    let emissions: Tensor<3> = case.tensor("input.emissions", device).expect("input.emissions");
    let (emissions, [_, time, tags]) = (emissions.clone().require_grad(), emissions.dims());
    let lengths = case.about["lengths"].as_array().expect("lengths").iter();
    let lengths: Vec<usize> = lengths.map(|length| length.as_u64().unwrap() as usize).collect();
    let path: Vec<u32> = case.tensors["input.tags"].iter::<f32>().map(|tag| tag as u32).collect();
    let field = CrfConfig::new(tags).init(device).unwrap();
    let field = parameters::replace(field, case.named("param.")).unwrap();
    let losses = field.neg_log_likelihood(emissions.clone(), &path, &lengths).unwrap();
    let upstream: Tensor<1> = case.tensor("upstream.losses", device).expect("upstream.losses");
    let gradients = (losses.clone() * upstream).sum().backward();
    let mut found = parameters::gradients(&field, &gradients);
    found.insert("emissions".into(), emissions.grad(&gradients).unwrap().into_data());
    let mut errors = vec![(error("losses", &losses.to_data(), &case.tensors["expect.losses"]), "expect.losses".into())];
    for (name, want) in case.named("grad.") {
        let found = &found[name.strip_prefix("param.").unwrap_or(&name)];
        errors.push((error(&name, found, &want), format!("grad.{name}")));
    }
    let values: Vec<f32> = case.tensors["input.emissions"].iter::<f32>().collect();
    let paths = field.prepared().unwrap().viterbi(&values, &lengths, time, 2).unwrap();
    let want: Vec<u32> = case.tensors["expect.paths"].iter::<f32>().map(|tag| tag as u32).collect();
    assert_eq!(paths.tags, want);
    errors.into_iter().fold((0.0, String::new()), |worst, next| if next.0 >= worst.0 { next } else { worst })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no case", folder.display());
    files
}

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

#[test]
fn agrees_with_pytorch_on_every_case() {
    let folder = std::env::var_os("LOOKBACK_CASES").map_or_else(|| conformance().join("cases"), PathBuf::from);
    let device = Device::default().autodiff();
    let mut failures = Vec::new();
    for file in files(&folder) {
        let case = Case::read(&file, "case");
        let (error, tensor) = match case.about["layer"].as_str() {
            Some("attention") => run_attention(&case, &device),
            Some("crf") => run_crf(&case, &device),
            Some("decoder") => decoder::run(&case, &device),
            Some("monotonic") => decoder::run_monotonic(&case, &device),
            Some("pointer") => decoder::run_pointer(&case, &device),
            _ => run(&case, &device),
        };
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        // Straight to standard output, which the test harness does not hold back when the test passes.
        writeln!(std::io::stdout(), "{name} {error:.2e} ({tensor})").unwrap();
        if error.is_nan() || error > TOLERANCE {
            failures.push(format!("{name}: {error:.2e} in {tensor}"));
        }
    }
    assert!(failures.is_empty(), "above {TOLERANCE:e}:\n{}", failures.join("\n"));
}

#[test]
fn training_follows_pytorchs_loss_curve() {
    let device = Device::default().autodiff();
    for file in files(&conformance().join("curves")) {
        let case = Case::read(&file, "curve");
        let rate = case.about["learning_rate"].as_f64().unwrap();
        let x: Tensor<3> = case.tensor("input.x", &device).unwrap();
        let target: Tensor<3> = case.tensor("target.y", &device).unwrap();
        let want: Vec<f64> = case.tensors["expect.loss"].iter::<f64>().collect();
        assert_eq!(want.len(), 200);
        let mut layer = layer_of(&case, &device);
        for (step, want) in want.iter().enumerate() {
            let difference = layer.forward(x.clone(), None, None).unwrap().sequence - target.clone();
            let loss = (difference.clone() * difference).mean();
            let found = f64::from(loss.clone().into_scalar::<f32>());
            assert!((found - want).abs() <= 1e-4 * want.abs().max(1e-12), "{file:?} step {step}: {found}, want {want}");
            let gradients = parameters::gradients(&layer, &loss.backward());
            layer = descend(layer, &gradients, rate);
        }
    }
}
