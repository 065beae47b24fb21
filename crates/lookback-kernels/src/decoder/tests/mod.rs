mod case;
mod refused;

use super::*;
use crate::recurrence::reference::CELLS;
use case::{Case, FORMS, Kind, Scored};
use proptest::prelude::*;

fn every_kind() -> impl Iterator<Item = Kind> {
    let scores = [
        (Scored::Dot, false),
        (Scored::Dot, true),
        (Scored::General, false),
        (Scored::Additive, false),
        (Scored::Additive, true),
        (Scored::Covering, false),
        (Scored::Covering, true),
    ];
    CELLS.into_iter().flat_map(move |cell| {
        FORMS
            .into_iter()
            .flat_map(move |form| scores.into_iter().map(move |(score, weights)| Kind { cell, form, score, weights }))
    })
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    for (kind, dropping) in every_kind().flat_map(|kind| [(kind, false), (kind, true)]) {
        let dims = DecoderDims { batch: 2, time: 3, input: 2, hidden: 3, layers: 2, keys: 3, width: 3, memory: 2 };
        let case = Case::new(kind, dims, 1.0, 7);
        let case = if dropping { case.dropping(7) } else { case };
        let gradients = case.gradients();
        let parts = case.clone().values_mut().len();
        for part in 0..parts {
            let gradient = Case::gradient_of(&gradients, part);
            for at in 0..case.clone().values_mut()[part].len() {
                let moved = |by: f64| {
                    let mut case = case.clone();
                    case.values_mut()[part][at] += by;
                    case.objective()
                };
                let found = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let gradient = gradient[at];
                // An activation with a corner may lie on either side of it.
                assert!(
                    (gradient - found).abs() < 1e-6 * gradient.abs().max(1.0),
                    "{kind:?}, part {part}[{at}]: {gradient}, want {found}"
                );
            }
        }
    }
}

#[test]
fn fast_equals_the_reference_for_every_kind() {
    let sizes = [
        DecoderDims { batch: 7, time: 5, input: 3, hidden: 20, layers: 1, keys: 6, width: 20, memory: 9 },
        DecoderDims { batch: 3, time: 4, input: 17, hidden: 33, layers: 2, keys: 40, width: 33, memory: 70 },
        DecoderDims { batch: 1, time: 6, input: 1, hidden: 1, layers: 3, keys: 1, width: 1, memory: 1 },
    ];
    for (kind, dims) in every_kind().flat_map(|kind| sizes.map(|dims| (kind, dims))) {
        Case::new(kind, dims, 1.0, 3).agrees(1e-5);
        Case::new(kind, dims, 1.0, 3).dropping(3).agrees(1e-5);
    }
}

proptest! {
    #![proptest_config(crate::same_cases(150))]
    #[test]
    fn fast_equals_the_reference(
        batch in 0usize..9, time in 0usize..7, input in 1usize..40, hidden in 1usize..40, layers in 1usize..3,
        keys in 0usize..20, memory in 1usize..150, width in 1usize..80, which: usize, seed: u64,
        dropping: bool,
    ) {
        let kinds: Vec<Kind> = every_kind().collect();
        let kind = kinds[which % kinds.len()];
        let width = if kind.score == Scored::Dot { hidden } else { width };
        let case = Case::new(kind, DecoderDims { batch, time, input, hidden, layers, keys, width, memory }, 1.0, seed);
        let case = if dropping { case.dropping(seed) } else { case };
        case.agrees(1e-5);
        let one = case.fast(1);
        for threads in [2, 3, 4, 8, 16] {
            prop_assert_eq!(&one, &case.fast(threads));
        }
    }

    /// Pairs whose exponentials share no division, or overflow.
    #[test]
    fn additive_scores_far_apart_agree(limit in 5.0f32..80.0, seed: u64, bahdanau: bool) {
        let form = if bahdanau { DecoderForm::Bahdanau } else { DecoderForm::Luong { feeding: true } };
        let score = if seed.is_multiple_of(2) { Scored::Additive } else { Scored::Covering };
        let kind = Kind { cell: Cell::Lstm, form, score, weights: false };
        let dims = DecoderDims { batch: 4, time: 3, input: 5, hidden: 12, layers: 1, keys: 9, width: 37, memory: 11 };
        let mut case = Case::new(kind, dims, 1.0, seed);
        case.keys.iter_mut().for_each(|key| *key = f64::from(*key as f32 * limit));
        case.agrees(2e-5);
    }
}

#[test]
fn a_row_alone_has_the_same_bits_and_padding_is_never_read() {
    for kind in every_kind() {
        let dims = DecoderDims { batch: 11, time: 6, input: 5, hidden: 24, layers: 2, keys: 7, width: 24, memory: 40 };
        let mut case = Case::new(kind, dims, 1.0, 5).dropping(5);
        case.lengths = vec![6, 2, 0, 5, 1, 6, 6, 3, 4, 0, 6];
        case.key_lengths = vec![1, 7, 3, 0, 7, 5, 2, 7, 6, 0, 4];
        let whole = case.fast(3);
        assert_eq!(whole, case.poisoned().fast(2), "{kind:?}");
        for b in 0..dims.batch {
            let alone = case.row(b).fast(1);
            case.same_row(&alone, &whole, b);
        }
        case.padding_is_zero(&whole);
    }
}

