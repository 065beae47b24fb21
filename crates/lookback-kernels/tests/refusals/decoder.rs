//! What the decoder refuses: sizes of any kind, and each of its slices where it is one value short or long.

use lookback_kernels::attention::Score;
use lookback_kernels::decoder::{
    DecoderDims, DecoderForm, DecoderInputs, DecoderKind, DecoderParameters, DecoderTrace, Map, backward, forward,
};
use lookback_kernels::{Cell, KernelError, Weights};
use proptest::prelude::*;

use super::{CELLS, config, len, off, size, values};

const FORMS: [DecoderForm; 3] =
    [DecoderForm::Luong { feeding: true }, DecoderForm::Luong { feeding: false }, DecoderForm::Bahdanau];

/// Slices of a decoder and its inputs, by name and in the order of [`NAMES`].
#[derive(Clone)]
struct Slices {
    kind: DecoderKind,
    dims: DecoderDims,
    additive: bool,
    parts: Vec<Vec<f32>>,
    lengths: Option<Vec<usize>>,
    key_lengths: Option<Vec<usize>>,
}

/// What an error calls each of the slices.
const NAMES: [&str; 19] = [
    "weight_ih",
    "weight_hh",
    "bias_ih",
    "bias_hh",
    "the query's weight",
    "the query's bias",
    "v",
    "the combination's weight",
    "the combination's bias",
    "x",
    "keys",
    "values",
    "previous",
    "h0",
    "c0",
    "masks",
    "coverage",
    "output",
    "upstream",
];

impl Slices {
    /// Slices of the shapes that these sizes have, as a program that wraps would have them, `offs` values too long.
    fn new(kind: DecoderKind, dims: DecoderDims, additive: bool, offs: &[i8]) -> Slices {
        let DecoderDims { batch, time, input, hidden, layers, keys, width, memory } = dims;
        let gates = kind.cell.gates().wrapping_mul(hidden);
        let fed = match kind.form {
            DecoderForm::Luong { feeding: true } => hidden,
            DecoderForm::Luong { feeding: false } => 0,
            DecoderForm::Bahdanau => memory,
        };
        let (steps, states) = (batch.wrapping_mul(time), layers.wrapping_mul(batch).wrapping_mul(hidden));
        let made = match kind.form {
            DecoderForm::Bahdanau => hidden.wrapping_add(memory),
            _ => hidden,
        };
        let finals = if kind.cell.has_cell_state() { 2 } else { 1 };
        let given = if kind.weights { keys } else { 0 };
        let output = steps.wrapping_mul(made.wrapping_add(given)).wrapping_add(states.wrapping_mul(finals));
        let shapes: [&[usize]; 19] = [
            &[gates, input.wrapping_add(fed)],
            &[gates, hidden],
            &[gates],
            &[gates],
            &[width, hidden],
            &[width],
            &[width],
            &[hidden, memory.wrapping_add(hidden)],
            &[hidden],
            &[steps, input],
            &[batch, keys, width],
            &[batch, keys, memory],
            &[batch, hidden],
            &[states],
            &[states],
            &[layers.wrapping_sub(1), steps, hidden],
            &[width],
            &[output],
            &[output],
        ];
        let part = |(shape, &off): (&&[usize], &i8)| values(len(shape, off));
        let parts = shapes.iter().zip(offs).map(part).collect();
        Slices { kind, dims, additive, parts, lengths: None, key_lengths: None }
    }

    /// Lets `use_it` read them: the layers above the first have the recurrent weights of the first for both.
    fn with<X>(&self, use_it: impl FnOnce(&DecoderParameters<'_>, &DecoderInputs<'_>) -> X) -> X {
        let part = |index: usize| &self.parts[index][..];
        let layer = |index: usize| Weights {
            weight_ih: part(usize::from(index > 0)),
            weight_hh: part(1),
            bias_ih: Some(part(2)),
            bias_hh: Some(part(3)),
            peephole: None,
        };
        let layers: Vec<Weights<'_>> = (0..self.dims.layers.min(4)).map(layer).collect();
        let parameters = DecoderParameters {
            layers: &layers,
            query: Some(Map { weight: part(4), bias: Some(part(5)) }),
            score: if self.additive { Score::Additive { v: part(6) } } else { Score::Product { scale: 0.5 } },
            combine: (self.kind.form != DecoderForm::Bahdanau).then(|| Map { weight: part(7), bias: Some(part(8)) }),
            coverage: self.additive.then(|| part(16)),
        };
        let inputs = DecoderInputs {
            x: part(9),
            lengths: self.lengths.as_deref(),
            keys: part(10),
            values: part(11),
            key_lengths: self.key_lengths.as_deref(),
            previous: (self.kind.form == DecoderForm::Luong { feeding: true }).then(|| part(12)),
            h0: Some(part(13)),
            c0: self.kind.cell.has_cell_state().then(|| part(14)),
            masks: Some(part(15)),
        };
        use_it(&parameters, &inputs)
    }

