"""Measure what programs that run side by side cost one another.

A thread that waits for another one spins only for a moment. Several programs on fewer cores than they have threads should
then be done together about as soon as one after another.

    python bench/side_by_side.py                    four programs, one row over two threads each
    python bench/side_by_side.py --programs 8 -- gru --batch 1 --hidden 128

What stands behind `--` goes to `lookback-bench`. Prints the seconds of both ways, in turns, and the median of their ratios.
"""

import argparse
import statistics
import subprocess
import time
from pathlib import Path

PROGRAM = Path(__file__).parent.parent / "target/release/lookback-bench"
WORK = "lstm --batch 1 --time 100 --input 128 --hidden 256 --threads 2 --repetitions 400".split()


def main() -> None:
    """Run the programs one after another and together, in turns."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--programs", type=int, default=4)
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--program", type=Path, default=PROGRAM, help="another build of lookback-bench")
    options.add_argument("work", nargs="*", default=WORK)
    options = options.parse_args()
    command = [str(options.program), *options.work]
    ratios = []
    for turn in range(options.turns):
        apart = timed(lambda: [start(command).wait() for _ in range(options.programs)])
        together = timed(lambda: [program.wait() for program in [start(command) for _ in range(options.programs)]])
        ratios.append(together / apart)
        print(f"turn {turn + 1}: one after another {apart:.2f} s, together {together:.2f} s, ratio {ratios[-1]:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f} ({options.programs} programs: {' '.join(options.work)})")


def start(command: list[str]) -> subprocess.Popen:
    """Start one program; a failure is one of the measurement."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def timed(run) -> float:
    """The seconds that all programs of one way take; each must succeed."""
    begin = time.perf_counter()
    codes = run()
    if any(codes):
        raise SystemExit(f"a program failed: exit codes {codes}")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
