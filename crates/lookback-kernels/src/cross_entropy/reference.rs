//! Cross-entropy, as it is written. Labels must be classes; the naive code indexes without checking them first.

use crate::Real;

/// logits: `[rows, classes]`, labels: `[rows]`. Gives the mean of `log Σ e^logit - logit of the label`.
pub fn forward<R: Real>(classes: usize, logits: &[R], labels: &[u32]) -> R {
    let mut loss = R::ZERO;
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        loss += total(row).ln() - row[label as usize];
    }
    loss / count(labels)
}

/// `upstream / rows · (softmax - one at the label)`, `[rows, classes]`.
pub fn backward<R: Real>(classes: usize, logits: &[R], labels: &[u32], upstream: R) -> Vec<R> {
    let mut gradient = Vec::new();
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let total = total(row);
        for (class, &logit) in row.iter().enumerate() {
            let one = if class == label as usize { R::ONE } else { R::ZERO };
            gradient.push(upstream / count(labels) * (logit.exp() / total - one));
        }
    }
    gradient
}

/// `Σ e^logit`.
fn total<R: Real>(row: &[R]) -> R {
    row.iter().fold(R::ZERO, |sum, logit| sum + logit.exp())
}

fn count<R: Real>(labels: &[u32]) -> R {
    labels.iter().fold(R::ZERO, |count, _| count + R::ONE)
}
