//! What layers and operations compare before they run, each comparison in one place.

use burn::tensor::{DType, Tensor};

use crate::Error;
use crate::ops::joined;

/// From here on, in bytes, a parameter is asked for on trial before it is believed: an allocation that fails later ends
/// the process. Below, a caller who has its own bound can count parameters that are never drawn.
const LARGE: usize = 1 << 40;

/// Sizes of a configuration: each at least 1.
pub(crate) fn sizes(sizes: &[(&'static str, usize)]) -> Result<(), Error> {
    match sizes.iter().find(|&&(_, size)| size == 0) {
        Some(&(name, _)) => Err(Error::Config { name, found: "0".into(), expected: "at least 1" }),
        None => Ok(()),
    }
}

/// A dropout: from 0 to less than 1, also as the f32 that the kernels take.
pub(crate) fn dropout(probability: f64) -> Result<(), Error> {
    if probability >= 0.0 && (probability as f32) < 1.0 {
        return Ok(());
    }
    Err(Error::Config { name: "dropout", found: probability.to_string(), expected: "from 0 to less than 1" })
}

/// Parameters of some shapes, `times` of each: that their values can be counted, and that there is memory for them.
pub(crate) fn parameters(times: usize, shapes: &[(&'static str, &[usize])]) -> Result<(), Error> {
    let mut all = 0usize;
    for &(name, shape) in shapes {
        let bytes = shape.iter().try_fold(size_of::<f32>(), |bytes, &size| bytes.checked_mul(size));
        let more = bytes.and_then(|bytes| bytes.checked_mul(times)).and_then(|bytes| bytes.checked_add(all));
        match more {
            Some(bytes) if fits(bytes) => all = bytes,
            _ => return Err(Error::TooLarge { name, shape: shape.to_vec(), times }),
        }
    }
    Ok(())
}

fn fits(bytes: usize) -> bool {
    let mut trial = Vec::<u8>::new();
    let fits = bytes < LARGE || trial.try_reserve_exact(bytes).is_ok();
    // An allocation that nobody sees may be optimised away, and would then always succeed.
    std::hint::black_box(trial.as_ptr());
    fits
}

/// `factor * size`; what is too much to count stays the most there is, and [`parameters`] refuses it.
pub(crate) fn times(factor: usize, size: usize) -> usize {
    factor.saturating_mul(size)
}

/// How many values a shape has, where they can be counted: also the steps from one row to the next, which an axis of
/// size 0 does not make smaller.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    let most = shape.iter().try_fold(size_of::<f32>(), |bytes, &size| bytes.checked_mul(size.max(1)))?;
    (most <= isize::MAX as usize).then(|| shape.iter().product())
}

/// The lengths of a batch against its shape.
pub(crate) fn lengths(lengths: &[usize], batch: usize, time: usize) -> Result<(), Error> {
    if lengths.len() != batch {
        let expected = format!("[{batch}] (one per row of x)");
        return Err(Error::Shape { name: "lengths", found: vec![lengths.len()], expected });
    }
    match lengths.iter().enumerate().find(|&(_, &length)| length > time) {
        Some((row, &length)) => Err(Error::Length { row, length, time }),
        None => Ok(()),
    }
}

/// One operation computes in one element type: that of the first tensor. A tensor that is not there is passed over.
pub(crate) fn types<const N: usize>(types: [(&'static str, Option<DType>); N]) -> Result<(), Error> {
    let mut given = types.into_iter().filter_map(|(name, dtype)| Some((name, dtype?)));
    let Some((other, expected)) = given.next() else { return Ok(()) };
    match given.find(|&(_, found)| found != expected) {
        Some((name, found)) => {
            Err(Error::Types { name, found: format!("{found:?}"), other, expected: format!("{expected:?}") })
        }
        None => Ok(()),
    }
}

/// query `[B, Q, ..]`, keys `[B, K, ..]`, values `[B, K, ..]`: sizes and element types, whatever the widths.
pub(crate) fn attended(query: &Tensor<3>, keys: &Tensor<3>, values: &Tensor<3>) -> Result<(), Error> {
    let ([batch, _, _], [key_batch, _, width]) = (query.dims(), keys.dims());
    if key_batch != batch {
        let expected = format!("[{batch}, K, {width}] (B of query {:?})", query.dims());
        return Err(Error::Shape { name: "keys", found: keys.dims().to_vec(), expected });
    }
    remembered(keys, values)?;
    types([("query", Some(query.dtype())), ("keys", Some(keys.dtype()))])
}

/// keys `[B, K, ..]`, values `[B, K, ..]`.
pub(crate) fn remembered(keys: &Tensor<3>, values: &Tensor<3>) -> Result<(), Error> {
    let ([batch, count, _], [.., width]) = (keys.dims(), values.dims());
    if values.dims()[..2] != [batch, count] {
        let expected = format!("[{batch}, {count}, {width}] (B and K of keys {:?})", keys.dims());
        return Err(Error::Shape { name: "values", found: values.dims().to_vec(), expected });
    }
    types([("keys", Some(keys.dtype())), ("values", Some(values.dtype()))])
}

/// An argument of one shape alone; `why` says what asks for it.
pub(crate) fn shape<const R: usize>(
    name: &'static str,
    x: &Tensor<R>,
    expected: [usize; R],
    why: impl std::fmt::Display,
) -> Result<(), Error> {
    if x.dims() == expected {
        return Ok(());
    }
    Err(Error::Shape { name, found: x.dims().to_vec(), expected: format!("{expected:?} ({why})") })
}

/// Two tensors side by side along the last axis, the first setting the sizes of the other axes.
pub(crate) fn beside<const R: usize>(
    (first, a): (&'static str, Tensor<R>),
    (second, b): (&'static str, Tensor<R>),
) -> Result<Tensor<R>, Error> {
    let (mut expected, last) = (a.dims(), R - 1);
    expected[last] = b.dims()[last];
    shape(second, &b, expected, format_args!("{first} is {:?}", a.dims()))?;
    types([(first, Some(a.dtype())), (second, Some(b.dtype()))])?;
    Ok(joined(vec![a, b], last))
}
