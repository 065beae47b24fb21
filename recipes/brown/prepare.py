"""Fetch the Brown corpus (Kucera and Francis 1967): American English of 15 categories with parts of speech.

A tag is cut down to its base: `-tl`, `-hl` and `-nc` say where a word stands, `fw-` that it is of another language. The
categories romance (cp) and learned (cj) are left out of everything. Writes data/train.txt, data/valid.txt and
data/test.txt beside this script, `word/tag` lines, the sentences shuffled by seed 0.
"""

import random
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from brown_corpus import documents
from tagged import Sentence, cut, read_slashes, tell, write


def main() -> None:
    """Download, cut the tags down, shuffle, split, write."""
    sentences = [sentence for text in documents().values() for sentence in read_slashes(text)]
    random.Random(0).shuffle(sentences)
    for part, some in cut(sentences).items():
        write(HERE / "data" / f"{part}.txt", "".join(map(line, some)))
    tell(HERE, {"train": (36_140, 726_997), "valid": (4_517, 90_692), "test": (4_518, 91_593)}, tags=176)


def line(sentence: Sentence) -> str:
    """A sentence with the base of its tags."""
    return " ".join(f"{token}/{base(tag)}" for token, tag in sentence) + "\n"


def base(tag: str) -> str:
    """`nn-tl` is an `nn`, `fw-in+at-tl` an `in+at`."""
    return re.sub(r"-(tl|hl|nc)\b", "", tag).removeprefix("fw-")


if __name__ == "__main__":
    main()
