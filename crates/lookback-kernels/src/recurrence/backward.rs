//! The backward engine: through time over what [`super::forward`] saved.
//!
//! Three phases. Each task goes back through time over its rows and writes the gradients of the gates, one row
//! a real step. Then the gradient of the input is one product over those rows, and the gradients of the
//! weights are products over all real steps, split by gate and never by rows, so that no sum depends on the
//! number of threads.

use super::forward::{row_len, saved_len};
use super::packed::{PackedBackward, padded, panel_width};
use super::plan::{Task, Tokens, run, tasks};
use super::{
    Cell, Dims, InputGradients, Inputs, Reset, Upstream, WeightGradients, Weights, Workspace, check, weight_gradients,
};
use crate::simd::tile::{Panel, Start, panel_product, panels_product};
use crate::simd::{Aligned, Shared, arch};
use crate::{KernelError, gru, lstm, rnn};
use pulp::{Simd, WithSimd};

/// How many rows the input's gradient takes at once.
const BLOCK_ROWS: usize = 48;

/// The gradients of one step's gates: `[a]`, `[i f g o]`, `[n r z product]` or, when the reset comes before
/// the product, `[n r z]`; each `Hp`. A GRU's gates stand so that those the input meets, and those the
/// previous state meets, are each one run.
pub(super) fn gradient_len(cell: Cell, hp: usize) -> usize {
    hp * match cell {
        Cell::Rnn(_) => 1,
        Cell::Lstm | Cell::Gru(Reset::AfterProduct) => 4,
        Cell::Gru(Reset::BeforeProduct) => 3,
    }
}

/// The gradients of one layer, given what [`super::forward`] read, wrote (`y`) and saved.
///
/// Only what is `Some` in `input_gradients` and `weight_gradients` is computed in the end. No result depends
/// on `threads`.
///
/// # Errors
/// [`KernelError`] when a size does not fit; nothing is written then.
#[allow(clippy::too_many_arguments, reason = "a kernel's caller owns every buffer")]
pub fn backward(
    cell: Cell,
    dims: &Dims,
    weights: &[Weights<'_>],
    inputs: &Inputs<'_>,
    y: &[f32],
    saved: &[f32],
    upstream: &Upstream<'_>,
    input_gradients: InputGradients<'_>,
    weight_gradients: &mut [WeightGradients<'_>],
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    check::dims(dims, inputs.lengths)?;
    check::weights(cell, dims, weights)?;
    check::inputs(cell, dims, inputs)?;
    check::sequence("y", y, dims)?;
    check::slice("saved", saved, &[saved_len(cell, dims, inputs.lengths)], "[saved_len]")?;
    check::gradients(cell, dims, upstream, &input_gradients, weight_gradients)?;
    let tokens = Tokens::new(dims, inputs.lengths);
    let hp = padded(dims.hidden);
    let packed: Vec<PackedBackward> = weights.iter().map(|w| PackedBackward::new(cell, dims, w)).collect();
    let tasks = tasks(dims, &tokens, threads);
    if workspace.tasks.len() < tasks.len() {
        workspace.tasks.resize_with(tasks.len(), Aligned::default);
    }
    let gates = workspace.gradients.scratch(dims.directions * tokens.count * gradient_len(cell, hp));
    let call = Call {
        cell,
        dims: *dims,
        inputs: *inputs,
        upstream: *upstream,
        tokens: &tokens,
        saved,
        gates: Shared(gates.as_mut_ptr()),
        h0: input_gradients.h0.map(|g| Shared(g.as_mut_ptr())),
        c0: input_gradients.c0.map(|g| Shared(g.as_mut_ptr())),
        y,
    };
    let arch = arch();
    run(tasks.iter().zip(&mut workspace.tasks).collect(), |(task, scratch)| {
        let d = task.direction;
        arch.dispatch(Run { call: &call, weights: &packed[d], peephole: weights[d].peephole, task, scratch });
    });
    let gates = &*gates;
    if let Some(x) = input_gradients.x {
        let x = Shared(x.as_mut_ptr());
        // A few rows a task; each row of the gradient is one task's own.
        let share = dims.batch.div_ceil(threads.max(1)).max(1);
        let rows: Vec<_> = (0..dims.batch).step_by(share).map(|row| row..(row + share).min(dims.batch)).collect();
        run(rows, |rows| {
            arch.dispatch(InputGradient { call: &call, packed: &packed, gates, x, rows });
        });
    }
    let parts = weight_gradients::Parts { cell, dims, inputs, y, saved, gates, tokens: &tokens };
    weight_gradients::compute(&parts, weight_gradients, &mut workspace.rows, threads);
    Ok(())
}

/// What every task of one call shares. Slices are checked: each has the length of its shape.
struct Call<'a> {
    cell: Cell,
    dims: Dims,
    inputs: Inputs<'a>,
    upstream: Upstream<'a>,
    tokens: &'a Tokens,
    y: &'a [f32],
    saved: &'a [f32],
    /// `[D, real steps, gradient_len]`.
    gates: Shared,
    h0: Option<Shared>,
    c0: Option<Shared>,
}

struct Run<'a> {
    call: &'a Call<'a>,
    weights: &'a PackedBackward,
    peephole: Option<&'a [f32]>,
    task: &'a Task,
    scratch: &'a mut Aligned,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `backward` has checked every slice against its shape, and tasks have rows of their own.
        unsafe { run_task(simd, self) }
    }
}

