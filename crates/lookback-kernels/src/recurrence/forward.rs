//! The forward engine: any cell over time, for ragged rows, on any number of threads.
//!
//! A task is some rows of one direction. It goes through time in blocks: first the input product of the whole
//! block (its weights stay in cache over the block's rows), then step by step, unit block by unit block, the
//! recurrent product on top of it and the cell's own arithmetic while the gates are still in the first cache.

use super::packed::{PackedDirection, padded, panel_width};
use super::plan::{Task, Tokens, run, tasks};
use super::{Cell, Dims, Inputs, Outputs, Packed, Reset, Workspace, check};
use crate::simd::tile::{Panel, Start, panel_product, panels_product};
use crate::simd::{Aligned, Shared, arch};
use crate::{KernelError, gru, lstm, rnn};
use pulp::{Simd, WithSimd};

/// About how many rows the input product takes at once, so that its weights are read from memory seldom.
const BLOCK_ROWS: usize = 96;

/// How many values a training [`forward`] saves for [`super::backward`].
pub fn saved_len(cell: Cell, dims: &Dims, lengths: Option<&[usize]>) -> usize {
    dims.directions * Tokens::new(dims, lengths).count * row_len(cell, padded(dims.hidden))
}

/// The values kept for one step of one row: `[h]`, `[r z n product]` or `[i f g o c]`, each `Hp`.
pub(super) fn row_len(cell: Cell, hp: usize) -> usize {
    hp * match cell {
        Cell::Rnn(_) => 1,
        Cell::Lstm => 5,
        Cell::Gru(_) => 4,
    }
}

/// One layer over a batch, all its directions.
///
/// `saved` is `Some` of [`saved_len`] values when a backward pass will follow. No result depends on `threads`.
///
/// # Errors
/// [`KernelError`] when a size does not fit; nothing is written then.
#[allow(clippy::too_many_arguments, reason = "a kernel's caller owns every buffer")]
pub fn forward(
    cell: Cell,
    dims: &Dims,
    packed: &Packed,
    inputs: &Inputs<'_>,
    outputs: Outputs<'_>,
    saved: Option<&mut [f32]>,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    check::dims(dims, inputs.lengths)?;
    packed.check(cell, dims)?;
    check::inputs(cell, dims, inputs)?;
    check::outputs(cell, dims, &outputs)?;
    if let Some(saved) = &saved {
        check::slice("saved", saved, &[saved_len(cell, dims, inputs.lengths)], "[saved_len]")?;
    }
    let tokens = Tokens::new(dims, inputs.lengths);
    let tasks = tasks(dims, &tokens, threads);
    if workspace.tasks.len() < tasks.len() {
        workspace.tasks.resize_with(tasks.len(), Aligned::default);
    }
    let call = Call {
        cell,
        dims: *dims,
        inputs: *inputs,
        tokens: &tokens,
        y: Shared(outputs.y.as_mut_ptr()),
        h_n: Shared(outputs.h_n.as_mut_ptr()),
        c_n: Shared(outputs.c_n.map_or(std::ptr::null_mut(), <[f32]>::as_mut_ptr)),
        saved: saved.map(|saved| Shared(saved.as_mut_ptr())),
    };
    let arch = arch();
    run(tasks.iter().zip(&mut workspace.tasks).collect(), |(task, scratch)| {
        arch.dispatch(Run { call: &call, weights: &packed.directions[task.direction], task, scratch });
    });
    Ok(())
}

/// What every task of one call shares. Slices are checked: each has the length of its shape.
struct Call<'a> {
    cell: Cell,
    dims: Dims,
    inputs: Inputs<'a>,
    tokens: &'a Tokens,
    y: Shared,
    h_n: Shared,
    c_n: Shared,
    saved: Option<Shared>,
}

struct Run<'a> {
    call: &'a Call<'a>,
    weights: &'a PackedDirection,
    task: &'a Task,
    scratch: &'a mut Aligned,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `forward` has checked every slice against its shape, and tasks have rows of their own.
        unsafe { run_task(simd, self.call, self.weights, self.task, self.scratch) }
    }
}

