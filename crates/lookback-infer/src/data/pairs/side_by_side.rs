//! Sources in the lines of one file, and their targets in those of another.

use std::path::Path;

use super::{PairOptions, Read, pair};
use crate::data::encoding::Decoded;
use crate::data::file_text;
use crate::error::{DataError, counted};

/// The pairs of two files; lines that are blank in both are left out.
pub(super) fn read(file: &Path, target_file: &Path, options: &PairOptions) -> Result<Read, DataError> {
    let (name, target_name) = (file_text::name(file), file_text::name(target_file));
    if file == target_file {
        let problem = "the sources and the targets cannot both be in this file; --target-file names another".to_owned();
        return Err(DataError::Columns { file: name, problem });
    }
    let sources = file_text::read(file, options.layout.encoding)?;
    let targets = file_text::read(target_file, options.layout.encoding)?;
    let (mut source_lines, mut target_lines) = (lines(&sources), lines(&targets));
    if source_lines.len() != target_lines.len() {
        // Blank lines at the end of one of them are no pairs.
        drop_blank_end(&mut source_lines);
        drop_blank_end(&mut target_lines);
    }
    if source_lines.len() != target_lines.len() {
        return Err(DataError::UnequalLines {
            file: name,
            lines: source_lines.len(),
            other: target_name,
            other_lines: target_lines.len(),
        });
    }
    tell(&name, &sources, source_lines.len(), "sources");
    tell(&target_name, &targets, target_lines.len(), "targets");
    let both = (1..).zip(source_lines.into_iter().zip(target_lines));
    let filled = both.filter(|(_, (source, target))| !source.trim().is_empty() || !target.trim().is_empty());
    let row = |(line, (source, target)): (usize, (&str, &str))| {
        pair((&name, line), source.to_owned(), (&target_name, line), vec![target.to_owned()])
    };
    Ok(Read { rows: filled.map(row).collect(), columns: None })
}

fn lines(decoded: &Decoded) -> Vec<&str> {
    decoded.text.lines().collect()
}

fn drop_blank_end(lines: &mut Vec<&str>) {
    let filled = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    lines.truncate(filled);
}

fn tell(name: &Path, decoded: &Decoded, count: usize, what: &str) {
    let (name, encoding, lines) = (name.display(), decoded.encoding, counted(count, "line"));
    match decoded.guessed {
        false => tracing::info!("{name}: {encoding}, {lines} of {what}"),
        true => {
            tracing::warn!("{name}: {encoding}, {lines} of {what}; the encoding was found out, --encoding says another")
        }
    }
}
