//! Names, shapes and values of modules that hold other modules in every way there is.

use std::sync::{Arc, Mutex};

use burn::module::{Initializer, Module, Param, ParamId};
use burn::nn::{Linear as BurnLinear, LinearConfig as BurnLinearConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::{Values, gradients, initialise, read, replace, shapes, values, write};
use crate::{Error, Gru, GruConfig, Linear, LinearConfig};

#[derive(Module, Debug)]
enum Either {
    Reader(Gru),
    #[allow(dead_code, reason = "an enum has another variant")]
    Map(Linear),
}

#[derive(Module, Debug)]
struct Whole {
    reader: Either,
    list: Vec<Linear>,
    absent: Option<Linear>,
    burn: BurnLinear,
    own: Param<Tensor<1>>,
}

fn whole(device: &Device) -> Whole {
    Whole {
        reader: Either::Reader(GruConfig::new(2, 3).with_bias(false).init(device).unwrap()),
        list: [1, 2].map(|outputs| LinearConfig::new(3, outputs).init(device).unwrap()).into(),
        absent: None,
        burn: BurnLinearConfig::new(3, 5).init(device),
        own: Initializer::Zeros.init([4], device),
    }
}

const NAMES: [(&str, &[usize]); 9] = [
    ("reader.weight_ih_l0", &[9, 2]),
    ("reader.weight_hh_l0", &[9, 3]),
    ("list.0.weight", &[1, 3]),
    ("list.0.bias", &[1]),
    ("list.1.weight", &[2, 3]),
    ("list.1.bias", &[2]),
    // Burn's own linear map, as Burn has it.
    ("burn.weight", &[3, 5]),
    ("burn.bias", &[5]),
    ("own", &[4]),
];

#[test]
fn names_are_paths_of_fields_and_shapes_give_no_values() {
    let module = whole(&Device::flex());
    let expected: Vec<_> = NAMES.map(|(name, shape)| (format!("a.{name}"), shape.to_vec())).into();
    assert_eq!(shapes(&module, "a."), expected);
    let drawn = |module: &Whole| [&module.list[0].weight, &module.burn.weight].map(Param::is_initialized);
    assert_eq!(drawn(&module), [false; 2]);
    initialise(&module);
    assert_eq!(drawn(&module), [true; 2]);
    assert_eq!(shapes(&module, "a."), expected);
    let found: Vec<_> = read(&module, "a.").into_iter().map(|(name, data)| (name, data.shape().to_vec())).collect();
    let mut sorted = expected;
    sorted.sort();
    assert_eq!(found, sorted);
}

#[derive(Module, Debug)]
struct Two {
    first: Param<Tensor<1>>,
    second: Param<Tensor<1>>,
}

#[test]
fn initial_values_are_drawn_once_in_the_modules_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let param = |name: &'static str| {
        let order = order.clone();
        let draw = move |device: &Device, _: bool| {
            order.lock().unwrap().push(name);
            Tensor::<1>::zeros([1], device)
        };
        Param::uninitialized(ParamId::new(), draw, Device::flex(), true, [1].into())
    };
    let (second, first) = (param("second"), param("first"));
    let module = Two { first, second };
    initialise(&module);
    let _ = (values(&module, ""), module.second.val());
    assert_eq!(*order.lock().unwrap(), ["first", "second"]);
}

#[test]
fn what_is_read_is_written_and_learns_where_it_did() {
    let device = Device::flex().autodiff();
    let (from, to) = (whole(&device), whole(&device));
    let plain = values(&from, "x.");
    // A source that knows plain values alone.
    let filled = write(to, "x.", |name, shape| {
        let Values { shape: own, values } = plain[name].clone();
        assert_eq!(own, shape);
        Ok::<_, Error>(TensorData::new(values, own))
    });
    let filled = filled.unwrap();
    assert_eq!(values(&filled, "x."), plain);
    let loss = filled.list[1].forward(Tensor::<2>::ones([4, 3], &device)).unwrap().sum();
    let found = gradients(&filled, &loss.backward());
    assert_eq!(found.keys().collect::<Vec<_>>(), ["list.1.bias", "list.1.weight"]);
    assert_eq!(found["list.1.weight"].iter::<f32>().collect::<Vec<_>>(), [4.0; 6]);
    // What has no gradients now gets them back in training.
    let finished = replace(filled.valid(), read(&from, "")).unwrap();
    assert!(!finished.list[0].weight.val().is_require_grad());
    assert!(finished.train().list[0].weight.val().is_require_grad());
}

#[test]
fn a_column_layout_of_burns_is_read_as_it_is_saved_drawn_or_not() {
    use burn::nn::LinearLayout;
    let layer = BurnLinearConfig::new(3, 2).with_layout(LinearLayout::Col).init(&Device::flex());
    let expected = ("weight".to_owned(), vec![2, 3]);
    assert_eq!(shapes(&layer, "")[0], expected);
    initialise(&layer);
    assert_eq!(shapes(&layer, "")[0], expected);
    let copy = replace(layer.clone(), read(&layer, "")).unwrap();
    assert_eq!(copy.weight.val().into_data(), layer.weight.val().into_data());
}

#[test]
fn other_types_are_read_as_f32_and_kept_by_read() {
    let layer = LinearConfig::new(2, 1).init(&Device::flex()).unwrap();
    let wide = Linear { weight: Param::from_tensor(layer.weight.val().cast(DType::F64)), ..layer.clone() };
    assert_eq!(values(&wide, ""), values(&layer, ""));
    assert_eq!(read(&wide, "")["weight"].dtype(), DType::F64);
}

#[derive(Debug, PartialEq)]
enum Failure {
    Source(String),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

#[test]
fn a_source_that_fails_ends_it_and_another_shape_is_refused() {
    let device = Device::flex();
    let mut asked = Vec::new();
    let failed = write(whole(&device), "", |name, shape: &[usize]| {
        asked.push(name.to_owned());
        match name {
            "list.0.weight" => Err(Failure::Source("the file ends".into())),
            _ => Ok(TensorData::zeros::<f32, _>(shape.to_vec())),
        }
    });
    assert_eq!(failed.unwrap_err(), Failure::Source("the file ends".into()));
    assert_eq!(asked.last().unwrap(), "list.0.weight", "nothing is asked for after it");
    let wrong = write(whole(&device), "", |_, _| Ok::<_, Failure>(TensorData::zeros::<f32, _>([7])));
    let problem = "its shape is [7] but the layer has [9, 2]".to_owned();
    let error = Error::Parameter { name: "reader.weight_ih_l0".into(), problem };
    assert_eq!(wrong.unwrap_err(), Failure::Other(error));

    let mut all = read(&whole(&device), "");
    all.insert("extra".into(), TensorData::zeros::<f32, _>([1]));
    let error = replace(whole(&device), all.clone()).unwrap_err().to_string();
    assert_eq!(error, "parameter extra: the layer has none of this name");
    all.remove("own");
    assert_eq!(replace(whole(&device), all).unwrap_err().to_string(), "parameter own: it is missing");
}
