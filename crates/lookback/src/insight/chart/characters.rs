//! Charts in characters: lines of braille dots, four to a row and two to a column, over blocks for the intervals.

use std::fmt::Write as _;

use lookback_infer::model::Chart;

use super::axis::Axis;
use super::{FORECAST, KNOWN, cut, percent, runs};
use crate::insight::terminal;

/// Rows of a panel, about: as many as make every tick fall on one.
const ROWS: usize = 12;
/// Parts between the ticks of an axis of values, about.
const PARTS: usize = 4;
/// The narrowest that a chart is drawn.
const NARROWEST: usize = 40;
/// Dots of a character.
const ACROSS: usize = 2;
const DOWN: usize = 4;
/// What an interval is filled with, the widest first.
const SHADES: [char; 3] = ['\u{2591}', '\u{2592}', '\u{2593}'];
/// A line in the legend, and what stands between its entries.
const LINE: &str = "⠤⠒";
const APART: &str = "   ";
/// Where forecasts begin.
const BEGINS: char = '┊';
/// Colours of forecasts and of their intervals.
const BLUE: &str = "\x1b[36m";
const PALE: &str = "\x1b[2;36m";
const PLAIN: &str = "\x1b[0m";

/// What one character of the plot shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    /// The braille dots of lines.
    dots: u8,
    /// Whether one of them is of a forecast.
    forecast: bool,
    /// The narrowest interval there, counted from 1, the widest; 0 for none.
    interval: usize,
    /// Whether forecasts begin there.
    begins: bool,
}

/// Draws charts, a panel each, one below another, `width` columns wide; with or without colours.
pub fn characters(charts: &[Chart], width: usize, colour: bool) -> String {
    let mut text = String::new();
    let axes: Vec<Axis> = charts.iter().map(|chart| Axis::of(chart.values(), PARTS)).collect();
    // As much room in all panels, so that the same times stand below each other.
    let gutter = axes.iter().flat_map(|axis| &axis.labels).map(String::len).max().unwrap_or(1);
    for (chart, axis) in charts.iter().zip(&axes) {
        panel((chart, axis), (width.max(NARROWEST), gutter), colour, &mut text);
        text.push('\n');
    }
    text.push_str(&legend(charts, width.max(NARROWEST), colour));
    text
}

/// What lines and shades mean.
fn legend(charts: &[Chart], width: usize, colour: bool) -> String {
    let has =
        |values: fn(&Chart) -> &Vec<f32>| charts.iter().any(|chart| values(chart).iter().any(|value| !value.is_nan()));
    let mut entries = Vec::new();
    if has(|chart| &chart.known) {
        entries.push(("", LINE.to_owned(), KNOWN.to_owned()));
    }
    if has(|chart| &chart.forecast) {
        let behind = charts.iter().any(|chart| chart.begins().is_some());
        let where_it_is = if behind { format!(" (right of {BEGINS})") } else { String::new() };
        entries.push((BLUE, LINE.to_owned(), format!("{FORECAST}{where_it_is}")));
    }
    let intervals = charts.iter().map(|chart| &chart.intervals).max_by_key(|intervals| intervals.len());
    for (interval, shade) in intervals.into_iter().flatten().zip(SHADES) {
        let shades: String = [shade, shade].iter().collect();
        entries.push((PALE, shades, percent(interval.level)));
    }
    let (mut text, mut taken) = (String::new(), 0);
    for (paint, sign, name) in entries {
        let own = terminal::width(&sign) + 1 + terminal::width(&name);
        match taken {
            0 => {}
            _ if taken + APART.len() + own > width => {
                text.push('\n');
                taken = 0;
            }
            _ => {
                text.push_str(APART);
                taken += APART.len();
            }
        }
        taken += own;
        let sign = if colour && !paint.is_empty() { format!("{paint}{sign}{PLAIN}") } else { sign };
        let _ = write!(text, "{sign} {name}");
    }
    text.push('\n');
    text
}

/// A panel, with so many columns in all and for the labels of values.
fn panel((chart, axis): (&Chart, &Axis), (width, gutter): (usize, usize), colour: bool, text: &mut String) {
    let parts = axis.labels.len().saturating_sub(1).max(1);
    let every = ((ROWS as f64 / parts as f64).round() as usize).max(1);
    let columns = width.saturating_sub(gutter + 2).max(1);
    let plot = Plot { axis, columns, rows: parts * every + 1, steps: chart.times.len() };
    let title = cut(&chart.title, columns);
    if !title.is_empty() {
        let _ = writeln!(text, "{:gutter$}  {title}", "");
    }
    let cells = plot.cells(chart);
    for (row, cells) in cells.chunks(columns).enumerate() {
        let tick = (row % every == 0).then(|| axis.labels.get(parts - row / every)).flatten();
        let label = tick.map_or("", String::as_str);
        let edge = if tick.is_some() { '┤' } else { '│' };
        let _ = writeln!(text, "{label:>gutter$} {edge}{}", painted(cells, colour));
    }
    let (line, names) = plot.times(chart);
    let _ = writeln!(text, "{:gutter$} └{line}\n{:gutter$}  {names}", "", "");
}

