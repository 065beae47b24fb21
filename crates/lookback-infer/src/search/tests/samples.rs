//! Samples are as frequent as they are likely, and the same whenever they are drawn again.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::toy::Toy;
use super::{Request, SearchOptions, found, search};
use crate::search::Ending;

const START: u32 = 42;
const END: u32 = 2;

fn sampling(count: usize) -> SearchOptions {
    SearchOptions { sample: true, count: Some(count), ..SearchOptions::default() }
}

#[test]
fn whole_sequences_are_as_frequent_as_they_are_likely() {
    const COUNT: usize = 10_000;
    let toy = Toy::new(4, 3.0);
    for (source, temperature) in [(0, 1.0f64), (3, 0.5), (4, 2.0)] {
        let options = SearchOptions { temperature: Some(temperature), ..sampling(COUNT) };
        let samples = found(&search(options, Some(END), &[]), &toy, &[source], &[Request::new(START, 2)]).remove(0);
        assert_eq!(samples.len(), COUNT);
        // All samples begin from one row.
        assert_eq!(toy.rows.take()[0], 1);
        let mut counts: HashMap<Vec<u32>, usize> = HashMap::new();
        for sample in samples {
            *counts.entry(sample.tokens).or_default() += 1;
        }
        let probabilities = |read: &[u32]| {
            let row = toy.row(source, read).0;
            let powers: Vec<f64> = row.iter().map(|&value| (f64::from(value) / temperature).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|power| power / sum).collect::<Vec<f64>>()
        };
        let first = probabilities(&[START]);
        let mut expected = vec![(vec![], first[END as usize])];
        for one in [0, 1, 3] {
            let second = probabilities(&[START, one]);
            expected.push((vec![one], first[one as usize] * second[END as usize]));
            expected.extend([0, 1, 3].map(|two| (vec![one, two], first[one as usize] * second[two as usize])));
        }
        for (tokens, probability) in expected {
            let count = counts.get(&tokens).copied().unwrap_or(0) as f64;
            let deviation = (COUNT as f64 * probability * (1.0 - probability)).sqrt();
            assert!((count - COUNT as f64 * probability).abs() < 4.5 * deviation, "{tokens:?} {count} {probability}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_samples_and_another_seed_others() {
    let toy = Toy::new(20, 2.0);
    let draw = |seed, of_source, count| {
        let options = SearchOptions { seed: Some(seed), ..sampling(count) };
        let request = Request { seed: of_source, ..Request::new(START, 8) };
        found(&search(options, None, &[]), &toy, &[1], &[request]).remove(0)
    };
    let samples = draw(1, 1, 4);
    assert_eq!(samples, draw(1, 1, 4));
    assert_eq!(samples[..2], draw(1, 1, 2));
    assert!(samples[0].tokens != samples[1].tokens);
    assert!(samples != draw(2, 1, 4) && samples != draw(1, 2, 4));
}

#[test]
fn the_log_probabilities_of_a_sample_are_the_decoders() {
    let toy = Toy::new(6, 3.0);
    let options = SearchOptions {
        temperature: Some(0.3),
        top_k: Some(4),
        repetition_penalty: Some(2.0),
        length_penalty: 1.0,
        ..sampling(5)
    };
    let request = Request { prefix: vec![3, 1], ..Request::new(START, 9) };
    let samples = found(&search(options, Some(END), &[]), &toy, &[1], &[request]).remove(0);
    assert_eq!(toy.rows.borrow()[..3], [1, 1, 1], "forced tokens are one row");
    for sample in samples {
        assert_eq!(sample.tokens[..2], [3, 1]);
        let mut read = vec![START];
        for (&token, &found) in sample.tokens.iter().chain([&END]).zip(&sample.log_probabilities) {
            assert_eq!(found, toy.row(1, &read).0[token as usize]);
            read.push(token);
        }
        let sum: f64 = sample.log_probabilities.iter().map(|&value| f64::from(value)).sum();
        let normalized = sum / ((5.0 + sample.log_probabilities.len() as f64) / 6.0);
        assert!((sample.log_probability - sum).abs() < 1e-9 && (sample.score - normalized).abs() < 1e-9);
    }
}

#[test]
fn a_temperature_of_zero_is_greedy_search() {
    let toy = Toy::new(8, 3.0);
    let request = Request::new(START, 9);
    let cold = SearchOptions { temperature: Some(0.0), top_p: Some(0.5), ..sampling(2) };
    for source in 0..20 {
        let greedy =
            found(&search(SearchOptions::default(), Some(END), &[]), &toy, &[source], std::slice::from_ref(&request));
        let cold = found(&search(cold.clone(), Some(END), &[]), &toy, &[source], std::slice::from_ref(&request));
        assert!(cold[0] == [greedy[0][0].clone(), greedy[0][0].clone()], "{source}");
    }
}

#[test]
fn a_penalty_that_is_strong_enough_repeats_nothing() {
    let toy = Toy::new(12, 2.0);
    let options = SearchOptions { temperature: Some(0.01), repetition_penalty: Some(100.0), ..sampling(3) };
    let search = search(options, None, &[]);
    let request = Request { prefix: vec![4], history: vec![9, 500], ..Request::new(START, 11) };
    for sample in found(&search, &toy, &[3], &[request]).remove(0) {
        let mut tokens = sample.tokens;
        tokens.push(9);
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 12);
    }
}

#[test]
fn tokens_are_told_as_they_are_drawn_and_can_be_broken_off() {
    let toy = Toy::new(6, 2.0);
    let greedy = SearchOptions::default();
    for (options, count) in [(sampling(3), 3), (greedy, 1)] {
        let search = search(options, Some(END), &[]);
        let requests = [Request { prefix: vec![4, 4], ..Request::new(START, 9) }, Request::new(START, 5)];
        let plain = found(&search, &toy, &[0, 1], &requests);
        let mut told = vec![vec![Vec::new(); count]; 2];
        let told_only = search.run_watched(&toy, toy.begin(&[0, 1]), &requests, |certain| {
            told[certain.source_row][certain.sample].push(certain.token);
            ControlFlow::Continue(())
        });
        assert_eq!(told_only.unwrap(), plain);
        for (source, forced) in [(0, 2), (1, 0)] {
            let tokens: Vec<_> = plain[source].iter().map(|one| one.tokens[forced..].to_vec()).collect();
            assert_eq!(told[source], tokens);
        }
        // Three and what stands before it.
        let stops = |certain: crate::search::Certain| match certain.token {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let stopped = search.run_watched(&toy, toy.begin(&[0, 1]), &requests, stops).unwrap();
        for (stopped, plain) in stopped.iter().flatten().zip(plain.iter().flatten()) {
            let place = plain.tokens.iter().position(|&token| token == 3);
            let expected = place.map_or(&plain.tokens[..], |place| &plain.tokens[..=place]);
            assert_eq!(stopped.tokens, expected);
            assert_eq!(stopped.ending, if place.is_some() { Ending::BrokenOff } else { plain.ending });
        }
    }
}
