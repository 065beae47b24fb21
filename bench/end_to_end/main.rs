//! `lookback-end-to-end`: whole trainings, one unit at a time. `bench/end_to_end/compare.py` starts it beside a twin in
//! PyTorch.
//!
//! The protocol is that of `lookback-bench --serve`; a unit is a training step of the translator or the forecaster, or
//! an epoch of the classifier. Training runs in `lookback`'s own loop, with its optimiser, its clipping and the
//! allocator of the `lookback` program.

mod classifier;
mod forecaster;
mod load;
mod steps;
mod translator;
mod turns;

use std::path::PathBuf;
use std::process::ExitCode;

use bench::Case;
use bench::memory::{forget_peak, resident_mib};
use clap::{Parser, ValueEnum};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains one unit after another, as the lines on standard input ask.
#[derive(Parser, Debug)]
#[command(name = "lookback-end-to-end", version)]
struct Options {
    /// What is trained
    #[arg(value_enum)]
    task: Task,
    /// Weights and data (translator, forecaster)
    #[arg(long, value_name = "FILE", required_unless_present = "recipe")]
    case: Option<PathBuf>,
    /// The recipe's folder, with config.toml and data/ (classifier)
    #[arg(long, value_name = "FOLDER", conflicts_with = "case")]
    recipe: Option<PathBuf>,
    /// Where the losses of the first steps are written
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Task {
    /// An epoch of a recipe's review classifier
    Classifier,
    /// A step of a sequence-to-sequence model with attention
    Translator,
    /// A step of a two-layer LSTM that continues a series
    Forecaster,
}

/// The stack of the pool's threads, as in the `lookback` binary: a graph of many steps is taken apart on it.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lookback-end-to-end: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let options = Options::parse();
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).stack_size(STACK).build_global()?;
    // On a thread of the pool, as the `lookback` binary runs: from outside, every parallel part begins with a wait.
    rayon::scope(|_| train(&options))
}

fn train(options: &Options) -> anyhow::Result<()> {
    forget_peak();
    let turns = turns::Turns::new(resident_mib(), options.results.clone());
    let case = |path: &Option<PathBuf>| {
        let Some(path) = path else { anyhow::bail!("--case is needed for all but the classifier") };
        Case::read_all(path)
    };
    match options.task {
        Task::Classifier => {
            let Some(recipe) = &options.recipe else { anyhow::bail!("--recipe is needed for the classifier") };
            classifier::train(recipe, turns)
        }
        Task::Translator => translator::train(&case(&options.case)?, turns),
        Task::Forecaster => forecaster::train(&case(&options.case)?, turns),
    }
}
