//! The layers' promises: kernels equal the composed operations, chunks equal the whole, steps equal both, and
//! what does not fit is refused.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use lookback_kernels::{Activation, Cell, Dims, Reset};
use lookback_nn::ops::{DirectionTensors, LayerOutput, LayerSpec, composite, recurrent};
use lookback_nn::{Error, GruConfig, LstmConfig, RnnConfig, SavedState, State, StepperState};

fn values<const R: usize>(tensor: &Tensor<R>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

fn assert_close(name: &str, found: &[f32], want: &[f32]) {
    assert_eq!(found.len(), want.len(), "{name}");
    let largest = want.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (found, want) in found.iter().zip(want) {
        assert!((found - want).abs() / largest < 1e-5, "{name}: {found}, want {want}");
    }
}

#[test]
fn kernels_equal_the_composed_operations_forward_and_backward() {
    let device = Device::default().autodiff();
    let cells = [
        Cell::Rnn(Activation::Tanh),
        Cell::Rnn(Activation::Relu),
        Cell::Lstm,
        Cell::Gru(Reset::AfterProduct),
        Cell::Gru(Reset::BeforeProduct),
    ];
    for cell in cells {
        for (directions, lengths, bias, state) in
            [(1, None, true, true), (2, Some(vec![4, 0, 2]), true, true), (2, Some(vec![1, 3, 4]), false, false)]
        {
            let dims = Dims { batch: 3, time: 4, input: 3, hidden: 5, directions };
            let gh = cell.gates() * dims.hidden;
            let random = |size: usize| Tensor::<1>::random([size], Distribution::Uniform(-1.0, 1.0), &device);
            let matrix = |shape: [usize; 2]| random(shape.iter().product()).reshape(shape).detach().require_grad();
            let vector = |size: usize| random(size).detach().require_grad();
            let cube = |shape: [usize; 3]| random(shape.iter().product()).reshape(shape).detach().require_grad();
            let x = cube([dims.batch, dims.time, dims.input]);
            let lstm = cell.has_cell_state();
            let states = [directions, dims.batch, dims.hidden];
            let h0 = state.then(|| cube(states));
            let c0 = (state && lstm).then(|| cube(states));
            let parameters: Vec<_> = (0..directions)
                .map(|_| DirectionTensors {
                    weight_ih: matrix([gh, dims.input]),
                    weight_hh: matrix([gh, dims.hidden]),
                    bias: bias.then(|| [vector(gh), vector(gh)]),
                    peephole: (lstm && bias).then(|| vector(3 * dims.hidden)),
                })
                .collect();
            let spec = LayerSpec {
                cell,
                dims,
                lengths: lengths.map(Into::into),
                bias,
                peephole: lstm && bias,
                state,
                recompute: false,
            };
            let upstream = cube([dims.batch, dims.time, directions * dims.hidden]).detach();
            let upstream_state = cube(states).detach();
            let run = |output: LayerOutput| {
                let mut objective = (output.sequence.clone() * upstream.clone()).sum()
                    + (output.hidden.clone() * upstream_state.clone()).sum();
                if let Some(cell) = &output.cell {
                    objective = objective + (cell.clone() * upstream_state.clone()).sum();
                }
                let gradients = objective.backward();
                let mut named = vec![
                    ("sequence", values(&output.sequence)),
                    ("hidden", values(&output.hidden)),
                    ("gradient x", values(&x.grad(&gradients).unwrap())),
                ];
                named.extend(output.cell.as_ref().map(|cell| ("cell", values(cell))));
                for (name, state) in [("gradient h0", &h0), ("gradient c0", &c0)] {
                    named.extend(state.as_ref().map(|state| (name, values(&state.grad(&gradients).unwrap()))));
                }
                for p in &parameters {
                    named.push(("gradient weight_ih", values(&p.weight_ih.grad(&gradients).unwrap())));
                    named.push(("gradient weight_hh", values(&p.weight_hh.grad(&gradients).unwrap())));
                    for vector in p.bias.iter().flatten().chain(&p.peephole) {
                        named.push(("gradient of a vector", values(&vector.grad(&gradients).unwrap())));
                    }
                }
                named
            };
            let fused = run(recurrent(x.clone(), h0.clone(), c0.clone(), parameters.clone(), spec.clone()).unwrap());
            let composed = run(composite(x.clone(), h0.clone(), c0.clone(), parameters.clone(), &spec).unwrap());
            for ((name, found), (_, want)) in fused.iter().zip(&composed) {
                assert_close(&format!("{cell:?} {directions} {name}"), found, want);
            }
        }
    }
}

#[test]
fn chunks_and_steps_equal_the_whole_bit_for_bit() {
    let device = Device::default();
    macro_rules! check {
        ($layer:expr) => {{
            let layer = $layer.unwrap();
            let x = Tensor::<3>::random([2, 7, 3], Distribution::Default, &device);
            let part = |from: usize, to: usize| x.clone().slice([0..2, from..to]);
            let whole = layer.forward(x.clone(), None, None).unwrap();
            let first = layer.forward(part(0, 3), None, None).unwrap();
            // The state goes through a file, as a session's would.
            let saved = serde_json::to_string(&first.state.save()).unwrap();
            let restored: SavedState = serde_json::from_str(&saved).unwrap();
            let state = State::restore(&restored, &device).unwrap();
            let second = layer.forward(part(3, 7), None, Some(state)).unwrap();
            let joined = Tensor::cat(vec![first.sequence, second.sequence], 1);
            assert_eq!(values(&joined), values(&whole.sequence));
            assert_eq!(second.state.save(), whole.state.save());

            let (mut state, mut steps) = (None, Vec::new());
            for t in 0..7 {
                let (y, next) = layer.step(part(t, t + 1).squeeze_dim(1), state).unwrap();
                steps.push(y.unsqueeze_dim::<3>(1));
                state = Some(next);
            }
            assert_eq!(values(&Tensor::cat(steps, 1)), values(&whole.sequence));

            let mut stepper = layer.stepper().unwrap();
            let mut stream = stepper.start();
            let row: Vec<f32> = values(&x.clone().slice(1..2));
            let want = values(&whole.sequence.clone().slice(1..2));
            let hidden = want.len() / 7;
            for (t, x_t) in row.chunks_exact(3).enumerate() {
                if t == 4 {
                    stream = StepperState::restore(&stream.clone().save(2)).unwrap();
                }
                assert_eq!(stepper.step(x_t, &mut stream).unwrap(), &want[t * hidden..(t + 1) * hidden]);
            }
        }};
    }
    check!(RnnConfig::new(3, 5).with_layers(2).with_activation(Activation::Relu).init(&device));
    check!(LstmConfig::new(3, 5).with_layers(2).with_peepholes(true).with_forget_bias(Some(1.0)).init(&device));
    check!(GruConfig::new(3, 20).with_layers(2).init(&device));
    check!(GruConfig::new(3, 5).with_layers(2).with_reset(Reset::BeforeProduct).with_bias(false).init(&device));
}

#[test]
fn parameters_have_pytorchs_names_and_shapes_and_the_forget_bias_is_set() {
    let device = Device::default();
    let config = LstmConfig::new(3, 4).with_layers(2).with_bidirectional(true).with_peepholes(true);
    let layer = config.with_forget_bias(Some(1.0)).init(&device).unwrap();
    let parameters = layer.parameters();
    let shape = |name: &str| parameters[name].shape().to_vec();
    assert_eq!(parameters.len(), 20);
    assert_eq!(shape("weight_ih_l0"), [16, 3]);
    assert_eq!(shape("weight_ih_l1_reverse"), [16, 8]);
    assert_eq!(shape("weight_hh_l1"), [16, 4]);
    assert_eq!(shape("bias_hh_l0_reverse"), [16]);
    assert_eq!(shape("weight_peephole_l1_reverse"), [12]);
    assert_eq!(layer.num_params(), parameters.values().map(|data| data.num_elements()).sum::<usize>());
    let forget = |name: &str| parameters[name].iter::<f32>().skip(4).take(4).collect::<Vec<_>>();
    assert_eq!((forget("bias_ih_l0"), forget("bias_hh_l0")), (vec![1.0; 4], vec![0.0; 4]));

    let mut missing = parameters.clone();
    missing.remove("bias_hh_l1");
    let error = layer.clone().with_parameters(missing).unwrap_err().to_string();
    assert_eq!(error, "parameter bias_hh_l1: it is missing");
    let mut unknown = parameters.clone();
    unknown.insert("weight_hr_l0".into(), parameters["bias_ih_l0"].clone());
    let error = layer.clone().with_parameters(unknown).unwrap_err().to_string();
    assert_eq!(error, "parameter weight_hr_l0: the layer has none of this name");
    let mut wrong = parameters.clone();
    wrong.insert("bias_ih_l0".into(), parameters["weight_ih_l0"].clone());
    let error = layer.with_parameters(wrong).unwrap_err().to_string();
    assert_eq!(error, "parameter bias_ih_l0: its shape is [16, 3] but the layer has [16]");
}

#[test]
fn a_forget_bias_can_be_set_on_a_training_device_and_still_learns() {
    let device = Device::default().autodiff();
    let layer = LstmConfig::new(2, 3).with_forget_bias(Some(1.0)).init(&device).unwrap();
    let x = Tensor::<3>::random([1, 4, 2], Distribution::Default, &device);
    let gradients = layer.forward(x, None, None).unwrap().sequence.sum().backward();
    struct Count<'a>(&'a burn::tensor::Gradients, usize);
    impl burn::module::ModuleVisitor for Count<'_> {
        fn visit_float<const R: usize>(&mut self, param: &burn::module::Param<Tensor<R>>) {
            self.1 += usize::from(param.val().grad(self.0).is_some());
        }
    }
    let mut count = Count(&gradients, 0);
    layer.visit(&mut count);
    assert_eq!(count.1, 4, "both weights and both biases have a gradient");
}