/// Runs one task.
///
/// # Safety
/// Every slice and pointer of `call` has the length of its shape, and no other task has the same direction
/// and row.
#[inline(always)]
unsafe fn run_task<S: Simd>(simd: S, call: &Call<'_>, weights: &PackedDirection, task: &Task, scratch: &mut Aligned) {
    let Dims { batch, time, input, hidden, directions } = call.dims;
    let (cell, hp, width, rows) = (call.cell, padded(hidden), panel_width(), task.rows.len());
    let d = task.direction;
    let row_len = row_len(cell, hp);
    let longest = task.lengths.first().copied().unwrap_or(0);
    let block = (BLOCK_ROWS / rows.max(1)).clamp(1, longest.max(1));
    let state = |row: usize| (d * batch + row) * hidden;

    // Scratch: two hidden states, the cell, `r ∘ h`, and the gates of a block when nothing is saved.
    let gates_len = if call.saved.is_some() { 0 } else { block * rows * row_len };
    let scratch = scratch.scratch(4 * rows * hp + gates_len);
    let (h, scratch) = scratch.split_at_mut(2 * rows * hp);
    let (c, scratch) = scratch.split_at_mut(rows * hp);
    let (seen, local_gates) = scratch.split_at_mut(rows * hp);
    h.fill(0.0);
    c.fill(0.0);
    for (r, &row) in task.rows.iter().enumerate() {
        if let Some(h0) = call.inputs.h0 {
            h[r * hp..][..hidden].copy_from_slice(&h0[state(row)..][..hidden]);
        }
        if let Some(c0) = call.inputs.c0 {
            c[r * hp..][..hidden].copy_from_slice(&c0[state(row)..][..hidden]);
        }
    }
    let finish = |r: usize, h: *const f32, c: *const f32| {
        let at = state(task.rows[r]);
        // SAFETY: the offsets stay inside the checked shapes, and this task alone writes its rows and direction.
        unsafe {
            std::ptr::copy_nonoverlapping(h.add(r * hp), call.h_n.at(at), hidden);
            if cell.has_cell_state() {
                std::ptr::copy_nonoverlapping(c.add(r * hp), call.c_n.at(at), hidden);
            }
        }
    };
    let y_at = |row: usize, t: usize| call.y.at(((row * time + t) * directions + d) * hidden);
    for (r, &row) in task.rows.iter().enumerate() {
        for t in task.lengths[r]..time {
            // SAFETY: as in `finish`.
            unsafe { y_at(row, t).write_bytes(0, hidden) };
        }
        if task.lengths[r] == 0 {
            finish(r, h.as_ptr(), c.as_ptr());
        }
    }

    let (mut h_prev, mut h_next) = (h.as_mut_ptr(), h[rows * hp..].as_mut_ptr());
    let (c, seen, local_gates) = (c.as_mut_ptr(), seen.as_mut_ptr(), local_gates.as_mut_ptr());
    // Where the gates of step `s` of row `r` stand.
    let gates_at = |first: usize, s: usize, r: usize| match call.saved {
        Some(saved) => {
            let row = task.rows[r];
            let t = Tokens::position(d, task.lengths[r], s);
            saved.at((d * call.tokens.count + call.tokens.offsets[row] + t) * row_len)
        }
        None => local_gates.wrapping_add(((s - first) * rows + r) * row_len),
    };
    let mut pairs: Vec<(*const f32, *mut f32)> = Vec::with_capacity(block * rows);
    let mut gate_rows: Vec<*mut f32> = vec![std::ptr::null_mut(); rows];
    let mut active = rows;
    for first in (0..longest).step_by(block) {
        let last = (first + block).min(longest);
        pairs.clear();
        for s in first..last {
            for r in 0..task.active(s, active) {
                let t = Tokens::position(d, task.lengths[r], s);
                let x = call.inputs.x.as_ptr().wrapping_add((task.rows[r] * time + t) * input);
                pairs.push((x, gates_at(first, s, r)));
            }
        }
        for panel in 0..weights.input.count() {
            let column = panel * width;
            // SAFETY: `x` has `input` values, a gates row has every panel's columns, the bias as many.
            unsafe {
                panel_product(
                    simd,
                    input,
                    weights.input.panel(panel),
                    pairs.len(),
                    Start::Row(weights.bias.as_slice().as_ptr().add(column)),
                    |i| pairs[i].0,
                    |i| pairs[i].1.wrapping_add(column),
                );
            }
        }
        for s in first..last {
            active = task.active(s, active);
            for (r, gates) in gate_rows[..active].iter_mut().enumerate() {
                *gates = gates_at(first, s, r);
            }
            let step = StepRows { rows: active, hp, gates: &gate_rows, h_prev, h_next, c, seen };
            // SAFETY: the pointers of `step` have `active` rows of `hp`, or of `row_len` for the gates.
            unsafe { run_step(simd, cell, weights, hidden, &step) };
            for r in 0..active {
                let t = Tokens::position(d, task.lengths[r], s);
                // SAFETY: as in `finish`.
                unsafe { std::ptr::copy_nonoverlapping(h_next.add(r * hp), y_at(task.rows[r], t), hidden) };
                if task.lengths[r] == s + 1 {
                    finish(r, h_next, c);
                }
            }
            std::mem::swap(&mut h_prev, &mut h_next);
        }
    }
}