/// Where the lines of a panel are drawn.
struct Plot<'a> {
    axis: &'a Axis,
    columns: usize,
    rows: usize,
    steps: usize,
}

impl Plot<'_> {
    /// The dot of a step, counted from the left, in parts.
    fn across(&self, step: f64) -> f64 {
        let dots = (ACROSS * self.columns - 1) as f64;
        if self.steps > 1 { step / (self.steps - 1) as f64 * dots } else { 0.5 * dots }
    }

    /// The dot of a value, counted from above, in parts. A tick is in the middle of its row.
    fn down(&self, value: f64) -> f64 {
        self.axis.depth(value) * (DOWN * (self.rows - 1)) as f64 + 0.5 * (DOWN - 1) as f64
    }

    /// All characters of the plot, row by row.
    fn cells(&self, chart: &Chart) -> Vec<Cell> {
        let mut cells = vec![Cell::default(); self.columns * self.rows];
        for (place, interval) in chart.intervals.iter().enumerate() {
            for (first, lower) in runs(&interval.lower) {
                let upper = &interval.upper[first..first + lower.len()];
                self.fill(&mut cells, first, (lower, upper), place + 1);
            }
        }
        for (values, forecast) in [(&chart.known, false), (&chart.forecast, true)] {
            for (first, run) in runs(values) {
                self.draw(&mut cells, first, run, forecast);
            }
        }
        if let Some(step) = chart.begins() {
            let column = (self.across(step as f64 - 0.5) / ACROSS as f64) as usize;
            cells
                .iter_mut()
                .skip(column.min(self.columns - 1))
                .step_by(self.columns)
                .for_each(|cell| cell.begins = true);
        }
        cells
    }

    /// Marks what lies between the bounds of an interval.
    fn fill(&self, cells: &mut [Cell], first: usize, (lower, upper): (&[f32], &[f32]), interval: usize) {
        // A bound between two steps is on the line between theirs.
        let between = |bounds: &[f32], step: f64| {
            let place = (step - first as f64).clamp(0.0, (bounds.len() - 1) as f64);
            let (before, part) = (place as usize, place.fract());
            let after = bounds[(before + 1).min(bounds.len() - 1)];
            f64::from(bounds[before]) * (1.0 - part) + f64::from(after) * part
        };
        let last = first + lower.len() - 1;
        let ends = [first, last].map(|step| (self.across(step as f64) / ACROSS as f64) as usize);
        for column in ends[0]..=ends[1].min(self.columns - 1) {
            let dot = (ACROSS * column) as f64 + 0.5 * (ACROSS - 1) as f64;
            let step = dot / (ACROSS * self.columns - 1) as f64 * self.steps.saturating_sub(1) as f64;
            let row = |bounds: &[f32]| self.down(between(bounds, step)) / DOWN as f64 - 0.5;
            let (top, bottom) = (row(upper).round().max(0.0) as usize, row(lower).round().max(0.0) as usize);
            for row in top..=bottom.min(self.rows - 1) {
                cells[row * self.columns + column].interval = interval;
            }
        }
    }

    /// Sets the dots of a line from step to step.
    fn draw(&self, cells: &mut [Cell], first: usize, values: &[f32], forecast: bool) {
        let place = |step: usize| (self.across((first + step) as f64), self.down(values[step].into()));
        for step in 0..values.len() {
            let (from, to) = (place(step), place((step + 1).min(values.len() - 1)));
            let dots = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0) as usize;
            for dot in 0..=dots {
                let part = dot as f64 / dots as f64;
                let at = |from: f64, to: f64| (from + (to - from) * part).round().max(0.0) as usize;
                self.dot(cells, (at(from.0, to.0), at(from.1, to.1)), forecast);
            }
        }
    }

    fn dot(&self, cells: &mut [Cell], (x, y): (usize, usize), forecast: bool) {
        /// The bit of every dot of a braille character, row by row.
        const BITS: [[u8; ACROSS]; DOWN] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (column, row) = ((x / ACROSS).min(self.columns - 1), (y / DOWN).min(self.rows - 1));
        let cell = &mut cells[row * self.columns + column];
        cell.dots |= BITS[y % DOWN][x % ACROSS];
        cell.forecast |= forecast;
    }

    /// The axis of time: its line with a mark at every step that has a name, and the names below.
    fn times(&self, chart: &Chart) -> (String, String) {
        let names: Vec<String> = chart.times.iter().map(|time| terminal::printable(time)).collect();
        let widest = names.iter().map(|name| terminal::width(name)).max().unwrap_or(1);
        let most = (self.columns / (widest + 2)).max(2);
        let (mut line, mut below, mut end) = (vec!['─'; self.columns], String::new(), 0);
        for step in chart.frequency.marks(chart.start, self.steps, most) {
            let column = (self.across(step as f64) / ACROSS as f64) as usize;
            let own = terminal::width(&names[step]);
            let start = column.saturating_sub(own / 2).min(self.columns.saturating_sub(own));
            // Names that would touch are left out.
            if end > 0 && start < end + 2 {
                continue;
            }
            line[column.min(self.columns - 1)] = '┬';
            below.push_str(&" ".repeat(start - end));
            below.push_str(&names[step]);
            end = start + own;
        }
        (line.into_iter().collect(), below)
    }
}

