//! The program: one file per command.

mod columns;
mod demo;
mod evaluate;
mod explain;
mod failure;
mod gradcheck;
mod inspect;
mod load;
mod max_memory;
mod per_task;
mod predict;
mod series;
mod signals;
mod sureness;
mod threads;
mod train;
mod tune;

use std::ffi::OsString;
use std::io::{self, Write};

use burn::tensor::Device;
use clap::{Parser, Subcommand};

pub use failure::{Interrupted, Unanswered, UsageError, report};

use self::threads::Threads;

use crate::insight::terminal;

/// Recurrent networks with attention: train, evaluate, explain and serve sequence models.
#[derive(Parser, Debug)]
#[command(name = "lookback", version, max_term_width = 110)]
struct Lookback {
    #[command(flatten)]
    threads: Threads,
    /// Say nothing but errors on standard error: neither how files were read nor how training goes
    #[arg(long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Train, evaluate and explain on what is built in, in a minute or two
    Demo(demo::Demo),
    /// Train a model on your data
    Train(train::Train),
    /// Search for better options of a training
    Tune(tune::Tune),
    /// Judge a model on labelled data
    Evaluate(evaluate::Evaluate),
    // Its own documentation is its help, for it says what stands in an answer.
    Predict(predict::Predict),
    /// Show what a model looked at in one input
    Explain(explain::Explain),
    /// Show what a model file holds and how it was trained
    Inspect(inspect::Inspect),
    // As its own documentation says.
    Gradcheck(gradcheck::Gradcheck),
}

/// Runs the program with `arguments`, the program's own name first.
///
/// # Errors
/// Whatever [`report`] tells: wrong use, wrong data, a training that was stopped.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<()> {
    let mut lookback = Lookback::try_parse_from(arguments)?;
    let quiet = lookback.quiet;
    start_log(quiet);
    match &mut lookback.command {
        Command::Train(train) => train.read_config(&mut lookback.threads)?,
        Command::Tune(tune) => tune.read_config(&mut lookback.threads)?,
        _ => {}
    }
    threads::start(lookback.threads.threads)?;
    match lookback.command {
        Command::Demo(command) => on_the_pool(|| command.run(quiet)),
        Command::Train(command) => on_the_pool(|| command.run(quiet)),
        Command::Tune(command) => on_the_pool(|| command.run(quiet)),
        Command::Evaluate(command) => on_the_pool(|| command.run()),
        // It waits for its input, and would keep a thread of the pool from its work.
        Command::Predict(command) => command.run(),
        Command::Explain(command) => on_the_pool(|| command.run()),
        Command::Inspect(command) => command.run(),
        Command::Gradcheck(command) => on_the_pool(|| command.run()),
    }
}

/// Runs a command on a thread of the pool: every parallel part then begins at once on this thread, where a thread outside
/// would have to wake others and to sleep, some forty times in a training step.
fn on_the_pool(command: impl FnOnce() -> anyhow::Result<()> + Send) -> anyhow::Result<()> {
    rayon::scope(|_| command())
}

/// Warnings, and how files were read, go to standard error, one line each; `RUST_LOG` asks for more or less. One that cannot
/// be written is lost: to say so on the same standard error would end the program, and no warning is worth a training.
fn start_log(quiet: bool) {
    use tracing_subscriber::EnvFilter;
    let usual = if quiet { "error" } else { "warn,lookback=info,lookback_infer=info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    // A second call, from a test in the same process, finds the first one's and leaves it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(false)
        .log_internal_errors(false)
        .try_init();
}

/// Where everything is computed: Burn's CPU backend, which Lookback's kernels serve.
fn device() -> Device {
    Device::flex()
}

/// Writes lines to standard output at once, so that a reader at the other end of a pipe sees them. Names and labels in
/// them come from files: whatever could drive the terminal is escaped.
fn print(text: &str) -> io::Result<()> {
    print_as_it_is(&terminal::printable_lines(text))
}

/// Writes lines to standard error likewise. What cannot be written there is lost, as warnings are.
fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(terminal::printable_lines(text).as_bytes());
}

/// Writes JSON likewise; control characters are escaped as JSON escapes them.
fn print_json(text: &str) -> io::Result<()> {
    print_as_it_is(&terminal::printable_json(text))
}

/// Writes text with colours of our own, in which all else is escaped already.
fn print_as_it_is(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
