//! Options of the search that go together.

use super::options::SearchOptions;
use super::score::Score;
use crate::error::{PlanError, plan};

/// How sequences are searched for, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchPlan {
    pub(super) score: Score,
    pub(super) method: Method,
    pub(super) ended_first: bool,
    pub(super) min_length: usize,
    pub(super) keeps_attention: bool,
    /// Whether a beam ends as soon as nothing can change any more; tests compare with beams that do not.
    pub(super) stops_early: bool,
    longest: Longest,
}

/// The most hypotheses of one source at once.
pub const MOST_HYPOTHESES: usize = 10_000;
/// The most tokens of a sequence.
pub const MOST_TOKENS: usize = 1 << 24;
/// Below this, and above 0, a temperature only makes zeros of probabilities.
const LEAST_TEMPERATURE: f64 = 1e-4;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Method {
    Beam(BeamShape),
    Sample(Sampling),
}

/// How many hypotheses are followed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BeamShape {
    pub(super) groups: usize,
    /// Hypotheses of a group.
    pub(super) width: usize,
    pub(super) n_best: usize,
    /// What a token loses for each time an earlier group has it.
    pub(super) diversity: f32,
}

/// How tokens are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sampling {
    pub(super) count: usize,
    pub(super) temperature: f32,
    pub(super) top_k: Option<usize>,
    pub(super) top_p: f64,
    pub(super) min_p: f32,
    pub(super) repetition_penalty: f32,
    pub(super) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Longest {
    most: usize,
    ratio: Option<f64>,
    offset: usize,
}

impl SearchPlan {
    /// What the options say.
    ///
    /// # Errors
    /// If one has a value with which nothing can be searched, or two do not go together.
    pub fn new(options: &SearchOptions) -> Result<Self, PlanError> {
        plan::not_negative("length-penalty", options.length_penalty)?;
        plan::not_negative("coverage-penalty", options.coverage_penalty)?;
        plan::at_least(0, "min-length", options.min_length)?;
        let longest = longest(options)?;
        if options.min_length > longest.most {
            let problem = format!("is {}, but --max-length is {}", options.min_length, longest.most);
            return Err(PlanError::conflict("min-length", problem));
        }
        let method = if options.sample { Method::Sample(sampling(options)?) } else { beam(options)? };
        Ok(Self {
            score: Score { length: options.length_penalty, coverage: options.coverage_penalty },
            method,
            ended_first: options.ended_first,
            min_length: options.min_length,
            keeps_attention: options.keep_attention,
            stops_early: true,
            longest,
        })
    }

    /// The most tokens for a source of so many, as the maximum and its ratio say.
    pub fn longest(&self, source: usize) -> usize {
        let Longest { most, ratio, offset } = self.longest;
        // What is too large for an integer becomes the largest one.
        ratio.map_or(most, |ratio| most.min(((ratio * source as f64).ceil() as usize).saturating_add(offset)))
    }

    /// The most rows that a source ever has in the decoder's state.
    pub fn rows(&self) -> usize {
        match &self.method {
            Method::Beam(shape) => shape.groups * shape.width,
            Method::Sample(sampling) => sampling.count,
        }
    }

    pub(super) fn samples(&self) -> bool {
        matches!(self.method, Method::Sample(_))
    }

    /// Whether the decoder must tell what it looks at, and for what.
    pub(super) fn needs_attention(&self) -> Option<&'static str> {
        match (self.score.coverage > 0.0, self.keeps_attention) {
            (true, _) => Some("the coverage penalty"),
            (false, true) => Some("keeping the attention"),
            (false, false) => None,
        }
    }
}

fn longest(options: &SearchOptions) -> Result<Longest, PlanError> {
    if options.max_length > MOST_TOKENS {
        return Err(PlanError::value("max-length", options.max_length, format!("at most {MOST_TOKENS}")));
    }
    if let Some(ratio) = options.max_length_ratio {
        plan::not_negative("max-length-ratio", ratio)?;
    } else if options.max_length_offset.is_some() {
        let problem = "is added to what --max-length-ratio says, which is not given";
        return Err(PlanError::conflict("max-length-offset", problem));
    }
    let offset = options.max_length_offset.unwrap_or(10);
    plan::at_least(0, "max-length-offset", offset)?;
    Ok(Longest { most: options.max_length, ratio: options.max_length_ratio, offset })
}

