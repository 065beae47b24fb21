//! A sine, and at every step of it the cosine.

use std::path::Path;

use lookback_infer::data::Format;
use lookback_infer::data::history::{Frequency, Histories, History, HistoryColumns, Moment};
use lookback_infer::data::series::{Decimal, TimeFormat};
use lookback_infer::error::Error;
use lookback_infer::model::{Ask, Model, Report};
use lookback_infer::model_file::ModelFile;
use lookback_infer::tasks::forecast::{Forecaster, Loss};

use super::{Demo, THE_MODEL};
use crate::network::EncoderOptions;
use crate::tasks::Fitted;
use crate::tasks::forecast::{ForecastOptions, ForecastPlan, HistoryArgs, WindowOptions, fit_histories};
use crate::train::{Session, TrainOptions};

/// What the demonstration does with them.
pub(super) const DEMO: Demo = Demo {
    name: "forecast",
    unseen: "stretch of another phase, whose cosine it tells step by step from the sine,",
    inputs: &[],
    writes: 0,
    drawn: Some(sine),
    fit,
    judge,
    then: "echo \"[0, 0.1987, 0.3894, 0.5646, 0.7174, 0.8415, 0.9320]\" | lookback predict MODEL --chart waves.svg",
};

/// What messages call the data.
const DATA: &str = "built-in waves";
/// Steps to learn from, and of the unseen stretch.
const STEPS: usize = 2_000;
const UNSEEN: usize = 500;
/// Steps that are drawn.
const DRAWN: usize = 100;
/// Where the unseen stretch begins, in radians.
const PHASE: f64 = 2.5;
/// From one step to the next, in radians.
const STEP: f64 = 0.2;

fn fit(seed: u64, session: &mut Session<'_>) -> Result<Fitted, Error> {
    let column = |name: &str| lookback_infer::data::Column::Name(name.into());
    let options = ForecastOptions {
        data: HistoryArgs { past: vec![column("sin")], target: vec![column("cos")], ..HistoryArgs::default() },
        window: WindowOptions {
            every_step: Some(true),
            context: Some(64),
            loss: Some(Loss::Mse),
            ..WindowOptions::default()
        },
        encoder: EncoderOptions { hidden: Some(32), ..EncoderOptions::default() },
        train: TrainOptions {
            seed: Some(seed),
            epochs: Some(300),
            learning_rate: Some(0.01),
            score: Some("rmse".into()),
            ..TrainOptions::default()
        },
        ..ForecastOptions::default()
    };
    fit_histories(waves(0.0, STEPS), Path::new(DATA), &ForecastPlan::new(&options)?, session)
}

fn judge(file: ModelFile) -> Result<(Box<dyn Model>, Report), Error> {
    let forecaster = Forecaster::read(file, Path::new(THE_MODEL))?;
    let report = forecaster.judge(waves(PHASE, UNSEEN).all, Path::new(DATA), &Ask::default())?;
    Ok((Box::new(forecaster), report))
}

/// The beginning of the unseen stretch, as a line.
fn sine() -> String {
    let values: Vec<String> = (0..DRAWN).map(|step| format!("{:.4}", (PHASE + STEP * step as f64).sin())).collect();
    format!("[{}]", values.join(", "))
}

/// A sine from this phase on, and its cosine.
fn waves(phase: f64, steps: usize) -> Histories {
    let angle = |step: usize| phase + STEP * step as f64;
    let history = History {
        id: String::new(),
        line: 1,
        start: Moment::Number(0.0),
        length: steps,
        targets: (0..steps).map(|step| angle(step).sin() as f32).collect(),
        past: (0..steps).map(|step| angle(step).cos() as f32).collect(),
        future: Vec::new(),
        statics: Vec::new(),
    };
    let columns = HistoryColumns {
        format: Format::CsvLong,
        header: true,
        id: None,
        time: None,
        targets: vec!["sin".into()],
        past: vec!["cos".into()],
        future: Vec::new(),
        statics: Vec::new(),
        static_kinds: Vec::new(),
        time_format: None::<TimeFormat>,
        written: None,
        frequency: Frequency::Number(1.0),
        decimal: Decimal::Point,
    };
    Histories { all: vec![history], columns }
}
