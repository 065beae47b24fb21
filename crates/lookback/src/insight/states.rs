//! What the gates and states of recurrent layers did with one input, and how far back a gradient reaches through them.
//!
//! The numbers are those of [`Trace`]: the references' own, in double precision, for one row.

use lookback_infer::error::ModelFileError;
use lookback_infer::model::View;
use lookback_kernels::trace::Trace;
use lookback_kernels::{Cell, Weights};
use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::Serialize;

use crate::network::Reading;
use crate::train::Init;

/// Gates below the first are shut, above the second open.
const SATURATED: [f64; 2] = [0.1, 0.9];
/// A unit whose hidden state stays within this of zero does nothing.
const DEAD: f64 = 0.01;
/// Over how many steps back a gradient is followed at most.
const FURTHEST: usize = 64;
/// Where a gradient counts as vanished, and where as exploding.
const VANISHED: f64 = 0.01;
const EXPLODING: f64 = 100.0;

/// One direction of one layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// Which it is, for people.
    pub name: String,
    /// The cell's name.
    pub cell: String,
    /// Units.
    pub units: usize,
    /// Every gate.
    pub gates: Vec<GateReport>,
    /// Units whose hidden state stays near zero throughout, by number from 1.
    pub dead: Vec<usize>,
    /// After how many steps half of what a unit keeps is gone, by its mean forget gate (of a GRU its update gate); infinite where it
    /// never shuts. Empty for a plain RNN, which has no such gate. `[H]`
    #[serde(serialize_with = "finite")]
    pub half_lives: Vec<f64>,
    /// Steps back, and the largest singular value of the product of the Jacobians of the last so many steps.
    pub growth: Vec<(usize, f64)>,
    /// The recurrent weights, a matrix per gate.
    pub matrices: Vec<MatrixReport>,
    /// In plain words.
    pub verdict: String,
    /// Gates and states over time, a row per unit. Time runs as in the input, whatever the direction.
    #[serde(skip)]
    pub views: Vec<View>,
}

/// What a gate did over all units and steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateReport {
    /// Its name.
    pub name: String,
    /// Its mean.
    pub mean: f64,
    /// The share of its values below 0.1.
    pub shut: f64,
    /// The share above 0.9.
    pub open: f64,
}

/// A recurrent matrix `[H, H]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatrixReport {
    /// The gate that it feeds.
    pub gate: String,
    /// Its largest and smallest singular values.
    pub largest: f64,
    /// See `largest`.
    pub smallest: f64,
    /// The largest absolute value of its eigenvalues.
    pub radius: f64,
}

/// What every layer did with an input.
///
/// # Errors
/// If a weight is missing from the file, or has not the shape of a layer.
pub fn layers(model: &Init, readings: &[Reading]) -> Result<Vec<LayerReport>, ModelFileError> {
    let mut reports = Vec::new();
    for (place, reading) in readings.iter().enumerate() {
        let time = reading.steps.len();
        let mut x: Vec<f64> = reading.x.iter().map(|&x| f64::from(x)).collect();
        for (layer, [before, behind]) in reading.layers.iter().enumerate() {
            let directions = ["", "_reverse"]
                .into_iter()
                .filter(|direction| model.file.tensors.contains_key(&format!("{before}weight_hh{behind}{direction}")));
            let directions: Vec<&str> = directions.collect();
            let traces = directions.iter().map(|direction| {
                let is_reverse = !direction.is_empty();
                let own = Layer { model, before, behind: &format!("{behind}{direction}") };
                own.trace(reading.cell.kernel(), &in_order(&x, time, is_reverse), time)
            });
            let traces = traces.collect::<Result<Vec<(Trace, Vec<f64>)>, _>>()?;
            let named = |at: usize| {
                let network = if readings.len() > 1 { format!("network {}, ", place + 1) } else { String::new() };
                let direction = match (directions.len(), at) {
                    (1, _) => "",
                    (_, 0) => ", forward",
                    _ => ", backward",
                };
                format!("{network}layer {}{direction}", layer + 1)
            };
            let found: Vec<LayerReport> = traces
                .par_iter()
                .enumerate()
                .map(|(at, (trace, weight_hh))| report(named(at), reading, (trace, weight_hh), at == 1))
                .collect();
            reports.extend(found);
            // What the next layer reads: both directions side by side.
            let hidden: Vec<(Vec<f64>, usize)> = traces
                .iter()
                .enumerate()
                .map(|(at, (trace, _))| {
                    let hidden = trace.hidden();
                    let width = hidden.len() / time.max(1);
                    (in_order(&hidden, time, at == 1), width)
                })
                .collect();
            x = (0..time)
                .flat_map(|step| hidden.iter().flat_map(move |(values, width)| &values[step * width..][..*width]))
                .copied()
                .collect();
        }
    }
    Ok(reports)
}

