//! Shaded tokens, tables and confusion matrices for a terminal.

use std::fmt::Write as _;

use lookback_infer::input::Token;
use lookback_infer::model::View;

/// A token with the place it has in its text and the weight the model gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// The token as the model knows it.
    pub token: String,
    /// Its first byte in the text.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// Its share of the attention.
    pub weight: f32,
}

/// Backgrounds from no attention to most of it, in the 256 colours that every terminal has.
const SHADES: [u8; 6] = [255, 224, 217, 210, 203, 196];

/// The text with every token on a background as strong as its weight against the largest; ANSI colours.
pub fn shade(text: &str, tokens: &[Weighted]) -> String {
    let largest = tokens.iter().map(|token| token.weight).fold(0.0, f32::max);
    let mut shaded = String::new();
    let mut done = 0;
    for token in tokens {
        // Of tokens that share a character the first has it.
        let start = token.start.max(done);
        let (Some(between), Some(covered)) = (text.get(done..start), text.get(start..token.end)) else {
            continue;
        };
        if covered.is_empty() {
            continue;
        }
        shaded.push_str(&printable(between));
        let share = if largest > 0.0 { token.weight / largest } else { 0.0 };
        let shade = SHADES[((share * (SHADES.len() - 1) as f32).round() as usize).min(SHADES.len() - 1)];
        let _ = write!(shaded, "\x1b[38;5;16;48;5;{shade}m{}\x1b[0m", printable(covered));
        done = token.end;
    }
    shaded.push_str(&printable(text.get(done..).unwrap_or_default()));
    shaded
}

/// One line per token: its weight, a bar, the token.
pub fn weight_table(tokens: &[Weighted]) -> String {
    let largest = tokens.iter().map(|token| token.weight).fold(0.0, f32::max);
    let mut table = String::new();
    for token in tokens {
        let share = if largest > 0.0 { token.weight / largest } else { 0.0 };
        let bar = "█".repeat((share * 20.0).round() as usize);
        let _ = writeln!(table, "{:7.4}  {bar:<20}  {}", token.weight, printable(&token.token));
    }
    table
}

/// The text once per view, every token on a background as strong as the mean weight that it was looked at with.
pub fn shaded_views(text: &str, tokens: &[Token<'_>], views: &[View]) -> String {
    let mut shaded = String::new();
    for (place, view) in views.iter().enumerate() {
        let weighted: Vec<Weighted> = tokens
            .iter()
            .zip(view.mean())
            .map(|(token, weight)| Weighted {
                token: token.text.to_string(),
                start: token.start,
                end: token.end,
                weight,
            })
            .collect();
        let name = if place == 0 && view.rows.len() == 1 { String::new() } else { format!("  ({})", view.name) };
        let _ = writeln!(shaded, "{}{name}", shade(text, &weighted));
    }
    shaded
}

/// Shades of a cell in which nothing, little and all was looked at.
const BLOCKS: [char; 5] = [' ', '\u{2591}', '\u{2592}', '\u{2593}', '\u{2588}'];
/// A source that is wider has no blocks.
const WIDEST: usize = 110;
/// How many of the weights of a row are told in numbers.
const TOLD: usize = 2;

/// What every row of a view looked at, where rows and columns are different texts: blocks under the columns, the fuller the more,
/// and the largest weights in numbers.
pub fn alignment(view: &View) -> String {
    let columns: Vec<String> = view.columns.iter().map(|column| printable(column)).collect();
    let apart = if columns.iter().all(|column| width(column) <= 1) { "" } else { " " };
    let head = columns.join(apart);
    let has_blocks = width(&head) <= WIDEST;
    let widest = view.rows.iter().map(|row| width(&printable(row))).max().unwrap_or(0);
    let mut shown = String::new();
    if has_blocks {
        let _ = writeln!(shown, "{}  {head}", " ".repeat(widest));
    }
    for (place, name) in view.rows.iter().enumerate() {
        let (name, weights) = (printable(name), view.row(place));
        let space = " ".repeat(widest - width(&name));
        let _ = write!(shown, "{name}{space}  ");
        if has_blocks {
            let block = |(column, weight): (&String, &f32)| {
                let shade = (weight * (BLOCKS.len() - 1) as f32).ceil() as usize;
                // What is next to nothing leaves no mark.
                let shade = if *weight < 0.05 { 0 } else { shade.min(BLOCKS.len() - 1) };
                BLOCKS[shade].to_string().repeat(width(column))
            };
            let blocks: Vec<String> = columns.iter().zip(weights).map(block).collect();
            let _ = write!(shown, "{}  ", blocks.join(apart));
        }
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        let told: Vec<String> =
            order.iter().take(TOLD).map(|&column| format!("{} {:.2}", columns[column], weights[column])).collect();
        let _ = writeln!(shown, "{}", told.join(", "));
    }
    shown
}

/// Every column of the views and the mean weight that it was looked at with: as bars where there is one view, else the
/// views side by side.
pub fn view_table(views: &[View]) -> String {
    let Some(first) = views.first() else { return String::new() };
    if let [view] = views
        && view.rows.len() == 1
    {
        let bar = |(name, weight): (&String, f32)| Weighted { token: name.clone(), start: 0, end: 0, weight };
        return weight_table(&view.columns.iter().zip(view.mean()).map(bar).collect::<Vec<_>>());
    }
    let header: Vec<String> =
        std::iter::once("token".to_owned()).chain(views.iter().map(|view| view.name.clone())).collect();
    let means: Vec<Vec<f32>> = views.iter().map(View::mean).collect();
    let row = |(place, name): (usize, &String)| {
        let shares = means.iter().map(|mean| format!("{:.4}", mean.get(place).copied().unwrap_or(0.0)));
        std::iter::once(name.clone()).chain(shares).collect()
    };
    table(&header, &first.columns.iter().enumerate().map(row).collect::<Vec<_>>())
}

/// How something changes with every value that was read: a line per time, a column per name; nothing where a value is missing.
pub fn gradients(view: &View) -> String {
    let header: Vec<String> = std::iter::once("time".to_owned()).chain(view.rows.iter().cloned()).collect();
    let cell = |row: usize, place: usize| match view.row(row).get(place) {
        Some(value) if !value.is_nan() => match value.abs() {
            0.0 => "0".into(),
            size if (1e-3..1e6).contains(&size) => format!("{value:.4}"),
            _ => format!("{value:.3e}"),
        },
        _ => String::new(),
    };
    let row = |(place, time): (usize, &String)| {
        std::iter::once(time.clone()).chain((0..view.rows.len()).map(|row| cell(row, place))).collect()
    };
    let rows: Vec<Vec<String>> = view.columns.iter().enumerate().map(row).collect();
    format!("\nGradient of {}, by what was read:\n{}", printable(&view.name), table(&header, &rows))
}

/// A table with its columns lined up: the first to the left, the others to the right.
pub fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|cell| printable(cell)).collect();
    let rows = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect());
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let mut widths = vec![0; rows[0].len()];
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let mut lines = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let space = " ".repeat(widths[column] - width(cell));
            if column == 0 {
                let _ = write!(line, "{cell}{space}");
            } else {
                let _ = write!(line, "  {space}{cell}");
            }
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// Characters that could drive the terminal are escaped: `\u{1b}`, `\n`, `\u{202e}`.
pub fn printable(text: &str) -> String {
    escaped(text, |_| false, |c| c.escape_default().to_string())
}

