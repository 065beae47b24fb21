//! What is run step by step, with something else between the steps, and learns.
//!
//! A decoder uses the same weights at every step. Step operations of their own would pack them again each time, and each
//! would give a gradient as large as the weights. Here an opening operation packs them once and gives a token; every step
//! reads the token, computes with what was packed, and in its backward pass leaves what the gradient of the weights needs.
//! The opening operation's own backward pass comes after those of all steps, for they depend on it: it makes one product
//! over all of them.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use burn::tensor::{DType, Device, Tensor};
use lookback_kernels::linear::{LinearDims, PackedLinear, bias_gradient, weight_gradient};
use lookback_kernels::{Cell, Inputs, Unrolled, UnrolledSteps, Upstream, Weights, Workspace};
use rayon::current_num_threads;

use super::slices::{SLICES, SliceOperation, run_slices};
use super::{DirectionTensors, Nothing, flex};
use crate::{Error, check};

/// Makes the token that steps depend on.
fn open<const N: usize>(
    inputs: [Option<burn_dispatch::DispatchTensor>; N],
    device: &Device,
    operation: Arc<dyn SliceOperation>,
) -> Tensor<1> {
    let mut inputs = inputs.into_iter();
    run_slices(std::array::from_fn(|_| inputs.next().flatten()), device, operation)
}

fn lock<X>(mutex: &Mutex<X>) -> MutexGuard<'_, X> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an opening operation gives: nothing that anybody reads.
fn token() -> Vec<f32> {
    vec![0.0]
}

/// A recurrent layer, one direction, for many steps.
#[derive(Debug, Clone)]
pub(crate) struct UnrolledLayer {
    shared: Arc<SharedLayer>,
    token: Tensor<1>,
}

#[derive(Debug)]
struct SharedLayer {
    cell: Cell,
    input: usize,
    hidden: usize,
    /// Biases and peepholes.
    has: [bool; 2],
    /// Whether a backward pass may follow.
    saving: bool,
    layer: OnceLock<Unrolled>,
    steps: Mutex<UnrolledSteps>,
}

impl SharedLayer {
    fn layer(&self) -> &Unrolled {
        self.layer.get().expect("the opening operation runs before its steps")
    }
}

impl UnrolledLayer {
    /// The parameters must fit the sizes, and live on Flex.
    pub(crate) fn new(cell: Cell, input: usize, hidden: usize, parameters: DirectionTensors) -> Self {
        let DirectionTensors { weight_ih, weight_hh, bias, peephole } = parameters;
        let device = weight_ih.device();
        let shared = Arc::new(SharedLayer {
            cell,
            input,
            hidden,
            has: [bias.is_some(), peephole.is_some()],
            saving: device.is_autodiff(),
            layer: OnceLock::new(),
            steps: Mutex::default(),
        });
        let [bias_ih, bias_hh] = bias.map_or([None, None], |bias| bias.map(|bias| Some(bias.into_dispatch())));
        let inputs = [
            Some(weight_ih.into_dispatch()),
            Some(weight_hh.into_dispatch()),
            bias_ih,
            bias_hh,
            peephole.map(Tensor::into_dispatch),
        ];
        let token = open(inputs, &device, Arc::new(OpenLayer(shared.clone())));
        UnrolledLayer { shared, token }
    }

    /// x: `[B, I]`, h and c: `[B, H]`, zeros where `None`; sizes must fit. Gives the new `h` and `c`.
    pub(crate) fn step(
        &self,
        x: Tensor<2>,
        h: Option<Tensor<2>>,
        c: Option<Tensor<2>>,
    ) -> (Tensor<2>, Option<Tensor<2>>) {
        let ([batch, _], hidden, device) = (x.dims(), self.shared.hidden, x.device());
        let given = [h.is_some(), c.is_some()];
        let step = LayerStep { shared: self.shared.clone(), batch, given, saved: OnceLock::new() };
        let inputs = [
            Some(x.into_dispatch()),
            h.map(Tensor::into_dispatch),
            c.map(Tensor::into_dispatch),
            Some(self.token.clone().into_dispatch()),
            None,
        ];
        let both: Tensor<2> = run_slices(inputs, &device, Arc::new(step));
        if !self.shared.cell.has_cell_state() {
            return (both, None);
        }
        (both.clone().slice([0..batch, 0..hidden]), Some(both.slice([batch..2 * batch, 0..hidden])))
    }
}

