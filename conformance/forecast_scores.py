"""Write what utilsforecast makes of forecasts, for Lookback's scores to be compared with.

    python3 -m venv .venv && .venv/bin/pip install utilsforecast==0.2.17
    .venv/bin/python conformance/forecast_scores.py        writes conformance/forecast_scores.json again

The file is an array of cases: `{"season", "levels", "series": [[value, ..], ..], "windows": [window, ..], "overall", "by_series",
"by_step"}`. A window is `{"series", "origin", "mean": [H], "quantiles": [H * N], "scores"}`; what came are the H values of the series
from the origin on. All values are multiples of 1/64, so that they are the same in single precision.

Scores are an object of `mae`, `rmse`, `mape`, `smape`, `mase`, `rmsse`, `wape`, `pinball` [N], `mqloss`, `scaled_crps` and `coverage`
by nominal percent, or null where utilsforecast has no number. Those of a window are the library's for its series and cutoff. Those of
a series are the means over its windows, and overall are the means over series, of what is a number; but `wape` is the library's over
all of them at once. Those of a step are the library's with the step of the horizon in place of the series, and leave out what is scaled
by what came before.
"""

import json
import math
import random
from pathlib import Path

import numpy as np
import pandas as pd
from utilsforecast import losses

# The season, the levels and the longest horizon of a case.
CASES = [
    (1, [0.1, 0.5, 0.9], 4),
    (7, [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975], 8),
    (4, [0.9, 0.3, 0.1], 5),
    (12, [], 6),
]
LENGTH = 48


def main() -> None:
    """Write the committed file."""
    cases = [case(random.Random(f"forecasts {place}"), *options) for place, options in enumerate(CASES)]
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    (Path(__file__).parent / "forecast_scores.json").write_text(f"[\n{lines}\n]\n")


def case(draw: random.Random, season: int, levels: list[float], horizon: int) -> dict:
    """Series of every kind with forecasts from one to three origins each, and all scores."""
    series = made_series(draw, season)
    windows = []
    for number, values in enumerate(series):
        for origin in sorted(draw.sample(range(2 * season + 2, LENGTH - horizon), draw.randrange(1, 4))):
            steps = draw.randrange(1, horizon + 1)
            windows.append(forecast(draw, number, origin, values[origin : origin + steps], levels))
    frame, train = frames(series, windows, levels)
    each = scores(frame, season, levels, train)
    for place, window in enumerate(windows):
        window["scores"] = numbers({name: found[place] for name, found in each.items()})
    by_series = [mean([window["scores"] for window in windows if window["series"] == number]) for number in range(len(series))]
    overall = mean(by_series)
    # One id for all, and the series without their cutoffs.
    whole = frame.drop(columns="cutoff")
    overall["wape"] = number_of(losses.wape(whole.assign(unique_id=0), ["model"])["model"][0])
    for number, wape in enumerate(losses.wape(whole, ["model"])["model"]):
        by_series[number]["wape"] = number_of(wape)
    by_step = scores(whole.assign(unique_id=whole["step"]), season, levels, None)
    steps = [numbers({name: found[place] for name, found in by_step.items()}) for place in range(whole["step"].max() + 1)]
    found = {"overall": overall, "by_series": by_series, "by_step": steps}
    return {"season": season, "levels": levels, "series": series, "windows": windows} | found


def made_series(draw: random.Random, season: int) -> list[list[float]]:
    """A seasonal one, one that drifts through 0, one of mostly zeros, one that is constant, one of zeros, a large one, and one that
    repeats its season until its last values."""

    def noise(size: float) -> float:
        return draw.gauss(0, size)

    drift = [noise(1)]
    while len(drift) < LENGTH:
        drift.append(drift[-1] + noise(1))
    made = [
        [10 + 5 * math.sin(2 * math.pi * time / max(season, 3)) + noise(1) for time in range(LENGTH)],
        drift,
        [draw.choice([0, 0, 0, 1, 2, 5]) for _ in range(LENGTH)],
        [4.5] * LENGTH,
        [0] * LENGTH,
        [30000 + 40 * time + noise(200) for time in range(LENGTH)],
        [time % season + (1 if time > LENGTH - 12 else 0) for time in range(LENGTH)],
    ]
    return [[rounded(value) for value in values] for values in made]


