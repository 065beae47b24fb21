//! The forward engine: any cell over time, for ragged rows, on any number of threads.
//!
//! A task is some rows of one direction. It goes through time in blocks: first the input product of the whole
//! block (its weights stay in cache over the block's rows), then step by step, unit block by unit block, the
//! recurrent product on top of it and the cell's own arithmetic while the gates are still in the first cache.

use super::cells::with_kernel;
use super::plan::{Task, Tokens, tasks};
use super::team::{self, Member, Team, Work, run_teams};
use super::{Cell, Dims, Inputs, Outputs, Packed, Workspace, check};
use crate::KernelError;
use crate::cell::forward::StepRows;
use crate::cell::packed::{PackedDirection, padded, panel_width};
use crate::cell::{CellKernel, Form};
use crate::check::slice;
use crate::simd::tile::{Start, panel_product};
use crate::simd::{Aligned, Shared, arch};
use crate::written::{Slot, Unwritten, slots};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// About how many rows the input product takes at once, so that its weights are read from memory seldom.
const BLOCK_ROWS: usize = 96;
/// How many steps a task begins with while helpers may still come.
const FIRST_BLOCK: usize = 6;

/// How many values a training [`forward`] saves for [`super::backward`].
///
/// # Errors
/// [`KernelError`] when a size is one that no layer has.
pub fn saved_len(cell: Cell, dims: &Dims, lengths: Option<&[usize]>) -> Result<usize, KernelError> {
    check::dims(dims, lengths)?;
    Ok(saved_values(cell, dims, lengths))
}

/// [`saved_len`] of sizes that have been checked.
pub(super) fn saved_values(cell: Cell, dims: &Dims, lengths: Option<&[usize]>) -> usize {
    dims.directions * Tokens::new(dims, lengths).count * cell.form().row_len(padded(dims.hidden))
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
    // SAFETY: the engine writes values alone.
    let (outputs, saved) = unsafe { (outputs.slots(), saved.map(|saved| slots(saved))) };
    run(cell, dims, packed, inputs, outputs, saved, None, workspace, threads)
}

/// [`forward`], which may also write the cell states between the segments of time: `[D, segments - 1, B, H]`, not
/// touched where a row has ended before.
#[allow(clippy::too_many_arguments, reason = "as `forward`")]
fn run(
    cell: Cell,
    dims: &Dims,
    packed: &Packed,
    inputs: &Inputs<'_>,
    outputs: Outputs<'_, Slot>,
    saved: Option<&mut [Slot]>,
    between: Option<(usize, &mut [f32])>,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(), KernelError> {
    check::dims(dims, inputs.lengths)?;
    packed.check(cell, dims)?;
    check::inputs(cell, dims, inputs)?;
    check::outputs(cell, dims, &outputs)?;
    if let Some((segment, between)) = &between {
        slice("between", between, &[between_len(cell, dims, *segment)], "[D, segments - 1, B, H]")?;
    }
    if let Some(saved) = &saved {
        slice("saved", saved, &[saved_values(cell, dims, inputs.lengths)], "[saved_len]")?;
    }
    let tokens = Tokens::new(dims, inputs.lengths);
    let call = Call {
        form: cell.form(),
        dims: *dims,
        inputs: *inputs,
        tokens: &tokens,
        y: Shared(outputs.y.as_mut_ptr().cast()),
        h_n: Shared(outputs.h_n.as_mut_ptr().cast()),
        c_n: Shared(outputs.c_n.map_or(std::ptr::null_mut(), |c_n| c_n.as_mut_ptr().cast())),
        saved: saved.map(|saved| Shared(saved.as_mut_ptr().cast())),
        between: between.filter(|_| cell.has_cell_state()).map(|(segment, to)| (segment, Shared(to.as_mut_ptr()))),
    };
    // SAFETY: every slice has been checked against its shape.
    with_kernel!(cell, kernel => unsafe { walk(kernel, &call, &packed.directions, workspace, threads) });
    Ok(())
}

/// Every task of a call, by its cell's own arithmetic.
///
/// # Safety
/// Every slice of the call must have the length of its shape.
unsafe fn walk<C: CellKernel>(
    kernel: C,
    call: &Call<'_>,
    weights: &[PackedDirection],
    workspace: &mut Workspace,
    threads: usize,
) {
    let tasks = tasks(&call.dims, call.tokens, threads);
    let walks = tasks.iter().zip(workspace.tasks(tasks.len())).map(|(task, scratch)| {
        // SAFETY: every slice has the length of its shape, and tasks have rows of their own.
        unsafe { Walk::new(kernel, call, &weights[task.direction], task, scratch, threads / tasks.len().max(1)) }
    });
    run_teams(walks.collect());
}

/// What a forward pass leaves for a backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saving {
    /// Nothing: there will be none.
    Nothing,
    /// All gates, [`saved_len`] values, for [`super::backward_owned`].
    Gates,
    /// The cell states between segments of so many steps (an LSTM's; the others need nothing), for
    /// [`super::backward_recomputing`].
    Checkpoints {
        /// At least 1.
        segment: usize,
    },
}

