//! A decoder: recurrent layers that say the steps ahead one after another, and may look back at every step that was read.

use lookback_kernels::simd::math;
use rayon::prelude::*;

use super::network::Sizes;
use super::output::{drawn, point, shape};
use super::plan::{DecoderForm, DecoderPlan, NetworkPlan, OutputPlan};
use super::window::Ahead;
use crate::error::ModelFileError;
use crate::model_file::Tensors;
use crate::network::{Compare, Encoded, LayerState, Linear, Ragged, Recurrent, RecurrentShape, Workspaces, look};

/// The decoder of one network, its weights packed once.
///
/// # Tensors
/// With `H` its hidden units, as many as a step of the encoder's recurrent layers has numbers, `M` the width of a step that is looked
/// at, `I` what is read at a step ahead (`2 G + F` values with `feedback`, else `G + F`), and what is fed beside it, `A` (`H` of
/// Luong's, `M` of Bahdanau's, 0 of a plain one):
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `decoder.recurrent.weight_ih_l0` | `[gates*H, I + A]` | |
/// | `decoder.recurrent.weight_ih_lk`, layer `k` from 1 | `[gates*H, H]` | several layers |
/// | `decoder.recurrent.weight_hh_lk`, `bias_ih_lk`, `bias_hh_lk` | `[gates*H, H]`, `[gates*H]` | |
/// | `decoder.attention.` and what stands with [`Compare`] | | attention |
/// | `decoder.combine.projection.weight`, `bias` | `[H, M + H]`, `[H]` | Luong's |
/// | `output.weight`, `output.bias` | `[G*N, H]`, of Bahdanau's `[G*N, H + M]`; `[G*N]` | |
#[derive(Debug)]
pub(super) struct Decoder {
    plan: DecoderPlan,
    says: OutputPlan,
    sizes: Sizes,
    /// How many steps ahead are said.
    horizon: usize,
    /// `H`
    hidden: usize,
    /// `M`
    memory: usize,
    recurrent: Recurrent,
    /// Where it looks back.
    compare: Option<Compare>,
    /// `tanh(W [c; h])`, of Luong's.
    combine: Option<Linear>,
    output: Linear,
    workspaces: Workspaces,
}

/// What is looked at: the steps of a batch, mapped once.
struct Memory<'a> {
    /// `[B, T, M]`
    steps: &'a [f32],
    /// `[B, T, width]`; the steps themselves where nothing maps them.
    keys: Option<Vec<f32>>,
    rows: Ragged<'a>,
    width: usize,
}

/// What a decoder says.
#[derive(Debug)]
pub(super) struct Said {
    /// `[rows, horizon, G, N]`: what [`shape`] makes of the numbers, without what they are added to.
    pub(super) numbers: Vec<f32>,
    /// `[rows, horizon, T]`: what every step looked at, zero past a row's length; where that was asked for and there is attention.
    pub(super) weights: Option<Vec<f32>>,
}

impl Decoder {
    /// Takes the decoder's tensors.
    ///
    /// # Errors
    /// If one of them is missing or has another shape.
    pub(super) fn read(plan: &NetworkPlan, sizes: Sizes, tensors: &mut Tensors<'_>) -> Result<Decoder, ModelFileError> {
        let (own, memory, hidden) = (&plan.decoder, plan.encoder.width(), plan.encoder.outputs());
        let output = Linear::read(
            own.output_width(hidden, memory),
            sizes.targets * plan.output.numbers(),
            true,
            &mut tensors.within("output"),
        )?;
        let mut tensors = tensors.within("decoder");
        let shape = RecurrentShape {
            cell: plan.encoder.cell,
            input: own.inputs(sizes) + own.fed(hidden, memory),
            hidden,
            layers: plan.encoder.layers,
            bidirectional: false,
        };
        let recurrent = Recurrent::read(shape, &mut tensors.within("recurrent"))?;
        let looks = own.form.looks_back();
        let compare = looks.then(|| Compare::read(own.score, hidden, memory, &mut tensors.within("attention")));
        let combine = (own.form == DecoderForm::Luong)
            .then(|| Linear::read(memory + hidden, hidden, true, &mut tensors.within("combine.projection")));
        Ok(Decoder {
            plan: own.clone(),
            says: plan.output.clone(),
            sizes,
            horizon: plan.window.horizon,
            hidden,
            memory,
            recurrent,
            compare: compare.transpose()?,
            combine: combine.transpose()?,
            output,
            workspaces: Workspaces::default(),
        })
    }

