//! Sentences in columns: one line per token, of CoNLL-U or of any columns.

use std::collections::HashSet;
use std::path::Path;

use super::columns::TaggedLayout;
use super::{Part, Sentence, lines};
use crate::data::{Column, Format};
use crate::error::DataError;

/// The columns of CoNLL-U, in their order.
const CONLLU: [&str; 10] = ["ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"];
/// How a file of other columns begins that are named as those of CoNLL-U are.
pub(super) const GLOBAL_COLUMNS: &str = "# global.columns";
/// What the first column of a line says that begins a document; it is no token.
pub(super) const DOCUMENT: &str = "-DOCSTART-";

/// What a line is.
enum Kind {
    /// Nothing stands in it; it ends a sentence.
    Blank,
    /// The mark of a document, which ends a sentence, too.
    Document,
    /// A comment.
    Comment,
    /// Several tokens at once, or an empty one, of CoNLL-U: within a sentence, but none of its tokens.
    Beside,
    /// A token.
    Token,
}

/// How the columns of a file stand, by its first line with a token.
pub(super) struct Sheet<'a> {
    file: &'a Path,
    conllu: bool,
    /// The first line with a token, and how many columns it has.
    first: usize,
    columns: usize,
    tabs: bool,
    token: usize,
    /// Where tags are read.
    tag: Option<usize>,
    /// The names of the columns, of CoNLL-U.
    names: Vec<String>,
    /// What stands in the column of the tag, or in the last, in lines that are no comments for sure.
    last: HashSet<&'a str>,
}

