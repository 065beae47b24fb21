//! `lookback predict MODEL [FILE|-]`.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use anyhow::Context as _;
use clap::Args;
use lookback_infer::error::counted;
use lookback_infer::input::{self, Example, Item, Stream};
use lookback_infer::model::{Answer, Ask, Model};
use serde_json::json;

use super::columns::Columns;
use super::max_memory::MaxMemory;
use super::{Unanswered, UsageError, failure};
use crate::insight::terminal;

/// Inputs that are answered together at most.
const TOGETHER: usize = 1024;
/// Inputs that were cut which are told one by one.
const TOLD: usize = 20;
/// Weights of one view that are held at once at most, over all inputs; one alone may have more.
const VIEWED: usize = 1 << 18;
/// Bytes of inputs that are read ahead at most; one alone may have more.
const AHEAD: usize = 64 << 20;

/// Answer inputs, one JSON object per line.
///
/// What is ready is answered together, a lone input at once; answers come in the order of the inputs, and none depends on
/// what it was answered with. An input that cannot be answered gets an object with `line` and `error` in its place, the
/// others are answered, and the exit code is 3.
#[derive(Args, Debug)]
pub(super) struct Predict {
    /// Model file
    model: PathBuf,
    /// File with inputs, or - for standard input; without a format one per line, a series as a JSON array of steps, each
    /// an array of channels
    #[arg(default_value = "-")]
    input: PathBuf,
    /// Add what the attention looked at: the tokens, the weight of each, and whole matrices where there are any
    #[arg(long)]
    attention: bool,
    /// Stop at the first input that cannot be answered
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    memory: MaxMemory,
    #[command(flatten)]
    columns: Columns,
}

/// What the thread that reads hands over.
enum Read {
    /// The next input, or why it is none.
    Item(Item<anyhow::Error>),
    /// The input cannot be read further.
    Broken(anyhow::Error),
    /// There is no more.
    End,
}

impl Read {
    /// About what it takes of memory.
    fn bytes(&self) -> usize {
        match self {
            Read::Item(Item::Example(example)) => example.bytes(),
            _ => 0,
        }
    }
}

/// How much is read ahead, in bytes. The queue bounds how many inputs are, which may be of any size.
#[derive(Default)]
struct Ahead {
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
    fn take(&self, bytes: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
        self.less.notify_one();
    }
}

impl Predict {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let model: Arc<dyn Model> = lookback_infer::load(&self.model)?.into();
        if self.attention
            && let Some(why) = model.without_views()
        {
            return Err(UsageError(format!("--attention: {why}")).into());
        }
        let ask = Ask { views: self.attention, limit: self.memory.max_memory };
        let ahead = Arc::new(Ahead::default());
        let read = read(Arc::clone(&model), self.input, self.columns.with_label(None), ask, Arc::clone(&ahead))?;
        let mut answers = Answers { inputs: 0, refused: 0, cut: 0, strict: self.strict };
        loop {
            let first = read.recv().map_err(|_| anyhow::anyhow!("the thread that reads the inputs has failed"))?;
            // All that is ready by now, but never a wait for more.
            let mut ready: Vec<Read> = std::iter::once(first).chain(read.try_iter().take(TOGETHER - 1)).collect();
            ahead.take(ready.iter().map(Read::bytes).sum());
            let ended = ready.pop_if(|last| matches!(last, Read::End)).is_some();
            for together in together(ready, ask.views) {
                answers.answer(&*model, together, &ask)?;
            }
            if ended {
                return answers.finish();
            }
        }
    }
}

/// In parts whose answers fit memory: views may have the square of an input's length, several times.
fn together(ready: Vec<Read>, views: bool) -> Vec<Vec<Read>> {
    if !views {
        return vec![ready];
    }
    let mut parts: Vec<Vec<Read>> = Vec::new();
    let mut weights = 0;
    for read in ready {
        let own = match &read {
            Read::Item(Item::Example(example)) => example.len() * example.len(),
            _ => 0,
        };
        weights += own;
        match parts.last_mut() {
            Some(part) if weights <= VIEWED => part.push(read),
            _ => {
                weights = own;
                parts.push(vec![read]);
            }
        }
    }
    parts
}

