//! The network that trains and the one that answers are twins, and cost the same.

use burn::tensor::Device;
use lookback_infer::input::{Batch, BatchInput};
use lookback_infer::tasks::forecast::{Sizes, cost};

use super::train::answering;
use super::*;

fn options(cell: &str, layers: usize, attention: &str, pooling: Option<&str>, loss: &str) -> ForecastOptions {
    let mut options = ForecastOptions::default();
    options.encoder.cell = Some(clap::ValueEnum::from_str(cell, false).unwrap());
    options.encoder.layers = Some(layers);
    options.encoder.hidden = Some(6);
    options.encoder.bidirectional = Some(layers == 2);
    options.encoder.attention = Some(attention.into());
    options.pooling = pooling.map(str::to_owned);
    options.window.horizon = Some(4);
    options.window.loss = Some(clap::ValueEnum::from_str(loss, false).unwrap());
    options
}

/// Numbers that look like any.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 37 + seed * 11) % 23) as f32 / 11.0 - 1.0).collect()
}

#[test]
fn every_network_answers_without_burn_as_with_it_and_costs_the_same() {
    let device = Device::flex();
    let (lengths, channels, targets) = (vec![5, 1, 3], 3, 2);
    let batch = Batch {
        input: BatchInput::Series { values: values(3 * 5 * channels, 1), channels },
        lengths: lengths.clone(),
        time: 5,
    };
    let forms = [
        ("none", Some("last")),
        ("none", Some("query+last")),
        ("scaled-dot", Some("attention")),
        ("structured:2", None),
    ];
    let mut compared = 0;
    for cell in ["lstm", "gru", "rnn"] {
        for (layers, (attention, pooling)) in [1, 2].into_iter().flat_map(|layers| forms.map(|form| (layers, form))) {
            for (loss, ahead) in [
                ("quantile", 2),
                ("mae", 0),
                ("mse", 3),
                ("huber", 0),
                ("gaussian", 2),
                ("student-t", 0),
                ("negative-binomial", 2),
            ] {
                let plan = ForecastPlan::new(&options(cell, layers, attention, pooling, loss)).unwrap().network;
                let sizes = Sizes { channels, ahead, targets };
                device.seed(compared);
                let network = Network::new(&plan, sizes, &device).unwrap();
                lookback_nn::parameters::initialise(&network);
                let twin = answering(&network, &plan, sizes);
                let known = values(3 * 4 * ahead, 2);
                let (numbers, _) = network.forward(&batch, &known, &device).unwrap();
                let expected = numbers.into_data().try_to_vec::<f32>().unwrap();
                let found = twin.forward(&batch, &known, true).numbers;
                let name = format!("{cell}, {layers} layers, {attention}, {pooling:?}, {loss}");
                assert_eq!(found.len(), expected.len(), "{name}");
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 2e-6, "{name}: {found} instead of {expected}");
                }
                let mut truth = Truth {
                    values: values(3 * 4 * targets, 3),
                    base: values(3 * 4 * targets, 4),
                    scales: vec![0.5; 3 * 4 * targets],
                };
                if plan.output.loss.is_of_counts() {
                    truth.values.iter_mut().for_each(|value| *value = (value.abs() * 7.0).round() * 2.0);
                    truth.base.fill(0.0);
                }
                truth.values[5] = f32::NAN;
                let loss = network.loss(&batch, &known, &truth, &device).unwrap();
                let loss = loss.into_data().try_to_vec::<f32>().unwrap()[0];
                let each = found.chunks_exact(plan.output.numbers()).zip(&truth.base).zip(&truth.values);
                let costs = each.filter(|(_, value)| !value.is_nan());
                let costs: Vec<f64> =
                    costs.map(|((numbers, &base), &value)| cost(&plan.output, numbers, (base, 0.5), value)).collect();
                // Where the attention pools, the loss has a penalty beside.
                if attention != "structured:2" {
                    let mean = costs.iter().sum::<f64>() / costs.len() as f64;
                    assert!(
                        (f64::from(loss) - mean).abs() < 1e-5 * mean.abs().max(1.0),
                        "{name}: {loss} instead of {mean}"
                    );
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 168);
}

#[test]
fn networks_that_tell_every_step_are_twins_too() {
    let device = Device::flex();
    let input = BatchInput::Series { values: values(3 * 5 * 2, 1), channels: 2 };
    let batch = Batch { input, lengths: vec![5, 1, 3], time: 5 };
    for (attention, loss) in [("none", "mse"), ("scaled-dot", "quantile"), ("none", "gaussian"), ("none", "student-t")]
    {
        let mut options = options("gru", 2, attention, None, loss);
        options.window.horizon = None;
        options.window.every_step = Some(true);
        options.data.past = vec!["x".parse().unwrap()];
        options.data.target = vec!["y".parse().unwrap()];
        let plan = ForecastPlan::new(&options).unwrap().network;
        let sizes = Sizes { channels: 2, ahead: 0, targets: 2 };
        let network = Network::new(&plan, sizes, &device).unwrap();
        lookback_nn::parameters::initialise(&network);
        let (numbers, _) = network.forward(&batch, &[], &device).unwrap();
        let expected = numbers.into_data().try_to_vec::<f32>().unwrap();
        let found = answering(&network, &plan, sizes).forward(&batch, &[], true).numbers;
        assert_eq!(found.len(), expected.len());
        let per_row = found.len() / 3;
        for (row, length) in [5, 1, 3].into_iter().enumerate() {
            let real = row * per_row..row * per_row + length * per_row / 5;
            for (found, expected) in found[real.clone()].iter().zip(&expected[real]) {
                assert!((found - expected).abs() < 2e-6, "{attention}, {loss}: {found} instead of {expected}");
            }
        }
    }
}

#[test]
fn what_cannot_be_forecast_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut ForecastOptions)| {
        let mut options = ForecastOptions::default();
        change(&mut options);
        ForecastPlan::new(&options).unwrap_err().to_string()
    };
    for (change, words) in [
        (&(|o: &mut ForecastOptions| o.window.horizon = Some(0)) as &dyn Fn(&mut _), "--horizon is 0"),
        (&|o: &mut ForecastOptions| o.window.quantiles = vec![0.1, 0.9], "0.5 among them"),
        (&|o: &mut ForecastOptions| o.window.quantiles = vec![0.5, 0.1], "rising levels"),
        (&|o: &mut ForecastOptions| o.window.calendar = Some("moon".into()), "'moon' is unknown"),
        (&|o: &mut ForecastOptions| o.encoder.layers = Some(0), "--layers is 0"),
        (&|o: &mut ForecastOptions| o.encoder.embedding = Some(3), "--embedding"),
        (&|o: &mut ForecastOptions| o.window.stride = Some(0), "--stride is 0"),
        (&|o: &mut ForecastOptions| o.train.batch_tokens = Some(9), "--batch-tokens"),
        (
            &|o: &mut ForecastOptions| {
                o.window.loss = Some(lookback_infer::tasks::forecast::Loss::Mae);
                o.window.quantiles = vec![0.5];
            },
            "--quantiles is not for --loss mae",
        ),
        (
            &|o: &mut ForecastOptions| {
                o.encoder.attention = Some("structured:2".into());
                o.pooling = Some("last".into());
            },
            "--pooling is not needed",
        ),
    ] {
        let found = refused(change);
        assert!(found.contains(words), "{found}, expected {words}");
    }
}
