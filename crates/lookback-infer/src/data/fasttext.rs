//! Lines of fastText: labels that begin with `__label__`, then the text.

/// What a label begins with.
pub(super) const PREFIX: &str = "__label__";

/// The label of a line, where it has one, and its text.
pub(super) fn parts(content: &str) -> Result<(Option<&str>, &str), String> {
    let mut rest = content.trim_start();
    let mut label = None;
    while let Some(behind) = rest.strip_prefix(PREFIX) {
        let (found, text) = behind.split_once(char::is_whitespace).unwrap_or((behind, ""));
        if let Some(first) = label.replace(found) {
            return Err(format!("it has the labels {first:?} and {found:?}; one was expected"));
        }
        rest = text.trim_start();
    }
    Ok((label, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_label_or_none_and_a_text() {
        assert_eq!(parts("__label__pos great movie "), Ok((Some("pos"), "great movie ")));
        assert_eq!(parts(" __label__neg"), Ok((Some("neg"), "")));
        assert_eq!(parts("no label here"), Ok((None, "no label here")));
        assert_eq!(parts("__label__ empty"), Ok((Some(""), "empty")));
        assert!(parts("__label__a __label__b both").is_err_and(|told| told.contains("\"a\" and \"b\"")));
    }
}
