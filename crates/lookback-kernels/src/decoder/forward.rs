//! The forward pass: a task takes its rows through all their steps.
//!
//! The product of `x` comes first, over all steps of the task's rows; then step by step the product of what is fed back, the
//! cells, the attention of each row over its own memory, and the combination of context and state.

use super::attend::{Attention, Memory, Scratch};
use super::packed::{At, Begin, Forward, cell_step, product};
use super::plan::{Places, Plan, Writing};
use super::{DecoderDims, DecoderInputs, DecoderKind, DecoderParameters, DecoderTrace};
use crate::attention::stride_of;
use crate::cell::forward::StepRows;
use crate::recurrence::plan::Task;
use crate::simd::math::tanh_vector;
use crate::simd::{Aligned, Shared, arch, load, store};
use crate::threads;
use crate::written::{Unwritten, filled};
use pulp::{Simd, WithSimd};

/// How many steps the input's product takes at once, so that its weights are read from memory seldom.
const BLOCK: usize = 96;

/// The whole pass; every size has been checked.
pub(super) fn run(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_>,
    inputs: &DecoderInputs<'_>,
    threads: usize,
) -> (Vec<f32>, DecoderTrace) {
    let plan = Plan::new(kind, dims, inputs);
    let packed = Forward::new(kind, dims, parameters);
    let parts = kind.parts(dims);
    let mut output = Unwritten::new(parts.c_n.end);
    let slots = output.slots();
    // A task writes the real steps and all final states of its rows.
    if plan.tokens.count < dims.batch * dims.time {
        filled(&mut slots[..parts.h_n.start], 0.0);
    }
    let output_at = Shared(slots.as_mut_ptr().cast());
    let mut writing = Writing::new(&plan, parameters.score, parameters.coverage.is_some());
    let call = Call {
        plan: &plan,
        packed: &packed,
        attention: Attention::new(&plan, parameters.score, parameters.coverage),
        inputs: *inputs,
        places: writing.places(),
        y: Shared(output_at.at(parts.y.start)),
        context: Shared(output_at.at(parts.context.start)),
        weights: kind.weights.then(|| Shared(output_at.at(parts.weights.start))),
        h_n: Shared(output_at.at(parts.h_n.start)),
        c_n: Shared(output_at.at(parts.c_n.start)),
    };
    let tasks = plan.tasks(threads);
    threads::run(tasks.iter().collect(), |task: &Task| {
        arch().dispatch(Walk { call: &call, task });
    });
    drop(call);
    // SAFETY: the tasks have all rows between them, and each has written all of its rows.
    unsafe { (output.written(), writing.written(&plan, inputs)) }
}

/// What every task of one call shares. Slices are checked: each has the length of its shape.
struct Call<'a> {
    plan: &'a Plan,
    packed: &'a Forward,
    attention: Attention<'a>,
    inputs: DecoderInputs<'a>,
    places: Places,
    y: Shared,
    context: Shared,
    /// Where they are asked for.
    weights: Option<Shared>,
    h_n: Shared,
    c_n: Shared,
}

/// Keys and values of a row, and where what is made of them stands.
///
/// exponentials and bounds: of all real keys.
#[inline(always)]
pub(super) fn memory_of(
    plan: &Plan,
    inputs: &DecoderInputs<'_>,
    (exponentials, bounds): (*mut f32, *mut f32),
    row: usize,
) -> Memory {
    let DecoderDims { keys, width, memory, .. } = plan.dims;
    let first = plan.key_offsets[row];
    Memory {
        count: plan.key_lengths[row],
        keys: inputs.keys.as_ptr().wrapping_add(row * keys * width),
        values: inputs.values.as_ptr().wrapping_add(row * keys * memory),
        exponentials: exponentials.wrapping_add(first * stride_of(width)),
        bounds: bounds.wrapping_add(first),
    }
}

struct Walk<'a> {
    call: &'a Call<'a>,
    task: &'a Task,
}

/// What a task computes in.
struct Buffers {
    /// `[L]`: two hidden states, `[2, rows, hp]`; step `s` reads the one at `s % 2` and writes the other.
    h: Vec<*mut f32>,
    /// `[L]`: `[rows, hp]`.
    c: Vec<*mut f32>,
    /// `[rows, hp]`.
    seen: *mut f32,
    /// `[rows, Ap]`: queries; `[rows, hp]`: `h̃`.
    wide: *mut f32,
    attend: Scratch,
    /// `[rows]`: where the step at hand stands among the real steps.
    tokens: Vec<usize>,
    /// `[rows]`.
    gates: Vec<*mut f32>,
    memory: Vec<Memory>,
}

