//! Looking inside: what a trained model attends to, and how well it does.

pub mod terminal;
