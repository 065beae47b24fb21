//! Networks of every configuration, with random weights, and batches for them.

use std::path::Path;
use std::sync::Arc;

use lookback_infer::input::{Batch, BatchInput, InputShape};
use lookback_infer::model_file::{ModelFile, Tensor, Tensors};
use lookback_infer::network::{AttentionForm, Cell, EncoderPlan, PoolKind};
use lookback_infer::tasks::classify::{LabelsPerText, Network, NetworkPlan};
use lookback_kernels::lookup::{Bags, Lookup, NO_TOKEN};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(crate) const LABELS: usize = 3;
pub(crate) const FORMS: [&str; 8] =
    ["none", "additive", "dot", "general", "scaled-dot", "self", "multi-head:2", "structured:3"];
const POOLINGS: [&str; 7] =
    ["attention", "query", "last", "mean", "max", "max+attention+last+mean", "query+mean+attention"];
const TEXT: InputShape = InputShape::Tokens { vocabulary: 11, ngrams: Some(7), bigrams: Some(5), shapes: Some(4) };
const SERIES: InputShape = InputShape::Channels(2);

/// A network's plan with what it reads.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) plan: NetworkPlan,
    pub(crate) shape: InputShape,
    pub(crate) seed: u64,
}

/// Every cell, one layer and two, one direction and two, every attention and pooling that go together; texts and series in
/// turns, texts with every table.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
        for (layers, bidirectional) in [(1, false), (1, true), (2, false), (2, true)] {
            for form in FORMS {
                for pooling in POOLINGS {
                    let shape = if cases.len() % 2 == 0 { TEXT } else { SERIES };
                    let hidden = if form == "multi-head:2" { 6 } else { 5 };
                    let mut case = Case { plan: plan(form, pooling, hidden), shape, seed: cases.len() as u64 };
                    case.plan.encoder.cell = cell;
                    case.plan.encoder.layers = layers;
                    case.plan.encoder.bidirectional = bidirectional;
                    if case.plan.check().is_ok() {
                        cases.push(case);
                    }
                }
            }
        }
    }
    // Without recurrent layers, which series need.
    for (seed, (form, pooling)) in FORMS.iter().flat_map(|form| POOLINGS.map(|pooling| (form, pooling))).enumerate() {
        let mut case = Case { plan: plan(form, pooling, 5), shape: TEXT, seed: seed as u64 };
        case.plan.encoder.layers = 0;
        if case.plan.check().is_ok() {
            cases.push(case);
        }
    }
    cases
}

/// Every attention over widths beyond a panel, for rows longer than a block of keys.
pub(crate) fn long() -> Vec<Case> {
    FORMS.iter().map(|form| Case { plan: plan(form, "attention+mean+max", 20), shape: SERIES, seed: 1 }).collect()
}

fn plan(form: &str, pooling: &str, hidden: usize) -> NetworkPlan {
    NetworkPlan {
        encoder: EncoderPlan {
            cell: Cell::Lstm,
            embedding: 4,
            embedding_scale: 0.3,
            embeddings: None,
            embeddings_mode: None,
            embeddings_vocabulary: 0,
            hidden,
            layers: 1,
            bidirectional: true,
            recompute: false,
            attention: form.parse().unwrap(),
            embedding_dropout: 0.5,
            layer_dropout: 0.5,
            forget_bias: None,
        },
        pooling: pooling.parse().unwrap(),
        output_dropout: 0.5,
        ensemble: 1,
        linear: None,
        labels_per_text: LabelsPerText::One,
    }
}

impl Case {
    /// A file with the network's tensors, each as its documentation names it.
    pub(crate) fn file(&self) -> ModelFile {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut file = ModelFile::new("classify");
        for (name, shape) in self.shapes() {
            let data = (0..shape.iter().product()).map(|_| rng.random_range(-0.6..0.6)).collect();
            assert!(file.tensors.insert(name.clone(), Tensor { shape, data }).is_none(), "{name} twice");
        }
        file
    }

    pub(crate) fn network(&self) -> Network {
        let mut file = self.file();
        let network = Network::read(&self.plan, self.shape, LABELS, &mut Tensors::new(&mut file, Path::new("m"), ""));
        let network = network.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        assert!(file.tensors.is_empty(), "left of {self:?}: {:?}", file.tensors.keys());
        network
    }

