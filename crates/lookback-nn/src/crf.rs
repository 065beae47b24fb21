//! A linear-chain conditional random field over the steps of a sequence.

use std::sync::Arc;

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use lookback_kernels::crf::PreparedCrf;

use crate::ops::{CrfAllowed, CrfTensors, Forbidding, crf_loss};
use crate::{Error, check};

/// A linear-chain conditional random field (Lafferty 2001), with the parameters and the names of `pytorch-crf`.
#[derive(Module, Debug)]
pub struct Crf {
    /// `[N, N]`: the score of going from a tag (first axis) to a tag (second axis).
    pub transitions: Param<Tensor<2>>,
    /// `[N]`: the score of beginning with a tag.
    pub start_transitions: Param<Tensor<1>>,
    /// `[N]`: the score of ending with a tag.
    pub end_transitions: Param<Tensor<1>>,
    #[module(skip)]
    allowed: Option<Arc<CrfAllowed>>,
}

/// Options of a [`Crf`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrfConfig {
    tags: usize,
    allowed: Option<CrfAllowed>,
}

impl CrfConfig {
    /// A field over so many tags, of which any may follow any.
    pub fn new(tags: usize) -> Self {
        CrfConfig { tags, allowed: None }
    }

    /// What may begin, follow and end. The rest has probability 0; its parameters are there, and have gradients of 0.
    pub fn with_allowed(mut self, allowed: CrfAllowed) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// A field whose parameters are drawn from `U(-0.1, 0.1)`, as `pytorch-crf` draws them.
    ///
    /// # Errors
    /// No tag, more tags than memory can hold the pairs of, or what is allowed is of other sizes.
    pub fn init(&self, device: &Device) -> Result<Crf, Error> {
        let CrfConfig { tags, allowed } = self;
        check::sizes(&[("the number of tags", *tags)])?;
        check::parameters(1, &[("transitions", &[*tags, *tags])])?;
        allowed.as_ref().map_or(Ok(()), |allowed| allowed.check(*tags))?;
        let initial = Initializer::Uniform { min: -0.1, max: 0.1 };
        Ok(Crf {
            transitions: initial.init([*tags, *tags], device),
            start_transitions: initial.init([*tags], device),
            end_transitions: initial.init([*tags], device),
            allowed: allowed.clone().map(Arc::new),
        })
    }
}

impl Crf {
    /// The negative log-likelihood of each row's path, `[B]`, to be summed or averaged as one likes. emissions:
    /// `[B, T, N]`. tags: `[B, T]`, row by row. lengths: `[B]`; steps at or past them are never read, and a row of length 0
    /// has loss 0.
    ///
    /// # Errors
    /// When sizes or element types do not fit, a real step's tag is none, or a path does what is not allowed; row and step
    /// are named.
    pub fn neg_log_likelihood(
        &self,
        emissions: Tensor<3>,
        tags: &[u32],
        lengths: &[usize],
    ) -> Result<Tensor<1>, Error> {
        crf_loss(emissions, self.tensors(), self.allowed.as_deref(), tags, lengths)
    }

    /// The field as it is now, for answers: the best paths, and how likely each tag is.
    ///
    /// # Errors
    /// When parameters have been given other sizes than one another.
    pub fn prepared(&self) -> Result<PreparedCrf, Error> {
        let forbidding = Forbidding::new(&self.tensors(), self.allowed.as_deref());
        let tags = self.start_transitions.val().dims()[0];
        let refused = |refused: lookback_kernels::KernelError| Error::Path { what: refused.to_string() };
        PreparedCrf::new(tags, forbidding.parameters()).map_err(refused)
    }

