//! The forecaster's plan: its network, and what it reads of a history.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::calendar::CalendarField;
use super::floors::Floor;
use super::network::Sizes;
use crate::error::{PlanError, counted, plan};
use crate::network::{DecoderScore, EncoderPlan, MOST_NETWORKS, PoolKind, Pooling};

/// The most steps that are forecast.
pub const MOST_AHEAD: usize = 10_000;
/// The most steps that are read, and of a season.
pub const MOST_BACK: usize = 1 << 20;
/// The most levels of quantiles.
const MOST_LEVELS: usize = 99;

/// The network's shape, apart from what the data decide, and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkPlan {
    /// Recurrent layers over what is known, attention.
    pub encoder: EncoderPlan,
    /// What says the steps ahead.
    #[serde(default, skip_serializing_if = "DecoderPlan::is_direct")]
    pub decoder: DecoderPlan,
    /// How the steps become one vector; not used where the attention pools by itself, or a decoder goes on from the final states.
    pub pooling: Pooling,
    /// Width of the layer that joins that vector with what is known of a step ahead, `K`.
    pub ahead: usize,
    /// Dropout before the output.
    pub output_dropout: f64,
    /// What the network says of a step ahead.
    pub output: OutputPlan,
    /// What it reads of a history.
    pub window: WindowPlan,
    /// Networks that answer together.
    pub ensemble: usize,
    /// How their numbers become one.
    #[serde(default, skip_serializing_if = "Combine::is_default")]
    pub combine: Combine,
}

/// What says the steps ahead.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DecoderPlan {
    /// Whether they are said at once or one after another.
    pub form: DecoderForm,
    /// How the attention of a decoder compares its state and a step that was read.
    pub score: DecoderScore,
    /// Whether each step reads the value of the one before it: in training the one that came, in answers the point that was forecast.
    pub feedback: bool,
}

/// Whether steps ahead are said at once or one after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum DecoderForm {
    /// All at once, by a dense layer
    #[default]
    Direct,
    /// One after another, by recurrent layers that begin with the final states (Cho 2014; Salinas 2020)
    Recurrent,
    /// The same, and after each step attention over all that was read, whose result is fed to the next (Luong 2015)
    Luong,
    /// The same, and before each step attention over all that was read (Bahdanau 2015)
    Bahdanau,
}

impl DecoderForm {
    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            DecoderForm::Direct => "direct",
            DecoderForm::Recurrent => "recurrent",
            DecoderForm::Luong => "luong",
            DecoderForm::Bahdanau => "bahdanau",
        }
    }

    /// Whether it has attention over what was read.
    pub fn looks_back(self) -> bool {
        matches!(self, DecoderForm::Luong | DecoderForm::Bahdanau)
    }
}

impl DecoderPlan {
    /// Whether there is no decoder: a dense layer says all steps.
    pub fn is_direct(&self) -> bool {
        self.form == DecoderForm::Direct
    }

    /// What is read at a step ahead: the values of the step before, where there is feedback, what the step's numbers are added to, and
    /// what is known of it.
    pub fn inputs(&self, sizes: Sizes) -> usize {
        sizes.targets * if self.feedback { 2 } else { 1 } + sizes.ahead
    }

    /// What attention feeds beside that.
    pub fn fed(&self, hidden: usize, memory: usize) -> usize {
        match self.form {
            DecoderForm::Direct | DecoderForm::Recurrent => 0,
            DecoderForm::Luong => hidden,
            DecoderForm::Bahdanau => memory,
        }
    }

    /// What the output layer reads.
    pub fn output_width(&self, hidden: usize, memory: usize) -> usize {
        hidden + if self.form == DecoderForm::Bahdanau { memory } else { 0 }
    }

    fn summary(&self) -> String {
        let kind = match self.form {
            DecoderForm::Direct => "dense layer".to_owned(),
            DecoderForm::Recurrent => "recurrent decoder".to_owned(),
            DecoderForm::Luong => format!("Luong's decoder with {} attention", self.score),
            DecoderForm::Bahdanau => format!("Bahdanau's decoder with {} attention", self.score),
        };
        if self.feedback { format!("{kind} that reads its own forecasts") } else { kind }
    }

