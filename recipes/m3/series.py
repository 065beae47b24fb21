"""Series of M3 as programs in Python read them."""

import csv
from pathlib import Path

SEASONS = {"yearly": 1, "quarterly": 4, "monthly": 12, "other": 1}


def read(file: Path) -> dict[str, list[float]]:
    """The values of every series."""
    series: dict[str, list[float]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            series.setdefault(row["id"], []).append(float(row["value"]))
    return series
