//! Which classic forecasts a network's are put together with: those that were named, or what is better on what is held out.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum as _;
use lookback_infer::tasks::forecast::floors::Floor;
use lookback_infer::tasks::forecast::scores::{ForecastScores, MAE, MASE};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is tried where nobody says otherwise: of the classic forecasts that take no time the one that is best most often.
pub(super) const TRIED: [Floor; 1] = [Floor::Theta];
/// Windows, each of one target, below which a difference may be chance.
pub(super) const FEWEST: usize = 20;
/// How much smaller the error must be.
const SMALLER: f64 = 0.99;

/// No classic forecast.
const NONE: &str = "none";

/// Classic forecasts, named with commas between, or none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blend(pub Vec<Floor>);

impl FromStr for Blend {
    type Err = String;

    fn from_str(said: &str) -> Result<Blend, String> {
        if said.trim() == NONE {
            return Ok(Blend::default());
        }
        let known = || Floor::value_variants().iter().map(|floor| spelt(*floor)).collect::<Vec<_>>().join(", ");
        let floor = |name: &str| {
            Floor::from_str(name.trim(), false)
                .map_err(|_| format!("'{}' is unknown; there are {}, or none", name.trim(), known()))
        };
        said.split(',').map(floor).collect::<Result<Vec<Floor>, String>>().map(Blend)
    }
}

/// As options have it.
fn spelt(floor: Floor) -> String {
    floor.name().replace('_', "-")
}

impl fmt::Display for Blend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str(NONE),
            floors => f.write_str(&floors.iter().map(|floor| spelt(*floor)).collect::<Vec<_>>().join(",")),
        }
    }
}

impl Serialize for Blend {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Blend {
    /// As one text, or as a list of names.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blend, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "names of classic forecasts, or none")]
        enum Said {
            Text(String),
            List(Vec<String>),
        }
        let said = match Said::deserialize(deserializer)? {
            Said::Text(text) => text,
            Said::List(names) if names.is_empty() => NONE.into(),
            Said::List(names) => names.join(","),
        };
        said.parse().map_err(serde::de::Error::custom)
    }
}

/// By how much forecasts that are put together are better than the network's alone, in words, where they are: by MASE, or by the mean
/// absolute error where there is none.
pub(super) fn better(together: &ForecastScores, alone: &ForecastScores) -> Option<String> {
    let (score, both) = match together.mase.zip(alone.mase) {
        Some(both) => (MASE, Some(both)),
        None => (MAE, together.mae.zip(alone.mae)),
    };
    let (together, alone) = both.filter(|(together, alone)| *together < SMALLER * alone)?;
    Some(format!("{} {} in place of {}", score.title, score.show(together), score.show(alone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_forecasts_are_named_in_a_text_or_a_list() {
        let of = |text: &str| text.parse::<Blend>();
        assert_eq!(of("theta,seasonal-naive"), Ok(Blend(vec![Floor::Theta, Floor::SeasonalNaive])));
        assert_eq!(of("none"), Ok(Blend::default()));
        assert!(of("theta,moon").unwrap_err().contains("'moon' is unknown; there are naive, seasonal-naive, drift"));
        for text in ["none", "theta", "drift,moving-average"] {
            let blend = of(text).unwrap();
            assert_eq!(blend.to_string(), text);
            let json = serde_json::to_string(&blend).unwrap();
            assert_eq!(serde_json::from_str::<Blend>(&json).unwrap(), blend);
        }
        assert_eq!(serde_json::from_str::<Blend>(r#"["theta","naive"]"#).unwrap().to_string(), "theta,naive");
        assert_eq!(serde_json::from_str::<Blend>("[]").unwrap(), Blend::default());
        assert!(serde_json::from_str::<Blend>("3").unwrap_err().to_string().contains("names of classic forecasts"));
    }

    #[test]
    fn what_is_hardly_better_is_not_chosen() {
        let of = |mase, mae| ForecastScores { mase, mae, ..ForecastScores::default() };
        let words = better(&of(Some(0.9), Some(5.0)), &of(Some(1.0), Some(1.0)));
        assert_eq!(words.as_deref(), Some("MASE 0.9000 in place of 1.0000"));
        assert_eq!(better(&of(Some(0.995), Some(0.1)), &of(Some(1.0), Some(1.0))), None);
        let words = better(&of(None, Some(0.9)), &of(None, Some(1.0)));
        assert_eq!(words.as_deref(), Some("MAE 0.9000 in place of 1.0000"));
        assert_eq!(better(&of(None, None), &of(None, None)), None);
    }
}
