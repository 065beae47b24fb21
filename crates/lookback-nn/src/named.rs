//! Parameters and gradients of any module by name, in PyTorch's names and layout.
//!
//! A name is the path of fields, joined by dots. Burn keeps the weight of a `Linear` as `[input, output]`; by name it
//! is `[output, input]`, as in PyTorch.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use crate::Error;

/// All parameters of a module by name.
pub fn parameters<M: Module>(module: &M) -> BTreeMap<String, TensorData> {
    read(module, None)
}

/// The gradients of all parameters by name; a parameter that took no part is left out.
pub fn gradients<M: Module>(module: &M, gradients: &Gradients) -> BTreeMap<String, TensorData> {
    read(module, Some(gradients))
}

fn read<M: Module>(module: &M, gradients: Option<&Gradients>) -> BTreeMap<String, TensorData> {
    let mut read = Read { path: Path::default(), gradients, all: BTreeMap::new() };
    module.visit(&mut read);
    read.all
}

/// The module with these parameters, every one of them and no other.
///
/// # Errors
/// [`Error::Parameter`] for a name that is missing or unknown, or a shape that does not fit.
pub fn with_parameters<M: Module>(module: M, parameters: BTreeMap<String, TensorData>) -> Result<M, Error> {
    let mut write = Write { path: Path::default(), parameters, problem: None };
    let module = module.map(&mut write);
    if let Some(error) = write.problem {
        return Err(error);
    }
    match write.parameters.into_keys().next() {
        Some(name) => Err(Error::Parameter { name, problem: "the layer has no parameter of that name".into() }),
        None => Ok(module),
    }
}

/// The fields down to a parameter, each with whether it is the weight of a `Linear`. Variants of an enum, and fields
/// of a tuple struct, are no part of a name.
#[derive(Debug, Default)]
struct Path(Vec<(Option<String>, bool)>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        let part = !container.starts_with("Enum:") && name.parse::<usize>().is_err();
        self.0.push((part.then(|| name.to_owned()), container == "Struct:Linear" && name == "weight"));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0.iter().filter_map(|(name, _)| name.as_deref()).collect::<Vec<_>>().join(".")
    }

    fn is_transposed(&self) -> bool {
        self.0.last().is_some_and(|&(_, transposed)| transposed)
    }
}

struct Read<'a> {
    path: Path,
    gradients: Option<&'a Gradients>,
    all: BTreeMap<String, TensorData>,
}

impl ModuleVisitor for Read<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        let value = match self.gradients {
            Some(gradients) => param.val().grad(gradients),
            None => Some(param.val()),
        };
        if let Some(value) = value {
            let value = if self.path.is_transposed() { value.swap_dims(0, 1) } else { value };
            self.all.insert(self.path.name(), value.into_data());
        }
    }
}

struct Write {
    path: Path,
    parameters: BTreeMap<String, TensorData>,
    problem: Option<Error>,
}

impl ModuleMapper for Write {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const R: usize>(&mut self, param: Param<Tensor<R>>) -> Param<Tensor<R>> {
        let name = self.path.name();
        let old = param.val();
        let mut shape = old.dims().to_vec();
        if self.path.is_transposed() {
            shape.reverse();
        }
        let problem = match self.parameters.remove(&name) {
            Some(data) if data.shape().to_vec() == shape => {
                let value = Tensor::from_data(data, &old.device());
                let value = if self.path.is_transposed() { value.swap_dims(0, 1) } else { value };
                return Param::initialized(param.id, value.detach().set_require_grad(old.is_require_grad()));
            }
            Some(data) => format!("its shape is {:?} but the layer has {shape:?}", data.shape().to_vec()),
            None => "it is missing".into(),
        };
        self.problem.get_or_insert(Error::Parameter { name, problem });
        param
    }
}
