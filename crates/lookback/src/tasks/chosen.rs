//! What is chosen by the data where nobody says otherwise.

use std::fmt::Display;

/// What was chosen: options by name, and their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen(pub(super) Vec<(&'static str, String)>);

impl Chosen {
    /// `value` for an option of which nothing is said.
    pub(super) fn fill<T: Clone + Display>(&mut self, name: &'static str, option: &mut Option<T>, value: T) {
        if option.is_none() {
            self.0.push((name, value.to_string()));
            *option = Some(value);
        }
    }

    /// `--hidden 64 --epochs 15`
    pub(super) fn in_words(&self) -> String {
        self.0.iter().map(|(name, value)| format!("--{name} {value}")).collect::<Vec<_>>().join(" ")
    }
}
