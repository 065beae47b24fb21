//! A stack of recurrent layers as a user of Burn runs it: `lookback-nn`, with Burn's autodiff around the kernels.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use lookback_nn::{Error, Gru, GruConfig, Lstm, LstmConfig, Output, Rnn, RnnConfig};

use crate::options::{Layer, Mode, RecurrentShape};
use crate::{Case, Work, device};

/// The three layers behind one face.
#[derive(Debug)]
pub(crate) enum AnyLayer {
    Rnn(Rnn),
    Lstm(Lstm),
    Gru(Gru),
}

impl AnyLayer {
    /// The layer of `shape` with the parameters of `case`.
    pub(crate) fn new(shape: &RecurrentShape, mode: Mode, case: &Case) -> Result<Self, Error> {
        let device = device(mode);
        let both = shape.directions == 2;
        macro_rules! made {
            ($config:ident) => {
                $config::new(shape.input, shape.hidden)
                    .with_layers(shape.layers)
                    .with_bidirectional(both)
                    .with_recompute(shape.recompute)
                    .init(&device)?
                    .with_parameters(case.parameters())?
            };
        }
        Ok(match shape.layer {
            Layer::Rnn => AnyLayer::Rnn(made!(RnnConfig)),
            Layer::Gru => AnyLayer::Gru(made!(GruConfig)),
            _ => AnyLayer::Lstm(made!(LstmConfig)),
        })
    }

    fn forward(&self, x: Tensor<3>, lengths: Option<&[usize]>) -> Result<Output, Error> {
        match self {
            AnyLayer::Rnn(layer) => layer.forward(x, lengths, None),
            AnyLayer::Lstm(layer) => layer.forward(x, lengths, None),
            AnyLayer::Gru(layer) => layer.forward(x, lengths, None),
        }
    }

    fn visit(&self, visitor: &mut Gather<'_>) {
        match self {
            AnyLayer::Rnn(layer) => layer.visit(visitor),
            AnyLayer::Lstm(layer) => layer.visit(visitor),
            AnyLayer::Gru(layer) => layer.visit(visitor),
        }
    }
}

pub(crate) struct Modules {
    layer: AnyLayer,
    lengths: Option<Vec<usize>>,
    x: Tensor<3>,
    train: bool,
    last: Option<(Tensor<3>, Option<Gradients>)>,
}

impl Modules {
    pub(crate) fn new(shape: &RecurrentShape, mode: Mode, case: &Case) -> anyhow::Result<Self> {
        let x = case.tensor("input.x", &device(mode));
        let train = mode == Mode::Train;
        Ok(Modules {
            layer: AnyLayer::new(shape, mode, case)?,
            lengths: shape.lengths.clone(),
            x: if train { x.require_grad() } else { x },
            train,
            last: None,
        })
    }
}

impl Work for Modules {
    fn run(&mut self) -> anyhow::Result<()> {
        // What the last repetition made is freed first, as a training loop would have.
        self.last = None;
        let y = self.layer.forward(self.x.clone(), self.lengths.as_deref())?.sequence;
        let gradients = self.train.then(|| y.clone().sum().backward());
        self.last = Some((y, gradients));
        Ok(())
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        let mut results = Case::default();
        let Some((y, gradients)) = &self.last else { anyhow::bail!("nothing has run yet") };
        results.put_tensor("y", y);
        if let Some(gradients) = gradients {
            if let Some(gradient) = self.x.grad(gradients) {
                results.put_tensor("grad.x", &gradient);
            }
            self.layer.visit(&mut Gather::new(gradients, &mut results));
        }
        Ok(results)
    }
}

/// Gathers the gradients of a module's parameters by their names.
pub(crate) struct Gather<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    results: &'a mut Case,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(gradients: &'a Gradients, results: &'a mut Case) -> Self {
        Gather { path: Vec::new(), gradients, results }
    }
}

impl ModuleVisitor for Gather<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.results.put_tensor(format!("grad.param.{}", self.path.join(".")), &gradient);
        }
    }
}
