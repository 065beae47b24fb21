//! What a training forward pass kept of every step, for a reader: the layout of what is saved is nobody else's.

use super::forward::saved_values;
use super::plan::Tokens;
use super::{Cell, Dims, check};
use crate::KernelError;
use crate::cell::Form;
use crate::cell::packed::padded;
use crate::check::slice;

/// The gates and cell states of every step.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// One for each of [`Cell::gate_names`], after its activation: `[D, B, T, H]`, in the order of the input also where a
    /// direction reads it from the end; zero at and past `lengths[b]`.
    pub gates: Vec<Vec<f32>>,
    /// `[D, B, T, H]`, LSTM only: the new cell state of every step, in the same order.
    pub cell: Option<Vec<f32>>,
}

/// The gates and cell states of every step, from what a training [`super::forward`] saved. (The hidden states are its `y`.)
///
/// saved: [`super::saved_len`] values, of this cell, these sizes and these lengths.
///
/// # Errors
/// [`KernelError`] when a size is one that no layer has, or `saved` is of another length.
pub fn steps(cell: Cell, dims: &Dims, lengths: Option<&[usize]>, saved: &[f32]) -> Result<Steps, KernelError> {
    check::dims(dims, lengths)?;
    slice("saved", saved, &[saved_values(cell, dims, lengths)], "[saved_len]")?;
    let form = cell.form();
    let part = |section| part(form, dims, lengths, saved, section);
    // A plain RNN keeps its hidden states alone, and a GRU a product behind its gates.
    Ok(Steps { gates: (0..form.gate_names.len()).map(part).collect(), cell: form.cell_state.map(part) })
}

/// One section of every saved row, `[D, B, T, H]`.
fn part(form: &Form, dims: &Dims, lengths: Option<&[usize]>, saved: &[f32], section: usize) -> Vec<f32> {
    let Dims { batch, time, hidden, directions, .. } = *dims;
    let (tokens, hp) = (Tokens::new(dims, lengths), padded(hidden));
    let row_len = form.row_len(hp);
    let mut steps = vec![0.0; directions * batch * time * hidden];
    for d in 0..directions {
        for b in 0..batch {
            for t in 0..tokens.lengths[b] {
                let from = (d * tokens.count + tokens.offsets[b] + t) * row_len + section * hp;
                let to = ((d * batch + b) * time + t) * hidden;
                steps[to..][..hidden].copy_from_slice(&saved[from..][..hidden]);
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::super::reference::{self, CELLS};
    use super::*;
    use crate::{Inputs, Packed, Saving, Weights, Workspace, forward_owned};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// Every gate and state of every step against the naive equations in f64.
    #[test]
    fn the_steps_are_those_of_the_reference() {
        let mut rng = StdRng::seed_from_u64(4);
        let mut draw =
            |len: usize, scale: f32| -> Vec<f32> { (0..len).map(|_| rng.random_range(-1.0f32..1.0) * scale).collect() };
        for (cell, directions, hidden, lengths) in CELLS.into_iter().flat_map(|cell| {
            [(cell, 1, 3, None), (cell, 2, 5, Some(vec![4, 0, 1, 6])), (cell, 2, 33, Some(vec![2, 6, 5, 0]))]
        }) {
            let dims = Dims { batch: 4, time: 6, input: 3, hidden, directions };
            let Dims { batch, time, input, .. } = dims;
            let (rows, lstm) = (cell.gates() * hidden, cell.has_cell_state());
            let scale = 1.0 / (hidden as f32).sqrt();
            let drawn: Vec<[Vec<f32>; 5]> = (0..directions)
                .map(|_| [rows * input, rows * hidden, rows, rows, 3 * hidden].map(|len| draw(len, scale)))
                .collect();
            let x = draw(batch * time * input, 1.0);
            let states = [0, 1].map(|_| draw(directions * batch * hidden, 1.0));
            let weights: Vec<Weights<'_>> = drawn
                .iter()
                .map(|[ih, hh, b_ih, b_hh, peephole]| Weights {
                    weight_ih: ih,
                    weight_hh: hh,
                    bias_ih: Some(b_ih),
                    bias_hh: Some(b_hh),
                    peephole: lstm.then_some(peephole),
                })
                .collect();
            let packed = Packed::new(cell, &dims, &weights).unwrap();
            let inputs =
                Inputs { x: &x, lengths: lengths.as_deref(), h0: Some(&states[0]), c0: lstm.then_some(&states[1][..]) };
            let (_, saved) =
                forward_owned(cell, &dims, &packed, &inputs, Saving::Gates, &mut Workspace::default(), 2).unwrap();
            let found = steps(cell, &dims, lengths.as_deref(), &saved).unwrap();
            assert_eq!((found.gates.len(), found.cell.is_some()), (cell.gate_names().len(), lstm), "{cell:?}");

            let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
            let mut want =
                Steps { gates: vec![vec![0.0; directions * batch * time * hidden]; found.gates.len()], cell: None };
            let mut cells = vec![0.0f32; directions * batch * time * hidden];
            for (d, drawn) in drawn.iter().enumerate() {
                let own = drawn.each_ref().map(|values| wide(values));
                let [ih, hh, b_ih, b_hh, peephole] = &own;
                let weights = Weights {
                    weight_ih: &ih[..],
                    weight_hh: &hh[..],
                    bias_ih: Some(&b_ih[..]),
                    bias_hh: Some(&b_hh[..]),
                    peephole: lstm.then_some(&peephole[..]),
                };
                for b in 0..batch {
                    let length = lengths.as_ref().map_or(time, |lengths| lengths[b]);
                    let state = (d * batch + b) * hidden;
                    let [mut h, mut c] = states.each_ref().map(|state_of| wide(&state_of[state..][..hidden]));
                    for s in 0..length {
                        let t = if d == 0 { s } else { length - 1 - s };
                        let step =
                            reference::step(cell, &weights, &wide(&x[(b * time + t) * input..][..input]), &h, &c);
                        let to = ((d * batch + b) * time + t) * hidden;
                        for (gate, values) in want.gates.iter_mut().zip(step.gates.chunks(hidden)) {
                            gate[to..][..hidden].iter_mut().zip(values).for_each(|(to, &from)| *to = from as f32);
                        }
                        if lstm {
                            cells[to..][..hidden].iter_mut().zip(&step.c).for_each(|(to, &from)| *to = from as f32);
                        }
                        (h, c) = (step.h, step.c);
                    }
                }
            }
            want.cell = lstm.then_some(cells);
            let both = found.gates.iter().chain(&found.cell).zip(want.gates.iter().chain(&want.cell));
            for (part, (found, want)) in both.enumerate() {
                assert_eq!(found.len(), want.len());
                for (found, want) in found.iter().zip(want) {
                    assert!((found - want).abs() <= 1e-6, "{cell:?} {directions} part {part}: {found}, want {want}");
                }
            }
        }
    }

    #[test]
    fn another_length_and_sizes_of_no_layer_are_refused() {
        let dims = Dims { batch: 2, time: 3, input: 1, hidden: 2, directions: 1 };
        let error = steps(Cell::Lstm, &dims, None, &[0.0; 7]).unwrap_err().to_string();
        assert!(error.starts_with("saved has 7 values but"), "{error}");
        let error = steps(Cell::Lstm, &dims, Some(&[4, 1]), &[]).unwrap_err().to_string();
        assert_eq!(error, "lengths[0] is 4 but the batch has T = 3");
        let none = Dims { hidden: 0, ..dims };
        assert_eq!(steps(Cell::Lstm, &none, None, &[]).unwrap_err().to_string(), "H is 0 but must be at least 1");
    }
}
