"""Seconds an epoch of a recipe's network, Lookback and its twin in PyTorch in turns.

    python recipes/epochs.py PROGRAM questions reviews-zh
    python recipes/epochs.py PROGRAM peoples-daily --epochs 2

PROGRAM is `target/release/lookback`. Each turn trains both with the recipe's own configuration from a seed of its own, on as
many threads; the linear part is solved once and is no part of an epoch. An epoch of either is its steps alone, without
validation, by its own clock.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tagged import file_of

HERE = Path(__file__).resolve().parent
PARTS = ("train", "valid")


def main() -> None:
    """Measure every recipe that is named."""
    parser = argparse.ArgumentParser(description="Compare seconds an epoch with the twin's.")
    parser.add_argument("program", type=Path, help="target/release/lookback")
    parser.add_argument("recipes", nargs="+", help="recipes with a twin: questions, peoples-daily, help-en-zh and others")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4, help="epochs a turn")
    parser.add_argument("--part", type=float, default=1.0, metavar="SHARE", help="train on this share of a table's rows, the first of them")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for recipe in arguments.recipes:
        ratios = []
        for turn in range(arguments.turns):
            theirs, ours = twin(recipe, turn, arguments), lookback(recipe, turn, arguments)
            ratios.append(theirs / ours)
            print(f"{recipe}, turn {turn + 1}: twin {theirs:.2f} s, Lookback {ours:.2f} s, {ratios[-1]:.2f} times as fast")
        print(f"{recipe}: median of {arguments.turns} turns {statistics.median(ratios):.2f}")


def twin(recipe: str, seed: int, arguments: argparse.Namespace) -> float:
    """The median of the twin's epochs."""
    script = HERE / recipe / "twin.py"
    options = ["--seeds", str(seed), "--epochs", str(arguments.epochs), "--threads", str(arguments.threads), "--unjudged", "--json"]
    options += ["--part", str(arguments.part)]
    run = subprocess.run([sys.executable, script, *options], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)["seconds_per_epoch_median"]


def lookback(recipe: str, seed: int, arguments: argparse.Namespace) -> float:
    """The median of our epochs, from the log of a training."""
    task, train, valid = data_of(recipe)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        if arguments.part < 1:
            train = first_of(train, arguments.part, Path(folder))
        command = [arguments.program, "train", task, train, "--validation", valid]
        command += ["--config", HERE / recipe / "config.toml", "--seed", str(seed), "--epochs", str(arguments.epochs)]
        command += ["--threads", str(arguments.threads), "-o", Path(folder) / "model", "--log", log]
        run = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(run.stderr)
        lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
        return statistics.median(line["seconds"] for line in lines if "seconds" in line)


def first_of(table: Path, share: float, folder: Path) -> Path:
    """A table of the first rows of another one, as the twin takes them."""
    if table.suffix != ".tsv":
        raise SystemExit(f"{table}: --part is for tables")
    header, *rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
    part = folder / table.name
    part.write_text("".join([header, *rows[: round(share * len(rows))]]), encoding="utf-8")
    return part


def data_of(recipe: str) -> tuple[str, Path, Path]:
    """The task of a recipe, by what its data are, and its train and valid parts."""
    if "chunk" in tomllib.loads((HERE / recipe / "config.toml").read_text(encoding="utf-8")):
        files = {part: [HERE / recipe / "data" / f"{part}.{extension}" for extension in ("jsonl", "txt")] for part in PARTS}
        return "generate", *(next(filter(Path.exists, some), some[-1]) for some in files.values())
    train, valid = (HERE / recipe / "data" / f"{part}.tsv" for part in PARTS)
    if train.exists():
        columns = train.open(encoding="utf-8").readline().rstrip("\n").split("\t")
        return "translate" if "target" in columns else "classify", train, valid
    return "tag", file_of(HERE / recipe, "train"), file_of(HERE / recipe, "valid")


if __name__ == "__main__":
    main()
