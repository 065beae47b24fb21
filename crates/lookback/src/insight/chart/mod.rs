//! Numbers over time as a picture, in SVG or in characters: what is known, what is forecast, and the intervals.

mod axis;
mod characters;
mod svg;

pub use self::characters::characters;
pub use self::svg::svg;
use super::terminal;

/// What the line of known values is called.
const KNOWN: &str = "known";
/// What that of forecasts is called.
const FORECAST: &str = "forecast";

/// Runs of steps at which a line goes on without a gap, each with its first step. values: `[T]`, NaN in a gap.
fn runs(values: &[f32]) -> Vec<(usize, &[f32])> {
    let mut first = 0;
    let mut runs = Vec::new();
    for run in values.split(|value| value.is_nan()) {
        if !run.is_empty() {
            runs.push((first, run));
        }
        first += run.len() + 1;
    }
    runs
}

/// A text that takes `most` columns of a terminal at most, its end cut off.
fn cut(text: &str, most: usize) -> String {
    let text = terminal::printable(text);
    if terminal::width(&text) <= most {
        return text;
    }
    let (mut short, mut taken) = (String::new(), 1);
    for c in text.chars() {
        taken += terminal::width(c.encode_utf8(&mut [0; 4]));
        if taken > most {
            break;
        }
        short.push(c);
    }
    short + "…"
}

/// A share in percent, as people write it.
fn percent(level: f64) -> String {
    format!("{level} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_a_value_is_missing() {
        let nan = f32::NAN;
        let values = [nan, 1.0, 2.0, nan, nan, 3.0];
        assert_eq!(runs(&values), [(1, &[1.0f32, 2.0] as &[f32]), (5, &[3.0])]);
        assert!(runs(&[]).is_empty() && runs(&[nan]).is_empty());
    }

    #[test]
    fn a_long_name_is_cut_by_columns() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("北京上海", 6), "北京…");
        assert_eq!(cut("a\x1b[2J", 40), "a\\u{1b}[2J");
    }
}
