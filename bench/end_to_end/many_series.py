"""Seconds and memory in which `lookback predict` answers many series that are made here.

    python3 bench/end_to_end/many_series.py target/release/lookback

Series of 100 months with a level, a trend and a season of their own; the forecaster is trained on the first thousand of them.
"""

import argparse
import math
import random
import resource
import subprocess
import tempfile
import time
from pathlib import Path

STEPS, SEASON = 100, 12


def main() -> None:
    """Make, train, and time each format once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="target/release/lookback")
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many, model = folder / "few.csv", folder / "many.csv", folder / "model"
        make(few, 1000)
        make(many, arguments.series)
        run = [arguments.program, "--quiet"]
        train = ["train", "forecast", few, "--horizon", SEASON, "--season", SEASON, "--epochs", "3", "-o", model]
        subprocess.run(list(map(str, [*run, *train])), check=True, stdout=subprocess.DEVNULL)
        for form in ("jsonl", "csv"):
            answers = folder / f"answers.{form}"
            predict = ["predict", model, many, "--output-format", form]
            with answers.open("w", encoding="utf-8") as file:
                started = time.perf_counter()
                environment = {"RAYON_NUM_THREADS": str(arguments.threads)}
                subprocess.run(list(map(str, [*run, *predict])), check=True, stdout=file, env=environment)
                seconds = time.perf_counter() - started
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            lines = sum(1 for _ in answers.open(encoding="utf-8"))
            print(f"{arguments.series:,} series of {STEPS} values, {form}: {seconds:.1f} s, {lines:,} lines, at most {memory:.0f} MiB so far")


def make(file: Path, series: int) -> None:
    """Write so many of them; the first are always the same."""
    draw = random.Random(1)
    with file.open("w", encoding="utf-8") as lines:
        lines.write("id,step,y\n")
        for name in range(series):
            level, swing = math.exp(draw.uniform(0, 7)), draw.uniform(0, 0.5)
            phase, trend = draw.uniform(0, math.tau), draw.uniform(-0.003, 0.006)
            for step in range(STEPS):
                season = swing * math.sin(math.tau * step / SEASON + phase)
                lines.write(f"s{name},{step},{level * (1 + trend * step + season + draw.gauss(0, 0.05)):.4g}\n")


if __name__ == "__main__":
    main()
