//! `lookback predict MODEL [FILE|-]`.

mod chart;
mod read;
mod sentences;
mod stream;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use lookback_infer::data::tagged::Document;
use lookback_infer::data::{Column, Keep};
use lookback_infer::error::counted;
use lookback_infer::input::Example;
use lookback_infer::model::{Answer, Ask, ForecastAsk, GenerateAsk, Model, SearchAsk, Unsure};

use self::chart::Charts;
use self::read::{Ahead, Read, Source, read};
use self::write::{OutputFormat, Writer, Written};
use super::columns::Columns;
use super::load::load;
use super::max_memory::MaxMemory;
use super::sureness::Sureness;
use super::{Unanswered, UsageError, failure};

/// Inputs that are answered together at most.
const TOGETHER: usize = 1024;
/// Why more inputs than one are refused.
const ONE_STATE: &str = "--state-out keeps what one input leaves, but there are several";
/// Inputs that were cut which are told one by one.
const TOLD: usize = 20;
/// Weights of one view that are held at once at most, over all inputs; one alone may have more.
const VIEWED: usize = 1 << 18;

/// Answer inputs, one JSON object per line, or a table.
///
/// An answer of one label has line (of the input, from 1), input (what --keep asks for), label, probabilities (the
/// likeliest first), unsure, and of a text tokens (how many it has), unknown_tokens (how many of them the vocabulary does
/// not have) and, where the text is longer than the model's longest, cut_tokens (how many at its end were cut off); with --attention pieces (the tokens), weights (how much each counts) and views. A table has line, what is kept,
/// label, probability (that of the label), with --top label_2, probability_2 and so on, unsure, and error; of several labels a text
/// labels with | between, or as a list where one holds that, and with --top label_1, probability_1 and so on. Where no token of
/// a text is known, its answer is unsure.
///
/// A tagger's answer has tokens, tags, scores (the probability of each tag, of the scheme that it was trained on) and, where tags spell
/// spans, entities, each with text, label, start and end in characters of the text (of tokens that were given: with one blank between
/// any two) and score, the least of its tokens'; cut_tokens tells how many past --max-length have no tag, which is _ in conll. With
/// --segment tokens are words.
///
/// A translator's answer has translation, score (the logarithm of its probability, normalised by length), tokens, scores (the logarithm of
/// each token's probability, and of the end behind them), alternatives (what --n-best or --count asks for beside, each with the same),
/// unsure where nothing of its source is known (of an empty source the translation is empty), unfinished where it was cut at
/// --max-length, missing (how many of the texts of --require it lacks) where there are any, and cut_tokens of its source; with --alignment views with what every token and the end looked at.
///
/// A language model goes on from every input, by a sample unless --beam, --n-best or --require asks for a search: its answer has text (the input and what it writes behind it), completion (that alone),
/// score (the logarithm of its probability, normalised by length), tokens, scores (the logarithm of each token's probability,
/// and of the end behind them), alternatives (what --count or --n-best asks for beside), unfinished where it was cut at --length, missing
/// and, where the vocabulary does not have all of the input, unknown_tokens. With --score it has log_probability, perplexity,
/// bits_per_character, tokens and scores of the input itself, its end among them where texts have one, and with --attention entropies
/// (how unsure the model was before each token, in bits) and candidates (the likeliest tokens at every place).
///
/// A forecaster's answer has id, time (of every step ahead), mean and quantiles (lists by level), each by the names of the targets where
/// there are several; of a model that was trained with --fallback also method, which is network or the classic forecast that answers; with
/// --attention views with what was looked at. Of a model that tells every step it has all steps that were read. A table has a row per step
/// ahead (and target, where there are several) with line, id, target, time, mean and a column for every quantile, such as quantile_0.1.
/// With --anomalies it has id, level, checked (how many values were looked at) and anomalies, each with target (where there are several),
/// time, value, mean, lower, upper (of the interval), beyond (how far from the nearer bound, below it negative) and half_widths (the same
/// in halves of the interval's width); a table has a row for each of them, and none for a series without: in JSON such a series has an
/// object with an empty list.
///
/// What is ready is answered together, a lone input at once; answers come in the order of the inputs, and none depends on
/// what it was answered with. An input that cannot be answered gets an object with line and error in its place, or a row with
/// error filled, the others are answered, and the exit code is 3.
#[derive(Args, Debug)]
pub(super) struct Predict {
    /// Model file
    model: PathBuf,
    /// File with inputs, or - for standard input; without a format one per line, a series as a JSON array of steps, each
    /// an array of channels
    #[arg(default_value = "-")]
    input: PathBuf,
    /// Tell only so many labels, the likeliest first
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// How answers are written; conll puts the tag of every token behind it, where the input is columns as one column more
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    output_format: OutputFormat,
    /// Fields of an answer that are written, in this order, with commas between; in a table probabilities has a column for
    /// every label
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Option<Vec<String>>,
    /// Columns or keys of the input that go with its answer, by name or number with commas between, or all of them; text keeps
    /// the text of inputs without columns. Of series with a row per step, columns that are the same in all rows of a series
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    keep: Option<Vec<Column>>,
    #[command(flatten)]
    sureness: Sureness,
    /// What is answered in place of a label that is unsure [default: the likeliest label, with unsure set]
    #[arg(long, value_name = "LABEL")]
    unknown: Option<String>,
    /// Texts are tokens with white space between, which are not cut again
    #[arg(long)]
    pretokenized: bool,
    /// Add what led to the answer: what the attention looked at (the tokens, the weight of each, and whole matrices where there are
    /// any), and the best paths through the tags
    #[arg(long, visible_alias = "alignment")]
    attention: bool,
    /// Stop at the first input that cannot be answered
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    memory: MaxMemory,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    search: SearchAsk,
    #[command(flatten)]
    generate: GenerateAsk,
    /// In place of forecasts, known values that lie outside of what was forecast of them one step ahead, from all that came before
    #[arg(long)]
    anomalies: bool,
    /// Interval of --anomalies, in percent, such as 80 [default: the widest that the model has]
    #[arg(long, value_name = "PERCENT")]
    level: Option<f64>,
    /// Draw what is known, forecasts and intervals: into this file, which ends with .svg, beside the answers; with - as text for the
    /// terminal in their place. A panel per series and target, of the first 12
    #[arg(long, value_name = "FILE|-")]
    chart: Option<PathBuf>,
    /// Known steps in a chart at most [default: three times what is forecast, or as many as the model reads, whichever is more]
    #[arg(long, value_name = "STEPS")]
    chart_steps: Option<usize>,
    /// Add so many paths of what may come, each step drawn after those drawn before it, of forecasters with --feedback; --seed draws
    /// others
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Answer this series of a forecaster alone, by its id; may be said several times
    #[arg(long, value_name = "ID")]
    series: Vec<String>,
}

