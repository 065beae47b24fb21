//! Translating: a text in, another text out.
//!
//! `metrics` are the figures by which translations are judged.

pub mod metrics;