    /// All steps ahead of a batch, each of which reads the point of the one before, where there is feedback. A row alone gives the same
    /// as among any others, bit for bit. asked: whether somebody will look at the weights.
    pub(super) fn forward(&self, encoded: &Encoded, rows: Ragged<'_>, ahead: &Ahead, asked: bool) -> Said {
        let sources: Vec<usize> = (0..rows.batch()).collect();
        let says = &self.says;
        self.run(encoded, rows, (&sources, ahead), asked, &mut |_, numbers, base| base + point(says, numbers))
    }

    /// As [`super::Network::paths`].
    pub(super) fn paths(
        &self,
        encoded: &Encoded,
        rows: Ragged<'_>,
        ahead: &Ahead,
        (count, scales): (usize, &[f64]),
        level: &mut dyn FnMut() -> f64,
    ) -> Option<Vec<f32>> {
        if !self.plan.feedback {
            return None;
        }
        let groups = self.sizes.targets;
        let mut paths = vec![0.0; count * self.horizon * groups];
        let (mut taken, mut all_drawn) = (0, true);
        let sources = vec![0; count];
        self.run(encoded, rows, (&sources, ahead), false, &mut |place, numbers, base| {
            let value = drawn(&self.says, numbers, (base, scales[place % groups]), level());
            all_drawn &= value.is_some();
            // Steps come one after another, in each the rows, in each the targets.
            let step = taken / (count * groups);
            taken += 1;
            let value = value.unwrap_or(base);
            paths[(place / groups * self.horizon + step) * groups + place % groups] = value;
            value
        });
        all_drawn.then_some(paths)
    }

    /// So many steps of rows of these sources; `pick` gives the value that the next step reads, scaled, from a row and target
    /// (`row * G + target`), its numbers and what they are added to.
    pub(super) fn run(
        &self,
        encoded: &Encoded,
        rows: Ragged<'_>,
        (sources, ahead): (&[usize], &Ahead),
        asked: bool,
        pick: &mut dyn FnMut(usize, &[f32], f32) -> f32,
    ) -> Said {
        let (threads, hidden) = (rows.threads, self.hidden);
        let keys = self.compare.as_ref().and_then(|compare| compare.keys(&encoded.steps, rows));
        let width = self.compare.as_ref().map_or(0, |compare| compare.width(hidden, self.memory));
        let memory = Memory { steps: &encoded.steps, keys, rows, width };
        let of_layer = |[hidden, cell]: &[Vec<f32>; 2]| LayerState { hidden: hidden.clone(), cell: cell.clone() };
        let mut states: Vec<LayerState> =
            encoded.finals.iter().map(|layer| of_layer(layer).of_rows(sources, hidden)).collect();
        let (groups, count) = (self.sizes.targets, self.says.numbers());
        let mut before: Vec<f32> =
            sources.iter().flat_map(|&source| &ahead.last[source * groups..][..groups]).copied().collect();
        let mut attentional = if self.combine.is_some() { vec![0.0; sources.len() * hidden] } else { Vec::new() };
        let per_row = self.horizon * groups * count;
        let mut numbers = vec![0.0; sources.len() * per_row];
        let time = rows.time;
        let mut all = (asked && self.compare.is_some()).then(|| vec![0.0; sources.len() * self.horizon * time]);
        let mut workspace = self.workspaces.take();
        for step in 0..self.horizon {
            let x = self.inputs(step, (sources, ahead), &before);
            let both;
            let (read, looked) = match self.plan.form {
                DecoderForm::Direct | DecoderForm::Recurrent => {
                    self.recurrent.step(&x, &mut states, &mut workspace.recurrent, threads);
                    (states.last().map_or(&[][..], |layer| &layer.hidden), None)
                }
                DecoderForm::Luong => {
                    let x = beside(&x, &attentional, sources.len());
                    self.recurrent.step(&x, &mut states, &mut workspace.recurrent, threads);
                    let query = states.last().map_or(&[][..], |layer| &layer.hidden);
                    let (context, looked) = self.look(query, sources, &memory, asked);
                    let both = beside(&context, query, sources.len());
                    attentional = self.combine.as_ref().map_or_else(Vec::new, |map| map.forward(&both, threads));
                    math::tanh(&mut attentional);
                    (&attentional[..], looked)
                }
                DecoderForm::Bahdanau => {
                    let query = states.last().map_or(&[][..], |layer| &layer.hidden);
                    let (context, looked) = self.look(query, sources, &memory, asked);
                    let x = beside(&x, &context, sources.len());
                    self.recurrent.step(&x, &mut states, &mut workspace.recurrent, threads);
                    let made = states.last().map_or(&[][..], |layer| &layer.hidden);
                    both = beside(made, &context, sources.len());
                    (&both[..], looked)
                }
            };
            let mut own = self.output.forward(read, threads);
            shape(&self.says, &mut own);
            for (row, &source) in sources.iter().enumerate() {
                let of_row = &own[row * groups * count..][..groups * count];
                numbers[row * per_row + step * groups * count..][..groups * count].copy_from_slice(of_row);
                for (target, own) in of_row.chunks_exact(count).enumerate() {
                    let base = ahead.base[(source * self.horizon + step) * groups + target];
                    before[row * groups + target] = pick(row * groups + target, own, base);
                }
            }
            for (row, weights) in looked.iter().flatten().enumerate() {
                let Some(all) = &mut all else { break };
                all[(row * self.horizon + step) * time..][..weights.len()].copy_from_slice(weights);
            }
        }
        Said { numbers, weights: all }
    }