#[derive(Debug)]
struct OpenLayer(Arc<SharedLayer>);

impl SliceOperation for OpenLayer {
    fn shape(&self) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, [weight_ih, weight_hh, bias_ih, bias_hh, peephole]: [&[f32]; SLICES]) -> Vec<f32> {
        let SharedLayer { cell, input, hidden, has: [bias, peepholes], .. } = *self.0;
        let weights = Weights {
            weight_ih,
            weight_hh,
            bias_ih: bias.then_some(bias_ih),
            bias_hh: bias.then_some(bias_hh),
            peephole: peepholes.then_some(peephole),
        };
        // The same weights, should the operation ever run twice.
        let _ = self.0.layer.set(flex::checked(Unrolled::new(cell, input, hidden, &weights)));
        token()
    }

    fn backward(
        &self,
        _: [&[f32]; SLICES],
        _: &[f32],
        _: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let [bias, peephole] = self.0.has;
        let has = [true, true, bias, bias, peephole];
        let wanted = std::array::from_fn(|part| wanted[part] && has[part]);
        let mut steps = lock(&self.0.steps);
        flex::with_workspace(|workspace: &mut Workspace| {
            flex::checked(self.0.layer().weight_gradients(&mut steps, wanted, workspace, current_num_threads()))
        })
    }
}

#[derive(Debug)]
struct LayerStep {
    shared: Arc<SharedLayer>,
    batch: usize,
    /// Whether `h` and `c` were given.
    given: [bool; 2],
    saved: OnceLock<Vec<f32>>,
}

impl LayerStep {
    fn inputs<'a>(&self, x: &'a [f32], h: &'a [f32], c: &'a [f32]) -> Inputs<'a> {
        let [given_h, given_c] = self.given;
        Inputs { x, lengths: None, h0: given_h.then_some(h), c0: given_c.then_some(c) }
    }
}

impl SliceOperation for LayerStep {
    /// `h`, and the cell state below it.
    fn shape(&self) -> Vec<usize> {
        let parts = if self.shared.cell.has_cell_state() { 2 } else { 1 };
        vec![parts * self.batch, self.shared.hidden]
    }

    fn forward(&self, [x, h, c, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        let Inputs { h0, c0, .. } = self.inputs(x, h, c);
        let (mut made, saved) = flex::with_workspace(|workspace| {
            let (layer, saving) = (self.shared.layer(), self.shared.saving);
            flex::checked(layer.forward(self.batch, x, h0, c0, saving, workspace, current_num_threads()))
        });
        let _ = self.saved.set(saved);
        // `y` is `h_n`.
        made.split_off(self.batch * self.shared.hidden)
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, true, false, false]
    }

    fn backward(
        &self,
        [x, h, c, ..]: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let saved = self.saved.get().expect("the forward pass has run before the backward pass");
        let (dh, dc) = gradient.split_at(self.batch * self.shared.hidden);
        let upstream = Upstream { y: None, h_n: Some(dh), c_n: self.shared.cell.has_cell_state().then_some(dc) };
        let inputs = self.inputs(x, h, c);
        let given = [wanted[0], wanted[1] && self.given[0], wanted[2] && self.given[1]];
        // Frozen weights need nothing of the steps.
        let (mut all, mut none) = (lock(&self.shared.steps), UnrolledSteps::default());
        let steps = if wanted[3] { &mut *all } else { &mut none };
        let [dx, dh0, dc0] = flex::with_workspace(|workspace| {
            let (layer, threads) = (self.shared.layer(), current_num_threads());
            flex::checked(layer.backward(self.batch, &inputs, saved, &upstream, given, steps, workspace, threads))
        });
        [dx, dh0, dc0, wanted[3].then(token), None]
    }
}

/// A linear map for many steps.
#[derive(Debug, Clone)]
pub(crate) struct UnrolledLinear {
    shared: Arc<SharedLinear>,
    token: Tensor<1>,
}

