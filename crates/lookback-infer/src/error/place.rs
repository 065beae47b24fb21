//! Where in a file an example stands.

use std::path::Path;

/// The extensions of tables that store column after column, Parquet and Arrow, and so have no lines.
const WITHOUT_LINES: [&str; 6] = [".parquet", ".pq", ".arrow", ".arrows", ".feather", ".ipc"];
/// Those that packed files have behind theirs.
const PACKED: [&str; 3] = [".gz", ".zst", ".zstd"];

/// Whether a file has rows and no lines, by its name.
pub(crate) fn has_rows_only(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = PACKED.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    WITHOUT_LINES.iter().any(|end| name.ends_with(end))
}

/// What messages count in a file: its lines, or rows where it has none.
pub(crate) fn unit(file: &Path) -> &'static str {
    if has_rows_only(file) { "row" } else { "line" }
}

/// The file and the line, or row, counted from 1; of a table without lines the names of its columns stand in no row, which is 0.
pub(super) fn at(file: &Path, line: usize) -> String {
    match line {
        0 => file.display().to_string(),
        _ => format!("{}, {} {line}", file.display(), unit(file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_columns_have_rows_and_other_files_lines() {
        for (file, expected) in [
            ("a/b.csv", "a/b.csv, line 3"),
            ("a.Parquet", "a.Parquet, row 3"),
            ("a.arrow.gz", "a.arrow.gz, row 3"),
            ("parquet", "parquet, line 3"),
        ] {
            assert_eq!(at(Path::new(file), 3), expected);
        }
        assert_eq!(at(Path::new("a.feather"), 0), "a.feather");
    }
}