/// As [`printable`], for text of several lines and with tabs.
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'), |c| c.escape_default().to_string())
}

/// JSON whose strings hold no control character; between strings there is none but line ends.
pub fn printable_json(text: &str) -> String {
    escaped(text, |c| c == '\n', |c| format!("\\u{:04x}", u32::from(c)))
}

fn escaped(text: &str, kept: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> String {
    // Most text is plain, and what is written may be long.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if drives_terminal(c) && !kept(c) {
            escaped.push_str(&escape(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Control characters, and those that turn the direction of what follows in the line.
pub(crate) fn drives_terminal(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Where nobody says how wide a terminal is, and where there is none.
const USUAL: usize = 80;
/// The widest that is drawn for one.
const MOST: usize = 160;

/// How many columns the terminal at the standard output has for something drawn.
pub(crate) fn columns() -> usize {
    let found = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    // The last column is left free: some terminals go to the next line with it.
    found.filter(|columns| *columns > 0).map_or(USUAL, |columns| columns - 1).min(MOST)
}

/// Columns on a terminal: East Asian wide characters take two.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// The blocks that Unicode's EastAsianWidth.txt marks W or F and that labels are written in.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Vec<Weighted> {
        let token = |token: &str, start, end, weight| Weighted { token: token.into(), start, end, weight };
        vec![token("who", 0, 3, 0.8), token("am", 4, 6, 0.2)]
    }

    #[test]
    fn shading_keeps_the_text_and_marks_the_heaviest_token_strongest() {
        let shaded = shade("Who am I", &tokens());
        assert!(shaded.contains("48;5;196mWho"), "{shaded:?}");
        assert!(shaded.contains("48;5;224mam"), "{shaded:?}");
        assert!(shaded.ends_with(" I"), "{shaded:?}");
    }

    #[test]
    fn escape_sequences_in_a_text_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\u{9b}\n"), "a\\u{1b}[2Jb\\u{9b}\\n");
        assert_eq!(printable("a\u{202e}b\u{5d0}"), "a\\u{202e}b\u{5d0}");
        assert_eq!(printable_lines("a\x07\n\tb\n"), "a\\u{7}\n\tb\n");
        assert_eq!(printable_json("{\"a\u{9b}\":\n1}"), "{\"a\\u009b\":\n1}");
        assert_eq!(
            table(&["a\x1bb".into(), "n".into()], &[vec!["c".into(), "1".into()]]),
            "a\\u{1b}b  n\nc         1\n"
        );
    }

    #[test]
    fn wide_labels_line_up() {
        let cells = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let header = cells(["right \\ answer", "好", "bad"]);
        let lines = table(&header, &[cells(["好", "10", "2"]), cells(["bad", "3", "4"])]);
        assert_eq!(lines, "right \\ answer  好  bad\n好              10    2\nbad              3    4\n");
    }
}
