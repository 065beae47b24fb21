//! The classifier's plan: its network, and the linear part beside it.

use serde::{Deserialize, Serialize};

use super::LabelsPerText;
use super::ngrams::{NgramBagConfig, Sizes};
use crate::error::{PlanError, plan};
use crate::input::encoder::LONGEST_NGRAM;
use crate::network::{AttentionForm, EncoderPlan, MOST_NETWORKS, PoolKind, Pooling};

/// The network's shape, apart from what the data decide, and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkPlan {
    /// Token vectors or channels, recurrent layers, attention.
    pub encoder: EncoderPlan,
    /// How the steps become one vector, where the attention does not pool by itself.
    pub pooling: Pooling,
    /// Dropout before the output.
    pub output_dropout: f64,
    /// Networks whose probabilities are averaged.
    pub ensemble: usize,
    /// The linear part beside the networks, of texts.
    pub linear: Option<NgramBagConfig>,
    /// Whether a text has one label or several.
    #[serde(default)]
    pub labels_per_text: LabelsPerText,
}

/// The most buckets of the linear part: 64 MiB of numbers per label.
const MOST_BUCKETS: u32 = 1 << 24;

impl NetworkPlan {
    /// Whether a network can be made; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that no network has, or two do not go together.
    pub fn check(&self) -> Result<(), PlanError> {
        plan::size("ensemble", self.ensemble, MOST_NETWORKS)?;
        self.encoder.check()?;
        self.check_pooling()?;
        plan::below_one("output-dropout", self.output_dropout)?;
        self.linear.as_ref().map_or(Ok(()), check_linear)
    }

    fn check_pooling(&self) -> Result<(), PlanError> {
        let (form, parts) = (self.encoder.attention, self.pooling.parts());
        let of_state = parts.iter().find(|kind| [PoolKind::Last, PoolKind::Query].contains(kind));
        if let (0, false, Some(kind)) = (self.encoder.layers, form.pools(), of_state) {
            let problem = format!("{} reads the final state of recurrent layers, but --layers is 0", kind.name());
            return Err(PlanError::conflict("pooling", problem));
        }
        if form == AttentionForm::None || form.pools() {
            return Ok(());
        }
        if parts == [PoolKind::Last] {
            let problem = format!("last reads the final state alone, and --attention {form} would be left unused");
            return Err(PlanError::conflict("pooling", problem));
        }
        if parts.contains(&PoolKind::Query) && form.width(1) != 1 {
            let problem =
                format!("query compares the final state with the steps, which --attention {form} makes twice as wide");
            return Err(PlanError::conflict("pooling", problem));
        }
        Ok(())
    }

    /// The width of the pooled vector, which the output layer reads.
    pub fn pooled(&self) -> usize {
        let (outputs, step) = (self.encoder.outputs(), self.encoder.width());
        if self.encoder.attention.pools() {
            return step;
        }
        // The final state has the recurrent layers' width, whatever attention makes of the steps.
        let width = |kind: &PoolKind| if *kind == PoolKind::Last { outputs } else { step };
        self.pooling.parts().iter().map(width).sum()
    }

    /// Whether an answer comes with weights over the steps.
    pub fn has_weights(&self) -> bool {
        self.encoder.attention.pools() || self.pooling.weighted().is_some()
    }

    /// The network in one line, for people.
    pub fn summary(&self) -> String {
        let networks = if self.ensemble == 1 { String::new() } else { format!("{} networks, each ", self.ensemble) };
        let pooling = match self.encoder.attention.pools() {
            true => String::new(),
            false => format!(", pooling by {}", self.pooling),
        };
        format!("{networks}{}{pooling}", self.encoder.summary())
    }
}