impl WithSimd for Walk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Walk { call, task } = self;
        let mut scratch = Aligned::default();
        let mut buffers = self.buffers(&mut scratch);
        for (r, memory) in buffers.memory.iter().enumerate() {
            // SAFETY: the row's keys are this task's alone.
            unsafe { call.attention.prepare(simd, memory) };
            if task.lengths[r] == 0 {
                self.finish(&buffers, r, 0);
            }
        }
        // SAFETY: every slice of the call has the length of its shape, no other task has the same rows, and every buffer
        // has room for the task's rows.
        unsafe {
            self.input_product(simd);
            let mut active = task.rows.len();
            for s in 0..task.longest() {
                active = task.active(s, active);
                self.step(simd, s, active, &mut buffers);
            }
        }
    }
}

impl Walk<'_> {
    /// Scratch of the task, with the states before the first step.
    fn buffers(&self, scratch: &mut Aligned) -> Buffers {
        let Walk { call, task } = self;
        let (plan, inputs) = (call.plan, &call.inputs);
        let DecoderDims { batch, hidden, layers, keys, width, .. } = plan.dims;
        let (hp, rows, stride) = (plan.hp, task.rows.len(), stride_of(width));
        let states = rows * hp;
        let wide = rows * stride.max(hp);
        *scratch = Aligned::zeroed(layers * 3 * states + states + wide + keys.next_multiple_of(16) + stride);
        let mut at = scratch.as_mut_slice().as_mut_ptr();
        let mut take = |len: usize| {
            let part = at;
            at = at.wrapping_add(len);
            part
        };
        let h: Vec<_> = (0..layers).map(|_| take(2 * states)).collect();
        let c: Vec<_> = (0..layers).map(|_| take(states)).collect();
        for (layer, (&h, &c)) in h.iter().zip(&c).enumerate() {
            for (r, &row) in task.rows.iter().enumerate() {
                let own = (layer * batch + row) * hidden;
                for (from, to) in [(inputs.h0, h), (inputs.c0, c)] {
                    let Some(from) = from else { continue };
                    // SAFETY: the buffers were made for the task's rows.
                    unsafe { to.add(r * hp).copy_from_nonoverlapping(from[own..][..hidden].as_ptr(), hidden) };
                }
            }
        }
        let prepared = (call.places.exponentials.at(0), call.places.bounds.at(0));
        Buffers {
            h,
            c,
            seen: take(states),
            wide: take(wide),
            attend: Scratch { scores: take(keys.next_multiple_of(16)), query: take(stride) },
            tokens: vec![0; rows],
            gates: vec![std::ptr::null_mut(); rows],
            memory: task.rows.iter().map(|&row| memory_of(plan, inputs, prepared, row)).collect(),
        }
    }

    /// Copies `x`, and begins the gates of all steps of the first layer with its product.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn input_product<S: Simd>(&self, simd: S) {
        let Walk { call, task } = self;
        let plan = call.plan;
        let DecoderDims { time, input, .. } = plan.dims;
        let ([x, _, gates], read) = (call.places.layers[0], input + plan.fed);
        let row_len = plan.kind.cell.form().row_len(plan.hp);
        let mut tokens = Vec::with_capacity(task.lengths.iter().sum());
        for (&row, &length) in task.rows.iter().zip(&task.lengths) {
            for s in 0..length {
                let from = call.inputs.x[(row * time + s) * input..][..input].as_ptr();
                // SAFETY: as the caller promises.
                unsafe { x.at(plan.token(row, s) * read).copy_from_nonoverlapping(from, input) };
                tokens.push(plan.token(row, s));
            }
        }
        let weights = &call.packed.layers[0];
        let bias = Begin::Row(weights.bias.as_slice().as_ptr());
        for block in tokens.chunks(BLOCK) {
            let (from, to) = (At::listed(x.at(0), read, block), At::listed(gates.at(0), row_len, block));
            // SAFETY: as the caller promises; a row of gates has every panel's columns.
            unsafe { product(simd, &weights.input, 0..input, block.len(), bias, from, to) };
        }
    }

    /// One step of the first `active` rows.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn step<S: Simd>(&self, simd: S, s: usize, active: usize, buffers: &mut Buffers) {
        let Walk { call, task } = self;
        let plan = call.plan;
        let DecoderDims { input, hidden, layers, .. } = plan.dims;
        for (token, &row) in buffers.tokens.iter_mut().zip(&task.rows[..active]) {
            *token = plan.token(row, s);
        }
        // SAFETY: as the caller promises.
        unsafe {
            if plan.bahdanau() {
                let before = self.state(buffers, layers - 1, s);
                self.attend(simd, s, active, before, buffers);
            } else if s == 0 && plan.fed > 0 {
                for &row in &task.rows[..active] {
                    let to = call.places.layers[0][0].at(plan.token(row, 0) * (input + hidden) + input);
                    match call.inputs.previous {
                        Some(from) => to.copy_from_nonoverlapping(from[row * hidden..][..hidden].as_ptr(), hidden),
                        None => to.write_bytes(0, hidden),
                    }
                }
            }
            for layer in 0..layers {
                self.layer(simd, s, active, layer, buffers);
            }
            let top = self.state(buffers, layers - 1, s + 1);
            if plan.bahdanau() {
                for r in 0..active {
                    self.y(r, s).copy_from_nonoverlapping(top.add(r * plan.hp), hidden);
                }
            } else {
                self.attend(simd, s, active, top, buffers);
                self.combine(simd, s, active, top, buffers);
            }
        }
        for r in (0..active).filter(|&r| task.lengths[r] == s + 1) {
            self.finish(buffers, r, s + 1);
        }
    }

    /// The state of a layer before step `s`, `[rows, hp]`.
    #[inline(always)]
    fn state(&self, buffers: &Buffers, layer: usize, s: usize) -> *mut f32 {
        buffers.h[layer].wrapping_add(s % 2 * self.task.rows.len() * self.call.plan.hp)
    }

    /// Where `y` of step `s` of row `r` of the task stands.
    #[inline(always)]
    fn y(&self, r: usize, s: usize) -> *mut f32 {
        let DecoderDims { time, hidden, .. } = self.call.plan.dims;
        self.call.y.at((self.task.rows[r] * time + s) * hidden)
    }

    /// One step of one layer.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn layer<S: Simd>(&self, simd: S, s: usize, active: usize, layer: usize, buffers: &mut Buffers) {
        let call = self.call;
        let (plan, weights) = (call.plan, &call.packed.layers[layer]);
        let DecoderDims { input, hidden, .. } = plan.dims;
        let (hp, row_len, read) = (plan.hp, plan.kind.cell.form().row_len(plan.hp), plan.kind.read(&plan.dims, layer));
        let [x, kept, gates] = call.places.layers[layer];
        let before = self.state(buffers, layer, s);
        let below = if layer == 0 { before } else { self.state(buffers, layer - 1, s + 1) };
        let masks = if layer == 0 { None } else { call.inputs.masks };
        // SAFETY: as the caller promises.
        unsafe {
            for r in 0..active {
                let token = buffers.tokens[r];
                kept.at(token * hidden).copy_from_nonoverlapping(before.add(r * hp), hidden);
                if layer > 0 {
                    x.at(token * read).copy_from_nonoverlapping(below.add(r * hp), hidden);
                }
                if let Some(masks) = masks {
                    let mask = &masks[plan.mask_of(layer, self.task.rows[r], s)..][..hidden];
                    scale(x.at(token * read), mask);
                }
                buffers.gates[r] = gates.at(token * row_len);
            }
            let to = At::listed(gates.at(0), row_len, &buffers.tokens);
            if layer > 0 {
                let bias = Begin::Row(weights.bias.as_slice().as_ptr());
                let from = At::listed(x.at(0), read, &buffers.tokens);
                product(simd, &weights.input, 0..hidden, active, bias, from, to);
            } else if plan.fed > 0 {
                let fed = At::listed(x.at(input), read, &buffers.tokens);
                product(simd, &weights.input, input..read, active, Begin::Output, fed, to);
            }
            let step = StepRows {
                weights,
                rows: active,
                hp,
                blocks: 0..hp / crate::cell::packed::panel_width(),
                gates: &buffers.gates,
                h_prev: before,
                h_next: self.state(buffers, layer, s + 1),
                c: buffers.c[layer],
                seen: buffers.seen,
            };
            cell_step(simd, plan.kind.cell, &step);
        }
    }

    /// Attention of every row's query, which is `state [rows, hp]` or made of it.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn attend<S: Simd>(&self, simd: S, s: usize, active: usize, state: *const f32, buffers: &Buffers) {
        let Walk { call, task } = self;
        let (plan, places) = (call.plan, &call.places);
        let DecoderDims { time, input, hidden, keys, width, memory, .. } = plan.dims;
        let stride = stride_of(width);
        // SAFETY: as the caller promises.
        unsafe {
            if let Some(map) = &call.packed.query {
                map.apply(simd, active, At::all(state, plan.hp), At::all(buffers.wide, stride));
            }
            for r in 0..active {
                let (row, token) = (task.rows[r], buffers.tokens[r]);
                let made = match call.packed.query {
                    Some(_) => buffers.wide.add(r * stride).cast_const(),
                    None => state.add(r * plan.hp),
                };
                let query = places.queries.at(token * width);
                query.copy_from_nonoverlapping(made, width);
                let weights = places.weights.at(token * keys);
                let coverage = call.attention.covers().then(|| places.coverage.at(token * keys));
                if let (Some(coverage), 0) = (coverage, s) {
                    coverage.write_bytes(0, keys);
                }
                let context = if plan.bahdanau() {
                    places.layers[0][0].at(token * (input + memory) + input)
                } else {
                    places.both.at(token * (memory + hidden))
                };
                let covered = coverage.map(<*mut f32>::cast_const);
                let to = (weights, keys);
                call.attention.forward(simd, &buffers.memory[r], (query, covered), &buffers.attend, to, context);
                if let Some(given) = &call.weights {
                    given.at((row * time + s) * keys).copy_from_nonoverlapping(weights, keys);
                }
                if let Some(coverage) = coverage
                    && s + 1 < task.lengths[r]
                {
                    // The next step's token is the next.
                    covered_next(coverage, weights, keys);
                }
                if plan.bahdanau() {
                    call.context.at((row * time + s) * memory).copy_from_nonoverlapping(context, memory);
                }
            }
        }
    }

    /// `h̃ = tanh(W_c [c; h] + b_c)`, which the next step may read.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn combine<S: Simd>(&self, simd: S, s: usize, active: usize, top: *const f32, buffers: &Buffers) {
        let Walk { call, task } = self;
        let (plan, places, hp) = (call.plan, &call.places, call.plan.hp);
        let DecoderDims { input, hidden, memory, .. } = plan.dims;
        let Some(map) = &call.packed.combine else { return };
        let stride = memory + hidden;
        // SAFETY: as the caller promises.
        unsafe {
            for r in 0..active {
                places.both.at(buffers.tokens[r] * stride + memory).copy_from_nonoverlapping(top.add(r * hp), hidden);
            }
            let from = At::listed(places.both.at(0), stride, &buffers.tokens);
            map.apply(simd, active, from, At::all(buffers.wide, hp));
            for r in 0..active {
                let made = buffers.wide.add(r * hp);
                for at in (0..hidden).step_by(S::F32_LANES) {
                    store(simd, made.add(at), tanh_vector(simd, load(simd, made.add(at))));
                }
                self.y(r, s).copy_from_nonoverlapping(made, hidden);
                if plan.fed > 0 && s + 1 < task.lengths[r] {
                    let next = plan.token(task.rows[r], s + 1) * (input + hidden) + input;
                    places.layers[0][0].at(next).copy_from_nonoverlapping(made, hidden);
                }
            }
        }
    }

    /// Hands out the states of row `r` before step `s`.
    #[inline(always)]
    fn finish(&self, buffers: &Buffers, r: usize, s: usize) {
        let Walk { call, task } = self;
        let plan = call.plan;
        let DecoderDims { batch, hidden, layers, .. } = plan.dims;
        for layer in 0..layers {
            let (own, from) = ((layer * batch + task.rows[r]) * hidden, r * call.plan.hp);
            // SAFETY: the states have `[L, B, H]`, and this task alone writes its rows.
            unsafe {
                let h = self.state(buffers, layer, s);
                call.h_n.at(own).copy_from_nonoverlapping(h.add(from), hidden);
                if plan.kind.cell.form().cell_state.is_some() {
                    call.c_n.at(own).copy_from_nonoverlapping(buffers.c[layer].add(from), hidden);
                }
            }
        }
    }
}

/// `c_{t+1} = c_t + a_t`, which stands behind `c_t` (See 2017, eq. 10).
///
/// # Safety
/// `coverage` must be valid for twice `keys` values, of which the first are written, and `weights` for `keys`.
#[inline(always)]
unsafe fn covered_next(coverage: *mut f32, weights: *const f32, keys: usize) {
    for k in 0..keys {
        // SAFETY: as the caller promises.
        unsafe { *coverage.add(keys + k) = *coverage.add(k) + *weights.add(k) };
    }
}

/// `to *= mask`, value by value.
///
/// # Safety
/// `to` must be valid for as many values as the mask has, and not overlap it.
#[inline(always)]
pub(super) unsafe fn scale(to: *mut f32, mask: &[f32]) {
    // SAFETY: as the caller promises.
    let to = unsafe { std::slice::from_raw_parts_mut(to, mask.len()) };
    to.iter_mut().zip(mask).for_each(|(to, mask)| *to *= mask);
}
