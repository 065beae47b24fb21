"""Train a forecaster per frequency of M3, and judge it on the official test part beside the classic forecasts.

    python3 recipes/m3/measure.py PROGRAM --ensemble 5
    python3 recipes/m3/measure.py PROGRAM --development --refit

Options that it does not know are handed on to `lookback train`. With `--development` the last horizon of the training part takes the
place of the test part, which is not read: options are chosen by that.

PROGRAM is `target/release/lookback`. sMAPE is on the 200 scale. In the last row every step that is forecast counts the same, as in
the competition's own averages: a monthly series three times as much as a yearly one.
"""

import argparse
import csv
import json
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HORIZONS = {"yearly": 6, "quarterly": 8, "monthly": 18, "other": 8}
FREQUENCIES = tuple(HORIZONS)
FLOORS = ("seasonal_naive", "theta", "ets")


def main() -> None:
    """A row per frequency, and one of all steps."""
    parser = argparse.ArgumentParser(description="Measure forecasters of M3.")
    parser.add_argument("program", type=Path, help="target/release/lookback")
    parser.add_argument("--ensemble", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--development", action="store_true", help="judge by the last horizon of the training part")
    arguments, arguments.train = parser.parse_known_args()
    names = ("this model", *FLOORS)
    sums, series, steps, seconds = dict.fromkeys(names, 0.0), 0, 0, 0.0
    coverage = {"80": 0.0, "95": 0.0}
    print(f"| | series | {' | '.join(f'{name}, sMAPE' for name in names)} | in 80 % | in 95 % | seconds |")
    print("|---|---:|" + "---:|" * (len(names) + 3))
    for frequency in FREQUENCIES:
        started = time.perf_counter()
        judged = forecast(frequency, arguments)
        took = time.perf_counter() - started
        own = {"this model": judged["smape"], **{floor: judged[floor]["smape"] for floor in FLOORS}}
        row(frequency, judged["series"], own, judged["coverage"], took)
        for name in names:
            sums[name] += own[name] * judged["steps"]
        for level in coverage:
            coverage[level] += judged["coverage"][level] * judged["steps"]
        series, steps, seconds = series + judged["series"], steps + judged["steps"], seconds + took
    mean = {name: total / steps for name, total in sums.items()}
    row("all steps", series, mean, {level: total / steps for level, total in coverage.items()}, seconds)


def forecast(frequency: str, arguments: argparse.Namespace) -> dict:
    """What `lookback evaluate` says of a model that was trained on the training part."""
    data = HERE / "data" / frequency
    with tempfile.TemporaryDirectory() as folder:
        model, train, test = Path(folder) / "model", data / "train.csv", data / "test.csv"
        if arguments.development:
            train, test = Path(folder) / "train.csv", train
            write_without_last_horizon(test, train, HORIZONS[frequency])
        command = [arguments.program, "--quiet", "train", "forecast", train, "--config", HERE / f"{frequency}.toml"]
        command += ["--ensemble", arguments.ensemble, "--seed", arguments.seed, "-o", model, *arguments.train]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        command = [arguments.program, "--quiet", "evaluate", model, test, "--json"]
        return json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)


def write_without_last_horizon(whole: Path, part: Path, horizon: int) -> None:
    """A table of series without their ends."""
    with whole.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    length = {name: int(step) for name, step, _ in rows}
    with part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([header, *(row for row in rows if int(row[1]) <= length[row[0]] - horizon)])


def row(name: str, series: int, smape: dict[str, float], coverage: dict[str, float], seconds: float) -> None:
    """A row of the table."""
    values = " | ".join(f"{value:.2f}" for value in smape.values())
    print(f"| {name} | {series} | {values} | {100 * coverage['80']:.1f} % | {100 * coverage['95']:.1f} % | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
