"""Have a model write names of each country, as a table that the classifier can be judged on.

    python3 recipes/names/sample.py target/release/lookback /tmp/names.safetensors > /tmp/written.tsv

Writes `label` and `text`, tabs between them, on standard output: `--count` names a country, drawn by `--seed`. What is told of
them on standard error: how many are different, and how many stand in the train part.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Ask for every label, write, tell."""
    parser = argparse.ArgumentParser(description="Have a model write names of each country.")
    parser.add_argument("program", help="target/release/lookback")
    parser.add_argument("model", help="what `lookback train generate` wrote")
    parser.add_argument("--count", type=int, default=100, help="names a country")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with (HERE / "data" / "train.tsv").open(encoding="utf-8", newline="") as file:
        learnt = {(row["label"], row["text"]) for row in csv.DictReader(file, delimiter="\t")}
    rows = [(label, name) for label in sorted({label for label, _ in learnt}) for name in written(label, arguments)]
    table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    table.writerow(("label", "text"))
    table.writerows(rows)
    copied = sum(row in learnt for row in rows)
    print(f"{len(rows)} names, {len(set(rows))} different, {copied} of the train part", file=sys.stderr)


def written(label: str, arguments: argparse.Namespace) -> list[str]:
    """Names by one label; the prompt is an empty line."""
    command = [arguments.program, "predict", arguments.model, "--condition", label, "--sample", "--count", str(arguments.count)]
    command += ["--temperature", str(arguments.temperature), "--seed", str(arguments.seed)]
    run = subprocess.run(command, input="\n", check=False, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if run.returncode != 0:
        raise SystemExit(run.returncode)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    return [sample["text"] for answer in answers for sample in (answer, *answer.get("alternatives", ()))]


if __name__ == "__main__":
    main()
