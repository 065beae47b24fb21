//! Lines of fastText: labels that begin with `__label__`, then the text.

/// What a label begins with.
pub(super) const PREFIX: &str = "__label__";

/// The labels of a line, in its order, and its text.
pub(super) fn parts(content: &str) -> (Vec<&str>, &str) {
    let mut rest = content.trim_start();
    let mut labels = Vec::new();
    while let Some(behind) = rest.strip_prefix(PREFIX) {
        let (label, text) = behind.split_once(char::is_whitespace).unwrap_or((behind, ""));
        labels.push(label);
        rest = text.trim_start();
    }
    (labels, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_labels_or_none_and_a_text() {
        assert_eq!(parts("__label__pos great movie "), (vec!["pos"], "great movie "));
        assert_eq!(parts(" __label__neg"), (vec!["neg"], ""));
        assert_eq!(parts("no label here"), (vec![], "no label here"));
        assert_eq!(parts("__label__ empty"), (vec![""], "empty"));
        assert_eq!(parts("__label__a __label__b both"), (vec!["a", "b"], "both"));
    }
}
