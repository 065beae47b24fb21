//! One self-contained page of what a model looked at: no other file, no network, no library.
//!
//! Everything that the page shows stands in it as JSON, which is what [`Page::json`] gives as well; `page.js` draws it.

mod agreement;
#[cfg(test)]
mod tests;

use lookback_infer::input::Example;
use lookback_infer::model::View;
use serde::Serialize;

pub use self::agreement::{Agreement, rank_correlation};
use super::attribution::Attribution;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Weights of all matrices together that are kept: with more, each row of a matrix has its largest alone.
const MOST_WEIGHTS: usize = 40_000;

/// What one page shows.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// What stands above.
    pub title: String,
    /// Which model it is of.
    pub model: String,
    /// One input, or two side by side.
    pub inputs: Vec<PageInput>,
}

/// What is shown of one input.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PageInput {
    /// What a part of the input is called: token or step.
    pub unit: String,
    /// The tokens or steps.
    pub tokens: Vec<String>,
    /// The input in pieces, each with the token that it is, if it is one.
    pub pieces: Vec<(String, Option<usize>)>,
    /// Which tokens the model does not know.
    pub unknown: Vec<bool>,
    /// The answers.
    pub answers: Vec<String>,
    /// What stands below them.
    pub notes: Vec<String>,
    /// What a reader has to know first.
    pub warnings: Vec<String>,
    /// What was looked at.
    pub views: Vec<PageView>,
    /// Whether there are weights of attention among the views.
    pub attends: bool,
    /// What each token adds to the answer, where that is known.
    pub attribution: Option<PageAttribution>,
    /// How far the first view and the attribution go together.
    pub agreement: Option<Agreement>,
    /// What the answer is without each token, where that was asked.
    pub removals: Option<Vec<Removal>>,
    /// Pictures, as SVG.
    pub charts: Vec<String>,
}

/// A view, as a page has it.
#[derive(Clone, Debug, Serialize)]
pub struct PageView {
    name: String,
    rows: Vec<String>,
    columns: Vec<String>,
    /// Whether values may be below zero.
    signed: bool,
    #[serde(flatten)]
    values: Values,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Values {
    /// All of them, row by row.
    All { values: Vec<Vec<Option<f32>>> },
    /// The largest of every row, `largest`, and the columns in which they stand, `places`.
    Largest { places: Vec<Vec<usize>>, largest: Vec<Vec<f32>>, kept: usize, below: f32 },
}

/// An attribution, as a page has it.
#[derive(Clone, Debug, Serialize)]
pub struct PageAttribution {
    about: String,
    integrated: Vec<f32>,
    gradient: Vec<f32>,
    from: f64,
    to: f64,
    error: f64,
    points: usize,
}

/// The answer without a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// In a line.
    pub answer: String,
    /// Whether it is another one, whatever its probability.
    pub changed: bool,
}

impl Page {
    /// The page, to be written into a file.
    pub fn html(&self) -> String {
        // Within a script an element may be closed by nothing but its own end.
        let data = self.json().replace('<', "\\u003c");
        TEMPLATE.replacen("/*STYLE*/", STYLE, 1).replacen("/*SCRIPT*/", SCRIPT, 1).replacen("/*DATA*/", &data, 1)
    }

    /// What the page shows, as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names are strings, and numbers that are none are left out")
    }
}

impl PageInput {
    /// The tokens or steps of an example, and nothing of it yet.
    pub fn of(example: &Example) -> PageInput {
        let (_, unit) = example.unit();
        let (tokens, pieces) = match example.tokens() {
            Some((text, tokens)) => {
                let (mut pieces, mut done) = (Vec::new(), 0);
                for (place, token) in tokens.iter().enumerate() {
                    // Of tokens that share a character the first has it.
                    let start = token.start.max(done);
                    let (Some(between), Some(own)) = (text.get(done..start), text.get(start..token.end)) else {
                        continue;
                    };
                    pieces.push((between.to_owned(), None));
                    pieces.push((own.to_owned(), Some(place)));
                    done = token.end.max(done);
                }
                pieces.push((text.get(done..).unwrap_or_default().to_owned(), None));
                pieces.retain(|(piece, _)| !piece.is_empty());
                (example.written_names(), pieces)
            }
            None if example.history().is_some() => (Vec::new(), Vec::new()),
            None => {
                let numbered =
                    (0..example.len()).flat_map(|step| [((step + 1).to_string(), Some(step)), (" ".to_owned(), None)]);
                (example.names(), numbered.collect())
            }
        };
        let unknown = if tokens.is_empty() { Vec::new() } else { example.unknown() };
        PageInput { unit: unit.to_owned(), tokens, pieces, unknown, ..PageInput::default() }
    }

