//! What does not fit is refused, with both sides named.

use super::*;

#[test]
fn what_does_not_fit_is_refused() {
    let kind =
        Kind { cell: Cell::Gru(crate::Reset::AfterProduct), form: FORMS[0], score: Scored::Additive, weights: true };
    let dims = DecoderDims { batch: 2, time: 3, input: 2, hidden: 3, layers: 1, keys: 4, width: 3, memory: 2 };
    let good = Case::new(kind, dims, 1.0, 1);
    let refused = |change: fn(&mut Case), expected: &str| {
        let mut case = good.clone();
        change(&mut case);
        let error = case.narrow().try_forward(1).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    };
    refused(|case| case.x.truncate(5), "x has 5 values but its shape [B, T, I] = [2, 3, 2] has 12");
    refused(|case| case.keys.truncate(5), "keys has 5 values but its shape [B, K, A] = [2, 4, 3] has 24");
    refused(|case| case.combine.truncate(1), "the combination's weight has 1 values");
    refused(|case| case.v.truncate(1), "v has 1 values but its shape [A] = [3] has 3");
    refused(|case| case.coverage = vec![0.0; 2], "coverage has 2 values but its shape [A] = [3] has 3");
    let product = |case: &mut Case| (case.kind.score, case.coverage) = (Scored::General, vec![0.0; 3]);
    refused(product, "decoder whose score is a product");
    refused(|case| case.key_lengths[1] = 9, "key lengths[1] is 9 but keys have K = 4");
    refused(|case| case.lengths[0] = 9, "lengths[0] is 9 but the batch has T = 3");
    let masks = "masks has 5 values but its shape [L - 1, B, T, H] = [0, 2, 3, 3] has 0";
    refused(|case| case.masks = vec![1.0; 5], masks);
    refused(|case| case.kind.form = DecoderForm::Bahdanau, "weight_ih has");
    refused(|case| case.dims.hidden = 0, "H is 0 but must be at least 1");
    refused(|case| case.dims.memory = usize::MAX / 2, "more values than memory can hold");
    let (with, trace) = (Case { coverage: vec![0.0; 3], ..good.clone() }, good.narrow().try_forward(1).unwrap().1);
    let error = with.narrow().try_backward(&trace, 1).unwrap_err().to_string();
    assert!(error.contains("with coverage"), "{error}");
    let trace = good.narrow().try_forward(1).unwrap().1;
    let other = Case { lengths: vec![1, 1], ..good.clone() };
    let error = other.narrow().try_backward(&trace, 1).unwrap_err().to_string();
    assert!(error.contains("the packed weights are of"), "{error}");
}
