//! What stands between and around the fields of a table, told or found out.
//!
//! # How it is found out
//! A first line `sep=;`, which spreadsheets write, says it. Else the separator of the extension (comma, in `.tsv` tab) is
//! taken if with it every row has the same number of fields, more than one; else the first of comma, semicolon, tab and bar
//! of which that is true; failing all, the one by which most rows have. Quotes stand around fields in `"`; where tabs or
//! bars separate, only if every field that has quotes at its ends is wholly within them. A backslash before a quote is an
//! escape where rows have the same number of fields only so, or else text would go on behind a closing quote.

use std::fmt;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::file_text::Lines;
use super::layout::Layout;
use super::marks::Mark;

/// How fields are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    /// A quoted field may hold separators, line ends and doubled quotes.
    pub(super) quote: Option<u8>,
    /// Stands before a quote within quotes.
    pub(super) escape: Option<u8>,
}

/// As RFC 4180 has it.
const USUAL: u8 = b',';
/// What separates in the files that people have.
const SEPARATORS: [u8; 4] = [USUAL, b';', b'\t', b'|'];
/// What may separate in others. What stands within words and numbers, too, comes last.
const UNUSUAL: [u8; 13] = *b"^~#&@!%*=/:_ ";
/// How much of a file is looked at first.
const SAMPLE: usize = 256 << 10;

impl Dialect {
    /// With this separator, and all else as it mostly is.
    pub(super) fn of(separator: u8) -> Dialect {
        let quote = if [b'\t', b'|'].contains(&separator) { None } else { Some(b'"') };
        Dialect { separator, quote, escape: None }
    }

    /// A reader of rows.
    pub(super) fn reader<R: std::io::Read>(self, reader: R) -> csv::Reader<R> {
        ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.separator)
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .escape(self.escape)
            .from_reader(reader)
    }

    /// Tells of a quote that is read as one within a field because of what stands before it, where nobody said that it is.
    pub(super) fn tell_escape(self, file: &Path, text: &str, told: &Layout) {
        if let (None, Some(escape), Some(quote)) = (told.escape, self.escape, self.quote)
            && let Some(at) = text.as_bytes().windows(2).position(|pair| pair == [escape, quote])
        {
            let (name, line) = (file.display(), Lines::default().at(text.as_bytes(), at));
            let pair: String = [escape, quote].map(char::from).iter().collect();
            tracing::warn!(
                "{name}, line {line}: {pair} is read as a quote within a field; --escape none reads it as it is"
            );
        }
    }

    /// Whether anything but a separator or a line's end stands behind a quote that closes a field: by another dialect it
    /// might not.
    pub(super) fn goes_on_behind_quote(self, text: &str) -> bool {
        let Some(quote) = self.quote else { return false };
        let text = text.as_bytes();
        let (mut place, mut at_start, mut within) = (0, true, false);
        while let Some(&byte) = text.get(place) {
            place += 1;
            if !within {
                within = at_start && byte == quote;
                at_start = byte == self.separator || byte == b'\n' || byte == b'\r';
            } else if Some(byte) == self.escape {
                place += 1;
            } else if byte == quote {
                match text.get(place) {
                    Some(&next) if next == quote => place += 1,
                    Some(&next) if ![self.separator, b'\r', b'\n'].contains(&next) => return true,
                    _ => within = false,
                }
            }
        }
        false
    }

    /// How many fields the rows of `text` have, blank rows left out; `None` where a quote is never closed.
    fn widths(self, text: &str, whole: bool) -> Option<Vec<usize>> {
        // What stands behind an open quote is no row; see `delimited::rows`.
        const END: &[u8] = b"\n-";
        let mut reader = self.reader(std::io::Read::chain(text.as_bytes(), END));
        let mut record = ByteRecord::new();
        let mut widths = Vec::new();
        let mut last = false;
        while reader.read_byte_record(&mut record).ok()? {
            last = record.len() == 1 && &record[0] == b"-";
            if record.iter().any(|field| !field.trim_ascii().is_empty()) {
                widths.push(record.len());
            }
        }
        match last {
            true => drop(widths.pop()),
            // The part of a file may end within a row.
            false if whole => return None,
            false => drop(widths.pop()),
        }
        Some(widths)
    }
}

impl fmt::Display for Dialect {
    /// Such as `semicolons between the columns, no quotes around them`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.separator {
            b',' => f.write_str("commas")?,
            b';' => f.write_str("semicolons")?,
            b'\t' => f.write_str("tabs")?,
            b'|' => f.write_str("bars (|)")?,
            other => write!(f, "{:?}", char::from(other))?,
        }
        f.write_str(" between the columns")?;
        match self.quote {
            None => f.write_str(", no quotes around them")?,
            Some(b'"') => {}
            Some(other) => write!(f, ", {} around them", char::from(other))?,
        }
        match self.escape {
            None => Ok(()),
            Some(escape) => write!(f, ", {} before a quote within", char::from(escape)),
        }
    }
}

