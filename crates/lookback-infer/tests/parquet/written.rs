//! Writes tables.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

/// Columns by name.
pub(crate) type Columns = Vec<(&'static str, ArrayRef)>;

/// A folder that is removed with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(TempDir::new().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// By the extension as an Arrow file (`arrow`), an Arrow stream (`arrows`) or Parquet, in batches of three rows.
    pub(crate) fn write(&self, name: &str, columns: &Columns) -> PathBuf {
        let path = self.path(name);
        let all = RecordBatch::try_from_iter(columns.clone()).expect("columns of one length");
        let batches = (0..all.num_rows()).step_by(3).map(|row| all.slice(row, 3.min(all.num_rows() - row)));
        let file = File::create(&path).expect("a file");
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("arrow") => {
                let mut writer = FileWriter::try_new(file, &all.schema()).expect("a writer");
                batches.for_each(|batch| writer.write(&batch).expect("a batch"));
                writer.finish().expect("an end");
            }
            Some("arrows") => {
                let options = IpcWriteOptions::default();
                let mut writer = StreamWriter::try_new_with_options(file, &all.schema(), options).expect("a writer");
                batches.for_each(|batch| writer.write(&batch).expect("a batch"));
                writer.finish().expect("an end");
            }
            _ => {
                let options = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let mut writer = ArrowWriter::try_new(file, all.schema(), Some(options)).expect("a writer");
                batches.for_each(|batch| {
                    writer.write(&batch).expect("a batch");
                    writer.flush().expect("a row group");
                });
                writer.close().expect("an end");
            }
        }
        path
    }

    pub(crate) fn write_text(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file");
        path
    }
}

pub(crate) fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn some_texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn lists(rows: &[Option<Vec<Option<&str>>>]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            None => builder.append_null(),
            Some(row) => builder.append_value(row.iter().copied()),
        }
    }
    Arc::new(builder.finish())
}

/// Puts what is no text in the place of all values of a column, which are `value`.
pub(crate) fn damage(file: &Path, value: &str) {
    let mut bytes = fs::read(file).expect("the file");
    let mut damaged = 0;
    for start in 0..bytes.len().saturating_sub(value.len()) {
        if &bytes[start..start + value.len()] == value.as_bytes() {
            bytes[start..start + value.len()].fill(0xFF);
            damaged += 1;
        }
    }
    assert!(damaged > 0, "{value:?} stands in the file");
    fs::write(file, bytes).expect("the file");
}

/// As another type.
pub(crate) fn cast(array: &ArrayRef, to: &arrow_schema::DataType) -> ArrayRef {
    let cast = arrow_cast::cast(array, to).expect("a type that holds it");
    assert_eq!(cast.len(), array.len());
    cast
}
