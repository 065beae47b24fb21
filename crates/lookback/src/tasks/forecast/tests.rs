//! The network that trains and the one that answers are twins, and cost the same.

use burn::tensor::Device;
use lookback_infer::input::{Batch, BatchInput};
use lookback_infer::tasks::forecast::{Ahead, DecoderForm, Sizes, cost};

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
        ("none", Some("last"), None),
        ("none", Some("query+last"), None),
        ("scaled-dot", Some("attention"), None),
        ("structured:2", None, None),
        ("none", None, Some((DecoderForm::Recurrent, "general", true))),
        ("scaled-dot", None, Some((DecoderForm::Recurrent, "general", false))),
        ("none", None, Some((DecoderForm::Luong, "dot", true))),
        ("multi-head:2", None, Some((DecoderForm::Luong, "additive", false))),
        ("none", None, Some((DecoderForm::Bahdanau, "additive", true))),
        ("none", None, Some((DecoderForm::Bahdanau, "scaled-dot", false))),
        ("scaled-dot", None, Some((DecoderForm::Bahdanau, "general", true))),
    ];
    let mut compared = 0;
    for cell in ["lstm", "gru", "rnn"] {
        for (layers, (attention, pooling, decoder)) in
            [1, 2].into_iter().flat_map(|layers| forms.map(|form| (layers, form)))
        {
            for (loss, ahead) in [
                ("quantile", 2),
                ("mae", 0),
                ("mse", 3),
                ("huber", 0),
                ("gaussian", 2),
                ("student-t", 0),
                ("negative-binomial", 2),
            ] {
                let mut options = options(cell, layers, attention, pooling, loss);
                if let Some((form, score, feedback)) = decoder {
                    (options.decoder, options.feedback) = (Some(form), Some(feedback));
                    let score = clap::ValueEnum::from_str(score, false).unwrap();
                    options.decoder_attention = form.looks_back().then_some(score);
                }
                let plan = ForecastPlan::new(&options).unwrap().network;
                let sizes = Sizes { channels, ahead, targets };
                device.seed(compared);
                let network = Network::new(&plan, sizes, &device).unwrap();
                lookback_nn::parameters::initialise(&network);
                let twin = answering(&network, &plan, sizes);
                let counts = plan.output.loss.is_of_counts();
                let base = if counts { vec![0.0; 3 * 4 * targets] } else { values(3 * 4 * targets, 4) };
                let known = Ahead { known: values(3 * 4 * ahead, 2), base: base.clone(), last: values(3 * targets, 5) };
                let (numbers, _) = network.forward(&batch, &known, &device).unwrap();
                let expected = numbers.into_data().try_to_vec::<f32>().unwrap();
                let output = twin.forward(&batch, &known, true);
                let found = output.numbers;
                let name = format!("{cell}, {layers} layers, {attention}, {pooling:?}, {decoder:?}, {loss}");
                let looks = decoder.is_some_and(|(form, ..)| form.looks_back());
                assert_eq!(output.looked.is_some(), looks, "{name}");
                for (place, weights) in output.looked.iter().flat_map(|looked| looked.values.chunks(5)).enumerate() {
                    let (own, past) = weights.split_at(lengths[place / 4]);
                    assert!(
                        (own.iter().sum::<f32>() - 1.0).abs() < 1e-5 && past.iter().all(|own| *own == 0.0),
                        "{name}"
                    );
                }
                assert_eq!(found.len(), expected.len(), "{name}");
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 2e-6, "{name}: {found} instead of {expected}");
                }
                let mut truth = Truth { values: values(3 * 4 * targets, 3), base, scales: vec![0.5; 3 * 4 * targets] };
                if counts {
                    truth.values.iter_mut().for_each(|value| *value = (value.abs() * 7.0).round() * 2.0);
                }
                truth.values[5] = f32::NAN;
                let loss = network.loss(&batch, &known, &truth, &device).unwrap();
                let loss = loss.into_data().try_to_vec::<f32>().unwrap()[0];
                let each = found.chunks_exact(plan.output.numbers()).zip(&truth.base).zip(&truth.values);
                let costs = each.filter(|(_, value)| !value.is_nan());
                let costs: Vec<f64> =
                    costs.map(|((numbers, &base), &value)| cost(&plan.output, numbers, (base, 0.5), value)).collect();
                // Where the attention pools, the loss has a penalty beside; where steps read those before, it is of those that came.
                if attention != "structured:2" && decoder.is_none_or(|(_, _, feedback)| !feedback) {
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
    assert_eq!(compared, 462);
}

/// In training, steps read the values that came: those that a network would forecast itself cost the same as its own.
#[test]
fn a_decoder_that_is_told_its_own_points_says_what_it_says_alone() {
    let device = Device::flex();
    let batch = Batch {
        input: BatchInput::Series { values: values(3 * 5 * 3, 1), channels: 3 },
        lengths: vec![5, 1, 3],
        time: 5,
    };
    for form in [DecoderForm::Recurrent, DecoderForm::Luong, DecoderForm::Bahdanau] {
        let mut options = options("lstm", 1, "none", None, "gaussian");
        (options.decoder, options.feedback) = (Some(form), Some(true));
        let plan = ForecastPlan::new(&options).unwrap().network;
        let network = Network::new(&plan, Sizes { channels: 3, ahead: 0, targets: 2 }, &device).unwrap();
        lookback_nn::parameters::initialise(&network);
        let ahead = Ahead { known: Vec::new(), base: values(3 * 4 * 2, 4), last: values(3 * 2, 5) };
        let numbers = network.forward(&batch, &ahead, &device).unwrap().0.into_data().try_to_vec::<f32>().unwrap();
        let own = numbers.chunks_exact(2).zip(&ahead.base).map(|(numbers, base)| numbers[0] + base).collect();
        let truth = Truth { values: own, base: ahead.base.clone(), scales: vec![1.0; 3 * 4 * 2] };
        let loss = network.loss(&batch, &ahead, &truth, &device).unwrap().into_data().try_to_vec::<f32>().unwrap()[0];
        let each = numbers.chunks_exact(2).zip(&truth.base).zip(&truth.values);
        let costs: Vec<f64> =
            each.map(|((numbers, &base), &value)| cost(&plan.output, numbers, (base, 1.0), value)).collect();
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        assert!((f64::from(loss) - mean).abs() < 1e-5, "{form:?}: {loss} instead of {mean}");
        // What is told changes what is said.
        let other = Truth { values: values(3 * 4 * 2, 9), ..truth };
        let told = network.loss(&batch, &ahead, &other, &device).unwrap().into_data().try_to_vec::<f32>().unwrap()[0];
        let each = numbers.chunks_exact(2).zip(&other.base).zip(&other.values);
        let alone: f64 = each.map(|((numbers, &base), &value)| cost(&plan.output, numbers, (base, 1.0), value)).sum();
        assert!((f64::from(told) - alone / 24.0).abs() > 1e-4, "{form:?}");
    }
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
        let (numbers, _) = network.forward(&batch, &Ahead::default(), &device).unwrap();
        let expected = numbers.into_data().try_to_vec::<f32>().unwrap();
        let found = answering(&network, &plan, sizes).forward(&batch, &Ahead::default(), true).numbers;
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
fn reversible_instance_normalisation_is_the_standard_scale_by_another_name() {
    use lookback_infer::tasks::forecast::Scale;
    assert_eq!(<Scale as clap::ValueEnum>::from_str("revin", false), Ok(Scale::Standard));
    assert_eq!(serde_json::from_str::<Scale>("\"revin\"").unwrap(), Scale::Standard);
    assert_eq!(serde_json::to_string(&Scale::Standard).unwrap(), "\"standard\"");
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
        (&|o: &mut ForecastOptions| o.feedback = Some(true), "--feedback is of a --decoder that"),
        (&|o: &mut ForecastOptions| o.decoder_attention = Some(Default::default()), "--decoder-attention is of"),
        (
            &|o: &mut ForecastOptions| {
                o.decoder = Some(DecoderForm::Recurrent);
                o.decoder_attention = Some(Default::default());
            },
            "--decoder-attention is of --decoder luong or bahdanau",
        ),
        (
            &|o: &mut ForecastOptions| {
                o.decoder = Some(DecoderForm::Luong);
                o.pooling = Some("mean".into());
            },
            "--pooling is of --decoder direct",
        ),
        (
            &|o: &mut ForecastOptions| {
                o.decoder = Some(DecoderForm::Luong);
                o.encoder.attention = Some("structured:2".into());
            },
            "--attention structured:2 makes one vector of all steps",
        ),
    ] {
        let found = refused(change);
        assert!(found.contains(words), "{found}, expected {words}");
    }
}
