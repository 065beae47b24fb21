//! The decoder: recurrent layers that look at the source, a step at a time.

mod monotonic;

use lookback_kernels::attention::Score;
use lookback_kernels::simd::math;
use rayon::prelude::*;

use self::monotonic::{Alignments, Monotonic};
use super::plan::{DecoderForm, DecoderPlan};
use crate::error::ModelFileError;
use crate::model_file::Tensors;
use crate::network::{Compare, LayerState, Linear, Ragged, Recurrent, RecurrentShape, Workspaces, look};

/// The decoder of one network, its weights packed once.
///
/// # Tensors
/// With `E` the width of a target token's vector, `H` the decoder's hidden units, `M` the width of a step of the source,
/// `F` what is fed beside a token's vector (`H` of Luong's, `M` of Bahdanau's, 0 with hard monotonic attention) and `V` the
/// target's vocabulary:
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `target_embedding.weight` | `[V, E]` | |
/// | `decoder.recurrent.weight_ih_l0` | `[G*H, E + F]` | |
/// | `decoder.recurrent.weight_ih_lk`, layer `k` from 1 | `[G*H, H]` | several layers |
/// | `decoder.recurrent.weight_hh_lk`, `bias_ih_lk`, `bias_hh_lk` | `[G*H, H]`, `[G*H]` | |
/// | `decoder.attention.w_query`, `w_key` | `[H, H]`, `[H, M]` | `additive` |
/// | `decoder.attention.bias`, `v` | `[H]` | `additive` |
/// | `decoder.attention.w` | `[H, M]` | `general` |
/// | `decoder.combine.projection.weight`, `bias` | `[H, M + H]`, `[H]` | Luong's |
/// | `decoder.source.weight` | `[H, M]` | hard monotonic attention |
/// | `decoder.target.weight`, `bias` | `[H, H]`, `[H]` | hard monotonic attention |
/// | `decoder.distances` | `[6]`: of jumps of 0 to 4 positions, and of longer ones | hard monotonic attention |
/// | `output` | `[V, H]`, of Bahdanau's `[V, H + M]` | not tied |
/// | `output_bias` | `[V]` | |
/// | `gate.weight`, `gate.bias` | `[1, W + E]`, `[1]`: of what the output reads (`W` values) and the token's vector | `copy` |
/// | `decoder.coverage` | `[H]` | `coverage` |
#[derive(Debug)]
pub(super) struct Decoder {
    plan: DecoderPlan,
    /// `M`
    memory: usize,
    /// `V`
    vocabulary: usize,
    /// `[V, E]`
    embedding: Vec<f32>,
    recurrent: Recurrent,
    compare: Compare,
    /// `tanh(W [c; h])`
    combine: Option<Linear>,
    monotonic: Option<Monotonic>,
    output: Linear,
    /// Where tokens are copied: the logit of how likely one is written instead.
    gate: Option<Linear>,
    /// `[H]`: `w_c`, with coverage.
    coverage: Option<Vec<f32>>,
    /// What shortlists take their part of, where there are some.
    unpacked: Option<Unpacked>,
    workspaces: Workspaces,
}

/// The output layer as rows.
#[derive(Debug)]
struct Unpacked {
    /// `[V, W]`; `None` where it is the table of token vectors.
    weight: Option<Vec<f32>>,
    /// `[V]`
    bias: Vec<f32>,
}

/// What the decoder looks at: the sources of a batch, mapped once.
#[derive(Debug)]
pub(super) struct Memory {
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    length: usize,
    /// `[S, M]`
    values: Vec<f32>,
    /// `[S, W]`; the values themselves where nothing maps them.
    keys: Option<Vec<f32>>,
    /// The part of the output layer that is computed of it, where that is not the whole.
    output: Option<Linear>,
    /// `[S, H]`: what the output reads of every position, under hard monotonic attention.
    mapped: Option<Vec<f32>>,
}

