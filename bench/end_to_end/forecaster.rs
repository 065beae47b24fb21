//! A step of a forecaster: a two-layer LSTM reads a window, a dense layer on its last state gives what follows.

use bench::Case;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lookback_nn::{Linear, Lstm, LstmConfig};

use crate::turns::Turns;
use crate::{load, steps};

#[derive(Module, Debug)]
struct Forecaster {
    recurrent: Lstm,
    output: Linear,
}

impl Forecaster {
    fn new(case: &Case, device: &Device) -> anyhow::Result<Self> {
        let [_, _, channels] = case.shape("input.x")?;
        let [_, hidden] = case.shape("param.recurrent.weight_hh_l0")?;
        let recurrent = LstmConfig::new(channels, hidden).with_layers(2).init(device)?;
        Ok(Forecaster {
            recurrent: recurrent.with_parameters(case.under("param.recurrent."))?,
            output: load::linear(case, "output", device)?,
        })
    }

    /// x: `[B, T, C]`. Gives `[B, horizon * C]`.
    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let output = self.recurrent.forward(x, None, None).expect("the case was read for this layer");
        self.output.forward(output.last_layer()).expect("the case was read for this layer")
    }
}

pub(crate) fn train(case: &Case, turns: Turns) -> anyhow::Result<()> {
    let device = Device::flex().autodiff();
    let model = Forecaster::new(case, &device)?;
    let x: Tensor<3> = case.tensor("input.x", &device);
    let target: Tensor<2> = case.tensor("input.target", &device);
    let [batch, ..] = x.dims();
    steps::train(model, batch, turns, |model: &Forecaster| {
        let difference = model.forward(x.clone()) - target.clone();
        (difference.clone() * difference).mean()
    })
}
