//! Weights and inputs of a piece of work, drawn or read, and what it computed.
//!
//! A file is safetensors with `param.NAME` and `input.NAME`, as in `conformance/`; results have the names of
//! [`crate::Work::results`].

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::options::{AttentionShape, CrfShape, DecoderShape, Layer, Plan, RecurrentShape, Shape};

/// One tensor: its shape and its values in row-major order.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say all")]
pub struct Values {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Tensors by name.
#[derive(Clone, Debug, Default)]
pub struct Case {
    tensors: BTreeMap<String, Values>,
}

impl Case {
    /// Weights from `U(-1/√H, 1/√H)` and inputs from `U(-1, 1)`; of a field `U(-1, 1)` and emissions from `U(-3, 3)`.
    pub fn draw(plan: &Plan) -> Case {
        let rng = &mut StdRng::seed_from_u64(0);
        let mut case = Case::default();
        for (name, shape, bound) in wanted(plan) {
            let values = (0..shape.iter().product()).map(|_| rng.random_range(-bound..bound)).collect();
            case.put(name, &shape, values);
        }
        case
    }

    /// Reads a case for `plan`.
    ///
    /// # Errors
    /// When the file cannot be read, or does not have exactly the tensors of the plan's shape.
    pub fn read(path: &Path, plan: &Plan) -> anyhow::Result<Case> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let file = SafeTensors::deserialize(&bytes).with_context(|| format!("{} is no case", path.display()))?;
        let mut case = Case::default();
        for (name, shape, _) in wanted(plan) {
            let view = file.tensor(&name).with_context(|| format!("{} lacks {name}", path.display()))?;
            anyhow::ensure!(
                view.shape() == shape && view.dtype() == Dtype::F32,
                "{}: {name} is {:?} {:?} but the options ask for {shape:?} F32",
                path.display(),
                view.shape(),
                view.dtype()
            );
            case.put(name, &shape, floats(view.data()));
        }
        Ok(case)
    }

    /// Reads every tensor of a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds anything but f32.
    pub fn read_all(path: &Path) -> anyhow::Result<Case> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let file = SafeTensors::deserialize(&bytes).with_context(|| format!("{} is no case", path.display()))?;
        let mut case = Case::default();
        for (name, view) in file.iter() {
            anyhow::ensure!(view.dtype() == Dtype::F32, "{}: {name} is {:?}, not F32", path.display(), view.dtype());
            case.put(name, view.shape(), floats(view.data()));
        }
        Ok(case)
    }

    /// The shape of a tensor.
    ///
    /// # Errors
    /// When it is not there or has another rank.
    pub fn shape<const R: usize>(&self, name: &str) -> anyhow::Result<[usize; R]> {
        let tensor = self.tensors.get(name).with_context(|| format!("the case lacks {name}"))?;
        let found = tensor.shape.as_slice();
        found.try_into().with_context(|| format!("{name} is {found:?} but must have {R} axes"))
    }

    /// Writes every tensor.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let bytes: BTreeMap<&String, Vec<u8>> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name, tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let views = self
            .tensors
            .iter()
            .map(|(name, tensor)| Ok((name, TensorView::new(Dtype::F32, tensor.shape.clone(), &bytes[name])?)));
        let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        safetensors::serialize_to_file(views, None, path)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Adds a tensor.
    pub fn put(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors.insert(name.into(), Values { shape: shape.to_vec(), values });
    }

    /// Adds a tensor of Burn's.
    pub fn put_tensor<const R: usize>(&mut self, name: impl Into<String>, tensor: &Tensor<R>) {
        self.put(name, &tensor.dims(), tensor.to_data().iter::<f32>().collect());
    }

    /// Adds a tensor's values of Burn's.
    pub fn put_data(&mut self, name: impl Into<String>, data: &TensorData) {
        self.put(name, &data.shape().to_vec(), data.iter::<f32>().collect());
    }

    /// A tensor that the plan asked for.
    ///
    /// # Panics
    /// When it is not there, which `draw` and `read` rule out.
    pub fn values(&self, name: &str) -> &[f32] {
        &self.tensors[name].values
    }

    /// The same as one of Burn's.
    pub fn tensor<const R: usize>(&self, name: &str, device: &Device) -> Tensor<R> {
        let Values { shape, values } = &self.tensors[name];
        Tensor::from_data(TensorData::new(values.clone(), shape.clone()), device)
    }

    /// The parameters, by their names without `param.`.
    pub fn parameters(&self) -> BTreeMap<String, TensorData> {
        self.under("param.")
    }

    /// The tensors whose names begin with `prefix`, by what follows.
    pub fn under(&self, prefix: &str) -> BTreeMap<String, TensorData> {
        let named = self.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)));
        named
            .map(|(name, tensor)| (name.to_owned(), TensorData::new(tensor.values.clone(), tensor.shape.clone())))
            .collect()
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Name, shape and bound of every tensor that the plan needs.
fn wanted(plan: &Plan) -> Vec<(String, Vec<usize>, f32)> {
    match &plan.shape {
        Shape::Recurrent(shape) => recurrent(shape),
        Shape::Attention(shape) => attention(shape),
        Shape::Crf(shape) => crf(shape),
        Shape::Decoder(shape) => decoder(shape),
    }
}

