"""Instructions of one repetition, counted by callgrind, against a committed baseline.

    python bench/instructions.py            compare with bench/instructions.json
    python bench/instructions.py --write    make this the baseline

A count does not depend on how busy the machine is, only on the code, the compiler and the processor's instruction set, so
a kernel that got slower by mistake shows here. Outside CI: another compiler counts otherwise, and the baseline names its
own. callgrind runs the AVX2 path at most. What one repetition costs is the difference between runs of three and of one.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from comparison.programs import REPOSITORY, build_ours, target

BASELINE = Path(__file__).resolve().parent / "instructions.json"
# Above this share more, the program fails.
ALLOWED = 0.01
CASES = {
    f"{layer} {mode} {' '.join(map(str, sizes))}{' ragged' if ragged else ''}": (layer, mode, sizes, ragged)
    for layer in ("rnn", "lstm", "gru")
    for mode, sizes, ragged in (
        ("infer", (8, 20, 64, 64), False),
        ("train", (8, 20, 64, 64), False),
        ("train", (16, 28, 64, 32), True),
        ("infer", (1, 20, 64, 128), False),
        ("step", (1, 50, 128, 128), False),
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make what is counted the baseline")
    parser.add_argument("--only", default="", help="the cases whose names hold this")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON in the last line")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("--write writes all cases")
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed; on Debian: apt-get install valgrind")
    subprocess.run(build_ours(), check=True)
    compiler = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"compiler": None, "instructions": {}}
    if not options.write and baseline["compiler"] not in (None, compiler):
        print(f"warning: the baseline is of {baseline['compiler']}, this is {compiler}")
    counts, worse = {}, []
    for name, case in CASES.items():
        if options.only not in name:
            continue
        counts[name] = count = repetition(*case)
        before = baseline["instructions"].get(name)
        change = "" if before is None else f"  {100 * (count / before - 1):+.2f} %"
        print(f"{name:36}{count:>14,}{change}", flush=True)
        if before is not None and count > (1 + ALLOWED) * before:
            worse.append(name)
    if options.write:
        BASELINE.write_text(json.dumps({"compiler": compiler, "instructions": counts}, indent=2) + "\n")
    if options.json:
        print(json.dumps(counts))
    if worse and not options.write:
        raise SystemExit(f"more than {100 * ALLOWED:g} % above the baseline: {', '.join(worse)}")


def repetition(layer: str, mode: str, sizes: tuple[int, ...], ragged: bool) -> int:
    command = [str(target(REPOSITORY) / "release" / "lookback-bench"), layer, "--mode", mode, "--threads", "1"]
    for name, size in zip(("batch", "time", "input", "hidden"), sizes):
        command += [f"--{name}", str(size)]
    command += ["--lengths", "uniform:0.25"] if ragged else []
    return (counted([*command, "--repetitions", "3"]) - counted([*command, "--repetitions", "1"])) // 2


def counted(command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        ran = subprocess.run([*valgrind, *command], capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", ran.stderr)
    if ran.returncode != 0 or found is None:
        raise SystemExit(f"{' '.join(command)} failed under callgrind:\n{ran.stderr.strip()}")
    return int(found[1])


if __name__ == "__main__":
    main()
