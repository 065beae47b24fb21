//! The input of a model that is trained on.

use std::path::Path;

use super::encoder::TextEncoder;
use super::example::Raw;
use super::plan::{InputPlan, TextPlan};
use super::tokenizer::TokenizerChoice;
use super::vocabulary::VocabularyOptions;
use super::{Encoder, Input, history, series};
use crate::error::{DataError, Error, PlanError, counted};

impl Input {
    /// The input of a model that is trained on, reading by `plan`: what was learnt stays. Tokens of the new training inputs,
    /// which stand in `file`, that the vocabulary lacks are added where `extend`, and refused with their count otherwise.
    ///
    /// # Errors
    /// If `plan` cuts up inputs in another way, an input is of another kind, or there are new tokens.
    pub fn taken_on<'a>(
        &self,
        plan: &InputPlan,
        inputs: impl Iterator<Item = &'a Raw>,
        extend: bool,
        file: &Path,
    ) -> Result<Input, Error> {
        let (Encoder::Text(encoder), InputPlan::Text(plan)) = (&self.encoder, plan) else {
            return match (&self.encoder, plan) {
                (Encoder::Series(_), InputPlan::Series(series)) => {
                    if let InputPlan::Series(own) = &self.plan {
                        series::check_taken_on(own, series)?;
                    }
                    Ok(Input::new(plan.clone(), self.encoder.clone()))
                }
                (Encoder::History(_), InputPlan::History(history)) => {
                    if let InputPlan::History(own) = &self.plan {
                        history::check_taken_on(own, history)?;
                    }
                    Ok(Input::new(plan.clone(), self.encoder.clone()))
                }
                _ => Err(PlanError::conflict("init", "is of a model that reads another kind of inputs").into()),
            };
        };
        let cuts = encoder.tokenizer.segmentation.into();
        if let InputPlan::Text(own) = &self.plan
            && !extend
        {
            let of_new = [
                ("min-count", plan.min_count != own.min_count),
                ("max-vocabulary", plan.max_vocabulary != own.max_vocabulary),
            ];
            if let Some((option, _)) = of_new.iter().find(|(_, other)| *other) {
                let problem = "is about tokens that are added to the model in --init, which --extend asks for";
                return Err(PlanError::conflict(option, problem).into());
            }
        }
        let known = encoder.vocabulary.len();
        if plan.max_vocabulary < known {
            let problem = format!("is {}, but the model in --init knows {known} tokens", plan.max_vocabulary);
            return Err(PlanError::conflict("max-vocabulary", problem).into());
        }
        let own = match &self.plan {
            InputPlan::Text(own) => Some(own),
            InputPlan::Series(_) | InputPlan::History(_) => None,
        };
        let other = [
            ("tokenizer", ![TokenizerChoice::Auto, cuts].contains(&plan.tokenizer)),
            ("subwords", plan.subwords.is_some() && plan.subwords != own.and_then(|own| own.subwords)),
            ("lowercase", plan.lowercase != encoder.tokenizer.lowercase),
            ("normalize", plan.normalize != encoder.tokenizer.normalization),
            ("chinese", plan.chinese != encoder.tokenizer.chinese),
            (
                "user-dictionary",
                plan.user_dictionary.as_ref().is_some_and(|file| Some(&file.words) != encoder.tokenizer.words.as_ref()),
            ),
            ("char-ngrams", plan.ngrams != encoder.ngrams),
            ("bigram-buckets", plan.bigrams != encoder.bigrams),
            ("shape-buckets", plan.shapes != encoder.shapes),
        ];
        if let Some((option, _)) = other.iter().find(|(_, other)| *other) {
            return Err(PlanError::conflict(option, "is not that of the model in --init").into());
        }
        let raws: Vec<&Raw> = inputs.map(|raw| raw.texts(file).map(|_| raw)).collect::<Result<_, DataError>>()?;
        let tokens = raws.into_iter().flat_map(|raw| raw.tokens(&encoder.tokenizer)).map(|token| token.text);
        let options = VocabularyOptions {
            min_count: plan.min_count,
            max_size: Some(plan.max_vocabulary),
            ..VocabularyOptions::default()
        };
        let (vocabulary, new) = encoder.vocabulary.extended(tokens, &options);
        if new > 0 && !extend {
            let (file, tokens) = (file.display(), counted(new, "token"));
            let problem = format!("{file} has {tokens} that the model in --init does not know; --extend adds them");
            return Err(PlanError::Unfit(problem).into());
        }
        let encoder = TextEncoder { vocabulary, max_length: plan.max_length, ..encoder.clone() };
        let user_dictionary = plan.user_dictionary.clone().or(own.and_then(|own| own.user_dictionary.clone()));
        let subwords = own.and_then(|own| own.subwords);
        let plan = TextPlan { tokenizer: cuts, subwords, user_dictionary, ..plan.clone() };
        Ok(Input::new(InputPlan::Text(plan), Encoder::Text(encoder)))
    }
}
