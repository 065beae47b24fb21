//! What is tried.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use toml::{Table, Value};

/// An option of a task, and values of it that are worth trying.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The option, as a configuration has it.
    pub option: &'static str,
    /// Its values.
    pub values: Vec<Value>,
}

impl Choice {
    /// Of values of any type that TOML has.
    pub fn new<V: Into<Value>>(option: &'static str, values: impl IntoIterator<Item = V>) -> Choice {
        Choice { option, values: values.into_iter().map(Into::into).collect() }
    }
}

/// Candidates, drawn from a seed one after the other: options to be laid over what was said. The first has none.
#[derive(Debug)]
pub struct Candidates {
    choices: Vec<Choice>,
    rng: ChaCha8Rng,
    drawn: Vec<Table>,
}

impl Candidates {
    /// From these choices.
    pub fn new(choices: Vec<Choice>, seed: u64) -> Candidates {
        Candidates { choices, rng: ChaCha8Rng::seed_from_u64(seed), drawn: Vec::new() }
    }

    /// The next one that was not drawn before and is `allowed`; none where there seems to be no other.
    pub fn draw(&mut self, allowed: impl Fn(&Table) -> bool) -> Option<(usize, Table)> {
        /// Draws after which there seems to be no other.
        const TRIES: usize = 200;
        if self.drawn.is_empty() {
            self.drawn.push(Table::new());
            return Some((0, Table::new()));
        }
        for _ in 0..TRIES {
            let mut candidate = Table::new();
            for Choice { option, values } in &self.choices {
                // Half of the options stay as they are, so that a candidate differs in a few.
                if !values.is_empty() && self.rng.random_bool(0.5) {
                    let place = self.rng.random_range(0..values.len());
                    candidate.insert((*option).to_owned(), values[place].clone());
                }
            }
            if !self.drawn.contains(&candidate) && allowed(&candidate) {
                self.drawn.push(candidate.clone());
                return Some((self.drawn.len() - 1, candidate));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices() -> Vec<Choice> {
        vec![Choice::new("hidden", [8, 16]), Choice::new("cell", ["gru", "lstm"])]
    }

    #[test]
    fn the_first_is_what_was_said_and_the_same_seed_draws_the_same() {
        let drawn = |seed: u64| {
            let mut candidates = Candidates::new(choices(), seed);
            (0..6).map_while(|_| candidates.draw(|_| true)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1)[0], (0, Table::new()));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn none_comes_twice_and_there_is_an_end() {
        let mut candidates = Candidates::new(choices(), 0);
        let no_lstm = |table: &Table| table.get("cell").and_then(Value::as_str) != Some("lstm");
        let all: Vec<Table> = std::iter::from_fn(|| candidates.draw(no_lstm)).map(|(_, table)| table).collect();
        // Three of hidden, with the one that says nothing of it, by two of cell.
        assert_eq!(all.len(), 6, "{all:?}");
        assert!((1..6).all(|place| !all[..place].contains(&all[place])), "{all:?}");
    }
}
