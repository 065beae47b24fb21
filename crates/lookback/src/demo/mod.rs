//! What can be tried without any data: a training on what is built in, one a task, written for Lookback.

mod dates;
mod lines;
mod questions;
mod waves;

use lookback_infer::error::Error;
use lookback_infer::model::{Model, Report};
use lookback_infer::model_file::ModelFile;

use crate::tasks::Fitted;
use crate::train::Session;

/// What a demonstration does.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// The task.
    pub name: &'static str,
    /// What it is judged on, that training has not seen.
    pub unseen: &'static str,
    /// What it explains; none of them stands in the data.
    pub inputs: &'static [&'static str],
    /// How many texts it writes by itself.
    pub writes: usize,
    /// Another one, a line, whose answer is drawn.
    pub drawn: Option<fn() -> String>,
    /// Trains on what is built in, from this seed.
    pub fit: fn(u64, &mut Session<'_>) -> Result<Fitted, Error>,
    /// The model in the file, and how it does on what training has not seen.
    pub judge: fn(ModelFile) -> Result<Judged, Error>,
    /// What may be tried next, with MODEL in the place of its file.
    pub then: &'static str,
}

/// A model, and how it does on what training has not seen.
pub type Judged = (Box<dyn Model>, Report);

/// All of them; the first where nothing is said.
pub const DEMOS: [Demo; 4] = [questions::DEMO, dates::DEMO, lines::DEMO, waves::DEMO];

/// What messages call the model that was trained.
const THE_MODEL: &str = "the model that was trained";