/// The states of some targets that are being written.
#[derive(Clone, Debug)]
pub(super) struct States {
    /// Which source each is of.
    pub(super) sources: Vec<usize>,
    /// Of every layer, `[rows, H]`.
    pub(super) layers: Vec<LayerState>,
    /// `[rows, H]`: of Luong's, the attentional vectors before.
    fed: Vec<f32>,
    /// `[rows]`: with coverage what the steps before looked at, as many as the source is long; nothing before the first.
    covered: Vec<Vec<f32>>,
    /// Where each may stand in its source, under hard monotonic attention.
    alignments: Option<Alignments>,
}

/// What a step gives.
#[derive(Debug)]
pub(super) struct Stepped {
    /// `[rows, V]`; of sources with shortlists as many of each row as its source's has.
    pub(super) logits: Vec<f32>,
    /// What each row looked at, as many as its source is long, where that was asked for.
    pub(super) weights: Option<Vec<Vec<f32>>>,
    /// `[rows]`: the logit of how likely a token is written and not copied, where tokens are copied.
    pub(super) gates: Option<Vec<f32>>,
}

impl States {
    /// Those of these rows, which may repeat.
    pub(super) fn reorder(&mut self, rows: &[usize], hidden: usize) {
        self.sources = rows.iter().map(|&row| self.sources[row]).collect();
        let taken = |values: &[f32]| -> Vec<f32> {
            if values.is_empty() {
                return Vec::new();
            }
            rows.iter().flat_map(|&row| &values[row * hidden..][..hidden]).copied().collect()
        };
        for layer in &mut self.layers {
            *layer = layer.of_rows(rows, hidden);
        }
        self.fed = taken(&self.fed);
        if !self.covered.is_empty() {
            self.covered = rows.iter().map(|&row| self.covered[row].clone()).collect();
        }
        if let Some(alignments) = &mut self.alignments {
            alignments.reorder(rows);
        }
    }
}

impl Decoder {
    /// Takes the decoder's tensors. `memory`: the width of a step of the source.
    ///
    /// # Errors
    /// If one of them is missing or has another shape.
    pub(super) fn read(
        plan: &DecoderPlan,
        memory: usize,
        vocabulary: usize,
        shortens: bool,
        tensors: &mut Tensors<'_>,
    ) -> Result<Decoder, ModelFileError> {
        let (hidden, width) = (plan.hidden, plan.output_width(memory));
        let embedding = tensors.take("target_embedding.weight", &[vocabulary, plan.embedding])?;
        let bias = tensors.take("output_bias", &[vocabulary])?;
        let name = if plan.tied { "target_embedding.weight" } else { "output" };
        let weight = if plan.tied { None } else { Some(tensors.take(name, &[vocabulary, width])?) };
        let rows = weight.as_deref().unwrap_or(&embedding);
        let output = Linear::new([vocabulary, width], rows, Some(&bias), name, tensors)?;
        let unpacked = shortens.then_some(Unpacked { weight, bias });
        let gate = plan
            .copy
            .then(|| Linear::read(width + plan.embedding, 1, true, &mut tensors.within("gate")))
            .transpose()?;
        let mut tensors = tensors.within("decoder");
        let coverage = plan.coverage.then(|| tensors.take("coverage", &[hidden])).transpose()?;
        let shape = RecurrentShape {
            cell: plan.cell,
            input: plan.embedding + plan.fed(memory),
            hidden,
            layers: plan.layers,
            bidirectional: false,
        };
        let recurrent = Recurrent::read(shape, &mut tensors.within("recurrent"))?;
        let compare = Compare::read(plan.score, hidden, memory, &mut tensors.within("attention"))?;
        let combine = (plan.form == DecoderForm::Luong)
            .then(|| Linear::read(memory + hidden, hidden, true, &mut tensors.within("combine.projection")))
            .transpose()?;
        let monotonic = (plan.form == DecoderForm::HardMonotonic)
            .then(|| Monotonic::read(memory, hidden, &mut tensors))
            .transpose()?;
        let workspaces = Workspaces::default();
        let plan = plan.clone();
        Ok(Decoder {
            plan,
            memory,
            vocabulary,
            embedding,
            recurrent,
            compare,
            combine,
            monotonic,
            output,
            gate,
            coverage,
            unpacked,
            workspaces,
        })
    }