/// The rows of one step on the way back. State pointers have `rows` times `hp` values.
pub(crate) struct BackRows<'a> {
    pub(crate) rows: usize,
    pub(crate) hp: usize,
    /// `[rows]`: what the forward pass saved for this step, and for the step before (null at the first).
    pub(crate) saved: &'a [*const f32],
    /// `[rows]`: where this step's gate gradients go.
    pub(crate) gates: &'a [*mut f32],
    /// The previous hidden state of each row; at the first step `h0`.
    pub(crate) h_prev: *const f32,
    /// The previous cell state of each row.
    pub(crate) c_prev: *const f32,
    /// In: the gradient of this step's hidden state. Out: what of it goes straight to the previous one.
    pub(crate) dh: *mut f32,
    /// In: the gradient of this step's cell. Out: of the previous one.
    pub(crate) dc: *mut f32,
    /// The gradient of `r ∘ h_prev` (GRU, reset before the product).
    pub(crate) dseen: *mut f32,
}

/// Runs one task.
///
/// # Safety
/// Every slice and pointer of the call has the length of its shape, and no other task has the same direction
/// and row.
#[inline(always)]
unsafe fn run_task<S: Simd>(simd: S, run: Run<'_>) {
    let Run { call, weights, peephole, task, scratch } = run;
    let Dims { batch, time, hidden, directions, .. } = call.dims;
    let (cell, hp, rows) = (call.cell, padded(hidden), task.rows.len());
    let d = task.direction;
    let (row_len, gradient_len) = (row_len(cell, hp), gradient_len(cell, hp));
    let longest = task.lengths.first().copied().unwrap_or(0);
    let state = |row: usize| (d * batch + row) * hidden;

    let scratch = scratch.scratch((5 * rows + 3) * hp);
    scratch.fill(0.0);
    let (dh, scratch) = scratch.split_at_mut(rows * hp);
    let (dc, scratch) = scratch.split_at_mut(rows * hp);
    let (dseen, scratch) = scratch.split_at_mut(rows * hp);
    let (h_prev, scratch) = scratch.split_at_mut(rows * hp);
    let (c_prev, padded_peephole) = scratch.split_at_mut(rows * hp);
    let peephole = peephole.map(|from| {
        for (to, from) in padded_peephole.chunks_exact_mut(hp).zip(from.chunks_exact(hidden)) {
            to[..hidden].copy_from_slice(from);
        }
        &*padded_peephole
    });
    for (r, &row) in task.rows.iter().enumerate() {
        if let Some(dh_n) = call.upstream.h_n {
            dh[r * hp..][..hidden].copy_from_slice(&dh_n[state(row)..][..hidden]);
        }
        if let Some(dc_n) = call.upstream.c_n {
            dc[r * hp..][..hidden].copy_from_slice(&dc_n[state(row)..][..hidden]);
        }
    }
    let token = |s: usize, r: usize| {
        d * call.tokens.count + call.tokens.offsets[task.rows[r]] + Tokens::position(d, task.lengths[r], s)
    };
    let mut saved_rows = vec![std::ptr::null(); rows];
    let mut gate_rows = vec![std::ptr::null_mut(); rows];
    for s in (0..longest).rev() {
        let active = task.active(s, rows);
        for r in 0..active {
            let row = task.rows[r];
            let t = Tokens::position(d, task.lengths[r], s);
            if let Some(dy) = call.upstream.y {
                let dy = &dy[((row * time + t) * directions + d) * hidden..][..hidden];
                dh[r * hp..][..hidden].iter_mut().zip(dy).for_each(|(dh, dy)| *dh += dy);
            }
            saved_rows[r] = call.saved[token(s, r) * row_len..][..row_len].as_ptr();
            gate_rows[r] = call.gates.at(token(s, r) * gradient_len);
            // An RNN's arithmetic needs no previous state, an LSTM's only the cell, a GRU's only the hidden.
            if matches!(cell, Cell::Gru(_)) {
                let to = &mut h_prev[r * hp..][..hidden];
                if s > 0 {
                    let t = Tokens::position(d, task.lengths[r], s - 1);
                    to.copy_from_slice(&call.y[((row * time + t) * directions + d) * hidden..][..hidden]);
                } else {
                    to.copy_from_slice_or_zero(call.inputs.h0.map(|h0| &h0[state(row)..][..hidden]));
                }
            }
            if cell.has_cell_state() {
                let to = &mut c_prev[r * hp..][..hidden];
                if s > 0 {
                    to.copy_from_slice(&call.saved[token(s - 1, r) * row_len + 4 * hp..][..hidden]);
                } else {
                    to.copy_from_slice_or_zero(call.inputs.c0.map(|c0| &c0[state(row)..][..hidden]));
                }
            }
        }
        let step = BackRows {
            rows: active,
            hp,
            saved: &saved_rows,
            gates: &gate_rows,
            h_prev: h_prev.as_ptr(),
            c_prev: c_prev.as_ptr(),
            dh: dh.as_mut_ptr(),
            dc: dc.as_mut_ptr(),
            dseen: dseen.as_mut_ptr(),
        };
        // SAFETY: the pointers of `step` have `active` rows of `hp`, or of the gates' lengths.
        unsafe { run_step(simd, cell, weights, peephole, &step) };
    }
    for (r, &row) in task.rows.iter().enumerate() {
        // SAFETY: `h0` and `c0` have `[D, B, H]`, and this task alone writes its rows and direction.
        unsafe {
            if let Some(h0) = call.h0 {
                std::ptr::copy_nonoverlapping(dh[r * hp..].as_ptr(), h0.at(state(row)), hidden);
            }
            if let Some(c0) = call.c0 {
                std::ptr::copy_nonoverlapping(dc[r * hp..].as_ptr(), c0.at(state(row)), hidden);
            }
        }
    }
}

