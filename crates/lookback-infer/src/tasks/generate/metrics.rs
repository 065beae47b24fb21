//! How good a language model is: what texts cost it.

use super::corpus::Corpus;
use super::network::Network;
use super::writer::Writer;

/// What a generator is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Documents judged.
    pub documents: usize,
    /// Tokens judged, ends that are learnt among them.
    pub tokens: usize,
    /// Of these, what the vocabulary does not have.
    pub unknown: usize,
    /// Tokens that were the likeliest.
    pub right: usize,
    /// What all tokens cost, in nats.
    pub nats: f64,
    /// Characters, bytes and words of the texts.
    pub sizes: [usize; 3],
}

impl Metrics {
    /// What a token costs, in nats.
    pub fn loss(&self) -> f64 {
        self.nats / self.tokens.max(1) as f64
    }

    /// Bits per character.
    pub fn bits_per_character(&self) -> f64 {
        self.nats / std::f64::consts::LN_2 / self.sizes[0].max(1) as f64
    }

    /// Bits per byte.
    pub fn bits_per_byte(&self) -> f64 {
        self.nats / std::f64::consts::LN_2 / self.sizes[1].max(1) as f64
    }

    /// Perplexity per word.
    pub fn word_perplexity(&self) -> f64 {
        (self.nats / self.sizes[2].max(1) as f64).exp()
    }
}

/// Documents that are judged side by side.
const TOGETHER: usize = 64;

/// What a corpus costs networks that answer together, every document from its beginning; `None` where numbers overflow.
///
/// # Panics
/// If there is no network, or the corpus was made for another one.
pub fn judge(networks: &[Network], corpus: &Corpus) -> Option<Metrics> {
    let writer = Writer::new(networks);
    // Documents of similar length together, the longest first.
    let mut order: Vec<usize> = (0..corpus.documents.len()).collect();
    order.sort_by_key(|&document| std::cmp::Reverse(corpus.documents[document].len()));
    // Of each document by itself, so that no sum depends on which were read together.
    let mut costs = vec![(0.0f64, 0usize); corpus.documents.len()];
    for together in order.chunks(TOGETHER) {
        let sequences: Vec<&[u32]> = together.iter().map(|&document| corpus.documents[document].0.as_slice()).collect();
        let mut states = writer.start(sequences.len());
        writer.score(&mut states, &sequences, |row, place, scores| {
            let token = sequences[row][place] as usize;
            let (nats, right) = &mut costs[together[row]];
            *nats -= f64::from(scores[token]);
            *right += usize::from(scores.iter().all(|&other| other <= scores[token]));
        });
    }
    let (nats, right) = costs.iter().fold((0.0, 0), |(nats, right), cost| (nats + cost.0, right + cost.1));
    nats.is_finite().then(|| Metrics {
        documents: corpus.documents.len(),
        tokens: corpus.tokens(),
        unknown: corpus.unknown,
        right,
        nats,
        sizes: [corpus.characters, corpus.bytes, corpus.words],
    })
}
