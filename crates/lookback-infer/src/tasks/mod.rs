//! The tasks: one folder each, with the same file names. No task imports another.

pub mod classify;
