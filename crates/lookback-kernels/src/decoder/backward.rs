//! The backward pass: a task takes its rows back through all their steps, with the gates that the forward pass kept.
//!
//! What a step gives that nothing earlier waits for, is only kept: the gradients of `x`, of the values, and of the keys of a
//! product are one product a row in the end, those of the weights one over all real steps (`gradients.rs`).

use super::attend::{Attention, CoverageBack, Memory, Scratch, Upstream};
use super::forward::{memory_of, scale};
use super::gradients;
use super::made::Made;
use super::packed::{At, Backward, Begin, cell_step_back, product};
use super::plan::Plan;
use super::{DecoderDims, DecoderGradients, DecoderInputs, DecoderKind, DecoderParameters, DecoderTrace};
use crate::attention::{Score, stride_of};
use crate::cell::backward::BackRows;
use crate::recurrence::plan::Task;
use crate::simd::product::{Rows, Side, transposed};
use crate::simd::{Aligned, Shared, arch};
use crate::threads;
use crate::written::slots;
use pulp::{Simd, WithSimd};

/// How many steps the gradient of the input takes at once.
const BLOCK: usize = 48;

/// The whole pass; every size has been checked.
#[allow(clippy::too_many_arguments, reason = "as `super::backward`")]
pub(super) fn run(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_>,
    inputs: &DecoderInputs<'_>,
    output: &[f32],
    trace: &DecoderTrace,
    upstream: &[f32],
    threads: usize,
) -> DecoderGradients {
    let plan = Plan::new(kind, dims, inputs);
    let packed = Backward::new(kind, dims, parameters);
    let mut made = Made::new(&plan, parameters.score, parameters.coverage.is_some());
    let call = Call {
        plan: &plan,
        packed: &packed,
        attention: Attention::new(&plan, parameters.score, parameters.coverage),
        additive: matches!(parameters.score, Score::Additive { .. }),
        inputs: *inputs,
        output,
        trace,
        upstream,
        places: made.places(),
    };
    let tasks = plan.tasks(threads);
    threads::run(tasks.iter().collect(), |task: &Task| {
        arch().dispatch(Walk { call: &call, task });
        call.of_values(task);
    });
    drop(call);
    // SAFETY: the tasks have all rows between them, and each has written all of its rows.
    let made = unsafe { made.written() };
    gradients::gather(&plan, parameters, trace, made, threads)
}

/// What every task of one call shares. Slices are checked: each has the length of its shape.
struct Call<'a> {
    plan: &'a Plan,
    packed: &'a Backward,
    attention: Attention<'a>,
    additive: bool,
    inputs: DecoderInputs<'a>,
    output: &'a [f32],
    trace: &'a DecoderTrace,
    upstream: &'a [f32],
    places: Made<Shared>,
}

impl Call<'_> {
    /// The gradients of the values of a task's rows, and of their keys where the score is a product: what every step's
    /// weights, or gradients of scores, met.
    fn of_values(&self, task: &Task) {
        let (plan, places) = (self.plan, &self.places);
        let DecoderDims { keys, width, memory, .. } = plan.dims;
        for (&row, &length) in task.rows.iter().zip(&task.lengths) {
            let (count, token) = (plan.key_lengths[row], plan.token(row, 0));
            let product = |a: &[f32], met: &[f32], columns: usize, to: Shared| {
                // SAFETY: the gradients of this row's keys and values are this task's alone, and nobody reads them yet.
                let to = unsafe { std::slice::from_raw_parts_mut(to.at(row * keys * columns), keys * columns) };
                to[count * columns..].fill(0.0);
                // SAFETY: the product writes values alone.
                let c = unsafe { slots(&mut to[..count * columns]) };
                if count > 0 {
                    transposed([count, length], (a, keys), &mut [Side { b: Rows::Strided(met, columns), columns, c }]);
                }
            };
            // SAFETY: the task has written these steps of its rows.
            let made = |from: Shared, columns: usize| unsafe {
                std::slice::from_raw_parts(from.at(token * columns).cast_const(), length * columns)
            };
            product(
                &self.trace.weights[token * keys..][..length * keys],
                made(places.contexts, memory),
                memory,
                places.values,
            );
            if !self.additive {
                let queries = &self.trace.queries[token * width..][..length * width];
                product(made(places.scores, keys), queries, width, places.keys);
            }
        }
    }
}

struct Walk<'a> {
    call: &'a Call<'a>,
    task: &'a Task,
}

