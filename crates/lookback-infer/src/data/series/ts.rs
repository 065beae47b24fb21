//! The `.ts` format; the rules stand in the documentation of the parent module.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::Path;

use super::numbers::{Decimal, Values, is_padding};
use super::times::{self, Times};
use super::{Each, Labels, Read, SeriesColumns, SeriesExample, SeriesOptions, cut_ends};
use crate::error::{DataError, counted};

/// What the `@` lines tell.
#[derive(Debug, Default)]
struct Header {
    univariate: Option<bool>,
    dimensions: Option<usize>,
    equal_length: Option<bool>,
    series_length: Option<usize>,
    time_stamps: bool,
    class_label: Option<bool>,
    classes: Vec<String>,
    /// The same, to look one up: a file may list as many labels as it has lines.
    known: HashSet<String>,
}

/// A line below `@data`, its values not yet read.
struct Sequence<'a> {
    line: usize,
    label: Option<String>,
    /// Of each channel its values, with their times where the header tells of any. `[C][T]`
    channels: Vec<Vec<Cell<'a>>>,
}

struct Cell<'a> {
    time: &'a str,
    value: &'a str,
}

pub(super) fn read(file: &Path, text: &str, options: &SeriesOptions) -> Result<Read, DataError> {
    let mut lines = (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, line): &(usize, &str)| !line.is_empty() && !line.starts_with('#'));
    let mut header = Header::default();
    let mut place = Place { file, line: 1 };
    let mut in_data = false;
    for (line, content) in lines.by_ref() {
        place.line = line;
        if place.tag(content, &mut header)? {
            in_data = true;
            break;
        }
    }
    if !in_data {
        return Err(place.wrong("the file ends without a line \"@data\""));
    }
    if options.labels == Labels::Required && header.class_label != Some(true) {
        return Err(place.wrong("no line \"@classLabel true ...\" before \"@data\"; labels were expected"));
    }
    if options.series.time_format.is_some() && !header.time_stamps {
        return Err(place.wrong("no line \"@timeStamps true\" before \"@data\"; --time-format is about time stamps"));
    }
    let mut values = Values::new(file, Decimal::Point, options);
    let mut columns = SeriesColumns::default();
    let mut cut = 0;
    let mut examples: Vec<Each> = Vec::new();
    // As the first sequence was before its end was cut off, and its line.
    let mut first: Option<(usize, usize)> = None;
    let mut example = |mut sequence: Sequence<'_>| {
        let (length, line) = (sequence.channels.first().map_or(0, Vec::len), sequence.line);
        let (expected, first_line) = *first.get_or_insert((length, line));
        if header.equal_length == Some(true) && header.series_length.is_none() && length != expected {
            return Err(Place { file, line }.wrong(&format!(
                "the sequence has {}; {expected} expected as on line {first_line} by \"@equalLength true\"",
                counted(length, "step"),
            )));
        }
        if options.labels == Labels::Ignored {
            sequence.label = None;
        }
        cut += usize::from(sequence.cut_padding());
        sequence.example(file, &mut values)
    };
    let sequences = lines.map(|(line, content)| (line, Place { file, line }.sequence(content, &header)));
    if header.time_stamps {
        let mut sequences: Vec<(usize, Result<Sequence<'_>, DataError>)> = sequences.collect();
        columns.time_format = order(file, &mut sequences, options)?;
        examples.extend(sequences.into_iter().map(|(line, sequence)| Each::new(line, sequence.and_then(&mut example))));
    } else {
        examples.extend(sequences.map(|(line, sequence)| Each::new(line, sequence.and_then(&mut example))));
    }
    let order = columns.time_format.as_ref().map(|format| format!("steps ordered by time stamps ({format})"));
    let told = [order, cut_ends(cut), values.settle()?].into_iter().flatten().collect();
    Ok(Read { examples, columns, form: "a line per series (ts)".to_owned(), told })
}