#[test]
fn tanh_equals_burns_own_forward_and_backward() {
    let device = Device::default().autodiff();
    let x = Tensor::<2>::random([5, 33], Distribution::Normal(0.0, 3.0), &device).detach().require_grad();
    let upstream = Tensor::<2>::random([5, 33], Distribution::Default, &device).detach();
    let run = |y: Tensor<2>| {
        let gradients = (y.clone() * upstream.clone()).sum().backward();
        (values(&y), values(&x.grad(&gradients).unwrap()))
    };
    let (found, want) = (run(lookback_nn::ops::tanh(x.clone())), run(x.clone().tanh()));
    assert_close("tanh", &found.0, &want.0);
    assert_close("gradient of tanh", &found.1, &want.1);
}

#[test]
fn dropout_between_layers_works_in_training_alone() {
    let device = Device::default().autodiff();
    let layer = LstmConfig::new(3, 16).with_layers(2).with_dropout(0.5).init(&device).unwrap();
    let x = Tensor::<3>::random([2, 4, 3], Distribution::Default, &device);
    let run = |x: &Tensor<3>| values(&layer.forward(x.clone(), None, None).unwrap().sequence);
    assert_ne!(run(&x), run(&x), "training draws a new mask each time");
    let finished = layer.valid();
    let x = x.without_autodiff();
    let run = |x: &Tensor<3>| values(&finished.forward(x.clone(), None, None).unwrap().sequence);
    assert_eq!(run(&x), run(&x), "inference draws none");
}