impl<'a> Sheet<'a> {
    /// Finds the columns. `tagged`: whether tags are read.
    pub(super) fn find(
        file: &'a Path,
        text: &'a str,
        format: Format,
        layout: &TaggedLayout,
        tagged: bool,
    ) -> Result<Sheet<'a>, DataError> {
        let conllu = format == Format::Conllu;
        let counts = |content: &str| !content.trim().is_empty() && !content.starts_with(DOCUMENT);
        let is_token = |content: &str| counts(content) && !may_be_comment(content, conllu);
        // A file of comments alone may be one of tokens that look like them.
        let of = |is: &dyn Fn(&str) -> bool| (1..).zip(text.lines()).find(|(_, content)| is(content));
        let first = of(&is_token).or_else(|| of(&counts).filter(|_| !conllu));
        let Some((line, content)) = first else { return Err(DataError::NoExamples { file: file.into() }) };
        let tabs = conllu || content.contains('\t');
        let mut sheet = Sheet {
            file,
            conllu,
            first: line,
            columns: 0,
            tabs,
            token: 0,
            tag: None,
            names: if conllu { names(text) } else { Vec::new() },
            last: HashSet::new(),
        };
        sheet.columns = sheet.cut(content).len();
        if sheet.columns < sheet.names.len() {
            let (found, expected) = (sheet.columns, sheet.names.len());
            let problem = format!("the line has {found} columns between tabs; {expected} of CoNLL-U were expected");
            return Err(DataError::Line { file: file.into(), line, problem });
        }
        sheet.token = match (&layout.token_column, conllu) {
            (Some(column), _) => sheet.place(column, "token-column")?,
            (None, true) => sheet.place(&Column::Name("FORM".into()), "token-column")?,
            (None, false) => 0,
        };
        if tagged {
            sheet.tag = Some(match (&layout.tag_column, conllu) {
                (Some(column), _) => sheet.place(column, "tag-column")?,
                (None, true) => sheet.place(&Column::Name("UPOS".into()), "tag-column")?,
                (None, false) => sheet.columns - 1,
            });
        }
        if sheet.tag == Some(sheet.token) && sheet.columns > 1 {
            let column = (sheet.token + 1).to_string();
            return Err(DataError::SameColumn { file: file.into(), first: "token", second: "tag", column });
        }
        let place = sheet.tag.unwrap_or(sheet.columns - 1);
        let of_line = |content| sheet.cut(content).get(place).copied();
        sheet.last = text.lines().filter(|content| is_token(content)).filter_map(of_line).collect();
        Ok(sheet)
    }

    /// The sentences, in order.
    pub(super) fn read(&self, text: &'a str) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut within = false;
        for line in lines(text) {
            match self.kind(line.content, within) {
                Kind::Blank | Kind::Document => within = false,
                Kind::Comment => {}
                kind @ (Kind::Beside | Kind::Token) => {
                    if !within {
                        parts.push(Part::new(&line));
                        within = true;
                    }
                    let Some(part) = parts.last_mut() else { continue };
                    part.end = line.end;
                    let read = match kind {
                        Kind::Beside => self.check_width(line.content, line.number).map(|_| None),
                        _ => self.token_and_tag(line.content, line.number).map(Some),
                    };
                    part.add(line.number, read);
                }
            }
        }
        // Lines beside tokens alone are no sentence.
        parts.retain(|part| part.read.as_ref().is_ok_and(|sentence| !sentence.tokens.is_empty()) || part.read.is_err());
        parts
    }

    /// What a line is; `within`: a sentence has begun.
    fn kind(&self, content: &str, within: bool) -> Kind {
        if content.trim().is_empty() {
            return Kind::Blank;
        }
        if self.conllu {
            let id = content.split('\t').next().unwrap_or_default();
            return match id {
                id if id.starts_with('#') => Kind::Comment,
                id if is_id(id) && id.contains(['-', '.']) => Kind::Beside,
                _ => Kind::Token,
            };
        }
        if content.split_ascii_whitespace().next() == Some(DOCUMENT) {
            return Kind::Document;
        }
        if !within && may_be_comment(content, false) {
            let cut = self.cut(content);
            let last = cut.get(self.tag.unwrap_or(self.columns - 1));
            let is_token = cut.len() == self.columns && last.is_some_and(|last| self.last.contains(last));
            return if is_token { Kind::Token } else { Kind::Comment };
        }
        Kind::Token
    }

    /// What is told of the columns.
    pub(super) fn form(&self) -> String {
        let name = |place: usize| match self.names.get(place) {
            Some(name) => name.clone(),
            None => format!("column {}", place + 1),
        };
        let tags = self.tag.map_or_else(String::new, |tag| format!(", tags from {}", name(tag)));
        let (form, columns) = match (self.conllu, self.tabs) {
            (true, _) => ("CoNLL-U", String::new()),
            (false, true) => ("columns between tabs", format!(" of {}", self.columns)),
            (false, false) => ("columns between blanks", format!(" of {}", self.columns)),
        };
        format!("{form}, tokens from {}{tags}{columns}", name(self.token))
    }

    /// What stands before a column that is added to a line.
    pub(super) fn separator(&self) -> char {
        if self.tabs { '\t' } else { ' ' }
    }

    fn cut<'b>(&self, content: &'b str) -> Vec<&'b str> {
        if self.tabs {
            content.split('\t').map(str::trim_ascii).collect()
        } else {
            content.split_ascii_whitespace().collect()
        }
    }

    /// Where a column stands, counted from 0.
    fn place(&self, column: &Column, option: &str) -> Result<usize, DataError> {
        let place = match column {
            Column::Number(number) => number.checked_sub(1),
            Column::Name(name) => self.names.iter().position(|known| known.eq_ignore_ascii_case(name)),
        };
        place.filter(|&place| place < self.columns).ok_or_else(|| {
            let (columns, names) = (self.columns, &self.names);
            let expected = match names.get(..columns.min(names.len())) {
                Some([_, ..]) => format!("a number from 1 to {columns}, or one of {}", names.join(", ")),
                _ => format!("a number from 1 to {columns}"),
            };
            let name = match column {
                Column::Number(number) => number.to_string(),
                Column::Name(name) => name.clone(),
            };
            let problem = format!("--{option} is {name}, but {expected} was expected for these lines");
            DataError::Line { file: self.file.into(), line: self.first, problem }
        })
    }

    fn check_width<'b>(&self, content: &'b str, line: usize) -> Result<Vec<&'b str>, DataError> {
        let cut = self.cut(content);
        if cut.len() == self.columns {
            return Ok(cut);
        }
        let (file, found, expected, first_line) = (self.file.into(), cut.len(), self.columns, self.first);
        let hint = if self.tabs { "" } else { "; where tokens hold blanks, tabs must stand between the columns" };
        Err(DataError::FieldCount { file, line, found, expected, first_line, hint })
    }

    fn token_and_tag<'b>(&self, content: &'b str, line: usize) -> Result<(&'b str, Option<&'b str>), DataError> {
        let apart = if self.tabs { "a tab" } else { "white space" };
        let wrong = |problem: String| {
            let problem = format!("{problem}; a token, {apart} and its tag were expected");
            DataError::Line { file: self.file.into(), line, problem }
        };
        if let (Some(_), [alone]) = (self.tag, self.cut(content).as_slice()) {
            return Err(wrong(format!("{alone:?} stands alone")));
        }
        let cut = self.check_width(content, line)?;
        if self.conllu && !is_id(cut[0]) {
            let problem = format!("{:?} is no ID of CoNLL-U; 1, 1-2 or 1.1 was expected", cut[0]);
            return Err(DataError::Line { file: self.file.into(), line, problem });
        }
        let token = cut[self.token];
        match (token, self.tag.map(|place| (place, cut[place]))) {
            ("", _) if self.tag.is_none() => {
                Err(DataError::Line { file: self.file.into(), line, problem: "the token is empty".into() })
            }
            ("", _) => Err(wrong("the token is empty".into())),
            (_, Some((_, ""))) => Err(wrong("the tag is empty".into())),
            (_, Some((place, "_"))) if self.names.get(place).is_some_and(|name| name == "UPOS") => {
                Err(wrong(format!("the UPOS of {token:?} is _, which is none")))
            }
            (_, tag) => Ok((token, tag.map(|(_, tag)| tag))),
        }
    }
}

