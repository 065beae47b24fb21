//! `lookback-bench`: how long a layer takes, and what share of the machine's product ceiling that is.

use std::process::ExitCode;

use bench::memory::{forget_peak, peak_mib, resident_mib};
use bench::options::{Mode, Through};
use bench::{Case, Options, Plan, ceiling_gflops, serve, timing};
use clap::{CommandFactory, Parser, error::ErrorKind};
use serde_json::json;

/// The allocator of the `lookback` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The stack of the pool's threads, as in the `lookback` binary: a graph of many steps is taken apart on it.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lookback-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let options = Options::parse();
    let plan = match options.plan() {
        Ok(plan) => plan,
        Err(error) => Options::command().error(ErrorKind::ArgumentConflict, error).exit(),
    };
    rayon::ThreadPoolBuilder::new().num_threads(plan.threads).stack_size(STACK).build_global()?;
    // On a thread of the pool, as the `lookback` binary runs: from outside, every parallel part begins with a wait.
    rayon::scope(|_| measure(&options, &plan))
}

fn measure(options: &Options, plan: &Plan) -> anyhow::Result<()> {
    let measures = !options.serve && options.repetitions.is_none();
    // The ceiling comes first: nothing of it is left when the peak of memory begins anew.
    let ceiling = if measures { ceiling_gflops(plan.threads) } else { 0.0 };
    forget_peak();
    let before = resident_mib();
    let case = match &options.case {
        Some(path) => Case::read(path, plan)?,
        None => Case::draw(plan),
    };
    let mut work = bench::work(plan, &case)?;
    drop(case);
    if let Some(path) = &options.results {
        work.run()?;
        work.results()?.write(path)?;
        forget_peak();
    }
    if options.serve {
        return serve::serve(plan, &mut *work, before);
    }
    if let Some(repetitions) = options.repetitions {
        return (0..repetitions).try_for_each(|_| work.run());
    }
    let measured = timing::measure(&mut *work, options.seconds)?;
    report(options, plan, measured, ceiling, before);
    Ok(())
}

fn report(options: &Options, plan: &Plan, measured: timing::Measured, ceiling: f64, before: Option<f64>) {
    let gflops = plan.flops() / measured.median_ms / 1e6;
    let share = gflops / ceiling;
    let (mode, through) = (name(plan.mode), through(plan.through));
    let timing::Measured { median_ms, min_ms, repetitions } = measured;
    println!(
        "{}, {mode}, {through}, {} threads: median {median_ms:.4} ms, minimum {min_ms:.4} ms over {repetitions} \
         repetitions, {gflops:.1} GFLOP/s, {:.0} % of {ceiling:.1}",
        plan.describe(),
        plan.threads,
        100.0 * share,
    );
    if options.json {
        let object = json!({
            "layer": options.layer.name(),
            "mode": mode,
            "through": through,
            "threads": plan.threads,
            "median_ms": median_ms,
            "min_ms": min_ms,
            "repetitions": repetitions,
            "gflops": gflops,
            "ceiling_gflops": ceiling,
            "peak_share": share,
            "memory_before_mib": before,
            "memory_peak_mib": peak_mib(),
        });
        println!("{object}");
    }
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Train => "train",
        Mode::Infer => "infer",
        Mode::Step => "step",
    }
}

fn through(through: Through) -> &'static str {
    match through {
        Through::Kernels => "kernels",
        Through::Modules => "modules",
        Through::Answers => "answers",
        Through::Burn => "burn",
    }
}
