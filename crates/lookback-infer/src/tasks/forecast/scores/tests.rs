//! The scores beside those of utilsforecast, and by hand where it has none.

use serde_json::{Value, json};

use super::*;

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// Whether a figure is the peer's, or there is none where the peer has no number.
fn compare(name: &str, found: Option<f64>, expected: &Value, place: &str) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => {
            let difference = (found - expected).abs();
            assert!(difference <= 1e-6 * expected.abs(), "{name} is {found} instead of {expected}: {place}");
        }
        (found, expected) => assert_eq!(found, expected, "{name}: {place}"),
    }
}

/// Compares all figures that `expected` has.
fn compare_scores(found: &ForecastScores, expected: &Value, place: &str) {
    let figures = [("mae", found.mae), ("rmse", found.rmse), ("mape", found.mape), ("wape", found.wape)];
    for (name, found) in figures {
        compare(name, found, &expected[name], place);
    }
    compare("smape", found.smape_100.map(|smape| smape / 100.0), &expected["smape"], place);
    assert_eq!(found.smape, found.smape_100.map(|smape| 2.0 * smape), "{place}");
    for (name, found) in [("mase", found.mase), ("rmsse", found.rmsse)] {
        if let Some(expected) = expected.get(name) {
            compare(name, found, expected, place);
        }
    }
    compare("crps", found.crps.map(|crps| crps / 2.0), &expected["mqloss"], place);
    let pinball = expected.get("pinball").map_or(&[][..], |losses| losses.as_array().unwrap());
    assert_eq!(found.pinball.len(), pinball.len(), "{place}");
    for ((level, loss), expected) in found.pinball.iter().zip(pinball) {
        compare(&format!("pinball of {level}"), Some(*loss), expected, place);
    }
    let json = serde_json::to_value(found).unwrap();
    let covered = |scores: &Value| scores.get("coverage").map_or(0, |covered| covered.as_object().unwrap().len());
    assert_eq!(covered(&json), covered(expected), "{place}");
    for (percent, share) in expected.get("coverage").into_iter().flat_map(|covered| covered.as_object().unwrap()) {
        compare("coverage", json["coverage"][percent].as_f64(), share, place);
    }
}

#[test]
fn figures_are_those_of_utilsforecast() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/forecast_scores.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut windows = 0;
    for (number, case) in cases.iter().enumerate() {
        let levels: Vec<f64> = serde_json::from_value(case["levels"].clone()).unwrap();
        let new = || ForecastScorer::new(&levels, case["season"].as_u64().unwrap() as usize);
        let series: Vec<Vec<f32>> = case["series"].as_array().unwrap().iter().map(numbers).collect();
        let mut all = new();
        for window in case["windows"].as_array().unwrap() {
            let place = format!("case {number}, series {}, origin {}", window["series"], window["origin"]);
            let [which, origin] = ["series", "origin"].map(|name| window[name].as_u64().unwrap() as usize);
            let (mean, quantiles) = (numbers(&window["mean"]), numbers(&window["quantiles"]));
            let (insample, rest) = series[which].split_at(origin);
            let actual = &rest[..mean.len()];
            let judged = Judged { series: which, actual, mean: &mean, quantiles: &quantiles, insample };
            all.add(&judged);
            let mut alone = new();
            alone.add(&Judged { series: 0, ..judged });
            let found = alone.overall().scores;
            compare_scores(&found, &window["scores"], &place);
            let magnitude: f64 = actual.iter().map(|&value| f64::from(value.abs())).sum();
            // Of zeros it has something large, for it keeps from dividing by 0.
            if let (Some(crps), true) = (found.crps, magnitude > 0.0) {
                let scaled = crps * mean.len() as f64 / magnitude;
                compare("scaled CRPS", Some(scaled), &window["scores"]["scaled_crps"], &place);
            }
            windows += 1;
        }
        compare_scores(&all.overall().scores, &case["overall"], &format!("case {number}"));
        for (name, found) in [("by_series", all.by_series()), ("by_step", all.by_step())] {
            let expected = case[name].as_array().unwrap();
            assert_eq!(found.len(), expected.len(), "case {number}, {name}");
            for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                compare_scores(found, expected, &format!("case {number}, {name}, {place}"));
            }
        }
        let unscaled = case["by_series"].as_array().unwrap().iter().filter(|scores| scores["mase"].is_null()).count();
        assert_eq!(all.overall().unscaled_series, unscaled, "case {number}");
        assert!(unscaled >= 2, "case {number} has the constant series and that of zeros");
    }
    assert!(windows >= 40, "{windows}");
}

