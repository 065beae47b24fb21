//! The classes of a task.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::columns::Column;
use crate::error::DataError;

/// A file with more labels than this must have two rows per label or more, or its labels are taken for ids: nothing is
/// learnt of a label that stands in one row, and every label costs a row of the output layer.
const MOST_RARE_LABELS: usize = 1_000;

/// A file with fewer labels than this is not suspected: a handful of examples may well have a label each.
const FEWEST_SUSPECT_LABELS: usize = 50;

/// The labels a classifier knows, in a fixed order: by value if all are integers, else by code point.
///
/// It is stored as the list of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct LabelSet {
    names: Vec<String>,
    /// The class of each name.
    ids: HashMap<String, usize>,
}

impl LabelSet {
    /// The distinct labels of a training set; `file` is where they came from, and `column` the column that was named.
    ///
    /// # Errors
    /// If there are fewer than two: there is nothing to tell apart. If there are thousands that hardly ever come twice:
    /// they are ids, and there is nothing to learn.
    pub fn build<'a>(
        file: &Path,
        column: Option<&Column>,
        labels: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, DataError> {
        let mut rows = 0;
        let distinct: BTreeSet<&str> = labels.into_iter().inspect(|_| rows += 1).collect();
        if distinct.len() > FEWEST_SUSPECT_LABELS && rows < 2 * distinct.len() {
            let ids = DataError::LabelsAreIds {
                file: file.into(),
                column: column.map(Column::to_string),
                distinct: distinct.len(),
                rows,
                first: distinct.iter().take(3).map(|&name| name.to_owned()).collect(),
            };
            if distinct.len() > MOST_RARE_LABELS {
                return Err(ids);
            }
            tracing::warn!("{ids}");
        }
        let mut names: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
        match names.as_slice() {
            [] => return Err(DataError::NoExamples { file: file.into() }),
            [only] => return Err(DataError::OneClass { file: file.into(), label: only.clone() }),
            _ => {}
        }
        sort(&mut names);
        Ok(Self::of(names))
    }

    /// These labels and, behind them, the new ones among `labels`, in the order of [`LabelSet::build`]; and how many those
    /// are. No label changes its class.
    pub fn extended<'a>(&self, labels: impl IntoIterator<Item = &'a str>) -> (Self, usize) {
        let mut new: Vec<String> = labels
            .into_iter()
            .filter(|label| self.id(label).is_none())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(str::to_owned)
            .collect();
        sort(&mut new);
        let count = new.len();
        (Self::of(self.names.iter().cloned().chain(new).collect()), count)
    }

    fn of(names: Vec<String>) -> Self {
        let ids = names.iter().cloned().zip(0..).collect();
        Self { names, ids }
    }

    /// How many labels there are; at least two.
    #[expect(clippy::len_without_is_empty, reason = "a label set is never empty")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The name of class `id`.
    pub fn name(&self, id: usize) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    /// All names; the place of a name is its class.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The class of `label`, if it is known.
    pub fn id(&self, label: &str) -> Option<usize> {
        self.ids.get(label).copied()
    }

    /// The class of the label that stands at `line` of `file`.
    ///
    /// # Errors
    /// If the label is not among those trained; the message lists them.
    pub fn encode(&self, label: &str, file: &Path, line: usize) -> Result<usize, DataError> {
        self.id(label).ok_or_else(|| DataError::UnknownLabel {
            file: file.into(),
            line,
            label: label.to_owned(),
            known: self.names.clone(),
        })
    }
}

/// By value if all are integers; they are sorted by code point before.
fn sort(names: &mut [String]) {
    // "01" and "1" are equal as numbers; the stable sort keeps them in the order of their code points.
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or(i64::MAX));
    }
}

impl TryFrom<Vec<String>> for LabelSet {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let labels = Self::of(names);
        if labels.ids.len() != labels.names.len() {
            return Err("the list of labels names one of them twice".to_owned());
        }
        if labels.len() < 2 {
            return Err(format!("the list of labels has {} names, at least 2 expected", labels.len()));
        }
        Ok(labels)
    }
}