/// Whether a line begins as a comment does.
fn may_be_comment(content: &str, conllu: bool) -> bool {
    let marked = content == "#" || content.starts_with("# ") || content.starts_with("#\t");
    marked || conllu && content.starts_with('#')
}

/// Whether it is the ID of a token, of several at once or of an empty one, as CoNLL-U has them.
pub(super) fn is_id(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(['-', '.']) {
        Some((first, second)) => is_number(first) && is_number(second),
        None => is_number(text),
    }
}

/// The names of the columns of CoNLL-U, or those that its first comment gives.
fn names(text: &str) -> Vec<String> {
    let first = text.trim_start().lines().next().unwrap_or_default();
    match first.strip_prefix(GLOBAL_COLUMNS).and_then(|rest| rest.trim_start().strip_prefix('=')) {
        Some(names) => names.split_whitespace().map(str::to_owned).collect(),
        None => CONLLU.iter().map(|&name| name.to_owned()).collect(),
    }
}

impl Part {
    /// A line of the sentence: a token with or without a tag, nothing of it, or why it cannot be read.
    fn add(&mut self, line: usize, read: Result<Option<(&str, Option<&str>)>, DataError>) {
        match (&mut self.read, read) {
            (Ok(sentence), Ok(Some((token, tag)))) => {
                if sentence.tokens.is_empty() {
                    sentence.line = line;
                }
                sentence.push(token, tag, line);
            }
            (Ok(_), Err(error)) => self.read = Err(error),
            _ => {}
        }
    }
}

impl Sentence {
    /// One token more.
    pub(super) fn push(&mut self, token: &str, tag: Option<&str>, line: usize) {
        self.tokens.push(token.to_owned());
        self.tags.extend(tag.map(str::to_owned));
        self.lines.push(line);
    }
}