fn beam(options: &SearchOptions) -> Result<Method, PlanError> {
    let of_sampling = [
        ("count", options.count.is_some()),
        ("temperature", options.temperature.is_some()),
        ("top-k", options.top_k.is_some()),
        ("top-p", options.top_p.is_some()),
        ("min-p", options.min_p.is_some()),
        ("repetition-penalty", options.repetition_penalty.is_some()),
        ("seed", options.seed.is_some()),
    ];
    if let Some((option, _)) = of_sampling.iter().find(|(_, said)| *said) {
        return Err(PlanError::conflict(option, "is of sampling; add --sample"));
    }
    let (beam, groups) = (options.beam, options.beam_groups);
    plan::size("beam", beam, MOST_HYPOTHESES)?;
    plan::size("n-best", options.n_best, MOST_HYPOTHESES)?;
    plan::size("beam-groups", groups, MOST_HYPOTHESES)?;
    if options.n_best > beam {
        let problem = format!("is {}, but only --beam {beam} hypotheses are followed", options.n_best);
        return Err(PlanError::conflict("n-best", problem));
    }
    if beam % groups != 0 {
        let problem = format!("is {groups}, which does not divide --beam {beam}");
        return Err(PlanError::conflict("beam-groups", problem));
    }
    if groups == 1 && options.diversity.is_some() {
        return Err(PlanError::conflict("diversity", "is between groups, and there is one; add --beam-groups"));
    }
    let diversity = options.diversity.unwrap_or(0.5);
    plan::not_negative("diversity", diversity)?;
    // Above this no token would ever be in two groups anyway, and sums stay finite.
    let diversity = diversity.min(1e6) as f32;
    Ok(Method::Beam(BeamShape { groups, width: beam / groups, n_best: options.n_best, diversity }))
}

fn sampling(options: &SearchOptions) -> Result<Sampling, PlanError> {
    let of_beams = [
        ("beam", options.beam != 1),
        ("n-best", options.n_best != 1),
        ("beam-groups", options.beam_groups != 1),
        ("diversity", options.diversity.is_some()),
    ];
    if let Some((option, _)) = of_beams.iter().find(|(_, said)| *said) {
        return Err(PlanError::conflict(option, "is of beam search, and does not go with --sample"));
    }
    let count = options.count.unwrap_or(1);
    plan::size("count", count, MOST_HYPOTHESES)?;
    let temperature = options.temperature.unwrap_or(1.0);
    if temperature != 0.0 && !(LEAST_TEMPERATURE..=1e4).contains(&temperature) {
        return Err(PlanError::value("temperature", temperature, format!("0, or from {LEAST_TEMPERATURE} to 10000")));
    }
    if let Some(top_k) = options.top_k {
        plan::at_least(1, "top-k", top_k)?;
    }
    let top_p = options.top_p.unwrap_or(1.0);
    if !(top_p > 0.0 && top_p <= 1.0) {
        return Err(PlanError::value("top-p", top_p, "above 0 and at most 1"));
    }
    let min_p = options.min_p.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&min_p) {
        return Err(PlanError::value("min-p", min_p, "from 0 to 1"));
    }
    let repetition_penalty = options.repetition_penalty.unwrap_or(1.0);
    if !(0.01..=100.0).contains(&repetition_penalty) {
        return Err(PlanError::value("repetition-penalty", repetition_penalty, "from 0.01 to 100"));
    }
    let seed = options.seed.unwrap_or(0);
    plan::writable("seed", seed)?;
    Ok(Sampling {
        count,
        temperature: temperature as f32,
        top_k: options.top_k,
        top_p,
        min_p: min_p as f32,
        repetition_penalty: repetition_penalty as f32,
        seed,
    })
}