    /// Computes of every source's targets no logits but those of these tokens, whose part of the output layer is packed once.
    /// lists: `[B]`, none of them empty.
    ///
    /// # Panics
    /// If the output layer was not kept.
    pub(super) fn shorten(&self, memory: &mut Memory, lists: &[Vec<u32>]) {
        let Unpacked { weight, bias } = self.unpacked.as_ref().expect("a model with shortlists keeps its output layer");
        let weight = weight.as_deref().unwrap_or(&self.embedding);
        let width = weight.len() / self.vocabulary;
        memory.sources.par_iter_mut().zip(lists).for_each(|(source, list)| {
            let rows: Vec<f32> = list.iter().flat_map(|&id| &weight[id as usize * width..][..width]).copied().collect();
            let bias: Vec<f32> = list.iter().map(|&id| bias[id as usize]).collect();
            source.output = Some(Linear::of_rows(&rows, &bias));
        });
    }

    /// What `x`, `[rows, W]`, makes likely: as in [`Stepped`]; over the memory of a vector that is no longer needed.
    fn logits(&self, x: &[f32], sources: &[usize], memory: &Memory, over: Vec<f32>, threads: usize) -> Vec<f32> {
        if memory.sources.iter().all(|source| source.output.is_none()) {
            return self.output.forward_over(x, over, threads);
        }
        let width = x.len() / sources.len().max(1);
        let mut from = 0;
        let groups: Vec<(usize, &[f32])> = sources
            .chunk_by(|a, b| a == b)
            .map(|group| {
                from += group.len();
                (group[0], &x[(from - group.len()) * width..from * width])
            })
            .collect();
        let of_group = |&(source, x): &(usize, &[f32])| {
            memory.sources[source].output.as_ref().unwrap_or(&self.output).forward(x, 1)
        };
        let made: Vec<Vec<f32>> = groups.par_iter().map(of_group).collect();
        made.concat()
    }

    /// `V`
    pub(super) fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Whether tokens are copied.
    pub(super) fn copies(&self) -> bool {
        self.gate.is_some()
    }

    /// `H`
    pub(super) fn hidden(&self) -> usize {
        self.plan.hidden
    }

    /// steps: `[B, T, M]` of the source, of which the first of every row are real.
    pub(super) fn memory(&self, steps: &[f32], rows: Ragged<'_>) -> Memory {
        let keys = self.compare.keys(steps, rows);
        let mapped = self.monotonic.as_ref().map(|monotonic| monotonic.source.forward_steps(steps, rows));
        let (hidden, width) = (self.plan.hidden, self.compare.width(self.plan.hidden, self.memory));
        let row = |(row, &length): (usize, &usize)| Source {
            length,
            values: steps[row * rows.time * self.memory..][..length * self.memory].to_vec(),
            keys: keys.as_ref().map(|keys| keys[row * rows.time * width..][..length * width].to_vec()),
            output: None,
            mapped: mapped.as_ref().map(|mapped| mapped[row * rows.time * hidden..][..length * hidden].to_vec()),
        };
        Memory { sources: rows.lengths.iter().enumerate().map(row).collect() }
    }

    /// The states before the first token, of these sources and layers.
    pub(super) fn start(&self, sources: Vec<usize>, layers: Vec<LayerState>) -> States {
        let fed = if self.combine.is_some() { vec![0.0; sources.len() * self.plan.hidden] } else { Vec::new() };
        let covered = if self.coverage.is_some() { vec![Vec::new(); sources.len()] } else { Vec::new() };
        let alignments = self.monotonic.as_ref().map(|_| Alignments::start(sources.len()));
        States { sources, layers, fed, covered, alignments }
    }

