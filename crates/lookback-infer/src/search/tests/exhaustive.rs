//! A beam that is wide enough finds what is best of all sequences, with every penalty and every demand.

use super::toy::Toy;
use super::{Request, Search, SearchOptions, found, search, to_the_last_step};
use crate::search::Ending;

const START: u32 = 77;
const END: u32 = 1;

/// A sequence as its definition says, without any search.
#[derive(Clone, Debug)]
struct Sequence {
    tokens: Vec<u32>,
    log_probabilities: Vec<f32>,
    attention: Vec<Vec<f32>>,
    ending: Ending,
}

struct Case {
    options: SearchOptions,
    end: Option<u32>,
    forbidden: &'static [&'static [u32]],
    required: &'static [&'static [u32]],
    prefix: &'static [u32],
}

impl Case {
    fn contains(tokens: &[u32], sequence: &[u32]) -> bool {
        tokens.windows(sequence.len()).any(|window| window == sequence)
    }

    fn missing(&self, tokens: &[u32]) -> usize {
        self.required.iter().filter(|sequence| !Self::contains(tokens, sequence)).count()
    }

    fn may_follow(&self, before: &[u32], token: u32) -> bool {
        let tokens = [before, &[token]].concat();
        let ends = Some(token) == self.end;
        let forced = self.prefix.get(before.len()).is_none_or(|&forced| forced == token);
        let too_early = ends && (before.len() < self.options.min_length || self.missing(before) > 0);
        forced && !too_early && !self.forbidden.iter().any(|sequence| Self::contains(&tokens, sequence))
    }

    /// Every sequence that is complete.
    fn all(&self, toy: &Toy, source: u64, longest: usize) -> Vec<Sequence> {
        let root = Sequence { tokens: vec![], log_probabilities: vec![], attention: vec![], ending: Ending::Longest };
        let (mut open, mut complete) = (vec![root], Vec::new());
        while let Some(sequence) = open.pop() {
            if sequence.tokens.len() == longest {
                complete.push(sequence);
                continue;
            }
            let read = [&[START], &sequence.tokens[..]].concat();
            let (row, attention) = (toy.row(source, &read).0, toy.attention(source, &read));
            let mut is_stuck = true;
            for token in (0..toy.vocabulary as u32).filter(|&token| self.may_follow(&sequence.tokens, token)) {
                let mut longer = sequence.clone();
                longer.log_probabilities.push(row[token as usize]);
                longer.attention.push(attention.clone());
                is_stuck = false;
                if Some(token) == self.end {
                    complete.push(Sequence { ending: Ending::End, ..longer });
                } else {
                    longer.tokens.push(token);
                    open.push(longer);
                }
            }
            if is_stuck {
                complete.push(Sequence { ending: Ending::Stuck, ..sequence });
            }
        }
        complete
    }

    fn score(&self, sequence: &Sequence) -> f64 {
        let steps = sequence.log_probabilities.len() as f64;
        let sum: f64 = sequence.log_probabilities.iter().map(|&value| f64::from(value)).sum();
        let mut score = sum / ((5.0 + steps) / 6.0).powf(self.options.length_penalty);
        for place in 0..sequence.attention.first().map_or(0, Vec::len) {
            let looked: f64 = sequence.attention.iter().map(|weights| f64::from(weights[place])).sum();
            score += self.options.coverage_penalty * looked.min(1.0).ln();
        }
        score
    }

    fn check(&self, name: &str) {
        for source in 0..6 {
            for longest in 0..5 {
                let toy = Toy::new(4, 1.0 + source as f32);
                if self.prefix.len() > longest {
                    continue;
                }
                let mut expected = self.all(&toy, source, longest);
                let class = |sequence: &Sequence| match sequence.ending {
                    Ending::End | Ending::BrokenOff => 0,
                    Ending::Longest => usize::from(self.options.ended_first),
                    Ending::Stuck => 2,
                };
                expected.sort_by(|a, b| {
                    let rank = |sequence: &Sequence| (self.missing(&sequence.tokens), class(sequence));
                    rank(a).cmp(&rank(b)).then(self.score(b).total_cmp(&self.score(a)))
                });
                self.compare(name, &toy, source, longest, &expected);
            }
        }
    }