/// Steps `[T, W]`, from the last to the first where a layer reads them so.
fn in_order(x: &[f64], time: usize, is_reverse: bool) -> Vec<f64> {
    match is_reverse {
        false => x.to_vec(),
        true => x.chunks(x.len() / time.max(1)).rev().flatten().copied().collect(),
    }
}

/// Where the weights of one direction of a layer stand.
struct Layer<'a> {
    model: &'a Init,
    before: &'a str,
    behind: &'a str,
}

impl Layer<'_> {
    /// The trace over steps in the order of reading, and the recurrent weights.
    fn trace(&self, cell: Cell, x: &[f64], time: usize) -> Result<(Trace, Vec<f64>), ModelFileError> {
        let wide = |name: &str| -> Result<(Vec<f64>, Vec<usize>), ModelFileError> {
            let name = format!("{}{name}{}", self.before, self.behind);
            let found = self.model.file.tensors.get(&name);
            let tensor = found.ok_or_else(|| self.wrong(&name, "it is missing".into()))?;
            Ok((tensor.data.iter().map(|&value| f64::from(value)).collect(), tensor.shape.clone()))
        };
        let (weight_ih, _) = wide("weight_ih")?;
        let (weight_hh, shape) = wide("weight_hh")?;
        let (bias_ih, bias_hh) = (wide("bias_ih")?.0, wide("bias_hh")?.0);
        let weights = Weights {
            weight_ih: &weight_ih,
            weight_hh: &weight_hh,
            bias_ih: Some(&bias_ih),
            bias_hh: Some(&bias_hh),
            peephole: None,
        };
        let hidden = shape.last().copied().unwrap_or_default();
        let trace = Trace::new(cell, &weights, (x, x.len() / time.max(1)), hidden);
        let trace = trace
            .map_err(|error| self.wrong(&format!("{}weight_hh{}", self.before, self.behind), error.to_string()))?;
        Ok((trace, weight_hh))
    }

    fn wrong(&self, key: &str, problem: String) -> ModelFileError {
        ModelFileError::Entry { file: self.model.path.clone(), key: key.into(), problem }
    }
}

