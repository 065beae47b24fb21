//! Token vectors that were trained before, as the start of a training.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use lookback_infer::data::vectors::VectorFile;
use lookback_infer::error::{Error, ModelFileError, PlanError, counted};
use lookback_infer::input::encoder::TextEncoder;
use lookback_infer::input::{Input, InputPlan, Raw};
use lookback_infer::network::EncoderPlan;
use lookback_nn::parameters;

use super::Init;
use crate::network::filled;

/// The tables that are drawn with the deviation of token vectors. The first has a row per token.
const TABLES: [&str; 4] = [
    "encoder.embedding.weight",
    "encoder.ngram_embedding.weight",
    "encoder.bigram_embedding.weight",
    "encoder.shape_embedding.weight",
];

/// Why there are no such vectors for a training that begins with a model.
pub(crate) const NOT_WITH_INIT: &str = "is for a start without a model, but the one in --init has vectors of its own";

/// Vectors of a file, for the tokens of the training data and for others that are to be known.
#[derive(Debug)]
pub(crate) struct Pretrained {
    path: PathBuf,
    /// Of tokens as they are read.
    vectors: HashMap<String, Match>,
    /// The tokens in the order of the file.
    order: Vec<String>,
    /// How many that the training data do not have become known.
    more: usize,
    /// What the tables have been drawn with.
    scale: f64,
}

/// A vector, and how well its word in the file is that of the token.
#[derive(Debug)]
struct Match {
    vector: Vec<f32>,
    kind: Kind,
}

/// How a word of a file is a token, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// They are the same.
    Exact,
    /// They are read the same.
    AsRead,
    /// The token is in other case.
    OtherCase,
}

impl Pretrained {
    /// Reads the vectors that `plan` names, where it does, of the tokens that a vocabulary of all of these inputs has, and
    /// tells how many there are. `special`: as for [`Input::fit`]; `data`: the file of the inputs; `init`: the model that
    /// training begins with.
    ///
    /// # Errors
    /// If the file is wrong, has no vector of any token, or training begins with a model.
    pub(crate) fn read<'a, I: Iterator<Item = &'a Raw> + Clone>(
        plan: &EncoderPlan,
        input: &InputPlan,
        raws: impl Fn() -> I,
        special: &[&str],
        (data, init): (&Path, Option<&Init>),
    ) -> Result<Option<Pretrained>, Error> {
        let conflict = |option, problem: &str| Err(PlanError::conflict(option, problem).into());
        let Some(path) = &plan.embeddings else {
            return match plan.embeddings_mode {
                Some(_) if init.is_none() => conflict("embeddings-mode", "needs --embeddings, or a model in --init"),
                _ => Ok(None),
            };
        };
        if init.is_some() {
            return conflict("embeddings", NOT_WITH_INIT);
        }
        let whole = Input::fit(input, raws(), special, data)?;
        let Some(encoder) = whole.text() else { return Ok(None) };
        let mut file = VectorFile::open(path)?;
        let mut reader = Reader::new(encoder, plan.embeddings_vocabulary);
        while file.advance()? {
            reader.take(&file)?;
        }
        let Reader { vectors, order, twice, .. } = reader;
        let pretrained = Pretrained {
            path: path.clone(),
            vectors,
            order,
            more: plan.embeddings_vocabulary,
            scale: plan.embedding_scale,
        };
        pretrained.tell(&file, encoder, &whole.counts(raws()), twice)?;
        Ok(Some(pretrained))
    }

    /// Tells what was found, and refuses a file with nothing of use in it.
    fn tell(&self, file: &VectorFile, encoder: &TextEncoder, counts: &[u64], twice: usize) -> Result<(), PlanError> {
        let vocabulary = &encoder.vocabulary;
        let tokens = || vocabulary.tokens().iter().zip(counts).skip(vocabulary.specials());
        let (all, running) = (tokens().count(), counts.iter().sum::<u64>());
        let with = || tokens().filter(|(token, _)| self.vectors.contains_key(*token));
        let (found, found_running) = (with().count(), with().map(|(_, count)| count).sum::<u64>());
        let name = self.path.display();
        if found == 0 {
            let rows = file.rows();
            let problem = format!(
                "{name} has vectors of {rows} words, but of none of the {all} tokens of the training data; are they of \
                 another language?"
            );
            return Err(PlanError::conflict("embeddings", problem));
        }
        let again = match twice {
            0 => String::new(),
            _ => format!("; twice there: {}, of which the first counts", counted(twice, "word")),
        };
        tracing::info!(
            "{name}: {}; {} words, vectors of {} numbers; {found} of {all} tokens have one, {:.1} % of the running \
             text{again}",
            file.format(),
            file.rows(),
            file.width(),
            100.0 * found_running as f64 / running.max(1) as f64
        );
        Ok(())
    }

    /// `input`, with the first words of the file that it does not know, as many as were asked for.
    ///
    /// # Errors
    /// If the vocabulary may not have so many.
    pub(crate) fn add_words(&self, input: Input) -> Result<Input, PlanError> {
        let (Some(encoder), InputPlan::Text(plan)) = (input.text(), input.plan()) else { return Ok(input) };
        let is_new = |word: &&str| encoder.vocabulary.id(word).is_none();
        let words: Vec<&str> = self.order.iter().map(String::as_str).filter(is_new).take(self.more).collect();
        let all = encoder.vocabulary.len() + words.len();
        if all > plan.max_vocabulary {
            let problem =
                format!("would make a vocabulary of {all} tokens, but --max-vocabulary is {}", plan.max_vocabulary);
            return Err(PlanError::conflict("embeddings-vocabulary", problem));
        }
        Ok(input.with_words(&words))
    }

