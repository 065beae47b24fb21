//! The command line, and the plan that is left of it once checked.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Times one layer: warm-up, then the median of many repetitions, and the share of the machine's product ceiling.
#[derive(Parser, Debug)]
#[command(name = "lookback-bench", version)]
pub struct Options {
    /// The layer
    #[arg(value_enum)]
    pub layer: Layer,
    /// Rows in the batch (B)
    #[arg(long, value_name = "B")]
    pub batch: Option<usize>,
    /// Steps (T); recurrent layers, crf and decoder only
    #[arg(long, value_name = "T")]
    pub time: Option<usize>,
    /// Input size (I), or the size of queries, keys and values, or the tags (N) of a crf
    #[arg(long, value_name = "I")]
    pub input: Option<usize>,
    /// Hidden size (H), or the size in which additive attention adds
    #[arg(long, value_name = "H")]
    pub hidden: Option<usize>,
    /// Layers on one another; recurrent layers only
    #[arg(long, value_name = "L")]
    pub layers: Option<usize>,
    /// Run both directions; recurrent layers only
    #[arg(long)]
    pub bidirectional: bool,
    /// Compute the gates again in the backward pass instead of keeping them; recurrent layers in training only
    #[arg(long)]
    pub recompute: bool,
    /// Queries (Q); attention only
    #[arg(long, value_name = "Q")]
    pub queries: Option<usize>,
    /// Keys (K); attention and decoder only
    #[arg(long, value_name = "K")]
    pub keys: Option<usize>,
    /// Heads; multi-head only
    #[arg(long, value_name = "N")]
    pub heads: Option<usize>,
    /// Ask for the weights, too; attention only
    #[arg(long)]
    pub weights: bool,
    /// full; uniform:SHARE for lengths (of keys, in attention) spread evenly from SHARE of the axis to all of it;
    /// share:SHARE for rows that all have SHARE of the axis and are padding after it
    #[arg(long, value_parser = Lengths::parse)]
    pub lengths: Option<Lengths>,
    /// train: forward and backward of the summed output, gradients of input and weights; infer: forward, or decoding of a
    /// crf; step: one streamed input
    #[arg(long, value_enum, default_value_t = Mode::Train)]
    pub mode: Mode,
    /// Threads [default: 2, or 1 for a stream]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// What runs: the kernels over plain slices, the Burn modules made of them, a trained model's encoder, or Burn's own
    /// layers
    #[arg(long, value_enum)]
    pub through: Option<Through>,
    /// Seconds to measure for
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Print one JSON object as the last line
    #[arg(long)]
    pub json: bool,
    /// Take weights and inputs from this safetensors file (param.NAME, input.NAME) instead of drawing them
    #[arg(long, value_name = "FILE")]
    pub case: Option<PathBuf>,
    /// Write what one repetition computed to this safetensors file before any is timed
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Instead of measuring: a line in is a number of repetitions, a line out their milliseconds; see src/serve.rs
    #[arg(long, conflicts_with_all = ["json", "repetitions"])]
    pub serve: bool,
    /// Instead of measuring: this many repetitions and nothing else, for counting instructions
    #[arg(long, value_name = "N", conflicts_with = "json")]
    pub repetitions: Option<usize>,
}

/// The layers that can be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Layer {
    Rnn,
    Lstm,
    Gru,
    Additive,
    Dot,
    General,
    MultiHead,
    Crf,
    /// An LSTM with additive attention and input feeding, through all steps of a target.
    Decoder,
}

impl Layer {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Rnn => "rnn",
            Layer::Lstm => "lstm",
            Layer::Gru => "gru",
            Layer::Additive => "additive",
            Layer::Dot => "dot",
            Layer::General => "general",
            Layer::MultiHead => "multi-head",
            Layer::Crf => "crf",
            Layer::Decoder => "decoder",
        }
    }

    fn recurrent(self) -> bool {
        matches!(self, Layer::Rnn | Layer::Lstm | Layer::Gru)
    }
}