#[derive(Debug)]
struct SharedLinear {
    inputs: usize,
    outputs: usize,
    bias: bool,
    packed: OnceLock<PackedLinear>,
    /// The inputs of all steps, and the gradients of their outputs.
    steps: Mutex<[Vec<f32>; 2]>,
}

impl UnrolledLinear {
    /// weight: `[outputs, inputs]`, bias: `[outputs]`, on Flex, no size 0.
    pub(crate) fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        let ([outputs, inputs], device) = (weight.dims(), weight.device());
        let shared = Arc::new(SharedLinear {
            inputs,
            outputs,
            bias: bias.is_some(),
            packed: OnceLock::new(),
            steps: Mutex::default(),
        });
        let inputs = [Some(weight.into_dispatch()), bias.map(Tensor::into_dispatch)];
        let token = open(inputs, &device, Arc::new(OpenLinear(shared.clone())));
        UnrolledLinear { shared, token }
    }

    /// x: `[B, S, inputs]`.
    ///
    /// # Errors
    /// When the width or the element type of `x` does not fit; `name` is what the error calls it.
    pub(crate) fn step(&self, name: &'static str, x: Tensor<3>) -> Result<Tensor<3>, Error> {
        let ([batch, steps, width], SharedLinear { inputs, outputs, .. }) = (x.dims(), &*self.shared);
        if width != *inputs {
            let expected = format!("[.., .., {inputs}] (the layer's weight is [{outputs}, {inputs}])");
            return Err(Error::Shape { name, found: vec![batch, steps, width], expected });
        }
        let device = x.device();
        // The packed weights are f32.
        check::types([("the weight", Some(DType::F32)), (name, Some(x.dtype()))])?;
        if batch * steps == 0 {
            return Ok(Nothing::of(&x).and(&self.token).zeros([batch, steps, *outputs]));
        }
        let step = LinearStep { shared: self.shared.clone(), shape: [batch, steps] };
        let inputs = [Some(x.into_dispatch()), Some(self.token.clone().into_dispatch()), None, None, None];
        Ok(run_slices(inputs, &device, Arc::new(step)))
    }
}

#[derive(Debug)]
struct OpenLinear(Arc<SharedLinear>);

impl SliceOperation for OpenLinear {
    fn shape(&self) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, [weight, bias, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        let SharedLinear { inputs, outputs, bias: has, packed, .. } = &*self.0;
        let _ = packed.set(flex::checked(PackedLinear::new(*inputs, *outputs, weight, has.then_some(bias))));
        token()
    }

    fn backward(
        &self,
        _: [&[f32]; SLICES],
        _: &[f32],
        _: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let [x, dy] = std::mem::take(&mut *lock(&self.0.steps));
        let SharedLinear { inputs, outputs, bias, .. } = *self.0;
        let dims = LinearDims { rows: dy.len() / outputs, inputs, outputs };
        let dweight = wanted[0].then(|| flex::checked(weight_gradient(dims, &x, &dy, current_num_threads())));
        let dbias = (bias && wanted[1]).then(|| flex::checked(bias_gradient(dims, &dy)));
        [dweight, dbias, None, None, None]
    }
}

#[derive(Debug)]
struct LinearStep {
    shared: Arc<SharedLinear>,
    shape: [usize; 2],
}

impl LinearStep {
    fn packed(&self) -> &PackedLinear {
        self.shared.packed.get().expect("the opening operation runs before its steps")
    }
}

impl SliceOperation for LinearStep {
    fn shape(&self) -> Vec<usize> {
        vec![self.shape[0], self.shape[1], self.shared.outputs]
    }

    fn forward(&self, [x, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        flex::checked(self.packed().forward(x, current_num_threads()))
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, false, false, false, false]
    }

    fn backward(
        &self,
        [x, ..]: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        if wanted[1] {
            let mut steps = lock(&self.shared.steps);
            steps[0].extend_from_slice(x);
            steps[1].extend_from_slice(gradient);
        }
        let dx = wanted[0].then(|| flex::checked(self.packed().input_gradient(gradient, current_num_threads())));
        [dx, wanted[1].then(token), None, None, None]
    }
}
