//! The attention layers: as `lookback-nn` modules, and as a user of Burn composes them without.

use burn::module::Param;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Gradients, Tensor, TensorData};

use lookback_nn::attention::{self as nn, Attention, AttentionConfig, Mask, MultiHeadConfig, Score};
use lookback_nn::{Error, parameters};

use crate::options::{AttentionShape, Layer, Mode, Through};
use crate::{Case, Work, device};

/// The layer that `shape` names.
pub(crate) fn work(shape: &AttentionShape, mode: Mode, through: Through, case: &Case) -> anyhow::Result<Box<dyn Work>> {
    let device = device(mode);
    match through {
        Through::Burn => Ok(Box::new(AttentionWork::new(Composed::new(shape, case, &device), mode, case, &device))),
        _ => Ok(Box::new(AttentionWork::new(Module::new(shape, case, &device)?, mode, case, &device))),
    }
}

/// What a layer must do to be timed.
trait AttentionLayer {
    /// query: `[B, Q, I]`, keys and values: `[B, K, I]`. Gives the context `[B, Q, I]`.
    fn context(&self, query: Tensor<3>, keys: Tensor<3>, values: Tensor<3>) -> Result<Tensor<3>, Error>;

    /// The gradients of the parameters, by the names of `conformance/README.md`.
    fn gradients(&self, gradients: &Gradients, results: &mut Case);
}

/// A layer and its inputs.
struct AttentionWork<L> {
    layer: L,
    train: bool,
    /// Query, keys and values.
    inputs: [Tensor<3>; 3],
    last: Option<(Tensor<3>, Option<Gradients>)>,
}

const INPUTS: [&str; 3] = ["query", "keys", "values"];

impl<L: AttentionLayer> AttentionWork<L> {
    fn new(layer: L, mode: Mode, case: &Case, device: &Device) -> Self {
        let train = mode == Mode::Train;
        let inputs = INPUTS.map(|name| {
            let tensor = case.tensor(&format!("input.{name}"), device);
            if train { tensor.require_grad() } else { tensor }
        });
        AttentionWork { layer, train, inputs, last: None }
    }
}

impl<L: AttentionLayer> Work for AttentionWork<L> {
    fn run(&mut self) -> anyhow::Result<()> {
        self.last = None;
        let [query, keys, values] = self.inputs.clone();
        let context = self.layer.context(query, keys, values)?;
        let gradients = self.train.then(|| context.clone().sum().backward());
        self.last = Some((context, gradients));
        Ok(())
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        let mut results = Case::default();
        let Some((context, gradients)) = &self.last else { anyhow::bail!("nothing has run yet") };
        results.put_tensor("context", context);
        if let Some(gradients) = gradients {
            for (name, input) in INPUTS.iter().zip(&self.inputs) {
                if let Some(gradient) = input.grad(gradients) {
                    results.put_tensor(format!("grad.{name}"), &gradient);
                }
            }
            self.layer.gradients(gradients, &mut results);
        }
        Ok(results)
    }
}

/// The modules of `lookback-nn`.
struct Module {
    layer: AnyAttention,
    mask: Mask,
    weights: bool,
}

#[allow(clippy::large_enum_variant, reason = "there is one, and a box would stand in what is timed")]
enum AnyAttention {
    One(Attention),
    MultiHead(nn::MultiHeadAttention),
}

impl Module {
    fn new(shape: &AttentionShape, case: &Case, device: &Device) -> Result<Self, Error> {
        let own = case.parameters();
        let size = shape.input;
        let layer = if shape.layer == Layer::MultiHead {
            let layer = MultiHeadConfig::new(size, shape.heads).init(device)?;
            AnyAttention::MultiHead(parameters::replace(layer, own)?)
        } else {
            let score = match shape.layer {
                Layer::Additive => Score::Additive { hidden: shape.hidden },
                Layer::General => Score::General,
                _ => Score::Dot,
            };
            let layer = AttentionConfig::new(score, size, size).init(device)?;
            AnyAttention::One(parameters::replace(layer, own)?)
        };
        let mask = match &shape.lengths {
            Some(lengths) => Mask::none().with_key_lengths(lengths),
            None => Mask::none(),
        };
        Ok(Module { layer, mask, weights: shape.weights })
    }
}