    fn check(&self, encoder: &EncoderPlan) -> Result<(), PlanError> {
        if self.is_direct() {
            return match self.feedback {
                true => Err(PlanError::conflict("feedback", "is of a --decoder that says one step after another")),
                false => Ok(()),
            };
        }
        if encoder.attention.pools() {
            let form = encoder.attention;
            let problem = format!("{form} makes one vector of all steps, but --decoder goes on from them");
            return Err(PlanError::conflict("attention", problem));
        }
        if !self.form.looks_back() {
            return Ok(());
        }
        let remedy = "use general or additive";
        self.score.check(encoder.outputs(), encoder.width(), remedy)
    }
}

/// How the numbers of several networks become one, each of them by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Combine {
    /// By their mean; of quantiles level by level (Vincent 1912)
    #[default]
    Mean,
    /// By their median, which one network that is far off does not move (as N-BEATS has it, Oreshkin 2020)
    Median,
}

impl Combine {
    fn is_default(&self) -> bool {
        *self == Combine::default()
    }

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Combine::Mean => "mean",
            Combine::Median => "median",
        }
    }
}

/// What a network says of a step, and what it is trained by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputPlan {
    /// What it is trained by.
    pub loss: Loss,
    /// The levels of the quantiles that are answered, rising; none where the loss is of a point, unless `conformal`.
    pub quantiles: Vec<f64>,
    /// Whether central intervals are as wide as what was held out asks for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conformal: bool,
}

/// What a forecaster is trained by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Loss {
    /// Quantiles, by the pinball loss (Koenker and Bassett 1978)
    #[default]
    Quantile,
    /// A point, by the absolute error
    Mae,
    /// A point, by the squared error
    Mse,
    /// A point, by Huber's loss with a bend at 1 scaled unit
    Huber,
    /// A normal distribution, by its likelihood
    Gaussian,
    /// Student's t distribution, by its likelihood: tails as heavy as the data have them
    StudentT,
    /// A negative binomial distribution of counts, by its likelihood
    NegativeBinomial,
}

impl Loss {
    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Quantile => "quantile",
            Loss::Mae => "mae",
            Loss::Mse => "mse",
            Loss::Huber => "huber",
            Loss::Gaussian => "gaussian",
            Loss::StudentT => "student-t",
            Loss::NegativeBinomial => "negative-binomial",
        }
    }

    /// Whether it gives quantiles.
    pub fn has_quantiles(self) -> bool {
        !matches!(self, Loss::Mae | Loss::Mse | Loss::Huber)
    }

    /// Whether what it forecasts are counts.
    pub fn is_of_counts(self) -> bool {
        self == Loss::NegativeBinomial
    }
}

impl OutputPlan {
    /// Numbers that the network gives per step and target, `N`.
    pub fn numbers(&self) -> usize {
        match self.loss {
            Loss::Quantile => self.quantiles.len(),
            Loss::Mae | Loss::Mse | Loss::Huber => 1,
            Loss::Gaussian | Loss::NegativeBinomial => 2,
            Loss::StudentT => 3,
        }
    }

    /// Where the median stands among the levels.
    pub fn median(&self) -> usize {
        self.quantiles.iter().position(|level| *level == 0.5).unwrap_or(0)
    }

    fn check(&self) -> Result<(), PlanError> {
        let levels = &self.quantiles;
        if self.conformal && self.loss.is_of_counts() {
            let problem = "does not go with --loss negative-binomial: what is moved is no count any more";
            return Err(PlanError::conflict("conformal", problem));
        }
        if !self.loss.has_quantiles() && !self.conformal {
            return match levels.is_empty() {
                true => Ok(()),
                false => Err(PlanError::conflict("quantiles", format!("is not for --loss {}", self.loss.name()))),
            };
        }
        let shown = || levels.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let are_levels = levels.iter().all(|level| *level > 0.0 && *level < 1.0);
        let rise = levels.windows(2).all(|pair| pair[0] < pair[1]);
        if !(are_levels && rise && levels.contains(&0.5) && levels.len() <= MOST_LEVELS) {
            let expected = format!("up to {MOST_LEVELS} rising levels between 0 and 1, 0.5 among them");
            return Err(PlanError::value("quantiles", shown(), expected));
        }
        let has_interval =
            levels.iter().any(|low| levels.iter().any(|high| high > low && (low + high - 1.0).abs() < 1e-9));
        if self.conformal && !has_interval {
            let problem = format!("moves the bounds of central intervals, but --quantiles are {}", shown());
            return Err(PlanError::conflict("conformal", problem));
        }
        Ok(())
    }
}

