//! Recurrent layers as a module of Burn's: their parameters in order, by PyTorch's names.

use burn::module::{Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use super::layers::{Direction, Recurrent};

impl Recurrent {
    /// The same layers with every parameter replaced.
    fn each(
        mut self,
        mut matrix: impl FnMut(Param<Tensor<2>>, &str) -> Param<Tensor<2>>,
        mut vector: impl FnMut(Param<Tensor<1>>, &str) -> Param<Tensor<1>>,
    ) -> Self {
        self.layers = self
            .layers
            .into_iter()
            .map(|layer| {
                layer
                    .into_iter()
                    .map(|direction| {
                        let name = |kind: &str| format!("{kind}{}", direction.suffix);
                        Direction {
                            weight_ih: matrix(direction.weight_ih, &name("weight_ih")),
                            weight_hh: matrix(direction.weight_hh, &name("weight_hh")),
                            bias: direction
                                .bias
                                .map(|[ih, hh]| [vector(ih, &name("bias_ih")), vector(hh, &name("bias_hh"))]),
                            peephole: direction.peephole.map(|p| vector(p, &name("weight_peephole"))),
                            suffix: direction.suffix,
                        }
                    })
                    .collect()
            })
            .collect();
        self
    }
}

impl Module for Recurrent {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.layers.iter().flatten().fold(devices, |devices, direction| {
            let devices = direction.weight_hh.collect_devices(direction.weight_ih.collect_devices(devices));
            let vectors = direction.bias.iter().flatten().chain(&direction.peephole);
            vectors.fold(devices, |devices, vector| vector.collect_devices(devices))
        })
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|p, _| p.fork(device), |p, _| p.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|p, _| p.to_device(device), |p, _| p.to_device(device))
    }

    fn train(mut self) -> Self {
        self.dropout = self.dropout.train();
        self.each(|p, _| p.train(), |p, _| p.train())
    }

    fn valid(&self) -> Self {
        let mut layers = self.clone().each(|p, _| p.valid(), |p, _| p.valid());
        layers.dropout = self.dropout.valid();
        layers
    }

    fn materialize(self) -> Self {
        self.each(|p, _| p.materialize(), |p, _| p.materialize())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        fn one<Visitor: ModuleVisitor, const R: usize>(visitor: &mut Visitor, name: &str, param: &Param<Tensor<R>>) {
            visitor.enter_module(name, "Recurrent");
            param.visit(visitor);
            visitor.exit_module(name, "Recurrent");
        }
        for direction in self.layers.iter().flatten() {
            one(visitor, &direction.name("weight_ih"), &direction.weight_ih);
            one(visitor, &direction.name("weight_hh"), &direction.weight_hh);
            for (param, name) in direction.bias.iter().flatten().zip(["bias_ih", "bias_hh"]) {
                one(visitor, &direction.name(name), param);
            }
            if let Some(peephole) = &direction.peephole {
                one(visitor, &direction.name("weight_peephole"), peephole);
            }
        }
        self.dropout.visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(mut self, mapper: &mut Mapper) -> Self {
        fn one<Mapper: ModuleMapper, const R: usize>(
            mapper: &mut Mapper,
            name: &str,
            param: Param<Tensor<R>>,
        ) -> Param<Tensor<R>> {
            mapper.enter_module(name, "Recurrent");
            let param = Module::map(param, mapper);
            mapper.exit_module(name, "Recurrent");
            param
        }
        let mapper = std::cell::RefCell::new(mapper);
        let dropout = self.dropout.clone().map(&mut **mapper.borrow_mut());
        self.dropout = dropout;
        self.each(
            |param, name| one(&mut **mapper.borrow_mut(), name, param),
            |param, name| one(&mut **mapper.borrow_mut(), name, param),
        )
    }
}

impl ModuleDisplayDefault for Recurrent {
    fn content(&self, content: Content) -> Option<Content> {
        content
            .set_top_level_type(self.cell().name())
            .add("input", &self.input)
            .add("hidden", &self.hidden)
            .add("layers", &self.layers.len())
            .add("directions", &self.directions())
            .optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for Recurrent {}
