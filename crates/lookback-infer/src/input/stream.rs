//! The inputs of any file or pipe, one after another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

use super::{Columns, Example, Input, InputPlan, Raw};
use crate::data::history::{History, read_histories};
use crate::data::lines::{LineFormat, TextLine, TextLines, open_lines};
use crate::data::series::{Each, SeriesOptions, read_each_series};
use crate::data::table::{EmptyText, Read, TableOptions, read_rows};
use crate::data::tagged::Document;
use crate::data::{Column, Format, Keep, Kept, Labels, Layout};
use crate::error::{DataError, Error, PlanError};

/// The examples of a file, or of standard input where it is `-`. Lines and JSON Lines are read as they come; tables and
/// series are read whole first.
///
/// After an input that cannot be answered the next one follows; after an error of the iterator itself nothing does.
pub struct Stream<'a> {
    input: &'a Input,
    name: PathBuf,
    source: Source,
    /// Whether texts are tokens with white space between.
    pretokenized: bool,
}

/// One input of a stream.
#[derive(Clone, Debug)]
pub struct Item<E = DataError> {
    /// The line it stands on, counted from 1.
    pub line: usize,
    /// What is to be answered, or why it cannot be.
    pub example: Result<Example, E>,
    /// Its own columns that are kept.
    pub kept: Kept,
}

enum Source {
    Lines(Box<TextLines<Box<dyn std::io::BufRead + Send>>>),
    Read(vec::IntoIter<RawItem>),
    Document { document: Arc<Document>, errors: BTreeMap<usize, DataError>, next: usize },
}

/// One input as it was read.
struct RawItem {
    line: usize,
    raw: Result<Raw, DataError>,
    kept: Kept,
}