/// What a network reads of a history, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WindowPlan {
    /// Steps that are forecast, `H`; 0 where what is told is of the steps that are read (N to N).
    pub horizon: usize,
    /// The most steps before them that are read.
    pub context: usize,
    /// Steps of a season; 1 where there is none.
    pub season: usize,
    /// How the values of a window are scaled.
    pub scale: Scale,
    /// Whether logarithms are forecast.
    pub log: bool,
    /// Whether a season that a test finds before an origin is taken out, and put back into what is forecast.
    pub deseasonalize: bool,
    /// What the network's output is added to.
    pub around: Around,
    /// The classic forecasts of which, together with the network's, the mean is answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blend: Vec<Floor>,
    /// What is read of the times.
    pub calendar: Vec<CalendarField>,
}

/// How the values of a window are scaled: by what is known of the series itself, so that a network reads series of any size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Scale {
    /// By the mean of the absolute values
    Mean,
    /// To mean 0 and standard deviation 1, and back again; also called revin (Kim 2022, reversible instance normalisation), whose learnt
    /// factor and term the dense layers before and behind have already
    #[default]
    #[serde(alias = "revin")]
    #[cfg_attr(feature = "clap", value(alias = "revin"))]
    Standard,
    /// To median 0 and a distance of 1 between the quartiles
    Robust,
    /// To 0 at the last value, and a mean absolute difference of 1 from step to step
    Difference,
    /// As they are
    None,
}

/// What the network's output is added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Around {
    /// The last value
    #[default]
    Last,
    /// The value a season before, where the window has it, else the last value
    Season,
    /// The forecast of the Theta method, which the network corrects
    Theta,
    /// Nothing
    Nothing,
}

impl fmt::Display for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Around::Last => "the last value",
            Around::Season => "the value a season before",
            Around::Theta => "the forecast of the Theta method",
            Around::Nothing => "nothing",
        })
    }
}

impl WindowPlan {
    /// Whether the values of the steps that are read are told, from other values of theirs, in place of those ahead.
    pub fn at_every_step(&self) -> bool {
        self.horizon == 0
    }

    fn check(&self) -> Result<(), PlanError> {
        if self.at_every_step() {
            let ahead = [("around", self.around != Around::Nothing), ("deseasonalize", self.deseasonalize)];
            if let Some((option, _)) = ahead.into_iter().find(|(_, set)| *set) {
                return Err(PlanError::conflict(
                    option,
                    "is of steps ahead, but --every-step tells those that are read",
                ));
            }
        } else {
            plan::size("horizon", self.horizon, MOST_AHEAD)?;
        }
        self.check_blend()?;
        plan::size("context", self.context, MOST_BACK)?;
        plan::size("season", self.season, MOST_BACK)?;
        if self.around == Around::Season && self.season > self.context {
            let problem = format!("is the value a season of {} before, but --context is {}", self.season, self.context);
            return Err(PlanError::conflict("around", problem));
        }
        Ok(())
    }

    fn check_blend(&self) -> Result<(), PlanError> {
        let refuse = |problem: &str| Err(PlanError::conflict("blend", problem));
        if self.blend.is_empty() {
            return Ok(());
        }
        if self.at_every_step() {
            return refuse("is of steps ahead, but --every-step tells those that are read");
        }
        if self.blend.contains(&Floor::Ets) {
            return refuse("is not for ETS, which takes milliseconds for every window anew");
        }
        let twice = (1..self.blend.len()).any(|place| self.blend[..place].contains(&self.blend[place]));
        if twice { refuse("names a forecast twice") } else { Ok(()) }
    }