/// The rows of one step, for the cells' own arithmetic. State pointers have `rows` times `hp` values.
pub(crate) struct StepRows<'a> {
    pub(crate) rows: usize,
    pub(crate) hp: usize,
    /// `[rows]`: each row's gates, the sections of [`row_len`].
    pub(crate) gates: &'a [*mut f32],
    pub(crate) h_prev: *const f32,
    pub(crate) h_next: *mut f32,
    pub(crate) c: *mut f32,
    /// `r ∘ h_prev`, for a GRU that resets before the product.
    pub(crate) seen: *mut f32,
}

/// One step of a task's active rows.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
unsafe fn run_step<S: Simd>(simd: S, cell: Cell, weights: &PackedDirection, hidden: usize, step: &StepRows<'_>) {
    let width = 2 * S::F32_LANES;
    let blocks = step.hp / width;
    let panel = |gate: usize, block: usize, section: usize, start: Start| Panel {
        data: weights.hidden.panel(gate * blocks + block),
        start,
        column: section * step.hp + block * width,
    };
    // The products of some panels from `state`.
    let products = |panels: &[Panel], state: *const f32| {
        // SAFETY: a state row has `hidden` values (of `hp`), a gates row every section's columns.
        unsafe {
            panels_product(simd, hidden, panels, step.rows, |r| state.wrapping_add(r * step.hp), |r| step.gates[r]);
        }
    };
    let peephole = weights.peephole.as_ref().map(Aligned::as_slice);
    // SAFETY: the cells touch the unit block's columns of the rows in `step`, all valid.
    unsafe {
        match cell {
            Cell::Rnn(activation) => {
                for first in (0..blocks).step_by(4) {
                    let last = (first + 4).min(blocks);
                    let four: [Panel; 4] =
                        std::array::from_fn(|i| panel(0, (first + i).min(last - 1), 0, Start::Output));
                    products(&four[..last - first], step.h_prev);
                    for block in first..last {
                        rnn::forward::cell(simd, activation, step, block * width);
                    }
                }
            }
            Cell::Lstm => {
                for block in 0..blocks {
                    let gates: [Panel; 4] = std::array::from_fn(|gate| panel(gate, block, gate, Start::Output));
                    products(&gates, step.h_prev);
                    lstm::forward::cell(simd, peephole, step, block * width);
                }
            }
            Cell::Gru(Reset::AfterProduct) => {
                for block in 0..blocks {
                    let bias = Start::Row(weights.bias_product.as_slice().as_ptr().add(block * width));
                    let gates = [
                        panel(0, block, 0, Start::Output),
                        panel(1, block, 1, Start::Output),
                        panel(2, block, 3, bias),
                    ];
                    products(&gates, step.h_prev);
                    gru::forward::reset_gate(simd, Reset::AfterProduct, step, block * width);
                    gru::forward::cell(simd, Reset::AfterProduct, step, block * width);
                }
            }
            Cell::Gru(Reset::BeforeProduct) => {
                for block in 0..blocks {
                    products(&[panel(0, block, 0, Start::Output)], step.h_prev);
                    gru::forward::reset_gate(simd, Reset::BeforeProduct, step, block * width);
                }
                for block in 0..blocks {
                    products(&[panel(1, block, 1, Start::Output)], step.h_prev);
                    products(&[panel(2, block, 2, Start::Output)], step.seen);
                    gru::forward::cell(simd, Reset::BeforeProduct, step, block * width);
                }
            }
        }
    }
}
