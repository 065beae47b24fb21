"""Fetch the Japanese vowels (Kudo et al. 1999): nine speakers, twelve channels, series of 7 to 29 steps.

The split is the official one. Writes data/train.ts and data/test.ts beside this script, as they were published.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch

FOLDER = "aeon/datasets/data/JapaneseVowels"


def main() -> None:
    """Download, check, write."""
    sources = {"train": f"{FOLDER}/JapaneseVowels_TRAIN.ts", "test": f"{FOLDER}/JapaneseVowels_TEST.ts"}
    files = fetch("aeon", "1.6.0", sources.values())
    for part, expected in (("train", 270), ("test", 370)):
        contents = files[sources[part]]
        check_series(part, contents.decode("utf-8"), expected)
        path = HERE / "data" / f"{part}.ts"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
        print(f"{part}: {expected} series")


def check_series(part: str, text: str, expected: int) -> None:
    """Count series, channels, steps and speakers; a line is its channels and its label, parted by colons."""
    lines = text.split("@data", 1)[1].split()
    check(f"series in the {part} part", len(lines), expected)
    series = [line.split(":") for line in lines]
    lengths = [len(channels[0].split(",")) for channels in series]
    check(f"speakers in the {part} part", len({channels[-1] for channels in series}), 9)
    check(f"fewest channels in the {part} part", min(len(channels) - 1 for channels in series), 12)
    check(f"most channels in the {part} part", max(len(channels) - 1 for channels in series), 12)
    check(f"shortest series in the {part} part", min(lengths), 7)
    if max(lengths) > 29:
        raise SystemExit(f"longest series in the {part} part: {max(lengths)} steps, expected 29 at most")


if __name__ == "__main__":
    main()
