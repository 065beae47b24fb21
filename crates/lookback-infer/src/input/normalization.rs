//! The characters of a text as a model reads them, and where they stand in the original.
//!
//! What people write in several ways is read in one: full-width letters, ligatures, half-width kana and letters with their
//! accents apart are brought to the normal form NFKC of Unicode Standard Annex 15, marks that nobody sees are not read, and
//! traditional Chinese characters may be read as simplified ones or the other way round. Texts stay as they are; what is
//! read is kept beside them only where it differs.

use std::fmt;
use std::iter::once;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, decompose_compatible};
use unicode_normalization::{IsNormalized, is_nfc_quick, is_nfkc_quick};

use super::chinese::Table;

/// To which form characters are brought before they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Normalization {
    /// Full-width letters, ligatures, accents apart and the like are read as the plain form; marks that nobody sees are not
    /// read
    Nfkc,
    /// Characters are read as they stand
    #[default]
    None,
}

/// How Chinese characters of which there are two forms are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Chinese {
    /// As simplified characters
    Simplified,
    /// As traditional characters
    Traditional,
    /// As they stand
    #[default]
    AsIs,
}

impl fmt::Display for Chinese {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simplified => "simplified",
            Self::Traditional => "traditional",
            Self::AsIs => "as-is",
        })
    }
}

/// A text as it is read, where that differs from the text itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReadText {
    /// What is read.
    pub(super) text: String,
    /// Parts of it, in order, the first from byte 0.
    parts: Vec<Part>,
    /// Bytes of the original.
    length: usize,
    /// Whether a blank stands before it, as before every word of it, that the words carry.
    behind_blank: bool,
}

/// A part of what is read, up to the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    /// Its first byte.
    from: usize,
    /// The byte of the original at which it stands; what is not read belongs to the part before it.
    at: usize,
    /// Whether the original has the very same bytes there; otherwise all of the part stands for all of the original.
    same: bool,
}

impl ReadText {
    /// What is read of `text`, which is `read` where that differs, behind a blank that stands for nothing of the original.
    pub(super) fn behind_blank(text: &str, read: Option<ReadText>) -> ReadText {
        let read = read.unwrap_or_else(|| ReadText {
            text: text.to_owned(),
            parts: vec![Part { from: 0, at: 0, same: true }],
            length: text.len(),
            behind_blank: false,
        });
        if read.text.is_empty() {
            return read;
        }
        let behind = read.parts.iter().map(|part| Part { from: part.from + 1, ..*part });
        ReadText {
            text: format!(" {}", read.text),
            parts: [Part { from: 0, at: 0, same: false }].into_iter().chain(behind).collect(),
            length: read.length,
            behind_blank: true,
        }
    }

    /// The bytes of the original for which a token of what is read stands, without the blank that it carries.
    pub(super) fn place(&self, start: usize, end: usize) -> (usize, usize) {
        let carries = self.behind_blank && end > start + 1 && self.text[start..].starts_with(' ');
        self.original(start + usize::from(carries), end)
    }

    /// The bytes of the original for which bytes of what is read stand. Two neighbours have no gap between them either; they
    /// share a character that is read as several.
    fn original(&self, start: usize, end: usize) -> (usize, usize) {
        let part = |byte: usize| self.parts.partition_point(|part| part.from <= byte).saturating_sub(1);
        let (first, last) = (part(start), part(end.saturating_sub(1).max(start)));
        let Some(Part { from, at, same }) = self.parts.get(first) else { return (0, self.length) };
        let start = if *same { at + (start - from) } else { *at };
        let (next_from, next_at) = match self.parts.get(last + 1) {
            Some(next) => (next.from, next.at),
            None => (self.text.len(), self.length),
        };
        let end = match &self.parts[last] {
            Part { from, at, same: true } if end < next_from => at + (end - from),
            _ => next_at,
        };
        (start, end)
    }

    /// About what it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(self.parts.as_slice())
    }

    /// Appends what one token reads, which stands at byte `at` of the original.
    fn push(&mut self, token: &str, read: Option<ReadText>, at: usize) {
        let from = self.text.len();
        match read {
            Some(read) => {
                self.text.push_str(&read.text);
                self.parts.extend(read.parts.iter().map(|part| Part {
                    from: from + part.from,
                    at: at + part.at,
                    same: part.same,
                }));
            }
            None => {
                self.text.push_str(token);
                self.parts.push(Part { from, at, same: true });
            }
        }
        self.length = at + token.len();
    }
}

