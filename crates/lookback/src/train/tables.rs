//! What the tables of a network take of memory in training.

use burn::module::Module;
use lookback_infer::error::PlanError;
use lookback_infer::memory_limit::{mib_for, readable, system_gives};
use lookback_infer::network::budget::NUMBER;
use lookback_nn::parameters;

use super::TrainPlan;

/// Refuses a network whose tables are over the limit, before they take memory. `network` holds no values yet. `saved`:
/// whether there will be checkpoints. `option` tells by which option a table would be smaller, from its name.
pub(crate) fn check_tables<N: Module>(
    network: &N,
    plan: &TrainPlan,
    saved: bool,
    option: impl Fn(&str) -> &'static str,
) -> Result<(), PlanError> {
    let numbers = |shape: &[usize]| shape.iter().fold(1u64, |product, &size| product.saturating_mul(size as u64));
    let tables = parameters::shapes(network, "");
    let all = tables.iter().fold(0u64, |sum, (_, shape)| sum.saturating_add(numbers(shape)));
    // The weights and the best ones so far, gradients, the optimiser's state and averages; networks finished before.
    let kept = 2 + plan.copies() + (plan.ensemble() as u64 - 1);
    // A checkpoint is made of copies of all but the gradients; those of the optimiser's state are made twice.
    let copies = 1 + kept + if saved { kept + plan.state_copies() } else { 0 };
    let bytes = all.saturating_mul(copies).saturating_mul(NUMBER);
    let limit = plan.max_memory();
    if bytes <= limit.bytes() {
        return match system_gives(bytes) {
            true => Ok(()),
            false => Err(PlanError::Unfit(format!(
                "the network would take {} of memory in training, which --max-memory allows but the system does not give",
                readable(bytes)
            ))),
        };
    }
    let Some((name, shape)) = tables.iter().max_by_key(|(_, shape)| numbers(shape)) else { return Ok(()) };
    let others = if plan.ensemble() > 1 { format!(" and its ensemble of {}", plan.ensemble()) } else { String::new() };
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    Err(PlanError::Unfit(format!(
        "the network{others} would take {} of memory in training, {copies} copies of its {all} parameters, but \
         --max-memory is {limit} MiB; its largest table is {name}, {} numbers: choose a smaller {}, or allow it with \
         --max-memory {}",
        readable(bytes),
        sizes.join(" x "),
        option(name),
        mib_for(bytes),
    )))
}
