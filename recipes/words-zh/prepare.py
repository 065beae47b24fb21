"""Make sentences of characters out of those of peoples-daily: to find the words and what each is, characters go in.

The tag of a character says where it stands in its word, B at its begin, M inside, E at its end, S alone, and what the word is:
`B-n E-n`. Reads the data of ../peoples-daily (prepare those first), and writes data/train.conll and data/valid.conll beside
this script, a character and its tag a line.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tagged import Sentence, read_part, tell, write


def main() -> None:
    """Read, take apart, write, check."""
    for part in ("train", "valid"):
        sentences = read_part(HERE.parent / "peoples-daily", part)
        write(HERE / "data" / f"{part}.conll", "".join(map(block, sentences)))
    tell(HERE, {"train": (15_587, 1_496_139), "valid": (1_948, 175_772)}, tags=127)


def block(sentence: Sentence) -> str:
    """The lines of a sentence and the blank one behind them."""
    lines = (f"{character}\t{place}-{tag}\n" for word, tag in sentence for character, place in zip(word, places(len(word))))
    return "".join(lines) + "\n"


def places(length: int) -> str:
    """Where each character of a word of this length stands."""
    return "S" if length == 1 else "B" + "M" * (length - 2) + "E"


if __name__ == "__main__":
    main()
