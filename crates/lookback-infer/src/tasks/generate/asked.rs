//! What may be asked of a language model.

use super::cache::CachePlan;
use super::searched::Searched;
use super::text::GeneratedText;
use crate::error::{PlanError, plan};
use crate::model::{Ask, GenerateAsk, JudgeAsk};
use crate::model_file::check_writable;

/// Samples that a model is judged by at most.
const MOST_SAMPLES: usize = 1_000_000;

/// Refuses what is asked for and does not go with a model of such texts.
///
/// # Errors
/// A sentence that names the option.
pub(super) fn check(ask: &Ask, text: &GeneratedText) -> Result<(), PlanError> {
    ask.backtest.refuse()?;
    ask.forecast.refuse()?;
    cache(ask)?;
    let of_others =
        JudgeAsk { ter: ask.judging.ter, bleu_tokenizer: ask.judging.bleu_tokenizer.clone(), ..JudgeAsk::default() };
    if let Some(option) = of_others.said() {
        return Err(PlanError::conflict(option, "is of models that translate"));
    }
    if let Some(file) = &ask.generate.state_out {
        check_writable(file).map_err(|problem| PlanError::conflict("state-out", problem.to_string()))?;
    }
    if let Some(option) = ask.top.map(|_| "top").or(ask.unsure.said()) {
        return Err(PlanError::conflict(option, "is for one label a text, but this model writes texts"));
    }
    if ask.views && !ask.generate.score {
        return Err(PlanError::conflict(
            "attention",
            "of a language model goes with --score, which tells of every token",
        ));
    }
    if ask.generate.score && ask.generate.stream {
        return Err(PlanError::conflict("stream", "is about writing, but --score writes nothing"));
    }
    if let (Some(_), Some(_)) = (ask.judging.samples, ask.search.count) {
        return Err(PlanError::conflict("count", "is how many texts are written, which --samples says"));
    }
    if ask.judging.known && ask.judging.samples.is_none() {
        return match ask.search.said().or(ask.generate.said()) {
            Some(option) => {
                let problem = "is about writing, but without --samples texts that are there are judged";
                Err(PlanError::conflict(option, problem))
            }
            None => Ok(()),
        };
    }
    ask.judging.samples.map_or(Ok(()), |count| plan::size("samples", count, MOST_SAMPLES))?;
    match ask.generate.score.then(|| ask.search.said().or((!ask.generate.stop.is_empty()).then_some("stop"))) {
        Some(Some(option)) => Err(PlanError::conflict(option, "is about writing, but --score writes nothing")),
        Some(None) => text.asked(&ask.generate).map(drop),
        None => {
            // Samples that are judged are of all labels.
            let labels = text.labels.iter();
            let label = labels.take(usize::from(ask.judging.samples.is_some())).next().cloned();
            let condition = ask.generate.condition.clone().or(label);
            let generate = GenerateAsk { condition, ..ask.generate.clone() };
            Searched::new(&ask.search, &generate, text).map(drop)
        }
    }
}

/// The cache that is asked for.
pub(super) fn cache(ask: &Ask) -> Result<Option<CachePlan>, PlanError> {
    let JudgeAsk { cache, cache_weight, cache_sharpness, .. } = ask.judging;
    CachePlan::new(cache, cache_weight, cache_sharpness)
}
