//! Charts as SVG, one panel below another, in two columns where there are many.

use anyhow::Context as _;
use lookback_infer::model::Chart;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::{FORECAST, KNOWN, cut, percent, runs};
use crate::insight::terminal;

/// Where things are drawn, in pixels.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A place of it.
type Place = (i32, i32);

/// Panels that stand in one column at most.
const ONE_COLUMN: usize = 3;
/// A panel's width and height, where there is one column and where there are two.
const SIZES: [Place; 2] = [(960, 320), (720, 280)];
/// The height of what stands above all panels.
const HEAD: i32 = 34;
/// Around the plot of a panel: above it, to the right and below.
const ABOVE: i32 = 32;
const RIGHT: i32 = 28;
const BELOW: i32 = 30;
/// What a character is wide, about: there are no fonts to measure it by.
const WIDE: i32 = 7;
const FONT: i32 = 12;
/// Parts between the ticks of an axis of values, about.
const PARTS: usize = 5;

const INK: RGBColor = RGBColor(38, 42, 48);
const FAINT: RGBColor = RGBColor(100, 106, 114);
const GRID: RGBColor = RGBColor(226, 229, 233);
const BLUE: RGBColor = RGBColor(20, 100, 190);
/// How much of an interval is seen; a narrower one lies on a wider and is darker.
const SHADE: f64 = 0.18;

/// Draws charts, a panel each.
///
/// # Errors
/// If the crate that draws them refuses, which it does not of what it is given.
pub fn svg(charts: &[Chart]) -> anyhow::Result<String> {
    let columns = if charts.len() > ONE_COLUMN { 2 } else { 1 };
    let (width, height) = SIZES[columns - 1];
    let rows = charts.len().div_ceil(columns);
    let size = ((columns as i32 * width) as u32, (HEAD + rows as i32 * height) as u32);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let pen = Pen { area: &area };
        pen.picture(charts, columns, (width, height)).context("the chart cannot be drawn")?;
        area.present().context("the chart cannot be drawn")?;
    }
    Ok(text)
}

struct Pen<'a, 'b> {
    area: &'a Area<'b>,
}

impl Pen<'_, '_> {
    fn picture(&self, charts: &[Chart], columns: usize, (width, height): Place) -> anyhow::Result<()> {
        self.area.fill(&WHITE)?;
        self.legend(charts)?;
        let axes: Vec<Axis> = charts.iter().map(|chart| Axis::of(chart.values(), PARTS)).collect();
        // As much room in all panels, so that the same times stand below each other.
        let widest = axes.iter().flat_map(|axis| &axis.labels).map(String::len).max().unwrap_or(1) as i32;
        for (place, (chart, axis)) in charts.iter().zip(&axes).enumerate() {
            let corner = ((place % columns) as i32 * width, HEAD + (place / columns) as i32 * height);
            self.panel((chart, axis), corner, (width, height), 20 + WIDE * widest)?;
        }
        Ok(())
    }

    /// What lines and shades mean, above all panels.
    fn legend(&self, charts: &[Chart]) -> anyhow::Result<()> {
        let has = |values: fn(&Chart) -> &Vec<f32>| {
            charts.iter().any(|chart| values(chart).iter().any(|value| !value.is_nan()))
        };
        let (mut x, y) = (20, HEAD / 2);
        let lines = [(has(|chart| &chart.known), INK, KNOWN), (has(|chart| &chart.forecast), BLUE, FORECAST)];
        for (_, colour, name) in lines.into_iter().filter(|(there, ..)| *there) {
            self.line(vec![(x, y), (x + 24, y)], colour, 2)?;
            x = self.name(name, (x + 30, y))?;
        }
        let intervals = charts.iter().map(|chart| &chart.intervals).max_by_key(|intervals| intervals.len());
        for (place, interval) in intervals.into_iter().flatten().enumerate() {
            // As dark as it is where wider ones lie below.
            for _ in 0..=place {
                let corners = [(x, y - 7), (x + 24, y + 7)];
                self.area.draw(&Rectangle::new(corners, BLUE.mix(SHADE).filled()))?;
            }
            x = self.name(&percent(interval.level), (x + 30, y))?;
        }
        Ok(())
    }

    /// A name in the legend, and where the next entry begins.
    fn name(&self, name: &str, place: Place) -> anyhow::Result<i32> {
        self.text(name, place, (HPos::Left, VPos::Center), INK)?;
        Ok(place.0 + WIDE * name.len() as i32 + 22)
    }

    /// A panel whose plot begins `margin` from the left.
    fn panel(
        &self,
        (chart, axis): (&Chart, &Axis),
        (left, top): Place,
        (width, height): Place,
        margin: i32,
    ) -> anyhow::Result<()> {
        let plot = Plot {
            left: left + margin,
            right: left + width - RIGHT,
            top: top + ABOVE,
            bottom: top + height - BELOW,
            steps: chart.times.len(),
            axis,
        };
        let title = cut(&chart.title, ((plot.right - plot.left) / WIDE) as usize);
        self.text(&title, (plot.left, top + ABOVE / 2), (HPos::Left, VPos::Center), INK)?;
        self.values_axis(&plot)?;
        self.time_axis(chart, &plot)?;
        for interval in &chart.intervals {
            for (first, lower) in runs(&interval.lower) {
                self.shade(chart, &plot, first, lower, &interval.upper[first..first + lower.len()])?;
            }
        }
        for (first, known) in runs(&chart.known) {
            self.run(&plot, first, known, INK)?;
        }
        for (first, forecast) in runs(&chart.forecast) {
            match last_known(chart, first) {
                Some(value) => self.run(&plot, first - 1, &[&[value], forecast].concat(), BLUE)?,
                None => self.run(&plot, first, forecast, BLUE)?,
            }
        }
        Ok(())
    }

