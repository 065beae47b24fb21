//! Schemes: found, read, converted, and what may stand behind what.

use proptest::prelude::*;

use super::*;

const ALL: [Scheme; 7] =
    [Scheme::Io, Scheme::Iob1, Scheme::Bio, Scheme::Bioes, Scheme::Bilou, Scheme::Bmes, Scheme::Bmewo];

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The scheme of sentences, with a bar between any two.
fn found(sentences: &str) -> Scheme {
    let sentences: Vec<Vec<String>> = sentences.split('|').map(words).collect();
    Scheme::find(sentences.iter().map(Vec::as_slice))
}

#[test]
fn the_scheme_is_found_by_the_letters_and_by_where_they_stand() {
    let cases = [
        ("NN VB", Scheme::None),
        ("O O", Scheme::None),
        ("B-PER I-PER O NN", Scheme::None),
        ("FW-IN B-X", Scheme::None),
        ("O- B-X", Scheme::None),
        ("B-PER I-PER O | B-LOC", Scheme::Bio),
        ("O I-PER I-PER I-LOC", Scheme::Io),
        ("I-PER B-PER O I-LOC", Scheme::Iob1),
        ("I-PER B-LOC O B-PER B-X", Scheme::Bio),
        ("B-PER E-PER O S-LOC", Scheme::Bioes),
        ("B-PER I-PER E-PER S-LOC", Scheme::Bioes),
        ("S-PER O", Scheme::Bioes),
        ("B-v M-v E-v S-n", Scheme::Bmes),
        ("B E S S", Scheme::Bmes),
        ("B M E S", Scheme::Bmes),
        ("B I O", Scheme::Bio),
        ("B-PER L-PER U-LOC O", Scheme::Bilou),
        ("B-PER M-PER E-PER W-LOC O", Scheme::Bmewo),
        ("B-PER M-PER L-PER", Scheme::None),
    ];
    for (sentences, expected) in cases {
        assert_eq!(found(sentences), expected, "{sentences}");
    }
}

#[test]
fn a_scheme_that_is_said_has_all_tags() {
    let sentences = [words("B-PER O"), words("E-PER")];
    let of = |said: Option<Scheme>| {
        let sentences = sentences.iter().map(Vec::as_slice);
        Scheme::of(said, std::path::Path::new("a"), sentences).map_err(|error| error.to_string())
    };
    assert_eq!(of(None), Ok(Scheme::Bioes));
    assert_eq!(of(Some(Scheme::Bmes)), Ok(Scheme::Bmes));
    assert_eq!(of(Some(Scheme::None)), Ok(Scheme::None));
    let expected = "--scheme is bio, but the tag \"E-PER\" is none of it; --scheme none takes tags as they are";
    assert_eq!(of(Some(Scheme::Bio)), Err(expected.to_owned()));
    for scheme in ALL {
        assert_eq!(Scheme::of(Some(scheme), std::path::Path::new("a"), std::iter::empty()), Ok(scheme));
    }
}

/// Spans as "label start-end".
fn shown(spans: &[Span]) -> String {
    let show = |span: &Span| format!("{} {}-{}", span.label, span.start, span.end);
    spans.iter().map(show).collect::<Vec<_>>().join(", ")
}

#[test]
fn spans_are_read_in_every_scheme() {
    let cases = [
        (Scheme::Bio, "B-A I-A O B-B B-B I-B", "A 0-2, B 3-4, B 4-6"),
        (Scheme::Bio, "I-A I-A O I-B I-A", "A 0-2, B 3-4, A 4-5"),
        (Scheme::Iob1, "I-A I-A B-A O I-B", "A 0-2, A 2-3, B 4-5"),
        (Scheme::Io, "I-A I-A I-B O", "A 0-2, B 2-3"),
        (Scheme::Bioes, "S-A S-A B-B I-B E-B O E-A", "A 0-1, A 1-2, B 2-5, A 6-7"),
        (Scheme::Bilou, "U-A U-A B-B I-B L-B", "A 0-1, A 1-2, B 2-5"),
        (Scheme::Bmes, "S B E B M E", " 0-1,  1-3,  3-6"),
        (Scheme::Bmewo, "W-A B-B M-B E-B O", "A 0-1, B 1-4"),
        (Scheme::Bio, "X B-A", "A 1-2"),
        (Scheme::None, "B-A I-A", ""),
        (Scheme::Bio, "", ""),
    ];
    for (scheme, tags, expected) in cases {
        assert_eq!(shown(&scheme.spans(&words(tags))), expected, "{scheme}: {tags}");
    }
    assert_eq!(shown(&Scheme::Bio.strict_spans(&words("I-A B-A I-A I-B"))), "A 1-3");
    assert_eq!(shown(&Scheme::Bmes.strict_spans(&words("B-v M-v E-n S-x E-v B-v E-v"))), "x 3-4, v 5-7");
}

