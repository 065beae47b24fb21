"""Fetch the descriptions of Debian's packages: a long text each, and the line that sums it up.

The lists of packages and their English descriptions are fetched by apt into a folder of their own, so that the machine's lists
stay as they are. The source of a pair is the long description as one line, the target its synopsis. Source packages are drawn by
a seed, so that what is built from one source stands in one part: eight tenths train, a tenth validates, a tenth tests. A long text
that came before, in whatever part, is not taken again.

Writes data/train.tsv, data/valid.tsv and data/test.tsv beside this script, and says how well the first sentence does (ROUGE by the
package `rouge-score`). Wants `apt-get` and Debian's package sources.
"""

import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import debian

HELPER = "/usr/lib/apt/apt-helper"
SEED = 1
SHORTEST, LONGEST = 8, 400


def main() -> None:
    """Fetch, read, split, write."""
    with tempfile.TemporaryDirectory() as folder:
        lists = debian.lists(Path(folder))
        sources = {entry["Description-md5"]: source_of(entry) for entry in entries(lists, "*_Packages*") if "Description-md5" in entry}
        texts = {entry["Description-md5"]: entry["Description-en"] for entry in entries(lists, "*_Translation-en*")}
    by_source: dict[str, list[tuple[str, str]]] = {}
    seen: set[str] = set()
    for md5 in sorted(sources.keys() & texts.keys()):
        synopsis, _, rest = texts[md5].partition("\n")
        text = plain(rest)
        if SHORTEST <= len(text.split()) <= LONGEST and synopsis.strip() and text not in seen:
            seen.add(text)
            by_source.setdefault(sources[md5], []).append((text, " ".join(synopsis.split())))
    names = sorted(by_source)
    random.Random(SEED).shuffle(names)
    tenth = len(names) // 10
    parts = {"valid": names[:tenth], "test": names[tenth : 2 * tenth], "train": names[2 * tenth :]}
    for part, some in parts.items():
        rows = [pair for name in some for pair in by_source[name]]
        path = HERE / "data" / f"{part}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{a}\t{b}\n" for a, b in [("source", "target"), *rows]), encoding="utf-8")
        print(f"{part}: {len(some)} source packages, {len(rows)} pairs")
        if part == "valid":
            print_lead(rows)


def entries(lists: Path, pattern: str) -> Iterator[dict[str, str]]:
    """The fields of every entry of the lists whose names match, further lines of a field as they stand."""
    for file in sorted(lists.glob(pattern)):
        text = subprocess.run([HELPER, "cat-file", file], check=True, capture_output=True).stdout.decode("utf-8")
        for block in text.split("\n\n"):
            fields: dict[str, str] = {}
            name = ""
            for line in block.splitlines():
                if line[:1] == " ":
                    fields[name] += f"\n{line[1:]}"
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
            if fields:
                yield fields


def source_of(entry: dict[str, str]) -> str:
    """The source that a package is built from."""
    return entry.get("Source", entry["Package"]).split(" ")[0]


def plain(text: str) -> str:
    """A long description as one line; a line of a dot alone stands between paragraphs."""
    return " ".join(word for line in text.split("\n") if line.strip() != "." for word in line.split())


def lead(text: str) -> str:
    """The first sentence."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", text, maxsplit=1)[0]


def print_lead(rows: list[tuple[str, str]]) -> None:
    """ROUGE of the first sentence."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ModuleNotFoundError:
        print("pip install rouge-score for the score of the first sentence")
        return
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    scores = [scorer.score(target, lead(source)) for source, target in rows]
    means = {name: sum(score[name].fmeasure for score in scores) / len(scores) for name in scores[0]}
    print("first sentence, valid:", ", ".join(f"{name} {100 * value:.2f}" for name, value in means.items()))


if __name__ == "__main__":
    main()