fn check_linear(config: &NgramBagConfig) -> Result<(), PlanError> {
    let ranges = [("linear-characters", config.characters), ("linear-words", config.words)];
    for (option, sizes) in ranges {
        let Some(Sizes { min, max }) = sizes else { continue };
        if max > LONGEST_NGRAM {
            let problem = format!("is '{min}-{max}'; the longest may be at most {LONGEST_NGRAM}");
            return Err(PlanError::conflict(option, problem));
        }
        if min == 0 || max < min {
            let problem = format!("is '{min}-{max}'; expected shortest-longest, for example 2-5");
            return Err(PlanError::conflict(option, problem));
        }
    }
    if config.characters.is_none() && config.words.is_none() {
        return Err(PlanError::conflict("linear-buckets", "needs --linear-characters or --linear-words"));
    }
    if config.buckets == 0 || config.buckets > MOST_BUCKETS {
        return Err(PlanError::value("linear-buckets", config.buckets, format!("from 1 to {MOST_BUCKETS}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Cell;

    fn plan() -> NetworkPlan {
        NetworkPlan {
            encoder: EncoderPlan {
                cell: Cell::Lstm,
                embedding: 4,
                embedding_scale: 0.3,
                embeddings: None,
                embeddings_mode: None,
                embeddings_vocabulary: 0,
                hidden: 8,
                layers: 1,
                bidirectional: true,
                recompute: false,
                attention: AttentionForm::None,
                embedding_dropout: 0.5,
                layer_dropout: 0.0,
                forget_bias: None,
            },
            pooling: "attention".parse().unwrap(),
            output_dropout: 0.5,
            ensemble: 1,
            linear: None,
            labels_per_text: LabelsPerText::One,
        }
    }

    fn with(change: impl FnOnce(&mut NetworkPlan)) -> NetworkPlan {
        let mut plan = plan();
        change(&mut plan);
        plan
    }

    #[test]
    fn what_no_network_has_is_refused_in_a_sentence_that_names_the_option() {
        let bag =
            |min, max, buckets| Some(NgramBagConfig { characters: Some(Sizes { min, max }), words: None, buckets });
        let attention = |form: &str, pooling: &str| {
            let (form, pooling) = (form.parse().unwrap(), pooling.parse().unwrap());
            with(|plan| (plan.encoder.attention, plan.pooling) = (form, pooling))
        };
        let cases = [
            (with(|plan| plan.ensemble = 0), "--ensemble is 0; it must be from 1 to 64"),
            (with(|plan| plan.ensemble = 65), "--ensemble is 65; it must be from 1 to 64"),
            (with(|plan| plan.encoder.embedding = 0), "--embedding is 0; it must be from 1 to 65536"),
            (with(|plan| plan.encoder.hidden = 65537), "--hidden is 65537; it must be from 1 to 65536"),
            (with(|plan| plan.encoder.layers = 65), "--layers is 65; it must be from 0 to 64"),
            (with(|plan| plan.output_dropout = 1.0), "--output-dropout is 1; it must be from 0 to below 1"),
            (with(|plan| plan.encoder.layer_dropout = -0.5), "--layer-dropout is -0.5; it must be from 0 to below 1"),
            (
                with(|plan| plan.encoder.embedding_scale = 0.0),
                "--embedding-scale is 0; it must be above 0 and at most 1000000",
            ),
            (
                with(|plan| plan.encoder.forget_bias = Some(f64::NAN)),
                "--forget-bias is NaN; it must be from -1000000 to 1000000",
            ),
            (
                attention("dot", "last"),
                "--pooling last reads the final state alone, and --attention dot would be left unused",
            ),
            (
                attention("additive", "mean+query"),
                "--pooling query compares the final state with the steps, which --attention additive makes twice as wide",
            ),
            (
                with(|plan| plan.linear = bag(0, 2, 9)),
                "--linear-characters is '0-2'; expected shortest-longest, for example 2-5",
            ),
            (with(|plan| plan.linear = bag(1, 65, 9)), "--linear-characters is '1-65'; the longest may be at most 64"),
            (with(|plan| plan.linear = bag(1, 2, 0)), "--linear-buckets is 0; it must be from 1 to 16777216"),
        ];
        for (plan, expected) in cases {
            assert_eq!(plan.check().unwrap_err().to_string(), expected);
        }
        for (form, pooling) in
            [("none", "last"), ("self", "query"), ("multi-head:4", "last+query"), ("dot", "last+max")]
        {
            attention(form, pooling).check().unwrap();
        }
        // Structured attention pools by itself, and what stands beside it is not read.
        attention("structured:2", "last").check().unwrap();
        with(|plan| plan.linear = bag(2, 5, 9)).check().unwrap();
    }

    #[test]
    fn a_network_is_told_in_one_line() {
        let expected = "1 layer of bidirectional LSTM with 8 hidden units per direction, pooling by attention";
        assert_eq!(plan().summary(), expected);
        let three = with(|plan| {
            plan.ensemble = 3;
            plan.encoder.layers = 2;
            plan.encoder.bidirectional = false;
            plan.encoder.cell = Cell::Gru;
            plan.encoder.attention = AttentionForm::Structured(4);
        });
        let expected =
            "3 networks, each 2 layers of forward GRU with 8 hidden units per direction, attention structured:4";
        assert_eq!(three.summary(), expected);
    }

    #[test]
    fn the_pooled_vector_is_as_wide_as_its_parts() {
        let width = |form: &str, pooling: &str| {
            let (form, pooling) = (form.parse().unwrap(), pooling.parse().unwrap());
            with(|plan| (plan.encoder.attention, plan.pooling) = (form, pooling)).pooled()
        };
        assert_eq!(width("none", "attention"), 16);
        assert_eq!(width("dot", "attention+last+max"), 32 + 16 + 32);
        assert_eq!(width("self", "attention+last"), 32);
        assert_eq!(width("structured:3", "mean"), 48);
        assert!(plan().has_weights() && !with(|plan| plan.pooling = "mean+last".parse().unwrap()).has_weights());
        assert!(
            with(|plan| {
                plan.pooling = "mean".parse().unwrap();
                plan.encoder.attention = AttentionForm::Structured(1);
            })
            .has_weights()
        );
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written_and_refuses_what_it_does_not_know() {
        let plan = with(|plan| {
            plan.linear = Some(NgramBagConfig { characters: None, words: Some(Sizes { min: 1, max: 2 }), buckets: 9 });
        });
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<NetworkPlan>(&json).unwrap(), plan);
        assert!(json.contains("\"output-dropout\":0.5"), "{json}");
        let error = serde_json::from_str::<NetworkPlan>(&json.replace("\"ensemble\"", "\"members\"")).unwrap_err();
        assert!(error.to_string().contains("members"), "{error}");
    }
}
