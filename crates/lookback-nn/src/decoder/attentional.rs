//! Context and query, mapped together.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::ops::{UnrolledLinear, on_flex, tanh};
use crate::{Error, Linear, LinearConfig, check};

/// `h̃ = tanh(W_c [c; h])`, or the plain map: context and query side by side, projected (Luong 2015, eq. 5; the last
/// two of the six steps in the well-known tutorials).
#[derive(Module, Debug)]
pub struct AttentionalLayer {
    projection: Linear,
    /// `Dc` and `Dq`: the projection knows their sum alone.
    #[module(skip)]
    sizes: [usize; 2],
    #[module(skip)]
    tanh: bool,
}

impl AttentionalLayer {
    /// context, query, output: the sizes. tanh: whether `tanh` follows the map.
    ///
    /// # Errors
    /// A size of 0, or sizes whose parameters no memory holds.
    pub fn new(context: usize, query: usize, output: usize, tanh: bool, device: &Device) -> Result<Self, Error> {
        check::sizes(&[("context size", context), ("query size", query), ("output size", output)])?;
        let projection = LinearConfig::new(context.saturating_add(query), output).init(device)?;
        Ok(AttentionalLayer { projection, sizes: [context, query], tanh })
    }

    /// context: `[B, Q, Dc]`, query: `[B, Q, Dq]`. Gives `[B, Q, output]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn forward(&self, context: Tensor<3>, query: Tensor<3>) -> Result<Tensor<3>, Error> {
        self.apply(context, query, None)
    }

    /// The map, packed once for many calls; `None` where the kernels do not run.
    pub(super) fn unrolled(&self) -> Option<UnrolledLinear> {
        let (weight, bias) = self.projection.tensors();
        let fused = on_flex(&weight) && bias.as_ref().is_none_or(on_flex);
        fused.then(|| UnrolledLinear::new(weight, bias))
    }

    /// The map's weight and bias.
    pub(super) fn tensors(&self) -> (Tensor<2>, Option<Tensor<1>>) {
        self.projection.tensors()
    }

    pub(super) fn apply(
        &self,
        context: Tensor<3>,
        query: Tensor<3>,
        unrolled: Option<&UnrolledLinear>,
    ) -> Result<Tensor<3>, Error> {
        let ([dc, dq], [batch, queries, _]) = (self.sizes, query.dims());
        check::shape("query", &query, [batch, queries, dq], "the size this layer was made for")?;
        let why = format_args!("B and Q of query {:?}, and the size this layer was made for", query.dims());
        check::shape("context", &context, [batch, queries, dc], why)?;
        let (name, both) = ("context and query", check::beside(("context", context), ("query", query))?);
        let output = match unrolled {
            Some(unrolled) => unrolled.step(name, both)?,
            None => self.projection.apply(name, both)?,
        };
        Ok(if self.tanh { tanh(output) } else { output })
    }
}
