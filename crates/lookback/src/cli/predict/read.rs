//! Reads inputs on a thread of its own, some ahead of the answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use anyhow::Context as _;
use lookback_infer::data::Keep;
use lookback_infer::data::tagged::Document;
use lookback_infer::error::DataError;
use lookback_infer::input::{Columns, Item, Stream};
use lookback_infer::model::{Ask, Model};

use super::TOGETHER;
use crate::cli::series;

/// Bytes of inputs that are read ahead at most; one alone may have more.
const AHEAD: usize = 64 << 20;

/// What the thread that reads hands over.
pub(super) enum Read {
    /// The next input, or why it is none.
    Item(Box<Item<anyhow::Error>>),
    /// The input cannot be read further.
    Broken(anyhow::Error),
    /// There is no more.
    End,
}

impl Read {
    /// About what it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Read::Item(item) => item.kept.bytes() + item.example.as_ref().map_or(0, |example| example.bytes()),
            _ => 0,
        }
    }
}

/// How much is read ahead, in bytes. The queue bounds how many inputs are, which may be of any size.
#[derive(Default)]
pub(super) struct Ahead {
    bytes: Mutex<usize>,
    less: Condvar,
}

impl Ahead {
    /// Waits until so much more may be read.
    fn add(&self, bytes: usize) {
        let ahead = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |ahead: &mut usize| *ahead > 0 && *ahead + bytes > AHEAD;
        let mut ahead = self.less.wait_while(ahead, full).unwrap_or_else(PoisonError::into_inner);
        *ahead += bytes;
    }

    /// So much was answered.
    pub(super) fn take(&self, bytes: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
        self.less.notify_one();
    }
}

/// What is read, and how.
pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) columns: Columns,
    pub(super) keep: Keep,
    /// The sentences, where they are read already, and why some of them cannot be, by their places.
    pub(super) document: Option<(Arc<Document>, BTreeMap<usize, DataError>)>,
    /// The ids of the series that are wanted; all where there are none.
    pub(super) series: Vec<String>,
}

/// Begins to read. The thread is not waited for: it may be reading from a terminal when nobody wants answers any more.
pub(super) fn read(
    model: Arc<dyn Model>,
    source: Source,
    ask: Ask,
    ahead: Arc<Ahead>,
) -> anyhow::Result<Receiver<Read>> {
    let (send, receive) = sync_channel(2 * TOGETHER);
    let work = move || {
        let opened = match source.document {
            Some((document, errors)) => Ok(Stream::of_document(model.input(), document, errors, &source.file)),
            None => Stream::open(model.input(), &source.file, &source.columns, &source.keep),
        };
        let stream = match opened {
            Ok(stream) => stream,
            Err(error) => return drop(send.send(Read::Broken(error.into()))),
        };
        let name = stream.name().to_owned();
        let wanted: Box<dyn Iterator<Item = anyhow::Result<Item>>> = match source.series.as_slice() {
            [] => Box::new(stream.map(|item| item.map_err(anyhow::Error::from))),
            ids => match series::only(stream, ids) {
                Ok(items) => Box::new(items.into_iter().map(Ok)),
                Err(error) => return drop(send.send(Read::Broken(error))),
            },
        };
        for item in wanted {
            let read = match item {
                Err(error) => Read::Broken(error),
                Ok(Item { line, example, kept }) => {
                    let example = example.and_then(|example| {
                        model.check_memory(&example, &ask, &name)?;
                        Ok(example)
                    });
                    Read::Item(Box::new(Item { line, example: example.map_err(anyhow::Error::from), kept }))
                }
            };
            ahead.add(read.bytes());
            // Nobody listens any more when answering has failed.
            if send.send(read).is_err() {
                return;
            }
        }
        let _ = send.send(Read::End);
    };
    thread::Builder::new().spawn(work).context("no thread could be had to read the inputs")?;
    Ok(receive)
}
