//! Beams as wide as people use them.

use std::collections::HashSet;

use super::toy::Toy;
use super::{Request, SearchOptions, found, search, to_the_last_step};
use crate::search::{Decoder, Ending, Hypothesis, Step};

const START: u32 = 99;
const END: u32 = 0;

fn requests(count: u64) -> Vec<Request> {
    let request = |source| Request { seed: source, ..Request::new(START, 3 + (source as usize * 5) % 17) };
    (0..count).map(request).collect()
}

/// Every kind of search, small.
fn kinds() -> Vec<SearchOptions> {
    let beam = |beam| SearchOptions { beam, n_best: beam.min(3), ..SearchOptions::default() };
    let sample = SearchOptions { sample: true, count: Some(3), seed: Some(5), ..SearchOptions::default() };
    vec![
        beam(1),
        beam(4),
        beam(40),
        SearchOptions { length_penalty: 0.6, coverage_penalty: 0.2, keep_attention: true, ..beam(5) },
        SearchOptions { ended_first: false, length_penalty: 1.0, ..beam(5) },
        SearchOptions { beam_groups: 3, diversity: Some(0.7), length_penalty: 0.6, ..beam(6) },
        SearchOptions { beam_groups: 4, n_best: 4, ..beam(4) },
        sample.clone(),
        SearchOptions { top_k: Some(3), temperature: Some(0.8), repetition_penalty: Some(1.3), ..sample.clone() },
        SearchOptions { top_p: Some(0.9), min_p: Some(0.05), keep_attention: true, ..sample },
    ]
}

#[test]
fn a_source_among_others_is_answered_as_alone_bit_for_bit() {
    for options in kinds() {
        let search = search(options.clone(), Some(END), &[&[3, 3], &[4]]);
        let mut requests = requests(9);
        requests[2].prefix = vec![5, 1];
        requests[5].longest = 0;
        if !options.sample {
            requests[3].required = vec![vec![2, 5], vec![6]];
        }
        let sources: Vec<u64> = (0..9).collect();
        let (together, alone) = (Toy::new(7, 6.0), Toy::new(7, 6.0));
        let all = found(&search, &together, &sources, &requests);
        for (source, request) in requests.iter().enumerate() {
            let one = found(&search, &alone, &[source as u64], std::slice::from_ref(request));
            assert_eq!(one[0], all[source], "{options:?}");
            assert!(!one[0].is_empty());
        }
        // What has ended is in no step any more, and what begins is one row.
        let rows = |toy: &Toy| toy.rows.borrow().iter().sum::<usize>();
        assert_eq!(rows(&together), rows(&alone), "{options:?}");
    }
}

#[test]
fn sources_that_are_looked_through_side_by_side_are_answered_as_alone() {
    const VOCABULARY: usize = 6000;
    let sources: Vec<u64> = (0..24).collect();
    for options in kinds().into_iter().filter(|options| options.beam < 40) {
        let search = search(options.clone(), Some(END), &[&[3, 3], &[4]]);
        let requests: Vec<Request> = sources
            .iter()
            .map(|&source| Request { seed: source, ..Request::new(START, 1 + source as usize % 3) })
            .collect();
        let in_pool = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| found(&search, &Toy::new(VOCABULARY, 9.0), &sources, &requests))
        };
        let one = in_pool(1);
        for threads in [2, 3, 4, 8, 16] {
            assert_eq!(in_pool(threads), one, "{threads} threads, {options:?}");
        }
        let alone = found(&search, &Toy::new(VOCABULARY, 9.0), &[17], &requests[17..18]);
        assert_eq!(alone[0], one[17], "{options:?}");
    }
}

#[test]
fn stopping_early_changes_no_answer_and_saves_steps() {
    let mut saved = 0;
    for options in kinds().into_iter().filter(|options| !options.sample) {
        for n_best in 1..=options.n_best {
            let search = search(SearchOptions { n_best, ..options.clone() }, Some(END), &[]);
            let (early, late) = (Toy::new(6, 9.0), Toy::new(6, 9.0));
            let sources: Vec<u64> = (0..40).collect();
            let requests = requests(40);
            let expected = found(&to_the_last_step(&search), &late, &sources, &requests);
            assert_eq!(found(&search, &early, &sources, &requests), expected, "{options:?}");
            let rows = |toy: &Toy| toy.rows.borrow().iter().sum::<usize>();
            assert!(rows(&early) <= rows(&late));
            saved += rows(&late) - rows(&early);
        }
    }
    assert!(saved > 1000, "{saved}");
}

