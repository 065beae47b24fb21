//! The backward engine: through time over what [`super::forward`] saved.
//!
//! Three phases. Each task goes back through time over its rows and writes the gradients of the gates, one row
//! a real step. Then the gradient of the input is one product over those rows, and the gradients of the
//! weights are products over all real steps, split by rows of the weights and never by rows of the batch, so
//! that no sum depends on the number of threads.

use super::cells::with_kernel;
use super::forward::saved_values;
use super::plan::{Task, Tokens, tasks};
use super::team::{self, Member, Team, Work, run_teams};
use super::{
    Cell, Dims, InputGradients, Inputs, OF_WEIGHTS, Upstream, WeightGradients, Weights, Workspace, check,
    weight_gradients, weight_lens,
};
use crate::cell::backward::BackRows;
use crate::cell::packed::{PackedBackward, padded, panel_width};
use crate::cell::{CellKernel, Form};
use crate::check::slice;
use crate::simd::tile::{Start, panel_product};
use crate::simd::{Aligned, Shared, arch};
use crate::written::{Slot, Unwritten};
use crate::{KernelError, threads};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// How many rows the input's gradient takes at once.
const BLOCK_ROWS: usize = 48;
/// How many steps a task takes at once while helpers may still come.
const SHORT_BLOCK: usize = 8;
/// How many steps a team takes at once when all are there.
const LONG_BLOCK: usize = 64;

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
    // SAFETY: the engine writes values alone.
    let (input_gradients, mut weight_gradients) =
        unsafe { (input_gradients.slots(), weight_gradients.iter_mut().map(|part| part.slots()).collect::<Vec<_>>()) };
    let weight_gradients = &mut weight_gradients[..];
    run(cell, dims, weights, inputs, y, saved, upstream, input_gradients, weight_gradients, workspace, threads)
}

/// [`backward`] into memory that need not have been written.
#[allow(clippy::too_many_arguments, reason = "as `backward`")]
fn run(
    cell: Cell,
    dims: &Dims,
    weights: &[Weights<'_>],
    inputs: &Inputs<'_>,
    y: &[f32],
    saved: &[f32],
    upstream: &Upstream<'_>,
    input_gradients: InputGradients<'_, Slot>,
    weight_gradients: &mut [WeightGradients<'_, Slot>],
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    check::dims(dims, inputs.lengths)?;
    check::weights(cell, dims, weights)?;
    check::inputs(cell, dims, inputs)?;
    check::sequence("y", y, dims)?;
    slice("saved", saved, &[saved_values(cell, dims, inputs.lengths)], "[saved_len]")?;
    check::gradients(cell, dims, upstream, &input_gradients, weight_gradients)?;
    let tokens = Tokens::new(dims, inputs.lengths);
    let hp = padded(dims.hidden);
    let form = cell.form();
    let sizes = [dims.input, dims.hidden];
    let packed: Vec<PackedBackward> = weights.iter().map(|w| PackedBackward::new(form, sizes, w)).collect();
    let gates = workspace.gradients.scratch(dims.directions * tokens.count * form.gradient_len(hp));
    let peepholes: Vec<_> = weights.iter().map(|weights| weights.peephole).collect();
    let sequence = Sequence { cell, dims, packed: &packed, peepholes: &peepholes, inputs, y, saved, tokens: &tokens };
    // SAFETY: every slice has been checked against its shape.
    unsafe { gate_gradients(&sequence, upstream, gates, input_gradients, &mut workspace.tasks, threads) };
    let parts = weight_gradients::Parts { form, dims, inputs, y, saved, gates, tokens: &tokens };
    weight_gradients::compute(&parts, weight_gradients, &mut workspace.rows, threads);
    Ok(())
}

/// What a backward pass reads, beside the gradients that flow in.
pub(super) struct Sequence<'a> {
    pub(super) cell: Cell,
    pub(super) dims: &'a Dims,
    /// `[D]`.
    pub(super) packed: &'a [PackedBackward],
    /// `[D]`.
    pub(super) peepholes: &'a [Option<&'a [f32]>],
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) y: &'a [f32],
    pub(super) saved: &'a [f32],
    pub(super) tokens: &'a Tokens,
}

