//! Reads batches of rows from Parquet and Arrow, and of their columns only those that are asked for.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::Kind;
use super::cells::{Cells, readable};
use crate::data::file_text;
use crate::error::DataError;

/// Rows that are decoded together.
const TOGETHER: usize = 1024;

/// A table of columns, which is read as often as is needed.
#[derive(Debug)]
pub(in crate::data) struct Source {
    /// As messages call it.
    file: PathBuf,
    kind: Kind,
    held: Held,
    schema: SchemaRef,
}

/// Where the bytes are.
#[derive(Debug)]
enum Held {
    File(PathBuf),
    /// In memory: they were packed, or came from a pipe.
    Memory(Bytes),
}

/// Some rows, of which the columns that were asked for are there.
#[derive(Debug)]
pub(in crate::data) struct Batch {
    /// The number of its first row, counted from 1.
    pub(in crate::data) row: usize,
    pub(in crate::data) rows: usize,
    /// Each with its place in the table, in the order of those.
    columns: Vec<(usize, ArrayRef)>,
}

type Batches = Box<dyn RecordBatchReader>;

impl Source {
    /// Of a file that was opened, and turned out to be of this kind.
    pub(super) fn new(file: &Path, kind: Kind, mut opened: Box<dyn BufRead + Send>) -> Result<Source, DataError> {
        let name = file_text::name(file);
        match kind {
            Kind::EncryptedParquet => return Err(kind.refused(&name, "write it without encryption")),
            Kind::OldFeather => return Err(kind.refused(&name, "write it as version 2, or as Parquet")),
            Kind::Parquet | Kind::ArrowFile | Kind::ArrowStream => {}
        }
        let held = if Kind::of_file(file) == Some(kind) {
            Held::File(file.into())
        } else {
            let mut bytes = Vec::new();
            opened.read_to_end(&mut bytes).map_err(|source| DataError::Io { file: name.clone(), source })?;
            Held::Memory(bytes.into())
        };
        let mut source = Source { file: name, kind, held, schema: SchemaRef::new(arrow_schema::Schema::empty()) };
        source.schema = source.open(None, Some(0)).map_err(|error| source.broken(&error))?.1;
        Ok(source)
    }

    /// As messages call what is read.
    pub(in crate::data) fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Parquet | Kind::EncryptedParquet => "Parquet",
            Kind::ArrowFile | Kind::ArrowStream | Kind::OldFeather => "Arrow",
        }
    }

    /// What the columns are called.
    pub(in crate::data) fn names(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// The type of the values in a column.
    pub(in crate::data) fn data_type(&self, place: usize) -> DataType {
        self.schema.fields().get(place).map_or(DataType::Null, |field| field.data_type().clone())
    }

    /// Goes through the rows, or the first `limit` of them, and decodes no column but those at `places`, which are in order.
    pub(in crate::data) fn for_each(
        &self,
        places: &[usize],
        limit: Option<usize>,
        mut each: impl FnMut(Batch) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let (mut batches, _) = self.open(Some(places), limit).map_err(|error| self.broken(&error))?;
        let mut row = 1;
        while let Some(batch) = guarded(|| batches.next().transpose()).map_err(|error| self.broken(&error))? {
            let left = limit.map_or(usize::MAX, |limit| (limit + 1).saturating_sub(row));
            if left == 0 {
                break;
            }
            // Batches of Arrow are as they were written.
            let batch = if batch.num_rows() > left { batch.slice(0, left) } else { batch };
            let rows = batch.num_rows();
            let columns = self.readable(places, &batch).map_err(|error| self.broken(&error))?;
            each(Batch { row, rows, columns })?;
            row += rows;
        }
        Ok(())
    }

    fn readable(&self, places: &[usize], batch: &RecordBatch) -> Result<Vec<(usize, ArrayRef)>, ArrowError> {
        let column = |(&place, column)| Ok((place, readable(column)?));
        places.iter().zip(batch.columns()).map(column).collect()
    }

    /// A reader of the columns at `places`, or of all, and what it says of them.
    fn open(&self, places: Option<&[usize]>, limit: Option<usize>) -> Result<(Batches, SchemaRef), ArrowError> {
        guarded(|| match &self.held {
            Held::File(file) => {
                let file = File::open(file)?;
                match self.kind {
                    Kind::Parquet => parquet(file, places, limit),
                    Kind::ArrowFile => arrow_file(BufReader::new(file), places),
                    _ => arrow_stream(BufReader::new(file), places),
                }
            }
            Held::Memory(bytes) => match self.kind {
                Kind::Parquet => parquet(bytes.clone(), places, limit),
                Kind::ArrowFile => arrow_file(Cursor::new(bytes.clone()), places),
                _ => arrow_stream(Cursor::new(bytes.clone()), places),
            },
        })
    }

    /// The error that a row, counted from 1, holds what cannot be read.
    pub(in crate::data) fn wrong(&self, row: usize, problem: String) -> DataError {
        DataError::Line { file: self.file.clone(), line: row, problem }
    }

    fn broken(&self, error: &ArrowError) -> DataError {
        let said = error.to_string();
        // The crates say of which of them an error is, once for each that it went through.
        let names = ["Parquet argument error: ", "Parquet error: ", "Parser error: ", "External: ", "Io error: "];
        let mut said = said.as_str();
        while let Some(rest) = names.iter().find_map(|name| said.strip_prefix(name)) {
            said = rest;
        }
        let problem = format!("it cannot be read as {}: {said}", self.kind.name());
        DataError::Columns { file: self.file.clone(), problem }
    }
}

impl Batch {
    /// The values of the column at this place of the table, where it was asked for and they can be shown.
    pub(in crate::data) fn cells(&self, place: usize) -> Option<Cells<'_>> {
        let found = self.columns.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Cells::new(&self.columns.get(found)?.1)
    }
}

/// What the crates answer; of damaged bytes they may make a panic, which ends here.
fn guarded<T>(work: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    let damaged = |_| Err(ArrowError::ParseError("its content is damaged".to_owned()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(damaged)
}

fn parquet(
    reader: impl ChunkReader + 'static,
    places: Option<&[usize]>,
    limit: Option<usize>,
) -> Result<(Batches, SchemaRef), ArrowError> {
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(reader)?.with_batch_size(TOGETHER);
    let schema = builder.schema().clone();
    if let Some(places) = places {
        let columns = ProjectionMask::roots(builder.parquet_schema(), places.iter().copied());
        builder = builder.with_projection(columns);
    }
    if let Some(limit) = limit {
        builder = builder.with_limit(limit);
    }
    Ok((Box::new(builder.build()?), schema))
}

fn arrow_file(
    reader: impl Read + Seek + 'static,
    places: Option<&[usize]>,
) -> Result<(Batches, SchemaRef), ArrowError> {
    let reader = FileReader::try_new(reader, places.map(<[usize]>::to_vec))?;
    let schema = RecordBatchReader::schema(&reader);
    Ok((Box::new(reader), schema))
}

fn arrow_stream(reader: impl Read + 'static, places: Option<&[usize]>) -> Result<(Batches, SchemaRef), ArrowError> {
    let reader = StreamReader::try_new(reader, places.map(<[usize]>::to_vec))?;
    let schema = RecordBatchReader::schema(&reader);
    Ok((Box::new(reader), schema))
}
