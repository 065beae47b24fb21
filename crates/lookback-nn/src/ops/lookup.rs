//! Token vectors from several tables as one operation.

use std::sync::Arc;

use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorCreationOptions, TensorData};
use lookback_kernels::lookup::{self as kernel, Lookup, NO_TOKEN};
use rayon::current_num_threads;

use super::flex::checked;
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{Nothing, on_flex};
use crate::{Error, check};

/// Gives `[P, E]`: at each position the sum over the tables of the mean of the token's rows, and zeros where there is no
/// token. tables: `[rows, E]`, one to five of them.
///
/// # Errors
/// When `lookup` does not fit the tables, or their widths or element types differ.
pub fn lookup(tables: Vec<Tensor<2>>, lookup: Arc<Lookup>) -> Result<Tensor<2>, Error> {
    let refuse = |what: String| Error::Lookup { what };
    let Some(first) = tables.first() else { return Err(refuse("no table".into())) };
    if tables.len() > SLICES {
        return Err(refuse(format!("{} tables, at most {SLICES} are put together", tables.len())));
    }
    let (device, [_, width]) = (first.device(), first.dims());
    let rows: Vec<usize> = tables.iter().map(|table| table.dims()[0]).collect();
    if let Some(other) = tables.iter().map(|table| table.dims()[1]).find(|&other| other != width) {
        return Err(refuse(format!("a table of width {other} beside one of width {width}")));
    }
    for table in &tables[1..] {
        check::types([("the first table", Some(first.dtype())), ("another table", Some(table.dtype()))])?;
    }
    lookup.check(&rows).map_err(|error| refuse(error.to_string()))?;
    if width == 0 || lookup.positions.is_empty() {
        return Ok(Nothing::of(first).and_all(&tables[1..]).zeros([lookup.positions.len(), width]));
    }
    if !tables.iter().all(on_flex) {
        return Ok(composite(&tables, &lookup, width));
    }
    let mut tables = tables.into_iter().map(Tensor::into_dispatch);
    let inputs = std::array::from_fn(|_| tables.next());
    Ok(run_slices(inputs, &device, Arc::new(Tables { lookup, rows, width })))
}

/// The same, made of Burn's own operations.
pub(super) fn composite(tables: &[Tensor<2>], lookup: &Lookup, width: usize) -> Tensor<2> {
    let device = tables[0].device();
    let like_tables = TensorCreationOptions::from((&device, tables[0].dtype()));
    let ints = |values: Vec<i64>| {
        let count = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &device)
    };
    // One row more, of zeros, for the positions without a token.
    let mut vectors = Tensor::<2>::zeros([lookup.unique + 1, width], like_tables.clone());
    for (bags, table) in lookup.bags.iter().zip(tables).filter(|(bags, _)| !bags.ids.is_empty()) {
        let ids = bags.ids.iter().map(|&id| i64::from(id)).collect();
        let (mut owners, mut shares) = (Vec::new(), Vec::new());
        for (token, ends) in bags.offsets.windows(2).enumerate() {
            let count = (ends[1] - ends[0]) as usize;
            owners.extend(std::iter::repeat_n(token as i64, count));
            shares.extend(std::iter::repeat_n(1.0 / count as f32, count));
        }
        let count = shares.len();
        let shares = Tensor::<2>::from_data(TensorData::new(shares, [count, 1]), like_tables.clone());
        let parts = table.clone().select(0, ints(ids)) * shares;
        vectors = vectors.select_assign(0, ints(owners), parts, IndexingUpdateOp::Add);
    }
    let position = |&position: &u32| if position == NO_TOKEN { lookup.unique as i64 } else { i64::from(position) };
    vectors.select(0, ints(lookup.positions.iter().map(position).collect()))
}

#[derive(Debug)]
struct Tables {
    lookup: Arc<Lookup>,
    rows: Vec<usize>,
    width: usize,
}

impl SliceOperation for Tables {
    fn shape(&self) -> Vec<usize> {
        vec![self.lookup.positions.len(), self.width]
    }

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32> {
        checked(kernel::forward(&self.lookup, &inputs[..self.rows.len()], self.width, current_num_threads()))
    }

    fn backward(
        &self,
        _: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let threads = current_num_threads();
        let wanted = &wanted[..self.rows.len()];
        let gradients = checked(kernel::backward(&self.lookup, &self.rows, self.width, gradient, wanted, threads));
        let mut gradients = gradients.into_iter();
        std::array::from_fn(|_| gradients.next().flatten())
    }
}