/// What a task computes in. States are `[rows, hp]`.
struct Buffers {
    /// `[L]`.
    dh: Vec<*mut f32>,
    /// `[L]`.
    dc: Vec<*mut f32>,
    dseen: *mut f32,
    h_prev: *mut f32,
    c_prev: *mut f32,
    /// Of what a layer above the first has read, before its mask; nothing without masks.
    dread: *mut f32,
    /// `[rows, fed_stride]`: of what the first layer reads beside `x`.
    dfed: *mut f32,
    fed_stride: usize,
    /// `[rows, hp]`: of what `h̃` is the tanh of.
    da: *mut f32,
    /// `[rows, both_stride]`: of context and state.
    dboth: *mut f32,
    both_stride: usize,
    /// `[rows, stride]`: of the queries.
    dquery: *mut f32,
    attend: Scratch,
    /// `[rows]`: `[count, stride]`.
    dkeys: Vec<*mut f32>,
    /// `[rows]`: `[K]`: what later steps give to the weights of those before, with coverage.
    later: Vec<*mut f32>,
    /// `[rows]`: where the step at hand stands among the real steps.
    tokens: Vec<usize>,
    /// `[rows]`.
    saved: Vec<*const f32>,
    gates: Vec<*mut f32>,
    memory: Vec<Memory>,
}

impl WithSimd for Walk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let task = self.task;
        let mut scratch = Aligned::default();
        let mut buffers = self.buffers(&mut scratch);
        // SAFETY: every slice of the call has the length of its shape, no other task has the same rows, and every buffer
        // has room for the task's rows.
        unsafe {
            for s in (0..task.longest()).rev() {
                let active = task.active(s, task.rows.len());
                self.step(simd, s, active, &mut buffers);
            }
            self.finish(simd, &buffers);
            self.input_gradient(simd);
        }
    }
}