impl std::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Stream<'a> {
    /// Opens `file`. `columns`: where it differs from the training data; `keep`: its own columns that go with every input.
    /// Without a format told, and none in the file's extension, there is one input per line.
    ///
    /// # Errors
    /// If the file cannot be read, or `columns` say what does not go with the model's inputs; of tables and series, if
    /// anything in them is wrong.
    pub fn open(input: &'a Input, file: &Path, columns: &Columns, keep: &Keep) -> Result<Stream<'a>, Error> {
        let plan = input.plan.over(columns, file)?;
        let bad_row = [("on-bad-row", columns.layout.on_bad_row.is_some())];
        columns.refuse(&bad_row, "is not needed here: in the place of a row that cannot be read stands why")?;
        let lines = |format, layout: &Layout| {
            let lines = open_lines(file, format, layout.encoding)?.keeping(keep.clone());
            Ok::<_, DataError>(Source::Lines(Box::new(lines)))
        };
        let source = match &plan {
            InputPlan::Text(plan) => match columns.format.or(Format::of_texts(file)).unwrap_or(Format::Lines) {
                Format::Lines => {
                    let told = [("text", columns.text.is_some()), ("header", columns.header.is_some())];
                    let problem = "is about columns, but the input has one text per line";
                    columns.refuse(&told, problem)?;
                    columns.refuse(&columns.layout.of_columns(), problem)?;
                    check_keep_of_lines(keep)?;
                    let is_told = columns.format == Some(Format::Lines);
                    let (text, trained) = (plan.text.clone(), plan.columns.clone());
                    let found = LineFormat::Found { text, trained };
                    lines(if is_told { LineFormat::Plain } else { found }, &plan.layout)?
                }
                Format::Jsonl => {
                    let (text, trained) = (plan.text.clone(), plan.columns.clone());
                    lines(LineFormat::JsonLines { text, trained }, &plan.layout)?
                }
                Format::Fasttext => {
                    check_keep_of_lines(keep)?;
                    lines(LineFormat::Fasttext, &plan.layout)?
                }
                _ => {
                    let table = plan.table(Labels::Ignored, EmptyText::Keep);
                    let (rows, _) = read_rows(file, &TableOptions { keep: keep.clone(), ..table })?;
                    let raw = |row: Read| RawItem {
                        line: row.line,
                        raw: row.example.map(|text| Raw::Text(text.text)),
                        kept: row.kept,
                    };
                    let raws: Vec<_> = rows.into_iter().map(raw).collect();
                    Source::Read(raws.into_iter())
                }
            },
            InputPlan::Series(plan) => match columns.format.or(plan.format_by_name(file)) {
                None | Some(Format::Lines) => {
                    check_keep_of_steps(keep)?;
                    let problem = "is about columns, and these series have none";
                    columns.refuse(&columns.of_steps(), problem)?;
                    columns.refuse(&columns.layout.of_columns(), problem)?;
                    columns.refuse(&columns.series.said(), problem)?;
                    lines(LineFormat::Plain, &plan.layout)?
                }
                Some(format) => {
                    if format == Format::Ts {
                        check_keep_of_steps(keep)?;
                    }
                    let plan = super::SeriesPlan { format, ..plan.clone() };
                    let options = SeriesOptions { keep: keep.clone(), ..plan.series(Labels::Ignored) };
                    let (series, _) = read_each_series(file, &options)?;
                    let raw =
                        |Each { line, example, kept }: Each| RawItem { line, raw: example.map(Raw::Series), kept };
                    let raws: Vec<_> = series.into_iter().map(raw).collect();
                    Source::Read(raws.into_iter())
                }
            },
            InputPlan::History(plan) => {
                check_keep_of_steps(keep)?;
                match columns.format.or(Format::of_texts(file)) {
                    // One series a line, of a model that reads nothing beside its values.
                    None | Some(Format::Lines) => {
                        let problem = "is about columns, and a series in a line of its own has none";
                        columns.refuse(&columns.of_steps(), problem)?;
                        columns.refuse(&columns.layout.of_columns(), problem)?;
                        columns.refuse(&columns.series.said(), problem)?;
                        lines(LineFormat::Plain, &plan.layout)?
                    }
                    Some(_) => {
                        let raw = |history: History| RawItem {
                            line: history.line,
                            raw: Ok(Raw::History(Box::new(history))),
                            kept: Kept::default(),
                        };
                        let all = read_histories(file, &plan.options(false))?.all;
                        Source::Read(all.into_iter().map(raw).collect::<Vec<_>>().into_iter())
                    }
                }
            }
        };
        let name = if file == Path::new("-") { "<stdin>".into() } else { file.into() };
        if columns.label.is_some() {
            return Err(PlanError::conflict("label", "names a column of labels, but only inputs are read").into());
        }
        if columns.pretokenized && !plan.is_text() {
            return Err(PlanError::conflict("pretokenized", "is for texts, but the model reads numeric series").into());
        }
        if columns.pretokenized && input.segmentation().is_some_and(|segmentation| segmentation.subwords().is_some()) {
            let problem = "gives tokens that are not cut any further, but the model reads pieces of words";
            return Err(PlanError::conflict("pretokenized", problem).into());
        }
        Ok(Stream { input, name, source, pretokenized: columns.pretokenized })
    }

    /// The sentences of a document that was read before; messages call it `name`. `errors`: why some of them cannot be read, by
    /// their places.
    pub fn of_document(
        input: &'a Input,
        document: Arc<Document>,
        errors: BTreeMap<usize, DataError>,
        name: &Path,
    ) -> Stream<'a> {
        let source = Source::Document { document, errors, next: 0 };
        Stream { input, name: name.into(), source, pretokenized: false }
    }

    /// A text, or its tokens.
    fn of_text(&self, raw: Raw) -> Raw {
        match raw {
            Raw::Text(text) if self.pretokenized => Raw::Tokens(text.split_whitespace().map(str::to_owned).collect()),
            raw => raw,
        }
    }

    /// What messages call the file.
    pub fn name(&self) -> &Path {
        &self.name
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Item, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(Ok(match &mut self.source {
            Source::Read(raws) => {
                let RawItem { line, raw, kept } = raws.next()?;
                let raw = raw.map(|raw| self.of_text(raw));
                Item { line, example: raw.and_then(|raw| self.input.encode(raw, &self.name, line)), kept }
            }
            Source::Document { document, errors, next } => {
                let sentence = document.sentences().get(*next)?;
                let error = errors.remove(next);
                *next += 1;
                let example = match error {
                    Some(error) => Err(error),
                    None => self.input.encode(Raw::Tokens(sentence.tokens.clone()), &self.name, sentence.line),
                };
                Item { line: sentence.line, example, kept: Kept::default() }
            }
            Source::Lines(lines) => {
                let read = lines.next()?;
                let kept = lines.take_kept();
                match read {
                    Err(error) if lines.has_ended() => return Some(Err(error)),
                    Err(error) => Item { line: lines.line(), example: Err(error), kept },
                    Ok(TextLine { text, line }) if self.pretokenized => {
                        let raw = self.of_text(Raw::Text(text));
                        Item { line, example: self.input.encode(raw, &self.name, line), kept }
                    }
                    Ok(TextLine { text, line }) => {
                        Item { line, example: self.input.encode_owned_line(text, &self.name, line), kept }
                    }
                }
            }
        }))
    }
}

/// Of inputs that stand alone in their lines, only the text itself can be kept.
fn check_keep_of_lines(keep: &Keep) -> Result<(), PlanError> {
    let Keep::Columns(columns) = keep else { return Ok(()) };
    match columns.iter().find(|column| **column != Column::Name("text".into())) {
        Some(column) => {
            let problem = format!("names the column {column}, but the input has one text per line; text keeps that");
            Err(PlanError::conflict("keep", problem))
        }
        None => Ok(()),
    }
}