    /// A step of every row: `tokens` are those before. A row alone gives the same as among any others, bit for bit. over: the
    /// memory of a vector that is no longer needed, for the logits.
    pub(super) fn step(
        &self,
        states: &mut States,
        memory: &Memory,
        tokens: &[u32],
        weights: bool,
        over: Vec<f32>,
    ) -> Stepped {
        let threads = rayon::current_num_threads();
        if let Some(monotonic) = &self.monotonic {
            return self.step_monotonic(monotonic, states, memory, tokens, weights, threads);
        }
        let mut workspace = self.workspaces.take();
        let (hidden, rows) = (self.plan.hidden, tokens.len());
        if let DecoderForm::Luong = self.plan.form {
            let x = self.beside_tokens(tokens, &states.fed, hidden);
            self.recurrent.step(&x, &mut states.layers, &mut workspace.recurrent, threads);
            let query = states.layers.last().map_or(&[][..], |layer| &layer.hidden);
            let (context, weights) = self.look(query, (&states.sources, &mut states.covered), memory, weights, threads);
            let mut both = Vec::with_capacity(rows * (self.memory + hidden));
            for row in 0..rows {
                both.extend_from_slice(&context[row * self.memory..][..self.memory]);
                both.extend_from_slice(&query[row * hidden..][..hidden]);
            }
            let mut attentional = self.combine.as_ref().map_or_else(Vec::new, |map| map.forward(&both, threads));
            math::tanh(&mut attentional);
            let logits = self.logits(&attentional, &states.sources, memory, over, threads);
            let gates = self.gates(&attentional, tokens, threads);
            states.fed = attentional;
            return Stepped { logits, weights, gates };
        }
        let query = states.layers.last().map_or(&[][..], |layer| &layer.hidden);
        let (context, weights) = self.look(query, (&states.sources, &mut states.covered), memory, weights, threads);
        let x = self.beside_tokens(tokens, &context, self.memory);
        self.recurrent.step(&x, &mut states.layers, &mut workspace.recurrent, threads);
        let made = states.layers.last().map_or(&[][..], |layer| &layer.hidden);
        let mut both = Vec::with_capacity(rows * (self.memory + hidden));
        for row in 0..rows {
            both.extend_from_slice(&made[row * hidden..][..hidden]);
            both.extend_from_slice(&context[row * self.memory..][..self.memory]);
        }
        let gates = self.gates(&both, tokens, threads);
        let logits = self.logits(&both, &states.sources, memory, over, threads);
        Stepped { logits, weights, gates }
    }

    /// The logits of `p_gen` (See 2017, eq. 8), from what the output layer reads and the vectors of the tokens before: of
    /// Bahdanau's state and context as in the paper, of Luong's the vector that is made of both.
    fn gates(&self, read: &[f32], tokens: &[u32], threads: usize) -> Option<Vec<f32>> {
        let gate = self.gate.as_ref()?;
        let (width, embedding) = (read.len() / tokens.len().max(1), self.plan.embedding);
        let mut beside = Vec::with_capacity(tokens.len() * (width + embedding));
        for (row, &token) in tokens.iter().enumerate() {
            beside.extend_from_slice(&read[row * width..][..width]);
            beside.extend_from_slice(&self.embedding[token as usize * embedding..][..embedding]);
        }
        Some(gate.forward(&beside, threads))
    }

    /// `[rows, E + width]`: the vectors of these tokens with what is fed, `[rows, width]`, beside them.
    fn beside_tokens(&self, tokens: &[u32], fed: &[f32], width: usize) -> Vec<f32> {
        let embedding = self.plan.embedding;
        let mut x = Vec::with_capacity(tokens.len() * (embedding + width));
        for (row, &token) in tokens.iter().enumerate() {
            x.extend_from_slice(&self.embedding[token as usize * embedding..][..embedding]);
            x.extend_from_slice(&fed[row * width..][..width]);
        }
        x
    }

