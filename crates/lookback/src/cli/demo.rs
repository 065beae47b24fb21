//! `lookback demo`.

use std::path::{Path, PathBuf};

use clap::Args;
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::Ask;
use lookback_infer::model_file::check_writable;

use super::explain::{Color, explain};
use super::{Interrupted, UsageError, evaluate, signals, train};
use crate::demo;
use crate::train::{End, Progress, Session, Silent, TerminalProgress};

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
    pub(super) fn run(self, quiet: bool) -> anyhow::Result<()> {
        if let Some(output) = &self.output {
            check_writable(output).map_err(|error| UsageError(error.to_string()))?;
        }
        let stop = signals::listen()?;
        let device = super::device();
        let mut progress: Box<dyn Progress> = if quiet { Box::new(Silent) } else { Box::new(TerminalProgress::new()) };
        let mut session = Session {
            device: &device,
            stop: &stop,
            progress: &mut *progress,
            checkpoint: None,
            resume: false,
            init: None,
        };
        let fitted = demo::fit(self.seed, &mut session)?;
        match (&self.output, fitted.end) {
            (Some(output), _) => train::finish(&fitted, output, None)?,
            (None, End::Interrupted { epoch, step }) => {
                return Err(Interrupted(format!("interrupted in epoch {epoch}, step {step}")).into());
            }
            (None, _) => {}
        }
        let Some((file, _)) = fitted.model else { return Ok(()) };
        let classifier = demo::classifier(file)?;
        let held_out = demo::held_out(&classifier)?;
        super::print(&format!("\nOn {} sentences it has not seen:\n\n", held_out.len()))?;
        super::print(&evaluate::text(&classifier.judge(&held_out, &Ask::default())?))?;
        super::print("\nWhat it looked at:\n")?;
        for sentence in demo::SENTENCES {
            let explained = explain(&classifier, sentence, self.color.wanted(), MemoryLimit::default())?;
            super::print_as_it_is(&format!("\n{sentence}\n{explained}"))?;
        }
        if let Some(output) = &self.output {
            let model = Path::new(output).display();
            super::print(&format!("\nTry it: echo \"where is my parcel\" | lookback predict {model} --attention\n"))?;
        }
        Ok(())
    }
}
