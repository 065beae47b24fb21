//! An attention decoder over known targets, forward and backward.

use lookback_kernels::attention::Score;
use lookback_kernels::decoder::{
    DecoderDims, DecoderForm, DecoderInputs, DecoderKind, DecoderParameters, LayerGradients, Map, MapGradients,
    backward, forward,
};
use lookback_kernels::{Cell, Reset, Weights};

use crate::work::{Work, scaled, values, work};

/// Rows that are fewer and more than the threads, both forms, both scores, with and without coverage, weights and dropout
/// between the layers.
pub(crate) fn decoders() -> Vec<Work> {
    let gru = DecoderKind { cell: Cell::Gru(Reset::AfterProduct), form: DecoderForm::Bahdanau, weights: false };
    let lstm = DecoderKind { cell: Cell::Lstm, form: DecoderForm::Luong { feeding: true }, weights: true };
    vec![
        decoder("decoder, Luong's, two layers", lstm, (5, 2), true),
        decoder("decoder, Bahdanau's, ragged", gru, (19, 1), false),
    ]
}

/// All parameters of the layers, the maps and the score.
fn decoder(name: &str, kind: DecoderKind, (batch, layers): (usize, usize), additive: bool) -> Work {
    let (time, input, hidden, keys, width, memory) = (7, 12, 40, 9, 24, 20);
    let dims = DecoderDims { batch, time, input, hidden, layers, keys, width, memory };
    let gates = kind.cell.gates() * hidden;
    let of_layers: Vec<[Vec<f32>; 4]> = (0..layers)
        .map(|layer| {
            let read = if layer == 0 { input + kind.fed(&dims) } else { hidden };
            let lens = [gates * read, gates * hidden, gates, gates];
            std::array::from_fn(|part| scaled(lens[part], (10 * layer + part + 1) as u64))
        })
        .collect();
    let (query, query_bias, v) = (scaled(width * hidden, 5), scaled(width, 6), values(width, 7));
    let covering = scaled(width, 16);
    let (combine, combine_bias) = (scaled(hidden * (memory + hidden), 8), scaled(hidden, 9));
    let (x, of_keys) = (values(batch * time * input, 10), values(batch * keys * width, 11));
    let (of_values, h0) = (values(batch * keys * memory, 12), values(layers * batch * hidden, 13));
    let masks: Vec<f32> = values((layers - 1) * batch * time * hidden, 14)
        .iter()
        .map(|&value| if value > 0.0 { 2.0 } else { 0.0 })
        .collect();
    let lengths: Vec<usize> = (0..batch).map(|row| if row == 0 { time } else { row * 5 % (time + 1) }).collect();
    let key_lengths: Vec<usize> = (0..batch).map(|row| if row == 0 { keys } else { row * 3 % (keys + 1) }).collect();
    let upstream = values(kind.parts(&dims).c_n.end, 15);
    work(name, move |threads| {
        let layers: Vec<Weights<'_>> = of_layers
            .iter()
            .map(|[weight_ih, weight_hh, bias_ih, bias_hh]| Weights {
                weight_ih,
                weight_hh,
                bias_ih: Some(bias_ih),
                bias_hh: Some(bias_hh),
                peephole: None,
            })
            .collect();
        let luong = kind.form != DecoderForm::Bahdanau;
        let parameters = DecoderParameters {
            layers: &layers,
            query: Some(Map { weight: &query, bias: Some(&query_bias) }),
            score: if additive { Score::Additive { v: &v } } else { Score::Product { scale: 0.2 } },
            combine: luong.then_some(Map { weight: &combine, bias: Some(&combine_bias) }),
            coverage: additive.then_some(&covering[..]),
        };
        let inputs = DecoderInputs {
            x: &x,
            lengths: Some(&lengths),
            keys: &of_keys,
            values: &of_values,
            key_lengths: Some(&key_lengths),
            previous: None,
            h0: Some(&h0),
            c0: None,
            masks: (!masks.is_empty()).then_some(&masks[..]),
        };
        let (output, trace) = forward(kind, &dims, &parameters, &inputs, threads).unwrap();
        let found = backward(kind, &dims, &parameters, &inputs, &output, &trace, &upstream, threads).unwrap();
        let of_layer = |layer: LayerGradients| [layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh];
        let of_map = |map: MapGradients| [map.weight, map.bias];
        let mut all = vec![
            output,
            found.x,
            found.keys,
            found.values,
            found.previous,
            found.h0,
            found.c0,
            found.v,
            found.coverage,
        ];
        all.extend(found.layers.into_iter().flat_map(of_layer));
        all.extend(found.query.into_iter().chain(found.combine).flat_map(of_map));
        all
    })
}