const NAN: f32 = f32::NAN;

/// A window without quantiles.
fn window<'a>(series: usize, actual: &'a [f32], mean: &'a [f32], insample: &'a [f32]) -> Judged<'a> {
    Judged { series, actual, mean, quantiles: &[], insample }
}

fn scorer(levels: &[f64], season: usize, windows: &[Judged<'_>]) -> ForecastScorer {
    let mut scorer = ForecastScorer::new(levels, season);
    windows.iter().for_each(|window| scorer.add(window));
    scorer
}

#[test]
fn every_figure_is_what_a_hand_computes() {
    // Errors of 1, 3 and 2; the seasonal naive forecast was off by 2 and 4.
    let quantiles = [0.0, 1.0, 2.0, 5.0, -3.0, -2.0];
    let judged =
        Judged { quantiles: &quantiles, ..window(0, &[2.0, 4.0, 0.0], &[1.0, 7.0, -2.0], &[1.0, 5.0, 3.0, 1.0]) };
    let scores = scorer(&[0.25, 0.75], 2, &[judged]).overall();
    let expected = json!({
        "series": 1, "windows": 1, "unscaled_series": 0, "steps": 3, "zero_actuals": 1,
        "mae": 2.0, "rmse": (14.0f64 / 3.0).sqrt(), "mape": (1.0 / 2.0 + 3.0 / 4.0) / 2.0,
        "smape": 200.0 * (1.0 / 3.0 + 3.0 / 11.0 + 1.0) / 3.0, "smape_100": 100.0 * (1.0 / 3.0 + 3.0 / 11.0 + 1.0) / 3.0,
        "mase": 2.0 / 3.0, "rmsse": (14.0f64 / 3.0 / 10.0).sqrt(), "wape": 1.0,
        "pinball": {"0.25": 0.25 * (2.0 + 2.0 + 3.0) / 3.0, "0.75": (0.75 * (1.0 + 2.0) + 0.25) / 3.0},
        "crps": (1.75 + 2.5) / 3.0,
        "coverage": {"50": 1.0 / 3.0}, "width": {"50": (1.0 + 3.0 + 1.0) / 3.0},
    });
    let found = serde_json::to_value(&scores).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    for (name, expected) in expected.as_object().unwrap() {
        match expected.as_object() {
            Some(parts) => {
                assert_eq!(names(&found[name]), names(expected));
                parts.iter().for_each(|(part, expected)| compare(part, found[name][part].as_f64(), expected, name));
            }
            None => compare(name, found[name].as_f64(), expected, "by hand"),
        }
    }
}

#[test]
fn a_series_counts_the_same_however_many_windows_it_has_but_in_wape() {
    // Absolute errors of 1 and 3 at origins of the first series, of 8 at that of the second.
    let (before, first, second) = ([0.0, 1.0], [10.0], [20.0]);
    let windows =
        [window(0, &first, &[11.0], &before), window(2, &second, &[28.0], &before), window(0, &first, &[7.0], &before)];
    let scorer = scorer(&[], 1, &windows);
    let OverallScores { series, windows, scores, .. } = scorer.overall();
    assert_eq!((series, windows, scores.steps), (2, 3, 3));
    assert_eq!((scores.mae, scores.rmse, scores.mase), (Some(5.0), Some(5.0), Some(5.0)));
    assert_eq!(scores.wape, Some(12.0 / 40.0));
    let by_series = scorer.by_series();
    assert_eq!(by_series.iter().map(|scores| scores.mae).collect::<Vec<_>>(), [Some(2.0), None, Some(8.0)]);
    assert_eq!((by_series[0].rmse, by_series[0].wape), (Some(2.0), Some(0.2)), "the mean over windows of their roots");
    let step = &scorer.by_step()[0];
    assert_eq!((step.mae, step.rmse), (Some(4.0), Some((74.0f64 / 3.0).sqrt())), "every window counts the same");
}

#[test]
fn what_is_missing_counts_nowhere() {
    let before = [1.0, NAN, 2.0, 5.0];
    let windows = [
        window(0, &[1.0, NAN, 3.0], &[2.0, NAN, 6.0], &before),
        window(0, &[NAN, NAN, NAN], &[0.0; 3], &before),
        window(1, &[NAN], &[0.0], &before),
    ];
    let scorer = scorer(&[], 1, &windows);
    let OverallScores { series, windows, unscaled_series, scores } = scorer.overall();
    assert_eq!((series, windows, unscaled_series, scores.steps), (1, 1, 0, 2));
    // One pair before the origin is known, and 3 apart.
    assert_eq!((scores.mae, scores.mase, scores.wape), (Some(2.0), Some(2.0 / 3.0), Some(1.0)));
    let steps: Vec<_> = scorer.by_step().iter().map(|scores| (scores.steps, scores.mae)).collect();
    assert_eq!(steps, [(1, Some(1.0)), (0, None), (1, Some(3.0))]);
    assert_eq!(scorer.by_series()[1].mae, None);
}

#[test]
fn of_no_windows_there_are_no_figures() {
    let scorer = ForecastScorer::new(&[0.1, 0.9], 1);
    let found = serde_json::to_value(scorer.overall()).unwrap();
    assert_eq!(found, json!({"series": 0, "windows": 0, "unscaled_series": 0, "steps": 0, "zero_actuals": 0}));
    assert!(scorer.by_step().is_empty() && scorer.by_series().is_empty());
    let empty = self::scorer(&[], 1, &[window(0, &[], &[], &[1.0, 2.0])]);
    assert_eq!((empty.overall().windows, empty.overall().scores.mae), (0, None));
}

#[test]
fn windows_have_horizons_of_several_lengths() {
    let before = [0.0, 2.0];
    let windows = [
        window(0, &[1.0], &[3.0], &before),
        window(0, &[1.0, 1.0, 1.0], &[1.0, 2.0, 6.0], &before),
        window(0, &[1.0, 1.0], &[2.0, 4.0], &before),
    ];
    let scorer = scorer(&[], 1, &windows);
    let steps: Vec<_> = scorer.by_step().iter().map(|scores| (scores.steps, scores.mae, scores.mase)).collect();
    let expected = [(3, Some(1.0), Some(0.5)), (2, Some(2.0), Some(1.0)), (1, Some(5.0), Some(2.5))];
    assert_eq!(steps, expected);
    // Windows of one, three and two steps count the same.
    assert_eq!(scorer.overall().scores.mae, Some(2.0));
}

#[test]
fn a_series_without_a_change_over_a_season_has_no_scale() {
    let insamples: [(&str, &[f32], bool); 6] = [
        ("constant", &[3.0; 9], false),
        ("the same in every season", &[1.0, 2.0, 1.0, 2.0, 1.0, 2.0], false),
        ("as long as a season", &[1.0, 5.0], false),
        ("none", &[], false),
        ("no pair known", &[1.0, 2.0, NAN, NAN], false),
        ("one change", &[1.0, 2.0, 1.0, 4.0], true),
    ];
    for (name, insample, has) in insamples {
        let scores = scorer(&[], 2, &[window(0, &[1.0], &[2.0], insample)]).overall();
        let has_scores = (scores.scores.mase.is_some(), scores.scores.rmsse.is_some());
        assert_eq!((has_scores, scores.unscaled_series), ((has, has), usize::from(!has)), "{name}");
        assert_eq!(scores.scores.mae, Some(1.0), "{name}");
    }
    // A series that has a scale at one of its origins is not among them, and its other window counts nowhere.
    let windows = [window(0, &[1.0], &[2.0], &[3.0; 4]), window(0, &[1.0], &[5.0], &[3.0, 3.0, 3.0, 5.0])];
    let scores = scorer(&[], 2, &windows).overall();
    assert_eq!((scores.unscaled_series, scores.scores.mase, scores.scores.mae), (0, Some(4.0), Some(2.5)));
}

#[test]
fn zeros_count_in_no_percentage_of_the_actual_value() {
    let before = [0.0, 1.0];
    let windows = [window(0, &[0.0, 0.0], &[0.0, 1.0], &before), window(1, &[0.0, 2.0], &[1.0, 3.0], &before)];
    let scorer = scorer(&[], 1, &windows);
    let scores = scorer.overall().scores;
    assert_eq!((scores.mape, scores.zero_actuals), (Some(0.5), 3));
    // 0 of 0 is no error, and anything beside 0 is the largest.
    assert_eq!(scorer.by_series()[0].smape, Some(100.0));
    assert_eq!((scorer.by_series()[0].mape, scorer.by_series()[0].wape), (None, None));
}

#[test]
fn intervals_are_the_pairs_of_levels_that_sum_to_one() {
    let levels = [0.9, 0.05, 0.5, 0.2, 0.1, 0.95, 0.8, 0.3];
    let quantiles = [9.0, 0.5, 5.0, 2.0, 1.0, 9.5, 8.0, 3.0];
    let windows = [Judged { quantiles: &quantiles, ..window(0, &[8.5], &[5.0], &[]) }, window(0, &[8.5], &[5.0], &[])];
    let scores = scorer(&levels, 1, &windows).overall().scores;
    assert_eq!(scores.coverage, [(0.6, 0.0), (0.8, 1.0), (0.9, 1.0)]);
    assert_eq!(scores.width, [(0.6, 6.0), (0.8, 8.0), (0.9, 9.0)]);
    assert_eq!(scores.pinball.iter().map(|(level, _)| *level).collect::<Vec<_>>(), levels);
    let on_bounds = [Judged { quantiles: &[1.0, 2.0, 1.0, 2.0], ..window(0, &[1.0, 2.0], &[1.0; 2], &[]) }];
    assert_eq!(scorer(&[0.1, 0.9], 1, &on_bounds).overall().scores.coverage, [(0.8, 1.0)]);
    let json = serde_json::to_value(scorer(&[0.025, 0.975], 1, &on_bounds).overall()).unwrap();
    assert_eq!((&json["coverage"], &json["width"]), (&json!({"95": 1.0}), &json!({"95": 1.0})));
    assert_eq!(json["pinball"].as_object().unwrap().keys().collect::<Vec<_>>(), ["0.025", "0.975"]);
}

#[test]
fn a_forecast_that_is_no_number_does_not_hide() {
    let windows = [window(0, &[1.0, 2.0], &[NAN, 2.0], &[0.0, 1.0])];
    let scores = scorer(&[], 1, &windows).overall().scores;
    for figure in [scores.mae, scores.rmse, scores.mape, scores.smape, scores.mase, scores.rmsse, scores.wape] {
        assert!(figure.unwrap().is_nan(), "{scores:?}");
    }
}

#[test]
#[should_panic(expected = "steps of the point forecast")]
fn a_forecast_of_another_length_is_refused() {
    scorer(&[], 1, &[window(0, &[1.0, 2.0], &[1.0], &[])]);
}

#[test]
#[should_panic(expected = "3 levels for 2 steps")]
fn quantiles_of_other_levels_are_refused() {
    let judged = Judged { quantiles: &[1.0; 4], ..window(0, &[1.0, 2.0], &[1.0; 2], &[]) };
    scorer(&[0.1, 0.5, 0.9], 1, &[judged]);
}
