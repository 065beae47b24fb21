//! How long a decoder over known targets takes: the least and the median of many runs, in milliseconds.
//!
//! `cargo run --release -p lookback-kernels --example time_decoder -- [threads] [runs] [part of a name]`

use lookback_kernels::attention::Score;
use lookback_kernels::decoder::{
    DecoderDims, DecoderForm, DecoderInputs, DecoderKind, DecoderParameters, Map, backward, forward,
};
use lookback_kernels::{Cell, Weights};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().map_or(Ok(2), |a| a.parse())?;
    let runs: usize = arguments.next().map_or(Ok(30), |a| a.parse())?;
    let part = arguments.next().unwrap_or_default();
    // The translator of bench/end_to_end.
    let dims =
        DecoderDims { batch: 64, time: 30, input: 256, hidden: 256, layers: 1, keys: 30, width: 256, memory: 512 };
    let luong = DecoderForm::Luong { feeding: true };
    let forms = [
        ("luong, additive", luong, true, [false; 2]),
        ("luong, general", luong, false, [false; 2]),
        ("bahdanau, additive", DecoderForm::Bahdanau, true, [false; 2]),
        ("luong, additive, weights", luong, true, [true, false]),
        ("luong, additive, coverage", luong, true, [true; 2]),
    ];
    println!("{:<26} {:>18} {:>18}   threads {threads}", "least / median ms", "forward", "backward");
    for (name, form, additive, [weights, covers]) in forms.into_iter().filter(|(name, ..)| name.contains(&part)) {
        let kind = DecoderKind { cell: Cell::Lstm, form, weights };
        let times = measure(kind, &dims, (additive, covers), threads, runs)?;
        let [forward, backward] = times.map(|[least, median]| format!("{least:8.3} /{median:8.3}"));
        println!("{name:<26} {forward:>18} {backward:>18}");
    }
    Ok(())
}

fn values(len: usize, scale: f32) -> Vec<f32> {
    let mut state = len as u32 | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next() * scale).collect()
}

fn measure(
    kind: DecoderKind,
    dims: &DecoderDims,
    (additive, covers): (bool, bool),
    threads: usize,
    runs: usize,
) -> Result<[[f64; 2]; 2], Box<dyn std::error::Error>> {
    let DecoderDims { batch, time, input, hidden, keys, width, memory, .. } = *dims;
    let (bound, gates) = (1.0 / (hidden as f32).sqrt(), kind.cell.gates() * hidden);
    let (weight_ih, weight_hh) = (values(gates * (input + kind.fed(dims)), bound), values(gates * hidden, bound));
    let (bias, query, v) = (values(gates, bound), values(width * hidden, bound), values(width, bound));
    let (combine, combine_bias) = (values(hidden * (memory + hidden), bound), values(hidden, bound));
    let layers = [Weights {
        weight_ih: &weight_ih,
        weight_hh: &weight_hh,
        bias_ih: Some(&bias),
        bias_hh: Some(&bias),
        peephole: None,
    }];
    let parameters = DecoderParameters {
        layers: &layers,
        query: Some(Map { weight: &query, bias: None }),
        score: if additive { Score::Additive { v: &v } } else { Score::Product { scale: 1.0 } },
        coverage: covers.then_some(&v[..]),
        combine: (kind.form != DecoderForm::Bahdanau).then_some(Map { weight: &combine, bias: Some(&combine_bias) }),
    };
    let (x, keys, encoded) =
        (values(batch * time * input, 1.0), values(batch * keys * width, 1.0), values(batch * keys * memory, 1.0));
    let inputs = DecoderInputs {
        x: &x,
        lengths: None,
        keys: &keys,
        values: &encoded,
        key_lengths: None,
        previous: None,
        h0: None,
        c0: None,
        masks: None,
    };
    let upstream = values(kind.parts(dims).c_n.end, 1.0);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        let begun = Instant::now();
        let (output, trace) = forward(kind, dims, &parameters, &inputs, threads)?;
        times[0].push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        backward(kind, dims, &parameters, &inputs, &output, &trace, &upstream, threads)?;
        times[1].push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        [times[0], times[times.len() / 2]]
    }))
}
