//! Recurrent layers: sizes that no memory holds, states and parameters of other types.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use lookback_kernels::{Cell, Dims};
use lookback_nn::ops::{DirectionTensors, LayerSpec, composite, recurrent};
use lookback_nn::{GruConfig, LstmConfig, RnnConfig, SavedState, State, StepperState};

use super::{Table, devices, random};

#[test]
fn sizes_that_cannot_be_counted_or_held_are_refused() {
    let mut table = Table::default();
    // More than any address space, whatever a system promises beyond its memory.
    let (most, large) = (usize::MAX, 1 << 50);
    for (input, hidden, layers, words) in [
        (0, 4, 1, "input is 0 but must be at least 1"),
        (3, 4, 0, "layers is 0 but must be at least 1"),
        (most, 1, 1, "weight_ih would be"),
        (1, most, 1, "weight_ih would be"),
        (large, large, 1, "[4503599627370496, 1125899906842624] in f32, which no memory holds"),
        (large, 4, 1, "which no memory holds"),
        (1, 1, most, "weight_hh would be"),
        (1, 4, large, "weight_hh would be 1125899906842624 times [16, 4] in f32, which no memory holds"),
    ] {
        let name = format!("input {input}, hidden {hidden}, {layers} layers");
        table.refuses(&name, words, || LstmConfig::new(input, hidden).with_layers(layers).init(&Device::flex()));
        let words = words.split('[').next().unwrap();
        let words = if words.is_empty() { "which no memory holds" } else { words };
        table.refuses(&name, words, || GruConfig::new(input, hidden).with_layers(layers).init(&Device::flex()));
        table.refuses(&name, words, || RnnConfig::new(input, hidden).with_layers(layers).init(&Device::flex()));
    }
    let config = || LstmConfig::new(3, 4).with_layers(2);
    for dropout in [1.0, -0.1, f64::NAN, f64::INFINITY, 0.999_999_999_999] {
        let words = "but must be from 0 to less than 1";
        table.refuses(&format!("dropout {dropout}"), words, || config().with_dropout(dropout).init(&Device::flex()));
    }
}

#[test]
fn saved_states_of_shapes_that_wrap_are_refused() {
    let mut table = Table::default();
    let saved = |shape| SavedState { shape, hidden: vec![], cell: None };
    for shape in [
        [usize::MAX, 2, 4],
        [0, usize::MAX, usize::MAX],
        [0, 1, usize::MAX],
        [usize::MAX, 1, 0],
        [1 << 63, 2, 1],
        [1 << 32, 1, 1 << 32],
    ] {
        let words = format!("the product of {shape:?} was expected");
        table.refuses(&format!("{shape:?}"), &words, || State::restore(&saved(shape), &Device::flex()));
        table.refuses(&format!("{shape:?} of a stream"), &words, || StepperState::restore(&saved(shape)));
    }
    table.runs("no rows", || State::restore(&saved([2, 0, 4]), &Device::flex()), |s| s.hidden.dims() == [2, 0, 4]);

    let stepper = LstmConfig::new(3, 4).with_layers(2).init(&Device::flex()).unwrap().stepper().unwrap();
    for layers in [0, 3, 7, usize::MAX] {
        let words = "the saved state is [8] but the product of";
        table.refuses(&format!("save({layers})"), words, || StepperState::restore(&stepper.start().save(layers)));
    }
}

#[test]
fn a_step_of_another_width_is_refused_whether_or_not_the_weights_are_packed() {
    let mut table = Table::default();
    for device in devices() {
        let layer = LstmConfig::new(3, 4).with_layers(2).init(&device).unwrap();
        let unrolled = layer.training_stepper().unwrap();
        for (rows, width) in [(2, 4), (1, 0), (0, 0), (0, 4)] {
            let (name, words) = (format!("{rows} {width}"), format!("x_t is [{rows}, {width}] but [{rows}, 3]"));
            table.refuses(&name, &words, || layer.step(random([rows, width], &device), None));
            table.refuses(&format!("unrolled, {name}"), &words, || unrolled.step(random([rows, width], &device), None));
        }
        let (_, state) = unrolled.step(random([2, 3], &device), None).unwrap();
        let words = "state.hidden is [2, 2, 4] but [2, 3, 4]";
        table.refuses("other rows", words, || unrolled.step(random([3, 3], &device), Some(state)));
        table.refuses("type", "x is F64 but", || unrolled.step(random([2, 3], &device).cast(DType::F64), None));
    }
}

