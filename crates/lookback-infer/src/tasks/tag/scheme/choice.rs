//! Which scheme tags are of, as a person says it or as they tell themselves.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Part, Scheme, cut};
use crate::error::PlanError;

impl Scheme {
    /// The scheme that is said, else the one that the tags of whole sentences tell, which is told in turn.
    ///
    /// # Errors
    /// If a tag is none of the scheme that is said.
    pub fn of<'a>(
        said: Option<Scheme>,
        file: &Path,
        sentences: impl Iterator<Item = &'a [String]> + Clone,
    ) -> Result<Scheme, PlanError> {
        let Some(scheme) = said else {
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
