//! What a model looked at.

use serde_json::{Map, Value, json};

/// Attention, gates or gradients: a matrix with names.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What it is, for people: "pooling", "head 1", "hop 2".
    pub name: String,
    /// What each row is: the tokens that look, or one row without a name.
    pub rows: Vec<String>,
    /// What each column is: the tokens or steps that are looked at.
    pub columns: Vec<String>,
    /// `[rows, columns]`
    pub values: Vec<f32>,
}

impl View {
    /// What `looking` saw of the `columns` in the row `place.0` of a batch of `place.1` rows. values: `[B, Q, T]`, where rows
    /// and columns past the example's length are padding.
    pub(crate) fn of_batch(
        name: &str,
        looking: Vec<String>,
        columns: Vec<String>,
        values: &[f32],
        queries: usize,
        (row, rows): (usize, usize),
    ) -> View {
        let time = values.len() / queries / rows;
        let of_query = |query: usize| values[(row * queries + query) * time..][..columns.len()].to_vec();
        let values = (0..looking.len()).flat_map(of_query).collect();
        View { name: name.into(), rows: looking, columns, values }
    }

    /// Several of them by their names, as an answer has them.
    pub(crate) fn by_name<'a>(views: impl IntoIterator<Item = &'a View>) -> Map<String, Value> {
        views.into_iter().map(|view| (view.name.clone(), view.json())).collect()
    }

    /// One row of `values`, a value per column.
    pub fn row(&self, row: usize) -> &[f32] {
        let width = self.columns.len();
        self.values.get(row * width..(row + 1) * width).unwrap_or_default()
    }

    /// The mean over the rows: how much each column was looked at, where rows are weights that sum to 1. `[columns]`
    pub fn mean(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.columns.len()];
        for row in 0..self.rows.len() {
            for (mean, value) in mean.iter_mut().zip(self.row(row)) {
                *mean += value / self.rows.len() as f32;
            }
        }
        mean
    }

    /// The rows, each a list of numbers.
    pub fn json(&self) -> Value {
        (0..self.rows.len()).map(|row| json!(self.row(row))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_their_mean_are_told_apart() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let view = View {
            name: "head 1".into(),
            rows: names(&["a", "b"]),
            columns: names(&["x", "y", "z"]),
            values: vec![0.5, 0.5, 0.0, 0.0, 0.5, 0.5],
        };
        assert_eq!(view.row(1), [0.0, 0.5, 0.5]);
        assert!(view.row(2).is_empty());
        assert_eq!(view.mean(), [0.25, 0.5, 0.25]);
        assert_eq!(view.json().to_string(), "[[0.5,0.5,0.0],[0.0,0.5,0.5]]");
    }
}
