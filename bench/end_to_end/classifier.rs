//! An epoch of a recipe's review classifier, as `lookback train classify` runs it.

use std::path::Path;

use anyhow::Context as _;
use burn::tensor::Device;
use lookback::tasks::classify::{ClassifyOptions, ClassifyPlan, fit};
use lookback::train::{EpochReport, Progress, Session, StepReport};

use crate::turns::Turns;

pub(crate) fn train(recipe: &Path, turns: Turns) -> anyhow::Result<()> {
    let config = recipe.join("config.toml");
    let text = std::fs::read_to_string(&config).with_context(|| format!("{} cannot be read", config.display()))?;
    let mut options: ClassifyOptions = toml::from_str(&text).with_context(|| config.display().to_string())?;
    let data = recipe.join("data").join("train.tsv");
    if !data.exists() {
        anyhow::bail!("{} is not there; run {} first", data.display(), recipe.join("prepare.py").display());
    }
    // The epochs are the lines' affair: training goes on until there are no more, and none is better than another.
    options.train.validation_split = Some(0.0);
    options.train.epochs = Some(1_000_000);
    options.train.patience = Some(0);
    let plan = ClassifyPlan::new(&data, &options)?;
    let mut progress = Epochs(turns.after_one());
    let stop = progress.0.stop();
    let device = Device::flex();
    let mut session =
        Session { device: &device, stop: &stop, progress: &mut progress, checkpoint: None, resume: false, init: None };
    fit(&data, &plan, &mut session)?;
    progress.0.finish()
}

struct Epochs(Turns);

impl Progress for Epochs {
    fn epoch_started(&mut self, _: usize, _: usize, _: usize) {}
    fn step(&mut self, _: &StepReport) {}
    fn epoch_ended(&mut self, report: &EpochReport<'_>) {
        self.0.unit(report.loss, Some(report.trained.as_secs_f64() * 1e3));
    }
    fn finished(&mut self) {}
}
