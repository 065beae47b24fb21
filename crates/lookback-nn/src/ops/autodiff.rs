//! The hand-written backward pass, for any backend that has the kernels.

use burn::backend::Autodiff;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

use super::{INPUTS, LayerSpec, RecurrentKernels, RecurrentOps};

#[derive(Debug)]
struct Recurrent;

#[derive(Debug, Clone)]
struct Saved<F> {
    inputs: [F; INPUTS],
    packed: F,
    saved: F,
    spec: LayerSpec,
}

impl<B: RecurrentKernels> Backward<B, INPUTS> for Recurrent {
    type State = Saved<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, INPUTS>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let Saved { inputs, packed, saved, spec } = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = B::recurrent_backward(&inputs, &packed, &saved, gradient, &spec, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

impl<B: RecurrentKernels, C: CheckpointStrategy> RecurrentOps for Autodiff<B, C> {
    fn recurrent(
        x: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        weight_ih: FloatTensor<Self>,
        weight_hh: FloatTensor<Self>,
        bias_ih: FloatTensor<Self>,
        bias_hh: FloatTensor<Self>,
        peephole: FloatTensor<Self>,
        weight_ih_reverse: FloatTensor<Self>,
        weight_hh_reverse: FloatTensor<Self>,
        bias_ih_reverse: FloatTensor<Self>,
        bias_hh_reverse: FloatTensor<Self>,
        peephole_reverse: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> FloatTensor<Self> {
        let inputs = [
            x,
            h0,
            c0,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            peephole,
            weight_ih_reverse,
            weight_hh_reverse,
            bias_ih_reverse,
            bias_hh_reverse,
            peephole_reverse,
        ];
        let nodes = inputs.each_ref().map(|input| input.node());
        let inputs = inputs.map(|input| input.into_primitive());
        match Recurrent.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [packed, saved] = B::recurrent_saving(&inputs, &spec);
                prepared.finish(Saved { inputs, packed: packed.clone(), saved, spec }, packed)
            }
            OpsKind::UnTracked(prepared) => {
                let [x, h0, c0, a, b, c, d, e, f, g, h, i, j] = inputs;
                prepared.finish(B::recurrent(x, h0, c0, a, b, c, d, e, f, g, h, i, j, spec))
            }
        }
    }

    fn fast_tanh(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let node = x.node();
        let y = B::fast_tanh(x.into_primitive());
        match Tanh.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(y.clone(), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct Tanh;

impl<B: RecurrentKernels> Backward<B, 1> for Tanh {
    type State = FloatTensor<B>;

    /// `dx = (1 - y²) dy`
    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let y = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            let slope = B::float_add_scalar(B::float_neg(B::float_mul(y.clone(), y)), 1.0.into());
            B::float_mul(slope, gradient)
        });
    }
}
