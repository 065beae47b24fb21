//! A stack of recurrent layers as a user of Burn runs it: `lookback-nn`, with Burn's autodiff around the kernels.

use burn::tensor::{Gradients, Tensor};
use lookback_nn::{Cell, Error, Recurrent, RecurrentConfig, parameters};

use crate::options::{Layer, Mode, RecurrentShape};
use crate::{Case, Work, device};

/// The layers of `shape` with the parameters of `case`.
pub(crate) fn recurrent(shape: &RecurrentShape, mode: Mode, case: &Case) -> Result<Recurrent, Error> {
    let cell = match shape.layer {
        Layer::Rnn => Cell::Rnn,
        Layer::Gru => Cell::Gru,
        _ => Cell::Lstm,
    };
    RecurrentConfig::new(cell, shape.input, shape.hidden)
        .with_layers(shape.layers)
        .with_bidirectional(shape.directions == 2)
        .with_recompute(shape.recompute)
        .init(&device(mode))?
        .with_parameters(case.parameters())
}

pub(crate) struct Modules {
    layer: Recurrent,
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
            layer: recurrent(shape, mode, case)?,
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
        let y = self.layer.forward(self.x.clone(), self.lengths.as_deref(), None)?.sequence;
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
            for (name, data) in parameters::gradients(&self.layer, gradients) {
                results.put_data(format!("grad.param.{name}"), &data);
            }
        }
        Ok(results)
    }
}