/// How the fields of `text` are told apart, and where its rows begin. `tabs`: whether the format is one of tabs.
pub(super) fn find(text: &str, told: &Layout, tabs: bool) -> (Dialect, usize) {
    let (said, start) = said_by_first_line(text);
    let text = &text[start..];
    let usual = if tabs { b'\t' } else { USUAL };
    let separators: Vec<u8> = match told.separator.map(|separator| separator.0).or(said) {
        Some(separator) => vec![separator],
        None => std::iter::once(usual).chain(SEPARATORS.into_iter().filter(|&other| other != usual)).collect(),
    };
    let found = |text: &str, whole: bool| {
        let candidates: Vec<Dialect> =
            separators.iter().flat_map(|&separator| candidates(text, separator, told)).collect();
        choose(text, &candidates, whole)
    };
    let sample = sample(text);
    let of_sample = found(sample, sample.len() == text.len());
    let right = sample.len() == text.len() || of_sample.widths(text, true).is_some_and(|widths| all_equal(&widths));
    (if right { of_sample } else { found(text, true) }, start)
}

/// A sentence with the character that parts all rows of `text` into as many columns, where none of those does that are looked
/// for; nothing where it was told what separates, or nothing does.
pub(super) fn proposal(text: &str, found: Dialect, told: &Layout) -> Option<String> {
    let text = sample(text);
    let parts = |separator: u8| {
        let widths = Dialect::of(separator).widths(text, false)?;
        let first = widths.first().copied().filter(|&width| width > 1)?;
        (widths.len() > 1 && all_equal(&widths)).then_some(first)
    };
    if told.separator.is_some() || parts(found.separator).is_some() {
        return None;
    }
    let (separator, columns) = UNUSUAL.into_iter().find_map(|separator| Some((separator, parts(separator)?)))?;
    let separator = char::from(separator);
    Some(format!("; if {separator:?} stands between columns, --separator {separator:?} reads {columns} of them"))
}

/// The separator that a first line such as `sep=;` says, and where the next line begins.
fn said_by_first_line(text: &str) -> (Option<u8>, usize) {
    let line = text.split_inclusive('\n').next().unwrap_or_default();
    let said = line.trim_end_matches(['\r', '\n']);
    let said = said.strip_prefix('"').and_then(|said| said.strip_suffix('"')).unwrap_or(said);
    match said.as_bytes() {
        [key @ .., separator] if key.eq_ignore_ascii_case(b"sep=") => (Some(*separator), line.len()),
        _ => (None, 0),
    }
}

/// Whole lines from the beginning.
fn sample(text: &str) -> &str {
    match text.as_bytes().get(..SAMPLE).and_then(|start| start.iter().rposition(|&byte| byte == b'\n')) {
        Some(end) if text.len() > SAMPLE => &text[..=end],
        _ => text,
    }
}

/// With this separator, the likeliest first.
fn candidates(text: &str, separator: u8, told: &Layout) -> Vec<Dialect> {
    let plain = Dialect::of(separator);
    let quotes = match told.quote {
        Some(Mark(quote)) => vec![quote],
        None if plain.quote.is_some() => vec![plain.quote],
        None if fields_are_quoted(text, separator) => vec![Some(b'"'), None],
        None => vec![None, Some(b'"')],
    };
    let escapes = |quote: Option<u8>| match (told.escape, quote) {
        (Some(Mark(escape)), _) => vec![escape],
        (None, Some(quote)) if text.as_bytes().windows(2).any(|pair| pair == [b'\\', quote]) => vec![None, Some(b'\\')],
        (None, _) => vec![None],
    };
    let with = |quote| escapes(quote).into_iter().map(move |escape| Dialect { separator, quote, escape });
    quotes.into_iter().flat_map(with).collect()
}

/// Whether fields stand in quotes: some do, and none has a quote at its beginning or end alone.
fn fields_are_quoted(text: &str, separator: u8) -> bool {
    let fields = text.lines().flat_map(|line| line.split(char::from(separator)));
    let (mut some, mut all) = (false, true);
    for field in fields.filter(|field| field.starts_with('"') || field.ends_with('"')) {
        let within = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
        some |= within.is_some();
        all &= within.is_some_and(|within| within.split("\"\"").all(|part| !part.contains('"')));
    }
    some && all
}

/// The first by which all rows have as many fields, more than one, and no text goes on behind a quote; else the first by
/// which text does; else that by which most rows have as many.
fn choose(text: &str, candidates: &[Dialect], whole: bool) -> Dialect {
    let usual = candidates[0];
    let mut best = (0.0, usual);
    let mut unclean = None;
    for &candidate in candidates {
        let Some(widths) = candidate.widths(text, whole) else { continue };
        // One row tells nothing of what separates, but for what was expected to.
        let enough = widths.len() >= 2 || candidate.separator == usual.separator;
        if enough && all_equal(&widths) && widths.first().is_some_and(|&width| width > 1) {
            if !candidate.goes_on_behind_quote(text) {
                return candidate;
            }
            unclean.get_or_insert(candidate);
        }
        let share = share_of_commonest(&widths);
        // Of most rows and much better, or what was expected stays.
        if enough && share > 0.5 && share > best.0 + 0.25 {
            best = (share, candidate);
        }
    }
    unclean.unwrap_or(best.1)
}

