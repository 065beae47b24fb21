//! The right labels of texts.

use super::LabelsPerText;

/// The right labels of texts, as a label set numbers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The label of each.
    One(Vec<usize>),
    /// The labels of each, ascending and each once.
    Several(Vec<Vec<usize>>),
}

impl Default for Targets {
    fn default() -> Targets {
        Targets::new(LabelsPerText::One)
    }
}

impl Targets {
    /// Of no text yet.
    pub fn new(per_text: LabelsPerText) -> Targets {
        match per_text {
            LabelsPerText::One => Targets::One(Vec::new()),
            LabelsPerText::Several => Targets::Several(Vec::new()),
        }
    }

    /// One more text.
    ///
    /// # Panics
    /// If it has no label where each has one.
    pub fn push(&mut self, mut labels: Vec<usize>) {
        match self {
            Targets::One(all) => all.push(labels[0]),
            Targets::Several(all) => {
                labels.sort_unstable();
                labels.dedup();
                all.push(labels);
            }
        }
    }

    /// How many labels a text has.
    pub fn per_text(&self) -> LabelsPerText {
        match self {
            Targets::One(_) => LabelsPerText::One,
            Targets::Several(_) => LabelsPerText::Several,
        }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        match self {
            Targets::One(all) => all.len(),
            Targets::Several(all) => all.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of a text.
    ///
    /// # Panics
    /// If there is no such text.
    pub fn of(&self, row: usize) -> &[usize] {
        match self {
            Targets::One(all) => std::slice::from_ref(&all[row]),
            Targets::Several(all) => &all[row],
        }
    }

    /// Those of these texts alone, in their order.
    ///
    /// # Panics
    /// If there is no such text.
    #[must_use]
    pub fn of_rows(&self, rows: &[usize]) -> Targets {
        let mut of_rows = Targets::new(self.per_text());
        of_rows.extend(rows.iter().map(|&row| self.of(row).to_vec()));
        of_rows
    }

    /// The labels of every text.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        (0..self.len()).map(|row| self.of(row))
    }

    /// How many texts have each of so many labels.
    ///
    /// # Panics
    /// If there is a label past them.
    pub fn counts(&self, labels: usize) -> Vec<usize> {
        let mut counts = vec![0; labels];
        self.iter().flatten().for_each(|&label| counts[label] += 1);
        counts
    }

    /// A class for every text, by which texts can be split so that labels keep their shares: its label; of several the rarest;
    /// where it has none, one past all labels.
    ///
    /// # Panics
    /// If there is a label past so many.
    pub fn classes(&self, labels: usize) -> Vec<usize> {
        match self {
            Targets::One(all) => all.clone(),
            Targets::Several(all) => {
                let counts = self.counts(labels);
                let rarest = |of: &Vec<usize>| of.iter().copied().min_by_key(|&label| counts[label]).unwrap_or(labels);
                all.iter().map(rarest).collect()
            }
        }
    }
}

impl Extend<Vec<usize>> for Targets {
    fn extend<I: IntoIterator<Item = Vec<usize>>>(&mut self, texts: I) {
        texts.into_iter().for_each(|labels| self.push(labels));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_in_order_and_each_once() {
        let mut several = Targets::new(LabelsPerText::Several);
        several.extend([vec![3, 1, 3], vec![], vec![1]]);
        assert_eq!(several, Targets::Several(vec![vec![1, 3], vec![], vec![1]]));
        assert_eq!((several.of(0), several.len(), several.counts(4)), (&[1, 3][..], 3, vec![0, 2, 0, 1]));
        let mut one = Targets::default();
        one.extend([vec![2], vec![0]]);
        assert_eq!((one.of(0), one.classes(3)), (&[2][..], vec![2, 0]));
        assert_eq!(one.of_rows(&[1]), Targets::One(vec![0]));
        assert_eq!(several.of_rows(&[2, 0]), Targets::Several(vec![vec![1], vec![1, 3]]));
    }

    #[test]
    fn a_text_is_split_by_its_rarest_label() {
        let several = Targets::Several(vec![vec![0, 2], vec![0, 1], vec![], vec![0], vec![1], vec![1, 2], vec![0]]);
        assert_eq!(several.counts(3), [4, 3, 2]);
        assert_eq!(several.classes(3), [2, 1, 3, 0, 1, 2, 0]);
    }
}
