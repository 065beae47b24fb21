//! The network: an encoder, a dense layer at every step, and what goes from tag to tag.

use super::plan::NetworkPlan;
use crate::error::ModelFileError;
use crate::input::{Batch, InputShape, Parts};
use crate::model_file::Tensors;
use crate::network::{Encoder, Linear, Link, Output, Ragged, together};

/// The network, its weights packed once. Several callers may use it at once.
///
/// # Tensors
/// With `N` the tags and `W` the width of a step:
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `encoder.` and what stands with [`Encoder`] | | |
/// | `output.weight`, `output.bias` | `[N, W]`, `[N]` | |
/// | `crf.transitions`, from tag and to tag | `[N, N]` | `crf` |
/// | `crf.start_transitions`, `crf.end_transitions` | `[N]` | `crf` |
#[derive(Debug)]
pub struct Network {
    encoder: Encoder,
    output: Linear,
    /// Absent where every step is answered by itself.
    transitions: Option<TagScores>,
    tags: usize,
}

/// What a conditional random field has learnt beside the scores of each step.
#[derive(Clone, Debug, PartialEq)]
pub struct TagScores {
    /// `[N, N]`: of a tag (second axis) behind another (first axis).
    pub between: Vec<f32>,
    /// `[N]`: of the first tag.
    pub start: Vec<f32>,
    /// `[N]`: of the last tag.
    pub end: Vec<f32>,
}

impl TagScores {
    /// Nothing learnt about so many tags.
    pub(super) fn zeros(tags: usize) -> TagScores {
        TagScores { between: vec![0.0; tags * tags], start: vec![0.0; tags], end: vec![0.0; tags] }
    }

    fn read(tags: usize, tensors: &mut Tensors<'_>) -> Result<TagScores, ModelFileError> {
        Ok(TagScores {
            between: tensors.take("transitions", &[tags, tags])?,
            start: tensors.take("start_transitions", &[tags])?,
            end: tensors.take("end_transitions", &[tags])?,
        })
    }

    /// The mean of several, all of as many tags.
    pub(super) fn mean<'a>(tags: usize, all: impl ExactSizeIterator<Item = &'a TagScores>) -> TagScores {
        let (mut mean, share) = (TagScores::zeros(tags), 1.0 / all.len().max(1) as f32);
        for scores in all {
            let pairs =
                [(&mut mean.between, &scores.between), (&mut mean.start, &scores.start), (&mut mean.end, &scores.end)];
            for (sum, values) in pairs {
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * share);
            }
        }
        mean
    }
}

impl Network {
    /// Takes the network's tensors.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or the plan is one by which no network can be made.
    pub fn read(
        plan: &NetworkPlan,
        shape: InputShape,
        tags: usize,
        tensors: &mut Tensors<'_>,
    ) -> Result<Self, ModelFileError> {
        plan.check().map_err(|problem| tensors.refused("network", &problem))?;
        let encoder = Encoder::read(&plan.encoder, shape, &mut tensors.within("encoder"))?;
        let output = Linear::read(plan.encoder.width(), tags, true, &mut tensors.within("output"))?;
        let transitions = plan.crf.then(|| TagScores::read(tags, &mut tensors.within("crf"))).transpose()?;
        Ok(Network { encoder, output, transitions, tags })
    }

    /// What a token is made of, by which batches are made.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }

    /// What a conditional random field has learnt, where there is one.
    pub fn transitions(&self) -> Option<&TagScores> {
        self.transitions.as_ref()
    }

    /// The scores `[B, T, N]` of every tag at every step, which are logits where there is no conditional random field; zero past
    /// a row's length. `views`: whether somebody will look at the attention, which changes no bit of the rest.
    ///
    /// A row alone gives the same as among any others, bit for bit, on any number of threads.
    ///
    /// # Panics
    /// If the batch was made for another network.
    pub fn forward(&self, batch: &Batch, views: bool) -> Output {
        let encoded = self.encoder.forward(batch, views);
        let rows = Ragged { lengths: &batch.lengths, time: batch.time, threads: rayon::current_num_threads() };
        Output { logits: self.output.forward_steps(&encoded.steps, rows), weights: None, views: encoded.views }
    }
}

/// What the networks of one ensemble answer together: without a conditional random field as [`Output`] says; with one, whose
/// probabilities are of whole paths, the mean of their scores, which is the geometric mean of what each has for a path (Hinton 2002,
/// eq. 1, of equal shares).
///
/// # Panics
/// If there is no network, or the batch was made for others.
pub fn answer_together(networks: &[Network], batch: &Batch, views: bool) -> Output {
    let tags = networks.first().map_or(0, |network| network.tags);
    let are_scores = networks.first().is_some_and(|network| network.transitions.is_some());
    let link = (!are_scores).then_some(Link::Softmax);
    together(networks, tags, link, |network| network.forward(batch, views))
}