/// How characters are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    normalization: Normalization,
    chinese: Option<&'static Table>,
}

impl Reading {
    pub(super) fn new(normalization: Normalization, chinese: Chinese) -> Reading {
        Reading { normalization, chinese: Table::of(chinese) }
    }

    /// What is read of `text`; `None` where that is the text itself.
    pub(super) fn read(&self, text: &str) -> Option<ReadText> {
        if self.is_plain(text) {
            return None;
        }
        let mut reader = Reader { reading: *self, text, read: String::with_capacity(text.len()), parts: Vec::new() };
        let mut cluster = Cluster::default();
        let mut before = None;
        for (at, c) in text.char_indices() {
            if self.normalization == Normalization::Nfkc {
                if is_unseen(c, before) {
                    continue;
                }
                before = Some(c);
                // Nothing becomes one character with a blank.
                if !begins(c) && !cluster.characters.last().is_some_and(|last| last.is_whitespace()) {
                    cluster.push(at, c);
                    continue;
                }
            }
            reader.close(&mut cluster);
            cluster.push(at, c);
        }
        reader.close(&mut cluster);
        let Reader { read, parts, .. } = reader;
        let differs = parts.len() > 1 || read != text;
        differs.then_some(ReadText { text: read, parts, length: text.len(), behind_blank: false })
    }

    /// What is read of a text that was cut into tokens before, with a space between any two, and where each token stands in
    /// what is read; `None` where all are read as they stand. A token of which nothing would be read stays as it is.
    pub(super) fn read_tokens(&self, tokens: &[String]) -> Option<(ReadText, Vec<(usize, usize)>)> {
        if tokens.iter().all(|token| self.is_plain(token)) {
            return None;
        }
        let mut whole = ReadText { text: String::new(), parts: Vec::new(), length: 0, behind_blank: false };
        let (mut spans, mut at) = (Vec::with_capacity(tokens.len()), 0);
        for (place, token) in tokens.iter().enumerate() {
            if place > 0 {
                whole.push(" ", None, at);
                at += 1;
            }
            let start = whole.text.len();
            whole.push(token, self.read(token).filter(|read| !read.text.is_empty()), at);
            spans.push((start, whole.text.len()));
            at += token.len();
        }
        Some((whole, spans))
    }

    /// Whether a look tells that `text` is read as it stands; most are.
    fn is_plain(&self, text: &str) -> bool {
        if text.is_ascii() {
            return true;
        }
        let normal = self.normalization == Normalization::None
            || text.chars().all(is_inert)
            || is_nfkc_quick(text.chars()) == IsNormalized::Yes && !text.chars().any(|c| is_unseen(c, None));
        normal && self.chinese.is_none_or(|table| !text.chars().any(|c| table.get(c).is_some()))
    }
}

/// Characters that are brought to normal form together: one and the marks that stand on it.
#[derive(Debug, Default)]
struct Cluster {
    characters: Vec<char>,
    /// Where the first begins and the last ends.
    at: usize,
    end: usize,
}

impl Cluster {
    fn push(&mut self, at: usize, c: char) {
        if self.characters.is_empty() {
            self.at = at;
        }
        self.characters.push(c);
        self.end = at + c.len_utf8();
    }
}

struct Reader<'t> {
    reading: Reading,
    text: &'t str,
    read: String,
    parts: Vec<Part>,
}

impl Reader<'_> {
    /// Writes what is read of a cluster, and empties it.
    fn close(&mut self, cluster: &mut Cluster) {
        if cluster.characters.is_empty() {
            return;
        }
        let from = self.read.len();
        let mapped = |c: char| self.reading.chinese.and_then(|table| table.get(c)).unwrap_or(c);
        match cluster.characters.as_slice() {
            &[alone] if is_inert(alone) || self.reading.normalization == Normalization::None => {
                self.read.push(mapped(alone));
            }
            several => self.read.extend(several.iter().copied().nfkc().map(mapped)),
        }
        cluster.characters.clear();
        let same = self.read[from..] == self.text[cluster.at..cluster.end];
        let goes_on =
            matches!(self.parts.last(), Some(last) if last.same && last.at + (from - last.from) == cluster.at);
        if !(same && goes_on) {
            self.parts.push(Part { from, at: cluster.at, same });
        }
    }
}

