//! Spans of tags, as `seqeval` 1.2.2 reads them; its rules stand in `metrics/sequence_labeling.py` and `scheme.py`.

use super::{Part, Scheme, Span};

/// A part and its label.
type Tag<'a> = (Part, &'a str);

/// Outside of everything, as it is before the first tag and behind the last.
const OUTSIDE: Tag<'static> = (Part::Outside, "");

/// `get_entities`.
pub(super) fn spans(tags: &[Tag<'_>]) -> Vec<Span> {
    let (mut spans, mut start, mut before) = (Vec::new(), 0, OUTSIDE);
    for (place, &tag) in tags.iter().chain([&OUTSIDE]).enumerate() {
        if ends(before, tag) {
            spans.push(Span { label: before.1.to_owned(), start, end: place });
        }
        if starts(before, tag) {
            start = place;
        }
        before = tag;
    }
    spans
}

/// `end_of_chunk`: whether a span ends between two tags.
fn ends((before, of): Tag<'_>, (tag, label): Tag<'_>) -> bool {
    match (before, tag) {
        (Part::Outside, _) => false,
        (Part::End | Part::Single, _) => true,
        (Part::Begin | Part::Inside, Part::Begin | Part::Single | Part::Outside) => true,
        _ => of != label,
    }
}

/// `start_of_chunk`: whether a span starts at the second of two tags.
fn starts((before, of): Tag<'_>, (tag, label): Tag<'_>) -> bool {
    match (before, tag) {
        (_, Part::Outside) => false,
        (_, Part::Begin | Part::Single) => true,
        (Part::End | Part::Single | Part::Outside, Part::End | Part::Inside) => true,
        _ => of != label,
    }
}

/// `Tokens.entities`: only what starts, goes on and ends as the scheme has it. `seqeval` has no scheme of I and O alone, which has
/// nothing that could be wrong.
pub(super) fn strict_spans(scheme: Scheme, tags: &[Tag<'_>]) -> Vec<Span> {
    if scheme == Scheme::Io {
        return spans(tags);
    }
    let tag = |place: usize| tags.get(place).copied().unwrap_or(OUTSIDE);
    let (mut spans, mut place, mut before) = (Vec::new(), 0, OUTSIDE);
    while place < tags.len() {
        if starts_strictly(scheme, before, tag(place)) {
            let mut end = place + 1;
            while goes_on(scheme, tag(end - 1), tag(end)) {
                end += 1;
            }
            if ends_strictly(scheme, tag(end - 1), tag(end)) {
                spans.push(Span { label: tag(place).1.to_owned(), start: place, end });
            }
            place = end;
        } else {
            place += 1;
        }
        before = tag(place - 1);
    }
    spans
}

/// `start_patterns`.
fn starts_strictly(scheme: Scheme, (before, of): Tag<'_>, (tag, label): Tag<'_>) -> bool {
    match scheme {
        Scheme::Iob1 => match (before, tag) {
            (Part::Outside | Part::Begin, Part::Inside) => true,
            (Part::Inside, Part::Inside) => of != label,
            (Part::Inside | Part::Begin, Part::Begin) => of == label,
            _ => false,
        },
        _ => matches!(tag, Part::Begin | Part::Single),
    }
}

/// `inside_patterns`.
fn goes_on(scheme: Scheme, (before, of): Tag<'_>, (tag, label): Tag<'_>) -> bool {
    let ends = !matches!(scheme, Scheme::Iob1 | Scheme::Bio);
    let inside = tag == Part::Inside || ends && tag == Part::End;
    matches!(before, Part::Begin | Part::Inside) && inside && of == label
}

/// `end_patterns`.
fn ends_strictly(scheme: Scheme, (before, of): Tag<'_>, (tag, label): Tag<'_>) -> bool {
    match (scheme, before) {
        (Scheme::Iob1 | Scheme::Bio, Part::Begin | Part::Inside) => match tag {
            Part::Outside => true,
            Part::Inside => of != label,
            // Of IOB1 a B behind the B of another label ends nothing there.
            Part::Begin => scheme == Scheme::Bio || before == Part::Inside || of == label,
            _ => false,
        },
        _ => matches!(before, Part::End | Part::Single),
    }
}
