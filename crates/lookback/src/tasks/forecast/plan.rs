//! Options, checked: only a plan can train.

use lookback_infer::data::history::Frequency;
use lookback_infer::error::{PlanError, plan};
use lookback_infer::input::HistoryPlan;
use lookback_infer::tasks::forecast::{
    Around, CalendarField, Combine, DecoderForm, DecoderPlan, Fallback, Loss, MOST_AHEAD, MOST_BACK, NetworkPlan,
    OutputPlan, SCORES, Scale, WindowPlan,
};
use serde_json::{Map, Value, json};

use super::options::{ForecastOptions, WindowOptions, calendar};
use crate::input::refuse;
use crate::train::{TrainPlan, ValidationPlan, by_name};

/// The levels of quantiles where nothing is said: those of intervals of 80 and of 95 %.
const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];
/// Steps ahead where nothing is said and there is no season.
const AHEAD: usize = 12;

/// The option of classic forecasts in the answers among those of a training, and what it is where what was held out has decided.
pub(super) const BLEND: &str = "blend";
const HELD_OUT: &str = "held-out";

/// A checked description of a forecaster and its training.
#[derive(Clone, Debug)]
pub struct ForecastPlan {
    pub(super) input: HistoryPlan,
    pub(super) network: NetworkPlan,
    /// Steps between the windows that are trained on.
    pub(super) stride: usize,
    /// Whether it is trained again on everything.
    pub(super) refit: bool,
    /// Whether the best classic forecast answers where it is better.
    pub(super) fallback: bool,
    /// Whether what is held out decides about classic forecasts in the answers.
    pub(super) tries_blend: bool,
    pub(super) train: TrainPlan,
    pub(super) validation: ValidationPlan,
    /// What was said, for what is chosen by the data where nothing was.
    pub(super) options: ForecastOptions,
}

impl ForecastPlan {
    /// Checks options.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another one.
    pub fn new(options: &ForecastOptions) -> Result<ForecastPlan, PlanError> {
        let (window, encoder) = (&options.window, &options.encoder);
        let labels = [("label-per", options.data.series.label_per.is_some())];
        refuse(&labels, "is of labels, and numbers over time have none")?;
        let train = TrainPlan::new(&options.train, &SCORES)?;
        if options.train.batch_tokens.is_some() {
            return Err(PlanError::conflict("batch-tokens", "is of texts; --batch-size counts windows"));
        }
        let every = window.every_step.unwrap_or(false);
        if every {
            if window.loss.is_some_and(Loss::is_of_counts) {
                return Err(PlanError::conflict("every-step", "does not go with --loss negative-binomial"));
            }
            let ahead = [
                ("horizon", window.horizon.is_some()),
                ("scale", window.scale.is_some()),
                ("logarithms", window.logarithms.is_some()),
                ("deseasonalize", window.deseasonalize.is_some()),
                ("around", window.around.is_some()),
                ("blend", window.blend.as_ref().is_some_and(|blend| !blend.0.is_empty())),
                ("pooling", options.pooling.is_some()),
                ("decoder", options.decoder.is_some()),
                ("ahead", options.ahead.is_some()),
            ];
            refuse(&ahead, "is of steps ahead, but --every-step tells those that are read")?;
            let said = [("past", options.data.past.is_empty()), ("target", options.data.target.is_empty())];
            refuse(&said, "must name columns: --every-step tells --target from --past")?;
        }
        // What is said is checked before more is derived from it, so that an error names what was said.
        for (option, said, most) in [("horizon", window.horizon, MOST_AHEAD), ("season", window.season, MOST_BACK)] {
            said.map_or(Ok(()), |said| plan::size(option, said, most))?;
        }
        let frequency = options.data.frequency.unwrap_or(Frequency::Number(1.0));
        let season = window.season.unwrap_or_else(|| frequency.season());
        let horizon = match every {
            true => 0,
            false => window.horizon.unwrap_or(if season > 1 { season } else { AHEAD }),
        };
        let context = window.context.unwrap_or_else(|| default_context(season, horizon));
        let loss = window.loss.unwrap_or_default();
        let counts = loss.is_of_counts();
        let around = match window.around {
            Some(around) => around,
            None if every || counts => Around::Nothing,
            None if season > 1 && season <= context && window.deseasonalize != Some(true) => Around::Season,
            None => Around::Last,
        };
        let calendar = match window.calendar.as_deref() {
            Some(said) => calendar(said).map_err(|problem| PlanError::conflict("calendar", problem))?,
            None => CalendarField::of(frequency),
        };
        if !calendar.is_empty() && options.data.frequency.is_some_and(|step| matches!(step, Frequency::Number(_))) {
            return Err(PlanError::conflict("calendar", "is of dates, but the times are numbers"));
        }
        let conformal = window.conformal.unwrap_or(false);
        if !window.quantiles.is_empty() && !loss.has_quantiles() && !conformal {
            let problem = format!("is not for --loss {} without --conformal", loss.name());
            return Err(PlanError::conflict("quantiles", problem));
        }
        let quantiles = match (loss.has_quantiles() || conformal, window.quantiles.as_slice()) {
            (false, _) => Vec::new(),
            (true, []) => LEVELS.to_vec(),
            (true, said) => said.to_vec(),
        };
        let plan_of_encoder = encoder.plan(false)?;
        let pooling = options.pooling.as_deref();
        if plan_of_encoder.attention.pools() && pooling.is_some() {
            let form = plan_of_encoder.attention;
            return Err(PlanError::conflict("pooling", format!("is not needed: --attention {form} pools by itself")));
        }
        let decoder = options.decoder()?;
        let network = NetworkPlan {
            encoder: plan_of_encoder,
            decoder,
            pooling: pooling.unwrap_or("last").parse()?,
            ahead: options.ahead.unwrap_or(32),
            output_dropout: encoder.output_dropout()?,
            output: OutputPlan { loss, quantiles, conformal },
            window: WindowPlan {
                horizon,
                context,
                season,
                scale: match window.scale {
                    Some(said) => said,
                    None if every => Scale::None,
                    // Salinas 2020, section 3.3; and a count that was moved would be none.
                    None if counts => Scale::Mean,
                    None => Scale::default(),
                },
                log: window.logarithms.unwrap_or(false),
                deseasonalize: window.deseasonalize.unwrap_or(false),
                around,
                blend: window.blend.clone().unwrap_or_default().0,
                calendar,
            },
            ensemble: train.ensemble(),
            combine: options.combine.unwrap_or_default(),
        };
        network.check()?;
        if network.combine != Combine::default() && network.ensemble == 1 {
            let problem = format!("is {}, but --ensemble is 1", network.combine.name());
            return Err(PlanError::conflict("combine", problem));
        }
        let stride = window.stride.unwrap_or(1);
        plan::at_least(1, "stride", stride)?;
        let validation = ValidationPlan::new(&options.train)?;
        if conformal && matches!(validation, ValidationPlan::None) {
            let problem = "needs what is held out, but --validation-split is 0";
            return Err(PlanError::conflict("conformal", problem));
        }
        let refit = options.refit.unwrap_or(false);
        if refit && !matches!(validation, ValidationPlan::Split(_)) {
            let problem = "trains again on what was held out, but nothing is: it needs --validation-split above 0";
            return Err(PlanError::conflict("refit", problem));
        }
        let fallback = options.fallback.unwrap_or(false);
        if fallback {
            Fallback::check_plan(&network)?;
            if matches!(validation, ValidationPlan::None) {
                let problem = "is decided on what is held out, but --validation-split is 0";
                return Err(PlanError::conflict("fallback", problem));
            }
        }
        let tries_blend = options.tries_blend() && !matches!(validation, ValidationPlan::None);
        let (input, options) = (options.data.plan(every), options.clone());
        Ok(ForecastPlan { input, network, stride, refit, fallback, tries_blend, train, validation, options })
    }

