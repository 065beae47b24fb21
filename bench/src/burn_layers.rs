//! A peer: Burn's own `Lstm`, `BiLstm`, `Gru` and `Rnn`, stacked as its users stack them.
//!
//! Burn keeps one `Linear` a gate and product, with weights `[in, out]`; the cases hold PyTorch's `[G*H, in]`.

use burn::module::Param;
use burn::nn::{
    BiLstm, BiLstmConfig, GateController, Gru, GruConfig, Linear, Lstm, LstmConfig, LstmState, Rnn, RnnConfig, RnnState,
};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::options::{Layer, Mode, RecurrentShape};
use crate::{Case, Work, device};

#[allow(clippy::large_enum_variant, reason = "there are as many as layers, and a box would stand in what is timed")]
enum BurnLayer {
    Rnn(Rnn),
    Lstm(Lstm),
    BiLstm(BiLstm),
    Gru(Gru),
}

/// What a stream carries on.
#[derive(Clone)]
enum Carried {
    Hidden(Box<Tensor<2>>),
    Lstm(Box<LstmState<2>>),
}

pub(crate) struct BurnLayers {
    shape: RecurrentShape,
    mode: Mode,
    layers: Vec<BurnLayer>,
    x: Tensor<3>,
    last: Option<(Tensor<3>, Option<Gradients>)>,
}

impl BurnLayers {
    pub(crate) fn new(shape: &RecurrentShape, mode: Mode, case: &Case) -> anyhow::Result<Self> {
        let device = device(mode);
        let layers = (0..shape.layers).map(|layer| BurnLayer::new(shape, layer, case, &device)).collect();
        let x = case.tensor("input.x", &device);
        let x = if mode == Mode::Train { x.require_grad() } else { x };
        Ok(BurnLayers { shape: shape.clone(), mode, layers, x, last: None })
    }

    fn forward(&self) -> Tensor<3> {
        self.layers.iter().fold(self.x.clone(), |x, layer| layer.forward(x, None).0)
    }

    /// Every input by itself, the states carried on.
    fn stream(&self) -> Tensor<3> {
        let mut states: Vec<Option<Carried>> = vec![None; self.layers.len()];
        let steps = self.x.clone().iter_dim(1).map(|x_t| {
            self.layers.iter().zip(&mut states).fold(x_t, |x_t, (layer, state)| {
                let (y_t, next) = layer.forward(x_t, state.take());
                *state = next;
                y_t
            })
        });
        Tensor::cat(steps.collect(), 1)
    }
}

impl Work for BurnLayers {
    fn run(&mut self) -> anyhow::Result<()> {
        self.last = None;
        let y = if self.mode == Mode::Step { self.stream() } else { self.forward() };
        let gradients = (self.mode == Mode::Train).then(|| y.clone().sum().backward());
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
            for (index, layer) in self.layers.iter().enumerate() {
                for (direction, gates) in layer.gates().into_iter().enumerate() {
                    gather(&gates, &RecurrentShape::suffix(index, direction), gradients, &mut results);
                }
            }
        }
        Ok(results)
    }

    fn units(&self) -> usize {
        if self.mode == Mode::Step { self.shape.time } else { 1 }
    }
}

