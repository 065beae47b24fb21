//! The `.ts` format; the rules stand in the documentation of the parent module.

use std::collections::HashSet;
use std::path::Path;

use super::{Labels, SeriesExample, finite};
use crate::error::{DataError, counted};

/// What the `@` lines tell.
#[derive(Debug, Default)]
struct Header {
    univariate: Option<bool>,
    dimensions: Option<usize>,
    equal_length: Option<bool>,
    series_length: Option<usize>,
    class_label: Option<bool>,
    classes: Vec<String>,
    /// The same, to look one up: a file may list as many labels as it has lines.
    known: HashSet<String>,
}

pub(super) fn read(file: &Path, text: &str, labels: Labels) -> Result<Vec<SeriesExample>, DataError> {
    let content = |(index, line): (usize, &'_ str)| (index + 1, line.trim().to_owned());
    let mut lines =
        text.lines().enumerate().map(content).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut header = Header::default();
    let mut last = 1;
    let mut in_data = false;
    for (line, content) in lines.by_ref() {
        last = line;
        let place = Place { file, line };
        if place.tag(&content, &mut header)? {
            in_data = true;
            break;
        }
    }
    if !in_data {
        return Err(Place { file, line: last }.wrong("the file ends without a line \"@data\""));
    }
    if labels == Labels::Required && header.class_label != Some(true) {
        return Err(
            Place { file, line: last }.wrong("no line \"@classLabel true ...\" before \"@data\"; labels were expected")
        );
    }
    let mut examples: Vec<SeriesExample> = Vec::new();
    for (line, content) in lines {
        let mut example = Place { file, line }.sequence(&content, &header)?;
        if labels == Labels::Ignored {
            example.label = None;
        }
        if header.equal_length == Some(true)
            && header.series_length.is_none()
            && let Some(first) = examples.first()
            && first.length != example.length
        {
            let place = Place { file, line };
            return Err(place.wrong(&format!(
                "the sequence has {}; {} expected as on line {} by \"@equalLength true\"",
                counted(example.length, "step"),
                first.length,
                first.line
            )));
        }
        examples.push(example);
    }
    Ok(examples)
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
            "timestamps" if self.truth(&name, value)? => {
                return Err(
                    self.wrong("\"@timeStamps true\" is not supported; values without time stamps were expected")
                );
            }
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

    /// Reads a line below `@data`.
    fn sequence(&self, content: &str, header: &Header) -> Result<SeriesExample, DataError> {
        let mut parts: Vec<&str> = content.split(':').map(str::trim).collect();
        let label = if header.class_label == Some(true) { Some(self.label(&mut parts, header)?) } else { None };
        let expected = if header.univariate == Some(true) { Some(1) } else { header.dimensions };
        let channels = parts.len();
        if let Some(expected) = expected.filter(|&expected| expected != channels) {
            return Err(DataError::Channels { file: self.file.into(), line: self.line, found: channels, expected });
        }
        let length = parts.first().map_or(0, |channel| channel.split(',').count());
        if let Some(expected) = header.series_length.filter(|_| header.equal_length != Some(false))
            && expected != length
        {
            return Err(self.wrong(&format!(
                "the sequence has {}; {expected} expected by \"@seriesLength\"",
                counted(length, "step")
            )));
        }
        // All channels are counted before memory is taken: of equal ones there are as many values as the line has, of
        // unequal ones the product of two counts may be far more than the line has bytes.
        for (channel, part) in parts.iter().enumerate() {
            let steps = part.split(',').count();
            if steps != length {
                return Err(self.wrong(&format!(
                    "channel {} has {} but channel 1 has {length}; as many expected",
                    channel + 1,
                    counted(steps, "value")
                )));
            }
        }
        let mut values = vec![0.0; length * channels];
        for (channel, part) in parts.iter().enumerate() {
            for (step, value) in part.split(',').enumerate() {
                values[step * channels + channel] = finite(value).ok_or_else(|| DataError::SeriesValue {
                    file: self.file.into(),
                    line: self.line,
                    channel: (channel + 1).to_string(),
                    step: step + 1,
                    value: value.trim().to_owned(),
                })?;
            }
        }
        Ok(SeriesExample { values, length, channels, label, line: self.line })
    }

    /// Takes the label off the end of a line.
    fn label(&self, parts: &mut Vec<&str>, header: &Header) -> Result<String, DataError> {
        if parts.len() < 2 {
            return Err(self.wrong("no \":\" was found; the channels and then the label were expected"));
        }
        let label = parts.pop().unwrap_or_default();
        if label.is_empty() {
            return Err(DataError::EmptyLabel { file: self.file.into(), line: self.line });
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
