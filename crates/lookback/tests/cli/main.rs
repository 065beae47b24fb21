//! The program as people run it: every test starts the real binary on small files it writes itself.

mod answers;
mod attention;
mod bad_data;
mod bad_model;
mod bad_options;
mod chart;
mod configuration;
mod copying;
mod embeddings;
mod fallback;
mod files;
mod forecast;
mod forecast_outputs;
mod generate;
mod init;
#[cfg(target_os = "linux")]
mod memory;
mod messages;
mod monotonic;
mod numbers;
mod parquet;
mod program;
mod resources;
mod resume;
mod series;
mod series_files;
mod several_labels;
mod stop;
mod stream;
mod tag;
mod text;
mod told;
mod translate;
mod translate_training;
mod tune;
mod unicode;