impl Walk<'_> {
    /// Scratch of the task, with what flows into the last states.
    fn buffers(&self, scratch: &mut Aligned) -> Buffers {
        let Walk { call, task } = self;
        let plan = call.plan;
        let DecoderDims { batch, hidden, layers, keys, width, memory, .. } = plan.dims;
        let (hp, rows, stride) = (plan.hp, task.rows.len(), stride_of(width));
        let wide = |size: usize| crate::cell::packed::padded(size);
        let (fed_stride, both_stride) = (wide(plan.fed), if plan.bahdanau() { 0 } else { wide(memory + hidden) });
        let all_keys: usize = task.rows.iter().map(|&row| plan.key_lengths[row]).sum();
        let of_keys = if call.additive { all_keys * stride } else { 0 };
        let (states, scores) = (rows * hp, keys.next_multiple_of(16));
        let later = if call.attention.covers() { scores } else { 0 };
        let masked = if call.inputs.masks.is_some() { states } else { 0 };
        let of_rows = rows * (fed_stride + both_stride + stride + later);
        let len = (2 * layers + 4) * states + masked + of_rows + scores + stride + of_keys;
        *scratch = Aligned::zeroed(len);
        let mut at = scratch.as_mut_slice().as_mut_ptr();
        let mut take = |len: usize| {
            let part = at;
            at = at.wrapping_add(len);
            part
        };
        let dh: Vec<_> = (0..layers).map(|_| take(states)).collect();
        let dc: Vec<_> = (0..layers).map(|_| take(states)).collect();
        let parts = plan.kind.parts(&plan.dims);
        for layer in 0..layers {
            for (r, &row) in task.rows.iter().enumerate() {
                let own = (layer * batch + row) * hidden;
                for (from, to) in
                    [(&call.upstream[parts.h_n.clone()], dh[layer]), (&call.upstream[parts.c_n.clone()], dc[layer])]
                {
                    if from.is_empty() {
                        continue;
                    }
                    // SAFETY: the buffers were made for the task's rows.
                    unsafe { to.add(r * hp).copy_from_nonoverlapping(from[own..][..hidden].as_ptr(), hidden) };
                }
            }
        }
        let prepared = (call.trace.exponentials.as_ptr().cast_mut(), call.trace.bounds.as_ptr().cast_mut());
        Buffers {
            dh,
            dc,
            dseen: take(states),
            h_prev: take(states),
            c_prev: take(states),
            dread: take(masked),
            dfed: take(rows * fed_stride),
            fed_stride,
            da: take(states),
            dboth: take(rows * both_stride),
            both_stride,
            dquery: take(rows * stride),
            attend: Scratch { scores: take(scores), query: take(stride) },
            dkeys: task
                .rows
                .iter()
                .map(|&row| take(if call.additive { plan.key_lengths[row] * stride } else { 0 }))
                .collect(),
            later: (0..rows).map(|_| take(later)).collect(),
            tokens: vec![0; rows],
            saved: vec![std::ptr::null(); rows],
            gates: vec![std::ptr::null_mut(); rows],
            memory: task.rows.iter().map(|&row| memory_of(plan, &call.inputs, prepared, row)).collect(),
        }
    }

    /// One step back of the first `active` rows.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn step<S: Simd>(&self, simd: S, s: usize, active: usize, buffers: &mut Buffers) {
        let Walk { call, task } = self;
        let plan = call.plan;
        let DecoderDims { time, hidden, layers, memory, .. } = plan.dims;
        let (top, hp) = (buffers.dh[layers - 1], plan.hp);
        for (token, &row) in buffers.tokens.iter_mut().zip(&task.rows[..active]) {
            *token = plan.token(row, s);
        }
        // SAFETY: as the caller promises.
        unsafe {
            if plan.bahdanau() {
                for r in 0..active {
                    let upstream = &call.upstream[(task.rows[r] * time + s) * hidden..][..hidden];
                    add(top.add(r * hp), upstream.as_ptr(), hidden);
                }
            } else {
                self.combined(simd, s, active, buffers);
                let (dboth, stride) = (buffers.dboth, buffers.both_stride);
                for r in 0..active {
                    add(top.add(r * hp), dboth.add(r * stride + memory), hidden);
                }
                self.attended(simd, s, active, (dboth, stride), buffers);
            }
            for layer in (0..layers).rev() {
                self.layer(simd, s, active, layer, buffers);
            }
            if plan.bahdanau() {
                let (dfed, stride) = (buffers.dfed, buffers.fed_stride);
                let first = plan.kind.parts(&plan.dims).context.start;
                for r in 0..active {
                    let upstream = &call.upstream[first + (task.rows[r] * time + s) * memory..][..memory];
                    add(dfed.add(r * stride), upstream.as_ptr(), memory);
                }
                self.attended(simd, s, active, (dfed, stride), buffers);
            }
        }
    }

    /// The gradients of context and state, from those of `h̃`.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn combined<S: Simd>(&self, simd: S, s: usize, active: usize, buffers: &Buffers) {
        let Walk { call, task } = self;
        let (plan, hp) = (call.plan, call.plan.hp);
        let DecoderDims { time, hidden, .. } = plan.dims;
        let Some(panels) = &call.packed.combine else { return };
        // SAFETY: as the caller promises.
        unsafe {
            for r in 0..active {
                let at = (task.rows[r] * time + s) * hidden;
                let (y, upstream) = (&call.output[at..][..hidden], &call.upstream[at..][..hidden]);
                let da = std::slice::from_raw_parts_mut(buffers.da.add(r * hp), hidden);
                if plan.fed > 0 {
                    // What the next step has read of it; nothing has where there is none.
                    let fed = std::slice::from_raw_parts(buffers.dfed.add(r * buffers.fed_stride), hidden);
                    for (((da, y), upstream), fed) in da.iter_mut().zip(y).zip(upstream).zip(fed) {
                        *da = (upstream + fed) * (1.0 - y * y);
                    }
                } else {
                    for ((da, y), upstream) in da.iter_mut().zip(y).zip(upstream) {
                        *da = upstream * (1.0 - y * y);
                    }
                }
                let to = call.places.combined.at(buffers.tokens[r] * hidden);
                to.copy_from_nonoverlapping(da.as_ptr(), hidden);
            }
            let (da, dboth, stride) = (buffers.da, buffers.dboth, buffers.both_stride);
            product(simd, panels, 0..hidden, active, Begin::Zeros, At::all(da, hp), At::all(dboth, stride));
        }
    }

    /// The gradients of the query, from those of the context, added to the gradient of the top layer's state.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn attended<S: Simd>(
        &self,
        simd: S,
        s: usize,
        active: usize,
        (dcontext, context_stride): (*const f32, usize),
        buffers: &Buffers,
    ) {
        let Walk { call, task } = self;
        let (plan, places, hp) = (call.plan, &call.places, call.plan.hp);
        let DecoderDims { time, hidden, layers, keys, width, memory, .. } = plan.dims;
        let of_weights = plan.kind.parts(&plan.dims).weights;
        let (stride, top, dquery) = (stride_of(width), buffers.dh[layers - 1], buffers.dquery);
        // SAFETY: as the caller promises.
        unsafe {
            for r in 0..active {
                let (row, token) = (task.rows[r], buffers.tokens[r]);
                let (dcontext, dquery) = (dcontext.add(r * context_stride), dquery.add(r * stride));
                let query = call.trace.queries[token * width..][..width].as_ptr();
                let weights = call.trace.weights[token * keys..][..keys].as_ptr();
                let dv = if call.additive { places.v.at(row * stride) } else { std::ptr::null_mut() };
                if call.additive && s + 1 == task.lengths[r] {
                    dv.write_bytes(0, stride);
                }
                let upstream = Upstream {
                    context: dcontext,
                    weights: plan
                        .kind
                        .weights
                        .then(|| call.upstream[of_weights.clone()][(row * time + s) * keys..][..keys].as_ptr()),
                    coverage: call.attention.covers().then(|| CoverageBack {
                        at: call.trace.coverage[token * keys..][..keys].as_ptr(),
                        later: buffers.later[r],
                        parameter: places.coverage.at(row * stride),
                    }),
                };
                if let (Some(coverage), true) = (upstream.coverage, s + 1 == task.lengths[r]) {
                    coverage.parameter.write_bytes(0, stride);
                }
                let (row, added) = (&buffers.memory[r], (buffers.dkeys[r], dv));
                call.attention.backward(simd, row, query, weights, &upstream, &buffers.attend, dquery, added);
                places.contexts.at(token * memory).copy_from_nonoverlapping(dcontext, memory);
                places.queries.at(token * width).copy_from_nonoverlapping(dquery, width);
                if !call.additive {
                    let to = places.scores.at(token * keys);
                    to.copy_from_nonoverlapping(buffers.attend.scores, row.count);
                    to.add(row.count).write_bytes(0, keys - row.count);
                }
                if call.packed.query.is_none() {
                    add(top.add(r * hp), dquery, hidden);
                }
            }
            if let Some(panels) = &call.packed.query {
                product(simd, panels, 0..width, active, Begin::Output, At::all(dquery, stride), At::all(top, hp));
            }
        }
    }

    /// One step back of one layer: `dh` and `dc` become those of the state before, and what it has read gets its own.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn layer<S: Simd>(&self, simd: S, s: usize, active: usize, layer: usize, buffers: &mut Buffers) {
        let Walk { call, task } = self;
        let (plan, form, hp) = (call.plan, call.plan.kind.cell.form(), call.plan.hp);
        let DecoderDims { batch, hidden, .. } = plan.dims;
        let (row_len, gradient_len) = (form.row_len(hp), form.gradient_len(hp));
        let (trace, weights) = (&call.trace.layers[layer], &call.packed.layers[layer]);
        // SAFETY: as the caller promises.
        unsafe {
            for r in 0..active {
                let (row, token) = (task.rows[r], buffers.tokens[r]);
                buffers.saved[r] = trace.gates[token * row_len..][..row_len].as_ptr();
                buffers.gates[r] = call.places.gates[layer].at(token * gradient_len);
                if form.reads_hidden {
                    let before = trace.before[token * hidden..][..hidden].as_ptr();
                    buffers.h_prev.add(r * hp).copy_from_nonoverlapping(before, hidden);
                }
                let Some(section) = form.cell_state else { continue };
                let to = buffers.c_prev.add(r * hp);
                match call.inputs.c0 {
                    _ if s > 0 => {
                        let before = &trace.gates[(token - 1) * row_len + section * hp..][..hidden];
                        to.copy_from_nonoverlapping(before.as_ptr(), hidden);
                    }
                    Some(c0) => {
                        let before = &c0[(layer * batch + row) * hidden..][..hidden];
                        to.copy_from_nonoverlapping(before.as_ptr(), hidden);
                    }
                    None => to.write_bytes(0, hidden),
                }
            }
            let step = BackRows {
                weights,
                peephole: None,
                rows: active,
                hp,
                units: 0..hp,
                saved: &buffers.saved,
                gates: &buffers.gates,
                h_prev: buffers.h_prev,
                c_prev: buffers.c_prev,
                dh: buffers.dh[layer],
                dc: buffers.dc[layer],
                dseen: buffers.dseen,
            };
            cell_step_back(simd, plan.kind.cell, &step);
            let from = At::listed(call.places.gates[layer].at(0), gradient_len, &buffers.tokens);
            if layer > 0 {
                let (below, panels) = (buffers.dh[layer - 1], &weights.input);
                let Some(masks) = call.inputs.masks else {
                    product(simd, panels, 0..panels.k, active, Begin::Output, from, At::all(below, hp));
                    return;
                };
                product(simd, panels, 0..panels.k, active, Begin::Zeros, from, At::all(buffers.dread, hp));
                for r in 0..active {
                    let read = buffers.dread.add(r * hp);
                    scale(read, &masks[plan.mask_of(layer, task.rows[r], s)..][..hidden]);
                    add(below.add(r * hp), read, hidden);
                }
            } else if plan.fed > 0 {
                let (panels, to, stride) = (&call.packed.fed, buffers.dfed, buffers.fed_stride);
                product(simd, panels, 0..panels.k, active, Begin::Zeros, from, At::all(to, stride));
            }
        }
    }

    /// Hands out what has reached what stood before the first step, and the gradients of the keys of an additive score.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, simd: S, buffers: &Buffers) {
        let Walk { call, task } = self;
        let (plan, places, hp) = (call.plan, &call.places, call.plan.hp);
        let DecoderDims { batch, hidden, layers, keys, width, .. } = plan.dims;
        // SAFETY: as the caller promises.
        unsafe {
            for (r, &row) in task.rows.iter().enumerate() {
                for layer in 0..layers {
                    let own = (layer * batch + row) * hidden;
                    places.h0.at(own).copy_from_nonoverlapping(buffers.dh[layer].add(r * hp), hidden);
                    if plan.kind.cell.form().cell_state.is_some() {
                        places.c0.at(own).copy_from_nonoverlapping(buffers.dc[layer].add(r * hp), hidden);
                    }
                }
                if !plan.bahdanau() && plan.fed > 0 {
                    let dfed = buffers.dfed.add(r * buffers.fed_stride);
                    places.previous.at(row * hidden).copy_from_nonoverlapping(dfed, hidden);
                }
                if call.additive {
                    let (to, count) = (places.keys.at(row * keys * width), plan.key_lengths[row]);
                    to.add(count * width).write_bytes(0, (keys - count) * width);
                    call.attention.keys(simd, count, buffers.dkeys[r], to);
                    if task.lengths[r] == 0 {
                        places.v.at(row * stride_of(width)).write_bytes(0, stride_of(width));
                        if call.attention.covers() {
                            places.coverage.at(row * stride_of(width)).write_bytes(0, stride_of(width));
                        }
                    }
                }
            }
        }
    }

    /// `dx = dgates W`, a block of steps at a time.
    ///
    /// # Safety
    /// As said in `with_simd`.
    #[inline(always)]
    unsafe fn input_gradient<S: Simd>(&self, simd: S) {
        let Walk { call, task } = self;
        let plan = call.plan;
        let DecoderDims { time, input, .. } = plan.dims;
        let (gates, panels) = (call.places.gates[0], &call.packed.layers[0].input);
        let (gradient_len, stride) = (plan.kind.cell.form().gradient_len(plan.hp), crate::cell::packed::padded(input));
        let mut block = Aligned::zeroed(BLOCK * stride);
        let to = block.as_mut_slice().as_mut_ptr();
        // SAFETY: as the caller promises.
        unsafe {
            for (&row, &length) in task.rows.iter().zip(&task.lengths) {
                call.places.x.at((row * time + length) * input).write_bytes(0, (time - length) * input);
                for first in (0..length).step_by(BLOCK) {
                    let steps = BLOCK.min(length - first);
                    let from = gates.at(plan.token(row, first) * gradient_len).cast_const();
                    let from = At::all(from, gradient_len);
                    product(simd, panels, 0..panels.k, steps, Begin::Zeros, from, At::all(to, stride));
                    for i in 0..steps {
                        let dx = call.places.x.at((row * time + first + i) * input);
                        dx.copy_from_nonoverlapping(to.add(i * stride), input);
                    }
                }
            }
        }
    }
}

/// `to += from`.
///
/// # Safety
/// Both must be valid for `count` values, and not overlap.
#[inline(always)]
unsafe fn add(to: *mut f32, from: *const f32, count: usize) {
    // SAFETY: as the caller promises.
    let (to, from) = unsafe { (std::slice::from_raw_parts_mut(to, count), std::slice::from_raw_parts(from, count)) };
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