    fn tensors(&self) -> CrfTensors {
        CrfTensors {
            transitions: self.transitions.val(),
            start: self.start_transitions.val(),
            end: self.end_transitions.val(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters;

    #[test]
    fn parameters_are_named_and_drawn_as_pytorch_crf_does() {
        let field = CrfConfig::new(5).init(&Device::flex()).unwrap();
        let all = parameters::read(&field, "");
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        assert_eq!(names, ["end_transitions", "start_transitions", "transitions"]);
        assert_eq!(all["transitions"].shape().to_vec(), [5, 5]);
        let most = all.values().flat_map(|data| data.iter::<f32>()).fold(0.0f32, |most, value| most.max(value.abs()));
        assert!((0.05..=0.1).contains(&most), "{most}");
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let device = Device::flex();
        let error = |tags: usize, allowed: Option<CrfAllowed>| {
            let config = CrfConfig::new(tags);
            let config = allowed.map_or(config.clone(), |allowed| config.with_allowed(allowed));
            config.init(&device).unwrap_err().to_string()
        };
        assert_eq!(error(0, None), "the number of tags is 0 but must be at least 1");
        assert!(error(usize::MAX, None).contains("which no memory holds"));
        let allowed = CrfAllowed { transitions: vec![true; 3], start: vec![true; 2], end: vec![true; 2] };
        let want = "allowed transitions is [3] but [2, 2] (one per entry of the field of 2 tags) was expected";
        assert_eq!(error(2, Some(allowed)), want);
        let field = CrfConfig::new(2).init(&device).unwrap();
        let refused = |shape: [usize; 3], tags: &[u32], lengths: &[usize]| {
            let emissions = Tensor::<3>::zeros(shape, &device);
            field.neg_log_likelihood(emissions, tags, lengths).unwrap_err().to_string()
        };
        let want = "transitions is [2, 2] but [3, 3] (emissions are [1, 2, 3]) was expected";
        assert_eq!(refused([1, 2, 3], &[0, 1], &[2]), want);
        assert_eq!(refused([1, 2, 2], &[0], &[2]), "tags is [1] but [1, 2] (emissions are [1, 2, 2]) was expected");
        assert_eq!(refused([1, 2, 2], &[0, 1], &[3]), "lengths[0] is 3 but x has T = 2");
        let want = "the path does not fit the field: tags[1] is 2 but there are 2 tags";
        assert_eq!(refused([1, 2, 2], &[0, 2], &[2]), want);
    }

    #[test]
    fn nothing_gives_losses_and_gradients_of_zeros() {
        let device = Device::flex().autodiff();
        let field = CrfConfig::new(2).init(&device).unwrap();
        for (shape, lengths) in [([0, 3, 2], vec![]), ([2, 0, 2], vec![0, 0]), ([2, 1, 2], vec![0, 0])] {
            let emissions = Tensor::<3>::zeros(shape, &device);
            let losses = field.neg_log_likelihood(emissions, &vec![0; shape[0] * shape[1]], &lengths).unwrap();
            assert!(losses.to_data().iter::<f32>().eq(vec![0.0; shape[0]]), "{shape:?}");
            let gradients = parameters::gradients(&field, &losses.sum().backward());
            assert_eq!(gradients.len(), 3);
            assert!(gradients.values().flat_map(|data| data.iter::<f32>()).all(|slope| slope == 0.0), "{shape:?}");
        }
    }

    #[test]
    fn answers_keep_to_what_is_allowed() {
        let allowed =
            CrfAllowed { transitions: vec![true, false, true, true], start: vec![false, true], end: vec![true; 2] };
        let field = CrfConfig::new(2).with_allowed(allowed).init(&Device::flex()).unwrap();
        let prepared = field.prepared().unwrap();
        // Tag 0 first and 1 behind it would score more.
        let emissions = [9.0, 0.0, 12.0, 0.0, 0.0, 9.0];
        assert_eq!(prepared.viterbi(&emissions, &[3], 3, 1).unwrap().tags, [1, 0, 0]);
        assert_eq!(prepared.marginals(&emissions, &[3], 3, 1).unwrap()[0], 0.0);
        let emissions = Tensor::<3>::zeros([1, 3, 2], &Device::flex());
        let error = field.neg_log_likelihood(emissions, &[1, 0, 1], &[3]).unwrap_err().to_string();
        let want = "the tags of row 0 are forbidden at step 2: the path goes from tag 0 to tag 1";
        assert_eq!(error, format!("the path does not fit the field: {want}"));
    }
}