fn all_equal(widths: &[usize]) -> bool {
    widths.windows(2).all(|pair| pair[0] == pair[1])
}

/// The share of rows that have the commonest number of fields above one.
fn share_of_commonest(widths: &[usize]) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for &width in widths.iter().filter(|width| **width > 1) {
        *counts.entry(width).or_insert(0usize) += 1;
    }
    counts.values().max().map_or(0.0, |&most| most as f64 / widths.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::marks::{Separator, name};

    fn found(text: &str, tabs: bool) -> String {
        let (dialect, start) = find(text, &Layout::default(), tabs);
        let mark = |mark: Option<u8>| mark.map_or("none".to_owned(), name);
        format!("{} {} {} {start}", name(dialect.separator), mark(dialect.quote), mark(dialect.escape))
    }

    #[test]
    fn separators_and_quotes_are_found() {
        let cases = [
            ("commas", "text,label\na b,x\nc; d,y\n", false, ", \" none 0"),
            ("semicolons", "text;label\na, b;x\nc, d, e;y\n", false, "; \" none 0"),
            ("semicolons in quotes", "text;label\n\"a; b\";x\nc;y\n", false, "; \" none 0"),
            ("tabs in a csv", "text\tlabel\na, b\tx\nc\ty\n", false, "tab none none 0"),
            ("bars", "text|label\na, b|x\nc|y\n", false, "| none none 0"),
            ("said by the first line", "sep=;\ntext;label\na;x\n", false, "; \" none 6"),
            ("said, in capitals, CR LF", "SEP=|\r\ntext|label\r\n", false, "| none none 7"),
            ("one column", "text\na; b\nc\n", false, ", \" none 0"),
            ("one row", "a; b", false, ", \" none 0"),
            ("tabs with quotes", "text\tlabel\n\"a \"\"b\"\"\"\tx\nc\ty\n", true, "tab \" none 0"),
            ("tabs, an inch", "text\tlabel\n5\"\tx\n\"a\" b\ty\n", true, "tab none none 0"),
            ("tabs, line ends in quotes", "text\tlabel\n\"a\nb\"\tx\n\"c\"\ty\n", true, "tab \" none 0"),
            ("a backslash before quotes", "text,label\n\"a \\\"b, c\\\" d\",x\ne,y\n", false, ", \" \\ 0"),
            ("a backslash without commas", "text,label\n\"a \\\"b\\\" d\",x\ne,y\n", false, ", \" \\ 0"),
            ("text behind a quote", "text,label\n\"a\" b,x\ne,y\n", false, ", \" none 0"),
            ("a backslash as it is", "text,label\n\"a \\\",x\ne,y\n", false, ", \" none 0"),
            ("commas in a tsv", "text,label\na,x\nb,y\n", true, ", \" none 0"),
            ("one row of many is wrong", "t;l\na;x\nb;y\nc;y\nd;x;1\n", false, "; \" none 0"),
            ("a comma too many", "t,l\na,x\nb;c,y\nd,e,x\nf,x\n", false, ", \" none 0"),
        ];
        for (case, text, tabs, expected) in cases {
            assert_eq!(found(text, tabs), expected, "{case}");
        }
    }

    #[test]
    fn what_is_told_is_taken() {
        let told = Layout {
            separator: Some("tab".parse().expect("a separator")),
            quote: Some("'".parse().expect("a mark")),
            escape: Some("none".parse().expect("a mark")),
            ..Layout::default()
        };
        let expected = Dialect { separator: b'\t', quote: Some(b'\''), escape: None };
        assert_eq!(find("a,b\n'c\\'\t', d\n", &told, false), (expected, 0));
        for wrong in ["", "ab", "a", "7", "\n", "é"] {
            assert!(wrong.parse::<Separator>().is_err() && wrong.parse::<Mark>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_else_may_separate_is_proposed() {
        let proposed = |text: &str, told: &Layout| {
            let (dialect, start) = find(text, told, false);
            proposal(&text[start..], dialect, told)
        };
        let none = Layout::default();
        let sentence = proposed("text^label\nso, it is^x\nno^y\n", &none).expect("a proposal");
        assert_eq!(sentence, "; if '^' stands between columns, --separator '^' reads 2 of them");
        assert!(proposed("text label\nso x\nno y\n", &none).is_some_and(|told| told.contains("--separator ' '")));
        for text in ["text,label\na^b,x\n", "a sentence\nand another one\n", "one^row\n", "word\nother\n"] {
            assert_eq!(proposed(text, &none), None, "{text}");
        }
        let told = Layout { separator: Some("tab".parse().expect("a separator")), ..Layout::default() };
        assert_eq!(proposed("text^label\na^x\n", &told), None);
    }

    #[test]
    fn a_row_far_behind_decides_too() {
        let text = format!("text,label\n{}\"say \\\"a, b\\\"\",y\n", "a long row of words,x\n".repeat(20_000));
        assert!(text.len() > SAMPLE);
        assert_eq!(found(&text, false), ", \" \\ 0");
    }
}
