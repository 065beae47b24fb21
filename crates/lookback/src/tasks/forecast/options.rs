//! Forecasting options as a person types them, on the command line or in a TOML file.

use clap::Args;
use lookback_infer::data::history::Frequency;
use lookback_infer::data::series::SeriesLayout;
use lookback_infer::data::{Column, Format, HeaderChoice, Layout};
use lookback_infer::input::HistoryPlan;
use lookback_infer::network::DecoderScore;
use lookback_infer::tasks::forecast::{Around, CalendarField, Combine, DecoderForm, Loss, NetworkPlan, Scale};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::blend::Blend;
use super::plan::BLEND;
use crate::network::EncoderOptions;
use crate::train::TrainOptions;

/// Everything that `lookback train forecast` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ForecastOptions {
    /// What is read of a file.
    #[command(flatten)]
    #[serde(flatten)]
    pub data: HistoryArgs,
    /// What is forecast.
    #[command(flatten)]
    #[serde(flatten)]
    pub window: WindowOptions,
    /// The encoder.
    #[command(flatten)]
    #[serde(flatten)]
    pub encoder: EncoderOptions,
    /// What says the steps ahead: all at once, or one after another, with attention over what was read or without [default: direct]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderForm>,
    /// How the attention of --decoder luong or bahdanau compares its state with a step that was read [default: general]
    #[arg(long, value_enum, value_name = "SCORE", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_attention: Option<DecoderScore>,
    /// Whether each step of a --decoder reads the value of the one before: in training that which came, later its own forecast, or one
    /// that is drawn (predict --samples) [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<bool>,
    /// How the steps become one vector: attention, query, last, mean, max, or several joined by + [default: last]
    #[arg(long, value_name = "KIND", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<String>,
    /// Width of the layer that joins what was read with what is known of a step ahead: calendar and --future [default: 32]
    #[arg(long, value_name = "N", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<usize>,
    /// How the numbers of an --ensemble become one: mean or median [default: mean]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub combine: Option<Combine>,
    /// Train again on everything once the epochs were found on what is held out, that included, for as many [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refit: Option<bool>,
    /// Answer by the best classic forecast, such as Theta, where that is better than the network on what is held out; its intervals are
    /// those of --conformal [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// How it is trained.
    #[command(flatten)]
    #[serde(flatten)]
    pub train: TrainOptions,
}

/// What is read of a file of numbers over time.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input")]
pub struct HistoryArgs {
    /// Format of the data: csv-long (a row per step, of any separator), wide (a column per series), jsonl or parquet [default: by the
    /// file's extension, or first bytes]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Whether the first row holds the columns' names [default: auto]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderChoice>,
    /// Column that tells the series apart [default: by its name, else there is one series]
    #[arg(long, value_name = "COLUMN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Column>,
    /// Column of the times [default: by its name, else the order of the rows]
    #[arg(long, value_name = "COLUMN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Column>,
    /// Columns that are forecast, with commas between; of a wide table, the columns that are series [default: by its name, or the
    /// only one of numbers; of a wide table all but the times]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<Column>,
    /// Columns that help and are known up to now
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Column>,
    /// Columns that help and are known of the time ahead as well, such as holidays: rows of them go on behind the last target
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub future: Vec<Column>,
    /// Columns with one value per series: numbers or categories
    #[arg(long = "static", value_name = "COLUMNS", value_delimiter = ',')]
    #[serde(rename = "static", skip_serializing_if = "Vec::is_empty")]
    pub statics: Vec<Column>,
    /// From one time to the next: hour, 15 minutes, day, business day, week, month, month end, quarter, year, or a number [default:
    /// found out]
    #[arg(long, value_name = "STEP")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Frequency>,
    /// How the file is laid out.
    #[command(flatten)]
    #[serde(flatten)]
    pub layout: Layout,
    /// How series stand in the file.
    #[command(flatten)]
    #[serde(flatten)]
    pub series: SeriesLayout,
}

/// What is forecast, and from what.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Forecast")]
pub struct WindowOptions {
    /// Tell --target at every step, from --past columns up to it, in place of steps ahead (N to N) [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_step: Option<bool>,
    /// Steps that are forecast [default: a season; without one 12]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<usize>,
    /// The most steps before them that are read [default: by the data]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// Steps of a season, 1 for none [default: that of the frequency: 24 hours, 7 days, 12 months ...]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub season: Option<usize>,
    /// Steps between the windows that are trained on [default: 1, more of very long data]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// How the values of a window are scaled, so that one model reads series of all sizes [default: standard]
    #[arg(long, value_enum, value_name = "HOW")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Whether logarithms are forecast, of values above 0 [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logarithms: Option<bool>,
    /// Whether a season that a test finds in what is known is taken out, as classical decomposition has it, and put back into what is
    /// forecast [default: true of seasons of 2 to 168 steps]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deseasonalize: Option<bool>,
    /// What the network's output is added to [default: last where the season is taken out or there is none, else season]
    #[arg(long, value_enum, value_name = "WHAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub around: Option<Around>,
    /// Classic forecasts, with commas between, of which, together with the network's, the mean is answered: naive, seasonal-naive, drift,
    /// moving-average, theta; or none [default: theta where that is better on what is held out, else none]
    #[arg(long, value_name = "FORECASTS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blend: Option<Blend>,
    /// What is read of the times, with commas between: hour, weekday, day, month, year-day, or none [default: what the frequency
    /// tells of]
    #[arg(long, value_name = "FIELDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// What it is trained by, and so what it answers [default: quantile]
    #[arg(long, value_enum, value_name = "LOSS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Levels of the quantiles that are answered, rising, 0.5 among them [default: 0.025,0.1,0.5,0.9,0.975]
    #[arg(long, value_name = "LEVELS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<f64>,
    /// Make central intervals as wide as what is held out asks for, step by step (conformal prediction), and answer them beside a point
    /// as well [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conformal: Option<bool>,
}