#[test]
fn masks_of_ones_change_no_bit_and_those_of_zeros_part_the_layers() {
    for kind in every_kind() {
        let dims = DecoderDims { batch: 3, time: 4, input: 3, hidden: 20, layers: 3, keys: 5, width: 20, memory: 9 };
        let (plain, mut case) = (Case::new(kind, dims, 1.0, 6), Case::new(kind, dims, 1.0, 6).dropping(6));
        case.masks.fill(1.0);
        assert_eq!(case.fast(2).output, plain.fast(2).output, "{kind:?}");
        case.agrees(1e-5);
        case.masks.fill(0.0);
        let of_layer = &case.fast(2).gradients.layers[1];
        assert!(of_layer.weight_ih.iter().all(|&value| value == 0.0), "{kind:?}");
        assert!(of_layer.weight_hh.iter().any(|&value| value != 0.0), "{kind:?}");
    }
}

#[test]
fn a_batch_or_a_time_of_nothing_has_gradients_of_zeros() {
    for kind in every_kind() {
        for (batch, time, keys) in [(0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0, 0)] {
            let dims = DecoderDims { batch, time, input: 2, hidden: 4, layers: 2, keys, width: 4, memory: 3 };
            let case = Case::new(kind, dims, 1.0, 9);
            case.agrees(1e-6);
            if batch * time == 0 {
                let gradients = case.fast(4).gradients;
                assert!(gradients.layers.iter().flat_map(|layer| &layer.weight_ih).all(|&value| value == 0.0));
                assert_eq!(gradients.x, vec![0.0; batch * time * 2]);
            }
        }
    }
}

#[test]
fn the_portable_code_agrees_too() {
    crate::simd::PORTABLE.set(true);
    for kind in every_kind() {
        let dims = DecoderDims { batch: 3, time: 4, input: 3, hidden: 7, layers: 2, keys: 5, width: 7, memory: 9 };
        Case::new(kind, dims, 1.0, 8).agrees(1e-5);
    }
    crate::simd::PORTABLE.set(false);
}

#[test]
fn what_is_no_number_stays_in_its_row() {
    let form = DecoderForm::Luong { feeding: true };
    let kind = Kind { cell: Cell::Lstm, form, score: Scored::Additive, weights: false };
    let dims = DecoderDims { batch: 3, time: 4, input: 3, hidden: 7, layers: 1, keys: 5, width: 6, memory: 9 };
    let mut case = Case::new(kind, dims, 1.0, 2);
    (case.lengths, case.key_lengths) = (vec![4; 3], vec![5; 3]);
    case.values[5 * 9 + 3] = f64::NAN;
    let output = case.fast(1).output;
    let (row, of_row) = (4 * 7, |row: usize| output[row * 28..][..28].iter());
    assert!(of_row(1).all(|value| value.is_nan()), "{row}");
    assert!(of_row(0).chain(of_row(2)).all(|value| value.is_finite()));
}

/// What is not asked for costs nothing, and asking for it changes nothing else.
#[test]
fn asking_for_the_weights_changes_no_other_bit() {
    for kind in every_kind().filter(|kind| kind.weights) {
        let dims = DecoderDims { batch: 5, time: 4, input: 3, hidden: 9, layers: 2, keys: 6, width: 9, memory: 5 };
        let asked = Case::new(kind, dims, 1.0, 4);
        let mut other = asked.clone();
        other.kind.weights = false;
        let (of_asked, of_other) = (asked.decoder().parts(&dims), other.decoder().parts(&dims));
        // What flows into the weights is left out where they are not given.
        let mut case = asked.clone();
        case.upstream[of_asked.weights.clone()].fill(0.0);
        other.upstream = [&case.upstream[..of_asked.weights.start], &case.upstream[of_asked.weights.end..]].concat();
        let (asked, other) = (case.fast(1), other.fast(1));
        assert_eq!(other.output[..of_other.context.end], asked.output[..of_asked.context.end], "{kind:?}");
        assert_eq!(other.output[of_other.h_n.start..], asked.output[of_asked.h_n.start..], "{kind:?}");
        assert_eq!(other.gradients, asked.gradients, "{kind:?}");
    }
}

/// Coverage whose vector is zero is the additive score.
#[test]
fn coverage_without_weight_is_none() {
    let form = DecoderForm::Luong { feeding: true };
    let kind = Kind { cell: Cell::Gru(crate::Reset::AfterProduct), form, score: Scored::Covering, weights: true };
    let dims = DecoderDims { batch: 3, time: 5, input: 3, hidden: 9, layers: 1, keys: 6, width: 20, memory: 5 };
    let mut covering = Case::new(kind, dims, 1.0, 6);
    covering.coverage.fill(0.0);
    let mut additive = covering.clone();
    (additive.kind.score, additive.coverage) = (Scored::Additive, Vec::new());
    for (one, other) in covering.fast(1).output.iter().zip(&additive.fast(1).output) {
        assert!((one - other).abs() < 1e-6, "{one} and {other}");
    }
}
