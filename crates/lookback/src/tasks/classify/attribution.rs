//! What the tokens of a text, or the steps of a series, add to its label: through the networks by integrated gradients, and by the
//! n-grams that touch a token through the linear part.

use std::path::Path;

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor};
use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::{Batch, Example};
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::Ask;
use lookback_infer::network::Link;
use lookback_infer::network::budget::Purpose;
use lookback_infer::tasks::classify::{Classifier, Description, budget};

use super::network::Network;
use crate::insight::attribution::{Attribution, attribute};
use crate::network::read_each;
use crate::train::Init;

/// Rows that are computed at once at most.
const ROWS: usize = 32;

/// What the parts of an input add to the score of its likeliest label: its logit over the mean of all labels' logits, or, where a text
/// may have several labels, its logit alone. Nothing of an input without tokens.
///
/// # Errors
/// If the model is none that classifies, or it would take too much memory.
pub(super) fn attribution(
    model: &Init,
    example: &Example,
    (file, limit): (&Path, MemoryLimit),
) -> Result<Option<Attribution>, Error> {
    let classifier = Classifier::read(model.file.clone(), &model.path)?;
    let description = classifier.description();
    let budget =
        budget(&description.plan, description.input.shape(), classifier.labels().len(), Purpose::Training, limit);
    budget.check_row(example, file)?;
    if example.is_empty() {
        return Ok(None);
    }
    let prediction = classifier.predict(&[example], &Ask { limit, ..Ask::default() })?;
    let label = prediction[0].label;
    let is_relative = description.plan.labels_per_text.link() == Link::Softmax;
    let networks = networks(model, description)?;
    let device = Device::flex().autodiff();
    let batch = Batch::new(&[example], networks[0].parts(), &mut || false);
    let unfit = |error: lookback_nn::Error| PlanError::Unfit(error.to_string());
    // Networks have token vectors of their own, so that each has its own way.
    let lengths = vec![example.len(); ROWS];
    let rows = budget.parts(&lengths, &(0..ROWS).collect::<Vec<_>>()).first().map_or(1, Vec::len);
    let vectors: Vec<(Vec<f32>, usize)> = networks
        .iter()
        .map(|network| {
            let vectors = network.vectors(&batch, 0.0, &device).map_err(unfit)?;
            let width = vectors.dims()[2];
            Ok((vectors.into_data().iter::<f32>().collect(), width))
        })
        .collect::<Result<_, PlanError>>()?;
    let width: usize = vectors.iter().map(|(_, width)| width).sum();
    let side_by_side: Vec<f32> = (0..example.len())
        .flat_map(|step| vectors.iter().flat_map(move |(values, width)| &values[step * width..][..*width]))
        .copied()
        .collect();
    let about = match is_relative {
        true => format!("the score of {:?} over the mean of all labels", classifier.labels()[label]),
        false => format!("the score of {:?}", classifier.labels()[label]),
    };
    let scale = description.calibration.networks;
    let found = attribute(about, (&side_by_side, width), rows, |input| {
        let lengths = vec![example.len(); input.dims()[0]];
        let mut first = 0;
        let logits = networks.iter().zip(&vectors).map(|(network, (_, width))| {
            let own = input.clone().narrow(2, first, *width);
            first += width;
            Ok(network.forward_vectors(own, &lengths).map_err(unfit)?.logits)
        });
        let logits = together(logits.collect::<Result<_, PlanError>>()?, is_relative);
        let own = logits.clone().narrow(1, label, 1);
        let score = if is_relative { own - logits.mean_dim(1) } else { own };
        Ok::<_, PlanError>(score.mul_scalar(scale).reshape([-1]))
    })?;
    Ok(Some(match &description.linear {
        None => found,
        Some(linear) => {
            let scale = description.calibration.linear as f32;
            let (shares, bias) = linear.shares(example, label, is_relative);
            found.plus(&shares.into_iter().map(|share| scale * share).collect::<Vec<f32>>(), scale * bias)
        }
    }))
}

/// The logits of the mean probabilities, as `lookback_infer` has them of several networks; one answers as it is.
fn together(mut logits: Vec<Tensor<2>>, is_softmax: bool) -> Tensor<2> {
    let count = logits.len() as f64;
    if logits.len() == 1 {
        return logits.remove(0);
    }
    let probabilities = logits.into_iter().map(|logits| if is_softmax { softmax(logits, 1) } else { sigmoid(logits) });
    let mean = probabilities.reduce(|sum, more| sum + more).expect("a model has a network").div_scalar(count);
    if is_softmax { mean.log() } else { mean.clone().log() - (mean.neg() + 1.0).log() }
}

/// The networks of the model, without what is random in training.
fn networks(model: &Init, description: &Description) -> Result<Vec<Network>, Error> {
    let mut plan = description.plan.clone();
    (plan.output_dropout, plan.encoder.layer_dropout, plan.encoder.embedding_dropout) = (0.0, 0.0, 0.0);
    let (shape, labels) = (description.input.shape(), description.labels.len());
    let device = Device::flex().autodiff();
    read_each(model, plan.ensemble, "", || Network::new(&plan, shape, labels, &device))
}
