"""Whole trainings here and in their PyTorch twins, taking turns in one run: seconds, ratio and peak memory.

    python bench/end_to_end/compare.py translator forecaster
    python bench/end_to_end/compare.py classifier --recipe recipes/reviews-zh --turns 3
    python bench/end_to_end/compare.py translator --size batch=4 --size words=50 --turns 2

A unit is a training step of the translator or the forecaster, or an epoch of the recipe's classifier. The losses of the
first three steps must agree before any is timed; the classifier draws its own dropout, and its recipe holds its accuracy
to its twin's.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCH))

try:
    import numpy as np
    from comparison import programs, table, turns
    from safetensors.numpy import save_file
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; install what is needed with: pip install -r bench/peers/requirements.txt") from None

SIZES = {
    "translator": {"words": 8000, "embedding": 256, "hidden": 256, "batch": 64, "source": 30, "target": 30},
    "forecaster": {"channels": 8, "hidden": 128, "batch": 64, "time": 168, "horizon": 24},
    "classifier": {},
}
AIMS = {"classifier": 2.0, "translator": 1.5, "forecaster": 1.5}

Tensors = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", choices=[*SIZES], help="all three where none is named")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/reviews-zh"), help="of the classifier")
    parser.add_argument("--batching", choices=["padded", "packed"], default="padded", help="of the classifier's twin")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=N", help="another size than the issue's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="about how long a turn is")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    tasks = options.tasks or list(SIZES)
    given = dict(size.split("=", 1) for size in options.size)
    known = {name for task in tasks for name in SIZES[task]}
    if unknown := sorted(set(given) - known):
        raise SystemExit(f"there is no size {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    pair = pair_of(options)
    if pair[1].missing():
        raise SystemExit(f"the twins need PyTorch: pip install -r {programs.REQUIREMENTS}")
    programs.build(pair)
    turns.warn_if_busy()
    rows = [compare(task, pair, given, options) for task in tasks]
    header = ["work", "PyTorch", "Lookback", "ratio", "aim", "MiB, PyTorch", "MiB"]
    lines = [[str(row["work"]), unit(row["peer_ms"]), unit(row["ours_ms"]), f"{row['ratio']:.2f}", f"{row['target']:g}",
              f"{row['peer_process_mib']:.0f}", f"{row['ours_process_mib']:.0f}"] for row in rows]
    if options.markdown:
        print("\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *lines]))
        versions = ", ".join(f"{table.NAMES[program.peer]} {program.version()}" for program in pair)
        print(f"\n{table.machine()}, {options.threads} threads: {versions}.")
    else:
        for line in [header, *lines]:
            print("  ".join(cell.ljust(28) if place == 0 else cell.rjust(12) for place, cell in enumerate(line)))
    if options.json:
        print(json.dumps(rows))


def pair_of(options: argparse.Namespace) -> list[programs.Program]:
    """Ours and the twin. The `work` that their commands are given is the task's name and where its data are."""
    ours = programs.target(programs.REPOSITORY) / "release" / "lookback-end-to-end"
    twin = [sys.executable, str(BENCH / "end_to_end" / "twins.py")]
    batching = ["--batching", options.batching]
    threads = ["--threads", str(options.threads)]
    return [
        programs.Program(
            "Lookback", "lookback", lambda task: [str(ours), *task, *threads], bool, build=programs.build_ours()
        ),
        programs.Program("PyTorch", "pytorch", lambda task: [*twin, *task, *threads, *batching], bool, "torch"),
    ]


