//! What cannot be searched for, and decoders that give what is none.

use thiserror::Error;

use super::toy::Toy;
use super::{Request, SearchOptions, found, search};
use crate::search::{Decoder, Ending, SearchError, SearchPlan, Step};

/// A decoder that gives the same row at every step, or fails.
struct Given<'a> {
    row: &'a [f32],
    normalizer: f32,
    attention: Option<&'a [f32]>,
}

#[derive(Clone, Debug, PartialEq, Error)]
#[error("the decoder is broken")]
struct Broken;

impl Decoder for Given<'_> {
    type State = ();
    type Error = Broken;

    fn vocabulary(&self) -> usize {
        self.row.len()
    }

    fn step(&self, (): &mut (), tokens: &[u32], out: &mut Step) -> Result<(), Broken> {
        if self.row.len() == 2 {
            return Err(Broken);
        }
        out.log_probabilities().chunks_exact_mut(self.row.len()).for_each(|row| row.copy_from_slice(self.row));
        out.normalizers().fill(self.normalizer);
        for weights in tokens.iter().filter_map(|_| self.attention) {
            out.attend(weights);
        }
        Ok(())
    }

    fn reorder(&self, (): &mut (), _: &[usize]) {}
}

fn given(row: &[f32]) -> Given<'_> {
    Given { row, normalizer: 0.0, attention: None }
}

#[test]
fn what_a_decoder_gives_and_is_no_log_probability_is_an_error() {
    let beam = SearchOptions { beam: 3, ..SearchOptions::default() };
    let sample = SearchOptions { sample: true, ..SearchOptions::default() };
    for options in [SearchOptions::default(), beam.clone(), sample.clone()] {
        for value in [f32::NAN, f32::INFINITY, 2.5] {
            let row = [-1.0, -1.0, value];
            let found = search(options.clone(), Some(0), &[]).run(&given(&row), (), &[Request::new(0, 5)]);
            let said = found.unwrap_err().to_string();
            assert!(said.contains("as the log-probability of token 2 at step 0 of source 0"), "{said}");
        }
        let broken = search(options, Some(0), &[]).run(&given(&[-1.0; 2]), (), &[Request::new(0, 5)]);
        assert_eq!(broken, Err(SearchError::Decoder(Broken)));
    }
    let penalty = SearchOptions { repetition_penalty: Some(1.1), ..sample };
    let decoder = Given { normalizer: f32::NAN, ..given(&[-1.0; 3]) };
    let said = search(penalty, None, &[]).run(&decoder, (), &[Request::new(0, 5)]).unwrap_err().to_string();
    assert!(said.starts_with("the decoder gave NaN as what the logits were above"), "{said}");
    for weights in [None, Some(&[0.5, f32::NAN][..]), Some(&[f32::INFINITY]), Some(&[-0.1])] {
        let decoder = Given { attention: weights, ..given(&[-1.0; 3]) };
        let options = SearchOptions { coverage_penalty: 0.1, ..beam.clone() };
        let said = search(options, None, &[]).run(&decoder, (), &[Request::new(0, 5)]).unwrap_err().to_string();
        assert!(said.contains("attention"), "{said}");
    }
}

#[test]
fn what_cannot_go_on_is_stuck_and_no_error() {
    let none = [f32::NEG_INFINITY; 3];
    for sample in [false, true] {
        let options = SearchOptions { sample, ..SearchOptions::default() };
        let found = search(options, Some(0), &[]).run(&given(&none), (), &[Request::new(0, 5)]).unwrap();
        assert_eq!((found[0].len(), found[0][0].ending, found[0][0].tokens.len()), (1, Ending::Stuck, 0));
    }
}

