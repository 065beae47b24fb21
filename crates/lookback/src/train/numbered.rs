//! The parameters of a network under numbers that are the same in every process.
//!
//! Burn gives every parameter a new id when it is made, and keys gradients and the optimiser's state by it. What a
//! checkpoint keeps must be found again, so parameters are numbered in the network's order, from 1; the names of
//! [`lookback_nn::parameters`] stand in the same order.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;
use lookback_nn::parameters;

/// The network with numbered parameters, and their names by number, the first being that of number 1.
pub(super) fn numbered<M: Module>(network: M) -> (M, Vec<String>) {
    struct Number(u64);
    impl ModuleMapper for Number {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1;
            let (_, value, mapper) = param.consume();
            Param::from_mapped_value(ParamId::from(self.0), value, mapper)
        }
    }
    let names = parameters::shapes(&network, "").into_iter().map(|(name, _)| name).collect();
    (network.map(&mut Number(0)), names)
}
