//! Tables of Parquet and Arrow, written by the crates that read them, give what the same rows give as text; and what is not
//! needed of them is not read.

mod histories_in_parquet;
mod pairs_in_parquet;
mod series_in_parquet;
mod texts_in_parquet;
mod written;
