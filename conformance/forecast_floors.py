"""Write what statsforecast makes of series with its classic models, for Lookback's floors to be compared with.

    python3 -m venv .venv && .venv/bin/pip install statsforecast==2.1.1
    .venv/bin/python conformance/forecast_floors.py                        writes conformance/forecast_floors.json again
    .venv/bin/python conformance/forecast_floors.py --drawn 300 --out F    as many drawn series more, for
    LOOKBACK_FLOORS=F cargo test --release -p lookback-infer floors -- --nocapture    which tells how far they are apart

The file is a list of `{"name": .., "season": .., "history": [..], "forecasts": {floor: [..]}, "ets_form": ..}`. Histories are in single precision;
statsforecast computes in double. A floor that the peer refuses, or has no number for, is null. `ets_form` is the form that the peer
chose: errors, trend, season, and D where the trend is damped or else N.
"""

import argparse
import json
import math
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from statsforecast.models import AutoETS, Naive, RandomWalkWithDrift, SeasonalNaive, Theta, WindowAverage

MODELS = {
    "naive": lambda season: Naive(),
    "seasonal_naive": lambda season: SeasonalNaive(season_length=season),
    "drift": lambda season: RandomWalkWithDrift(),
    "moving_average": lambda season: WindowAverage(window_size=season),
    "theta": lambda season: Theta(season_length=season),
    "ets": lambda season: AutoETS(season_length=season),
}


def main() -> None:
    """Write the committed file, or another with drawn series."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--drawn", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "forecast_floors.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    draw = random.Random("floors")
    cases = [case(name, *series) for name, series in named(draw)]
    cases += [case(f"drawn {number}", *drawn(draw)) for number in range(arguments.drawn)]
    lines = ",\n".join(json.dumps(one, separators=(",", ":"), allow_nan=False) for one in cases)
    arguments.out.write_text(f"[\n{lines}\n]\n")


def named(draw: random.Random) -> list[tuple[str, tuple[int, list[float]]]]:
    """Series by name, each with its season."""

    def of(season: int, steps: int, value: Callable[[int], float]) -> tuple[int, list[float]]:
        return season, [value(step) for step in range(steps)]

    def wave(step: int, season: int) -> float:
        return math.sin(2 * math.pi * step / season)

    def noise(deviation: float) -> float:
        return draw.gauss(0, deviation)

    walk = [50.0]
    while len(walk) < 80:
        walk.append(walk[-1] + noise(2))
    growth = [100.0]
    while len(growth) < 60:
        growth.append(growth[-1] * (1.03 + noise(0.02)))
    return [
        ("a trend", of(1, 60, lambda step: 20 + 1.5 * step + noise(3))),
        ("months, multiplicative", of(12, 120, lambda step: (200 + 2 * step) * (1 + 0.3 * wave(step, 12)) * (1 + noise(0.04)))),
        ("quarters, additive", of(4, 44, lambda step: 10 * (step % 4) - 15 + 0.4 * step + noise(2))),
        ("noise", of(1, 50, lambda step: 100 + noise(10))),
        ("noise in months", of(12, 70, lambda step: 100 + noise(10))),
        ("a constant", of(12, 40, lambda step: 7.25)),
        ("counts with zeros", of(7, 84, lambda step: float(max(0, round(2 + 2 * wave(step, 7) + noise(1.5)))))),
        ("a random walk", (1, walk)),
        ("growth", (4, growth)),
        ("around zero, months", of(12, 96, lambda step: 5 * wave(step, 12) + noise(1))),
        ("two seasons and a half", of(12, 31, lambda step: 80 * (1 + 0.2 * wave(step, 12)) + noise(2))),
        ("nine values", of(1, 9, lambda step: 30 + 2 * step + noise(4))),
        ("five values", of(4, 5, lambda step: 30 + step + noise(4))),
        ("a fading trend, hours", of(24, 168, lambda step: 300 - 100 * 0.97**step + 20 * wave(step, 24) + noise(4))),
    ]


def drawn(draw: random.Random) -> tuple[int, list[float]]:
    """A series like those of competitions, in length, season, trend and noise."""
    season = draw.choice([1, 1, 4, 4, 12, 12, 12, 7])
    steps = draw.randrange(14, 60) if season == 1 else draw.randrange(3 * season, 130)
    level, deviation = 10 ** draw.uniform(1, 4), 10 ** draw.uniform(-2.5, -0.7)
    growth = draw.choice([0, 0, 1]) * draw.gauss(0, 0.01)
    strength = draw.choice([0, 0.05, 0.3])
    seasons = [draw.gauss(0, strength) for _ in range(season)]
    persistence = draw.choice([0, 0.5, 1])
    values, apart = [], 0.0
    for step in range(steps):
        shock = draw.gauss(0, deviation)
        values.append(level * max(0.05, math.exp(growth * step + apart + shock + seasons[step % season])))
        apart = persistence * (apart + 0.5 * shock)
    return season, values


def case(name: str, season: int, values: list[float]) -> dict:
    """A series with the forecasts of all models for two seasons, at least six steps."""
    history = np.array(values, dtype=np.float32)
    horizon = max(6, 2 * season)
    made = {floor: model(season) for floor, model in MODELS.items()}
    forecasts = {floor: forecast(model, history.astype(np.float64), horizon) for floor, model in made.items()}
    form = None
    if forecasts["ets"] is not None:
        form = MODELS["ets"](season).fit(history.astype(np.float64)).model_["components"]
    shown = [float(str(value)) for value in history]
    return {"name": name, "season": season, "history": shown, "forecasts": forecasts, "ets_form": form}


def forecast(model: object, history: np.ndarray, horizon: int) -> list[float] | None:
    """What a model makes of a history, in nine digits; null where it refuses or has no number."""
    try:
        mean = model.forecast(y=history, h=horizon)["mean"]
    except (NotImplementedError, IndexError, KeyError):
        return None
    return [float(f"{value:.9g}") for value in mean] if np.isfinite(mean).all() else None


if __name__ == "__main__":
    main()