fn report(name: String, reading: &Reading, (trace, weight_hh): (&Trace, &[f64]), is_reverse: bool) -> LayerReport {
    let (cell, time) = (reading.cell.kernel(), trace.len());
    let hidden = trace.hidden();
    let units = hidden.len() / time.max(1);
    let names = cell.gate_names();
    let of_gates: Vec<Vec<f64>> = (0..names.len()).map(|gate| trace.gate(gate)).collect();
    let views = names.iter().map(|gate| format!("{gate} gate")).zip(&of_gates);
    let cell_states = trace.cell_states();
    let states = [("cell state", &cell_states), ("hidden state", &hidden)];
    let states = states.into_iter().filter(|(_, values)| !values.is_empty());
    let views = views.chain(states.map(|(name, values)| (name.to_owned(), values)));
    let views =
        views.map(|(what, values)| view(format!("{name}: {what}"), &reading.steps, values, is_reverse)).collect();
    let gates = names.iter().zip(&of_gates).filter(|(name, _)| is_gate(name)).map(|(name, values)| gate(name, values));
    let keeps = names.iter().position(|name| ["forget", "update"].contains(name));
    let half_lives = keeps.map_or_else(Vec::new, |keeps| half_lives(&of_gates[keeps], units));
    let dead = (0..units).filter(|unit| (0..time).all(|step| hidden[step * units + unit].abs() < DEAD));
    let growth = growth(trace);
    let matrices = weight_hh.chunks_exact((units * units).max(1)).enumerate().map(|(gate, values)| {
        let name = names.get(gate).copied().unwrap_or("hidden");
        matrix(name, values, units)
    });
    LayerReport {
        verdict: verdict(&growth, reading),
        cell: reading.cell.name().to_owned(),
        units,
        gates: gates.collect(),
        dead: dead.map(|unit| unit + 1).collect(),
        half_lives,
        matrices: matrices.collect(),
        growth,
        views,
        name,
    }
}

/// Whether its values lie between 0 and 1; those of a candidate lie between -1 and 1.
fn is_gate(name: &str) -> bool {
    name != "candidate"
}

/// `[T, H]` as a row per unit, in the order of the input.
fn view(name: String, steps: &[String], values: &[f64], is_reverse: bool) -> View {
    let (time, units) = (steps.len(), values.len() / steps.len().max(1));
    let step = |at: usize| if is_reverse { time - 1 - at } else { at };
    let transposed = (0..units).flat_map(|unit| (0..time).map(move |at| values[step(at) * units + unit] as f32));
    View {
        name,
        rows: (1..=units).map(|unit| format!("unit {unit}")).collect(),
        columns: steps.to_vec(),
        values: transposed.collect(),
    }
}

fn gate(name: &str, values: &[f64]) -> GateReport {
    let share = |holds: &dyn Fn(f64) -> bool| {
        values.iter().filter(|&&value| holds(value)).count() as f64 / values.len().max(1) as f64
    };
    GateReport {
        name: name.to_owned(),
        mean: values.iter().sum::<f64>() / values.len().max(1) as f64,
        shut: share(&|value| value < SATURATED[0]),
        open: share(&|value| value > SATURATED[1]),
    }
}

/// From what units keep at each step, `[T, H]`, after how many steps half is gone.
fn half_lives(keeps: &[f64], units: usize) -> Vec<f64> {
    let time = keeps.len() / units.max(1);
    let of_unit = |unit: usize| {
        let logarithm: f64 = (0..time).map(|step| keeps[step * units + unit].ln()).sum::<f64>() / time.max(1) as f64;
        if logarithm < 0.0 { -std::f64::consts::LN_2 / logarithm } else { f64::INFINITY }
    };
    (0..units).map(of_unit).collect()
}

/// Over 1, 2, 4, ... of the last steps, and over all of them where there are not too many.
fn growth(trace: &Trace) -> Vec<(usize, f64)> {
    let most = trace.len().min(FURTHEST);
    let mut spans: Vec<usize> = (0..).map(|power| 1 << power).take_while(|&span| span < most).collect();
    spans.push(most);
    spans.into_iter().filter(|&span| span > 0).map(|span| (span, trace.growth(trace.len() - 1, span))).collect()
}

fn matrix(gate: &str, values: &[f64], size: usize) -> MatrixReport {
    let matrix = DMatrix::from_row_slice(size, size, values);
    let singular = matrix.singular_values();
    let radius = matrix.complex_eigenvalues().iter().map(|value| value.norm()).fold(0.0, f64::max);
    MatrixReport { gate: gate.to_owned(), largest: singular.max(), smallest: singular.min(), radius }
}

