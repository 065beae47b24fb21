//! What the search asks of a decoder, and what one step of it leaves behind.

/// A network that continues sequences, one token at a time, for many hypotheses (rows) at once.
///
/// Whatever the rows share, such as a source's projected memory, belongs in the state once and not once per row;
/// [`reorder`](Decoder::reorder) says which rows go on. For an answer that does not depend on what else is in the batch, a
/// row must have the same bits alone and beside others.
pub trait Decoder {
    /// What the rows have read so far.
    type State;
    /// What can go wrong in a step.
    type Error: std::error::Error;

    /// `V`: how many tokens there are.
    fn vocabulary(&self) -> usize;

    /// One step of all rows. tokens: `[rows]`, the token that each row reads; `out` has the same rows, and all of
    /// [`Step::log_probabilities`] must be written, for what the last step left there is still in it.
    ///
    /// # Errors
    /// What the search then gives as [`SearchError::Decoder`](super::SearchError::Decoder).
    fn step(&self, state: &mut Self::State, tokens: &[u32], out: &mut Step) -> Result<(), Self::Error>;

    /// The rows of the state become those named, in this order: some are there several times, some no more. It is not
    /// called where all rows stay as they are.
    fn reorder(&self, state: &mut Self::State, rows: &[usize]);
}

/// What a step gives, in buffers that all steps share.
#[derive(Debug, Default)]
pub struct Step {
    rows: usize,
    vocabulary: usize,
    log_probabilities: Vec<f32>,
    normalizers: Vec<f32>,
    attention: Vec<f32>,
    attention_ends: Vec<usize>,
}

impl Step {
    /// How many hypotheses there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `[rows, V]`: the log-probability of every token. Minus infinity is a token that cannot come.
    pub fn log_probabilities(&mut self) -> &mut [f32] {
        &mut self.log_probabilities
    }

    /// The memory of [`Step::log_probabilities`], which a decoder may write anew and give back by
    /// [`Step::set_log_probabilities`], in place of a copy.
    pub fn take_log_probabilities(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.log_probabilities)
    }

    /// `[rows, V]`, as [`Step::log_probabilities`], from a vector that the decoder has made.
    pub fn set_log_probabilities(&mut self, values: Vec<f32>) {
        self.log_probabilities = values;
    }

    /// `[rows]`, zeros at first: by how much the logits were above the log-probabilities, which
    /// [`log_softmax`](crate::network::log_softmax) tells. Only the repetition penalty of sampling reads it, which its paper
    /// defines on logits.
    pub fn normalizers(&mut self) -> &mut [f32] {
        &mut self.normalizers
    }

    /// weights: `[S]`, what the next row looked at in this step. Of all rows, in their order, or of none.
    pub fn attend(&mut self, weights: &[f32]) {
        self.attention.extend_from_slice(weights);
        self.attention_ends.push(self.attention.len());
    }

    pub(super) fn begin(&mut self, rows: usize, vocabulary: usize) {
        (self.rows, self.vocabulary) = (rows, vocabulary);
        self.log_probabilities.resize(rows * vocabulary, f32::NAN);
        self.normalizers.clear();
        self.normalizers.resize(rows, 0.0);
        self.attention.clear();
        self.attention_ends.clear();
    }

    /// Whether it is the step that was begun with these sizes.
    pub(super) fn is_of(&self, rows: usize, vocabulary: usize) -> bool {
        (self.rows, self.vocabulary) == (rows, vocabulary) && self.log_probabilities.len() == rows * vocabulary
    }

    /// How many rows have told what they looked at.
    pub(super) fn attended(&self) -> usize {
        self.attention_ends.len()
    }

    /// The rows of sources that have so many each, one source's after another's.
    pub(super) fn of_sources(&mut self, counts: impl Iterator<Item = usize>) -> Vec<SourceRows<'_>> {
        let Step { vocabulary, log_probabilities, normalizers, attention, attention_ends, .. } = self;
        let (mut rest, mut first) = (log_probabilities.as_mut_slice(), 0);
        let rows = |count: usize| {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(count * *vocabulary);
            rest = others;
            first += count;
            let normalizers = &normalizers[first - count..first];
            let first = first - count;
            SourceRows {
                vocabulary: *vocabulary,
                log_probabilities: own,
                normalizers,
                attention,
                attention_ends,
                first,
            }
        };
        counts.map(rows).collect()
    }
}

/// The rows of one source, counted from its first.
#[derive(Debug)]
pub(super) struct SourceRows<'a> {
    vocabulary: usize,
    /// `[rows, V]`
    log_probabilities: &'a mut [f32],
    /// `[rows]`
    normalizers: &'a [f32],
    /// Of all sources.
    attention: &'a [f32],
    attention_ends: &'a [usize],
    /// Which of all rows is the source's first.
    first: usize,
}

impl SourceRows<'_> {
    /// `[V]`
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.log_probabilities[row * self.vocabulary..][..self.vocabulary]
    }

    /// `[V]`
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.log_probabilities[row * self.vocabulary..][..self.vocabulary]
    }

    pub(super) fn normalizer(&self, row: usize) -> f32 {
        self.normalizers[row]
    }

    /// `[S]`, or nothing where the decoder has no attention.
    pub(super) fn attention(&self, row: usize) -> &[f32] {
        let ends = self.attention_ends;
        let row = self.first + row;
        let start = if row == 0 { 0 } else { ends.get(row - 1).copied().unwrap_or_default() };
        ends.get(row).map_or(&[], |&end| &self.attention[start..end])
    }
}
