//! Runs of words that an answer has in another place than the reference.

use std::cmp::Reverse;

use super::distance::{Edit, Table};

/// The longest run that is shifted, and how far.
const LONGEST: usize = 10;
const FARTHEST: usize = 50;
/// So many shifts are tried of a text.
const TRIED: usize = 1000;

/// What can be shifted: a run of words at a place of the answer that the reference has at another.
struct Run {
    answer: usize,
    reference: usize,
    length: usize,
}

/// A shift that was tried: what it saves, then what decides among equals, and the words behind it.
struct Shift {
    rank: (isize, usize, Reverse<usize>, Reverse<usize>),
    words: Vec<usize>,
}

/// Where the words of answer and reference stand in each other, and which of them are wrong.
struct Alignment {
    /// Behind how many words of the answer each word of the reference stands, itself among them.
    behind: Vec<usize>,
    reference_wrong: Vec<bool>,
    answer_wrong: Vec<bool>,
}

/// The fewest edits and shifts that are found: one shift after the other, each time that which saves most, as tercom does.
pub(super) fn edits(answer: &[usize], reference: &[usize]) -> usize {
    if reference.is_empty() {
        return answer.len();
    }
    let mut table = Table::new(reference, answer.len());
    let (mut words, mut shifts, mut tried) = (answer.to_vec(), 0, 0);
    loop {
        let best = best_shift(&words, reference, &mut table, &mut tried);
        if tried >= TRIED {
            break;
        }
        match best {
            Some(Shift { rank: (saved, ..), words: shifted }) if saved > 0 => {
                words = shifted;
                shifts += 1;
            }
            _ => break,
        }
    }
    shifts + table.fill(&words, 0)
}

/// The best shift, if there is any. `tried`: how many were tried, which is counted on.
fn best_shift(words: &[usize], reference: &[usize], table: &mut Table<'_>, tried: &mut usize) -> Option<Shift> {
    let before = table.fill(words, 0);
    let alignment = Alignment::new(&table.edits());
    // The words that the table is filled with, of which a shift leaves the first as they are.
    let mut filled = words.to_vec();
    let mut best: Option<Shift> = None;
    for run in runs(words, reference) {
        if !alignment.may_gain(&run) {
            continue;
        }
        for target in alignment.targets(&run) {
            let shifted = shifted(words, run.answer, run.length, target);
            let known = filled.iter().zip(&shifted).take_while(|(one, other)| one == other).count();
            let saved = before as isize - table.fill(&shifted, known) as isize;
            filled.clone_from(&shifted);
            *tried += 1;
            let rank = (saved, run.length, Reverse(run.answer), Reverse(target));
            if best.as_ref().is_none_or(|best| rank > best.rank) {
                best = Some(Shift { rank, words: shifted });
            }
        }
        if *tried >= TRIED {
            break;
        }
    }
    best
}

/// All runs of words that both have, at places not too far from each other; of each its beginnings as well.
fn runs<'a>(answer: &'a [usize], reference: &'a [usize]) -> impl Iterator<Item = Run> + 'a {
    let near = move |place: usize| place.saturating_sub(FARTHEST)..(place + FARTHEST + 1).min(reference.len());
    let places = (0..answer.len()).flat_map(move |one| near(one).map(move |other| (one, other)));
    places.flat_map(move |(one, other)| {
        let same = answer[one..].iter().zip(&reference[other..]).take(LONGEST).take_while(|(a, b)| a == b).count();
        (1..=same).map(move |length| Run { answer: one, reference: other, length })
    })
}

/// The words with a run of them moved before the one at `target`; counted, where that is behind the run, in words of the answer.
fn shifted(words: &[usize], start: usize, length: usize, target: usize) -> Vec<usize> {
    let end = start + length;
    let run = &words[start..end];
    match target {
        _ if target < start => [&words[..target], run, &words[target..start], &words[end..]].concat(),
        _ if target > end => [&words[..start], &words[end..target], run, &words[target..]].concat(),
        _ => {
            // Within the run: it goes as far behind as the target stands in it.
            let to = (length + target).min(words.len());
            [&words[..start], &words[end.min(to)..to], run, &words[to..]].concat()
        }
    }
}

impl Alignment {
    fn new(edits: &[Edit]) -> Alignment {
        let mut alignment = Alignment { behind: Vec::new(), reference_wrong: Vec::new(), answer_wrong: Vec::new() };
        for &edit in edits {
            let is_wrong = edit != Edit::Keep;
            if edit != Edit::Insert {
                alignment.answer_wrong.push(is_wrong);
            }
            if edit != Edit::Delete {
                alignment.behind.push(alignment.answer_wrong.len());
                alignment.reference_wrong.push(is_wrong);
            }
        }
        alignment
    }

    /// Whether something is wrong at both ends, and the run does not stand there already.
    fn may_gain(&self, run: &Run) -> bool {
        let wrong = |wrong: &[bool], start: usize| wrong[start..start + run.length].contains(&true);
        let behind = self.behind[run.reference];
        wrong(&self.answer_wrong, run.answer)
            && wrong(&self.reference_wrong, run.reference)
            && !(run.answer + 1..run.answer + 1 + run.length).contains(&behind)
    }

    /// Before which words of the answer the run may be put: where the reference has it, and behind each word that it has there.
    fn targets(&self, run: &Run) -> Vec<usize> {
        let first = run.reference.checked_sub(1).map_or(0, |before| self.behind[before]);
        let others = self.behind[run.reference..].iter().copied().take(run.length);
        let mut targets: Vec<usize> = std::iter::once(first).chain(others).collect();
        targets.dedup();
        targets
    }
}
