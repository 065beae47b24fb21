//! `lookback-bench`: how long a layer takes, and what share of the machine's product ceiling that is.

mod ceiling;
mod recurrent;

use clap::{Parser, ValueEnum};
use serde_json::json;

/// Times one recurrent layer: warm-up, then the median of many runs.
#[derive(Parser, Debug)]
#[command(name = "lookback-bench", version)]
struct Options {
    /// The layer
    layer: Layer,
    /// Rows in the batch (B)
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Steps (T)
    #[arg(long, default_value_t = 100)]
    time: usize,
    /// Input size (I)
    #[arg(long, default_value_t = 128)]
    input: usize,
    /// Hidden size (H)
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Run both directions
    #[arg(long)]
    bidirectional: bool,
    /// full, or uniform:SHARE for lengths spread evenly from SHARE of T to T
    #[arg(long, default_value = "full", value_parser = lengths)]
    lengths: Lengths,
    /// train: forward and backward of the summed output, gradients of input and weights
    #[arg(long, value_enum, default_value_t = Mode::Train)]
    mode: Mode,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds to measure for
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Print one JSON object as the last line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Layer {
    Rnn,
    Lstm,
    Gru,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Mode {
    Train,
    Infer,
}

#[derive(Clone, Copy, Debug)]
enum Lengths {
    Full,
    Uniform(f64),
}

fn lengths(text: &str) -> Result<Lengths, String> {
    if text == "full" {
        return Ok(Lengths::Full);
    }
    let share = text.strip_prefix("uniform:").and_then(|share| share.parse::<f64>().ok());
    match share {
        Some(share) if (0.0..=1.0).contains(&share) => Ok(Lengths::Uniform(share)),
        _ => Err("expected full, or uniform:SHARE with SHARE from 0 to 1".into()),
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    for (name, size) in [
        ("--batch", options.batch),
        ("--time", options.time),
        ("--input", options.input),
        ("--hidden", options.hidden),
        ("--threads", options.threads),
    ] {
        anyhow::ensure!(size > 0, "{name} is 0 but must be at least 1");
    }
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).build_global()?;
    let ceiling = ceiling::gflops(options.threads);
    let run = recurrent::measure(&options)?;
    let gflops = run.flops / run.median_ms / 1e6;
    println!(
        "{:?} ({}, {}, {}, {}) {:?}: median {:.3} ms, minimum {:.3} ms over {} runs, {gflops:.1} GFLOP/s, {:.0} % of {ceiling:.1}",
        options.layer,
        options.batch,
        options.time,
        options.input,
        options.hidden,
        options.mode,
        run.median_ms,
        run.min_ms,
        run.runs,
        100.0 * gflops / ceiling,
    );
    if options.json {
        let object = json!({
            "layer": format!("{:?}", options.layer).to_lowercase(),
            "median_ms": run.median_ms,
            "min_ms": run.min_ms,
            "gflops": gflops,
            "ceiling_gflops": ceiling,
            "peak_share": gflops / ceiling,
        });
        println!("{object}");
    }
    Ok(())
}
