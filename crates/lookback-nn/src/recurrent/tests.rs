//! One type for every cell: the configurations, what belongs to one cell alone, names, and the last layer's state.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use lookback_kernels::{Activation, Reset};

use super::*;
use crate::{Error, parameters};

fn values<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

fn device() -> Device {
    Device::flex()
}

#[test]
fn one_configuration_makes_what_the_three_make() {
    let device = device();
    let x = Tensor::<3>::random([2, 4, 3], Distribution::Default, &device);
    let run = |layer: &Recurrent| values(layer.forward(x.clone(), Some(&[4, 2]), None).unwrap().sequence);
    let same = |any: RecurrentConfig, own: Result<Recurrent, Error>, name: &str| {
        let (any, own) = (any.init(&device).unwrap(), own.unwrap());
        assert_eq!((any.cell(), any.cell().name()), (own.cell(), name));
        let any = any.with_parameters(own.parameters()).unwrap();
        assert_eq!(run(&any), run(&own), "{name}");
    };
    let any = |cell: Cell| RecurrentConfig::new(cell, 3, 5).with_layers(2).with_bidirectional(true);
    let (lstm, gru, rnn) = (LstmConfig::new(3, 5), GruConfig::new(3, 5), RnnConfig::new(3, 5));
    let lstm = lstm.with_layers(2).with_bidirectional(true).with_peepholes(true);
    let gru = gru.with_layers(2).with_bidirectional(true).with_reset(Reset::BeforeProduct);
    let rnn = rnn.with_layers(2).with_bidirectional(true).with_activation(Activation::Relu);
    same(any(Cell::Lstm).with_peepholes(true), lstm.init(&device), "LSTM");
    same(any(Cell::Gru).with_reset(Reset::BeforeProduct), gru.init(&device), "GRU");
    same(any(Cell::Rnn).with_activation(Activation::Relu), rnn.init(&device), "RNN");
    let forget = any(Cell::Lstm).with_forget_bias(Some(1.0)).init(&device).unwrap().parameters();
    assert_eq!(forget["bias_ih_l1_reverse"].iter::<f32>().skip(5).take(5).collect::<Vec<_>>(), [1.0; 5]);
}

#[test]
fn an_option_of_another_cell_is_refused() {
    let refused = |config: RecurrentConfig| config.init(&device()).unwrap_err().to_string();
    let any = |cell| RecurrentConfig::new(cell, 3, 5);
    assert_eq!(
        refused(any(Cell::Gru).with_forget_bias(Some(1.0))),
        "forget_bias is Some(1.0) but must be none outside an LSTM"
    );
    assert_eq!(refused(any(Cell::Rnn).with_peepholes(true)), "peepholes is true but must be false outside an LSTM");
    assert_eq!(
        refused(any(Cell::Lstm).with_reset(Reset::AfterProduct)),
        "reset is AfterProduct but must be given to a GRU alone"
    );
    assert_eq!(
        refused(any(Cell::Gru).with_activation(Activation::Tanh)),
        "activation is Tanh but must be given to a plain RNN alone"
    );
    assert!(any(Cell::Gru).with_forget_bias(None).init(&device()).is_ok());
}

#[derive(Module, Debug)]
struct Model {
    recurrent: Recurrent,
    encoder: Vec<Gru>,
}

#[test]
fn a_field_gives_the_names_its_name() {
    let layer = |cell| RecurrentConfig::new(cell, 2, 3).with_bidirectional(true).with_bias(false).init(&device());
    let model = Model { recurrent: layer(Cell::Lstm).unwrap(), encoder: vec![layer(Cell::Gru).unwrap()] };
    let names: Vec<String> = parameters::shapes(&model, "").into_iter().map(|(name, _)| name).collect();
    let ends = ["weight_ih_l0", "weight_hh_l0", "weight_ih_l0_reverse", "weight_hh_l0_reverse"];
    let expected: Vec<String> =
        ["recurrent", "encoder.0"].iter().flat_map(|field| ends.map(|end| format!("{field}.{end}"))).collect();
    assert_eq!(names, expected);
    assert!(format!("{model}").contains("LSTM"), "{model}");
    assert_eq!(model.num_params(), 2 * (12 * 2 + 12 * 3) + 2 * (9 * 2 + 9 * 3));
}

#[test]
fn the_last_layers_final_state_has_both_directions_side_by_side() {
    let device = device();
    for (cell, both) in [(Cell::Lstm, false), (Cell::Gru, true), (Cell::Rnn, true)] {
        let layer = RecurrentConfig::new(cell, 3, 4).with_layers(2).with_bidirectional(both).init(&device).unwrap();
        let x = Tensor::<3>::random([3, 5, 3], Distribution::Default, &device);
        let output = layer.forward(x, Some(&[5, 2, 0]), None).unwrap();
        let last = output.last_layer();
        assert_eq!(last.dims(), [3, 4 * layer.directions()]);
        assert_eq!(values(last.clone()), values(output.state.last_layer(layer.directions()).unwrap()));
        let (last, sequence) = (values(last), values(output.sequence));
        let width = 4 * layer.directions();
        for (row, length) in [(0, 5), (1, 2)] {
            let step = |t: usize| &sequence[(row * 5 + t) * width..][..width];
            assert_eq!(last[row * width..][..4], step(length - 1)[..4], "forward ends at the row's last step");
            assert_eq!(last[row * width + 4..][..width - 4], step(0)[4..], "the other direction at its first");
        }
        assert!(last[2 * width..].iter().all(|&value| value == 0.0), "a row of no steps keeps its zeros");
        let error = output.state.last_layer(3).unwrap_err().to_string();
        assert!(error.starts_with("state.hidden is [") && error.contains("D = 3"), "{error}");
        let empty = layer.forward(Tensor::zeros([0, 5, 3], &device), None, None).unwrap();
        assert_eq!(empty.last_layer().dims(), [0, width]);
    }
}
