//! What is refused, and in what words.

use crate::monotonic::emission::{self, EmissionDims, EmissionInputs};
use crate::monotonic::{AdvanceScratch, MonotonicDims, MonotonicInputs, advance, backward, forward};

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let zeros = [0.0; 12];
    let dims = MonotonicDims { batch: 2, time: 2, positions: 3, distances: 2 };
    let whole = MonotonicInputs {
        emissions: &zeros,
        scores: &zeros,
        distances: &zeros[..2],
        lengths: &[2, 1],
        source_lengths: &[3, 1],
    };
    let refused = |dims, inputs| forward(dims, inputs, 1).unwrap_err().to_string();
    assert_eq!(
        refused(dims, MonotonicInputs { scores: &zeros[..11], ..whole }),
        "scores has 11 values but its shape [B, T, S] = [2, 2, 3] has 12"
    );
    assert_eq!(
        refused(MonotonicDims { distances: 0, ..dims }, MonotonicInputs { distances: &[], ..whole }),
        "D is 0 but must be at least 1"
    );
    let long = MonotonicInputs { lengths: &[3, 1], ..whole };
    assert_eq!(refused(dims, long), "lengths[0] is 3 but the batch has T = 2");
    let long = MonotonicInputs { source_lengths: &[3, 4], ..whole };
    assert_eq!(refused(dims, long), "source lengths[1] is 4 but sources have S = 3");
    let none = MonotonicInputs { source_lengths: &[3, 0], ..whole };
    assert_eq!(refused(dims, none), "row 1 has 1 steps but its source has no position");
    assert!(forward(dims, MonotonicInputs { lengths: &[2, 0], ..none }, 1).is_ok());

    let (_, trace) = forward(dims, whole, 1).unwrap();
    assert!(backward(dims, whole, &trace, &[1.0; 2], 1).is_ok());
    let error = backward(dims, whole, &trace, &[1.0], 1).unwrap_err().to_string();
    assert_eq!(error, "upstream has 1 values but its shape [B] = [2] has 2");
    let shorter = MonotonicInputs { lengths: &[1, 1], ..whole };
    let words = "the trace is missing: the one given is of a call of other sizes";
    assert_eq!(backward(dims, shorter, &trace, &[1.0; 2], 1).unwrap_err().to_string(), words);
    // As many cells, in other steps.
    let square = MonotonicDims { positions: 2, ..dims };
    let of = |lengths, source_lengths| MonotonicInputs {
        emissions: &zeros[..8],
        scores: &zeros[..8],
        lengths,
        source_lengths,
        ..whole
    };
    let (_, trace) = forward(square, of(&[2, 1], &[1, 2]), 1).unwrap();
    assert_eq!(backward(square, of(&[1, 2], &[2, 1]), &trace, &[1.0; 2], 1).unwrap_err().to_string(), words);
}

#[test]
fn a_step_that_does_not_fit_is_refused_by_name() {
    let mut scratch = AdvanceScratch::default();
    let mut refused = |before: &[f64], distances: &[f64]| {
        advance(Some(before), &[0.0; 3], distances, &mut scratch).unwrap_err().to_string()
    };
    assert_eq!(refused(&[0.0; 2], &[0.0]), "before has 2 values but its shape [S] = [3] has 3");
    assert_eq!(refused(&[0.0; 3], &[]), "D is 0 but must be at least 1");
    assert_eq!(advance(None, &[], &[0.0], &mut scratch).unwrap(), [0.0; 0]);
}

#[test]
fn emissions_that_do_not_fit_are_refused_by_name() {
    let dims = EmissionDims { batch: 1, time: 2, positions: 2, width: 3, vocabulary: 4 };
    let zeros = [0.0; 12];
    let whole = EmissionInputs {
        source: &zeros[..6],
        target: &zeros[..6],
        weight: &zeros,
        bias: &zeros[..4],
        tokens: &[3, 9],
        lengths: &[1],
        source_lengths: &[2],
    };
    let refused = |dims, inputs| emission::forward(dims, inputs, 1).unwrap_err().to_string();
    assert!(emission::forward(dims, whole, 1).is_ok());
    let wrong = EmissionInputs { lengths: &[2], ..whole };
    assert_eq!(refused(dims, wrong), "tokens[1] is 9 but there are 4 tokens of the vocabulary");
    let none = EmissionInputs { source_lengths: &[0], ..whole };
    assert_eq!(refused(dims, none), "row 0 has 1 steps but its source has no position");
    assert_eq!(refused(EmissionDims { width: 0, ..dims }, whole), "W is 0 but must be at least 1");
    let short = EmissionInputs { target: &zeros[..5], ..whole };
    assert_eq!(refused(dims, short), "target has 5 values but its shape [B, T, W] = [1, 2, 3] has 6");
    let (_, trace) = emission::forward(dims, whole, 1).unwrap();
    let error = emission::backward(dims, whole, &trace, &[0.0; 3], 1).unwrap_err().to_string();
    assert_eq!(error, "upstream has 3 values but its shape [B, T, S] = [1, 2, 2] has 4");
    let two = EmissionInputs { lengths: &[2], tokens: &[0, 0], ..whole };
    assert!(emission::backward(dims, two, &trace, &[0.0; 4], 1).is_err());
    // As many cells, in other steps.
    let (two, one) = (EmissionInputs { source_lengths: &[1], ..two }, EmissionInputs { lengths: &[1], ..whole });
    let (_, trace) = emission::forward(dims, two, 1).unwrap();
    let error = emission::backward(dims, one, &trace, &[0.0; 4], 1).unwrap_err().to_string();
    assert_eq!(error, "the trace is missing: the one given is of a call of other sizes");
}