/// The gradients of all gates, `[D, real steps, gradient_len]`, and those of the inputs.
///
/// # Safety
/// Every slice must have the length of its shape.
pub(super) unsafe fn gate_gradients(
    sequence: &Sequence<'_>,
    upstream: &Upstream<'_>,
    gates: &mut [f32],
    input_gradients: InputGradients<'_, Slot>,
    scratch: &mut Vec<Aligned>,
    threads: usize,
) {
    let Sequence { cell, dims, packed, inputs, y, saved, tokens, .. } = *sequence;
    let call = Call {
        form: cell.form(),
        dims: *dims,
        inputs: *inputs,
        upstream: *upstream,
        tokens,
        saved,
        gates: Shared(gates.as_mut_ptr()),
        h0: input_gradients.h0.map(|g| Shared(g.as_mut_ptr().cast())),
        c0: input_gradients.c0.map(|g| Shared(g.as_mut_ptr().cast())),
        y,
    };
    // SAFETY: as the caller promises.
    with_kernel!(cell, kernel => unsafe { walk(kernel, &call, sequence, scratch, threads) });
    let gates = &*gates;
    let Some(x) = input_gradients.x else { return };
    let x = Shared(x.as_mut_ptr().cast());
    // A few rows a task, or a part of each row's steps; each step of the gradient is one task's own.
    let share = dims.batch.div_ceil(threads.max(1)).max(1);
    let parts = (threads / dims.batch.max(1)).max(1);
    let shares = (0..dims.batch).step_by(share).map(|row| row..(row + share).min(dims.batch));
    threads::run(shares.flat_map(|rows| (0..parts).map(move |part| (rows.clone(), part))).collect(), |(rows, part)| {
        arch().dispatch(InputGradient { call: &call, packed, gates, x, rows, part, parts });
    });
}

/// Every task of a call, back through time by its cell's own arithmetic.
///
/// # Safety
/// As [`gate_gradients`].
unsafe fn walk<C: CellKernel>(
    kernel: C,
    call: &Call<'_>,
    sequence: &Sequence<'_>,
    scratch: &mut Vec<Aligned>,
    threads: usize,
) {
    let tasks = tasks(&call.dims, call.tokens, threads);
    if scratch.len() < tasks.len() {
        scratch.resize_with(tasks.len(), Aligned::default);
    }
    let walks = tasks.iter().zip(scratch).map(|(task, scratch)| {
        let layer = (&sequence.packed[task.direction], sequence.peepholes[task.direction]);
        // SAFETY: every slice has the length of its shape, and tasks have rows of their own.
        unsafe { Walk::new(kernel, call, layer, task, scratch, threads / tasks.len().max(1)) }
    });
    run_teams(walks.collect());
}

/// How many gradients an input has: of `x`, `h0` and `c0`.
const OF_INPUTS: usize = 3;

