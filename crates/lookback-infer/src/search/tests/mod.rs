//! The search held to every sequence that there is, on decoders whose log-probabilities depend on all that came before.

mod beams;
mod exhaustive;
mod refused;
mod samples;
mod toy;

use super::{Hypothesis, Request, Search, SearchOptions, SearchPlan};
use toy::Toy;

/// A search by options that must go together.
fn search(options: SearchOptions, end: Option<u32>, forbidden: &[&[u32]]) -> Search {
    let plan = SearchPlan::new(&options).unwrap();
    Search::new(plan, end).with_forbidden(forbidden.iter().map(|sequence| sequence.to_vec()).collect()).unwrap()
}

/// The same search that goes on to the last step, whatever is proven.
fn to_the_last_step(search: &Search) -> Search {
    let mut search = search.clone();
    search.plan.stops_early = false;
    search
}

/// What is found for the sources of a toy that have these numbers.
fn found(search: &Search, toy: &Toy, sources: &[u64], requests: &[Request]) -> Vec<Vec<Hypothesis>> {
    search.run(toy, toy.begin(sources), requests).unwrap()
}
