//! Which column is the text and which the label, by what stands in them.

use std::collections::HashMap;

use super::columns::FirstLine;
use super::delimited::Row;

/// How many rows are looked at.
pub(super) const SAMPLE: usize = 1_000;
/// Fewer rows tell nothing.
const ENOUGH: usize = 5;
/// A name of a column is not longer, in words and in characters.
const LONGEST_NAME: (usize, usize) = (4, 40);

/// What stands in a column below the first row.
#[derive(Clone, Copy, Debug, Default)]
struct Profile {
    /// Values that are not blank.
    filled: usize,
    numbers: usize,
    distinct: usize,
    /// Values that stand in one row alone.
    alone: usize,
    /// Characters of all values.
    characters: usize,
    /// Other values with a digit in them.
    ids: usize,
    /// Values that read like texts.
    phrases: usize,
    /// Whether the first row's value comes again.
    comes_again: bool,
}

/// Whether a value reads like a text, of several words or in a script that may not part them.
pub(super) fn is_phrase(value: &str) -> bool {
    value.split_whitespace().nth(1).is_some() || value.contains(is_unparted)
}

/// Whether a letter is of a script without spaces between words: Chinese, Japanese, Thai and others of the east.
fn is_unparted(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x2E80..=0x9FFF | 0x20000..=0x3FFFF)
}

/// What stands in each column below the first row.
#[derive(Debug)]
pub(super) struct Profiles {
    rows: usize,
    columns: Vec<Profile>,
}

impl Profiles {
    /// Of rows that begin with the first of the file, whether that is a header or not.
    pub(super) fn new(rows: &[Row]) -> Profiles {
        // A row that is the only one is no header.
        let below: Vec<&Row> =
            rows.iter().skip(usize::from(rows.len() > 1)).take(SAMPLE).filter(|row| !row.is_blank()).collect();
        let width = rows.first().map_or(0, |row| row.fields.len());
        let column = |place: usize| {
            let mut profile = Profile::default();
            let mut counts: HashMap<&str, usize> = HashMap::new();
            for row in &below {
                let value = row.fields.get(place).unwrap_or_default().trim();
                if value.is_empty() {
                    continue;
                }
                profile.filled += 1;
                profile.numbers += usize::from(value.parse::<f64>().is_ok());
                profile.characters += value.chars().count();
                let is_phrase = is_phrase(value);
                profile.phrases += usize::from(is_phrase);
                profile.ids += usize::from(!is_phrase && value.contains(|c: char| c.is_ascii_digit()));
                *counts.entry(value).or_default() += 1;
            }
            profile.distinct = counts.len();
            profile.alone = counts.values().filter(|&&count| count == 1).count();
            let first = rows.first().and_then(|row| row.fields.get(place)).unwrap_or_default().trim();
            profile.comes_again = counts.contains_key(first);
            profile
        };
        Profiles { rows: below.len(), columns: (0..width).map(column).collect() }
    }

    /// Whether the values tell anything.
    fn are_enough(&self) -> bool {
        self.rows >= ENOUGH
    }

    /// Whether the values are classes: few, each in several rows.
    fn is_label(&self, place: usize) -> bool {
        self.columns.get(place).is_some_and(|column| {
            column.filled > 0 && 2 * column.distinct <= column.filled && column.characters <= 40 * column.filled
        })
    }

    /// Whether the values are texts: words, and hardly one comes again.
    fn is_text(&self, place: usize) -> bool {
        self.columns.get(place).is_some_and(|column| {
            column.filled > 0
                && 10 * column.numbers < column.filled
                && 2 * column.distinct > column.filled
                && column.characters >= 6 * column.filled
        })
    }

    /// Whether the values look like ids and those of another column like texts.
    pub(super) fn is_id_beside_texts(&self, place: usize) -> bool {
        let is_id = |column: &Profile| column.filled > 0 && column.ids == column.filled;
        let is_text = |column: &Profile| 2 * column.phrases > column.filled;
        self.columns.get(place).is_some_and(is_id) && self.columns.iter().any(is_text)
    }

    /// The place of the only column of texts, if there is one. `but`: a column that is something else.
    pub(super) fn text(&self, but: Option<usize>) -> Option<usize> {
        self.are_enough().then(|| self.only(but, |place| self.is_text(place))).flatten()
    }

    /// The place of the only column of classes, if there is one.
    pub(super) fn label(&self, but: Option<usize>) -> Option<usize> {
        self.are_enough().then(|| self.only(but, |place| self.is_label(place))).flatten()
    }

    fn only(&self, but: Option<usize>, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let mut places = (0..self.columns.len()).filter(|&place| Some(place) != but && fits(place));
        places.next().filter(|_| places.next().is_none())
    }

    /// Whether the first row names the columns: it has a word where all other rows have numbers, or in place of a class
    /// something that is no class of another row while theirs come again; and nothing in it is too long for a name.
    pub(super) fn first_is_header(&self, first: &FirstLine<'_>, label: Option<usize>) -> bool {
        let over_numbers = |place: usize| {
            let (column, field) = (self.columns[place], first.fields[place].trim());
            column.filled > 1 && column.numbers == column.filled && !field.is_empty() && field.parse::<f64>().is_err()
        };
        let over_classes = |place: usize| {
            let column = self.columns[place];
            !column.comes_again && column.alone == 0 && self.is_label(place) && !first.fields[place].trim().is_empty()
        };
        let enough = self.are_enough() && self.columns.len() == first.fields.len();
        enough
            && first.fields.iter().all(|field| is_name(field))
            && ((0..self.columns.len()).any(over_numbers) || label.is_some_and(over_classes))
    }
}

fn is_name(field: &str) -> bool {
    let field = field.trim();
    field.split_whitespace().count() <= LONGEST_NAME.0 && field.chars().count() <= LONGEST_NAME.1
}

/// Whether the first row names the columns of a table with several labels in one: it has one word there that no other row has,
/// while each of their labels comes again; and nothing in it is too long for a name.
/// `labels`: those of a field.
pub(super) fn first_is_header_of_several(rows: &[Row], place: usize, labels: impl Fn(&str) -> Vec<String>) -> bool {
    let labels = |row: &Row| -> Vec<String> {
        let field = row.fields.get(place).unwrap_or_default();
        labels(field).into_iter().filter(|label| !label.is_empty()).collect()
    };
    let Some((first, below)) = rows.split_first() else { return false };
    let below: Vec<&Row> = below.iter().take(SAMPLE).filter(|row| !row.is_blank()).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    below.iter().flat_map(|row| labels(row)).for_each(|label| *counts.entry(label).or_default() += 1);
    let names = labels(first);
    below.len() >= ENOUGH
        && names.len() == 1
        && !counts.contains_key(&names[0])
        && !counts.is_empty()
        && counts.values().all(|&count| count > 1)
        && first.fields.iter().all(is_name)
}
