//! A peer: candle's LSTM and GRU, one layer and direction, inference and streaming. bench/compare.py starts it.
//!
//! The protocol is that of `lookback-bench --serve`. candle takes its number of threads from RAYON_NUM_THREADS.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_nn::rnn::{GRUConfig, LSTMConfig, RNN, gru, lstm};
use clap::Parser;

#[derive(Parser)]
struct Options {
    /// Weights and inputs
    #[arg(long)]
    case: PathBuf,
    /// Where the results are written
    #[arg(long)]
    results: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let device = Device::Cpu;
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = memory("VmRSS:")?;
    let bytes = std::fs::read(&options.case).with_context(|| options.case.display().to_string())?;
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)?;
    let metadata = metadata.metadata().as_ref().context("the case has no metadata")?;
    let about: serde_json::Value = serde_json::from_str(&metadata["case"])?;
    let size = |key: &str| about[key].as_u64().map(|size| size as usize).with_context(|| format!("no size {key}"));
    let streaming = about["mode"] == "step";
    let (input, hidden) = (size("input")?, size("hidden")?);

    let tensors = candle_core::safetensors::load_buffer(&bytes, &device)?;
    let x = tensors.get("input.x").context("the case has no input.x")?.clone();
    let parameters = VarBuilder::from_tensors(tensors, DType::F32, &device).pp("param");
    let mut run: Box<dyn FnMut() -> candle_core::Result<Tensor>> = match about["layer"].as_str() {
        Some("lstm") => repeat(lstm(input, hidden, LSTMConfig::default(), parameters)?, x.clone(), streaming),
        Some("gru") => repeat(gru(input, hidden, GRUConfig::default(), parameters)?, x.clone(), streaming),
        other => anyhow::bail!("candle has no {other:?}"),
    };

    let (batch, time, _) = x.dims3()?;
    let y = run()?.reshape((batch, time, hidden))?;
    candle_core::safetensors::save(&HashMap::from([("y", y)]), &options.results)?;
    std::fs::write("/proc/self/clear_refs", "5")?;
    let units = if streaming { time } else { 1 };
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        match line?.trim() {
            "memory" => println!("{before:.1} {:.1}", memory("VmHWM:")?),
            text => {
                let count: usize = if text.is_empty() { 1 } else { text.parse()? };
                let mut times = Vec::new();
                for _ in 0..count {
                    let start = Instant::now();
                    std::hint::black_box(run()?);
                    times.push(format!("{:.6}", start.elapsed().as_secs_f64() * 1e3 / units as f64));
                }
                println!("{}", times.join(" "));
            }
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// One repetition: the sequence at once, or one input after another with the state carried on.
fn repeat<R: RNN + 'static>(layer: R, x: Tensor, streaming: bool) -> Box<dyn FnMut() -> candle_core::Result<Tensor>> {
    Box::new(move || {
        let states = if streaming {
            let mut states = vec![layer.zero_state(1)?];
            for t in 0..x.dim(1)? {
                let x_t = x.narrow(1, t, 1)?.squeeze(1)?;
                states.push(layer.step(&x_t, &states[t])?);
            }
            states.split_off(1)
        } else {
            layer.seq(&x)?
        };
        layer.states_to_tensor(&states)
    })
}

fn memory(key: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)).context("no such line")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
