//! `lookback predict MODEL [FILE|-]`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

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
    /// Add the tokens and the weight that the attention gave each
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
        let read = read(Arc::clone(&model), self.input, self.columns.with_label(None), ask);
        let mut answers = Answers { inputs: 0, refused: 0, strict: self.strict };
        while let Ok(first) = read.recv() {
            // All that is ready by now, but never a wait for more.
            let ready: Vec<Read> = std::iter::once(first).chain(read.try_iter().take(TOGETHER - 1)).collect();
            answers.answer(&*model, ready, &ask)?;
        }
        answers.finish()
    }
}

/// Reads inputs on a thread of its own, some ahead of the answers. It is not waited for: it may be reading from a
/// terminal when nobody wants answers any more.
fn read(model: Arc<dyn Model>, file: PathBuf, columns: input::Columns, ask: Ask) -> Receiver<Read> {
    let (send, receive) = sync_channel(2 * TOGETHER);
    thread::spawn(move || {
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
            // Nobody listens any more when answering has failed.
            if send.send(read).is_err() {
                return;
            }
        }
    });
    receive
}

/// How many inputs there were, and how many of them could not be answered.
struct Answers {
    inputs: usize,
    refused: usize,
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
                    tell_cut(example);
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
                Read::Broken(_) => {}
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

    fn finish(&self) -> anyhow::Result<()> {
        let Answers { inputs, refused, .. } = self;
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

fn tell_cut(example: &Example) {
    if example.cut > 0 {
        let ((what, unit), kept, line) = (example.unit(), example.len(), example.line);
        tracing::warn!("line {line}: the {what} has {} {unit}s; it is cut to the model's {kept}", kept + example.cut);
    }
}