/// How many values lie between the segments of time.
pub(super) fn between_len(cell: Cell, dims: &Dims, segment: usize) -> usize {
    let segments = dims.time.div_ceil(segment.max(1)).max(1);
    if cell.has_cell_state() { dims.directions * (segments - 1) * dims.batch * dims.hidden } else { 0 }
}

/// [`forward`] into memory of its own, which is not filled with zeros before: `y`, `h_n` and `c_n` of [`Outputs`] one
/// after another, and what `saving` asks for.
///
/// # Errors
/// As [`forward`].
pub fn forward_owned(
    cell: Cell,
    dims: &Dims,
    packed: &Packed,
    inputs: &Inputs<'_>,
    saving: Saving,
    workspace: &mut Workspace,
    threads: usize,
) -> Result<(Vec<f32>, Vec<f32>), KernelError> {
    check::dims(dims, inputs.lengths)?;
    check::inputs(cell, dims, inputs)?;
    let states = dims.directions * dims.batch * dims.hidden;
    let cells = if cell.has_cell_state() { states } else { 0 };
    let y = states * dims.time;
    let mut made = Unwritten::new(y + states + cells);
    let mut saved = (saving == Saving::Gates).then(|| Unwritten::new(saved_values(cell, dims, inputs.lengths)));
    let mut between = match saving {
        Saving::Checkpoints { segment: 0 } => {
            return Err(KernelError::TooSmall { name: "segment", least: 1, found: 0 });
        }
        Saving::Checkpoints { segment } => Some((segment, vec![0.0; between_len(cell, dims, segment)])),
        _ => None,
    };
    let (y, rest) = made.slots().split_at_mut(y);
    let (h_n, c_n) = rest.split_at_mut(states);
    let outputs = Outputs { y, h_n, c_n: cell.has_cell_state().then_some(c_n) };
    let to = saved.as_mut().map(Unwritten::slots);
    let states = between.as_mut().map(|(segment, states)| (*segment, &mut states[..]));
    run(cell, dims, packed, inputs, outputs, to, states, workspace, threads)?;
    // SAFETY: the engine reads no output that it has not written; where it gives no error it has written all of them.
    unsafe {
        let kept = saved.map(|saved| saved.written()).or(between.map(|(_, states)| states));
        Ok((made.written(), kept.unwrap_or_default()))
    }
}

/// What every task of one call shares. Slices are checked: each has the length of its shape.
struct Call<'a> {
    form: &'static Form,
    dims: Dims,
    inputs: Inputs<'a>,
    tokens: &'a Tokens,
    y: Shared,
    h_n: Shared,
    c_n: Shared,
    saved: Option<Shared>,
    /// The length of a segment, and where the cell states between them go.
    between: Option<(usize, Shared)>,
}

impl Call<'_> {
    /// Where row `row` of a final state of direction `d` starts.
    fn state(&self, d: usize, row: usize) -> usize {
        (d * self.dims.batch + row) * self.dims.hidden
    }

    /// Where the output of direction `d` at step `t` of row `row` starts.
    #[inline(always)]
    fn y_at(&self, d: usize, row: usize, t: usize) -> *mut f32 {
        let Dims { time, hidden, directions, .. } = self.dims;
        self.y.at(((row * time + t) * directions + d) * hidden)
    }
}

