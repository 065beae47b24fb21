"""Kill trainings at random moments, resume each, and compare the bytes of the models with those of a straight run.

    cargo build --release
    python bench/kills.py recipes/questions/data/train.tsv --kills 30 -- --epochs 3 --ensemble 2 --average ema

What stands behind `--` are options of `lookback train classify`. A checkpoint is written at every step unless they say
otherwise, so that many a kill comes while one is written. Prints a line per kill and fails where a model differs.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "target" / "release" / "lookback"


def command(data: Path, output: Path, options: list[str], *more: str) -> list[str]:
    """The training of `data`, with a checkpoint at every step unless the options say otherwise."""
    every = [] if "--checkpoint-every" in options else ["--checkpoint-every", "1steps"]
    return [str(PROGRAM), "train", "classify", str(data), "-o", str(output), *options, *every, *more]


def finish(line: list[str]) -> float:
    """Run to the end; the seconds it took."""
    start = time.monotonic()
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def main() -> None:
    """Kill, resume and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    own, _, options = " ".join(["", *sys.argv[1:], ""]).partition(" -- ")
    arguments = parser.parse_args(own.split(), argparse.Namespace(options=options.split()))
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        straight, killed = Path(folder) / "straight", Path(folder) / "killed"
        checkpoint = Path(f"{killed}.checkpoint")
        seconds = finish(command(arguments.data, straight, arguments.options))
        expected = straight.read_bytes()
        writing = resumed = 0
        for kill in range(1, arguments.kills + 1):
            killed.unlink(missing_ok=True)
            checkpoint.unlink(missing_ok=True)
            moment = moments.uniform(0.0, 0.95 * seconds)
            with subprocess.Popen(
                command(arguments.data, killed, arguments.options),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as program:
                time.sleep(moment)
                program.kill()
            # A temporary file that is left tells that a checkpoint was being written.
            torn = any(path.name.startswith(".lookback-") for path in Path(folder).iterdir())
            there = checkpoint.exists()
            finish(command(arguments.data, killed, arguments.options, *(["--resume"] if there else [])))
            same = killed.read_bytes() == expected
            writing, resumed = writing + torn, resumed + there
            print(f"kill {kill}: after {moment:.2f} s, {'resumed' if there else 'begun anew'}, "
                  f"{'while a checkpoint was written, ' if torn else ''}{'the same bytes' if same else 'OTHER BYTES'}")
            if not same:
                raise SystemExit(1)
        print(f"{arguments.kills} kills, {resumed} resumed, {writing} of them while a checkpoint was written: "
              "the same bytes in all")


if __name__ == "__main__":
    main()