/// What the growth says, and what may help.
fn verdict(growth: &[(usize, f64)], reading: &Reading) -> String {
    let Some(&(furthest, last)) = growth.last() else { return "nothing was read".into() };
    let steps = |count: usize| lookback_infer::error::counted(count, "step");
    if let Some((span, value)) = growth.iter().find(|(_, value)| *value > EXPLODING) {
        return format!(
            "exploding: over {} a gradient may grow {value:.0} times; --clip bounds it, and a smaller --learning-rate helps",
            steps(*span)
        );
    }
    if let Some((span, _)) = growth.iter().find(|(_, value)| *value < VANISHED) {
        let help = match reading.cell {
            lookback_infer::network::Cell::Rnn => "an LSTM or GRU keeps more (--cell)",
            lookback_infer::network::Cell::Lstm => {
                "a higher --forget-bias keeps more, and attention goes round the steps"
            }
            lookback_infer::network::Cell::Gru => "attention goes round the steps",
        };
        return format!(
            "vanishing beyond about {}: there less than {VANISHED} of a gradient is left; {help}",
            steps(*span)
        );
    }
    format!("healthy: over {} a gradient is multiplied by at most {last:.3}", steps(furthest))
}

/// JSON has no infinity; there it is null.
fn finite<S: serde::Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| value.is_finite().then_some(*value)))
}

#[cfg(test)]
mod tests {
    use lookback_infer::network::Cell;

    use super::*;

    #[test]
    fn half_lives_and_shares_are_as_by_hand() {
        // One unit forgets half at every step, one keeps all, one a quarter and all in turn.
        let keeps = [0.5, 1.0, 0.25, 0.5, 1.0, 1.0];
        assert_eq!(half_lives(&keeps, 3), [1.0, f64::INFINITY, 1.0]);
        let found = gate("forget", &[0.05, 0.95, 0.5, 0.1]);
        assert_eq!((found.mean, found.shut, found.open), (0.4, 0.25, 0.25));
    }

    #[test]
    fn singular_values_and_radius_of_a_matrix() {
        // A rotation by a right angle, doubled: all singular values and the radius are 2; a shear has no eigenvalue but 1.
        let found = matrix("forget", &[0.0, -2.0, 2.0, 0.0], 2);
        for value in [found.largest, found.smallest, found.radius] {
            assert!((value - 2.0).abs() < 1e-9, "{found:?}");
        }
        let found = matrix("forget", &[1.0, 1.0, 0.0, 1.0], 2);
        let golden = (1.0 + 5f64.sqrt()) / 2.0;
        assert!((found.largest - golden).abs() < 1e-9 && (found.smallest - 1.0 / golden).abs() < 1e-9, "{found:?}");
        assert!((found.radius - 1.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn verdicts_name_how_far_a_gradient_reaches() {
        let reading = |cell| Reading { cell, steps: Vec::new(), x: Vec::new(), layers: Vec::new() };
        let say = |growth: &[(usize, f64)], cell| verdict(growth, &reading(cell));
        let vanishing = say(&[(1, 0.6), (2, 0.3), (4, 0.05), (8, 0.004), (9, 0.001)], Cell::Rnn);
        assert!(vanishing.starts_with("vanishing beyond about 8 steps") && vanishing.contains("--cell"), "{vanishing}");
        let exploding = say(&[(1, 3.0), (2, 9.0), (4, 200.0)], Cell::Lstm);
        assert!(exploding.starts_with("exploding: over 4 steps a gradient may grow 200 times"), "{exploding}");
        assert!(say(&[(1, 1.1), (3, 0.9)], Cell::Gru).starts_with("healthy: over 3 steps"));
    }

    #[test]
    fn a_view_has_a_row_per_unit_in_the_order_of_the_input() {
        let steps = ["a", "b", "c"].map(str::to_owned);
        let found = view("it".into(), &steps, &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0], true);
        assert_eq!((found.row(0), found.row(1)), (&[3.0f32, 2.0, 1.0][..], &[30.0f32, 20.0, 10.0][..]));
    }
}
