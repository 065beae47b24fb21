//! How do I stream an LSTM step by step, and carry its state from one request to the next?
//!
//! `cargo run --release -p lookback-nn --example stream_lstm`

use burn::tensor::{Device, Tensor};
use lookback_nn::{Error, LstmConfig, StepperState};

fn main() -> Result<(), Error> {
    let device = Device::default();
    let lstm = LstmConfig::new(1, 8).with_layers(2).init(&device)?;
    let inputs: Vec<f32> = (0..6).map(|t| (t as f32 * 0.5).sin()).collect();

    // The whole sequence at once.
    let x = Tensor::<1>::from_floats(inputs.as_slice(), &device).reshape([1, 6, 1]);
    let whole: Vec<f32> = lstm.forward(x, None, None)?.sequence.into_data().iter::<f32>().collect();

    // One input at a time. The weights are packed once; the state is all that a session keeps.
    let mut stepper = lstm.stepper()?;
    let mut state = stepper.start();
    for (t, input) in inputs.iter().enumerate() {
        if t == 3 {
            state = StepperState::restore(&state.save(2))?;
            println!("state saved and restored");
        }
        let output = stepper.step(&[*input], &mut state)?;
        println!("step {t}: first unit {:+.6}, same bits as the whole: {}", output[0], output == &whole[t * 8..][..8]);
    }
    Ok(())
}
