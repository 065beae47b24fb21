//! From the bytes of a file to its text, in whatever encoding they are.
//!
//! # How it is found out
//! By the mark at the beginning; failing that, bytes that are UTF-8 are UTF-8, and bytes of which nearly every second is zero
//! are UTF-16. Bytes that are mostly UTF-8 are a damaged file, which is refused. The others are in an older encoding, which
//! `chardetng` guesses as browsers do (GBK, Big5, Shift_JIS, EUC-KR, Windows-1252 and so on). Nothing is replaced: bytes that
//! the encoding does not have are an error that names their line.

use std::fmt;
use std::str::FromStr;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, UTF_8, UTF_16BE, UTF_16LE};
use serde::{Deserialize, Serialize};

/// An encoding of the WHATWG Encoding Standard, by any of its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Encoding(&'static encoding_rs::Encoding);

/// Text, and how it stood in a file.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: Encoding,
    /// Whether the encoding was guessed, so that it may be another.
    pub(super) guessed: bool,
}

/// Why bytes are no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The place of the first byte that the encoding does not have.
    pub(super) at: usize,
    pub(super) encoding: Encoding,
}

impl Encoding {
    pub(super) const UTF_8: Encoding = Encoding(UTF_8);

    /// The name that the standard gives it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether two bytes make a character, so that a line's end is not one byte.
    pub(super) fn is_utf_16(self) -> bool {
        self.0 == UTF_16LE || self.0 == UTF_16BE
    }

    /// Whether `bytes` end with the end of a line.
    pub(super) fn ends_line(self, bytes: &[u8]) -> bool {
        if self.0 == UTF_16LE {
            bytes.len().is_multiple_of(2) && bytes.ends_with(b"\n\0")
        } else if self.0 == UTF_16BE {
            bytes.len().is_multiple_of(2) && bytes.ends_with(b"\0\n")
        } else {
            bytes.ends_with(b"\n")
        }
    }

    /// Decodes all of `bytes`, which have no mark.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<String, Malformed> {
        let malformed = |at| Malformed { at, encoding: self };
        if self.0 == UTF_8 {
            let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.valid_up_to()))?;
            return Ok(text.to_owned());
        }
        match self.0.decode_without_bom_handling_and_without_replacement(bytes) {
            Some(text) => Ok(text.into_owned()),
            None => Err(malformed(self.first_malformed(bytes))),
        }
    }

    /// The place of the first byte that the encoding does not have.
    fn first_malformed(self, bytes: &[u8]) -> usize {
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let mut text =
            String::with_capacity(decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(0));
        match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
            (DecoderResult::Malformed(length, consumed), read) => {
                read.saturating_sub(usize::from(length) + usize::from(consumed))
            }
            (_, read) => read,
        }
    }

    /// The mark that stands at the beginning, and how long it is.
    pub(super) fn of_mark(bytes: &[u8]) -> Option<(Encoding, usize)> {
        encoding_rs::Encoding::for_bom(bytes).map(|(encoding, length)| (Encoding(encoding), length))
    }

    /// What is wrong with bytes that are no text that is read, whatever they are: those with the mark of UTF-32, which begins as that
    /// of UTF-16 does; and, where no encoding is `told`, those of programs, pictures and the like.
    pub(super) fn refused(bytes: &[u8], told: Option<Encoding>) -> Option<&'static str> {
        if bytes.starts_with(&[0xFF, 0xFE, 0, 0]) || bytes.starts_with(&[0, 0, 0xFE, 0xFF]) {
            return Some("the text is UTF-32 by the mark it begins with, which is not read; write it as UTF-8");
        }
        let may_be_text = told.is_some() || Encoding::of_mark(bytes).is_some() || !is_binary(bytes);
        (!may_be_text)
            .then_some("this is no text, for it is full of control characters; --encoding reads it all the same")
    }

    /// As [`Encoding::of_content`], of the beginning of an input, which may end within a character: of its whole lines, where
    /// it has any.
    pub(super) fn of_beginning(bytes: &[u8]) -> Option<(Encoding, bool)> {
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(bytes, |end| &bytes[..=end]);
        match std::str::from_utf8(whole) {
            Err(error) if error.error_len().is_none() && utf_16_without_mark(whole).is_none() => {
                Some((Encoding::UTF_8, false))
            }
            _ => Encoding::of_content(whole),
        }
    }

    /// What bytes without a mark are in, and whether that is a guess. `None`: they are damaged UTF-8.
    pub(super) fn of_content(bytes: &[u8]) -> Option<(Encoding, bool)> {
        if let Some(encoding) = utf_16_without_mark(bytes) {
            return Some((encoding, false));
        }
        if std::str::from_utf8(bytes).is_ok() {
            return Some((Encoding::UTF_8, false));
        }
        if mostly_utf_8(bytes) {
            return None;
        }
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(bytes, true);
        Some((Encoding(detector.guess(None, Utf8Detection::Deny)), true))
    }
}

