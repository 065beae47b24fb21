//! Micro-benchmarks of the kernels: `cargo bench -p bench`, or one group with `cargo bench -p bench -- forward`.
//!
//! One thread, so that a figure is the kernel's and not the scheduler's.
#![allow(missing_docs, reason = "divan makes the functions public")]

use bench::{Case, Options, Work};
use clap::Parser as _;
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

const LAYERS: [&str; 3] = ["rnn", "lstm", "gru"];

type Sizes = (usize, usize, usize, usize);

/// `(B, T, I, H)`: a narrow batch, the usual one, a wide layer, one row.
const SHAPES: [Sizes; 4] = [(16, 28, 64, 32), (32, 50, 128, 128), (32, 20, 256, 512), (1, 50, 128, 256)];

fn all() -> Vec<(&'static str, Sizes)> {
    LAYERS.iter().flat_map(|&layer| SHAPES.map(|shape| (layer, shape))).collect()
}

fn work(layer: &str, (b, t, i, h): Sizes, more: &[&str]) -> (Box<dyn Work>, f64) {
    let sizes = [b, t, i, h].map(|size| size.to_string());
    let named = ["--batch", "--time", "--input", "--hidden"].into_iter().zip(&sizes);
    let mut line = vec!["lookback-bench", layer, "--threads", "1"];
    line.extend(named.flat_map(|(name, size)| [name, size]));
    line.extend(more);
    let plan = Options::parse_from(line).plan().expect("the options fit");
    let work = bench::work(&plan, &Case::draw(&plan)).expect("the shape is one that runs");
    (work, plan.flops())
}

/// Divan shows multiply-adds and the like as items a second.
fn repeat(bencher: Bencher<'_, '_>, layer: &str, shape: Sizes, more: &[&str]) {
    let (mut work, flops) = work(layer, shape, more);
    bencher.counter(ItemsCount::new(flops as usize * work.units())).bench_local(|| work.run().expect("it ran before"));
}

#[divan::bench(args = all())]
fn forward(bencher: Bencher<'_, '_>, (layer, shape): (&str, Sizes)) {
    repeat(bencher, layer, shape, &["--mode", "infer"]);
}

#[divan::bench(args = all())]
fn forward_and_backward(bencher: Bencher<'_, '_>, (layer, shape): (&str, Sizes)) {
    repeat(bencher, layer, shape, &[]);
}

#[divan::bench(args = all())]
fn ragged(bencher: Bencher<'_, '_>, (layer, shape): (&str, Sizes)) {
    repeat(bencher, layer, shape, &["--lengths", "uniform:0.25"]);
}

#[divan::bench(args = LAYERS)]
fn stream(bencher: Bencher<'_, '_>, layer: &str) {
    let line = ["lookback-bench", layer, "--mode", "step"];
    let plan = Options::parse_from(line).plan().expect("the options fit");
    let mut work = bench::work(&plan, &Case::draw(&plan)).expect("the shape is one that runs");
    let steps = ItemsCount::new(work.units());
    bencher.counter(steps).bench_local(|| work.run().expect("it ran before"));
}
