//! The learning rate at every step, from Burn's schedulers.

use burn::optim::lr_scheduler::{
    LrSchedulerConfig, cosine::CosineAnnealingLrSchedulerConfig, linear::LinearLrSchedulerConfig,
    module_lr_scheduler::ModuleLrScheduler, sequential::SequentialLrSchedulerConfig,
};

use lookback_infer::error::PlanError;

use super::{ScheduleChoice, TrainPlan};

/// Gives the learning rate of one step after another.
///
/// Burn's schedulers refuse rates above 1, so they run on a factor from 0 to 1 that multiplies the plan's rate.
pub(crate) struct Schedule {
    factor: ModuleLrScheduler,
    rate: f64,
}

impl Schedule {
    pub(crate) fn new(plan: &TrainPlan, steps_per_epoch: usize) -> Result<Schedule, PlanError> {
        // Past 2^53 steps an f64 no longer tells one from the next, and nobody lives to see them.
        let total = plan.epochs.saturating_mul(steps_per_epoch).min(1 << 53);
        let warmup = ((plan.warmup * steps_per_epoch as f64).round() as usize).min(total);
        let after = (total - warmup).max(1);
        let main = match plan.schedule {
            ScheduleChoice::Constant => LrSchedulerConfig::Constant(1.0),
            ScheduleChoice::Linear => LinearLrSchedulerConfig::new(1.0, 0.0, after).into(),
            ScheduleChoice::Cosine => CosineAnnealingLrSchedulerConfig::new(1.0, after).into(),
        };
        let (schedulers, milestones) = if warmup == 0 {
            (vec![main], vec![])
        } else {
            let first = 1.0 / (warmup + 1) as f64;
            (vec![LinearLrSchedulerConfig::new(first, 1.0, warmup).into(), main], vec![warmup])
        };
        let factor = SequentialLrSchedulerConfig::new(schedulers, milestones).init().map_err(PlanError::Unfit)?;
        Ok(Schedule { factor, rate: plan.learning_rate })
    }

    /// The schedule after so many steps.
    pub(crate) fn after(mut self, steps: usize) -> Schedule {
        for _ in 0..steps {
            self.factor.step();
        }
        self
    }

    pub(crate) fn step(&mut self) -> f64 {
        self.factor.step().base() * self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::TrainOptions;

    fn rates(options: TrainOptions, steps_per_epoch: usize, count: usize) -> Vec<f64> {
        let mut schedule = Schedule::new(&TrainPlan::new(&options, &[]).unwrap(), steps_per_epoch).unwrap();
        (0..count).map(|_| schedule.step()).collect()
    }

    #[test]
    fn warm_up_rises_then_linear_falls_to_zero() {
        let options = TrainOptions {
            epochs: Some(2),
            warmup: Some(1.0),
            learning_rate: Some(10.0),
            schedule: Some(ScheduleChoice::Linear),
            ..TrainOptions::default()
        };
        let expected = [2.0, 4.0, 6.0, 8.0, 10.0, 7.5, 5.0, 2.5];
        for (rate, expected) in rates(options, 4, 8).into_iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-9, "{rate} instead of {expected}");
        }
    }

    #[test]
    fn epochs_without_end_fit_every_schedule() {
        for schedule in [ScheduleChoice::Constant, ScheduleChoice::Linear, ScheduleChoice::Cosine] {
            for epochs in [usize::MAX / 2, 1 << 62] {
                for warmup in [0.0, 1.5, 1e15] {
                    let options = TrainOptions {
                        epochs: Some(epochs),
                        warmup: Some(warmup),
                        schedule: Some(schedule),
                        learning_rate: Some(1.0),
                        ..TrainOptions::default()
                    };
                    for rate in rates(options, 12, 3) {
                        assert!(rate > 0.0 && rate <= 1.0, "{rate}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_schedule_taken_up_again_goes_on_as_if_it_had_not_been_left() {
        let options =
            TrainOptions { warmup: Some(1.0), schedule: Some(ScheduleChoice::Cosine), ..TrainOptions::default() };
        let plan = TrainPlan::new(&options, &[]).unwrap();
        let (mut whole, mut later) = (Schedule::new(&plan, 7).unwrap(), Schedule::new(&plan, 7).unwrap().after(9));
        let rates: Vec<f64> = (0..30).map(|_| whole.step()).collect();
        assert!(rates[9..].iter().all(|&rate| later.step() == rate));
    }

    #[test]
    fn cosine_is_half_way_down_at_half_time() {
        let options = TrainOptions {
            epochs: Some(1),
            learning_rate: Some(1.0),
            schedule: Some(ScheduleChoice::Cosine),
            ..TrainOptions::default()
        };
        let rates = rates(options, 10, 6);
        assert!((rates[0] - 1.0).abs() < 1e-9 && (rates[5] - 0.5).abs() < 1e-9, "{rates:?}");
    }
}