    fn compare(&self, name: &str, toy: &Toy, source: u64, longest: usize, expected: &[Sequence]) {
        let search: Search = search(self.options.clone(), self.end, self.forbidden);
        let request = Request {
            prefix: self.prefix.to_vec(),
            required: self.required.iter().map(|sequence| sequence.to_vec()).collect(),
            ..Request::new(START, longest)
        };
        let found_early = found(&search, toy, &[source], std::slice::from_ref(&request)).remove(0);
        assert_eq!(found_early, found(&to_the_last_step(&search), toy, &[source], &[request]).remove(0), "{name}");
        assert_eq!(found_early.len(), expected.len().min(self.options.n_best), "{name} {source} {longest}");
        for (found, expected) in found_early.iter().zip(expected) {
            let told = format!("{name}, source {source}, longest {longest}: {found:?} {expected:?}");
            assert_eq!((&found.tokens, found.ending), (&expected.tokens, expected.ending), "{told}");
            assert_eq!(found.log_probabilities, expected.log_probabilities, "{told}");
            assert_eq!(found.missing, self.missing(&expected.tokens), "{told}");
            assert!((found.score - self.score(expected)).abs() < 1e-9, "{told} {}", self.score(expected));
            let sum: f64 = expected.log_probabilities.iter().map(|&value| f64::from(value)).sum();
            assert!((found.log_probability - sum).abs() < 1e-9, "{told}");
            let kept = if self.options.keep_attention { &expected.attention[..] } else { &[] };
            assert_eq!(found.attention, kept, "{told}");
        }
    }
}

/// More hypotheses than there are sequences of 4 tokens.
fn wide() -> SearchOptions {
    SearchOptions { beam: 512, n_best: 9, ..SearchOptions::default() }
}

#[test]
fn a_wide_beam_finds_the_best_of_all_sequences() {
    let case = |options| Case { options, end: Some(END), forbidden: &[], required: &[], prefix: &[] };
    let cases = [
        ("plain", case(wide())),
        ("one", case(SearchOptions { n_best: 1, ..wide() })),
        ("short", case(SearchOptions { length_penalty: 0.6, ..wide() })),
        ("long", case(SearchOptions { length_penalty: 1.0, ended_first: false, ..wide() })),
        ("longest", case(SearchOptions { length_penalty: 3.0, n_best: 1, ..wide() })),
        ("covered", case(SearchOptions { coverage_penalty: 0.4, keep_attention: true, ..wide() })),
        ("all", case(SearchOptions { coverage_penalty: 1.5, length_penalty: 0.8, ended_first: false, ..wide() })),
        ("by score", case(SearchOptions { ended_first: false, ..wide() })),
        ("at least two", case(SearchOptions { min_length: 2, keep_attention: true, ..wide() })),
        ("no end", Case { end: None, ..case(wide()) }),
        ("no end, normalised", Case { end: None, ..case(SearchOptions { length_penalty: 1.0, ..wide() }) }),
        ("begun", Case { prefix: &[2, 0], ..case(SearchOptions { coverage_penalty: 0.4, ..wide() }) }),
    ];
    for (name, case) in cases {
        case.check(name);
    }
}

#[test]
fn a_wide_beam_finds_the_best_of_what_is_allowed() {
    let options = SearchOptions { length_penalty: 0.7, ..wide() };
    let case = || Case { options: options.clone(), end: Some(END), forbidden: &[], required: &[], prefix: &[] };
    let cases = [
        ("a token", Case { forbidden: &[&[2]], ..case() }),
        ("two and three", Case { forbidden: &[&[2, 0], &[0, 0, 3]], ..case() }),
        ("an end", Case { forbidden: &[&[3, END], &[0]], ..case() }),
        ("everything", Case { forbidden: &[&[0], &[1], &[2], &[3]], ..case() }),
        ("dead ends", Case { forbidden: &[&[2, 0], &[2, 1], &[2, 2], &[2, 3]], ..case() }),
        ("behind the prefix", Case { forbidden: &[&[2, 0]], prefix: &[2], ..case() }),
        ("no end ever", Case { forbidden: &[&[END]], ..case() }),
    ];
    for (name, case) in cases {
        case.check(name);
    }
}

#[test]
fn a_wide_beam_finds_the_best_of_what_has_all_that_is_required() {
    let options = SearchOptions { length_penalty: 0.7, ..wide() };
    let case = || Case { options: options.clone(), end: Some(END), forbidden: &[], required: &[], prefix: &[] };
    let cases = [
        ("a token", Case { required: &[&[2]], ..case() }),
        ("a sequence", Case { required: &[&[2, 0]], ..case() }),
        ("a token twice", Case { required: &[&[3, 3]], ..case() }),
        ("overlapping", Case { required: &[&[2, 0], &[0, 3]], ..case() }),
        ("one within another", Case { required: &[&[2, 0, 2], &[0]], ..case() }),
        ("in part forced", Case { required: &[&[2, 0]], prefix: &[2], ..case() }),
        ("more than fits", Case { required: &[&[2, 2, 0], &[3, 0]], ..case() }),
        ("with something forbidden", Case { required: &[&[2], &[0]], forbidden: &[&[2, 0]], ..case() }),
        ("no end", Case { required: &[&[2], &[0]], end: None, ..case() }),
    ];
    for (name, case) in cases {
        case.check(name);
    }
}
