//! Ranges as a person types them.

use lookback_infer::error::PlanError;
use lookback_infer::input::encoder::LONGEST_NGRAM;

/// `2-5`, or `3` for 3-3.
pub(crate) fn sizes(option: &'static str, range: &str) -> Result<(usize, usize), PlanError> {
    let wrong = || PlanError::conflict(option, format!("is '{range}'; expected shortest-longest, for example 2-5"));
    let (min, max) = range.split_once('-').unwrap_or((range, range));
    let min: usize = min.trim().parse().map_err(|_| wrong())?;
    let max: usize = max.trim().parse().map_err(|_| wrong())?;
    if max > LONGEST_NGRAM {
        let problem = format!("is '{range}'; the longest may be at most {LONGEST_NGRAM}");
        return Err(PlanError::conflict(option, problem));
    }
    if min == 0 || max < min { Err(wrong()) } else { Ok((min, max)) }
}