#[test]
fn a_beam_of_one_takes_the_likeliest_token_at_every_step() {
    let toy = Toy::new(9, 4.0);
    let search = search(SearchOptions { length_penalty: 1.0, ..SearchOptions::default() }, Some(END), &[]);
    let mut ended = 0;
    for source in 0..50 {
        let mut read = vec![START];
        let is_cut = loop {
            let row = toy.row(source, &read).0;
            let likeliest = (0..9).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as u32;
            if likeliest == END {
                break false;
            }
            read.push(likeliest);
            if read.len() == 13 {
                break true;
            }
        };
        let found = found(&search, &toy, &[source], &[Request::new(START, 12)]).remove(0);
        assert_eq!((found.len(), &found[0].tokens[..]), (1, &read[1..]));
        assert_eq!(found[0].ending, if is_cut { Ending::Longest } else { Ending::End });
        ended += usize::from(!is_cut);
    }
    assert!((10..50).contains(&ended), "{ended}");
}

#[test]
fn narrow_beams_find_what_is_required_and_nothing_that_is_forbidden() {
    let toy = Toy::new(12, 8.0);
    let options = SearchOptions { beam: 8, n_best: 3, length_penalty: 0.6, ..SearchOptions::default() };
    let search = search(options, Some(END), &[&[1], &[2, 3], &[4, 5, 6]]);
    let sources: Vec<u64> = (0..60).collect();
    let required = vec![vec![7, 8], vec![5], vec![8, 8, 2]];
    let request = Request { required: required.clone(), ..Request::new(START, 20) };
    for hypotheses in found(&search, &toy, &sources, &vec![request; 60]) {
        for (place, Hypothesis { tokens, missing, .. }) in hypotheses.iter().enumerate() {
            let has = |sequence: &[u32]| tokens.windows(sequence.len()).any(|window| window == sequence);
            let lacking = required.iter().filter(|sequence| !has(sequence)).count();
            assert!(place > 0 || lacking == 0, "{tokens:?}");
            assert_eq!(lacking, *missing);
            assert!(![&[1][..], &[2, 3], &[4, 5, 6]].into_iter().any(has), "{tokens:?}");
        }
    }
}

#[test]
fn a_group_takes_what_earlier_groups_have_not() {
    // Vijayakumar 2018 with groups of one hypothesis each: a token loses by how many earlier groups have it.
    let (toy, groups, longest) = (Toy::new(6, 3.0), 4, 8);
    for strength in [0.0, 0.4, 3.0] {
        let options = SearchOptions {
            beam: groups,
            n_best: groups,
            beam_groups: groups,
            diversity: Some(strength),
            ..SearchOptions::default()
        };
        let search = search(options, Some(END), &[]);
        for source in 0..20 {
            let mut read = vec![vec![START]; groups];
            for step in 1..=longest {
                let mut taken = [0.0f32; 6];
                for tokens in read.iter_mut().filter(|tokens| tokens.len() == step && tokens[step - 1] != END) {
                    let row = toy.row(source, tokens).0;
                    let worth = |token: usize| row[token] - strength as f32 * taken[token];
                    let best = (0..6).reduce(|a, b| if worth(b) > worth(a) { b } else { a }).unwrap();
                    tokens.push(best as u32);
                    taken[best] += if best as u32 == END { 0.0 } else { 1.0 };
                }
            }
            let expected: HashSet<&[u32]> =
                read.iter().map(|tokens| tokens[1..].split(|&token| token == END).next().unwrap()).collect();
            let found = found(&search, &toy, &[source], &[Request::new(START, longest)]).remove(0);
            assert_eq!(found.iter().map(|one| &one.tokens[..]).collect::<HashSet<_>>(), expected, "{strength}");
            assert_eq!(found.len(), expected.len());
        }
    }
}

