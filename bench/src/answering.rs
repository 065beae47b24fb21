//! A stack of recurrent layers as a trained model runs it: `lookback-infer`, its weights packed once, without Burn.

use std::path::Path;

use lookback::lookback_infer::input::{Batch, BatchInput, InputShape};
use lookback::lookback_infer::model_file::{ModelFile, Tensor, Tensors};
use lookback::lookback_infer::network::{AttentionForm, Cell, Encoder, EncoderPlan};

use crate::options::{Layer, RecurrentShape};
use crate::{Case, Work};

pub(crate) struct Answering {
    encoder: Encoder,
    batch: Batch,
    shape: [usize; 3],
    last: Vec<f32>,
}

impl Answering {
    pub(crate) fn new(shape: &RecurrentShape, case: &Case) -> anyhow::Result<Self> {
        let cell = match shape.layer {
            Layer::Rnn => Cell::Rnn,
            Layer::Gru => Cell::Gru,
            _ => Cell::Lstm,
        };
        let plan = EncoderPlan {
            cell,
            embedding: 1,
            embedding_scale: 1.0,
            embeddings: None,
            embeddings_mode: None,
            embeddings_vocabulary: 0,
            hidden: shape.hidden,
            layers: shape.layers,
            bidirectional: shape.directions == 2,
            recompute: false,
            attention: AttentionForm::None,
            embedding_dropout: 0.0,
            layer_dropout: 0.0,
            forget_bias: None,
        };
        let mut file = ModelFile::new("bench");
        for (name, data) in case.parameters() {
            let tensor = Tensor { shape: data.shape().to_vec(), data: data.iter::<f32>().collect() };
            file.tensors.insert(format!("recurrent.{name}"), tensor);
        }
        let tensors = &mut Tensors::new(&mut file, Path::new("the case"), "");
        let encoder = Encoder::read(&plan, InputShape::Channels(shape.input), tensors)?;
        let lengths = shape.lengths.clone().unwrap_or_else(|| vec![shape.time; shape.batch]);
        let input = BatchInput::Series { values: case.values("input.x").to_vec(), channels: shape.input };
        let batch = Batch { input, lengths, time: shape.time };
        let outputs = shape.hidden * shape.directions;
        Ok(Answering { encoder, batch, shape: [shape.batch, shape.time, outputs], last: Vec::new() })
    }
}

impl Work for Answering {
    fn run(&mut self) -> anyhow::Result<()> {
        self.last = self.encoder.forward(&self.batch, false).steps;
        Ok(())
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        anyhow::ensure!(!self.last.is_empty(), "nothing has run yet");
        let mut results = Case::default();
        results.put("y", &self.shape, self.last.clone());
        Ok(results)
    }
}