    fn values_axis(&self, plot: &Plot<'_>) -> anyhow::Result<()> {
        let parts = plot.axis.labels.len().saturating_sub(1).max(1) as i32;
        for (tick, label) in plot.axis.labels.iter().enumerate() {
            let y = plot.bottom - (plot.bottom - plot.top) * tick as i32 / parts;
            self.line(vec![(plot.left, y), (plot.right, y)], GRID, 1)?;
            self.text(label, (plot.left - 8, y), (HPos::Right, VPos::Center), FAINT)?;
        }
        Ok(())
    }

    fn time_axis(&self, chart: &Chart, plot: &Plot<'_>) -> anyhow::Result<()> {
        let widest = chart.times.iter().map(|time| time.chars().count()).max().unwrap_or(1) as i32;
        let most = ((plot.right - plot.left) / (WIDE * widest + 24)).max(2) as usize;
        if let Some(step) = chart.begins() {
            // Between the last step that is known and the first that is forecast.
            let x = (plot.x(step as f64 - 0.5)).max(plot.left);
            self.line(vec![(x, plot.top), (x, plot.bottom)], FAINT, 1)?;
        }
        for step in chart.frequency.marks(chart.start, plot.steps, most) {
            let x = plot.x(step as f64);
            self.line(vec![(x, plot.bottom), (x, plot.bottom + 5)], FAINT, 1)?;
            // One at the edge stands within.
            let half = WIDE * widest / 2;
            let (x, side) = match () {
                () if x + half > plot.right + RIGHT => (plot.right + RIGHT - 4, HPos::Right),
                () => (x, HPos::Center),
            };
            self.text(&terminal::printable(&chart.times[step]), (x, plot.bottom + 9), (side, VPos::Top), FAINT)?;
        }
        self.line(vec![(plot.left, plot.bottom), (plot.right, plot.bottom)], FAINT, 1)
    }

    /// A run of an interval, from the last known value on where one stands before it.
    fn shade(&self, chart: &Chart, plot: &Plot<'_>, first: usize, lower: &[f32], upper: &[f32]) -> anyhow::Result<()> {
        let at = |values: &[f32]| -> Vec<(f64, f32)> {
            let known = last_known(chart, first).map(|value| (first as f64 - 1.0, value));
            let own = values.iter().enumerate().map(|(step, value)| ((first + step) as f64, *value));
            let all: Vec<(f64, f32)> = known.into_iter().chain(own).collect();
            match all[..] {
                // A step alone has a width still.
                [(step, value)] => vec![(step - 0.3, value), (step + 0.3, value)],
                _ => all,
            }
        };
        let above = at(upper);
        let below = at(lower);
        let outline = above.into_iter().chain(below.into_iter().rev());
        let outline: Vec<Place> = outline.map(|(step, value)| (plot.x(step), plot.y(value))).collect();
        Ok(self.area.draw(&Polygon::new(outline, BLUE.mix(SHADE)))?)
    }

    fn run(&self, plot: &Plot<'_>, first: usize, values: &[f32], colour: RGBColor) -> anyhow::Result<()> {
        let place = |(step, value): (usize, &f32)| (plot.x((first + step) as f64), plot.y(*value));
        let places: Vec<Place> = values.iter().enumerate().map(place).collect();
        match places[..] {
            [alone] => Ok(self.area.draw(&Circle::new(alone, 2, colour.filled()))?),
            _ => self.line(places, colour, 2),
        }
    }

    fn line(&self, places: Vec<Place>, colour: RGBColor, width: u32) -> anyhow::Result<()> {
        Ok(self.area.draw(&PathElement::new(places, colour.stroke_width(width)))?)
    }

    fn text(&self, text: &str, place: Place, (across, down): (HPos, VPos), colour: RGBColor) -> anyhow::Result<()> {
        let style = ("sans-serif", FONT).into_font().color(&colour).pos(Pos::new(across, down));
        Ok(self.area.draw(&Text::new(text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"), place, style))?)
    }
}

/// The value at the step before `first`, where it is known.
fn last_known(chart: &Chart, first: usize) -> Option<f32> {
    let value = chart.known.get(first.checked_sub(1)?)?;
    (!value.is_nan()).then_some(*value)
}

/// Where a panel's lines are drawn.
struct Plot<'a> {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    steps: usize,
    axis: &'a Axis,
}

impl Plot<'_> {
    fn x(&self, step: f64) -> i32 {
        // A little air on both sides; one step alone stands in the middle.
        let share = (step + 0.5) / self.steps.max(1) as f64;
        self.left + (share * f64::from(self.right - self.left)).round() as i32
    }

    fn y(&self, value: f32) -> i32 {
        self.top + (self.axis.depth(value.into()) * f64::from(self.bottom - self.top)).round() as i32
    }
}
