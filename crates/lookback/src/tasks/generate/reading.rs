//! What the layers of a language model read of a text.

use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::Example;
use lookback_infer::model_file::prefix;
use lookback_infer::tasks::generate::{GeneratedText, NetworkPlan};

use crate::network::Reading;
use crate::train::Init;

/// The token vectors of a text, behind that of its beginning or its label, a network of an ensemble after the other.
///
/// # Errors
/// If the model is no language model, or knows no such label.
pub(super) fn readings(model: &Init, example: &Example, condition: Option<&str>) -> Result<Vec<Reading>, Error> {
    let plan: NetworkPlan = model.file.checked_json(&model.path, "network", NetworkPlan::check)?;
    let text: GeneratedText = model.file.json(&model.path, "text")?;
    let start = text.start(condition).map_err(|problem| PlanError::conflict("condition", problem))?;
    let own = text.written.encode_whole(example.text().unwrap_or_default());
    let first = condition.unwrap_or("<start>").to_owned();
    let steps: Vec<String> = [first].into_iter().chain(text.shown(&own)).collect();
    let ids: Vec<u32> = [start].into_iter().chain(own).collect();
    let mut file = model.file.clone();
    let one = |place: usize| -> Result<Reading, Error> {
        let own = prefix(place, plan.ensemble);
        let shape = [text.written.vocabulary.len(), plan.embedding];
        let table = file.take_tensor(&model.path, &format!("{own}embedding.weight"), &shape)?.data;
        let x = ids.iter().flat_map(|&id| table[id as usize * plan.embedding..][..plan.embedding].iter().copied());
        let layers = (0..plan.layers).map(|layer| [format!("{own}layers.{layer}."), "_l0".to_owned()]);
        Ok(Reading { cell: plan.cell, steps: steps.clone(), x: x.collect(), layers: layers.collect() })
    };
    (0..plan.ensemble).map(one).collect()
}