#[test]
fn an_empty_batch_and_an_empty_sequence_give_empty_outputs() {
    let device = Device::default();
    let layer = GruConfig::new(3, 4).with_bidirectional(true).init(&device).unwrap();
    for (batch, time) in [(0, 5), (2, 0)] {
        let output = layer.forward(Tensor::zeros([batch, time, 3], &device), None, None).unwrap();
        assert_eq!(output.sequence.dims(), [batch, time, 8]);
        assert_eq!(values(&output.state.hidden), vec![0.0; 2 * batch * 4]);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_both_sides_named() {
    let device = Device::default();
    let layer = LstmConfig::new(3, 4).init(&device).unwrap();
    let both = LstmConfig::new(3, 4).with_bidirectional(true).init(&device).unwrap();
    let x = || Tensor::<3>::zeros([2, 5, 3], &device);
    let state = |shape: [usize; 3], cell: bool| {
        let zeros = || Tensor::<3>::zeros(shape, &device);
        Some(State { hidden: zeros(), cell: cell.then(zeros) })
    };
    let wide = Tensor::<3>::zeros([2, 5, 7], &device);
    let mut stepper = layer.stepper().unwrap();
    let mut stream = stepper.start();
    let cases: Vec<(&str, Error)> = vec![
        ("x is [2, 5, 7] but [B, T, 3]", layer.forward(wide, None, None).unwrap_err()),
        ("lengths is [1] but [2]", layer.forward(x(), Some(&[5]), None).unwrap_err()),
        ("lengths[1] is 6 but x has T = 5", layer.forward(x(), Some(&[5, 6]), None).unwrap_err()),
        ("state.hidden is [1, 3, 4] but [1, 2, 4]", layer.forward(x(), None, state([1, 3, 4], true)).unwrap_err()),
        ("the state lacks a cell state", layer.forward(x(), None, state([1, 2, 4], false)).unwrap_err()),
        (
            "the state has a cell state but the GRU has none",
            GruConfig::new(3, 4).init(&device).unwrap().forward(x(), None, state([1, 2, 4], true)).unwrap_err(),
        ),
        ("a bidirectional layer cannot step", both.step(Tensor::zeros([2, 3], &device), None).unwrap_err()),
        ("a bidirectional layer cannot step", both.stepper().unwrap_err()),
        ("x_t is [2] but [3]", stepper.step(&[0.0; 2], &mut stream).unwrap_err()),
        ("layers is 0", LstmConfig::new(3, 4).with_layers(0).init(&device).unwrap_err()),
        ("hidden is 0", RnnConfig::new(3, 0).init(&device).unwrap_err()),
        ("dropout is 1", GruConfig::new(3, 4).with_dropout(1.0).init(&device).unwrap_err()),
        (
            "forget_bias is Some(1.0) but must be none in a layer without biases",
            LstmConfig::new(3, 4).with_bias(false).with_forget_bias(Some(1.0)).init(&device).unwrap_err(),
        ),
    ];
    for (want, found) in cases {
        let found = found.to_string();
        assert!(found.starts_with(want), "{found:?} does not start with {want:?}");
    }
}

/// Weights packed once and their gradients summed once, against the layer's own forward pass.
#[test]
fn unrolled_steps_have_the_outputs_and_the_gradients_of_the_whole_sequence() {
    let device = Device::default().autodiff();
    let (batch, time, input, hidden) = (3, 5, 4, 6);
    let random = |shape: [usize; 3]| Tensor::<3>::random(shape, Distribution::Default, &device).detach().require_grad();
    macro_rules! compare {
        ($config:expr) => {
            let layer = $config.with_layers(2).init(&device).unwrap();
            let (x, upstream) = (random([batch, time, input]), random([batch, time, hidden]).detach());
            let whole = layer.forward(x.clone(), None, None).unwrap();
            let unrolled = layer.training_stepper().unwrap();
            let (mut state, mut outputs) = (None, Vec::new());
            for t in 0..time {
                let x_t = x.clone().slice([0..batch, t..t + 1]).squeeze_dim(1);
                let (y, next) = unrolled.step(x_t, state).unwrap();
                outputs.push(y.unsqueeze_dim::<3>(1));
                state = Some(next);
            }
            let steps = Tensor::cat(outputs, 1);
            assert_eq!(values(&steps), values(&whole.sequence));
            assert_eq!(state.as_ref().unwrap().save(), whole.state.save());
            let gradients = |sequence: Tensor<3>, state: &State| {
                let loss = (sequence * upstream.clone()).sum() + state.hidden.clone().sum();
                let gradients = loss.backward();
                let mut all: Vec<_> = lookback_nn::parameters::gradients(&layer, &gradients)
                    .into_iter()
                    .map(|(name, data)| (name, data.iter::<f32>().collect::<Vec<_>>()))
                    .collect();
                all.push(("x".into(), values(&x.grad(&gradients).unwrap())));
                all
            };
            let (found, want) = (gradients(steps, &state.unwrap()), gradients(whole.sequence, &whole.state));
            assert!(found.len() == want.len() && found.len() > 6);
            for ((name, found), (same, want)) in found.iter().zip(&want) {
                assert_eq!(name, same);
                let largest = want.iter().fold(0.1f32, |most, value| most.max(value.abs()));
                for (found, want) in found.iter().zip(want) {
                    assert!((found - want).abs() <= 1e-5 * largest, "{name}: {found}, want {want}");
                }
            }
        };
    }
    compare!(RnnConfig::new(input, hidden));
    compare!(LstmConfig::new(input, hidden));
    compare!(LstmConfig::new(input, hidden).with_peepholes(true).with_bias(false));
    compare!(GruConfig::new(input, hidden));
    compare!(GruConfig::new(input, hidden).with_reset(Reset::BeforeProduct));

    let both = LstmConfig::new(input, hidden).with_bidirectional(true).init(&device).unwrap();
    assert!(both.training_stepper().unwrap_err().to_string().contains("bidirectional"));
    let again = LstmConfig::new(input, hidden).with_recompute(true).init(&device).unwrap();
    let want = "recompute is true but must be false for single steps, which keep their gates";
    assert_eq!(again.training_stepper().unwrap_err().to_string(), want);
    let layer = LstmConfig::new(input, hidden).init(&device).unwrap().training_stepper().unwrap();
    let error = layer.step(Tensor::zeros([2, input + 1], &device), None).unwrap_err().to_string();
    assert!(error.starts_with("x_t is [2, 5] but [2, 4]"), "{error}");
    let (y, _) = layer.step(Tensor::zeros([0, input], &device), None).unwrap();
    assert_eq!(y.dims(), [0, hidden]);
}
