//! How a forecast changes with what was read: through the network by Burn's gradient, and from there to the units of the data by
//! `lookback_infer::tasks::forecast::sensitivity`.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use lookback_infer::data::history::{History, HistoryColumns};
use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::{Example, HistoryEncoder, Input};
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::View;
use lookback_infer::model_file::prefix;
use lookback_infer::network::budget::Purpose;
use lookback_infer::tasks::forecast::floors::Floor;
use lookback_infer::tasks::forecast::{
    Around, Combine, Cutter, FALLBACK, Fallback, Loss, NetworkPlan, NumberGradient, Sensitivity, Sizes, Window, budget,
    sensitivity,
};

use super::network::{AheadTensors, Before, Network};
use crate::network::{Reading, read_each};
use crate::train::Init;

/// The gradient of what is forecast of each target at a step ahead, from 1 (where every step is told, at that step, the last unless
/// another is named), with respect to every value that was read, in the units of the data: a view per target, with a row per column
/// and a column per time.
///
/// # Errors
/// If the model or the series is none that forecasts, there is no such step, or it would take too much memory.
pub(super) fn gradients(
    model: &Init,
    example: &Example,
    step: Option<usize>,
    (file, limit): (&Path, MemoryLimit),
) -> Result<Vec<View>, Error> {
    let input = Input::of_file(&model.file, &model.path)?;
    let plan: NetworkPlan = model.file.checked_json(&model.path, "network", NetworkPlan::check)?;
    let (columns, encoder, history) = of_numbers(&input, example)?;
    if let Some(floor) = floor_of(model)? {
        // Nothing of it goes through the network.
        return match step {
            None => Ok(Vec::new()),
            Some(_) => {
                let problem = format!("is of the network's gradient, but the model answers by {}", floor.title());
                Err(PlanError::conflict("step", problem).into())
            }
        };
    }
    let cutter = Cutter::of(&plan.window, encoder, columns);
    let every = plan.window.at_every_step();
    let window = last_window(&cutter, history)?;
    let steps = if every { window.length } else { plan.window.horizon };
    let step = step.unwrap_or(if every { steps } else { 1 });
    if !(1..=steps).contains(&step) {
        return Err(PlanError::value("step", step, format!("from 1 to {steps}")).into());
    }
    let sizes = cutter.sizes();
    let place = (file, example.line);
    budget(&plan, sizes, Purpose::Training, limit).check_steps(
        window.length,
        (("window", "step"), "--context"),
        place,
    )?;
    let networks = networks(model, &plan, sizes)?;
    let mut views = Vec::with_capacity(cutter.targets);
    for target in 0..cutter.targets {
        let gradient = of_number(&networks, &plan, &window, (step - 1, target))?;
        let found = sensitivity(&cutter, history, &window, (step - 1, target), &gradient);
        views.push(view((columns, &plan), history, &window, (step - 1, target), &found));
    }
    Ok(views)
}

/// What the networks read of a series: its last window, whatever answers.
///
/// # Errors
/// If the model or the series is none that forecasts.
pub(super) fn readings(model: &Init, example: &Example) -> Result<Vec<Reading>, Error> {
    let input = Input::of_file(&model.file, &model.path)?;
    let plan: NetworkPlan = model.file.checked_json(&model.path, "network", NetworkPlan::check)?;
    let (columns, encoder, history) = of_numbers(&input, example)?;
    let window = last_window(&Cutter::of(&plan.window, encoder, columns), history)?;
    let first = first_step(&plan, &window);
    let time = |step: usize| columns.time_text(columns.frequency.after(history.start, step as i64));
    let one = |place: usize| {
        let own = prefix(place, plan.ensemble);
        let layer = |layer: usize| [format!("{own}encoder.recurrent."), format!("_l{layer}")];
        Reading {
            cell: plan.encoder.cell,
            steps: (first..first + window.length).map(time).collect(),
            x: window.channels.clone(),
            layers: (0..plan.encoder.layers).map(layer).collect(),
        }
    };
    Ok((0..plan.ensemble).map(one).collect())
}

/// How numbers over time are read, and those of an example.
fn of_numbers<'a>(
    input: &'a Input,
    example: &'a Example,
) -> Result<(&'a HistoryColumns, &'a HistoryEncoder, &'a History), PlanError> {
    match (input.history(), example.history()) {
        (Some((columns, encoder)), Some(history)) => Ok((columns, encoder, history)),
        _ => Err(PlanError::Unfit("the model or the input is of no numbers over time".into())),
    }
}