/// Puts the steps of all sequences in the order of their time stamps, and says how those are written.
fn order(
    file: &Path,
    sequences: &mut [(usize, Result<Sequence<'_>, DataError>)],
    options: &SeriesOptions,
) -> Result<Option<times::TimeFormat>, DataError> {
    let cells: Vec<(usize, &str)> = sequences
        .iter()
        .filter_map(|(_, sequence)| sequence.as_ref().ok())
        .flat_map(|sequence| sequence.channels.iter().flatten().map(|cell| (sequence.line, cell.time)))
        .collect();
    if cells.is_empty() {
        return Ok(None);
    }
    let trained = options.trained.as_ref().and_then(|trained| trained.time_format.as_ref());
    let (format, times) = times::read(file, &cells, options.series.time_format.as_ref(), trained, Decimal::Point)?;
    let mut start = 0;
    for (_, read) in sequences {
        let Ok(sequence) = read else { continue };
        let length: usize = sequence.channels.iter().map(Vec::len).sum();
        if let Err(wrong) = sequence.sort(file, &times, start) {
            *read = Err(wrong);
        }
        start += length;
    }
    Ok(Some(format))
}

impl Sequence<'_> {
    /// Puts the steps in the order of `times`, in which those of this sequence begin at the place `start`.
    fn sort(&mut self, file: &Path, times: &Times, mut start: usize) -> Result<(), DataError> {
        let place = Place { file, line: self.line };
        let mut first: Option<Vec<usize>> = None;
        for (cells, channel) in self.channels.iter_mut().zip(1..) {
            let mut steps: Vec<usize> = (start..start + cells.len()).collect();
            steps.sort_by(|&a, &b| times.compare(a, b));
            if let Some(pair) = steps.windows(2).find(|pair| times.compare(pair[0], pair[1]) == Ordering::Equal) {
                let time = cells[pair[1] - start].time;
                let problem = format!("channel {channel} has the time {time:?} twice; one value a time was expected");
                return Err(place.wrong(&problem));
            }
            let other = |(&a, &b): (&usize, &usize)| times.compare(a, b) != Ordering::Equal;
            if first.as_ref().is_some_and(|first| first.iter().zip(&steps).any(other)) {
                let problem = format!("channel {channel} has other times than channel 1; the same were expected");
                return Err(place.wrong(&problem));
            }
            let mut taken: Vec<Option<Cell<'_>>> = cells.drain(..).map(Some).collect();
            cells.extend(steps.iter().filter_map(|step| taken[step - start].take()));
            start += cells.len();
            first.get_or_insert(steps);
        }
        Ok(())
    }

    /// Cuts off the steps at the end that are NaN in all channels; says whether there were any.
    fn cut_padding(&mut self) -> bool {
        let padding = |channel: &Vec<Cell<'_>>| channel.iter().rev().take_while(|cell| is_padding(cell.value)).count();
        let padding = self.channels.iter().map(padding).min().unwrap_or(0);
        for channel in &mut self.channels {
            channel.truncate(channel.len() - padding);
        }
        padding > 0
    }

    /// The sequence with its values read.
    fn example(self, file: &Path, values: &mut Values<'_>) -> Result<SeriesExample, DataError> {
        let (length, channels) = (self.channels.first().map_or(0, Vec::len), self.channels.len());
        if length == 0 {
            return Err(Place { file, line: self.line }.wrong("the sequence has no value"));
        }
        let mut read = vec![0.0; length * channels];
        for (channel, cells) in self.channels.iter().enumerate() {
            let name = (channel + 1).to_string();
            for (step, cell) in cells.iter().enumerate() {
                read[step * channels + channel] = values.read(cell.value, self.line, &name, step + 1)?;
            }
        }
        Ok(SeriesExample { values: read, length, channels, label: self.label, line: self.line })
    }
}

struct Place<'a> {
    file: &'a Path,
    line: usize,
}