/// One step back of a task's active rows.
///
/// # Safety
/// As said in [`BackRows`].
#[inline(always)]
unsafe fn run_step<S: Simd>(
    simd: S,
    cell: Cell,
    weights: &PackedBackward,
    peephole: Option<&[f32]>,
    step: &BackRows<'_>,
) {
    let (hp, width) = (step.hp, 2 * S::F32_LANES);
    // SAFETY: gates rows have the sections of `gradient_len`, states `hp` columns.
    unsafe {
        let product = |panels: &super::packed::Panels, section: usize, start: Start, to: *mut f32| {
            for first in (0..panels.count()).step_by(4) {
                let last = (first + 4).min(panels.count());
                let four: [Panel; 4] = std::array::from_fn(|i| {
                    let index = (first + i).min(last - 1);
                    Panel { data: panels.panel(index), start, column: index * width }
                });
                panels_product(
                    simd,
                    panels.k,
                    &four[..last - first],
                    step.rows,
                    |r| step.gates[r].wrapping_add(section * hp).cast_const(),
                    |r| to.wrapping_add(r * hp),
                );
            }
        };
        match cell {
            Cell::Rnn(activation) => {
                rnn::backward::cell(simd, activation, step);
                product(&weights.hidden, 0, Start::Row(std::ptr::null()), step.dh);
            }
            Cell::Lstm => {
                lstm::backward::cell(simd, peephole, step);
                product(&weights.hidden, 0, Start::Row(std::ptr::null()), step.dh);
            }
            Cell::Gru(reset) => {
                gru::backward::cell(simd, reset, step);
                if let Some(panels) = &weights.hidden_reset {
                    product(panels, 0, Start::Row(std::ptr::null()), step.dseen);
                    gru::backward::reset_gate(simd, step);
                }
                product(&weights.hidden, 1, Start::Output, step.dh);
            }
        }
    }
}

