//! What every network begins with: token vectors or channels, recurrent layers, attention.

use std::borrow::Cow;

use super::attend::{Attend, Attended};
use super::plan::EncoderPlan;
use super::ragged::Ragged;
use super::recurrent::{LayerState, Recurrent, RecurrentShape};
use super::workspace::Workspaces;
use crate::error::{ModelFileError, PlanError};
use crate::input::{Batch, InputLayer, InputShape, Parts};
use crate::model_file::Tensors;

/// What every network begins with, its weights packed once. Several callers may use it at once.
///
/// # Tensors
/// With `O` the width of a step of the recurrent layers (`D * H`) and `G` the gates of the cell (4, 3 or 1), under the
/// encoder's own name, such as `encoder.`:
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `embedding.weight` | `[V, E]` | text |
/// | `ngram_embedding.weight` | `[buckets + 1, E]` | character n-grams |
/// | `bigram_embedding.weight` | `[buckets + 1, E]` | pairs of tokens |
/// | `shape_embedding.weight` | `[buckets + 1, E]` | shapes of tokens |
/// | `recurrent.weight_ih_l0` | `[G*H, E]`, of series `[G*H, C]` | any layer |
/// | `recurrent.weight_ih_lk`, layer `k` from 1 | `[G*H, O]` | several layers |
/// | `recurrent.weight_hh_lk` | `[G*H, H]` | any layer |
/// | `recurrent.bias_ih_lk`, `recurrent.bias_hh_lk` | `[G*H]` | any layer |
/// | each of these with `_reverse` behind it | the same | both directions |
/// | `attend.attention.w_query`, `attend.attention.w_key` | `[O, O]` | `additive` |
/// | `attend.attention.bias`, `attend.attention.v` | `[O]` | `additive` |
/// | `attend.attention.w` | `[O, O]`, queries first | `general` |
/// | `attend.dense.weight`, `attend.dense.bias` | `[O, 2*O]`, `[O]` | `self` |
/// | `attend.dense.weight`, `attend.dense.bias` | `[O, O]`, `[O]` | `multi-head` |
/// | `attend.multi_head.in_proj_weight`, `attend.multi_head.in_proj_bias` | `[3*O, O]`, `[3*O]` | `multi-head` |
/// | `attend.multi_head.out_proj.weight`, `attend.multi_head.out_proj.bias` | `[O, O]`, `[O]` | `multi-head` |
/// | `attend.structured.w_1` | `[O, O]` | `structured` |
/// | `attend.structured.w_2` | `[hops, O]` | `structured` |
#[derive(Debug)]
pub struct Encoder {
    input: InputLayer,
    /// Absent where the plan has no layers.
    recurrent: Option<Recurrent>,
    attend: Attend,
    /// `H`
    hidden: usize,
    workspaces: Workspaces,
}

/// What an encoder makes of a batch.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `[B, T, W]`, zero past a row's length.
    pub steps: Vec<f32>,
    /// `W`, the width of a step.
    pub width: usize,
    /// `[B, O]`: each row's final hidden state of the last recurrent layer, both directions side by side; empty without
    /// layers.
    pub last: Vec<f32>,
    /// The same of every recurrent layer, `[B, O]`, and its final cell states, empty where the cell has none.
    pub finals: Vec<[Vec<f32>; 2]>,
    /// One vector per row, where the attention pools by itself.
    pub pooled: Option<Pooled>,
    /// What the attention looked at, a view per head or hop, where that was asked for.
    pub views: Vec<Weights>,
}

/// One vector per row.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// `[B, P]`
    pub vectors: Vec<f32>,
    /// `[B, T]`: how much of each step is in them, where steps are weighed; zero past a row's length.
    pub weights: Option<Vec<f32>>,
}

/// The weights of one head or hop of attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// What people call it: "self-attention", "head 1", "hop 1".
    pub name: String,
    /// `Q`: how many look at the steps, `T` where each step does and 1 of a hop.
    pub queries: usize,
    /// `[B, Q, T]`: each row sums to 1; zero past a row's length, also where a step past it looks.
    pub values: Vec<f32>,
}

impl Encoder {
    /// Takes the encoder's tensors.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or the plan is one by which no network can be made.
    pub fn read(plan: &EncoderPlan, shape: InputShape, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        plan.check().map_err(|problem| tensors.refused("network", &problem))?;
        let input = InputLayer::read(shape, plan.embedding, tensors)?;
        let recurrent = match plan.layers {
            0 if !matches!(shape, InputShape::Tokens { .. }) => {
                let problem =
                    PlanError::conflict("layers", "is 0, which is for texts, but the data are numeric series");
                return Err(tensors.refused("network", &problem));
            }
            0 => None,
            _ => {
                let shape = RecurrentShape {
                    cell: plan.cell,
                    input: input.width(),
                    hidden: plan.hidden,
                    layers: plan.layers,
                    bidirectional: plan.bidirectional,
                };
                Some(Recurrent::read(shape, &mut tensors.within("recurrent"))?)
            }
        };
        let attend = Attend::read(plan.attention, plan.outputs(), &mut tensors.within("attend"))?;
        Ok(Encoder { input, recurrent, attend, hidden: plan.hidden, workspaces: Workspaces::default() })
    }

    /// What a token is made of, by which batches are made.
    pub fn parts(&self) -> Parts {
        self.input.parts()
    }

    /// `views`: whether somebody will look at the weights, which changes no bit of the rest. A row alone gives the same as
    /// among any others, bit for bit, on any number of threads.
    ///
    /// # Panics
    /// If the batch was made for another network, or its parts are not as long as its lengths say.
    pub fn forward(&self, batch: &Batch, views: bool) -> Encoded {
        let rows = Ragged { lengths: &batch.lengths, time: batch.time, threads: rayon::current_num_threads() };
        let mut workspace = self.workspaces.take();
        // A batch of nothing does not tell what it is nothing of.
        let x = match rows.batch() {
            0 => Cow::Borrowed(&[][..]),
            _ => self.input.forward(batch, rows.threads),
        };
        let (steps, finals) = match &self.recurrent {
            Some(recurrent) => recurrent.forward(&x, rows, None, &mut workspace.recurrent),
            None => (x.into_owned(), Vec::new()),
        };
        let Attended { steps, width, pooled, views } =
            self.attend.forward(steps, rows, views, &mut workspace.attention);
        let of_layer = |state: &LayerState| [&state.hidden, &state.cell].map(|states| self.side_by_side(states, rows));
        let finals: Vec<[Vec<f32>; 2]> = finals.iter().map(of_layer).collect();
        let last = finals.last().map_or_else(Vec::new, |[hidden, _]| hidden.clone());
        Encoded { steps, width, last, finals, pooled, views }
    }

    /// Final states `[D, B, H]` as `[B, O]`.
    fn side_by_side(&self, states: &[f32], rows: Ragged<'_>) -> Vec<f32> {
        LayerState::beside(states, self.hidden, rows.batch())
    }
}
