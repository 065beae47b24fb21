//! Dropout between the layers of a decoder over known targets. A program has one generator of random numbers, so this is a
//! test of its own, with nobody beside it.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use lookback_nn::attention::{AttentionConfig, Mask, Score};
use lookback_nn::decoder::LuongDecoder;
use lookback_nn::{Cell, RecurrentConfig};

const B: usize = 3;
const HIDDEN: usize = 6;

fn random<const R: usize>(shape: [usize; R], device: &Device) -> Tensor<R> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

fn values<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

#[test]
fn a_seed_repeats_the_draw_a_step_alone_has_the_same_and_a_finished_model_drops_nothing() {
    let device = Device::flex().autodiff();
    device.seed(3);
    let mask = Mask::none();
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
        let config = RecurrentConfig::new(cell, 2 + HIDDEN, HIDDEN).with_layers(2).with_dropout(0.4);
        let attention = AttentionConfig::new(Score::Additive { hidden: 4 }, HIDDEN, 5).init(&device).unwrap();
        let decoder = LuongDecoder::new(2, 5, config.init(&device).unwrap(), attention, &device).unwrap();
        let (outputs, words) = (random([B, 4, 5], &device), random([B, 3, 2], &device));
        let zeros = |device: &Device| Tensor::<2>::zeros([B, HIDDEN], device);
        let run = |seed: u64, time: usize| {
            let memory = decoder.memory(outputs.clone(), &mask).unwrap();
            let x = words.clone().narrow(1, 0, time);
            device.seed(seed);
            decoder.forward(x, zeros(&device), None, &memory, &mask).unwrap().0
        };
        // Parameters are drawn when they are first read: before any seed that is for a draw.
        values(run(0, 3));
        assert_eq!(values(run(1, 3)), values(run(1, 3)), "{cell:?}");
        assert_ne!(values(run(1, 3)), values(run(2, 3)), "{cell:?}");

        // One step has one draw, whichever way it goes.
        let memory = decoder.memory(outputs.clone(), &mask).unwrap();
        device.seed(5);
        let x = words.clone().narrow(1, 0, 1).squeeze_dim(1);
        let step = decoder.step(x, zeros(&device), None, &memory, &mask, false).unwrap().attentional;
        for (found, want) in values(run(5, 1)).into_iter().zip(values(step)) {
            assert!((found - want).abs() < 1e-5, "{cell:?}: {found}, want {want}");
        }

        let (finished, plain) = (decoder.clone().valid(), Device::flex());
        let of = |seed: u64| {
            plain.seed(seed);
            let memory = finished.memory(outputs.clone().inner(), &mask).unwrap();
            values(finished.forward(words.clone().inner(), zeros(&plain), None, &memory, &mask).unwrap().0)
        };
        assert_eq!(of(1), of(2), "{cell:?}");
        assert_ne!(of(1), values(run(1, 3)), "{cell:?}");
    }
}