/// No field of a calendar.
const NONE: &str = "none";

/// The fields of a calendar by their names.
pub(super) fn calendar(said: &str) -> Result<Vec<CalendarField>, String> {
    if said == NONE {
        return Ok(Vec::new());
    }
    let field = |name: &str| {
        <CalendarField as clap::ValueEnum>::from_str(name.trim(), false)
            .map_err(|_| format!("'{name}' is unknown; there are hour, weekday, day, month and year-day, or none"))
    };
    said.split(',').map(field).collect()
}

impl HistoryArgs {
    /// How a file is read.
    pub(super) fn plan(&self, every_step: bool) -> HistoryPlan {
        // What is read sets how long a series is.
        let (target, past) = if every_step { (&self.past, &self.target) } else { (&self.target, &self.past) };
        HistoryPlan {
            every_step,
            format: self.format,
            header: self.header.and_then(HeaderChoice::explicit),
            id: self.id.clone(),
            time: self.time.clone(),
            target: target.clone(),
            past: past.clone(),
            future: self.future.clone(),
            statics: self.statics.clone(),
            layout: self.layout.clone(),
            series: self.series.clone(),
            frequency: self.frequency,
            columns: None,
        }
    }

    /// The options by which files were read.
    fn of(plan: &HistoryPlan) -> HistoryArgs {
        let (target, past) = if plan.every_step { (&plan.past, &plan.target) } else { (&plan.target, &plan.past) };
        HistoryArgs {
            format: plan.format,
            header: plan.header.map(HeaderChoice::of),
            id: plan.id.clone(),
            time: plan.time.clone(),
            target: target.clone(),
            past: past.clone(),
            future: plan.future.clone(),
            statics: plan.statics.clone(),
            frequency: plan.frequency,
            layout: plan.layout.clone(),
            series: plan.series.clone(),
        }
    }
}

impl ForecastOptions {
    /// All options of a training, for a configuration.
    ///
    /// # Errors
    /// If those of the training have another form.
    pub(super) fn whole(
        input: &HistoryPlan,
        network: &NetworkPlan,
        training: &Map<String, Value>,
    ) -> Result<ForecastOptions, String> {
        let mut training = training.clone();
        let stride = training.remove("stride").as_ref().and_then(Value::as_u64);
        let mut said = |option: &str| training.remove(option).as_ref().and_then(Value::as_bool).filter(|said| *said);
        let (refit, fallback) = (said("refit"), said("fallback"));
        let blend_was_found = training.remove(BLEND).is_some();
        let train = TrainOptions::of(&training)?;
        let mut options = ForecastOptions { refit, fallback, train, ..ForecastOptions::of(input, network) };
        options.window.stride = stride.and_then(|stride| usize::try_from(stride).ok());
        if blend_was_found {
            // It is found again.
            options.window.blend = None;
        }
        Ok(options)
    }

    /// The options by which histories were read and the network was made.
    pub(super) fn of(input: &HistoryPlan, network: &NetworkPlan) -> ForecastOptions {
        let (window, output) = (&network.window, &network.output);
        let every = window.at_every_step();
        let names: Vec<&str> = window.calendar.iter().map(|field| field.name()).collect();
        let mut options = ForecastOptions {
            data: HistoryArgs::of(input),
            window: WindowOptions {
                every_step: every.then_some(true),
                horizon: (!every).then_some(window.horizon),
                context: Some(window.context),
                season: Some(window.season),
                stride: None,
                scale: (!every).then_some(window.scale),
                logarithms: (!every).then_some(window.log),
                deseasonalize: (!every).then_some(window.deseasonalize),
                around: (!every).then_some(window.around),
                blend: (!every && !output.loss.is_of_counts()).then(|| Blend(window.blend.clone())),
                calendar: Some(if names.is_empty() { NONE.to_owned() } else { names.join(",") }),
                loss: Some(output.loss),
                quantiles: output.quantiles.clone(),
                conformal: output.conformal.then_some(true),
            },
            encoder: EncoderOptions::of(&network.encoder, false),
            decoder: (!every).then_some(network.decoder.form),
            decoder_attention: network.decoder.form.looks_back().then_some(network.decoder.score),
            feedback: (!network.decoder.is_direct()).then_some(network.decoder.feedback),
            pooling: (!network.encoder.attention.pools() && !every && network.decoder.is_direct())
                .then(|| network.pooling.to_string()),
            ahead: (!every && network.decoder.is_direct()).then_some(network.ahead),
            combine: (network.combine != Combine::default()).then_some(network.combine),
            refit: None,
            fallback: None,
            train: TrainOptions::default(),
        };
        options.encoder.output_dropout = Some(network.output_dropout);
        options.train.ensemble = Some(network.ensemble);
        options
    }
}
