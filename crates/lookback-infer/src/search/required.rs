//! Sequences of tokens that must come out: how far each hypothesis is with them, and which slots of the beam are for whom.

/// Sequences that every hypothesis must contain, as the automata of Knuth, Morris and Pratt (1977): a sequence that was begun
/// and broken off goes on from what is still matched. Sequences may overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Required {
    sequences: Vec<Sequence>,
}

/// How many tokens of each sequence are matched; one that is there in full stays so.
pub(super) type Progress = Vec<u32>;

#[derive(Clone, Debug)]
struct Sequence {
    tokens: Vec<u32>,
    /// Of the first `i + 1` tokens, how many of their last are also the first.
    borders: Vec<u32>,
}

impl Required {
    /// None of the sequences may be empty.
    pub(super) fn new(sequences: &[Vec<u32>]) -> Self {
        let mut kept: Vec<Sequence> = Vec::with_capacity(sequences.len());
        for tokens in sequences {
            if !kept.iter().any(|other| other.tokens == *tokens) {
                kept.push(Sequence::new(tokens.clone()));
            }
        }
        Self { sequences: kept }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// `C`: the tokens of all sequences.
    pub(super) fn tokens(&self) -> usize {
        self.sequences.iter().map(|sequence| sequence.tokens.len()).sum()
    }

    pub(super) fn begin(&self) -> Progress {
        vec![0; self.sequences.len()]
    }

    /// One token more.
    pub(super) fn advance(&self, progress: &mut Progress, token: u32) {
        for (matched, sequence) in progress.iter_mut().zip(&self.sequences) {
            *matched = sequence.next(*matched, token);
        }
    }

    /// The bank (Post and Vilar 2018, section 3.2): how many tokens are matched after one more.
    pub(super) fn bank(&self, progress: &Progress, token: u32) -> usize {
        let matched = progress.iter().zip(&self.sequences).map(|(&matched, sequence)| sequence.next(matched, token));
        matched.map(|matched| matched as usize).sum()
    }

    /// How many sequences are not there yet.
    pub(super) fn missing(&self, progress: &Progress) -> usize {
        progress.iter().zip(&self.sequences).filter(|(matched, sequence)| !sequence.is_met(**matched)).count()
    }

    /// The tokens that the sequences go on with.
    pub(super) fn wanted(&self, progress: &Progress) -> impl Iterator<Item = u32> {
        let pairs = progress.iter().zip(&self.sequences);
        pairs.filter_map(|(&matched, sequence)| sequence.tokens.get(matched as usize).copied())
    }
}

impl Sequence {
    fn new(tokens: Vec<u32>) -> Self {
        let mut borders = vec![0; tokens.len()];
        let mut matched = 0usize;
        for i in 1..tokens.len() {
            while matched > 0 && tokens[matched] != tokens[i] {
                matched = borders[matched - 1] as usize;
            }
            matched += usize::from(tokens[matched] == tokens[i]);
            borders[i] = matched as u32;
        }
        Self { tokens, borders }
    }

    fn is_met(&self, matched: u32) -> bool {
        matched as usize == self.tokens.len()
    }

    fn next(&self, matched: u32, token: u32) -> u32 {
        if self.is_met(matched) {
            return matched;
        }
        let mut matched = matched as usize;
        while matched > 0 && self.tokens[matched] != token {
            matched = self.borders[matched - 1] as usize;
        }
        (matched + usize::from(self.tokens[matched] == token)) as u32
    }
}

/// Deals the slots of a beam to banks, of which each has so many candidates: the same for all, what is left over to those
/// with most tokens matched, and what a bank cannot fill to the others, those with most tokens matched first (Post and Vilar
/// 2018, section 3.2).
pub(super) fn deal(slots: usize, candidates: &[usize]) -> Vec<usize> {
    let (share, rest) = (slots / candidates.len().max(1), slots % candidates.len().max(1));
    let mut dealt: Vec<usize> = candidates.iter().map(|&count| count.min(share)).collect();
    // The rest of the division goes to the highest banks, whatever they can fill of it.
    let mut left: usize = slots - dealt.iter().sum::<usize>();
    if let (Some(dealt), Some(&count)) = (dealt.last_mut(), candidates.last()) {
        let more = rest.min(count - *dealt);
        *dealt += more;
        left -= more;
    }
    for (dealt, &count) in dealt.iter_mut().zip(candidates).rev() {
        let more = left.min(count - *dealt);
        *dealt += more;
        left -= more;
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_was_broken_off_goes_on_from_what_is_still_matched() {
        let required = Required::new(&[vec![1, 1, 2], vec![2, 3], vec![2, 3]]);
        let mut progress = required.begin();
        assert_eq!((required.tokens(), required.missing(&progress)), (5, 2));
        for (token, expected) in [(1, [1, 0]), (1, [2, 0]), (1, [2, 0]), (2, [3, 1]), (3, [3, 2]), (7, [3, 2])] {
            assert_eq!(required.bank(&progress, token), expected.iter().sum::<u32>() as usize);
            required.advance(&mut progress, token);
            assert_eq!(progress, expected);
        }
        assert!(required.missing(&progress) == 0 && required.wanted(&progress).next().is_none());
    }

    #[test]
    fn slots_are_dealt_to_banks_and_none_is_lost_that_somebody_can_fill() {
        let cases: [(usize, &[usize], &[usize]); 6] = [
            (6, &[9, 9, 9], &[2, 2, 2]),
            (5, &[9, 9], &[2, 3]),
            (6, &[9, 0, 1], &[5, 0, 1]),
            (1, &[5, 2, 0], &[0, 1, 0]),
            (9, &[1, 2, 1], &[1, 2, 1]),
            (4, &[7], &[4]),
        ];
        for (slots, candidates, expected) in cases {
            assert_eq!(deal(slots, candidates), expected, "{slots} {candidates:?}");
        }
    }
}
