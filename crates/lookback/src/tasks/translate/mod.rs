//! Training translators; how they answer is `lookback_infer::tasks::translate`.

mod network;
#[cfg(test)]
mod tests;

pub use network::Network;