#[test]
fn what_a_source_asks_for_and_cannot_have_is_told() {
    let toy = Toy::new(5, 1.0);
    let search = search(SearchOptions::default(), Some(0), &[&[2, 3], &[4]]);
    let cases = [
        (Request { prefix: vec![1; 4], ..Request::new(0, 3) }, "must begin with 4 tokens, but may have only 3"),
        (Request { prefix: vec![7], ..Request::new(0, 3) }, "must begin with token 7, but the decoder has only 5"),
        (Request { prefix: vec![1, 0], ..Request::new(0, 3) }, "must begin with token 0, which is the end"),
        (Request { prefix: vec![1, 2, 3], ..Request::new(0, 3) }, "in which [2, 3] is forbidden"),
        (Request { required: vec![vec![]], ..Request::new(0, 3) }, "a sequence of no tokens"),
        (Request { required: vec![vec![5]], ..Request::new(0, 3) }, "must contain token 5, but"),
        (Request { required: vec![vec![1, 4]], ..Request::new(0, 3) }, "in which [4] is forbidden"),
    ];
    for (request, expected) in cases {
        let said = search.run(&toy, toy.begin(&[0, 1]), &[Request::new(0, 3), request]).unwrap_err().to_string();
        assert!(said.starts_with("source 1 ") && said.contains(expected), "{said}");
    }
    let samples = super::search(SearchOptions { sample: true, ..SearchOptions::default() }, None, &[]);
    let request = Request { required: vec![vec![1]], ..Request::new(0, 3) };
    let said = samples.run(&toy, toy.begin(&[0]), &[request]).unwrap_err().to_string();
    assert!(said.contains("leave out --sample"), "{said}");
    for (end, forbidden) in [(Some(5), &[][..]), (None, &[&[1u32, 9][..]][..])] {
        let search = super::search(SearchOptions::default(), end, forbidden);
        let said = search.run(&toy, toy.begin(&[0]), &[Request::new(0, 3)]).unwrap_err().to_string();
        assert!(said.contains("but the decoder has only 5"), "{said}");
    }
    assert!(search.clone().with_forbidden(vec![vec![]]).is_err());
    let impossible = [-1.0, f32::NEG_INFINITY, -1.0];
    let request = Request { prefix: vec![1], ..Request::new(0, 3) };
    let search = super::search(SearchOptions::default(), None, &[]);
    let said = search.run(&given(&impossible), (), &[request]).unwrap_err().to_string();
    assert!(said.contains("must begin with token 1 at step 0, but its probability there is zero"), "{said}");
    assert!(matches!(search.run(&given(&[]), (), &[]), Err(SearchError::Unfit(_))));
}

#[test]
fn options_that_do_not_go_together_are_told() {
    let of = SearchOptions::default;
    let sample = || SearchOptions { sample: true, ..of() };
    let cases = [
        (SearchOptions { beam: 0, ..of() }, "--beam is 0"),
        (SearchOptions { beam: 1 << 20, ..of() }, "--beam is 1048576; it must be from 1 to 10000"),
        (SearchOptions { n_best: 2, ..of() }, "--n-best is 2, but only --beam 1"),
        (SearchOptions { beam: 6, beam_groups: 4, ..of() }, "--beam-groups is 4, which does not divide --beam 6"),
        (SearchOptions { diversity: Some(1.0), ..of() }, "--diversity is between groups"),
        (SearchOptions { beam: 2, beam_groups: 2, diversity: Some(f64::NAN), ..of() }, "--diversity is NaN"),
        (SearchOptions { length_penalty: -1.0, ..of() }, "--length-penalty is -1"),
        (SearchOptions { coverage_penalty: f64::INFINITY, ..of() }, "--coverage-penalty is inf"),
        (SearchOptions { min_length: 300, ..of() }, "--min-length is 300, but --max-length is 256"),
        (SearchOptions { max_length: usize::MAX, ..of() }, "--max-length is"),
        (SearchOptions { max_length_ratio: Some(-1.0), ..of() }, "--max-length-ratio is -1"),
        (SearchOptions { max_length_offset: Some(3), ..of() }, "--max-length-offset is added to what"),
        (SearchOptions { top_k: Some(3), ..of() }, "--top-k is of sampling; add --sample"),
        (SearchOptions { seed: Some(3), ..of() }, "--seed is of sampling; add --sample"),
        (SearchOptions { beam: 3, ..sample() }, "--beam is of beam search"),
        (SearchOptions { count: Some(0), ..sample() }, "--count is 0"),
        (SearchOptions { temperature: Some(-0.5), ..sample() }, "--temperature is -0.5; it must be 0, or from"),
        (SearchOptions { temperature: Some(f64::NAN), ..sample() }, "--temperature is NaN"),
        (SearchOptions { top_k: Some(0), ..sample() }, "--top-k is 0"),
        (SearchOptions { top_p: Some(0.0), ..sample() }, "--top-p is 0; it must be above 0 and at most 1"),
        (SearchOptions { min_p: Some(1.5), ..sample() }, "--min-p is 1.5"),
        (SearchOptions { repetition_penalty: Some(0.0), ..sample() }, "--repetition-penalty is 0"),
        (SearchOptions { seed: Some(u64::MAX), ..sample() }, "--seed is"),
    ];
    for (options, expected) in cases {
        let said = SearchPlan::new(&options).unwrap_err().to_string();
        assert!(said.starts_with(expected), "{said}");
    }
    let text = serde_json::to_string(&sample()).unwrap();
    assert_eq!(serde_json::from_str::<SearchOptions>(&text).unwrap(), sample());
    assert_eq!(serde_json::from_str::<SearchOptions>("{\"beam\": 1}").unwrap(), of());
}

#[test]
fn the_largest_of_everything_that_a_plan_takes_is_searched() {
    let toy = Toy::new(3, 1.0);
    let options = SearchOptions {
        beam: 10_000,
        n_best: 10_000,
        length_penalty: 1e300,
        coverage_penalty: 1e300,
        ..SearchOptions::default()
    };
    let found = found(&search(options, Some(0), &[]), &toy, &[1], &[Request::new(0, 6)]);
    assert!(!found[0].is_empty());
}