def forecast(draw: random.Random, series: int, origin: int, actual: list[float], levels: list[float]) -> dict:
    """What came with some error, exactly what came now and then, and quantiles around it."""
    size = 0.1 * max(abs(value) for value in actual) + 0.5
    means = [value if draw.random() < 0.1 else rounded(value + draw.gauss(0, size)) for value in actual]
    if draw.random() < 0.2:
        means = [0.0 for _ in means]
    spread = [math.log(level / (1 - level)) for level in levels]
    quantiles = [rounded(mean + size * part) for mean in means for part in spread]
    return {"series": series, "origin": origin, "mean": means, "quantiles": quantiles}


def frames(series: list[list[float]], windows: list[dict], levels: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The windows and the series as utilsforecast reads them. A window's cutoff is the last time before its origin."""
    rows = []
    for window in windows:
        number, origin = window["series"], window["origin"]
        for step, value in enumerate(window["mean"]):
            row = {"unique_id": number, "cutoff": origin - 1, "ds": origin + step, "y": series[number][origin + step], "model": value}
            of_step = window["quantiles"][step * len(levels) : (step + 1) * len(levels)]
            rows.append(row | {"step": step} | {column(level): value for level, value in zip(levels, of_step, strict=True)})
    train = [{"unique_id": number, "ds": time, "y": value} for number, values in enumerate(series) for time, value in enumerate(values)]
    frame = pd.DataFrame(rows)
    for low, high, percent in intervals(levels):
        frame[f"model-lo-{percent}"], frame[f"model-hi-{percent}"] = frame[column(low)], frame[column(high)]
    return frame, pd.DataFrame(train)


def column(level: float) -> str:
    """The column of a quantile."""
    return f"quantile {level}"


def intervals(levels: list[float]) -> list[tuple[float, float, str]]:
    """Pairs of levels that sum to 1, and what is between them in percent."""
    pairs = [(low, high) for low in levels for high in levels if low < high and math.isclose(low + high, 1)]
    return [(low, high, f"{100 * (high - low):.6g}") for low, high in pairs]


def scores(frame: pd.DataFrame, season: int, levels: list[float], train: pd.DataFrame | None) -> dict[str, list]:
    """All scores, each a value by group: by series and cutoff where there are cutoffs."""
    groups = ["cutoff", "unique_id"] if "cutoff" in frame.columns else ["unique_id"]
    place = ["unique_id", "cutoff"][: len(groups)]

    def in_order(found: pd.DataFrame) -> list:
        return list(found.sort_values(place)["model"])

    simple = ["mae", "rmse", "mape", "smape", "wape"]
    found = {name: in_order(getattr(losses, name)(frame, ["model"])) for name in simple}
    if train is not None:
        for name in ["mase", "rmsse"]:
            found[name] = in_order(getattr(losses, name)(frame, ["model"], seasonality=season, train_df=train))
    if levels:
        pinball = [in_order(losses.quantile_loss(frame, {"model": column(level)}, q=level)) for level in levels]
        found["pinball"] = [list(row) for row in zip(*pinball, strict=True)]
        columns = {"model": [column(level) for level in levels]}
        for name in ["mqloss", "scaled_crps"]:
            found[name] = in_order(getattr(losses, name)(frame, columns, quantiles=np.array(levels)))
        covered = {percent: in_order(losses.coverage(frame, ["model"], level=percent)) for _, _, percent in intervals(levels)}
        found["coverage"] = [dict(zip(covered, row, strict=True)) for row in zip(*covered.values(), strict=True)]
    return found


def numbers(found: dict) -> dict:
    """The same, with null where there is no number."""

    def of(value: object) -> object:
        if isinstance(value, dict):
            return {name: of(part) for name, part in value.items()}
        if isinstance(value, list):
            return [of(part) for part in value]
        return number_of(value)

    return {name: of(value) for name, value in found.items()}


def number_of(value: float) -> float | None:
    """As far as figures are compared; nothing for infinity and NaN."""
    value = float(value)
    return float(f"{value:.10g}") if math.isfinite(value) else None


def mean(scores: list[dict]) -> dict:
    """Figure by figure, of what is a number."""

    def of(values: list) -> object:
        if isinstance(values[0], dict):
            return {name: of([value[name] for value in values]) for name in values[0]}
        if isinstance(values[0], list):
            return [of(list(parts)) for parts in zip(*values, strict=True)]
        known = [value for value in values if value is not None]
        return number_of(sum(known) / len(known)) if known else None

    return {name: of([score[name] for score in scores]) for name in scores[0]}


def rounded(value: float) -> float:
    """A multiple of 1/64."""
    return round(64 * value) / 64


if __name__ == "__main__":
    main()
