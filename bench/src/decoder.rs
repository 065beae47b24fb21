//! A decoder over known targets: an LSTM with additive attention and input feeding (Luong 2015, section 3.3) through all its
//! steps, as the module of `lookback-nn`, which does them in one operation.

use burn::tensor::{Gradients, Tensor};
use lookback_nn::attention::{AttentionConfig, Mask, Score};
use lookback_nn::decoder::LuongDecoder;
use lookback_nn::{LstmConfig, parameters};

use crate::options::{DecoderShape, Mode};
use crate::{Case, Work, device};

/// The decoder that `shape` names, with its inputs.
pub(crate) struct Decoder {
    decoder: LuongDecoder,
    train: bool,
    /// `[B, T, I]`
    x: Tensor<3>,
    /// `[B, K, 2H]`
    memory: Tensor<3>,
    /// `[B, H]`, zeros.
    previous: Tensor<2>,
    last: Option<(Tensor<3>, Option<Gradients>)>,
}

impl Decoder {
    pub(crate) fn new(shape: &DecoderShape, mode: Mode, case: &Case) -> anyhow::Result<Self> {
        let DecoderShape { batch, input, hidden, .. } = *shape;
        let (device, train) = (device(mode), mode == Mode::Train);
        let attention = AttentionConfig::new(Score::Additive { hidden }, hidden, 2 * hidden).with_bias(false);
        let recurrent = LstmConfig::new(input + hidden, hidden).init(&device)?;
        let decoder = LuongDecoder::new(input, 2 * hidden, recurrent, attention.init(&device)?, &device)?;
        let given = |name: &str| {
            let tensor = case.tensor(name, &device);
            if train { tensor.require_grad() } else { tensor }
        };
        Ok(Decoder {
            decoder: parameters::replace(decoder, case.parameters())?,
            train,
            x: given("input.x"),
            memory: given("input.memory"),
            previous: Tensor::zeros([batch, hidden], &device),
            last: None,
        })
    }
}

impl Work for Decoder {
    fn run(&mut self) -> anyhow::Result<()> {
        self.last = None;
        let mask = Mask::none();
        let memory = self.decoder.memory(self.memory.clone(), &mask)?;
        let (y, _) = self.decoder.forward(self.x.clone(), self.previous.clone(), None, &memory, &mask)?;
        let gradients = self.train.then(|| y.clone().sum().backward());
        self.last = Some((y, gradients));
        Ok(())
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        let Some((y, gradients)) = &self.last else { anyhow::bail!("nothing has run yet") };
        let mut results = Case::default();
        results.put_tensor("y", y);
        let Some(gradients) = gradients else { return Ok(results) };
        for (name, input) in [("grad.x", &self.x), ("grad.memory", &self.memory)] {
            if let Some(gradient) = input.grad(gradients) {
                results.put_tensor(name, &gradient);
            }
        }
        for (name, data) in parameters::gradients(&self.decoder, gradients) {
            results.put_data(format!("grad.param.{name}"), &data);
        }
        Ok(results)
    }
}
