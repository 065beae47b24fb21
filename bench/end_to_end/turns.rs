//! Holds a training up between its units, until a line on standard input asks for more.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use bench::Case;
use bench::memory::{forget_peak, peak_mib, resident_mib};
use lookback::train::Stop;

/// Units whose losses are written and compared before any is timed.
const FIRST: usize = 3;

/// Counts units, times them, answers lines. Its methods are called from the loop's `Progress`.
#[derive(Debug)]
pub(crate) struct Turns {
    before: Option<f64>,
    results: Option<PathBuf>,
    stop: Stop,
    losses: Vec<f32>,
    first: usize,
    wanted: usize,
    times: Vec<f64>,
    began: Instant,
    failure: Option<std::io::Error>,
}

impl Turns {
    /// `before`: MiB held before anything was made.
    pub(crate) fn new(before: Option<f64>, results: Option<PathBuf>) -> Self {
        Turns {
            before: before.or_else(resident_mib),
            results,
            stop: Stop::default(),
            losses: Vec::new(),
            first: FIRST,
            wanted: 0,
            times: Vec::new(),
            began: Instant::now(),
            failure: None,
        }
    }

    /// A unit that lasts long is computed once before it is timed, and its loss, which depends on what is drawn, is not
    /// compared.
    pub(crate) fn after_one(mut self) -> Self {
        self.first = 1;
        self.results = None;
        self
    }

    /// How the training is told to end.
    pub(crate) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// A unit is done. `took`: its milliseconds, where the loop measured them itself.
    pub(crate) fn unit(&mut self, loss: f64, took: Option<f64>) {
        let took = took.unwrap_or_else(|| self.began.elapsed().as_secs_f64() * 1e3);
        if self.first > 0 {
            self.losses.push(loss as f32);
            self.first -= 1;
            if self.first == 0 {
                self.guarded(|turns| {
                    turns.write_losses()?;
                    forget_peak();
                    say("ready")
                });
                self.listen();
            }
        } else {
            self.times.push(took);
            self.wanted -= 1;
            if self.wanted == 0 {
                let times = std::mem::take(&mut self.times);
                self.guarded(|_| say(&times.iter().map(|ms| format!("{ms:.6}")).collect::<Vec<_>>().join(" ")));
                self.listen();
            }
        }
        self.began = Instant::now();
    }

    /// What went wrong between two units.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn write_losses(&self) -> std::io::Result<()> {
        let Some(path) = &self.results else { return Ok(()) };
        let mut results = Case::default();
        results.put("y", &[self.losses.len()], self.losses.clone());
        results.write(path).map_err(std::io::Error::other)
    }

    /// Waits for a line that asks for units; stops the training when there are no more lines.
    fn listen(&mut self) {
        for line in std::io::stdin().lock().lines() {
            match line {
                Err(error) => {
                    self.failure.get_or_insert(error);
                    break;
                }
                Ok(line) if line.trim() == "memory" => {
                    let (before, peak) = (self.before.unwrap_or(f64::NAN), peak_mib().unwrap_or(f64::NAN));
                    self.guarded(|_| say(&format!("{before:.1} {peak:.1}")));
                }
                Ok(line) => match line.trim().parse() {
                    Ok(wanted) if wanted > 0 => {
                        self.wanted = wanted;
                        return;
                    }
                    _ => {
                        let text = format!("{line:?} is neither a number of units nor \"memory\"");
                        self.failure.get_or_insert(std::io::Error::other(text));
                        break;
                    }
                },
            }
        }
        self.wanted = usize::MAX;
        self.stop.request();
    }

    /// The loop's callbacks return nothing, so a failure is kept for the end and the training stops.
    fn guarded(&mut self, act: impl FnOnce(&mut Self) -> std::io::Result<()>) {
        if let Err(error) = act(self) {
            self.failure.get_or_insert(error);
            self.stop.request();
        }
    }
}

fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