/// What is read of a series where all of it is known.
fn last_window(cutter: &Cutter<'_>, history: &History) -> Result<Window, PlanError> {
    let window = match cutter.plan.at_every_step() {
        true => cutter.steps(history, history.length, history.length),
        false => cutter.window(history, history.length),
    };
    window.ok_or_else(|| PlanError::Unfit("the series has no value that is read".into()))
}

/// The step of the series with which a window begins.
fn first_step(plan: &NetworkPlan, window: &Window) -> usize {
    if plan.window.at_every_step() { window.origin } else { window.origin - window.length }
}

/// The classic forecast that answers in place of the networks, where one does.
fn floor_of(model: &Init) -> Result<Option<Floor>, Error> {
    if !model.file.metadata.contains_key(FALLBACK) {
        return Ok(None);
    }
    let both: Fallback = model.file.json(&model.path, FALLBACK)?;
    Ok(both.answers())
}

/// The networks of the model, without what is random in training.
fn networks(model: &Init, plan: &NetworkPlan, sizes: Sizes) -> Result<Vec<Network>, Error> {
    let mut plan = plan.clone();
    (plan.output_dropout, plan.encoder.layer_dropout, plan.encoder.embedding_dropout) = (0.0, 0.0, 0.0);
    let device = Device::flex().autodiff();
    read_each(model, plan.ensemble, "", || Network::new(&plan, sizes, &device))
}

/// The gradient of the point at a step, of all networks together.
pub(super) fn of_number(
    networks: &[Network],
    plan: &NetworkPlan,
    window: &Window,
    (step, target): (usize, usize),
) -> Result<NumberGradient, Error> {
    let device = Device::flex().autodiff();
    let unfit = |error: lookback_nn::Error| PlanError::Unfit(error.to_string());
    let wide = window.channels.len() / window.length;
    let point = if plan.output.loss == Loss::Quantile { plan.output.median() } else { 0 };
    let horizon = plan.window.horizon.max(1);
    let one = |network: &Network| -> Result<NumberGradient, Error> {
        let x = TensorData::new(window.channels.clone(), [1, window.length, wide]);
        let x = Tensor::<3>::from_data(x, &device).require_grad();
        let known = (!window.ahead.is_empty()).then(|| {
            let data = TensorData::new(window.ahead.clone(), [horizon, window.ahead.len() / horizon]);
            Tensor::<2>::from_data(data, &device).require_grad()
        });
        let targets = window.frames.len();
        let values = (!plan.decoder.is_direct()).then(|| {
            let base = TensorData::new(window.base.clone(), [1, horizon, targets]);
            let last = TensorData::new(window.last.clone(), [1, targets]);
            let base = Tensor::<3>::from_data(base, &device).require_grad();
            (base, Tensor::<2>::from_data(last, &device).require_grad())
        });
        let read = values.clone().map(|(base, last)| (base, Before::Last(last)));
        let ahead = AheadTensors { known: known.clone(), values: read };
        let (numbers, _) = network.forward_tensors(x.clone(), ahead, &[window.length]).map_err(unfit)?;
        let number = numbers.narrow(1, step, 1).narrow(2, target, 1).narrow(3, point, 1);
        let gradients = number.clone().sum().backward();
        let channels = x.grad(&gradients).map_or_else(|| vec![0.0; window.channels.len()], numbers_of);
        let ahead = known.and_then(|known| known.grad(&gradients));
        let ahead = ahead.map_or_else(|| vec![0.0; window.ahead.len()], numbers_of);
        let (base, last) = match values {
            Some((base, last)) => (base.grad(&gradients).map(numbers_of), last.grad(&gradients).map(numbers_of)),
            None => (None, None),
        };
        let (base, last) = (base.unwrap_or_default(), last.unwrap_or_default());
        Ok(NumberGradient { number: numbers_of(number).iter().sum(), channels, ahead, base, last })
    };
    let all = networks.iter().map(one).collect::<Result<Vec<NumberGradient>, Error>>()?;
    Ok(together(plan.combine, all))
}

/// The gradient of what networks say together: of their mean, or of their median, which moves with the network in the middle, or the
/// two.
fn together(combine: Combine, mut all: Vec<NumberGradient>) -> NumberGradient {
    if combine == Combine::Median {
        let count = all.len();
        all.sort_by(|a, b| a.number.total_cmp(&b.number));
        all.drain(..(count - 1) / 2);
        all.truncate(if count.is_multiple_of(2) { 2 } else { 1 });
    }
    let share = 1.0 / all.len() as f32;
    let mut sum = NumberGradient::default();
    for NumberGradient { number, channels, ahead, base, last } in all {
        let add = |sum: &mut Vec<f32>, values: Vec<f32>| {
            sum.resize(values.len(), 0.0);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * share);
        };
        sum.number += number * share;
        add(&mut sum.channels, channels);
        add(&mut sum.ahead, ahead);
        add(&mut sum.base, base);
        add(&mut sum.last, last);
    }
    sum
}