/// The text of a file: by the encoding that is told, else by its mark, else by its content.
///
/// Gives the bytes back where they are none, for what is to be said of them. UTF-8 is not copied.
pub(super) fn decode(mut bytes: Vec<u8>, told: Option<Encoding>) -> Result<Decoded, (Malformed, Vec<u8>)> {
    let mark = Encoding::of_mark(&bytes).filter(|(encoding, _)| told.is_none_or(|told| told == *encoding));
    let begin = mark.map_or(0, |(_, length)| length);
    let content = &bytes[begin..];
    let (encoding, guessed) = match (told, mark) {
        (Some(told), _) => (told, false),
        (None, Some((encoding, _))) => (encoding, false),
        (None, None) => match Encoding::of_content(content) {
            Some(found) => found,
            None => (Encoding::UTF_8, false),
        },
    };
    let place = |at: usize| Malformed { at: begin + at, encoding };
    let text = if encoding == Encoding::UTF_8 {
        let mark: Vec<u8> = bytes.drain(..begin).collect();
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            (place(at), [mark, error.into_bytes()].concat())
        })?
    } else {
        match encoding.decode(content) {
            Ok(text) => text,
            Err(malformed) => return Err((place(malformed.at), bytes)),
        }
    };
    Ok(Decoded { text, encoding, guessed })
}

/// UTF-16 in which the characters of ASCII, line ends and separators at least, have a zero as every second byte. A stray
/// zero byte is left to whoever put it there.
pub(super) fn utf_16_without_mark(bytes: &[u8]) -> Option<Encoding> {
    let mut zeros = [0usize; 2];
    for (place, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == 0) {
        zeros[place % 2] += 1;
    }
    let [even, odd] = zeros;
    let (all, most) = (even + odd, even.max(odd));
    let enough = all >= 2 && all * 16 >= bytes.len() && most * 10 >= all * 9;
    enough.then_some(Encoding(if odd > even { UTF_16LE } else { UTF_16BE }))
}

/// Whether bytes that are no UTF-8 have control characters at more than one place in 50, and more than a few; no text in an older
/// encoding has any but those of white space and the escape.
fn is_binary(bytes: &[u8]) -> bool {
    /// Of the beginning of a file, which tells.
    const SEEN: usize = 1 << 16;
    /// Stray ones in a short text.
    const FEW: usize = 8;
    let bytes = &bytes[..bytes.len().min(SEEN)];
    let is_control =
        |byte: &&u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | 0x1B);
    let controls = bytes.iter().filter(is_control).count();
    let is_utf_8 = || std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    controls > FEW && controls * 50 > bytes.len() && !is_utf_8() && utf_16_without_mark(bytes).is_none()
}

/// Whether more characters beyond ASCII are UTF-8 than are not: in an older encoding hardly any pair of bytes is.
fn mostly_utf_8(bytes: &[u8]) -> bool {
    let (mut right, mut wrong) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        right += chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    right > wrong
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        encoding_rs::Encoding::for_label(label.as_bytes()).map(Encoding).ok_or_else(|| {
            format!("\"{label}\" is no encoding; utf-8, utf-16le, gb18030, gbk, big5, shift_jis, euc-kr, windows-1252 or another label of the WHATWG standard was expected")
        })
    }
}

impl TryFrom<String> for Encoding {
    type Error = String;

