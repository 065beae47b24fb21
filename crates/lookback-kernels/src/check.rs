//! Refusals that all kernels share, before anything is written: sizes whose product no memory holds, slices that have
//! not the length of their shape, and indices outside what they point into.

use crate::KernelError;

/// The most values that a slice may have.
const MOST_VALUES: usize = isize::MAX as usize / size_of::<f32>();

/// The product of a shape. Every size that a kernel computes with goes through here once, so that none wraps later.
#[inline]
pub(crate) fn product(name: &'static str, shape: &[usize], legend: &str) -> Result<usize, KernelError> {
    let (mut product, mut wraps, mut empty) = (1usize, false, false);
    for &size in shape {
        // A size of 0 is left out: kernels compute with parts of a shape, and those may not wrap either.
        let (next, wrapped) = product.overflowing_mul(size.max(1));
        (product, wraps, empty) = (next, wraps | wrapped, empty | (size == 0));
    }
    if wraps || product > MOST_VALUES {
        return Err(too_large(name, shape, legend));
    }
    Ok(if empty { 0 } else { product })
}

#[cold]
fn too_large(name: &'static str, shape: &[usize], legend: &str) -> KernelError {
    KernelError::TooLarge { name, shape: format!("{legend} = {shape:?}") }
}

/// Refuses a slice whose length is not the product of `shape`.
pub(crate) fn slice<X>(name: &'static str, found: &[X], shape: &[usize], legend: &str) -> Result<(), KernelError> {
    let expected = product(name, shape, legend)?;
    if found.len() == expected {
        return Ok(());
    }
    Err(KernelError::Length { name, shape: format!("{legend} = {shape:?}"), expected, found: found.len() })
}

/// [`slice`], where there is one.
pub(crate) fn optional<X>(
    name: &'static str,
    found: Option<&[X]>,
    shape: &[usize],
    legend: &str,
) -> Result<(), KernelError> {
    found.map_or(Ok(()), |found| slice(name, found, shape, legend))
}

/// Refuses sequence lengths that are not one per row, or beyond the time axis.
pub(crate) fn lengths(lengths: &[usize], batch: usize, time: usize) -> Result<(), KernelError> {
    slice("lengths", lengths, &[batch], "[B]")?;
    match lengths.iter().enumerate().find(|&(_, &length)| length > time) {
        Some((row, &length)) => Err(KernelError::SequenceLength { row, length, time }),
        None => Ok(()),
    }
}

/// Refuses sizes of 0.
pub(crate) fn positive(sizes: &[(&'static str, usize)]) -> Result<(), KernelError> {
    match sizes.iter().find(|&&(_, found)| found == 0) {
        Some(&(name, found)) => Err(KernelError::TooSmall { name, least: 1, found }),
        None => Ok(()),
    }
}

/// Refuses an index that is not below `count`, unless it is `none`.
pub(crate) fn indices(
    name: &'static str,
    found: &[u32],
    (count, of): (usize, &str),
    none: Option<u32>,
) -> Result<(), KernelError> {
    match found.iter().enumerate().find(|&(_, &index)| index as usize >= count && Some(index) != none) {
        Some((at, &index)) => Err(KernelError::Index { name, at, index, count, of: of.to_owned() }),
        None => Ok(()),
    }
}

/// Refuses what is no probability.
pub(crate) fn probability(probability: f32) -> Result<(), KernelError> {
    match (0.0..=1.0).contains(&probability) {
        true => Ok(()),
        false => Err(KernelError::Probability { found: probability.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_never_a_wrapped_one() {
        assert_eq!(product("x", &[3, 4], ""), Ok(12));
        assert_eq!(product("x", &[], ""), Ok(1));
        assert_eq!(product("x", &[5, 0, 7], ""), Ok(0));
        for shape in
            [[1 << 63, 2, 0], [1 << 63, 2, 1], [usize::MAX, usize::MAX, 1], [MOST_VALUES, 2, 1], [1 << 32, 1 << 32, 1]]
        {
            let error = product("x", &shape, "[A, B, C]").unwrap_err();
            assert!(error.to_string().contains("[A, B, C]"), "{error}");
        }
    }
}
