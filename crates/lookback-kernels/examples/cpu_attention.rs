//! How long attention takes: the least and the median of many runs, in milliseconds.
//!
//! `cargo run --release -p lookback-kernels --example time_attention -- [threads] [runs] [part of a name]`

use lookback_kernels::attention::{
    Dims, Gradients, Inputs, Mask, Outputs, Score, Upstream, Workspace, backward, forward,
};
#[repr(C)]
struct Ts(i64, i64);
unsafe extern "C" {
    fn clock_gettime(id: i32, ts: *mut Ts) -> i32;
}
struct Instant(f64);
impl Instant {
    fn now() -> Self {
        let mut t = Ts(0, 0);
        unsafe { clock_gettime(3, &mut t) };
        Instant(t.0 as f64 + t.1 as f64 * 1e-9)
    }
    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(Self::now().0 - self.0)
    }
}

/// A score, its name and the sizes it is timed at.
#[derive(Clone, Copy)]
struct Timing {
    name: &'static str,
    additive: bool,
    causal: bool,
    weights: bool,
    dims: Dims,
}

fn timing(name: &'static str, additive: bool, sizes: [usize; 6]) -> Timing {
    let [batch, queries, keys, heads, width, value] = sizes;
    let dims = Dims { batch, queries, keys, heads, width, value };
    Timing { name, additive, causal: false, weights: false, dims }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().map_or(Ok(2), |a| a.parse())?;
    let runs: usize = arguments.next().map_or(Ok(50), |a| a.parse())?;
    let part = arguments.next().unwrap_or_default();
    let heads = timing("multi-head 32x100x256/8", false, [32, 100, 100, 8, 32, 32]);
    let timings = [
        timing("additive 32x40x50x256", true, [32, 40, 50, 1, 256, 256]),
        timing("additive 16x100x100x256", true, [16, 100, 100, 1, 256, 256]),
        timing("additive 8x1x200x128", true, [8, 1, 200, 1, 128, 128]),
        timing("additive 8x200x400x256", true, [8, 200, 400, 1, 256, 256]),
        timing("dot 32x40x50x256", false, [32, 40, 50, 1, 256, 256]),
        timing("dot 8x1x200x128", false, [8, 1, 200, 1, 128, 128]),
        Timing { name: "multi-head, weights", weights: true, ..heads },
        Timing { name: "multi-head, causal", causal: true, ..heads },
        heads,
    ];
    println!("{:<26} {:>18} {:>18}   threads {threads}", "least / median ms", "forward", "backward");
    for timing in timings.into_iter().filter(|timing| timing.name.contains(&part)) {
        let [forward, backward] = measure(&timing, threads, runs)?;
        let show = |[least, median]: [f64; 2]| format!("{least:8.3} /{median:8.3}");
        println!("{:<26} {:>18} {:>18}", timing.name, show(forward), show(backward));
    }
    Ok(())
}

fn measure(timing: &Timing, threads: usize, runs: usize) -> Result<[[f64; 2]; 2], Box<dyn std::error::Error>> {
    let dims = timing.dims;
    let Dims { batch, queries, keys, heads, width, value } = dims;
    let values = |len: usize, scale: f32| -> Vec<f32> {
        let mut state = len as u32 | 1;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next() * scale).collect()
    };
    let v = values(heads * width, 0.1);
    let (query, key) = (values(batch * queries * heads * width, 1.0), values(batch * keys * heads * width, 1.0));
    let value = values(batch * keys * heads * value, 1.0);
    let inputs = Inputs { query: &query, keys: &key, values: &value };
    let score = match timing.additive {
        true => Score::Additive { v: &v },
        false => Score::Product { scale: 1.0 / (width as f32).sqrt() },
    };
    let mask = Mask { causal: timing.causal, ..Mask::default() };
    let workspace = &mut Workspace::default();
    let mut context = vec![0.0; batch * queries * heads * dims.value];
    let dcontext = values(context.len(), 1.0);
    let (mut weights, mut statistics) = (vec![0.0; dims.weights_len()], vec![0.0; dims.statistics_len()]);
    let (mut dquery, mut dkeys, mut dvalues) = (query.clone(), key.clone(), value.clone());
    let mut dv = v.clone();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        let begun = Instant::now();
        let outputs = Outputs {
            context: &mut context,
            weights: timing.weights.then_some(&mut weights),
            statistics: Some(&mut statistics),
        };
        forward(score, &dims, &mask, None, &inputs, outputs, workspace, threads)?;
        times[0].push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        let upstream = Upstream { context: Some(&dcontext), weights: None };
        let gradients = Gradients {
            query: Some(&mut dquery),
            keys: Some(&mut dkeys),
            values: Some(&mut dvalues),
            v: timing.additive.then_some(&mut dv),
            bias: None,
        };
        backward(score, &dims, &mask, None, &inputs, &context, &statistics, &upstream, gradients, workspace, threads)?;
        times[1].push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        [times[0], times[times.len() / 2]]
    }))
}