/// [`backward`] into memory of its own, which is not filled with zeros before.
///
/// `wanted`, and what comes back, has one entry each for `x`, `h0` and `c0`, then five per direction: `weight_ih`,
/// `weight_hh`, `bias_ih`, `bias_hh` and `peephole`.
///
/// # Errors
/// As [`backward`], and where `wanted` has another length.
#[allow(clippy::too_many_arguments, reason = "as `backward`")]
pub fn backward_owned(
    cell: Cell,
    dims: &Dims,
    weights: &[Weights<'_>],
    inputs: &Inputs<'_>,
    y: &[f32],
    saved: &[f32],
    upstream: &Upstream<'_>,
    wanted: &[bool],
    workspace: &mut Workspace,
    threads: usize,
) -> Result<Vec<Option<Vec<f32>>>, KernelError> {
    check::dims(dims, inputs.lengths)?;
    check::inputs(cell, dims, inputs)?;
    slice("wanted", wanted, &[OF_INPUTS + OF_WEIGHTS * dims.directions], "[3 + 5*D]")?;
    let states = dims.directions * dims.batch * dims.hidden;
    let lens = [inputs.x.len(), states, states].into_iter().chain(weight_lens(cell, dims).into_iter().cycle());
    let mut parts: Vec<Option<Unwritten>> =
        wanted.iter().zip(lens).map(|(&wanted, len)| wanted.then(|| Unwritten::new(len))).collect();
    let mut each = parts.iter_mut().map(|part| part.as_mut().map(Unwritten::slots));
    let mut next = || each.next().flatten();
    let input_gradients = InputGradients { x: next(), h0: next(), c0: next() };
    let mut weight_gradients: Vec<_> =
        (0..dims.directions).map(|_| WeightGradients::from(std::array::from_fn(|_| next()))).collect();
    let gradients = &mut weight_gradients;
    run(cell, dims, weights, inputs, y, saved, upstream, input_gradients, gradients, workspace, threads)?;
    drop(weight_gradients);
    // SAFETY: the engine reads no gradient that it has not written, and where it gives no error it has written all.
    Ok(parts.into_iter().map(|part| part.map(|part| unsafe { part.written() })).collect())
}

/// What every task of one call shares. Slices are checked: each has the length of its shape.
struct Call<'a> {
    form: &'static Form,
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

/// One task on its way back, for all members of its team.
///
/// Every slice and pointer of the call has the length of its shape, and no other task has the same direction and row.
struct Walk<'a, C> {
    kernel: C,
    call: &'a Call<'a>,
    weights: &'a PackedBackward,
    /// `[3, hp]`.
    peephole: Option<&'a [f32]>,
    task: &'a Task,
    team: Team,
    /// The most members.
    limit: usize,
    /// The gradients of the state, `[rows, hp]`.
    dh: Shared,
    dc: Shared,
    dseen: Shared,
    /// The state before the step at hand, `[rows, hp]`.
    h_prev: Shared,
    c_prev: Shared,
}