impl AttentionLayer for Module {
    fn context(&self, query: Tensor<3>, keys: Tensor<3>, values: Tensor<3>) -> Result<Tensor<3>, Error> {
        match (&self.layer, self.weights) {
            (AnyAttention::One(layer), false) => layer.forward(query, keys, values, &self.mask),
            (AnyAttention::One(layer), true) => {
                Ok(layer.forward_with_weights(query, keys, values, &self.mask)?.context)
            }
            (AnyAttention::MultiHead(layer), false) => layer.forward(query, keys, values, &self.mask),
            (AnyAttention::MultiHead(layer), true) => {
                let output = layer.forward_with_weights(query, keys, values, &self.mask)?;
                // What PyTorch computes when asked for weights.
                let _ = output.averaged_weights();
                Ok(output.context)
            }
        }
    }

    fn gradients(&self, gradients: &Gradients, results: &mut Case) {
        let all = match &self.layer {
            AnyAttention::One(layer) => parameters::gradients(layer, gradients),
            AnyAttention::MultiHead(layer) => parameters::gradients(layer, gradients),
        };
        for (name, data) in all {
            results.put_data(format!("grad.param.{name}"), &data);
        }
    }
}

/// Attention out of Burn's operations, and Burn's own `MultiHeadAttention`.
struct Composed {
    form: Form,
    /// `[B, 1, K]`, true where a key is padding.
    padding: Option<Tensor<3, Bool>>,
}

#[allow(clippy::large_enum_variant, reason = "there is one, and a box would stand in what is timed")]
enum Form {
    /// `w_query`, `w_key` `[H, I]`; `bias`, `v` `[H]`.
    Additive {
        w_query: Param<Tensor<2>>,
        w_key: Param<Tensor<2>>,
        bias: Param<Tensor<1>>,
        v: Param<Tensor<1>>,
    },
    /// `w` `[I, I]` in Luong's general score, nothing in the dot product.
    Product {
        w: Option<Param<Tensor<2>>>,
    },
    MultiHead(MultiHeadAttention),
}

impl Composed {
    fn new(shape: &AttentionShape, case: &Case, device: &Device) -> Self {
        let matrix = |name: &str| Param::from_tensor(case.tensor::<2>(&format!("param.{name}"), device));
        let vector = |name: &str| Param::from_tensor(case.tensor::<1>(&format!("param.{name}"), device));
        let form = match shape.layer {
            Layer::Additive => Form::Additive {
                w_query: matrix("w_query"),
                w_key: matrix("w_key"),
                bias: vector("bias"),
                v: vector("v"),
            },
            Layer::MultiHead => Form::MultiHead(multi_head(shape, case, device)),
            layer => Form::Product { w: (layer == Layer::General).then(|| matrix("w")) },
        };
        let padding = shape.lengths.as_ref().map(|lengths| {
            let flags: Vec<bool> =
                lengths.iter().flat_map(|&length| (0..shape.keys).map(move |key| key >= length)).collect();
            Tensor::from_data(TensorData::new(flags, [shape.batch, 1, shape.keys]), device)
        });
        Composed { form, padding }
    }

    /// scores: `[B, Q, K]`.
    fn weighted(&self, scores: Tensor<3>, values: Tensor<3>) -> Tensor<3> {
        let scores = match &self.padding {
            Some(padding) => {
                let shape = scores.dims();
                scores.mask_fill(padding.clone().expand(shape), f32::NEG_INFINITY)
            }
            None => scores,
        };
        softmax(scores, 2).matmul(values)
    }
}