struct InputGradient<'a> {
    call: &'a Call<'a>,
    packed: &'a [PackedBackward],
    gates: &'a [f32],
    x: Shared,
    rows: std::ops::Range<usize>,
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    /// `dx = Σ_d dgates_d W_d`, directions in their order, a block of steps at a time.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dims { time, input, directions, hidden, .. } = self.call.dims;
        let tokens = self.call.tokens;
        let width = panel_width();
        let gradient_len = gradient_len(self.call.cell, padded(hidden));
        let padded_input = input.next_multiple_of(width);
        let mut block = Aligned::zeroed(BLOCK_ROWS * padded_input);
        let out = block.as_mut_slice().as_mut_ptr();
        for row in self.rows {
            let length = tokens.lengths[row];
            // SAFETY: `x` is `[B, T, I]` and this task alone has these rows.
            unsafe { self.x.at((row * time + length) * input).write_bytes(0, (time - length) * input) };
            for first in (0..length).step_by(BLOCK_ROWS) {
                let steps = BLOCK_ROWS.min(length - first);
                for d in 0..directions {
                    let start = if d == 0 { Start::Row(std::ptr::null()) } else { Start::Output };
                    let from = &self.gates[(d * tokens.count + tokens.offsets[row] + first) * gradient_len..];
                    let from = from[..steps * gradient_len].as_ptr();
                    let panels = &self.packed[d].input;
                    for panel in 0..panels.count() {
                        // SAFETY: a gates row has the panels' `k` values first, the block `padded_input` a row.
                        unsafe {
                            panel_product(
                                simd,
                                panels.k,
                                panels.panel(panel),
                                steps,
                                start,
                                |i| from.wrapping_add(i * gradient_len),
                                |i| out.wrapping_add(i * padded_input + panel * width),
                            );
                        }
                    }
                }
                for i in 0..steps {
                    // SAFETY: the block has the row, and `x` its place, of this task alone.
                    unsafe {
                        let to = self.x.at((row * time + first + i) * input);
                        std::ptr::copy_nonoverlapping(out.add(i * padded_input), to, input);
                    }
                }
            }
        }
    }
}

trait CopyOrZero {
    /// Copies `from`, or writes zeros where there is nothing.
    fn copy_from_slice_or_zero(&mut self, from: Option<&[f32]>);
}

impl CopyOrZero for [f32] {
    fn copy_from_slice_or_zero(&mut self, from: Option<&[f32]>) {
        match from {
            Some(from) => self.copy_from_slice(from),
            None => self.fill(0.0),
        }
    }
}
