//! How the steps of a sequence become one vector, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::PlanError;

/// One way of pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolKind {
    /// Attention with a learnt vector (Zhou 2016, eq. 9 to 11).
    Attention,
    /// Attention with the final hidden state as query, scored by dot product.
    Query,
    /// The final hidden state of every direction.
    Last,
    /// The mean over the steps.
    Mean,
    /// The maximum over the steps.
    Max,
}

impl PoolKind {
    const ALL: [(PoolKind, &'static str); 5] = [
        (PoolKind::Attention, "attention"),
        (PoolKind::Query, "query"),
        (PoolKind::Last, "last"),
        (PoolKind::Mean, "mean"),
        (PoolKind::Max, "max"),
    ];

    /// The name in options.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether it weighs the steps, so that there is something to explain.
    pub fn has_weights(self) -> bool {
        matches!(self, PoolKind::Attention | PoolKind::Query)
    }
}

/// One or several ways of pooling; their vectors are put side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pooling(Vec<PoolKind>);

impl Pooling {
    /// The parts, in the order in which their vectors stand.
    pub fn parts(&self) -> &[PoolKind] {
        &self.0
    }

    /// The part whose weights explain an answer, if any has weights: the first.
    pub fn weighted(&self) -> Option<PoolKind> {
        self.0.iter().copied().find(|kind| kind.has_weights())
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|kind| kind.name()).collect();
        f.write_str(&names.join("+"))
    }
}

impl FromStr for Pooling {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let mut kinds = Vec::new();
        for part in text.split('+') {
            let part = part.trim();
            let Some((kind, _)) = PoolKind::ALL.iter().find(|(_, name)| *name == part) else {
                let names: Vec<_> = PoolKind::ALL.iter().map(|(_, name)| *name).collect();
                let problem = format!("'{part}' is unknown; there are {}, or several joined by +", names.join(", "));
                return Err(PlanError::conflict("pooling", problem));
            };
            if kinds.contains(kind) {
                return Err(PlanError::conflict("pooling", format!("names {part} twice")));
            }
            kinds.push(*kind);
        }
        Ok(Pooling(kinds))
    }
}

impl TryFrom<String> for Pooling {
    type Error = PlanError;

    fn try_from(text: String) -> Result<Self, PlanError> {
        text.parse()
    }
}

impl From<Pooling> for String {
    fn from(pooling: Pooling) -> String {
        pooling.to_string()
    }
}