/// What one repetition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Forward, and backward of the summed output.
    Train,
    /// Forward.
    Infer,
    /// One row, one input at a time, its state carried on.
    Step,
}

/// Whose code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Through {
    /// `lookback-kernels` over plain slices.
    Kernels,
    /// `lookback-nn`: Burn's tensors and autodiff around the kernels.
    Modules,
    /// `lookback-infer`: what a trained model runs.
    Answers,
    /// Burn's own layers, which are a peer.
    Burn,
}

/// How long the rows are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lengths {
    /// The whole axis.
    Full,
    /// Spread evenly from this share of the axis to all of it.
    Uniform(f64),
    /// This share of the axis, every row.
    Share(f64),
}

impl Lengths {
    fn parse(text: &str) -> Result<Lengths, String> {
        if text == "full" {
            return Ok(Lengths::Full);
        }
        let (kind, share) = text.split_once(':').unwrap_or_default();
        match (kind, share.parse::<f64>()) {
            ("uniform", Ok(share)) if (0.0..=1.0).contains(&share) => Ok(Lengths::Uniform(share)),
            ("share", Ok(share)) if (0.0..=1.0).contains(&share) => Ok(Lengths::Share(share)),
            _ => Err("expected full, uniform:SHARE or share:SHARE, with SHARE from 0 to 1".into()),
        }
    }

    /// `[batch]`, or `None` for full rows. `compare.py` draws the same.
    fn of(self, batch: usize, axis: usize) -> Option<Vec<usize>> {
        let place = |row: usize| (row as f64 + 0.5) / batch as f64;
        let share_of = |row| match self {
            Lengths::Full => 1.0,
            Lengths::Uniform(share) => share + (1.0 - share) * place(row),
            Lengths::Share(share) => share,
        };
        let length = |row| (share_of(row) * axis as f64).round() as usize;
        (self != Lengths::Full).then(|| (0..batch).map(length).collect())
    }
}

/// A recurrent layer and its batch.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say all")]
pub struct RecurrentShape {
    pub layer: Layer,
    pub batch: usize,
    pub time: usize,
    pub input: usize,
    pub hidden: usize,
    pub layers: usize,
    pub directions: usize,
    pub recompute: bool,
    /// `[B]`; `None`: all `T`.
    pub lengths: Option<Vec<usize>>,
}

/// An attention layer and its batch.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say all")]
pub struct AttentionShape {
    pub layer: Layer,
    pub batch: usize,
    pub queries: usize,
    pub keys: usize,
    pub input: usize,
    /// Additive only, else 0.
    pub hidden: usize,
    /// Multi-head only, else 1.
    pub heads: usize,
    pub weights: bool,
    /// `[B]`: how many keys each row has; `None`: all `K`.
    pub lengths: Option<Vec<usize>>,
}

/// A decoder over known targets and its batch; keys and values are `[B, K, 2H]`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say all")]
pub struct DecoderShape {
    pub batch: usize,
    pub time: usize,
    pub keys: usize,
    pub input: usize,
    pub hidden: usize,
}

/// A conditional random field and its batch.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say all")]
pub struct CrfShape {
    pub batch: usize,
    pub time: usize,
    pub tags: usize,
    /// `[B]`; `None`: all `T`.
    pub lengths: Option<Vec<usize>>,
}

impl CrfShape {
    /// `[B]`.
    pub fn row_lengths(&self) -> Vec<usize> {
        self.lengths.clone().unwrap_or_else(|| vec![self.time; self.batch])
    }

    /// `[B, T]`: the path whose loss is computed. The peers take the same.
    pub fn path(&self) -> Vec<u32> {
        let tag = |at: usize| (7 * (at / self.time) + 3 * (at % self.time)) % self.tags;
        (0..self.batch * self.time).map(|at| tag(at) as u32).collect()
    }
}

/// What is to be timed.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Shape {
    Recurrent(RecurrentShape),
    Attention(AttentionShape),
    Crf(CrfShape),
    Decoder(DecoderShape),
}

/// A command line that can run.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say all")]
pub struct Plan {
    pub shape: Shape,
    pub mode: Mode,
    pub through: Through,
    pub threads: usize,
}

