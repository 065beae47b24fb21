//! What can be wrong with a person's data or model file.
//!
//! Every message is one sentence that names the file, the line (counted from 1), the value found and what was
//! expected, so that it can be shown as it is.

mod data;
mod model_file;
pub(crate) mod place;
pub mod plan;

use thiserror::Error;

pub use self::data::DataError;
pub(crate) use self::data::quoted;
pub use self::model_file::ModelFileError;
pub use self::plan::PlanError;

/// A result whose error is [`enum@Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of reading data or reading and writing model files.
#[derive(Debug, Error)]
pub enum Error {
    /// The data are not as expected.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model file cannot be read or written.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
    /// The network's numbers overflow.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// What is asked for does not go with the model.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The network's numbers outgrew what 32 bits hold, so that there is no answer.
#[derive(Clone, Debug, Default, PartialEq, Error)]
#[error(
    "the network's answer is not a finite number, for its sums overflow; the largest weight is {weight:e}, in the tensor \"{tensor}\""
)]
pub struct Overflow {
    /// The tensor with the largest weight.
    pub tensor: String,
    /// That weight.
    pub weight: f32,
}

/// What a parser of JSON or TOML says, without the names that types have in Rust:
/// `invalid type: map, expected usize` becomes `found an object, expected a whole number`.
pub fn in_plain_words(said: &str) -> String {
    let (said, place) = said.rfind(" at line ").map_or((said, ""), |at| said.split_at(at));
    let Some((found, expected)) = said.rsplit_once(", expected ") else { return format!("{said}{place}") };
    let found = match found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: ")) {
        None => found.to_owned(),
        Some("sequence" | "array" | "tuple") => "found a list".to_owned(),
        Some("map" | "table" | "struct") => "found an object".to_owned(),
        Some("unit value" | "null" | "Option value") => "found null".to_owned(),
        Some(value) => match value.split_once(' ') {
            // TOML's parser adds the type of a number that is too long: "`99999999999999999999` as i128".
            Some(("boolean" | "integer", value)) => {
                let value = value.split_once("` as ").map_or(value, |(value, _)| value);
                format!("found {}", value.trim_matches('`'))
            }
            _ => match value.strip_prefix("floating point ") {
                Some(value) => format!("found {}", value.trim_matches('`')),
                None => format!("found the {value}"),
            },
        },
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or above",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "any valid TOML value" => "a whole number of at most 64 bits",
        "a boolean" | "bool" => "true or false",
        "a sequence" => "a list",
        "option" => "a value",
        other if ["struct ", "enum ", "tuple ", "map", "unit "].iter().any(|kind| other.contains(kind)) => "an object",
        other => other,
    };
    format!("{found}, expected {expected}{place}")
}

/// "1 field", "2 fields".
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::in_plain_words;
    use serde::Deserialize;

    #[test]
    fn parsers_speak_without_the_types_of_the_program() {
        #[derive(Debug, Deserialize)]
        struct Inner {
            #[serde(rename = "n")]
            _n: usize,
        }
        let json = |text: &str| in_plain_words(&serde_json::from_str::<Vec<Inner>>(text).unwrap_err().to_string());
        let cases = [
            (r#"[{"n": [1]}]"#, "found a list, expected a whole number, 0 or above at line 1"),
            (r#"[{"n": "map, u8"}]"#, "found the string \"map, u8\", expected a whole number"),
            (r#"[{"n": -2}]"#, "found -2, expected a whole number"),
            (r#"[{"n": 1.5}]"#, "found 1.5, expected a whole number"),
            (r#"[{"n": null}]"#, "found null, expected a whole number"),
            (r#"[3]"#, "found 3, expected an object"),
            (r#"{}"#, "found an object, expected a list"),
            (r#"[{}]"#, "missing field `n`"),
        ];
        for (text, expected) in cases {
            let said = json(text);
            assert!(said.starts_with(expected), "{text}: {said}");
        }
        let numbers = serde_json::from_str::<Vec<f32>>("[true]").unwrap_err().to_string();
        assert!(in_plain_words(&numbers).starts_with("found true, expected a number"), "{numbers}");
    }
}
