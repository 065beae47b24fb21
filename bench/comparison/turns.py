"""Programs that wait, and run one at a time: ours, theirs, ours, theirs."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from .programs import Program
from .work import Work

# Threads of OpenMP and of ONNX Runtime spin for a while after their work; the next program waits that long.
REST = 0.05
# The largest difference, relative to the largest absolute value of that tensor.
TOLERANCE = 1e-4


@dataclass
class Timed:
    """What one program took."""

    program: Program
    median_ms: float
    min_ms: float
    turns: list[float]
    """The median of each turn."""
    difference: float
    """The largest relative difference of its results from ours."""
    memory_mib: float
    """The most it held above what it held before the work was made."""
    process_mib: float
    """The most it held in all."""


class Waiting:
    """A program that has computed once and waits for lines."""

    def __init__(self, program: Program, command: list[str], threads: int, folder: Path) -> None:
        self.program = program
        self.results_path = folder / f"{program.name.replace(' ', '-')}.safetensors"
        command = [*command, "--results", str(self.results_path)]
        threads = str(threads)
        environment = os.environ | {"RAYON_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )

    def close(self) -> None:
        """Lets the program end."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def read(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            tail = self.errors.read().decode(errors="replace").strip().splitlines()[-6:]
            raise SystemExit(f"{self.program.name} stopped: " + "\n".join(tail or ["it said nothing"]))
        return line.strip()

    def ask(self, line: str) -> list[float]:
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return [float(word) for word in self.read().split()]

    def ready(self) -> dict[str, np.ndarray]:
        """Waits for the results; none where the program writes none."""
        line = self.read()
        if line != "ready":
            raise SystemExit(f"{self.program.name} said {line!r} where 'ready' was expected")
        return load_file(self.results_path) if self.results_path.exists() else {}


def run(work: Work, programs: list[Program], turns: int, seconds: float) -> tuple[list[Timed], float, float]:
    """Times every program in turns. Gives the times, the operations of one unit, and the ceiling in GFLOP/s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = folder / "case.safetensors"
        work.write_case(case)
        waiting: list[Waiting] = []
        try:
            differences = []
            for program in programs:
                one = Waiting(program, [*program.command(work), "--case", str(case)], work.threads, folder)
                waiting.append(one)
                results = one.ready()
                if program is programs[0]:
                    expected = results
                differences.append(difference(program, results, expected))
            medians, everything = take_turns(waiting, turns, seconds)
            memory = [one.ask("memory") for one in waiting]
            flops, ceiling = waiting[0].ask("ceiling")
        finally:
            for one in waiting:
                one.close()
    timed = [
        Timed(program, statistics.median(times), min(times), own, apart, peak - before, peak)
        for program, times, own, apart, (before, peak) in zip(programs, everything, medians, differences, memory)
    ]
    return timed, flops, ceiling


def take_turns(waiting: list[Waiting], turns: int, seconds: float) -> tuple[list[list[float]], list[list[float]]]:
    """The median of each turn and all times, of every program."""
    counts = []
    for one in waiting:
        start = time.perf_counter()
        one.ask("2")
        each = (time.perf_counter() - start) / 2
        counts.append(max(1, min(2000, round(seconds / each))))
    medians: list[list[float]] = [[] for _ in waiting]
    everything: list[list[float]] = [[] for _ in waiting]
    for _ in range(turns):
        for index, one in enumerate(waiting):
            time.sleep(REST)
            # The first repetition finds cold caches and sleeping threads.
            times = one.ask(str(1 + counts[index]))[1:]
            medians[index].append(statistics.median(times))
            everything[index] += times
    return medians, everything


def difference(program: Program, results: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest relative difference; programs that disagree are not compared in time."""
    output = "y" if "y" in expected else "context"
    if output not in results:
        raise SystemExit(f"{program.name} did not compute {output}")
    worst = 0.0
    for name in sorted(results.keys() & expected.keys()):
        found, want = results[name], expected[name]
        if found.shape != want.shape:
            raise SystemExit(f"{program.name}: {name} is {list(found.shape)} but ours is {list(want.shape)}")
        apart = float(np.abs(found - want).max(initial=0.0) / (np.abs(want).max(initial=0.0) or 1.0))
        if not apart <= TOLERANCE:
            raise SystemExit(f"{program.name} disagrees with us: {name} differs by {apart:.1e}, more than {TOLERANCE:.0e}")
        worst = max(worst, apart)
    return worst


def busy() -> float:
    """The share of the machine that others used over a second: a figure taken on a busy machine is worth nothing.

    Programs whose threads wait for one another step by step (PyTorch's) then lose a hundred times as much as ours.
    """

    def ticks() -> tuple[int, int]:
        numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    try:
        total, idle = ticks()
        time.sleep(1.0)
        later_total, later_idle = ticks()
    except OSError:
        return 0.0
    return 1.0 - (later_idle - idle) / max(1, later_total - total)


def warn_if_busy() -> float:
    """Says so before any time is taken."""
    share = busy()
    if share > 0.05:
        print(f"warning: the machine is {100 * share:.0f} % busy with other work; do not believe these times", file=sys.stderr)
    return share


def ratio(theirs: Timed, ours: Timed) -> float:
    """How many times as fast ours is: the median over turns, so that a machine that drifts moves both."""
    return statistics.median(their / our for their, our in zip(theirs.turns, ours.turns))
