//! Which tag may stand behind which.

use super::{Part, Scheme};

/// Which tags of a set may begin a sentence, end it, and stand side by side in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transitions {
    /// Whether a tag may be the first. `[N]`
    pub start: Vec<bool>,
    /// Whether a tag may be the last. `[N]`
    pub end: Vec<bool>,
    /// Whether the second tag may stand behind the first. `[N, N]`
    pub between: Vec<bool>,
    /// Whether everything may: there is no scheme, or the set lacks tags without which sentences of some length have none.
    pub is_free: bool,
}

impl Transitions {
    /// Those of a set of tags of a scheme. A tag that is none of it may stand anywhere.
    pub fn of(scheme: Scheme, tags: &[String]) -> Transitions {
        let start: Vec<bool> = tags.iter().map(|tag| scheme.may_start(tag)).collect();
        let end: Vec<bool> = tags.iter().map(|tag| scheme.may_end(tag)).collect();
        let between: Vec<bool> = tags.iter().flat_map(|from| tags.iter().map(|to| scheme.allowed(from, to))).collect();
        let repeats = |tag: usize| start[tag] && end[tag] && between[tag * tags.len() + tag];
        if !(0..tags.len()).any(repeats) {
            let free = |count: usize| vec![true; count];
            let (start, between) = (free(tags.len()), free(tags.len() * tags.len()));
            return Transitions { end: start.clone(), start, between, is_free: true };
        }
        let is_free = start.iter().chain(&end).chain(&between).all(|&may| may);
        Transitions { start, end, between, is_free }
    }
}

impl Transitions {
    /// Whether tags, by their numbers, may be those of a sentence.
    pub fn allow(&self, path: &[usize]) -> bool {
        let tags = self.start.len();
        path.first().is_none_or(|&first| self.start[first])
            && path.last().is_none_or(|&last| self.end[last])
            && path.windows(2).all(|pair| self.between[pair[0] * tags + pair[1]])
    }
}

impl Scheme {
    /// Whether the tag `to` may stand behind the tag `from`.
    pub fn allowed(self, from: &str, to: &str) -> bool {
        let (Some((before, of)), Some((tag, label))) = (self.parse(from), self.parse(to)) else { return true };
        let goes_on = matches!(before, Part::Begin | Part::Inside) && of == label;
        match (self, tag) {
            (Scheme::None | Scheme::Io, _) => true,
            (Scheme::Iob1, Part::Begin) | (Scheme::Bio, Part::Inside) => goes_on,
            (Scheme::Iob1 | Scheme::Bio, _) => true,
            (_, Part::Inside | Part::End) => goes_on,
            _ => !matches!(before, Part::Begin | Part::Inside),
        }
    }

    /// Whether the tag may be a sentence's first.
    pub fn may_start(self, tag: &str) -> bool {
        self.allowed("O", tag)
    }

    /// Whether the tag may be a sentence's last.
    pub fn may_end(self, tag: &str) -> bool {
        self.allowed(tag, "O")
    }
}
