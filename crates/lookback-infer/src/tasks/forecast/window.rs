//! Windows: what a network reads of a history up to where a forecast begins, and what came behind.

use std::borrow::Cow;

use super::floors::Floor;
use super::frame::Frame;
use super::network::Sizes;
use super::output::point;
use super::plan::{Around, OutputPlan, WindowPlan};
use crate::data::history::{Frequency, History, HistoryColumns};
use crate::input::{Batch, BatchInput, HistoryEncoder};

/// Steps that a classic method reads where windows are shorter: Theta takes time with each, and every window has its own.
const CLASSIC_STEPS: usize = 512;

/// Cuts windows out of histories, each when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Cutter<'a> {
    /// What is read.
    pub plan: &'a WindowPlan,
    /// How covariates are read.
    pub encoder: &'a HistoryEncoder,
    /// From one step to the next.
    pub frequency: Frequency,
    /// `G`, the targets.
    pub targets: usize,
}

/// What a network reads of one history.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// `[L, C]`: the steps before the origin.
    pub channels: Vec<f32>,
    /// `L`, from 1 to the plan's context.
    pub length: usize,
    /// `[H, F]`: what is known of the steps ahead.
    pub ahead: Vec<f32>,
    /// `[H, G]`: what the network's output is added to, scaled.
    pub base: Vec<f32>,
    /// The last value that is known of each target, scaled; 0 where there is none. `[G]`
    pub last: Vec<f32>,
    /// How each target is scaled. `[G]`
    pub frames: Vec<Frame>,
    /// How many steps of the history are known.
    pub origin: usize,
}

impl Window {
    /// What a scaled unit is worth at every step and target that is said. `[H, G]`
    pub fn scales(&self) -> impl Iterator<Item = f64> {
        self.frames.iter().cycle().map(Frame::scale).take(self.base.len())
    }
}

