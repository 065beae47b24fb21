//! One row, one input at a time, through `lookback-nn`'s `Stepper`.

use lookback_nn::{Stepper, StepperState};

use crate::modules::recurrent;
use crate::options::{Mode, RecurrentShape};
use crate::{Case, Work};

pub(crate) struct Streaming {
    stepper: Stepper,
    state: StepperState,
    shape: RecurrentShape,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Streaming {
    pub(crate) fn new(shape: &RecurrentShape, case: &Case) -> anyhow::Result<Self> {
        let stepper = recurrent(shape, Mode::Step, case)?.stepper()?;
        Ok(Streaming {
            state: stepper.start(),
            stepper,
            shape: shape.clone(),
            x: case.values("input.x").to_vec(),
            y: vec![0.0; shape.time * shape.hidden],
        })
    }
}

impl Work for Streaming {
    fn run(&mut self) -> anyhow::Result<()> {
        self.state = self.stepper.start();
        let steps = self.x.chunks_exact(self.shape.input).zip(self.y.chunks_exact_mut(self.shape.hidden));
        for (x_t, y_t) in steps {
            y_t.copy_from_slice(self.stepper.step(x_t, &mut self.state)?);
        }
        Ok(())
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        let mut results = Case::default();
        results.put("y", &[1, self.shape.time, self.shape.hidden], self.y.clone());
        Ok(results)
    }

    fn units(&self) -> usize {
        self.shape.time
    }
}