    fn forward(&self, threads: usize) -> Result<(Vec<f32>, DecoderTrace), KernelError> {
        self.with(|parameters, inputs| forward(self.kind, &self.dims, parameters, inputs, threads))
    }

    fn backward(&self, trace: &DecoderTrace, threads: usize) -> Result<(), KernelError> {
        let (output, upstream) = (&self.parts[17], &self.parts[18]);
        self.with(|parameters, inputs| {
            backward(self.kind, &self.dims, parameters, inputs, output, trace, upstream, threads).map(drop)
        })
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_decoder_refuses_what_does_not_fit(
        cell in prop::sample::select(CELLS.to_vec()),
        form in prop::sample::select(FORMS.to_vec()),
        (batch, time, input, hidden) in (size(), size(), size(), size()),
        (layers, keys, width, memory) in (0usize..4, size(), size(), size()),
        lengths in prop::option::of(prop::collection::vec(size(), 0..6)),
        key_lengths in prop::option::of(prop::collection::vec(size(), 0..6)),
        offs in prop::collection::vec(off(), 19),
        (additive, weights) in any::<(bool, bool)>(),
        threads in 0usize..5,
    ) {
        let dims = DecoderDims { batch, time, input, hidden, layers, keys, width, memory };
        let slices = Slices::new(DecoderKind { cell, form, weights }, dims, additive, &offs);
        let slices = Slices { lengths, key_lengths, ..slices };
        if let Ok((output, trace)) = slices.forward(threads) {
            let fits = slices.parts[17..].iter().all(|part| part.len() == output.len());
            prop_assert_eq!(slices.backward(&trace, threads).is_ok(), fits);
        }
    }
}

/// Every slice, one value short and one long: the error has its name, what it has and what its shape has.
#[test]
fn every_slice_of_another_length_is_refused_with_both_sides_named() {
    let dims = DecoderDims { batch: 2, time: 3, input: 4, hidden: 5, layers: 3, keys: 6, width: 7, memory: 8 };
    let kind = DecoderKind { cell: Cell::Lstm, form: FORMS[0], weights: true };
    let good = Slices::new(kind, dims, true, &[0; 19]);
    let (_, trace) = good.forward(2).unwrap();
    good.backward(&trace, 2).unwrap();
    for (part, name) in NAMES.iter().enumerate() {
        for longer in [false, true] {
            let mut bad = good.clone();
            let expected = bad.parts[part].len();
            let found = if longer { expected + 1 } else { expected - 1 };
            bad.parts[part].resize(found, 0.0);
            let error = bad.backward(&trace, 2).unwrap_err().to_string();
            let begins = format!("{name} has {found} values but its shape [");
            assert!(error.starts_with(&begins), "{error:?} does not begin with {begins:?}");
            assert!(error.ends_with(&format!("has {expected}")), "{error:?} does not say {expected}");
            assert_eq!(bad.forward(2).is_err(), part < 17, "{name} in the forward pass");
        }
    }
    for (lengths, expected) in [
        (vec![1], "lengths has 1 values but its shape [B] = [2] has 2"),
        (vec![1, 4], "lengths[1] is 4 but the batch has T = 3"),
    ] {
        let error = Slices { lengths: Some(lengths), ..good.clone() }.forward(1).unwrap_err().to_string();
        assert_eq!(error, expected);
    }
    for (lengths, expected) in [
        (vec![1; 3], "key lengths has 3 values but its shape [B] = [2] has 2"),
        (vec![7, 0], "key lengths[0] is 7 but keys have K = 6"),
    ] {
        let error = Slices { key_lengths: Some(lengths), ..good.clone() }.forward(1).unwrap_err().to_string();
        assert_eq!(error, expected);
    }
}