/// Vectors in f64 beside matrices in f32, as a mapper or a record may leave a module.
pub(crate) struct Wide;

impl ModuleMapper for Wide {
    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        if R == 1 { Param::from_tensor(param.val().cast(DType::F64).detach()) } else { param }
    }
}

#[test]
fn parameters_of_several_types_are_refused() {
    let mut table = Table::default();
    for device in devices() {
        let layer = GruConfig::new(3, 4).init(&device).unwrap().map(&mut Wide);
        let x = || random([2, 5, 3], &device);
        table.refuses("forward", "bias_ih is F64 but x is F32", || layer.forward(x(), None, None));
        table.refuses("f64", "is F64 but the layer's parameters are F32", || {
            layer.forward(x().cast(DType::F64), None, None)
        });
        table.refuses("unrolled", "bias_ih is F64 but weight_ih_l0 is F32", || layer.training_stepper());
    }
}

/// The operation itself, below the layers.
#[test]
fn one_layer_is_compared_with_its_tensors() {
    let mut table = Table::default();
    let dims = Dims { batch: 2, time: 5, input: 3, hidden: 4, directions: 1 };
    let lengths = Some([5, 2].into());
    let spec =
        LayerSpec { cell: Cell::Lstm, dims, lengths, bias: false, peephole: false, state: true, recompute: false };
    for device in devices() {
        let right = || DirectionTensors {
            weight_ih: random([16, 3], &device),
            weight_hh: random([16, 4], &device),
            bias: None,
            peephole: None,
        };
        let state = || Some(random([1, 2, 4], &device));
        let wide = || DirectionTensors { weight_hh: right().weight_hh.cast(DType::F64), ..right() };
        let narrow = || DirectionTensors { weight_ih: random([16, 2], &device), ..right() };
        let biased = || DirectionTensors { bias: Some([random([16], &device), random([16], &device)]), ..right() };
        let long = LayerSpec { lengths: Some([6, 1].into()), ..spec.clone() };
        let four = LayerSpec { dims: Dims { directions: 4, ..dims }, ..spec.clone() };
        let gru = LayerSpec { cell: Cell::Gru(lookback_nn::Reset::AfterProduct), peephole: true, ..spec.clone() };
        let x = || random([2, 5, 3], &device);
        for (name, words, x, h0, c0, parameters, spec) in [
            ("x", "x is [2, 4, 3] but [2, 5, 3]", random([2, 4, 3], &device), state(), state(), vec![right()], &spec),
            ("h0", "h0 is [1, 3, 4] but", x(), Some(random([1, 3, 4], &device)), state(), vec![right()], &spec),
            ("no c0", "c0 is left out but must be given", x(), state(), None, vec![right()], &spec),
            ("directions", "parameters is 2 but must be", x(), state(), state(), vec![right(), right()], &spec),
            ("four directions", "of which there are 1 or 2", x(), state(), state(), vec![right()], &four),
            ("width", "weight_ih is [16, 2] but [16, 3]", x(), state(), state(), vec![narrow()], &spec),
            ("type", "weight_hh is F64 but x is F32", x(), state(), state(), vec![wide()], &spec),
            ("bias", "bias is given but must be left out", x(), state(), state(), vec![biased()], &spec),
            ("lengths", "lengths[0] is 6 but x has T = 5", x(), state(), state(), vec![right()], &long),
            ("peepholes of a GRU", "peephole is given but", x(), state(), state(), vec![right()], &gru),
        ] {
            let (own, also) = ((x.clone(), h0.clone(), c0.clone(), parameters.clone()), spec.clone());
            table.refuses(name, words, || recurrent(own.0, own.1, own.2, own.3, also));
            table.refuses(name, words, || composite(x, h0, c0, parameters, spec));
        }
    }
}
