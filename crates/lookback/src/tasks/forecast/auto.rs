//! What is chosen by the data where nobody says otherwise.

use lookback_infer::data::history::Frequency;
use lookback_infer::tasks::forecast::Loss;

use super::options::ForecastOptions;
use super::plan::default_context;
use crate::tasks::chosen::Chosen;
use crate::train::{AverageChoice, ScheduleChoice};

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    /// From one step to the next.
    pub(super) frequency: Frequency,
    /// Steps of all series.
    pub(super) steps: usize,
    /// Those of the longest series.
    pub(super) longest: usize,
}

/// Windows of an epoch at most, where nothing is said of the steps between them.
const MOST_WINDOWS: usize = 60_000;
/// Windows that all epochs together go through.
const GONE_THROUGH: usize = 400_000;
/// Windows below which there are few.
const FEW: usize = 4_000;

/// The longest season that is taken out where nothing is said: the test for it goes through so many lags of every window.
const LONGEST_SEASON: usize = 168;

/// The names of options that are chosen by the data, whatever these are.
pub(super) fn open(options: &ForecastOptions) -> Vec<&'static str> {
    let facts = Facts { frequency: Frequency::Number(1.0), steps: 0, longest: 0 };
    let blend = options.tries_blend().then_some("blend");
    let conformal = options.needs_conformal().then_some("conformal");
    choose(options, &facts).1.0.into_iter().map(|(name, _)| name).chain(blend).chain(conformal).collect()
}

/// `options` with what is chosen by these facts, and what that is.
pub(super) fn choose(options: &ForecastOptions, facts: &Facts) -> (ForecastOptions, Chosen) {
    let (mut options, mut chosen) = (options.clone(), Chosen::default());
    // Found out, not chosen: what the network reads of the times follows from it.
    options.data.frequency = Some(facts.frequency);
    let window = &mut options.window;
    chosen.fill("season", &mut window.season, facts.frequency.season());
    let season = window.season.unwrap_or(1);
    let every = window.every_step == Some(true);
    if !every {
        // Better than learnt on all that was tried: months and quarters of M3, hours of electricity, made days.
        let counts = window.loss.is_some_and(Loss::is_of_counts);
        // A count without its season would be none.
        let seasonal = !counts && (2..=LONGEST_SEASON).contains(&season);
        chosen.fill("deseasonalize", &mut window.deseasonalize, seasonal);
        chosen.fill("horizon", &mut window.horizon, if season > 1 { season } else { 12 });
    }
    let horizon = window.horizon.unwrap_or(0);
    // No longer than there is anything to read.
    let context = default_context(season, horizon).min(facts.longest.max(1));
    chosen.fill("context", &mut window.context, context);
    let stride = match every {
        // Windows that share steps teach the same ones again.
        true => (window.context.unwrap_or(1) / 4).max(1),
        false => facts.steps.div_ceil(MOST_WINDOWS).max(1),
    };
    chosen.fill("stride", &mut window.stride, stride);
    let windows = facts.steps / window.stride.unwrap_or(1).max(1);
    let few = windows < FEW && !every;
    let encoder = &mut options.encoder;
    chosen.fill("hidden", &mut encoder.hidden, if few { 32 } else { 64 });
    chosen.fill("bidirectional", &mut encoder.bidirectional, false);
    // A loss of every step leaves little to chance.
    chosen.fill("dropout", &mut encoder.dropout, if every { 0.0 } else { 0.1 });
    let train = &mut options.train;
    chosen.fill("epochs", &mut train.epochs, (GONE_THROUGH / windows.max(1)).clamp(6, if every { 200 } else { 60 }));
    chosen.fill_batch_size(train, if few || every { 16 } else { 64 });
    chosen.fill("learning-rate", &mut train.learning_rate, 0.003);
    if train.schedule.is_none() {
        train.schedule = Some(ScheduleChoice::Cosine);
        chosen.0.push(("schedule", "cosine".into()));
    }
    if train.average.is_none() && train.average_start.is_none() {
        train.average = Some(AverageChoice::Ema);
        chosen.0.push(("average", "ema".into()));
        chosen.fill("average-decay", &mut train.average_decay, 0.99);
    }
    if train.validation.is_none() {
        chosen.fill("validation-split", &mut train.validation_split, 0.1);
    }
    if train.validation_split != Some(0.0) {
        chosen.fill("patience", &mut train.patience, 0);
    }
    (options, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_follows_from_frequency_and_length() {
        let facts = |frequency, steps, longest| Facts { frequency, steps, longest };
        let said = |facts| choose(&ForecastOptions::default(), &facts).1.in_words();
        let monthly = said(facts(Frequency::Months(1), 100_000, 144));
        assert!(
            monthly.starts_with("--season 12 --deseasonalize true --horizon 12 --context 24 --stride 2 --hidden 64"),
            "{monthly}"
        );
        let short = said(facts(Frequency::Number(1.0), 40, 14));
        assert!(
            short.starts_with("--season 1 --deseasonalize false --horizon 12 --context 14 --stride 1 --hidden 32"),
            "{short}"
        );
        assert!(short.contains("--epochs 60 --batch-size 16"), "{short}");
        let mut options = ForecastOptions::default();
        options.window.horizon = Some(48);
        options.train.validation_split = Some(0.0);
        let (filled, chosen) = choose(&options, &facts(Frequency::Seconds(3600), 26_000, 26_000));
        assert_eq!((filled.window.horizon, filled.window.context), (Some(48), Some(96)));
        assert!(!chosen.in_words().contains("patience") && open(&ForecastOptions::default()).contains(&"season"));
    }
}