    fn try_from(label: String) -> Result<Self, String> {
        label.parse()
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> String {
        encoding.name().to_owned()
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHINESE: &str = "text,label\n这本书写得非常好,正面\n房间很小而且不干净,负面\n服务员态度很好,正面\n";
    const GERMAN: &str = "text,label\nSchöne Grüße aus München,gut\nDas war überhaupt nicht schön,schlecht\n";

    fn encoded(text: &str, label: &str) -> Vec<u8> {
        encoding_rs::Encoding::for_label(label.as_bytes()).expect("a label").encode(text).0.into_owned()
    }

    fn wide(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn the_encoding_is_found_out() {
        let traditional = "這本書寫得非常好,正面\n房間很小而且不乾淨,負面\n服務員態度很好,正面\n";
        let japanese = "この本はとても面白かったです,良い\n部屋が狭くて汚かった,悪い\n";
        let cases = [
            (encoded(CHINESE, "utf-8"), "UTF-8", false, CHINESE),
            (encoded(CHINESE, "gb18030"), "GBK", true, CHINESE),
            (encoded(traditional, "big5"), "Big5", true, traditional),
            (encoded(japanese, "shift_jis"), "Shift_JIS", true, japanese),
            (encoded(GERMAN, "windows-1252"), "windows-1252", true, GERMAN),
            (wide(CHINESE, u16::to_le_bytes), "UTF-16LE", false, CHINESE),
            (wide(GERMAN, u16::to_be_bytes), "UTF-16BE", false, GERMAN),
            ([b"\xFF\xFE".to_vec(), wide(GERMAN, u16::to_le_bytes)].concat(), "UTF-16LE", false, GERMAN),
            ([b"\xEF\xBB\xBF", GERMAN.as_bytes()].concat(), "UTF-8", false, GERMAN),
        ];
        for (bytes, name, guessed, text) in cases {
            let decoded = decode(bytes, None).expect(name);
            assert_eq!((decoded.encoding.name(), decoded.guessed, decoded.text.as_str()), (name, guessed, text));
        }
    }

    #[test]
    fn what_is_no_text_is_refused_unless_an_encoding_is_told() {
        let program: Vec<u8> = (0..4000u32).map(|place| (place.wrapping_mul(place) >> 3) as u8).collect();
        assert!(Encoding::refused(&program, None).is_some_and(|problem| problem.contains("no text")));
        assert_eq!(Encoding::refused(&program, Some("latin1".parse().expect("a label"))), None);
        let texts = [encoded(CHINESE, "gb18030"), encoded(GERMAN, "windows-1252"), wide(CHINESE, u16::to_le_bytes)];
        for text in texts.into_iter().chain([b"caf\xE9\x01\n".to_vec(), b"zero\0byte\0s\0".to_vec(), Vec::new()]) {
            assert_eq!(Encoding::refused(&text, None), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_told_is_not_found_out() {
        let latin_2 = encoded("żółw", "iso-8859-2");
        let told: Encoding = "latin2".parse().expect("a label");
        assert_eq!(decode(latin_2, Some(told)).expect("all bytes are").text, "żółw");
        let wrong = decode(GERMAN.as_bytes().to_vec(), Some("utf-16le".parse().expect("a label")));
        assert!(wrong.is_err() || wrong.is_ok_and(|decoded| decoded.text != GERMAN));
        assert!("klingon".parse::<Encoding>().is_err_and(|error| error.starts_with("\"klingon\" is no encoding")));
    }

    #[test]
    fn damaged_utf_8_is_no_other_encoding_and_its_place_is_told() {
        let mut bytes = CHINESE.as_bytes().to_vec();
        bytes[20] = b'x';
        let (malformed, _) = decode(bytes, None).map(|decoded| decoded.text).expect_err("damaged");
        assert_eq!((malformed.encoding.name(), (18..=21).contains(&malformed.at)), ("UTF-8", true));
        let told: Encoding = "gbk".parse().expect("a label");
        let (malformed, _) =
            decode(b"abc\xFFdef".to_vec(), Some(told)).map(|decoded| decoded.text).expect_err("no GBK");
        assert_eq!(malformed, Malformed { at: 3, encoding: told });
    }

    #[test]
    fn stray_zero_bytes_are_no_utf_16() {
        for text in ["a\0b,x\n", "text,label\ngood\0,a\nbad\0,b\nboth,a,b,c,d,e,f,g,h\n"] {
            let decoded = decode(text.as_bytes().to_vec(), None).expect("UTF-8");
            assert_eq!((decoded.text.as_str(), decoded.encoding), (text, Encoding::UTF_8));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), label in 0usize..5) {
            let told = [None, Some("utf-16be"), Some("gb18030"), Some("big5"), Some("iso-2022-jp")][label];
            let told = told.map(|label| label.parse().expect("a label"));
            if let Err((malformed, given_back)) = decode(bytes.clone(), told) {
                prop_assert!(malformed.at <= bytes.len() && given_back == bytes);
            }
        }

        #[test]
        fn utf_8_comes_back(text in "\\PC{0,40}") {
            let decoded = decode(text.clone().into_bytes(), Some(Encoding::UTF_8)).expect("UTF-8");
            prop_assert_eq!(decoded.text, text.strip_prefix('\u{feff}').unwrap_or(&text));
        }
    }
}