impl Place<'_> {
    fn wrong(&self, problem: &str) -> DataError {
        DataError::Line { file: self.file.into(), line: self.line, problem: problem.to_owned() }
    }

    /// Reads a header line; says whether it is `@data`.
    fn tag(&self, content: &str, header: &mut Header) -> Result<bool, DataError> {
        let Some(tag) = content.strip_prefix('@') else {
            return Err(self.wrong("a line that starts with \"@\" was expected before \"@data\""));
        };
        let mut words = tag.split_whitespace();
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let value = words.next();
        match name.as_str() {
            "data" => return Ok(true),
            "univariate" => header.univariate = Some(self.truth(&name, value)?),
            "dimension" | "dimensions" => header.dimensions = Some(self.count(&name, value)?),
            "equallength" => header.equal_length = Some(self.truth(&name, value)?),
            "serieslength" => header.series_length = Some(self.count(&name, value)?),
            "timestamps" => header.time_stamps = self.truth(&name, value)?,
            "classlabel" => {
                header.class_label = Some(self.truth(&name, value)?);
                header.classes = words.map(str::to_owned).collect();
                header.known = header.classes.iter().cloned().collect();
            }
            "targetlabel" if self.truth(&name, value)? => {
                return Err(self.wrong(
                    "\"@targetLabel true\" tells numbers to be predicted; \"@classLabel true ...\" was expected",
                ));
            }
            // "@problemName", "@missing" and whatever else describes the file change nothing in how it is read.
            _ => {}
        }
        Ok(false)
    }

    fn truth(&self, name: &str, value: Option<&str>) -> Result<bool, DataError> {
        match value.map(str::to_ascii_lowercase).as_deref() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(self.wrong(&format!("@{name} is \"{}\"; true or false was expected", value.unwrap_or_default()))),
        }
    }

    fn count(&self, name: &str, value: Option<&str>) -> Result<usize, DataError> {
        let count = value.and_then(|value| value.parse().ok()).filter(|&count| count > 0);
        count.ok_or_else(|| {
            self.wrong(&format!("@{name} is \"{}\"; a number above 0 was expected", value.unwrap_or_default()))
        })
    }

    /// Cuts up a line below `@data`.
    fn sequence<'t>(&self, content: &'t str, header: &Header) -> Result<Sequence<'t>, DataError> {
        let mut parts: Vec<&str> =
            if header.time_stamps { outside(content, ':') } else { content.split(':').collect() };
        parts.iter_mut().for_each(|part| *part = part.trim());
        let label = if header.class_label == Some(true) { Some(self.label(&mut parts, header)?) } else { None };
        let expected = if header.univariate == Some(true) { Some(1) } else { header.dimensions };
        let channels = parts.len();
        if let Some(expected) = expected.filter(|&expected| expected != channels) {
            return Err(DataError::Channels { file: self.file.into(), line: self.line, found: channels, expected });
        }
        let cut = |part: &'t str| if header.time_stamps { outside(part, ',') } else { part.split(',').collect() };
        let channels: Vec<Vec<&str>> = parts.into_iter().map(cut).collect();
        let length = channels.first().map_or(0, Vec::len);
        if let Some(expected) = header.series_length.filter(|_| header.equal_length != Some(false))
            && expected != length
        {
            return Err(self.wrong(&format!(
                "the sequence has {}; {expected} expected by \"@seriesLength\"",
                counted(length, "step")
            )));
        }
        // All channels are counted before memory is taken for the product of both numbers, which of unequal channels may be
        // far more than the line has bytes.
        if let Some((channel, other)) = channels.iter().enumerate().find(|(_, other)| other.len() != length) {
            return Err(self.wrong(&format!(
                "channel {} has {} but channel 1 has {length}; as many expected",
                channel + 1,
                counted(other.len(), "value")
            )));
        }
        let cell = |(step, text): (usize, &'t str), channel: usize| match header.time_stamps {
            false => Ok(Cell { time: "", value: text }),
            true => pair(text).ok_or_else(|| {
                let (channel, step) = (channel + 1, step + 1);
                self.wrong(&format!("channel {channel}, step {step}: {text:?} stands where (time,value) was expected"))
            }),
        };
        let cells = |(channel, texts): (usize, Vec<&'t str>)| -> Result<Vec<Cell<'t>>, DataError> {
            texts.into_iter().enumerate().map(|text| cell(text, channel)).collect()
        };
        let channels = channels.into_iter().enumerate().map(cells).collect::<Result<_, _>>()?;
        Ok(Sequence { line: self.line, label, channels })
    }

    /// Takes the label off the end of a line.
    fn label(&self, parts: &mut Vec<&str>, header: &Header) -> Result<String, DataError> {
        if parts.len() < 2 {
            return Err(self.wrong("no \":\" was found; the channels and then the label were expected"));
        }
        let label = parts.pop().unwrap_or_default();
        if label.is_empty() {
            return Err(DataError::EmptyLabel { file: self.file.into(), line: self.line, hint: "" });
        }
        if !header.known.is_empty() && !header.known.contains(label) {
            return Err(DataError::UndeclaredLabel {
                file: self.file.into(),
                line: self.line,
                label: label.to_owned(),
                declared: header.classes.clone(),
            });
        }
        Ok(label.to_owned())
    }
}

/// The parts of `text` between those `separator`s that stand outside parentheses.
fn outside(text: &str, separator: char) -> Vec<&str> {
    let mut depth = 0usize;
    let parts = text.split(|letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && letter == separator
    });
    parts.collect()
}

/// A value with its time, as `(time,value)`.
fn pair(text: &str) -> Option<Cell<'_>> {
    let within = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (time, value) = within.rsplit_once(',')?;
    let time = time.trim().trim_matches('"');
    Some(Cell { time, value: value.trim() }).filter(|cell| !cell.time.is_empty())
}