    /// Counts are scaled by their mean (Salinas 2020, section 3.3), and by nothing else: what was moved or taken apart is none.
    fn check_counts(&self) -> Result<(), PlanError> {
        let refused = [
            ("every-step", self.at_every_step()),
            ("scale", self.scale != Scale::Mean),
            ("logarithms", self.log),
            ("deseasonalize", self.deseasonalize),
            ("around", self.around != Around::Nothing),
            ("blend", !self.blend.is_empty()),
        ];
        match refused.into_iter().find(|(_, set)| *set) {
            Some((option, _)) => Err(PlanError::conflict(
                option,
                "does not go with --loss negative-binomial, whose counts are scaled by their mean alone",
            )),
            None => Ok(()),
        }
    }
}

impl NetworkPlan {
    /// Whether a network can be made; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that no network has.
    pub fn check(&self) -> Result<(), PlanError> {
        plan::size("ensemble", self.ensemble, MOST_NETWORKS)?;
        self.encoder.check()?;
        if self.encoder.layers == 0 {
            return Err(PlanError::conflict("layers", "is 0, which is for texts, but the data are numbers over time"));
        }
        plan::size("ahead", self.ahead, 1 << 16)?;
        plan::below_one("output-dropout", self.output_dropout)?;
        self.output.check()?;
        self.window.check()?;
        if self.window.at_every_step() && !self.decoder.is_direct() {
            let problem = "says steps ahead, but --every-step tells those that are read";
            return Err(PlanError::conflict("decoder", problem));
        }
        self.decoder.check(&self.encoder)?;
        if self.output.conformal && self.window.at_every_step() {
            return Err(PlanError::conflict(
                "conformal",
                "is of steps ahead, but --every-step tells those that are read",
            ));
        }
        if self.output.loss.is_of_counts() {
            self.window.check_counts()?;
        }
        if self.window.at_every_step() && self.encoder.attention.pools() {
            let problem = "makes one vector of all steps, but --every-step tells each";
            return Err(PlanError::conflict("attention", problem));
        }
        let asks = self.pooling.parts().contains(&PoolKind::Query);
        if asks && !self.encoder.attention.pools() && self.encoder.width() != self.encoder.outputs() {
            let problem = "query needs steps as wide as the final state, which this --attention does not leave";
            return Err(PlanError::conflict("pooling", problem));
        }
        Ok(())
    }

    /// The width of the pooled vector, `P`.
    pub fn pooled(&self) -> usize {
        match self.encoder.attention {
            crate::network::AttentionForm::Structured(hops) => hops * self.encoder.outputs(),
            _ => {
                let width = |kind: &PoolKind| match kind {
                    PoolKind::Last => self.encoder.outputs(),
                    _ => self.encoder.width(),
                };
                self.pooling.parts().iter().map(width).sum()
            }
        }
    }

    /// The network in one line, for people.
    pub fn summary(&self) -> String {
        let networks = match (self.ensemble, self.combine) {
            (1, _) => String::new(),
            (several, Combine::Mean) => format!("{several} networks, each "),
            (several, Combine::Median) => format!("the median of {several} networks, each "),
        };
        let pooling = match (self.decoder.form, self.encoder.attention.pools()) {
            (DecoderForm::Direct, false) => format!(", pooling {}", self.pooling),
            (DecoderForm::Direct, true) => String::new(),
            _ => format!(", {}", self.decoder.summary()),
        };
        let WindowPlan { horizon, context, around, .. } = &self.window;
        if self.window.at_every_step() {
            let (encoder, loss) = (self.encoder.summary(), self.output.loss.name());
            return format!("{networks}{encoder}; every step of up to {context}, loss {loss}");
        }
        format!(
            "{networks}{}{pooling}; {} ahead of up to {context}, around {around}, loss {}",
            self.encoder.summary(),
            counted(*horizon, "step"),
            self.output.loss.name()
        )
    }
}