    /// The vectors of this input's tokens.
    pub(crate) fn vectors(&self, input: &Input) -> TokenVectors<'_> {
        let tokens = input.text().map_or(&[][..], |encoder| encoder.vocabulary.tokens());
        let special = input.text().map_or(0, |encoder| encoder.vocabulary.specials());
        let of_token = |(id, token): (usize, &String)| {
            self.vectors.get(token).filter(|_| id >= special).map(|found| found.vector.as_slice())
        };
        let rows: Vec<Option<&[f32]>> = tokens.iter().enumerate().map(of_token).collect();
        let (sum, count) = rows
            .iter()
            .flatten()
            .flat_map(|row| row.iter())
            .fold((0.0f64, 0u64), |(sum, count), value| (sum + f64::from(*value) * f64::from(*value), count + 1));
        let deviation = (sum / count.max(1) as f64).sqrt();
        let factor = if deviation > 0.0 { (deviation / self.scale) as f32 } else { 1.0 };
        TokenVectors { rows, factor, path: &self.path }
    }
}

/// Takes the vectors that are wanted out of a file.
struct Reader<'a> {
    encoder: &'a TextEncoder,
    vectors: HashMap<String, Match>,
    order: Vec<String>,
    /// How many words that the training data do not have may still be taken.
    room: usize,
    /// Tokens by their form in lower case, where the vocabulary tells cases apart.
    by_lower_case: HashMap<String, Vec<&'a str>>,
    /// Words that stand there twice.
    twice: usize,
}

impl<'a> Reader<'a> {
    fn new(encoder: &'a TextEncoder, more: usize) -> Reader<'a> {
        let mut by_lower_case: HashMap<String, Vec<&str>> = HashMap::new();
        if !encoder.tokenizer.lowercase {
            for token in &encoder.vocabulary.tokens()[encoder.vocabulary.specials()..] {
                let lower = token.to_lowercase();
                if lower != *token {
                    by_lower_case.entry(lower).or_default().push(token);
                }
            }
        }
        Reader { encoder, vectors: HashMap::new(), order: Vec::new(), room: more, by_lower_case, twice: 0 }
    }

    /// Takes the row on which `file` stands, if it is of use.
    fn take(&mut self, file: &VectorFile) -> Result<(), Error> {
        let Some(word) = file.word() else { return Ok(()) };
        let encoder = self.encoder;
        let read = encoder.tokenizer.as_token(word);
        let kind = if read == word { Kind::Exact } else { Kind::AsRead };
        if encoder.vocabulary.id(&read).is_some() || self.vectors.contains_key(&*read) {
            self.put(&read, kind, file)?;
        } else if self.room > 0 && self.is_one_token(word) {
            self.room -= 1;
            self.put(&read, kind, file)?;
        }
        for token in self.by_lower_case.get(word).cloned().unwrap_or_default() {
            self.put(token, Kind::OtherCase, file)?;
        }
        Ok(())
    }

    /// Whether the word is a token where it stands in a text.
    fn is_one_token(&self, word: &str) -> bool {
        matches!(self.encoder.tokenizer.tokenize(word).as_slice(), [token] if (token.start, token.end) == (0, word.len()))
    }

    /// Keeps the vector of a token, unless there is one that fits as well.
    fn put(&mut self, token: &str, kind: Kind, file: &VectorFile) -> Result<(), Error> {
        match self.vectors.get_mut(token) {
            None => {
                self.order.push(token.to_owned());
                self.vectors.insert(token.to_owned(), Match { vector: file.values()?, kind });
            }
            Some(found) if kind < found.kind => *found = Match { vector: file.values()?, kind },
            Some(found) => self.twice += usize::from(kind == Kind::Exact && found.kind == Kind::Exact),
        }
        Ok(())
    }
}

/// Vectors for the tokens of a vocabulary.
pub(crate) struct TokenVectors<'a> {
    /// By the tokens' ids, where there is one.
    rows: Vec<Option<&'a [f32]>>,
    /// By what other rows are to be multiplied, so that they deviate as these do.
    factor: f32,
    path: &'a Path,
}

impl TokenVectors<'_> {
    /// The network `fresh` with these vectors. What else is looked up by tokens takes their deviation.
    pub(super) fn laid_over<N: Module>(&self, fresh: N) -> Result<N, ModelFileError> {
        let mut drawn = parameters::values(&fresh, "");
        filled(fresh, "", self.path, |name, shape| {
            let mut values = drawn.remove(name).map(|own| own.values).unwrap_or_default();
            if TABLES.contains(&name) {
                values.iter_mut().for_each(|value| *value *= self.factor);
            }
            if name == TABLES[0]
                && let [_, width] = shape
            {
                for (row, vector) in values.chunks_mut(*width).zip(&self.rows) {
                    if let Some(vector) = vector.filter(|vector| vector.len() == row.len()) {
                        row.copy_from_slice(vector);
                    }
                }
            }
            Ok(values)
        })
    }
}