/// Whether nothing before `c` can become one character with it: its decomposition begins with a character that is no mark
/// and composes with none before.
fn begins(c: char) -> bool {
    if is_inert(c) {
        return true;
    }
    let mut first = None;
    decompose_compatible(c, |part| first = first.or(Some(part)));
    let first = first.unwrap_or(c);
    canonical_combining_class(first) == 0 && is_nfc_quick(once(first)) == IsNormalized::Yes
}

/// Letters of which a look tells that they stay what they are: most of what is written in Latin, Greek, Cyrillic, Hebrew,
/// Arabic, Chinese, Japanese and Korean.
fn is_inert(c: char) -> bool {
    matches!(c,
        ..'\u{A0}' | '\u{C0}'..='\u{131}' | '\u{391}'..='\u{3CE}' | '\u{400}'..='\u{482}' | '\u{5D0}'..='\u{5EA}'
        | '\u{621}'..='\u{64A}' | '\u{2018}'..='\u{2019}' | '\u{201C}'..='\u{201D}' | '\u{3001}'..='\u{3007}'
        | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Whether `c` is a mark that nobody sees and that is not read, standing after `before`.
///
/// These are the default ignorable code points of Unicode (soft hyphen, zero-width spaces, byte order marks, directions,
/// variation selectors and so on) but for those that make a difference where they stand: joiners after a virama, which ask
/// for another form of a letter; the joiner between two emoji, and the tags behind a flag, which make one sign of several;
/// and the fillers of old Korean syllables. The joiners of Arabic and Persian, which are written or left out at will, are
/// not read.
fn is_unseen(c: char, before: Option<char>) -> bool {
    const VIRAMA: u8 = 9;
    let after_virama = || before.is_some_and(|before| canonical_combining_class(before) == VIRAMA);
    match c {
        ..'\u{AD}' => false,
        '\u{200C}' => !after_virama(),
        '\u{200D}' => !after_virama() && !before.is_some_and(is_pictograph),
        '\u{E0020}'..='\u{E007F}' => !matches!(before, Some('\u{1F3F4}' | '\u{E0020}'..='\u{E007F}')),
        _ => matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'
            | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'),
    }
}

/// Where emoji stand that are joined to others.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(chinese: Chinese) -> Reading {
        Reading::new(Normalization::Nfkc, chinese)
    }

    fn read(text: &str) -> String {
        reading(Chinese::AsIs).read(text).map_or_else(|| text.to_owned(), |read| read.text)
    }

    #[test]
    fn what_looks_the_same_is_read_the_same() {
        let cases = [
            ("ｇｒｅａｔ　ｆｉｌｍ！", "great film!"),
            ("o\u{FB03}ce \u{FB01}sh", "office fish"),
            ("cafe\u{301} na\u{308}ive", "café näive"),
            ("co\u{AD}oper\u{AD}ate zero\u{200B}width", "cooperate zerowidth"),
            ("\u{FEFF}mark, and in\u{FEFF}side", "mark, and inside"),
            ("ｶﾞｷﾞ", "ガギ"),
            ("\u{1112}\u{1161}\u{11AB}\u{3131}\u{314F}", "한가"),
            ("می\u{200C}خواهم", "میخواهم"),
            ("❤\u{FE0F}", "❤"),
            ("\u{202B}x\u{202C}", "x"),
            ("e\u{AD}\u{301}", "é"),
            ("①㎏", "1kg"),
            ("", ""),
            ("\u{200B}\u{FEFF}", ""),
            ("foo\u{E0041}\u{E0042}", "foo"),
            ("sp\u{3164}am", "spam"),
            // What the other fillers of Hangul become.
            ("sp\u{1160}am\u{FFA0}", "spam"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text:?}");
        }
        for kept in [
            "👩\u{200D}👩\u{200D}👧",
            "ന\u{D4D}\u{200D}",
            "क\u{94D}\u{200C}ष",
            "🏴\u{E0067}\u{E0062}\u{E007F}",
            "plain",
            "你好。",
            "naïve",
            "한국어",
        ] {
            assert_eq!(reading(Chinese::AsIs).read(kept), None, "{kept:?}");
        }
        assert_eq!(Reading::new(Normalization::None, Chinese::AsIs).read("ｇｒｅａｔ"), None);
    }

    #[test]
    fn what_is_read_knows_where_it_stands() {
        let text = "\u{FEFF}ｏk\u{AD} 3½x";
        let read = reading(Chinese::AsIs).read(text).expect("it differs");
        assert_eq!(read.text, "ok 31\u{2044}2x");
        let original = |start, end| {
            let (start, end) = read.original(start, end);
            &text[start..end]
        };
        assert_eq!(original(0, 2), "ｏk\u{AD}");
        assert_eq!((original(0, 1), original(1, 2)), ("ｏ", "k\u{AD}"));
        assert_eq!(original(2, 3), " ");
        // "3½" is read as 31⁄2.
        assert_eq!((original(3, 5), original(5, 8), original(8, 9)), ("3½", "½", "½"));
        assert_eq!(original(9, 10), "x");
        assert_eq!(original(0, 10), &text[3..]);
        // A letter that others may take up stands behind a blank by itself.
        let text = "0 \u{FFA3}";
        let read = reading(Chinese::AsIs).read(text).expect("it differs");
        assert_eq!(read.original(2, read.text.len()), (2, text.len()));
    }

    #[test]
    fn tokens_stay_apart_and_one_of_unseen_marks_stays() {
        let tokens = ["ｏk", "\u{200B}", "fi"].map(str::to_owned);
        let (read, spans) = reading(Chinese::AsIs).read_tokens(&tokens).expect("it differs");
        let pieces: Vec<&str> = spans.iter().map(|&(start, end)| &read.text[start..end]).collect();
        assert_eq!(pieces, ["ok", "\u{200B}", "fi"]);
        let text = tokens.join(" ");
        let original = spans.iter().map(|&(start, end)| read.original(start, end));
        assert_eq!(original.map(|(start, end)| &text[start..end]).collect::<Vec<_>>(), tokens);
        assert_eq!(reading(Chinese::AsIs).read_tokens(&["a".into(), "b".into()]), None);
    }

    #[test]
    fn letters_that_a_look_tells_are_what_they_seem() {
        for c in ('\0'..=char::MAX).filter(|&c| is_inert(c)) {
            assert!(once(c).nfkc().eq(once(c)), "{c:?}");
            assert!(canonical_combining_class(c) == 0 && is_nfc_quick(once(c)) == IsNormalized::Yes, "{c:?}");
            assert!(!is_unseen(c, None), "{c:?}");
        }
    }

    #[cfg(feature = "chinese")]
    #[test]
    fn one_form_of_chinese_meets_the_other() {
        let text = "這家酒店服務態度很差";
        let read = |chinese, text: &str| reading(chinese).read(text).map(|read| read.text);
        assert_eq!(read(Chinese::Simplified, text).as_deref(), Some("这家酒店服务态度很差"));
        assert_eq!(read(Chinese::Traditional, "这家酒店服务态度很差").as_deref(), Some(text));
        assert_eq!(read(Chinese::AsIs, text), None);
        // A compatibility ideograph is brought to its own form first.
        assert_eq!(read(Chinese::Simplified, "\u{F902}").as_deref(), Some("车"));
        assert_eq!(read(Chinese::Simplified, "这家，好").as_deref(), Some("这家,好"));
    }

    proptest! {
        #[test]
        fn texts_are_read_as_their_normal_form_is(
            text in "(\\PC|[가-힣]|[\u{1100}-\u{11FF}]|[\u{300}-\u{345}]|[\u{FF01}-\u{FFDC}]|[\u{AD}\u{200B}-\u{200F}\u{FE0F}]|[a-zé ]){0,30}",
        ) {
            let read = read(&text);
            // In normal form but for marks that are not read, whether these stood there or came of what stood there.
            let rest: String = text.nfkc().collect();
            let again = super::tests::read(&rest);
            prop_assert_eq!(again.nfkc().collect::<String>(), read.nfkc().collect::<String>());
        }

        #[test]
        fn every_byte_that_is_read_stands_somewhere(text in "(\\PC|[\u{AD}\u{200B}]|[a-z ]|[\u{FF01}-\u{FFDC}]|[\u{300}-\u{310}]){0,30}") {
            if let Some(read) = reading(Chinese::AsIs).read(&text) {
                let bounds: Vec<usize> = read.text.char_indices().map(|(at, _)| at).chain([read.text.len()]).collect();
                let mut last = None;
                for pair in bounds.windows(2) {
                    let (start, end) = read.original(pair[0], pair[1]);
                    prop_assert!(start < end && text.get(start..end).is_some());
                    if let Some((last_start, last_end)) = last {
                        // One after the other without a gap, or the same.
                        prop_assert!(start == last_end || (start, end) == (last_start, last_end));
                    }
                    last = Some((start, end));
                }
            }
        }
    }
}
