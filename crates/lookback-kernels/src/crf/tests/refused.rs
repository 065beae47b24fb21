//! What is refused, and in what words.

use crate::crf::{CrfDims, CrfParameters, CrfWorkspace, PreparedCrf, backward, forward};

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let (zeros, gone) = ([0.0; 12], f32::NEG_INFINITY);
    let dims = CrfDims { batch: 2, time: 2, tags: 3 };
    let parameters = CrfParameters { transitions: &zeros[..9], start: &zeros[..3], end: &zeros[..3] };
    let run = |dims, parameters, emissions: &[f32], lengths: &[usize], tags: &[u32]| {
        let refused = forward(dims, parameters, emissions, lengths, tags, &mut CrfWorkspace::default(), 1);
        refused.unwrap_err().to_string()
    };
    let error = run(dims, parameters, &zeros[..11], &[2, 2], &[0; 4]);
    assert_eq!(error, "emissions has 11 values but its shape [B, T, N] = [2, 2, 3] has 12");
    assert_eq!(run(dims, parameters, &zeros, &[2, 3], &[0; 4]), "lengths[1] is 3 but the batch has T = 2");
    assert_eq!(run(dims, parameters, &zeros, &[2, 2], &[0, 0, 0, 3]), "tags[3] is 3 but there are 3 tags");
    let error = run(CrfDims { tags: 0, ..dims }, parameters, &zeros, &[2, 2], &[0; 4]);
    assert_eq!(error, "N is 0 but must be at least 1");
    let short = CrfParameters { transitions: &zeros[..8], ..parameters };
    let error = run(dims, short, &zeros, &[2, 2], &[0; 4]);
    assert_eq!(error, "transitions has 8 values but its shape [N, N] = [3, 3] has 9");

    let mut transitions = [0.0; 9];
    transitions[3 + 2] = gone;
    let some = CrfParameters { transitions: &transitions, start: &[0.0, gone, 0.0], end: &[0.0, 0.0, gone] };
    let error = run(dims, some, &zeros, &[2, 2], &[0, 0, 1, 0]);
    assert_eq!(error, "the tags of row 1 are forbidden at step 0: the path begins with tag 1");
    let long = CrfDims { batch: 1, time: 4, tags: 3 };
    let error = run(long, some, &zeros, &[4], &[0, 1, 2, 0]);
    assert_eq!(error, "the tags of row 0 are forbidden at step 2: the path goes from tag 1 to tag 2");
    let error = run(long, some, &zeros, &[3], &[0, 0, 2, 2]);
    assert_eq!(error, "the tags of row 0 are forbidden at step 2: the path ends with tag 2");

    let mut workspace = CrfWorkspace::default();
    forward(dims, parameters, &zeros, &[2, 2], &[0; 4], &mut workspace, 1).unwrap();
    let error = backward(&[1.0], &mut workspace, 1).unwrap_err().to_string();
    assert_eq!(error, "upstream has 1 values but its shape [B] = [2] has 2");
    assert!(backward(&[1.0, 1.0], &mut workspace, 1).is_ok());
    let error = backward(&[1.0, 1.0], &mut workspace, 1).unwrap_err().to_string();
    assert_eq!(error, "the forward pass is missing: each backward pass uses one up");
}

#[test]
fn a_length_that_no_path_has_is_refused() {
    // Begins with 0, goes from 0 to 1 and from 1 to 0 alone, and ends with 1: even lengths.
    let gone = f32::NEG_INFINITY;
    let parameters = CrfParameters { transitions: &[gone, 0.0, 0.0, gone], start: &[0.0, gone], end: &[gone, 0.0] };
    let field = PreparedCrf::new(2, parameters).unwrap();
    let paths = field.viterbi(&[0.0; 16], &[4, 2], 4, 1).unwrap();
    assert_eq!(paths.tags, [0, 1, 0, 1, 0, 1, 0, 0]);
    let error = field.viterbi(&[0.0; 16], &[4, 3], 4, 1).unwrap_err().to_string();
    assert_eq!(error, "every path of 3 steps is forbidden, and row 1 has as many");
    assert_eq!(field.marginals(&[0.0; 16], &[4, 3], 4, 1).unwrap_err().to_string(), error);
    let error = field.k_best(&[0.0; 2], 2).unwrap_err().to_string();
    assert_eq!(error, "every path of 1 steps is forbidden, and row 0 has as many");
    assert_eq!(field.k_best(&[], 2).unwrap(), []);
    assert_eq!(field.k_best(&[0.0; 2], 0).unwrap_err().to_string(), "k is 0 but must be at least 1");
    assert_eq!(field.k_best(&[0.0; 2], 65).unwrap_err().to_string(), "k is 65 but must be at most 64");
    assert!(field.k_best(&[0.0; 3], 1).is_err());
}
