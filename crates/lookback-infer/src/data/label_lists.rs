//! Labels that stand in a cell as a list, as Python and JSON write one: `['a', 'b']`, `["a", "b"]`.

use serde_json::Value;

/// Lists within lists are none, however many there are; a label may hold a bracket or two.
const MOST_BRACKETS: usize = 64;

/// The labels of a cell that holds such a list, of words, numbers or truth values.
pub(super) fn list(cell: &str) -> Option<Vec<String>> {
    let cell = cell.trim();
    let is_deep = || cell.bytes().filter(|byte| matches!(byte, b'[' | b'{')).nth(MOST_BRACKETS).is_some();
    if !(cell.starts_with('[') && cell.ends_with(']')) || is_deep() {
        return None;
    }
    // JSON5 takes words in single quotes and a comma at the end, as Python does.
    let values: Vec<Value> = json5::from_str(cell).ok()?;
    let label = |value: Value| match value {
        Value::String(label) => Some(label.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(label) => Some(label.to_string()),
        _ => None,
    };
    values.into_iter().map(label).collect()
}

/// Whether cells hold such lists: all that are not blank do, and there is one.
pub(super) fn are_lists<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    let mut filled = cells.filter(|cell| !cell.trim().is_empty()).peekable();
    filled.peek().is_some() && filled.all(|cell| list(cell).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_python_and_of_json_are_read() {
        let cases: [(&str, Option<&[&str]>); 9] = [
            ("['a', 'b c']", Some(&["a", "b c"])),
            (" [\"a\",\"b\"] ", Some(&["a", "b"])),
            ("[\"it's\", 'so']", Some(&["it's", "so"])),
            ("['it\\'s', 'a, b']", Some(&["it's", "a, b"])),
            ("[1, 2]", Some(&["1", "2"])),
            ("[]", Some(&[])),
            ("[a, b]", None),
            ("['a'", None),
            ("[['a']]", None),
        ];
        for (cell, expected) in cases {
            let labels = list(cell);
            assert_eq!(
                labels.as_deref().map(|labels| labels.iter().map(String::as_str).collect()),
                expected.map(<[&str]>::to_vec),
                "{cell}"
            );
        }
        assert_eq!(list(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), None, "no deeper than the stack");
        assert!(are_lists(["['a']", "", "[]"].into_iter()) && !are_lists([""].into_iter()));
        assert!(!are_lists(["['a']", "b"].into_iter()), "one is none");
    }
}
