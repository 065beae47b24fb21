//! The list Viterbi algorithm: each tag of a step keeps the `k` best ways to it, so that the best paths of the row are
//! among those of its last step. Sums in f64: it runs for one row that somebody looks at.

use super::CrfPath;
use super::packed::Packed;

/// The most paths that can be asked for.
pub(super) const MOST_PATHS: usize = 64;

/// One way to a tag: what it scores, and which way of which tag it goes on from.
#[derive(Debug, Clone, Copy)]
struct Way {
    score: f64,
    tag: usize,
    rank: usize,
}

/// emissions: `[T, N]`.
pub(super) fn k_best(packed: &Packed, emissions: &[f32], k: usize) -> Vec<CrfPath> {
    let (tags, width) = (packed.tags, packed.width);
    let mut steps = emissions.chunks_exact(tags);
    let Some(first) = steps.next() else { return Vec::new() };
    let score = |row: &[f32], tag: usize| f64::from(row[tag]);
    let begin = |tag: usize| Way { score: score(packed.start.as_slice(), tag) + score(first, tag), tag, rank: 0 };
    let mut ways: Vec<Vec<Vec<Way>>> = vec![(0..tags).map(|tag| allowed(vec![begin(tag)])).collect()];
    for emissions in steps {
        let before = &ways[ways.len() - 1];
        let into = |tag: usize| {
            let transitions = &packed.transitions_to.as_slice()[tag * width..][..tags];
            best(before, |from| score(transitions, from) + score(emissions, tag), k)
        };
        let now = (0..tags).map(into).collect();
        ways.push(now);
    }
    let last = best(&ways[ways.len() - 1], |tag| score(packed.end.as_slice(), tag), k);
    last.into_iter().map(|way| CrfPath { tags: path(&ways, way), score: way.score as f32 }).collect()
}

/// The `k` best ways on from those before, which score `more` beside what they have; of equal ones the lowest tag's first.
fn best(before: &[Vec<Way>], more: impl Fn(usize) -> f64, k: usize) -> Vec<Way> {
    let on = |(tag, ways): (usize, &Vec<Way>)| {
        let more = more(tag);
        let on = move |(rank, way): (usize, &Way)| Way { score: way.score + more, tag, rank };
        ways.iter().enumerate().map(on).collect::<Vec<_>>()
    };
    let mut ways = allowed(before.iter().enumerate().flat_map(on).collect());
    ways.sort_by(|a, b| b.score.total_cmp(&a.score));
    ways.truncate(k);
    ways
}

/// Without what is forbidden.
fn allowed(mut ways: Vec<Way>) -> Vec<Way> {
    ways.retain(|way| way.score != f64::NEG_INFINITY);
    ways
}

/// The tags of a way to the last step.
fn path(ways: &[Vec<Vec<Way>>], mut way: Way) -> Vec<u32> {
    let mut tags = vec![way.tag as u32];
    for step in ways[1..].iter().rev() {
        way = step[way.tag][way.rank];
        tags.push(way.tag as u32);
    }
    tags.reverse();
    tags
}
