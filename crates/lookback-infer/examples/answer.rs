//! Answers texts with a trained model, in a program of a few megabytes that starts in milliseconds:
//! `cargo run --release -p lookback-infer --example answer --no-default-features -- model.safetensors "where is my parcel"`

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, texts)) = arguments.split_first() else { return Err("usage: answer MODEL TEXT..".into()) };
    let model = lookback_infer::load(Path::new(path))?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for answer in model.answer_lines(&texts)? {
        println!("{}", answer.line);
    }
    Ok(())
}
