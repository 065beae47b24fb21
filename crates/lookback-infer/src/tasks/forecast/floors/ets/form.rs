//! The forms of exponential smoothing.

use super::super::seasons::Composition;

/// What a model of the family is made of (HKOS, table 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether errors are added to the forecast or are shares of it. The states follow the same equations with both; what is
    /// likely differs.
    pub(super) errors: Composition,
    /// How the level goes on.
    pub(super) trend: Trend,
    /// How the season goes with the level, if there is one.
    pub(super) seasons: Option<Composition>,
}

/// How the level goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trend {
    /// As it is.
    None,
    /// By the same slope every step.
    Additive,
    /// By a slope that fades.
    Damped,
}

impl Form {
    /// All forms that are tried: multiplicative ones of positive values alone, with seasons where there may be one. Additive errors
    /// with a multiplicative season are left out, for they divide by what may be near 0 (FPP3, 8.6).
    pub(super) fn all(is_positive: bool, is_seasonal: bool) -> Vec<Form> {
        let of_errors: &[Composition] = match is_positive {
            true => &[Composition::Additive, Composition::Multiplicative],
            false => &[Composition::Additive],
        };
        let mut forms = Vec::new();
        for &errors in of_errors {
            for trend in [Trend::None, Trend::Damped, Trend::Additive] {
                for seasons in [None, Some(Composition::Additive), Some(Composition::Multiplicative)] {
                    let is_tried = match seasons {
                        None => true,
                        Some(Composition::Additive) => is_seasonal,
                        Some(Composition::Multiplicative) => is_seasonal && errors == Composition::Multiplicative,
                    };
                    if is_tried {
                        forms.push(Form { errors, trend, seasons });
                    }
                }
            }
        }
        forms
    }
}
