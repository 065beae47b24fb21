//! Tables of fastText's lines; the rules stand in the documentation of the parent module.

use std::path::Path;

use super::{Found, Labels, Read, TableColumns, TableOptions, TextExample};
use crate::data::fasttext::parts;
use crate::error::DataError;

/// The examples, with nothing checked.
pub(super) fn read(file: &Path, text: &str, options: &TableOptions) -> Result<(Vec<Read>, Found), DataError> {
    let told = [("text", &options.text), ("label", &options.label)];
    if let Some((option, _)) = told.into_iter().find(|(_, column)| column.is_some()) {
        let problem = format!("--{option} names a column, but lines of fastText have none");
        return Err(DataError::Line { file: file.into(), line: 1, problem });
    }
    let lines = (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty());
    let example = |(line, content)| {
        let (labels, text) = parts(content);
        let read = if options.labels == Labels::Ignored { &[] } else { labels.as_slice() };
        let labels = read.iter().map(|&label| label.to_owned()).collect();
        Read::new(line, Ok(TextExample { text: text.to_owned(), labels, line }))
    };
    let examples = lines.map(example).collect();
    let columns = TableColumns { header: false, names: vec!["1".into(), "2".into()], text: 1, label: Some(0) };
    Ok((examples, Found { form: "lines of fastText".into(), columns }))
}
