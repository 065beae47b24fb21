//! Cross-entropy as one operation.

use std::sync::{Arc, OnceLock};

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Int, Tensor};
use lookback_kernels::cross_entropy as kernel;
use rayon::current_num_threads;

use super::flex::checked;
use super::on_flex;
use super::slices::{SLICES, SliceOperation, run_slices};
use crate::Error;

/// The mean over rows of `log Σ e^logit - logit of the label`, `[1]`. logits: `[rows, classes]`, labels: `[rows]`.
///
/// On Flex no table of probabilities is made; elsewhere Burn's own loss runs.
///
/// # Errors
/// When there are not as many labels as rows, no row, or a label that is no class.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Result<Tensor<1>, Error> {
    let ([rows, classes], [count]) = (logits.dims(), labels.dims());
    if count != rows || rows == 0 {
        let expected = format!("[{rows}], at least one (the logits are [{rows}, {classes}])");
        return Err(Error::Shape { name: "labels", found: vec![count], expected });
    }
    let device = logits.device();
    let values: Vec<i64> = labels.clone().into_data().iter::<i64>().collect();
    if let Some(label) = values.iter().find(|&&label| label < 0 || label as usize >= classes) {
        return Err(Error::Config { name: "label", found: label.to_string(), expected: "a class of the logits" });
    }
    if !on_flex(&logits) {
        return Ok(CrossEntropyLossConfig::new().init(&device).forward(logits, labels));
    }
    let labels = values.into_iter().map(|label| label as u32).collect();
    let operation = CrossEntropy { classes, labels, log_sums: OnceLock::new() };
    Ok(run_slices([Some(logits.into_dispatch()), None, None, None, None], &device, Arc::new(operation)))
}

#[derive(Debug)]
struct CrossEntropy {
    classes: usize,
    labels: Vec<u32>,
    /// `[rows]`, from the forward pass.
    log_sums: OnceLock<Vec<f32>>,
}

impl SliceOperation for CrossEntropy {
    fn shape(&self) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, [logits, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        let mut log_sums = vec![0.0; self.labels.len()];
        let loss = checked(kernel::forward(self.classes, logits, &self.labels, &mut log_sums, current_num_threads()));
        // The same logits give the same sums, should the operation ever run twice.
        let _ = self.log_sums.set(log_sums);
        vec![loss]
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, false, false, false, false]
    }

    fn backward(
        &self,
        [logits, ..]: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let log_sums = self.log_sums.get().expect("the forward pass has run before the backward pass");
        let to_logits = wanted[0].then(|| {
            checked(kernel::backward(self.classes, logits, &self.labels, log_sums, gradient[0], current_num_threads()))
        });
        [to_logits, None, None, None, None]
    }
}
