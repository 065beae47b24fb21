//! Decoders: a recurrent layer of any cell and attention over the encoder's outputs, one step at a time.
//!
//! | decoder | a step |
//! |---|---|
//! | [`LuongDecoder`] | the recurrent layer reads `[x_t; h̃_{t-1}]`, attention reads its output (Luong 2015) |
//! | [`BahdanauDecoder`] | attention reads the state before, the recurrent layer reads `[x_t; c_t]` (Bahdanau 2015) |
//!
//! [`HardMonotonicDecoder`] has another form: its recurrent layer reads `x_t` alone, and every token is written at one
//! position of the source, never before that of the last one. Its likelihood is a sum over all alignments
//! (Wu and Cotterell 2019), so that it has no steps to take before a target is known.
//!
//! A decoder's `memory` prepares for the steps of a sequence: it projects the encoder's outputs and packs the weights
//! once. In training it also sums the gradients of the weights once; on a device without autodiff it keeps nothing of a
//! step.
//!
//! Steps whose inputs are all known (teacher forcing) go through `forward`: one operation for the whole sequence where the
//! kernels have the form (`ops/decoder.rs`), which are all cells and the additive, product, general and concat scores, masked
//! by key lengths; else step by step.
//!
//! With `with_coverage` the additive score also reads what the steps before have looked at (See 2017).
//!
//! # Legend of shapes
//! `B` batch, `T` time, `K` keys (the steps of the encoder), `H` hidden.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use lookback_nn::attention::{AttentionConfig, Mask, Score};
//! use lookback_nn::decoder::LuongDecoder;
//! use lookback_nn::{Cell, RecurrentConfig};
//!
//! let (device, mask) = (Device::default(), Mask::none());
//! let (input, hidden, memory) = (3, 8, 10);
//! let recurrent = RecurrentConfig::new(Cell::Gru, input + hidden, hidden).with_layers(2).init(&device)?;
//! let attention = AttentionConfig::new(Score::General, hidden, memory).init(&device)?;
//! let decoder = LuongDecoder::new(input, memory, recurrent, attention, &device)?;
//! let memory = decoder.memory(Tensor::zeros([4, 7, memory], &device), &mask)?;
//! let (x, previous) = (Tensor::zeros([4, input], &device), Tensor::zeros([4, hidden], &device));
//! let step = decoder.step(x, previous, None, &memory, &mask, true)?;
//! assert_eq!((step.attentional.dims(), step.weights.unwrap().dims()), ([4, 8], [4, 7]));
//! # Ok::<(), lookback_nn::Error>(())
//! ```

mod attentional;
mod bahdanau;
mod coverage;
mod known;
mod luong;
mod monotonic;
#[cfg(test)]
mod tests;

pub use attentional::AttentionalLayer;
pub use bahdanau::{BahdanauDecoder, BahdanauStep, BahdanauSteps};
pub use luong::{LuongDecoder, LuongStep, LuongSteps};
pub use monotonic::{HardMonotonicDecoder, MonotonicTargets};

use std::sync::OnceLock;

use crate::attention::{Attention, Memory};
use crate::ops::UnrolledLinear;
use crate::{Error, Recurrent, TrainingStepper, check};

/// What stays the same over the steps of a sequence: the encoder's outputs, projected once, and the decoder's weights,
/// packed once. Make one per sequence, and call `backward` once on what comes of it.
#[derive(Debug, Clone)]
pub struct DecoderMemory {
    memory: Memory,
    /// What single steps share is made at the first of them: the steps of targets that are known are one operation.
    layers: OnceLock<TrainingStepper>,
    combine: OnceLock<Option<UnrolledLinear>>,
}

impl DecoderMemory {
    fn new(memory: Memory) -> DecoderMemory {
        DecoderMemory { memory, layers: OnceLock::new(), combine: OnceLock::new() }
    }

    /// `K`.
    fn keys(&self) -> usize {
        self.memory.keys()
    }

    fn stepper(&self, recurrent: &Recurrent) -> Result<&TrainingStepper, Error> {
        if let Some(layers) = self.layers.get() {
            return Ok(layers);
        }
        let layers = recurrent.training_stepper()?;
        Ok(self.layers.get_or_init(|| layers))
    }
}

/// The parts of a decoder against one another. beside: what the recurrent layer reads beside `x_t`, and its size.
fn check_parts(
    input: usize,
    memory: usize,
    (beside, size): (&str, usize),
    recurrent: &Recurrent,
    attention: &Attention,
) -> Result<(), Error> {
    check::sizes(&[("input size", input), ("memory size", memory)])?;
    if recurrent.directions() > 1 {
        return Err(Error::StepBidirectional);
    }
    let hidden = recurrent.hidden();
    if attention.sizes() != [hidden, memory] {
        let expected = format!("[{hidden}, {memory}] (H and the size of the memory)");
        return Err(Error::Shape {
            name: "the attention's query and key size",
            found: attention.sizes().to_vec(),
            expected,
        });
    }
    if Some(recurrent.input()) != input.checked_add(size) {
        let expected = format!("{input} + {size} (x and {beside})");
        return Err(Error::Shape {
            name: "the recurrent layer's input size",
            found: vec![recurrent.input()],
            expected,
        });
    }
    Ok(())
}