impl Options {
    /// Checks that the options fit the layer and one another.
    ///
    /// # Errors
    /// When an option does not apply, or a size is 0.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        let sizes = [
            ("--batch", self.batch),
            ("--time", self.time),
            ("--input", self.input),
            ("--hidden", self.hidden),
            ("--layers", self.layers),
            ("--queries", self.queries),
            ("--keys", self.keys),
            ("--heads", self.heads),
            ("--threads", self.threads),
            ("--repetitions", self.repetitions),
        ];
        for (name, size) in sizes {
            anyhow::ensure!(size != Some(0), "{name} is 0 but must be at least 1");
        }
        anyhow::ensure!(
            self.seconds.is_finite() && self.seconds >= 0.0,
            "--seconds is {} but must be a time",
            self.seconds
        );
        let (shape, through) = match self.layer {
            Layer::Crf => self.crf()?,
            Layer::Decoder => self.decoder()?,
            layer if layer.recurrent() => self.recurrent()?,
            _ => self.attention()?,
        };
        let one = self.mode == Mode::Step && through != Through::Burn;
        let threads = self.threads.unwrap_or(if one { 1 } else { 2 });
        anyhow::ensure!(!one || threads == 1, "--threads is {threads} but --mode step runs on one");
        Ok(Plan { shape, mode: self.mode, through, threads })
    }

    fn refuse(&self, given: &[(&str, bool)], why: &str) -> anyhow::Result<()> {
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => anyhow::bail!("{name} does not apply to {why}"),
            None => Ok(()),
        }
    }

    fn recurrent(&self) -> anyhow::Result<(Shape, Through)> {
        let attention_only =
            [("--queries", self.queries.is_some()), ("--keys", self.keys.is_some()), ("--heads", self.heads.is_some())];
        self.refuse(&attention_only, &format!("{}, only to attention", self.layer.name()))?;
        let ragged = self.lengths.is_some_and(|lengths| lengths != Lengths::Full);
        let step = self.mode == Mode::Step;
        let through = match self.through {
            None if step => Through::Modules,
            None => Through::Kernels,
            Some(Through::Kernels) if step => {
                anyhow::bail!("--through kernels does not apply to --mode step, which runs lookback-nn's Stepper")
            }
            Some(through) => through,
        };
        if step {
            let given = [
                ("--batch", self.batch.is_some_and(|batch| batch != 1)),
                ("--bidirectional", self.bidirectional),
                ("--lengths", ragged),
            ];
            self.refuse(&given, "--mode step, which streams one row forward")?;
        }
        let kept = self.mode != Mode::Train;
        self.refuse(&[("--recompute", self.recompute && kept)], "a mode without a backward pass")?;
        self.refuse(
            &[("--mode", through == Through::Answers && self.mode != Mode::Infer)],
            "--through answers, which runs with --mode infer alone",
        )?;
        if through == Through::Burn {
            self.refuse(&[("--recompute", self.recompute)], "--through burn, whose layers keep everything")?;
            self.refuse(&[("--lengths", ragged)], "--through burn, whose layers know no lengths")?;
            let gru_both = self.bidirectional && self.layer != Layer::Lstm;
            self.refuse(&[("--bidirectional", gru_both)], "--through burn but with lstm: only BiLstm is compared")?;
        }
        let (batch, time) = (self.batch.unwrap_or(if step { 1 } else { 32 }), self.time.unwrap_or(100));
        let shape = RecurrentShape {
            layer: self.layer,
            batch,
            time,
            input: self.input.unwrap_or(128),
            hidden: self.hidden.unwrap_or(128),
            layers: self.layers.unwrap_or(1),
            directions: if self.bidirectional { 2 } else { 1 },
            recompute: self.recompute,
            lengths: self.lengths.and_then(|lengths| lengths.of(batch, time)),
        };
        Ok((Shape::Recurrent(shape), through))
    }

    fn crf(&self) -> anyhow::Result<(Shape, Through)> {
        let through = self.through.unwrap_or(Through::Kernels);
        let elsewhere = [
            ("--hidden", self.hidden.is_some()),
            ("--layers", self.layers.is_some()),
            ("--bidirectional", self.bidirectional),
            ("--recompute", self.recompute),
            ("--queries", self.queries.is_some()),
            ("--keys", self.keys.is_some()),
            ("--heads", self.heads.is_some()),
            ("--weights", self.weights),
            ("--mode step", self.mode == Mode::Step),
            ("--through burn", through == Through::Burn),
            ("--through answers", through == Through::Answers),
        ];
        self.refuse(&elsewhere, "crf")?;
        let decodes = through == Through::Modules && self.mode != Mode::Train;
        self.refuse(&[("--through modules", decodes)], "decoding, which the kernels do")?;
        let (batch, time) = (self.batch.unwrap_or(32), self.time.unwrap_or(50));
        let lengths = self.lengths.and_then(|lengths| lengths.of(batch, time));
        Ok((Shape::Crf(CrfShape { batch, time, tags: self.input.unwrap_or(44), lengths }), through))
    }

    fn decoder(&self) -> anyhow::Result<(Shape, Through)> {
        let through = self.through.unwrap_or(Through::Modules);
        let elsewhere = [
            ("--layers", self.layers.is_some()),
            ("--bidirectional", self.bidirectional),
            ("--recompute", self.recompute),
            ("--queries", self.queries.is_some()),
            ("--heads", self.heads.is_some()),
            ("--weights", self.weights),
            ("--lengths", self.lengths.is_some_and(|lengths| lengths != Lengths::Full)),
            ("--mode step", self.mode == Mode::Step),
            ("--through", through != Through::Modules),
        ];
        self.refuse(&elsewhere, "decoder, which runs as a module over full rows")?;
        let hidden = self.hidden.unwrap_or(256);
        let shape = DecoderShape {
            batch: self.batch.unwrap_or(64),
            time: self.time.unwrap_or(30),
            keys: self.keys.unwrap_or(30),
            input: self.input.unwrap_or(256),
            hidden,
        };
        Ok((Shape::Decoder(shape), through))
    }

    fn attention(&self) -> anyhow::Result<(Shape, Through)> {
        let name = self.layer.name();
        let recurrent_only = [
            ("--time", self.time.is_some()),
            ("--layers", self.layers.is_some()),
            ("--bidirectional", self.bidirectional),
            ("--recompute", self.recompute),
            ("--mode step", self.mode == Mode::Step),
        ];
        self.refuse(&recurrent_only, &format!("{name}, only to recurrent layers"))?;
        self.refuse(&[("--hidden", self.hidden.is_some() && self.layer != Layer::Additive)], name)?;
        self.refuse(&[("--heads", self.heads.is_some() && self.layer != Layer::MultiHead)], name)?;
        let through = self.through.unwrap_or(Through::Modules);
        let elsewhere =
            [("--through kernels", through == Through::Kernels), ("--through answers", through == Through::Answers)];
        self.refuse(&elsewhere, &format!("{name}, which runs as a module"))?;
        self.refuse(
            &[("--weights", self.weights && through == Through::Burn)],
            "--through burn, which is timed without",
        )?;
        let (batch, keys) = (self.batch.unwrap_or(32), self.keys.unwrap_or(50));
        let input = self.input.unwrap_or(256);
        let heads = self.heads.unwrap_or(if self.layer == Layer::MultiHead { 8 } else { 1 });
        anyhow::ensure!(input.is_multiple_of(heads), "--heads is {heads} but must divide --input, {input}");
        let shape = AttentionShape {
            layer: self.layer,
            batch,
            queries: self.queries.unwrap_or(40),
            keys,
            input,
            hidden: if self.layer == Layer::Additive { self.hidden.unwrap_or(256) } else { 0 },
            heads,
            weights: self.weights,
            lengths: self.lengths.and_then(|lengths| lengths.of(batch, keys)),
        };
        Ok((Shape::Attention(shape), through))
    }
}

