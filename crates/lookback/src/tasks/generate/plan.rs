//! Options, checked: only a plan can train.

use lookback_infer::data::documents::DocumentOptions;
use lookback_infer::data::{Format, HeaderChoice};
use lookback_infer::error::{PlanError, plan};
use lookback_infer::input::normalization::Normalization;
use lookback_infer::input::tokenizer::TokenizerChoice;
use lookback_infer::input::written::WrittenCut;
use lookback_infer::input::{DEFAULT_SUBWORDS, InputPlan, MOST_SUBWORDS};
use lookback_infer::tasks::generate::{NetworkPlan, SCORES};
use serde_json::{Map, Value, json};

use super::network::Penalties;
use super::options::GenerateOptions;
use crate::input::{TokenOptions, largest_vocabulary, refuse};
use crate::train::{TrainPlan, ValidationPlan, by_name};

/// The most steps through which gradients flow back.
const LONGEST_CHUNK: usize = 1 << 20;

/// A checked description of a language model and its training.
#[derive(Clone, Debug)]
pub struct GeneratePlan {
    pub(super) data: DocumentOptions,
    pub(super) input: InputPlan,
    pub(super) text: TextPlan,
    pub(super) network: NetworkPlan,
    pub(super) chunk: usize,
    pub(super) penalties: Penalties,
    pub(super) train: TrainPlan,
    pub(super) validation: ValidationPlan,
    /// What was said, for what is chosen by the data where nothing was.
    pub(super) options: GenerateOptions,
}

/// How texts become tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextPlan {
    pub(super) cut: WrittenCut,
    /// The most pieces of words that are learnt, where texts are cut into such.
    pub(super) subwords: Option<usize>,
    pub(super) min_count: usize,
    pub(super) max_vocabulary: usize,
}

impl GeneratePlan {
    /// Checks options.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another one.
    pub fn new(options: &GenerateOptions) -> Result<GeneratePlan, PlanError> {
        options.data.check()?;
        let cut = options.tokens.tokenizer.unwrap_or(WrittenCut::Characters);
        let subwords = match cut.subwords() {
            Some(_) => Some(options.tokens.subwords.unwrap_or(DEFAULT_SUBWORDS)),
            None => {
                let said = [("subwords", options.tokens.subwords.is_some())];
                refuse(&said, "needs --tokenizer bpe or unigram")?;
                None
            }
        };
        let text = TextPlan {
            cut,
            subwords,
            min_count: options.tokens.min_count.unwrap_or(1),
            max_vocabulary: options.tokens.max_vocabulary.unwrap_or(largest_vocabulary(20_000, subwords)),
        };
        subwords.map_or(Ok(()), |size| plan::size("subwords", size, MOST_SUBWORDS))?;
        plan::at_least(1, "min-count", text.min_count)?;
        plan::at_least(5, "max-vocabulary", text.max_vocabulary)?;
        if options.train.batch_tokens.is_some() {
            let problem =
                "is not for language models, whose batches are rows that are read on: --batch-size and --chunk";
            return Err(PlanError::conflict("batch-tokens", problem));
        }
        let train = TrainPlan::new(&options.train, &SCORES)?;
        let network = network(options, cut, train.ensemble())?;
        let chunk = options.chunk.unwrap_or(if cut == WrittenCut::Characters { 100 } else { 35 });
        plan::size("chunk", chunk, LONGEST_CHUNK)?;
        let penalties = Penalties {
            activation: options.activation_penalty.unwrap_or(0.0),
            slowness: options.slowness_penalty.unwrap_or(0.0),
        };
        plan::not_negative("activation-penalty", penalties.activation)?;
        plan::not_negative("slowness-penalty", penalties.slowness)?;
        Ok(GeneratePlan {
            data: options.data.clone(),
            input: input(&options.data)?,
            text,
            network,
            chunk,
            penalties,
            train,
            validation: ValidationPlan::new(&options.train)?,
            options: options.clone(),
        })
    }

    /// The training options by name, as a model keeps them.
    pub(super) fn training(&self) -> Map<String, Value> {
        let mut options = by_name(json!(self.train));
        options.insert("validation-split".into(), json!(self.validation.share()));
        let Value::Object(own) = self.own() else { return options };
        options.extend(own);
        options
    }

    /// What is said of tokens and of how texts are gone through.
    pub(super) fn own(&self) -> Value {
        json!({
            "subwords": self.text.subwords,
            "min-count": self.text.min_count,
            "max-vocabulary": self.text.max_vocabulary,
            "chunk": self.chunk,
            "activation-penalty": self.penalties.activation,
            "slowness-penalty": self.penalties.slowness,
        })
    }
}

fn network(options: &GenerateOptions, cut: WrittenCut, ensemble: usize) -> Result<NetworkPlan, PlanError> {
    let own = &options.network;
    let of_characters = cut == WrittenCut::Characters;
    let layers = own.layers.unwrap_or(if of_characters { 1 } else { 2 });
    if layers < 2 && own.layer_dropout.is_some_and(|p| p > 0.0) {
        return Err(PlanError::conflict("layer-dropout", format!("is between layers, but --layers is {layers}")));
    }
    let dropout = own.dropout.unwrap_or(0.2);
    plan::below_one("dropout", dropout)?;
    let tied = own.tied.unwrap_or(!of_characters);
    // One layer that is tied is as wide as the token vectors.
    let alike = tied && layers == 1;
    let hidden = own.hidden.or(own.embedding.filter(|_| alike)).unwrap_or(256);
    let network = NetworkPlan {
        cell: own.cell.unwrap_or_default(),
        embedding: own.embedding.unwrap_or(if of_characters && !alike { 64 } else { hidden }),
        embedding_scale: own.embedding_scale.unwrap_or(0.1),
        hidden,
        layers,
        tied,
        forget_bias: own.forget_bias,
        embedding_dropout: own.embedding_dropout.unwrap_or(dropout),
        token_dropout: own.token_dropout.unwrap_or(0.0),
        layer_dropout: if layers < 2 { 0.0 } else { own.layer_dropout.unwrap_or(dropout) },
        output_dropout: own.output_dropout.unwrap_or(dropout),
        weight_dropout: own.weight_dropout.unwrap_or(0.0),
        ensemble,
    };
    network.check()?;
    Ok(network)
}

/// How texts to go on from are read: whole, as they stand.
fn input(data: &DocumentOptions) -> Result<InputPlan, PlanError> {
    let tokens = TokenOptions {
        tokenizer: Some(TokenizerChoice::Characters),
        lowercase: Some(false),
        normalize: Some(Normalization::None),
        max_length: Some(i64::MAX as usize),
        ..TokenOptions::default()
    };
    let mut input = tokens.plan()?;
    if let InputPlan::Text(texts) = &mut input {
        texts.white_space = true;
        texts.format = data.format.filter(|format| *format != Format::Lines);
        texts.text.clone_from(&data.text);
        texts.header = data.header.and_then(HeaderChoice::explicit);
        texts.layout = data.layout.clone();
    }
    Ok(input)
}