impl AttentionLayer for Composed {
    fn context(&self, query: Tensor<3>, keys: Tensor<3>, values: Tensor<3>) -> Result<Tensor<3>, Error> {
        Ok(match &self.form {
            Form::Additive { w_query, w_key, bias, v } => {
                let query = query.matmul(w_query.val().transpose().unsqueeze());
                let keys = keys.matmul(w_key.val().transpose().unsqueeze());
                let sums = query.unsqueeze_dim::<4>(2) + keys.unsqueeze_dim(1) + bias.val().unsqueeze();
                let scores = (sums.tanh() * v.val().unsqueeze()).sum_dim(3).squeeze_dim(3);
                self.weighted(scores, values)
            }
            Form::Product { w } => {
                let query = match w {
                    Some(w) => query.matmul(w.val().unsqueeze()),
                    None => query,
                };
                self.weighted(query.matmul(keys.swap_dims(1, 2)), values)
            }
            Form::MultiHead(heads) => {
                let input = MhaInput::new(query, keys, values);
                let input = match &self.padding {
                    Some(padding) => input.mask_pad(padding.clone().squeeze_dim(1)),
                    None => input,
                };
                heads.forward(input).context
            }
        })
    }

    fn gradients(&self, gradients: &Gradients, results: &mut Case) {
        fn put<const R: usize>(name: &str, param: &Param<Tensor<R>>, gradients: &Gradients, results: &mut Case) {
            if let Some(gradient) = param.val().grad(gradients) {
                results.put_tensor(format!("grad.param.{name}"), &gradient);
            }
        }
        match &self.form {
            Form::Additive { w_query, w_key, bias, v } => {
                put("w_query", w_query, gradients, results);
                put("w_key", w_key, gradients, results);
                put("bias", bias, gradients, results);
                put("v", v, gradients, results);
            }
            Form::Product { w } => {
                if let Some(w) = w {
                    put("w", w, gradients, results);
                }
            }
            Form::MultiHead(heads) => {
                let parts = [&heads.query, &heads.key, &heads.value];
                let weights: Option<Vec<Tensor<2>>> =
                    parts.iter().map(|part| Some(part.weight.val().grad(gradients)?.transpose())).collect();
                if let Some(weights) = weights {
                    results.put_tensor("grad.param.in_proj_weight", &Tensor::cat(weights, 0));
                }
                if let Some(weight) = heads.output.weight.val().grad(gradients) {
                    results.put_tensor("grad.param.out_proj.weight", &weight.transpose());
                }
            }
        }
    }
}

/// Burn's layer with PyTorch's weights: `in_proj_weight [3*I, I]` holds those of queries, keys and values.
fn multi_head(shape: &AttentionShape, case: &Case, device: &Device) -> MultiHeadAttention {
    let size = shape.input;
    let mut heads = MultiHeadAttentionConfig::new(size, shape.heads).with_dropout(0.0).init(device);
    let (weight, bias) = (case.tensor::<2>("param.in_proj_weight", device), "param.in_proj_bias");
    let bias = case.tensor::<1>(bias, device);
    // Copied out, so that no view of the whole is multiplied in the timed part.
    let leaf = |tensor: Tensor<2>| Param::from_tensor(Tensor::from_data(tensor.into_data(), device));
    let parts = [&mut heads.query, &mut heads.key, &mut heads.value];
    for (index, part) in parts.into_iter().enumerate() {
        part.weight = leaf(weight.clone().narrow(0, index * size, size).transpose());
        let own = bias.clone().narrow(0, index * size, size).into_data();
        part.bias = Some(Param::from_tensor(Tensor::from_data(own, device)));
    }
    heads.output.weight = leaf(case.tensor::<2>("param.out_proj.weight", device).transpose());
    heads.output.bias = Some(Param::from_tensor(case.tensor("param.out_proj.bias", device)));
    heads
}
