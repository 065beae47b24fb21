//! The public layers: [`Stack`] under the field's three names.

use std::collections::BTreeMap;

use burn::module::{Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor, TensorData};

use super::stack::Stack;
use super::{Output, State, Stepper, Unrolled};
use crate::{Error, parameters};

macro_rules! layer {
    ($(#[$doc:meta])* $layer:ident) => {
        $(#[$doc])*
        ///
        /// Parameters have PyTorch's names and layout: `weight_ih_l0 [G*H, I]`, `weight_hh_l0 [G*H, H]`,
        /// `bias_ih_l0 [G*H]`, `bias_hh_l0 [G*H]`, then `.._l1`, and `.._reverse` for the other direction.
        #[derive(Debug, Clone)]
        pub struct $layer(pub(super) Stack);

        impl $layer {
            /// Runs the layers over a batch.
            ///
            /// x: `[B, T, I]`; steps at or past `lengths[b]` are never read. lengths: `[B]`, each from 0 to
            /// `T`, in any order; `None`: all `T`. state: what the rows start from; `None`: zeros.
            ///
            /// # Errors
            /// When a shape or an element type does not fit, both sides named.
            pub fn forward(
                &self,
                x: Tensor<3>,
                lengths: Option<&[usize]>,
                state: Option<State>,
            ) -> Result<Output, Error> {
                self.0.forward(x, lengths, state)
            }

            /// One step of every row: x_t `[B, I]` to `[B, H]` and the new state. Stepping through a sequence
            /// gives what [`Self::forward`] gives, bit for bit. For many steps of a finished model
            /// [`Self::stepper`] is faster, and in training [`Self::unrolled`]: they pack the weights once.
            ///
            /// # Errors
            /// For a bidirectional layer, and when a shape or an element type does not fit.
            pub fn step(&self, x_t: Tensor<2>, state: Option<State>) -> Result<(Tensor<2>, State), Error> {
                self.0.step(x_t, state)
            }

            /// A copy of the weights, packed to stream one step after another over plain slices.
            ///
            /// # Errors
            /// For a bidirectional layer.
            pub fn stepper(&self) -> Result<Stepper, Error> {
                Stepper::new(&self.0)
            }

            /// The layers for the many steps of one sequence, in training too: the weights are packed once, and
            /// their gradients summed once.
            ///
            /// # Errors
            /// For a bidirectional layer, one that recomputes, and parameters of several element types.
            pub fn unrolled(&self) -> Result<Unrolled, Error> {
                Unrolled::new(&self.0)
            }

            /// All parameters by PyTorch's names.
            pub fn parameters(&self) -> BTreeMap<String, TensorData> {
                parameters::read(self, "")
            }

            /// The layer with these parameters, by PyTorch's names, every one of them and no other.
            ///
            /// # Errors
            /// [`Error::Parameter`] for a name that is missing or unknown, or a shape that does not fit.
            pub fn with_parameters(self, parameters: BTreeMap<String, TensorData>) -> Result<Self, Error> {
                parameters::replace(self, parameters)
            }
        }

        impl Module for $layer {
            fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
                self.0.collect_devices(devices)
            }
            fn fork(self, device: &Device) -> Self {
                $layer(self.0.fork(device))
            }
            fn to_device(self, device: &Device) -> Self {
                $layer(self.0.to_device(device))
            }
            fn train(self) -> Self {
                $layer(self.0.train())
            }
            fn valid(&self) -> Self {
                $layer(self.0.valid())
            }
            fn materialize(self) -> Self {
                $layer(self.0.materialize())
            }
            fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
                self.0.visit(visitor);
            }
            fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
                $layer(self.0.map(mapper))
            }
        }

        impl ModuleDisplayDefault for $layer {
            fn content(&self, content: Content) -> Option<Content> {
                self.0.describe(content)
            }
            fn num_params(&self) -> usize {
                Module::num_params(&self.0)
            }
        }

        impl ModuleDisplay for $layer {}
    };
}

layer!(
    /// A plain recurrent network (Elman 1990): `h = act(W x + b + U h_prev + b')`.
    Rnn
);
layer!(
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, Gers 2000), gates in the order `i, f, g, o`.
    /// Peepholes, where there are any, are `weight_peephole_l0 [3*H]`, in the order `i, f, o`.
    Lstm
);
layer!(
    /// The gated recurrent unit (Cho 2014), gates in the order `r, z, n`.
    Gru
);