fn crf(shape: &CrfShape) -> Vec<(String, Vec<usize>, f32)> {
    let CrfShape { batch, time, tags, .. } = *shape;
    vec![
        ("param.transitions".into(), vec![tags, tags], 1.0),
        ("param.start_transitions".into(), vec![tags], 1.0),
        ("param.end_transitions".into(), vec![tags], 1.0),
        ("input.emissions".into(), vec![batch, time, tags], 3.0),
    ]
}

fn decoder(shape: &DecoderShape) -> Vec<(String, Vec<usize>, f32)> {
    let DecoderShape { batch, time, keys, input, hidden } = *shape;
    let bound = 1.0 / (hidden as f32).sqrt();
    let parameters = [
        ("recurrent.weight_ih_l0", vec![4 * hidden, input + hidden]),
        ("recurrent.weight_hh_l0", vec![4 * hidden, hidden]),
        ("recurrent.bias_ih_l0", vec![4 * hidden]),
        ("recurrent.bias_hh_l0", vec![4 * hidden]),
        ("attention.w_query", vec![hidden, hidden]),
        ("attention.w_key", vec![hidden, 2 * hidden]),
        ("attention.v", vec![hidden]),
        ("combine.projection.weight", vec![hidden, 3 * hidden]),
        ("combine.projection.bias", vec![hidden]),
    ];
    let mut all: Vec<_> = parameters.map(|(name, shape)| (format!("param.{name}"), shape, bound)).into();
    all.push(("input.x".into(), vec![batch, time, input], 1.0));
    all.push(("input.memory".into(), vec![batch, keys, 2 * hidden], 1.0));
    all
}

fn recurrent(shape: &RecurrentShape) -> Vec<(String, Vec<usize>, f32)> {
    let (hidden, rows) = (shape.hidden, shape.gates() * shape.hidden);
    let bound = 1.0 / (hidden as f32).sqrt();
    let mut all = Vec::new();
    for layer in 0..shape.layers {
        for direction in 0..shape.directions {
            let end = RecurrentShape::suffix(layer, direction);
            all.push((format!("param.weight_ih{end}"), vec![rows, shape.input_of(layer)], bound));
            all.push((format!("param.weight_hh{end}"), vec![rows, hidden], bound));
            all.push((format!("param.bias_ih{end}"), vec![rows], bound));
            all.push((format!("param.bias_hh{end}"), vec![rows], bound));
        }
    }
    all.push(("input.x".into(), vec![shape.batch, shape.time, shape.input], 1.0));
    all
}

fn attention(shape: &AttentionShape) -> Vec<(String, Vec<usize>, f32)> {
    let AttentionShape { batch, queries, keys, input, hidden, .. } = *shape;
    let bound = 1.0 / (input as f32).sqrt();
    let mut all = match shape.layer {
        Layer::Additive => vec![
            ("param.w_query", vec![hidden, input], bound),
            ("param.w_key", vec![hidden, input], bound),
            ("param.bias", vec![hidden], bound),
            ("param.v", vec![hidden], bound),
        ],
        Layer::General => vec![("param.w", vec![input, input], bound)],
        Layer::MultiHead => vec![
            ("param.in_proj_weight", vec![3 * input, input], bound),
            ("param.in_proj_bias", vec![3 * input], bound),
            ("param.out_proj.weight", vec![input, input], bound),
            ("param.out_proj.bias", vec![input], bound),
        ],
        _ => Vec::new(),
    };
    all.push(("input.query", vec![batch, queries, input], 1.0));
    all.push(("input.keys", vec![batch, keys, input], 1.0));
    all.push(("input.values", vec![batch, keys, input], 1.0));
    all.into_iter().map(|(name, shape, bound)| (name.to_owned(), shape, bound)).collect()
}