fn numbers_of<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn view(
    (columns, plan): (&HistoryColumns, &NetworkPlan),
    history: &History,
    window: &Window,
    (step, target): (usize, usize),
    found: &Sensitivity,
) -> View {
    let every = plan.window.at_every_step();
    let time = |step: usize| columns.time_text(columns.frequency.after(history.start, step as i64));
    let ahead = found.ahead.len() / columns.future.len().max(1);
    let first = first_step(plan, window);
    // A table with a column per series has no name of its target.
    let own = if columns.targets.is_empty() { vec![history.id.clone()] } else { columns.targets.clone() };
    let past = if every { &[][..] } else { &columns.past };
    let of = |values: &[f32], width: usize, place: usize| -> Vec<f32> {
        values.iter().skip(place).step_by(width.max(1)).copied().collect()
    };
    let mut values = Vec::new();
    let mut put = |mut row: Vec<f32>| {
        row.resize(window.length + ahead, f32::NAN);
        values.extend(row);
    };
    (0..own.len()).for_each(|place| put(of(&found.targets, own.len(), place)));
    (0..past.len()).for_each(|place| put(of(&found.past, past.len(), place)));
    let width = columns.future.len();
    (0..width).for_each(|place| put([of(&found.future, width, place), of(&found.ahead, width, place)].concat()));
    let told = if every { &columns.past } else { &own };
    let at = time(if every { first + step } else { window.origin + step });
    // The season of a series is found by a test and a decomposition, and smoothing is fitted: none of them has a gradient.
    let classic = plan.window.around == Around::Theta || !plan.window.blend.is_empty();
    let held = match (plan.window.deseasonalize, classic) {
        (true, true) => " (the season that is taken out and classic forecasts held as they are)",
        (true, false) => " (the season that is taken out held as it is)",
        (false, true) => " (classic forecasts held as they are)",
        (false, false) => "",
    };
    View {
        name: format!("{} at {at}{held}", told.get(target).map_or("the forecast", String::as_str)),
        rows: own.iter().chain(past).chain(&columns.future).cloned().collect(),
        columns: (first..first + window.length + ahead).map(time).collect(),
        values,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use lookback_infer::data::history::{Frequency, Moment};
    use lookback_infer::input::{HistoryEncoder, Spread};
    use lookback_infer::tasks::forecast::{Around, DecoderForm, Scale, WindowPlan, batch, forecasts};

    use super::super::train::answering;
    use super::super::{ForecastOptions, ForecastPlan};
    use super::*;

    /// A history of two targets and a covariate of either kind.
    fn history() -> History {
        let wave = |at: usize, size: f32| size * (3.0 + (at as f32 * 1.3).sin() + 0.05 * at as f32);
        let mut targets: Vec<f32> = (0..2 * 14).map(|at| wave(at, if at % 2 == 0 { 10.0 } else { 0.1 })).collect();
        targets[2 * 9] = f32::NAN;
        let covariate = |seed: usize, count: usize| (0..count).map(|at| ((at * 7 + seed) % 5) as f32).collect();
        History {
            id: String::new(),
            line: 1,
            start: Moment::Number(0.0),
            length: 14,
            targets,
            past: covariate(1, 14),
            future: covariate(3, 14 + 3),
            statics: Vec::new(),
        }
    }

    #[test]
    fn the_median_moves_with_the_networks_in_the_middle() {
        let of = |numbers: &[f32]| {
            let one =
                |&number: &f32| NumberGradient { number, channels: vec![10.0 * number], ..NumberGradient::default() };
            let found = together(Combine::Median, numbers.iter().map(one).collect());
            (found.number, found.channels[0])
        };
        assert_eq!(
            [of(&[3.0]), of(&[9.0, 1.0, 2.0]), of(&[8.0, 1.0, 2.0, 4.0])],
            [(3.0, 30.0), (2.0, 20.0), (3.0, 30.0)]
        );
        assert_eq!(of(&[1.0, 2.0]), (1.5, 15.0));
    }

    #[test]
    fn gradients_are_those_of_finite_differences_in_the_units_of_the_data() {
        let spread = |mean, std| Spread { mean, std };
        let encoder = HistoryEncoder {
            targets: vec![spread(30.0, 5.0), spread(0.3, 0.1)],
            past: vec![spread(2.0, 1.5)],
            future: vec![spread(2.0, 1.5)],
            statics: Vec::new(),
            indicators: true,
        };
        let scales = [Scale::Mean, Scale::Standard, Scale::Robust, Scale::Difference, Scale::None];
        let mut compared = 0;
        for (scale, log) in scales.into_iter().flat_map(|scale| [(scale, false), (scale, true)]) {
            let classic = (Around::Season, vec![Floor::Drift, Floor::Naive]);
            let arounds =
                [Around::Last, Around::Season, Around::Theta, Around::Nothing].map(|around| (around, Vec::new()));
            let decoders = [DecoderForm::Direct, DecoderForm::Recurrent, DecoderForm::Luong, DecoderForm::Bahdanau];
            for (place, (around, blend)) in arounds.into_iter().chain([classic]).enumerate() {
                let mut options = ForecastOptions::default();
                (options.encoder.hidden, options.window.horizon) = (Some(6), Some(3));
                // Every form of decoder meets every kind of frame.
                let form = decoders[(place + usize::from(log)) % 4];
                options.decoder = Some(form);
                options.feedback = Some(form != DecoderForm::Direct && place % 2 == 1);
                let plan = ForecastPlan::new(&options).unwrap().network;
                let (horizon, context, season) = (3, 8, 4);
                let window = WindowPlan { horizon, context, season, scale, log, around, blend, ..plan.window.clone() };
                let plan =
                    NetworkPlan { window: WindowPlan { deseasonalize: false, calendar: Vec::new(), ..window }, ..plan };
                let cutter =
                    Cutter { plan: &plan.window, encoder: &encoder, frequency: Frequency::Number(1.0), targets: 2 };
                let device = Device::flex().autodiff();
                device.seed(compared as u64);
                let mut without = plan.clone();
                (without.output_dropout, without.encoder.layer_dropout) = (0.0, 0.0);
                let network = Network::new(&without, cutter.sizes(), &device).unwrap();
                lookback_nn::parameters::initialise(&network);
                let twin = answering(&network, &plan, cutter.sizes());
                let whole = cutter.window(&self::history(), self::history().length).unwrap();
                let forecast = |history: &History, (step, target): (usize, usize)| {
                    let mut window = cutter.window(history, history.length).unwrap();
                    if around == Around::Theta {
                        // Held as it is.
                        for (place, base) in window.base.iter_mut().enumerate() {
                            let (at, target) = (history.length + place / 2, place % 2);
                            *base =
                                window.frames[target].inward(at, whole.frames[target].outward(at, whole.base[place]));
                        }
                    }
                    let (inputs, ahead) = batch(&[&window]);
                    let numbers = twin.forward(&inputs, &ahead, false).numbers;
                    // Held as they are, too.
                    let base = cutter.blended(&self::history(), &window, &numbers, &plan.output);
                    f64::from(forecasts(&plan, None, (&window, &base), &numbers)[target].mean[step])
                };
                let (history, place) = (history(), (compared % 3, compared % 2));
                let window = cutter.window(&history, history.length).unwrap();
                let gradient = of_number(std::slice::from_ref(&network), &plan, &window, place).unwrap();
                let found = sensitivity(&cutter, &history, &window, place, &gradient);
                type Values = fn(&mut History) -> &mut Vec<f32>;
                let parts: [(&str, Values, &[f32], usize); 4] = [
                    ("targets", |all| &mut all.targets, &found.targets, 2 * 6),
                    ("past", |all| &mut all.past, &found.past, 6),
                    ("future", |all| &mut all.future, &found.future, 6),
                    ("ahead", |all| &mut all.future, &found.ahead, 14),
                ];
                for (name, of, found, first) in parts {
                    assert!(!found.is_empty());
                    for (at, &slope) in found.iter().enumerate() {
                        let value = of(&mut history.clone())[first + at];
                        if value.is_nan() {
                            assert!(slope.is_nan(), "{name} {at}");
                            continue;
                        }
                        let by = 4e-3 * value.abs().max(0.5);
                        let moved = |by: f32| {
                            let mut moved = history.clone();
                            of(&mut moved)[first + at] += by;
                            (f64::from(of(&mut moved)[first + at]), forecast(&moved, place))
                        };
                        let ((above, most), (below, least)) = (moved(by), moved(-by));
                        let expected = (most - least) / (above - below);
                        let size = forecast(&history, place).abs() / f64::from(value.abs().max(0.5));
                        assert!(
                            (f64::from(slope) - expected).abs() < 5e-3 * (expected.abs() + 0.2 * size),
                            "{scale:?}, log {log}, {around:?}, {place:?}: {name} {at}: {slope}, not {expected}"
                        );
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 1000, "{compared}");
    }
}
