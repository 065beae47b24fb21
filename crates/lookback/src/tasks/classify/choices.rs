//! What a search tries: the options that matter most, and values of them that were good for some data.

use super::plan::ClassifyPlan;
use crate::search::Choice;

/// The choices for texts or for series, without those of which something is said.
pub(super) fn choices(plan: &ClassifyPlan) -> Vec<Choice> {
    let (options, is_text) = (&plan.options, plan.input.is_text());
    let (encoder, network, train) = (&options.encoder, &options.network, &options.train);
    let mut choices = vec![
        (train.learning_rate.is_some(), Choice::new("learning-rate", [0.001, 0.002, 0.004, 0.008])),
        (train.batch_size.is_some() || train.batch_tokens.is_some(), Choice::new("batch-size", [8, 16, 32, 64])),
        (encoder.dropout.is_some(), Choice::new("dropout", [0.3, 0.4, 0.6])),
    ];
    if encoder.layers != Some(0) {
        choices.push((encoder.hidden.is_some(), Choice::new("hidden", [32, 96, 128])));
        choices.push((encoder.cell.is_some() || encoder.forget_bias.is_some(), Choice::new("cell", ["lstm"])));
    }
    if !encoder.pools() {
        let poolings = if is_text { ["max", "attention+max", "mean"] } else { ["attention", "last", "mean+max"] };
        choices.push((network.pooling.is_some(), Choice::new("pooling", poolings)));
    }
    if is_text {
        let tokens = &options.input.tokens;
        let c = options.learning.linear_c;
        choices.extend([
            (encoder.embedding.is_some() || encoder.embeddings.is_some(), Choice::new("embedding", [32, 96, 128])),
            (tokens.word_dropout.is_some(), Choice::new("word-dropout", [0.1, 0.2, 0.4])),
            (network.linear_words.is_some(), Choice::new("linear-words", ["1-1", "1-3"])),
            (network.linear_characters.is_some(), Choice::new("linear-characters", ["none", "1-3", "2-4", "3-6"])),
            (c.is_some(), Choice::new("linear-c", [3.0, 10.0, 100.0])),
        ]);
    } else {
        choices.push((options.input.input_noise.is_some(), Choice::new("input-noise", [0.0, 0.1, 0.5])));
        choices.push((encoder.layers.is_some(), Choice::new("layers", [2])));
    }
    choices.into_iter().filter(|(is_said, _)| !is_said).map(|(_, choice)| choice).collect()
}