    /// `[rows, I]`: the values before, where there is feedback, what the numbers of the step are added to, and what is known of it.
    fn inputs(&self, step: usize, (sources, ahead): (&[usize], &Ahead), before: &[f32]) -> Vec<f32> {
        let Sizes { targets, ahead: known, .. } = self.sizes;
        let mut x = Vec::with_capacity(sources.len() * self.plan.inputs(self.sizes));
        for (row, &source) in sources.iter().enumerate() {
            if self.plan.feedback {
                x.extend_from_slice(&before[row * targets..][..targets]);
            }
            let place = source * self.horizon + step;
            x.extend_from_slice(&ahead.base[place * targets..][..targets]);
            x.extend_from_slice(&ahead.known[place * known..][..known]);
        }
        x
    }

    /// The contexts `[rows, M]` of states `[rows, H]`, and what each looked at where that is asked for.
    fn look(
        &self,
        states: &[f32],
        sources: &[usize],
        memory: &Memory<'_>,
        asked: bool,
    ) -> (Vec<f32>, Option<Vec<Vec<f32>>>) {
        let Memory { steps, keys, rows, width } = memory;
        let compare = self.compare.as_ref().expect("only a decoder with attention looks back");
        let (queries, score) = compare.queries(states, rows.threads);
        let mut context = vec![0.0; sources.len() * self.memory];
        let least = if rows.threads <= 1 { usize::MAX } else { 4 };
        let looked: Vec<Vec<f32>> = context
            .par_chunks_exact_mut(self.memory)
            .zip(queries.par_chunks_exact(self.hidden))
            .zip(sources.par_iter())
            .with_min_len(least)
            .map(|((context, query), &source)| {
                let length = rows.lengths[source];
                let values = &steps[source * rows.time * self.memory..][..length * self.memory];
                let keys = keys.as_ref().map_or(values, |keys| &keys[source * rows.time * width..][..length * width]);
                let scratch = &mut self.workspaces.take().attention;
                look((score, query), (keys, values), [length, *width], context, asked, scratch).unwrap_or_default()
            })
            .collect();
        (context, asked.then_some(looked))
    }
}

/// `[rows, ..]`: what stands in a row of each, side by side.
fn beside(first: &[f32], second: &[f32], rows: usize) -> Vec<f32> {
    let [a, b] = [first, second].map(|values| values.len() / rows.max(1));
    let mut all = Vec::with_capacity(first.len() + second.len());
    for row in 0..rows {
        all.extend_from_slice(&first[row * a..][..a]);
        all.extend_from_slice(&second[row * b..][..b]);
    }
    all
}
