//! `lookback demo`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::explain::{Color, explain_text};
use super::{Interrupted, Wrong, evaluate, signals, train};
use crate::demo;
use crate::memory_limit::MemoryLimit;
use crate::model_file::check_writable;
use crate::train::{End, TerminalProgress};

/// Train, evaluate and explain on built-in questions, in seconds.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Keep the model in this file [default: nothing is written]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Shade the tokens in colours
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let Some(output) = &self.output {
            check_writable(output).map_err(|error| Wrong(error.to_string()))?;
        }
        let stop = signals::listen()?;
        let device = super::device();
        let fitted = demo::fit(self.seed, &device, &stop, &mut TerminalProgress::new())?;
        match (&self.output, &fitted.classifier) {
            (Some(output), _) => train::finish(&fitted, output)?,
            (None, _) => {
                if let End::Interrupted { epoch, step } = fitted.end {
                    return Err(Interrupted(format!("interrupted in epoch {epoch}, step {step}")).into());
                }
            }
        }
        let Some(classifier) = &fitted.classifier else { return Ok(()) };
        let held_out = demo::held_out(classifier)?;
        super::print(&format!("\nOn {} sentences it has not seen:\n\n", held_out.len()))?;
        super::print(&evaluate::text(&classifier.evaluate(&held_out, MemoryLimit::default())?, classifier.labels()))?;
        super::print("\nWhat it looked at:\n")?;
        for sentence in demo::SENTENCES {
            let explained = explain_text(classifier, sentence, self.color.wanted(), MemoryLimit::default())?;
            super::print_as_it_is(&format!("\n{sentence}\n{explained}"))?;
        }
        if let Some(output) = &self.output {
            let model = Path::new(output).display();
            super::print(&format!("\nTry it: echo \"where is my parcel\" | lookback predict {model} --attention\n"))?;
        }
        Ok(())
    }
}
