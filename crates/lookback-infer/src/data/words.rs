//! Words for jieba's dictionary, in the format of its own and of its users' dictionaries.

use std::path::Path;

use super::encoding::Decoded;
use super::file_text;
use crate::error::DataError;

/// A word, and how often it occurs, where that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// How often it occurs, from 1.
    pub count: Option<u32>,
}

/// Reads words, one a line: the word, how often it occurs and a tag of small letters, with white space between; the last two
/// may be left out, each by itself. Blank lines are passed over. The tag is of no use and not kept.
///
/// # Errors
/// If the file cannot be read or is empty, or a line is no such word.
pub fn read_words(file: &Path) -> Result<Vec<Word>, DataError> {
    let Decoded { text, encoding, guessed } = file_text::read(file, None)?;
    let file = &file_text::name(file);
    if guessed {
        tracing::warn!("{}: its encoding was found to be {encoding}", file.display());
    }
    let lines = (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty());
    lines.map(|(line, content)| word(content, file, line)).collect()
}

fn word(content: &str, file: &Path, line: usize) -> Result<Word, DataError> {
    let wrong = |problem: String| DataError::Line { file: file.into(), line, problem };
    let mut parts: Vec<&str> = content.split_whitespace().collect();
    let is_tag = |part: &&str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_count = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() > 1 && parts.last().is_some_and(is_tag) {
        parts.pop();
    }
    let count = if parts.len() > 1 && parts.last().is_some_and(is_count) { parts.pop() } else { None };
    let [text] = parts[..] else {
        let problem = format!("{content:?} is no word, count and tag with white space between, such as \"云计算 5 n\"");
        return Err(wrong(problem));
    };
    let count = count.map(|count| match count.parse::<u32>() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(wrong(format!("the word {text:?} occurs {count} times; from 1 to {} was expected", u32::MAX))),
    });
    Ok(Word { text: text.to_owned(), count: count.transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_a_count_and_a_tag_if_wanted() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("words.txt");
        let read = |content: &str| {
            std::fs::write(&file, content).expect("a file");
            read_words(&file).map_err(|error| error.to_string())
        };
        let word = |text: &str, count| Word { text: text.into(), count };
        let words = read("\u{FEFF}云计算 5\n李小福 2 nr\n\n创新办\tn\n台中\r\n5G网络 7 n\n42 3\n");
        let expected = [
            ("云计算", Some(5)),
            ("李小福", Some(2)),
            ("创新办", None),
            ("台中", None),
            ("5G网络", Some(7)),
            ("42", Some(3)),
        ];
        assert_eq!(words, Ok(expected.map(|(text, count)| word(text, count)).to_vec()));
        for (wrong, part) in [
            ("云计算 x5 n\n", "line 1: \"云计算 x5 n\" is no word, count and tag"),
            ("好\n\n云计算 0 n\n", "line 3: the word \"云计算\" occurs 0 times; from 1 to 4294967295 was expected"),
            ("好 99999999999\n", "occurs 99999999999 times"),
            ("a b c d\n", "line 1"),
            ("\n \n", "is empty"),
        ] {
            assert!(read(wrong).is_err_and(|error| error.contains(part)), "{wrong:?}");
        }
        Ok(())
    }
}