/// Reads inputs on a thread of its own, some ahead of the answers. It is not waited for: it may be reading from a
/// terminal when nobody wants answers any more.
fn read(
    model: Arc<dyn Model>,
    file: PathBuf,
    columns: input::Columns,
    ask: Ask,
    ahead: Arc<Ahead>,
) -> anyhow::Result<Receiver<Read>> {
    let (send, receive) = sync_channel(2 * TOGETHER);
    let work = move || {
        let stream = match Stream::open(model.input(), &file, &columns) {
            Ok(stream) => stream,
            Err(error) => return drop(send.send(Read::Broken(error.into()))),
        };
        let name = stream.name().to_owned();
        for item in stream {
            let read = match item {
                Err(error) => Read::Broken(error.into()),
                Ok(Item::Wrong { line, error }) => Read::Item(Item::Wrong { line, error: error.into() }),
                Ok(Item::Example(example)) => Read::Item(match model.check_memory(&example, &ask, &name) {
                    Ok(()) => Item::Example(example),
                    Err(error) => Item::Wrong { line: example.line, error: error.into() },
                }),
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

/// How many inputs there were, and how many of them could not be answered.
struct Answers {
    inputs: usize,
    refused: usize,
    /// How many were cut to the model's longest.
    cut: usize,
    strict: bool,
}

impl Answers {
    /// Answers what is ready, in its order.
    fn answer(&mut self, model: &dyn Model, ready: Vec<Read>, ask: &Ask) -> anyhow::Result<()> {
        let examples: Vec<&Example> = ready
            .iter()
            .filter_map(|read| match read {
                Read::Item(Item::Example(example)) => Some(example),
                _ => None,
            })
            .collect();
        let mut answers = answers(model, &examples, ask).into_iter();
        let mut lines = String::new();
        let text = &mut lines;
        for read in &ready {
            match read {
                Read::Item(Item::Example(example)) => {
                    self.tell_cut(example);
                    match answers.next() {
                        Some(Ok(answer)) => {
                            self.inputs += 1;
                            text.push_str(&terminal::printable_json(&json!(answer.json).to_string()));
                            text.push('\n');
                        }
                        Some(Err(error)) => self.refuse(example.line, &error, text)?,
                        None => {}
                    }
                }
                Read::Item(Item::Wrong { line, error }) => self.refuse(*line, error, text)?,
                Read::Broken(_) | Read::End => {}
            }
        }
        super::print_as_it_is(&lines)?;
        match ready.into_iter().last() {
            Some(Read::Broken(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes an error object where an answer would stand.
    fn refuse(&mut self, line: usize, error: &anyhow::Error, text: &mut String) -> anyhow::Result<()> {
        self.inputs += 1;
        self.refused += 1;
        let sentence = failure::sentence(error);
        if self.strict {
            super::print_as_it_is(text)?;
            return Err(UsageError(sentence).into());
        }
        let object = json!({ "line": line, "error": sentence });
        text.push_str(&terminal::printable_json(&object.to_string()));
        text.push('\n');
        Ok(())
    }

    /// Tells that an input was cut, of the first ones.
    fn tell_cut(&mut self, example: &Example) {
        self.cut += usize::from(example.cut > 0);
        if example.cut > 0 && self.cut <= TOLD {
            let ((what, unit), kept, line) = (example.unit(), example.len(), example.line);
            tracing::warn!(
                "line {line}: the {what} has {} {unit}s; it is cut to the model's {kept}",
                kept + example.cut
            );
        }
    }

    fn finish(&self) -> anyhow::Result<()> {
        let Answers { inputs, refused, cut, .. } = self;
        if *cut > TOLD {
            tracing::warn!("{} were cut in all", counted(*cut, "input"));
        }
        match refused {
            0 => Ok(()),
            _ => Err(Unanswered(format!(
                "{refused} of {} could not be answered; an object with the key \"error\" tells why",
                counted(*inputs, "input")
            ))
            .into()),
        }
    }
}

/// The answers, or why there is none.
fn answers(model: &dyn Model, examples: &[&Example], ask: &Ask) -> Vec<anyhow::Result<Answer>> {
    let together = |examples: &[&Example]| rayon::scope(|_| model.answer(examples, ask));
    match together(examples) {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        // One that overflows is no reason to leave the others without an answer.
        Err(_) => examples
            .iter()
            .flat_map(|example| match together(&[example]) {
                Ok(answers) => answers.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error.into())],
            })
            .collect(),
    }
}