impl Predict {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let model: Arc<dyn Model> = load(&self.model, &self.input)?.into();
        if self.attention
            && let Some(why) = model.without_views()
        {
            return Err(UsageError(format!("--attention: {why}")).into());
        }
        let unsure = Unsure { label: self.unknown, ..self.sureness.unsure() };
        let ask = Ask {
            views: self.attention,
            table: self.output_format.separator().is_some(),
            limit: self.memory.max_memory,
            top: self.top,
            unsure,
            search: self.search,
            forecast: ForecastAsk {
                anomalies: self.anomalies,
                level: self.level,
                chart: self.chart.is_some(),
                chart_steps: self.chart_steps,
                samples: self.samples,
            },
            generate: self.generate,
            ..Ask::default()
        };
        model.check_ask(&ask)?;
        if !self.series.is_empty() && model.input().history().is_none() {
            return Err(UsageError("--series is of models that forecast numbers over time".into()).into());
        }
        let charts = self.chart.as_deref().map(Charts::new).transpose()?;
        if charts.as_ref().is_some_and(Charts::are_for_the_terminal) {
            let format = self.output_format != OutputFormat::default();
            let said = [
                ("output-format", format),
                ("fields", self.fields.is_some()),
                ("keep", self.keep.is_some()),
                ("attention", self.attention),
                ("samples", self.samples.is_some()),
            ];
            if let Some((option, _)) = said.into_iter().find(|(_, said)| *said) {
                let problem = "is of answers, in whose place --chart - stands; --chart FILE draws beside them";
                return Err(UsageError(format!("--{option} {problem}")).into());
            }
        }
        let keep = match self.keep {
            None => Keep::Nothing,
            Some(columns) if columns == [Column::Name("all".into())] => Keep::All,
            Some(columns) => Keep::Columns(columns),
        };
        let mut columns = self.columns.with_label(None);
        columns.pretokenized = self.pretokenized;
        let mut document = model.document(&self.input, &columns)?;
        let errors = document.as_mut().map(Document::take_errors).unwrap_or_default();
        let document = document.map(Arc::new);
        if document.is_some() && !keep.is_nothing() {
            let problem =
                "--keep: sentences of tokens have no columns; --output-format conll writes all that stands in the file";
            return Err(UsageError(problem.into()).into());
        }
        if ask.generate.stream {
            if self.fields.is_some() {
                return Err(UsageError("--stream writes plain text, and --fields are of answers".into()).into());
            }
            if !keep.is_nothing() || self.output_format.is_not_of_texts() {
                return Err(UsageError("--stream writes plain text, and nothing beside it".into()).into());
            }
            return stream::run(&*model, &columns, &self.input, (&ask, self.strict));
        }
        let written =
            Written { format: self.output_format, fields: self.fields.as_deref(), document: document.clone() };
        let writer = Writer::new(written, keep.clone(), &*model, &ask)?;
        let document = document.map(|document| (document, errors));
        let source = Source { file: self.input, columns, keep, document, series: self.series };
        let ahead = Arc::new(Ahead::default());
        let read = read(Arc::clone(&model), source, ask.clone(), Arc::clone(&ahead))?;
        let mut answers = Answers { inputs: 0, refused: 0, cut: 0, strict: self.strict, writer, charts };
        loop {
            let first = read.recv().map_err(|_| anyhow::anyhow!("the thread that reads the inputs has failed"))?;
            // All that is ready by now, but never a wait for more.
            let mut ready: Vec<Read> = std::iter::once(first).chain(read.try_iter().take(TOGETHER - 1)).collect();
            ahead.take(ready.iter().map(Read::bytes).sum());
            let ended = ready.pop_if(|last| matches!(last, Read::End)).is_some();
            for together in together(ready, ask.views) {
                answers.answer(&*model, together, &ask)?;
            }
            if ended && ask.generate.state_out.is_some() && answers.inputs == 0 {
                return Err(UsageError("--state-out keeps what one input leaves, but there is none".into()).into());
            }
            if ended || answers.are_enough() {
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
            Read::Item(item) => item.example.as_ref().map_or(0, |example| example.len() * example.len()),
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

/// How many inputs there were, and how many of them could not be answered.
struct Answers {
    inputs: usize,
    refused: usize,
    /// How many were cut to the model's longest.
    cut: usize,
    strict: bool,
    writer: Writer,
    charts: Option<Charts>,
}

impl Answers {
    /// Answers what is ready, in its order.
    fn answer(&mut self, model: &dyn Model, ready: Vec<Read>, ask: &Ask) -> anyhow::Result<()> {
        let items = || ready.iter().filter_map(|read| if let Read::Item(item) = read { Some(item) } else { None });
        if ask.generate.state_out.is_some() && self.inputs + items().count() > 1 {
            return Err(UsageError(ONE_STATE.into()).into());
        }
        let examples: Vec<&Example> = items().filter_map(|item| item.example.as_ref().ok()).collect();
        let mut answers = answers(model, &examples, ask).into_iter();
        if items().next().is_some() {
            self.writer.begin(items().map(|item| &item.kept))?;
        }
        for item in items() {
            self.inputs += 1;
            let answer = match &item.example {
                Ok(example) => {
                    self.tell_cut(example);
                    answers.next().unwrap_or_else(|| Err(anyhow::anyhow!("the model gave no answer")))
                }
                Err(error) => Err(anyhow::anyhow!(failure::sentence(error))),
            };
            match answer {
                Ok(mut answer) => {
                    let drawn = std::mem::take(&mut answer.charts);
                    if let Some(charts) = &mut self.charts {
                        charts.take(item.line, drawn);
                    }
                    if !self.draws_alone() {
                        self.writer.answer(item.line, &item.kept, answer)?;
                    }
                }
                Err(error) => {
                    self.refused += 1;
                    let sentence = failure::sentence(&error);
                    if self.draws_alone() && !self.strict {
                        tracing::warn!("line {}: {sentence}", item.line);
                        continue;
                    }
                    if self.strict {
                        super::print_as_it_is(&self.writer.take()?)?;
                        return Err(UsageError(sentence).into());
                    }
                    self.writer.error(item.line, &item.kept, &sentence)?;
                }
            }
        }
        super::print_as_it_is(&self.writer.take()?)?;
        match ready.into_iter().last() {
            Some(Read::Broken(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether charts stand in place of answers.
    fn draws_alone(&self) -> bool {
        self.charts.as_ref().is_some_and(Charts::are_for_the_terminal)
    }

    /// Whether nothing of what is still to come would be shown.
    fn are_enough(&self) -> bool {
        self.draws_alone() && self.charts.as_ref().is_some_and(Charts::are_full)
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

    fn finish(mut self) -> anyhow::Result<()> {
        // A table without rows has a header still.
        self.writer.begin(std::iter::empty())?;
        self.writer.end()?;
        super::print_as_it_is(&self.writer.take()?)?;
        let draws_alone = self.draws_alone();
        self.charts.take().map_or(Ok(()), Charts::finish)?;
        let Answers { inputs, refused, cut, .. } = &self;
        if *cut > TOLD {
            tracing::warn!("{} were cut in all", counted(*cut, "input"));
        }
        match refused {
            0 => Ok(()),
            _ if draws_alone => {
                Err(Unanswered(format!("{refused} of {} could not be answered", counted(*inputs, "input"))).into())
            }
            _ => Err(Unanswered(format!(
                "{refused} of {} could not be answered; \"error\" in its place tells why",
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
