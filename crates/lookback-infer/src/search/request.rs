//! What is asked for one source.

use super::forbidden::Forbidden;

/// What is asked for one source, whose start state is one row of the decoder's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The token that the decoder reads first. It is in no hypothesis.
    pub start: u32,
    /// The most tokens, with the end: [`SearchPlan::longest`](super::SearchPlan::longest) has what the options say.
    pub longest: usize,
    /// Tokens that every hypothesis begins with. They count, and have a log-probability, as all others.
    pub prefix: Vec<u32>,
    /// Sequences that every hypothesis contains, somewhere and in any order; they may overlap.
    pub required: Vec<Vec<u32>>,
    /// Tokens before the start that the repetition penalty knows of as well.
    pub history: Vec<u32>,
    /// What the samples are drawn from, beside the seed of the options: the number of the line, for example.
    pub seed: u64,
}

impl Request {
    /// At most `longest` tokens after `start`.
    pub fn new(start: u32, longest: usize) -> Self {
        Self { start, longest, ..Self::default() }
    }

    /// What cannot be searched for, as the rest of a sentence.
    pub(super) fn check(&self, vocabulary: usize, end: Option<u32>, forbidden: &Forbidden) -> Result<(), String> {
        let longest = self.longest;
        if self.prefix.len() > longest {
            return Err(format!("must begin with {} tokens, but may have only {longest}", self.prefix.len()));
        }
        check_tokens("must begin with", &self.prefix, vocabulary, end, forbidden)?;
        for sequence in &self.required {
            if sequence.is_empty() {
                return Err("must contain a sequence of no tokens; leave it out".to_owned());
            }
            check_tokens("must contain", sequence, vocabulary, end, forbidden)?;
        }
        Ok(())
    }
}

fn check_tokens(
    what: &str,
    tokens: &[u32],
    vocabulary: usize,
    end: Option<u32>,
    forbidden: &Forbidden,
) -> Result<(), String> {
    if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
        return Err(format!("{what} token {token}, but the decoder has only {vocabulary}"));
    }
    if let Some(token) = tokens.iter().find(|&&token| Some(token) == end) {
        return Err(format!("{what} token {token}, which is the end"));
    }
    match forbidden.within(tokens) {
        Some(sequence) => Err(format!("{what} {tokens:?}, in which {sequence:?} is forbidden")),
        None => Ok(()),
    }
}
