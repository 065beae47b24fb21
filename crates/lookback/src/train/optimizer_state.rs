//! The optimiser's state as named tensors, and back.
//!
//! Burn gives it as a record in its own format, keyed by the parameters' ids, which are their numbers here.

use std::collections::BTreeMap;

use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{DType, TensorData};
use burn_pack::{Reader, Scalar, Writer};
use lookback_infer::model_file::Tensor;

/// Tensors by `parameter/field`, such as `output.weight/momentum.moment_1`, and numbers such as the count of steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OptimizerState {
    pub(super) tensors: BTreeMap<String, Tensor>,
    pub(super) scalars: BTreeMap<String, Scalar>,
}

impl OptimizerState {
    /// names: of the parameters, by their numbers.
    pub(super) fn of(optimizer: &ModuleOptimizer, names: &[String]) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("the optimiser's state cannot be read: {error}");
        let bytes = optimizer.to_record().into_bytes().map_err(|error| wrong(&error))?;
        let reader = Reader::from_bytes(bytes).map_err(|error| wrong(&error))?;
        let mut state = OptimizerState::default();
        for (key, scalar) in reader.scalars() {
            state.scalars.insert(named(key, names)?, *scalar);
        }
        for tensor in reader.into_tensors().map_err(|error| wrong(&error))? {
            let (key, dtype, shape, _, bytes) = tensor.into_parts().map_err(|error| wrong(&error))?;
            let data = TensorData::from_bytes(bytes, shape, dtype);
            let shape = data.shape().to_vec();
            let values = data.try_into_vec::<f32>().map_err(|error| wrong(&format!("{error:?}")))?;
            state.tensors.insert(named(&key, names)?, Tensor { shape, data: values });
        }
        Ok(state)
    }

    /// `optimizer`, which has no state yet, with this one.
    pub(super) fn put(self, optimizer: ModuleOptimizer, names: &[String]) -> Result<ModuleOptimizer, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("the optimiser's state does not fit: {error}");
        let mut tensors = Vec::new();
        for (name, tensor) in self.tensors {
            let (key, number) = numbered(&name, names)?;
            let (bytes, shape, dtype) = TensorData::new(tensor.data, tensor.shape).into_parts();
            debug_assert_eq!(dtype, DType::F32);
            tensors.push(burn_pack::Tensor::new(key, dtype, shape, Some(number), bytes));
        }
        let mut writer = Writer::new(tensors);
        for (name, scalar) in self.scalars {
            writer = writer.with_scalar(&numbered(&name, names)?.0, scalar);
        }
        let bytes = writer.into_bytes().map_err(|error| wrong(&error))?;
        let record = OptimizerRecord::from_bytes(bytes).map_err(|error| wrong(&error))?;
        Ok(optimizer.load_record(record))
    }
}

/// `17.momentum.time` with the name of the 17th parameter.
fn named(key: &str, names: &[String]) -> Result<String, String> {
    let unknown = || format!("the optimiser keeps \"{key}\", which is of no parameter");
    let (number, field) = key.split_once('.').ok_or_else(unknown)?;
    let number: usize = number.parse().map_err(|_| unknown())?;
    let name = number.checked_sub(1).and_then(|place| names.get(place)).ok_or_else(unknown)?;
    Ok(format!("{name}/{field}"))
}

/// The other way round, with the number by itself.
fn numbered(name: &str, names: &[String]) -> Result<(String, u64), String> {
    let unknown = || format!("\"{name}\" is of no parameter");
    let (parameter, field) = name.split_once('/').ok_or_else(unknown)?;
    let number = names.iter().position(|known| known == parameter).ok_or_else(unknown)? as u64 + 1;
    Ok((format!("{number}.{field}"), number))
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::{GradientsParams, RmsPropConfig, SgdConfig, momentum::MomentumConfig};
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::train::adam::Adam;
    use crate::train::numbered::numbered as number;

    fn gradients(model: &Linear, step: usize) -> GradientsParams {
        let x = Tensor::<2>::ones([3, 4], &Device::flex().autodiff()).mul_scalar(0.1 * step as f32);
        GradientsParams::from_grads(model.forward(x).sin().sum().backward(), model)
    }

    #[test]
    fn every_optimiser_goes_on_to_the_same_bits() {
        let device = Device::flex().autodiff();
        type Make = fn() -> ModuleOptimizer;
        let optimizers: [(&str, Make); 4] = [
            ("adam", || {
                ModuleOptimizer::from(Adam {
                    beta_1: 0.9,
                    beta_2: 0.99,
                    epsilon: 1e-8,
                    weight_decay: 0.1,
                    decoupled: true,
                })
            }),
            ("momentum", || SgdConfig::new().with_momentum(Some(MomentumConfig::new().with_momentum(0.9))).init()),
            ("sgd", || SgdConfig::new().init()),
            ("rmsprop", || RmsPropConfig::new().with_momentum(0.5).init()),
        ];
        for (name, make) in optimizers {
            device.seed(1);
            let (start, names) = number(LinearConfig::new(4, 2).init(&device));
            let (mut straight, mut optimizer) = (start, make());
            let mut halfway = None;
            for step in 0..10 {
                if step == 5 {
                    halfway = Some((straight.clone(), OptimizerState::of(&optimizer, &names).unwrap()));
                }
                let grads = gradients(&straight, step);
                straight = optimizer.step(0.01, straight, grads);
            }
            let (mut resumed, state) = halfway.unwrap();
            assert!(
                state.tensors.keys().all(|key| key.starts_with("weight/") || key.starts_with("bias/")),
                "{state:?}"
            );
            let mut optimizer = state.put(make(), &names).unwrap();
            for step in 5..10 {
                let grads = gradients(&resumed, step);
                resumed = optimizer.step(0.01, resumed, grads);
            }
            let bits = |model: Linear| model.valid().weight.val().into_data().try_to_vec::<f32>().unwrap();
            assert_eq!(bits(straight), bits(resumed), "{name}");
        }
    }
}
