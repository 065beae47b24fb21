//! Looking inside: what a trained model attends to, how well it does, and what it forecasts.

pub mod attribution;
pub mod chart;
pub mod gradcheck;
pub mod page;
pub mod states;
pub mod terminal;
