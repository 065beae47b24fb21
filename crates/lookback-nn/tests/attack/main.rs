//! Public functions called with wrong sizes, wrong element types and nothing at all: where an error is promised there is
//! one, in a sentence that names both sides, and where something can be computed it is.
//!
//! Every case has a name, and a table says all that failed at once. The program that these tables were taken from makes
//! some 5,000 calls; here each kind stands once for every layer that has it.

mod attention;
mod decoders;
mod nothing;
mod operations;
mod recurrent;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Distribution, Tensor};
use lookback_nn::attention::{Attention, AttentionConfig, Score};
use lookback_nn::decoder::{BahdanauDecoder, LuongDecoder};
use lookback_nn::{Cell, Error, RecurrentConfig};

/// Every score, for queries of size 4 and keys of size 4.
const SCORES: [Score; 8] = [
    Score::Additive { hidden: 5 },
    Score::Dot,
    Score::ScaledDot,
    Score::General,
    Score::Concat { hidden: 5 },
    Score::Cosine,
    Score::Positions { positions: 7 },
    Score::ConcatSum { hidden: 5 },
];

/// The same layers are asked for inference and in training.
fn devices() -> [Device; 2] {
    [Device::flex(), Device::flex().autodiff()]
}

/// Values between 0 and 1, in a graph where the device has one. Burn draws none of an empty shape.
fn random<const R: usize>(shape: [usize; R], device: &Device) -> Tensor<R> {
    let tensor = match shape.contains(&0) {
        true => Tensor::zeros(shape, device),
        false => Tensor::random(shape, Distribution::Default, device),
    };
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}

fn values<const R: usize>(tensor: &Tensor<R>) -> Vec<f32> {
    tensor.to_data().convert::<f32>().iter::<f32>().collect()
}

fn attention(score: Score, device: &Device) -> Attention {
    AttentionConfig::new(score, 4, 4).init(device).unwrap()
}

/// Luong's decoder over an LSTM.
fn luong([input, hidden, memory, layers]: [usize; 4], by: Attention, device: &Device) -> Result<LuongDecoder, Error> {
    let config = RecurrentConfig::new(Cell::Lstm, input.saturating_add(hidden), hidden).with_layers(layers);
    LuongDecoder::new(input, memory, config.init(device)?, by, device)
}

/// Bahdanau's decoder over a GRU.
fn bahdanau([input, hidden, memory]: [usize; 3], by: Attention, device: &Device) -> Result<BahdanauDecoder, Error> {
    let config = RecurrentConfig::new(Cell::Gru, input.saturating_add(memory), hidden);
    BahdanauDecoder::new(input, memory, config.init(device)?, by)
}

/// keys `[B, K, 4]`, but one per query for a score over positions.
fn keys(score: Score, [batch, queries, keys]: [usize; 3]) -> [usize; 3] {
    [batch, if matches!(score, Score::Positions { .. }) { queries } else { keys }, 4]
}

/// Cases that came out otherwise than they should.
#[derive(Default)]
struct Table(Vec<String>);

impl Table {
    /// The call gives an error whose sentence holds `words`.
    fn refuses<X>(&mut self, name: &str, words: &str, call: impl FnOnce() -> Result<X, Error>) {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Err(error)) if error.to_string().contains(words) => {}
            Ok(Err(error)) => self.0.push(format!("{name}: refused, but for another reason: {error}")),
            Ok(Ok(_)) => self.0.push(format!("{name}: ran, not refused because \"{words}\"")),
            Err(panic) => self.0.push(format!("{name}: panicked ({}), not refused because \"{words}\"", said(&*panic))),
        }
    }

    /// The call runs, and what it gives is what `right` says.
    fn runs<X>(&mut self, name: &str, call: impl FnOnce() -> Result<X, Error>, right: impl FnOnce(X) -> bool) {
        match catch_unwind(AssertUnwindSafe(|| call().map(right))) {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => self.0.push(format!("{name}: a wrong result")),
            Ok(Err(error)) => self.0.push(format!("{name}: refused: {error}")),
            Err(panic) => self.0.push(format!("{name}: panicked: {}", said(&*panic))),
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing")
}

impl Drop for Table {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{} cases:\n{}", self.0.len(), self.0.join("\n"));
        }
    }
}
