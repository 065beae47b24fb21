//! What a forecaster is judged by, for people and programs.

use serde_json::{Map, Value, json};

use super::conformal::Conformal;
use super::floors::Floor;
use super::judged::{Metrics, verdict};
use super::model::CONFORMAL;
use super::scores::{CRPS, MAE, MASE, OverallScores, RMSE, SMAPE};
use crate::model::{Figure, Report, Score, Table};

/// The figures for people and as JSON.
pub(super) fn report(metrics: &Metrics, floors: &[(Floor, OverallScores)]) -> Report {
    let OverallScores { windows, scores, .. } = &metrics.overall;
    let values = [scores.mase, scores.smape, scores.mae, scores.rmse, scores.crps];
    let figures = [MASE, SMAPE, MAE, RMSE, CRPS].into_iter().zip(values);
    let mut figures: Vec<Figure> = figures.filter_map(|(score, value)| Some(Figure { score, value: value? })).collect();
    let has_loss = metrics.loss.is_finite();
    figures.extend(has_loss.then_some(Figure { score: Score::LOSS, value: metrics.loss }));
    let mut tables = if floors.is_empty() { Vec::new() } else { vec![verdict(scores, floors)] };
    if !scores.coverage.is_empty() {
        let header = ["interval", "inside", "mean width"].map(str::to_owned).to_vec();
        let rows = scores.coverage.iter().zip(&scores.width).map(|((nominal, inside), (_, width))| {
            vec![format!("{:.0} %", 100.0 * nominal), format!("{:.2} %", 100.0 * inside), MAE.show(*width)]
        });
        tables.push(Table { header, rows: rows.collect(), note: String::new() });
    }
    let mut json = match json!(metrics.overall) {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    if has_loss {
        json.insert("loss".into(), json!(metrics.loss));
    }
    if !metrics.by_step.is_empty() {
        json.insert("by_step".into(), json!(metrics.by_step));
    }
    for (floor, overall) in floors {
        json.insert(floor.name().into(), json!(overall));
    }
    Report { examples: *windows, figures, tables, json: Value::Object(json) }
}

/// A report that says how its intervals came to be.
pub(super) fn calibrated(mut report: Report, conformal: &Conformal) -> Report {
    if let Some(table) = report.tables.last_mut() {
        table.note = conformal.in_words();
    }
    if let Value::Object(json) = &mut report.json {
        json.insert(CONFORMAL.into(), json!({ "windows": conformal.windows }));
    }
    report
}
