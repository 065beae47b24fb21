//! A history without gaps.

/// What is known of a history: its values from the first to the last, in double precision.
#[derive(Debug, PartialEq)]
pub(in crate::tasks::forecast) struct Observed {
    /// `[n]`, one value at least, all of them finite.
    pub(in crate::tasks::forecast) values: Vec<f64>,
    /// How many steps of the history come behind the last value.
    pub(in crate::tasks::forecast) missing_behind: usize,
}

impl Observed {
    /// Cuts what is missing before the first value and behind the last, and puts what is missing inside on the straight line
    /// between its neighbours. history: `[T]`; what is not finite is missing. Nothing if all is.
    pub(in crate::tasks::forecast) fn of(history: &[f32]) -> Option<Observed> {
        let is_known = |value: &f32| value.is_finite();
        let first = history.iter().position(is_known)?;
        let last = history.iter().rposition(is_known)?;
        let mut values: Vec<f64> = Vec::with_capacity(last + 1 - first);
        for (place, &value) in history[first..=last].iter().enumerate() {
            if !value.is_finite() {
                continue;
            }
            if let Some(&before) = values.last() {
                let (from, value) = (values.len() - 1, f64::from(value));
                let slope = (value - before) / (place - from) as f64;
                values.extend((from + 1..place).map(|inside| before + slope * (inside - from) as f64));
            }
            values.push(value.into());
        }
        Some(Observed { values, missing_behind: history.len() - 1 - last })
    }
}
