"""Train Phonetisaurus on the train part and judge it on the valid part: the share of words of which no listed pronunciation is answered.

    python recipes/g2p/peers.py

Wants the package `phonetisaurus` 0.3.0, whose programs are in its wheel.
"""

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAM = Path(sys.executable).parent / "phonetisaurus"


def main() -> None:
    """Train, answer, count."""
    train, valid = (pairs(HERE / "data" / f"{part}.tsv") for part in ("train", "valid"))
    with tempfile.TemporaryDirectory() as folder:
        lexicon, model = Path(folder) / "lexicon", Path(folder) / "model.fst"
        lexicon.write_text("".join(f"{word} {sounds}\n" for word, listed in train.items() for sounds in listed), encoding="utf-8")
        started = time.perf_counter()
        subprocess.run([PROGRAM, "train", "--model", model, lexicon], check=True, stdout=subprocess.DEVNULL)
        trained = time.perf_counter()
        lines = "".join(f"{word}\n" for word in valid)
        command = [PROGRAM, "predict", "--model", model, "--nbest", "10"]
        answered = subprocess.run(command, check=True, input=lines, capture_output=True, text=True).stdout
        ended = time.perf_counter()
    answers: dict[str, list[str]] = {}
    for line in answered.splitlines():
        word, _, sounds = line.partition(" ")
        answers.setdefault(word, []).append(sounds.strip())
    best = sum(answers.get(word, [""])[0] in listed for word, listed in valid.items())
    ten = sum(any(answer in listed for answer in answers.get(word, [])[:10]) for word, listed in valid.items())
    count = len(valid)
    print(f"{count} words: {100 * (1 - best / count):.2f} % wrong; none of the 10 best right: {100 * (1 - ten / count):.2f} %")
    print(f"trained in {trained - started:.0f} s, answered in {ended - trained:.0f} s")


def pairs(file: Path) -> dict[str, list[str]]:
    """All pronunciations of every word."""
    with file.open(encoding="utf-8", newline="") as lines:
        found: dict[str, list[str]] = {}
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            found.setdefault(row["source"], []).append(row["target"])
    return found


if __name__ == "__main__":
    main()
