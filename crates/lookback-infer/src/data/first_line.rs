//! What the first line tells of inputs that come line by line and of whose format nothing is said.

use std::path::Path;

use super::Column;
use super::lines::LineFormat;
use super::table::json::Place;
use crate::error::DataError;

/// The format of the lines of `file`, of which the first is this one; `asked` as it is unless that is
/// [`LineFormat::Found`].
///
/// # Errors
/// If the line is the header of a table with the trained columns.
pub(super) fn format(file: &Path, first: &str, asked: &LineFormat) -> Result<LineFormat, DataError> {
    let LineFormat::Found { text, trained } = asked else { return Ok(asked.clone()) };
    let names = trained.as_ref().filter(|trained| trained.header).map(|trained| trained.names.as_slice());
    let key = match text {
        Some(Column::Name(name)) => Some(name.as_str()),
        _ => trained.as_ref().and_then(|trained| names?.get(trained.text)).map(String::as_str),
    };
    if is_object(file, first, key) || names.is_some() && begins_array(first) {
        tracing::info!("{}: JSON Lines, by its first line; --format lines takes them for texts", file.display());
        return Ok(LineFormat::JsonLines { text: text.clone(), trained: trained.clone() });
    }
    match key.and_then(|key| Some((key, separator_of_header(first, key)?))) {
        None => Ok(LineFormat::Fasttext),
        Some((key, separator)) => {
            let problem = format!(
                "the line has the column {key:?} of the training data, with {separator} between: --format csv reads a table, and \
                 --format lines takes each line for a text"
            );
            Err(DataError::Line { file: file.into(), line: 1, problem })
        }
    }
}

/// Whether a line is an object with a text under this key.
fn is_object(file: &Path, line: &str, key: Option<&str>) -> bool {
    let Some(key) = key.filter(|_| line.trim_start().starts_with('{')) else { return false };
    let place = Place { file, line: 1 };
    place.object(line).is_ok_and(|object| place.text(&object, key).is_ok())
}

/// Whether an array of objects begins with a line.
fn begins_array(line: &str) -> bool {
    line.trim().strip_prefix('[').is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with('{'))
}

/// What separates the fields of a line of which this name is one, where the line has several.
fn separator_of_header(line: &str, name: &str) -> Option<&'static str> {
    let separators = [(',', "commas"), (';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
    let has_name = |separator: char| {
        let fields: Vec<&str> = line.split(separator).map(|field| field.trim().trim_matches('"')).collect();
        // A sentence may hold the word between its commas; names of columns are short.
        fields.len() > 1 && fields.contains(&name) && fields.iter().all(|field| field.split_whitespace().count() <= 3)
    };
    separators.into_iter().find_map(|(separator, called)| has_name(separator).then_some(called))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::lines::TextLines;
    use crate::data::table::TableColumns;

    fn found(trained: Option<TableColumns>) -> LineFormat {
        LineFormat::Found { text: None, trained }
    }

    fn all(bytes: &[u8], format: LineFormat) -> Vec<String> {
        let lines = TextLines::new(bytes, "<stdin>", format, None);
        lines
            .map(|line| {
                line.map_or_else(|error| format!("error: {error}"), |line| format!("{} {}", line.line, line.text))
            })
            .collect()
    }

    #[test]
    fn the_first_line_tells_objects_and_arrays_and_a_table_is_not_taken_for_texts() {
        let columns = |names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            Some(TableColumns { header: true, names, text: 0, label: Some(1) })
        };
        let objects = b"{\"q\":\"a\",\"n\":\"b\"}\n{\"q\":\"c\"}\n";
        assert_eq!(all(objects, found(columns(&["q", "n"]))), ["1 a", "2 c"]);
        assert_eq!(all(b"[\n{\"q\":\"a\"},\n{\"q\":\"c\"}]\n", found(columns(&["q", "n"]))), ["2 a", "3 c"]);
        // Of texts that look so nothing is known.
        assert_eq!(
            all(b"{not json}\n[1] see there\n", found(columns(&["q", "n"])))[..],
            ["1 {not json}", "2 [1] see there"]
        );
        assert_eq!(all(b"{\"other\":\"a\"}\n", found(columns(&["q", "n"]))), ["1 {\"other\":\"a\"}"]);
        for header in ["q,n\na,b\n", "id;\"q\"\n1;a\n"] {
            let read = all(header.as_bytes(), found(columns(&["q", "n"])));
            assert!(read.len() == 1 && read[0].contains("--format csv reads a table"), "{read:?}");
        }
        let sentence = "where, q, and so on and so forth it goes\n";
        assert_eq!(all(sentence.as_bytes(), found(columns(&["q", "n"]))).len(), 1);
        assert!(!all(sentence.as_bytes(), found(columns(&["q", "n"])))[0].contains("error"));
    }
}