def compare(task: str, pair: list[programs.Program], given: dict[str, str], options: argparse.Namespace) -> dict:
    """Starts both, compares their losses, lets them take turns."""
    sizes = SIZES[task] | {name: int(value) for name, value in given.items() if name in SIZES[task]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if task == "classifier":
            if not (options.recipe / "data" / "train.tsv").exists():
                raise SystemExit(f"{options.recipe}/data is not there; run python3 {options.recipe}/prepare.py first")
            arguments = [task, "--recipe", str(options.recipe)]
        else:
            case = folder / "case.safetensors"
            save_file(CASES[task](sizes), case)
            arguments = [task, "--case", str(case)]
        waiting: list[turns.Waiting] = []
        try:
            expected = None
            for program in pair:
                one = turns.Waiting(program, program.command(arguments), options.threads, folder)
                waiting.append(one)
                losses = one.ready()
                if task != "classifier":
                    expected = expected or losses
                    turns.difference(program, losses, expected)
            medians, everything = turns.take_turns(waiting, options.turns, options.seconds)
            memory = [one.ask("memory") for one in waiting]
        finally:
            for one in waiting:
                one.close()
    timed = [
        turns.Timed(program, float(np.median(times)), min(times), own, 0.0, peak - before, peak)
        for program, times, own, (before, peak) in zip(pair, everything, medians, memory)
    ]
    ours, theirs = timed
    ratio = turns.ratio(theirs, ours)
    what = "epoch" if task == "classifier" else "step"
    changed = "" if sizes == SIZES[task] else f" {sizes}"
    return {
        "work": f"{task}, one {what}{f' of {options.recipe.name}' if task == 'classifier' else changed}",
        "ours_ms": ours.median_ms,
        "peer_ms": theirs.median_ms,
        "ratio": ratio,
        "target": AIMS[task],
        "met": ratio >= AIMS[task],
        "ours_mib": ours.memory_mib,
        "peer_mib": theirs.memory_mib,
        "ours_process_mib": ours.process_mib,
        "peer_process_mib": theirs.process_mib,
    }


def translator(sizes: dict[str, int]) -> Tensors:
    words, width, hidden = sizes["words"], sizes["embedding"], sizes["hidden"]
    draw = np.random.default_rng(0)
    tensors = {
        "param.source.weight": normal(draw, words, width),
        "param.target.weight": normal(draw, words, width),
        **lstm(draw, "encoder", width, hidden, layers=2, directions=2),
        **lstm(draw, "decoder", width + hidden, hidden, layers=1, directions=1),
        "param.attention.w_query": uniform(draw, hidden, hidden, hidden),
        "param.attention.w_key": uniform(draw, hidden, hidden, 2 * hidden),
        "param.attention.v": uniform(draw, hidden, hidden),
        "param.combine.weight": uniform(draw, hidden, hidden, 3 * hidden),
        "param.combine.bias": uniform(draw, hidden, hidden),
        "param.output.weight": uniform(draw, hidden, words, hidden),
        "param.output.bias": uniform(draw, hidden, words),
    }
    for name, length in (("source", sizes["source"]), ("before", sizes["target"]), ("words", sizes["target"])):
        # Ids below 2^24 are exact as floating-point numbers, which is all that a case holds.
        tensors[f"input.{name}"] = draw.integers(0, words, [sizes["batch"], length]).astype(np.float32)
    return tensors


def forecaster(sizes: dict[str, int]) -> Tensors:
    channels, hidden = sizes["channels"], sizes["hidden"]
    draw = np.random.default_rng(0)
    outputs = sizes["horizon"] * channels
    return {
        **lstm(draw, "recurrent", channels, hidden, layers=2, directions=1),
        "param.output.weight": uniform(draw, hidden, outputs, hidden),
        "param.output.bias": uniform(draw, hidden, outputs),
        "input.x": normal(draw, sizes["batch"], sizes["time"], channels),
        "input.target": normal(draw, sizes["batch"], outputs),
    }


CASES = {"translator": translator, "forecaster": forecaster}


def lstm(draw: np.random.Generator, name: str, size: int, hidden: int, layers: int, directions: int) -> Tensors:
    tensors = {}
    for layer in range(layers):
        for end in [f"_l{layer}", f"_l{layer}_reverse"][:directions]:
            tensors[f"param.{name}.weight_ih{end}"] = uniform(draw, hidden, 4 * hidden, size)
            tensors[f"param.{name}.weight_hh{end}"] = uniform(draw, hidden, 4 * hidden, hidden)
            tensors[f"param.{name}.bias_ih{end}"] = uniform(draw, hidden, 4 * hidden)
            tensors[f"param.{name}.bias_hh{end}"] = uniform(draw, hidden, 4 * hidden)
        size = directions * hidden
    return tensors


def uniform(draw: np.random.Generator, hidden: int, *shape: int) -> np.ndarray:
    return draw.uniform(-(hidden**-0.5), hidden**-0.5, shape).astype(np.float32)


def normal(draw: np.random.Generator, *shape: int) -> np.ndarray:
    return draw.standard_normal(shape).astype(np.float32)


def unit(ms: float) -> str:
    return f"{ms / 1e3:.2f} s" if ms >= 1e4 else f"{ms:.1f} ms"


if __name__ == "__main__":
    main()
