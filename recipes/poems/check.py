"""Count how many samples are poems of the form that their prompt began.

    lookback predict MODEL recipes/poems/data/prompts.txt --sample --seed 0 --threads 2 > samples.jsonl
    python3 recipes/poems/check.py < samples.jsonl

Reads JSON Lines with `text`, the prompt and what was written behind it; `alternatives` are counted as well. A prompt is the first
line of a poem with its mark, of five or seven characters. A sample has lines of equal length when it is couplets of Chinese
characters and nothing else, a comma (or ?, ! or ;) behind the first line of each and a full stop (or ? or !) behind the second, and
all its lines, the prompt's among them, have as many characters. It keeps the form of its prompt when, besides, there are four lines
or eight. A sample that was cut off because it became too long keeps nothing.
"""

import json
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent

from forms import form, lines_of


def main() -> None:
    """Read, count, print."""
    answers = [json.loads(line) for line in sys.stdin if line.strip()]
    samples = [sample for answer in answers for sample in (answer, *answer.get("alternatives", ()))]
    if not samples:
        raise SystemExit("no samples: give JSON Lines with `text` on standard input")
    equal, kept = 0, Counter()
    for sample in samples:
        text = sample["text"].strip()
        lines = None if sample.get("unfinished") else lines_of(text)
        equal += lines is not None and len(set(map(len, lines))) == 1
        kept[form(text) if lines is not None else None] += 1
    keeping = len(samples) - kept.pop(None, 0)
    print(f"{len(samples)} samples, {len({sample['text'] for sample in samples})} of them different")
    print(f"lines of equal length: {equal} ({100 * equal / len(samples):.1f} %)")
    print(f"the form of the prompt kept: {keeping} ({100 * keeping / len(samples):.1f} %)")
    for (length, count), number in sorted(kept.items()):
        print(f"  {count} lines of {length}: {number}")
    learnt = HERE / "data" / "train.txt"
    if learnt.exists():
        known = {line for poem in learnt.read_text(encoding="utf-8").split() for line in lines_of(poem)}
        own = [line for sample in samples for line in (lines_of(sample["text"].strip()) or [])[1:]]
        copied = sum(line in known for line in own)
        print(f"lines behind the prompt that stand in the train part: {copied} of {len(own)}")


if __name__ == "__main__":
    main()
