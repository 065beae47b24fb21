//! One type for every cell: the configurations, what belongs to one cell alone, names, and the last layer's state.

use burn::module::Module;
use burn::tensor::{DType, Device, Distribution, Tensor};
use lookback_kernels::{Activation, Reset};

use super::*;
use crate::attention::tests::wide;
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

fn f64s(tensor: &Tensor<3>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

/// Every configuration, for inference and in training: the bits of `forward`, and the gates and states of the composed
/// layer in f64.
#[test]
fn a_trace_has_the_outputs_of_forward_and_the_gates_of_the_equations() {
    let lengths = [[4, 0, 2], [4, 4, 4]];
    let configs = [
        RecurrentConfig::new(Cell::Lstm, 3, 5),
        RecurrentConfig::new(Cell::Lstm, 3, 17).with_peepholes(true).with_bias(false),
        RecurrentConfig::new(Cell::Lstm, 3, 5).with_recompute(true),
        RecurrentConfig::new(Cell::Gru, 3, 5),
        RecurrentConfig::new(Cell::Gru, 3, 17).with_reset(Reset::BeforeProduct),
        RecurrentConfig::new(Cell::Rnn, 3, 5),
        RecurrentConfig::new(Cell::Rnn, 3, 17).with_activation(Activation::Relu),
    ];
    for device in [device(), device().autodiff()] {
        for (config, both) in configs.iter().flat_map(|config| [(config, false), (config, true)]) {
            let config = config.clone().with_layers(2).with_bidirectional(both);
            let layer = config.init(&device).unwrap();
            let exact =
                wide(config.with_recompute(false).init(&device).unwrap().with_parameters(layer.parameters()).unwrap());
            let x = Tensor::<3>::random([3, 4, 3], Distribution::Default, &device);
            let drawn =
                || Tensor::<3>::random([2 * layer.directions(), 3, layer.hidden()], Distribution::Default, &device);
            let state = State { hidden: drawn(), cell: layer.cell().has_cell_state().then(drawn) };
            let to = |x: &Tensor<3>| x.clone().cast(DType::F64);
            let precise = State { hidden: to(&state.hidden), cell: state.cell.as_ref().map(to) };
            for lengths in &lengths {
                let (output, trace) = layer.forward_with_trace(x.clone(), Some(lengths), Some(state.clone())).unwrap();
                let whole = layer.forward(x.clone(), Some(lengths), Some(state.clone())).unwrap();
                assert_eq!(values(output.sequence.clone()), values(whole.sequence));
                assert_eq!(output.state.save(), whole.state.save());
                let (_, want) = exact.forward_with_trace(to(&x), Some(lengths), Some(precise.clone())).unwrap();
                assert_eq!((trace.layers.len(), want.layers.len()), (2, 2));
                for (found, want) in trace.layers.iter().flatten().zip(want.layers.iter().flatten()) {
                    let all = |trace: &DirectionTrace| {
                        let gates = trace.gates.iter().map(|(name, gate)| (*name, f64s(gate)));
                        let cell = trace.cell.iter().map(|cell| ("cell", f64s(cell)));
                        gates.chain(cell).chain([("hidden", f64s(&trace.hidden))]).collect::<Vec<_>>()
                    };
                    assert_eq!(found.hidden.dims(), [3, 4, layer.hidden()]);
                    let (found, want) = (all(found), all(want));
                    assert_eq!(found.len(), want.len());
                    for ((name, found), (same, want)) in found.iter().zip(&want) {
                        assert_eq!((name, found.len()), (same, want.len()));
                        for (at, (found, want)) in found.iter().zip(want).enumerate() {
                            assert!(
                                (found - want).abs() <= 1e-6 * want.abs().max(1.0),
                                "{:?} {name} {at}: {found}, {want}",
                                layer.cell()
                            );
                            let (row, step) = (at / (4 * layer.hidden()), at / layer.hidden() % 4);
                            assert!(step < lengths[row] || *found == 0.0, "{name} past the length");
                        }
                    }
                }
                // The last layer's states are the output itself, direction by direction.
                let last: Vec<_> = trace.layers[1].iter().map(|direction| direction.hidden.clone()).collect();
                assert_eq!(values(Tensor::cat(last, 2)), values(output.sequence));
            }
        }
    }
}

#[test]
fn a_trace_has_its_cells_names_and_no_graph_and_training_goes_on() {
    let device = device().autodiff();
    let names = |cell: Cell| {
        let layer = RecurrentConfig::new(cell, 3, 4).with_bidirectional(true).init(&device).unwrap();
        let x = Tensor::<3>::random([2, 3, 3], Distribution::Default, &device).require_grad();
        let (output, trace) = layer.forward_with_trace(x.clone(), Some(&[3, 1]), None).unwrap();
        let gradients = output.sequence.sum().backward();
        assert!(values(x.grad(&gradients).unwrap()).iter().any(|&value| value != 0.0));
        let [forward, reverse] = &trace.layers[0][..] else { panic!("two directions") };
        assert!(!forward.hidden.is_require_grad() && forward.gate("nothing").is_none());
        let of = |trace: &DirectionTrace| trace.gates.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!((of(forward), forward.cell.is_some()), (of(reverse), cell == Cell::Lstm));
        assert!(of(forward).iter().all(|name| forward.gate(name).is_some_and(|gate| gate.dims() == [2, 3, 4])));
        of(forward)
    };
    assert_eq!(names(Cell::Lstm), ["input", "forget", "candidate", "output"]);
    assert_eq!(names(Cell::Gru), ["reset", "update", "candidate"]);
    assert!(names(Cell::Rnn).is_empty());
    // Over nothing, by the kernels and composed.
    for [batch, time] in [[0, 3], [2, 0]] {
        let layer = LstmConfig::new(3, 4).with_layers(2).with_bidirectional(true).init(&device).unwrap();
        let zeros = Tensor::<3>::zeros([batch, time, 3], &device);
        for (layer, x) in [(layer.clone(), zeros.clone()), (wide(layer), zeros.cast(DType::F64))] {
            let (output, trace) = layer.forward_with_trace(x, None, None).unwrap();
            assert_eq!(output.sequence.dims(), [batch, time, 8]);
            for direction in trace.layers.iter().flatten() {
                let gates = direction.gates.iter().map(|(_, gate)| gate);
                assert_eq!(direction.gates.len(), 4);
                assert!(gates.chain(&direction.cell).chain([&direction.hidden]).all(|x| x.dims() == [batch, time, 4]));
            }
        }
    }
    let error =
        LstmConfig::new(3, 4).init(&device).unwrap().forward_with_trace(Tensor::zeros([2, 3, 5], &device), None, None);
    assert!(error.unwrap_err().to_string().starts_with("x is [2, 3, 5] but"));
}
