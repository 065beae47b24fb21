//! Charts of forecasts: as SVG in a file, or as text for the terminal.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lookback_infer::model::Chart;
use lookback_infer::model_file::{check_writable, write_text};

use crate::cli::UsageError;
use crate::cli::explain::Color;
use crate::insight::{chart, terminal};

/// Panels of a picture at most.
pub(super) const MOST_PANELS: usize = 12;

/// Charts on their way into a picture.
pub(super) struct Charts {
    /// Nothing for the terminal.
    file: Option<PathBuf>,
    colour: bool,
    /// With the line of the input.
    panels: Vec<(usize, Chart)>,
    /// Whether there were more.
    left_out: bool,
}

impl Charts {
    /// Charts that go to `place`, a file or - for the terminal.
    ///
    /// # Errors
    /// If it is no SVG file, or cannot be written.
    pub(super) fn new(place: &Path) -> Result<Charts, UsageError> {
        let file = (place != Path::new("-")).then(|| place.to_owned());
        if let Some(file) = &file {
            if !file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(OsStr::new("svg"))) {
                let problem = "a name that ends with .svg was expected, or - for the terminal";
                return Err(UsageError(format!("--chart: {}: {problem}", file.display())));
            }
            check_writable(file).map_err(|error| UsageError(format!("--chart: {error}")))?;
        }
        Ok(Charts { file, colour: Color::Auto.wanted(), panels: Vec::new(), left_out: false })
    }

    /// Whether they stand in place of the answers.
    pub(super) fn are_for_the_terminal(&self) -> bool {
        self.file.is_none()
    }

    /// Whether there is no room for more.
    pub(super) fn are_full(&self) -> bool {
        self.left_out
    }

    /// Takes those of an answer, which stand together or not at all.
    pub(super) fn take(&mut self, line: usize, charts: Vec<Chart>) {
        let fit = self.panels.is_empty() || self.panels.len() + charts.len() <= MOST_PANELS;
        if self.left_out || !fit {
            self.left_out = true;
            return;
        }
        self.left_out = charts.len() > MOST_PANELS;
        self.panels.extend(charts.into_iter().take(MOST_PANELS).map(|chart| (line, chart)));
    }

    /// Draws them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        if self.left_out {
            tracing::warn!("the chart shows the first {} series or targets; --series ID says which", self.panels.len());
        }
        let charts = told_apart(self.panels);
        match &self.file {
            _ if charts.is_empty() => tracing::warn!("there is nothing to draw, and no chart was written"),
            None => crate::cli::print_as_it_is(&chart::characters(&charts, terminal::columns(), self.colour))?,
            Some(file) => write_text(file, &chart::svg(&charts)?)?,
        }
        Ok(())
    }
}

/// With the lines of their inputs in the titles, where these are the same.
fn told_apart(panels: Vec<(usize, Chart)>) -> Vec<Chart> {
    let titles: Vec<String> = panels.iter().map(|(_, chart)| chart.title.clone()).collect();
    let of_panel = |(place, (line, mut chart)): (usize, (usize, Chart))| {
        let others = titles.iter().enumerate();
        if others.into_iter().any(|(other, title)| other != place && *title == chart.title) {
            chart.title = format!("{}{}line {line}", chart.title, if chart.title.is_empty() { "" } else { ", " });
        }
        chart
    };
    panels.into_iter().enumerate().map(of_panel).collect()
}
