//! The classes of a task.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// The labels a classifier knows, in a fixed order: by value if all are integers, else by code point.
///
/// It is stored as the list of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct LabelSet {
    names: Vec<String>,
}

impl LabelSet {
    /// The distinct labels of a training set; `file` is where they came from.
    ///
    /// # Errors
    /// If there are fewer than two: there is nothing to tell apart.
    pub fn build<'a>(file: &Path, labels: impl IntoIterator<Item = &'a str>) -> Result<Self, DataError> {
        let distinct: BTreeSet<&str> = labels.into_iter().collect();
        let mut names: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
        match names.as_slice() {
            [] => return Err(DataError::NoExamples { file: file.into() }),
            [only] => return Err(DataError::OneClass { file: file.into(), label: only.clone() }),
            _ => {}
        }
        // "01" and "1" are equal as numbers; the stable sort keeps them in the order of their code points.
        if names.iter().all(|name| name.parse::<i64>().is_ok()) {
            names.sort_by_key(|name| name.parse::<i64>().unwrap_or(i64::MAX));
        }
        Ok(Self { names })
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
        self.names.iter().position(|name| name == label)
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

impl TryFrom<Vec<String>> for LabelSet {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let distinct: BTreeSet<&String> = names.iter().collect();
        if distinct.len() != names.len() {
            return Err("the list of labels names one of them twice".to_owned());
        }
        if names.len() < 2 {
            return Err(format!("the list of labels has {} names, at least 2 expected", names.len()));
        }
        Ok(Self { names })
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
        LabelSet::build(Path::new("train.csv"), labels.iter().copied())
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
    fn stored_labels_are_checked() {
        let labels: LabelSet = serde_json::from_str(r#"["b","a"]"#).expect("two names");
        assert_eq!((labels.id("b"), labels.id("a"), labels.name(2)), (Some(0), Some(1), None));
        assert_eq!(serde_json::to_string(&labels).expect("a list"), r#"["b","a"]"#);
        for wrong in [r#"["a","a"]"#, r#"["a"]"#, "[]"] {
            assert!(serde_json::from_str::<LabelSet>(wrong).is_err(), "{wrong}");
        }
    }
}
