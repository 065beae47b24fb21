//! What the recurrent layers of a trained model read of an input, and where their weights stand.

use burn::tensor::Device;
use lookback_infer::error::{Error, ModelFileError, PlanError};
use lookback_infer::input::{Batch, Example, Input};
use lookback_infer::model_file::prefix;
use lookback_infer::network::{Cell, EncoderPlan};
use serde_json::Value;

use super::{Encoder, read_each};
use crate::train::Init;

/// What goes into the recurrent layers of one network.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The cell of the layers.
    pub cell: Cell,
    /// What is read at each step, for people. `[T]`
    pub steps: Vec<String>,
    /// `[T, I]`
    pub x: Vec<f32>,
    /// Where the weights of each layer stand, from the first on: what is before and behind `weight_hh` in the names of the file.
    pub layers: Vec<[String; 2]>,
}

/// What the encoders of a model read of an example, each network of an ensemble by itself; nothing where they have no layers.
///
/// # Errors
/// If the file is of no such model.
pub(crate) fn of_encoders(model: &Init, example: &Example) -> Result<Vec<Reading>, Error> {
    let wrong = |problem: String| ModelFileError::Entry { file: model.path.clone(), key: "network".into(), problem };
    let network: Value = model.file.json(&model.path, "network")?;
    let plan: EncoderPlan =
        serde_json::from_value(network["encoder"].clone()).map_err(|error| wrong(error.to_string()))?;
    let networks = network["ensemble"].as_u64().unwrap_or(1) as usize;
    let input = Input::of_file(&model.file, &model.path)?;
    if plan.layers == 0 || example.is_empty() {
        return Ok(Vec::new());
    }
    let device = Device::flex();
    let one = |(place, encoder): (usize, Encoder)| -> Result<Reading, Error> {
        let own = prefix(place, networks);
        let batch = Batch::new(&[example], encoder.parts(), &mut || false);
        let vectors = encoder.vectors(&batch, 0.0, &device);
        let vectors = vectors.map_err(|error| PlanError::Unfit(error.to_string()))?;
        let x = vectors.into_data().iter::<f32>().collect();
        let layers = (0..plan.layers).map(|layer| [format!("{own}encoder.recurrent."), format!("_l{layer}")]).collect();
        Ok(Reading { cell: plan.cell, steps: example.written_names(), x, layers })
    };
    let encoders = read_each(model, networks, "encoder.", || Encoder::new(&plan, input.shape(), &device))?;
    encoders.into_iter().enumerate().map(one).collect()
}
