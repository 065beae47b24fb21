"""Time and peak memory of a training step against T, B and H, with the slope fitted in logarithms and a plot (SVG).

    python bench/growth.py --svg growth.svg
    python bench/growth.py --layer gru --times 100,1000,10000 --json

Two claims are looked at: time is linear in the number of real tokens (the slope against T is 1, and that against B is
1 once a step has enough rows to fill the register tile), and padding costs nothing: a batch of which 75 % is padding takes
no more than 5 % over the same tokens without.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

try:
    import numpy as np
    from comparison.programs import REPOSITORY, Program, build_ours, target
    from comparison.turns import Waiting, take_turns, warn_if_busy
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; install what is needed with: pip install -r bench/peers/requirements.txt") from None

BASE = {"batch": 32, "time": 500, "input": 64, "hidden": 128}
PADDING_COST = 1.05


@dataclass
class Point:
    """One shape, measured."""

    size: int
    ms: float
    min_ms: float
    mib: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", choices=["rnn", "lstm", "gru"], default="lstm")
    parser.add_argument("--times", type=sizes, default=[100, 200, 500, 1000, 2000, 5000, 10000], help="T")
    parser.add_argument("--batches", type=sizes, default=[1, 2, 4, 8, 16, 32, 64, 128], help="B")
    parser.add_argument("--hiddens", type=sizes, default=[32, 64, 128, 256, 512], help="H")
    parser.add_argument("--through", choices=["kernels", "modules"], default="kernels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each shape")
    parser.add_argument("--svg", type=Path, help="where the plot is written")
    parser.add_argument("--json", action="store_true", help="print all points as JSON in the last line")
    options = parser.parse_args()
    subprocess.run(build_ours(), check=True)
    warn_if_busy()

    curves = {}
    for name, values in (("time", options.times), ("batch", options.batches), ("hidden", options.hiddens)):
        points = []
        for value in values:
            point = measure(options, BASE | {name: value}, value)
            points.append(point)
            memory = "" if point.mib is None else f", {point.mib:.1f} MiB"
            print(f"{options.layer} {name} {value}: {point.ms:.3f} ms{memory}", flush=True)
        curves[name] = points
    slopes = {name: (slope(points, "ms"), slope(points, "mib")) for name, points in curves.items()}
    for name, (of_time, of_memory) in slopes.items():
        memory = "" if of_memory is None else f", memory as {name}^{of_memory:.2f}"
        print(f"time grows as {name}^{of_time:.2f}{memory}")
    cost = padding(options)
    verdict = "within" if cost <= PADDING_COST else "above"
    print(f"75 % padding: {cost:.3f} of the time for the same tokens, {verdict} the {PADDING_COST} allowed")
    if options.svg is not None:
        plot(options, curves, slopes)
    if options.json:
        found = {name: [vars(point) for point in points] for name, points in curves.items()}
        named = {name: {"time": s[0], "memory": s[1]} for name, s in slopes.items()}
        print(json.dumps({"points": found, "slopes": named, "padding_cost": cost}))


def sizes(text: str) -> list[int]:
    values = [int(word) for word in text.split(",")]
    if len(values) < 2 or min(values) < 1:
        raise argparse.ArgumentTypeError("a slope needs two sizes or more, each at least 1")
    return values


def arguments(options: argparse.Namespace, shape: dict[str, int]) -> list[str]:
    command = [str(target(REPOSITORY) / "release" / "lookback-bench"), options.layer]
    command += [word for name, value in shape.items() for word in (f"--{name}", str(value))]
    return [*command, "--through", options.through, "--threads", str(options.threads)]


def measure(options: argparse.Namespace, shape: dict[str, int], size: int) -> Point:
    command = [*arguments(options, shape), "--seconds", str(options.seconds), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {ran.stderr.strip()}")
    found = json.loads(ran.stdout.splitlines()[-1])
    peak, before = found["memory_peak_mib"], found["memory_before_mib"]
    held = None if peak is None or before is None else peak - before
    return Point(size, found["median_ms"], found["min_ms"], held)


def padding(options: argparse.Namespace) -> float:
    """The time of a batch whose rows have a quarter of the axis, over that of the same tokens without padding."""
    shapes = {
        "padded": [*arguments(options, BASE | {"time": 1000}), "--lengths", "share:0.25"],
        "plain": arguments(options, BASE | {"time": 250}),
    }
    with tempfile.TemporaryDirectory() as name:
        waiting: list[Waiting] = []
        try:
            for what, command in shapes.items():
                program = Program(what, "lookback", lambda work: [], bool)
                waiting.append(Waiting(program, [*command, "--serve"], options.threads, Path(name)))
                waiting[-1].ready()
            (padded, plain), _ = take_turns(waiting, 9, options.seconds / 4)
        finally:
            for one in waiting:
                one.close()
    # Turn by turn, so that a machine that drifts moves both.
    return statistics.median(ours / theirs for ours, theirs in zip(padded, plain))


def slope(points: list[Point], field: str) -> float | None:
    """The exponent that fits best, by least squares of the logarithms."""
    pairs = [(point.size, getattr(point, field)) for point in points if getattr(point, field)]
    if len(pairs) < 2:
        return None
    size, value = np.log(np.array(pairs, dtype=float)).T
    return float(np.polyfit(size, value, 1)[0])


def plot(options: argparse.Namespace, curves: dict[str, list[Point]], slopes: dict) -> None:
    """One panel an axis, time and memory in logarithms."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(curves), figsize=(4.2 * len(curves), 3.6), layout="constrained")
    for panel, (name, points) in zip(panels, curves.items()):
        of_time, of_memory = slopes[name]
        x = [point.size for point in points]
        panel.loglog(x, [point.ms for point in points], "o-", label=f"ms, slope {of_time:.2f}")
        if of_memory is not None:
            panel.loglog(x, [point.mib for point in points], "s--", label=f"MiB, slope {of_memory:.2f}")
        fixed = ", ".join(f"{other} {value}" for other, value in BASE.items() if other != name)
        panel.set(xlabel=f"{name} ({fixed})")
        panel.grid(True, which="both", linewidth=0.3)
        panel.legend()
    figure.suptitle(f"A training step, {options.layer}, {options.threads} threads")
    figure.savefig(options.svg, format="svg", metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
