//! The floors beside statsforecast, and where there is little to forecast from.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::ets::ets;
use super::nelder_mead::NelderMead;
use super::seasons::{self, Composition};
use super::*;

/// What `conformance/forecast_floors.py` wrote, the committed file or another that is named.
fn peers() -> Vec<Value> {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/forecast_floors.json");
    let file = std::env::var("LOOKBACK_FLOORS").unwrap_or(committed.to_owned());
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// How far nine of ten forecasts are from the peer's at most, and how far 99 of a hundred, which of the committed file are all: the
/// mean difference as a share of the mean size of the history's values.
fn tolerances(floor: Floor) -> [f64; 2] {
    match floor {
        Floor::Naive | Floor::SeasonalNaive | Floor::Drift | Floor::MovingAverage => [1e-6, 1e-6],
        // The same search; rounding sends it another way now and then.
        Floor::Theta => [1e-5, 1e-3],
        // One committed series of thirteen is 3 % away, for its beta may be larger; all others are within 1e-5.
        Floor::Ets => [1e-3, 5e-2],
    }
}

#[test]
fn floors_are_those_of_the_peer() {
    let cases = peers();
    assert!(cases.len() >= 14, "{}", cases.len());
    for floor in Floor::ALL {
        let (mut differences, mut time) = (Vec::new(), Duration::ZERO);
        for case in &cases {
            let history: Vec<f32> = numbers(&case["history"]).iter().map(|&value| value as f32).collect();
            let (season, expected) = (case["season"].as_u64().unwrap() as usize, &case["forecasts"][floor.name()]);
            let start = Instant::now();
            let found = floor.forecast(&history, season, 6.max(2 * season));
            time += start.elapsed();
            assert_eq!(found.is_none(), expected.is_null(), "{} of {}", floor.name(), case["name"]);
            let Some(found) = found else { continue };
            let expected = numbers(expected);
            assert_eq!(found.len(), expected.len());
            let size = history.iter().map(|value| f64::from(value.abs())).sum::<f64>() / history.len() as f64;
            let apart = found.iter().zip(&expected).map(|(&found, expected)| (f64::from(found) - expected).abs());
            differences.push((apart.sum::<f64>() / found.len() as f64 / size, case["name"].clone()));
        }
        differences.sort_by(|one, other| other.0.total_cmp(&one.0));
        let [most, nearly_all] = [10, 100].map(|share| differences[differences.len() / share].0);
        let ((largest, name), each) = (&differences[0], time / cases.len() as u32);
        println!("{}: {most:.1e}, {nearly_all:.1e}, {largest:.1e} for {name}; {each:?} a series", floor.name());
        let [tolerance, tolerance_of_nearly_all] = tolerances(floor);
        assert!(most <= tolerance && nearly_all <= tolerance_of_nearly_all, "{} is too far away", floor.name());
    }
}

/// A trend with a season of four and noise, positive: `[steps]`.
fn series(steps: usize) -> Vec<f32> {
    let season = [0.8, 1.1, 1.3, 0.8];
    (0..steps).map(|step| (20.0 + step as f32) * season[step % 4] + ((step * 37) % 11) as f32 * 0.3).collect()
}

#[test]
fn a_short_history_has_the_floors_it_has_values_for() {
    // By its length, with a season of 4: naive, seasonal naive, drift, moving average, Theta, ETS.
    let cases = [
        (0, [false, false, false, false, false, false]),
        (1, [true, false, false, false, true, true]),
        (2, [true, false, true, false, false, false]),
        (3, [true, false, true, false, false, false]),
        (4, [true, true, true, true, true, false]),
        (6, [true, true, true, true, true, false]),
        (7, [true, true, true, true, true, true]),
    ];
    for (steps, expected) in cases {
        for (floor, expected) in Floor::ALL.into_iter().zip(expected) {
            let found = floor.forecast(&series(steps), 4, 3);
            assert_eq!(found.is_some(), expected, "{} of {steps}", floor.name());
            assert!(found.is_none_or(|forecast| forecast.len() == 3), "{} of {steps}", floor.name());
            let none = floor.forecast(&series(steps), 4, 0);
            assert_eq!(none, expected.then(Vec::new), "{} of {steps}", floor.name());
        }
    }
}

#[test]
fn no_forecast_is_anything_but_a_number() {
    let scaled = |scale: f32| series(40).iter().map(|value| value * scale).collect::<Vec<f32>>();
    let with = |place: usize, value: f32| {
        let mut series = series(40);
        series[place] = value;
        series
    };
    let wave: Vec<f32> = (0..40).map(|step| [0.0, 1.0, 0.0, -1.0][step % 4]).collect();
    let growing: Vec<f32> = (0..40).map(|step| 10f32.powi(step - 2)).collect();
    let cases = [
        ("zeros", vec![0.0; 40]),
        ("a constant", vec![-3.5; 40]),
        ("a large constant", vec![1e30; 40]),
        ("the largest number", vec![f32::MAX; 40]),
        ("large", scaled(1e30)),
        ("too large for a trend", scaled(4e36)),
        ("small", scaled(1e-30)),
        ("subnormal", scaled(1e-44)),
        ("negative", scaled(-1.0)),
        ("a straight line", (0..40).map(|step| step as f32).collect()),
        ("a falling line", (0..40).map(|step| 39.5 - step as f32).collect()),
        ("nothing but a season", wave),
        ("growing tenfold", growing),
        ("one that is not 0", [vec![0.0; 39], vec![1.0]].concat()),
        ("a value among zeros", [vec![0.0; 20], vec![5.0], vec![0.0; 19]].concat()),
        ("one very large", with(20, 3e38)),
        ("one very large at the end", with(39, 3e38)),
        ("both ends of the numbers", (0..40).map(|step| if step % 2 == 0 { f32::MAX } else { f32::MIN }).collect()),
        ("an infinite one", with(20, f32::INFINITY)),
    ];
    for (name, history) in cases {
        for season in [0, 1, 2, 4, 12] {
            for floor in Floor::ALL {
                let forecast = floor.forecast(&history, season, 30);
                let forecast = forecast.unwrap_or_else(|| panic!("{} of {name} has none", floor.name()));
                let is_number = forecast.len() == 30 && forecast.iter().all(|value| value.is_finite());
                assert!(is_number, "{} of {name} with season {season}: {forecast:?}", floor.name());
                if history.iter().all(|&value| value == history[0]) {
                    let worst = forecast.iter().map(|value| (value / history[0] - 1.0).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-6, "{} of {name}: {forecast:?}", floor.name());
                }
            }
        }
    }
}

#[test]
fn a_season_longer_than_any_history_is_no_panic() {
    for floor in Floor::ALL {
        let needs_it = matches!(floor, Floor::SeasonalNaive | Floor::MovingAverage);
        assert_eq!(floor.forecast(&series(40), usize::MAX, 3).is_none(), needs_it, "{}", floor.name());
    }
}

#[test]
fn missing_values_are_cut_or_put_on_a_line() {
    const NONE: f32 = f32::NAN;
    let observed = |history: &[f32]| Observed::of(history);
    let values = |values: &[f64], missing_behind| Some(Observed { values: values.to_vec(), missing_behind });
    assert_eq!(observed(&[]), None);
    assert_eq!(observed(&[NONE, NONE]), None);
    assert_eq!(observed(&[NONE, 2.0, NONE]), values(&[2.0], 1));
    assert_eq!(observed(&[1.0, NONE, NONE, 4.0, 3.0, NONE, 5.0]), values(&[1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 5.0], 0));

    // What is missing at the end is forecast on the way: the horizon is where it is.
    let history = [NONE, 1.0, 2.0, NONE, 4.0, NONE];
    assert_eq!(Floor::Naive.forecast(&history, 1, 2), Some(vec![4.0, 4.0]));
    assert_eq!(Floor::Drift.forecast(&history, 1, 2), Some(vec![6.0, 7.0]));
    assert_eq!(Floor::MovingAverage.forecast(&history, 2, 2), Some(vec![3.5, 3.5]));
    // Each place of the season has its own last value: the horizon begins at an even step.
    assert_eq!(Floor::SeasonalNaive.forecast(&history, 2, 3), Some(vec![4.0, 1.0, 4.0]));
    assert_eq!(Floor::SeasonalNaive.forecast(&[1.0, NONE, 3.0, NONE], 2, 3), None);

    let (mut shorter, whole) = (series(48), series(44));
    shorter[44..].fill(NONE);
    for floor in Floor::ALL {
        let (behind, all) = (floor.forecast(&shorter, 4, 4).unwrap(), floor.forecast(&whole, 4, 8).unwrap());
        assert_eq!(behind, all[4..], "{}", floor.name());
        let before = [vec![NONE; 4], whole.clone()].concat();
        assert_eq!(floor.forecast(&before, 4, 8).unwrap(), all, "{}", floor.name());
    }
}

#[test]
fn a_season_that_is_found_is_forecast() {
    let history = series(80);
    let truth = &series(88)[80..];
    for (floor, tolerance) in [(Floor::SeasonalNaive, 0.1), (Floor::Theta, 0.05), (Floor::Ets, 0.03)] {
        let forecast = floor.forecast(&history, 4, 8).unwrap();
        for (found, truth) in forecast.iter().zip(truth) {
            assert!((found / truth - 1.0).abs() < tolerance, "{}: {forecast:?} {truth:?}", floor.name());
        }
    }
}

#[test]
fn a_damped_trend_fades_by_powers_of_phi() {
    // Each step is 0.9 of the one before, and there is hardly any noise, so that a damped trend is chosen.
    let values: Vec<f64> =
        (0..60).map(|step| 100.0 - 60.0 * 0.9f64.powi(step) + 1e-3 * f64::from(step * 7 % 5)).collect();
    let forecast = ets(&values, 1, 12).unwrap();
    let steps: Vec<f64> = forecast.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let phis: Vec<f64> = steps.windows(2).map(|pair| pair[1] / pair[0]).collect();
    assert!(phis.iter().all(|phi| (phi - phis[0]).abs() < 1e-6 && (0.8..=0.98).contains(phi)), "{phis:?}");
}

#[test]
fn ets_of_a_long_history_takes_its_end() {
    let long: Vec<f64> = (0..6_000).map(|step| f64::from(step * 31 % 17)).collect();
    assert_eq!(ets(&long, 1, 3), ets(&long[1_000..], 1, 3));
}

#[test]
fn the_indices_of_an_exact_season_are_that_season() {
    for season in [[3.0, -1.0, 0.5, -2.5].as_slice(), &[2.0, -3.0, 1.0]] {
        let line = |step: usize| 50.0 + 0.5 * step as f64;
        let values: Vec<f64> = (0..17).map(|step| line(step) + season[step % season.len()]).collect();
        for (found, expected) in seasons::indices(&values, season.len(), Composition::Additive).iter().zip(season) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        let values: Vec<f64> = (0..17).map(|step| 7.0 * (1.0 + 0.1 * season[step % season.len()])).collect();
        for (found, expected) in seasons::indices(&values, season.len(), Composition::Multiplicative).iter().zip(season)
        {
            assert!((found - 1.0 - 0.1 * expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}

#[test]
fn the_simplex_finds_a_minimum_inside_and_one_at_a_bound() {
    let rosenbrock = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
    let free = NelderMead { lower: &[f64::NEG_INFINITY; 2], upper: &[f64::INFINITY; 2], tolerance: 1e-12 };
    let found = free.minimise(&[-1.2, 1.0], rosenbrock);
    assert!(found.iter().all(|x| (x - 1.0).abs() < 1e-4), "{found:?}");
    // Of what is outside, the nearest point within.
    let bounded = NelderMead { lower: &[-2.0, 0.0], upper: &[0.5, 2.0], tolerance: 1e-12 };
    let found = bounded.minimise(&[-1.2, 1.0], |x| (x[0] - 1.0).powi(2) + 3.0 * (x[1] - 0.7).powi(2));
    assert!((found[0] - 0.5).abs() < 1e-4 && (found[1] - 0.7).abs() < 1e-4, "{found:?}");
    // Where a part of the plane is forbidden, and from the origin.
    let forbidden = |x: &[f64]| if x[0] + x[1] > 1.5 { f64::INFINITY } else { (x[0] - 1.0).powi(2) + x[1].powi(2) };
    let found = free.minimise(&[0.0, 0.0], forbidden);
    assert!((found[0] - 1.0).abs() < 1e-4 && found[1].abs() < 1e-4, "{found:?}");
}

#[test]
fn names_are_those_of_the_json() {
    let names = Floor::ALL.map(Floor::name);
    assert_eq!(names, ["naive", "seasonal_naive", "drift", "moving_average", "theta", "ets"]);
    assert!(Floor::ALL.iter().all(|floor| floor.title().replace(' ', "_").to_lowercase() == floor.name()));
}
