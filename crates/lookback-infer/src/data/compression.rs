//! Files that are packed by gzip or Zstandard, known by their first bytes.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1F, 0x8B];
const ZSTANDARD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
/// How much is read at once.
pub(super) const BUFFER: usize = 64 << 10;

/// The extensions of packed files.
pub(super) const EXTENSIONS: [&str; 3] = ["gz", "zst", "zstd"];

/// What is packed in `reader`, or what it holds itself.
pub(super) fn unpacked(reader: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    // A pipe may bring its first bytes one by one; nobody packs by hand.
    let first = reader.fill_buf()?;
    if first.starts_with(GZIP) {
        Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(reader))))
    } else if first.starts_with(ZSTANDARD) {
        Ok(Box::new(BufReader::with_capacity(BUFFER, Frames { reader, frame: FrameDecoder::new(), within: false })))
    } else {
        Ok(Box::new(reader))
    }
}

/// The content of Zstandard frames, one after another: packers that use several threads write many.
struct Frames<R> {
    reader: R,
    frame: FrameDecoder,
    /// Whether a frame has begun whose content is not all read.
    within: bool,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame that has content; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.reader.fill_buf()?.is_empty() {
            match self.frame.init(&mut self.reader) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.reader.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !into.is_empty() && (self.within || self.begin()?) {
            self.within = true;
            while self.frame.can_collect() < into.len() && !self.frame.is_finished() {
                let wanted = BlockDecodingStrategy::UptoBytes(into.len() - self.frame.can_collect());
                self.frame.decode_blocks(&mut self.reader, wanted).map_err(damaged)?;
            }
            let read = self.frame.read(into)?;
            if read > 0 {
                return Ok(read);
            }
            self.within = false;
            if self.frame.get_checksum_from_data().is_some_and(|sum| Some(sum) != self.frame.get_calculated_checksum())
            {
                return Err(damaged("its checksum does not fit its content"));
            }
        }
        Ok(0)
    }
}

fn damaged(error: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::{Cursor, Write};

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory")
    }

    fn zstandard(content: &[u8]) -> Vec<u8> {
        compress_to_vec(content, CompressionLevel::Fastest)
    }

    fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        unpacked(Cursor::new(bytes))?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn packed_and_plain_content_comes_out_the_same() -> io::Result<()> {
        let long = "a line of text\n".repeat(20_000).into_bytes();
        for content in [&b"text,label\n"[..], b"", &long] {
            // Members and frames may follow one another, and frames that hold no content may stand between.
            let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
            let twice = [content, content].concat();
            assert_eq!(read(content.to_vec())?, content);
            assert_eq!(read([gzip(content), gzip(content)].concat())?, twice);
            assert_eq!(read([zstandard(content), skipped, zstandard(content)].concat())?, twice);
        }
        Ok(())
    }

    #[test]
    fn what_is_cut_or_changed_is_an_error() {
        let content = "some text, and some more text\n".repeat(3_000).into_bytes();
        for packed in [gzip(&content), zstandard(&content)] {
            for length in [packed.len() - 1, packed.len() / 2, 12] {
                assert!(read(packed[..length].to_vec()).is_err(), "{length} of {}", packed.len());
            }
            let mut changed = packed.clone();
            let last = changed.len() - 5;
            changed[last] ^= 1;
            assert!(read(changed).is_err_and(|error| !error.to_string().is_empty()));
        }
    }
}