impl<'a, C: CellKernel> Walk<'a, C> {
    /// What flows into the final states, and the gradients of the rows without a step.
    ///
    /// # Safety
    /// As said in [`Walk`].
    unsafe fn new(
        kernel: C,
        call: &'a Call<'a>,
        (weights, peephole): (&'a PackedBackward, Option<&[f32]>),
        task: &'a Task,
        scratch: &'a mut Aligned,
        threads: usize,
    ) -> Self {
        let Dims { batch, hidden, .. } = call.dims;
        let (form, hp, rows) = (call.form, padded(hidden), task.rows.len());
        let scratch = scratch.scratch((5 * rows + 3) * hp);
        scratch.fill(0.0);
        let (dh, rest) = scratch.split_at_mut(rows * hp);
        let (dc, rest) = rest.split_at_mut(rows * hp);
        let (dseen, rest) = rest.split_at_mut(rows * hp);
        let (h_prev, rest) = rest.split_at_mut(rows * hp);
        let (c_prev, padded_peephole) = rest.split_at_mut(rows * hp);
        let peephole = peephole.map(|from| {
            for (to, from) in padded_peephole.chunks_exact_mut(hp).zip(from.chunks_exact(hidden)) {
                to[..hidden].copy_from_slice(from);
            }
            &*padded_peephole
        });
        for (r, &row) in task.rows.iter().enumerate() {
            let at = (task.direction * batch + row) * hidden;
            if let Some(dh_n) = call.upstream.h_n {
                dh[r * hp..][..hidden].copy_from_slice(&dh_n[at..][..hidden]);
            }
            if let Some(dc_n) = call.upstream.c_n {
                dc[r * hp..][..hidden].copy_from_slice(&dc_n[at..][..hidden]);
            }
        }
        let limit = match form.gated {
            // The gradient of the state that such a gate sees would be one more thing to meet for.
            Some(_) => 1,
            None => team::members(threads, task, form.gates() * hp * hidden, hp / panel_width()),
        };
        let walk = Walk {
            kernel,
            call,
            weights,
            peephole,
            task,
            team: Team::default(),
            limit,
            dh: Shared(dh.as_mut_ptr()),
            dc: Shared(dc.as_mut_ptr()),
            dseen: Shared(dseen.as_mut_ptr()),
            h_prev: Shared(h_prev.as_mut_ptr()),
            c_prev: Shared(c_prev.as_mut_ptr()),
        };
        for r in (0..rows).filter(|&r| task.lengths[r] == 0) {
            // SAFETY: as above.
            unsafe { walk.finish(r, 0..hidden) };
        }
        walk
    }

    /// Hands out what has reached units `units` of row `r`'s initial state.
    ///
    /// # Safety
    /// As said in [`Walk`]; nobody writes these units meanwhile.
    unsafe fn finish(&self, r: usize, units: Range<usize>) {
        let Dims { batch, hidden, .. } = self.call.dims;
        let at = (self.task.direction * batch + self.task.rows[r]) * hidden + units.start;
        let from = r * padded(hidden) + units.start;
        // SAFETY: `h0` and `c0` have `[D, B, H]`, and this task alone writes its rows and direction.
        unsafe {
            if let Some(h0) = self.call.h0 {
                std::ptr::copy_nonoverlapping(self.dh.at(from), h0.at(at), units.len());
            }
            if let Some(c0) = self.call.c0 {
                std::ptr::copy_nonoverlapping(self.dc.at(from), c0.at(at), units.len());
            }
        }
    }
}

impl<C: CellKernel> Work for Walk<'_, C> {
    type Buffers = Buffers;

    fn limit(&self) -> usize {
        self.limit
    }

    fn steps(&self) -> usize {
        self.task.longest()
    }

    fn block(&self, _: usize, growing: bool) -> usize {
        // Short blocks while somebody may still come; long ones end too, so that a leader can go on alone.
        match (growing, self.limit) {
            (true, _) => SHORT_BLOCK,
            (false, 1) => self.task.longest(),
            (false, _) => LONG_BLOCK,
        }
    }

    fn team(&self) -> &Team {
        &self.team
    }

    fn work(&self, steps: Range<usize>, member: Member<'_>, buffers: &mut Buffers) {
        arch().dispatch(Block { walk: self, steps, member, buffers });
    }
}

/// What a member keeps from block to block.
#[derive(Default)]
struct Buffers {
    saved: Vec<*const f32>,
    gates: Vec<*mut f32>,
}

/// One member's share of some steps, counted from the end of the longest row.
struct Block<'a, C> {
    walk: &'a Walk<'a, C>,
    steps: Range<usize>,
    member: Member<'a>,
    buffers: &'a mut Buffers,
}