    /// With views, of whose weights the page has room for so many in all.
    pub fn with_views(mut self, views: &[View]) -> PageInput {
        let matrices = views.iter().filter(|view| view.rows.len() > 1).count();
        let room = MOST_WEIGHTS / matrices.max(1);
        self.views.extend(views.iter().map(|view| PageView::of(view, room)));
        self
    }

    /// With gates or states over time, of which every value is shown to three digits behind the point.
    pub fn with_states(mut self, views: &[View]) -> PageInput {
        self.views.extend(views.iter().map(|view| {
            let rounded = view.values.iter().map(|value| (value * 1000.0).round() / 1000.0).collect();
            PageView::of(&View { values: rounded, ..view.clone() }, usize::MAX)
        }));
        self
    }

    /// With an attribution, and how far it goes together with the first view that has a weight per token.
    pub fn with_attribution(mut self, found: &Attribution, views: &[View]) -> PageInput {
        let tokens = self.tokens.len();
        self.agreement =
            views.iter().find(|view| (tokens..=tokens + 1).contains(&view.columns.len())).and_then(|view| {
                let (weights, sizes) = (view.mean(), found.integrated.iter().take(tokens).map(|value| value.abs()));
                Agreement::of(&view.name, &weights[..tokens], &sizes.collect::<Vec<f32>>())
            });
        // What was cut off has no token on the page.
        let shown = |values: &[f32]| values.iter().copied().take(tokens).collect();
        self.attribution = Some(PageAttribution {
            about: found.about.clone(),
            integrated: shown(&found.integrated),
            gradient: shown(&found.gradient),
            from: found.from,
            to: found.to,
            error: found.error(),
            points: found.points,
        });
        self
    }
}

impl PageView {
    /// A view; where it has more weights than there is room, of every row the largest alone.
    fn of(view: &View, room: usize) -> PageView {
        let rows = view.rows.len();
        let all: Vec<&[f32]> = (0..rows).map(|row| view.row(row)).collect();
        let signed = view.values.iter().any(|&value| value < 0.0);
        let values = if rows <= 1 || view.values.len() <= room {
            // JSON knows no NaN.
            let known = |value: &f32| value.is_finite().then_some(*value);
            Values::All { values: all.iter().map(|row| row.iter().map(known).collect()).collect() }
        } else {
            let kept = (room / rows).clamp(1, view.columns.len());
            let mut below = 0.0f32;
            let mut largest_of = |row: &&[f32]| -> (Vec<usize>, Vec<f32>) {
                let mut order: Vec<usize> = (0..row.len()).filter(|&at| row[at].is_finite()).collect();
                order.sort_by(|&a, &b| row[b].abs().total_cmp(&row[a].abs()).then(a.cmp(&b)));
                below = order.get(kept).map_or(below, |&at| below.max(row[at].abs()));
                order.truncate(kept);
                order.sort_unstable();
                // Four digits are more than a shade tells.
                let rounded = |value: f32| format!("{value:.3e}").parse().unwrap_or(value);
                let values = order.iter().map(|&at| rounded(row[at])).collect();
                (order, values)
            };
            let (places, largest) = all.iter().map(&mut largest_of).unzip();
            Values::Largest { places, largest, kept, below }
        };
        let (name, rows, columns) = (view.name.clone(), view.rows.clone(), view.columns.clone());
        PageView { name, rows, columns, signed, values }
    }
}
