//! How good a language model is: what texts cost it.

use super::cache::{Cache, CachePlan};
use super::corpus::Corpus;
use super::network::Network;
use super::writer::{Said, Writer};

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
    judge_with_cache(networks, corpus, None)
}

/// The same with a cache of every document, by the states of the first network.
///
/// # Panics
/// As [`judge`].
pub fn judge_with_cache(networks: &[Network], corpus: &Corpus, cache: Option<CachePlan>) -> Option<Metrics> {
    let writer = Writer::new(networks);
    // Documents of similar length together, the longest first.
    let mut order: Vec<usize> = (0..corpus.documents.len()).collect();
    order.sort_by_key(|&document| std::cmp::Reverse(corpus.documents[document].len()));
    // Of each document by itself, so that no sum depends on which were read together.
    let mut costs = vec![(0.0f64, 0usize); corpus.documents.len()];
    for together in order.chunks(TOGETHER) {
        let sequences: Vec<&[u32]> = together.iter().map(|&document| corpus.documents[document].0.as_slice()).collect();
        let mut states = writer.start(sequences.len());
        let mut caches: Vec<Option<Cache>> = sequences.iter().map(|_| cache.map(Cache::new)).collect();
        writer.score(&mut states, &sequences, |row, place, Said { log_probabilities, state }| {
            let token = sequences[row][place];
            let own = log_probabilities[token as usize];
            let (cost, is_right) = match &mut caches[row] {
                Some(cache) => cache.score(state, log_probabilities, token),
                None => (f64::from(own), log_probabilities.iter().all(|&other| other <= own)),
            };
            let (nats, right) = &mut costs[together[row]];
            *nats -= cost;
            *right += usize::from(is_right);
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