impl BurnLayer {
    fn new(shape: &RecurrentShape, layer: usize, case: &Case, device: &Device) -> Self {
        let (input, hidden) = (shape.input_of(layer), shape.hidden);
        let gate = |direction: usize, gate: usize| {
            let end = RecurrentShape::suffix(layer, direction);
            let linear = |which: &str, size: usize| {
                let rows = gate * hidden..(gate + 1) * hidden;
                let weight = case.values(&format!("param.weight_{which}{end}"));
                let bias = &case.values(&format!("param.bias_{which}{end}"))[rows.clone()];
                let turned: Vec<f32> =
                    (0..size).flat_map(|i| rows.clone().map(move |row| weight[row * size + i])).collect();
                Linear {
                    weight: Param::from_tensor(Tensor::from_data(TensorData::new(turned, [size, hidden]), device)),
                    bias: Some(Param::from_tensor(Tensor::from_data(TensorData::from(bias), device))),
                }
            };
            GateController { input_transform: linear("ih", input), hidden_transform: linear("hh", hidden) }
        };
        let fill = |lstm: &mut Lstm, direction: usize| {
            // PyTorch's order is i, f, g, o.
            lstm.input_gate = gate(direction, 0);
            lstm.forget_gate = Some(gate(direction, 1));
            lstm.cell_gate = gate(direction, 2);
            lstm.output_gate = gate(direction, 3);
        };
        match (shape.layer, shape.directions) {
            (Layer::Rnn, _) => {
                let mut rnn = RnnConfig::new(input, hidden, true).init(device);
                rnn.gate = gate(0, 0);
                BurnLayer::Rnn(rnn)
            }
            (Layer::Gru, _) => {
                let mut gru = GruConfig::new(input, hidden, true).init(device);
                gru.reset_gate = gate(0, 0);
                gru.update_gate = gate(0, 1);
                gru.new_gate = gate(0, 2);
                BurnLayer::Gru(gru)
            }
            (_, 1) => {
                let mut lstm = LstmConfig::new(input, hidden, true).init(device);
                fill(&mut lstm, 0);
                BurnLayer::Lstm(lstm)
            }
            _ => {
                let mut both = BiLstmConfig::new(input, hidden, true).init(device);
                fill(&mut both.forward, 0);
                fill(&mut both.reverse, 1);
                BurnLayer::BiLstm(both)
            }
        }
    }

    fn forward(&self, x: Tensor<3>, state: Option<Carried>) -> (Tensor<3>, Option<Carried>) {
        let (hidden, lstm_state) = match state {
            Some(Carried::Hidden(hidden)) => (Some(*hidden), None),
            Some(Carried::Lstm(state)) => (None, Some(*state)),
            None => (None, None),
        };
        let carried = |hidden| Some(Carried::Hidden(Box::new(hidden)));
        match self {
            BurnLayer::Rnn(rnn) => {
                let (y, state) = rnn.forward(x, hidden.map(RnnState::new));
                (y, carried(state.hidden))
            }
            BurnLayer::Gru(gru) => {
                let y = gru.forward(x, hidden);
                let last = y.dims()[1] - 1;
                let hidden = y.clone().narrow(1, last, 1).squeeze_dim(1);
                (y, carried(hidden))
            }
            BurnLayer::Lstm(lstm) => {
                let (y, state) = lstm.forward(x, lstm_state);
                (y, Some(Carried::Lstm(Box::new(state))))
            }
            BurnLayer::BiLstm(both) => (both.forward(x, None).0, None),
        }
    }

    /// `[D]`: the gates in PyTorch's order.
    fn gates(&self) -> Vec<Vec<&GateController>> {
        match self {
            BurnLayer::Rnn(rnn) => vec![vec![&rnn.gate]],
            BurnLayer::Gru(gru) => vec![vec![&gru.reset_gate, &gru.update_gate, &gru.new_gate]],
            BurnLayer::Lstm(lstm) => vec![lstm_gates(lstm)],
            BurnLayer::BiLstm(both) => vec![lstm_gates(&both.forward), lstm_gates(&both.reverse)],
        }
    }
}

fn lstm_gates(lstm: &Lstm) -> Vec<&GateController> {
    let forget = lstm.forget_gate.iter();
    std::iter::once(&lstm.input_gate).chain(forget).chain([&lstm.cell_gate, &lstm.output_gate]).collect()
}

/// The gradients of one direction's gates, put together as PyTorch has them.
fn gather(gates: &[&GateController], end: &str, gradients: &Gradients, results: &mut Case) {
    for which in ["ih", "hh"] {
        let linears =
            || gates.iter().map(|gate| if which == "ih" { &gate.input_transform } else { &gate.hidden_transform });
        let weights: Option<Vec<Tensor<2>>> =
            linears().map(|linear| Some(linear.weight.val().grad(gradients)?.transpose())).collect();
        let biases: Option<Vec<Tensor<1>>> =
            linears().map(|linear| linear.bias.as_ref()?.val().grad(gradients)).collect();
        if let (Some(weights), Some(biases)) = (weights, biases) {
            results.put_tensor(format!("grad.param.weight_{which}{end}"), &Tensor::cat(weights, 0));
            results.put_tensor(format!("grad.param.bias_{which}{end}"), &Tensor::cat(biases, 0));
        }
    }
}
