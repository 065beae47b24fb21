//! `lookback gradcheck`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lookback_infer::model_file::ModelFile;
use lookback_infer::network::Cell as Trained;
use lookback_infer::tasks::load_file;
use lookback_kernels::{Activation, Cell, Reset};
use serde_json::json;

use super::UsageError;
use crate::insight::gradcheck::{Checked, Form, Subject};
use crate::insight::terminal;

/// Compare gradients with finite differences in double precision: of every cell, attention and random field, or of the recurrent
/// layers of a model; the exit code is 1 where one is off by more than the bound
#[derive(Args, Debug)]
pub(super) struct Gradcheck {
    /// Model file whose recurrent layers are checked, with the weights that it has
    #[arg(conflicts_with_all = ["cell", "score", "crf"])]
    model: Option<PathBuf>,
    /// Check this cell
    #[arg(long, value_enum)]
    cell: Vec<CellName>,
    /// Check attention by this score
    #[arg(long, value_enum)]
    score: Vec<ScoreName>,
    /// Check the linear-chain conditional random field
    #[arg(long)]
    crf: bool,
    /// The largest difference that passes, relative to the largest value of a gradient
    #[arg(long, value_name = "ERROR", default_value_t = 1e-6)]
    bound: f64,
    /// Of the values at which it is checked
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The cells by name.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum CellName {
    Rnn,
    Lstm,
    /// With the peepholes of Gers 2000
    PeepholeLstm,
    Gru,
    /// Whose reset is applied before the product, as Cho 2014 has it
    GruResetBefore,
}

/// The scores by name.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum ScoreName {
    Additive,
    Dot,
    ScaledDot,
    General,
    MultiHead,
}

/// A gradient is off by more than the bound.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Off(String);

impl Gradcheck {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if !(self.bound > 0.0 && self.bound.is_finite()) {
            return Err(UsageError(format!("--bound is {}; it must be above 0", self.bound)).into());
        }
        let checked: Vec<Checked> = self.subjects()?.iter().flat_map(|subject| subject.check(self.seed)).collect();
        if self.json {
            super::print_json(&format!("{}\n", json!({ "bound": self.bound, "checked": checked })))?;
        } else {
            super::print(&table(&checked))?;
        }
        // What is no number is off as well.
        let off: Vec<&Checked> = checked.iter().filter(|one| one.error.is_nan() || one.error > self.bound).collect();
        match off.first() {
            None => Ok(()),
            Some(first) => Err(Off(format!(
                "{} of {} gradients are off by more than {:e}, the first of them that of {} of the {}",
                off.len(),
                checked.len(),
                self.bound,
                first.argument,
                first.subject
            ))
            .into()),
        }
    }

    fn subjects(&self) -> anyhow::Result<Vec<Subject>> {
        if let Some(path) = &self.model {
            return of_model(path);
        }
        let cells = self.cell.iter().map(|cell| {
            let (cell, peephole) = match cell {
                CellName::Rnn => (Cell::Rnn(Activation::Tanh), false),
                CellName::Lstm => (Cell::Lstm, false),
                CellName::PeepholeLstm => (Cell::Lstm, true),
                CellName::Gru => (Cell::Gru(Reset::AfterProduct), false),
                CellName::GruResetBefore => (Cell::Gru(Reset::BeforeProduct), false),
            };
            Subject::Layer { cell, peephole }
        });
        let scores = self.score.iter().map(|score| {
            Subject::Attention(match score {
                ScoreName::Additive => Form::Additive,
                ScoreName::Dot => Form::Dot,
                ScoreName::ScaledDot => Form::ScaledDot,
                ScoreName::General => Form::General,
                ScoreName::MultiHead => Form::MultiHead,
            })
        });
        let said: Vec<Subject> = cells.chain(scores).chain(self.crf.then_some(Subject::Crf)).collect();
        Ok(if said.is_empty() { Subject::all() } else { said })
    }
}

/// The recurrent layers of a model, each direction by itself.
fn of_model(path: &Path) -> anyhow::Result<Vec<Subject>> {
    let file = ModelFile::read(path)?;
    // Refuses a file that is no model, or one whose tensors do not fit: below everything is as it should be.
    load_file(file.clone(), path)?;
    let network: serde_json::Value = file.json(path, "network")?;
    // A language model's and a decoder's own cell, else that of the encoder.
    let cell = |name: &str| {
        let own = if name.contains("decoder") { &network["decoder"]["cell"] } else { &network["encoder"]["cell"] };
        let own = if own.is_null() { &network["encoder"]["cell"] } else { own };
        let own = if own.is_null() { &network["cell"] } else { own };
        serde_json::from_value::<Trained>(own.clone()).map(Trained::kernel)
    };
    let mut subjects = Vec::new();
    for (name, weight_hh) in &file.tensors {
        let Some((before, behind)) = name.rsplit_once("weight_hh") else { continue };
        let part = |part: &str| file.tensors.get(&format!("{before}{part}{behind}"));
        let (Some(weight_ih), Some(bias_ih), Some(bias_hh)) = (part("weight_ih"), part("bias_ih"), part("bias_hh"))
        else {
            continue;
        };
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let weights = [weight_ih, weight_hh, bias_ih, bias_hh].map(|tensor| wide(&tensor.data));
        let (cell, hidden) = (cell(name)?, weight_hh.shape.last().copied().unwrap_or_default());
        let name = format!("{}{}", before.trim_end_matches('.'), behind);
        subjects.push(Subject::Trained { name, cell, weights, hidden });
    }
    match subjects.is_empty() {
        true => Err(UsageError(format!("{} has no recurrent layers", path.display())).into()),
        false => Ok(subjects),
    }
}

fn table(checked: &[Checked]) -> String {
    let header = ["checked", "argument", "values", "moved", "largest relative error"].map(str::to_owned);
    let rows: Vec<Vec<String>> = checked
        .iter()
        .map(|one| {
            let error = format!("{:.1e}", one.error);
            vec![one.subject.clone(), one.argument.clone(), one.values.to_string(), one.moved.to_string(), error]
        })
        .collect();
    format!("{}\n", terminal::table(&header, &rows))
}