    /// The contexts `[rows, M]` of queries `[rows, H]`, and what each looked at where that is asked for. Rows of one source
    /// stand together.
    fn look(
        &self,
        query: &[f32],
        (sources, covered): (&[usize], &mut [Vec<f32>]),
        memory: &Memory,
        weights: bool,
        threads: usize,
    ) -> (Vec<f32>, Option<Vec<Vec<f32>>>) {
        let asked = weights || self.coverage.is_some();
        let hidden = self.plan.hidden;
        let (query, score) = self.compare.queries(query, threads);
        let mut context = vec![0.0; sources.len() * self.memory];
        let groups = groups(sources, &mut context, self.memory);
        let least = if threads <= 1 { usize::MAX } else { 4 };
        let looked: Vec<Vec<Vec<f32>>> = groups
            .into_par_iter()
            .with_min_len(least)
            .map(|(from, count, context)| {
                let source = &memory.sources[sources[from]];
                let query = &query[from * hidden..][..count * hidden];
                if let Some(w) = &self.coverage {
                    return self.look_covering((w, &covered[from..from + count]), (score, query), source, context);
                }
                let keys = source.keys.as_deref().unwrap_or(&source.values);
                let (of, scratch) = ([source.length, hidden], &mut self.workspaces.take().attention);
                let seen =
                    look((score, query), (keys, &source.values), of, context, asked, scratch).unwrap_or_default();
                match source.length {
                    0 => vec![Vec::new(); count],
                    length => seen.chunks_exact(length).map(<[f32]>::to_vec).collect(),
                }
            })
            .collect();
        let looked: Vec<Vec<f32>> = looked.into_iter().flatten().collect();
        // c_{t+1} = c_t + a_t (See 2017, eq. 10).
        for (covered, weights) in covered.iter_mut().zip(&looked) {
            covered.resize(weights.len(), 0.0);
            covered.iter_mut().zip(weights).for_each(|(covered, weight)| *covered += weight);
        }
        (context, weights.then_some(looked))
    }

    /// The same of rows of one source with coverage, each of which compares keys of its own: `v · tanh(q + k + w c)` is the
    /// score of a key to which `w c` was added (See 2017, eq. 11). Gives what each row looked at.
    fn look_covering(
        &self,
        (w, covered): (&[f32], &[Vec<f32>]),
        (score, query): (Score<'_>, &[f32]),
        source: &Source,
        context: &mut [f32],
    ) -> Vec<Vec<f32>> {
        let hidden = self.plan.hidden;
        let mut workspace = self.workspaces.take();
        let of_rows = query.chunks_exact(hidden).zip(context.chunks_exact_mut(self.memory)).zip(covered);
        let mut keys = Vec::new();
        let of_row = |((query, context), covered): ((&[f32], &mut [f32]), &Vec<f32>)| {
            keys.clear();
            keys.extend_from_slice(source.keys.as_deref().unwrap_or(&source.values));
            for (key, &covered) in keys.chunks_exact_mut(hidden).zip(covered) {
                key.iter_mut().zip(w).for_each(|(key, &w)| *key += w * covered);
            }
            let (of, scratch) = ([source.length, hidden], &mut workspace.attention);
            look((score, query), (&keys, &source.values), of, context, true, scratch).unwrap_or_default()
        };
        of_rows.map(of_row).collect()
    }
}

/// The first row of every group of rows that share a source, how many there are, and their part of `context`.
fn groups<'a>(sources: &[usize], mut context: &'a mut [f32], width: usize) -> Vec<(usize, usize, &'a mut [f32])> {
    let mut groups = Vec::new();
    let mut from = 0;
    for group in sources.chunk_by(|a, b| a == b) {
        let (own, others) = context.split_at_mut(group.len() * width);
        groups.push((from, group.len(), own));
        from += group.len();
        context = others;
    }
    groups
}