/// The characters of a row, without blanks at its end.
fn painted(cells: &[Cell], colour: bool) -> String {
    let (mut text, mut paint) = (String::new(), "");
    let end = cells.iter().rposition(|cell| *cell != Cell::default()).map_or(0, |last| last + 1);
    for cell in &cells[..end] {
        let (shown, own) = match cell {
            Cell { dots: 1.., .. } => {
                let braille = char::from_u32(0x2800 + u32::from(cell.dots)).unwrap_or(' ');
                (braille, if cell.forecast { BLUE } else { "" })
            }
            Cell { interval: 1.., .. } => (SHADES[(cell.interval - 1).min(SHADES.len() - 1)], PALE),
            Cell { begins: true, .. } => (BEGINS, ""),
            _ => (' ', ""),
        };
        if colour && own != paint {
            text.push_str(if own.is_empty() || !paint.is_empty() { PLAIN } else { "" });
            text.push_str(own);
            paint = own;
        }
        text.push(shown);
    }
    if !paint.is_empty() {
        text.push_str(PLAIN);
    }
    text
}

#[cfg(test)]
mod tests {
    use lookback_infer::data::history::{Frequency, Moment};
    use lookback_infer::model::ChartInterval;

    use super::*;

    fn chart(known: &[f32], forecast: &[f32]) -> Chart {
        let nan = |count: usize| vec![f32::NAN; count];
        let steps = known.len() + forecast.len();
        let moved = |by: f32| -> Vec<f32> {
            nan(known.len()).into_iter().chain(forecast.iter().map(|value| value + by)).collect()
        };
        Chart {
            title: "a".into(),
            start: Moment::Number(0.0),
            frequency: Frequency::Number(1.0),
            times: (0..steps).map(|step| step.to_string()).collect(),
            known: [known, &nan(forecast.len())].concat(),
            forecast: moved(0.0),
            intervals: vec![ChartInterval { level: 80.0, lower: moved(-1.0), upper: moved(1.0) }],
        }
    }

    #[test]
    fn lines_intervals_and_times_are_drawn() {
        let drawn = characters(&[chart(&[0.0, 1.0, 2.0], &[3.0, 4.0])], 40, false);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[0], "   a");
        assert!(lines[1].starts_with("6 ┤") || lines[1].starts_with("5 ┤"), "{drawn}");
        assert!(drawn.contains(SHADES[0]) && drawn.contains(BEGINS), "{drawn}");
        assert!(drawn.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{drawn}");
        assert!(lines.iter().any(|line| line.split_whitespace().eq(["0", "1", "2", "3", "4"])), "{drawn}");
        assert!(lines.iter().all(|line| terminal::width(line) <= 40), "{drawn}");
        assert!(drawn.ends_with("80 %\n") && !drawn.contains('\x1b'), "{drawn}");
        assert!(characters(&[chart(&[0.0, 1.0], &[3.0])], 40, true).contains(BLUE));
    }

    #[test]
    fn whatever_is_drawn_stays_within_its_width() {
        let nan = f32::NAN;
        for (known, forecast) in [
            (vec![5.0], vec![]),
            (vec![nan, nan], vec![1.0]),
            (vec![], vec![1.0]),
            (vec![f32::MAX, -f32::MAX, 0.0], vec![f32::MAX]),
            (vec![1.0, nan, 2.0, nan], vec![nan, 1.0]),
            (vec![0.0; 500], vec![1e-30; 500]),
        ] {
            for width in [0, 40, 81, 200] {
                let drawn = characters(&[chart(&known, &forecast)], width, false);
                assert!(drawn.lines().all(|line| terminal::width(line) <= width.max(NARROWEST)), "{drawn}");
            }
        }
    }
}
