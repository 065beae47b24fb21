//! Parameters by name, as they stand in model files: PyTorch's names and layout.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::ModelPlan;
use super::model::{ClassifierModel, InputShape};
use crate::error::ModelFileError;
use crate::model_file::{self, ModelFile};

impl ClassifierModel {
    /// All parameters by name, `prefix` before each.
    pub(crate) fn tensors(&self, prefix: &str) -> BTreeMap<String, model_file::Tensor> {
        let mut read = Read { path: NamePath::default(), prefix, tensors: BTreeMap::new() };
        self.visit(&mut read);
        read.tensors
    }

    /// A network whose parameters are those of a file whose names begin with `prefix`, on a device without autodiff.
    pub(crate) fn load(
        plan: &ModelPlan,
        input: InputShape,
        labels: usize,
        device: &Device,
        file: &mut ModelFile,
        path: &Path,
        prefix: &str,
    ) -> Result<ClassifierModel, ModelFileError> {
        let model = ClassifierModel::undrawn(plan, input, labels, device).map_err(|problem| ModelFileError::Entry {
            file: path.into(),
            key: "config".into(),
            problem,
        })?;
        let mut write = Write { path: NamePath::default(), prefix, file, name: path, device, failure: None };
        let model = model.map(&mut write);
        match write.failure {
            Some(failure) => Err(failure),
            None => Ok(model.valid()),
        }
    }
}

/// Draws the random start of every parameter now, in the module's order; Burn would draw when first asked.
pub(super) fn draw(model: &ClassifierModel) {
    struct Draw;
    impl ModuleVisitor for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let _ = param.val();
        }
    }
    model.visit(&mut Draw);
}

/// Name and shape of every parameter, in the module's order, without giving it values.
pub(super) fn shapes(model: &ClassifierModel) -> Vec<(String, Vec<usize>)> {
    #[derive(Default)]
    struct Shapes {
        path: NamePath,
        shapes: Vec<(String, Vec<usize>)>,
    }
    impl ModuleVisitor for Shapes {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.path.enter(name, container_type);
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.shapes.push((self.path.name(), self.path.shape(param)));
        }
    }
    let mut shapes = Shapes::default();
    model.visit(&mut shapes);
    shapes.shapes
}

/// Names of fields down to a parameter. Variants of an enum are no part of a name.
#[derive(Default)]
struct NamePath(Vec<(Option<String>, bool)>);

impl NamePath {
    fn enter(&mut self, name: &str, container_type: &str) {
        let part = (!container_type.starts_with("Enum:")).then(|| name.to_string());
        // lookback-nn's own linear map, in multi-head attention, stands as in files.
        let own = self.0.last().is_some_and(|(name, _)| name.as_deref() == Some("out_proj"));
        self.0.push((part, container_type == "Struct:Linear" && name == "weight" && !own));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0.iter().filter_map(|(name, _)| name.as_deref()).collect::<Vec<_>>().join(".")
    }

    /// The shape that the parameter here has in a file; it need not hold values yet.
    fn shape<const D: usize>(&self, param: &Param<Tensor<D>>) -> Vec<usize> {
        let mut shape = param.lazy_shape().to_vec();
        if self.is_transposed() {
            shape.reverse();
        }
        shape
    }

    /// Burn keeps a dense layer's weight as `[input, output]`, PyTorch as `[output, input]`.
    fn is_transposed(&self) -> bool {
        self.0.last().is_some_and(|&(_, transposed)| transposed)
    }
}

struct Read<'a> {
    path: NamePath,
    prefix: &'a str,
    tensors: BTreeMap<String, model_file::Tensor>,
}

impl ModuleVisitor for Read<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.name();
        let mut tensor = param.val();
        if self.path.is_transposed() {
            tensor = tensor.swap_dims(0, 1);
        }
        let shape = tensor.dims().to_vec();
        let data = tensor.into_data().try_to_vec::<f32>().expect("Lookback keeps parameters in f32");
        self.tensors.insert(format!("{}{name}", self.prefix), model_file::Tensor { shape, data });
    }
}

struct Write<'a> {
    path: NamePath,
    prefix: &'a str,
    file: &'a mut ModelFile,
    name: &'a Path,
    device: &'a Device,
    failure: Option<ModelFileError>,
}

impl ModuleMapper for Write<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let (shape, transposed) = (self.path.shape(&param), self.path.is_transposed());
        match self.file.take_tensor(self.name, &format!("{}{name}", self.prefix), &shape) {
            Ok(tensor) => {
                let value = Tensor::from_data(TensorData::new(tensor.data, tensor.shape), self.device);
                Param::initialized(param.id, if transposed { value.swap_dims(0, 1) } else { value })
            }
            Err(failure) => {
                self.failure.get_or_insert(failure);
                param
            }
        }
    }
}