impl RecurrentShape {
    /// `G`.
    pub fn gates(&self) -> usize {
        match self.layer {
            Layer::Lstm => 4,
            Layer::Gru => 3,
            _ => 1,
        }
    }

    /// Input size of one layer of the stack.
    pub fn input_of(&self, layer: usize) -> usize {
        if layer == 0 { self.input } else { self.directions * self.hidden }
    }

    /// How the parameters of one layer and direction end: `_l0`, `_l1_reverse`.
    pub fn suffix(layer: usize, direction: usize) -> String {
        format!("_l{layer}{}", if direction == 0 { "" } else { "_reverse" })
    }
}

impl Plan {
    /// Floating-point operations of the products of one timed unit, real steps and keys only. The backward pass has
    /// two products for each of the forward's.
    pub fn flops(&self) -> f64 {
        let passes = if self.mode == Mode::Train { 3.0 } else { 1.0 };
        let multiply_adds = match &self.shape {
            Shape::Recurrent(shape) => {
                let tokens = match (self.mode, &shape.lengths) {
                    (Mode::Step, _) => 1,
                    (_, None) => shape.batch * shape.time,
                    (_, Some(lengths)) => lengths.iter().sum(),
                };
                let wide = |layer| shape.input_of(layer) + shape.hidden;
                let inner: usize = (0..shape.layers).map(wide).sum();
                tokens * shape.directions * shape.gates() * shape.hidden * inner
            }
            Shape::Attention(shape) => shape.multiply_adds(),
            Shape::Decoder(shape) => shape.multiply_adds(),
            Shape::Crf(shape) => shape.row_lengths().iter().sum::<usize>() * shape.tags * shape.tags,
        };
        passes * 2.0 * multiply_adds as f64
    }

