//! One answer of the networks and the linear part, whose probabilities can be believed.
//!
//! Networks and linear models are surer than they are right. Their logits are scaled by numbers that the validation part
//! gives: the inverse of the temperature of Guo et al. 2017 (section 4.2), one for each of the two.

use serde::{Deserialize, Serialize};

/// What the logits of the networks and of the linear part count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The scale of the networks' logits.
    pub networks: f64,
    /// The scale of the linear part's logits; nothing where there is none.
    pub linear: f64,
}

impl Calibration {
    /// Where nothing is known of how sure they may be: the mean of both. `linear`: whether there is a linear part.
    pub fn unknown(linear: bool) -> Calibration {
        match linear {
            true => Calibration { networks: 0.5, linear: 0.5 },
            false => Calibration { networks: 1.0, linear: 0.0 },
        }
    }

    /// Whether it makes answers; one from a file may say anything.
    ///
    /// # Errors
    /// If a scale is none.
    pub fn check(&self) -> Result<(), String> {
        let Calibration { networks, linear } = *self;
        let is_scale = |scale: f64| (0.0..=1e6).contains(&scale);
        match is_scale(networks) && is_scale(linear) && networks + linear > 0.0 {
            true => Ok(()),
            false => Err(format!("its scales are {networks} and {linear}; they must be from 0 to 1000000, not both 0")),
        }
    }

    /// The logits of both, of the same rows and labels, as one.
    pub fn apply(&self, networks: &[f32], linear: Option<&[f32]>) -> Vec<f32> {
        let (scale, of_linear) = (self.networks as f32, self.linear as f32);
        match linear {
            None => networks.iter().map(|logit| scale * logit).collect(),
            Some(linear) => {
                networks.iter().zip(linear).map(|(logit, linear)| scale * logit + of_linear * linear).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_scaled_and_summed() {
        let calibration = Calibration { networks: 0.5, linear: 2.0 };
        assert_eq!(calibration.apply(&[1.0, -2.0], Some(&[0.25, 1.0])), [1.0, 1.0]);
        assert_eq!(calibration.apply(&[1.0, -2.0], None), [0.5, -1.0]);
    }

    #[test]
    fn a_scale_from_a_file_is_checked() {
        for (networks, linear) in [(-1.0, 1.0), (0.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            let refused = Calibration { networks, linear }.check().unwrap_err();
            assert!(refused.contains("from 0 to 1000000"), "{refused}");
        }
        assert!([true, false].iter().all(|&linear| Calibration::unknown(linear).check().is_ok()));
    }
}