    /// The training options by name, as a model keeps them.
    pub(super) fn training(&self) -> Map<String, Value> {
        let mut options = by_name(json!(self.train));
        options.insert("validation-split".into(), json!(self.validation.share()));
        options.insert("stride".into(), json!(self.stride));
        if self.refit {
            options.insert("refit".into(), json!(true));
        }
        if self.fallback {
            options.insert("fallback".into(), json!(true));
        }
        if self.tries_blend {
            options.insert(BLEND.into(), json!(HELD_OUT));
        }
        options
    }
}

impl ForecastOptions {
    /// Whether nothing is said of classic forecasts in the answers, where there may be some.
    pub(super) fn tries_blend(&self) -> bool {
        let WindowOptions { blend, every_step, loss, .. } = &self.window;
        blend.is_none() && *every_step != Some(true) && !loss.is_some_and(Loss::is_of_counts)
    }

    /// Whether nothing is said of conformal intervals, but steps read those before them: their quantiles are of what follows a
    /// forecast as if it had come, and so too narrow.
    pub(super) fn needs_conformal(&self) -> bool {
        let counts = self.window.loss.is_some_and(Loss::is_of_counts);
        self.feedback == Some(true) && self.window.conformal.is_none() && !counts
    }

    /// What says the steps ahead.
    ///
    /// # Errors
    /// If an option is of another kind of it.
    fn decoder(&self) -> Result<DecoderPlan, PlanError> {
        let form = self.decoder.unwrap_or_default();
        if form == DecoderForm::Direct {
            let own =
                [("decoder-attention", self.decoder_attention.is_some()), ("feedback", self.feedback == Some(true))];
            refuse(&own, "is of a --decoder that says one step after another; it is direct")?;
        } else {
            let own = [("pooling", self.pooling.is_some()), ("ahead", self.ahead.is_some())];
            refuse(&own, "is of --decoder direct; another goes on from the final states")?;
        }
        if form == DecoderForm::Recurrent {
            refuse(&[("decoder-attention", self.decoder_attention.is_some())], "is of --decoder luong or bahdanau")?;
        }
        let (score, feedback) = (self.decoder_attention.unwrap_or_default(), self.feedback.unwrap_or(false));
        Ok(DecoderPlan { form, score, feedback })
    }
}

/// Steps that are read where nothing is said: two seasons, or twice what is forecast, whichever is more.
pub(super) fn default_context(season: usize, horizon: usize) -> usize {
    let steps = match horizon {
        0 => season.saturating_mul(4).max(64),
        _ => season.max(horizon).saturating_mul(2).max(8),
    };
    steps.min(MOST_BACK)
}