#[test]
fn unlikely_ends_do_not_cut_off_what_is_nearly_sure() {
    /// Writes 1 to 9 and ends, sure of each; any other token is as unlikely as any.
    struct Sure;
    impl Decoder for Sure {
        type State = Vec<usize>;
        type Error = std::convert::Infallible;
        fn vocabulary(&self) -> usize {
            12
        }
        fn step(&self, state: &mut Vec<usize>, _: &[u32], out: &mut Step) -> Result<(), Self::Error> {
            for (row, place) in state.iter_mut().enumerate() {
                *place += 1;
                for (token, value) in out.log_probabilities()[12 * row..][..12].iter_mut().enumerate() {
                    *value = if token == *place % 10 { 0.978f32 } else { 0.002 }.ln();
                }
            }
            Ok(())
        }
        fn reorder(&self, state: &mut Vec<usize>, rows: &[usize]) {
            *state = rows.iter().map(|&row| state[row]).collect();
        }
    }
    for (beam, length_penalty) in [1, 2, 3, 5, 12].into_iter().flat_map(|beam| [(beam, 0.0), (beam, 1.0)]) {
        let options = SearchOptions { beam, length_penalty, ..SearchOptions::default() };
        let found = search(options, Some(END), &[]).run(&Sure, vec![0], &[Request::new(START, 30)]).unwrap();
        assert_eq!(found[0][0].tokens, [1, 2, 3, 4, 5, 6, 7, 8, 9], "a beam of {beam}");
    }
}

#[test]
fn of_what_is_as_likely_the_lower_token_goes_first() {
    struct Even(usize);
    impl Decoder for Even {
        type State = ();
        type Error = std::convert::Infallible;
        fn vocabulary(&self) -> usize {
            self.0
        }
        fn step(&self, (): &mut (), _: &[u32], out: &mut Step) -> Result<(), Self::Error> {
            out.log_probabilities().fill(-(self.0 as f32).ln());
            Ok(())
        }
        fn reorder(&self, (): &mut (), _: &[usize]) {}
    }
    let options = SearchOptions { beam: 3, n_best: 3, ..SearchOptions::default() };
    let three = search(options.clone(), None, &[]).run(&Even(5), (), &[Request::new(9, 2)]).unwrap();
    let tokens: Vec<_> = three[0].iter().map(|one| one.tokens.clone()).collect();
    assert_eq!(tokens, [[0, 0], [1, 0], [2, 0]]);
    // One token alone: it is the end, or there is no end.
    let only = |end| search(options.clone(), end, &[]).run(&Even(1), (), &[Request::new(9, 3)]).unwrap().remove(0);
    assert_eq!((only(Some(0)).len(), only(Some(0))[0].tokens.len(), only(Some(0))[0].ending), (1, 0, Ending::End));
    assert_eq!((only(None).len(), &only(None)[0].tokens[..], only(None)[0].ending), (1, &[0; 3][..], Ending::Longest));
    assert_eq!(only(None)[0].score, 0.0);
}

#[test]
fn a_source_of_no_steps_has_the_empty_sequence_and_needs_no_decoder() {
    let toy = Toy::new(4, 1.0);
    for options in kinds() {
        let found = found(&search(options.clone(), Some(END), &[]), &toy, &[1], &[Request::new(START, 0)]).remove(0);
        assert_eq!(found.len(), options.count.unwrap_or(1));
        assert!(found.iter().all(|one| one.tokens.is_empty() && one.ending == Ending::Longest && one.score == 0.0));
    }
    assert!(toy.rows.borrow().is_empty());
    let steep = search(SearchOptions { length_penalty: 1e300, ..SearchOptions::default() }, None, &[]);
    assert_eq!(found(&steep, &toy, &[1], &[Request::new(START, 0)])[0][0].score, 0.0);
    let search = search(SearchOptions::default(), None, &[]);
    assert_eq!(found(&search, &toy, &[], &[]), Vec::<Vec<_>>::new());
}

#[test]
fn the_longest_follows_from_the_source_and_never_overflows() {
    let plan = |ratio, offset| {
        let options = SearchOptions {
            max_length: 50,
            max_length_ratio: ratio,
            max_length_offset: offset,
            ..SearchOptions::default()
        };
        search(options, None, &[]).plan().clone()
    };
    assert_eq!((plan(None, None).longest(3), plan(Some(1.5), None).longest(3)), (50, 15));
    assert_eq!((plan(Some(1.5), Some(0)).longest(3), plan(Some(1e300), None).longest(usize::MAX)), (5, 50));
    assert_eq!(plan(Some(2.0), Some(0)).longest(0), 0);
}