/// Of series that do not stand in columns nothing can be kept.
fn check_keep_of_steps(keep: &Keep) -> Result<(), PlanError> {
    let problem = "keeps columns of the input, and these series have none; \"line\" tells them apart";
    if keep.is_nothing() { Ok(()) } else { Err(PlanError::conflict("keep", problem)) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::input::tokenizer::TokenizerChoice;
    use crate::input::{SeriesPlan, TextPlan};

    fn texts() -> Input {
        let plan = TextPlan {
            format: Some(Format::Csv),
            header: None,
            text: Some(crate::data::Column::Name("q".into())),
            label: None,
            layout: Default::default(),
            columns: None,
            label_separator: None,
            tokenizer: TokenizerChoice::Auto,
            subwords: None,
            white_space: false,
            lowercase: true,
            normalize: Default::default(),
            chinese: Default::default(),
            user_dictionary: None,
            min_count: 1,
            max_vocabulary: 100,
            max_length: 3,
            ngrams: None,
            bigrams: None,
            shapes: None,
            word_dropout: 0.0,
        };
        Input::fit(&InputPlan::Text(plan), [Raw::Text("hot soup".into())].iter(), &[], Path::new("x.csv")).unwrap()
    }

    fn series() -> Input {
        let plan = SeriesPlan {
            format: Format::CsvLong,
            header: None,
            id: None,
            time: None,
            label: None,
            values: Vec::new(),
            layout: Default::default(),
            series: Default::default(),
            missing: Default::default(),
            columns: None,
            max_length: Some(2),
            input_noise: 0.0,
        };
        let raw = crate::data::series::SeriesExample {
            values: vec![0.0, 1.0, 2.0, 3.0],
            length: 2,
            channels: 2,
            label: None,
            line: 1,
        };
        Input::fit(&InputPlan::Series(plan), [Raw::Series(raw)].iter(), &[], Path::new("x.csv")).unwrap()
    }

    /// Every item as "line: names" or "line! error".
    fn read(input: &Input, name: &str, content: &str, columns: &Columns) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        let stream = match Stream::open(input, &file, columns, &Keep::Nothing) {
            Ok(stream) => stream,
            Err(error) => return vec![error.to_string()],
        };
        let show = |item: Result<Item, DataError>| match item.unwrap() {
            Item { line, example: Ok(example), .. } => {
                assert_eq!(line, example.line);
                format!("{line}: {} cut {}", example.names().join("|"), example.cut)
            }
            Item { line, example: Err(error), .. } => {
                format!("{line}! {}", error.to_string().split(": ").last().unwrap())
            }
        };
        stream.map(show).collect()
    }

    #[test]
    fn every_format_gives_the_same_examples_and_a_wrong_line_does_not_end_them() {
        let (texts, none) = (texts(), Columns::default());
        let expected = ["1: hot|soup cut 0", "2:  cut 0", "3: a|b|c cut 2"];
        assert_eq!(read(&texts, "a.txt", "Hot soup\n\na b c d e\n", &none), expected);
        let table = ["2: hot|soup cut 0", "3: b cut 0"];
        assert_eq!(read(&texts, "a.csv", "n,q\n1,Hot soup\n2,b\n", &none), table);
        assert_eq!(read(&texts, "a.tsv", "n\tq\n1\tHot soup\n2\tb\n", &none), table);
        let objects = "{\"q\":\"Hot soup\"}\n3\n{\"n\":1}\n{\"q\":\"b\"}\n";
        let read_objects = read(&texts, "a.jsonl", objects, &none);
        assert_eq!(read_objects[0], "1: hot|soup cut 0");
        assert!(read_objects[1].starts_with("2! ") && read_objects[2].starts_with("3! "), "{read_objects:?}");
        assert_eq!(read_objects[3], "4: b cut 0");
        let said = Columns { format: Some(Format::Jsonl), ..Columns::default() };
        assert_eq!(read(&texts, "a.txt", "{\"q\":\"b\"}", &said), ["1: b cut 0"]);
    }

    #[test]
    fn series_come_as_lines_and_as_tables() {
        let (series, none) = (series(), Columns::default());
        let lines = read(&series, "a.txt", "[[0, 1], [2, 3], [4, 5]]\n[[0]]\n\nx\n", &none);
        assert_eq!(lines[0], "1: step 1|step 2 cut 1");
        assert_eq!(lines[1], "2! step 1 has 1 channels, but the model has 2");
        assert_eq!(lines[2], "3:  cut 0");
        assert!(lines[3].starts_with("4! "), "{lines:?}");
        assert_eq!(read(&series, "a.csv", "id,x,y\na,0,1\na,2,3\n", &none), ["2: step 1|step 2 cut 0"]);
    }

    #[test]
    fn what_does_not_go_with_the_inputs_is_refused() {
        let said = |format| Columns { format: Some(format), ..Columns::default() };
        assert_eq!(read(&texts(), "a", "x", &said(Format::Ts)), ["--format is ts, but the model reads texts"]);
        let refused = read(&series(), "a", "x", &said(Format::Tsv));
        assert_eq!(refused, ["--format is tsv, but the model reads numeric series"]);
        let text = Columns { text: Some(crate::data::Column::Number(1)), ..Columns::default() };
        assert!(read(&series(), "a", "x", &text)[0].contains("--text names a column of texts"));
        assert!(read(&texts(), "a.txt", "x", &text)[0].contains("one text per line"));
    }
}
