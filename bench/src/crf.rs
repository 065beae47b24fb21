//! A conditional random field: a step is the loss of all rows and its gradients, inference is decoding.

use burn::tensor::{Gradients, Tensor};
use lookback_kernels::crf::{
    CrfDims, CrfGradients, CrfLosses, CrfParameters, CrfPaths, CrfWorkspace, PreparedCrf, backward, forward,
};
use lookback_nn::{Crf, CrfConfig, parameters};

use crate::options::{CrfShape, Mode, Through};
use crate::{Case, Work, device};

/// The field that `shape` names.
pub(crate) fn work(
    shape: &CrfShape,
    mode: Mode,
    through: Through,
    threads: usize,
    case: &Case,
) -> anyhow::Result<Box<dyn Work>> {
    Ok(match (mode, through) {
        (Mode::Train, Through::Modules) => Box::new(Module::new(shape, case)?),
        _ => Box::new(Kernels::new(shape, mode, threads, case)?),
    })
}

/// The kernels over plain slices.
struct Kernels {
    dims: CrfDims,
    mode: Mode,
    threads: usize,
    emissions: Vec<f32>,
    /// Transitions, start and end.
    parameters: [Vec<f32>; 3],
    lengths: Vec<usize>,
    tags: Vec<u32>,
    prepared: PreparedCrf,
    workspace: CrfWorkspace,
    trained: Option<(CrfLosses, CrfGradients)>,
    decoded: Option<CrfPaths>,
}

fn borrowed([transitions, start, end]: &[Vec<f32>; 3]) -> CrfParameters<'_> {
    CrfParameters { transitions, start, end }
}

impl Kernels {
    fn new(shape: &CrfShape, mode: Mode, threads: usize, case: &Case) -> anyhow::Result<Self> {
        let names = ["transitions", "start_transitions", "end_transitions"];
        let parameters = names.map(|name| case.values(&format!("param.{name}")).to_vec());
        Ok(Kernels {
            dims: CrfDims { batch: shape.batch, time: shape.time, tags: shape.tags },
            mode,
            threads,
            emissions: case.values("input.emissions").to_vec(),
            prepared: PreparedCrf::new(shape.tags, borrowed(&parameters))?,
            parameters,
            lengths: shape.row_lengths(),
            tags: shape.path(),
            workspace: CrfWorkspace::default(),
            trained: None,
            decoded: None,
        })
    }
}

impl Work for Kernels {
    fn run(&mut self) -> anyhow::Result<()> {
        let Kernels { dims, emissions, lengths, tags, workspace, threads, .. } = self;
        if self.mode == Mode::Train {
            let parameters = borrowed(&self.parameters);
            let losses = forward(*dims, parameters, emissions, lengths, tags, workspace, *threads)?;
            let gradients = backward(&vec![1.0; dims.batch], workspace, *threads)?;
            self.trained = Some((losses, gradients));
        } else {
            self.decoded = Some(self.prepared.viterbi(emissions, lengths, dims.time, *threads)?);
        }
        Ok(())
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        let (mut results, CrfDims { batch, time, tags }) = (Case::default(), self.dims);
        if let Some((losses, gradients)) = &self.trained {
            results.put("y", &[batch], losses.losses.clone());
            results.put("grad.emissions", &[batch, time, tags], gradients.emissions.clone());
            results.put("grad.param.transitions", &[tags, tags], gradients.transitions.clone());
            results.put("grad.param.start_transitions", &[tags], gradients.start.clone());
            results.put("grad.param.end_transitions", &[tags], gradients.end.clone());
        }
        if let Some(paths) = &self.decoded {
            results.put("y", &[batch, time], paths.tags.iter().map(|&tag| tag as f32).collect());
        }
        Ok(results)
    }
}

/// The module of `lookback-nn`.
struct Module {
    field: Crf,
    emissions: Tensor<3>,
    lengths: Vec<usize>,
    tags: Vec<u32>,
    last: Option<(Tensor<1>, Gradients)>,
}

impl Module {
    fn new(shape: &CrfShape, case: &Case) -> anyhow::Result<Self> {
        let device = device(Mode::Train);
        Ok(Module {
            field: parameters::replace(CrfConfig::new(shape.tags).init(&device)?, case.parameters())?,
            emissions: case.tensor("input.emissions", &device).require_grad(),
            lengths: shape.row_lengths(),
            tags: shape.path(),
            last: None,
        })
    }
}

impl Work for Module {
    fn run(&mut self) -> anyhow::Result<()> {
        self.last = None;
        let losses = self.field.neg_log_likelihood(self.emissions.clone(), &self.tags, &self.lengths)?;
        let gradients = losses.clone().sum().backward();
        self.last = Some((losses, gradients));
        Ok(())
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        let Some((losses, gradients)) = &self.last else { anyhow::bail!("nothing has run yet") };
        let mut results = Case::default();
        results.put_tensor("y", losses);
        if let Some(gradient) = self.emissions.grad(gradients) {
            results.put_tensor("grad.emissions", &gradient);
        }
        for (name, data) in parameters::gradients(&self.field, gradients) {
            results.put_data(format!("grad.param.{name}"), &data);
        }
        Ok(results)
    }
}