impl<C: CellKernel> WithSimd for Block<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Block { walk, steps, member, buffers } = self;
        let Walk { call, task, .. } = walk;
        let Dims { batch, time, hidden, directions, .. } = call.dims;
        let (form, hp, rows, d) = (walk.kernel.form(), padded(hidden), task.rows.len(), task.direction);
        let (row_len, gradient_len) = (form.row_len(hp), form.gradient_len(hp));
        let share = member.share(hp / panel_width());
        let units = share.start * panel_width()..hidden.min(share.end * panel_width());
        let (own, first_unit) = (units.len(), units.start);
        let token = |s: usize, r: usize| {
            d * call.tokens.count + call.tokens.offsets[task.rows[r]] + Tokens::position(d, task.lengths[r], s)
        };
        let at_step = |row: usize, t: usize| ((row * time + t) * directions + d) * hidden + first_unit;
        let Buffers { saved, gates } = buffers;
        saved.resize(rows, std::ptr::null());
        gates.resize(rows, std::ptr::null_mut());
        for met in steps {
            let s = task.longest() - 1 - met;
            let active = task.active(s, rows);
            for r in 0..active {
                let row = task.rows[r];
                // SAFETY: these units of the task's rows are this member's own.
                let own_of =
                    |state: Shared| unsafe { std::slice::from_raw_parts_mut(state.at(r * hp + first_unit), own) };
                if let Some(dy) = call.upstream.y {
                    let dy = &dy[at_step(row, Tokens::position(d, task.lengths[r], s))..][..own];
                    own_of(walk.dh).iter_mut().zip(dy).for_each(|(dh, dy)| *dh += dy);
                }
                saved[r] = call.saved[token(s, r) * row_len..][..row_len].as_ptr();
                gates[r] = call.gates.at(token(s, r) * gradient_len);
                let initial = (d * batch + row) * hidden + first_unit;
                if form.reads_hidden {
                    own_of(walk.h_prev).copy_from_slice_or_zero(if s > 0 {
                        let t = Tokens::position(d, task.lengths[r], s - 1);
                        Some(&call.y[at_step(row, t)..][..own])
                    } else {
                        call.inputs.h0.map(|h0| &h0[initial..][..own])
                    });
                }
                if let Some(section) = form.cell_state {
                    own_of(walk.c_prev).copy_from_slice_or_zero(if s > 0 {
                        Some(&call.saved[token(s - 1, r) * row_len + section * hp + first_unit..][..own])
                    } else {
                        call.inputs.c0.map(|c0| &c0[initial..][..own])
                    });
                }
            }
            let step = BackRows {
                weights: walk.weights,
                peephole: walk.peephole,
                rows: active,
                hp,
                units: share.start * panel_width()..share.end * panel_width(),
                saved,
                gates,
                h_prev: walk.h_prev.at(0),
                c_prev: walk.c_prev.at(0),
                dh: walk.dh.at(0),
                dc: walk.dc.at(0),
                dseen: walk.dseen.at(0),
            };
            // SAFETY: the pointers of `step` have `active` rows of `hp`, or of the gates' lengths.
            unsafe {
                walk.kernel.step_back(simd, &step);
                if !member.meet(met + 1) {
                    return;
                }
                walk.kernel.state_back(simd, &step);
            }
            if s == 0 {
                // SAFETY: as above.
                (0..active).for_each(|r| unsafe { walk.finish(r, units.clone()) });
            }
        }
    }
}

struct InputGradient<'a> {
    call: &'a Call<'a>,
    packed: &'a [PackedBackward],
    gates: &'a [f32],
    x: Shared,
    rows: Range<usize>,
    /// Which of how many parts of each row's steps.
    part: usize,
    parts: usize,
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    /// `dx = Σ_d dgates_d W_d`, directions in their order, a block of steps at a time.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dims { time, input, directions, hidden, .. } = self.call.dims;
        let tokens = self.call.tokens;
        let width = panel_width();
        let gradient_len = self.call.form.gradient_len(padded(hidden));
        let padded_input = input.next_multiple_of(width);
        let mut block = Aligned::zeroed(BLOCK_ROWS * padded_input);
        let out = block.as_mut_slice().as_mut_ptr();
        for row in self.rows {
            let length = tokens.lengths[row];
            if self.part == 0 {
                // SAFETY: `x` is `[B, T, I]` and this task alone has the padded steps of these rows.
                unsafe { self.x.at((row * time + length) * input).write_bytes(0, (time - length) * input) };
            }
            let own = length * self.part / self.parts..length * (self.part + 1) / self.parts;
            for first in own.clone().step_by(BLOCK_ROWS) {
                let steps = BLOCK_ROWS.min(own.end - first);
                for d in 0..directions {
                    let start = if d == 0 { Start::ZEROS } else { Start::Output };
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
