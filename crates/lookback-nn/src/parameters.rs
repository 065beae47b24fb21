//! Parameters and gradients of any module by name, in PyTorch's names and layout.
//!
//! A name is the path of fields down to a parameter, joined by dots: `encoder.weight_ih_l0`. Elements of a list count from
//! 0, as in PyTorch's `ModuleList`; the variants of an enum, and the fields of a tuple struct, are no part of a name.
//!
//! A parameter is given as its module keeps it. This crate's modules keep all of them in PyTorch's layout, the weight of a
//! [`crate::Linear`] as `[outputs, inputs]`; Burn's own `Linear` keeps and gives it as `[inputs, outputs]`.
//!
//! ```
//! use burn::tensor::Device;
//! use lookback_nn::{GruConfig, parameters};
//!
//! let gru = GruConfig::new(3, 4).init(&Device::default())?;
//! let shapes = parameters::shapes(&gru, "encoder.");
//! assert_eq!(shapes[0], ("encoder.weight_ih_l0".to_owned(), vec![12, 3]));
//! let copy = parameters::replace(gru.clone(), parameters::read(&gru, ""))?;
//! assert_eq!(parameters::values(&copy, ""), parameters::values(&gru, ""));
//! # Ok::<(), lookback_nn::Error>(())
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use crate::Error;

/// A parameter's plain values.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

/// Name and shape of every parameter, in the module's order, `prefix` before each name. None is given values.
pub fn shapes<M: Module>(module: &M, prefix: &str) -> Vec<(String, Vec<usize>)> {
    struct Shapes(Vec<(String, Vec<usize>)>);
    impl Look for Shapes {
        fn at<const R: usize>(&mut self, name: String, param: &Param<Tensor<R>>) {
            self.0.push((name, shape(param)));
        }
    }
    walk(module, prefix, Shapes(Vec::new())).0
}

/// Draws the random start of every parameter now, in the module's order. Burn would draw each when it is first asked for.
pub fn initialise<M: Module>(module: &M) {
    struct Draw;
    impl ModuleVisitor for Draw {
        fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
            let _ = param.base();
        }
    }
    module.visit(&mut Draw);
}

/// All parameters by name, `prefix` before each.
pub fn read<M: Module>(module: &M, prefix: &str) -> BTreeMap<String, TensorData> {
    struct Read(BTreeMap<String, TensorData>);
    impl Look for Read {
        fn at<const R: usize>(&mut self, name: String, param: &Param<Tensor<R>>) {
            self.0.insert(name, param.transform_for_save().val().into_data());
        }
    }
    walk(module, prefix, Read(BTreeMap::new())).0
}

/// All parameters by name, `prefix` before each, as plain values in f32.
pub fn values<M: Module>(module: &M, prefix: &str) -> BTreeMap<String, Values> {
    let plain = |data: TensorData| {
        let shape = data.shape().to_vec();
        Values { shape, values: data.convert::<f32>().try_into_vec::<f32>().expect("it was converted") }
    };
    read(module, prefix).into_iter().map(|(name, data)| (name, plain(data))).collect()
}

/// The gradients of all parameters by name; a parameter that took no part is left out.
pub fn gradients<M: Module>(module: &M, gradients: &Gradients) -> BTreeMap<String, TensorData> {
    struct Read<'a>(&'a Gradients, BTreeMap<String, TensorData>);
    impl Look for Read<'_> {
        fn at<const R: usize>(&mut self, name: String, param: &Param<Tensor<R>>) {
            if let Some(gradient) = param.val().grad(self.0) {
                self.1.insert(name, gradient.into_data());
            }
        }
    }
    walk(module, "", Read(gradients, BTreeMap::new())).1
}

/// The module with parameters from a source that may fail, such as a file. It is asked for each by name, `prefix` before
/// it, and shape, in the module's order; a parameter that has no values yet is not drawn before.
///
/// # Errors
/// The source's first, or [`Error::Parameter`] for values of another shape than was asked for. Nothing more is asked for
/// then.
pub fn write<M: Module, E: From<Error>>(
    module: M,
    prefix: &str,
    source: impl FnMut(&str, &[usize]) -> Result<TensorData, E>,
) -> Result<M, E> {
    let mut write = Write { path: Path::new(prefix), source, failure: None };
    let module = module.map(&mut write);
    write.failure.map_or(Ok(module), Err)
}

/// The module with these parameters, every one of them and no other.
///
/// # Errors
/// [`Error::Parameter`] for a name that is missing or unknown, or a shape that does not fit.
pub fn replace<M: Module>(module: M, mut parameters: BTreeMap<String, TensorData>) -> Result<M, Error> {
    let problem = |name: &str, problem: &str| Error::Parameter { name: name.into(), problem: problem.into() };
    let module = write(module, "", |name, _| parameters.remove(name).ok_or_else(|| problem(name, "it is missing")))?;
    match parameters.keys().next() {
        Some(name) => Err(problem(name, "the layer has none of this name")),
        None => Ok(module),
    }
}

/// The shape that a parameter is saved with; it need not hold values yet.
fn shape<const R: usize>(param: &Param<Tensor<R>>) -> Vec<usize> {
    match param.is_initialized() {
        true => param.transform_for_save().val().dims().to_vec(),
        false => param.lazy_shape().to_vec(),
    }
}

/// The fields down to a parameter.
#[derive(Debug)]
struct Path<'a> {
    prefix: &'a str,
    /// `None` where a field is no part of the name.
    parts: Vec<Option<String>>,
}

impl<'a> Path<'a> {
    fn new(prefix: &'a str) -> Self {
        Path { prefix, parts: Vec::new() }
    }

    fn enter(&mut self, name: &str, container: &str) {
        let unnamed = container.starts_with("Struct:") && name.parse::<usize>().is_ok();
        self.parts.push((!container.starts_with("Enum:") && !unnamed).then(|| name.to_owned()));
    }

    fn exit(&mut self) {
        self.parts.pop();
    }

    fn name(&self) -> String {
        let parts: Vec<_> = self.parts.iter().filter_map(Option::as_deref).collect();
        format!("{}{}", self.prefix, parts.join("."))
    }
}

/// What is done at each parameter, whatever its rank.
trait Look {
    fn at<const R: usize>(&mut self, name: String, param: &Param<Tensor<R>>);
}

/// Looks at every parameter, in the module's order.
fn walk<M: Module, L: Look>(module: &M, prefix: &str, look: L) -> L {
    let mut walk = Walk { path: Path::new(prefix), look };
    module.visit(&mut walk);
    walk.look
}

struct Walk<'a, L> {
    path: Path<'a>,
    look: L,
}

impl<L: Look> ModuleVisitor for Walk<'_, L> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        self.look.at(self.path.name(), param);
    }
}

struct Write<'a, S, E> {
    path: Path<'a>,
    source: S,
    failure: Option<E>,
}

impl<E: From<Error>, S: FnMut(&str, &[usize]) -> Result<TensorData, E>> ModuleMapper for Write<'_, S, E> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        if self.failure.is_some() {
            return param;
        }
        let (name, shape) = (self.path.name(), shape(&param));
        match (self.source)(&name, &shape) {
            Ok(data) if data.shape().to_vec() == shape => {
                let (device, id) = (param.lazy_device(), param.id);
                return param.transform_for_load(Tensor::from_data(data, &device), id);
            }
            Ok(data) => {
                let problem = format!("its shape is {:?} but the layer has {shape:?}", data.shape().to_vec());
                self.failure = Some(Error::Parameter { name, problem }.into());
            }
            Err(failure) => self.failure = Some(failure),
        }
        param
    }
}