    /// The sizes, in the order of a reader's interest.
    pub fn describe(&self) -> String {
        match &self.shape {
            Shape::Recurrent(s) => {
                let mut text = format!("{} ({}, {}, {}, {})", s.layer.name(), s.batch, s.time, s.input, s.hidden);
                if s.layers > 1 {
                    text += &format!(", {} layers", s.layers);
                }
                if s.directions > 1 {
                    text += ", bidirectional";
                }
                if s.recompute {
                    text += ", recomputing";
                }
                text
            }
            Shape::Attention(s) => {
                let mut text = format!("{} ({}, {}, {}, {})", s.layer.name(), s.batch, s.queries, s.keys, s.input);
                if s.layer == Layer::Additive {
                    text += &format!(", hidden {}", s.hidden);
                }
                if s.layer == Layer::MultiHead {
                    text += &format!(", {} heads", s.heads);
                }
                text
            }
            Shape::Decoder(s) => {
                format!("decoder ({}, {}, {}, {}), {} keys", s.batch, s.time, s.input, s.hidden, s.keys)
            }
            Shape::Crf(s) => format!("crf ({}, {}, {})", s.batch, s.time, s.tags),
        }
    }
}

impl DecoderShape {
    /// The keys' map; in a step the gates, the query's map, scores, the context and what combines it with the state.
    fn multiply_adds(&self) -> usize {
        let Self { batch, time, keys, input, hidden } = *self;
        let gates = 4 * hidden * (input + 2 * hidden);
        let step = gates + hidden * hidden + keys * 3 * hidden + 3 * hidden * hidden;
        batch * (keys * 2 * hidden * hidden + time * step)
    }
}

impl AttentionShape {
    fn multiply_adds(&self) -> usize {
        let Self { batch, queries, keys, input, hidden, .. } = *self;
        let pairs = queries * self.lengths.as_ref().map_or(batch * keys, |lengths| lengths.iter().sum());
        let (queries, keys) = (batch * queries, batch * keys);
        match self.layer {
            Layer::Additive => (queries + keys) * input * hidden + pairs * (hidden + input),
            Layer::General => queries * input * input + pairs * 2 * input,
            // Four projections: queries, keys, values and the output.
            Layer::MultiHead => (2 * queries + 2 * keys) * input * input + pairs * 2 * input,
            _ => pairs * 2 * input,
        }
    }
}
