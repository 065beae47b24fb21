"""Fetch the Turkish web treebank (Kayadelen and others 2020): sentences of forums, blogs and news, split into inflectional groups.

Of the package only the web part is read; the part of Wikipedia is left alone. Writes data/train.conllu, data/valid.conllu and
data/test.conllu beside this script, the sentences in their order.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch
from tagged import cut, tell, write

SOURCE = "data/web.conllu"


def main() -> None:
    """Download, check, split, write."""
    text = fetch("turkish-treebanks", "1.0.0", [SOURCE])[SOURCE].decode("utf-8")
    sentences = text.strip("\n").split("\n\n")
    check("sentences", len(sentences), 2_541)
    for part, some in cut(sentences).items():
        write(HERE / "data" / f"{part}.conllu", "".join(f"{sentence}\n\n" for sentence in some))
    tell(HERE, {"train": (2_032, 25_750), "valid": (254, 3_445), "test": (255, 3_227)}, tags=14)


if __name__ == "__main__":
    main()