impl<'a> Cutter<'a> {
    /// By a plan, of histories with these columns.
    pub fn of(plan: &'a WindowPlan, encoder: &'a HistoryEncoder, columns: &HistoryColumns) -> Cutter<'a> {
        // Where every step is told, what is told stands where else covariates do.
        let targets = if plan.at_every_step() { columns.past.len() } else { columns.target_count() };
        Cutter { plan, encoder, frequency: columns.frequency, targets }
    }

    /// The sizes that a network must have for what is cut.
    pub fn sizes(&self) -> Sizes {
        Sizes { channels: self.channels(), ahead: self.ahead(), targets: self.targets }
    }

    /// `C`, the channels of a step.
    pub fn channels(&self) -> usize {
        let HistoryEncoder { past, future, statics, indicators, .. } = self.encoder;
        let values = self.encoder.targets.len() + if self.plan.at_every_step() { 0 } else { past.len() } + future.len();
        let of_statics: usize = statics.iter().map(|encoder| encoder.width()).sum();
        values * if *indicators { 2 } else { 1 } + 2 * self.plan.calendar.len() + of_statics
    }

    /// `F`, the channels of a step ahead.
    pub fn ahead(&self) -> usize {
        if self.plan.at_every_step() { 0 } else { self.encoder.future.len() + 2 * self.plan.calendar.len() }
    }

    /// What is read of `history` where every step is told: its last steps before `end`, `most` of them; nothing where there is none.
    pub fn steps(&self, history: &History, end: usize, most: usize) -> Option<Window> {
        let length = end.min(most);
        let first = end - length;
        let HistoryEncoder { targets, future, .. } = self.encoder;
        let mut channels = Vec::with_capacity(length * self.channels());
        for step in first..end {
            let own =
                [(&history.targets, targets), (&history.future, future)].map(|(all, by)| (of_step(all, by, step), by));
            for (values, by) in own {
                channels.extend(values.iter().zip(by).map(|(value, spread)| spread.standardise(*value)));
            }
            self.put_rest(history, step, &own.map(|(values, _)| values), &mut channels);
        }
        let frames: Vec<Frame> = self.encoder.past.iter().map(|spread| Frame::fixed(*spread)).collect();
        let base = vec![0.0; length * frames.len()];
        let (ahead, last) = (Vec::new(), Vec::new());
        (length > 0).then_some(Window { channels, length, ahead, base, last, frames, origin: first })
    }

    /// The values that are told of a window of [`Cutter::steps`], `[L, G]`, scaled; NaN where they are missing, and before the step
    /// `from`.
    pub fn told(&self, history: &History, window: &Window, from: usize) -> Vec<f32> {
        let groups = window.frames.len();
        let steps = window.origin..window.origin + window.length;
        let value = |step: usize, target: usize| match history.past.get(step * groups + target) {
            Some(value) if step >= from && !value.is_nan() => window.frames[target].inward(step, *value),
            _ => f32::NAN,
        };
        steps.flat_map(|step| (0..groups).map(move |target| (step, target))).map(|(s, t)| value(s, t)).collect()
    }

    /// What is read of `history` where its first `origin` steps are known; nothing where none of these has a value, among those
    /// that a window holds.
    pub fn window(&self, history: &History, origin: usize) -> Option<Window> {
        let length = origin.min(self.plan.context);
        let first = origin - length;
        let groups = self.targets;
        let own = &history.targets[first * groups..origin * groups];
        if own.iter().all(|value| value.is_nan()) {
            return None;
        }
        let before = &history.targets[..origin * groups];
        let frames: Vec<Frame> = match groups {
            1 => vec![Frame::of(self.plan, before, length)],
            _ => (0..groups)
                .map(|target| {
                    let of_target: Vec<f32> = before.iter().skip(target).step_by(groups).copied().collect();
                    Frame::of(self.plan, &of_target, length)
                })
                .collect(),
        };
        let mut channels = Vec::with_capacity(length * self.channels());
        for step in first..origin {
            self.put_step(history, step, &frames, &mut channels);
        }
        let mut ahead = Vec::with_capacity(self.plan.horizon * self.ahead());
        for step in origin..origin + self.plan.horizon {
            self.put_ahead(history, step, &mut ahead);
        }
        let last = self.last(history, origin, &frames);
        let base = self.base(history, origin, (&frames, &last));
        let last = last.into_iter().map(|last| last.unwrap_or(0.0)).collect();
        Some(Window { channels, length, ahead, base, last, frames, origin })
    }

    fn put_step(&self, history: &History, step: usize, frames: &[Frame], channels: &mut Vec<f32>) {
        let HistoryEncoder { targets, past, future, .. } = self.encoder;
        let own = of_step(&history.targets, targets, step);
        let scaled = |(value, frame): (&f32, &Frame)| if value.is_nan() { 0.0 } else { frame.inward(step, *value) };
        channels.extend(own.iter().zip(frames).map(scaled));
        let others = [(&history.past, past), (&history.future, future)].map(|(all, by)| (of_step(all, by, step), by));
        for (values, by) in others {
            channels.extend(values.iter().zip(by).map(|(value, spread)| spread.standardise(*value)));
        }
        let [(past, _), (future, _)] = others;
        self.put_rest(history, step, &[own, past, future], channels);
    }

    /// What stands behind the values of a step, `own`: what tells that they are missing, the calendar, and what is of the series.
    fn put_rest(&self, history: &History, step: usize, own: &[&[f32]], channels: &mut Vec<f32>) {
        if self.encoder.indicators {
            let values = own.iter().copied().flatten();
            channels.extend(values.map(|value| if value.is_nan() { 1.0 } else { 0.0 }));
        }
        self.put_calendar(history, step, channels);
        for (encoder, value) in self.encoder.statics.iter().zip(&history.statics) {
            encoder.put(value, channels);
        }
    }

    fn put_ahead(&self, history: &History, step: usize, ahead: &mut Vec<f32>) {
        let future = &self.encoder.future;
        let values = history.future.get(step * future.len()..(step + 1) * future.len());
        match values {
            Some(values) => {
                ahead.extend(values.iter().zip(future).map(|(value, spread)| spread.standardise(*value)));
            }
            None => ahead.extend(future.iter().map(|_| 0.0)),
        }
        self.put_calendar(history, step, ahead);
    }

    fn put_calendar(&self, history: &History, step: usize, channels: &mut Vec<f32>) {
        if self.plan.calendar.is_empty() {
            return;
        }
        let moment = self.frequency.after(history.start, step as i64);
        self.plan.calendar.iter().for_each(|field| field.put(moment, channels));
    }

    /// A value of a history, scaled at the step where it stands; nothing where it is missing.
    fn scaled(&self, history: &History, frames: &[Frame], (step, target): (usize, usize)) -> Option<f32> {
        let value = history.targets[step * self.targets + target];
        (!value.is_nan()).then(|| frames[target].inward(step, value))
    }

    /// The last value of each target that a window holds. `[G]`
    fn last(&self, history: &History, origin: usize, frames: &[Frame]) -> Vec<Option<f32>> {
        let first = origin.saturating_sub(self.plan.context);
        let last = |target: usize| (first..origin).rev().find_map(|step| self.scaled(history, frames, (step, target)));
        (0..self.targets).map(last).collect()
    }

    /// What the output is added to, `[H, G]`.
    fn base(&self, history: &History, origin: usize, (frames, last): (&[Frame], &[Option<f32>])) -> Vec<f32> {
        let &WindowPlan { horizon, season, around, .. } = self.plan;
        let value = |step: usize, target: usize| self.scaled(history, frames, (step, target));
        let by_theta = |target: usize| self.classic(Floor::Theta, history, origin, (target, &frames[target]));
        let theta: Vec<Option<Vec<Option<f32>>>> = match around {
            Around::Theta => (0..self.targets).map(by_theta).collect(),
            _ => Vec::new(),
        };
        let season_before = |ahead: usize, target: usize| {
            let step = (origin + ahead % season).checked_sub(season)?;
            value(step, target)
        };
        let mut base = Vec::with_capacity(horizon * self.targets);
        for ahead in 0..horizon {
            base.extend(last.iter().enumerate().map(|(target, last)| {
                let found = match around {
                    Around::Nothing => None,
                    Around::Last => *last,
                    Around::Season => season_before(ahead, target).or(*last),
                    Around::Theta => theta[target].as_ref().and_then(|all| all[ahead]).or(*last),
                };
                found.unwrap_or(0.0)
            }));
        }
        base
    }

    /// What a classic method forecasts of a target behind an origin from the last [`CLASSIC_STEPS`] known steps, `[H]`, scaled as its
    /// frame says; nothing of a step that has no logarithm where those are forecast, or of a history that is too short.
    pub(super) fn classic(
        &self,
        floor: Floor,
        history: &History,
        origin: usize,
        (target, frame): (usize, &Frame),
    ) -> Option<Vec<Option<f32>>> {
        let &WindowPlan { season, horizon, context, .. } = self.plan;
        let first = origin.saturating_sub(context.max(CLASSIC_STEPS));
        let before = history.targets[first * self.targets..origin * self.targets].iter();
        let before: Vec<f32> = before.skip(target).step_by(self.targets).copied().collect();
        let found = floor.forecast(&before, season, horizon)?;
        let scaled =
            |(ahead, value): (usize, f32)| (value > 0.0 || !self.plan.log).then(|| frame.inward(origin + ahead, value));
        Some(found.into_iter().enumerate().map(scaled).collect())
    }

    /// What numbers, `[.., G, N]` of the first steps, are to be added to so that points become the mean of the network's and of the
    /// classic forecasts of the plan: `[H, G]`, scaled. What the window has itself, where the plan has no such forecast, or a series is
    /// too short for one.
    pub fn blended<'w>(
        &self,
        history: &History,
        window: &'w Window,
        numbers: &[f32],
        output: &OutputPlan,
    ) -> Cow<'w, [f32]> {
        let (floors, count) = (&self.plan.blend, output.numbers());
        if floors.is_empty() {
            return Cow::Borrowed(&window.base);
        }
        let mut base = window.base.clone();
        for target in 0..self.targets {
            let place = (target, &window.frames[target]);
            let forecast = |&floor: &Floor| self.classic(floor, history, window.origin, place);
            let own: Vec<Vec<Option<f32>>> = floors.iter().filter_map(forecast).collect();
            for step in 0..self.plan.horizon {
                let place = step * self.targets + target;
                let Some(numbers) = numbers.get(place * count..(place + 1) * count) else { break };
                let network = base[place] + point(output, numbers);
                let each = own.iter().filter_map(|all| all[step]);
                let (sum, count) = each.fold((0.0, 1), |(sum, count), value| (sum + (value - network), count + 1));
                base[place] += sum / count as f32;
            }
        }
        Cow::Owned(base)
    }

    /// What came behind an origin within the first `end` steps, `[H, G]`, scaled; NaN where it is missing, or behind them.
    pub fn truth(&self, history: &History, (origin, end): (usize, usize), frames: &[Frame]) -> Vec<f32> {
        let mut truth = Vec::with_capacity(self.plan.horizon * self.targets);
        for step in origin..origin + self.plan.horizon {
            for (target, frame) in frames.iter().enumerate() {
                let value = if step < end { history.targets[step * self.targets + target] } else { f32::NAN };
                truth.push(if value.is_nan() { f32::NAN } else { frame.inward(step, value) });
            }
        }
        truth
    }
}

