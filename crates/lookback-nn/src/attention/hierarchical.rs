//! Hierarchical attention for documents: words to sentences, sentences to a document (Yang 2016).

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{AttentionPool, PoolScore};
use crate::{Error, Gru, GruConfig, check};

/// A bidirectional GRU with attention over words, and one over sentences (Yang 2016, section 2.2).
#[derive(Module, Debug)]
pub struct HierarchicalAttention {
    words: Gru,
    word_pool: AttentionPool,
    sentences: Gru,
    sentence_pool: AttentionPool,
}

/// What a document gives.
#[derive(Debug, Clone)]
pub struct HierarchicalOutput {
    /// `[B, 2 H]`.
    pub document: Tensor<2>,
    /// `[B, S, W]`: the weight of each word in its sentence.
    pub word_weights: Tensor<3>,
    /// `[B, S]`: the weight of each sentence.
    pub sentence_weights: Tensor<2>,
}

impl HierarchicalAttention {
    /// input: the size of a word's vector. hidden: `H`, of both GRUs. attention: the size of both learnt contexts.
    ///
    /// # Errors
    /// A size of 0, or sizes whose parameters no memory holds.
    pub fn new(input: usize, hidden: usize, attention: usize, device: &Device) -> Result<Self, Error> {
        let both = check::times(2, hidden);
        let pool = || AttentionPool::new(PoolScore::Context { hidden: attention }, both, device);
        Ok(HierarchicalAttention {
            words: GruConfig::new(input, hidden).with_bidirectional(true).init(device)?,
            word_pool: pool()?,
            sentences: GruConfig::new(both, hidden).with_bidirectional(true).init(device)?,
            sentence_pool: pool()?,
        })
    }

    /// x: `[B, S, W, input]`, the vectors of `W` words in `S` sentences. sentences: `[B]`, how many sentences each
    /// document has. words: `[B * S]`, how many words each sentence has; 0 past the document's end.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn forward(&self, x: Tensor<4>, sentences: &[usize], words: &[usize]) -> Result<HierarchicalOutput, Error> {
        let [batch, count, longest, input] = x.dims();
        if batch * count * longest == 0 {
            let expected = "[B, S, W, input] with at least one document, sentence and word".into();
            return Err(Error::Shape { name: "x", found: x.dims().to_vec(), expected });
        }
        let x = x.reshape([batch * count, longest, input]);
        let read = self.words.forward(x, Some(words), None)?.sequence;
        let by_word = self.word_pool.forward(read, words, None)?;
        let width = by_word.pooled.dims()[1];
        let read = self.sentences.forward(by_word.pooled.reshape([batch, count, width]), Some(sentences), None)?;
        let by_sentence = self.sentence_pool.forward(read.sequence, sentences, None)?;
        Ok(HierarchicalOutput {
            document: by_sentence.pooled,
            word_weights: by_word.weights.reshape([batch, count, longest]),
            sentence_weights: by_sentence.weights,
        })
    }
}
