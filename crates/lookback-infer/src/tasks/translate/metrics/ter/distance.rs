//! Edit distance near the diagonal, with the edits.

use std::ops::Range;

/// How far from the diagonal edits are looked for.
const BEAM: usize = 25;

/// What makes an answer of a reference, word by word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Keep,
    Substitute,
    /// A word of the reference that the answer lacks.
    Insert,
    /// A word of the answer that the reference lacks.
    Delete,
}

/// The table of distances between the beginnings of an answer and of a reference.
///
/// Only a band around the diagonal is there, so that memory is in proportion to the two lengths. Answers of one length share it:
/// [`Table::fill`] goes on behind the words that it knows.
pub(super) struct Table<'a> {
    reference: &'a [usize],
    /// Words of every answer.
    length: usize,
    rows: Vec<Row>,
}

/// The distances of one beginning of the answer; those outside the band are infinite.
struct Row {
    start: usize,
    cells: Vec<(usize, Edit)>,
}

impl Row {
    /// The distance to the first `place` words of the reference.
    fn distance(&self, place: usize) -> usize {
        self.edit(place).map_or(usize::MAX, |(distance, _)| distance)
    }

    fn edit(&self, place: usize) -> Option<(usize, Edit)> {
        self.cells.get(place.checked_sub(self.start)?).copied()
    }
}

impl<'a> Table<'a> {
    /// For answers of `length` words.
    pub(super) fn new(reference: &'a [usize], length: usize) -> Table<'a> {
        let first = Row { start: 0, cells: (0..=reference.len()).map(|distance| (distance, Edit::Insert)).collect() };
        Table { reference, length, rows: vec![first] }
    }

    /// The distance of an answer, of which the first `known` words are those of the answer that was filled in last.
    pub(super) fn fill(&mut self, answer: &[usize], known: usize) -> usize {
        self.rows.truncate(known + 1);
        for place in self.rows.len()..=answer.len() {
            let row = self.row(place, answer[place - 1]);
            self.rows.push(row);
        }
        self.rows.last().map_or(0, |row| row.distance(self.reference.len()))
    }

    /// The row of the first `place` words of the answer, the last of which is `word`.
    fn row(&self, place: usize, word: usize) -> Row {
        let (above, band) = (&self.rows[place - 1], self.band(place));
        let mut row = Row { start: band.start, cells: Vec::with_capacity(band.len()) };
        for column in band {
            if column == 0 {
                row.cells.push((above.distance(0).saturating_add(1), Edit::Delete));
                continue;
            }
            let (cost, kept) = if word == self.reference[column - 1] { (0, Edit::Keep) } else { (1, Edit::Substitute) };
            // The first of those that are equal, in the order that tercom has.
            let edits = [
                (above.distance(column - 1).saturating_add(cost), kept),
                (above.distance(column).saturating_add(1), Edit::Delete),
                (row.distance(column - 1).saturating_add(1), Edit::Insert),
            ];
            row.cells.push(edits.into_iter().min_by_key(|(distance, _)| *distance).unwrap_or(edits[0]));
        }
        row
    }

    /// The places of the reference that are looked at behind the first `place` words of the answer.
    fn band(&self, place: usize) -> Range<usize> {
        let (length, all) = (self.length.max(1), self.reference.len());
        // Where the two differ much in length, the bands of neighbours would not meet.
        let half = (all as f64 / length as f64) / 2.0;
        let beam = if (BEAM as f64) < half { (half + BEAM as f64).ceil() as usize } else { BEAM };
        let diagonal = (place as f64 * (all as f64 / length as f64)).floor() as usize;
        let end = if place == self.length { all + 1 } else { (diagonal + beam).min(all + 1) };
        diagonal.saturating_sub(beam)..end
    }

    /// The edits of the answer that was filled in last, from its beginning.
    pub(super) fn edits(&self) -> Vec<Edit> {
        let (mut row, mut column) = (self.rows.len() - 1, self.reference.len());
        let mut edits = Vec::new();
        while row > 0 || column > 0 {
            let Some((_, edit)) = self.rows[row].edit(column) else { break };
            edits.push(edit);
            if edit != Edit::Insert {
                row -= 1;
            }
            if edit != Edit::Delete {
                column -= 1;
            }
        }
        edits.reverse();
        edits
    }
}