/// The values of one step, as many as `of` is of. all: `[T, ..]`.
fn of_step<'h, T>(all: &'h [f32], of: &[T], step: usize) -> &'h [f32] {
    &all[step * of.len()..][..of.len()]
}

/// What is known of the steps ahead of windows, side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ahead {
    /// `[B, H, F]`: the calendar, and columns that are known ahead.
    pub known: Vec<f32>,
    /// `[B, H, G]`: what numbers are added to, scaled.
    pub base: Vec<f32>,
    /// `[B, G]`: the last values that are known, scaled.
    pub last: Vec<f32>,
}

/// Windows side by side: what the encoder reads, and what is known ahead.
///
/// # Panics
/// If there is no window.
pub fn batch(windows: &[&Window]) -> (Batch, Ahead) {
    let lengths: Vec<usize> = windows.iter().map(|window| window.length).collect();
    let time = lengths.iter().copied().max().expect("a batch has a window");
    let channels = windows[0].channels.len() / windows[0].length;
    let mut values = vec![0.0; windows.len() * time * channels];
    for (row, window) in values.chunks_exact_mut(time * channels).zip(windows) {
        row[..window.channels.len()].copy_from_slice(&window.channels);
    }
    let joined = |of: fn(&Window) -> &Vec<f32>| windows.iter().flat_map(|window| of(window)).copied().collect();
    let ahead = Ahead {
        known: joined(|window| &window.ahead),
        base: joined(|window| &window.base),
        last: joined(|window| &window.last),
    };
    (Batch { input: BatchInput::Series { values, channels }, lengths, time }, ahead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::history::Moment;
    use crate::input::Spread;
    use crate::tasks::forecast::{Loss, Scale};

    fn plan(scale: Scale, around: Around) -> WindowPlan {
        WindowPlan {
            horizon: 3,
            context: 4,
            season: 2,
            scale,
            log: false,
            deseasonalize: false,
            around,
            blend: Vec::new(),
            calendar: Vec::new(),
        }
    }

    fn history(targets: &[f32]) -> History {
        History {
            id: "a".into(),
            line: 1,
            start: Moment::Number(0.0),
            length: targets.len(),
            targets: targets.to_vec(),
            past: Vec::new(),
            future: Vec::new(),
            statics: Vec::new(),
        }
    }

    fn encoder() -> HistoryEncoder {
        HistoryEncoder { targets: vec![Spread { mean: 0.0, std: 1.0 }], ..HistoryEncoder::default() }
    }

    fn cut(plan: &WindowPlan, targets: &[f32], origin: usize) -> Option<Window> {
        let encoder = encoder();
        let cutter = Cutter { plan, encoder: &encoder, frequency: Frequency::Number(1.0), targets: 1 };
        let window = cutter.window(&history(targets), origin)?;
        assert_eq!(window.channels.len(), window.length * cutter.channels());
        Some(window)
    }

    #[test]
    fn a_window_is_scaled_by_itself_and_goes_back() {
        let values = [9.0, 1.0, 2.0, 4.0, 5.0, 7.0];
        for (scale, expected) in [
            (Scale::None, [1.0, 2.0, 4.0, 5.0]),
            (Scale::Mean, [1.0 / 3.0, 2.0 / 3.0, 4.0 / 3.0, 5.0 / 3.0]),
            (Scale::Standard, [-1.264_911, -0.632_456, 0.632_456, 1.264_911]),
            (Scale::Robust, [-0.8, -0.4, 0.4, 0.8]),
            (Scale::Difference, [-3.0, -2.25, -0.75, 0.0]),
        ] {
            let window = cut(&plan(scale, Around::Nothing), &values, 5).unwrap();
            for (found, expected) in window.channels.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{scale:?}: {:?}", window.channels);
            }
            assert!((window.frames[0].outward(5, window.frames[0].inward(5, 7.0)) - 7.0).abs() < 1e-5, "{scale:?}");
            assert_eq!(window.base, [0.0; 3]);
        }
        let log = WindowPlan { log: true, ..plan(Scale::None, Around::Nothing) };
        let window = cut(&log, &values, 5).unwrap();
        assert!(
            (window.channels[1] - 2.0f32.ln()).abs() < 1e-6 && (window.frames[0].outward(5, 0.0) - 1.0).abs() < 1e-6
        );
    }

    #[test]
    fn the_output_is_added_to_the_last_value_or_that_of_a_season_before() {
        let base = |around, values: &[f32], origin| cut(&plan(Scale::None, around), values, origin).unwrap().base;
        let values = [1.0, 2.0, 4.0, 5.0, 7.0];
        assert_eq!(base(Around::Last, &values, 4), [5.0; 3]);
        assert_eq!(base(Around::Season, &values, 4), [4.0, 5.0, 4.0]);
        assert_eq!(base(Around::Season, &values, 1), [1.0, 1.0, 1.0], "no season is there yet");
        assert_eq!(base(Around::Season, &[1.0, f32::NAN, 4.0], 3), [4.0, 4.0, 4.0]);
    }

    #[test]
    fn the_output_is_added_to_what_the_theta_method_forecasts() {
        // Without a season, for two steps are too few to find one.
        let values: Vec<f32> = (0..20).map(|step| 3.0 + step as f32 + [0.4, -0.7, 0.1][step % 3]).collect();
        let want = Floor::Theta.forecast(&values, 2, 3).unwrap();
        let around = |scale, values: &[f32]| cut(&plan(scale, Around::Theta), values, values.len()).unwrap();
        let window = around(Scale::Standard, &values);
        for (ahead, want) in want.iter().enumerate() {
            let found = window.frames[0].outward(20 + ahead, window.base[ahead]);
            assert!((found - want).abs() < 1e-4, "{found} instead of {want}");
        }
        assert_eq!(
            around(Scale::None, &[5.0, 4.0]).base,
            [4.0; 3],
            "what is too short for it goes on from the last value"
        );
        // A forecast below 0 has no logarithm.
        let falling = WindowPlan { log: true, ..plan(Scale::None, Around::Theta) };
        let window = cut(&falling, &[9.0, 7.0, 5.0, 3.0, 1.0, 0.5, 0.1, 0.01], 8).unwrap();
        assert!(window.base.iter().all(|base| base.is_finite()), "{:?}", window.base);
    }

    #[test]
    fn what_is_answered_is_the_mean_of_the_network_and_of_classic_forecasts() {
        let output = OutputPlan { loss: Loss::Mae, quantiles: Vec::new(), conformal: false };
        let encoder = encoder();
        let blended = |scale, log, floors: &[Floor], values: &[f32]| -> Vec<f32> {
            let plan = WindowPlan { blend: floors.to_vec(), log, ..plan(scale, Around::Last) };
            let cutter = Cutter { plan: &plan, encoder: &encoder, frequency: Frequency::Number(1.0), targets: 1 };
            let (history, origin) = (history(values), values.len());
            let window = cutter.window(&history, origin).unwrap();
            let numbers = [0.5, -0.5, 0.0];
            let base = cutter.blended(&history, &window, &numbers, &output);
            (0..3).map(|step| window.frames[0].outward(origin + step, base[step] + numbers[step])).collect()
        };
        let close = |found: Vec<f32>, want: [f32; 3]| {
            assert!(
                found.iter().zip(want).all(|(found, want)| (found - want).abs() < 1e-4),
                "{found:?} instead of {want:?}"
            );
        };
        // The network says 4.5, 3.5 and 4, drift 5, 6 and 7, the naive forecast 4.
        let values = [1.0, 2.0, 3.0, 4.0];
        close(blended(Scale::None, false, &[], &values), [4.5, 3.5, 4.0]);
        close(blended(Scale::None, false, &[Floor::Drift], &values), [4.75, 4.75, 5.5]);
        close(blended(Scale::None, false, &[Floor::Drift, Floor::Naive], &values), [4.5, 4.5, 5.0]);
        // One step is too short for drift, and what has no logarithm is left out.
        close(blended(Scale::None, false, &[Floor::Drift], &[4.0]), [4.5, 3.5, 4.0]);
        let logarithms = blended(Scale::None, true, &[Floor::Drift], &[9.0, 5.0, 1.0]);
        close(logarithms, [0.5f32.exp(), (-0.5f32).exp(), 1.0]);
        // Steps of which there is no number are as they were.
        let plan = WindowPlan { blend: vec![Floor::Drift], ..plan(Scale::None, Around::Last) };
        let cutter = Cutter { plan: &plan, encoder: &encoder, frequency: Frequency::Number(1.0), targets: 1 };
        let window = cutter.window(&history(&values), 4).unwrap();
        assert_eq!(*cutter.blended(&history(&values), &window, &[0.0], &output), [4.5, 4.0, 4.0]);
    }

    #[test]
    fn what_is_missing_is_zero_and_marked_and_nothing_gives_no_window() {
        let plan = plan(Scale::None, Around::Last);
        let encoder = HistoryEncoder { indicators: true, ..encoder() };
        let cutter = Cutter { plan: &plan, encoder: &encoder, frequency: Frequency::Number(1.0), targets: 1 };
        let window = cutter.window(&history(&[3.0, f32::NAN, 5.0]), 3).unwrap();
        assert_eq!(window.channels, [3.0, 0.0, 0.0, 1.0, 5.0, 0.0]);
        assert!(cut(&plan, &[f32::NAN; 3], 3).is_none() && cut(&plan, &[1.0], 0).is_none());
        let truth = cutter.truth(&history(&[3.0, f32::NAN, 5.0]), (1, 3), &window.frames);
        assert!(truth[0].is_nan() && truth[1] == 5.0 && truth[2].is_nan());
    }

    #[test]
    fn what_never_changes_and_what_is_huge_stay_finite() {
        for values in [[5.0; 4], [0.0; 4], [1e30; 4], [1e30, -1e30, 1e30, 0.0], [1e-30, 2e-30, 1e-30, 3e-30]] {
            for scale in [Scale::Mean, Scale::Standard, Scale::Robust, Scale::Difference] {
                let window = cut(&plan(scale, Around::Last), &values, 4).unwrap();
                let all = window.channels.iter().chain(&window.base);
                assert!(all.into_iter().all(|value| value.is_finite() && value.abs() < 1e6), "{scale:?} {values:?}");
                assert!(window.frames[0].outward(4, window.base[0]).is_finite(), "{scale:?} {values:?}");
            }
        }
    }

    #[test]
    fn windows_of_several_lengths_are_padded_with_zeros() {
        let plan = plan(Scale::None, Around::Last);
        let windows = [cut(&plan, &[1.0, 2.0, 3.0], 1).unwrap(), cut(&plan, &[1.0, 2.0, 3.0], 3).unwrap()];
        let (batch, ahead) = batch(&windows.each_ref());
        assert_eq!((batch.lengths, batch.time, ahead.known.len()), (vec![1, 3], 3, 0));
        let BatchInput::Series { values, channels } = batch.input else { panic!("histories are series") };
        assert_eq!((values, channels), (vec![1.0, 0.0, 0.0, 1.0, 2.0, 3.0], 1));
    }
}
