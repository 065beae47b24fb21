//! Which scheme tags are of, as a person says it or as they tell themselves.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Part, Scheme, cut};
use crate::error::PlanError;

/// Which scheme tags are of, as a person says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum SchemeChoice {
    /// Found out from the tags
    #[default]
    Auto,
    /// Tags spell no spans; each is a label of its token
    None,
    /// I within spans
    Io,
    /// I within spans, B where one begins behind another of its label
    Iob1,
    /// B begins a span, I goes on with it
    Bio,
    /// B, I, E, and S for one token alone
    Bioes,
    /// The same as B, I, L and U
    Bilou,
    /// The same as B, M, E and S
    Bmes,
    /// The same as B, M, E and W
    Bmewo,
}

impl SchemeChoice {
    /// The scheme that is said, else the one that the tags of whole sentences tell, which is told in turn.
    ///
    /// # Errors
    /// If a tag is none of the scheme that is said.
    pub fn of<'a>(
        self,
        file: &Path,
        sentences: impl Iterator<Item = &'a [String]> + Clone,
    ) -> Result<Scheme, PlanError> {
        let Some(scheme) = self.said() else {
            let scheme = Scheme::find(sentences);
            if scheme.has_spans() {
                tracing::info!("{}: tags spell spans as {scheme} has them; --scheme says otherwise", file.display());
            }
            return Ok(scheme);
        };
        match sentences.flatten().find(|tag| scheme.has_spans() && !scheme.has(tag)) {
            Some(tag) => {
                let problem =
                    format!("is {scheme}, but the tag {tag:?} is none of it; --scheme none takes tags as they are");
                Err(PlanError::conflict("scheme", problem))
            }
            None => Ok(scheme),
        }
    }

    /// The scheme that is said.
    pub fn said(self) -> Option<Scheme> {
        match self {
            SchemeChoice::Auto => None,
            SchemeChoice::None => Some(Scheme::None),
            SchemeChoice::Io => Some(Scheme::Io),
            SchemeChoice::Iob1 => Some(Scheme::Iob1),
            SchemeChoice::Bio => Some(Scheme::Bio),
            SchemeChoice::Bioes => Some(Scheme::Bioes),
            SchemeChoice::Bilou => Some(Scheme::Bilou),
            SchemeChoice::Bmes => Some(Scheme::Bmes),
            SchemeChoice::Bmewo => Some(Scheme::Bmewo),
        }
    }
}

impl From<Scheme> for SchemeChoice {
    fn from(scheme: Scheme) -> SchemeChoice {
        match scheme {
            Scheme::None => SchemeChoice::None,
            Scheme::Io => SchemeChoice::Io,
            Scheme::Iob1 => SchemeChoice::Iob1,
            Scheme::Bio => SchemeChoice::Bio,
            Scheme::Bioes => SchemeChoice::Bioes,
            Scheme::Bilou => SchemeChoice::Bilou,
            Scheme::Bmes => SchemeChoice::Bmes,
            Scheme::Bmewo => SchemeChoice::Bmewo,
        }
    }
}

impl Scheme {
    /// The scheme that the tags of whole sentences are of; none if one of them looks otherwise.
    pub fn find<'a>(sentences: impl Iterator<Item = &'a [String]> + Clone) -> Scheme {
        let distinct: BTreeSet<&str> = sentences.clone().flatten().map(String::as_str).collect();
        let Some(letters) =
            distinct.iter().map(|tag| cut(tag).map(|(letter, _)| letter)).collect::<Option<BTreeSet<char>>>()
        else {
            return Scheme::None;
        };
        let among = |known: &str| letters.iter().all(|&letter| letter == 'O' || known.contains(letter));
        match letters.iter().any(|&letter| letter != 'O') {
            false => Scheme::None,
            true if among("I") => Scheme::Io,
            true if among("BI") => by_beginnings(sentences),
            // Without anything outside or within they are words of two characters at most.
            true if among("BES") && !letters.contains(&'O') => Scheme::Bmes,
            true if among("BIES") => Scheme::Bioes,
            true if among("BMES") => Scheme::Bmes,
            true if among("BMEW") => Scheme::Bmewo,
            true if among("BILU") => Scheme::Bilou,
            true => Scheme::None,
        }
    }
}

/// Tells BIO from IOB1: in the one no I begins a span, in the other no B stands where no span of its label ends. Of data with
/// mistakes it is the one that has fewer.
fn by_beginnings<'a>(sentences: impl Iterator<Item = &'a [String]>) -> Scheme {
    let (mut against_bio, mut against_iob1) = (0usize, 0usize);
    for tags in sentences {
        let mut before = (Part::Outside, "");
        for (part, label) in Scheme::Bio.parts(tags) {
            let goes_on = before.0 != Part::Outside && before.1 == label;
            against_bio += usize::from(part == Part::Inside && !goes_on);
            against_iob1 += usize::from(part == Part::Begin && !goes_on);
            before = (part, label);
        }
    }
    if against_iob1 < against_bio { Scheme::Iob1 } else { Scheme::Bio }
}