#[test]
fn tags_are_converted_and_mended() {
    let cases = [
        (Scheme::Bio, Scheme::Bioes, "B-A I-A I-A O B-B B-B", "B-A I-A E-A O S-B S-B"),
        (Scheme::Bioes, Scheme::Bilou, "B-A I-A E-A O S-B", "B-A I-A L-A O U-B"),
        (Scheme::Iob1, Scheme::Bio, "I-A B-A I-B O", "B-A B-A B-B O"),
        (Scheme::Bio, Scheme::Iob1, "B-A B-A B-B O B-B", "I-A B-A I-B O I-B"),
        (Scheme::Bmes, Scheme::Bio, "B M E S", "B I I B"),
        (Scheme::Bio, Scheme::Bio, "O I-A I-A B-A I-B", "O B-A I-A B-A B-B"),
        (Scheme::Bioes, Scheme::Bioes, "B-A O I-A E-B", "S-A O S-A S-B"),
        (Scheme::None, Scheme::Bio, "NN I-A", "NN I-A"),
        (Scheme::Bio, Scheme::Io, "B-A B-A O", "I-A I-A O"),
    ];
    for (from, to, tags, expected) in cases {
        assert_eq!(from.convert(&words(tags), to).join(" "), expected, "{from} to {to}: {tags}");
    }
}

#[test]
fn what_may_stand_side_by_side_is_what_spans_are_spelt_with() {
    let may = |scheme: Scheme, tags: &str| {
        let tags = words(tags);
        let side_by_side = tags.windows(2).all(|pair| scheme.allowed(&pair[0], &pair[1]));
        scheme.may_start(&tags[0]) && side_by_side && tags.last().is_some_and(|last| scheme.may_end(last))
    };
    let cases = [
        (Scheme::Bio, "B-A I-A B-A O", "I-A", "O I-A", "B-A I-B"),
        (Scheme::Iob1, "I-A B-A I-B I-A", "B-A", "O B-A", "I-A B-B"),
        (Scheme::Bioes, "B-A I-A E-A S-A O", "B-A", "B-A O", "B-A E-B"),
        (Scheme::Bilou, "B-A I-A L-A U-A O", "I-A L-A", "U-A L-A", "B-A U-A"),
        (Scheme::Bmes, "B M E S B E", "M", "B S", "E E"),
    ];
    for (scheme, right, wrong, broken, other) in cases {
        assert!(may(scheme, right), "{scheme}: {right}");
        for tags in [wrong, broken, other] {
            assert!(!may(scheme, tags), "{scheme}: {tags}");
        }
    }
    assert!(may(Scheme::Io, "I-A I-B O") && may(Scheme::None, "I-A B-A"));
}

#[test]
fn transitions_leave_a_path_for_every_length() {
    let of = |scheme, tags: &str| Transitions::of(scheme, &words(tags));
    let bio = of(Scheme::Bio, "O B-A I-A");
    assert_eq!((bio.start, bio.end, bio.is_free), (vec![true, true, false], vec![true; 3], false));
    assert_eq!(bio.between, [true, true, false, true, true, true, true, true, true]);
    let words = of(Scheme::Bmes, "B E");
    assert!(words.is_free && words.start == [true, true] && words.between == [true; 4], "no word of one character");
    assert!(!of(Scheme::Bmes, "B E S").is_free);
    assert!(of(Scheme::None, "X Y").is_free && of(Scheme::Io, "O I-A").is_free);
}

proptest! {
    #[test]
    fn spans_survive_every_scheme(
        spans in prop::collection::vec((0usize..3, 1usize..4, 0usize..3), 0..6),
        scheme in 0usize..7,
    ) {
        let scheme = ALL[scheme];
        // In a scheme of I and O alone, spans of one label must not touch.
        let mut tags: Vec<String> = Vec::new();
        for (gap, length, label) in spans {
            tags.extend(vec!["O".to_owned(); gap + usize::from(scheme == Scheme::Io)]);
            let label = ["A", "B-C", ""][label];
            let tag = |letter: &str| if label.is_empty() { letter.to_owned() } else { format!("{letter}-{label}") };
            tags.push(tag("B"));
            tags.extend(vec![tag("I"); length - 1]);
        }
        let written = Scheme::Bio.convert(&tags, scheme);
        prop_assert_eq!(scheme.spans(&written), Scheme::Bio.spans(&tags));
        prop_assert_eq!(scheme.strict_spans(&written), Scheme::Bio.spans(&tags));
        prop_assert_eq!(scheme.convert(&written, Scheme::Bio), tags);
        let allowed = written.windows(2).all(|pair| scheme.allowed(&pair[0], &pair[1]));
        prop_assert!(allowed);
        prop_assert!(written.first().is_none_or(|tag| scheme.may_start(tag)));
        prop_assert!(written.last().is_none_or(|tag| scheme.may_end(tag)));
    }

    #[test]
    fn mended_tags_spell_the_same_spans_and_break_no_rule(letters in "[OBIES]{0,12}", labels in "[AB]{12}", scheme in 0usize..4) {
        let scheme = [Scheme::Iob1, Scheme::Bio, Scheme::Bioes, Scheme::Bmes][scheme];
        let tag = |(letter, label): (char, char)| if letter == 'O' { "O".into() } else { format!("{letter}-{label}") };
        let tags: Vec<String> = letters.chars().zip(labels.chars()).map(tag).collect();
        let mended = scheme.convert(&tags, scheme);
        prop_assert_eq!(scheme.spans(&mended), scheme.spans(&tags));
        prop_assert!(mended.windows(2).all(|pair| scheme.allowed(&pair[0], &pair[1])));
        prop_assert_eq!(scheme.convert(&mended, scheme), mended);
    }
}
