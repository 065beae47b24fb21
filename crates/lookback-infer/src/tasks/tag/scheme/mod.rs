//! How tags spell spans of tokens: entities, chunks, or the words of a text of characters.
//!
//! A tag is `O`, or a letter and, behind a hyphen, a label, such as `B-PER`; without labels it is the letter alone. [`Scheme`] says
//! which letters there are and what they mean; all schemes are read through the same five parts.

mod choice;
mod read;
#[cfg(test)]
mod tests;
mod transitions;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::transitions::Transitions;

/// How tags spell spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Scheme {
    /// They spell none: a tag is a label of its token.
    #[default]
    None,
    /// `I` within, so that spans of one label that touch are one.
    Io,
    /// `I` within, `B` where a span begins behind one of its own label (IOB1).
    Iob1,
    /// `B` begins a span, `I` goes on with it (IOB2).
    Bio,
    /// `B`, `I` and `E` in a span of several tokens, `S` for one token alone (IOBES).
    Bioes,
    /// The same as `B`, `I`, `L` and `U`.
    Bilou,
    /// The same as `B`, `M`, `E` and `S`, as Chinese words are spelt.
    Bmes,
    /// The same as `B`, `M`, `E` and `W`.
    Bmewo,
}

/// What the data are spelt in, and what the network is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Schemes {
    /// The scheme of the training data, in which answers are given.
    pub written: Scheme,
    /// The scheme of the network's tags.
    pub trained: Scheme,
}

/// Tokens that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// What they are; empty where tags are letters alone.
    pub label: String,
    /// The first of them, counted from 0.
    pub start: usize,
    /// The token behind the last.
    pub end: usize,
}

/// What a tag says of its token's place in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Outside,
    Begin,
    Inside,
    End,
    Single,
}

impl Scheme {
    /// Whether tags spell spans.
    pub fn has_spans(self) -> bool {
        self != Scheme::None
    }

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::None => "none",
            Scheme::Io => "io",
            Scheme::Iob1 => "iob1",
            Scheme::Bio => "bio",
            Scheme::Bioes => "bioes",
            Scheme::Bilou => "bilou",
            Scheme::Bmes => "bmes",
            Scheme::Bmewo => "bmewo",
        }
    }

    /// Whether a tag is one of the scheme.
    pub fn has(self, tag: &str) -> bool {
        self.parse(tag).is_some()
    }

    /// The spans of a sentence's tags as the default mode of `seqeval`, and `conlleval`, read them: what goes on with no span begins
    /// one, and what is not ended ends where it must. `seqeval` knows the letters B, I, E, S and O alone; those of other schemes are
    /// read as the ones that they mean. A tag that is none of the scheme is outside.
    pub fn spans<S: AsRef<str>>(self, tags: &[S]) -> Vec<Span> {
        read::spans(&self.parts(tags))
    }

    /// The spans that are spelt without a mistake, as the strict mode of `seqeval` reads them.
    pub fn strict_spans<S: AsRef<str>>(self, tags: &[S]) -> Vec<Span> {
        read::strict_spans(self, &self.parts(tags))
    }

    /// Tags of the scheme `to` for the spans of these. To its own scheme it mends what is spelt wrongly; tags that spell no spans, or
    /// are to spell none, stay as they are.
    pub fn convert<S: AsRef<str>>(self, tags: &[S], to: Scheme) -> Vec<String> {
        if !self.has_spans() || !to.has_spans() {
            return tags.iter().map(|tag| tag.as_ref().to_owned()).collect();
        }
        let mut written = vec!["O".to_owned(); tags.len()];
        let mut before: Option<Span> = None;
        for span in self.spans(tags) {
            let touches = before.as_ref().is_some_and(|before| before.end == span.start && before.label == span.label);
            let last = span.end - span.start - 1;
            for (place, tag) in written[span.start..span.end].iter_mut().enumerate() {
                let part = match (place == 0, place == last) {
                    (true, true) => Part::Single,
                    (true, false) => Part::Begin,
                    (false, true) => Part::End,
                    (false, false) => Part::Inside,
                };
                *tag = to.spell(part, touches, &span.label);
            }
            before = Some(span);
        }
        written
    }

    /// The tag of a token that has this part in a span. `touches`: the span begins behind one of its own label.
    fn spell(self, part: Part, touches: bool, label: &str) -> String {
        let begins = matches!(part, Part::Begin | Part::Single);
        let letter = match (self, part) {
            (Scheme::Io, _) => 'I',
            (Scheme::Iob1, _) => {
                if begins && touches {
                    'B'
                } else {
                    'I'
                }
            }
            (Scheme::Bio, _) => {
                if begins {
                    'B'
                } else {
                    'I'
                }
            }
            (_, part) => {
                let [begin, inside, end, single] = self.letters().unwrap_or(['B', 'I', 'E', 'S']);
                match part {
                    Part::Begin => begin,
                    Part::Inside => inside,
                    Part::End => end,
                    Part::Single => single,
                    Part::Outside => 'O',
                }
            }
        };
        if label.is_empty() { letter.to_string() } else { format!("{letter}-{label}") }
    }

    /// The letters of a scheme that has four of them, for [`Part::Begin`] and those behind it.
    fn letters(self) -> Option<[char; 4]> {
        match self {
            Scheme::Bioes => Some(['B', 'I', 'E', 'S']),
            Scheme::Bilou => Some(['B', 'I', 'L', 'U']),
            Scheme::Bmes => Some(['B', 'M', 'E', 'S']),
            Scheme::Bmewo => Some(['B', 'M', 'E', 'W']),
            _ => None,
        }
    }

    /// The part and the label of a tag of the scheme.
    fn parse(self, tag: &str) -> Option<(Part, &str)> {
        let (letter, label) = cut(tag)?;
        let part = match (self, letter) {
            (Scheme::None, _) => return None,
            (_, 'O') => Part::Outside,
            (Scheme::Io | Scheme::Iob1 | Scheme::Bio, 'I') => Part::Inside,
            (Scheme::Iob1 | Scheme::Bio, 'B') => Part::Begin,
            _ => {
                let place = self.letters()?.iter().position(|&known| known == letter)?;
                [Part::Begin, Part::Inside, Part::End, Part::Single][place]
            }
        };
        Some((part, label))
    }

    fn parts<S: AsRef<str>>(self, tags: &[S]) -> Vec<(Part, &str)> {
        tags.iter().map(|tag| self.parse(tag.as_ref()).unwrap_or((Part::Outside, ""))).collect()
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The letter and the label of a tag that looks as those of spans do.
fn cut(tag: &str) -> Option<(char, &str)> {
    let mut rest = tag.chars();
    let letter = rest.next()?;
    match (letter, rest.as_str()) {
        (letter, "") => Some((letter, "")),
        ('O', _) => None,
        (letter, rest) => rest.strip_prefix('-').filter(|label| !label.is_empty()).map(|label| (letter, label)),
    }
}
