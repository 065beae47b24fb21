//! What the bench's programs share: pieces of work, the cases they run on, and how they are timed.
//!
//! A piece of work ([`Work`]) is made from a [`Plan`] (what the command line asked for, checked) and a [`Case`] (weights
//! and inputs, drawn here or read from the file that the peers read, too). Then it is timed, served one repetition at a
//! time to `compare.py`, or run a fixed number of times under callgrind.

mod answering;
mod attention;
mod burn_layers;
mod case;
mod ceiling;
mod crf;
mod decoder;
mod kernels;
pub mod memory;
mod modules;
pub mod options;
pub mod serve;
mod streaming;
pub mod timing;

pub use case::{Case, Values};
pub use ceiling::gflops as ceiling_gflops;
pub use options::{Options, Plan};

use options::{Mode, Shape, Through};

/// Something that can be repeated and timed.
pub trait Work {
    /// One repetition.
    fn run(&mut self) -> anyhow::Result<()>;

    /// What the last repetition computed, by the names that the peers use: `y`, `context`, `grad.x`,
    /// `grad.param.weight_ih_l0`.
    fn results(&mut self) -> anyhow::Result<Case>;

    /// How many of the timed units one repetition is: the steps of a stream, else 1.
    fn units(&self) -> usize {
        1
    }
}

/// The piece of work that `plan` names, over the weights and inputs of `case`.
pub fn work(plan: &Plan, case: &Case) -> anyhow::Result<Box<dyn Work>> {
    Ok(match (&plan.shape, plan.mode, plan.through) {
        (Shape::Recurrent(shape), mode, Through::Burn) => Box::new(burn_layers::BurnLayers::new(shape, mode, case)?),
        (Shape::Recurrent(shape), Mode::Step, _) => Box::new(streaming::Streaming::new(shape, case)?),
        (Shape::Recurrent(shape), mode, Through::Kernels) => {
            Box::new(kernels::Kernels::new(shape, mode, plan.threads, case)?)
        }
        (Shape::Recurrent(shape), _, Through::Answers) => Box::new(answering::Answering::new(shape, case)?),
        (Shape::Recurrent(shape), mode, Through::Modules) => Box::new(modules::Modules::new(shape, mode, case)?),
        (Shape::Attention(shape), mode, through) => attention::work(shape, mode, through, case)?,
        (Shape::Decoder(shape), mode, _) => Box::new(decoder::Decoder::new(shape, mode, case)?),
        (Shape::Crf(shape), mode, through) => crf::work(shape, mode, through, plan.threads, case)?,
    })
}

/// Burn's device, with gradients where the mode asks for them.
fn device(mode: Mode) -> burn::tensor::Device {
    let device = burn::tensor::Device::flex();
    if mode == Mode::Train { device.autodiff() } else { device }
}
