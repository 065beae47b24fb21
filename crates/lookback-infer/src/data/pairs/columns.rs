//! Which column is the source and which the target.

use super::PairOptions;
use crate::data::columns::FirstLine;
use crate::data::delimited::Row;
use crate::data::roles::Profiles;
use crate::data::table::TableColumns;
use crate::error::DataError;

/// What data sets call the source, the most telling first.
pub(super) const SOURCE_NAMES: &[&str] = &[
    "source",
    "src",
    "input",
    "article",
    "document",
    "question",
    "word",
    "text",
    "lemma",
    "grapheme",
    "graphemes",
    "original",
    "spelling",
    "singular",
];
/// What data sets call the target.
pub(super) const TARGET_NAMES: &[&str] = &[
    "target",
    "tgt",
    "output",
    "translation",
    "summary",
    "highlights",
    "reference",
    "pronunciation",
    "phonemes",
    "phoneme",
    "normalized",
    "normalised",
    "corrected",
    "inflected",
];

/// Where source and target stand, counted from 0, and whether the first row is a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) source: usize,
    pub(super) target: usize,
    pub(super) header: bool,
}

impl Places {
    /// As they are kept.
    pub(super) fn columns(self, first: &FirstLine<'_>) -> TableColumns {
        let name = |(place, name): (usize, &&str)| match self.header {
            true => name.trim().to_owned(),
            false => (place + 1).to_string(),
        };
        TableColumns {
            header: self.header,
            names: first.fields.iter().enumerate().map(name).collect(),
            text: self.source,
            label: Some(self.target),
        }
    }
}

/// The places in a table of which these are the rows.
pub(super) fn find(
    first: &FirstLine<'_>,
    rows: &[Row],
    options: &PairOptions,
    trained: Option<&TableColumns>,
) -> Result<Places, DataError> {
    if let (Some(name), Some(false)) = (options.named(), options.has_header()) {
        return Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.to_owned() });
    }
    let known = Known::new(first, trained);
    let header = match options.has_header() {
        Some(header) => header,
        None => {
            options.named().is_some()
                || known.are_names(first, rows)
                || Profiles::new(rows).first_is_header(first, None)
        }
    };
    let mut source = options.source.as_ref().map(|column| first.find(column)).transpose()?;
    let mut target = options.target.as_ref().map(|column| first.find(column)).transpose()?;
    if header {
        source = source.or(known.source.filter(|&place| Some(place) != target));
        target = target.or(known.target.filter(|&place| Some(place) != source));
    }
    // What no name tells, the places in the training data do.
    let columns = first.fields.len();
    let alike = trained.filter(|trained| !header && trained.names.len() == columns);
    source = source.or(alike.map(|trained| trained.text).filter(|&place| Some(place) != target));
    target = target.or(alike.and_then(|trained| trained.label).filter(|&place| Some(place) != source));
    if columns == 2 {
        source = source.or(Some(target.map_or(0, |target| 1 - target)));
        target = target.or(source.map(|source| 1 - source));
    }
    if columns == 1 {
        return Err(one_column(first));
    }
    let source = source.ok_or_else(|| first.unclear("source"))?;
    let target = target.ok_or_else(|| first.unclear("target"))?;
    if source == target {
        let column = first.fields.get(source).map_or_else(String::new, |name| format!("{} ({name:?})", source + 1));
        return Err(DataError::SameColumn { file: first.file.into(), first: "source", second: "target", column });
    }
    Ok(Places { source, target, header })
}

fn one_column(first: &FirstLine<'_>) -> DataError {
    let problem = format!(
        "the line has one column, a source and a target were expected{}; with --target-file the targets stand in a file of their own",
        first.proposal.as_deref().unwrap_or_default()
    );
    DataError::Line { file: first.file.into(), line: first.line, problem }
}

/// Fields of a first line with names of a source and a target.
struct Known {
    source: Option<usize>,
    target: Option<usize>,
}

impl Known {
    /// The names of the training data go before those that data sets use.
    fn new(first: &FirstLine<'_>, trained: Option<&TableColumns>) -> Known {
        let trained = trained.filter(|trained| trained.header);
        let name = |place: usize| first.known(&[trained?.names.get(place)?]);
        let source = trained.and_then(|trained| name(trained.text));
        let target = trained.and_then(|trained| name(trained.label?));
        Known {
            source: source.or_else(|| first.known(SOURCE_NAMES)),
            target: target.or_else(|| first.known(TARGET_NAMES)),
        }
    }

    /// Whether the first line names its columns.
    fn are_names(&self, first: &FirstLine<'_>, rows: &[Row]) -> bool {
        let comes_again = |place: usize| {
            let of = |row: &Row| row.fields.get(place).map(|field| field.trim().to_lowercase());
            rows.iter().skip(1).any(|row| of(row) == rows.first().and_then(of))
        };
        match (self.source, self.target) {
            (Some(source), Some(target)) if source != target => true,
            (Some(place), _) | (_, Some(place)) => {
                rows.len() > 1 && !comes_again(place) && first.fields.iter().all(|field| is_word(field))
            }
            (None, None) => first.fields.len() > 1 && first.fields.iter().all(|field| is_language(field)),
        }
    }
}

/// Whether a field is one word, as most names of columns are and few texts.
fn is_word(field: &str) -> bool {
    field.split_whitespace().count() == 1
}

/// Whether a field is a code such as `en`, `deu`, `zh-CN` or `pt_BR`, of languages that are translated often.
fn is_language(field: &str) -> bool {
    const CODES: &str = "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km \
                         kn ko lt lv mk ml mn mr ms mt my nb ne nl nn no pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tl tr uk \
                         ur uz vi xh yi zh zu deu ger eng fra fre spa ita por rus jpn kor zho cmn ara hin tur pol nld dut ces cze swe";
    let field = field.trim();
    let code = field.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let region = field.get(code.len()..).unwrap_or_default();
    region.len() <= 5 && CODES.split_ascii_whitespace().any(|known| known == code)
}