/// One task on its way through time, for all members of its team.
///
/// Every slice and pointer of `call` has the length of its shape, and no other task has the same direction and row.
struct Walk<'a, C> {
    kernel: C,
    call: &'a Call<'a>,
    weights: &'a PackedDirection,
    task: &'a Task,
    team: Team,
    /// The most members.
    limit: usize,
    /// How many steps a block has.
    block: usize,
    /// Two hidden states, `[2, rows, hp]`: step `s` reads the one at `s % 2` and writes the other.
    h: Shared,
    /// `[rows, hp]`.
    c: Shared,
    /// `r ∘ h_prev`, `[rows, hp]`.
    seen: Shared,
    /// The gates of a block when nothing is saved.
    local_gates: Shared,
}

impl<'a, C: CellKernel> Walk<'a, C> {
    /// The initial states, and everything that stands outside a row's real steps.
    ///
    /// # Safety
    /// As said in [`Walk`].
    unsafe fn new(
        kernel: C,
        call: &'a Call<'a>,
        weights: &'a PackedDirection,
        task: &'a Task,
        scratch: &'a mut Aligned,
        threads: usize,
    ) -> Self {
        let (form, hidden, hp, rows) = (call.form, call.dims.hidden, padded(call.dims.hidden), task.rows.len());
        let longest = task.longest();
        let block = (BLOCK_ROWS / rows.max(1)).clamp(1, longest.max(1));
        let gates_len = if call.saved.is_some() { 0 } else { block * rows * form.row_len(hp) };
        let scratch = scratch.scratch(4 * rows * hp + gates_len);
        let (h, rest) = scratch.split_at_mut(2 * rows * hp);
        let (c, rest) = rest.split_at_mut(rows * hp);
        let (seen, local_gates) = rest.split_at_mut(rows * hp);
        h.fill(0.0);
        c.fill(0.0);
        for (r, &row) in task.rows.iter().enumerate() {
            let at = call.state(task.direction, row);
            if let Some(h0) = call.inputs.h0 {
                h[r * hp..][..hidden].copy_from_slice(&h0[at..][..hidden]);
            }
            if let Some(c0) = call.inputs.c0 {
                c[r * hp..][..hidden].copy_from_slice(&c0[at..][..hidden]);
            }
            for t in task.lengths[r]..call.dims.time {
                // SAFETY: the place is inside `y`, and this task alone writes its rows and direction.
                unsafe { call.y_at(task.direction, row, t).write_bytes(0, hidden) };
            }
        }
        let limit = match form.gated {
            // The state that such a gate sees would be one more thing to meet for.
            Some(_) => 1,
            None => team::members(threads, task, form.gates() * hp * hidden, hp / panel_width()),
        };
        let walk = Walk {
            kernel,
            call,
            weights,
            task,
            team: Team::default(),
            limit,
            block,
            h: Shared(h.as_mut_ptr()),
            c: Shared(c.as_mut_ptr()),
            seen: Shared(seen.as_mut_ptr()),
            local_gates: Shared(local_gates.as_mut_ptr()),
        };
        for r in (0..rows).filter(|&r| task.lengths[r] == 0) {
            // SAFETY: as above.
            unsafe { walk.finish(r, 0, 0..hidden) };
        }
        walk
    }