impl From<LabelSet> for Vec<String> {
    fn from(labels: LabelSet) -> Self {
        labels.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(labels: &[&str]) -> Result<LabelSet, DataError> {
        LabelSet::build(Path::new("train.csv"), None, labels.iter().copied())
    }

    #[test]
    fn labels_are_sorted_by_value_or_by_name() -> Result<(), DataError> {
        assert_eq!(built(&["b", "a", "c", "a"])?.names(), ["a", "b", "c"]);
        assert_eq!(built(&["10", "9", "-1", "9"])?.names(), ["-1", "9", "10"]);
        assert_eq!(built(&["10", "9", "x"])?.names(), ["10", "9", "x"]);
        Ok(())
    }

    #[test]
    fn one_class_only_and_unknown_labels_are_told() -> Result<(), DataError> {
        let one = built(&["a", "a"]).unwrap_err().to_string();
        assert!(one.contains("train.csv") && one.contains("\"a\""), "{one}");
        assert!(built(&[]).is_err());
        let labels = built(&["a", "b"])?;
        assert_eq!(labels.encode("b", Path::new("v.csv"), 3)?, 1);
        let unknown = labels.encode("z", Path::new("v.csv"), 3).unwrap_err().to_string();
        for part in ["v.csv", "line 3", "\"z\"", "\"a\", \"b\""] {
            assert!(unknown.contains(part), "{unknown} should name {part}");
        }
        Ok(())
    }

    #[test]
    fn thousands_of_labels_that_hardly_come_twice_are_ids() {
        let ids: Vec<String> = (0..3_000).map(|id| format!("{id:04}")).collect();
        let build = |rows: &[&String]| {
            let column = Column::Name("id".into());
            LabelSet::build(Path::new("train.csv"), Some(&column), rows.iter().map(|id| id.as_str()))
        };
        let once: Vec<&String> = ids.iter().collect();
        let refused = build(&once).unwrap_err().to_string();
        for part in ["train.csv", "column \"id\"", "3000 different", "3000 rows", "\"0000\"", "--label"] {
            assert!(refused.contains(part), "{refused} should name {part}");
        }
        assert_eq!(build(&[&once[..], &once[..]].concat()).map(|labels| labels.len()).ok(), Some(3_000));
        assert_eq!(build(&once[..800]).map(|labels| labels.len()).ok(), Some(800), "told, but not refused");
    }

    #[test]
    fn every_one_of_a_hundred_thousand_labels_is_looked_up_at_once() {
        let names: Vec<String> = (0..100_000).map(|label| format!("label {label}")).collect();
        let labels = LabelSet::try_from(names.clone()).expect("different names");
        // Compared with all before it, each of them would take minutes.
        assert!(names.iter().enumerate().all(|(class, name)| labels.id(name) == Some(class)));
    }

    #[test]
    fn new_labels_come_behind_those_that_are_there() -> Result<(), DataError> {
        let (labels, new) = built(&["b", "d"])?.extended(["d", "c", "a", "c"]);
        assert_eq!((labels.names(), new), (&["b", "d", "a", "c"].map(str::to_owned)[..], 2));
        assert_eq!((labels.id("b"), labels.id("c")), (Some(0), Some(3)));
        Ok(())
    }

    #[test]
    fn stored_labels_are_checked() {
        let labels: LabelSet = serde_json::from_str(r#"["b","a"]"#).expect("two names");
        assert_eq!((labels.id("b"), labels.id("a"), labels.name(2)), (Some(0), Some(1), None));
        assert_eq!(serde_json::to_string(&labels).expect("a list"), r#"["b","a"]"#);
        for wrong in [r#"["a","a"]"#, r#"["a"]"#, "[]"] {
            assert!(serde_json::from_str::<LabelSet>(wrong).is_err(), "{wrong}");
        }
    }
}