    /// Names and shapes, as the documentation has them.
    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let encoder = &self.plan.encoder;
        let (o, h) = (encoder.outputs(), encoder.hidden);
        let rows = h * [4, 3, 1][encoder.cell as usize];
        let mut shapes = Vec::new();
        let mut add = |name: &str, shape: &[usize]| shapes.push((name.to_owned(), shape.to_vec()));
        let mut input = match self.shape {
            InputShape::Channels(channels) => channels,
            InputShape::Tokens { vocabulary, ngrams, bigrams, shapes } => {
                add("encoder.embedding.weight", &[vocabulary, encoder.embedding]);
                for (name, rows) in [("ngram", ngrams), ("bigram", bigrams), ("shape", shapes)] {
                    if let Some(rows) = rows {
                        add(&format!("encoder.{name}_embedding.weight"), &[rows, encoder.embedding]);
                    }
                }
                encoder.embedding
            }
        };
        for layer in 0..encoder.layers {
            for end in if encoder.bidirectional { &["", "_reverse"][..] } else { &[""] } {
                for (kind, shape) in [
                    ("weight_ih", &[rows, input][..]),
                    ("weight_hh", &[rows, h]),
                    ("bias_ih", &[rows]),
                    ("bias_hh", &[rows]),
                ] {
                    add(&format!("encoder.recurrent.{kind}_l{layer}{end}"), shape);
                }
            }
            input = o;
        }
        let attend: &[(&str, &[usize])] = match encoder.attention {
            AttentionForm::None | AttentionForm::Dot | AttentionForm::ScaledDot => &[],
            AttentionForm::Additive => &[
                ("attention.w_query", &[o, o]),
                ("attention.w_key", &[o, o]),
                ("attention.bias", &[o]),
                ("attention.v", &[o]),
            ],
            AttentionForm::General => &[("attention.w", &[o, o])],
            AttentionForm::SelfAttention => &[("dense.weight", &[o, 2 * o]), ("dense.bias", &[o])],
            AttentionForm::MultiHead(_) => &[
                ("dense.weight", &[o, o]),
                ("dense.bias", &[o]),
                ("multi_head.in_proj_weight", &[3 * o, o]),
                ("multi_head.in_proj_bias", &[3 * o]),
                ("multi_head.out_proj.weight", &[o, o]),
                ("multi_head.out_proj.bias", &[o]),
            ],
            AttentionForm::Structured(hops) => &[("structured.w_1", &[o, o]), ("structured.w_2", &[hops, o])],
        };
        attend.iter().for_each(|(name, shape)| add(&format!("encoder.attend.{name}"), shape));
        if self.plan.pooling.parts().contains(&PoolKind::Attention) && !encoder.attention.pools() {
            add("pool.weight", &[encoder.width()]);
        }
        add("output.weight", &[LABELS, self.plan.pooled()]);
        add("output.bias", &[LABELS]);
        shapes
    }

    /// A batch of rows of these lengths, padded to the longest. `first`: the number of the first row;
    /// a row of the same number has the same values in any batch.
    pub(crate) fn batch(&self, first: usize, lengths: &[usize]) -> Batch {
        let time = lengths.iter().copied().max().unwrap_or(0).max(1);
        let input = match self.shape {
            InputShape::Channels(channels) => {
                let mut values = Vec::new();
                for (row, &length) in lengths.iter().enumerate() {
                    let mut rng = StdRng::seed_from_u64(1000 + (first + row) as u64);
                    values.extend((0..length * channels).map(|_| rng.random_range(-2.0f32..2.0)));
                    values.resize((row + 1) * time * channels, 0.0);
                }
                BatchInput::Series { values, channels }
            }
            InputShape::Tokens { .. } => {
                let ids = |row: usize, step: usize| ((first + row) * 5 + step * step) as u32 % 11;
                let place = |row, step| if step < lengths[row] { ids(row, step) } else { NO_TOKEN };
                BatchInput::Tokens(Arc::new(Lookup {
                    positions: (0..lengths.len()).flat_map(|row| (0..time).map(move |step| place(row, step))).collect(),
                    unique: 11,
                    bags: vec![
                        Bags::single((0..11).collect()),
                        // Tokens of no n-gram, of one, of several.
                        Bags {
                            offsets: (0..12).map(|token: u32| token * token / 10).collect(),
                            ids: (0..12).map(|place| place * 3 % 7).collect(),
                        },
                        Bags::single((0..11).map(|token| token * 2 % 5).collect()),
                        Bags::single((0..11).map(|token| token % 4).collect()),
                    ],
                }))
            }
        };
        Batch { input, lengths: lengths.to_vec(), time }
    }
}