    /// Hands out units `units` of row `r`'s state before step `s`.
    ///
    /// # Safety
    /// As said in [`Walk`]; nobody writes these units meanwhile.
    unsafe fn finish(&self, r: usize, s: usize, units: Range<usize>) {
        let (rows, hp) = (self.task.rows.len(), padded(self.call.dims.hidden));
        let at = self.call.state(self.task.direction, self.task.rows[r]) + units.start;
        let from = r * hp + units.start;
        // SAFETY: the offsets stay inside the checked shapes, and this task alone writes its rows and direction.
        unsafe {
            let h = self.h.at((s % 2) * rows * hp + from);
            std::ptr::copy_nonoverlapping(h, self.call.h_n.at(at), units.len());
            if self.call.form.cell_state.is_some() {
                std::ptr::copy_nonoverlapping(self.c.at(from), self.call.c_n.at(at), units.len());
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

    fn block(&self, first: usize, growing: bool) -> usize {
        // Short blocks while somebody may still come.
        if growing { self.block.min(first.max(FIRST_BLOCK)) } else { self.block }
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
    /// The block's inputs, row after row: where they stand, rows far apart share the lines of the first cache.
    x: Vec<f32>,
    /// Where the product of each goes.
    products: Vec<*mut f32>,
    gates: Vec<*mut f32>,
}

/// One member's share of one block of steps.
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
        let Walk { call, weights, task, .. } = walk;
        let Dims { time, input, hidden, .. } = call.dims;
        let (hp, width, rows) = (padded(hidden), panel_width(), task.rows.len());
        let (d, row_len, blocks) = (task.direction, call.form.row_len(hp), hp / width);
        let share = member.share(blocks);
        let units = share.start * width..hidden.min(share.end * width);
        let mut active = rows;
        // Where the gates of step `s` of row `r` stand.
        let gates_at = |s: usize, r: usize| match call.saved {
            Some(saved) => {
                let t = Tokens::position(d, task.lengths[r], s);
                saved.at((d * call.tokens.count + call.tokens.offsets[task.rows[r]] + t) * row_len)
            }
            None => walk.local_gates.at(((s - steps.start) * rows + r) * row_len),
        };
        let Buffers { x, products, gates } = buffers;
        products.clear();
        x.clear();
        // Once for all blocks, also where the first ones are short.
        products.reserve(walk.block * rows);
        x.reserve(walk.block * rows * input);
        for s in steps.clone() {
            for r in 0..task.active(s, active) {
                let t = Tokens::position(d, task.lengths[r], s);
                x.extend_from_slice(&call.inputs.x[(task.rows[r] * time + t) * input..][..input]);
                products.push(gates_at(s, r));
            }
        }
        for gate in 0..weights.input.count() / blocks {
            for panel in share.clone().map(|block| gate * blocks + block) {
                let column = panel * width;
                // SAFETY: `x` has `input` values, a gates row has every panel's columns, the bias as many.
                unsafe {
                    panel_product(
                        simd,
                        input,
                        weights.input.panel(panel),
                        products.len(),
                        Start::Row(weights.bias.as_slice().as_ptr().add(column)),
                        |i| x.as_ptr().wrapping_add(i * input),
                        |i| products[i].wrapping_add(column),
                    );
                }
            }
        }
        gates.resize(rows, std::ptr::null_mut());
        for s in steps.clone() {
            active = task.active(s, active);
            for (r, gates) in gates[..active].iter_mut().enumerate() {
                *gates = gates_at(s, r);
            }
            let step = StepRows {
                weights,
                rows: active,
                hp,
                blocks: share.clone(),
                gates,
                h_prev: walk.h.at((s % 2) * rows * hp),
                h_next: walk.h.at(((s + 1) % 2) * rows * hp),
                c: walk.c.at(0),
                seen: walk.seen.at(0),
            };
            // SAFETY: the pointers of `step` have `active` rows of `hp`, or of `row_len` for the gates.
            unsafe { walk.kernel.step(simd, &step) };
            for r in 0..active {
                let t = Tokens::position(d, task.lengths[r], s);
                // SAFETY: the place is inside `y`, and this member alone writes these units of the task's rows.
                unsafe {
                    let from = step.h_next.wrapping_add(r * hp + units.start);
                    let to = call.y_at(d, task.rows[r], t).wrapping_add(units.start);
                    std::ptr::copy_nonoverlapping(from, to, units.len());
                    if task.lengths[r] == s + 1 {
                        walk.finish(r, s + 1, units.clone());
                    }
                }
            }
            if let Some((segment, between)) = call.between
                && (s + 1).is_multiple_of(segment)
                && s + 1 < time
            {
                let place = d * (time.div_ceil(segment) - 1) + (s + 1) / segment - 1;
                for r in 0..active {
                    let to = between.at((place * call.dims.batch + task.rows[r]) * hidden + units.start);
                    // SAFETY: the place is one of a segment's end, and this member alone writes these units of its rows.
                    unsafe { std::ptr::copy_nonoverlapping(walk.c.at(r * hp + units.start), to, units.len()) };
                }
            }
            if !member.meet(s + 1) {
                return;
            }
        }
    }
}
