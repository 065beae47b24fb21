//! All steps of targets that are known as one operation, where the kernels have it.

use burn::module::Param;
use burn::tensor::{Bool, Tensor, TensorData};
use lookback_kernels::decoder::{DecoderDims, DecoderForm, DecoderKind};

use super::{AttentionalLayer, DecoderMemory};
use crate::attention::{Asked, Attention, Mask};
use crate::ops::{DecoderSteps, DecoderTensors, decoder, on_flex};
use crate::{Error, Recurrent, State, check};

/// The parts of a decoder, and what all its steps read.
pub(super) struct Known<'a> {
    pub(super) form: DecoderForm,
    pub(super) recurrent: &'a Recurrent,
    pub(super) attention: &'a Attention,
    /// In Luong's form.
    pub(super) combine: Option<&'a AttentionalLayer>,
    /// `[A]`, with coverage.
    pub(super) coverage: Option<&'a Param<Tensor<1>>>,
    /// Whether the weights are asked for.
    pub(super) weights: bool,
    /// `[B, T, I]`.
    pub(super) x: &'a Tensor<3>,
    /// `[B, H]`, with input feeding.
    pub(super) previous: Option<&'a Tensor<2>>,
    pub(super) state: Option<&'a State>,
    pub(super) lengths: Option<&'a [usize]>,
    pub(super) memory: &'a DecoderMemory,
    pub(super) mask: &'a Mask,
}

impl Known<'_> {
    /// Every step; `None` where they are to be taken one by one.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub(super) fn run(self) -> Result<Option<DecoderSteps>, Error> {
        let Some(asked) = self.attention.asked(&self.memory.memory).filter(|_| self.is_one_operation()) else {
            return Ok(None);
        };
        let layers = self.recurrent.steps_alone()?;
        let combine = self.combine.map(AttentionalLayer::tensors);
        let on_kernels = layers.iter().all(|layer| {
            let bias = layer.bias.iter().flatten().all(on_flex);
            layer.peephole.is_none() && on_flex(&layer.weight_ih) && on_flex(&layer.weight_hh) && bias
        });
        let combined =
            |(weight, bias): &(Tensor<2>, Option<Tensor<1>>)| on_flex(weight) && bias.as_ref().is_none_or(on_flex);
        let coverage = self.coverage.map(Param::val);
        if !(on_kernels && combine.as_ref().is_none_or(combined) && coverage.as_ref().is_none_or(on_flex)) {
            return Ok(None);
        }
        let dims = self.dims(&asked, layers.len())?;
        if dims.batch * dims.time * dims.keys == 0 {
            return Ok(None);
        }
        let kind = DecoderKind { cell: self.recurrent.kernel_cell(), form: self.form, weights: self.weights };
        let lengths = [self.lengths.map(Into::into), self.mask.key_lengths().cloned()];
        let Asked { query, score, keys, values } = asked;
        let dropout = self.recurrent.drops(self.x.device().is_autodiff());
        let tensors = DecoderTensors { layers, query, score, combine, coverage, keys, values, dropout };
        let (x, previous, state) = (self.x.clone(), self.previous.cloned(), self.state.cloned());
        Ok(Some(decoder(kind, dims, lengths, x, previous, state, tensors)))
    }

    /// Whether the form is one that the kernels have: no mask but key lengths.
    fn is_one_operation(&self) -> bool {
        let state = self.state.is_none_or(|state| on_flex(&state.hidden) && state.cell.as_ref().is_none_or(on_flex));
        self.mask.has_lengths_at_most() && on_flex(self.x) && self.previous.is_none_or(on_flex) && state
    }

    fn dims(&self, asked: &Asked, layers: usize) -> Result<DecoderDims, Error> {
        let ([batch, time, input], [_, keys, width]) = (self.x.dims(), asked.keys.dims());
        let [_, _, memory] = asked.values.dims();
        check::shape("keys", &asked.keys, [batch, keys, width], format_args!("B of x {:?}", self.x.dims()))?;
        self.mask.fit(batch, 1, 1, keys)?;
        // The recurrent layer compares the states, beside an input that has its size.
        let options = (&self.x.device(), self.x.dtype());
        let read = Tensor::<3>::zeros([batch, 1, self.recurrent.input()], options);
        self.recurrent.check(&read, None, self.state)?;
        Ok(DecoderDims { batch, time, input, hidden: self.recurrent.hidden(), layers, keys, width, memory })
    }
}

/// Which rows have step `t`, `[B]`; `None` where all have.
fn going_on(lengths: Option<&[usize]>, t: usize) -> Option<Vec<bool>> {
    let going: Vec<bool> = lengths?.iter().map(|&length| length > t).collect();
    going.contains(&false).then_some(going)
}

/// A step's results in rows that have step `t`; zeros, and the state before, in the others.
pub(super) fn ended(
    lengths: Option<&[usize]>,
    t: usize,
    made: Vec<Tensor<2>>,
    state: State,
    before: Option<State>,
) -> (Vec<Tensor<2>>, State) {
    let Some(going) = going_on(lengths, t) else { return (made, state) };
    let ([layers, batch, hidden], device) = (state.hidden.dims(), state.hidden.device());
    let over: Vec<bool> = going.iter().map(|going| !going).collect();
    let over = Tensor::<2, Bool>::from_data(TensorData::new(over, [batch, 1]), &device);
    let of_made = |made: Tensor<2>| {
        let [_, width] = made.dims();
        made.mask_fill(over.clone().expand([batch, width]), 0.0)
    };
    let of_state = |state: Tensor<3>, before: Option<Tensor<3>>| {
        let over = over.clone().unsqueeze::<3>().expand([layers, batch, hidden]);
        match before {
            Some(before) => state.mask_where(over, before),
            None => state.mask_fill(over, 0.0),
        }
    };
    let (hidden_before, cell_before) = before.map_or((None, None), |before| (Some(before.hidden), before.cell));
    let hidden = of_state(state.hidden, hidden_before);
    let cell = state.cell.map(|cell| of_state(cell, cell_before));
    (made.into_iter().map(of_made).collect(), State { hidden, cell })
}
